//! The command line as a user meets it: what it prints, and the status it ends with.

use super::program::Folder;

const DIGEST: &str = "sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0";

pub(crate) fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

fn pinned() -> String {
    format!("services:\n  web:\n    image: ghcr.io/org/web:1.2.3@{DIGEST}\n")
}

#[test]
fn the_status_is_0_1_or_2_in_every_format() {
    let folder = Folder::new(&[
        ("clean.yml", &pinned()),
        ("bad.yml", "services:\n  web:\n    image: nginx\n"),
        ("broken.yml", "services: [\n"),
    ]);
    for format in ["human", "github", "json", "sarif", "markdown", "gitlab"] {
        for (file, status) in [("clean.yml", 0), ("bad.yml", 1), ("broken.yml", 1), ("gone.yml", 2)] {
            let ran = folder.run(&["check", "--format", format, file]);
            assert_eq!(ran.status, status, "{format} {file}: {}", ran.shown());
        }
    }
}

#[test]
fn what_check_prints() {
    let folder = Folder::new(&[
        ("deploy/clean.yml", &pinned()),
        ("deploy/web.yml", "services:\n  web:\n    image: nginx:latest\n  api:\n    build: .\n"),
    ]);
    snapshot("cli-check", &folder.run(&["check", "deploy"]).shown());
    snapshot("cli-check-clean", &folder.run(&["check", "deploy/clean.yml"]).shown());
    assert_eq!(folder.run(&["check", "--quiet", "deploy/clean.yml"]).shown(), "status 0\n");
}

#[test]
fn without_a_configuration_the_conventional_names_are_judged() {
    let folder = Folder::new(&[
        ("compose.yml", "services: {a: {image: a}}\n"),
        ("deploy/prod/app.yml", "services: {b: {image: b}}\n"),
        ("compose.prod.yml", "services: {c: {image: c}}\n"),
    ]);
    let ran = folder.run(&["check", "--format", "json"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stdout.contains("compose.prod.yml") && ran.stdout.contains("deploy/prod/app.yml"), "{}", ran.shown());
    assert!(!ran.stdout.contains("\"compose.yml\""), "{}", ran.shown());
    snapshot("cli-nothing-found", &Folder::new(&[("readme", "")]).run(&["check"]).shown());
}

#[test]
fn environments_block_or_advise() {
    let folder = Folder::new(&[
        (
            "digest-gate.yml",
            "version: 1\nenvironments:\n  production: {manifests: [prod/**]}\n  staging: {enforce: false, manifests: [staging/**]}\n",
        ),
        ("prod/a.yml", &pinned()),
        ("staging/b.yml", "services: {b: {image: 'b:1.2.3'}}\n"),
    ]);
    snapshot("cli-environments", &folder.run(&["check"]).shown());
    folder.write("prod/a.yml", "services: {b: {image: 'b:1.2.3'}}\n");
    assert_eq!(folder.run(&["check"]).status, 1);
    assert_eq!(folder.run(&["check", "--environment", "staging"]).status, 0);
    snapshot("cli-no-such-environment", &folder.run(&["check", "--environment", "prodcution"]).shown());
}

#[test]
fn a_pattern_that_matches_nothing_and_a_configuration_that_is_wrong_fail() {
    let folder = Folder::new(&[
        ("digest-gate.yml", "version: 1\nenvironments:\n  production:\n    manifests: [prod/**, deploy/*.yml]\n"),
        ("prod/README.md", "no manifest"),
        ("deploy/a.yml", &pinned()),
    ]);
    snapshot("cli-no-manifests", &folder.run(&["check"]).shown());
    folder.write("digest-gate.yml", "version: 1\nenviroments: {}\n");
    let ran = folder.run(&["check"]);
    assert_eq!(ran.status, 2);
    snapshot("cli-wrong-configuration", &ran.shown());
}

#[test]
fn exceptions_exempt_by_the_file_from_any_folder() {
    let folder = Folder::new(&[
        (".git/HEAD", ""),
        (
            "digest-gate.yml",
            "version: 1\nenvironments: {production: {manifests: [prod/**]}}\nexceptions:\n- {image: nginx, path: prod/a.yml, reason: vendor, ticket: POAM-17, expires: 2999-12-31}\n",
        ),
        ("prod/a.yml", "services: {b: {image: 'nginx:1.2.3'}}\n"),
    ]);
    assert_eq!(folder.run(&["check"]).status, 0);
    let inside = super::program::run_in(&folder.path().join("prod"), &["check"], "", &[]);
    assert_eq!(inside.status, 0, "{}", inside.shown());
    assert!(inside.stdout.contains("POAM-17") && inside.stdout.contains("a.yml:1"), "{}", inside.shown());
    assert!(!inside.stdout.contains("prod/a.yml"), "{}", inside.shown());
}

#[test]
fn standard_input_is_read_and_named() {
    let folder = Folder::new(&[]);
    let rendered = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - image: web:1.2.3\n";
    snapshot("cli-stdin", &folder.run_with(&["check", "-"], rendered, &[]).shown());
    let named = format!("---\n# Source: app/templates/web.yaml\n{rendered}");
    let ran = folder.run_with(&["check", "-"], &named, &[]);
    assert!(ran.stdout.contains("Pod/web (app/templates/web.yaml)"), "{}", ran.shown());
    let dockerfile = folder.run_with(&["check", "-", "--stdin-path", "Dockerfile"], "FROM nginx\n", &[]);
    assert_eq!(dockerfile.status, 1, "{}", dockerfile.shown());
    let sniffed = folder.run_with(&["images", "-"], "# comment\nARG A=1\nFROM nginx:$A\n", &[]);
    assert!(sniffed.stdout.contains("nginx:1"), "{}", sniffed.shown());
}

#[test]
fn templates_are_told_as_such() {
    let folder = Folder::new(&[(
        "templates/web.yaml",
        "apiVersion: v1\nkind: Pod\nspec:\n  {{- if .Values.x }}\n  containers:\n  - image: {{ .Values.image }}\n  {{- end }}\n",
    )]);
    snapshot("cli-template", &folder.run(&["check", "templates"]).shown());
    folder.write("templates/web.yaml", "spec:\n  {{- include \"app.pod\" . | nindent 2 }}\n  image: web:1.2.3\n");
    snapshot("cli-template-without-image", &folder.run(&["check", "templates"]).shown());
}

#[test]
fn files_that_are_no_manifests_are_skipped() {
    let folder = Folder::new(&[("README.md", "# hello: [\n"), ("notes.txt", "image: x"), ("a.yml", "just: text\n")]);
    let ran = folder.run(&["check", "README.md", "notes.txt", "a.yml"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    assert!(ran.stdout.contains("0 images"), "{}", ran.shown());
}

#[test]
fn images_lists_places_and_says_what_it_could_not_read() {
    let folder = Folder::new(&[
        ("Dockerfile", "FROM scratch AS base\nFROM base\nFROM docker.io/library/nginx:1.27.1\n"),
        ("compose.yml", &pinned()),
        ("k8s/Kustomization", "resources: []\n"),
    ]);
    let ran = folder.run(&["images", "--format", "json", "."]);
    assert_eq!(ran.status, 0);
    let lines: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{}", ran.shown());
    assert_eq!(lines[0]["path"], "Dockerfile");
    assert_eq!((&lines[0]["line"], &lines[0]["column"]), (&3.into(), &6.into()));
    assert_eq!(lines[1]["digest"], DIGEST);
    assert_eq!(folder.run(&["images", "--all", "--format", "json", "."]).stdout.lines().count(), 4);
    folder.write("broken.yml", "a: [\n");
    let ran = folder.run(&["images", "--format", "json", "."]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (2, 2));
    assert!(ran.stderr.contains("broken.yml"), "{}", ran.shown());
}

#[test]
fn levels_and_policies_go_before_the_configuration() {
    let folder = Folder::new(&[("a.yml", "services: {a: {image: nginx}}\n")]);
    assert_eq!(folder.run(&["check", "--level", "unpinned=warning", "a.yml"]).status, 0);
    assert_eq!(folder.run(&["check", "--level", "unpined=warning", "a.yml"]).status, 2);
    folder.write("b.yml", &format!("services: {{a: {{image: 'nginx:1.2.3@{DIGEST}'}}}}\n"));
    assert_eq!(folder.run(&["check", "b.yml"]).status, 0);
    assert_eq!(folder.run(&["check", "--policy", "strict", "b.yml"]).status, 1);
}

#[test]
fn output_goes_to_the_file_that_is_named() {
    let folder = Folder::new(&[("a.yml", "services: {a: {image: nginx}}\n")]);
    let ran = folder.run(&["check", "--format", "sarif", "--output", "out.sarif", "a.yml"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""));
    let sarif: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("out.sarif")).unwrap()).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(folder.run(&["check", "--output", "no/such/folder", "a.yml"]).status, 2);
}

#[test]
fn every_rule_explains_itself_and_bad_words_are_answered() {
    let folder = Folder::new(&[]);
    let all = folder.run(&["explain"]);
    snapshot("cli-explain", &all.shown());
    for rule in digest_gate::rule::RULES {
        let one = folder.run(&["explain", rule.id]);
        assert_eq!(one.status, 0);
        assert!(one.stdout.contains(rule.why), "{}", one.stdout);
    }
    assert_eq!(folder.run(&["explain", "unpined"]).status, 2);
    assert_eq!(folder.run(&["chekc"]).status, 2);
    assert_eq!(folder.run(&["check", "--threads", "0"]).status, 2);
    assert_eq!(folder.run(&["--version"]).status, 0);
    for arguments in [&["schema"][..], &["man"], &["completions", "bash"]] {
        let ran = folder.run(arguments);
        assert!(ran.status == 0 && ran.stdout.len() > 1000, "{arguments:?}: {}", ran.shown());
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_repository_is_not_waited_for() {
    let folder = Folder::new(&[("clean.yml", &pinned())]);
    let pipe = folder.path().join("pipe.yml");
    if !std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        super::program::skipped("no `mkfifo` on PATH: a pipe among the manifests was not tried");
        return;
    }
    let ran = folder.run(&["check", "."]);
    assert_eq!(ran.status, 1);
    assert!(ran.stdout.contains("is not a regular file"), "{}", ran.shown());
}

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
        ("dev.yml", "services: {a: {image: a}}\n"),
        ("deploy/prod/app.yml", "services: {b: {image: b}}\n"),
        ("compose.prod.yml", "services: {c: {image: c}}\n"),
    ]);
    let ran = folder.run(&["check", "--format", "json"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stdout.contains("compose.prod.yml") && ran.stdout.contains("deploy/prod/app.yml"), "{}", ran.shown());
    assert!(!ran.stdout.contains("dev.yml"), "{}", ran.shown());
    snapshot("cli-nothing-found", &Folder::new(&[("readme", "")]).run(&["check"]).shown());
}

#[test]
fn stacks_are_judged_as_they_are_deployed() {
    let files = [
        ("compose.yml", "services:\n  web:\n    image: ghcr.io/org/web:1.2.3\n  db:\n    image: postgres:16.4.0\n"),
        (
            "compose.prod.yml",
            &format!("services:\n  web:\n    image: ghcr.io/org/web:1.2.3@{DIGEST}\n    profiles: [web]\n"),
        ),
    ];
    let folder = Folder::new(&files);
    snapshot("cli-stack-by-convention", &folder.run(&["check"]).shown());
    folder.write(
        "digest-gate.yml",
        "version: 1\nenvironments:\n  production:\n    manifests: ['*.yml']\n    stacks:\n      - files: [compose.yml, compose.prod.yml]\n",
    );
    let ran = folder.run(&["images", "--format", "json"]);
    let fields: Vec<_> =
        ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect();
    let at = |n: usize| (fields[n]["path"].as_str().unwrap(), fields[n]["field"].as_str().unwrap());
    assert_eq!(fields.len(), 2, "{}", ran.shown());
    assert_eq!(at(0), ("compose.prod.yml", "services.web.image"));
    assert_eq!(at(1), ("compose.yml", "services.db.image"));
    folder.write(
        "digest-gate.yml",
        "version: 1\nenvironments: {production: {stacks: [{files: [compose.yml, gone.yml]}]}}\n",
    );
    let ran = folder.run(&["check"]);
    assert!(ran.status == 1 && ran.stdout.contains("`gone.yml` is not there"), "{}", ran.shown());
}

/// A base that only its overlay pins, and a chart that only the environment's values pin.
fn deployed() -> Folder {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - name: web\n    image: ";
    Folder::new(&[
        ("k8s/base/kustomization.yaml", "resources: [pod.yaml]\n"),
        ("k8s/base/pod.yaml", &format!("{pod}app\n")),
        (
            "k8s/overlays/prod/kustomization.yaml",
            &format!(
                "resources: [../../base]\nimages:\n- name: app\n  newName: ghcr.io/org/app\n  newTag: 1.2.3\n  digest: {DIGEST}\n"
            ),
        ),
        ("charts/app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.1.0\nappVersion: 1.2.3\n"),
        ("charts/app/values.yaml", "image: {repository: ghcr.io/org/app, digest: ''}\n"),
        (
            "charts/app/templates/pod.yaml",
            &format!(
                "{pod}{{{{ .Values.image.repository }}}}:{{{{ .Chart.AppVersion }}}}@{{{{ .Values.image.digest }}}}\n"
            ),
        ),
        ("values.prod.yaml", &format!("image: {{digest: '{DIGEST}'}}\n")),
        (
            "digest-gate.yml",
            "version: 1\nenvironments:\n  production:\n    overlays: [k8s/overlays/prod]\n    charts: [{chart: charts/app, values: [values.prod.yaml]}]\n",
        ),
    ])
}

#[test]
fn overlays_and_charts_are_judged_as_they_are_deployed() {
    let folder = deployed();
    snapshot("cli-overlay-and-chart", &folder.run(&["images"]).shown());
    assert_eq!(folder.run(&["check"]).status, 0);
    folder.write("k8s/overlays/prod/kustomization.yaml", "resources: [../../base]\n");
    folder.write("values.prod.yaml", "{}\n");
    snapshot("cli-overlay-and-chart-unpinned", &folder.run(&["check"]).shown());
    std::fs::write(folder.path().join("charts/app/templates/odd.yaml"), [0xff, 0xfe]).unwrap();
    let ran = folder.run(&["check"]);
    assert!(ran.stdout.contains("odd.yaml") && ran.stdout.contains("is not text"), "{}", ran.shown());
    folder.write(
        "digest-gate.yml",
        "version: 1\nenvironments: {production: {overlays: [k8s/gone], charts: [{chart: gone}]}}\n",
    );
    let ran = folder.run(&["check"]);
    assert_eq!(ran.stdout.matches("error[no-manifests]").count(), 2, "{}", ran.shown());
}

#[test]
fn an_overlay_is_found_by_its_conventional_name_and_its_base_is_not_judged_alone() {
    let folder = deployed();
    std::fs::remove_file(folder.path().join("digest-gate.yml")).unwrap();
    std::fs::remove_file(folder.path().join("values.prod.yaml")).unwrap();
    let ran = folder.run(&["check"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    assert!(ran.stdout.contains("1 image: 1 pinned"), "{}", ran.shown());
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
    for picture in ["logo.png", "disk.image"] {
        std::fs::write(folder.path().join(picture), [0xff, 0xfe, 0]).unwrap();
    }
    let ran = folder.run(&["check", "README.md", "notes.txt", "a.yml", "logo.png", "disk.image"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    assert!(ran.stdout.contains("0 images"), "{}", ran.shown());
    std::fs::write(folder.path().join("b.yml"), [0xff, 0xfe, 0]).unwrap();
    assert_eq!(folder.run(&["check", "b.yml"]).status, 1);
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
fn a_tag_over_a_charts_own_values_is_judged_and_no_reference_to_list() {
    let folder = Folder::new(&[("values-prod.yaml", "image:\n  tag: '1.2'\n")]);
    assert_eq!(folder.run(&["check", "."]).status, 1);
    assert_eq!(folder.run(&["images", "--format", "json", "."]).stdout, "");
    assert_eq!(folder.run(&["images", "--format", "json", "--all", "."]).stdout.lines().count(), 1);
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

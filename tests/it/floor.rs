//! The policy file of an organisation, as a repository meets it that would rather be judged by less.

use super::cli::snapshot;
use super::program::Folder;

/// A repository that lowers what it can, and the checkout of its organisation's policy beside it.
fn repository(policy: &str) -> Folder {
    Folder::new(&[
        (".git/HEAD", ""),
        (".policy/.git/HEAD", ""),
        (".policy/org.yml", policy),
        (
            "digest-gate.yml",
            "version: 1\nenvironments: {production: {enforce: false, manifests: [prod/**]}}\nlevels:\n  unpinned: off\n  floating-tag: note\nexceptions:\n- {image: nginx, reason: it is only a proxy, ticket: POAM-17, expires: 2999-12-31}\n",
        ),
        ("prod/a.yml", "services:\n  web:\n    image: nginx:latest\n"),
    ])
}

const POLICY: &str =
    "version: 1\nlevels:\n  unpinned: error\n  floating-tag: warning\nenforced-environments: [production]\n";

#[test]
fn nothing_goes_below_the_floor() {
    let folder = repository(POLICY);
    assert_eq!(folder.run(&["check"]).status, 0);
    let floor = ["check", "--policy-file", ".policy/org.yml"];
    let ran = folder.run(&floor);
    // Days left change with the day.
    let shown = ran.shown();
    let (before, after) = shown.split_once(", in ").unwrap();
    snapshot("policy-file", &format!("{before}, in {}", after.split_once(' ').map_or("", |(_, rest)| rest)));
    let lower = ["--level", "unpinned=off", "--policy", "default"];
    assert_eq!(folder.run(&[floor.as_slice(), &lower].concat()).status, 1);
    assert_eq!(folder.run(&["check", "--policy-file", ".policy/org.yml", "prod"]).status, 1);
    let json = folder.run(&[floor.as_slice(), &["--format", "json"]].concat()).stdout;
    assert!(json.contains(r#""level_from":"`levels` of .policy/org.yml:3""#), "{json}");
    assert!(json.contains(r#""refused_by":{"path":".policy/org.yml","line":3}"#), "{json}");
}

#[test]
fn an_exception_of_the_organisation_counts_and_is_not_unused() {
    let exception = "exceptions:\n- {image: nginx, reason: ours, expires: 2999-12-31}\n- {image: redis, reason: other repositories, expires: 2999-12-31}\n- {image: gone, reason: over, expires: 2001-01-01}\n";
    let folder = repository(&format!("{POLICY}{exception}"));
    let ran = folder.run(&["check", "--policy-file", ".policy/org.yml"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    assert!(!ran.stdout.contains("[unused-exception]: the exception for `redis`"), "{}", ran.shown());
    assert!(!ran.stdout.contains("expired-exception"), "{}", ran.shown());
    assert!(ran.stdout.contains("other repositories") && ran.stdout.contains("ended on 2001-01-01"), "{}", ran.shown());
    folder.write(".policy/org.yml", &format!("{POLICY}{}", exception.replace("image: gone", "image: nginx")));
    let ran = folder.run(&["check", "--policy-file", ".policy/org.yml"]);
    assert!(ran.stdout.contains("error[expired-exception]") && ran.status == 1, "{}", ran.shown());
}

#[test]
fn a_policy_file_that_is_wrong_or_gone_is_not_passed_over() {
    let folder = repository("version: 1\nlevel: {}\n");
    for file in [".policy/org.yml", ".policy/gone.yml", ".policy"] {
        let ran = folder.run(&["check", "--policy-file", file]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.shown());
        assert!(ran.stderr.contains(file), "{}", ran.shown());
    }
}

#[test]
fn a_policy_file_of_the_repository_itself_is_told() {
    let folder = repository(POLICY);
    folder.write("policy/org.yml", POLICY);
    let ran = folder.run(&["check", "--policy-file", "policy/org.yml"]);
    assert!(ran.stdout.contains("lies in the repository it is for"), "{}", ran.shown());
    let outside = Folder::new(&[("org.yml", POLICY)]);
    let file = outside.path().join("org.yml");
    let ran = folder.run(&["check", "--policy-file", file.to_str().unwrap()]);
    assert_eq!(ran.status, 1);
    assert!(!ran.stdout.contains("lies in the repository"), "{}", ran.shown());
}

#[test]
fn the_action_takes_it_as_an_input() {
    let folder = repository(POLICY);
    let workspace = folder.path().to_str().unwrap();
    let environment =
        [("INPUT_POLICY-FILE", ".policy/org.yml"), ("INPUT_CHECK-RUN", "off"), ("GITHUB_WORKSPACE", workspace)];
    assert_eq!(folder.run_with(&["action"], "", &environment).status, 1);
    assert_eq!(folder.run_with(&["action"], "", &environment[1..]).status, 0);
    folder.write(".policy/org.yml", "version: 2\n");
    let ran = folder.run_with(&["action"], "", &environment);
    assert_eq!(ran.status, 2);
    assert!(ran.stdout.contains("::error file=.policy/org.yml,line=1"), "{}", ran.shown());
}

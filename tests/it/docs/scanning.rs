//! The pages about scans and evidence: their commands run, their examples do what is said of them.

use std::collections::BTreeSet;
use std::fs;

use digest_gate::policy::Policy;
use digest_gate::report::evidence::PREDICATE_TYPE;
use digest_gate::resolution::Grade;
use digest_gate::source::Source;

use super::{blocks, read};
use crate::program::Folder;
use crate::scan::{INDEX, SCOUT, TRIVY};

fn folder() -> Folder {
    let folder = Folder::new(&[
        ("trivy.json", TRIVY),
        ("scout.sarif", SCOUT),
        ("scans/trivy.json", TRIVY),
        ("scans/notes.txt", "no report"),
    ]);
    folder.write("deploy/prod/app.yml", &format!("services: {{app: {{image: 'ghcr.io/org/app:1.2.3@{INDEX}'}}}}\n"));
    folder
}

/// Runs each command of a page, and holds the list of their status against them.
fn run_commands(page: &str, folder: &Folder, expected: &[i32]) {
    let commands: Vec<_> = page.lines().map(str::trim).filter(|line| line.starts_with("digest-gate ")).collect();
    assert_eq!(commands.len(), expected.len(), "{commands:?}");
    for (command, status) in commands.iter().zip(expected) {
        let mut arguments: Vec<_> = command.split(' ').skip(1).collect();
        arguments.push("--offline");
        let ran = folder.run(&arguments);
        assert_eq!(ran.status, *status, "{command}: {}", ran.shown());
    }
}

#[test]
fn the_page_about_scans_is_true() {
    let page = read("docs/scanning.md");
    let folder = folder();
    run_commands(&page, &folder, &[1, 1, 1, 0, 0]);
    let bill = fs::read_to_string(folder.path().join("images.cdx.json")).unwrap();
    assert!(bill.contains("\"specVersion\":\"1.6\""), "{bill}");
    let configuration = blocks(&page, "yaml").into_iter().find(|block| block.starts_with("version:")).unwrap();
    let policy = Policy::parse(&Source::new("digest-gate.yml", configuration)).unwrap();
    assert_eq!((policy.scan().gate, policy.scan().ignore_unfixed), (Grade::High, true));
    let before = folder.run(&["verify", "--offline", "--scan-report", "trivy.json"]);
    assert!(before.stdout.contains("CVE-2026-1002"), "{}", before.shown());
    folder.write("vex.cdx.json", &blocks(&page, "json")[0]);
    let after = folder.run(&["verify", "--offline", "--scan-report", "trivy.json", "--scan-report", "vex.cdx.json"]);
    assert!(!after.stdout.contains("CVE-2026-1002") && after.stdout.contains("CVE-2026-1001"), "{}", after.shown());
}

#[test]
fn the_page_about_evidence_is_true() {
    let page = read("docs/evidence.md");
    let folder = folder();
    run_commands(&page, &folder, &[0]);
    let written: BTreeSet<_> = fs::read_dir(folder.path().join("evidence"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let named: BTreeSet<_> = rows
        .flat_map(|row| row.split(" | ").next().unwrap().split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    assert_eq!(named, written);
    let workflow = blocks(&page, "yaml").concat();
    assert_eq!(workflow, read("examples/workflows/evidence.yml"));
    assert!(workflow.contains(&format!("predicate-type: {PREDICATE_TYPE}\n")));
}

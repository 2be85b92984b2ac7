//! `verify --scan-report` as a user runs it: reports tied to digests, the gate, VEX, exceptions, and the exit status.

use serde_json::Value;

use crate::daemon::{Daemon, OCI_INDEX};
use crate::program::{Folder, Ran};

/// The digest in the reports below `tests/data/scans`, and that of the image for one platform.
pub(crate) const INDEX: &str = "sha256:1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a";
const AMD64: &str = "sha256:2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b";
const FILE: &str = "deploy/prod/compose.yml";

pub(crate) const TRIVY: &str = include_str!("../data/scans/trivy.json");
const GRYPE: &str = include_str!("../data/scans/grype.json");
pub(crate) const SCOUT: &str = include_str!("../data/scans/scout.sarif");
const VEX: &str = include_str!("../data/scans/vex.cdx.json");
/// A report of Trivy in which nothing is listed.
const CLEAN: &str =
    r#"{"SchemaVersion":2,"ArtifactType":"container_image","Metadata":{"RepoDigests":["ghcr.io/org/app@DIGEST"]}}"#;

fn clean(digest: &str) -> String {
    CLEAN.replace("DIGEST", digest)
}

/// A deployed image, and reports of it.
fn folder(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(files);
    folder.write(FILE, &format!("services:\n  app:\n    image: ghcr.io/org/app:1.2.3@{INDEX}\n"));
    folder
}

/// Without a registry: what it would say is unchecked, and that alone does not block.
fn verify(folder: &Folder, more: &[&str]) -> Ran {
    folder.run(&[&["verify", "--offline"], more].concat())
}

fn snapshot(name: &str, ran: &Ran) {
    super::cli::snapshot(name, &ran.shown());
}

#[test]
fn what_is_grave_in_the_locked_image_blocks() {
    let folder = folder(&[("scans/trivy.json", TRIVY)]);
    let ran = verify(&folder, &["--scan-report", "scans/trivy.json"]);
    assert_eq!(ran.status, 1);
    snapshot("scan-vulnerable", &ran);
    let critical = verify(&folder, &["--scan-report", "scans/trivy.json", "--scan-gate", "critical"]);
    assert!(
        critical.status == 1 && critical.stdout.contains(": 3 critical (the gate is critical): "),
        "{}",
        critical.shown()
    );
    let ran = verify(&folder, &["--scan-report", "scans/trivy.json", "--format", "json"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = lines.iter().find(|line| line["rule"] == "vulnerable").unwrap();
    let expected = ["CVE-2026-1001", "aws-access-key-id", "GHSA-abcd-2345-wxyz", "CVE-2026-1002"];
    assert_eq!(found["vulnerabilities"], Value::from(expected.as_slice()));
    assert_eq!(verify(&folder, &["--scan-report", "scans/trivy.json", "--scan-gate", "severe"]).status, 2);
}

#[test]
fn a_clean_report_of_the_digest_passes_and_one_of_another_does_not_count() {
    let folder = folder(&[("clean.json", &clean(INDEX)), ("other.json", &clean(AMD64))]);
    let ran = verify(&folder, &["--scan-report", "clean.json", "--format", "json"]);
    assert!(ran.status == 0 && !ran.stdout.contains("scan"), "{}", ran.shown());
    let ran = verify(&folder, &["--scan-report", "other.json"]);
    assert_eq!(ran.status, 0, "unchecked warns");
    snapshot("scan-of-another-digest", &ran);
    assert_eq!(verify(&folder, &["--scan-report", "other.json", "--level", "unchecked=error"]).status, 1);
}

#[test]
fn a_report_without_a_digest_counts_when_someone_says_what_was_scanned() {
    let folder = folder(&[("scout.sarif", SCOUT)]);
    let ran = verify(&folder, &["--scan-report", "scout.sarif"]);
    assert!(ran.status == 0 && ran.stdout.contains("it names no digest"), "{}", ran.shown());
    let said = format!("ghcr.io/org/app@{INDEX}=scout.sarif");
    let ran = verify(&folder, &["--scan-report", &said]);
    assert!(
        ran.status == 1
            && ran.stdout.contains("1 high (the gate is high): CVE-2026-2001 (lodash 4.17.20, fixed in 4.17.21)"),
        "{}",
        ran.shown()
    );
}

#[test]
fn a_folder_of_reports_is_read_whole() {
    let folder = folder(&[("scans/trivy-1/trivy.json", TRIVY), ("scans/vex.cdx.json", VEX), ("scans/notes.txt", "x")]);
    let ran = verify(&folder, &["--scan-report", "scans"]);
    assert!(ran.status == 1 && !ran.stdout.contains("CVE-2026-1002"), "{}", ran.shown());
    folder.write("scans/broken.json", "{\"SchemaVersion\": 2,\n\"Results\": [");
    let ran = verify(&folder, &["--scan-report", "scans"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("scans/broken.json:2:12: not JSON, at `Results`"), "{}", ran.shown());
    for (missing, words) in [("gone.json", "gone.json"), ("deploy", "holds no scan report")] {
        let ran = verify(&folder, &["--scan-report", missing]);
        assert!(ran.status == 2 && ran.stderr.contains(words), "{}", ran.shown());
    }
}

#[test]
fn an_exception_that_names_a_vulnerability_is_listed_and_ends() {
    let exception =
        |id: &str| format!("- {{image: ghcr.io/org/app, vulnerability: {id}, reason: r, expires: 2999-12-31}}\n");
    let configuration = |ids: &[&str]| {
        let exceptions: String = ids.iter().map(|id| exception(id)).collect();
        format!("version: 1\nenvironments: {{production: {{manifests: [deploy/prod]}}}}\nexceptions:\n{exceptions}")
    };
    let ids = ["CVE-2026-1001", "CVE-2026-1002", "GHSA-abcd-2345-wxyz", "aws-access-key-id"];
    let folder = folder(&[("trivy.json", TRIVY), ("digest-gate.yml", &configuration(&ids))]);
    let ran = verify(&folder, &["--scan-report", "trivy.json"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    assert!(
        ran.stdout.contains("error[vulnerable] CVE-2026-1001 deploy") && ran.stdout.contains("4 exempted"),
        "{}",
        ran.shown()
    );
    folder.write("digest-gate.yml", &configuration(&ids[1..]));
    let ran = verify(&folder, &["--scan-report", "trivy.json"]);
    assert!(ran.status == 1 && ran.stdout.contains("2 critical (the gate is high): CVE-2026-1001"), "{}", ran.shown());
    // Nothing was scanned: an exception for what a scan finds is not unused.
    let ran = verify(&folder, &[]);
    assert!(ran.status == 0 && !ran.stdout.contains("unused-exception"), "{}", ran.shown());
}

#[test]
fn the_registry_says_whether_an_image_is_one_of_the_index() {
    let Some(daemon) = Daemon::start() else { return };
    let day = "2026-11-20T00:00:00Z";
    let amd64 = daemon.push_image("org/app", "", "linux/amd64", day);
    let arm64 = daemon.push_image("org/app", "", "linux/arm64", day);
    let index = daemon.push_index("org/app", "1.2.3", OCI_INDEX, &[("linux/amd64", &amd64), ("linux/arm64", &arm64)]);
    let other = daemon.push_image("org/app", "", "linux/s390x", day);
    let folder = Folder::new(&[("amd64.json", &clean(&amd64)), ("other.json", &clean(&other))]);
    folder.write(FILE, &format!("services: {{app: {{image: '{}/org/app:1.2.3@{index}'}}}}\n", daemon.address));
    let ran = folder.run(&["verify", "--scan-report", "amd64.json", "--policy", "strict"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    let ran = folder.run(&["verify", "--scan-report", "other.json", "--policy", "strict"]);
    assert!(ran.status == 1 && ran.stdout.contains("no scan report is for its digest"), "{}", ran.shown());
    // Several reports of one image, each of one of its platforms.
    let arm64 = TRIVY.replace(INDEX, &arm64);
    folder.write("arm64.json", &arm64);
    let both = ["verify", "--scan-report", "amd64.json", "--scan-report", "arm64.json"];
    let ran = folder.run(&both);
    assert!(ran.status == 1 && ran.stdout.contains("3 critical") && !ran.stdout.contains("note:"), "{}", ran.shown());
    // Grype names both: the index it was asked for, and the image it looked at.
    folder.write("grype.json", &GRYPE.replace(INDEX, &index).replace(AMD64, &amd64));
    let ran = folder.run(&["verify", "--scan-report", "grype.json"]);
    assert!(ran.status == 1 && ran.stdout.contains("1 critical, 1 high"), "{}", ran.shown());
}

//! `check --evidence` and the bill of `images`: whole, the same for the same run, and true.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::program::{Folder, has_referee};
use super::scan::TRIVY;

const DIGEST: &str = "sha256:1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a";
const CONFIGURATION: &str = "version: 1\nenvironments:\n  production:\n    manifests: [deploy/prod]\n    stacks: [{files: [compose.yml, compose.prod.yml]}]\nexceptions:\n- {image: redis, reason: cache, ticket: T-1, expires: 2999-12-31}\n";
const FILES: [&str; 9] = [
    "evidence.json",
    "exceptions.json",
    "findings.jsonl",
    "images.cdx.json",
    "images.jsonl",
    "predicate.json",
    "statement.json",
    "subjects.sha256",
    "summary.md",
];

fn folder() -> Folder {
    let folder = Folder::new(&[
        ("digest-gate.yml", CONFIGURATION),
        ("compose.yml", "services:\n  web: {image: 'ghcr.io/org/web:1.0.0'}\n  cache: {image: 'redis:7.4.1'}\n"),
        ("other/notes.yml", "just: text\n"),
        ("deploy/prod/notes.yml", "just: text\n"),
    ]);
    folder.write("compose.prod.yml", &format!("services:\n  web: {{image: 'ghcr.io/org/web:1.2.3@{DIGEST}'}}\n"));
    folder.write("deploy/prod/app.yml", &format!("services:\n  app:\n    image: ghcr.io/org/app:1.2.3@{DIGEST}\n"));
    folder
}

fn bundle(folder: &Path) -> BTreeMap<String, String> {
    let file =
        |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap());
    fs::read_dir(folder).unwrap().map(|entry| file(entry.unwrap())).collect()
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_bundle_is_whole_and_each_hash_is_true() {
    let folder = folder();
    let ran = folder.run(&["check", "--evidence", "out/evidence"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    assert_eq!(ran.shown(), folder.run(&["check"]).shown(), "the same is printed");
    let files = bundle(&folder.path().join("out/evidence"));
    assert_eq!(files.keys().collect::<Vec<_>>(), FILES);
    let index = json(&files["evidence.json"]);
    for file in index["files"].as_array().unwrap() {
        assert_eq!(file["digest"]["sha256"], sha256(&files[file["name"].as_str().unwrap()]), "{file}");
    }
    let sources: Vec<_> = index["sources"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(sources, ["compose.prod.yml", "compose.yml", "deploy/prod/app.yml"]);
    assert_eq!(index["configuration"][0]["digest"]["sha256"], sha256(CONFIGURATION));
    assert_eq!(json(&files["exceptions.json"])[0]["ticket"], "T-1");
    let statement = json(&files["statement.json"]);
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://in-toto.io/attestation/test-result/v0.1");
    assert_eq!(statement["predicate"], json(&files["predicate.json"]));
    assert_eq!(statement["predicate"]["result"], "PASSED", "what is exempted is no finding");
    let subjects: BTreeMap<_, _> = statement["subject"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap(), it["digest"]["sha256"].as_str().unwrap()))
        .collect();
    let hex = DIGEST.strip_prefix("sha256:").unwrap();
    assert_eq!((subjects["ghcr.io/org/web:1.2.3"], subjects["ghcr.io/org/app:1.2.3"]), (hex, hex));
    assert_eq!(subjects["evidence.json"], sha256(&files["evidence.json"]));
    for path in sources {
        assert_eq!(subjects[path], sha256(&fs::read_to_string(folder.path().join(path)).unwrap()), "{path}");
    }
    assert_eq!(subjects.len(), 6);
    assert_eq!(files["subjects.sha256"].lines().count(), 6);
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let folder = folder();
    for name in ["a", "b"] {
        assert_eq!(folder.run(&["check", "--evidence", name]).status, 0);
    }
    assert_eq!(bundle(&folder.path().join("a")), bundle(&folder.path().join("b")));
    let environment = [
        ("SOURCE_DATE_EPOCH", "1763625600"),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "org/app"),
        ("GITHUB_RUN_ID", "7"),
    ];
    let ran = folder.run_with(&["check", "--evidence", "c"], "", &environment);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    let files = bundle(&folder.path().join("c"));
    let index = json(&files["evidence.json"]);
    assert_eq!(index["commit"], "0123456789abcdef0123456789abcdef01234567");
    assert_eq!(index["date"], "2025-11-20T08:00:00Z");
    assert_eq!(json(&files["predicate.json"])["url"], "https://github.com/org/app/actions/runs/7");
    assert_eq!(json(&files["images.cdx.json"])["metadata"]["timestamp"], "2025-11-20T08:00:00Z");
    let ran = folder.run_with(&["check", "--evidence", "d"], "", &[("SOURCE_DATE_EPOCH", "now")]);
    assert!(ran.status == 2 && !folder.path().join("d").exists(), "{}", ran.shown());
}

#[test]
fn a_folder_with_files_is_refused_and_an_empty_one_is_filled() {
    let folder = folder();
    folder.write("full/a", "x");
    fs::create_dir(folder.path().join("empty")).unwrap();
    let ran = folder.run(&["check", "--evidence", "full"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("`full` holds files already"), "{}", ran.shown());
    assert_eq!(bundle(&folder.path().join("full")).len(), 1);
    assert_eq!(folder.run(&["check", "--evidence", "empty"]).status, 0);
    assert_eq!(bundle(&folder.path().join("empty")).len(), FILES.len());
    assert_eq!(folder.run(&["check", "--evidence", "compose.yml"]).status, 2);
    assert_eq!(folder.run(&["check", "--evidence", "none", "gone.yml"]).status, 2);
    assert!(!folder.path().join("none").exists(), "nothing was judged");
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.into_iter().any(|name| name.starts_with(".digest-gate-")), "nothing is left behind");
}

#[test]
fn what_fails_is_evidence_too() {
    let folder = folder();
    folder.write("deploy/prod/app.yml", "services:\n  app:\n    image: ghcr.io/org/app:latest\n");
    let ran = folder.run(&["check", "--evidence", "out"]);
    assert_eq!(ran.status, 1);
    let predicate = json(&bundle(&folder.path().join("out"))["predicate.json"]);
    assert_eq!(
        (&predicate["result"], &predicate["failedTests"]),
        (&"FAILED".into(), &Value::from(["unpinned"].as_slice()))
    );
    assert_eq!(predicate["warnedTests"], Value::from(["floating-tag"].as_slice()));
    assert!(!predicate["passedTests"].as_array().unwrap().contains(&"vulnerable".into()), "nothing was scanned");
}

#[test]
fn the_reports_of_a_verified_run_are_named() {
    let folder = folder();
    folder.write("scan.json", TRIVY);
    let ran = folder.run(&["verify", "--offline", "--scan-report", "scan.json", "--evidence", "out", "deploy/prod"]);
    assert_eq!(ran.status, 1, "{}", ran.shown());
    let files = bundle(&folder.path().join("out"));
    assert_eq!(json(&files["evidence.json"])["scanReports"][0]["digest"]["sha256"], sha256(TRIVY));
    assert!(json(&files["predicate.json"])["failedTests"].as_array().unwrap().contains(&"vulnerable".into()));
}

#[test]
fn the_commit_is_the_one_that_is_checked_out() {
    if !has_referee("git") {
        return;
    }
    let folder = folder();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"];
        let ran = Command::new("git").current_dir(folder.path()).args(identity).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    let environment = [("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567")];
    assert_eq!(folder.run_with(&["check", "--evidence", "out"], "", &environment).status, 0);
    assert_eq!(json(&bundle(&folder.path().join("out"))["evidence.json"])["commit"], git(&["rev-parse", "HEAD"]));
}

#[test]
fn the_bill_names_each_image_once_and_leaves_nothing_out() {
    let folder = folder();
    let run = || folder.run(&["images", "--format", "cyclonedx"]);
    let ran = run();
    assert_eq!((ran.status, run().stdout), (0, ran.stdout.clone()), "{}", ran.shown());
    let bill = json(&ran.stdout);
    let names: Vec<_> = bill["components"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ghcr.io/org/app", "docker.io/library/redis", "ghcr.io/org/web"]);
    assert_eq!(bill["compositions"], Value::Null, "everything is known");
    let serial = bill["serialNumber"].clone();
    folder.write("deploy/prod/built.yml", "services:\n  b: {build: .}\n");
    let bill = json(&run().stdout);
    assert_eq!(bill["compositions"][0]["aggregate"], "incomplete", "what is built is not known");
    assert_eq!(bill["components"].as_array().unwrap().len(), 4);
    assert_ne!(bill["serialNumber"], serial);
    let ran = folder.run(&["check", "--format", "cyclonedx"]);
    assert!(ran.status == 2 && ran.stderr.contains("findings have no format `cyclonedx`"), "{}", ran.shown());
}

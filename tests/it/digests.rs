//! `pin`, `refresh` and `verify` as a user runs them, against a real registry.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::daemon::{Daemon, OCI_INDEX};
use crate::program::{Folder, Ran, has_referee};

const BEFORE: &str = "2026-09-01T00:00:00Z";
const NOW: &str = "2026-11-20T00:00:00Z";
const FILE: &str = "deploy/prod/compose.yml";

/// A registry with an index `org/app:1.2.3` and an image `org/tool:2.0.0`, created on `day`; their digests.
fn publish(daemon: &Daemon, day: &str) -> [String; 2] {
    let amd64 = daemon.push_image("org/app", "", "linux/amd64", day);
    let arm64 = daemon.push_image("org/app", "", "linux/arm64", day);
    let app = daemon.push_index("org/app", "1.2.3", OCI_INDEX, &[("linux/amd64", &amd64), ("linux/arm64", &arm64)]);
    [app, daemon.push_image("org/tool", "2.0.0", "linux/amd64", day)]
}

fn manifest(daemon: &Daemon, app: &str, tool: &str) -> String {
    let at = &daemon.address;
    format!(
        "services:\r\n  app:\r\n    image: {at}/org/app:1.2.3{app} # the app\r\n  tool:\r\n    image: \"{at}/org/tool:2.0.0{tool}\"\r\n  built: {{build: .}}"
    )
}

fn pinned(digest: &str) -> String {
    format!("@{digest}")
}

fn folder(text: &str) -> Folder {
    Folder::new(&[(FILE, text)])
}

fn text(folder: &Folder) -> String {
    fs::read_to_string(folder.path().join(FILE)).unwrap()
}

/// What was printed, for a snapshot: the registry has another port and other digests in every run.
fn snapshot(name: &str, daemon: &Daemon, ran: &Ran) {
    let shown = ran.shown().replace(&daemon.address, "REGISTRY");
    insta::with_settings!({
        snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true,
        // A long line is cut where it does not fit, which the length of the port decides.
        filters => vec![("\r", "\\r"), (r"(?m)^( *\d* \|)( .*)$", "$1")],
    }, {
        insta::assert_snapshot!(name, shown);
    });
}

#[test]
fn pin_shows_a_diff_and_writes_what_it_showed() {
    let Some(daemon) = Daemon::start() else { return };
    let [app, tool] = publish(&daemon, BEFORE);
    let before = manifest(&daemon, "", "");
    let folder = folder(&before);
    let ran = folder.run(&["pin"]);
    assert_eq!(text(&folder), before, "nothing is written without --write");
    snapshot("pin-diff", &daemon, &ran);
    let ran = folder.run(&["pin", "--write"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{}", ran.shown());
    let after = manifest(&daemon, &pinned(&app), &pinned(&tool));
    assert_eq!(text(&folder), after);
    let ran = folder.run(&["pin", "--write", "--format", "json"]);
    let last: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((ran.status, &last["summary"]["moved"], &last["summary"]["current"]), (0, &0.into(), &2.into()));
    assert_eq!(text(&folder), after, "pinning twice is pinning once");
    if has_referee("docker-buildx") {
        let name = format!("{}/org/app:1.2.3", daemon.address);
        let told = Command::new("docker-buildx").args(["imagetools", "inspect", &name]).output().unwrap();
        let said = String::from_utf8_lossy(&told.stdout);
        let line = said.lines().find(|line| line.starts_with("Digest:")).unwrap_or_default();
        assert!(line.ends_with(&app), "{said}{}", String::from_utf8_lossy(&told.stderr));
    }
}

#[test]
fn what_gets_no_digest_is_told_and_fails() {
    let Some(daemon) = Daemon::start() else { return };
    publish(&daemon, BEFORE);
    let at = &daemon.address;
    let text = format!(
        "services:\n  gone: {{image: '{at}/org/none:1.0.0'}}\n  down: {{image: 'localhost:1/org/x:1.0.0'}}\n  open: {{image: '${{IMAGE}}'}}\n  app: {{image: '{at}/org/app:1.2.3'}}\n"
    );
    let folder = folder(&text);
    let ran = folder.run(&["pin", "--write"]);
    snapshot("pin-missed", &daemon, &ran);
    assert!(self::text(&folder).contains("app:1.2.3@sha256:"), "the others are written");
    let ran = folder.run(&["pin", "--image", &format!("{at}/org/app")]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    let ran = folder.run(&["pin", "--offline", "--format", "json"]);
    assert!(ran.status == 1 && ran.stdout.contains("\"outcome\":\"unchecked\""), "{}", ran.shown());
    folder.write("deploy/prod/broken.yml", "a: [\n");
    let ran = folder.run(&["pin", "--service", "app"]);
    assert!(ran.status == 2 && ran.stderr.contains("error: deploy/prod/broken.yml:"), "{}", ran.shown());
}

#[test]
fn refresh_moves_what_has_moved() {
    let Some(daemon) = Daemon::start() else { return };
    let [app, tool] = publish(&daemon, BEFORE);
    let before = manifest(&daemon, &pinned(&app), &pinned(&tool));
    let folder = folder(&before);
    let ran = folder.run(&["refresh"]);
    assert!(ran.status == 0 && ran.stdout.is_empty() && ran.stderr.contains("2 current"), "{}", ran.shown());
    let [new_app, new_tool] = publish(&daemon, NOW);
    snapshot("refresh-diff", &daemon, &folder.run(&["refresh"]));
    snapshot("refresh-markdown", &daemon, &folder.run(&["refresh", "--format", "markdown", "--quiet"]));
    let ran = folder.run(&["refresh", "--service", "tool", "--write"]);
    assert_eq!((ran.status, text(&folder)), (0, manifest(&daemon, &pinned(&app), &pinned(&new_tool))));
    let ran = folder.run(&["refresh", "--cooldown", "3650d", "--write"]);
    assert!(ran.status == 0 && ran.stderr.contains("is left"), "{}", ran.shown());
    folder.write("digest-gate.yml", &format!("version: 1\nrefresh: {{ignore: ['{}/org/app']}}\n", daemon.address));
    let ran = folder.run(&["refresh", "--write"]);
    assert!(ran.status == 0 && ran.stderr.contains("ignores it"), "{}", ran.shown());
    folder.write("digest-gate.yml", "version: 1\n");
    assert_eq!(folder.run(&["refresh", "--write"]).status, 0);
    assert_eq!(text(&folder), manifest(&daemon, &pinned(&new_app), &pinned(&new_tool)));
}

#[test]
fn waiting_counts_from_the_first_time_a_digest_was_seen() {
    let Some(daemon) = Daemon::start() else { return };
    let [app, tool] = publish(&daemon, BEFORE);
    let folder = folder(&manifest(&daemon, &pinned(&app), &pinned(&tool)));
    let [new, _] = publish(&daemon, NOW);
    let wait = ["refresh", "--cooldown", "3d", "--first-seen", "seen.json", "--service", "app", "--write"];
    let ran = folder.run(&wait);
    assert!(ran.status == 0 && ran.stderr.contains("was first seen"), "{}", ran.shown());
    let seen = fs::read_to_string(folder.path().join("seen.json")).unwrap();
    assert!(seen.contains(&new), "{seen}");
    folder.write("seen.json", &format!("{{\"digests\": {{\"{new}\": \"2026-01-01T00:00:00Z\"}}}}"));
    let ran = folder.run(&wait);
    assert!(ran.status == 0 && text(&folder).contains(&new), "{}", ran.shown());
    folder.write("seen.json", "{\"digests\": {\"a\": \"yesterday\"}}");
    let ran = folder.run(&wait);
    assert!(ran.status == 2 && ran.stderr.contains("`seen.json` is no file of `--first-seen`"), "{}", ran.shown());
}

#[test]
fn one_platform_stays_one_platform() {
    let Some(daemon) = Daemon::start() else { return };
    publish(&daemon, BEFORE);
    let arm64 = daemon.push_image("org/app", "", "linux/arm64", BEFORE);
    let text = format!("services: {{app: {{image: '{}/org/app:1.2.3@{arm64}'}}}}\n", daemon.address);
    let folder = folder(&text);
    assert!(folder.run(&["refresh"]).stdout.is_empty());
    publish(&daemon, NOW);
    let new = daemon.push_image("org/app", "", "linux/arm64", NOW);
    let ran = folder.run(&["refresh", "--write"]);
    assert!(ran.stderr.contains("stays pinned to one platform, linux/arm64, of 2"), "{}", ran.shown());
    assert_eq!(self::text(&folder), text.replace(&arm64, &new));
    let ran = folder.run(&["verify"]);
    assert!(ran.status == 0 && ran.stdout.contains("warning[single-platform]"), "{}", ran.shown());
}

#[test]
fn verify_says_what_the_registries_say() {
    let Some(daemon) = Daemon::start() else { return };
    let [app, tool] = publish(&daemon, BEFORE);
    let at = &daemon.address;
    let good = format!("services: {{app: {{image: '{at}/org/app:1.2.3@{app}'}}}}\n");
    let folder = folder(&good);
    daemon.forget();
    let ran = folder.run(&["verify"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 1), "{}", ran.shown());
    assert_eq!(daemon.requests(), ["HEAD /v2/org/app/manifests/1.2.3"], "what a tag serves is there");
    publish(&daemon, NOW);
    let gone = format!("sha256:{}", "0".repeat(64));
    folder.write(
        FILE,
        &format!(
            "services:\n  app: {{image: '{at}/org/app:1.2.3@{app}'}}\n  gone: {{image: '{at}/org/tool:2.0.0@{gone}'}}\n  down: {{image: 'localhost:1/org/x:1.0.0@{tool}'}}\n  new: {{image: '{at}/org/app:1.2.3'}}\n"
        ),
    );
    snapshot("verify", &daemon, &folder.run(&["verify"]));
    let ran = folder.run(&["verify", "--level", "unchecked=error", "--format", "json", "--output", "out.json"]);
    let report = fs::read_to_string(folder.path().join("out.json")).unwrap();
    let summary: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
    assert_eq!(
        (ran.status, &summary["summary"]["errors"], &summary["summary"]["unchecked"]),
        (1, &3.into(), &2.into())
    );
    let ran = folder.run(&["verify", "--offline"]);
    assert!(ran.stdout.contains("`--offline` forbids it"), "{}", ran.shown());
}

#[test]
fn what_cannot_be_done_is_said_before_anyone_is_asked() {
    let folder = folder("services: {app: {image: 'localhost:1/org/app:1.2.3'}}\n");
    for (arguments, said) in [
        (vec!["refresh", "--cooldown", "soon"], "`soon` is no number of days"),
        (vec!["pin", "--image", "ghcr.io"], "write `ghcr.io/**`"),
        (vec!["verify", "--registry-auth", "none.json"], "cannot read `none.json`"),
        (vec!["pin", "--offline", "--format", "sarif"], "use human, json or markdown"),
        (vec!["refresh", "--first-seen", "deploy"], "cannot read `deploy`"),
    ] {
        let ran = folder.run(&arguments);
        assert!(ran.status == 2 && ran.stderr.contains(said), "{arguments:?}: {}", ran.shown());
    }
}

#[test]
fn standard_input_is_shown_and_never_written() {
    let Some(daemon) = Daemon::start() else { return };
    let [app, _] = publish(&daemon, BEFORE);
    let text = format!("services: {{app: {{image: '{}/org/app:1.2.3'}}}}\n", daemon.address);
    let folder = Folder::new(&[]);
    let stdin = ["pin", "-", "--stdin-path", "compose.yml"];
    let ran = folder.run_with(&stdin, &text, &[]);
    assert!(ran.status == 0 && ran.stdout.contains(&format!("1.2.3@{app}")), "{}", ran.shown());
    let ran = folder.run_with(&[&stdin[..], &["--write"]].concat(), &text, &[]);
    assert!(ran.status == 2 && ran.stderr.contains("standard input cannot be written"), "{}", ran.shown());
    assert!(!folder.path().join("compose.yml").exists());
}

//! `rollback` as a user runs it: what it returns, what it refuses, and the hold it leaves behind.

mod random;

use std::fs;

use super::daemon::{Daemon, OCI_INDEX};
use super::git::{Repository, digest, git_in};
use super::program::{Folder, Ran};

const FILE: &str = "compose.prod.yml";
const HOLDS: &str = "digest-gate-holds.yml";

/// What was printed, for a snapshot: a hold begins on the day of the run.
fn snapshot(name: &str, ran: &Ran) {
    insta::with_settings!({
        snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true,
        filters => vec![(r"since: \d{4}-\d\d-\d\d", "since: TODAY")],
    }, {
        insta::assert_snapshot!(name, ran.shown());
    });
}

fn two(web: &str, db: &str) -> String {
    let (web, db) = (digest(web), digest(db));
    format!("services:\n  web:\n    image: ghcr.io/org/web:1.0@{web} # the web\n  db:\n    image: postgres:16.4@{db}\n")
}

/// Three states: pinned, both refreshed, the web refreshed.
fn three() -> Option<Repository> {
    let repository = Repository::new()?;
    repository.write(FILE, &two("w1", "d1"), "pin");
    repository.write(FILE, &two("w2", "d2"), "refresh both");
    repository.write(FILE, &two("w3", "d2"), "refresh web");
    Some(repository)
}

fn text(repository: &Repository) -> String {
    fs::read_to_string(repository.path().join(FILE)).unwrap()
}

#[test]
fn it_returns_to_what_was_deployed_together_before() {
    let Some(repository) = three() else { return };
    let ran = repository.run(&["rollback", "--offline", "--hold-until", "2999-01-31", "--reason", "log-in fails: #17"]);
    snapshot("rollback-diff", &ran);
    assert_eq!(text(&repository), two("w3", "d2"), "nothing is written without --write");
    let patch = repository.path().join("patch");
    fs::write(&patch, &ran.stdout).unwrap();
    repository.git(&["apply", "--check", "patch"]);
    fs::remove_file(&patch).unwrap();
    snapshot("rollback-json", &repository.run(&["rollback", "--offline", "--format", "json"]));
    let ran = repository.run(&["rollback", "--offline", "--write"]);
    assert_eq!((ran.status, text(&repository)), (0, two("w2", "d2")), "{}", ran.shown());
    repository.commit("rolled back");
    let ran = repository.run(&["rollback", "--offline", "--write"]);
    assert_eq!(
        (ran.status, text(&repository)),
        (0, two("w1", "d1")),
        "not to what it was returned from: {}",
        ran.shown()
    );
    repository.commit("rolled back further");
    let ran = repository.run(&["rollback", "--offline", "--write"]);
    assert_eq!(ran.status, 1, "{}", ran.shown());
    assert!(ran.stderr.contains("git knows no other digest to return to"), "{}", ran.shown());
}

#[test]
fn a_refresh_that_is_not_committed_is_undone() {
    let Some(repository) = three() else { return };
    repository.folder.write(FILE, &two("w4", "d4"));
    let ran = repository.run(&["rollback", "--offline", "--write", "--no-hold"]);
    assert_eq!((ran.status, text(&repository)), (0, two("w3", "d2")), "{}", ran.shown());
    assert!(!repository.path().join(HOLDS).exists());
}

#[test]
fn it_returns_to_what_is_named() {
    let Some(repository) = three() else { return };
    let first = repository.git(&["rev-list", "--max-parents=0", "HEAD"]);
    repository.git(&["tag", "-a", "-m", "released", "v1", "HEAD~1"]);
    let now = two("w3", "d2");
    for (arguments, expected) in [
        (&["--to", &first[..10]][..], two("w1", "d1")),
        (&["--to", "v1"], two("w2", "d2")),
        (&["--to", "2026-01-03"], two("w2", "d2")),
        (&["--to", "2026-01-02T12:00:00Z"], two("w1", "d1")),
        (&["--to", &digest("d1")], two("w3", "d1")),
        (&["--to", &digest("w1")[..11]], two("w1", "d2")),
        (&["--to", "main"], now.clone()),
        (&["--image", "postgres"], two("w3", "d1")),
        (&["--service", "web"], two("w2", "d2")),
        (&["--image", "ghcr.io/**", "--to", "2026-01-02"], two("w1", "d2")),
    ] {
        repository.folder.write(FILE, &now);
        let ran = repository.run(&[&["rollback", "--offline", "--write", "--no-hold", FILE], arguments].concat());
        assert_eq!((ran.status, text(&repository)), (0, expected), "{arguments:?}: {}", ran.shown());
    }
    for to in ["2025-12-31", "sha256:ff", "sha256:", "deadbeef", "nonsense", "refs/heads/none"] {
        let ran = repository.run(&["rollback", "--offline", "--write", "--to", to]);
        assert_eq!(ran.status, 2, "{to}: {}", ran.shown());
        assert!(ran.stderr.starts_with("error: --to: "), "{to}: {}", ran.shown());
    }
}

#[test]
fn tag_and_digest_go_back_together_and_the_rest_of_the_file_stays() {
    let Some(repository) = Repository::new() else { return };
    let file = |image: &str| format!("services:\r\n  web:\r\n    image: 'ghcr.io/org/web{image}'\r\n");
    repository.write(FILE, &file(&format!(":1.0@{}", digest("a"))), "1.0");
    repository.write(FILE, &file(&format!(":1.1@{}", digest("b"))), "1.1");
    let later = |image: &str| format!("# more\r\n{}    restart: always\r\n", file(image));
    repository.write(FILE, &later(&format!(":1.1@{}", digest("b"))), "moved on");
    let ran = repository.run(&["rollback", "--offline", "--write"]);
    assert_eq!((ran.status, text(&repository)), (0, later(&format!(":1.0@{}", digest("a")))), "{}", ran.shown());
    assert!(ran.stderr.contains(&format!("→ 1.0@{}", digest("a"))), "{}", ran.shown());
}

#[test]
fn what_cannot_be_placed_is_refused_with_the_reason() {
    let Some(repository) = Repository::new() else { return };
    let values = |tag: &str, name: &str| {
        format!("image:\n  repository: ghcr.io/org/app\n  tag: '{tag}'\n  digest: '{}'\n", digest(name))
    };
    repository.folder.write("prod/values.yaml", &values("1", "a"));
    repository.write("prod/compose.yml", &format!("services: {{a: {{image: 'b@{}'}}}}\n", digest("a")), "one");
    repository.folder.write("prod/values.yaml", &values("2", "b"));
    repository.write("prod/compose.yml", &format!("services: {{a: {{image: 'b:2@{}'}}}}\n", digest("b")), "two");
    snapshot("rollback-refused", &repository.run(&["rollback", "--offline", "--write"]));
    let now = fs::read_to_string(repository.folder.path().join("prod/values.yaml")).unwrap();
    assert_eq!(now, values("1", "a"), "tag and digest go back together, each where it stands");
    let changed = repository.git(&["status", "--porcelain"]);
    assert!(!changed.contains("compose.yml"), "{changed}");
    let holds = fs::read_to_string(repository.folder.path().join(HOLDS)).unwrap();
    assert!(!holds.contains("library/b"), "no hold for what did not go back: {holds}");
}

#[test]
fn what_came_later_or_had_no_digest_is_left() {
    let Some(repository) = Repository::new() else { return };
    repository.write(FILE, "services: {a: {image: 'a:1'}, b: {image: 'b:1'}}\n", "nothing pinned");
    let a = |name: &str| format!("services:\n  a: {{image: 'a:1@{}'}}\n", digest(name));
    repository.write(FILE, &format!("{}  b: {{image: 'b:1'}}\n", a("a1")), "a");
    let b = |name: &str| format!("  b: {{image: 'b:1@{}'}}\n  c: {{image: 'c:1@{}'}}\n", digest(name), digest("c"));
    repository.write(FILE, &format!("{}{}", a("a2"), b("b1")), "a, b and c");
    snapshot("rollback-left", &repository.run(&["rollback", "--offline", "--no-hold"]));
    snapshot("rollback-to-unpinned", &repository.run(&["rollback", "--offline", "--to", "2026-01-02"]));
}

#[test]
fn a_refresh_leaves_what_is_held_until_it_is_lifted_or_ends() {
    let Some(repository) = three() else { return };
    repository.folder.write("digest-gate.yml", "version: 1\nenvironments: {production: {manifests: ['**']}}\n");
    repository.run(&["rollback", "--offline", "--write", "--hold-until", "2999-01-31", "--reason", "log-in fails"]);
    let hold = fs::read_to_string(repository.path().join(HOLDS)).unwrap();
    let ran = repository.run(&["refresh", "--offline", "--image", "ghcr.io/**"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    assert!(ran.stderr.contains("is left: it is held at this digest until 2999-01-31 by digest-gate-holds.yml:5 (log-in fails); `digest-gate rollback --lift --image ghcr.io/org/web --write` lifts that"), "{}", ran.shown());
    let ran = repository.run(&["images", "--format", "json"]);
    assert!(!ran.stdout.contains(HOLDS), "the file of holds is no manifest: {}", ran.shown());
    // A hold that has ended is said and counts no more.
    repository.folder.write(HOLDS, &hold.replace("2999", "2001"));
    let ran = repository.run(&["refresh", "--offline", "--image", "ghcr.io/**"]);
    assert!(
        ran.stderr.contains("note: digest-gate-holds.yml:5: the hold for `ghcr.io/org/web` ended on 2001-01-31"),
        "{}",
        ran.shown()
    );
    assert!(ran.stderr.contains("is unchecked"), "{}", ran.shown());
    // One that is wrong stops both.
    repository.folder.write(HOLDS, &hold.replace("2999-01-31", "soon"));
    for command in ["refresh", "rollback"] {
        let ran = repository.run(&[command, "--offline"]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.shown());
        assert!(ran.stderr.contains("digest-gate-holds.yml:11:12: `soon` is no date"), "{}", ran.shown());
    }
    // Lifting shows, and with --write does.
    repository.folder.write(HOLDS, &hold);
    let other = repository.run(&["rollback", "--lift", "--image", "postgres", "--write"]);
    assert!(other.stderr.contains("0 of 1 holds lifted"), "{}", other.shown());
    snapshot("rollback-lift", &repository.run(&["rollback", "--lift", "--image", "ghcr.io/**", FILE]));
    assert_eq!(fs::read_to_string(repository.path().join(HOLDS)).unwrap(), hold);
    assert_eq!(repository.run(&["rollback", "--lift", "--write"]).status, 0);
    let lifted = fs::read_to_string(repository.path().join(HOLDS)).unwrap();
    assert!(lifted.ends_with("version: 1\nholds: []\n"), "{lifted}");
}

#[test]
fn the_file_of_holds_lies_beside_the_configuration() {
    let Some(repository) = three() else { return };
    repository
        .folder
        .write(".github/digest-gate.yml", "version: 1\nenvironments: {production: {manifests: ['*.yml']}}\n");
    let ran = repository.run(&["rollback", "--offline", "--write", "--hold-until", "14d"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    let hidden = repository.path().join(".github").join(HOLDS);
    assert!(hidden.is_file());
    fs::copy(&hidden, repository.path().join(HOLDS)).unwrap();
    let ran = repository.run(&["refresh", "--offline"]);
    assert!(ran.status == 2 && ran.stderr.contains("there are two files of holds"), "{}", ran.shown());
    fs::remove_file(&hidden).unwrap();
    for until in ["2026-13-01", "soon", "0", "-1d"] {
        let ran = repository.run(&["rollback", "--offline", &format!("--hold-until={until}")]);
        assert!(ran.status == 2 && ran.stderr.contains("--hold-until"), "{until}: {}", ran.shown());
    }
}

#[test]
fn a_shallow_clone_leaves_it_open() {
    let Some(repository) = three() else { return };
    let clone = Folder::new(&[]);
    let from = format!("file://{}", repository.path().display());
    git_in(clone.path(), 9, &["clone", "-q", "--depth", "1", &from, "."]);
    let ran = clone.run(&["rollback", "--offline"]);
    assert!(ran.status == 1 && ran.stderr.contains("`fetch-depth: 0`"), "{}", ran.shown());
    assert!(ran.stderr.contains("2 unchecked"), "{}", ran.shown());
    let ran = clone.run(&["rollback", "--offline", "--to", "2026-01-02"]);
    assert!(ran.status == 2 && ran.stderr.contains("`fetch-depth: 0`"), "{}", ran.shown());
}

#[test]
fn a_digest_that_the_registry_no_longer_has_is_not_returned_to() {
    let (Some(daemon), Some(repository)) = (Daemon::start(), Repository::new()) else { return };
    let image = |day: &str| {
        let one = daemon.push_image("org/app", "", "linux/amd64", day);
        daemon.push_index("org/app", "1", OCI_INDEX, &[("linux/amd64", &one)])
    };
    let file = |digest: &str| format!("services: {{app: {{image: '{}/org/app:1@{digest}'}}}}\n", daemon.address);
    let (there, now) = (image("2026-09-01T00:00:00Z"), image("2026-10-01T00:00:00Z"));
    repository.write(FILE, &file(&digest("gone")), "one");
    repository.write(FILE, &file(&there), "two");
    repository.write(FILE, &file(&now), "three");
    let ran = repository.run(&["rollback", "--to", "2026-01-02", "--write"]);
    assert_eq!((ran.status, text(&repository)), (1, file(&now)), "{}", ran.shown());
    assert!(ran.stderr.contains("gets no digest: the registry no longer has"), "{}", ran.shown());
    assert!(!repository.path().join(HOLDS).exists());
    let ran = repository.run(&["rollback", "--write"]);
    assert_eq!((ran.status, text(&repository)), (0, file(&there)), "{}", ran.shown());
    // The tag serves the newer digest, and the hold keeps the older one.
    let ran = repository.run(&["refresh", "--write"]);
    assert_eq!((ran.status, text(&repository)), (0, file(&there)), "{}", ran.shown());
    assert_eq!(repository.run(&["rollback", "--lift", "--write"]).status, 0);
    let ran = repository.run(&["refresh", "--write"]);
    assert_eq!((ran.status, text(&repository)), (0, file(&now)), "{}", ran.shown());
}

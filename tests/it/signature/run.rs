//! `verify` as a user runs it where signatures are required.

use std::fmt::Write as _;

use super::sigstore::{Holder, IDENTITY, ISSUER, Sigstore, payload};
use super::store::Store;
use super::{DIGEST, reviewed};
use crate::daemon::Daemon;
use crate::program::{Folder, Ran};

/// A registry with a signed image `org/app`, one that somebody else signed, and one without a signature.
fn publish(daemon: &Daemon, sigstore: &Sigstore) {
    let stranger =
        Holder { identity: "mallory@example.com", issuer: "https://accounts.example.com", ..Holder::default() };
    for (repository, holder) in
        [("org/app", Some(Holder::default())), ("org/other", Some(stranger)), ("org/bare", None)]
    {
        let mut store = Store::default();
        if let Some(holder) = holder {
            store.sig(DIGEST, &payload(DIGEST), &sigstore.sign(&holder, &payload(DIGEST)));
        }
        store.push(daemon, repository);
    }
}

fn configuration(daemon: &Daemon) -> String {
    let mut text = "version: 1\nenvironments: { production: { manifests: [compose.yml] } }\nexceptions:\n".to_owned();
    writeln!(text, "  - image: {}/org/bare", daemon.address).unwrap();
    text.push_str("    rule: unsigned\n    reason: the vendor signs nothing\n    expires: 9999-12-31\nsignatures:\n");
    writeln!(text, "  - images: '{}/org/**'", daemon.address).unwrap();
    writeln!(text, "    identity: {IDENTITY}\n    issuer: {ISSUER}\n  - images: ghcr.io/ogr/**\n    key: cosign.pub")
        .unwrap();
    text
}

fn manifest(daemon: &Daemon) -> String {
    let mut text = "services:\n".to_owned();
    for image in
        [format!("app:1@{DIGEST}"), format!("other:1@{DIGEST}"), format!("bare:1@{DIGEST}"), "app:1".to_owned()]
    {
        let name = image.replace([':', '@'], "-").chars().take(12).collect::<String>();
        writeln!(text, "  {name}:\n    image: {}/org/{image}", daemon.address).unwrap();
    }
    text
}

#[test]
fn verify_says_which_images_are_not_signed_as_required() {
    let Some(daemon) = Daemon::start() else { return };
    let sigstore = Sigstore::new();
    publish(&daemon, &sigstore);
    let folder = Folder::new(&[
        ("compose.yml", &manifest(&daemon)),
        ("digest-gate.yml", &configuration(&daemon)),
        ("cosign.pub", &sigstore.pems()[1].1),
        ("root.json", &sigstore.trusted_root().to_string()),
    ]);
    let mut text = String::new();
    let mut run = |arguments: &[&str]| {
        let ran: Ran = folder.run(&[&["verify", "--policy", "default"], arguments].concat());
        let shown = ran.shown().replace(&daemon.address, "REGISTRY");
        // Of the runs after the first one the findings are enough.
        let is_said =
            |line: &&str| text.is_empty() || ["status", "error", "note", "fail"].iter().any(|it| line.starts_with(it));
        let shown = shown.lines().filter(is_said).fold(String::new(), |shown, line| shown + line + "\n");
        writeln!(text, "## {}\n\n{shown}", arguments.join(" ")).unwrap();
        ran.status
    };
    assert_eq!(run(&["--trusted-root", "root.json"]), 1);
    assert_eq!(run(&["--trusted-root", "root.json", "--offline"]), 1);
    assert_eq!(run(&["--trusted-root", "cosign.pub"]), 2);
    assert_eq!(run(&["--trusted-root", "none.json"]), 2);
    // The place below a line depends on the length of the port, and the days are counted from today.
    let filters = vec![(r"(?m)^( *\d* \|)( .*)$", "$1"), (r"in \d+ days", "in DAYS days")];
    insta::with_settings!({ filters => filters }, { reviewed("signature-verify", &text) });
    // Under the embedded roots nobody knows this Sigstore.
    let ran = folder.run(&["verify"]);
    assert!(ran.status == 1 && ran.stdout.contains("not vouched for"), "{}", ran.shown());
}

//! The program itself asks registries: through proxies, in little memory, without telling a password.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::server::{Reply, Server};
use crate::daemon::{OCI_INDEX, digest};
use crate::program::Folder;

const INDEX: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

/// A folder with one service for each image.
fn folder(images: &[String]) -> Folder {
    let service = |(number, image): (usize, &String)| format!("  s{number}: {{image: \"{image}\"}}\n");
    let services: String = images.iter().enumerate().map(service).collect();
    Folder::new(&[("compose.yml", &format!("services:\n{services}"))])
}

/// Peak memory of `verify` in a folder, in kibibytes, and what it printed.
fn peak(folder: &Folder) -> (u64, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_digest-gate"))
        .args(["verify", "compose.yml"])
        .current_dir(folder.path())
        .env_clear()
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(now.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    (peak, printed)
}

#[test]
fn bodies_without_end_take_little_memory() {
    let small = Server::start(|_| Reply::manifest(OCI_INDEX, INDEX));
    let image = |server: &Server, number: usize| format!("{}/a/b{number}@{}", server.address, digest(INDEX.as_bytes()));
    let (least, _) = peak(&folder(&[image(&small, 0)]));
    let endless = Server::start(|request| match request.method.as_str() {
        "HEAD" => Reply::status(405),
        // Without its length: it has to be read to be found too long.
        _ => Reply::Long { bytes: 2 << 30, said: false },
    });
    let images: Vec<_> = (0..16).map(|number| image(&endless, number)).collect();
    let (most, printed) = peak(&folder(&images));
    assert!(printed.contains("more than 4194304 bytes"), "{printed}");
    assert!(least > 1024 && most < least + (32 << 10), "{least} KiB for a small body, {most} KiB for endless ones");
}

#[test]
fn a_pinned_reference_whose_tag_has_not_moved_costs_one_request() {
    let registry = Server::start(|_| Reply::manifest(OCI_INDEX, INDEX));
    let digest = digest(INDEX.as_bytes());
    let images: Vec<_> = (0..40).map(|number| format!("{}/a/b:1.0.{number}@{digest}", registry.address)).collect();
    let ran = folder(&images).run(&["verify", "compose.yml"]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    assert_eq!(registry.lines().len(), 40, "{:?}", registry.lines());
    let moved = [format!("{}/a/b:1.0.0@{}", registry.address, digest.replace(|c: char| c.is_ascii_digit(), "0"))];
    let ran = folder(&moved).run(&["verify", "compose.yml"]);
    assert_eq!(ran.status, 1, "{}", ran.shown());
}

#[test]
fn proxies_lead_to_the_outside_only() {
    let proxy = Server::start(|_| Reply::status(403));
    let registry = Server::start(|_| Reply::manifest(OCI_INDEX, INDEX));
    let digest = digest(INDEX.as_bytes());
    let folder = folder(&[format!("{}/a/b@{digest}", registry.address), format!("registry.test/a/b@{digest}")]);
    let at = format!("http://user:word@{}", proxy.address);
    let environment = [("HTTPS_PROXY", at.as_str()), ("HTTP_PROXY", at.as_str())];
    let ran = folder.run_with(&["verify", "compose.yml"], "", &environment);
    assert_eq!(registry.lines(), [format!("HEAD /v2/a/b/manifests/{digest}")]);
    assert!(proxy.lines().iter().all(|line| line == "CONNECT registry.test:443"), "{:?}", proxy.lines());
    assert!(!proxy.lines().is_empty());
    assert!(ran.stdout.contains("registry.test cannot be reached ("), "{}", ran.shown());
    assert!(!ran.shown().contains("word"), "{}", ran.shown());
}

#[test]
fn no_password_and_no_token_is_ever_told() {
    let tokens = Server::start(|_| Reply::status(200).body(r#"{"token":"hidden-token"}"#));
    let realm = format!("http://{}/token", tokens.address);
    let calls = AtomicUsize::new(0);
    let registry = Server::start(move |request| match request.header("authorization") {
        Some(_) if calls.fetch_add(1, Ordering::SeqCst) == 0 => Reply::manifest(OCI_INDEX, INDEX),
        Some(_) => Reply::status(302).header("location", "http://localhost:1/blob?signature=hidden-signature"),
        None => Reply::bearer(&realm),
    });
    let folder = folder(&[format!("{}/a/b:1.0.0", registry.address), format!("{}/a/b:2.0.0", registry.address)]);
    folder.write("auth", &format!("{} me hidden-password\n", registry.address));
    for arguments in [
        &["verify", "compose.yml", "--verbose", "--registry-auth", "auth"][..],
        &["pin", "compose.yml", "--verbose", "--registry-auth", "auth"],
    ] {
        let ran = folder.run_with(arguments, "", &[("RUST_LOG", "trace")]);
        assert!(ran.stderr.contains("/v2/a/b/manifests/"), "{}", ran.shown());
        for hidden in ["hidden", "bWU6aGlkZGVuLXBhc3N3b3Jk"] {
            assert!(!ran.shown().contains(hidden), "{}", ran.shown());
        }
    }
    assert!(tokens.requests().iter().all(|request| request.header("authorization").is_some()));
    folder.write("auth", "a.test hidden-password");
    let ran = folder.run(&["verify", "compose.yml", "--registry-auth", "auth"]);
    assert_eq!((ran.status, ran.shown().contains("hidden")), (2, false), "{}", ran.shown());
    assert!(ran.stderr.contains("line 1 is not `HOST USER PASSWORD`"), "{}", ran.shown());
}

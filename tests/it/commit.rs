//! The message of a commit that moves digests: as a hook judges it before, and a workflow afterwards.

use std::process::Command;

use super::cli::snapshot;
use super::git::{Repository, digest, git_in};
use super::program::{Folder, Ran, run_in};

fn compose(tag: &str, name: &str) -> String {
    format!("services:\n  web:\n    image: ghcr.io/org/web:{tag}@{}\n", digest(name))
}

/// A repository that deploys one image, committed.
fn repository() -> Option<Repository> {
    let repository = Repository::new()?;
    repository.write("compose.prod.yml", &compose("1.2.3", "old"), "first");
    Some(repository)
}

fn check(repository: &Repository, message: &str, more: &[&str]) -> Ran {
    let arguments = [&["check", "--commit-message", "-"], more].concat();
    run_in(repository.path(), &arguments, message, &[])
}

#[test]
fn a_digest_that_moves_needs_a_reason() {
    let Some(repository) = repository() else { return };
    assert_eq!(check(&repository, "nothing moves", &[]).status, 0);
    repository.folder.write("compose.prod.yml", &compose("1.2.3", "new"));
    snapshot("commit-message", &check(&repository, "update images\n", &[]).shown());
    assert_eq!(check(&repository, "update images\n\nfixes CVE-2026-12345\n", &[]).status, 0);
    assert_eq!(check(&repository, "update images\n# CVE-2026-12345\n", &[]).status, 1);
    assert_eq!(check(&repository, "update images\n", &["--level", "commit-reference=off"]).status, 0);
    assert_eq!(check(&repository, "update images\n", &["--level", "commit-reference=warning"]).status, 0);
    let other = "version: 1\ncommit-reference: ['OPS-[0-9]+']\n";
    repository.folder.write("digest-gate.yml", other);
    assert_eq!(check(&repository, "CVE-2026-12345\n", &[]).status, 1);
    assert_eq!(check(&repository, "OPS-7\n", &[]).status, 0);
    repository.folder.write("digest-gate.yml", "version: 1\ncommit-reference: ['OPS-[']\n");
    let ran = check(&repository, "OPS-7\n", &[]);
    assert!(ran.status == 2 && ran.stderr.contains("digest-gate.yml:2:21"), "{}", ran.shown());
}

#[test]
fn what_moves_no_digest_needs_none() {
    let Some(repository) = repository() else { return };
    let old = compose("1.2.3", "old");
    let other = format!("{old}  api:\n    image: ghcr.io/org/api:1.0.0@{}\n", digest("api"));
    for (text, what) in [
        (compose("1.2.4", "old"), "a tag alone"),
        (other, "a new image"),
        (format!("# comment\n\n{old}"), "lines"),
        ("services: {}\n".to_owned(), "an image that goes"),
    ] {
        repository.folder.write("compose.prod.yml", &text);
        let ran = check(&repository, "no reason\n", &[]);
        assert_eq!(ran.status, 0, "{what}: {}", ran.shown());
    }
    repository.folder.write("compose.prod.yml", &old.replace(&format!("@{}", digest("old")), ""));
    repository.commit("the digest goes");
    repository.folder.write("compose.prod.yml", &old);
    assert_eq!(check(&repository, "the first digest\n", &[]).status, 0);
}

#[test]
fn the_newest_commit_is_compared_with_its_first_parent() {
    let Some(repository) = repository() else { return };
    assert_eq!(check(&repository, "first", &["--committed"]).status, 0);
    repository.git(&["switch", "-q", "-c", "topic"]);
    repository.write("compose.prod.yml", &compose("1.2.3", "new"), "on a branch");
    repository.write("README.md", "words", "words");
    assert_eq!(check(&repository, "words", &["--committed"]).status, 0);
    repository.git(&["switch", "-q", "main"]);
    repository.git(&["merge", "-q", "--no-ff", "-m", "merged", "topic"]);
    assert_eq!(check(&repository, "merged", &["--committed"]).status, 1);
    assert_eq!(check(&repository, "merged", &[]).status, 0);
    assert_eq!(check(&repository, "merged: POAM-17", &["--committed"]).status, 0);
}

#[test]
fn what_cannot_be_compared_is_not_passed_over() {
    let Some(repository) = repository() else { return };
    repository.write("compose.prod.yml", &compose("1.2.3", "new"), "second");
    let clone = Folder::new(&[]);
    let url = format!("file://{}", repository.path().display());
    git_in(clone.path(), 0, &["clone", "-q", "--depth", "1", &url, "."]);
    let ran = run_in(clone.path(), &["check", "--commit-message", "-", "--committed"], "x", &[]);
    assert!(ran.status == 2 && ran.stderr.contains("fetch-depth"), "{}", ran.shown());
    assert_eq!(run_in(clone.path(), &["check", "--commit-message", "-"], "x", &[]).status, 0);
    let none = Folder::new(&[("compose.prod.yml", &compose("1", "old"))]);
    let ran = none.run_with(&["check", "--commit-message", "-"], "x", &[]);
    assert!(ran.status == 2 && ran.stderr.contains("no git repository"), "{}", ran.shown());
    for arguments in [
        &["check", "--commit-message", "gone"][..],
        &["check", "--committed"],
        &["check", "-", "--commit-message", "-"],
    ] {
        assert_eq!(none.run(arguments).status, 2, "{arguments:?}");
    }
}

#[test]
fn the_action_judges_the_title_of_a_pull_request() {
    let Some(repository) = repository() else { return };
    repository.write("compose.prod.yml", &compose("1.2.3", "new"), "second");
    let workspace = repository.path().to_str().unwrap();
    let run = |message: &str| {
        let environment =
            [("INPUT_COMMIT-MESSAGE", message), ("INPUT_CHECK-RUN", "off"), ("GITHUB_WORKSPACE", workspace)];
        run_in(repository.path(), &["action"], "", &environment)
    };
    let ran = run("update images");
    assert!(ran.status == 1 && ran.stdout.contains("title=digest-gate%3A commit-reference"), "{}", ran.shown());
    assert_eq!(run("update images: GHSA-4xc9-xhrj-v574").status, 0);
    assert_eq!(run("").status, 0, "an event without a message has none to judge");
}

#[cfg(unix)]
#[test]
fn it_is_a_hook_as_the_document_has_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(repository) = repository() else { return };
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/refresh-procedure.md")).unwrap();
    let hook = document.split("```sh\n").find(|block| block.starts_with("#!/bin/sh")).expect("the document has a hook");
    let hook = hook.split("```").next().unwrap();
    assert!(hook.contains("digest-gate check --commit-message \"$1\""), "{hook}");
    let file = repository.path().join(".git/hooks/commit-msg");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, hook).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_digest-gate")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let commit = |message: &str| {
        repository.git(&["add", "-A"]);
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Jane", "-c", "user.email=jane@example.org", "commit", "-q", "-m", message]);
        git.current_dir(repository.path()).env_clear().env("PATH", &path).env("HOME", "/nonexistent");
        git.output().unwrap().status.success()
    };
    repository.folder.write("compose.prod.yml", &compose("1.2.3", "new"));
    assert!(!commit("update images"));
    assert!(commit("update images: CVE-2026-12345"));
    repository.folder.write("README.md", "words");
    assert!(commit("words"));
}

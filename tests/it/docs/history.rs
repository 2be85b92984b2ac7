//! The page about history and rollback: its commands run, its file of holds is one.

use digest_gate::policy::Holds;
use digest_gate::source::Source;

use super::super::git::{Repository, digest};
use super::{blocks, read};

/// The words of a command line, as a shell takes them apart.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in line.split(" #").next().unwrap().trim().chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

#[test]
fn the_commands_of_the_page_run() {
    let Some(repository) = Repository::new() else { return };
    let file = |name: &str| format!("services: {{web: {{image: 'ghcr.io/org/web:1@{}'}}}}\n", digest(name));
    repository.write("deploy/prod/compose.yml", &file("a"), "one");
    repository.write("deploy/prod/compose.yml", &file("b"), "two");
    let commands = blocks(&read("docs/history.md"), "sh").concat();
    for line in commands.lines() {
        let words = words(line);
        let mut arguments: Vec<_> = words.iter().skip(1).map(String::as_str).collect();
        arguments.push("--offline");
        let ran = repository.run(&arguments);
        assert_eq!((words[0].as_str(), ran.status), ("digest-gate", 0), "{line}: {}", ran.shown());
    }
    assert_eq!(commands.lines().count(), 7);
    assert!(std::fs::read_to_string(repository.path().join("digest-gate-holds.yml")).unwrap().ends_with("holds: []\n"));
}

#[test]
fn the_file_of_holds_is_one() {
    let block = blocks(&read("docs/history.md"), "yaml").remove(0);
    let holds = Holds::parse(&Source::new("digest-gate-holds.yml", block.as_str())).unwrap_or_else(|e| panic!("{e}"));
    assert!(holds.text().ends_with(&block), "as it is written: {}", holds.text());
}

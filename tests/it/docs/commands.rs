//! Every command that a document names is one the program understands, and those that ask nobody do what they should.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::git::{Repository, digest};
use super::super::program::run_in;
use super::{blocks, read, root};

/// Words that stand for something in a document, and what they are held as.
const PLACEHOLDERS: &[(&str, &str)] = &[("RULE", "unpinned"), ("SHELL", "bash"), ("RULE=LEVEL", "unpinned=error")];

/// Everything that is written for people, and the workflows to copy.
fn documents() -> Vec<PathBuf> {
    let mut files =
        vec![PathBuf::from("README.md"), "CONTRIBUTING.md".into(), "CHANGELOG.md".into(), "action.yml".into()];
    for folder in ["docs", "examples/workflows"] {
        let names = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        files.extend(names.map(|name| Path::new(folder).join(name)));
    }
    files.sort();
    files
}

/// The commands of a text: in code, fenced or in a line, and in the lines of workflows.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    let mut line_before = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let line = std::mem::take(&mut line_before) + line.trim();
        if let Some(open) = line.strip_suffix('\\') {
            line_before = format!("{open} ");
            continue;
        }
        let pieces: Vec<&str> = if fenced {
            vec![line.as_str()]
        } else {
            // Code in a line stands at every second place between backticks.
            let run = line.trim_start_matches("- ").strip_prefix("run: ");
            line.split('`').skip(1).step_by(2).chain(run).collect()
        };
        for piece in pieces {
            let parts = piece.split([';', '|', '>']).flat_map(|part| part.split("&&")).map(str::trim);
            found.extend(parts.filter(|part| part.starts_with("digest-gate ")).map(str::to_owned));
        }
    }
    found
}

/// The words of a command, without what follows a `#`.
fn words(command: &str) -> Vec<String> {
    let command = command.split(" #").next().unwrap();
    let mut words = Vec::new();
    let (mut word, mut quote) = (String::new(), None);
    for c in command.chars() {
        match c {
            '\'' | '"' if quote == Some(c) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            ' ' if quote.is_none() => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    let held =
        |word: String| PLACEHOLDERS.iter().find(|(name, _)| *name == word).map_or(word, |(_, it)| (*it).to_owned());
    words.into_iter().filter(|word| !word.is_empty()).map(held).collect()
}

#[test]
fn every_command_of_the_documents_is_understood() {
    let mut seen = 0;
    for document in documents() {
        let text = read(document.to_str().unwrap());
        for command in commands(&text) {
            if command.contains('…') {
                continue;
            }
            let understood = digest_gate::cli::command().try_get_matches_from(words(&command));
            assert!(understood.is_ok(), "{}: `{command}`: {}", document.display(), understood.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} commands were seen");
}

#[test]
fn the_steps_of_the_procedures_workflow_name_inputs_that_there_are() {
    let action: serde_json::Value = serde_yaml::from_str(&read("action.yml")).unwrap();
    let block = blocks(&read("docs/refresh-procedure.md"), "yaml").concat();
    let workflow: serde_json::Value = serde_yaml::from_str(&block).unwrap();
    let steps = workflow["steps"].as_array().unwrap();
    assert_eq!(steps[1]["uses"], "org/digest-gate@v1");
    for input in steps[1]["with"].as_object().unwrap().keys() {
        assert!(action["inputs"].get(input).is_some(), "{input}");
    }
}

#[test]
fn the_procedure_can_be_followed() {
    let Some(repository) = Repository::new() else { return };
    let compose = |name: &str| format!("services:\n  app:\n    image: ghcr.io/org/app:1.2.3@{}\n", digest(name));
    repository
        .folder
        .write("digest-gate.yml", "version: 1\nenvironments: {production: {enforce: true, manifests: [prod/**]}}\n");
    repository.write("prod/compose.yml", &compose("old"), "first");
    repository.write("prod/compose.yml", &compose("new"), "Refresh ghcr.io/org/app: CVE-2026-1234");
    let message = repository.git(&["log", "-1", "--format=%B"]);
    let mut ran_offline = Vec::new();
    for command in commands(&read("docs/refresh-procedure.md")) {
        let mut words = words(&command);
        let verb = words[1].clone();
        // The rest asks registries, or is tried elsewhere in a repository of its own.
        if !["check", "images", "history", "rollback"].contains(&verb.as_str()) || command.contains("$1") {
            continue;
        }
        if verb == "rollback" {
            words.push("--offline".to_owned());
        }
        words.remove(0);
        if words.iter().any(|word| word == "strict") {
            words.push("--quiet".to_owned());
        }
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = run_in(repository.path(), &arguments, &message, &[]);
        assert_eq!(ran.status, 0, "`{command}`: {}", ran.shown());
        ran_offline.push(verb);
    }
    for verb in ["check", "images", "history", "rollback"] {
        assert!(ran_offline.iter().any(|ran| ran == verb), "{verb} is not in the procedure");
    }
}

//! The documents are true: tables come from the lists, examples run.

mod commands;
mod history;
mod manifests;
mod scanning;
mod workflows;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use digest_gate::policy::{Floor, Policy};
use digest_gate::report::FORMATS;
use digest_gate::rule::RULES;
use digest_gate::source::Source;

use super::program::{Folder, run_in};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The fenced blocks of a language in a document.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in document.lines() {
        match &mut open {
            None if line == format!("```{language}") => open = Some(String::new()),
            Some(_) if line == "```" => blocks.extend(open.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// A document made from a list must be what the list says; `UPDATE_DOCS=1` writes it anew.
fn generated(path: &str, text: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join(path), text).unwrap();
    }
    assert_eq!(read(path), text, "{path} differs: run `UPDATE_DOCS=1 cargo test docs`");
}

#[test]
fn the_rules_are_those_of_the_list() {
    let mut text = String::from(
        "# The rules\n\n`digest-gate explain RULE` prints the same. The level is that under `policy: default` and \
         `policy: strict`;\n`levels` in [the configuration](configuration.md) and `--level` change it.\n\n\
         | rule | default | strict | says |\n|---|---|---|---|\n",
    );
    for rule in RULES {
        let (default, strict) = (rule.default.as_str(), rule.strict.as_str());
        let summary = rule.summary.replace('|', "\\|");
        writeln!(text, "| [`{0}`](#{0}) | {default} | {strict} | {summary} |", rule.id).unwrap();
    }
    for rule in RULES {
        writeln!(text, "\n## {}\n\nWhy: {}.\n\nWhat to do: {}.", rule.id, rule.why, rule.fix).unwrap();
        if let Some((bad, good)) = rule.example {
            writeln!(text, "\nInstead of\n\n```text\n{bad}\n```\n\nwrite\n\n```text\n{good}\n```").unwrap();
        }
    }
    generated("docs/rules.md", &text);
}

#[test]
fn configurations_in_the_documents_are_valid() {
    let mut seen = 0;
    for path in ["README.md", "docs/configuration.md", "docs/digests.md", "docs/github.md", "docs/signatures.md"] {
        for block in blocks(&read(path), "yaml").iter().filter(|block| block.starts_with("version:")) {
            let source = Source::new("digest-gate.yml", block.as_str());
            if block.contains("enforced-environments") {
                Floor::parse(&source).map(drop)
            } else {
                Policy::parse(&source).map(drop)
            }
            .unwrap_or_else(|errors| panic!("{path}: {errors}"));
            seen += 1;
        }
    }
    assert_eq!(seen, 8);
}

#[test]
fn the_readmes_workflow_is_the_one_to_copy() {
    let readme = read("README.md");
    let workflow = blocks(&readme, "yaml").into_iter().find(|block| block.starts_with("name:")).unwrap();
    assert_eq!(workflow, read("examples/workflows/gate.yml"));
}

#[test]
fn the_readmes_commands_run() {
    let readme = read("README.md");
    let commands = blocks(&readme, "sh").concat();
    let main = "cargo run -- check examples/production";
    assert!(commands.contains(main));
    let ran = run_in(root(), &main.split(' ').skip(3).collect::<Vec<_>>(), "", &[]);
    assert_eq!(ran.status, 1, "{}", ran.shown());
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("readme-example", ran.shown());
    });
    let folder = Folder::new(&[("deploy/prod/a.yml", "services: {a: {image: nginx}}\n")]);
    for (command, status) in [
        ("digest-gate check", 1),
        ("digest-gate check deploy/prod", 1),
        ("digest-gate check -", 0),
        ("digest-gate images --format json .", 0),
        ("digest-gate explain floating-tag", 0),
    ] {
        assert!(commands.contains(command), "{command}");
        let ran = folder.run(&command.split(' ').skip(1).collect::<Vec<_>>());
        assert_eq!(ran.status, status, "{command}: {}", ran.shown());
    }
}

#[test]
fn the_readme_names_every_format_and_every_input() {
    let readme = read("README.md");
    for format in FORMATS {
        assert!(readme.contains(&format!("`{}`", format.name)), "{}", format.name);
    }
    let action: serde_json::Value = serde_yaml::from_str(&read("action.yml")).unwrap();
    for list in ["inputs", "outputs"] {
        for name in action[list].as_object().unwrap().keys() {
            assert!(name == "command" || readme.contains(&format!("`{name}`")), "{name}");
        }
    }
}

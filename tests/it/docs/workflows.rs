//! The workflows to copy, and those in the documents: what they name of the action exists, and they ask for no more than
//! they explain.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{blocks, read, root};

/// A workflow, or jobs of one, with where it is from.
fn all() -> Vec<(String, String)> {
    let folder = root().join("examples/workflows");
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in ["gate.yml", "refresh-scan-merge.yml", "refresh.yml", "verify.yml"] {
        assert!(names.iter().any(|it| it == name), "{name}");
    }
    let examples = names.into_iter().map(|name| (name.clone(), read(&format!("examples/workflows/{name}"))));
    let document = blocks(&read("docs/github.md"), "yaml").into_iter().filter(|block| block.starts_with("jobs:"));
    let mut all: Vec<_> = examples.collect();
    all.extend(document.map(|block| ("docs/github.md".to_owned(), block)));
    all
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect()
}

/// The names behind `prefix` in a text: `steps.refresh.outputs.` gives `commit`.
fn names_after(text: &str, prefix: &str) -> Vec<String> {
    let name = |rest: &str| {
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').next().unwrap().to_owned()
    };
    text.split(prefix).skip(1).map(name).collect()
}

#[test]
fn what_workflows_name_of_the_action_exists() {
    let action: Value = serde_yaml::from_str(&read("action.yml")).unwrap();
    let (inputs, outputs) = (keys(&action["inputs"]), keys(&action["outputs"]));
    let mut seen = 0;
    for (from, text) in all() {
        let workflow: Value = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{from}: {error}"));
        let jobs = workflow["jobs"].as_object().unwrap();
        for (job, body) in jobs {
            for step in body["steps"].as_array().unwrap() {
                let uses = step["uses"].as_str().unwrap_or_default();
                if uses != "org/digest-gate@v1" {
                    continue;
                }
                seen += 1;
                for input in keys(&step["with"]) {
                    assert!(inputs.contains(&input), "{from}: {job}: no input `{input}`");
                }
                let command = step["with"]["command"].as_str().unwrap_or("check");
                let known = action["inputs"]["command"]["description"].as_str().unwrap();
                assert!(known.contains(&format!("`{command}`")), "{from}: {command}");
                if let Some(id) = step["id"].as_str() {
                    for output in names_after(&text, &format!("steps.{id}.outputs.")) {
                        assert!(outputs.contains(&output), "{from}: {job}: no output `{output}`");
                    }
                }
            }
            let needed = keys(&body["outputs"]);
            for output in names_after(&text, &format!("needs.{job}.outputs.")) {
                assert!(needed.contains(&output), "{from}: the job {job} has no output `{output}`");
            }
        }
    }
    assert!(seen >= 6, "{seen}");
}

#[test]
fn workflows_give_few_permissions_and_name_actions_by_commit() {
    for (from, text) in all() {
        let workflow: Value = serde_yaml::from_str(&text).unwrap();
        if from != "docs/github.md" {
            assert_eq!(workflow["permissions"], serde_json::json!({}), "{from}");
        }
        for (job, body) in workflow["jobs"].as_object().unwrap() {
            assert!(body["permissions"].is_object(), "{from}: {job}");
            for (permission, level) in body["permissions"].as_object().unwrap() {
                let line = format!("{permission}: {}", level.as_str().unwrap());
                let explained = text.lines().any(|it| it.trim().starts_with(&format!("{line} # ")));
                assert!(explained, "{from}: {job}: {line}");
            }
        }
        for line in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")) {
            if line == "org/digest-gate@v1" {
                continue;
            }
            let (reference, version) = line.split_once(" # v").unwrap_or_else(|| panic!("{from}: {line}"));
            let commit = reference.split_once('@').unwrap().1;
            let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit && version.split('.').count() == 3, "{from}: {line}");
        }
        assert!(!text.contains("secrets: inherit") && !text.contains("pull_request_target"), "{from}");
        let checkouts = text.matches("uses: actions/checkout@").count();
        assert_eq!(text.matches("persist-credentials: false").count(), checkouts, "{from}");
    }
}

//! What `init` writes for a repository: a configuration that names what is deployed, and the workflows that judge it.
//!
//! [`plan`] is a function of the paths and manifests that are there. The workflows are those of `examples/workflows`,
//! byte for byte.

mod detect;
mod render;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::manifest::Found;
use crate::source::Source;

/// Where the configuration is written.
pub const CONFIGURATION: &str = "digest-gate.yml";

/// What `init` looks at.
pub struct Seen<'a> {
    /// Every file, relative to the root.
    pub paths: &'a BTreeSet<String>,
    /// What each file that may be a manifest holds.
    pub manifests: &'a [(Arc<Source>, Found)],
}

/// One file to be written.
#[derive(Debug)]
pub struct Planned {
    /// Relative to the root.
    pub path: &'static str,
    pub text: String,
    /// What it is for, for people: a line, and below it one for each choice and permission.
    pub says: String,
}

/// A workflow to copy.
struct Workflow {
    path: &'static str,
    text: &'static str,
    /// What it does, for people.
    title: &'static str,
}

static WORKFLOWS: &[Workflow] = &[
    Workflow {
        path: ".github/workflows/digest-gate.yml",
        text: include_str!("../examples/workflows/gate.yml"),
        title: "judges every pull request, merge group and push to `main`",
    },
    Workflow {
        path: ".github/workflows/digest-gate-refresh.yml",
        text: include_str!("../examples/workflows/refresh.yml"),
        title: "moves digests in one pull request, every month and on demand with a reason",
    },
    Workflow {
        path: ".github/workflows/digest-gate-verify.yml",
        text: include_str!("../examples/workflows/verify.yml"),
        title: "asks the registries every week what has moved or gone",
    },
];

/// The files that `init` writes.
#[must_use]
pub fn plan(seen: &Seen<'_>) -> Vec<Planned> {
    let environments = detect::environments(seen);
    let configuration = Planned {
        path: CONFIGURATION,
        text: render::configuration(&environments),
        says: render::summary(&environments),
    };
    let workflows = WORKFLOWS.iter().map(|workflow| Planned {
        path: workflow.path,
        text: workflow.text.to_owned(),
        says: format!("{}\n{}", workflow.title, permissions(workflow.text)),
    });
    std::iter::once(configuration).chain(workflows).collect()
}

/// Every permission that a workflow gives, with the reason that its comment names.
fn permissions(workflow: &str) -> String {
    let mut text = String::new();
    let mut inside = None;
    for line in workflow.lines() {
        let indent = line.len() - line.trim_start().len();
        if line.trim() == "permissions:" {
            inside = Some(indent);
        } else if inside.is_some_and(|outer| indent <= outer) {
            inside = None;
        } else if let (Some(_), Some((permission, why))) = (inside, line.split_once('#')) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{:22} {}", permission.trim(), why.trim());
        }
    }
    text
}

#[cfg(test)]
mod tests;

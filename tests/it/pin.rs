//! Where digests are written: small trees before and after, byte by byte, and what the real programs make of them.

mod cases;
mod corpus;
mod referee;
mod wholes;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use digest_gate::edit::Changed;
use digest_gate::gate::{Collected, Deployed, Request, Targets, collect};
use digest_gate::manifest::LocatedImage;
use digest_gate::pin::{Settled, Wanted, settle};
use digest_gate::policy::{Environment, Policy, find};
use digest_gate::walk::Workspace;

use crate::program::Folder;
use referee::Referees;

/// The digest that the registry of these tests has for a repository: told apart by its last name.
pub(crate) fn digest(repository: &str) -> String {
    let name = repository.rsplit('/').next().unwrap();
    let hex = name.bytes().take(32).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("sha256:{hex:0<64}")
}

/// A tree of files in which digests are written.
struct Tree {
    folder: Folder,
    workspace: Workspace,
    policy: Policy,
}

impl Tree {
    fn new(files: &[(String, String)]) -> Self {
        let folder = Folder::new(&[]);
        for (path, text) in files {
            folder.write(path, text);
        }
        let location = find::find(folder.path()).unwrap();
        let policy = location
            .file
            .as_ref()
            .map_or_else(Policy::default, |file| Policy::parse(&find::read(file, "digest-gate.yml").unwrap()).unwrap());
        let workspace = Workspace::new(folder.path(), folder.path()).unwrap();
        Self { folder, workspace, policy }
    }

    /// What is deployed: by the environments of the configuration, without one by every file.
    fn collect(&self, drafts: HashMap<PathBuf, String>) -> Collected {
        let workspace = self.workspace.with_drafts(drafts);
        let paths = [self.folder.path().to_owned()];
        let environments: Vec<&Environment> = self.policy.environments.iter().collect();
        let targets = if environments.is_empty() {
            Targets::Paths { paths: &paths, stdin: None }
        } else {
            Targets::Environments(environments)
        };
        let today = "2026-11-10".parse().unwrap();
        let request =
            Request { workspace: &workspace, policy: &self.policy, targets, keep_images: true, threads: 1, today };
        collect(&request).unwrap()
    }

    fn unreadable(&self) -> Option<String> {
        let findings = self.collect(HashMap::new()).findings;
        findings.into_iter().find(|finding| finding.rule.id == "unreadable-manifest").map(|finding| finding.message)
    }

    /// Writes a digest for each image that `wanted` gives one; nothing on disk.
    fn settle(&self, wanted: impl Fn(&LocatedImage) -> Option<Wanted>) -> (Vec<Deployed>, Settled) {
        let images = self.collect(HashMap::new()).images;
        let mut first = HashMap::new();
        for source in images.iter().flat_map(|deployed| deployed.image.sources()) {
            first.entry(self.workspace.real_path(source).unwrap()).or_insert_with(|| Arc::clone(source));
        }
        let same = |source: &Arc<_>| Arc::clone(&first[&self.workspace.real_path(source).unwrap()]);
        let again = |changed: &[Changed]| {
            let draft = |file: &Changed| (self.workspace.real_path(&file.source).unwrap(), file.text.clone());
            Ok::<_, std::convert::Infallible>(self.collect(changed.iter().map(draft).collect()).images)
        };
        let wanted = images.iter().map(|deployed| wanted(&deployed.image)).collect();
        let settled = settle(&images, wanted, &same, &again).unwrap();
        (images, settled)
    }

    fn write(&self, changed: &[Changed]) {
        for file in changed {
            self.folder.write(file.source.relative(), &file.text);
        }
    }
}

/// The digest of its repository, for every image that deploys another one or none.
fn of_registry(image: &LocatedImage) -> Option<Wanted> {
    let reference = image.reference().filter(|_| !image.built && !image.partial)?;
    let digest = digest(&reference.repository());
    (reference.digest() != Some(&digest)).then_some(Wanted { digest, tag: None })
}

/// `«…»` is written, `«a→b»` replaces `a`; `{name}` is the digest of a repository, `{name#}` its digits.
fn marked(text: &str) -> (String, String) {
    let (mut before, mut after) = (String::new(), String::new());
    let mut rest = text;
    while let Some((kept, behind)) = rest.split_once('«') {
        let (inside, behind) = behind.split_once('»').unwrap();
        let (old, new) = inside.split_once('→').unwrap_or(("", inside));
        before.extend([kept, old]);
        after.extend([kept, new]);
        rest = behind;
    }
    (with_digests(&(before + rest)), with_digests(&(after + rest)))
}

/// Names are those of the repositories in the cases: no brace of another language holds one.
fn with_digests(text: &str) -> String {
    let mut text = text.to_owned();
    for name in ["app", "web", "db", "old", "side"] {
        text = text.replace(&format!("{{{name}}}"), &digest(name));
        text = text.replace(&format!("{{{name}#}}"), digest(name).trim_start_matches("sha256:"));
    }
    text
}

/// The files of a case, each behind `=== path`: before and after.
fn files(case: &str) -> Vec<(String, String, String)> {
    let parts = case.split("=== ").skip(1).map(|part| part.split_once('\n').unwrap());
    parts
        .map(|(path, text)| {
            let (before, after) = marked(text);
            (path.to_owned(), before, after)
        })
        .collect()
}

/// `field: why` of every image that got no digest.
fn refusals(images: &[Deployed], settled: &Settled) -> Vec<String> {
    settled.refused.iter().map(|(index, why)| format!("{}: {why}", images[*index].image.field)).collect()
}

/// What is wrong with what is written in a case; nothing where all is as it should be.
fn check(case: &str, refused: &[&str], referees: &Referees) -> String {
    let files = files(case);
    let before: Vec<_> = files.iter().map(|(path, before, _)| (path.clone(), before.clone())).collect();
    let tree = Tree::new(&before);
    assert_eq!(tree.unreadable(), None, "{case}");
    let (images, settled) = tree.settle(of_registry);
    let mut wrong = String::new();
    for (path, before, after) in &files {
        let changed = settled.changed.iter().find(|file| file.source.relative() == path);
        let is = changed.map_or(before, |file| &file.text);
        if is != after {
            let _ = writeln!(wrong, "--- {path} should be\n{after}\n--- {path} is\n{is}");
        }
    }
    let refusals = refusals(&images, &settled);
    if refusals != refused {
        let _ = writeln!(wrong, "refused: {refusals:#?}");
    }
    tree.write(&settled.changed);
    let (images, again) = tree.settle(of_registry);
    if !again.changed.is_empty() {
        let _ = writeln!(wrong, "written again: {:?}", again.changed);
    }
    wrong + &referees.differences(&tree, &images)
}

fn check_all(cases: &[cases::Case]) {
    let referees = Referees::on_path();
    let wrong: Vec<_> = cases
        .iter()
        .map(|(name, case, refused)| (name, check(case, refused, &referees)))
        .filter(|(_, wrong)| !wrong.is_empty())
        .map(|(name, wrong)| format!("{name}:\n{wrong}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn compose_files() {
    check_all(cases::COMPOSE);
}

#[test]
fn stacks() {
    check_all(cases::STACKS);
}

#[test]
fn dockerfiles() {
    check_all(cases::DOCKERFILES);
}

#[test]
fn kustomizations() {
    check_all(cases::KUSTOMIZATIONS);
}

#[test]
fn overlays() {
    check_all(cases::OVERLAYS);
}

#[test]
fn hcl_and_templates() {
    check_all(cases::HCL);
}

#[test]
fn pipelines() {
    check_all(cases::PIPELINES);
}

#[test]
fn other_kinds() {
    check_all(cases::OTHERS);
}

#[test]
fn helm_values() {
    check_all(cases::VALUES);
}

#[test]
fn charts() {
    check_all(cases::CHARTS);
}

//! Overlays as they build, held against the real `kustomize build`: by hand, and at random.

mod cases;
mod random;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::program::has_referee;
use digest_gate::manifest::kustomize::overlay;
use digest_gate::manifest::{self, Absent, Alone, Beside, Found, LocatedImage, State};
use digest_gate::source::Source;
use digest_gate::yaml::Tree;

pub(crate) const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Files in memory, by path.
pub(crate) struct Files(pub(crate) BTreeMap<String, String>);

impl Files {
    /// Reads `# file: path` lines, each followed by the text of the file. What stands in every case is added.
    pub(crate) fn of(text: &str) -> Self {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for part in [cases::COMMON, text].into_iter().flat_map(|text| text.split("# file: ").skip(1)) {
            let (path, text) = part.split_once('\n').unwrap();
            files.insert(path.trim().to_owned(), text.replace("HEX", HEX));
        }
        Self(files)
    }

    fn source(&self, path: &str) -> Option<Arc<Source>> {
        Some(Source::new(path, self.0.get(path)?.as_str()))
    }

    fn write(&self, folder: &Path) {
        for (path, text) in &self.0 {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    fn read(&self, folder: &str) -> Found {
        overlay::read(&self.source(&format!("{folder}/kustomization.yaml")).unwrap(), self)
    }
}

impl Beside for Files {
    fn open(&self, from: &Source, path: &str) -> Result<Arc<Source>, Absent> {
        let folder = from.relative().rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
            if part != ".." {
                parts.push(part);
            } else if parts.pop().is_none() {
                return Err(Absent::Unreadable("it lies outside of the repository".to_owned()));
            }
        }
        let path = parts.join("/");
        let below = format!("{path}/");
        match self.source(&path) {
            Some(source) => Ok(source),
            None if path.is_empty() || self.0.keys().any(|known| known.starts_with(&below)) => Err(Absent::Folder),
            None => Err(Absent::NotThere),
        }
    }
}

/// Object, field and image of everything that is deployed, sorted.
pub(crate) fn images(found: &[LocatedImage]) -> Vec<String> {
    let line = |image: &LocatedImage| {
        let text = image.effective().unwrap_or(&image.written);
        format!("{} {} {text}", image.resource.as_deref().unwrap_or_default(), image.field)
    };
    let mut lines: Vec<_> = found.iter().map(line).collect();
    lines.sort();
    lines
}

/// What kustomize builds; `Err` is its message.
fn built(files: &Files, folder: &str) -> Result<Vec<String>, String> {
    let top = tempfile::tempdir().unwrap();
    files.write(top.path());
    let output = Command::new("kustomize").arg("build").arg(top.path().join(folder)).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let source = Source::new("built.yaml", String::from_utf8(output.stdout).unwrap());
    let found = manifest::read(&source, &Alone, &mut Tree::default());
    assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
    Ok(images(&found.images))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every image is told.
    Told,
    /// Some image, or all of it, is for kustomize to tell.
    Unresolved,
    /// Kustomize builds nothing.
    Refused,
}

/// What this program says of an overlay.
pub(crate) fn verdict(found: &Found) -> Verdict {
    let is_refused = |message: &str| message.starts_with("kustomize does not build this overlay");
    let is_open = |image: &LocatedImage| matches!(&image.state, State::Unresolved { why } if why.contains("build it"));
    match found.unreadable.first() {
        Some(unreadable) if is_refused(&unreadable.message) => Verdict::Refused,
        Some(_) => Verdict::Unresolved,
        None if found.images.iter().any(is_open) => Verdict::Unresolved,
        None => Verdict::Told,
    }
}

/// Holds one overlay against kustomize; says what differs.
pub(crate) fn compare(files: &Files, folder: &str) -> Result<Verdict, String> {
    let found = files.read(folder);
    let (ours, verdict, theirs) = (images(&found.images), verdict(&found), built(files, folder));
    let why = found.unreadable.iter().map(|unreadable| unreadable.message.as_str()).collect::<Vec<_>>();
    match (verdict, theirs) {
        (Verdict::Told, Ok(theirs)) if ours == theirs => Ok(verdict),
        (Verdict::Unresolved, _) | (Verdict::Refused, Err(_)) => Ok(verdict),
        (_, theirs) => Err(format!("ours {ours:#?} {why:?}\ntheirs {theirs:#?}\n{}", show(files))),
    }
}

fn show(files: &Files) -> String {
    files.0.iter().map(|(path, text)| format!("# file: {path}\n{text}")).collect::<Vec<_>>().concat()
}

/// The files of every overlay by hand and of some random ones, each with the configuration that names it.
pub(crate) fn trees(random: u32) -> impl Iterator<Item = Vec<(String, String)>> {
    let by_hand = cases::CASES.iter().map(|(_, _, text)| Files::of(text));
    by_hand.chain((0..random).map(random::overlay)).map(|files| {
        let configuration = "version: 1\nenvironments: {production: {overlays: [over]}}\n";
        files.0.into_iter().chain([("digest-gate.yml".to_owned(), configuration.to_owned())]).collect()
    })
}

#[test]
fn overlays_build_as_kustomize_builds_them() {
    let is_there = has_referee("kustomize");
    let mut wrong = Vec::new();
    for (name, expected, text) in cases::CASES {
        let files = Files::of(text);
        let ours = verdict(&files.read("over"));
        if ours != *expected {
            let why: Vec<_> = files.read("over").unreadable.into_iter().map(|unreadable| unreadable.message).collect();
            wrong.push(format!("{name}: {ours:?} {why:?}"));
        }
        if is_there && let Err(difference) = compare(&files, "over") {
            wrong.push(format!("{name}: {difference}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn random_overlays_build_as_kustomize_builds_them() {
    if !has_referee("kustomize") {
        return;
    }
    let rounds = std::env::var("OVERLAYS").ok().and_then(|text| text.parse().ok()).unwrap_or(150);
    let (mut counts, mut wrong) = ([0_u32; 3], Vec::new());
    for round in 0..rounds {
        let files = random::overlay(round);
        match compare(&files, "over") {
            Ok(verdict) => counts[verdict as usize] += 1,
            Err(difference) => wrong.push(format!("round {round}: {difference}")),
        }
    }
    let [told, unresolved, refused] = counts;
    println!("{told} told, {unresolved} unresolved, {refused} refused, {} differing", wrong.len());
    assert!(wrong.is_empty(), "{} differ, the first: {}", wrong.len(), wrong[0]);
    assert!(told > rounds / 2, "only {told} of {rounds} were told");
}

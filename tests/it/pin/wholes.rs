//! Stacks, overlays and charts by hand and at random: pinned, each deploys what it did, with digests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::sync::Arc;

use digest_gate::gate::Deployed;
use digest_gate::manifest::LocatedImage;

use super::referee::Referees;
use super::{Tree, of_registry};
use crate::{charts, overlays, stacks};

/// What came of many trees.
#[derive(Default)]
struct Tally {
    pinned: usize,
    refused: BTreeMap<String, usize>,
    /// Trees that are refused as a whole.
    unreadable: usize,
    /// Wholes that a program deployed before and after.
    refereed: usize,
    wrong: Vec<String>,
}

/// The reference with the digest of the registry, where it is to get one.
fn pinned(image: &LocatedImage) -> Option<(String, String)> {
    let (reference, wanted) = (image.reference()?, of_registry(image)?);
    let tag = reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    Some((reference.as_str().to_owned(), format!("{}{tag}@{}", reference.name(), wanted.digest)))
}

fn texts(images: &[Deployed]) -> Vec<String> {
    let mut texts: Vec<_> = images.iter().map(|it| it.image.effective().unwrap_or("?").to_owned()).collect();
    texts.sort();
    texts
}

impl Tally {
    fn add(&mut self, files: &[(String, String)], referees: &Referees) {
        let tree = Tree::new(files);
        let (images, settled) = tree.settle(of_registry);
        if images.is_empty() || tree.unreadable().is_some() {
            self.unreadable += 1;
            return;
        }
        let wholes: BTreeSet<_> = images.iter().map(|it| Arc::clone(&it.whole)).collect();
        let deployed = |tree: &Tree| wholes.iter().map(|whole| referees.deployed(tree, whole)).collect::<Vec<_>>();
        let before = deployed(&tree);
        let refused: HashMap<_, _> = settled.refused.iter().cloned().collect();
        let mut expected = Vec::new();
        let (mut moved, mut stays) = (HashMap::new(), BTreeSet::new());
        for (index, deployed) in images.iter().enumerate() {
            let old = deployed.image.effective().unwrap_or("?").to_owned();
            if let Some((old, new)) = pinned(&deployed.image).filter(|_| !refused.contains_key(&index)) {
                expected.push(new.clone());
                moved.insert(old, new);
            } else {
                stays.insert(old.clone());
                expected.push(old);
            }
        }
        expected.sort();
        tree.write(&settled.changed);
        let (images, again) = tree.settle(of_registry);
        let show = |what: String| {
            format!(
                "{what}\n{}",
                files.iter().map(|(path, text)| format!("=== {path}\n{text}")).collect::<Vec<_>>().concat()
            )
        };
        if texts(&images) != expected {
            self.wrong.push(show(format!(
                "deploys {:#?}\nand should {expected:#?}\n{:?}",
                texts(&images),
                settled.changed
            )));
        }
        if !again.changed.is_empty() {
            self.wrong.push(show("is written again".to_owned()));
        }
        for (before, after) in before.into_iter().zip(deployed(&tree)) {
            let Some(before) = before.filter(|_| stays.iter().all(|text| !moved.contains_key(text))) else { continue };
            let should: BTreeSet<_> =
                before.into_iter().map(|text| moved.get(&text).cloned().unwrap_or(text)).collect();
            self.refereed += 1;
            if after.as_ref() != Some(&should) {
                self.wrong.push(show(format!("is deployed as {after:#?}\nand should be as {should:#?}")));
            }
        }
        self.pinned += moved.len();
        for why in refused.into_values() {
            *self.refused.entry(why).or_default() += 1;
        }
    }

    fn tell(&self, what: &str) {
        let line = format!(
            "\n{what}: {} images pinned, {} wholes held against the real program, {} unreadable, refused {:#?}\n",
            self.pinned, self.refereed, self.unreadable, self.refused
        );
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        assert!(self.wrong.is_empty(), "{} wrong, the first {}", self.wrong.len(), self.wrong[0]);
    }
}

fn hold(what: &str, trees: impl Iterator<Item = Vec<(String, String)>>) {
    let (referees, mut tally) = (Referees::on_path(), Tally::default());
    trees.for_each(|files| tally.add(&files, &referees));
    tally.tell(what);
}

#[test]
fn stacks_deploy_what_they_did_with_digests() {
    hold("stacks", stacks::trees(100));
}

#[test]
fn overlays_deploy_what_they_did_with_digests() {
    hold("overlays", overlays::trees(80));
}

#[test]
fn charts_deploy_what_they_did_with_digests() {
    hold("charts", charts::trees());
}

//! Files that nobody here wrote, pinned against a registry that has everything: bytes, and what is refused.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use digest_gate::edit::Changed;
use digest_gate::gate::Deployed;
use digest_gate::manifest::State;
use regex::Regex;

use super::{Tree, digest, of_registry};
use crate::program::skipped;

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files_below(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Without its digests and what puts them into their places, a file is the same before and after: the bytes in which
/// it is not.
fn bytes_beside_digests(file: &Changed) -> usize {
    let digest = Regex::new(r"(@|, digest: |\r?\n *digest: )?sha256:[0-9a-f]{64}").unwrap();
    let (before, after) = (digest.replace_all(file.source.text(), ""), digest.replace_all(&file.text, ""));
    let differ = before.bytes().zip(after.bytes()).filter(|(before, after)| before != after).count();
    differ + before.len().abs_diff(after.len())
}

/// How many images are in which state.
fn counts(images: &[Deployed]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for deployed in images {
        *counts.entry(deployed.image.status()).or_default() += 1;
    }
    counts
}

#[test]
fn a_corpus_is_pinned_and_nothing_else_changes() {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let Some(root) = above.map(|folder| folder.join("shared/corpus/files")).find(|folder| folder.is_dir()) else {
        return skipped("no shared/corpus/files: no real manifest was pinned");
    };
    let mut paths = Vec::new();
    files_below(&root, &mut paths);
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    let files: Vec<_> = paths.iter().map(read).collect();
    let tree = Tree::new(&files);
    let (images, settled) = tree.settle(of_registry);
    let before = counts(&images);
    let beside: usize = settled.changed.iter().map(bytes_beside_digests).sum();
    let bytes: usize = settled.changed.iter().map(|file| file.text.len() - file.source.text().len()).sum();
    let mut refused: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (index, why) in &settled.refused {
        let image = &images[*index].image;
        let at = image.place.start();
        refused.entry(why).or_default().push(format!("{}:{}", image.place.source.relative(), at.line));
    }
    tree.write(&settled.changed);
    let (images, again) = tree.settle(of_registry);
    let after = counts(&images);
    let mut told = format!(
        "corpus: {} files, {} changed by {bytes} bytes in {} places, {beside} bytes beside digests\nbefore {before:?}\nafter {after:?}\n",
        files.len(),
        settled.changed.len(),
        settled.changed.iter().map(|file| file.splices.len()).sum::<usize>(),
    );
    for (why, places) in &refused {
        writeln!(told, "{} refused: {why}: {}", places.len(), places.join(", ")).unwrap();
    }
    println!("{told}");
    assert_eq!(beside, 0, "{told}");
    assert!(again.changed.is_empty(), "pinning twice is more than pinning once: {told}");
    let left: Vec<_> = images
        .iter()
        .filter(|it| matches!(&it.image.state, State::Reference(it) if it.digest() != Some(&digest(&it.repository()))))
        .filter(|it| !it.image.built && !it.image.partial)
        .collect();
    assert_eq!(left.len(), settled.refused.len(), "{told}");
    let named: HashMap<_, _> = files.iter().cloned().collect();
    for file in &settled.changed {
        assert_eq!(named[file.source.relative()], file.source.text());
    }
}

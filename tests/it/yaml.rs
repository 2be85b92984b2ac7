//! The fast YAML producer against the full one: whatever it accepts must give the same tree.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use crate::program::skipped;
use digest_gate::yaml::Tree;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Cases of each property; `DIGEST_GATE_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("DIGEST_GATE_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000)
}

fn runner() -> TestRunner {
    let seed = std::env::var("DIGEST_GATE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

/// Whether the fast producer takes the text. Where it does, the full one must agree.
fn accepted(text: &str) -> bool {
    let mut plain = Tree::default();
    if !plain.parse_yaml_plainly(text) {
        return false;
    }
    let mut full = Tree::default();
    full.parse_yaml_fully(text);
    assert_eq!(plain.outline(text), full.outline(text), "fast (left) and full (right) read differently: {text:?}");
    true
}

fn corpus() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(folder) = root.ancestors().map(|dir| dir.join("shared/corpus/files")).find(|dir| dir.is_dir()) else {
        skipped(&format!("no shared/corpus/files above {}: nothing was compared on real manifests", root.display()));
        return Vec::new();
    };
    let mut found: Vec<_> = ignore::WalkBuilder::new(folder)
        .standard_filters(false)
        .build()
        .filter_map(Result::ok)
        .map(ignore::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml"))
        .filter_map(|path| std::fs::read_to_string(&path).ok().map(|text| (path, text)))
        .collect();
    found.sort();
    found
}

#[test]
fn real_manifests_are_read_alike() {
    let (mut files, mut bytes, mut all) = (0, 0, 0);
    let corpus = corpus();
    for (path, text) in &corpus {
        all += text.len();
        if accepted(text) {
            files += 1;
            bytes += text.len();
        } else {
            println!("full parser: {}", path.display());
        }
    }
    println!("fast: {files} of {} files, {bytes} of {all} bytes", corpus.len());
}

/// Pieces of lines, chosen so that every rule of the grammar meets every other.
const PIECES: &[&str] = &[
    "a",
    "b",
    "key",
    "image",
    ":",
    ": ",
    ": ",
    ": ",
    ":  ",
    "- ",
    "- ",
    "-",
    "--",
    "? ",
    "#",
    " #",
    " # c",
    " ",
    "  ",
    "\t",
    "'",
    "''",
    "\"",
    "\\n",
    "\\\"",
    "\\",
    "'x'",
    "\"y\"",
    "'it''s'",
    "\"d\\n\"",
    "[",
    "]",
    "{",
    "}",
    ", ",
    ",",
    "[a, b]",
    "{a: b}",
    "[]",
    "{}",
    "{{ x }}",
    "{a: [b, \"c\"]}",
    "[a: b]",
    "{a:b}",
    "\"k\":",
    "|",
    "|-",
    "|+",
    ">",
    ">-",
    ">+",
    "|2",
    "&x ",
    "*x",
    "!t ",
    "!",
    "%",
    "@",
    "`",
    "---",
    "...",
    "~",
    "null",
    "nginx:1.2@sha256:0",
    "http://x/#y",
    "é",
    "\u{a0}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{7}",
    "\u{7f}",
    "1",
    ".",
    "$",
    "=",
    "<<",
];
/// Whole lines, so that deep structures are met, too.
const LINES: &[&str] = &[
    "a: b",
    "a:",
    "- a",
    "-",
    "- a: b",
    "- a:",
    "- - x",
    "a: |",
    "a: >-",
    "- |-",
    "# c",
    "",
    "---",
    "...",
    "a: 'b'",
    "text",
    "a: \"b\" # c",
    "a: [b, c]",
    "a: {b: c}",
    "'a': b",
    "\"a\" : b",
    "a : b",
    "a: b: c",
    "a:b",
    "- # c",
    "a: # c",
    "--- # c",
    "--- a",
    "   ",
    "- {a: b}",
    "[a]",
    "{a: b}",
    "- [a]: b",
    "key: >",
    "k: |+",
    "more text here",
];

fn line() -> impl Strategy<Value = String> {
    let indent = prop_oneof![4 => Just(0_usize), 4 => Just(2), 3 => Just(4), 1 => 0_usize..7];
    let pieces = prop::collection::vec(prop::sample::select(PIECES), 0..6).prop_map(|pieces| pieces.concat());
    let content = prop_oneof![3 => prop::sample::select(LINES).prop_map(str::to_owned), 2 => pieces];
    let end = prop_oneof![60 => Just("\n"), 1 => Just("\r\n"), 1 => Just(""), 2 => Just(" \n")];
    (indent, content, end).prop_map(|(indent, content, end)| format!("{}{content}{end}", " ".repeat(indent)))
}

#[test]
fn assembled_lines_are_read_alike() {
    let texts = prop::collection::vec(line(), 0..9).prop_map(|lines| lines.concat());
    let count = std::cell::Cell::new(0);
    runner()
        .run(&texts, |text| {
            count.set(count.get() + u32::from(accepted(&text)));
            Ok(())
        })
        .unwrap();
    println!("fast: {} of {}", count.get(), cases());
}

#[test]
fn damaged_manifests_are_read_alike() {
    let corpus: Vec<_> = corpus().into_iter().map(|(_, text)| text).filter(|text| text.len() < 20_000).collect();
    if corpus.is_empty() {
        return;
    }
    let window = (0..corpus.len(), any::<prop::sample::Index>(), 1_usize..30);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(PIECES), 0_u8..5), 1..4);
    let count = std::cell::Cell::new(0);
    runner()
        .run(&(window, damage), |((file, start, length), damage)| {
            let text = damaged(&corpus[file], start, length, &damage);
            count.set(count.get() + u32::from(accepted(&text)));
            Ok(())
        })
        .unwrap();
    println!("fast: {} of {}", count.get(), cases());
}

fn damaged(
    text: &str,
    start: prop::sample::Index,
    length: usize,
    damage: &[(prop::sample::Index, &str, u8)],
) -> String {
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    if lines.is_empty() {
        return String::new();
    }
    let first = start.index(lines.len());
    let mut lines: Vec<String> = lines.iter().skip(first).take(length).map(|line| (*line).to_owned()).collect();
    for (place, piece, how) in damage {
        if lines.is_empty() {
            break;
        }
        let index = place.index(lines.len());
        let line = &mut lines[index];
        let mut at = place.index(line.len() + 1);
        while !line.is_char_boundary(at) {
            at -= 1;
        }
        match how {
            0 => drop(lines.remove(index)),
            1 => line.insert_str(at, piece),
            2 if at < line.len() => drop(line.remove(at)),
            3 => line.insert(0, ' '),
            _ => drop(line.split_off(at)),
        }
    }
    lines.concat()
}

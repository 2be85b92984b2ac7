//! Changing files: splices that never overlap, the unified diff that shows them, and the door that writes.
//!
//! No byte outside a splice changes. Nothing is written here but through [`write::all_or_none`].

pub mod diff;
pub mod lines;
pub mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::source::{Place, Source, Span};

/// Bytes that replace others; an insertion replaces none.
#[derive(Clone, Debug)]
pub struct Edit {
    pub place: Place,
    pub text: String,
}

/// A file as it is and as it shall be.
#[derive(Clone, Debug)]
pub struct Changed {
    /// What it is changed from.
    pub source: Arc<Source>,
    /// Sorted by place, without overlap.
    pub splices: Splices,
    /// The whole text afterwards.
    pub text: String,
}

impl Changed {
    /// A file that gets another text; an empty source stands for a file that is not there yet.
    #[must_use]
    pub fn whole(source: &Arc<Source>, text: String) -> Self {
        let (old, new) = (source.text(), text.as_str());
        let same = |a: &mut dyn Iterator<Item = (&str, &str)>| -> usize {
            a.take_while(|(old, new)| old == new).map(|(line, _)| line.len()).sum()
        };
        let lines = |text| str::split_inclusive(text, '\n');
        let before = same(&mut lines(old).zip(lines(new)));
        let rest = |text: &'_ str| text.get(before..).unwrap_or_default().to_owned();
        let (old_rest, new_rest) = (rest(old), rest(new));
        let after = same(&mut lines(&old_rest).rev().zip(lines(&new_rest).rev()));
        let span = Span::new(before, old.len() - after);
        let put = new_rest.get(..new_rest.len() - after).unwrap_or_default().to_owned();
        Self { source: Arc::clone(source), splices: vec![(span, put)], text }
    }

    /// Whether the file is not there yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.source.text().is_empty()
    }
}

/// Two edits of the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two changes of {path} meet at byte {offset}")]
pub struct Overlap {
    pub path: String,
    /// Where the second one begins, in bytes.
    pub offset: u32,
}

/// What is put over which bytes of a file.
pub type Splices = Vec<(Span, String)>;

/// Applies edits of any number of files. The same edit may be given several times: one line may serve several images.
///
/// # Errors
/// Two different edits touch the same bytes, or insert at the same place.
pub fn apply(edits: &[Edit]) -> Result<Vec<Changed>, Overlap> {
    let mut files: BTreeMap<&str, (Arc<Source>, Splices)> = BTreeMap::new();
    for Edit { place, text } in edits {
        let (_, splices) = files.entry(place.source.path()).or_insert_with(|| (Arc::clone(&place.source), Vec::new()));
        splices.push((place.span, text.clone()));
    }
    files.into_values().map(|(source, splices)| splice(source, splices)).collect()
}

fn splice(source: Arc<Source>, mut splices: Splices) -> Result<Changed, Overlap> {
    splices.sort();
    splices.dedup();
    let mut text = String::with_capacity(source.text().len() + 80 * splices.len());
    let mut at = 0;
    let mut before: Option<Span> = None;
    for (span, new) in &splices {
        let meets = before.is_some_and(|before| span.start < before.end || span.start == before.start);
        let Some(kept) = source.text().get(at..span.range().start).filter(|_| !meets) else {
            return Err(Overlap { path: source.path().to_owned(), offset: span.start });
        };
        text.push_str(kept);
        text.push_str(new);
        at = span.range().end;
        before = Some(*span);
    }
    text.push_str(source.text().get(at..).unwrap_or_default());
    Ok(Changed { source, splices, text })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    use super::*;

    fn edit(source: &Arc<Source>, start: usize, end: usize, text: &str) -> Edit {
        Edit { place: Place::new(source, Span::new(start, end)), text: text.to_owned() }
    }

    #[test]
    fn only_the_spliced_bytes_change() {
        let source = Source::new("a.yml", "\u{feff}image: a:1\r\nimage: b:1 # é");
        let edits = [edit(&source, 25, 25, "@d2"), edit(&source, 13, 13, "@d1"), edit(&source, 13, 13, "@d1")];
        let changed = apply(&edits).unwrap();
        assert_eq!(changed[0].text, "\u{feff}image: a:1@d1\r\nimage: b:1@d2 # é");
        assert_eq!(changed[0].splices.len(), 2);
    }

    #[test]
    fn two_changes_of_the_same_bytes_are_refused() {
        let source = Source::new("a.yml", "0123456789");
        for (first, second) in [((2, 5), (4, 6)), ((2, 2), (2, 2)), ((2, 5), (2, 2)), ((2, 5), (3, 3))] {
            let edits = [edit(&source, first.0, first.1, "x"), edit(&source, second.0, second.1, "y")];
            assert!(apply(&edits).is_err(), "{first:?} {second:?}");
        }
        let touching = [edit(&source, 2, 5, "x"), edit(&source, 5, 6, "y")];
        assert_eq!(apply(&touching).unwrap()[0].text, "01xy6789");
        let wide = [edit(&source, 2, 50, "x")];
        assert_eq!(apply(&wide).unwrap()[0].text, "01x");
    }

    #[test]
    fn bytes_outside_of_edits_are_equal() {
        let mut runner =
            TestRunner::new_with_rng(Config::with_cases(500), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let spans = prop::collection::vec((0_usize..60, 0_usize..4, "[a-z]{0,3}"), 0..6);
        runner
            .run(&("[a-zé\r\n]{0,40}", spans), |(text, spans)| {
                let source = Source::new("a.yml", text.as_str());
                let edits: Vec<_> = spans.iter().map(|(at, n, new)| edit(&source, *at, at + n, new)).collect();
                let Ok(changed) = apply(&edits) else { return Ok(()) };
                for changed in changed {
                    let (mut old, mut new) = (0, 0);
                    for (span, put) in &changed.splices {
                        let kept = &text[old..span.range().start];
                        prop_assert_eq!(&changed.text[new..new + kept.len()], kept);
                        new += kept.len() + put.len();
                        old = span.range().end;
                    }
                    prop_assert_eq!(changed.text.get(new..), Some(text.get(old..).unwrap_or_default()));
                }
                Ok(())
            })
            .unwrap();
    }
}

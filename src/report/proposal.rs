//! The words of a pull request that moves digests: title, commit message and description.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::counted;
use super::markdown::{COMMENT_BYTES, prose};
use super::moves::{Tally, table};
use super::visible::visible;
use crate::gate::Whole;
use crate::pin::{Choice, Missed, Moves};

/// The longest reason in a title, in characters.
const MAX_REASON: usize = 120;

/// How a line of the last paragraph of a commit message begins by which the commit is known again.
pub const TRAILER: &str = "Digest-Gate: ";

/// The texts of a pull request. Nothing in them ends a line that should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub title: String,
    /// The commit's: its first line is the title.
    pub message: String,
    pub body: String,
}

/// What a pull request does to digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    Pin,
    #[default]
    Refresh,
    Rollback,
}

impl Purpose {
    /// The word for the branch and for the commit's trailer.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Refresh => "refresh",
            Self::Rollback => "rollback",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Pin => "Pin",
            Self::Refresh => "Refresh",
            Self::Rollback => "Roll back",
        }
    }
}

/// The words for digests that move. `reason` is a CVE, a POA&M number, or the occasion.
#[must_use]
pub fn proposal(moves: &Moves, purpose: Purpose, reason: Option<&str>) -> Proposal {
    let reason = reason.map(|reason| one_line(reason, MAX_REASON)).filter(|reason| !reason.is_empty());
    let because = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let distinct = distinct(moves);
    let title = format!("{} {}{because}", purpose.verb(), counted(distinct.len(), "image digest"));
    Proposal {
        message: message(&title, &distinct, purpose, reason.as_deref()),
        body: body(moves, &distinct, reason.as_deref()),
        title,
    }
}

/// What moves: the image as `repository:tag`, its digests, and where it does.
type Distinct<'a> = BTreeMap<(String, &'a str, String), Where<'a>>;

/// Where an image moves.
#[derive(Default)]
struct Where<'a> {
    files: Vec<&'a str>,
    /// A part of it is decided by more than its file: by a stack, an overlay, a chart.
    is_of_whole: bool,
}

fn distinct(moves: &Moves) -> Distinct<'_> {
    let mut distinct: Distinct<'_> = BTreeMap::new();
    for (deployed, choice) in moves.each() {
        let (Choice::Move(chosen), Some(reference)) = (choice, deployed.image.reference()) else { continue };
        let tag = reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        let name = format!("{}{tag}", reference.name());
        let place = distinct.entry((name, chosen.from.as_deref().unwrap_or_default(), chosen.shown())).or_default();
        place.files.push(deployed.image.place.source.path());
        place.files.sort_unstable();
        place.files.dedup();
        place.is_of_whole |= !matches!(*deployed.whole, Whole::Text | Whole::File(_));
    }
    distinct
}

fn message(title: &str, distinct: &Distinct<'_>, purpose: Purpose, reason: Option<&str>) -> String {
    let mut text = format!("{title}\n\n");
    for ((name, from, to), place) in distinct {
        let from = if from.is_empty() { "no digest" } else { from };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}\n  from {from}\n  to   {to}\n  in   {}", visible(&place.files.join(", ")));
    }
    text.push('\n');
    if let Some(reason) = reason {
        let _ = writeln!(text, "Reason: {reason}");
    }
    let _ = writeln!(text, "{TRAILER}{}", purpose.word());
    text
}

fn body(moves: &Moves, distinct: &Distinct<'_>, reason: Option<&str>) -> String {
    let tally = Tally::of(moves);
    let mut text = String::new();
    if let Some(reason) = reason {
        let _ = writeln!(text, "**Reason:** {}\n", prose(reason));
    }
    let _ = writeln!(text, "{} in {}.\n", counted(distinct.len(), "image digest"), counted(tally.files, "file"));
    text.push_str(&table(moves));
    push_commands(&mut text, distinct);
    push_left(&mut text, moves);
    if text.len() > COMMENT_BYTES {
        let end = text.char_indices().take_while(|(at, _)| *at < COMMENT_BYTES).map(|(at, _)| at).last();
        let cut = end.and_then(|end| text.get(..end)).and_then(|text| text.rfind('\n')).unwrap_or(0);
        text.truncate(cut);
        text.push_str("\n\nThe rest is left out here: the commit holds all of it.\n");
    }
    text
}

/// The commands that take the moves back once they are merged.
fn push_commands(text: &mut String, distinct: &Distinct<'_>) {
    let from_known = || distinct.iter().filter(|((_, from, _), _)| !from.is_empty());
    if from_known().next().is_none() {
        return;
    }
    text.push_str("\nTo go back after the merge:\n\n```sh\n");
    for ((name, from, _), place) in from_known() {
        let repository =
            crate::reference::Reference::parse(name).map_or_else(|_| name.clone(), |it| it.name().to_owned());
        let _ = write!(text, "digest-gate rollback --image {repository} --to {from} --write");
        if !place.is_of_whole {
            place.files.iter().for_each(|file| text.extend([" ", &quoted(file)]));
        }
        text.push('\n');
    }
    text.push_str("```\n");
}

/// A path as one word of a shell.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if path.chars().all(plain) && !path.starts_with('-') {
        path.to_owned()
    } else {
        format!("'{}'", visible(path).replace('\'', "'\\''"))
    }
}

/// What does not move, and why.
fn push_left(text: &mut String, moves: &Moves) {
    let mut lines = String::new();
    for (deployed, choice) in moves.each() {
        let (what, why) = match choice {
            Choice::Left(why) => ("is left", why.as_str()),
            Choice::Missed(missed @ Missed::Unchecked(_)) => ("is unchecked", missed.reason()),
            Choice::Missed(missed) => ("gets no digest", missed.reason()),
            Choice::Move(_) | Choice::Current | Choice::Passed => continue,
        };
        let _ = writeln!(lines, "- {} {what}: {}", prose(&deployed.image.written), prose(why));
    }
    if !lines.is_empty() {
        let _ = write!(text, "\nNot moved:\n\n{lines}");
    }
}

/// Text of others on one line, of bounded length.
fn one_line(text: &str, max: usize) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    visible(&line).chars().take(max).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::gate::Deployed;
    use crate::manifest::{Alone, read};
    use crate::pin::Chosen;
    use crate::source::Source;
    use crate::yaml::Tree;

    fn moves() -> Moves {
        let old = format!("sha256:{}", "0".repeat(64));
        let text = format!(
            "services:\n  a: {{image: 'ghcr.io/o/app:1.2.3@{old}'}}\n  b: {{image: 'ghcr.io/o/app:1.2.3@{old}'}}\n  c: {{image: 'x|y:1'}}\n"
        );
        let source = Source::new("deploy/prod/it's.yml", text);
        let images: Vec<_> = read(&source, &Alone, &mut Tree::default())
            .images
            .into_iter()
            .map(|image| Deployed {
                image,
                environment: Arc::from("production"),
                enforced: true,
                whole: Arc::default(),
                complete: true,
            })
            .collect();
        let chosen = |created: &str| {
            Choice::Move(Chosen {
                from: Some(old.clone()),
                digest: format!("sha256:{}", "1".repeat(64)),
                tag: None,
                platforms: Vec::new(),
                created_before: "2026-09-01T00:00:00Z".parse().ok(),
                created: created.parse().ok(),
                note: None,
            })
        };
        let choices = vec![
            chosen("2026-11-02T00:00:00Z"),
            chosen("1970-01-01T00:00:00Z"),
            Choice::Missed(Missed::Undecided("it is | none".to_owned())),
        ];
        Moves { images, choices, changed: Vec::new() }
    }

    #[test]
    fn a_proposal_says_what_moves_why_and_how_to_go_back() {
        let proposal = proposal(&moves(), Purpose::Refresh, Some("CVE-2026-1\n::error::x\u{202e}"));
        let shown = format!("{}\n=====\n{}=====\n{}", proposal.title, proposal.message, proposal.body);
        insta::with_settings!({snapshot_path => "../../snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!("report-proposal", shown);
        });
    }
}

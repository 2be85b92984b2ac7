//! Whether the message of a commit that moves digests says why.
//!
//! A digest moves where an image had one before and has another one now. What is new, or gets its first digest, moves
//! nothing.

use crate::finding::Finding;
use crate::gate::Deployed;
use crate::history::{Depth, Histories, ImageHistory};
use crate::manifest::Related;
use crate::policy::Policy;
use crate::reference::Reference;
use crate::rule::{COMMIT_REFERENCE, Verdict};

/// How many images are named in one message.
const NAMED: usize = 3;
/// How many places are told beside the first.
const MAX_RELATED: usize = 100;

/// Which commit a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// One that is about to be made of the files as they are: they are compared with the newest commit.
    Coming,
    /// The newest one: it is compared with its first parent.
    Newest,
}

impl Commit {
    /// How much of the history tells what it moves.
    #[must_use]
    pub fn depth(self) -> Depth {
        Depth::States(match self {
            Self::Coming => 1,
            Self::Newest => 2,
        })
    }

    /// Whether it moves the digest of an image.
    fn moves(self, history: &ImageHistory) -> bool {
        let state = match self {
            Self::Coming => None,
            Self::Newest => Some(0),
        };
        let at = history.entries.iter().position(|entry| entry.state() == state);
        let digest = |at: usize| history.entries.get(at).and_then(|entry| entry.value.digest());
        let (now, before) = (at.and_then(digest), at.and_then(|at| digest(at + 1)));
        now.zip(before).is_some_and(|(now, before)| now != before)
    }
}

/// The words of a message: without git's comments and without the diff that `git commit --verbose` puts below it.
#[must_use]
pub fn words(message: &str) -> String {
    let lines = message.lines().take_while(|line| !(line.starts_with('#') && line.contains(">8")));
    lines.filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect()
}

/// What is wrong with the message of a commit; none where it moves no digest, or says why.
#[must_use]
pub fn judge(
    message: &str,
    commit: Commit,
    images: &[Deployed],
    histories: &Histories,
    policy: &Policy,
) -> Option<Finding> {
    let severity = policy.level(&COMMIT_REFERENCE).severity()?;
    let beside = images.iter().zip(&histories.images);
    let mut moved: Vec<_> = beside
        .filter(|(_, history)| history.as_ref().is_some_and(|history| commit.moves(history)))
        .map(|(deployed, _)| deployed)
        .collect();
    let missing = policy.missing_reference(&words(message))?;
    // Where one of them is enforced, the commit is.
    moved.sort_by_key(|deployed| !deployed.enforced);
    let (first, others) = moved.split_first()?;
    let verdict = Verdict {
        message: format!("{}, and the commit message does not say why", what_moves(&moved)),
        help: format!("name {missing}"),
    };
    let mut finding =
        Finding::about(&first.image, &first.environment, first.enforced, &COMMIT_REFERENCE, severity, verdict);
    finding.related = others
        .iter()
        .take(MAX_RELATED)
        .map(|deployed| Related { place: deployed.image.place.clone(), message: "this digest moves, too".to_owned() })
        .collect();
    Some(finding)
}

/// `2 digests move (`ghcr.io/org/app`, `redis`)`.
fn what_moves(moved: &[&Deployed]) -> String {
    let mut names: Vec<_> =
        moved.iter().filter_map(|deployed| deployed.image.reference()).map(Reference::name).collect();
    names.sort_unstable();
    names.dedup();
    let shown: Vec<_> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > NAMED { ", …" } else { "" };
    let count = match moved.len() {
        1 => "a digest moves".to_owned(),
        count => format!("{count} digests move"),
    };
    format!("{count} ({}{more})", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_the_diff_below_are_no_words() {
        let message = "Update\n\n# CVE-2026-12345\nwhy\n# ------------------------ >8 ------------------------\n+CVE-2026-12345\n";
        assert_eq!(words(message), "Update\n\nwhy\n");
    }
}

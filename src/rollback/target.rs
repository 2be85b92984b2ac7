//! Where to return to: what `--to` names.

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

use crate::history::{Histories, Repository};

/// Where images return to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The newest state in which one of them had another digest.
    LastKnown,
    /// A digest that one of them had.
    Digest(String),
    /// A state of the branch, 0 being its newest commit.
    State(usize),
}

/// Why a target is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error(
        "no image that is asked for ever had the digest `{text}`: `digest-gate history` lists those they had{open}"
    )]
    NeverHad { text: String, open: String },
    #[error("`{0}` begins several digests that images had: write more of it")]
    SeveralDigests(String),
    #[error(
        "`{text}` is no commit of this branch, no tag or branch that names one, no date and no digest: `digest-gate \
         history` lists the commits (those of branches that were merged are not among them){open}"
    )]
    NoState { text: String, open: String },
    #[error("`{0}` begins several commits: write more of it")]
    SeveralCommits(String),
    #[error("the branch has no commit of {text} or before{open}")]
    NotYet { text: String, open: String },
}

/// The fewest characters by which a commit is known.
const LEAST: usize = 4;

impl Target {
    /// Reads what `--to` names: a digest or its beginning (`sha256:28db`), a date (`2026-11-02`, the end of that day in
    /// UTC) or a time (`2026-11-02T12:00:00Z`), a commit or its beginning, a tag or a branch that names one.
    ///
    /// # Errors
    /// It names nothing, or several things.
    pub fn parse(text: &str, histories: &Histories, repository: &Repository) -> Result<Self, TargetError> {
        let open = histories.unanswered().map(|open| format!("; {}: {}", open.reason, open.help)).unwrap_or_default();
        if text.starts_with("sha256:") || text.starts_with("sha512:") {
            return digest(text, histories, open);
        }
        if let Some(time) = time(text) {
            let state = histories.state_at(time);
            return state.map(Self::State).ok_or(TargetError::NotYet { text: text.to_owned(), open });
        }
        let is_hex = text.len() >= LEAST && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex {
            let id = text.to_ascii_lowercase();
            let mut states = histories.states_of(&id);
            match (states.next(), states.next()) {
                (Some(state), None) => return Ok(Self::State(state)),
                (Some(_), Some(_)) => return Err(TargetError::SeveralCommits(text.to_owned())),
                (None, _) => {}
            }
        }
        let named = repository.named(text).and_then(|id| histories.states_of(&id).next());
        named.map(Self::State).ok_or(TargetError::NoState { text: text.to_owned(), open })
    }
}

fn digest(text: &str, histories: &Histories, open: String) -> Result<Target, TargetError> {
    let entries = histories.images.iter().flatten().flat_map(|history| &history.entries);
    let mut had: Vec<&str> = entries.filter_map(|entry| entry.value.digest()).collect();
    had.retain(|digest| digest.starts_with(text));
    had.sort_unstable();
    had.dedup();
    match had.as_slice() {
        [] => Err(TargetError::NeverHad { text: text.to_owned(), open }),
        [digest] => Ok(Target::Digest((*digest).to_owned())),
        _ => Err(TargetError::SeveralDigests(text.to_owned())),
    }
}

/// The time that a date or a time names.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let is_day = text.len() == 10 && text.bytes().filter(|byte| *byte == b'-').count() == 2;
    let day = is_day.then(|| text.parse::<Date>().ok())??;
    TimeZone::UTC.to_timestamp(day.at(23, 59, 59, 999_999_999)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_its_end() {
        assert_eq!(time("2026-11-02").unwrap().to_string(), "2026-11-02T23:59:59.999999999Z");
        assert_eq!(time("2026-11-02T12:00:00+01:00").unwrap().to_string(), "2026-11-02T11:00:00Z");
        for text in ["20261102", "2026-11-32", "abcdef1234", "2026-11-2", "", "v1.2.3"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}

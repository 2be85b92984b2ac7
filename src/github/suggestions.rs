//! One review with the digests that lines of a pull request lack, each as a suggestion at its line.
//!
//! GitHub refuses a whole review for one line that is outside of the diff, and does not say which. The hunks are read
//! first, and a line is placed where the diff shows its text: the runner checks out a merge with the base, in which
//! lines may have other numbers than in the pull request.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::client::Client;
use super::error::ApiError;
use super::hunks::{Line, right_side};
use super::repository::Repository;
use super::transport::Verb;
use crate::report::suggestion::{self, MARKER};

/// Suggestions that stand in a pull request at the same time: GitHub takes more for abuse, and people for noise.
const MAX_STANDING: usize = 20;

/// A line and what should stand in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// From the root of the repository, behind symbolic links.
    pub path: String,
    /// 1-based, where it was read.
    pub line: u32,
    /// The whole line as it was read, without its line feed.
    pub before: String,
    pub after: String,
    /// Why: lower case, no full stop.
    pub message: String,
}

/// What became of the suggestions. It never changes the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suggested {
    Posted {
        posted: usize,
        /// They stand there from an earlier push.
        standing: usize,
        /// No line of the diff, or a line that cannot be written in a comment.
        outside: usize,
        /// Beyond what stands in one pull request.
        left: usize,
    },
    /// The token may not write reviews: a fork, Dependabot, or no `pull-requests: write`.
    ReadOnly { status: u16 },
    /// Anything else; one sentence, without full stop.
    Failed { message: String },
}

/// A comment of a review, at a line of the diff.
#[derive(Clone, PartialEq, Eq)]
struct Comment {
    path: String,
    line: u64,
    block: String,
    body: String,
}

/// Posts the suggestions that are inside the diff of the pull request `number` and do not stand there, as one review of
/// `commit`.
#[must_use]
pub fn suggest(
    client: &Client,
    repository: &Repository,
    number: u64,
    commit: &str,
    suggestions: &[Suggestion],
) -> Suggested {
    let review = Review { client, repository, number, commit };
    match review.post(suggestions) {
        Ok(suggested) => suggested,
        Err(error) => match error.status() {
            Some(status @ (401 | 403 | 404)) if error.method == Verb::Post.as_str() => Suggested::ReadOnly { status },
            _ => Suggested::Failed { message: format!("no suggestions: {error}") },
        },
    }
}

struct Review<'a> {
    client: &'a Client,
    repository: &'a Repository,
    number: u64,
    commit: &'a str,
}

impl Review<'_> {
    fn path(&self, rest: &str) -> String {
        self.repository.path(&format!("/pulls/{}/{rest}", self.number))
    }

    fn post(&self, suggestions: &[Suggestion]) -> Result<Suggested, ApiError> {
        let done = |posted, standing, outside, left| Ok(Suggested::Posted { posted, standing, outside, left });
        if suggestions.is_empty() {
            return done(0, 0, 0, 0);
        }
        let mut comments = self.inside(suggestions)?;
        let outside = suggestions.len() - comments.len();
        if comments.is_empty() {
            return done(0, 0, outside, 0);
        }
        let standing = self.standing()?;
        let all = comments.len();
        comments.retain(|comment| !standing.iter().any(|there| there.is(comment)));
        let repeated = all - comments.len();
        let left = comments.len().saturating_sub(MAX_STANDING.saturating_sub(standing.len()));
        comments.truncate(comments.len() - left);
        if comments.is_empty() {
            return done(0, repeated, outside, left);
        }
        let body = suggestion::review(comments.len(), outside, left);
        match self.send(&comments, &body) {
            Ok(()) => done(comments.len(), repeated, outside, left),
            // The diff is another one by now: what still fits is not lost.
            Err(error) if error.status() == Some(422) && comments.len() > 1 => {
                let mut posted = 0;
                for comment in &comments {
                    match self.send(std::slice::from_ref(comment), &suggestion::review(1, 0, 0)) {
                        Ok(()) => posted += 1,
                        Err(error) if error.status() == Some(422) => {}
                        Err(error) => return Err(error),
                    }
                }
                done(posted, repeated, outside + comments.len() - posted, left)
            }
            Err(error) if error.status() == Some(422) => done(0, repeated, outside + 1, left),
            Err(error) => Err(error),
        }
    }

    /// The suggestions whose line the diff shows, at the number it has there.
    fn inside(&self, all: &[Suggestion]) -> Result<Vec<Comment>, ApiError> {
        let files = self.client.list(&self.path("files"), &[])?;
        let text = |file: &Value, key| file.get(key).and_then(Value::as_str).map(str::to_owned);
        let patches = files.iter().filter_map(|file| Some((text(file, "filename")?, text(file, "patch")?)));
        let patches: HashMap<String, String> = patches.collect();
        let mut comments: Vec<Comment> = Vec::new();
        for suggestion in all {
            let Some(patch) = patches.get(&suggestion.path) else { continue };
            let Some(line) = line_of(suggestion, &right_side(patch)).map(u64::from) else { continue };
            let Some(block) = suggestion::block(&suggestion.after) else { continue };
            let body = suggestion::comment(&suggestion.message, &block);
            let comment = Comment { path: suggestion.path.clone(), line, block, body };
            // GitHub takes one suggestion a line.
            if !comments.iter().any(|there| there.path == comment.path && there.line == line) {
                comments.push(comment);
            }
        }
        Ok(comments)
    }

    /// Our comments whose line is still in the diff.
    fn standing(&self) -> Result<Vec<Standing>, ApiError> {
        let comments = self.client.list(&self.path("comments"), &[])?;
        let read = |comment: &Value| {
            let text = |key| comment.get(key).and_then(Value::as_str);
            let body = text("body").filter(|body| body.starts_with(MARKER))?;
            let line = comment.get("line")?.as_u64()?;
            Some(Standing { path: text("path")?.to_owned(), line, body: body.replace("\r\n", "\n") })
        };
        Ok(comments.iter().filter_map(read).collect())
    }

    /// Posts one review; where nobody knows whether it arrived, its comments tell.
    fn send(&self, comments: &[Comment], body: &str) -> Result<(), ApiError> {
        let listed: Vec<_> = comments
            .iter()
            .map(|it| json!({ "path": it.path, "line": it.line, "side": "RIGHT", "body": it.body }))
            .collect();
        let sent = json!({ "commit_id": self.commit, "event": "COMMENT", "body": body, "comments": listed });
        let url = self.client.url(&self.path("reviews"), &[]);
        self.client.once(
            || self.client.send(Verb::Post, &url, Some(&sent)).map(drop),
            || {
                let standing = self.standing()?;
                let is_there = |comment: &Comment| standing.iter().any(|there| there.is(comment));
                Ok(comments.iter().all(is_there).then_some(()))
            },
        )
    }
}

/// A comment that stands in the pull request.
struct Standing {
    path: String,
    line: u64,
    body: String,
}

impl Standing {
    /// Whether it suggests the same.
    fn is(&self, comment: &Comment) -> bool {
        self.path == comment.path && self.line == comment.line && self.body.contains(&comment.block)
    }
}

/// Where the diff shows the line of a suggestion: at its number, else the only place that has its text.
fn line_of(suggestion: &Suggestion, lines: &[Line<'_>]) -> Option<u32> {
    let same: Vec<_> = lines.iter().filter(|line| line.text == suggestion.before).map(|line| line.number).collect();
    match same.as_slice() {
        numbers if numbers.contains(&suggestion.line) => Some(suggestion.line),
        [number] => Some(*number),
        _ => None,
    }
}

//! Why there is no pull request, in words that say which permission or setting is missing.

use super::PullRequest;
use crate::github::error::ApiError;

/// Why the pull request could not be made what it shall be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProposeError {
    #[error(
        "`{branch}` is no branch for a pull request of digest-gate: it is the base or the default branch; name another one with `refresh.branch`"
    )]
    Branch { branch: String },
    #[error("there is no branch `{base}` in the repository; name the one the pull request is for with `refresh.base`")]
    NoBase { base: String },
    #[error("`{path}` {what} in `{base}`, so that it cannot be changed there; run on a checkout of `{base}`")]
    NotAFile { path: String, base: String, what: &'static str },
    #[error(
        "`{path}` in `{base}` is not what was read here: the branch moved, or another one is checked out; check out `{base}` and run again"
    )]
    Moved { path: String, base: String },
    #[error("`{branch}` moved while it was looked at; run again")]
    BranchMoved { branch: String },
    #[error("`{branch}` holds {}, which digest-gate did not make and does not overwrite; merge it, or delete the branch and run again", of(.commit, .author))]
    Foreign { branch: String, commit: String, author: String },
    #[error("the token may not {doing} ({error}); give the job `contents: write` and `pull-requests: write`{more}")]
    ReadOnly { doing: &'static str, error: String, more: String },
    #[error(
        "GitHub refuses the branch `{branch}` ({error}); exempt it from the rules of the repository, or name another one with `refresh.branch`"
    )]
    Protected { branch: String, error: String },
    #[error("no pull request: {0}")]
    Api(String),
}

/// `commit 0123456789ab of somebody`.
fn of(commit: &str, author: &str) -> String {
    let author = crate::http::one_line(author);
    if author.is_empty() { format!("commit {commit}") } else { format!("commit {commit} of {author}") }
}

/// What was being done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Read,
    Objects,
    Branch,
    PullRequest,
}

const SETTING: &str = ", and turn on `Allow GitHub Actions to create and approve pull requests` in the repository's \
    settings (Actions, General), or pass the token of an app as `token`; the branch is there, so that the pull request \
    can be opened by hand as well";

const WORKFLOWS: &str = "; files below `.github/workflows` need an app's token with `workflows: write`, which the \
    job's own token never has";

impl ProposeError {
    pub(super) fn of(step: Step, error: &ApiError, wanted: &PullRequest, base: &str) -> Self {
        let is_workflow = |file: &super::File| file.path.starts_with(".github/workflows/");
        let more = if wanted.files.iter().any(is_workflow) { WORKFLOWS } else { "" };
        let read_only = |doing, more: &str| Self::ReadOnly { doing, error: error.to_string(), more: more.to_owned() };
        match (step, error.status()) {
            (Step::Read, Some(401 | 403 | 404)) => read_only("read the repository", ""),
            (Step::Objects, Some(401 | 403 | 404)) => read_only("write commits", more),
            (Step::Branch, Some(401 | 403 | 404)) => read_only("write branches", more),
            (Step::PullRequest, Some(401 | 403 | 404)) => read_only("write pull requests", SETTING),
            (Step::Branch, Some(409 | 422)) => {
                Self::Protected { branch: wanted.branch.clone(), error: error.to_string() }
            }
            _ if base.is_empty() => Self::Api(error.to_string()),
            _ => Self::Api(format!("{error} (from `{}` to `{base}`)", wanted.branch)),
        }
    }
}

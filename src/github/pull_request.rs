//! One pull request for all digests that move: made, updated in place, and closed when nothing is left.
//!
//! It lives on a branch of its own, which holds one commit on top of the base. A branch with commits of somebody else
//! is left alone. Nothing is sent where the branch already holds the same bytes and the pull request the same words.

mod error;
mod files;
mod open;

use serde_json::Value;

use super::client::Client;
use super::error::ApiError;
use super::git_data::{Ahead, Git};
use super::repository::Repository;
use super::transport::{Verb, unreadable};
use crate::report::proposal::TRAILER;

pub use error::ProposeError;
use error::Step;
use files::Folders;
use open::Open;

/// A file that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// From the root of the repository, with `/` between its parts, behind symbolic links.
    pub path: String,
    /// What was read. The base must still hold it; nothing where there is no such file yet.
    pub before: String,
    pub after: String,
}

/// The pull request that there shall be.
#[derive(Debug, Clone, Default)]
pub struct PullRequest {
    /// The branch it comes from, which is nobody else's.
    pub branch: String,
    /// The branch it is for; the repository's default branch where there is none.
    pub base: Option<String>,
    pub title: String,
    /// The commit's. Its last lines hold [`TRAILER`], by which the commit is known again.
    pub message: String,
    /// In markdown.
    pub body: String,
    pub labels: Vec<String>,
    /// Users, and teams as `org/team`.
    pub reviewers: Vec<String>,
    /// None where nothing is left to change.
    pub files: Vec<File>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Opened,
    Updated,
    /// Everything was there already.
    Unchanged,
    /// Nothing is left to change.
    Closed,
    /// There is nothing to change, and no pull request.
    Nothing,
}

/// The pull request that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    pub fate: Fate,
    pub number: Option<u64>,
    /// The web page.
    pub url: Option<String>,
    /// The commit at its head; none where it is closed.
    pub commit: Option<String>,
    /// What did not work and changes nothing; each lower case, without full stop.
    pub notices: Vec<String>,
}

/// Makes the pull request what it shall be.
pub fn propose(client: &Client, repository: &Repository, wanted: &PullRequest) -> Result<Proposed, ProposeError> {
    let place = Place::look(client, repository, wanted)?;
    let Some(head) = place.git.head(&wanted.branch).map_err(|error| place.failed(Step::Read, &error))? else {
        // Without its branch there is no open pull request.
        return if wanted.files.is_empty() {
            Ok(Proposed::nothing(Vec::new()))
        } else {
            let commit = place.commit(&place.base_head()?)?;
            place.git.create_branch(&wanted.branch, &commit).map_err(|error| place.failed(Step::Branch, &error))?;
            place.open(None, true, &commit)
        };
    };
    let base = place.base_head()?;
    let compared = place.git.ahead(&base, &head).map_err(|error| place.failed(Step::Read, &error))?;
    let foreign = foreign(wanted, &head, compared.as_ref());
    let open = place.find().map_err(|error| place.failed(Step::Read, &error))?;
    match (foreign, compared) {
        (Some(error), _) if wanted.files.is_empty() => Ok(Proposed::left(open, &head, &error)),
        (Some(error), _) => Err(error),
        _ if wanted.files.is_empty() => place.withdraw(open),
        (None, Some(ahead)) if place.holds(&ahead) => place.open(open, false, &head),
        (None, _) => {
            let commit = place.commit(&base)?;
            place.replace(&head, &commit)?;
            place.open(open, true, &commit)
        }
    }
}

/// The commit of somebody else that the branch holds, if it holds one.
fn foreign(wanted: &PullRequest, head: &str, compared: Option<&Ahead>) -> Option<ProposeError> {
    let found = |commit: &str, author: &str| ProposeError::Foreign {
        branch: wanted.branch.clone(),
        commit: commit.chars().take(12).collect(),
        author: author.to_owned(),
    };
    let Some(ahead) = compared else { return Some(found(head, "")) };
    let is_ours =
        |message: &str| message.lines().rev().take_while(|it| !it.is_empty()).any(|it| it.starts_with(TRAILER));
    match ahead.commits.iter().find(|commit| !is_ours(commit.message.trim_end())) {
        Some(commit) => Some(found(&commit.id, &commit.author)),
        // More than one page of commits: ours is one.
        None if ahead.count != ahead.commits.len() as u64 => Some(found(head, "")),
        None => None,
    }
}

/// Where the pull request belongs.
struct Place<'a> {
    git: Git<'a>,
    wanted: &'a PullRequest,
    base: String,
    /// As GitHub writes it.
    owner: String,
}

impl<'a> Place<'a> {
    /// Asks for the repository, and refuses a branch that cannot be the pull request's own.
    fn look(client: &'a Client, repository: &'a Repository, wanted: &'a PullRequest) -> Result<Self, ProposeError> {
        let url = client.url(&repository.path(""), &[]);
        let failed =
            |error: ApiError| ProposeError::of(Step::Read, &error, wanted, wanted.base.as_deref().unwrap_or_default());
        let answer = client.repeat(Verb::Get, &url, None).map_err(failed)?;
        let text = |pointer| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let default = text("/default_branch");
        let default = default.ok_or_else(|| failed(unreadable(Verb::Get, &url, "a repository without branch")))?;
        let base = wanted.base.clone().unwrap_or_else(|| default.clone());
        if wanted.branch == base || wanted.branch == default {
            return Err(ProposeError::Branch { branch: wanted.branch.clone() });
        }
        let owner = text("/owner/login").unwrap_or_else(|| repository.owner.clone());
        Ok(Self { git: Git { client, repository }, wanted, base, owner })
    }

    fn failed(&self, step: Step, error: &ApiError) -> ProposeError {
        ProposeError::of(step, error, self.wanted, &self.base)
    }

    /// The commit of the base.
    fn base_head(&self) -> Result<String, ProposeError> {
        let head = self.git.head(&self.base).map_err(|error| self.failed(Step::Read, &error))?;
        head.ok_or_else(|| ProposeError::NoBase { base: self.base.clone() })
    }

    /// Whether the branch holds what it would be given, and nothing else.
    fn holds(&self, ahead: &Ahead) -> bool {
        let [commit] = ahead.commits.as_slice() else { return false };
        let holds = |file: &File| {
            let there = ahead.files.iter().find(|(path, _)| *path == file.path);
            let Some((_, Some(id))) = there else { return false };
            files::is_blob(&file.after, id) || files::is_blob(&files::unix_lines(&file.after), id)
        };
        commit.message.trim_end() == self.wanted.message.trim_end()
            && ahead.files.len() == self.wanted.files.len()
            && self.wanted.files.iter().all(holds)
    }

    /// Makes the commit.
    fn commit(&self, base: &str) -> Result<String, ProposeError> {
        let root = self.git.root(base).map_err(|error| self.failed(Step::Read, &error))?;
        let mut folders = Folders::new(self, &root);
        let files: Vec<_> = self.wanted.files.iter().map(|file| folders.written(file)).collect::<Result<_, _>>()?;
        let made = self.git.commit(&files, &root, base, &self.wanted.message);
        made.map_err(|error| self.failed(Step::Objects, &error))
    }

    /// Moves the branch to the commit, if it is where it was.
    fn replace(&self, before: &str, commit: &str) -> Result<(), ProposeError> {
        let branch = &self.wanted.branch;
        let now = self.git.head(branch).map_err(|error| self.failed(Step::Read, &error))?;
        if now.as_deref() != Some(before) {
            return Err(ProposeError::BranchMoved { branch: branch.clone() });
        }
        self.git.move_branch(branch, commit).map_err(|error| self.failed(Step::Branch, &error))
    }
}

impl Proposed {
    fn of(open: &Open, fate: Fate, commit: &str, notices: Vec<String>) -> Self {
        let commit = Some(commit.to_owned()).filter(|_| fate != Fate::Closed);
        Self { fate, number: Some(open.number), url: Some(open.url.clone()), commit, notices }
    }

    /// There is no pull request, and nothing to make one of.
    #[must_use]
    pub fn nothing(notices: Vec<String>) -> Self {
        Self { fate: Fate::Nothing, number: None, url: None, commit: None, notices }
    }

    /// Nothing is to be changed, and what is there is somebody else's.
    fn left(open: Option<Open>, head: &str, why: &ProposeError) -> Self {
        let notices = vec![format!("nothing is left to change, and {why}")];
        match open {
            Some(open) => Self::of(&open, Fate::Unchanged, head, notices),
            None => Self::nothing(notices),
        }
    }
}

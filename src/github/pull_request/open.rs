//! The pull request itself: found, opened, given its words, labels and reviewers, and closed.

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::error::{ProposeError, Step};
use super::{Fate, Place, Proposed, PullRequest};
use crate::github::comment;
use crate::github::error::ApiError;
use crate::github::transport::{Verb, unreadable};

/// The first line of the comment with which a pull request is closed; nobody sees it.
const CLOSING: &str = "<!-- digest-gate/closed -->";

/// A pull request of GitHub's.
pub(super) struct Open {
    pub(super) number: u64,
    /// The web page.
    pub(super) url: String,
    title: String,
    body: String,
    base: String,
    labels: Vec<String>,
}

impl Open {
    fn read(answer: &Value) -> Option<Self> {
        let text = |pointer| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let labels = answer.get("labels").and_then(Value::as_array).into_iter().flatten();
        Some(Self {
            number: answer.get("number")?.as_u64()?,
            url: text("/html_url").unwrap_or_default(),
            title: text("/title").unwrap_or_default(),
            body: text("/body").unwrap_or_default(),
            base: text("/base/ref").unwrap_or_default(),
            labels: labels.filter_map(|label| Some(label.get("name")?.as_str()?.to_owned())).collect(),
        })
    }
}

impl Place<'_> {
    /// The open pull request of the branch.
    pub(super) fn find(&self) -> Result<Option<Open>, ApiError> {
        let head = format!("{}:{}", self.owner, self.wanted.branch);
        let found = self.git.client.list(&self.pulls(""), &[("state", "open"), ("head", &head)])?;
        let is_ours = |pull: &&Value| {
            pull.pointer("/head/ref").and_then(Value::as_str) == Some(&self.wanted.branch)
                && pull.pointer("/head/repo/id").is_some_and(|id| Some(id) == pull.pointer("/base/repo/id"))
        };
        let mut open: Vec<_> = found.iter().filter(is_ours).filter_map(Open::read).collect();
        let first = open.iter().position(|open| open.base == self.base).unwrap_or(0);
        Ok((first < open.len()).then(|| open.swap_remove(first)))
    }

    fn pulls(&self, rest: &str) -> String {
        self.git.repository.path(&format!("/pulls{rest}"))
    }

    fn url(&self, path: &str) -> Url {
        self.git.client.url(path, &[])
    }

    /// Opens the pull request, or gives the open one its words.
    pub(super) fn open(&self, open: Option<Open>, has_moved: bool, commit: &str) -> Result<Proposed, ProposeError> {
        let Some(open) = open else { return self.create(commit) };
        let mut changes = Map::new();
        let mut set = |key: &str, now: &str, wanted: &str| {
            // A body that was edited on the web comes back with other line ends.
            if now.replace("\r\n", "\n").trim_end() != wanted.trim_end() {
                changes.insert(key.to_owned(), Value::from(wanted));
            }
        };
        set("title", &open.title, &self.wanted.title);
        set("body", &open.body, &self.wanted.body);
        set("base", &open.base, &self.base);
        let fate = if has_moved || !changes.is_empty() { Fate::Updated } else { Fate::Unchanged };
        if !changes.is_empty() {
            self.patch(&open, &Value::Object(changes))?;
        }
        let notices = self.label(&open);
        Ok(Proposed::of(&open, fate, commit, notices))
    }

    fn create(&self, commit: &str) -> Result<Proposed, ProposeError> {
        let PullRequest { title, body, branch, .. } = self.wanted;
        let sent = json!({ "title": title, "head": branch, "base": self.base, "body": body });
        let url = self.url(&self.pulls(""));
        let create = || {
            let answer = self.git.client.send(Verb::Post, &url, Some(&sent))?;
            Open::read(&answer).ok_or_else(|| unreadable(Verb::Post, &url, "a pull request without number"))
        };
        let open = self.git.client.once(create, || self.find());
        let open = open.map_err(|error| self.failed(Step::PullRequest, &error))?;
        let mut notices = self.label(&open);
        notices.extend(self.request_reviews(&open));
        Ok(Proposed::of(&open, Fate::Opened, commit, notices))
    }

    fn patch(&self, open: &Open, changes: &Value) -> Result<(), ProposeError> {
        let url = self.url(&self.pulls(&format!("/{}", open.number)));
        let patched = self.git.client.repeat(Verb::Patch, &url, Some(changes));
        patched.map(drop).map_err(|error| self.failed(Step::PullRequest, &error))
    }

    /// Adds the labels that are not there.
    fn label(&self, open: &Open) -> Vec<String> {
        let is_missing = |label: &&String| !open.labels.iter().any(|there| there.eq_ignore_ascii_case(label));
        let missing: Vec<_> = self.wanted.labels.iter().filter(is_missing).collect();
        if missing.is_empty() {
            return Vec::new();
        }
        let url = self.url(&self.git.repository.path(&format!("/issues/{}/labels", open.number)));
        let added = self.git.client.repeat(Verb::Post, &url, Some(&json!({ "labels": missing })));
        added.err().map(|error| format!("the labels could not be added: {error}")).into_iter().collect()
    }

    /// Asks for reviews; a name that GitHub refuses does not lose the others.
    fn request_reviews(&self, open: &Open) -> Vec<String> {
        let reviewers = &self.wanted.reviewers;
        if reviewers.is_empty() {
            return Vec::new();
        }
        let url = self.url(&self.pulls(&format!("/{}/requested_reviewers", open.number)));
        let ask = |names: &[String]| {
            let (teams, users): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.contains('/'));
            let teams: Vec<_> = teams.iter().filter_map(|team| team.split_once('/')).map(|(_, team)| team).collect();
            let body = json!({ "reviewers": users, "team_reviewers": teams });
            self.git.client.repeat(Verb::Post, &url, Some(&body))
        };
        let not_asked =
            |names: &[String], error: &ApiError| format!("no review could be asked of {}: {error}", names.join(", "));
        match ask(reviewers) {
            Ok(_) => Vec::new(),
            Err(error) if error.status() == Some(422) && reviewers.len() > 1 => {
                let each = reviewers.chunks(1);
                each.filter_map(|name| ask(name).err().map(|error| not_asked(name, &error))).collect()
            }
            Err(error) => vec![not_asked(reviewers, &error)],
        }
    }

    /// Closes the pull request and deletes its branch.
    pub(super) fn withdraw(&self, open: Option<Open>) -> Result<Proposed, ProposeError> {
        if let Some(open) = &open {
            let text = format!(
                "{CLOSING}\nNothing is left to change: what was proposed here is merged, or is out of date. \
                 The branch is deleted."
            );
            let said = comment::once(self.git.client, self.git.repository, open.number, CLOSING, &text);
            said.map_err(|error| self.failed(Step::PullRequest, &error))?;
            self.patch(open, &json!({ "state": "closed" }))?;
        }
        self.git.delete_branch(&self.wanted.branch).map_err(|error| self.failed(Step::Branch, &error))?;
        Ok(match open {
            Some(open) => Proposed::of(&open, Fate::Closed, "", Vec::new()),
            None => Proposed::nothing(Vec::new()),
        })
    }
}

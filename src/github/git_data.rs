//! Git objects and branches through the API: what a commit is made of, read and written without a working copy.
//!
//! Objects are made before anything refers to them. Making one twice does no harm: it has the same name, or nobody
//! knows of it. Only branches are changed with care.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde_json::{Value, json};

use super::client::Client;
use super::error::ApiError;
use super::event::is_commit;
use super::repository::Repository;
use super::transport::{UNHURRIED, Verb, failure, unreadable};

/// The git objects of a repository.
#[derive(Clone, Copy)]
pub(super) struct Git<'c> {
    pub(super) client: &'c Client,
    pub(super) repository: &'c Repository,
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// `100644`, `100755`, `040000`, `120000` (a symbolic link) or `160000` (a submodule).
    pub(super) mode: String,
    /// The name of the object.
    pub(super) id: String,
}

/// What a branch has that its base does not.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// All commits there are, of which `commits` may hold only the first.
    pub(super) count: u64,
    pub(super) commits: Vec<Commit>,
    /// Path and blob of every file that differs from the common ancestor; `None` where it is not there any more.
    pub(super) files: Vec<(String, Option<String>)>,
}

#[derive(Debug)]
pub(super) struct Commit {
    pub(super) id: String,
    pub(super) message: String,
    /// For people.
    pub(super) author: String,
}

/// A file to be written.
pub(super) struct Written<'a> {
    pub(super) path: &'a str,
    pub(super) mode: String,
    pub(super) text: String,
    /// The name its blob will have.
    pub(super) id: String,
}

/// The name git gives to a file of these bytes, in a repository whose names are as long as `like`.
pub(super) fn blob_id(bytes: &[u8], like: &str) -> Option<String> {
    let kind = if like.len() == 64 { gix::hash::Kind::Sha256 } else { gix::hash::Kind::Sha1 };
    Some(gix::objs::compute_hash(kind, gix::objs::Kind::Blob, bytes).ok()?.to_string())
}

impl Git<'_> {
    fn url(&self, rest: &str) -> Url {
        // A name may hold a percent sign, which a path reads as the start of an escape.
        self.client.url(&self.repository.path(&rest.replace('%', "%25")), &[])
    }

    fn get(&self, rest: &str) -> Result<(Value, Url), ApiError> {
        let url = self.url(rest);
        Ok((self.client.repeat(Verb::Get, &url, None)?, url))
    }

    /// The commit of a branch; none where there is no such branch.
    pub(super) fn head(&self, branch: &str) -> Result<Option<String>, ApiError> {
        match self.get(&format!("/git/ref/heads/{branch}")) {
            Ok((answer, url)) => id(&answer, "/object/sha", &url).map(Some),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The root folder of a commit.
    pub(super) fn root(&self, commit: &str) -> Result<String, ApiError> {
        let (answer, url) = self.get(&format!("/git/commits/{commit}"))?;
        id(&answer, "/tree/sha", &url)
    }

    /// What stands in a folder.
    pub(super) fn folder(&self, tree: &str) -> Result<Vec<Entry>, ApiError> {
        let (answer, url) = self.get(&format!("/git/trees/{tree}"))?;
        let entries = answer.get("tree").and_then(Value::as_array);
        let text = |entry: &Value, key| Some(entry.get(key)?.as_str()?.to_owned());
        let entry = |entry: &Value| {
            let id = text(entry, "sha").filter(|id| is_commit(id))?;
            Some(Entry { name: text(entry, "path")?, mode: text(entry, "mode")?, id })
        };
        let entries = entries.and_then(|entries| entries.iter().map(entry).collect::<Option<Vec<_>>>());
        if answer.get("truncated") == Some(&Value::Bool(true)) {
            return Err(unreadable(Verb::Get, &url, "a folder that is cut"));
        }
        entries.ok_or_else(|| unreadable(Verb::Get, &url, "a folder without entries"))
    }

    /// What `head` has that `base` does not; none where they share nothing.
    pub(super) fn ahead(&self, base: &str, head: &str) -> Result<Option<Ahead>, ApiError> {
        let url = self.client.url(&self.repository.path(&format!("/compare/{base}...{head}")), &[]);
        let answer = match self.client.repeat(Verb::Get, &url, None) {
            Err(error) if error.status() == Some(404) => return Ok(None),
            answer => answer?,
        };
        let list = |key| answer.get(key).and_then(Value::as_array).into_iter().flatten();
        let text = |value: &Value, pointer| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let commit = |commit: &Value| Commit {
            id: text(commit, "/sha").unwrap_or_default(),
            message: text(commit, "/commit/message").unwrap_or_default(),
            author: text(commit, "/author/login").or_else(|| text(commit, "/commit/author/name")).unwrap_or_default(),
        };
        let file = |file: &Value| {
            let is_there = file.get("status").and_then(Value::as_str) != Some("removed");
            (text(file, "/filename").unwrap_or_default(), text(file, "/sha").filter(|_| is_there))
        };
        let count = answer.get("ahead_by").and_then(Value::as_u64);
        let count = count.ok_or_else(|| unreadable(Verb::Get, &url, "a comparison without ahead_by"))?;
        Ok(Some(Ahead {
            count,
            commits: list("commits").map(commit).collect(),
            files: list("files").map(file).collect(),
        }))
    }

    /// Makes a commit with these files changed in the root folder `base_tree`, on top of `parent`.
    ///
    /// Author and committer are left to GitHub, which then signs the commit of an app.
    pub(super) fn commit(
        &self,
        files: &[Written<'_>],
        base_tree: &str,
        parent: &str,
        message: &str,
    ) -> Result<String, ApiError> {
        let mut entries = Vec::with_capacity(files.len());
        for (index, file) in files.iter().enumerate() {
            if index >= UNHURRIED {
                self.client.pause(Duration::from_secs(1));
            }
            let body = json!({ "content": STANDARD.encode(&file.text), "encoding": "base64" });
            let made = self.make("/git/blobs", &body)?;
            if made != file.id {
                let url = self.url("/git/blobs");
                return Err(unreadable(Verb::Post, &url, &format!("other bytes than those sent of {}", file.path)));
            }
            entries.push(json!({ "path": file.path, "mode": file.mode, "type": "blob", "sha": made }));
        }
        let tree = self.make("/git/trees", &json!({ "base_tree": base_tree, "tree": entries }))?;
        self.make("/git/commits", &json!({ "message": message, "tree": tree, "parents": [parent] }))
    }

    /// Makes an object and gives its name.
    fn make(&self, rest: &str, body: &Value) -> Result<String, ApiError> {
        let url = self.url(rest);
        let answer = self.client.repeat(Verb::Post, &url, Some(body))?;
        match id(&answer, "/sha", &url) {
            Err(error) => Err(failure(Verb::Post, &url, error.cause)),
            made => made,
        }
    }

    /// Makes a branch that is not there.
    pub(super) fn create_branch(&self, branch: &str, commit: &str) -> Result<(), ApiError> {
        let url = self.url("/git/refs");
        let body = json!({ "ref": format!("refs/heads/{branch}"), "sha": commit });
        self.client.once(
            || self.client.send(Verb::Post, &url, Some(&body)).map(drop),
            || Ok((self.head(branch)?.as_deref() == Some(commit)).then_some(())),
        )
    }

    /// Moves a branch, wherever it was.
    pub(super) fn move_branch(&self, branch: &str, commit: &str) -> Result<(), ApiError> {
        let url = self.url(&format!("/git/refs/heads/{branch}"));
        let body = json!({ "sha": commit, "force": true });
        self.client.once(
            || self.client.send(Verb::Patch, &url, Some(&body)).map(drop),
            || Ok((self.head(branch)?.as_deref() == Some(commit)).then_some(())),
        )
    }

    /// Deletes a branch; one that is gone is deleted.
    pub(super) fn delete_branch(&self, branch: &str) -> Result<(), ApiError> {
        let url = self.url(&format!("/git/refs/heads/{branch}"));
        let is_gone = || Ok(self.head(branch)?.is_none().then_some(()));
        match self.client.once(|| self.client.send(Verb::Delete, &url, None).map(drop), is_gone) {
            Err(error) if matches!(error.status(), Some(404 | 422)) && is_gone()?.is_some() => Ok(()),
            answer => answer,
        }
    }
}

/// The name of an object in an answer: it becomes part of a path.
fn id(answer: &Value, pointer: &str, url: &Url) -> Result<String, ApiError> {
    let id = answer.pointer(pointer).and_then(Value::as_str).filter(|id| is_commit(id));
    id.map(str::to_owned).ok_or_else(|| unreadable(Verb::Get, url, "no name of a git object"))
}

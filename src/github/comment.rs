//! Comments on a pull request that are known again by a marker nobody sees.

use serde_json::{Value, json};

use super::client::Client;
use super::error::ApiError;
use super::repository::Repository;
use super::transport::{Verb, unreadable};

/// A comment of ours.
struct Found {
    id: u64,
    url: String,
    body: String,
}

/// Posts `text`, which begins with `marker`, if no comment of ours begins with it.
pub(super) fn once(
    client: &Client,
    repository: &Repository,
    number: u64,
    marker: &str,
    text: &str,
) -> Result<(), ApiError> {
    match find(client, repository, number, marker)? {
        Some(_) => Ok(()),
        None => create(client, repository, number, marker, text).map(drop),
    }
}

/// What became of a comment. It never changes the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commented {
    Posted {
        /// The web page of the comment.
        url: String,
    },
    /// The token may not write comments: a fork, Dependabot, or no `pull-requests: write`.
    ReadOnly { status: u16 },
    /// Anything else; one sentence, without full stop.
    Failed { message: String },
}

/// Posts `text` as the comment of the pull request `number` that is called `name`, or gives it to the one that is
/// there.
#[must_use]
pub fn sticky(client: &Client, repository: &Repository, number: u64, name: &str, text: &str) -> Commented {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == ' ' { c } else { '_' };
    let marker = format!("<!-- digest-gate: {} -->", name.chars().map(plain).collect::<String>());
    match post(client, repository, number, &marker, &format!("{marker}\n{text}")) {
        Ok(url) => Commented::Posted { url },
        Err(error) => match error.status() {
            Some(status @ (401 | 403 | 404)) if error.method != Verb::Get.as_str() => Commented::ReadOnly { status },
            _ => Commented::Failed { message: format!("no comment: {error}") },
        },
    }
}

fn post(client: &Client, repository: &Repository, number: u64, marker: &str, text: &str) -> Result<String, ApiError> {
    let Some(found) = find(client, repository, number, marker)? else {
        return create(client, repository, number, marker, text);
    };
    if found.body.replace("\r\n", "\n").trim_end() != text.trim_end() {
        let url = client.url(&repository.path(&format!("/issues/comments/{}", found.id)), &[]);
        client.repeat(Verb::Patch, &url, Some(&json!({ "body": text })))?;
    }
    Ok(found.url)
}

fn create(client: &Client, repository: &Repository, number: u64, marker: &str, text: &str) -> Result<String, ApiError> {
    let url = client.url(&repository.path(&format!("/issues/{number}/comments")), &[]);
    let create = || {
        let answer = client.send(Verb::Post, &url, Some(&json!({ "body": text })))?;
        answer.get("id").ok_or_else(|| unreadable(Verb::Post, &url, "a comment without id"))?;
        Ok(answer.get("html_url").and_then(Value::as_str).unwrap_or_default().to_owned())
    };
    client.once(create, || Ok(find(client, repository, number, marker)?.map(|found| found.url)))
}

/// The first comment that begins with the marker, and was written by an app or by somebody of the repository: anybody
/// may write the marker.
fn find(client: &Client, repository: &Repository, number: u64, marker: &str) -> Result<Option<Found>, ApiError> {
    let comments = client.list(&repository.path(&format!("/issues/{number}/comments")), &[])?;
    let text = |comment: &Value, pointer| comment.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let ours = |comment: &Value| {
        let body = text(comment, "/body").filter(|body| body.starts_with(marker))?;
        let is_app = text(comment, "/user/type").as_deref() == Some("Bot");
        let of_repository = text(comment, "/author_association")
            .is_some_and(|it| matches!(it.as_str(), "OWNER" | "MEMBER" | "COLLABORATOR"));
        if !is_app && !of_repository {
            return None;
        }
        Some(Found { id: comment.get("id")?.as_u64()?, url: text(comment, "/html_url").unwrap_or_default(), body })
    };
    Ok(comments.iter().find_map(ours))
}

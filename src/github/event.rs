//! Reads the runner's event: which repository, commit and pull request a report belongs to.

use std::collections::BTreeMap;

use serde_json::Value;

/// Where a report belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub owner: String,
    pub repository: String,
    /// The commit a check run belongs on; never the test-merge commit.
    pub sha: String,
    pub base_sha: Option<String>,
    pub pull_request: Option<u64>,
    pub is_fork: bool,
    pub is_dependabot: bool,
    pub api_url: String,
    pub server_url: String,
}

/// Why the event gives no place for a report.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EventError {
    #[error("the event payload is not JSON: {0}; check the file GITHUB_EVENT_PATH names")]
    Json(String),
    #[error("GITHUB_REPOSITORY is not `owner/name`; set it to the repository to report to")]
    Repository,
    #[error("the `{0}` event names no commit; set GITHUB_SHA, or turn the check run off")]
    Sha(String),
}

impl Event {
    /// Parses the payload of the event `name`, with the `GITHUB_*` variables in `env`.
    pub fn parse(name: &str, json: &str, env: &BTreeMap<String, String>) -> Result<Self, EventError> {
        let payload: Value = serde_json::from_str(json).map_err(|error| EventError::Json(error.to_string()))?;
        let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let var = |key: &str| env.get(key).filter(|value| !value.is_empty()).cloned();
        let full = var("GITHUB_REPOSITORY").or_else(|| text("/repository/full_name"));
        let (owner, repository) = full
            .as_deref()
            .and_then(|full| full.split_once('/'))
            .filter(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'))
            .ok_or(EventError::Repository)?;
        let (sha, base_sha) = match name {
            "pull_request" | "pull_request_target" => (text("/pull_request/head/sha"), text("/pull_request/base/sha")),
            "merge_group" => (text("/merge_group/head_sha"), text("/merge_group/base_sha")),
            "push" => (text("/after"), text("/before")),
            _ => (var("GITHUB_SHA"), None),
        };
        let is_pull = name.starts_with("pull_request");
        let head = text("/pull_request/head/repo/full_name");
        Ok(Self {
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            sha: sha.filter(|sha| is_commit(sha)).ok_or_else(|| EventError::Sha(name.to_owned()))?,
            base_sha: base_sha.filter(|sha| is_commit(sha)),
            pull_request: payload.pointer("/pull_request/number").and_then(Value::as_u64),
            // A deleted head repository is null: it was a fork.
            is_fork: is_pull && head != text("/pull_request/base/repo/full_name"),
            is_dependabot: var("GITHUB_ACTOR").as_deref() == Some("dependabot[bot]"),
            api_url: var("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned()),
            server_url: var("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned()),
        })
    }
}

/// Whether `sha` can name a commit: hex digits, not all zeros.
fn is_commit(sha: &str) -> bool {
    matches!(sha.len(), 40 | 64)
        && sha.bytes().all(|byte| byte.is_ascii_hexdigit())
        && sha.bytes().any(|byte| byte != b'0')
}

//! Reads the runner's event: which repository, commit and pull request a report belongs to.

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::Value;

use super::repository::Repository;

/// Where a report belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub owner: String,
    pub repository: String,
    /// The commit a check run belongs on; never the test-merge commit of a pull request.
    pub sha: String,
    pub base_sha: Option<String>,
    pub pull_request: Option<u64>,
    /// Whether the pull request comes from another repository: its token only reads.
    pub is_fork: bool,
    /// Whether Dependabot started the run or opened the pull request: its token only reads.
    pub is_dependabot: bool,
    /// The root of the REST API, without the last slash: `https` always, `http` on the own machine only.
    pub api_url: String,
    /// The root of the web pages, without the last slash.
    pub server_url: String,
    /// The number of the workflow run (`GITHUB_RUN_ID`).
    pub run_id: Option<String>,
    /// Which attempt of that run this is, 1-based (`GITHUB_RUN_ATTEMPT`).
    pub run_attempt: Option<String>,
}

/// Why the event gives no place for a report.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EventError {
    #[error("{0} is not set; run on GitHub Actions, or turn the check run off")]
    Unset(&'static str),
    #[error("cannot read the event payload {path}: {reason}; check the file GITHUB_EVENT_PATH names")]
    Unreadable { path: String, reason: String },
    #[error("the event payload is not JSON: {0}; check the file GITHUB_EVENT_PATH names")]
    Json(String),
    #[error("GITHUB_REPOSITORY is not `owner/name`; set it to the repository to report to")]
    Repository,
    #[error("the `{0}` event names no commit; set GITHUB_SHA, or turn the check run off")]
    Sha(String),
    #[error("GITHUB_API_URL `{0}` is refused, the token would be readable on the way; use https")]
    ApiUrl(String),
}

impl Event {
    /// Reads the event of the runner whose environment is `env`: `GITHUB_EVENT_NAME` and the file `GITHUB_EVENT_PATH`.
    #[expect(clippy::disallowed_methods, reason = "the payload is the runner's file, not a manifest")]
    pub fn read(env: &BTreeMap<String, String>) -> Result<Self, EventError> {
        let name = variable(env, "GITHUB_EVENT_NAME").ok_or(EventError::Unset("GITHUB_EVENT_NAME"))?;
        let path = variable(env, "GITHUB_EVENT_PATH").ok_or(EventError::Unset("GITHUB_EVENT_PATH"))?;
        let json = std::fs::read_to_string(path)
            .map_err(|error| EventError::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
        Self::parse(name, &json, env)
    }

    /// Parses the payload of the event `name`, with the `GITHUB_*` variables in `env`.
    pub fn parse(name: &str, json: &str, env: &BTreeMap<String, String>) -> Result<Self, EventError> {
        let payload: Value = serde_json::from_str(json).map_err(|error| EventError::Json(error.to_string()))?;
        let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
        let Repository { owner, name: repository } = variable(env, "GITHUB_REPOSITORY")
            .or_else(|| text("/repository/full_name"))
            .and_then(Repository::parse)
            .ok_or(EventError::Repository)?;
        let is_pull = payload.get("pull_request").is_some_and(Value::is_object);
        let (sha, base_sha) = match name {
            _ if is_pull => (text("/pull_request/head/sha"), text("/pull_request/base/sha")),
            // GITHUB_SHA would be the test-merge commit here.
            "pull_request" | "pull_request_target" => (None, None),
            "merge_group" => (text("/merge_group/head_sha"), text("/merge_group/base_sha")),
            "push" => (text("/after"), text("/before")),
            _ => (variable(env, "GITHUB_SHA"), None),
        };
        let sha = sha.filter(|sha| is_commit(sha)).ok_or_else(|| EventError::Sha(name.to_owned()))?;
        let api_url = variable(env, "GITHUB_API_URL").unwrap_or("https://api.github.com");
        let server_url = variable(env, "GITHUB_SERVER_URL").unwrap_or("https://github.com");
        let number = |key| variable(env, key).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        Ok(Self {
            owner,
            repository,
            sha: sha.to_owned(),
            base_sha: base_sha.filter(|sha| is_commit(sha)).map(str::to_owned),
            pull_request: payload.pointer("/pull_request/number").and_then(Value::as_u64),
            // A deleted head repository is null: it was a fork.
            is_fork: is_pull && text("/pull_request/head/repo/full_name") != text("/pull_request/base/repo/full_name"),
            is_dependabot: [variable(env, "GITHUB_ACTOR"), text("/pull_request/user/login")]
                .contains(&Some("dependabot[bot]")),
            api_url: checked_api_url(api_url)?.as_str().trim_end_matches('/').to_owned(),
            server_url: server_url.trim_end_matches('/').to_owned(),
            run_id: number("GITHUB_RUN_ID").map(str::to_owned),
            run_attempt: number("GITHUB_RUN_ATTEMPT").map(str::to_owned),
        })
    }

    /// The repository the report belongs to.
    #[must_use]
    pub fn place(&self) -> Repository {
        Repository { owner: self.owner.clone(), name: self.repository.clone() }
    }

    /// The web page of this attempt of the workflow run, outside of a run the page of the commit.
    #[must_use]
    pub fn run_url(&self) -> String {
        let Self { server_url, owner, repository, sha, .. } = self;
        match (&self.run_id, &self.run_attempt) {
            (Some(id), Some(attempt)) => {
                format!("{server_url}/{owner}/{repository}/actions/runs/{id}/attempts/{attempt}")
            }
            (Some(id), None) => format!("{server_url}/{owner}/{repository}/actions/runs/{id}"),
            (None, _) => format!("{server_url}/{owner}/{repository}/commit/{sha}"),
        }
    }
}

/// The value of a variable; the runner sets what it does not know to nothing.
fn variable<'e>(env: &'e BTreeMap<String, String>, key: &str) -> Option<&'e str> {
    env.get(key).map(String::as_str).filter(|value| !value.is_empty())
}

/// Whether `sha` can name a commit: hex digits, not all zeros.
pub(super) fn is_commit(sha: &str) -> bool {
    matches!(sha.len(), 40 | 64)
        && sha.bytes().all(|byte| byte.is_ascii_hexdigit())
        && sha.bytes().any(|byte| byte != b'0')
}

/// The URL, if a token may be sent there: `https`, or `http` that does not leave the machine.
pub(super) fn checked_api_url(text: &str) -> Result<Url, EventError> {
    let refused = || EventError::ApiUrl(text.chars().filter(|char| !char.is_control()).take(200).collect());
    let url = Url::parse(text).map_err(|_| refused())?;
    let loopback = match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse().is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback()),
        None => return Err(refused()),
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    if plain && safe && url.fragment().is_none() { Ok(url) } else { Err(refused()) }
}

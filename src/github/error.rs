//! What can go wrong between here and GitHub, in words that say where and what to do.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::http::one_line;

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Url(#[from] super::EventError),
    #[error("the token is empty or not printable ASCII; pass `token: ${{{{ github.token }}}}`")]
    Token,
    #[error(transparent)]
    Setup(#[from] crate::http::SetupError),
}

/// A request that failed.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) method: &'static str,
    /// The path, with the query.
    pub(super) path: String,
    pub(super) cause: Cause,
}

/// How it failed.
#[derive(Debug)]
pub(super) enum Cause {
    /// The server answered with an error.
    Status { status: u16, message: String },
    /// The server asks for a longer pause than is left to wait.
    Limited { status: u16, wait: Duration },
    /// The request never arrived: no connection came about.
    Unsent(String),
    /// Sent, and no answer: nobody knows whether it took effect.
    Lost(String),
    /// Taken, and answered with something that cannot be read.
    Unreadable(String),
}

impl ApiError {
    /// Whether the request may have taken effect all the same.
    pub(super) fn is_ambiguous(&self) -> bool {
        match self.cause {
            Cause::Status { status, .. } => status >= 500,
            Cause::Lost(_) | Cause::Unreadable(_) => true,
            Cause::Limited { .. } | Cause::Unsent(_) => false,
        }
    }

    /// Whether a request that may be repeated is worth repeating.
    pub(super) fn is_passing(&self) -> bool {
        match self.cause {
            Cause::Status { status, .. } => matches!(status, 502..=504),
            Cause::Lost(_) => true,
            Cause::Limited { .. } | Cause::Unsent(_) | Cause::Unreadable(_) => false,
        }
    }

    /// The status of a refusal.
    pub(super) fn status(&self) -> Option<u16> {
        match self.cause {
            Cause::Status { status, .. } => Some(status),
            _ => None,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.method, self.path)?;
        match &self.cause {
            Cause::Status { status, message } if message.is_empty() => write!(f, "status {status}"),
            Cause::Status { status, message } => write!(f, "status {status}, {message}"),
            Cause::Limited { status, wait } => {
                write!(f, "status {status}, rate limited for {} s; run again later", wait.as_secs())
            }
            Cause::Unsent(reason) => write!(f, "no connection ({reason}); check GITHUB_API_URL and the proxy"),
            Cause::Lost(reason) => write!(f, "no answer ({reason})"),
            Cause::Unreadable(reason) => write!(f, "an answer that is not GitHub's ({reason}); check GITHUB_API_URL"),
        }
    }
}

impl std::error::Error for ApiError {}

/// The `message` of GitHub's error body and its `errors`, made fit for one line; a foreign body gives nothing.
pub(super) fn message(body: &str) -> String {
    let Ok(body) = serde_json::from_str::<Value>(body) else { return String::new() };
    let Some(message) = body.get("message").and_then(Value::as_str) else { return String::new() };
    match body.get("errors").filter(|errors| errors.as_array().is_none_or(|list| !list.is_empty())) {
        Some(errors) => one_line(&format!("{message} {errors}")),
        None => one_line(message),
    }
}

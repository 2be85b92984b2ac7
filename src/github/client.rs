//! Requests with patience: what may be repeated is repeated, what creates is not, and waiting has an end.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::error::{ApiError, Cause, ClientError, message};
use super::event::checked_api_url;
use super::transport::{Answer, Transport, Verb, failure, unreadable};
use crate::http::one_line;

/// How often a request is sent that may be repeated, or that never arrived.
const TRIES: u32 = 3;

/// Items GitHub gives at most in one page of a list.
const PER_PAGE: usize = 100;

/// Pages of a list that are read: as many files as GitHub lists of a pull request.
const MAX_PAGES: usize = 30;

/// The pause GitHub asks for where a rate limit names none.
const UNNAMED_WAIT: Duration = Duration::from_mins(1);

/// How long a client waits, and how.
#[derive(Clone)]
pub struct Patience {
    /// For one request, from the connection to the last byte of the answer.
    pub timeout: Duration,
    /// For the rate limits of all requests together.
    pub limits: Duration,
    /// From the making of the client: after that nothing is tried again.
    pub total: Duration,
    /// Sleeps; tests pass something faster.
    pub pause: Arc<dyn Fn(Duration)>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            limits: Duration::from_mins(1),
            total: Duration::from_mins(3),
            pause: Arc::new(std::thread::sleep),
        }
    }
}

/// A client of GitHub's REST API with a token.
pub struct Client {
    base: Url,
    transport: Transport,
    patience: Patience,
    /// What is left of [`Patience::limits`].
    left: Cell<Duration>,
    made: Instant,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the API at `api_url`. Of `env`, `SSL_CERT_FILE` adds certificates to trust.
    pub fn new(api_url: &str, token: &str, env: &BTreeMap<String, String>) -> Result<Self, ClientError> {
        Self::with_patience(api_url, token, env, Patience::default())
    }

    /// The same, waiting as told.
    pub fn with_patience(
        api_url: &str,
        token: &str,
        env: &BTreeMap<String, String>,
        patience: Patience,
    ) -> Result<Self, ClientError> {
        let base = checked_api_url(api_url)?;
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientError::Token);
        }
        let transport = Transport::new(&base, token, env, patience.timeout)?;
        let left = Cell::new(patience.limits);
        Ok(Self { base, transport, patience, left, made: Instant::now() })
    }

    /// The address of `path` (with its first slash) and a query, below the root of the API.
    pub(super) fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// All items of a list, page by page; of a list that does not end the first [`MAX_PAGES`].
    pub(super) fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, ApiError> {
        let mut items = Vec::new();
        for page in 1..=MAX_PAGES {
            let page = page.to_string();
            let url = self.url(path, &[query, &[("per_page", "100"), ("page", &page)]].concat());
            let Value::Array(found) = self.repeat(Verb::Get, &url, None)? else {
                return Err(unreadable(Verb::Get, &url, "no list"));
            };
            let is_last = found.len() < PER_PAGE;
            items.extend(found);
            if is_last {
                break;
            }
        }
        Ok(items)
    }

    /// Sends a request that does no harm twice, until an answer comes or the tries are used up.
    pub(super) fn repeat(&self, verb: Verb, url: &Url, body: Option<&Value>) -> Result<Value, ApiError> {
        let mut tried = 1;
        loop {
            match self.send(verb, url, body) {
                Err(error) if error.is_passing() && self.may_retry(tried, TRIES) => self.back_off(tried),
                done => return done,
            }
            tried += 1;
        }
    }

    /// Does what must not happen twice: when nobody knows whether `act` took effect, `look` finds out first.
    pub(super) fn once<T>(
        &self,
        act: impl Fn() -> Result<T, ApiError>,
        look: impl Fn() -> Result<Option<T>, ApiError>,
    ) -> Result<T, ApiError> {
        let mut tried = 1;
        loop {
            let error = match act() {
                Err(error) if error.is_ambiguous() => error,
                done => return done,
            };
            self.back_off(tried);
            if let Some(done) = look()? {
                return Ok(done);
            }
            if !self.may_retry(tried, 2) {
                return Err(error);
            }
            tried += 1;
        }
    }

    /// Sends a request until it has arrived once: rate limits are waited for, failed connections tried again.
    pub(super) fn send(&self, verb: Verb, url: &Url, body: Option<&Value>) -> Result<Value, ApiError> {
        let mut tried = 1;
        loop {
            let error = match self.transport.send(verb, url, body).and_then(|answer| judge(verb, url, answer)) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            match error.cause {
                Cause::Unsent(_) if self.may_retry(tried, TRIES) => {
                    self.back_off(tried);
                    tried += 1;
                }
                Cause::Limited { wait, .. } if wait <= self.left.get() => {
                    self.left.set(self.left.get().saturating_sub(wait));
                    self.pause(wait);
                }
                _ => return Err(error),
            }
        }
    }

    /// Whether a request tried so often may be tried again.
    fn may_retry(&self, tried: u32, most: u32) -> bool {
        tried < most && self.made.elapsed() < self.patience.total
    }

    /// Waits 1, 2, 4 … seconds.
    fn back_off(&self, tried: u32) {
        self.pause(Duration::from_secs(1 << (tried - 1).min(5)));
    }

    pub(super) fn pause(&self, time: Duration) {
        (self.patience.pause)(time);
    }
}

/// What an answer says: the body of a success, or the error.
fn judge(verb: Verb, url: &Url, answer: Answer) -> Result<Value, ApiError> {
    let Answer { status, headers, body } = answer;
    let cause = match (status, body) {
        (204, _) => return Ok(Value::Null),
        (200..=299, Ok(body)) => match serde_json::from_str(&body) {
            Ok(value) => return Ok(value),
            Err(error) => Cause::Unreadable(one_line(&error.to_string())),
        },
        (200..=299, Err(reason)) => Cause::Unreadable(reason),
        (300..=399, _) => Cause::Status {
            status,
            message: "redirected and not followed; set GITHUB_API_URL to the final address".to_owned(),
        },
        (_, body) => match limit(status, &headers, Timestamp::now()) {
            Some(wait) => Cause::Limited { status, wait },
            None => Cause::Status { status, message: message(&body.unwrap_or_default()) },
        },
    };
    Err(failure(verb, url, cause))
}

/// How long a rate limit asks to wait, if the answer is one; at least a second, so that waiting ends.
fn limit(status: u16, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let seconds = |name| header(name).and_then(|text| text.trim().parse::<u64>().ok());
    let exhausted = seconds("x-ratelimit-remaining") == Some(0);
    if status != 429 && !(status == 403 && (exhausted || header("retry-after").is_some())) {
        return None;
    }
    let reset = || {
        let at = i64::try_from(seconds("x-ratelimit-reset").filter(|_| exhausted)?).ok()?;
        Some(u64::try_from(at.saturating_sub(now.as_second())).unwrap_or(0))
    };
    let wait = seconds("retry-after").or_else(reset).map_or(UNNAMED_WAIT, Duration::from_secs);
    Some(wait.max(Duration::from_secs(1)))
}

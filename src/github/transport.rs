//! One request over one HTTP stack: octocrab on our own reqwest client, with no retry and no redirect of its own.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use octocrab::service::middleware::reqwest_connector::ReqwestConnector;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::error::{ApiError, Cause, ClientError};
use crate::http::{self, SetupError, root};

/// Requests in a row before GitHub wants a second between two that write.
pub(super) const UNHURRIED: usize = 10;

/// Redirects that are followed, all on the same host.
const MAX_REDIRECTS: usize = 3;

/// The connection. Octocrab needs a runtime around it, which sleeps between requests.
pub(super) struct Transport {
    runtime: Runtime,
    octocrab: Octocrab,
}

/// The methods that are used.
#[derive(Clone, Copy)]
pub(super) enum Verb {
    Get,
    Post,
    Patch,
    Delete,
}

impl Verb {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// An answer of any status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// The body, or why it could not be read.
    pub(super) body: Result<String, String>,
}

impl Transport {
    pub(super) fn new(
        base: &Url,
        token: &str,
        env: &BTreeMap<String, String>,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let http = http_client(base, token, env, timeout)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| SetupError::Client(root(&error)))?;
        // Octocrab starts a task that carries the requests. None of its own layers: they add its name as a second user
        // agent, and the token without marking it as secret.
        let inside = runtime.enter();
        let Ok(octocrab) =
            OctocrabBuilder::new_empty().with_service(ReqwestConnector::new(http)).with_auth(AuthState::None).build();
        drop(inside);
        Ok(Self { runtime, octocrab })
    }

    /// Sends one request and reads the answer, following redirects that stay on the host.
    pub(super) fn send(&self, verb: Verb, url: &Url, body: Option<&Value>) -> Result<Answer, ApiError> {
        self.runtime.block_on(async {
            let mut at = url.clone();
            for _ in 0..MAX_REDIRECTS {
                let answer = self.exchange(verb, &at, body).await?;
                match onward(&answer, &at) {
                    Some(next) => at = next,
                    None => return Ok(answer),
                }
            }
            self.exchange(verb, &at, body).await
        })
    }

    async fn exchange(&self, verb: Verb, url: &Url, body: Option<&Value>) -> Result<Answer, ApiError> {
        // The raw calls: they answer with every status, and read nothing into it.
        let sent = match verb {
            Verb::Get => self.octocrab._get(url.as_str()).await,
            Verb::Post => self.octocrab._post(url.as_str(), body).await,
            Verb::Patch => self.octocrab._patch(url.as_str(), body).await,
            Verb::Delete => self.octocrab._delete(url.as_str(), body).await,
        };
        let response = sent.map_err(|error| failure(verb, url, cause(&error)))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = self.octocrab.body_to_string(response).await.map_err(|error| root(&error));
        Ok(Answer { status, headers, body })
    }
}

/// An error of this request.
pub(super) fn failure(verb: Verb, url: &Url, cause: Cause) -> ApiError {
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    ApiError { method: verb.as_str(), path, cause }
}

/// An error of a request whose answer lacks what it should hold.
pub(super) fn unreadable(verb: Verb, url: &Url, what: &str) -> ApiError {
    failure(verb, url, Cause::Unreadable(what.to_owned()))
}

/// Where a redirect goes on, if that is on the same host: the token goes nowhere else.
fn onward(answer: &Answer, at: &Url) -> Option<Url> {
    let location = answer.headers.get(LOCATION).filter(|_| matches!(answer.status, 301 | 302 | 307 | 308))?;
    at.join(location.to_str().ok()?).ok().filter(|next| next.origin() == at.origin())
}

/// Whether the request went out before it failed.
fn cause(error: &octocrab::Error) -> Cause {
    let mut link: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = link {
        if let Some(error) = error.downcast_ref::<reqwest::Error>() {
            return match () {
                () if error.is_connect() || error.is_builder() => Cause::Unsent(root(error)),
                () if error.is_timeout() => Cause::Lost("timed out".to_owned()),
                () => Cause::Lost(root(error)),
            };
        }
        link = error.source();
    }
    Cause::Lost(root(error))
}

/// The HTTP client: the token in a header that no log shows, proxies as the environment says, no redirects.
fn http_client(
    base: &Url,
    token: &str,
    env: &BTreeMap<String, String>,
    timeout: Duration,
) -> Result<reqwest::Client, ClientError> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
    bearer.set_sensitive(true);
    let github_json = HeaderValue::from_static("application/vnd.github+json");
    let mut builder = http::builder(env, timeout)?
        .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer), (ACCEPT, github_json)]))
        .timeout(timeout);
    if base.scheme() == "http" {
        // Unencrypted to this machine: not through a proxy that would read the token.
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| SetupError::Client(root(&error)).into())
}

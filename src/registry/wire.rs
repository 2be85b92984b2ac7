//! One request on its way: sent, redirected without the credentials of the first host, its answer read up to a limit.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, Url};
use tokio::sync::Semaphore;

use super::address::{Directory, is_loopback};
use crate::http::{self, one_line, root};

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// Bytes of a refusal that are read for its reason.
const MAX_REFUSAL: usize = 64 << 10;

/// Bodies longer than this are read by at most [`LARGE_AT_ONCE`] requests at a time, so that all answers together stay
/// small.
const LARGE: usize = 256 << 10;
const LARGE_AT_ONCE: usize = 2;

/// A request.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: &'static str,
    /// For the host of `url` and no other.
    pub(super) authorization: Option<HeaderValue>,
    /// The body of a POST, a form.
    pub(super) form: Option<String>,
    /// Longest body of a success, in bytes.
    pub(super) limit: usize,
}

/// An answer of any status but a redirect.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// The host that gave the answer, where the question was sent on to another.
    pub(super) redirected: Option<String>,
}

impl Reply {
    /// The text of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No connection came about.
    Unsent(String),
    /// The other side's certificate is not trusted.
    Untrusted(String),
    /// Sent, and no answer, or half of one.
    Lost(String),
    /// The answer is longer than this many bytes.
    TooLong(usize),
    /// The answer is to go on where it must not, or for ever.
    Astray(String),
    /// There is no client.
    Setup(String),
}

/// The HTTP clients, made when they are first needed.
pub(super) struct Wire {
    env: BTreeMap<String, String>,
    timeout: Duration,
    outside: OnceCell<Result<Client, String>>,
    /// To this machine no proxy leads.
    inside: OnceCell<Result<Client, String>>,
    large: Semaphore,
}

impl Wire {
    pub(super) fn new(env: &BTreeMap<String, String>, timeout: Duration) -> Self {
        let roots = env.get_key_value("SSL_CERT_FILE").map(|(name, file)| (name.clone(), file.clone()));
        Self {
            env: roots.into_iter().collect(),
            timeout,
            outside: OnceCell::new(),
            inside: OnceCell::new(),
            large: Semaphore::new(LARGE_AT_ONCE),
        }
    }

    fn client(&self, url: &Url) -> Result<&Client, Fault> {
        let inside = is_loopback(url);
        let client = if inside { &self.inside } else { &self.outside };
        let made = client.get_or_init(|| {
            let builder = http::builder(&self.env, self.timeout).map_err(|error| error.to_string())?;
            let builder = if inside { builder.no_proxy() } else { builder };
            builder.build().map_err(|error| root(&error))
        });
        made.as_ref().map_err(|why| Fault::Setup(why.clone()))
    }

    /// Sends a request and reads its answer, following redirects as `directory` allows. The credentials stay with the
    /// first host.
    pub(super) async fn send(&self, message: &Message, directory: &Directory) -> Result<Reply, Fault> {
        let mut message = message.clone();
        let mut redirected = None;
        for _ in 0..=MAX_REDIRECTS {
            tracing::debug!(method = %message.method, host = message.url.host_str(), path = message.url.path(), "ask");
            let response = self.start(&message).await?;
            let Some(next) = onward(&response, &message) else {
                return self.finish(response, &message, redirected).await;
            };
            let shown = next.host_str().unwrap_or_default().to_owned();
            if !directory.may_go(&message.url, &next) {
                return Err(Fault::Astray(format!("a redirect to {}://{shown}", next.scheme())));
            }
            if next.origin() != message.url.origin() {
                message.authorization = None;
                redirected = Some(shown);
            }
            message.url = next;
        }
        Err(Fault::Astray("a redirect without end".to_owned()))
    }

    async fn start(&self, message: &Message) -> Result<Response, Fault> {
        let mut request = self
            .client(&message.url)?
            .request(message.method.clone(), message.url.clone())
            .timeout(self.timeout)
            .header(ACCEPT, message.accept);
        if let Some(authorization) = &message.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(form) = &message.form {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.clone());
        }
        request.send().await.map_err(fault)
    }

    async fn finish(
        &self,
        mut response: Response,
        message: &Message,
        redirected: Option<String>,
    ) -> Result<Reply, Fault> {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = if message.method == Method::HEAD {
            Vec::new()
        } else if status.is_success() {
            self.body(&mut response, message.limit).await?
        } else {
            refusal(&mut response).await
        };
        Ok(Reply { status: status.as_u16(), headers, body, redirected })
    }

    /// A body of at most `limit` bytes; of a longer one no more is read.
    async fn body(&self, response: &mut Response, limit: usize) -> Result<Vec<u8>, Fault> {
        let announced = response.content_length().unwrap_or(0);
        if announced > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(Fault::TooLong(limit));
        }
        let mut body = Vec::new();
        let mut turn = None;
        while let Some(chunk) = response.chunk().await.map_err(fault)? {
            if body.len() + chunk.len() > limit {
                return Err(Fault::TooLong(limit));
            }
            if body.len() + chunk.len() > LARGE && turn.is_none() {
                turn = self.large.acquire().await.ok();
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The beginning of a refusal's body; what cannot be read is left away.
async fn refusal(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > MAX_REFUSAL {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    body
}

/// Where an answer sends a question on to.
fn onward(response: &Response, message: &Message) -> Option<Url> {
    let is_question = matches!(message.method, Method::GET | Method::HEAD);
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| is_question && is_redirect)?;
    message.url.join(location.to_str().ok()?).ok()
}

/// What went wrong with a request, without its address: that of a redirect can hold a signature.
fn fault(error: reqwest::Error) -> Fault {
    let error = error.without_url();
    if let Some(why) = distrust(&error) {
        return Fault::Untrusted(why);
    }
    let why = if error.is_timeout() { "timed out".to_owned() } else { without_number(&root(&error)) };
    if error.is_connect() || error.is_builder() { Fault::Unsent(why) } else { Fault::Lost(why) }
}

/// `Connection refused (os error 111)` without its number, and in lower case.
fn without_number(why: &str) -> String {
    let why = why.split(" (os error ").next().unwrap_or(why);
    let mut rest = why.chars();
    rest.next().map(|first| first.to_lowercase().chain(rest).collect()).unwrap_or_default()
}

/// Why a certificate was refused, if that is what went wrong.
fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    let mut link = Some(error);
    while let Some(error) = link {
        if let Some(tls @ rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return Some(one_line(&tls.to_string()));
        }
        // An error of input and output hides the one that it was made of.
        let hidden = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        link = hidden.map(|hidden| hidden as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

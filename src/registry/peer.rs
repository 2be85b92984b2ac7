//! One host and how it is doing: how many ask it at once, the pause it asked for, and when it is given up.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use tokio::sync::{Mutex, OnceCell, Semaphore};
use tokio::time::Instant;

use super::credentials::Credential;
use super::open;
use super::token::{Demand, Token};
use super::wire::Reply;
use crate::resolution::Unanswered;

/// How many questions a host is asked at once.
const AT_ONCE: usize = 8;

/// Failures in a row, of all questions together, after which a host is given up.
const MAX_FAILURES: u32 = 12;

/// The pause after a refusal for too many requests that names none.
const UNNAMED_PAUSE: Duration = Duration::from_secs(2);

/// A token that somebody got or is getting, or why there is none.
pub(super) type Slot = Mutex<Option<Result<Token, Unanswered>>>;

/// A host: a registry, a mirror or a token server.
pub(super) struct Peer {
    /// For people.
    pub(super) name: String,
    pub(super) permits: Semaphore,
    /// The first question is asked alone: it tells how the host speaks and what it demands.
    first: Mutex<()>,
    known: Cell<bool>,
    /// Whether it is asked over TLS, once that is known.
    pub(super) encrypted: Cell<Option<bool>>,
    /// What it asks for before it answers.
    pub(super) demand: RefCell<Option<Demand>>,
    pub(super) account: OnceCell<Option<Credential>>,
    /// One for each scope; who finds none gets it while the others wait.
    pub(super) tokens: RefCell<HashMap<String, Rc<Slot>>>,
    failures: Cell<u32>,
    closed: RefCell<Option<Unanswered>>,
    resume: Cell<Option<Instant>>,
    /// What is left of the time to wait for limits.
    left: Cell<Duration>,
    /// The limit on what is counted is reached, and how long for.
    spent: Cell<Option<Duration>>,
}

impl Peer {
    pub(super) fn new(name: &str, encrypted: Option<bool>, limits: Duration) -> Self {
        Self {
            name: name.to_owned(),
            permits: Semaphore::new(AT_ONCE),
            first: Mutex::new(()),
            known: Cell::new(false),
            encrypted: Cell::new(encrypted),
            demand: RefCell::default(),
            account: OnceCell::new(),
            tokens: RefCell::default(),
            failures: Cell::new(0),
            closed: RefCell::default(),
            resume: Cell::new(None),
            left: Cell::new(limits),
            spent: Cell::new(None),
        }
    }

    /// Waits until the first question was answered; whoever gets the guard asks it.
    pub(super) async fn first(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if self.known.get() {
            return None;
        }
        let guard = self.first.lock().await;
        (!self.known.get()).then_some(guard)
    }

    /// The first question was asked, whatever came of it.
    pub(super) fn met(&self) {
        self.known.set(true);
    }

    /// Why it is not asked any more.
    pub(super) fn closed(&self) -> Option<Unanswered> {
        self.closed.borrow().clone()
    }

    pub(super) fn close(&self, why: &Unanswered) {
        self.closed.borrow_mut().get_or_insert_with(|| open::given_up(why));
    }

    /// An answer came.
    pub(super) fn answered(&self, reply: &Reply) {
        self.failures.set(0);
        if reply.redirected.is_none() && reply.header("ratelimit-remaining").is_some() {
            self.spent.set(spent(reply));
        }
    }

    /// No answer came, or one of a server in trouble. A host that fails its first question often enough, or anybody for
    /// too long, is given up.
    pub(super) fn failed(&self, why: &Unanswered, is_last: bool, is_down: bool) {
        self.failures.set(self.failures.get().saturating_add(1));
        if self.failures.get() >= MAX_FAILURES || (is_last && is_down && !self.known.get()) {
            self.close(why);
        }
    }

    /// Whether the limit on what is counted is reached, and how long for.
    pub(super) fn spent(&self) -> Option<Duration> {
        self.spent.get()
    }

    /// When the next question may be sent.
    pub(super) fn resume(&self) -> Option<Instant> {
        self.resume.get().filter(|resume| *resume > Instant::now())
    }

    /// The host refused for too many requests. True where it is worth to wait for it. `login` is the registry that the
    /// user may have an account at, `known` whether the question was asked with it.
    pub(super) fn limited(&self, reply: &Reply, login: &str, known: bool) -> bool {
        let named = pause(reply, Timestamp::now());
        let wait = named.unwrap_or(UNNAMED_PAUSE).max(Duration::from_secs(1));
        let now = Instant::now();
        let from = self.resume().unwrap_or(now);
        let more = now.checked_add(wait).map(|until| until.saturating_duration_since(from));
        if let Some(more) = more.filter(|more| *more <= self.left.get()) {
            self.left.set(self.left.get().saturating_sub(more));
            self.resume.set(from.checked_add(more));
            return true;
        }
        self.close(&open::limited(&self.name, login, named.or_else(|| spent(reply)), known));
        false
    }
}

/// How long an answer asks to wait: `Retry-After` in seconds or as a date.
fn pause(reply: &Reply, now: Timestamp) -> Option<Duration> {
    let text = reply.header("retry-after")?;
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// How long nothing more is answered, if an answer says that it was the last one: `ratelimit-remaining: 0;w=21600`.
fn spent(reply: &Reply) -> Option<Duration> {
    let (remaining, window) = reply.header("ratelimit-remaining")?.split_once(';')?;
    let window = window.trim().strip_prefix("w=")?.parse().ok()?;
    (remaining.trim() == "0").then(|| Duration::from_secs(window))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn reply(name: &'static str, value: &str) -> Reply {
        let headers = [(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())];
        Reply { status: 429, headers: HeaderMap::from_iter(headers), body: Vec::new(), redirected: None }
    }

    #[test]
    fn a_pause_is_read_in_seconds_or_as_a_date() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let pause = |text: &str| pause(&reply("retry-after", text), now).map(|pause| pause.as_secs());
        assert_eq!(pause("7"), Some(7));
        assert_eq!(pause(" 0 "), Some(0));
        assert_eq!(pause("Fri, 20 Nov 2026 10:02:00 GMT"), Some(120));
        assert_eq!(pause("Fri, 20 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(pause("soon"), None);
        assert_eq!(pause("-1"), None);
    }

    #[test]
    fn docker_hub_says_when_a_limit_is_reached() {
        let spent = |text: &str| spent(&reply("ratelimit-remaining", text)).map(|window| window.as_secs());
        assert_eq!(spent("0;w=21600"), Some(21600));
        for text in ["1;w=21600", "0", "", "0;x", "w=0;0"] {
            assert_eq!(spent(text), None, "{text}");
        }
    }

    #[test]
    fn waiting_for_a_host_has_an_end() {
        let peer = Peer::new("registry.test", None, Duration::from_secs(10));
        let wait = |text: &str| peer.limited(&reply("retry-after", text), "registry.test", false);
        assert!(wait("4"));
        assert!(wait("4"), "what others wait for anyway costs nothing");
        assert!(!wait("3600"));
        let closed = peer.closed().unwrap();
        assert_eq!(closed.reason, "registry.test limits requests, and the limit is reached; it was not asked again");
        assert_eq!(
            closed.help,
            "log in (`docker login registry.test`, or `registry-auth`) for a higher limit, or run again in 60 minutes"
        );
    }
}

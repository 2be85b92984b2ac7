//! The registries: a client of the OCI distribution API that believes nothing it has not hashed.
//!
//! ```text
//!  Asked ─▶ address ─▶ client ─▶ wire ─▶ HTTP       what is read: fetch (manifests, blobs), describe, referrers
//!           (where)    (patience, (one request,     what is known: document (the formats), credentials, token,
//!                       proofs)    redirects)       peer (how a host is doing), open (why there is no answer)
//! ```
//!
//! An answer is found, missing or open, and never two of them: only the registry itself can say that something is not
//! there, and what nobody answered is open, with the way out. All of it is bounded: the bytes that are read, the time,
//! the tries, the redirects, the pauses that a host asks for.

mod address;
mod challenge;
mod client;
mod credentials;
mod describe;
mod document;
mod fetch;
mod helper;
mod open;
mod peer;
mod referrers;
mod token;
mod wire;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::{JoinSet, LocalSet};

use self::client::Client;
use self::credentials::Credentials;
use crate::http::{self, root};
use crate::policy::RegistryHost;
use crate::resolution::{
    Answer, Answers, Artifacts, Asked, Description, Manifest, Object, Referrer, Served, Unanswered,
};

/// Why the registries cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error(transparent)]
    Setup(#[from] http::SetupError),
    /// Nothing of the text itself is shown.
    #[error("cannot use `registry-auth`: {0}; write lines `HOST USER PASSWORD`, or the JSON of Docker's config.json")]
    Auth(String),
}

/// How long the registries are waited for.
#[derive(Clone, Debug)]
pub struct Patience {
    /// For one request, from the connection to the last byte of the answer.
    pub timeout: Duration,
    /// For the pauses that one host asks for, all together.
    pub limits: Duration,
    /// From the first question: after that nothing is asked any more.
    pub total: Duration,
    /// The pause before a question is asked again; it doubles.
    pub back_off: Duration,
}

/// The registries, asked over the network. What they answered is kept: a question is asked once.
pub struct Registries {
    client: Rc<Client>,
    runtime: OnceCell<Result<Runtime, Unanswered>>,
    served: RefCell<HashMap<Asked, Answer<Served>>>,
    described: RefCell<HashMap<Asked, Answer<Description>>>,
    watcher: Option<Watcher>,
}

/// Told how many questions are answered, and of how many.
pub type Watcher = Rc<dyn Fn(usize, usize)>;

impl fmt::Debug for Registries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registries").finish_non_exhaustive()
    }
}

impl Registries {
    /// Nothing is opened or started before the first question.
    ///
    /// Of `env`: `SSL_CERT_FILE`, `DOCKER_CONFIG` and `HOME`, and all of it for credential helpers. `hosts` are the
    /// configured mirrors and unencrypted hosts, by the names that references have for them. `auth` is the text of
    /// `registry-auth`: lines `HOST USER PASSWORD`, or the JSON of Docker's `config.json`; it goes before Docker's file.
    ///
    /// # Errors
    /// The certificates or `auth` cannot be used.
    pub fn new(
        env: &BTreeMap<String, String>,
        hosts: &BTreeMap<String, RegistryHost>,
        auth: Option<&str>,
    ) -> Result<Self, RegistryError> {
        Self::with_patience(env, hosts, auth, Patience::default())
    }

    /// The same, waiting as told.
    ///
    /// # Errors
    /// As of [`Registries::new`].
    pub fn with_patience(
        env: &BTreeMap<String, String>,
        hosts: &BTreeMap<String, RegistryHost>,
        auth: Option<&str>,
        patience: Patience,
    ) -> Result<Self, RegistryError> {
        if env.contains_key("SSL_CERT_FILE") {
            // A mistake in what the user names is the command's error, not one of every question.
            let _ = http::builder(env, patience.timeout)?;
        }
        let credentials = Credentials::new(env, auth).map_err(RegistryError::Auth)?;
        Ok(Self {
            client: Rc::new(Client::new(env, hosts, credentials, patience)),
            runtime: OnceCell::new(),
            served: RefCell::default(),
            described: RefCell::default(),
            watcher: None,
        })
    }

    /// Tells how it goes on, for people who wait.
    pub fn watch(&mut self, watcher: impl Fn(usize, usize) + 'static) {
        self.watcher = Some(Rc::new(watcher));
    }

    /// Asks each question once, all at the same time as far as the hosts allow.
    fn each<T: Clone + 'static>(
        &self,
        asked: &[Asked],
        known: &mut HashMap<Asked, Answer<T>>,
        ask: impl AsyncFn(&Client, &Asked) -> Answer<T> + Clone + 'static,
    ) -> Vec<Answer<T>> {
        let unknown: BTreeSet<_> = asked.iter().filter(|asked| !known.contains_key(asked)).cloned().collect();
        if !unknown.is_empty() {
            known.extend(self.ask_all(unknown, ask));
        }
        let nothing = || Answer::Unanswered(open::open("the question was lost", "run again"));
        asked.iter().map(|asked| known.get(asked).cloned().unwrap_or_else(nothing)).collect()
    }

    fn ask_all<T: 'static>(
        &self,
        unknown: BTreeSet<Asked>,
        ask: impl AsyncFn(&Client, &Asked) -> Answer<T> + Clone + 'static,
    ) -> Vec<(Asked, Answer<T>)> {
        let runtime = match self.runtime.get_or_init(start) {
            Ok(runtime) => runtime,
            Err(why) => return unknown.into_iter().map(|asked| (asked, Answer::Unanswered(why.clone()))).collect(),
        };
        let local = LocalSet::new();
        let (all, answered) = (unknown.len(), Rc::new(Cell::new(0)));
        local.block_on(runtime, async {
            let mut questions = JoinSet::new();
            for asked in unknown {
                let (client, ask) = (Rc::clone(&self.client), ask.clone());
                let (watcher, answered) = (self.watcher.clone(), Rc::clone(&answered));
                questions.spawn_local(async move {
                    let answer = ask(&client, &asked).await;
                    answered.set(answered.get() + 1);
                    if let Some(watcher) = watcher {
                        watcher(answered.get(), all);
                    }
                    (asked, answer)
                });
            }
            questions.join_all().await
        })
    }
}

fn start() -> Result<Runtime, Unanswered> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| open::open(format!("the network cannot be used ({})", root(&error)), "run again"))
}

impl Answers for Registries {
    fn served(&self, asked: &[Asked]) -> Vec<Answer<Served>> {
        let mut known = self.served.borrow_mut();
        self.each(asked, &mut known, async |client: &Client, asked: &Asked| client.served(asked).await)
    }

    fn describe(&self, asked: &[Asked]) -> Vec<Answer<Description>> {
        let mut known = self.described.borrow_mut();
        self.each(asked, &mut known, async |client: &Client, asked: &Asked| client.describe(asked).await)
    }
}

impl Artifacts for Registries {
    fn manifests(&self, asked: &[Asked]) -> Vec<Answer<Manifest>> {
        let ask = async |client: &Client, asked: &Asked| client.manifest(asked).await;
        self.each(asked, &mut HashMap::new(), ask)
    }

    fn referrers(&self, asked: &[Asked]) -> Vec<Answer<Vec<Referrer>>> {
        let ask = async |client: &Client, asked: &Asked| client.referrers(asked).await;
        self.each(asked, &mut HashMap::new(), ask)
    }

    fn blobs(&self, asked: &[Asked], limit: usize) -> Vec<Answer<Vec<u8>>> {
        let ask = async move |client: &Client, asked: &Asked| client.blob(asked, limit).await;
        self.each(asked, &mut HashMap::new(), ask)
    }
}

/// Nobody is asked: every question stays open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offline;

impl Offline {
    fn open<T>(asked: &[Asked]) -> Vec<Answer<T>> {
        let answer = |asked: &Asked| {
            let host = &asked.registry;
            let what = match asked.object {
                Object::Tag(_) => "what the tag serves",
                Object::Digest(_) => "whether the digest exists",
            };
            Answer::Unanswered(open::open(
                format!("{host} was not asked {what}: `--offline` forbids it"),
                "run again without `--offline`",
            ))
        };
        asked.iter().map(answer).collect()
    }
}

impl Answers for Offline {
    fn served(&self, asked: &[Asked]) -> Vec<Answer<Served>> {
        Self::open(asked)
    }

    fn describe(&self, asked: &[Asked]) -> Vec<Answer<Description>> {
        Self::open(asked)
    }
}

impl Artifacts for Offline {
    fn manifests(&self, asked: &[Asked]) -> Vec<Answer<Manifest>> {
        Self::open(asked)
    }

    fn referrers(&self, asked: &[Asked]) -> Vec<Answer<Vec<Referrer>>> {
        Self::open(asked)
    }

    fn blobs(&self, asked: &[Asked], _limit: usize) -> Vec<Answer<Vec<u8>>> {
        Self::open(asked)
    }
}

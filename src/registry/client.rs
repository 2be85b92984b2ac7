//! Questions with patience: who asks is proven as demanded, what fails in passing is asked again, and all of it ends.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use tokio::time::{Instant, sleep, sleep_until};

use super::Patience;
use super::address::{Address, Directory, Encryption, base};
use super::credentials::{Credential, Credentials};
use super::open::{self, open};
use super::peer::Peer;
use super::token::{self, Challenged, Demand, Errand, Token};
use super::wire::{Fault, Message, Reply, Wire};
use crate::policy::RegistryHost;
use crate::resolution::Unanswered;

/// How often a question is sent that fails in passing.
const TRIES: u32 = 3;

/// How often a question is sent because the registry demands something before it answers.
const ROUNDS: u32 = 3;

/// Who asks the registries.
pub(super) struct Client {
    directory: Directory,
    credentials: Credentials,
    wire: Wire,
    patience: Patience,
    peers: RefCell<HashMap<String, Rc<Peer>>>,
    /// When everything ends; set with the first question.
    deadline: OnceCell<Instant>,
}

/// Where a question is asked.
pub(super) struct Stop {
    pub(super) address: Address,
    pub(super) peer: Rc<Peer>,
    base: Url,
}

/// What is asked of a repository.
pub(super) struct Question<'a> {
    pub(super) method: Method,
    /// As the host names it, with the path of a mirror.
    pub(super) repository: &'a str,
    pub(super) url: Url,
    pub(super) accept: &'static str,
    pub(super) limit: usize,
    /// Whether Docker Hub counts it against its limit.
    pub(super) is_counted: bool,
}

impl Stop {
    /// The name of a repository at this host.
    pub(super) fn repository(&self, repository: &str) -> String {
        format!("{}{repository}", self.address.prefix)
    }

    /// The address of `kind/name` in a repository (`manifests/latest`), the repository as this host names it.
    pub(super) fn url(&self, repository: &str, kind: &str, name: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v2").extend(repository.split('/')).push(kind).push(name);
        }
        url
    }
}

impl Client {
    pub(super) fn new(
        env: &BTreeMap<String, String>,
        hosts: &BTreeMap<String, RegistryHost>,
        credentials: Credentials,
        patience: Patience,
    ) -> Self {
        Self {
            directory: Directory::new(hosts),
            credentials,
            wire: Wire::new(env, patience.timeout),
            patience,
            peers: RefCell::default(),
            deadline: OnceCell::new(),
        }
    }

    /// Where a registry is asked, in order; the last stop is the registry itself.
    pub(super) fn route(&self, registry: &str) -> Result<Vec<Stop>, Unanswered> {
        self.directory.route(registry).into_iter().map(|address| self.stop(address)).collect()
    }

    fn stop(&self, address: Address) -> Result<Stop, Unanswered> {
        let encrypted = match address.encryption {
            Encryption::Always => Some(true),
            Encryption::Never => Some(false),
            Encryption::Either => None,
        };
        let scheme = if encrypted == Some(true) { "https" } else { "http" };
        let base = base(scheme, &address.authority)
            .ok_or_else(|| open(format!("`{}` is no host", address.name), "correct the name of the registry"))?;
        let peer = self.peer(&address.authority, &address.name, encrypted);
        Ok(Stop { address, peer, base })
    }

    fn peer(&self, key: &str, name: &str, encrypted: Option<bool>) -> Rc<Peer> {
        let mut peers = self.peers.borrow_mut();
        let made = || Rc::new(Peer::new(name, encrypted, self.patience.limits));
        Rc::clone(peers.entry(key.to_owned()).or_insert_with(made))
    }

    /// The answer to a question: any status but those of servers in trouble, limits and refusals.
    pub(super) async fn ask(&self, stop: &Stop, question: &Question<'_>) -> Result<Reply, Unanswered> {
        let _alone = stop.peer.first().await;
        let answer = self.ask_as_demanded(stop, question).await;
        stop.peer.met();
        answer
    }

    async fn ask_as_demanded(&self, stop: &Stop, question: &Question<'_>) -> Result<Reply, Unanswered> {
        let peer = &stop.peer;
        if let Some(window) = peer.spent().filter(|_| question.is_counted) {
            return Err(open::limited(&peer.name, &stop.address.name, Some(window), knows(peer)));
        }
        let mut scope = format!("repository:{}:pull", question.repository);
        for _ in 0..ROUNDS {
            let proof = self.proof(stop, &scope).await?;
            let message = Message {
                method: question.method.clone(),
                url: question.url.clone(),
                accept: question.accept,
                authorization: proof.header.clone(),
                form: None,
                limit: question.limit,
            };
            let reply = self.persist(stop, peer, &message).await?;
            match reply.status {
                401 if reply.redirected.is_none() => {}
                401 | 403 => return Err(self.refused(peer, question, reply.status)),
                _ => return Ok(reply),
            }
            let challenged = Challenged::of(&reply);
            let is_new = challenged.demand.is_some() && *peer.demand.borrow() != challenged.demand;
            let other = challenged.scope.filter(|other| proof.is_token && *other != scope && is_pull(other));
            match other {
                _ if is_new => {
                    *peer.demand.borrow_mut() = challenged.demand;
                    forget(peer, &scope);
                }
                Some(other) => scope = other,
                None if proof.is_token && !proof.is_fresh => forget(peer, &scope),
                None => return Err(self.refused(peer, question, reply.status)),
            }
        }
        Err(self.refused(peer, question, 401))
    }

    fn refused(&self, peer: &Peer, question: &Question<'_>, status: u16) -> Unanswered {
        let is_basic = *peer.demand.borrow() == Some(Demand::Basic);
        if status == 401 && is_basic && knows(peer) {
            return open::wrong_account(&peer.name, &peer.name, status);
        }
        let what = format!("{}/{}", peer.name, question.repository);
        open::refused(&what, &peer.name, status, knows(peer), &self.credentials.trouble())
    }

    async fn account<'a>(&self, stop: &'a Stop) -> Option<&'a Credential> {
        stop.peer.account.get_or_init(|| self.credentials.of(&stop.address.name)).await.as_ref()
    }

    /// What goes with a question, as the host is known to demand it.
    async fn proof(&self, stop: &Stop, scope: &str) -> Result<Proof, Unanswered> {
        let demand = stop.peer.demand.borrow().clone();
        let (realm, service) = match demand {
            None => return Ok(Proof::default()),
            Some(Demand::Basic) => {
                let header = match self.account(stop).await {
                    Some(Credential::Password { user, password }) => token::basic(user, password),
                    _ => None,
                };
                return Ok(Proof { header, ..Proof::default() });
            }
            Some(Demand::Bearer { realm, service }) => (realm, service),
        };
        if let Some(Credential::Bearer(token)) = self.account(stop).await {
            return Ok(Proof { header: token::secret(&format!("Bearer {token}")), ..Proof::default() });
        }
        let slot = Rc::clone(stop.peer.tokens.borrow_mut().entry(scope.to_owned()).or_default());
        let mut slot = slot.lock().await;
        match &*slot {
            Some(Ok(token)) if token.is_good() => return Ok(Proof::token(token, false)),
            Some(Err(refused)) => return Err(refused.clone()),
            _ => {}
        }
        let fetched = self.fetch_token(stop, &realm, service.as_deref(), scope).await;
        slot.insert(fetched).as_ref().map(|token| Proof::token(token, true)).map_err(Clone::clone)
    }

    async fn fetch_token(
        &self,
        stop: &Stop,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Result<Token, Unanswered> {
        let name = &stop.peer.name;
        let url = Url::parse(realm).ok().filter(|url| self.directory.may_go(&stop.base, url));
        let Some(url) = url else {
            let help = "check that the host is a registry; tokens are asked for over TLS only";
            return Err(open(format!("{name} asks for a token from a place that is not asked"), help));
        };
        let server = url.origin().ascii_serialization();
        let shown = server.split_once("://").map_or(server.as_str(), |(_, host)| host);
        let peer = self.peer(&format!("token {server}"), shown, Some(url.scheme() == "https"));
        let account = self.account(stop).await;
        let Errand { url, authorization, form } = Errand::new(&url, service, scope, account);
        let method = if form.is_some() { Method::POST } else { Method::GET };
        let message =
            Message { method, url, accept: "application/json", authorization, form, limit: token::MAX_ANSWER };
        let reply = self.persist(stop, &peer, &message).await?;
        match reply.status {
            200..=299 => {
                Token::read(&reply).ok_or_else(|| open(format!("{shown} gave no token for {name}"), "run again later"))
            }
            400 | 401 if account.is_some() => Err(open::wrong_account(name, shown, reply.status)),
            401 | 403 => {
                let what = scope.split(':').nth(1).map_or_else(|| name.clone(), |path| format!("{name}/{path}"));
                Err(open::refused(&what, name, reply.status, account.is_some(), &self.credentials.trouble()))
            }
            _ => Err(open::unexpected(shown, &reply)),
        }
    }

    /// Sends a message, for a question at a stop, to that or to its token server, until an answer comes that is one: any
    /// status but 429 and those of servers in trouble.
    async fn persist(&self, stop: &Stop, peer: &Peer, message: &Message) -> Result<Reply, Unanswered> {
        let _turn = peer.permits.acquire().await.ok();
        let mut tried = 1;
        loop {
            if let Some(closed) = peer.closed() {
                return Err(closed);
            }
            if let Some(resume) = peer.resume() {
                self.check_time(&peer.name, resume)?;
                sleep_until(resume).await;
            }
            self.check_time(&peer.name, Instant::now())?;
            let (why, is_down) = match self.exchange(peer, message).await {
                Ok(reply) if reply.status == 429 => {
                    peer.limited(&reply, &stop.address.name, knows(&stop.peer));
                    continue;
                }
                Ok(reply) if reply.status < 500 || reply.status == 501 => {
                    peer.answered(&reply);
                    return Ok(reply);
                }
                Ok(reply) => (open::failed(&peer.name, &reply), false),
                Err(fault @ (Fault::Unsent(_) | Fault::Lost(_))) => (open::fault(&peer.name, &fault), true),
                Err(fault) => {
                    let why = open::fault(&peer.name, &fault);
                    if matches!(fault, Fault::Untrusted(_) | Fault::Setup(_)) {
                        peer.close(&why);
                    }
                    return Err(why);
                }
            };
            peer.failed(&why, tried == TRIES, is_down);
            if tried == TRIES {
                return Err(why);
            }
            sleep(self.patience.back_off.saturating_mul(1 << tried.min(5)) / 2).await;
            tried += 1;
        }
    }

    /// Whether there is time until then.
    fn check_time(&self, host: &str, at: Instant) -> Result<(), Unanswered> {
        let total = self.patience.total;
        let deadline = self.deadline.get_or_init(|| Instant::now() + total);
        if at < *deadline { Ok(()) } else { Err(open::out_of_time(host, total)) }
    }

    /// Sends a message once; to this machine in whatever way it speaks.
    async fn exchange(&self, peer: &Peer, message: &Message) -> Result<Reply, Fault> {
        let mut message = message.clone();
        let mut send = async |encrypted: bool| {
            let scheme = if encrypted { "https" } else { "http" };
            message.url.set_scheme(scheme).map_err(|()| Fault::Setup("no address".to_owned()))?;
            self.wire.send(&message, &self.directory).await
        };
        if let Some(encrypted) = peer.encrypted.get() {
            return send(encrypted).await;
        }
        let plain = send(false).await;
        // A server behind TLS answers with 400, or breaks off.
        let may_be_tls = match &plain {
            Ok(reply) => reply.status == 400,
            Err(fault) => matches!(fault, Fault::Lost(_)),
        };
        if !may_be_tls {
            peer.encrypted.set(plain.is_ok().then_some(false));
            return plain;
        }
        let encrypted = send(true).await;
        let is_tls = matches!(encrypted, Ok(_) | Err(Fault::Untrusted(_)));
        if is_tls {
            peer.encrypted.set(Some(true));
        }
        if is_tls { encrypted } else { plain }
    }
}

/// Whether the user has an account at a host, as far as that was needed.
fn knows(peer: &Peer) -> bool {
    matches!(peer.account.get(), Some(Some(_)))
}

/// A token that is not taken any more.
fn forget(peer: &Peer, scope: &str) {
    peer.tokens.borrow_mut().remove(scope);
}

/// What goes with a question.
#[derive(Default)]
struct Proof {
    header: Option<HeaderValue>,
    is_token: bool,
    /// Whether it was made for this very question.
    is_fresh: bool,
}

impl Proof {
    fn token(token: &Token, is_fresh: bool) -> Self {
        Self { header: Some(token.header.clone()), is_token: true, is_fresh }
    }
}

/// Whether a scope asks for no more than reading.
fn is_pull(scope: &str) -> bool {
    scope.starts_with("repository:") && scope.ends_with(":pull") && !scope.contains(char::is_whitespace)
}

/// How long a client waits.
impl Default for Patience {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            limits: Duration::from_mins(1),
            total: Duration::from_mins(10),
            back_off: Duration::from_millis(500),
        }
    }
}

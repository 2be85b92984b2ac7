//! Who the user is at a registry: `registry-auth`, Docker's `config.json`, credential helpers.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::address::{DOCKER_HUB, key};
use super::helper;

/// Longest `config.json`, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// The name under which Docker keeps what it knows of Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// The user name that stands before an identity token.
pub(super) const TOKEN_USER: &str = "<token>";

/// What proves who asks. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credential {
    Password {
        user: String,
        password: String,
    },
    /// For the token server alone (OAuth 2 refresh token).
    Identity(String),
    /// For the registry itself.
    Bearer(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password(…)",
            Self::Identity(_) => "Identity(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

impl Credential {
    pub(super) fn password(user: &str, password: &str) -> Self {
        if user == TOKEN_USER {
            return Self::Identity(password.to_owned());
        }
        Self::Password { user: user.to_owned(), password: password.to_owned() }
    }
}

/// Everything that is known. What goes wrong with it never fails a question: the registry then says that it needs a
/// login, and the trouble is told with it.
pub(super) struct Credentials {
    env: BTreeMap<String, String>,
    /// From `registry-auth`; before Docker's.
    given: DockerConfig,
    docker: OnceCell<DockerConfig>,
    trouble: RefCell<Vec<String>>,
}

/// The part of Docker's `config.json` that is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct DockerConfig {
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    /// `user:password` in base64.
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl Credentials {
    /// Reads `registry-auth`; Docker's file is read when it is first needed.
    ///
    /// # Errors
    /// What is wrong with the text, without any of it.
    pub(super) fn new(env: &BTreeMap<String, String>, given: Option<&str>) -> Result<Self, String> {
        let given = given.map_or_else(|| Ok(DockerConfig::default()), registry_auth)?;
        Ok(Self { env: env.clone(), given, docker: OnceCell::new(), trouble: RefCell::default() })
    }

    /// What is known for a host, as references name it.
    pub(super) async fn of(&self, host: &str) -> Option<Credential> {
        if let Some(known) = self.look(&self.given, host).await {
            return Some(known);
        }
        let docker = self.docker.get_or_init(|| {
            self.read_docker_config().unwrap_or_else(|trouble| {
                self.trouble.borrow_mut().push(trouble);
                DockerConfig::default()
            })
        });
        self.look(docker, host).await
    }

    /// What went wrong until now: lower case, no full stop.
    pub(super) fn trouble(&self) -> Vec<String> {
        self.trouble.borrow().clone()
    }

    async fn look(&self, config: &DockerConfig, host: &str) -> Option<Credential> {
        let named = config.helpers.iter().find(|(name, _)| host_of(name) == host).map(|(_, helper)| helper.as_str());
        if let Some(helper) = named.filter(|helper| !helper.is_empty())
            && let Some(known) = self.help(helper, host).await
        {
            return Some(known);
        }
        if let Some(known) = config.auth(host) {
            return Some(known);
        }
        let store = config.store.as_deref().filter(|store| !store.is_empty() && named.is_none())?;
        self.help(store, host).await
    }

    /// What a helper knows. One that is missing or fails knows nothing.
    async fn help(&self, helper: &str, host: &str) -> Option<Credential> {
        let key = if host == DOCKER_HUB { DOCKER_HUB_KEY } else { host };
        match helper::get(helper, key, &self.env).await {
            Ok(known) => known,
            Err(trouble) => {
                self.trouble.borrow_mut().push(trouble);
                None
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the user's own file, not a manifest")]
    fn read_docker_config(&self) -> Result<DockerConfig, String> {
        let set = |name| self.env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = set("DOCKER_CONFIG").or_else(|| set("HOME").map(|home| home.join(".docker")));
        let Some(path) = folder.map(|folder| folder.join("config.json")) else { return Ok(DockerConfig::default()) };
        let unread = |why: &str| Err(format!("{} cannot be read ({why})", path.display()));
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(DockerConfig::default()),
            Err(error) => return unread(&error.to_string()),
            Ok(metadata) if metadata.len() > MAX_CONFIG => return unread("larger than 1 MiB"),
            Ok(_) => {}
        }
        match std::fs::read(&path) {
            Ok(bytes) => json(&bytes).or_else(|why| unread(&why)),
            Err(error) => unread(&error.to_string()),
        }
    }
}

impl DockerConfig {
    /// What stands in the file itself.
    fn auth(&self, host: &str) -> Option<Credential> {
        self.auths.iter().filter(|(name, _)| host_of(name) == host).find_map(|(_, entry)| entry.credential())
    }
}

impl Entry {
    fn credential(&self) -> Option<Credential> {
        if !self.identitytoken.is_empty() {
            return Some(Credential::Identity(self.identitytoken.clone()));
        }
        if !self.registrytoken.is_empty() {
            return Some(Credential::Bearer(self.registrytoken.clone()));
        }
        if !self.username.is_empty() && !self.password.is_empty() {
            return Some(Credential::password(&self.username, &self.password));
        }
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let decoded = GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(self.auth.trim()).ok()?;
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(Credential::password(user, password.trim_end_matches('\0')))
    }
}

/// Reads JSON without quoting any of it.
fn json(bytes: &[u8]) -> Result<DockerConfig, String> {
    serde_json::from_slice(bytes).map_err(|error| {
        format!("not the JSON of a Docker configuration, line {} column {}", error.line(), error.column())
    })
}

/// Reads `registry-auth`: the JSON of Docker's `config.json`, or lines `HOST USER PASSWORD`.
fn registry_auth(text: &str) -> Result<DockerConfig, String> {
    if text.trim_start().starts_with('{') {
        return json(text.as_bytes());
    }
    let mut config = DockerConfig::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((host, user, password)) = words(line) else {
            return Err(format!("line {} is not `HOST USER PASSWORD`", number + 1));
        };
        let entry = Entry { username: user.to_owned(), password: password.to_owned(), ..Entry::default() };
        if config.auths.insert(key(host), entry).is_some() {
            return Err(format!("line {} names a host a second time", number + 1));
        }
    }
    Ok(config)
}

/// Two words and the rest of a line, which may have white space in it.
fn words(line: &str) -> Option<(&str, &str, &str)> {
    let (host, rest) = line.split_once(char::is_whitespace)?;
    let (user, password) = rest.trim_start().split_once(char::is_whitespace)?;
    Some((host, user, password.trim_start()))
}

/// The host that a key of Docker's file stands for: `https://index.docker.io/v1/` is Docker Hub.
fn host_of(name: &str) -> String {
    let bare = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
    key(bare.split('/').next().unwrap_or(bare))
}

#[cfg(test)]
mod tests;

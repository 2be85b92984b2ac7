//! What a registry demands before it answers, and the tokens that satisfy it (distribution, token authentication).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::time::Instant;

use super::challenge::{self, Challenge};
use super::credentials::Credential;
use super::wire::Reply;

/// How long a token lives whose answer does not say.
const DEFAULT_LIFE: Duration = Duration::from_mins(1);

/// How long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(5);

/// Longest answer of a token server, in bytes.
pub(super) const MAX_ANSWER: usize = 256 << 10;

/// The name by which this program introduces itself to token servers.
const CLIENT: &str = "digest-gate";

/// What must go with every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

/// What an answer of status 401 demands.
pub(super) struct Challenged {
    pub(super) demand: Option<Demand>,
    /// The scope it names.
    pub(super) scope: Option<String>,
}

impl Challenged {
    pub(super) fn of(reply: &Reply) -> Self {
        let headers = reply.headers.get_all("www-authenticate").iter();
        let challenges: Vec<_> = headers.filter_map(|value| value.to_str().ok()).flat_map(challenge::parse).collect();
        let named = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let owned = |challenge: &Challenge, name| challenge.parameter(name).map(str::to_owned);
        let bearer = named("bearer").and_then(|it| {
            Some((Demand::Bearer { realm: owned(it, "realm")?, service: owned(it, "service") }, owned(it, "scope")))
        });
        match bearer {
            Some((demand, scope)) => Self { demand: Some(demand), scope },
            None => Self { demand: named("basic").map(|_| Demand::Basic), scope: None },
        }
    }
}

/// A token and how long it is good for.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// For the header `Authorization`; marked as secret.
    pub(super) header: HeaderValue,
    until: Instant,
}

impl Token {
    pub(super) fn is_good(&self) -> bool {
        self.until > Instant::now()
    }

    /// The token of a token server's answer.
    pub(super) fn read(reply: &Reply) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
            expires_in: Option<u64>,
        }
        let answer: Answer = serde_json::from_slice(&reply.body).ok()?;
        let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty())?;
        let life = answer.expires_in.filter(|life| *life > 0).map_or(DEFAULT_LIFE, Duration::from_secs);
        // A clock of the registry that goes a little ahead does no harm; a token of a second is still used once.
        let life = life.min(Duration::from_hours(24));
        let until = Instant::now().checked_add(life.saturating_sub(MARGIN.min(life / 2)))?;
        Some(Self { header: secret(&format!("Bearer {token}"))?, until })
    }
}

/// The value of a header that no log shows.
pub(super) fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The header of a user name and a password (RFC 7617).
pub(super) fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    secret(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

/// How a token is asked for: address, header and form.
pub(super) struct Errand {
    pub(super) url: Url,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) form: Option<String>,
}

impl Errand {
    /// By GET, with the password if there is one; by POST, with an identity token.
    pub(super) fn new(realm: &Url, service: Option<&str>, scope: &str, account: Option<&Credential>) -> Self {
        let mut url = realm.clone();
        url.set_fragment(None);
        if let Some(Credential::Identity(token)) = account {
            return Self { form: form(&url, service, scope, token), url, authorization: None };
        }
        url.query_pairs_mut().extend_pairs(service.map(|service| ("service", service))).append_pair("scope", scope);
        let authorization = match account {
            Some(Credential::Password { user, password }) => basic(user, password),
            _ => None,
        };
        Self { url, authorization, form: None }
    }
}

/// The form of OAuth 2 for a refresh token (RFC 6749, section 6).
fn form(url: &Url, service: Option<&str>, scope: &str, token: &str) -> Option<String> {
    let mut form = url.clone();
    form.set_query(None);
    form.query_pairs_mut()
        .append_pair("grant_type", "refresh_token")
        .extend_pairs(service.map(|service| ("service", service)))
        .append_pair("client_id", CLIENT)
        .append_pair("scope", scope)
        .append_pair("refresh_token", token);
    form.query().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName};

    use super::*;

    fn reply(body: &str, challenges: &[&str]) -> Reply {
        let mut headers = HeaderMap::new();
        for challenge in challenges {
            headers.append(HeaderName::from_static("www-authenticate"), HeaderValue::from_str(challenge).unwrap());
        }
        Reply { status: 401, headers, body: body.as_bytes().to_vec(), redirected: None }
    }

    #[test]
    fn a_token_is_preferred_to_a_password() {
        let demand = |challenges: &[&str]| Challenged::of(&reply("", challenges)).demand;
        let bearer = Demand::Bearer { realm: "https://t.test/".to_owned(), service: None };
        assert_eq!(demand(&["Basic realm=x", r#"Bearer realm="https://t.test/""#]), Some(bearer.clone()));
        assert_eq!(demand(&[r#"Bearer realm="https://t.test/", Basic realm=x"#]), Some(bearer));
        assert_eq!(demand(&["Bearer service=x, Basic"]), Some(Demand::Basic));
        assert_eq!(demand(&["Negotiate"]), None);
        assert_eq!(demand(&[]), None);
    }

    #[tokio::test]
    async fn tokens_have_an_end_and_are_not_shown() {
        let read = |body: &str| Token::read(&reply(body, &[]));
        let token = read(r#"{"token":"abc","expires_in":300}"#).unwrap();
        assert!(token.is_good());
        assert_eq!(token.header, "Bearer abc");
        assert!(!format!("{token:?}").contains("abc"), "{token:?}");
        assert!(read(r#"{"access_token":"abc","expires_in":18446744073709551615}"#).unwrap().is_good());
        assert!(read(r#"{"token":"abc","expires_in":1}"#).unwrap().is_good());
        for body in ["", "{}", r#"{"token":""}"#, r#"{"token":1}"#, r#"{"token":"a\nb"}"#, "<html>"] {
            assert!(read(body).is_none(), "{body}");
        }
    }

    #[test]
    fn a_token_is_asked_for_by_get_or_with_an_identity_token_by_post() {
        let realm = Url::parse("https://t.test/token?a=b").unwrap();
        let scope = "repository:library/nginx:pull";
        let anonymous = Errand::new(&realm, Some("registry & co"), scope, None);
        assert_eq!(
            anonymous.url.as_str(),
            "https://t.test/token?a=b&service=registry+%26+co&scope=repository%3Alibrary%2Fnginx%3Apull"
        );
        assert!(anonymous.authorization.is_none() && anonymous.form.is_none());
        let known = Errand::new(&realm, None, scope, Some(&Credential::password("u", "p")));
        assert_eq!(known.authorization.unwrap(), "Basic dTpw");
        let identity = Errand::new(&realm, Some("s"), scope, Some(&Credential::Identity("a&b".to_owned())));
        assert_eq!(identity.url.as_str(), "https://t.test/token?a=b");
        assert_eq!(
            identity.form.unwrap(),
            "grant_type=refresh_token&service=s&client_id=digest-gate&scope=repository%3Alibrary%2Fnginx%3Apull\
             &refresh_token=a%26b"
        );
    }
}

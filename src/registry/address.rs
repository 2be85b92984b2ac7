//! Where a registry is asked: docker.io's three names, mirrors, encryption, and which hosts a request may go on to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use reqwest::Url;

use crate::policy::RegistryHost;

/// The name of Docker Hub in references.
pub(super) const DOCKER_HUB: &str = "docker.io";

/// The host that answers for Docker Hub.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// One place where a registry's repositories are asked: the registry itself, or a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// For people, and the key of its credentials: `docker.io`, `localhost:5000`.
    pub(super) name: String,
    /// The host that is asked, with its port.
    pub(super) authority: String,
    /// Goes before the repository, with its slash: `hub-proxy/`.
    pub(super) prefix: String,
    pub(super) encryption: Encryption,
}

/// Whether a host is asked over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    Always,
    /// As configured (`plain-http: true`).
    Never,
    /// On this machine either will do: whatever it speaks.
    Either,
}

/// The configured hosts, and what follows from them.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    mirrors: BTreeMap<String, Vec<String>>,
    plain: BTreeSet<String>,
}

impl Directory {
    pub(super) fn new(hosts: &BTreeMap<String, RegistryHost>) -> Self {
        let plain = hosts.iter().filter(|(_, host)| host.plain_http).map(|(name, _)| key(name)).collect();
        let mirrors = hosts.iter().map(|(name, host)| (key(name), host.mirrors.clone())).collect();
        Self { mirrors, plain }
    }

    /// Where a registry is asked, in order; the last one is the registry itself.
    pub(super) fn route(&self, registry: &str) -> Vec<Address> {
        let mirrors = self.mirrors.get(&key(registry)).into_iter().flatten();
        let mut route: Vec<_> = mirrors.map(|mirror| self.address(mirror)).collect();
        route.push(self.address(registry));
        route
    }

    /// The address of `host` or `host/path`.
    fn address(&self, text: &str) -> Address {
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        let name = key(host);
        let authority = if name == DOCKER_HUB { DOCKER_HUB_API.to_owned() } else { name.clone() };
        let path = path.trim_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let encryption = match () {
            () if self.plain.contains(&name) => Encryption::Never,
            () if base("http", &authority).is_some_and(|url| is_loopback(&url)) => Encryption::Either,
            () => Encryption::Always,
        };
        Address { name, authority, prefix, encryption }
    }

    /// Whether a request to `from` may go on to `to`: encrypted or on this machine, and from elsewhere never to this
    /// machine; without encryption only where that is configured, or on the same host as before.
    pub(super) fn may_go(&self, from: &Url, to: &Url) -> bool {
        if !to.username().is_empty() || to.password().is_some() {
            return false;
        }
        if from.origin() == to.origin() {
            return true;
        }
        if is_loopback(to) {
            return is_loopback(from) && matches!(to.scheme(), "http" | "https");
        }
        match to.scheme() {
            "https" => true,
            "http" => authority(to).is_some_and(|host| self.plain.contains(&host)),
            _ => false,
        }
    }
}

/// A host as it is compared: in lower case, and one name for Docker Hub.
pub(super) fn key(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.as_str() {
        "index.docker.io" | DOCKER_HUB_API => DOCKER_HUB.to_owned(),
        _ => host,
    }
}

/// `scheme://host/`, if that is a host and nothing more.
pub(super) fn base(scheme: &str, authority: &str) -> Option<Url> {
    let url = Url::parse(&format!("{scheme}://{authority}/")).ok()?;
    let is_bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    is_bare.then_some(url)
}

/// The host and its port, if one is written.
fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(key(&url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))))
}

/// Whether it is this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let host = |mirrors: &[&str], plain_http| RegistryHost {
            mirrors: mirrors.iter().map(|&mirror| mirror.to_owned()).collect(),
            plain_http,
        };
        Directory::new(&BTreeMap::from([
            ("docker.io".to_owned(), host(&["mirror.test/hub", "plain.test:5000"], false)),
            ("plain.test:5000".to_owned(), host(&[], true)),
        ]))
    }

    fn route(registry: &str) -> Vec<String> {
        let line = |at: Address| format!("{} {}/{} {:?}", at.name, at.authority, at.prefix, at.encryption);
        directory().route(registry).into_iter().map(line).collect()
    }

    #[test]
    fn docker_hub_is_asked_at_its_own_host_after_its_mirrors() {
        let expected = [
            "mirror.test mirror.test/hub/ Always",
            "plain.test:5000 plain.test:5000/ Never",
            "docker.io registry-1.docker.io/ Always",
        ];
        for name in ["docker.io", "index.docker.io", "registry-1.docker.io"] {
            assert_eq!(route(name), expected);
        }
    }

    #[test]
    fn only_this_machine_is_asked_without_encryption_unasked() {
        assert_eq!(route("GHCR.io"), ["ghcr.io ghcr.io/ Always"]);
        for name in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.8.8.8", "[::1]:5000", "registry.localhost"] {
            assert_eq!(route(name), [format!("{name} {name}/ Either")]);
        }
        for name in ["localhost.test", "10.0.0.1:5000", "registry", "[fe80::1]:5000", "127.0.0.1.test", "xlocalhost"] {
            assert_eq!(route(name), [format!("{name} {name}/ Always")]);
        }
    }

    #[test]
    fn a_request_goes_on_to_encrypted_hosts_and_from_this_machine_to_this_machine() {
        let may = |from: &str, to: &str| directory().may_go(&Url::parse(from).unwrap(), &Url::parse(to).unwrap());
        assert!(may("https://a.test/x", "https://b.test/y?z"));
        assert!(may("http://plain.test:5000/x", "http://plain.test:5000/y"));
        assert!(may("https://a.test/x", "http://plain.test:5000/y"));
        assert!(may("http://127.0.0.1:1/x", "http://localhost:2/y"));
        assert!(may("http://127.0.0.1:1/x", "https://b.test/y"));
        for (from, to) in [
            ("https://a.test/x", "http://a.test/x"),
            ("https://a.test/x", "http://169.254.169.254/latest"),
            ("https://a.test/x", "http://127.0.0.1/x"),
            ("https://a.test/x", "https://localhost/x"),
            ("https://a.test/x", "https://user:word@b.test/x"),
            ("https://a.test/x", "file:///etc/passwd"),
            ("http://plain.test:5000/x", "http://plain.test/y"),
        ] {
            assert!(!may(from, to), "{from} {to}");
        }
    }

    #[test]
    fn a_host_is_a_host_and_nothing_more() {
        assert!(base("https", "ghcr.io:5000").is_some());
        for text in ["a@b", "a/b", "a?b", "a#b", "", "a b", "a:b:c"] {
            assert!(base("https", text).is_none(), "{text}");
        }
    }
}

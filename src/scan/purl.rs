//! Package URLs, as far as reports and VEX documents need them: which package, and which image's digest.
//!
//! Source: the purl specification and its type `oci`, whose version is the digest of the artifact.

use crate::reference::Reference;

/// A package, without where it was got from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    /// `deb`, `npm`; none where only a name is known.
    pub(super) kind: Option<String>,
    /// With its namespace: `debian/openssl`.
    pub(super) name: String,
    pub(super) version: Option<String>,
}

impl Package {
    /// Reads a package URL: `pkg:type/namespace/name@version?qualifiers#subpath`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("pkg:")?.trim_start_matches('/');
        let rest = rest.split(['?', '#']).next()?;
        let (kind, path) = rest.split_once('/')?;
        let (name, version) = match path.rsplit_once('@') {
            Some((name, version)) => (name, Some(decode(version))),
            None => (path, None),
        };
        let name = decode(name.trim_matches('/'));
        if kind.is_empty() || name.is_empty() {
            return None;
        }
        Some(Self { kind: Some(kind.to_ascii_lowercase()), name, version: version.filter(|it| !it.is_empty()) })
    }

    /// A package of which only name and version are known.
    pub(super) fn named(name: &str, version: Option<&str>) -> Self {
        Self { kind: None, name: name.to_owned(), version: version.map(str::to_owned) }
    }

    /// The digest, where it is an image by its digest.
    pub(super) fn digest(&self) -> Option<&str> {
        let kind = self.kind.as_deref()?;
        self.version.as_deref().filter(|version| matches!(kind, "oci" | "docker") && is_digest(version))
    }

    /// Whether it is an image, by its digest or not.
    pub(super) fn is_image(&self) -> bool {
        matches!(self.kind.as_deref(), Some("oci" | "docker"))
    }

    /// Whether a statement about this package is about `other`: what it leaves open may be anything.
    pub(super) fn takes(&self, other: &Self) -> bool {
        let same_kind = match (&self.kind, &other.kind) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let same_name = match (&self.kind, &other.kind) {
            (Some(_), Some(_)) => self.name == other.name,
            _ => self.name == other.name || last(&self.name) == last(&other.name),
        };
        let same_version = self.version.is_none() || self.version == other.version;
        same_kind && same_name && same_version
    }

    /// For people: `openssl 3.0.1`.
    pub(super) fn shown(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Whether a text is a digest of a registered algorithm in exact form.
pub(super) fn is_digest(text: &str) -> bool {
    Reference::parse(&format!("a@{text}")).is_ok_and(|reference| reference.digest() == Some(text))
}

/// The digest of a reference: `ghcr.io/org/app@sha256:…`.
pub(super) fn digest_of(reference: &str) -> Option<String> {
    Reference::parse(reference).ok()?.digest().map(str::to_owned)
}

/// A foreign text, short enough for a message.
pub(super) fn short(text: &str) -> &str {
    text.char_indices().nth(120).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// Takes percent-encoding away; what is no UTF-8 then stays as it was.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match (byte, hex(ahead.next()), hex(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

//! Image references: the grammar of `distribution/reference`, with the byte range of each part.
//!
//! Source: <https://github.com/distribution/reference> (`reference.go`, `regexp.go`, `normalize.go`),
//! and the OCI image-spec for the registered digest algorithms.

use std::ops::Range;

/// Longest `domain/path` and longest tag, in bytes (distribution: `NameTotalLengthMax`, `TagRegexp`).
const MAX_PATH: usize = 255;
const MAX_TAG: usize = 128;

/// A reference that follows the grammar: `[domain/]path[:tag][@digest]`.
///
/// The text is kept as it was written; the expanded forms are given by [`Reference::registry`] and
/// [`Reference::repository`] and are never written back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    text: String,
    domain: Option<Range<usize>>,
    path: Range<usize>,
    tag: Option<Range<usize>>,
    digest: Option<Range<usize>>,
}

/// Why a text is not a reference, or its digest proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("the image is empty")]
    Empty,
    #[error("an image reference has no white space")]
    Space,
    #[error("an image reference has no scheme: leave `{0}` away")]
    Scheme(String),
    #[error("the repository has upper-case letters: only the registry's host name may")]
    UpperCase,
    #[error("`{0}` is not a repository name: lower-case letters and digits, parted by `.`, `_`, `__`, `-` or `/`")]
    Name(String),
    #[error("the repository name has {0} characters: at most 255 are allowed")]
    LongName(usize),
    #[error("64 hexadecimal digits alone name no image: write `repository@sha256:…`")]
    BareIdentifier,
    #[error("`{0}` is not a tag: letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`")]
    Tag(String),
    #[error("the tag has {0} characters: at most 128 are allowed")]
    LongTag(usize),
    #[error("there are two digests: only one can be deployed")]
    TwoDigests,
    #[error("the digest is empty: write `@sha256:` and 64 hexadecimal digits")]
    EmptyDigest,
    #[error("`{0}` is not a registered digest algorithm: use sha256")]
    Algorithm(String),
    #[error("a {algorithm} digest has {expected} hexadecimal digits, this one has {found}")]
    DigestLength { algorithm: &'static str, expected: usize, found: usize },
    #[error("the digest has upper-case letters: it is written in lower-case hexadecimal")]
    UpperCaseDigest,
    #[error("the digest has characters that are not hexadecimal")]
    NotHexadecimal,
}

/// The parts of a reference that is pinned or not, all as they stand in the text.
impl Reference {
    /// Reads a reference exactly as the container runtimes do.
    ///
    /// # Errors
    /// The first way in which the text departs from the grammar.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if text.contains(char::is_whitespace) {
            return Err(ReferenceError::Space);
        }
        if let Some(at) = text.find("://") {
            return Err(ReferenceError::Scheme(text.get(..at + 3).unwrap_or_default().to_owned()));
        }
        let (name_and_tag, digest) = match text.find('@') {
            Some(at) => {
                check_digest(text.get(at + 1..).unwrap_or_default())?;
                (text.get(..at).unwrap_or_default(), Some(at + 1..text.len()))
            }
            None => (text, None),
        };
        let (name, tag) = split_tag(name_and_tag);
        if let Some(tag) = &tag {
            check_tag(name_and_tag.get(tag.clone()).unwrap_or_default())?;
        }
        let domain = domain_of(name);
        let path_start = domain.as_ref().map_or(0, |domain| domain.end + 1);
        let path = name.get(path_start..).unwrap_or_default();
        check_path(path, name)?;
        if is_lower_hex(name) && name.len() == 64 && domain.is_none() {
            return Err(ReferenceError::BareIdentifier);
        }
        let path = path_start..name.len();
        Ok(Self { text: text.to_owned(), domain, path, tag, digest })
    }

    /// The reference as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn part(&self, range: Option<&Range<usize>>) -> Option<&str> {
        self.text.get(range?.clone())
    }

    /// The domain as written, absent in `nginx` and `library/nginx`.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.part(self.domain.as_ref())
    }

    /// The path as written, without domain, tag and digest.
    #[must_use]
    pub fn path(&self) -> &str {
        self.part(Some(&self.path)).unwrap_or_default()
    }

    /// `domain/path` as written, without tag and digest.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.get(..self.path.end).unwrap_or_default()
    }

    /// The tag as written.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.part(self.tag.as_ref())
    }

    /// The digest as written, `algorithm:hex`; always of a registered algorithm in exact form.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.part(self.digest.as_ref())
    }

    /// Byte range of the digest (`algorithm:hex`) in the text.
    #[must_use]
    pub fn digest_range(&self) -> Option<Range<usize>> {
        self.digest.clone()
    }

    /// Whether the reference names exact bytes.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.digest.is_some()
    }

    /// The registry that is asked, `docker.io` where none is written.
    #[must_use]
    pub fn registry(&self) -> &str {
        match self.domain() {
            None | Some("index.docker.io") => "docker.io",
            Some(domain) => domain,
        }
    }

    /// The repository in that registry, with Docker Hub's `library/` where it is left away.
    #[must_use]
    pub fn repository(&self) -> String {
        let path = self.path();
        if self.registry() == "docker.io" && !path.contains('/') { format!("library/{path}") } else { path.to_owned() }
    }
}

/// Whether a text *ends in* a well-formed digest: what "pinned as written" means for text with variables in it.
#[must_use]
pub fn ends_in_digest(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, digest)| !name.is_empty() && check_digest(digest).is_ok())
}

/// Splits `name[:tag]`: a tag follows the last `:` that has no `/` and no `]` (IPv6) behind it.
fn split_tag(text: &str) -> (&str, Option<Range<usize>>) {
    match text.rfind(':') {
        Some(at) if !text.get(at..).unwrap_or_default().contains(['/', ']']) => {
            (text.get(..at).unwrap_or_default(), Some(at + 1..text.len()))
        }
        _ => (text, None),
    }
}

/// The first part is a domain when it could be no path: a dot, a port, `localhost`, upper case or IPv6 brackets
/// (distribution `splitDockerDomain`).
fn domain_of(name: &str) -> Option<Range<usize>> {
    let slash = name.find('/')?;
    let first = name.get(..slash)?;
    let looks_like_domain =
        first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|b| b.is_ascii_uppercase());
    (looks_like_domain && is_domain(first)).then_some(0..slash)
}

/// `host[:port]` of the grammar: dotted names of letters, digits and inner hyphens, or an IPv6 address in brackets.
fn is_domain(text: &str) -> bool {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((address, rest)) = rest.split_once(']') else { return false };
        if address.is_empty() || !address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
            return false;
        }
        let Some(port) = rest.strip_prefix(':') else { return rest.is_empty() };
        return is_port(port);
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    host.split('.').all(is_domain_label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_domain_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn check_path(path: &str, name: &str) -> Result<(), ReferenceError> {
    if path.is_empty() || !path.split('/').all(is_path_component) {
        let lower = path.to_ascii_lowercase();
        let only_case = lower != path && !lower.is_empty() && lower.split('/').all(is_path_component);
        return Err(if only_case { ReferenceError::UpperCase } else { ReferenceError::Name(name.to_owned()) });
    }
    if path.len() > MAX_PATH {
        return Err(ReferenceError::LongName(path.len()));
    }
    Ok(())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(text: &str) -> bool {
    let bytes = text.as_bytes();
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if !bytes.first().is_some_and(alphanumeric) || !bytes.last().is_some_and(alphanumeric) {
        return false;
    }
    bytes
        .split(alphanumeric)
        .all(|separator| matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|&b| b == b'-'))
}

fn check_tag(tag: &str) -> Result<(), ReferenceError> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let well_formed = tag.bytes().next().is_some_and(word) && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'));
    if !well_formed {
        return Err(ReferenceError::Tag(tag.to_owned()));
    }
    if tag.len() > MAX_TAG {
        return Err(ReferenceError::LongTag(tag.len()));
    }
    Ok(())
}

/// The digest algorithms the OCI image-spec registers, with their length in hexadecimal digits.
const ALGORITHMS: [(&str, usize); 2] = [("sha256", 64), ("sha512", 128)];

/// Checks `algorithm:hex` to the letter: nothing short, long, upper-case or of another algorithm proves any bytes.
///
/// # Errors
/// What is wrong with it.
pub fn check_digest(digest: &str) -> Result<(), ReferenceError> {
    if digest.is_empty() {
        return Err(ReferenceError::EmptyDigest);
    }
    if digest.contains('@') {
        return Err(ReferenceError::TwoDigests);
    }
    let (name, hex) = digest.split_once(':').unwrap_or((digest, ""));
    let Some(&(algorithm, expected)) = ALGORITHMS.iter().find(|(algorithm, _)| *algorithm == name) else {
        return Err(ReferenceError::Algorithm(name.to_owned()));
    };
    if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ReferenceError::NotHexadecimal);
    }
    if hex.len() != expected {
        return Err(ReferenceError::DigestLength { algorithm, expected, found: hex.len() });
    }
    if !is_lower_hex(hex) {
        return Err(ReferenceError::UpperCaseDigest);
    }
    Ok(())
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn parts(text: &str) -> (Option<String>, String, Option<String>, Option<String>) {
        let r = Reference::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(r.as_str(), text);
        (r.domain().map(str::to_owned), r.path().to_owned(), r.tag().map(str::to_owned), r.digest().map(str::to_owned))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands for the expected `Option`")]
    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn parts_stand_where_the_grammar_says() {
        assert_eq!(parts("nginx"), (None, "nginx".into(), None, None));
        assert_eq!(parts("nginx:1.27"), (None, "nginx".into(), some("1.27"), None));
        assert_eq!(parts("localhost/x"), (some("localhost"), "x".into(), None, None));
        assert_eq!(parts("localhost:5000/x"), (some("localhost:5000"), "x".into(), None, None));
        assert_eq!(parts("localhost:5000"), (None, "localhost".into(), some("5000"), None));
        assert_eq!(parts("[::1]:5000/x:1"), (some("[::1]:5000"), "x".into(), some("1"), None));
        assert_eq!(parts("[fe80::1]/x"), (some("[fe80::1]"), "x".into(), None, None));
        assert_eq!(parts("Registry/x:1"), (some("Registry"), "x".into(), some("1"), None));
        assert_eq!(parts("EXAMPLE.com/a/b"), (some("EXAMPLE.com"), "a/b".into(), None, None));
        assert_eq!(parts("org/app"), (None, "org/app".into(), None, None));
        assert_eq!(parts("a__b/c---d/e.f_g"), (None, "a__b/c---d/e.f_g".into(), None, None));
        let digest = format!("sha256:{HEX}");
        assert_eq!(parts(&format!("r.io/a:1@{digest}")), (some("r.io"), "a".into(), some("1"), Some(digest.clone())));
        assert!(Reference::parse(&format!("a@sha512:{HEX}{HEX}")).is_ok_and(|r| r.is_pinned()));
    }

    #[test]
    fn docker_hub_is_one_registry_whatever_it_is_called() {
        for text in ["nginx", "docker.io/nginx", "index.docker.io/library/nginx", "library/nginx"] {
            let r = Reference::parse(text).unwrap();
            assert_eq!((r.registry(), r.repository().as_str()), ("docker.io", "library/nginx"), "{text}");
        }
        let r = Reference::parse("ghcr.io/nginx").unwrap();
        assert_eq!((r.registry(), r.repository().as_str()), ("ghcr.io", "nginx"));
    }

    #[test]
    fn malformed_is_never_a_reference() {
        use ReferenceError as E;
        let error = |text: &str| Reference::parse(text).expect_err(text);
        assert_eq!(error(""), E::Empty);
        assert_eq!(error("a b"), E::Space);
        assert_eq!(error("https://r.io/a"), E::Scheme("https://".into()));
        assert_eq!(error("Nginx"), E::UpperCase);
        assert_eq!(error("r.io/App:1"), E::UpperCase);
        for name in
            ["a/", "/a", "a//b", "-a", "a-", "a___b", "a..b", "a._b", "é", "_", "a/_b", "[x]/a", "[::1/a", "a:80/"]
        {
            assert!(matches!(error(name), E::Name(_)), "{name}: {:?}", error(name));
        }
        assert!(matches!(error("a_b.example.com:80/x"), E::Name(_)), "an underscore is in no domain");
        assert_eq!(error(&format!("a/{}", "b".repeat(254))), E::LongName(256));
        assert!(Reference::parse(&format!("r.io/{}", "b".repeat(255))).is_ok());
        for tag in ["a:", "a:-1", "a:.1", "a:é", "a:1+2", "a:${X}"] {
            assert!(matches!(error(tag), E::Tag(_)), "{tag}");
        }
        assert_eq!(error(&format!("a:{}", "x".repeat(129))), E::LongTag(129));
        assert!(Reference::parse(&format!("a:{}", "x".repeat(128))).is_ok());
        assert_eq!(error(HEX), E::BareIdentifier);
    }

    #[test]
    fn a_digest_is_exact_or_proves_nothing() {
        use ReferenceError as E;
        let error = |digest: &str| Reference::parse(&format!("a:1@{digest}")).expect_err(digest);
        assert_eq!(error(""), E::EmptyDigest);
        assert_eq!(error("sha256:abc"), E::DigestLength { algorithm: "sha256", expected: 64, found: 3 });
        assert_eq!(error(&format!("sha256:{HEX}0")), E::DigestLength { algorithm: "sha256", expected: 64, found: 65 });
        assert_eq!(error(&format!("sha512:{HEX}")), E::DigestLength { algorithm: "sha512", expected: 128, found: 64 });
        assert_eq!(error(&format!("sha256:{}", HEX.to_uppercase())), E::UpperCaseDigest);
        assert_eq!(error(&format!("SHA256:{HEX}")), E::Algorithm("SHA256".into()));
        assert_eq!(error(&format!("sha999:{HEX}")), E::Algorithm("sha999".into()));
        assert_eq!(error(HEX), E::Algorithm(HEX.into()));
        assert_eq!(error(&format!("sha256:{HEX}@sha256:{HEX}")), E::TwoDigests);
        assert_eq!(error(&format!("sha256:{}g", &HEX[1..])), E::NotHexadecimal);
    }

    #[test]
    fn text_with_variables_can_end_in_a_digest() {
        assert!(ends_in_digest(&format!("${{REG}}/a:${{TAG}}@sha256:{HEX}")));
        assert!(!ends_in_digest(&format!("${{IMG:-a@sha256:{HEX}}}")));
        assert!(!ends_in_digest("a@${D}"));
        assert!(!ends_in_digest(&format!("@sha256:{HEX}")));
    }
}

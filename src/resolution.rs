//! What a registry answers, as plain data: three states that are never mixed up, digests, platforms, dates.

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;

/// What is asked about: an object of a repository in a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked {
    /// The registry as references name it: `docker.io`, `ghcr.io`, `localhost:5000`.
    pub registry: String,
    /// The repository in full: `library/nginx`.
    pub repository: String,
    pub object: Object,
}

/// How a manifest is named in its repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    Tag(String),
    /// `algorithm:hex`, well-formed.
    Digest(String),
}

impl Object {
    /// The text that stands for it in a request.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Digest(text) => text,
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            Object::Tag(tag) => write!(f, "{}/{}:{tag}", self.registry, self.repository),
            Object::Digest(digest) => write!(f, "{}/{}@{digest}", self.registry, self.repository),
        }
    }
}

/// An answer of a registry. That something is not there is an answer; that nobody answered is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    Found(T),
    /// The registry answered that it has no such thing.
    Missing,
    /// The question is open: never to be taken for good or for bad.
    Unanswered(Unanswered),
}

/// Why a question stayed open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// What happened, with the host: lower case, no full stop.
    pub reason: String,
    /// The way out: lower case, no full stop.
    pub help: String,
}

impl<T> Answer<T> {
    /// What was found.
    #[must_use]
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Missing | Self::Unanswered(_) => None,
        }
    }
}

/// What a registry serves under a name, as far as a HEAD request tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Well-formed; of a body that was read, its own.
    pub digest: String,
    /// As the registry gives it.
    pub media_type: String,
}

/// A manifest that was read and whose digest was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub digest: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// What stands behind a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub digest: String,
    pub media_type: String,
    pub content: Content,
    /// When it was created: of an index the newest of its images. Absent where the image does not say.
    pub created: Option<Timestamp>,
}

impl Description {
    /// Whether it is an index that has the image of this digest.
    #[must_use]
    pub fn has(&self, digest: &str) -> bool {
        matches!(&self.content, Content::Index(entries) if entries.iter().any(|(_, entry)| entry == digest))
    }
}

/// The kinds of things that a registry keeps under a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Images of several platforms, without the attestations that `BuildKit` stores beside them.
    Index(Vec<(Platform, String)>),
    /// One image.
    Image(Platform),
    /// Nothing that can be run: an attestation, a signature, a chart. What it is, for people.
    Artifact(String),
}

/// For which machine an image is (OCI image-spec, `platform`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    pub variant: Option<String>,
    pub os_version: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = &self.variant {
            write!(f, "/{variant}")?;
        }
        Ok(())
    }
}

/// A descriptor of an artifact that refers to an image (OCI distribution-spec, referrers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    pub digest: String,
    pub media_type: String,
    pub artifact_type: Option<String>,
    pub annotations: Vec<(String, String)>,
}

/// How long the digest of an image has been what it is, by git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    pub days: i64,
    /// The day, in UTC, on which the branch got it.
    pub since: Date,
    /// It may be older: git was not read, or does not reach, further back.
    pub is_at_least: bool,
}

/// Who answers for the registries; the answers stand in the order of the questions.
pub trait Answers {
    /// What the names serve now.
    fn served(&self, asked: &[Asked]) -> Vec<Answer<Served>>;
    /// What stands behind the names.
    fn describe(&self, asked: &[Asked]) -> Vec<Answer<Description>>;
}

/// Who reads what is stored beside images: manifests whole, what refers to them, blobs. The answers stand in the order of
/// the questions.
pub trait Artifacts {
    /// The manifests under names, each checked against its digest.
    fn manifests(&self, asked: &[Asked]) -> Vec<Answer<Manifest>>;
    /// What refers to digests: by the referrers API, and by the tag `algorithm-hex` where a registry has none. An image
    /// to which nothing refers has an empty list.
    fn referrers(&self, asked: &[Asked]) -> Vec<Answer<Vec<Referrer>>>;
    /// Blobs by their digests, each checked against it; at most `limit` bytes each, more is unanswered.
    fn blobs(&self, asked: &[Asked], limit: usize) -> Vec<Answer<Vec<u8>>>;
}

/// Who does both.
pub trait Registry: Answers + Artifacts {}

impl<T: Answers + Artifacts> Registry for T {}
/// How grave a vulnerability is, in the words that scanners share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    Low,
    Medium,
    High,
    Critical,
}

impl Grade {
    /// All grades by their words, the gravest first.
    pub const ALL: [(&'static str, Self); 4] =
        [("critical", Self::Critical), ("high", Self::High), ("medium", Self::Medium), ("low", Self::Low)];

    /// The word of the grade.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, grade)| *grade == self).map_or("low", |(word, _)| word)
    }
}

/// Something that a scanner found in an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vulnerability {
    /// None where nobody graded it yet.
    pub grade: Option<Grade>,
    /// `CVE-…`, or what else the scanner calls it by.
    pub id: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// The package with its version, or the file: `openssl 3.0.1`.
    pub part: String,
    pub fix: Fix,
}

/// Where a vulnerability is mended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fix {
    /// In these versions.
    In(String),
    /// The scanner says that there is no fix.
    Nowhere,
    /// The report does not say.
    Unknown,
}

/// What the scan reports of one image say, without what VEX documents take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The lowest grade that counts.
    pub gate: Grade,
    /// What has this grade or a graver one, and what has none yet; the gravest first, what has none last.
    pub found: Vec<Vulnerability>,
}

impl Scanned {
    /// What is known to count.
    pub fn graded(&self) -> impl Iterator<Item = &Vulnerability> {
        self.found.iter().filter(|it| it.grade.is_some())
    }

    /// What may count: nobody graded it yet.
    pub fn ungraded(&self) -> impl Iterator<Item = &Vulnerability> {
        self.found.iter().filter(|it| it.grade.is_none())
    }

    /// What is called by one of `ids`, beside the first of these names, and the rest without a name.
    #[must_use]
    pub fn apart<'i>(self, ids: &[&'i str]) -> Vec<(Option<&'i str>, Self)> {
        let Self { gate, found } = self;
        let mut of_name: HashMap<&str, usize> = HashMap::new();
        for (index, id) in ids.iter().enumerate() {
            of_name.entry(id).or_insert(index + 1);
        }
        let names = std::iter::once(None).chain(ids.iter().copied().map(Some));
        let mut parts: Vec<_> = names.map(|name| (name, Self { gate, found: Vec::new() })).collect();
        for vulnerability in found {
            let first = vulnerability.names().filter_map(|name| of_name.get(name)).min();
            if let Some((_, part)) = parts.get_mut(first.copied().unwrap_or(0)) {
                part.found.push(vulnerability);
            }
        }
        parts
    }
}

impl Vulnerability {
    /// Its names; the scanner's own first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.id).chain(&self.aliases).map(String::as_str)
    }
}

/// What the registry says of one pinned image.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What stands behind its digest.
    pub digest: Answer<Description>,
    /// What its tag serves now; none where it has no tag.
    pub tag: Option<Answer<Description>>,
}

impl Standing {
    /// How many questions stayed open.
    #[must_use]
    pub fn open(&self) -> usize {
        usize::from(matches!(self.digest, Answer::Unanswered(_)))
            + usize::from(matches!(self.tag, Some(Answer::Unanswered(_))))
    }
}

/// Whether a pinned image is signed as one entry of `signatures` requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    Yes,
    /// What was found and what was required instead: `found …, required …`.
    No(String),
    /// Nothing good was found, and something could not be looked at.
    Open(Unanswered),
}

//! Manifests and blobs: every byte that is read is held against its digest, and what is not there is told from silence.

use reqwest::Method;
use sha2::{Digest as _, Sha256, Sha512};

use super::client::{Client, Question, Stop};
use super::document::{self, Document, Kind, MANIFESTS, bare};
use super::open::{self, open};
use super::wire::Reply;
use crate::reference::check_digest;
use crate::resolution::{Answer, Asked, Manifest, Object, Served, Unanswered};

/// Longest manifest, in bytes (distribution-spec: registries take at least this).
pub(super) const MAX_MANIFEST: usize = 4 << 20;

const DIGEST: &str = "docker-content-digest";

impl Client {
    /// Asks each host in turn; only the registry itself can say that something is not there.
    pub(super) async fn along<T>(
        &self,
        asked: &Asked,
        ask: impl AsyncFn(&Stop, &Asked) -> Result<Option<T>, Unanswered>,
    ) -> Answer<T> {
        let route = match self.route(&asked.registry) {
            Ok(route) => route,
            Err(why) => return Answer::Unanswered(why),
        };
        let mut last = Answer::Missing;
        for stop in &route {
            last = match ask(stop, asked).await {
                Ok(Some(found)) => return Answer::Found(found),
                Ok(None) => Answer::Missing,
                Err(why) => Answer::Unanswered(why),
            };
        }
        last
    }

    /// What a name serves: by HEAD where that tells enough, else by reading the manifest.
    pub(super) async fn served(&self, asked: &Asked) -> Answer<Served> {
        self.along(asked, async |stop, asked| self.served_by(stop, asked).await).await
    }

    /// A manifest, whole and checked.
    pub(super) async fn manifest(&self, asked: &Asked) -> Answer<Manifest> {
        self.along(asked, async |stop, asked| self.manifest_of(stop, asked).await).await
    }

    /// A blob, whole and checked.
    pub(super) async fn blob(&self, asked: &Asked, limit: usize) -> Answer<Vec<u8>> {
        self.along(asked, async |stop, asked| self.blob_of(stop, asked, limit).await).await
    }

    async fn served_by(&self, stop: &Stop, asked: &Asked) -> Result<Option<Served>, Unanswered> {
        let reply = self.ask_for(stop, asked, Method::HEAD, "manifests", MAX_MANIFEST).await?;
        match reply.status {
            200 => {
                if let Some(served) = told(stop, asked, &reply)? {
                    return Ok(Some(served));
                }
            }
            404 if speaks_as_registry(&reply) => return Ok(None),
            _ => {}
        }
        let manifest = self.manifest_of(stop, asked).await?;
        Ok(manifest.map(|manifest| Served { digest: manifest.digest, media_type: manifest.media_type }))
    }

    pub(super) async fn manifest_of(&self, stop: &Stop, asked: &Asked) -> Result<Option<Manifest>, Unanswered> {
        let reply = self.ask_for(stop, asked, Method::GET, "manifests", MAX_MANIFEST).await?;
        match reply.status {
            200 => manifest(stop, asked, reply).map(Some),
            404 => absent(stop, &reply).map(|()| None),
            _ => Err(open::unexpected(&stop.address.name, &reply)),
        }
    }

    async fn blob_of(&self, stop: &Stop, asked: &Asked, limit: usize) -> Result<Option<Vec<u8>>, Unanswered> {
        let Object::Digest(digest) = &asked.object else { return Ok(None) };
        let reply = self.ask_for(stop, asked, Method::GET, "blobs", limit).await?;
        match reply.status {
            200 if digest_of(digest, &reply.body) == *digest => Ok(Some(reply.body)),
            200 => Err(mismatch(stop, asked, &digest_of(digest, &reply.body))),
            404 => absent(stop, &reply).map(|()| None),
            _ => Err(open::unexpected(&stop.address.name, &reply)),
        }
    }

    async fn ask_for(
        &self,
        stop: &Stop,
        asked: &Asked,
        method: Method,
        kind: &str,
        limit: usize,
    ) -> Result<Reply, Unanswered> {
        let repository = stop.repository(&asked.repository);
        let is_manifest = kind == "manifests";
        let question = Question {
            url: stop.url(&repository, kind, asked.object.as_str()),
            repository: &repository,
            accept: if is_manifest { MANIFESTS } else { "*/*" },
            limit,
            is_counted: is_manifest && method == Method::GET,
            method,
        };
        self.ask(stop, &question).await
    }
}

/// What the headers of a HEAD request tell, if that is enough: a well-formed digest and the type of a manifest.
fn told(stop: &Stop, asked: &Asked, reply: &Reply) -> Result<Option<Served>, Unanswered> {
    let media_type = reply.header("content-type").map(bare).unwrap_or_default();
    match document::kind(&media_type) {
        Kind::Index | Kind::Image | Kind::Artifact => {}
        Kind::Schema1 => return Err(schema_1(stop, asked)),
        Kind::Unknown => return Ok(None),
    }
    let Some(digest) = reply.header(DIGEST).filter(|digest| check_digest(digest).is_ok()) else { return Ok(None) };
    let served = Served { digest: digest.to_owned(), media_type };
    match &asked.object {
        Object::Digest(wanted) if wanted == digest => Ok(Some(served)),
        // A digest of another algorithm may be of the same bytes; a false one is not believed by the body either.
        Object::Digest(_) => Ok(None),
        Object::Tag(_) => Ok(Some(served)),
    }
}

/// The manifest in an answer, if its bytes have the digest that was asked for and the one that the registry claims.
fn manifest(stop: &Stop, asked: &Asked, reply: Reply) -> Result<Manifest, Unanswered> {
    let claimed = reply.header(DIGEST).filter(|digest| check_digest(digest).is_ok()).map(str::to_owned);
    let sent = reply.header("content-type").map(bare).unwrap_or_default();
    if document::kind(&sent) == Kind::Schema1 {
        return Err(schema_1(stop, asked));
    }
    if let Object::Digest(wanted) = &asked.object
        && digest_of(wanted, &reply.body) != *wanted
    {
        return Err(mismatch(stop, asked, &digest_of(wanted, &reply.body)));
    }
    if let Some(claimed) = &claimed
        && digest_of(claimed, &reply.body) != *claimed
    {
        return Err(mismatch(stop, asked, &digest_of(claimed, &reply.body)));
    }
    let (_, media_type) = Document::read(&reply.body, &sent).map_err(|why| unreadable(stop, asked, &why))?;
    if document::kind(&media_type) == Kind::Schema1 {
        return Err(schema_1(stop, asked));
    }
    let digest = match &asked.object {
        Object::Digest(wanted) => wanted.clone(),
        Object::Tag(_) => claimed.unwrap_or_else(|| digest_of("sha256", &reply.body)),
    };
    Ok(Manifest { digest, media_type, bytes: reply.body })
}

/// The digest of bytes, by the algorithm of another digest.
fn digest_of(like: &str, bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let (algorithm, hash) = if like.starts_with("sha512") {
        ("sha512", Sha512::digest(bytes).to_vec())
    } else {
        ("sha256", Sha256::digest(bytes).to_vec())
    };
    let mut digest = format!("{algorithm}:");
    for byte in hash {
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}

/// Whether an answer without a body comes from a registry and not from what stands in its place.
fn speaks_as_registry(reply: &Reply) -> bool {
    reply.header("docker-distribution-api-version").is_some()
}

/// A registry says that it has no such thing. Any other 404 is the answer of something else.
pub(super) fn absent(stop: &Stop, reply: &Reply) -> Result<(), Unanswered> {
    let codes = open::errors(reply);
    let is_absent = |code: &str| code.ends_with("_UNKNOWN") || code == "NOT_FOUND";
    let says_so = codes.iter().any(|wrong| is_absent(&wrong.code));
    if says_so || (codes.is_empty() && speaks_as_registry(reply)) {
        return Ok(());
    }
    Err(open::unexpected(&stop.address.name, reply))
}

/// `ghcr.io/org/app:1`, or with the mirror that was asked.
pub(super) fn shown(stop: &Stop, asked: &Asked) -> String {
    if asked.registry == stop.address.name { asked.to_string() } else { format!("{asked} at {}", stop.address.name) }
}

fn mismatch(stop: &Stop, asked: &Asked, digest: &str) -> Unanswered {
    open(
        format!(
            "{} was answered with bytes of the digest `{digest}`, which is not the digest they should have",
            shown(stop, asked)
        ),
        "do not trust this host or what stands between; ask again from elsewhere",
    )
}

fn schema_1(stop: &Stop, asked: &Asked) -> Unanswered {
    open(
        format!("{} is a manifest of Docker's schema 1, whose digest does not cover its bytes", shown(stop, asked)),
        "build or push the image again with a current tool",
    )
}

pub(super) fn unreadable(stop: &Stop, asked: &Asked, why: &str) -> Unanswered {
    open(format!("{} cannot be read: {why}", shown(stop, asked)), "check what was pushed under this name")
}

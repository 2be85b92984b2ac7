//! What refers to an image: by the referrers API, page by page, and by a tag where a registry has none.

use std::collections::BTreeMap;

use reqwest::{Method, Url};
use serde::Deserialize;

use super::client::{Client, Question, Stop};
use super::document::{self, Kind, OCI_INDEX, bare};
use super::fetch::{MAX_MANIFEST, unreadable};
use super::open::open;
use super::wire::Reply;
use crate::reference::check_digest;
use crate::resolution::{Answer, Asked, Object, Referrer, Unanswered};

/// Pages that are read.
const MAX_PAGES: usize = 16;

/// Referrers of one image that are taken.
const MAX_REFERRERS: usize = 4096;

#[derive(Deserialize)]
struct Page {
    manifests: Vec<RawReferrer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReferrer {
    #[serde(default)]
    media_type: String,
    digest: String,
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Client {
    /// What refers to a digest. Of a mirror only what it has counts: that it has nothing proves nothing.
    pub(super) async fn referrers(&self, asked: &Asked) -> Answer<Vec<Referrer>> {
        self.along(asked, async |stop, asked| {
            let found = self.referrers_at(stop, asked).await?;
            let is_mirror = stop.address.name != super::address::key(&asked.registry);
            Ok(Some(found).filter(|found| !(is_mirror && found.is_empty())))
        })
        .await
    }

    async fn referrers_at(&self, stop: &Stop, asked: &Asked) -> Result<Vec<Referrer>, Unanswered> {
        let Object::Digest(digest) = &asked.object else { return Ok(Vec::new()) };
        let repository = stop.repository(&asked.repository);
        let first = stop.url(&repository, "referrers", digest);
        let mut next = Some(first.clone());
        let mut found = Vec::new();
        for page in 0..MAX_PAGES {
            let Some(url) = next.take() else { return Ok(found) };
            let question = Question {
                method: Method::GET,
                repository: &repository,
                url,
                accept: OCI_INDEX,
                limit: MAX_MANIFEST,
                is_counted: false,
            };
            let reply = self.ask(stop, &question).await?;
            if reply.status != 200 {
                // A registry without the API says so in one of several ways.
                let has_none = page == 0 && matches!(reply.status, 400 | 404 | 405 | 406 | 501);
                return if has_none {
                    self.tagged(stop, asked, digest).await
                } else {
                    Err(super::open::unexpected(&stop.address.name, &reply))
                };
            }
            next = following(&reply, &question.url, &first);
            found.extend(read(&reply.body).map_err(|why| unreadable(stop, asked, &why))?);
            if found.len() > MAX_REFERRERS {
                break;
            }
        }
        if next.is_none() && found.len() <= MAX_REFERRERS {
            return Ok(found);
        }
        Err(open(
            format!("more refers to {asked} than is read"),
            "remove signatures and attestations that are not needed",
        ))
    }

    /// The list that clients keep under a tag where a registry keeps none (distribution-spec, referrers tag schema).
    async fn tagged(&self, stop: &Stop, asked: &Asked, digest: &str) -> Result<Vec<Referrer>, Unanswered> {
        let tag = Asked { object: Object::Tag(digest.replacen(':', "-", 1)), ..asked.clone() };
        let Some(manifest) = self.manifest_of(stop, &tag).await? else { return Ok(Vec::new()) };
        if document::kind(&bare(&manifest.media_type)) != Kind::Index {
            return Err(unreadable(stop, &tag, "it is no list of what refers to an image"));
        }
        read(&manifest.bytes).map_err(|why| unreadable(stop, &tag, &why))
    }
}

fn read(bytes: &[u8]) -> Result<Vec<Referrer>, String> {
    let page: Page = serde_json::from_slice(bytes)
        .map_err(|error| format!("no list of what refers to it (line {}, column {})", error.line(), error.column()))?;
    let referrer = |raw: RawReferrer| {
        check_digest(&raw.digest).map_err(|error| format!("it names a digest that is none: {error}"))?;
        Ok(Referrer {
            digest: raw.digest,
            media_type: raw.media_type,
            artifact_type: raw.artifact_type.filter(|it| !it.is_empty()),
            annotations: raw.annotations.unwrap_or_default().into_iter().collect(),
        })
    };
    page.manifests.into_iter().map(referrer).collect()
}

/// Where the next page is (RFC 8288), if that is the same question on the same host.
fn following(reply: &Reply, url: &Url, first: &Url) -> Option<Url> {
    let next = link(reply.header("link")?)?;
    url.join(next).ok().filter(|next| next.origin() == first.origin() && next.path() == first.path())
}

/// The target of the first link whose relation is `next`.
fn link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let parameters = after.split('<').next().unwrap_or(after);
        let is_next = parameters.split([';', ',']).any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            name.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').split_ascii_whitespace().any(|it| it.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_read_from_its_link() {
        assert_eq!(link("</v2/x?n=1>; rel=\"next\""), Some("/v2/x?n=1"));
        assert_eq!(link("</a>; rel=prev, </b>; title=x; REL=next"), Some("/b"));
        assert_eq!(link("</a>; rel=\"first next\""), Some("/a"));
        for header in ["", "</a>", "</a>; rel=prev", "</a; rel=next", "next", "</a>; title=next"] {
            assert_eq!(link(header), None, "{header}");
        }
    }

    #[test]
    fn a_list_with_a_digest_that_is_none_is_refused() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let list = |digest: &str| {
            format!(
                r#"{{"manifests": [{{"digest": "{digest}", "artifactType": "a/b", "annotations": {{"k": "v"}}}}]}}"#
            )
        };
        let found = read(list(&digest).as_bytes()).unwrap();
        assert_eq!(found[0].artifact_type.as_deref(), Some("a/b"));
        assert_eq!(found[0].annotations, [("k".to_owned(), "v".to_owned())]);
        assert!(read(list("sha256:../../x").as_bytes()).is_err());
        assert!(read(b"{}").is_err());
        assert!(read(b"{\"manifests\": null}").is_err());
    }
}

//! Grype's JSON report.
//!
//! Source: Grype's `models.Document`. `source.target` of an image has `repoDigests` (what the registry was asked for) and
//! `manifestDigest` (what was scanned: of an index the image of one platform).

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::purl::{Package, digest_of, is_digest};
use super::read::{Read, Wrong};
use super::{Found, Report, grade};
use crate::resolution::Fix;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grype {
    matches: Vec<Match>,
    ignored_matches: Option<Vec<IgnoredAny>>,
    source: Option<Origin>,
}

#[derive(Deserialize)]
struct Origin {
    #[serde(rename = "type")]
    kind: String,
    target: Option<Target>,
}

/// An object for an image, the path for a folder or a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    Image(Image),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    user_input: Option<String>,
    manifest_digest: Option<String>,
    repo_digests: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    vulnerability: Listed,
    related_vulnerabilities: Option<Vec<Related>>,
    artifact: Artifact,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    severity: Option<String>,
    fix: Option<Mended>,
}

#[derive(Deserialize)]
struct Related {
    id: String,
}

#[derive(Deserialize)]
struct Mended {
    versions: Option<Vec<String>>,
    state: Option<String>,
}

#[derive(Deserialize)]
struct Artifact {
    name: String,
    version: Option<String>,
    purl: Option<String>,
}

pub(super) fn read(grype: Grype) -> Result<Read, Wrong> {
    let mut report = Report { left_out: grype.ignored_matches.map_or(0, |it| it.len()), ..Report::default() };
    match grype.source.ok_or("it has no `source`: it does not say what was scanned")? {
        Origin { target: Some(Target::Image(image)), kind } if kind == "image" => {
            let repository = image.repo_digests.unwrap_or_default();
            report.digests = repository.iter().filter_map(|it| digest_of(it)).collect();
            if report.digests.is_empty() {
                report.digests.extend(image.user_input.as_deref().and_then(digest_of));
            }
            report.digests.extend(image.manifest_digest.filter(|it| is_digest(it)));
            report.image = image.user_input;
        }
        Origin { kind, .. } => {
            report.void = Some(format!("it is a scan of a `{}` and not of an image", super::purl::short(&kind)));
        }
    }
    report.found = grype.matches.into_iter().map(Found::from).collect();
    Ok(report.into())
}

impl From<Match> for Found {
    fn from(it: Match) -> Self {
        let named = Package::named(&it.artifact.name, it.artifact.version.as_deref());
        let package = it.artifact.purl.as_deref().and_then(Package::parse);
        let related = it.related_vulnerabilities.unwrap_or_default().into_iter().map(|related| related.id);
        let ids = std::iter::once(it.vulnerability.id.clone()).chain(related.filter(|id| *id != it.vulnerability.id));
        Self {
            grade: it.vulnerability.severity.as_deref().and_then(grade),
            ids: ids.collect(),
            part: named.shown(),
            fix: it.vulnerability.fix.map_or(Fix::Unknown, Fix::from),
            package: Some(package.unwrap_or(named)),
        }
    }
}

impl From<Mended> for Fix {
    fn from(mended: Mended) -> Self {
        let versions = mended.versions.unwrap_or_default().join(", ");
        match mended.state.as_deref() {
            _ if !versions.is_empty() => Self::In(versions),
            Some("not-fixed" | "wont-fix") => Self::Nowhere,
            _ => Self::Unknown,
        }
    }
}

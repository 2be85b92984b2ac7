//! Trivy's JSON report, schema version 2.
//!
//! Source: Trivy's `types.Report`. `Metadata.RepoDigests` are the digests under which the registry or the engine gave the
//! image: that of the index, where an index was asked for. `ImageID` is the digest of the configuration, and names no
//! manifest.

use serde::Deserialize;

use super::purl::{Package, digest_of};
use super::read::{Read, Wrong};
use super::{Found, Report, grade};
use crate::resolution::Fix;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Trivy {
    schema_version: u64,
    artifact_name: Option<String>,
    artifact_type: Option<String>,
    metadata: Option<Metadata>,
    #[serde(default)]
    results: Option<Vec<Part>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    repo_digests: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    target: Option<String>,
    vulnerabilities: Option<Vec<Line>>,
    misconfigurations: Option<Vec<Misconfiguration>>,
    secrets: Option<Vec<Secret>>,
    experimental_modified_findings: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    pkg_name: String,
    pkg_identifier: Option<Identifier>,
    installed_version: Option<String>,
    fixed_version: Option<String>,
    severity: Option<String>,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(rename = "PURL")]
    purl: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Misconfiguration {
    #[serde(rename = "ID")]
    id: String,
    status: Option<String>,
    severity: Option<String>,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(rename = "RuleID")]
    id: String,
    #[serde(rename = "Severity")]
    severity: Option<String>,
}

pub(super) fn read(trivy: Trivy) -> Result<Read, Wrong> {
    if trivy.schema_version != 2 {
        return Err(format!("Trivy's schema version {} is not known: version 2 is", trivy.schema_version));
    }
    let mut report = Report { image: trivy.artifact_name, ..Report::default() };
    if let Some(kind) = trivy.artifact_type.filter(|kind| kind != "container_image") {
        report.void = Some(format!("it is a scan of a `{}` and not of an image", super::purl::short(&kind)));
    }
    let digests = trivy.metadata.unwrap_or_default().repo_digests.unwrap_or_default();
    report.digests = digests.iter().filter_map(|it| digest_of(it)).collect();
    if report.digests.is_empty() {
        report.digests.extend(report.image.as_deref().and_then(digest_of));
    }
    for part in trivy.results.unwrap_or_default() {
        report.left_out += part.experimental_modified_findings.map_or(0, |it| it.len());
        let target = part.target.unwrap_or_default();
        report.found.extend(part.vulnerabilities.unwrap_or_default().into_iter().map(Found::from));
        let failed = part.misconfigurations.unwrap_or_default().into_iter();
        let failed = failed.filter(|it| it.status.as_deref() != Some("PASS")).map(|it| (it.id, it.severity));
        let secrets = part.secrets.unwrap_or_default().into_iter().map(|it| (it.id, it.severity));
        report.found.extend(failed.chain(secrets).map(|(id, severity)| Found {
            grade: severity.as_deref().and_then(grade),
            ids: vec![id],
            part: target.clone(),
            fix: Fix::Unknown,
            package: None,
        }));
    }
    Ok(report.into())
}

impl From<Line> for Found {
    fn from(line: Line) -> Self {
        let named = Package::named(&line.pkg_name, line.installed_version.as_deref());
        let package = line.pkg_identifier.and_then(|it| Package::parse(&it.purl?));
        Self {
            grade: line.severity.as_deref().and_then(grade),
            ids: vec![line.id],
            part: named.shown(),
            fix: line.fixed_version.filter(|it| !it.is_empty()).map_or(Fix::Nowhere, Fix::In),
            package: Some(package.unwrap_or(named)),
        }
    }
}

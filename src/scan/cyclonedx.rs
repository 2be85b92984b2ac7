//! CycloneDX as VEX: what the analyses in a bill of materials say of vulnerabilities.
//!
//! Source: the CycloneDX specification, `vulnerabilities[].analysis` and `affects`. What is affected is named by a
//! component of the same bill, by a BOM-Link into another (`urn:cdx:serial/version#bom-ref`), or by a package URL. A
//! vulnerability without an analysis is no statement, and a bill is no scan report: an empty list does not tell whether
//! anyone looked.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::purl::{Package, decode, is_digest};
use super::read::{Read, Wrong};
use super::vex::{Statement, too_many};
use super::{MAX_FINDINGS, MAX_NAMES};

/// The versions of the format that have analyses and are known.
const VERSIONS: [&str; 4] = ["1.4", "1.5", "1.6", "1.7"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bill {
    bom_format: String,
    spec_version: String,
    metadata: Option<Metadata>,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(default)]
    vulnerabilities: Vec<Entry>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    timestamp: Option<String>,
    component: Option<Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "bom-ref")]
    bom_ref: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    version: Option<String>,
    purl: Option<String>,
    #[serde(default)]
    components: Vec<Self>,
}

#[derive(Deserialize)]
struct Entry {
    id: Option<String>,
    #[serde(default)]
    references: Vec<Alias>,
    analysis: Option<Analysis>,
    #[serde(default)]
    affects: Vec<Affected>,
}

#[derive(Deserialize)]
struct Alias {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Analysis {
    state: Option<String>,
    last_updated: Option<String>,
    first_issued: Option<String>,
}

#[derive(Deserialize)]
struct Affected {
    #[serde(rename = "ref")]
    name: String,
}

/// What a reference stands for.
#[derive(Clone)]
enum Target {
    /// An image; none where its digest is not named.
    Image(Option<String>),
    Package(Package),
}

pub(super) fn read(bill: Bill) -> Result<Read, Wrong> {
    if bill.bom_format != "CycloneDX" || !VERSIONS.contains(&bill.spec_version.as_str()) {
        let version = super::purl::short(&bill.spec_version);
        return Err(format!("CycloneDX {version} is not known: {} are", VERSIONS.join(", ")));
    }
    let metadata = bill.metadata.unwrap_or_default();
    let subject = metadata.component.as_ref().and_then(Component::digest);
    let mut components = HashMap::new();
    let mut open: Vec<&Component> = metadata.component.iter().chain(&bill.components).collect();
    while let Some(component) = open.pop() {
        open.extend(&component.components);
        if let Some(name) = &component.bom_ref {
            components.insert(name.as_str(), component.target());
        }
    }
    let issued = metadata.timestamp.as_deref().and_then(|it| it.parse().ok());
    let mut statements = Vec::new();
    for entry in &bill.vulnerabilities {
        let Some((harmless, at)) = entry.analysis.as_ref().map(Analysis::said).transpose()?.flatten() else { continue };
        let ids = entry.id.iter().chain(entry.references.iter().filter_map(|it| it.id.as_ref()));
        let ids: Vec<_> = ids.take(MAX_NAMES).cloned().collect();
        for affected in &entry.affects {
            let target = components.get(affected.name.as_str()).cloned().or_else(|| named(&affected.name));
            let (digest, package) = match target {
                Some(Target::Image(digest)) => (digest, None),
                Some(Target::Package(package)) => (subject.clone(), Some(package)),
                None => (None, None),
            };
            if statements.len() >= MAX_FINDINGS {
                return Err(too_many());
            }
            statements.push(Statement {
                ids: ids.clone(),
                digests: digest.into_iter().collect(),
                packages: package.into_iter().collect(),
                harmless,
                at: at.or(issued),
            });
        }
    }
    Ok(statements.into())
}

/// What a reference into another bill, or a package URL, stands for.
fn named(reference: &str) -> Option<Target> {
    let decoded;
    let name = if reference.starts_with("urn:cdx:") {
        decoded = decode(reference.split_once('#')?.1);
        // A fragment holds the reference as it is, or encoded once more.
        decoded.as_str()
    } else {
        reference
    };
    let package = Package::parse(name)?;
    Some(if package.is_image() { Target::Image(package.digest().map(str::to_owned)) } else { Target::Package(package) })
}

impl Component {
    /// The digest of the image that it is: by its package URL, or by the version that Grype gives a container.
    fn digest(&self) -> Option<String> {
        let purl = self.purl.as_deref().and_then(Package::parse);
        let by_purl = purl.as_ref().and_then(Package::digest).map(str::to_owned);
        let version = self.version.clone().filter(|it| self.kind.as_deref() == Some("container") && is_digest(it));
        by_purl.or(version)
    }

    fn target(&self) -> Target {
        let purl = self.purl.as_deref().and_then(Package::parse);
        let is_image = self.kind.as_deref() == Some("container") || purl.as_ref().is_some_and(Package::is_image);
        if is_image {
            return Target::Image(self.digest());
        }
        let name = self.name.as_deref().unwrap_or_default();
        Target::Package(purl.unwrap_or_else(|| Package::named(name, self.version.as_deref())))
    }
}

impl Analysis {
    /// Whether it says that there is nothing to mend, and when; none where it says nothing.
    fn said(&self) -> Result<Option<(bool, Option<Timestamp>)>, Wrong> {
        let Some(state) = self.state.as_deref() else { return Ok(None) };
        let harmless = match state {
            "resolved" | "resolved_with_pedigree" | "not_affected" | "false_positive" => true,
            "exploitable" | "in_triage" => false,
            other => return Err(format!("`{}` is no state of an analysis", super::purl::short(other))),
        };
        let at = self.last_updated.as_ref().or(self.first_issued.as_ref());
        Ok(Some((harmless, at.and_then(|it| it.parse().ok()))))
    }
}

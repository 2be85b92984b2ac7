//! `cyclonedx`: a bill of what is deployed, CycloneDX 1.6.
//!
//! Each image that is deployed is a component of type `container`, however many manifests deploy it: its occurrences
//! say where. Its digest is its version in the package URL, and its hash: an image is its manifest, and whoever fetches
//! that can check these bytes. What is not known is a component, too, and makes the bill incomplete. The same images
//! give the same bytes: the serial number is made of them, and a time is written only where one is given.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::Style;
use super::json::encode;
use crate::gate::Deployed;
use crate::manifest::{LocatedImage, State};
use crate::reference::Reference;
use crate::source::sha256;

/// What all images are parts of.
const ROOT: &str = "deployment";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bill<'a> {
    #[serde(rename = "$schema")]
    schema: &'a str,
    bom_format: &'a str,
    spec_version: &'a str,
    serial_number: String,
    version: u32,
    metadata: Metadata<'a>,
    components: Vec<&'a Component>,
    dependencies: Vec<Dependency<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compositions: Vec<Composition<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    tools: Tools<'a>,
    component: Part<'a>,
}

#[derive(Serialize)]
struct Tools<'a> {
    components: [Part<'a>; 1],
}

#[derive(Serialize)]
struct Part<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    bom_ref: Option<&'a str>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

#[derive(Serialize)]
struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    evidence: Evidence,
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Default, Serialize)]
struct Evidence {
    occurrences: Vec<Occurrence>,
}

/// Where a manifest deploys an image: `offset` in bytes, `symbol` the field.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Occurrence {
    location: String,
    line: u32,
    offset: u32,
    symbol: String,
    additional_context: String,
}

#[derive(PartialEq, Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency<'a> {
    #[serde(rename = "ref")]
    of: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<&'a str>,
}

#[derive(Serialize)]
struct Composition<'a> {
    aggregate: &'a str,
    dependencies: [&'a str; 1],
}

/// The bill of every image that is deployed; images that are built there, or not decided, belong to it.
#[must_use]
pub fn images(images: &[Deployed], style: &Style) -> String {
    let mut components: BTreeMap<String, Component> = BTreeMap::new();
    for deployed in images.iter().filter(|it| it.image.state != State::Local) {
        let image = &deployed.image;
        let new = image.reference().filter(|_| !image.partial).map_or_else(|| unknown(image), known);
        let component = components.entry(new.bom_ref.clone()).or_insert(new);
        component.add(deployed);
    }
    let all: Vec<_> = components.values().collect();
    let names: Vec<_> = components.keys().map(String::as_str).collect();
    let root = Dependency { of: ROOT, depends_on: names.clone() };
    let leaves = names.iter().map(|of| Dependency { of, depends_on: Vec::new() });
    let is_whole =
        images.iter().all(|it| it.image.state == State::Local || it.image.reference().is_some() && !it.image.partial);
    let incomplete = Composition { aggregate: "incomplete", dependencies: [ROOT] };
    let bill = Bill {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: format!("urn:uuid:{}", uuid(&encode(&all))),
        version: 1,
        metadata: Metadata {
            timestamp: style.date.map(|date| date.to_string()),
            tools: Tools { components: [part("application", None, "digest-gate", Some(style.version))] },
            component: part("application", Some(ROOT), &subject(images), None),
        },
        components: all,
        dependencies: std::iter::once(root).chain(leaves).collect(),
        compositions: if is_whole { Vec::new() } else { vec![incomplete] },
    };
    encode(&bill) + "\n"
}

fn part<'a>(kind: &'a str, bom_ref: Option<&'a str>, name: &str, version: Option<&'a str>) -> Part<'a> {
    Part { kind, bom_ref, name: name.to_owned(), version }
}

/// What is deployed: the environments by name.
fn subject(images: &[Deployed]) -> String {
    let mut names: Vec<_> = images.iter().map(|it| &*it.environment).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { ROOT.to_owned() } else { names.join(", ") }
}

impl Component {
    fn add(&mut self, deployed: &Deployed) {
        let (image, start) = (&deployed.image, deployed.image.place.start());
        let enforced = if deployed.enforced { "enforced" } else { "advisory" };
        let kind = image.kind;
        self.evidence.occurrences.push(Occurrence {
            location: image.place.source.path().to_owned(),
            line: start.line,
            offset: image.place.span.start,
            symbol: image.field.clone(),
            additional_context: format!("{kind}, environment {}, {enforced}", deployed.environment),
        });
        let environment = Property { name: "digest-gate:environment", value: deployed.environment.to_string() };
        if !self.properties.contains(&environment) {
            self.properties.push(environment);
        }
    }

    fn new(bom_ref: String, name: String, status: &str) -> Self {
        let status = Property { name: "digest-gate:status", value: status.to_owned() };
        let (version, hashes, purl, evidence) = (None, Vec::new(), None, Evidence::default());
        Self { kind: "container", bom_ref, name, version, hashes, purl, evidence, properties: vec![status] }
    }
}

/// An image of which a reference is known.
fn known(reference: &Reference) -> Component {
    let purl = purl(reference);
    let name = format!("{}/{}", reference.registry(), reference.repository());
    let status = if reference.is_pinned() { "pinned" } else { "unpinned" };
    let mut component = Component::new(purl.clone(), name, status);
    component.version = reference.tag().or(reference.digest()).map(str::to_owned);
    component.purl = Some(purl);
    component.hashes = reference.digest().and_then(hash).into_iter().collect();
    component
}

/// An image of which nobody knows what it is: its place is its name in the bill.
fn unknown(image: &LocatedImage) -> Component {
    let start = image.place.start();
    let place = format!("{}:{}:{}", image.place.source.path(), start.line, start.column);
    let name = [image.effective().unwrap_or(&image.written), &image.field].into_iter().find(|it| !it.is_empty());
    let name = name.unwrap_or("an image").to_owned();
    Component::new(format!("{place}:{}", image.field), name, image.status())
}

fn hash(digest: &str) -> Option<Hash> {
    let (algorithm, content) = digest.split_once(':')?;
    let alg = match algorithm {
        "sha256" => "SHA-256",
        "sha384" => "SHA-384",
        "sha512" => "SHA-512",
        _ => return None,
    };
    Some(Hash { alg, content: content.to_owned() })
}

/// The package URL of an image, in the canonical form of the purl specification's type `oci`.
fn purl(reference: &Reference) -> String {
    let repository = reference.repository();
    let name = repository.rsplit('/').next().unwrap_or_default();
    let version = reference.digest().map(|digest| format!("@{}", percent(digest))).unwrap_or_default();
    let url = percent(&format!("{}/{repository}", reference.registry()));
    let tag = reference.tag().map(|tag| format!("&tag={}", percent(tag))).unwrap_or_default();
    format!("pkg:oci/{}{version}?repository_url={url}{tag}", percent(name))
}

/// Percent-encoding as package URLs have it: a colon stays.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A UUID made of a text: version 8, of its SHA-256 (RFC 9562, section 5.8).
fn uuid(text: &str) -> String {
    let hex = sha256(text);
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    // The first digit of the third part is the version, that of the fourth the variant.
    format!("{}-{}-8{}-a{}-{}", part(0..8), part(8..12), part(13..16), part(17..20), part(20..32))
}

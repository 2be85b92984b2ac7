//! OpenVEX documents, versions 0.0.1 to 0.2.
//!
//! Source: the OpenVEX specification. A product or a subcomponent is an identifier alone, or an object with `@id`,
//! `identifiers` and `hashes`. A later statement about the same overrides an earlier one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::purl::Package;
use super::read::{Read, Wrong};
use super::vex::{Statement, too_many};
use super::{MAX_FINDINGS, MAX_NAMES};

#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(rename = "@context")]
    context: String,
    timestamp: Option<String>,
    statements: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    vulnerability: Named,
    #[serde(default)]
    products: Vec<Product>,
    #[serde(default)]
    subcomponents: Vec<Product>,
    status: String,
    timestamp: Option<String>,
    last_updated: Option<String>,
    justification: Option<String>,
    impact_statement: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Name(String),
    Object { name: String, aliases: Option<Vec<String>> },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Product {
    Id(String),
    Object(Object),
}

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "@id")]
    id: Option<String>,
    identifiers: Option<BTreeMap<String, String>>,
    hashes: Option<BTreeMap<String, String>>,
    #[serde(default)]
    subcomponents: Vec<Product>,
}

pub(super) fn read(document: Document) -> Result<Read, Wrong> {
    if !document.context.starts_with("https://openvex.dev/ns") {
        return Err(format!("`{}` is no context of OpenVEX", super::purl::short(&document.context)));
    }
    let issued = document.timestamp.as_deref().and_then(|it| it.parse::<Timestamp>().ok());
    let mut statements = Vec::new();
    for (index, said) in document.statements.into_iter().enumerate() {
        let harmless = said.is_harmless().map_err(|wrong| format!("statement {}: {wrong}", index + 1))?;
        let at = said.last_updated.as_ref().or(said.timestamp.as_ref()).and_then(|it| it.parse().ok()).or(issued);
        let ids = match said.vulnerability {
            Named::Name(name) => vec![name],
            Named::Object { name, aliases } => {
                std::iter::once(name).chain(aliases.into_iter().flatten()).take(MAX_NAMES).collect()
            }
        };
        // Each product has all subcomponents of its statement.
        if said.products.len().saturating_mul(said.subcomponents.len()) > MAX_FINDINGS {
            return Err(format!("statement {}: it has too many products and subcomponents", index + 1));
        }
        for product in &said.products {
            let inner = product.subcomponents().iter().chain(&said.subcomponents);
            let inner: Vec<_> = inner.collect();
            let packages: Vec<_> = inner.iter().filter_map(|it| it.purls().find_map(Package::parse)).collect();
            // A part that cannot be told names nothing: the statement must not grow to the whole image.
            let digests = if packages.len() == inner.len() { product.digests() } else { Vec::new() };
            if statements.len() >= MAX_FINDINGS {
                return Err(too_many());
            }
            statements.push(Statement { ids: ids.clone(), digests, packages, harmless, at });
        }
    }
    Ok(statements.into())
}

impl Said {
    fn is_harmless(&self) -> Result<bool, Wrong> {
        match self.status.as_str() {
            "not_affected" if self.justification.is_none() && self.impact_statement.is_none() => {
                Err("`not_affected` without a `justification`".to_owned())
            }
            "not_affected" | "fixed" => Ok(true),
            "affected" | "under_investigation" => Ok(false),
            other => Err(format!("`{}` is no status", super::purl::short(other))),
        }
    }
}

impl Product {
    fn purls(&self) -> impl Iterator<Item = &str> {
        let (id, identifiers) = match self {
            Self::Id(id) => (Some(id), None),
            Self::Object(object) => (object.id.as_ref(), object.identifiers.as_ref()),
        };
        id.into_iter().chain(identifiers.and_then(|it| it.get("purl"))).map(String::as_str)
    }

    fn digests(&self) -> Vec<String> {
        let by_purl = self.purls().filter_map(|it| Package::parse(it)?.digest().map(str::to_owned));
        let hash = match self {
            Self::Object(Object { hashes: Some(hashes), .. }) => {
                hashes.get("sha-256").map(|hex| format!("sha256:{hex}"))
            }
            _ => None,
        };
        by_purl.chain(hash).collect()
    }

    fn subcomponents(&self) -> &[Self] {
        match self {
            Self::Id(_) => &[],
            Self::Object(object) => &object.subcomponents,
        }
    }
}

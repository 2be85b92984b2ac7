//! The key `signatures`: which images must be signed, by whom, and where they must have been built.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Named;
use super::check::{at, named, take};
use super::error::Wrong;
use super::glob::Glob;
use super::pattern::Repositories;
use super::raw::Errors;
use crate::source::Place;
use crate::yaml::Node;

/// How a key that is written out begins, instead of the path of its file.
const PEM: &str = "-----BEGIN";

/// What one entry of `signatures` requires. An image must meet every entry that is for it.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// Which images.
    pub images: Repositories,
    /// Who may have signed, of whom one is enough; never empty.
    pub signers: Vec<Signer>,
    /// What must be attested, in place of a signature or SLSA provenance.
    pub predicate_type: Option<String>,
    /// Where and from what it must have been built.
    pub provenance: Option<Provenance>,
    /// The trusted root in place of the embedded ones.
    pub trusted_root: Option<Named>,
    /// Where its `images` stands.
    pub place: Place,
    /// Whether the organisation requires it: then it may be for no image of a repository.
    pub of_floor: bool,
}

/// Who may have signed.
#[derive(Clone, Debug)]
pub enum Signer {
    /// The holder of a short-lived certificate.
    Identity {
        /// The e-mail address or URI of the certificate.
        identity: Glob,
        /// Who vouched for the identity, exactly.
        issuer: String,
    },
    /// The holder of a private key.
    Key {
        key: Key,
        /// Whether the signature must be in the transparency log.
        transparency_log: bool,
    },
}

/// Where a public key is.
#[derive(Clone, Debug)]
pub enum Key {
    /// In a file, relative to the root of the repository.
    File(Named),
    /// In the configuration itself, as PEM.
    Pem { text: String, place: Place },
}

/// What an attestation of provenance must say. What is none is not asked.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// The builder's id.
    pub builder: Option<Glob>,
    /// The source repository, as a URL without `git+`, ref and `.git`.
    pub source: Option<Glob>,
    /// The ref it was built from: `refs/tags/v1`.
    pub git_ref: Option<Glob>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
pub(super) struct RawSignature {
    pub images: String,
    pub identity: Option<String>,
    pub issuer: Option<String>,
    pub key: Option<String>,
    pub transparency_log: Option<bool>,
    pub any_of: Option<Vec<RawSigner>>,
    pub predicate_type: Option<String>,
    pub provenance: Option<RawProvenance>,
    pub trusted_root: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
pub(super) struct RawSigner {
    pub identity: Option<String>,
    pub issuer: Option<String>,
    pub key: Option<String>,
    pub transparency_log: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
pub(super) struct RawProvenance {
    pub builder: Option<String>,
    pub source: Option<String>,
    #[serde(rename = "ref")]
    pub git_ref: Option<String>,
}

/// Checks `signatures`.
pub(super) fn signatures(raw: &[RawSignature], root: Node<'_>, errors: &mut Errors<'_>) -> Vec<Requirement> {
    let entries = raw.iter().zip(at(root, "signatures").items());
    entries.filter_map(|(raw, node)| requirement(raw, node, errors)).collect()
}

fn requirement(raw: &RawSignature, node: Node<'_>, errors: &mut Errors<'_>) -> Option<Requirement> {
    let images = take(Repositories::new(&raw.images), at(node, "images"), errors);
    let signers = signers(raw, node, errors);
    if raw.predicate_type.as_deref().is_some_and(|text| text.trim().is_empty()) {
        let help = "write the type: `https://slsa.dev/verification_summary/v1`";
        errors.add(at(node, "predicate-type"), "the predicate type is empty", help);
    }
    if raw.predicate_type.is_some() && raw.provenance.is_some() {
        let help = "remove it, or make a second entry of it: provenance has predicate types of its own";
        errors.add(at(node, "predicate-type"), "`predicate-type` stands beside `provenance`", help);
    }
    let provenance = raw.provenance.as_ref().map(|raw| provenance(raw, at(node, "provenance"), errors));
    let trusted_root = raw.trusted_root.as_deref().map(|text| named(text, at(node, "trusted-root"), errors));
    Some(Requirement {
        images: images?,
        signers,
        predicate_type: raw.predicate_type.clone(),
        provenance,
        // What is none here although it is written is among the errors, and then there is no policy.
        trusted_root: trusted_root.flatten(),
        place: errors.place(at(node, "images")),
        of_floor: false,
    })
}

/// Either the signer that stands in the entry itself, or those of `any-of`.
fn signers(raw: &RawSignature, node: Node<'_>, errors: &mut Errors<'_>) -> Vec<Signer> {
    let own = RawSigner {
        identity: raw.identity.clone(),
        issuer: raw.issuer.clone(),
        key: raw.key.clone(),
        transparency_log: raw.transparency_log,
    };
    let Some(list) = &raw.any_of else { return signer(&own, node, errors).into_iter().collect() };
    for key in ["identity", "issuer", "key", "transparency-log"] {
        if let Some(value) = node.get(key) {
            let help = "put it into an item of `any-of`, of which one is enough";
            errors.add(value, format!("`{key}` stands beside `any-of`"), help);
        }
    }
    let items = at(node, "any-of");
    if list.is_empty() {
        errors.add(items, "nobody may sign", "add who may: `- { identity: …, issuer: … }` or `- { key: … }`");
    }
    list.iter().zip(items.items()).filter_map(|(raw, node)| signer(raw, node, errors)).collect()
}

fn signer(raw: &RawSigner, node: Node<'_>, errors: &mut Errors<'_>) -> Option<Signer> {
    match (&raw.identity, &raw.issuer, &raw.key) {
        (Some(identity), Some(issuer), None) => {
            if let Some(value) = node.get("transparency-log") {
                let help = "remove the key: without the log nobody knows when a certificate of ten minutes was used";
                errors.add(value, "`transparency-log` is for a `key`", help);
            }
            let identity = take(Glob::new(identity), at(node, "identity"), errors);
            let issuer = take(issuer_url(issuer), at(node, "issuer"), errors);
            Some(Signer::Identity { identity: identity?, issuer: issuer? })
        }
        (None, None, Some(text)) => {
            let key = key(text, at(node, "key"), errors)?;
            Some(Signer::Key { key, transparency_log: raw.transparency_log.unwrap_or(true) })
        }
        (_, _, Some(_)) => {
            let help = "keep one of the two, or list both under `any-of`";
            errors.add(at(node, "key"), "`key` stands beside `identity` or `issuer`", help);
            None
        }
        (Some(_), None, None) => {
            let help = "add who vouches for it: `issuer: https://token.actions.githubusercontent.com`";
            errors.add(at(node, "identity"), "an `identity` without an `issuer`", help);
            None
        }
        (None, Some(_), None) => {
            let help = "add who must have signed: `identity: https://github.com/org/app/.github/workflows/…`";
            errors.add(at(node, "issuer"), "an `issuer` without an `identity`", help);
            None
        }
        (None, None, None) => {
            errors.add(node, "nobody is named who must have signed", "add `identity` and `issuer`, or `key`");
            None
        }
    }
}

/// An issuer is compared as a whole.
fn issuer_url(text: &str) -> Result<String, Wrong> {
    let help = "write the whole URL: `https://token.actions.githubusercontent.com`";
    if !text.starts_with("https://") && !text.starts_with("http://") || text.contains(char::is_whitespace) {
        return Err(Wrong::new(format!("`{text}` is no issuer"), help));
    }
    if text.contains('*') {
        return Err(Wrong::new(format!("`{text}` is a glob"), help));
    }
    Ok(text.to_owned())
}

fn key(text: &str, node: Node<'_>, errors: &mut Errors<'_>) -> Option<Key> {
    if text.trim_start().starts_with(PEM) {
        return Some(Key::Pem { text: text.trim().to_owned(), place: errors.place(node) });
    }
    named(text, node, errors).map(Key::File)
}

fn provenance(raw: &RawProvenance, node: Node<'_>, errors: &mut Errors<'_>) -> Provenance {
    let mut glob = |text: &Option<String>, key: &str| {
        text.as_deref().and_then(|text| take(Glob::new(text), at(node, key), errors))
    };
    let (builder, source) = (glob(&raw.builder, "builder"), glob(&raw.source, "source"));
    let provenance = Provenance { builder, source, git_ref: glob(&raw.git_ref, "ref") };
    if raw.builder.is_none() && raw.source.is_none() && raw.git_ref.is_none() {
        let help = "add what it must say: `source: https://github.com/org/app`, `builder`, `ref`";
        errors.add(node, "`provenance` requires nothing", help);
    }
    provenance
}

/// The schema of `signatures`.
pub(super) fn signatures_schema() -> Value {
    let text = |description: &str| json!({ "type": "string", "minLength": 1, "description": description });
    let signer = json!({
        "identity": text("Who signed: the e-mail address or URI of the certificate, or a glob. * stays within one part \
            of a path, ** crosses parts, neither takes an @."),
        "issuer": { "type": "string", "pattern": "^https?://[^\\s*]*$", "description": "Who vouches for the identity, exactly." },
        "key": text("A public key: a file, relative to the root of the repository, or its PEM."),
        "transparency-log": {
            "type": "boolean",
            "default": true,
            "description": "Whether a signature of the key must be in the transparency log."
        }
    });
    let glob = |description: &str| text(&format!("{description}, or a glob."));
    let either = json!([
        { "required": ["identity", "issuer"], "not": { "anyOf": [{ "required": ["key"] }, { "required": ["transparency-log"] }] } },
        { "required": ["key"], "not": { "anyOf": [{ "required": ["identity"] }, { "required": ["issuer"] }] } }
    ]);
    let mut properties = signer.clone();
    if let Some(properties) = properties.as_object_mut() {
        let others = json!({
            "images": text("A repository, or a glob over repositories: ghcr.io/org/app, ghcr.io/org/**."),
            "any-of": {
                "type": "array",
                "minItems": 1,
                "items": { "type": "object", "additionalProperties": false, "properties": signer, "oneOf": either },
                "description": "Several who may have signed; one of them is enough."
            },
            "predicate-type": text("The type of the attestation that is required, in place of a signature or provenance."),
            "provenance": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": false,
                "properties": {
                    "builder": glob("The id of the builder"),
                    "source": glob("The source repository as a URL, without ref"),
                    "ref": glob("The ref it was built from: refs/tags/v1")
                },
                "description": "What SLSA provenance must say; it is required then."
            },
            "trusted-root": text("A trusted root in place of the embedded ones: a file, relative to the root of the repository.")
        });
        properties.extend(others.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    }
    let mut any_of: Vec<Value> = either.as_array().into_iter().flatten().cloned().collect();
    any_of.push(json!({ "required": ["any-of"] }));
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["images"],
            "additionalProperties": false,
            "properties": properties,
            "oneOf": any_of,
            "not": { "required": ["predicate-type", "provenance"] }
        },
        "description": "Which images must be signed, and by whom. An image must meet every entry that is for it."
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::source::Source;

    fn parse(text: &str) -> Vec<Requirement> {
        let source = Source::new("digest-gate.yml", format!("version: 1\nsignatures:\n{text}"));
        Policy::parse(&source).unwrap_or_else(|errors| panic!("{errors}")).signatures
    }

    #[test]
    fn an_entry_names_one_signer_or_several() {
        let required = parse(
            "  - images: ghcr.io/org/**\n    identity: https://github.com/org/*/.github/workflows/r.yml@refs/tags/*\n    \
             issuer: https://token.actions.githubusercontent.com\n    provenance: { ref: refs/tags/** }\n    \
             trusted-root: trust/root.json\n  - images: nginx\n    any-of:\n      - key: keys/a.pub\n      - key: |\n          \
             -----BEGIN PUBLIC KEY-----\n          AA==\n          -----END PUBLIC KEY-----\n        \
             transparency-log: false\n",
        );
        assert!(required[0].images.matches("ghcr.io/org/a/b") && required[1].images.matches("docker.io/library/nginx"));
        let provenance = required[0].provenance.as_ref().unwrap();
        assert!(provenance.git_ref.as_ref().unwrap().matches("refs/tags/a/b") && provenance.builder.is_none());
        assert_eq!(required[0].trusted_root.as_ref().unwrap().path, "trust/root.json");
        assert_eq!(required[0].place.text(), "ghcr.io/org/**");
        assert!(matches!(&required[0].signers[..], [Signer::Identity { .. }]));
        let keys = required[1].signers.iter().map(|signer| match signer {
            Signer::Key { key: Key::File(file), transparency_log } => (file.path.clone(), *transparency_log),
            Signer::Key { key: Key::Pem { text, .. }, transparency_log } => (text.clone(), *transparency_log),
            Signer::Identity { .. } => panic!("no key"),
        });
        let keys: Vec<_> = keys.collect();
        let pem = "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----".to_owned();
        assert_eq!(keys, [("keys/a.pub".to_owned(), true), (pem, false)]);
    }
}

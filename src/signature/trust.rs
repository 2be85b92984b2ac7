//! Who is trusted: the keys that the configuration names, and the roots of trust, embedded or named.

use std::path::Path;
use std::sync::Arc;

use sigstore_verify::Verifier;
use sigstore_verify::crypto::KeyAlgorithm;
use sigstore_verify::trust_root::{SigstoreInstance, TrustedRoot};
use sigstore_verify::types::DerPublicKey;

use crate::policy::{Key, Named, Policy, PolicyError, PolicyErrors, Requirement, Signer};
use crate::source::Place;
use crate::walk::{Met, ReadError, Workspace};

/// The largest file of a key or a trusted root, in bytes.
const MAX_FILE: usize = 1 << 20;

/// What `signatures` requires, with its keys and roots of trust read.
pub struct Trust {
    pub(super) entries: Vec<Entry>,
}

/// One entry of `signatures`.
pub(super) struct Entry {
    pub(super) required: Requirement,
    /// Beside the signers: the key of each that is one.
    pub(super) keys: Vec<Option<DerPublicKey>>,
    pub(super) roots: Roots,
}

/// The roots of trust of an entry; one of them must vouch for a signature.
pub(super) type Roots = Arc<[Root]>;

/// A root of trust: who issues certificates, keeps the logs and signs the times.
pub(super) struct Root {
    pub(super) verifier: Verifier,
    /// Whether it has a transparency log, in which every signature must be.
    pub(super) has_log: bool,
    /// Whether it has a log of certificates, in which every certificate must be.
    pub(super) has_certificate_log: bool,
}

/// Why there is nobody to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// What the configuration names cannot be taken.
    #[error(transparent)]
    Configured(#[from] PolicyErrors),
    /// The trusted root of the command line cannot be taken.
    #[error("trusted root `{path}`: {why}")]
    Named { path: String, why: String },
}

impl Trust {
    /// Reads the keys and roots that a policy names from its workspace. `trusted_root` is one that the user names in
    /// place of all others, relative to where the user stands.
    ///
    /// # Errors
    /// A file is not there, or is no public key or no trusted root.
    pub fn read(policy: &Policy, workspace: &Workspace, trusted_root: Option<&Path>) -> Result<Self, TrustError> {
        if policy.signatures.is_empty() {
            return Ok(Self { entries: Vec::new() });
        }
        let shared = match trusted_root {
            Some(path) => {
                let read = text(workspace.named(path), workspace).and_then(|json| root(&json));
                let path = path.display().to_string();
                [read.map_err(|why| TrustError::Named { path, why })?].into()
            }
            None => embedded().map_err(|why| TrustError::Named { path: "(embedded)".to_owned(), why })?,
        };
        let mut errors = Vec::new();
        let mut entries = Vec::new();
        for required in &policy.signatures {
            let keys = required.signers.iter().map(|signer| public_key(signer, workspace, &mut errors)).collect();
            let own = required.trusted_root.as_ref().filter(|_| trusted_root.is_none());
            let roots = own.map_or_else(|| Arc::clone(&shared), |named| own_root(named, workspace, &mut errors));
            entries.push(Entry { required: required.clone(), keys, roots });
        }
        if errors.is_empty() { Ok(Self { entries }) } else { Err(PolicyErrors(errors).into()) }
    }
}

/// The public instance of Sigstore, and that of GitHub for private repositories.
fn embedded() -> Result<Roots, String> {
    [SigstoreInstance::PublicGood, SigstoreInstance::GitHub]
        .into_iter()
        .map(|instance| root(instance.embedded_trusted_root_json()))
        .collect()
}

fn root(json: &str) -> Result<Root, String> {
    let trusted = TrustedRoot::from_json(json).map_err(|error| format!("is no trusted root: {error}"))?;
    let verifier = Verifier::new(&trusted).map_err(|error| format!("is no trusted root: {error}"))?;
    let (has_log, has_certificate_log) = (!trusted.tlogs.is_empty(), !trusted.ctlogs.is_empty());
    Ok(Root { verifier, has_log, has_certificate_log })
}

fn own_root(named: &Named, workspace: &Workspace, errors: &mut Vec<PolicyError>) -> Roots {
    match at(named, workspace).and_then(|json| root(&json)) {
        Ok(root) => [root].into(),
        Err(why) => {
            let help = "name a trusted_root.json, as `cosign trusted-root create` writes it";
            errors.push(error(&named.place, format!("`{}` {why}", named.path), help));
            [].into()
        }
    }
}

fn public_key(signer: &Signer, workspace: &Workspace, errors: &mut Vec<PolicyError>) -> Option<DerPublicKey> {
    let Signer::Key { key, .. } = signer else { return None };
    let (text, place, name) = match key {
        Key::File(named) => (at(named, workspace), &named.place, format!("`{}`", named.path)),
        Key::Pem { text, place } => (Ok(text.clone()), place, "the key".to_owned()),
    };
    match text.and_then(|pem| parse_key(&pem)) {
        Ok(key) => Some(key),
        Err(why) => {
            let help = "name a public key in PEM, as `cosign generate-key-pair` writes it to cosign.pub";
            errors.push(error(place, format!("{name} {why}"), help));
            None
        }
    }
}

fn parse_key(pem: &str) -> Result<DerPublicKey, String> {
    if pem.contains("PRIVATE KEY") {
        return Err("is a private key: take it out of the repository, and make a new one".to_owned());
    }
    let count = pem.matches("-----BEGIN").count();
    if count > 1 {
        return Err(format!("has {count} keys: name each under `any-of`"));
    }
    let key = DerPublicKey::from_pem(pem).map_err(|error| format!("is no public key: {error}"))?;
    KeyAlgorithm::from_spki(&key).map_err(|error| format!("is no key that can be used: {error}"))?;
    Ok(key)
}

/// The text of a file that the configuration names.
fn at(named: &Named, workspace: &Workspace) -> Result<String, String> {
    let met = workspace.at(&named.path).ok_or_else(|| "is not there".to_owned())?;
    text(Ok(met), workspace)
}

fn text(met: Result<Met, ReadError>, workspace: &Workspace) -> Result<String, String> {
    let source = met.and_then(|met| workspace.read(&met)).map_err(|error| error.to_string())?;
    let text = source.text();
    if text.len() > MAX_FILE {
        return Err(format!("has {} bytes, more than {MAX_FILE}", text.len()));
    }
    Ok(text.to_owned())
}

fn error(place: &Place, message: String, help: &str) -> PolicyError {
    PolicyError { place: place.clone(), message, help: Some(help.to_owned()) }
}

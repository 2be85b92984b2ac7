//! From a signature as it is stored to a Sigstore bundle: cosign's annotations carry the same material in other words.
//!
//! Sources: <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>, the bundle of
//! <https://github.com/sigstore/protobuf-specs>, DSSE <https://github.com/secure-systems-lab/dsse>.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sigstore_verify::types::{Bundle, DerCertificate, Sha256Hash};

/// The annotations of cosign.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const PROMISE: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// The most certificates that are taken from a chain.
const MAX_CHAIN: usize = 8;

/// How a signature is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A Sigstore bundle.
    Bundle,
    /// A payload that names the image; its signature is an annotation.
    Simple,
    /// A DSSE envelope; what proves its signature are annotations.
    Envelope,
}

impl Form {
    /// The form of a layer by its media type.
    pub(super) fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "application/vnd.dev.cosign.simplesigning.v1+json" => Some(Self::Simple),
            "application/vnd.dsse.envelope.v1+json" => Some(Self::Envelope),
            _ if media_type.starts_with("application/vnd.dev.sigstore.bundle") => Some(Self::Bundle),
            _ => None,
        }
    }

    /// The most bytes that are read of it.
    pub(super) fn limit(self) -> usize {
        match self {
            Self::Simple => 64 << 10,
            Self::Bundle | Self::Envelope => 4 << 20,
        }
    }
}

/// A signature with everything that may prove it; nothing of it is proven.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) bundle: Bundle,
    /// What was signed, where that is not the image itself.
    pub(super) payload: Option<Vec<u8>>,
}

/// Reads a signature.
///
/// # Errors
/// What it is instead: a text that follows `found`.
pub(super) fn read(form: Form, bytes: Vec<u8>, annotations: &BTreeMap<String, String>) -> Result<Evidence, String> {
    let broken = |what: &str, why: &str| format!("{what} that cannot be read ({why})");
    match form {
        Form::Bundle => {
            let bundle = serde_json::from_slice(&bytes).map_err(|error| broken("a bundle", &reason(&error)))?;
            Ok(Evidence { bundle, payload: None })
        }
        Form::Simple => {
            let signature = annotations.get(SIGNATURE).filter(|text| !text.is_empty());
            let signature = signature.ok_or("a payload without a signature")?;
            let digest = STANDARD.encode(Sha256::digest(&bytes));
            let content = json!({
                "messageDigest": { "algorithm": "SHA2_256", "digest": digest },
                "signature": signature
            });
            let bundle = bundle("messageSignature", content, annotations).map_err(|why| broken("a signature", &why))?;
            Ok(Evidence { bundle, payload: Some(bytes) })
        }
        Form::Envelope => {
            let envelope = serde_json::from_slice(&bytes).map_err(|error| broken("an attestation", &reason(&error)))?;
            let bundle = bundle("dsseEnvelope", envelope, annotations).map_err(|why| broken("an attestation", &why))?;
            Ok(Evidence { bundle, payload: None })
        }
    }
}

/// A bundle of what cosign wrote into annotations.
fn bundle(name: &str, content: Value, annotations: &BTreeMap<String, String>) -> Result<Bundle, String> {
    let mut material = match annotations.get(CERTIFICATE) {
        Some(leaf) => {
            json!({ "x509CertificateChain": { "certificates": certificates(leaf, annotations.get(CHAIN))? } })
        }
        None => json!({ "publicKey": { "hint": "" } }),
    };
    // Of what the three versions of a bundle ask for: 0.1 the promise of the log, 0.2 its proof.
    let mut version = "0.2";
    if let Some(promise) = annotations.get(PROMISE) {
        version = "0.1";
        insert(&mut material, "tlogEntries", json!([log_entry(promise)?]));
    }
    if let Some(text) = annotations.get(TIMESTAMP).filter(|text| text.trim() != "null") {
        let timestamp: Timestamp = serde_json::from_str(text).map_err(|error| format!("its timestamp: {error}"))?;
        let timestamps = json!({ "rfc3161Timestamps": [{ "signedTimestamp": timestamp.signed }] });
        insert(&mut material, "timestampVerificationData", timestamps);
    }
    let media_type = format!("application/vnd.dev.sigstore.bundle+json;version={version}");
    let mut bundle = json!({ "mediaType": media_type, "verificationMaterial": material });
    insert(&mut bundle, name, content);
    serde_json::from_value(bundle).map_err(|error| reason(&error))
}

/// What is wrong with JSON, without the place: nobody wrote it by hand.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

/// The certificate and those that vouch for it.
fn certificates(leaf: &str, chain: Option<&String>) -> Result<Vec<Value>, String> {
    let blocks = chain.map_or("", String::as_str).split_inclusive("-----END CERTIFICATE-----");
    let blocks = blocks.filter(|block| block.contains("-----BEGIN"));
    let pems: Vec<&str> = [leaf].into_iter().chain(blocks).collect();
    if pems.len() > MAX_CHAIN {
        return Err(format!("its chain has {} certificates", pems.len()));
    }
    let certificate = |pem: &&str| {
        let der = DerCertificate::from_pem(pem).map_err(|error| format!("its certificate: {error}"))?;
        Ok(json!({ "rawBytes": der.to_base64() }))
    };
    pems.iter().map(certificate).collect()
}

/// What Rekor promised: cosign's annotation `bundle`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Promise {
    signed_entry_timestamp: String,
    payload: PromisedEntry,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromisedEntry {
    /// base64
    body: String,
    integrated_time: i64,
    log_index: u64,
    /// Hexadecimal.
    #[serde(rename = "logID")]
    log_id: String,
}

/// The kind of a log entry.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    kind: String,
    api_version: String,
}

#[derive(Deserialize)]
struct Timestamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    signed: String,
}

fn log_entry(promise: &str) -> Result<Value, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("its log entry: {error}");
    let Promise { signed_entry_timestamp, payload } = serde_json::from_str(promise).map_err(|error| wrong(&error))?;
    let log_id = Sha256Hash::from_hex(&payload.log_id).map_err(|error| wrong(&error))?;
    let body = STANDARD.decode(&payload.body).map_err(|error| wrong(&error))?;
    let body: Body = serde_json::from_slice(&body).map_err(|error| wrong(&error))?;
    Ok(json!({
        "logIndex": payload.log_index.to_string(),
        "logId": { "keyId": log_id.to_base64() },
        "kindVersion": { "kind": body.kind, "version": body.api_version },
        "integratedTime": payload.integrated_time.to_string(),
        "inclusionPromise": { "signedEntryTimestamp": signed_entry_timestamp },
        "canonicalizedBody": payload.body
    }))
}

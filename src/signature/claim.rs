//! What a signature says: that it is for an image, and what is attested of it.
//!
//! Sources: <https://github.com/containers/image/blob/main/docs/containers-signature.5.md> (simple signing),
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>.

use serde::Deserialize;
use serde_json::Value;
use sigstore_verify::types::SignatureContent;

use super::material::{Evidence, reason};

/// The payload type of an attestation.
const IN_TOTO: &str = "application/vnd.in-toto+json";
/// The types of the statement in it.
const STATEMENTS: &[&str] = &["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"];
/// The types of cosign's payload.
const SIMPLE: &[&str] = &["cosign container image signature", "https://sigstore.dev/cosign/sign/v1"];
/// How many subjects an attestation may have.
const MAX_SUBJECTS: usize = 4096;

/// What is said of an image.
#[derive(Debug)]
pub(super) enum Claim {
    /// That it is signed.
    Image,
    /// That something holds for it.
    Attested { predicate_type: String, predicate: Value },
}

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    r#type: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    #[serde(default)]
    predicate: Value,
}

#[derive(Deserialize)]
struct Subject {
    digest: std::collections::BTreeMap<String, String>,
}

impl Subject {
    fn is(&self, digest: &str) -> bool {
        digest.split_once(':').is_some_and(|(algorithm, hex)| self.digest.get(algorithm).is_some_and(|it| it == hex))
    }

    fn shown(&self) -> String {
        let first = self.digest.iter().next();
        first.map_or_else(String::new, |(algorithm, hex)| format!("{algorithm}:{hex}"))
    }
}

/// What a signature says of the image of a digest.
///
/// # Errors
/// It is for another image, or says nothing that can be read: a text that follows `found`.
pub(super) fn read(evidence: &Evidence, digest: &str) -> Result<Claim, String> {
    match (&evidence.payload, &evidence.bundle.content) {
        (Some(payload), _) => simple(payload, digest),
        // The digest that was signed is compared with that of the image when the signature is proven.
        (None, SignatureContent::MessageSignature(_)) => Ok(Claim::Image),
        (None, SignatureContent::DsseEnvelope(envelope)) if envelope.payload_type == IN_TOTO => {
            statement(envelope.payload.as_bytes(), digest)
        }
        (None, SignatureContent::DsseEnvelope(envelope)) => {
            Err(format!("an attestation of the type `{}`, not `{IN_TOTO}`", envelope.payload_type))
        }
        (None, _) => Err("a bundle of an unknown kind".to_owned()),
    }
}

fn simple(payload: &[u8], digest: &str) -> Result<Claim, String> {
    let Payload { critical } = serde_json::from_slice(payload)
        .map_err(|error| format!("a payload that cannot be read ({})", reason(&error)))?;
    if !SIMPLE.contains(&critical.r#type.as_str()) {
        return Err(format!("a payload of the type `{}`, not `{}`", critical.r#type, SIMPLE.join("` or `")));
    }
    if critical.image.digest != digest {
        return Err(format!("a signature for another image ({})", critical.image.digest));
    }
    Ok(Claim::Image)
}

fn statement(payload: &[u8], digest: &str) -> Result<Claim, String> {
    let statement: Statement = serde_json::from_slice(payload)
        .map_err(|error| format!("an attestation that cannot be read ({})", reason(&error)))?;
    if !STATEMENTS.contains(&statement.kind.as_str()) {
        return Err(format!("an attestation whose statement is of the type `{}`", statement.kind));
    }
    if statement.subject.len() > MAX_SUBJECTS {
        return Err(format!("an attestation with {} subjects", statement.subject.len()));
    }
    if !statement.subject.iter().any(|subject| subject.is(digest)) {
        let others = statement.subject.first().map(Subject::shown).unwrap_or_default();
        return Err(format!("an attestation for another image ({others})"));
    }
    Ok(Claim::Attested { predicate_type: statement.predicate_type, predicate: statement.predicate })
}

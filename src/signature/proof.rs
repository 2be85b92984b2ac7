//! Whether a signature holds: by the certificate that came with it and the logs that saw it, or by a key.
//!
//! The cryptography is that of `sigstore-verify`: the chain of the certificate at every proven time, its entry in the
//! log of certificates, the signature itself, the log's proof or promise and its checkpoint, and that the log entry is
//! that of this signature. Who signed is decided by the caller.

use sigstore_verify::crypto::{self, CertificateInfo, KeyAlgorithm, SigningScheme};
use sigstore_verify::types::{Artifact, ArtifactDigest, DerPublicKey, HashAlgorithm, SignatureContent};
use sigstore_verify::{
    CertificateError, Error, PublicKeyVerificationPolicy, TimestampError, TransparencyLogError, VerificationPolicy,
};

use super::material::Evidence;
use super::trust::Root;

/// The certificate of a signature that holds under one of the roots.
///
/// # Errors
/// Why it holds under none.
pub(super) fn by_certificate(evidence: &Evidence, digest: &str, roots: &[Root]) -> Result<CertificateInfo, String> {
    let mut best: Option<Error> = None;
    for root in roots {
        let mut policy = VerificationPolicy::any_identity();
        // A root without logs is that of an instance that has none: its timestamps say when something was signed.
        if !root.has_log {
            policy = policy.skip_tlog_unsafe();
        }
        if !root.has_certificate_log {
            policy = policy.skip_sct();
        }
        match root.verifier.verify(artifact(evidence, digest)?, &evidence.bundle, &policy) {
            Ok(proven) => return proven.certificate().cloned().ok_or_else(|| "it has no certificate".to_owned()),
            Err(error) => {
                if best.as_ref().is_none_or(|best| reached(&error) > reached(best)) {
                    best = Some(error);
                }
            }
        }
    }
    Err(best.map_or_else(|| "there is no root of trust".to_owned(), |error| words(&error)))
}

/// Whether a signature is that of a key. With `log`, it must be in the log of one of the roots.
///
/// # Errors
/// Why it is not.
pub(super) fn by_key(
    evidence: &Evidence,
    digest: &str,
    key: &DerPublicKey,
    log: Option<&[Root]>,
) -> Result<(), String> {
    by_key_alone(evidence, digest, key)?;
    let Some(roots) = log else { return Ok(()) };
    let policy = PublicKeyVerificationPolicy::new(key.clone());
    let mut best = None;
    for root in roots.iter().filter(|root| root.has_log) {
        match root.verifier.verify(artifact(evidence, digest)?, &evidence.bundle, &policy) {
            Ok(_) => return Ok(()),
            Err(error) => best = best.or(Some(words(&error))),
        }
    }
    Err(best.unwrap_or_else(|| "the root of trust has no transparency log".to_owned()))
}

/// Whether the bytes were signed with a key, at whatever time.
fn by_key_alone(evidence: &Evidence, digest: &str, key: &DerPublicKey) -> Result<(), String> {
    let algorithm = KeyAlgorithm::from_spki(key).map_err(|error| error.to_string())?;
    let holds = |scheme: SigningScheme| match (&evidence.bundle.content, &evidence.payload) {
        (SignatureContent::MessageSignature(it), Some(payload)) => {
            crypto::verify_signature(key, payload, &it.signature, scheme).is_ok()
        }
        // The image itself was signed: its digest is that of its manifest.
        (SignatureContent::MessageSignature(it), None) => digest_of(digest).is_ok_and(|digest| {
            scheme.hash_algorithm() == Some(digest.algorithm())
                && crypto::verify_signature_prehashed(key, digest.as_bytes(), &it.signature, scheme).is_ok()
        }),
        (SignatureContent::DsseEnvelope(it), _) => {
            crypto::verify_signature(key, &it.pae(), &it.signature.sig, scheme).is_ok()
        }
        _ => false,
    };
    // cosign signs with SHA-256 whatever the key.
    let schemes = [Ok(algorithm.default_signing_scheme()), algorithm.resolve_signing_scheme(HashAlgorithm::Sha2256)];
    if schemes.into_iter().flatten().any(holds) {
        Ok(())
    } else {
        Err("it is not that of the key, or was changed".to_owned())
    }
}

/// What was signed.
fn artifact<'e>(evidence: &'e Evidence, digest: &str) -> Result<Artifact<'e>, String> {
    match &evidence.payload {
        Some(payload) => Ok(Artifact::from_blob(payload)),
        None => digest_of(digest).map(Artifact::from_digest),
    }
}

fn digest_of(digest: &str) -> Result<ArtifactDigest, String> {
    let (algorithm, hex) = digest.split_once(':').unwrap_or_default();
    let algorithm: HashAlgorithm = algorithm.parse().map_err(|_| format!("no signature is made for {algorithm}"))?;
    let bytes = sigstore_verify::types::DigestBytes::from_hex(hex).map_err(|error| error.to_string())?;
    ArtifactDigest::new(algorithm, bytes).map_err(|error| error.to_string())
}

/// How far a proof came under a root before it failed: what another root has issued fails at the times or the chain.
fn reached(error: &Error) -> u8 {
    match error {
        Error::Timestamp(_)
        | Error::Bundle(_)
        | Error::TransparencyLog(TransparencyLogError::UnknownLog { .. } | TransparencyLogError::InclusionPromise(_)) => {
            0
        }
        Error::Certificate(CertificateError::ChainInvalid(_) | CertificateError::NoValidAuthority { .. }) => 1,
        _ => 2,
    }
}

/// Why a proof failed, for people who did not make it.
fn words(error: &Error) -> String {
    use {CertificateError as Certificate, TransparencyLogError as Log};
    let of_no = |what: &str| format!("{what} of the root of trust");
    match error {
        Error::SignatureInvalid(_) => "the signature is not that of its certificate or key over these bytes".to_owned(),
        Error::ArtifactMismatch(_) => "it is for other bytes".to_owned(),
        Error::Certificate(Certificate::Expired { time, not_after }) => {
            format!("its certificate had expired ({not_after}) when it was signed ({time})")
        }
        Error::Certificate(Certificate::NotYetValid { time, not_before }) => {
            format!("its certificate was not valid yet (from {not_before}) when it was signed ({time})")
        }
        Error::Certificate(Certificate::ChainInvalid(why)) if why.contains("CertExpired") => {
            "its certificate had expired when it was signed".to_owned()
        }
        Error::Certificate(Certificate::ChainInvalid(why)) if why.contains("CertNotValidYet") => {
            "its certificate was not valid yet when it was signed".to_owned()
        }
        Error::Certificate(Certificate::ChainInvalid(_) | Certificate::NoValidAuthority { .. }) => {
            of_no("its certificate is of no authority")
        }
        Error::Certificate(Certificate::Sct(_)) => of_no("its certificate is in no certificate log"),
        Error::TransparencyLog(Log::UnknownLog { .. } | Log::InclusionPromise(_)) => {
            of_no("its log entry and time are not vouched for by a transparency log")
        }
        Error::TransparencyLog(Log::InclusionProof(_)) => "it is not proven to be in the transparency log".to_owned(),
        Error::TransparencyLog(Log::Checkpoint(_)) => of_no("the state of the log is not signed by a transparency log"),
        Error::TransparencyLog(Log::EntryMismatch(_)) => "its log entry is that of another signature".to_owned(),
        Error::TransparencyLog(Log::IntegratedTime(_)) => {
            "the time of its log entry is in the future, or not that of its certificate".to_owned()
        }
        Error::Timestamp(TimestampError::NoVerifiedTimestamp(_)) => {
            "no transparency log and no timestamp says when it was signed".to_owned()
        }
        Error::Timestamp(_) => of_no("its timestamp is of no authority"),
        Error::Bundle(why) if why.to_string().to_lowercase().contains("inclusion") => {
            "it has no proof that it is in the transparency log".to_owned()
        }
        Error::Bundle(sigstore_verify::bundle::Error::MissingSigningTimeEvidence) => {
            "it is in no transparency log, and no timestamp says when it was signed".to_owned()
        }
        other => plain(&other.to_string()),
    }
}

/// A text of somebody else: one line, beginning in lower case, not too long.
pub(super) fn plain(text: &str) -> String {
    let mut letters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(letters).take(300).collect()
}

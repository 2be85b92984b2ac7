//! A Sigstore of the tests' own: an authority that issues certificates, a log of them, and a transparency log.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sigstore_verify::crypto::{KeyPair, sha256};
use sigstore_verify::types::{DerCertificate, Sha256Hash, pae};

use super::der::{bits, element, octets, oid, sequence, set, time, truth, utf8};

/// When everything is signed: 2024-01-01T00:05:00Z.
pub(super) const SIGNED_AT: i64 = 1_704_067_500;
const VALID: (&str, &str) = ("240101000000Z", "240101001000Z");
const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
const IN_TOTO: &str = "application/vnd.in-toto+json";

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Who is trusted.
pub(super) struct Sigstore {
    authority: KeyPair,
    certificate_log: KeyPair,
    pub(super) log: KeyPair,
    root: Vec<u8>,
}

/// What a certificate says.
#[derive(Clone)]
pub(super) struct Holder {
    pub(super) identity: &'static str,
    pub(super) issuer: &'static str,
    /// Source repository and ref.
    pub(super) source: Option<(&'static str, &'static str)>,
    pub(super) valid: (&'static str, &'static str),
    /// Whether it is in the log of certificates.
    pub(super) is_logged: bool,
}

pub(super) const IDENTITY: &str = "https://github.com/org/app/.github/workflows/release.yml@refs/tags/v1.0.0";
pub(super) const ISSUER: &str = "https://token.actions.githubusercontent.com";

impl Default for Holder {
    fn default() -> Self {
        Self { identity: IDENTITY, issuer: ISSUER, source: None, valid: VALID, is_logged: true }
    }
}

/// The certificate of a key that is used once.
pub(super) struct Certified {
    pub(super) key: KeyPair,
    pub(super) der: Vec<u8>,
}

fn spki(key: &KeyPair) -> Vec<u8> {
    key.public_key_der().unwrap().as_bytes().to_vec()
}

fn algorithm() -> Vec<u8> {
    sequence(&[oid(ECDSA_SHA256)])
}

fn name(text: &str) -> Vec<u8> {
    let parts = if text.is_empty() { vec![] } else { vec![set(&[sequence(&[oid("2.5.4.3"), utf8(text)])])] };
    sequence(&parts)
}

fn extension(id: &str, is_critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![oid(id)];
    parts.extend(is_critical.then(truth));
    parts.push(octets(value));
    sequence(&parts)
}

fn to_be_signed(subject: &str, valid: (&str, &str), key: &KeyPair, extensions: &[Vec<u8>]) -> Vec<u8> {
    sequence(&[
        element(0xa0, &element(0x02, &[2])),
        element(0x02, &[7]),
        algorithm(),
        name("test authority"),
        sequence(&[time(valid.0), time(valid.1)]),
        name(subject),
        spki(key),
        element(0xa3, &sequence(extensions)),
    ])
}

fn signed(body: Vec<u8>, by: &KeyPair) -> Vec<u8> {
    let signature = by.sign(&body).unwrap();
    sequence(&[body, algorithm(), bits(signature.as_bytes())])
}

impl Sigstore {
    pub(super) fn new() -> Self {
        let key = || KeyPair::generate_ecdsa_p256().unwrap();
        let authority = key();
        let extensions = [
            extension("2.5.29.19", true, &sequence(&[truth()])),
            extension("2.5.29.15", true, &element(0x03, &[1, 0x06])),
        ];
        let body = to_be_signed("test authority", ("200101000000Z", "400101000000Z"), &authority, &extensions);
        let root = signed(body, &authority);
        Self { authority, certificate_log: key(), log: key(), root }
    }

    /// The `trusted_root.json`; `logs` is whether it names logs at all.
    pub(super) fn trusted_root(&self) -> Value {
        let from = json!({ "start": "2020-01-01T00:00:00Z" });
        let log = |key: &KeyPair, url: &str| {
            json!([{
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": base64(spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": from
                },
                "logId": { "keyId": base64(sha256(&spki(key))) }
            }])
        };
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": log(&self.log, "https://rekor.test"),
            "certificateAuthorities": [{
                "subject": { "organization": "test", "commonName": "test authority" },
                "uri": "https://fulcio.test",
                "certChain": { "certificates": [{ "rawBytes": base64(&self.root) }] },
                "validFor": from
            }],
            "ctlogs": log(&self.certificate_log, "https://ctfe.test"),
            "timestampAuthorities": []
        })
    }

    /// The same for cosign, which has a file for each.
    pub(super) fn pems(&self) -> Vec<(&'static str, String)> {
        let key = |key: &KeyPair| key.public_key_der().unwrap().to_pem();
        vec![
            ("root.pem", DerCertificate::from_bytes(&self.root).to_pem()),
            ("rekor.pub", key(&self.log)),
            ("ctfe.pub", key(&self.certificate_log)),
        ]
    }

    /// Issues a certificate.
    pub(super) fn certify(&self, holder: &Holder) -> Certified {
        let key = KeyPair::generate_ecdsa_p256().unwrap();
        let kind = if holder.identity.contains("://") { 0x86 } else { 0x81 };
        let fulcio = |number: u8, text: &str| extension(&format!("1.3.6.1.4.1.57264.1.{number}"), false, &utf8(text));
        let mut extensions = vec![
            extension("2.5.29.15", true, &element(0x03, &[7, 0x80])),
            extension("2.5.29.37", false, &sequence(&[oid("1.3.6.1.5.5.7.3.3")])),
            extension("2.5.29.17", true, &sequence(&[element(kind, holder.identity.as_bytes())])),
            extension("1.3.6.1.4.1.57264.1.1", false, holder.issuer.as_bytes()),
            fulcio(8, holder.issuer),
        ];
        if let Some((repository, git_ref)) = holder.source {
            extensions.extend([fulcio(12, repository), fulcio(14, git_ref)]);
        }
        let body = to_be_signed("", holder.valid, &key, &extensions);
        if holder.is_logged {
            let list = self.promise_of_certificate(&body);
            extensions.push(extension("1.3.6.1.4.1.11129.2.4.2", false, &octets(&list)));
        }
        let der = signed(to_be_signed("", holder.valid, &key, &extensions), &self.authority);
        Certified { key, der }
    }

    /// A signed certificate timestamp (RFC 6962, 3.2), in its list.
    fn promise_of_certificate(&self, body: &[u8]) -> Vec<u8> {
        let at = (SIGNED_AT as u64 * 1000).to_be_bytes();
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let authority = sha256(&spki(&self.authority));
        let signed = [&[0, 0][..], &at, &[0, 1], authority.as_bytes(), &length[1..], body, &[0, 0]].concat();
        let signature = self.certificate_log.sign(&signed).unwrap();
        let id = sha256(&spki(&self.certificate_log));
        let long = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
        let one = [&[0][..], id.as_bytes(), &at, &[0, 0, 4, 3], &long(signature.as_bytes())].concat();
        long(&long(&one))
    }

    /// The log's entry for a body.
    pub(super) fn log(&self, body: &Value, at: i64) -> Entry {
        let body = serde_json::to_vec(body).unwrap();
        let id = sha256(&spki(&self.log));
        let promised =
            format!(r#"{{"body":"{}","integratedTime":{at},"logID":"{}","logIndex":1}}"#, base64(&body), id.to_hex());
        let promise = self.log.sign(promised.as_bytes()).unwrap();
        let other = sha256(b"\0the entry before");
        let leaf = sha256(&[&[0], &body[..]].concat());
        let root = sha256(&[&[1], &other.as_bytes()[..], leaf.as_bytes()].concat());
        let note = format!("rekor.test - 1\n2\n{}\n", root.to_base64());
        let signature = self.log.sign(note.as_bytes()).unwrap();
        let signature = base64([&id.as_bytes()[..4], signature.as_bytes()].concat());
        let checkpoint = format!("{note}\n\u{2014} rekor.test {signature}\n");
        let kind: Value = serde_json::from_slice(&body).unwrap();
        Entry(json!({
            "logIndex": "1",
            "logId": { "keyId": id.to_base64() },
            "kindVersion": { "kind": kind["kind"], "version": kind["apiVersion"] },
            "integratedTime": at.to_string(),
            "inclusionPromise": { "signedEntryTimestamp": base64(promise.as_bytes()) },
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": root.to_base64(),
                "treeSize": "2",
                "hashes": [other.to_base64()],
                "checkpoint": { "envelope": checkpoint }
            },
            "canonicalizedBody": base64(&body)
        }))
    }

    /// A bundle of an attestation by the holder of a certificate.
    pub(super) fn attest(&self, holder: &Holder, statement: &Value) -> Value {
        let certified = self.certify(holder);
        let (envelope, entry) = self.envelope(&certified.key, &certified.pem(), statement);
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": { "rawBytes": base64(&certified.der) },
                "tlogEntries": [entry.0],
                "timestampVerificationData": {}
            },
            "dsseEnvelope": envelope
        })
    }

    /// A signed statement, and its entry in the log under the key or certificate `pem`.
    pub(super) fn envelope(&self, key: &KeyPair, pem: &str, statement: &Value) -> (Value, Entry) {
        let payload = serde_json::to_vec(statement).unwrap();
        let signature = base64(key.sign(&pae(IN_TOTO, &payload)).unwrap().as_bytes());
        let envelope = json!({
            "payload": base64(&payload), "payloadType": IN_TOTO, "signatures": [{ "sig": signature }]
        });
        let hash = sha256(serde_json::to_vec(&envelope).unwrap().as_slice()).to_hex();
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": { "algorithm": "sha256", "value": hash },
                "payloadHash": { "algorithm": "sha256", "value": sha256(&payload).to_hex() },
                "signatures": [{ "signature": signature, "verifier": base64(pem) }]
            }
        });
        (envelope, self.log(&body, SIGNED_AT))
    }

    /// The annotations of cosign for a payload that the holder of a certificate signed at some time.
    pub(super) fn sign_at(&self, holder: &Holder, payload: &[u8], at: i64) -> Vec<(String, String)> {
        let certified = self.certify(holder);
        let (signature, entry) = self.signature(&certified.key, &certified.pem(), payload, at);
        let mut annotations = cosign(&signature, Some(&entry));
        annotations.push(("dev.sigstore.cosign/certificate".to_owned(), certified.pem()));
        let root = DerCertificate::from_bytes(&self.root).to_pem();
        annotations.push(("dev.sigstore.cosign/chain".to_owned(), root));
        annotations
    }

    pub(super) fn sign(&self, holder: &Holder, payload: &[u8]) -> Vec<(String, String)> {
        self.sign_at(holder, payload, SIGNED_AT)
    }

    /// A signature over a payload, and its entry in the log under the key or certificate `pem`.
    pub(super) fn signature(&self, key: &KeyPair, pem: &str, payload: &[u8], at: i64) -> (String, Entry) {
        let signature = base64(key.sign(payload).unwrap().as_bytes());
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": sha256(payload).to_hex() } },
                "signature": { "content": signature, "publicKey": { "content": base64(pem) } }
            }
        });
        (signature, self.log(&body, at))
    }
}

impl Certified {
    pub(super) fn pem(&self) -> String {
        DerCertificate::from_bytes(&self.der).to_pem()
    }
}

/// An entry of the transparency log, as bundles hold it.
pub(super) struct Entry(pub(super) Value);

impl Entry {
    /// As cosign's annotation holds it.
    pub(super) fn promise(&self) -> Value {
        let id = Sha256Hash::from_base64(self.0["logId"]["keyId"].as_str().unwrap()).unwrap().to_hex();
        json!({
            "SignedEntryTimestamp": self.0["inclusionPromise"]["signedEntryTimestamp"],
            "Payload": {
                "body": self.0["canonicalizedBody"],
                "integratedTime": self.0["integratedTime"].as_str().unwrap().parse::<i64>().unwrap(),
                "logIndex": 1,
                "logID": id
            }
        })
    }
}

/// The annotations of cosign.
pub(super) fn cosign(signature: &str, entry: Option<&Entry>) -> Vec<(String, String)> {
    let mut annotations = vec![("dev.cosignproject.cosign/signature".to_owned(), signature.to_owned())];
    let promise = entry.map(|entry| ("dev.sigstore.cosign/bundle".to_owned(), entry.promise().to_string()));
    annotations.extend(promise);
    annotations
}

/// What cosign signs.
pub(super) fn payload(digest: &str) -> Vec<u8> {
    let payload = json!({
        "critical": {
            "identity": { "docker-reference": "localhost/org/app" },
            "image": { "docker-manifest-digest": digest },
            "type": "cosign container image signature"
        },
        "optional": null
    });
    serde_json::to_vec(&payload).unwrap()
}

/// A statement about an image.
pub(super) fn statement(digest: &str, predicate_type: &str, predicate: &Value) -> Value {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "localhost/org/app", "digest": { algorithm: hex } }],
        "predicateType": predicate_type,
        "predicate": predicate
    })
}

/// SLSA provenance of a workflow.
pub(super) fn provenance(digest: &str, repository: &str, git_ref: &str) -> Value {
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {
                "workflow": { "ref": git_ref, "repository": repository, "path": ".github/workflows/release.yml" }
            },
            "resolvedDependencies": [{ "uri": format!("git+{repository}@{git_ref}"), "digest": { "gitCommit": "aa" } }]
        },
        "runDetails": { "builder": { "id": format!("{repository}/.github/workflows/release.yml@{git_ref}") } }
    });
    statement(digest, "https://slsa.dev/provenance/v1", &predicate)
}

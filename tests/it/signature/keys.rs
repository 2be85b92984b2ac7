//! Signatures by keys: with the transparency log, as cosign asks for it, and without.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sigstore_verify::crypto::KeyPair;

use super::sigstore::{Holder, SIGNED_AT, Sigstore, base64, cosign, payload, provenance};
use super::store::{ENVELOPE, Store};
use super::{DIGEST, OTHER, known, reviewed, said, trust};
use crate::program::Folder;

const IMAGE: &str = "localhost/org/app";
const LOGGED: &str = "  - { images: '**', key: cosign.pub, trusted-root: root.json }\n";
const UNLOGGED: &str = "  - { images: '**', key: cosign.pub, transparency-log: false }\n";

/// A key pair, the log, and what is stored beside the image.
struct Case {
    sigstore: Sigstore,
    key: KeyPair,
    store: Store,
}

fn pem(key: &KeyPair) -> String {
    key.public_key_der().unwrap().to_pem()
}

impl Case {
    fn new() -> Self {
        Self { sigstore: Sigstore::new(), key: KeyPair::generate_ecdsa_p256().unwrap(), store: Store::default() }
    }

    /// A classic signature; without the log, its entry is left away.
    fn signed(mut self, key: Option<&KeyPair>, payload: &[u8], is_logged: bool) -> Self {
        let key = key.unwrap_or(&self.key);
        let (signature, entry) = self.sigstore.signature(key, &pem(key), payload, SIGNED_AT);
        self.store.sig(DIGEST, payload, &cosign(&signature, is_logged.then_some(&entry)));
        self
    }

    fn attested(mut self, is_bundle: bool, is_logged: bool) -> Self {
        let statement = provenance(DIGEST, "https://github.com/org/app", "refs/tags/v1");
        let (envelope, entry) = self.sigstore.envelope(&self.key, &pem(&self.key), &statement);
        if is_bundle {
            let entries = if is_logged { json!([entry.0]) } else { json!([]) };
            self.store.bundle(DIGEST, &bundle(&entries, "dsseEnvelope", envelope));
        } else {
            let tag = format!("{}.att", DIGEST.replace(':', "-"));
            let envelope = serde_json::to_vec(&envelope).unwrap();
            self.store.tag(&tag, ENVELOPE, &envelope, &cosign("", is_logged.then_some(&entry)));
        }
        self
    }

    fn said(&self, required: &str) -> String {
        let (key, root) = (pem(&self.key), self.sigstore.trusted_root().to_string());
        let folder = Folder::new(&[("cosign.pub", &key), ("root.json", &root)]);
        said(&known(required, &folder, &self.store, &format!("{IMAGE}@{DIGEST}")))
    }
}

fn bundle(entries: &Value, name: &str, content: Value) -> Value {
    let mut bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "publicKey": { "hint": "x" }, "tlogEntries": entries }
    });
    bundle[name] = content;
    bundle
}

#[test]
fn the_log_is_asked_for_unless_the_configuration_says_otherwise() {
    let mut text = String::new();
    for is_logged in [true, false] {
        let cases = [
            ("a signature", Case::new().signed(None, &payload(DIGEST), is_logged)),
            ("an attestation", Case::new().attested(false, is_logged)),
            ("a bundle", Case::new().attested(true, is_logged)),
        ];
        for (name, case) in cases {
            let log = if is_logged { "in the log" } else { "not in the log" };
            writeln!(text, "## {name} {log}\n\n{}\n", case.said(LOGGED)).unwrap();
            assert_eq!(case.said(UNLOGGED), "accepted", "{name} {log}");
            assert_eq!(case.said(LOGGED) == "accepted", is_logged, "{name}");
        }
    }
    reviewed("signature-key-log", &text);
}

#[test]
fn an_image_whose_manifest_was_signed_is_signed() {
    // What is signed is the manifest itself; its digest is that of the image.
    let manifest = br#"{"schemaVersion":2}"#;
    let digest = format!("sha256:{}", sigstore_verify::crypto::sha256(manifest).to_hex());
    let case = Case::new();
    let signature = case.key.sign(manifest).unwrap();
    let bytes = sigstore_verify::crypto::sha256(manifest);
    let content = |digest: &str| json!({ "messageDigest": { "algorithm": "SHA2_256", "digest": digest }, "signature": base64(signature.as_bytes()) });
    let folder = Folder::new(&[("cosign.pub", &pem(&case.key))]);
    let look = |image: &str, digest: &str| {
        let mut store = Store::default();
        store.bundle(image, &bundle(&json!([]), "messageSignature", content(digest)));
        said(&known(UNLOGGED, &folder, &store, &format!("{IMAGE}@{image}")))
    };
    assert_eq!(look(&digest, &bytes.to_base64()), "accepted");
    let refused = "found a signature that does not hold (it is not that of the key, or was changed), required a signature by the key \
                   `cosign.pub`";
    assert_eq!(look(DIGEST, &bytes.to_base64()), refused);
}

#[test]
fn another_key_or_another_image_is_refused() {
    let other = KeyPair::generate_ecdsa_p256().unwrap();
    let mut certificate = Case::new();
    let annotations = certificate.sigstore.sign(&Holder::default(), &payload(DIGEST));
    certificate.store.sig(DIGEST, &payload(DIGEST), &annotations);
    let mut borrowed = Case::new();
    // A signature of the key with a log entry that somebody else made for the same payload.
    let (signature, _) = borrowed.sigstore.signature(&borrowed.key, &pem(&borrowed.key), &payload(DIGEST), SIGNED_AT);
    let (_, entry) = borrowed.sigstore.signature(&other, &pem(&other), &payload(DIGEST), SIGNED_AT);
    borrowed.store.sig(DIGEST, &payload(DIGEST), &cosign(&signature, Some(&entry)));
    let cases = [
        ("another key", Case::new().signed(Some(&other), &payload(DIGEST), true)),
        ("another image", Case::new().signed(None, &payload(OTHER), true)),
        ("a certificate, where a key is required", certificate),
        ("the log entry of another key", borrowed),
    ];
    let mut text = String::new();
    for (name, case) in cases {
        writeln!(text, "## {name}\n\n{}\n", case.said(LOGGED)).unwrap();
        assert!(case.said(LOGGED).starts_with("found "), "{name}");
    }
    reviewed("signature-key-refused", &text);
}

#[test]
fn one_of_several_keys_is_enough_and_every_entry_must_be_met() {
    let (one, two) = (KeyPair::generate_ecdsa_p256().unwrap(), KeyPair::generate_ecdsa_p256().unwrap());
    let case = Case::new().signed(Some(&two), &payload(DIGEST), false);
    let folder = Folder::new(&[("one.pub", &pem(&one)), ("two.pub", &pem(&two))]);
    let look = |required: &str| said(&known(required, &folder, &case.store, &format!("{IMAGE}@{DIGEST}")));
    let key = |name: &str| format!("{{ key: {name}.pub, transparency-log: false }}");
    let any = format!("  - {{ images: '**', any-of: [{}, {}] }}\n", key("one"), key("two"));
    assert_eq!(look(&any), "accepted");
    let inline = pem(&two).replace('\n', "\n      ");
    let inline = format!("  - images: '**'\n    transparency-log: false\n    key: |\n      {inline}\n");
    assert_eq!(look(&inline), "accepted");
    let entry =
        |images: &str, name: &str| format!("  - {{ images: '{images}', key: {name}.pub, transparency-log: false }}\n");
    let both = entry("**", "one") + &entry("localhost/org/*", "two") + &entry("localhost/other/**", "one");
    let refused = "found a signature that does not hold (it is not that of the key, or was changed), required a signature by the key \
                   `one.pub`\naccepted";
    assert_eq!(look(&both), refused);
}

#[test]
fn keys_and_roots_that_are_none_are_errors_of_the_configuration() {
    let key = KeyPair::generate_ecdsa_p256().unwrap();
    let two = format!("{0}{0}", pem(&key));
    let secret = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
    let certificate = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    let short = "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n";
    let folder = Folder::new(&[
        ("two.pub", &two),
        ("secret.key", secret),
        ("certificate.pem", certificate),
        ("short.pub", short),
        ("text.pub", "hello\n"),
        ("good.pub", &pem(&key)),
        ("root.json", "{}"),
        ("folder/x", ""),
    ]);
    let keys = ["none.pub", "folder", "two.pub", "secret.key", "certificate.pem", "short.pub", "text.pub"];
    let mut required = String::new();
    for key in keys {
        writeln!(required, "  - {{ images: '**', key: {key} }}").unwrap();
    }
    required.push_str("  - { images: '**', key: good.pub, trusted-root: root.json }\n");
    required.push_str("  - { images: '**', key: good.pub, trusted-root: good.pub }\n");
    let error = trust(&required, &folder).err().unwrap().to_string();
    reviewed("signature-trust-errors", &error);
}

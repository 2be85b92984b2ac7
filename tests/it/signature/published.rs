//! Signatures that others made and published, under the embedded roots of trust.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sigstore_verify::trust_root::SIGSTORE_STAGING_TRUSTED_ROOT;

use super::store::Store;
use super::{known, reviewed, said};
use crate::program::Folder;

const GITHUB: &str = "https://token.actions.githubusercontent.com";

pub(super) fn data(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/signature").join(name)).unwrap()
}

/// What cosign signed for an image.
fn payload(reference: &str, digest: &str) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"{reference}"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
    )
}

/// The manifest of a classic signature, as it is stored beside an image.
fn classic(name: &str, reference: &str, digest: &str) -> Store {
    let manifest: Value = serde_json::from_slice(&data(name)).unwrap();
    let layer = &manifest["layers"][0];
    let annotations = layer["annotations"].as_object().unwrap().iter();
    let annotations: Vec<_> = annotations.map(|(key, text)| (key.clone(), text.as_str().unwrap().to_owned())).collect();
    let payload = payload(reference, digest);
    let found = format!("sha256:{}", sigstore_verify::crypto::sha256(payload.as_bytes()).to_hex());
    assert_eq!(layer["digest"], found, "the payload is that which was signed");
    let mut store = Store::default();
    store.sig(digest, payload.as_bytes(), &annotations);
    store
}

/// The key of a classic signature, from its entry in the log.
fn key_of(name: &str) -> String {
    let decode = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let manifest: Value = serde_json::from_slice(&data(name)).unwrap();
    let promise = &manifest["layers"][0]["annotations"]["dev.sigstore.cosign/bundle"];
    let promise: Value = serde_json::from_str(promise.as_str().unwrap()).unwrap();
    let body: Value = serde_json::from_slice(&decode(&promise["Payload"]["body"])).unwrap();
    String::from_utf8(decode(&body["spec"]["signature"]["publicKey"]["content"])).unwrap()
}

fn bundle(name: &str, digest: &str) -> Store {
    let mut store = Store::default();
    store.bundle(digest, &serde_json::from_slice(&data(name)).unwrap());
    store
}

struct Case {
    name: &'static str,
    image: &'static str,
    digest: &'static str,
    store: Store,
    /// What it is signed as, and what it is not: the keys of an entry.
    good: String,
    bad: String,
}

fn by(identity: &str, issuer: &str, more: &str) -> String {
    format!("identity: '{identity}', issuer: '{issuer}'{more}")
}

fn cases() -> Vec<Case> {
    let hub = "sha256:c05263d2ff654c3a94243662440913f045075d59c436e2c69e9145ec2b87a321";
    let keyed = "sha256:2f0249ebb962c1281b791aafe68ec39caa2751eecad1c6a5042cbdc43548d764";
    let wheel = "sha256:49a3aa6075e0f49f82843e74b5baa614ad2a588e6675612bf108a0a008c5ac25";
    let conda = "sha256:54303491a8418fbed24344b513546182c29b43bf282ceb433af65e2299f9271f";
    let npm = "sha512:46d4e2f74c4877316640000a6fdf8a8b59f1e0847667973e9859f774dd31b8f1e0937813b777fb66a2ac67d50540fe34640966\
               eee9fc2ccca387082b4c85cd3c";
    let workflow = "https://github.com/salrashid123/*/.github/workflows/release.yaml@refs/tags/v*";
    let reusable = "https://github.com/github/artifact-attestations-workflows/.github/workflows/attest.yml@*";
    let sigstore_js = "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main";
    let key = key_of("cosign-key.json").replace('\n', "\\n");
    vec![
        Case {
            name: "cosign, keyless",
            image: "docker.io/salrashid123/server_image",
            digest: hub,
            store: classic("cosign-keyless.json", "index.docker.io/salrashid123/server_image", hub),
            good: by(workflow, GITHUB, ""),
            bad: by(&workflow.replace("tags", "heads"), GITHUB, ""),
        },
        Case {
            name: "cosign, by key, in the log",
            image: "localhost:5000/demo",
            digest: keyed,
            store: classic("cosign-key.json", "localhost:5000/demo", keyed),
            good: format!("key: \"{key}\""),
            bad: by(workflow, GITHUB, ""),
        },
        Case {
            name: "an attestation of GitHub by a reusable workflow",
            image: "ghcr.io/malancas/attest-demo",
            digest: wheel,
            store: bundle("github-workflow.json", wheel),
            good: by(
                reusable,
                GITHUB,
                ", provenance: { source: 'https://github.com/malancas/attest-demo', ref: refs/heads/main, builder: \
                 'https://github.com/actions/runner/*' }",
            ),
            bad: by(reusable, GITHUB, ", provenance: { source: 'https://github.com/github/**' }"),
        },
        Case {
            name: "provenance of a package, by its SHA-512 digest",
            image: "ghcr.io/sigstore/sigstore-js",
            digest: npm,
            store: bundle("npm-provenance.json", npm),
            good: by(sigstore_js, GITHUB, ", provenance: { source: 'https://github.com/sigstore/*' }"),
            bad: by(sigstore_js, "https://accounts.google.com", ""),
        },
        Case {
            name: "an attestation in a log of Rekor 2, under a root of trust that is named",
            image: "ghcr.io/prefix-dev/package",
            digest: conda,
            store: bundle("rekor-2.json", conda),
            good: by(
                "*@goto.fi",
                "https://github.com/login/oauth",
                ", trusted-root: staging.json, predicate-type: https://schemas.conda.org/attestations-publish-1.schema.json",
            ),
            bad: by(
                "*@goto.fi",
                "https://github.com/login/oauth",
                ", trusted-root: staging.json, provenance: { ref: refs/heads/main }",
            ),
        },
    ]
}

#[test]
fn published_signatures_are_accepted_and_refused_without_a_network() {
    let folder = Folder::new(&[("staging.json", SIGSTORE_STAGING_TRUSTED_ROOT)]);
    let mut text = String::new();
    for case in cases() {
        let look = |required: &str| {
            let required = format!("  - {{ images: '**', {required} }}\n");
            said(&known(&required, &folder, &case.store, &format!("{}@{}", case.image, case.digest)))
        };
        assert_eq!(look(&case.good), "accepted", "{}", case.name);
        writeln!(text, "## {}\n\n{}\n", case.name, look(&case.bad)).unwrap();
    }
    reviewed("signature-published-refused", &text);
}

#[test]
fn a_published_signature_is_for_no_other_image() {
    let folder = Folder::new(&[("staging.json", SIGSTORE_STAGING_TRUSTED_ROOT)]);
    let other = super::OTHER;
    for case in cases() {
        // The same bytes, stored beside another image.
        let store = if case.name.starts_with("cosign") {
            continue;
        } else {
            let file = match case.digest.get(7..11) {
                Some("49a3") => "github-workflow.json",
                Some("5430") => "rekor-2.json",
                _ => "npm-provenance.json",
            };
            bundle(file, other)
        };
        let required = format!("  - {{ images: '**', {} }}\n", case.good);
        let said = said(&known(&required, &folder, &store, &format!("{}@{other}", case.image)));
        assert!(said.starts_with("found an attestation for another image ("), "{}: {said}", case.name);
    }
}

#[test]
fn an_attestation_without_a_log_holds_under_githubs_own_root_and_names_no_issuer() {
    let digest = "sha256:76f1fe8593bf227cca2c089e3c16dc95014a8d3e89c5dd220530469ca043c428";
    let store = bundle("github-private.json", digest);
    let required = "  - { images: '**', identity: 'https://dotcom.releases.github.com', issuer: 'https://github.com', \
                    predicate-type: https://in-toto.io/attestation/release/v0.2 }\n";
    let said = said(&known(required, &Folder::new(&[]), &store, &format!("ghcr.io/jdx/communique@{digest}")));
    assert!(
        said.starts_with("found an attestation by `https://dotcom.releases.github.com` (issuer `none`), "),
        "{said}"
    );
}

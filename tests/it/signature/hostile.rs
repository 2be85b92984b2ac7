//! What anyone may push: too much, too large, garbage, and bundles that were changed in every place.

use std::cell::Cell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use digest_gate::resolution::{Answer, Artifacts, Asked, Manifest, Referrer};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::published::data;
use super::sigstore::{Holder, IDENTITY, ISSUER, Sigstore, payload, statement};
use super::store::{BUNDLE, ENVELOPE, SIMPLE, Store};
use super::{DIGEST, known, said};
use crate::program::Folder;

const IMAGE: &str = "localhost/org/app";

/// A Sigstore whose signatures are required, and the folder with its root.
fn ground() -> (Sigstore, Folder, String) {
    let sigstore = Sigstore::new();
    let folder = Folder::new(&[("root.json", &sigstore.trusted_root().to_string())]);
    let required =
        format!("  - {{ images: '**', identity: '{IDENTITY}', issuer: '{ISSUER}', trusted-root: root.json }}\n");
    (sigstore, folder, required)
}

fn look(required: &str, folder: &Folder, store: &Store) -> String {
    said(&known(required, folder, store, &format!("{IMAGE}@{DIGEST}")))
}

#[test]
fn no_more_than_a_number_of_signatures_is_looked_at() {
    let (sigstore, folder, required) = ground();
    let mut store = Store::default();
    let stranger = Holder { identity: "mallory@example.com", ..Holder::default() };
    for number in 0..70 {
        store.sig(DIGEST, format!("junk {number}").as_bytes(), &sigstore.sign(&stranger, b"x"));
    }
    store.sig(DIGEST, &payload(DIGEST), &sigstore.sign(&Holder::default(), &payload(DIGEST)));
    let refused = look(&required, &folder, &store);
    assert!(
        refused.starts_with("found a payload that cannot be read (expected value) and 7 more, required "),
        "{refused}"
    );
    // A good one among those that are looked at counts, whatever else is there.
    let mut store = Store::default();
    store.sig(DIGEST, &payload(DIGEST), &sigstore.sign(&Holder::default(), &payload(DIGEST)));
    for number in 0..70 {
        store.sig(DIGEST, format!("junk {number}").as_bytes(), &[]);
    }
    assert_eq!(look(&required, &folder, &store), "accepted");
    let mut store = Store::default();
    for number in 0..5000 {
        store.refer(DIGEST, Some("application/spdx+json"), "text/plain", number.to_string().as_bytes());
    }
    store.bundle(DIGEST, &sigstore.attest(&Holder::default(), &signed()));
    assert_eq!(look(&required, &folder, &store), "accepted", "what is no signature is not counted");
    for number in 0..5000 {
        store.bundle(DIGEST, &json!(number));
    }
    let refused = look(&required, &folder, &store);
    assert!(refused == "accepted" || refused.contains(" and 4937 more, required "), "{refused}");
}

fn signed() -> Value {
    statement(DIGEST, "https://sigstore.dev/cosign/sign/v1", &json!({}))
}

#[test]
fn what_is_too_large_is_not_read() {
    let (_, folder, required) = ground();
    let mut store = Store::default();
    store.sig(DIGEST, &vec![b' '; (64 << 10) + 1], &[]);
    let refused = look(&required, &folder, &store);
    assert!(refused.starts_with("found a signature of 65537 bytes, more than 65536, required "), "{refused}");
}

#[test]
fn what_nobody_answered_is_neither_good_nor_bad() {
    let (sigstore, folder, required) = ground();
    let hex = DIGEST.strip_prefix("sha256:").unwrap();
    for (silent, place) in
        [(DIGEST, ".sig"), (&format!("sha256-{hex}.sig"), ".att"), (&format!("sha256-{hex}.att"), ".sig")]
    {
        let mut store = Store::default();
        store.silent.push(silent.to_owned());
        let known = known(&required, &folder, &store, &format!("{IMAGE}@{DIGEST}"));
        assert_eq!((said(&known).as_str(), known.open), ("unchecked: localhost did not answer", 1), "{silent}");
        // What was found elsewhere counts.
        let mut store = Store::default();
        store.silent.push(silent.to_owned());
        let annotations = sigstore.sign(&Holder::default(), &payload(DIGEST));
        store.tag(&format!("sha256-{hex}{place}"), SIMPLE, &payload(DIGEST), &annotations);
        assert_eq!(look(&required, &folder, &store), "accepted", "{silent}");
    }
    let mut store = Store::default();
    store.sig(DIGEST, &payload(DIGEST), &[]);
    store.lose(&payload(DIGEST));
    assert!(look(&required, &folder, &store).starts_with("found a signature that the registry has lost, required "));
}

#[test]
fn manifests_that_are_none_are_named() {
    let (_, folder, required) = ground();
    let tag = format!("{}.sig", DIGEST.replace(':', "-"));
    let cases = [
        ("", "found something that is no manifest at `"),
        ("{", "found something that is no manifest at `"),
        ("{}", "found no signature, "),
        (r#"{"layers": [{"mediaType": "text/plain", "digest": "x"}]}"#, "found no signature (but `text/plain`), "),
        (
            r#"{"layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": "../../x"}]}"#,
            "found a signature without a digest, ",
        ),
    ];
    for (manifest, expected) in cases {
        let mut store = Store::default();
        store.put(&tag, manifest.as_bytes());
        let refused = look(&required, &folder, &store);
        assert!(refused.starts_with(expected), "{manifest}: {refused}");
    }
}

/// Counts what is asked for.
struct Counted<'s>(&'s Store, Cell<usize>, Cell<usize>);

impl Artifacts for Counted<'_> {
    fn manifests(&self, asked: &[Asked]) -> Vec<Answer<Manifest>> {
        self.1.set(self.1.get() + asked.len());
        self.0.manifests(asked)
    }

    fn referrers(&self, asked: &[Asked]) -> Vec<Answer<Vec<Referrer>>> {
        self.0.referrers(asked)
    }

    fn blobs(&self, asked: &[Asked], limit: usize) -> Vec<Answer<Vec<u8>>> {
        assert!(asked.len() <= 16 && limit <= 4 << 20);
        self.2.set(self.2.get() + asked.len());
        self.0.blobs(asked, limit)
    }
}

#[test]
fn an_image_is_asked_about_once_and_no_longer_than_needed() {
    let (sigstore, folder, required) = ground();
    let mut store = Store::default();
    for _ in 0..40 {
        let annotations = sigstore.sign(&Holder::default(), &payload(DIGEST));
        store.sig(DIGEST, &payload(DIGEST), &annotations);
    }
    let trust = super::trust(&format!("{required}{required}"), &folder).unwrap_or_else(|error| panic!("{error}"));
    let reference = digest_gate::reference::Reference::parse(&format!("{IMAGE}:1@{DIGEST}")).unwrap();
    let same = digest_gate::reference::Reference::parse(&format!("{IMAGE}:2@{DIGEST}")).unwrap();
    let counted = Counted(&store, Cell::new(0), Cell::new(0));
    let known = digest_gate::signature::look(&[Some(&reference), Some(&same), None], &trust, &counted);
    let sizes: Vec<_> = known.images.iter().map(Vec::len).collect();
    assert_eq!((sizes, counted.1.get(), counted.2.get()), (vec![2, 2, 0], 2, 16));
}

/// Runs a property at a fixed seed.
fn hold<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, rng).run(strategy, test).unwrap_or_else(|error| panic!("{error}"));
}

/// Something that may stand in the place of a value.
fn replacements() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!("")),
        Just(json!([])),
        Just(json!({})),
        Just(json!(-1)),
        Just(json!("AAAA")),
        Just(json!("9223372036854775808")),
        any::<u64>().prop_map(|number| json!(number.to_string())),
        prop::collection::vec(any::<u8>(), 0..64).prop_map(|bytes| json!(STANDARD.encode(bytes))),
        "\\PC{0,20}".prop_map(Value::String),
    ]
}

/// The texts and numbers of a document, by their pointers.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            leaves(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| leaves(item, &format!("{at}/{index}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

/// Changes one bit of what a text in base64 stands for.
fn flip(text: &str, at: usize) -> Option<String> {
    let mut bytes = STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())?;
    let index = (at / 8) % bytes.len();
    bytes[index] ^= 1 << (at % 8);
    Some(STANDARD.encode(bytes))
}

#[test]
fn a_bundle_that_was_changed_proves_nothing_else() {
    let (sigstore, folder, required) = ground();
    let own = sigstore.attest(&Holder::default(), &signed());
    let github: Value = serde_json::from_slice(&data("github-workflow.json")).unwrap();
    let wheel = "sha256:49a3aa6075e0f49f82843e74b5baa614ad2a588e6675612bf108a0a008c5ac25";
    let reusable = "  - { images: '**', identity: 'https://github.com/github/artifact-attestations-workflows/.github/workflows/attest.yml@*', issuer: 'https://token.actions.githubusercontent.com' }\n";
    let cases = [(own, DIGEST, required.as_str()), (github, wheel, reusable)];
    let said = |bundle: &Value, digest: &str, required: &str| {
        let mut store = Store::default();
        store.bundle(digest, bundle);
        said(&known(required, &folder, &store, &format!("{IMAGE}@{digest}")))
    };
    let signature = "/dsseEnvelope/signatures/0/sig";
    let accepted = Cell::new(0);
    hold(
        700,
        &(0..2usize, any::<usize>(), any::<usize>(), prop::option::of(replacements())),
        |(case, leaf, bit, new)| {
            let (bundle, digest, required) = &cases[case];
            let mut changed = bundle.clone();
            let mut pointers = Vec::new();
            leaves(bundle, "", &mut pointers);
            let place = changed.pointer_mut(&pointers[leaf % pointers.len()]).unwrap();
            match (new, place.as_str().and_then(|text| flip(text, bit))) {
                (None, Some(text)) => *place = json!(text),
                (new, _) => *place = new.unwrap_or(Value::Null),
            }
            let said = said(&changed, digest, required);
            if said == "accepted" {
                accepted.set(accepted.get() + 1);
                // What is signed, by whom, and the signature are still the same.
                for same in ["/dsseEnvelope/payload", "/verificationMaterial/certificate", signature] {
                    prop_assert_eq!(
                        changed.pointer(same),
                        bundle.pointer(same),
                        "{}",
                        &pointers[leaf % pointers.len()]
                    );
                }
            } else {
                prop_assert!(said.starts_with("found "), "{said}");
            }
            Ok(())
        },
    );
    // Hints and copies that nothing is decided by may be changed.
    assert!(accepted.get() < 100, "{}", accepted.get());
}

#[test]
fn no_bytes_and_no_annotations_bring_it_to_a_halt() {
    let (sigstore, folder, required) = ground();
    let good = sigstore.sign(&Holder::default(), &payload(DIGEST));
    let bundle = serde_json::to_vec(&sigstore.attest(&Holder::default(), &signed())).unwrap();
    let text = prop_oneof!["\\PC{0,40}", Just("{}".to_owned()), Just("null".to_owned())];
    let annotations = prop::collection::vec((0..good.len(), any::<usize>(), text), 0..4);
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (any::<usize>(), any::<u8>()).prop_map(move |(at, byte)| {
            let mut bytes = bundle.clone();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes
        }),
        Just(payload(DIGEST)),
    ];
    hold(400, &(0..3usize, bytes, annotations), |(form, bytes, changes)| {
        let mut annotations = good.clone();
        for (index, at, text) in changes {
            let place = &mut annotations[index].1;
            let at = (0..=at % (place.len() + 1)).rev().find(|at| place.is_char_boundary(*at)).unwrap_or_default();
            place.insert_str(at, &text);
        }
        let mut store = Store::default();
        let media_type = [SIMPLE, ENVELOPE, BUNDLE][form];
        store.tag(&format!("{}.sig", DIGEST.replace(':', "-")), media_type, &bytes, &annotations);
        let said = look(&required, &folder, &store);
        prop_assert!(said == "accepted" || said.starts_with("found "), "{said}");
        if said == "accepted" && form == 0 {
            prop_assert_eq!(&bytes, &payload(DIGEST));
        }
        Ok(())
    });
}

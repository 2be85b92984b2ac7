//! Signatures by short-lived certificates, made by a Sigstore of the tests' own.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::cosign::Cosign;
use super::sigstore::{self, Holder, IDENTITY, ISSUER, SIGNED_AT, Sigstore, payload, provenance, statement};
use super::store::{ENVELOPE, Store};
use super::{DIGEST, OTHER, known, reviewed, said};
use crate::daemon::Daemon;
use crate::program::{Folder, has_referee};

const SOURCE: &str = "https://github.com/org/app";
const TAG: &str = "refs/tags/v1.0.0";
const COSIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// What is required unless a case says otherwise.
const REQUIRED: &str = "  - images: '**'\n    identity: https://github.com/org/*/.github/workflows/release.yml@refs/tags/*\n    \
                        issuer: https://token.actions.githubusercontent.com\n    trusted-root: root.json\n";

/// The same for cosign.
const WORKFLOW: &[&str] = &[
    "--certificate-identity-regexp",
    r"^https://github\.com/org/[^/@]*/\.github/workflows/release\.yml@refs/tags/[^/@]*$",
    "--certificate-oidc-issuer",
    ISSUER,
];
const UNLOGGED: &[&str] =
    &["--insecure-ignore-sct", "--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER];
const ANN: &[&str] =
    &["--certificate-identity", "ann@example.com", "--certificate-oidc-issuer", "https://accounts.example.com"];

/// A Sigstore, what is stored beside the image, and what is required.
struct Case {
    sigstore: Sigstore,
    store: Store,
    required: String,
    root: Value,
    /// The files of cosign that say the same as the root.
    pems: Vec<(&'static str, String)>,
    referee: Referee,
    /// What else cosign is told.
    flags: &'static [&'static str],
}

/// How cosign is asked for the same.
enum Referee {
    Signature,
    Attestation,
    /// A bundle of a predicate type.
    Bundle(String),
    /// It cannot be asked for that.
    Nobody,
}

impl Case {
    fn new() -> Self {
        let sigstore = Sigstore::new();
        let (root, pems) = (sigstore.trusted_root(), sigstore.pems());
        let required = REQUIRED.to_owned();
        Self { sigstore, store: Store::default(), required, root, pems, referee: Referee::Signature, flags: WORKFLOW }
    }

    fn requires(mut self, more: &str) -> Self {
        writeln!(self.required, "    {more}").unwrap();
        self
    }

    /// A classic signature by a holder.
    fn signed(mut self, holder: &Holder) -> Self {
        let payload = payload(DIGEST);
        let annotations = self.sigstore.sign(holder, &payload);
        self.store.sig(DIGEST, &payload, &annotations);
        self
    }

    /// A bundle of a statement, changed before it is stored.
    fn attested(mut self, holder: &Holder, statement: &Value, change: impl Fn(&mut Value)) -> Self {
        let mut bundle = self.sigstore.attest(holder, statement);
        change(&mut bundle);
        self.store.bundle(DIGEST, &bundle);
        self.referee = Referee::Bundle(statement["predicateType"].as_str().unwrap().to_owned());
        self
    }

    /// Asks nobody but us.
    fn unreferred(mut self) -> Self {
        self.referee = Referee::Nobody;
        self
    }

    fn said(&self) -> String {
        let folder = Folder::new(&[("root.json", &self.root.to_string())]);
        said(&known(&self.required, &folder, &self.store, &format!("localhost/org/app@{DIGEST}")))
    }
}

fn holder() -> Holder {
    Holder::default()
}

fn sign_statement() -> Value {
    statement(DIGEST, COSIGN, &json!({}))
}

/// Everything that is accepted.
fn accepted() -> Vec<(&'static str, Case)> {
    let same = |_: &mut Value| {};
    let mut att = Case::new();
    let certified = att.sigstore.certify(&holder());
    let (envelope, entry) = att.sigstore.envelope(&certified.key, &certified.pem(), &provenance(DIGEST, SOURCE, TAG));
    let mut annotations = sigstore::cosign("", Some(&entry));
    annotations.push(("dev.sigstore.cosign/certificate".to_owned(), certified.pem()));
    let tag = format!("{}.att", DIGEST.replace(':', "-"));
    att.store.tag(&tag, ENVELOPE, &serde_json::to_vec(&envelope).unwrap(), &annotations);
    att.referee = Referee::Attestation;

    let mut one_of_many = Case::new();
    let wrong =
        Holder { identity: "https://github.com/evil/app/.github/workflows/release.yml@refs/tags/v1", ..holder() };
    for holder in [&wrong, &holder(), &wrong] {
        one_of_many = one_of_many.signed(holder);
    }
    let ann = Holder { identity: "ann@example.com", issuer: "https://accounts.example.com", ..holder() };
    let mut mail = Case::new().signed(&ann);
    "  - { images: '**', identity: ann@example.com, issuer: 'https://accounts.example.com', trusted-root: \
                     root.json }\n"
        .clone_into(&mut mail.required);
    mail.flags = ANN;
    let mut several = Case::new().signed(&ann);
    several.required = format!(
        "  - images: '**'\n    trusted-root: root.json\n    any-of:\n      - {{ identity: '{IDENTITY}', issuer: '{ISSUER}' }}\n      \
         - {{ identity: ann@example.com, issuer: 'https://accounts.example.com' }}\n"
    );
    several.flags = ANN;
    let source = Holder { source: Some((SOURCE, TAG)), ..holder() };
    let built = "provenance: { builder: 'https://github.com/org/*/.github/workflows/release.yml@refs/tags/*', source: \
                 'https://github.com/org/*', ref: refs/tags/* }";
    let scan = statement(DIGEST, "https://example.com/scan/v1", &json!({ "result": "pass" }));
    let mut unlogged = Case::new();
    unlogged.root["ctlogs"] = json!([]);
    unlogged.flags = UNLOGGED;
    vec![
        ("cosign's signature", Case::new().signed(&holder())),
        ("cosign's attestation", att),
        ("a bundle by which cosign signs", Case::new().attested(&holder(), &sign_statement(), same)),
        ("a bundle of provenance", Case::new().attested(&holder(), &provenance(DIGEST, SOURCE, TAG), same)),
        (
            "provenance as required",
            Case::new().requires(built).attested(&source, &provenance(DIGEST, SOURCE, TAG), same),
        ),
        (
            "an attestation of the required type",
            Case::new().requires("predicate-type: https://example.com/scan/v1").attested(&holder(), &scan, same),
        ),
        ("one good signature among others", one_of_many),
        ("an e-mail address", mail),
        ("one of several who may sign", several),
        ("a root without a log of certificates", unlogged.signed(&Holder { is_logged: false, ..holder() })),
        ("a bundle under no artifact type", {
            let mut case = Case::new();
            let bundle = case.sigstore.attest(&holder(), &sign_statement());
            case.store.refer(DIGEST, None, super::store::BUNDLE, &serde_json::to_vec(&bundle).unwrap());
            case.referee = Referee::Bundle(COSIGN.to_owned());
            case
        }),
    ]
}

/// What is wrong with who signed, or when.
fn wrong_signers() -> Vec<(&'static str, Case)> {
    let signed = |change: &dyn Fn(&mut Holder)| {
        let mut holder = holder();
        change(&mut holder);
        Case::new().signed(&holder)
    };
    let mut stranger = Case::new().signed(&holder());
    let other = Sigstore::new();
    (stranger.root, stranger.pems) = (other.trusted_root(), other.pems());
    let mut other_authority = Case::new().signed(&holder());
    other_authority.root["certificateAuthorities"] = other.trusted_root()["certificateAuthorities"].clone();
    other_authority.pems[0] = other.pems()[0].clone();
    let mut embedded = Case::new().signed(&holder()).unreferred();
    embedded.required = REQUIRED.replace("    trusted-root: root.json\n", "");
    let mut withdrawn = Case::new().signed(&holder()).unreferred();
    withdrawn.root["certificateAuthorities"][0]["validFor"]["end"] = json!("2023-01-01T00:00:00Z");
    vec![
        (
            "another identity",
            signed(&|it| it.identity = "https://github.com/evil/app/.github/workflows/release.yml@refs/tags/v1"),
        ),
        (
            "another ref",
            signed(&|it| it.identity = "https://github.com/org/app/.github/workflows/release.yml@refs/heads/main"),
        ),
        (
            "a branch that is called like a tag",
            signed(&|it| {
                it.identity = "https://github.com/org/app/.github/workflows/release.yml@refs/heads/x@refs/tags/v1";
            }),
        ),
        ("another issuer", signed(&|it| it.issuer = "https://accounts.example.com")),
        ("an expired certificate", signed(&|it| it.valid = ("230101000000Z", "230101001000Z"))),
        ("a certificate of the future", signed(&|it| it.valid = ("250101000000Z", "250101001000Z"))),
        ("a certificate in no log of certificates", signed(&|it| it.is_logged = false)),
        ("another Sigstore", stranger),
        ("another authority", other_authority),
        ("an authority that was withdrawn", withdrawn),
        ("the embedded roots", embedded),
    ]
}

/// Changes a payload and the annotations of its signature.
type Change<'c> = dyn Fn(&Sigstore, &mut Vec<u8>, &mut Vec<(String, String)>) + 'c;

/// What is wrong with the signature, its log entry or what it is for.
fn wrong_signatures() -> Vec<(&'static str, Case)> {
    let classic = |change: &Change<'_>| {
        let mut case = Case::new();
        let mut payload = payload(DIGEST);
        let mut annotations = case.sigstore.sign(&holder(), &payload);
        change(&case.sigstore, &mut payload, &mut annotations);
        case.store.sig(DIGEST, &payload, &annotations);
        case
    };
    let without =
        |annotations: &mut Vec<(String, String)>, name: &str| annotations.retain(|(key, _)| !key.ends_with(name));
    let promise = |annotations: &mut Vec<(String, String)>, change: &dyn Fn(&mut Value)| {
        let (_, text) = annotations.iter_mut().find(|(key, _)| key.ends_with("/bundle")).unwrap();
        let mut value = serde_json::from_str(text).unwrap();
        change(&mut value);
        *text = value.to_string();
    };
    vec![
        ("nothing at all", Case::new()),
        ("cosign: no log entry", classic(&|_, _, annotations| without(annotations, "/bundle"))),
        ("cosign: no certificate", classic(&|_, _, annotations| without(annotations, "/certificate"))),
        ("cosign: no signature", classic(&|_, _, annotations| without(annotations, "/signature"))),
        ("cosign: the payload of another image", classic(&|_, bytes, _| *bytes = payload(OTHER))),
        (
            "cosign: replayed from another image",
            classic(&|sigstore, bytes, annotations| {
                *bytes = payload(OTHER);
                *annotations = sigstore.sign(&holder(), bytes);
            }),
        ),
        ("cosign: a payload that was changed", classic(&|_, bytes, _| bytes.insert(1, b' '))),
        (
            "cosign: the time of the log was changed",
            classic(&|_, _, annotations| {
                promise(annotations, &|it| it["Payload"]["integratedTime"] = json!(SIGNED_AT + 1));
            }),
        ),
        (
            "cosign: logged after the certificate had expired",
            classic(&|sigstore, bytes, annotations| {
                *annotations = sigstore.sign_at(&holder(), bytes, SIGNED_AT + 3600);
            }),
        ),
        (
            "cosign: logged in the future",
            classic(&|sigstore, bytes, annotations| *annotations = sigstore.sign_at(&holder(), bytes, 4_000_000_000)),
        ),
        (
            "cosign: the log entry of another signature",
            classic(&|sigstore, bytes, annotations| {
                let other = sigstore.sign(&holder(), bytes);
                without(annotations, "/bundle");
                annotations.extend(other.into_iter().filter(|(key, _)| key.ends_with("/bundle")));
            }),
        ),
        (
            "cosign: another type of payload",
            classic(&|sigstore, bytes, annotations| {
                *bytes = String::from_utf8(payload(DIGEST))
                    .unwrap()
                    .replace("cosign container image", "some other")
                    .into_bytes();
                *annotations = sigstore.sign(&holder(), bytes);
            }),
        ),
        (
            "cosign: a payload that is none",
            classic(&|sigstore, bytes, annotations| {
                *bytes = b"{}".to_vec();
                *annotations = sigstore.sign(&holder(), bytes);
            }),
        ),
        (
            "cosign: annotations that are none",
            classic(&|_, _, annotations| {
                for (_, text) in annotations.iter_mut() {
                    "{".clone_into(text);
                }
            }),
        ),
    ]
}

fn wrong_bundles() -> Vec<(&'static str, Case)> {
    let signed = |change: &dyn Fn(&mut Value)| Case::new().attested(&holder(), &sign_statement(), change);
    let entry = |bundle: &mut Value, change: &dyn Fn(&mut Value)| {
        change(&mut bundle["verificationMaterial"]["tlogEntries"][0]);
    };
    let other = statement(OTHER, COSIGN, &json!({}));
    let scan = statement(DIGEST, "https://example.com/scan/v1", &json!({}));
    let other_sigstore = Sigstore::new();
    let stranger = other_sigstore.attest(&holder(), &sign_statement());
    vec![
        ("bundle: no log entry", signed(&|it| it["verificationMaterial"]["tlogEntries"] = json!([]))),
        ("bundle: no proof of the log", signed(&|it| entry(it, &|it| it["inclusionProof"] = Value::Null))),
        ("bundle: no promise of the log", signed(&|it| entry(it, &|it| it["inclusionPromise"] = Value::Null))),
        ("bundle: the proof was changed", signed(&|it| entry(it, &|it| it["inclusionProof"]["hashes"] = json!([])))),
        (
            "bundle: the state of another log",
            signed(&|it| {
                let theirs = &stranger["verificationMaterial"]["tlogEntries"][0]["inclusionProof"];
                entry(it, &|it| it["inclusionProof"] = theirs.clone());
            }),
        ),
        (
            "bundle: the time of the log was changed",
            signed(&|it| entry(it, &|it| it["integratedTime"] = json!("1704067501"))),
        ),
        (
            "bundle: the payload was changed",
            signed(&|it| {
                let changed = statement(DIGEST, COSIGN, &json!({ "more": true })).to_string();
                it["dsseEnvelope"]["payload"] = json!(sigstore::base64(changed));
            }),
        ),
        ("bundle: replayed from another image", Case::new().attested(&holder(), &other, |_| {})),
        ("bundle: another type of payload", signed(&|it| it["dsseEnvelope"]["payloadType"] = json!("text/plain"))),
        (
            "bundle: two signatures",
            signed(&|it| {
                let one = it["dsseEnvelope"]["signatures"][0].clone();
                it["dsseEnvelope"]["signatures"] = json!([one, one]);
            }),
        ),
        (
            "bundle: another version",
            signed(&|it| it["mediaType"] = json!("application/vnd.dev.sigstore.bundle.v9+json")),
        ),
        ("bundle: an attestation that is not asked for", {
            let mut case = Case::new().attested(&holder(), &scan, |_| {});
            case.referee = Referee::Bundle(COSIGN.to_owned());
            case
        }),
        (
            "bundle: a key, where an identity is required",
            signed(&|it| {
                let material = it["verificationMaterial"].as_object_mut().unwrap();
                material.remove("certificate");
                material.insert("publicKey".to_owned(), json!({ "hint": "x" }));
            }),
        ),
    ]
}

fn wrong_provenance() -> Vec<(&'static str, Case)> {
    let require = |text: &str| Case::new().requires(&format!("provenance: {{ {text} }}"));
    let built =
        |case: Case, holder: &Holder| case.attested(holder, &provenance(DIGEST, SOURCE, TAG), |_| {}).unreferred();
    let elsewhere = Holder { source: Some(("https://github.com/evil/app", TAG)), ..holder() };
    let branch = Holder { source: Some((SOURCE, "refs/heads/main")), ..holder() };
    let empty = statement(DIGEST, "https://slsa.dev/provenance/v1", &json!({}));
    vec![
        ("provenance: another builder", built(require("builder: https://example.com/builder"), &holder())),
        ("provenance: another source", built(require("source: https://github.com/org/other"), &holder())),
        ("provenance: another ref", built(require("ref: refs/heads/main"), &holder())),
        ("provenance: another source in the certificate", built(require(&format!("source: {SOURCE}")), &elsewhere)),
        ("provenance: another ref in the certificate", built(require("ref: refs/tags/*"), &branch)),
        (
            "provenance: it says nothing",
            require(&format!("source: {SOURCE}")).attested(&holder(), &empty, |_| {}).unreferred(),
        ),
        ("provenance: only a signature", require(&format!("source: {SOURCE}")).signed(&holder()).unreferred()),
        (
            "provenance: only a bundle by which cosign signs",
            require(&format!("source: {SOURCE}")).attested(&holder(), &sign_statement(), |_| {}).unreferred(),
        ),
    ]
}

#[test]
fn what_is_signed_as_required_is_accepted() {
    for (name, case) in accepted() {
        assert_eq!(case.said(), "accepted", "{name}");
    }
}

#[test]
fn everything_else_is_refused_and_says_why() {
    let mut text = String::new();
    for (name, case) in [wrong_signers(), wrong_signatures(), wrong_bundles(), wrong_provenance()].into_iter().flatten()
    {
        let said = case.said();
        assert!(said.starts_with("found ") && said.contains(", required "), "{name}: {said}");
        writeln!(text, "## {name}\n\n{said}\n").unwrap();
    }
    reviewed("signature-keyless-refused", &text);
}

/// The variables by which cosign finds the files of [`Sigstore::pems`].
const FILES: [&str; 3] = ["SIGSTORE_ROOT_FILE", "SIGSTORE_REKOR_PUBLIC_KEY", "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE"];

/// Whether cosign accepts a case; none where it cannot be asked.
fn cosign_accepts(case: &Case, daemon: &Daemon, repository: &str) -> Option<bool> {
    let arguments: Vec<&str> = match &case.referee {
        Referee::Signature => vec!["verify", "--offline"],
        Referee::Attestation => vec!["verify-attestation", "--offline", "--type", "slsaprovenance1"],
        Referee::Bundle(kind) => {
            vec!["verify-attestation", "--new-bundle-format", "--trusted-root", "root.json", "--type", kind]
        }
        Referee::Nobody => return None,
    };
    case.store.push(daemon, repository);
    let folder = Folder::new(&[("root.json", &case.root.to_string())]);
    let mut cosign = Cosign::new(&folder);
    for ((file, pem), name) in case.pems.iter().zip(FILES) {
        folder.write(file, pem);
        cosign.env.push((name, folder.path().join(file).display().to_string()));
    }
    let image = format!("{}/{repository}@{DIGEST}", daemon.address);
    let answered = cosign.run(&[&arguments, case.flags, &[image.as_str()]].concat());
    Some(answered.is_good)
}

#[test]
fn cosign_says_the_same() {
    let Some(daemon) = Daemon::start().filter(|_| has_referee("cosign")) else { return };
    let mut table = String::from("| | digest-gate | cosign |\n|---|---|---|\n");
    let cases = [accepted(), wrong_signers(), wrong_signatures(), wrong_bundles(), wrong_provenance()];
    for (index, (name, case)) in cases.into_iter().flatten().enumerate() {
        let Some(theirs) = cosign_accepts(&case, &daemon, &format!("org/case-{index}")) else { continue };
        let ours = case.said() == "accepted";
        let word = |is_good| if is_good { "accepted" } else { "refused" };
        writeln!(table, "| {name} | {} | {} |", word(ours), word(theirs)).unwrap();
        // cosign does not look at the type of a payload.
        assert!(ours == theirs || name == "cosign: another type of payload", "{name}: {ours} {theirs}");
    }
    reviewed("signature-cosign-keyless", &table);
}

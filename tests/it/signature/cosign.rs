//! Against a real registry, with signatures made by cosign, and with cosign as the referee of every verdict.

use std::fmt::Write as _;
use std::process::Command;

use super::reviewed;
use crate::daemon::{Daemon, OCI_INDEX, OCI_MANIFEST, exchange};
use crate::program::{Folder, Ran, has_referee};

/// cosign, in a home of its own.
pub(super) struct Cosign<'f> {
    folder: &'f Folder,
    pub(super) env: Vec<(&'static str, String)>,
}

/// What cosign answered.
pub(super) struct Answered {
    pub(super) is_good: bool,
    text: String,
}

impl<'f> Cosign<'f> {
    pub(super) fn new(folder: &'f Folder) -> Self {
        Self { folder, env: Vec::new() }
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Answered {
        let output = Command::new("cosign")
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("COSIGN_PASSWORD", "")
            .env("COSIGN_EXPERIMENTAL", "1")
            .envs(self.env.iter().map(|(name, value)| (*name, value.as_str())))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Answered { is_good: output.status.success(), text }
    }

    /// Runs what must go well.
    fn must(&self, arguments: &[&str]) {
        let answered = self.run(arguments);
        assert!(answered.is_good, "{arguments:?}: {}", answered.text);
    }
}

/// SLSA provenance, and a predicate of another type.
const PROVENANCE: &str = r#"{"buildDefinition":{"buildType":"https://actions.github.io/buildtypes/workflow/v1",
    "externalParameters":{"workflow":{"ref":"refs/tags/v1.0.0","repository":"https://github.com/org/app"}},
    "resolvedDependencies":[]},"runDetails":{"builder":{"id":"https://github.com/org/app/.github/workflows/r.yml@refs/tags/v1.0.0"}}}"#;
const OLD_PROVENANCE: &str = r#"{"builder":{"id":"https://example.com/builder"},"buildType":"x",
    "invocation":{"configSource":{"uri":"git+https://github.com/org/app@refs/tags/v1.0.0"}}}"#;

/// A registry, a key of cosign's own making and another one.
struct Ground {
    daemon: Daemon,
    folder: Folder,
}

/// What is asked of both: a repository, what we require, and how cosign is asked for it.
struct Question {
    name: &'static str,
    image: String,
    required: String,
    arguments: Vec<&'static str>,
}

impl Ground {
    fn new() -> Option<Self> {
        let daemon = Daemon::start().filter(|_| has_referee("cosign"))?;
        let folder = Folder::new(&[("provenance.json", PROVENANCE), ("old.json", OLD_PROVENANCE), ("scan.json", "{}")]);
        let ground = Self { daemon, folder };
        for name in ["one", "two"] {
            ground.cosign().must(&["generate-key-pair", "--output-key-prefix", name]);
        }
        Some(ground)
    }

    fn cosign(&self) -> Cosign<'_> {
        Cosign::new(&self.folder)
    }

    /// An image of its own; its reference with the digest.
    fn image(&self, repository: &str) -> String {
        let digest = self.daemon.push_image(repository, "1", "linux/amd64", "2026-01-02T03:04:05Z");
        format!("{}/{repository}@{digest}", self.daemon.address)
    }

    fn sign(&self, image: &str, key: &str, more: &[&str]) {
        let common = ["sign", "--key", key, "--tlog-upload=false", "--yes"];
        self.cosign().must(&[&common, more, &[image]].concat());
    }

    fn attest(&self, image: &str, key: &str, kind: &str, predicate: &str, more: &[&str]) {
        let common = ["attest", "--key", key, "--tlog-upload=false", "--yes", "--type", kind, "--predicate", predicate];
        self.cosign().must(&[&common, more, &[image]].concat());
    }

    /// Runs `verify` as a user would.
    fn verify(&self, image: &str, required: &str) -> Ran {
        let compose = format!("services:\n  app:\n    image: {image}\n");
        let configuration = format!(
            "version: 1\nenvironments: {{ production: {{ manifests: [compose.yml] }} }}\nlevels: {{ missing-tag: off }}\nsignatures:\n  - {{ images: '**', {required} }}\n"
        );
        self.folder.write("compose.yml", &compose);
        self.folder.write("digest-gate.yml", &configuration);
        self.folder.run(&["verify"])
    }

    /// Copies the manifest of a tag to another tag, of which repository it may be.
    fn replay(&self, from: (&str, &str), to: (&str, &str), change: impl Fn(&str) -> String) {
        let path = format!("/v2/{}/manifests/{}", from.0, from.1);
        let manifest = exchange(&self.daemon.address, "GET", &path, &[("accept", OCI_MANIFEST)], &[]).body;
        let manifest = change(&String::from_utf8(manifest).unwrap());
        self.daemon.push_bytes(to.0, to.1, OCI_MANIFEST, manifest.as_bytes());
    }
}

/// The tag of an image's signatures.
fn tag(image: &str, end: &str) -> String {
    let digest = image.rsplit('@').next().unwrap();
    format!("{}{end}", digest.replace(':', "-"))
}

fn key(name: &str) -> String {
    format!("key: {name}.pub, transparency-log: false")
}

fn questions(ground: &Ground) -> Vec<Question> {
    let verify = || vec!["verify", "--key", "one.pub", "--insecure-ignore-tlog"];
    let attested =
        |kind: &'static str| vec!["verify-attestation", "--key", "one.pub", "--insecure-ignore-tlog", "--type", kind];
    let question = |name, image: &str, required: String, arguments| Question {
        name,
        image: image.to_owned(),
        required,
        arguments,
    };
    let signed = ground.image("org/signed");
    ground.sign(&signed, "one.key", &[]);
    let bare = ground.image("org/bare");
    let both = ground.image("org/both");
    ground.sign(&both, "two.key", &[]);
    ground.sign(&both, "one.key", &[]);
    let other = ground.image("org/other");
    ground.sign(&other, "two.key", &[]);
    let referred = ground.image("org/referred");
    ground.sign(&referred, "one.key", &["--registry-referrers-mode=oci-1-1"]);
    let built = ground.image("org/built");
    ground.attest(&built, "one.key", "slsaprovenance1", "provenance.json", &[]);
    let old = ground.image("org/old");
    ground.attest(&old, "one.key", "slsaprovenance", "old.json", &[]);
    let scanned = ground.image("org/scanned");
    ground.attest(&scanned, "one.key", "https://example.com/scan/v1", "scan.json", &[]);
    let foreign = ground.image("org/foreign");
    ground.attest(&foreign, "two.key", "slsaprovenance1", "provenance.json", &[]);
    let replayed = ground.image("org/replayed");
    let signed_too = ground.daemon.push_image("org/replayed", "2", "linux/arm64", "2026-01-02T03:04:05Z");
    let signed_too = format!("{}/org/replayed@{signed_too}", ground.daemon.address);
    ground.sign(&signed_too, "one.key", &[]);
    ground.replay(
        ("org/replayed", &tag(&signed_too, ".sig")),
        ("org/replayed", &tag(&replayed, ".sig")),
        str::to_owned,
    );
    let tampered = ground.image("org/tampered");
    ground.sign(&tampered, "one.key", &[]);
    let at = tag(&tampered, ".sig");
    ground.replay(("org/tampered", &at), ("org/tampered", &at), |text| {
        let signature = text.split("cosign/signature\":\"").nth(1).unwrap().split('"').next().unwrap();
        let middle = signature.len() / 2;
        let flipped = if &signature[middle..=middle] == "A" { "B" } else { "A" };
        text.replace(signature, &format!("{}{flipped}{}", &signature[..middle], &signature[middle + 1..]))
    });
    let platform = ground.daemon.push_image("org/index", "", "linux/arm64", "2026-01-02T03:04:05Z");
    let index = ground.daemon.push_index("org/index", "1", OCI_INDEX, &[("linux/arm64", &platform)]);
    let (index, platform) = [index, platform].map(|it| format!("{}/org/index@{it}", ground.daemon.address)).into();
    ground.sign(&index, "one.key", &[]);
    let provenance = |more: &str| format!("{}, provenance: {{ {more} }}", key("one"));
    let logged = "key: one.pub".to_owned();
    vec![
        question("signed", &signed, key("one"), verify()),
        question("signed, and must be in the log", &signed, logged, vec!["verify", "--key", "one.pub", "--offline"]),
        question("not signed", &bare, key("one"), verify()),
        question("signed by two keys", &both, key("one"), verify()),
        question("signed by another key", &other, key("one"), verify()),
        question("signed by a referrer", &referred, key("one"), [verify(), vec!["--experimental-oci11"]].concat()),
        question("the signature of another image", &replayed, key("one"), verify()),
        question("a signature that was changed", &tampered, key("one"), verify()),
        question("an index that is signed", &index, key("one"), verify()),
        question("an image of an index that is signed", &platform, key("one"), verify()),
        question(
            "provenance v1",
            &built,
            provenance("source: 'https://github.com/org/*'"),
            attested("slsaprovenance1"),
        ),
        question("provenance v1, without saying more", &built, key("one"), attested("slsaprovenance1")),
        question("provenance v0.2", &old, provenance("ref: refs/tags/v1.0.0"), attested("slsaprovenance")),
        question(
            "provenance by another key",
            &foreign,
            provenance("ref: refs/tags/v1.0.0"),
            attested("slsaprovenance1"),
        ),
        question(
            "a scan instead of provenance",
            &scanned,
            provenance("ref: refs/tags/v1.0.0"),
            attested("slsaprovenance1"),
        ),
        question("a scan instead of a signature", &scanned, key("one"), verify()),
        question(
            "a scan, which is asked for",
            &scanned,
            format!("{}, predicate-type: 'https://example.com/scan/v1'", key("one")),
            attested("https://example.com/scan/v1"),
        ),
        question(
            "a signature instead of provenance",
            &signed,
            provenance("ref: refs/tags/v1.0.0"),
            attested("slsaprovenance1"),
        ),
    ]
}

/// Whether we and cosign accept an image, and what we printed where we do not.
fn ask(ground: &Ground, question: &Question) -> (bool, bool, String) {
    let mut cosign = ground.cosign();
    // Some log, so that none is looked for on the network.
    cosign.env.push(("SIGSTORE_REKOR_PUBLIC_KEY", ground.folder.path().join("two.pub").display().to_string()));
    let theirs = cosign.run(&[&question.arguments, &[question.image.as_str()][..]].concat());
    assert!(!theirs.text.contains("no such host"), "{}: {}", question.name, theirs.text);
    let ours = ground.verify(&question.image, &question.required);
    let digest = question.image.rsplit('@').next().unwrap();
    let shown = ours.shown().replace(&ground.daemon.address, "REGISTRY").replace(digest, "DIGEST");
    (ours.status == 0, theirs.is_good, shown)
}

/// What both said, as a table; they must agree.
fn table(ground: &Ground, questions: &[Question], refused: &mut String) -> String {
    let mut table = String::from("| | digest-gate | cosign |\n|---|---|---|\n");
    for question in questions {
        let (ours, theirs, shown) = ask(ground, question);
        let word = |is_good| if is_good { "accepted" } else { "refused" };
        writeln!(table, "| {} | {} | {} |", question.name, word(ours), word(theirs)).unwrap();
        assert_eq!(ours, theirs, "{}: {shown}", question.name);
        for line in shown.lines().filter(|line| line.starts_with("error[") || line.starts_with("warning[")) {
            writeln!(refused, "## {}\n\n{line}\n", question.name).unwrap();
        }
    }
    table
}

#[test]
fn cosign_says_the_same_of_what_it_signed_with_a_key() {
    let Some(ground) = Ground::new() else { return };
    let mut refused = String::new();
    let table = table(&ground, &questions(&ground), &mut refused);
    reviewed("signature-cosign-key", &table);
    reviewed("signature-cosign-key-refused", &refused);
}

/// Makes a key with OpenSSL, and signs an image with it as cosign asks for it.
fn sign_by_openssl(ground: &Ground, name: &str, algorithm: &str, option: &str, image: &str) {
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(ground.folder.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let secret = format!("{name}.pem");
    openssl(&["genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", &secret]);
    openssl(&["pkey", "-in", &secret, "-pubout", "-out", &format!("{name}.pub")]);
    let payload = ground.cosign().run(&["generate", image]).text;
    ground.folder.write("payload.json", &payload);
    let signature = openssl(&["dgst", "-sha256", "-sign", &secret, "payload.json"]);
    ground.folder.write("payload.sig", &super::sigstore::base64(signature));
    ground.cosign().must(&["attach", "signature", "--payload", "payload.json", "--signature", "payload.sig", image]);
}

#[test]
fn cosign_says_the_same_of_other_keys_and_of_bundles() {
    let Some(ground) = Ground::new() else { return };
    if !has_referee("openssl") {
        return;
    }
    let verify = |key: &'static str| vec!["verify", "--key", key, "--insecure-ignore-tlog"];
    let question = |name, image, required, arguments| Question { name, image, required, arguments };
    let rsa = ground.image("org/rsa");
    sign_by_openssl(&ground, "rsa", "RSA", "rsa_keygen_bits:3072", &rsa);
    let curve = ground.image("org/curve");
    sign_by_openssl(&ground, "curve", "EC", "ec_paramgen_curve:P-384", &curve);
    let edwards = ground.image("org/edwards");
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519"]).output().unwrap().stdout;
    ground.folder.write("edwards.pem", &String::from_utf8(made).unwrap());
    ground.cosign().must(&["import-key-pair", "--key", "edwards.pem", "--output-key-prefix", "edwards"]);
    ground.sign(&edwards, "edwards.key", &[]);
    let bundle = ground.image("org/bundle");
    ground.attest(&bundle, "one.key", "slsaprovenance1", "provenance.json", &["--new-bundle-format"]);
    let foreign = ground.image("org/foreign");
    ground.attest(&foreign, "two.key", "slsaprovenance1", "provenance.json", &["--new-bundle-format"]);
    ground.folder.write("root.json", &super::sigstore::Sigstore::new().trusted_root().to_string());
    let attested = || {
        let bundle = ["--new-bundle-format", "--trusted-root", "root.json", "--type", "slsaprovenance1"];
        [&["verify-attestation", "--key", "one.pub", "--insecure-ignore-tlog"], &bundle[..]].concat()
    };
    let provenance = || format!("{}, provenance: {{ ref: refs/tags/* }}", key("one"));
    let questions = [
        question("an RSA key", rsa.clone(), key("rsa"), verify("rsa.pub")),
        question("another RSA key", rsa, key("one"), verify("one.pub")),
        question("a P-384 key", curve, key("curve"), verify("curve.pub")),
        question("an Ed25519 key", edwards, key("edwards"), verify("edwards.pub")),
        question("a bundle by a key", bundle, provenance(), attested()),
        question("a bundle by another key", foreign, provenance(), attested()),
    ];
    reviewed("signature-cosign-other-keys", &table(&ground, &questions, &mut String::new()));
}

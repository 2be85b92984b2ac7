//! The configuration as a whole: what is accepted, what is refused and how, and that the schema says the same.

use std::cell::Cell;
use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};

use super::raw::{Raw, RawEnvironment, RawException};
use super::signatures::{RawProvenance, RawSignature, RawSigner};
use super::*;
use crate::rule::{self, RULES};

const FULL: &str = "\
version: 1
policy: strict
environments:
  production:
    enforce: true
    manifests: [deploy/prod/**, docker-compose.prod.yml]
  staging: { enforce: false, manifests: [deploy/staging/**] }
  eu-west.1: { manifests: [\"eu/\"] }
levels: { floating-tag: error, missing-tag: off }
allow-registries: [ghcr.io/org/, docker.io/library]
max-digest-age: 90d
exceptions:
  - image: ghcr.io/org/tool
    path: deploy/prod/tool.yml
    rule: unpinned
    reason: vendor publishes no stable digest
    ticket: POAM-17
    expires: 2027-01-31
  - { image: \"**\", path: a.yml, rule: unreadable-manifest, reason: x, expires: 'soon' }
signatures:
  - images: ghcr.io/org/**
    identity: https://github.com/org/*/.github/workflows/release.yml@refs/tags/*
    issuer: https://token.actions.githubusercontent.com
    provenance: { builder: https://github.com/actions/runner/*, source: https://github.com/org/*, ref: refs/tags/v* }
  - { images: nginx, key: keys/cosign.pub, transparency-log: false, trusted-root: trust/root.json }
  - images: quay.io/**
    any-of: [{ key: a.pub }, { identity: ann@example.com, issuer: https://accounts.example.com }]
    predicate-type: https://slsa.dev/verification_summary/v1
";

fn parse(text: &str) -> Result<Policy, PolicyErrors> {
    Policy::parse(&Source::new("digest-gate.yml", text))
}

fn level(policy: &Policy, id: &str) -> Level {
    policy.level(rule::find(id).unwrap())
}

#[test]
fn everything_that_is_written_counts() {
    let policy = parse(FULL).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(policy.is_strict());
    let names: Vec<_> = policy.environments.iter().map(|e| (&*e.name, e.enforce)).collect();
    assert_eq!(names, [("production", true), ("staging", false), ("eu-west.1", true)]);
    assert!(policy.environment("staging").unwrap().matches("deploy/staging/a/b.yml"));
    let place = policy.environments[2].manifests[0].place.as_ref().unwrap();
    assert_eq!((place.start().line, place.start().column, place.text()), (8, 29, "eu/"));
    assert_eq!(policy.environment("stagin").unwrap_err().help, "did you mean `staging`?");
    assert_eq!(policy.allowed_registries, ["ghcr.io/org", "docker.io/library"]);
    assert_eq!(policy.exceptions[0].expires.map(|date| date.to_string()).as_deref(), Some("2027-01-31"));
    assert_eq!(policy.exceptions[1].expires, None);
    assert_eq!(policy.max_digest_age, Some(90));
    assert_eq!(policy.exceptions[1].expires_place.text(), "soon");
}

#[test]
fn the_command_line_stands_above_levels_and_levels_above_the_policy() {
    let mut policy = parse("version: 1\nlevels: {floating-tag: note}\nallow-registries: [ghcr.io]\n").unwrap();
    assert_eq!(level(&policy, "floating-tag"), Level::Note);
    assert_eq!(level(&policy, "missing-tag"), Level::Warning);
    assert_eq!(level(&policy, "disallowed-registry"), Level::Error);
    assert_eq!((level(&policy, "stale-digest"), policy.judged_age()), (Level::Off, None));
    let aged = parse("version: 1\nmax-digest-age: 12w\n").unwrap();
    assert_eq!((level(&aged, "stale-digest"), aged.judged_age()), (Level::Warning, Some(84)));
    let off = parse("version: 1\nmax-digest-age: 12w\nlevels: {stale-digest: off}\n").unwrap();
    assert_eq!(off.judged_age(), None);
    policy.set_base(parse_base("strict").unwrap());
    assert_eq!(level(&policy, "missing-tag"), Level::Error);
    assert_eq!(level(&policy, "floating-tag"), Level::Note);
    let (rule, new) = parse_level("floating-tag=off").unwrap();
    policy.set_level(rule, new);
    assert_eq!(level(&policy, "floating-tag"), Level::Off);
    let quiet = parse("version: 1\nlevels: {disallowed-registry: warning}\nallow-registries: [ghcr.io]\n").unwrap();
    assert_eq!(level(&quiet, "disallowed-registry"), Level::Warning);
    assert_eq!(level(&Policy::default(), "disallowed-registry"), Level::Off);
    let signed = parse("version: 1\nsignatures: [{images: '**', key: a.pub}]\n").unwrap();
    assert_eq!((level(&signed, "unchecked"), level(&Policy::default(), "unchecked")), (Level::Error, Level::Warning));
}

#[test]
fn words_of_the_command_line_say_what_was_meant() {
    let error = |text: &str| parse_level(text).unwrap_err().to_string();
    assert_eq!(error("unpined=error"), "`unpined` is no rule: did you mean `unpinned`?");
    assert_eq!(error("unpinned=eror"), "`eror` is no level: did you mean `error`?");
    assert_eq!(error("unpinned"), "`unpinned` is no level: write `RULE=LEVEL`, for example `floating-tag=error`");
    assert_eq!(parse_base("strct").unwrap_err().to_string(), "`strct` is no policy: did you mean `strict`?");
}

#[test]
fn without_a_configuration_the_conventional_names_are_judged() {
    assert_eq!(Environment::conventional().manifests.len(), CONVENTIONAL.len());
    assert!(Environment::conventional().enforce);
    assert!(!Policy::default().is_strict());
}

/// What is refused: a name, the text, and whether the schema refuses it too.
const REFUSED: &[(&str, &str, bool)] = &[
    ("an empty file", "", true),
    ("comments alone", "# nothing\n", true),
    ("no mapping", "- version: 1\n", true),
    ("no version", "policy: strict\n", true),
    ("another version", "version: 2\n", true),
    ("a version in quotes", "version: '1'\n", true),
    ("a negative version", "version: -1\n", true),
    ("an unknown key", "version: 1\nenviroments: {}\n", true),
    ("keys of another place", "version: 1\nstacks: []\nenforce: true\n", true),
    ("a key in another spelling", "version: 1\nallow_registries: [ghcr.io]\n", true),
    ("an unknown key of an environment", "version: 1\nenvironments:\n  prod:\n    manifest: [a]\n", true),
    ("an environment without manifests", "version: 1\nenvironments:\n  prod: { enforce: true }\n", true),
    ("an environment with no manifest", "version: 1\nenvironments:\n  prod: { manifests: [] }\n", true),
    ("an environment as a list", "version: 1\nenvironments:\n  prod: [true, [a]]\n", true),
    ("no environment", "version: 1\nenvironments: {}\n", true),
    ("a name with a space", "version: 1\nenvironments: { a b: { manifests: [a] } }\n", true),
    ("a word for a boolean", "version: 1\nenvironments:\n  prod: { enforce: yes, manifests: [a] }\n", true),
    ("a text for a list", "version: 1\nenvironments:\n  prod: { manifests: deploy/** }\n", true),
    ("bad patterns", "version: 1\nenvironments:\n  prod: { manifests: [/a, '../b', 'c[', ok] }\n", false),
    ("an unknown policy", "version: 1\npolicy: strct\n", true),
    ("unknown rules and levels", "version: 1\nlevels:\n  unpined: error\n  floating-tag: fatal\n", true),
    ("a level that is no text", "version: 1\nlevels: { unpinned: false }\n", true),
    ("a registry that is none", "version: 1\nallow-registries: [org, 'ghcr.io/**']\n", false),
    ("forms of a message that are none", "version: 1\ncommit-reference: ['OPS-[', '.*']\n", false),
    ("an empty exception", "version: 1\nexceptions:\n  - image: nginx\n", true),
    (
        "an exception with a tag",
        "version: 1\nexceptions:\n  - image: nginx:1.2\n    reason: ' '\n    expires: 2027-01-31\n",
        true,
    ),
    (
        "an exception that watches itself",
        "version: 1\nexceptions: [{image: a, rule: unused-exception, reason: x, expires: 2027-01-31}]\n",
        true,
    ),
    (
        "an unreadable file of no name",
        "version: 1\nexceptions: [{image: a, rule: unreadable-manifest, reason: x, expires: 2027-01-31}]\n",
        true,
    ),
    (
        "an unreadable file with an image",
        "version: 1\nexceptions: [{image: a, path: b, rule: unreadable-manifest, reason: x, expires: 2027-01-31}]\n",
        true,
    ),
    (
        "a ticket that is a number",
        "version: 1\nexceptions: [{image: a, reason: x, ticket: 17, expires: 2027-01-31}]\n",
        true,
    ),
    (
        "a vulnerability of another rule, and one that is none",
        "version: 1\nexceptions:\n- {image: a, rule: unpinned, vulnerability: CVE-1, reason: x, expires: 2027-01-31}\n- {image: a, vulnerability: 'CVE 1', reason: x, expires: 2027-01-31}\n",
        true,
    ),
    ("a switch that is a text", "version: 1\nscan: { ignore-unfixed: 'no' }\n", true),
    ("a switch in another spelling", "version: 1\nscan: { ignore_unfixed: true }\n", true),
    ("a grade that is none", "version: 1\nscan: { gate: severe }\n", true),
    ("an exception as a list", "version: 1\nexceptions: [[a, a.yml, unpinned, x, T-1, 2027-01-31]]\n", true),
    ("a signature of nobody", "version: 1\nsignatures:\n  - images: ghcr.io/org/**\n", true),
    ("a signature of no image", "version: 1\nsignatures:\n  - key: cosign.pub\n", true),
    ("an identity without an issuer", "version: 1\nsignatures:\n  - { images: nginx, identity: a@b.c }\n", true),
    ("an issuer without an identity", "version: 1\nsignatures:\n  - { images: nginx, issuer: 'https://a.b' }\n", true),
    (
        "an identity of everybody, a glob for an issuer",
        "version: 1\nsignatures:\n  - { images: nginx, identity: '**', issuer: 'https://*' }\n",
        true,
    ),
    (
        "a key beside an identity",
        "version: 1\nsignatures:\n  - { images: nginx, key: a.pub, identity: a@b.c, issuer: 'https://a.b' }\n",
        true,
    ),
    (
        "an identity without the log",
        "version: 1\nsignatures: [{ images: nginx, identity: a, issuer: 'https://a.b', transparency-log: false }]\n",
        true,
    ),
    (
        "keys that are none",
        "version: 1\nsignatures:\n  - { images: 'nginx:1', key: '*.pub', trusted-root: /a }\n",
        false,
    ),
    (
        "several signers and one more",
        "version: 1\nsignatures:\n  - { images: nginx, any-of: [{ key: a, idendity: b }], key: c }\n",
        true,
    ),
    (
        "several signers and one beside them",
        "version: 1\nsignatures: [{ images: nginx, any-of: [{ key: a }], key: c }]\n",
        true,
    ),
    ("no signer in a list", "version: 1\nsignatures: [{ images: nginx, any-of: [] }]\n", true),
    ("an unknown key of a signature", "version: 1\nsignatures: [{ image: nginx, key: a, provenence: {} }]\n", true),
    ("provenance of nothing", "version: 1\nsignatures: [{ images: nginx, key: a, provenance: {} }]\n", true),
    (
        "provenance with an unknown key",
        "version: 1\nsignatures: [{ images: nginx, key: a, provenance: { source: '*', reff: a } }]\n",
        true,
    ),
    (
        "provenance beside a predicate type",
        "version: 1\nsignatures: [{ images: nginx, key: a, predicate-type: ' ', provenance: { source: '*' } }]\n",
        true,
    ),
    ("a key without a value", "version: 1\nexceptions:\nlevels: ~\n", true),
    ("a list item without a value", "version: 1\nallow-registries:\n  - ghcr.io\n  -\n", true),
    ("a number for a key", "version: 1\nenvironments: { 1: { manifests: [a] } }\n", false),
    ("an unknown key whose value has known ones", "version: 1\nenvironment: { version: 1, policy: strict }\n", true),
    ("a key with a quote", "version: 1\n'a`, expected `b': 1\n", true),
    ("a key twice", "version: 1\npolicy: strict\npolicy: default\n", false),
    ("an alias", "version: 1\nallow-registries: &a [ghcr.io]\nlevels: *a\n", false),
    ("a merge key", "version: 1\nlevels: { <<: { unpinned: off } }\n", false),
    ("a tag", "version: 1\npolicy: !!str strict\n", false),
    ("a key that is no text", "version: 1\n[a]: b\n", false),
    ("two documents", "version: 1\n---\npolicy: strict\n", false),
    ("no YAML", "version: 1\nlevels: [\n", false),
    ("tabs", "version: 1\nlevels:\n\tunpinned: off\n", false),
    ("an invisible character", "version: 1 #\u{202e}\n", false),
    ("a line that only some readers end", "version: 1 #\u{2028}policy: default\n", false),
];

#[test]
fn what_is_wrong_is_said_with_place_and_way_out() {
    let mut shown = String::new();
    for (name, text, _) in REFUSED {
        let errors = parse(text).expect_err(name);
        assert!(errors.0.iter().all(|error| error.help.is_some()), "{name}");
        writeln!(shown, "## {name}\n\n{errors}\n").unwrap();
    }
    insta::with_settings!({snapshot_path => "../../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("policy-errors", shown);
    });
}

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

fn schema_accepts(validator: &jsonschema::Validator, text: &str) -> bool {
    let value: serde_json::Value = serde_yaml::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_default();
    validator.is_valid(&value)
}

#[test]
fn schema_and_gate_agree() {
    let validator = validator();
    for text in
        [FULL, "version: 1", "\u{feff}version: 1\r\npolicy: default\r\n", "{\"version\": 1, \"exceptions\": []}"]
    {
        parse(text).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(schema_accepts(&validator, text), "{text}");
    }
    for (name, text, refused) in REFUSED {
        if *refused {
            assert!(!schema_accepts(&validator, text), "{name}");
        }
    }
}

/// Takes the names of a struct's fields and nothing else.
struct Fields<'a>(&'a Cell<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("no struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.set(fields);
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn keys_of<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    let fields = Cell::new([].as_slice());
    let _ = T::deserialize(Fields(&fields));
    sorted(fields.get().iter().copied())
}

fn sorted<'k>(keys: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_unstable();
    keys
}

#[test]
fn every_key_and_every_rule_is_in_the_schema() {
    let schema = schema();
    let keys = |pointer: &str| {
        let properties = schema.pointer(pointer).and_then(|node| node.as_object()).expect(pointer);
        sorted(properties.keys().map(String::as_str))
    };
    assert_eq!(keys("/properties"), keys_of::<Raw>());
    assert_eq!(keys("/properties/environments/additionalProperties/properties"), keys_of::<RawEnvironment>());
    assert_eq!(keys("/properties/exceptions/items/properties"), keys_of::<RawException>());
    assert_eq!(keys("/properties/signatures/items/properties"), keys_of::<RawSignature>());
    assert_eq!(keys("/properties/signatures/items/properties/any-of/items/properties"), keys_of::<RawSigner>());
    assert_eq!(keys("/properties/signatures/items/properties/provenance/properties"), keys_of::<RawProvenance>());
    assert_eq!(keys("/properties/scan/properties"), keys_of::<scan::RawScan>());
    assert_eq!(keys("/properties/levels/properties"), sorted(RULES.iter().map(|rule| rule.id)));
    for id in NOT_EXEMPTABLE.iter().chain(EXEMPTABLE_BY_PATH) {
        assert!(rule::find(id).is_some_and(|rule| rule.judge.is_none()), "{id}");
    }
}

/// Text that is a configuration more often than chance would have it.
fn configurations() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(FULL),
        Just("version: 1\n"),
        Just("policy: strict\n"),
        Just("levels: {unpinned: off}\n"),
        Just("allow-registries: [ghcr.io]\n"),
        Just("exceptions:\n  - {image: nginx, reason: x, expires: 2027-01-31}\n"),
        Just("environments:\n"),
        Just("  prod: {manifests: ['*.yml']}\n"),
        Just("  a: [b, "),
        Just("]: {*x &y !z"),
        Just("---\n"),
        Just("'\"\u{feff}"),
    ];
    let parts = prop::collection::vec(prop_oneof![8 => part.prop_map(str::to_owned), 1 => "\\PC{0,9}"], 0..6);
    prop_oneof![
        4 => parts.prop_map(|parts| parts.concat()),
        1 => any::<String>(),
        2 => (0..FULL.len(), 0..FULL.len(), "\\PC{0,3}").prop_map(|(from, to, text)| {
            let (from, to) = (from.min(to), from.max(to));
            format!("{}{text}{}", FULL.get(..from).unwrap_or_default(), FULL.get(to..).unwrap_or_default())
        }),
    ]
}

#[test]
fn no_text_panics_and_what_is_accepted_fits_the_schema() {
    let validator = validator();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config { cases: 2000, failure_persistence: None, ..Config::default() };
    let accepted = Cell::new(0);
    let outcome = TestRunner::new_with_rng(config, rng).run(&configurations(), |text| {
        match parse(&text) {
            Ok(_) => {
                accepted.set(accepted.get() + 1);
                prop_assert!(schema_accepts(&validator, &text), "{text}");
            }
            Err(errors) => prop_assert!(!errors.to_string().is_empty()),
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(accepted.get() > 50, "{} accepted", accepted.get());
}

#[test]
fn deep_nesting_ends_at_once() {
    for open in ["[", "{a: ", "- ", "? "] {
        assert!(parse(&format!("version: {}", open.repeat(100_000))).is_err());
        assert!(parse(&open.repeat(100_000)).is_err());
        let closed = format!("version: {}1{}", "[".repeat(100), "]".repeat(100));
        assert!(parse(&closed).is_err());
    }
}

#[test]
fn a_large_configuration_is_read_in_no_time() {
    let text = format!("version: 1\nallow-registries: [{}x]\n", "ghcr.io/org, ".repeat(20_000));
    let errors = parse(&text).unwrap_err();
    assert_eq!(errors.0.len(), 1);
    let text = format!("version: 1\nallow-registries: [{}]\n", "x, ".repeat(20_000));
    let errors = parse(&text).unwrap_err();
    assert!(errors.to_string().ends_with("and 19975 more errors: mend these first"));
    let mut keys = String::from("version: 1\nlevels:\n");
    (0..20_000).for_each(|number| writeln!(keys, "  r{number}: off").unwrap());
    assert_eq!(parse(&keys).unwrap_err().0.len(), 20_000);
}

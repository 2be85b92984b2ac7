//! What a floor raises, what it refuses, and that nothing goes below it.

use std::fmt::Write as _;

use super::*;
use crate::policy::{parse_base, parse_level};
use crate::rule::{self, RULES};

fn floor(text: &str) -> Floor {
    Floor::parse(&Source::new("org.yml", format!("version: 1\n{text}"))).unwrap_or_else(|errors| panic!("{errors}"))
}

fn repository(text: &str) -> Policy {
    let source = Source::new("digest-gate.yml", format!("version: 1\n{text}"));
    Policy::parse(&source).unwrap_or_else(|errors| panic!("{errors}"))
}

fn raised(own: &str, below: &str) -> Policy {
    let mut policy = repository(own);
    policy.raise(floor(below)).unwrap_or_else(|errors| panic!("{errors}"));
    policy
}

fn level(policy: &Policy, id: &str) -> Level {
    policy.level(rule::find(id).unwrap())
}

fn source(policy: &Policy, id: &str) -> String {
    policy.level_source(rule::find(id).unwrap())
}

#[test]
fn the_shorter_age_counts_whoever_set_it() {
    let shorter = raised("max-digest-age: 90d\nlevels: {stale-digest: off}\n", "max-digest-age: 30d\n");
    assert_eq!((shorter.judged_age(), level(&shorter, "stale-digest")), (Some(30), Level::Warning));
    assert_eq!(source(&shorter, "stale-digest"), "`max-digest-age` of org.yml:2");
    assert_eq!(shorter.notices, ["`max-digest-age` is 30 days, as org.yml:2 requires"]);
    let own = raised("max-digest-age: 2w\n", "max-digest-age: 90d\n");
    assert_eq!((own.judged_age(), own.notices.len()), (Some(14), 0));
    let only_theirs = raised("", "max-digest-age: 90d\n");
    assert_eq!((only_theirs.judged_age(), level(&only_theirs, "stale-digest")), (Some(90), Level::Warning));
    let none = raised("", "policy: strict\n");
    assert_eq!((none.judged_age(), level(&none, "stale-digest")), (None, Level::Warning));
}

#[test]
fn the_higher_level_counts_whoever_set_it() {
    let own = "levels: {unpinned: warning, missing-tag: error, floating-tag: off}\n";
    let mut policy = raised(own, "levels: {floating-tag: error, missing-tag: note}\n");
    assert_eq!(level(&policy, "unpinned"), Level::Error);
    assert_eq!(source(&policy, "unpinned"), "policy `default` of org.yml");
    assert_eq!(level(&policy, "floating-tag"), Level::Error);
    assert_eq!(source(&policy, "floating-tag"), "`levels` of org.yml:2");
    assert_eq!(level(&policy, "missing-tag"), Level::Error);
    assert_eq!(source(&policy, "missing-tag"), "`levels` of digest-gate.yml:2");
    let rules = ["unpinned", "missing-tag", "floating-tag"].map(|id| rule::find(id).unwrap());
    assert_eq!(
        policy.floor_notice(rules.into_iter()).unwrap(),
        "the policy file `org.yml` is the floor, and raised `unpinned` from warning to error by policy `default` of \
         org.yml, `floating-tag` from off to error by `levels` of org.yml:2"
    );
    for rule in RULES {
        policy.set_level(rule, Level::Off);
    }
    assert_eq!(level(&policy, "unpinned"), Level::Error);
    assert_eq!(level(&policy, "missing-tag"), Level::Note);
    assert_eq!(level(&policy, "implicit-registry"), Level::Off);
    assert_eq!(source(&policy, "implicit-registry"), "`--level`");
    let (rule, error) = parse_level("implicit-registry=error").unwrap();
    policy.set_level(rule, error);
    assert_eq!(level(&policy, "implicit-registry"), Level::Error);
}

#[test]
fn the_stricter_policy_counts() {
    let mut policy = raised("policy: default\n", "policy: strict\n");
    policy.set_base(parse_base("default").unwrap());
    assert!(policy.is_strict());
    assert_eq!(level(&policy, "floating-tag"), Level::Error);
    assert_eq!(source(&policy, "floating-tag"), "`policy` of org.yml:2");
    assert!(raised("policy: strict\n", "").is_strict());
    assert!(!raised("", "").is_strict());
    let own = Policy::default();
    assert_eq!(source(&own, "unpinned"), "policy `default`");
    assert_eq!(own.floor_notice(std::iter::empty()), None);
}

#[test]
fn the_registries_that_both_allow_are_left() {
    let allowed = |own: &str, below: &str| {
        let key = |list: &str| if list.is_empty() { String::new() } else { format!("allow-registries: [{list}]\n") };
        let policy = raised(&key(own), &key(below));
        (policy.allowed_registries.join(" "), policy.notices.join(" "))
    };
    let none = String::new;
    assert_eq!(allowed("", ""), (none(), none()));
    assert_eq!(allowed("ghcr.io", ""), ("ghcr.io".into(), none()));
    assert_eq!(allowed("", "ghcr.io/org"), ("ghcr.io/org".into(), none()));
    assert_eq!(allowed("ghcr.io", "ghcr.io/org, ghcr.io/other"), ("ghcr.io/org ghcr.io/other".into(), none()));
    assert_eq!(allowed("ghcr.io/org/app", "ghcr.io/org"), ("ghcr.io/org/app".into(), none()));
    let (left, notice) = allowed("ghcr.io/org, quay.io, ghcr.io/organisation", "ghcr.io/org");
    assert_eq!(left, "ghcr.io/org");
    assert_eq!(notice, "org.yml:2 does not allow `quay.io`, `ghcr.io/organisation`: images from there are refused");
    let policy = raised("levels: {disallowed-registry: off}\n", "allow-registries: [ghcr.io]\n");
    assert_eq!(level(&policy, "disallowed-registry"), Level::Error);
    assert_eq!(source(&policy, "disallowed-registry"), "`allow-registries` of org.yml:2");
}

#[test]
fn signatures_of_both_are_required_and_exceptions_of_both_are_listed() {
    let signature = |identity: &str| {
        format!("signatures: [{{images: 'ghcr.io/**', identity: {identity}, issuer: 'https://issuer.example'}}]\n")
    };
    let exception = |image: &str| format!("exceptions: [{{image: {image}, reason: x, expires: 2027-01-31}}]\n");
    let policy = raised(&(signature("a@b.c") + &exception("nginx")), &(signature("d@e.f") + &exception("redis")));
    assert_eq!(policy.signatures.len(), 2);
    let images: Vec<_> = policy.exceptions.iter().map(|it| (it.images.text.as_str(), it.of_floor)).collect();
    assert_eq!(images, [("redis", true), ("nginx", false)]);
}

#[test]
fn exceptions_of_the_repository_count_as_far_as_the_floor_lets_them() {
    let own = "exceptions: [{image: nginx, reason: x, expires: 2027-01-31}]\n";
    let levels = "levels: {unpinned: error, floating-tag: warning}\n";
    for (below, kept) in [
        ("", vec![]),
        (levels, vec!["unpinned"]),
        ("repository-exceptions: true\nlevels: {unpinned: error}\n", vec![]),
        ("repository-exceptions: false\n", vec!["unpinned", "floating-tag", "missing-tag"]),
    ] {
        let policy = raised(own, below);
        let refused = ["unpinned", "floating-tag", "missing-tag"]
            .into_iter()
            .filter(|id| policy.refusal(&policy.exceptions[0], rule::find(id).unwrap()).is_some());
        assert_eq!(refused.collect::<Vec<_>>(), kept, "{below}");
    }
    let policy = raised("", &format!("{own}repository-exceptions: false\n"));
    assert!(policy.refusal(&policy.exceptions[0], rule::find("unpinned").unwrap()).is_none());
}

#[test]
fn environments_are_enforced_and_must_be_there() {
    let own =
        "environments: {production: {enforce: false, manifests: [a]}, staging: {enforce: false, manifests: [b]}}\n";
    let policy = raised(own, "enforced-environments: [production]\n");
    assert_eq!(policy.environments.iter().map(|it| it.enforce).collect::<Vec<_>>(), [true, false]);
    assert_eq!(policy.notices, ["the environment `production` is enforced, as org.yml:2 requires"]);
    // Without a configuration the conventional names are judged, as production and enforced.
    assert!(raised("", "enforced-environments: [production]\n").environments.is_empty());
}

/// What is refused: a name, the policy file, and the configuration of the repository.
const REFUSED: &[(&str, &str, &str)] = &[
    ("keys of a repository", "environments: {a: {manifests: [b]}}\nregistries: {}\nrefresh: {cooldown: 3d}\n", ""),
    ("keys of a policy file", "", "repository-exceptions: true\nenforced-environments: []\n"),
    ("an unknown key", "level: {unpinned: error}\n", ""),
    ("a wrong type", "repository-exceptions: none\n", ""),
    ("a list of no texts", "enforced-environments: production\n", ""),
    ("files of the repository", "signatures: [{images: 'a.io/**', key: cosign.pub, trusted-root: root.json}]\n", ""),
    (
        "no registry that both allow",
        "allow-registries: [ghcr.io/org]\n",
        "allow-registries: [quay.io, ghcr.io/other]\n",
    ),
    (
        "an environment that is not there",
        "enforced-environments: [production]\n",
        "environments: {prod: {manifests: [a]}}\n",
    ),
    ("an environment that no convention has", "enforced-environments: [eu]\n", ""),
];

#[test]
fn what_is_wrong_is_said_with_place_and_way_out() {
    let mut shown = String::new();
    for (name, below, own) in REFUSED {
        let floor = Floor::parse(&Source::new("org.yml", format!("version: 1\n{below}")));
        let both = floor.and_then(|floor| {
            let mut policy = Policy::parse(&Source::new("digest-gate.yml", format!("version: 1\n{own}")))?;
            policy.raise(floor)
        });
        let errors = both.expect_err(name);
        assert!(errors.0.iter().all(|error| error.help.is_some()), "{name}");
        writeln!(shown, "## {name}\n\n{errors}\n").unwrap();
    }
    insta::with_settings!({snapshot_path => "../../../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("policy-file-errors", shown);
    });
}

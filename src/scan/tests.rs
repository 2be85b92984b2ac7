//! Reports of each scanner and VEX documents, as they are written: what counts, for which digest, and what is refused.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

use super::*;
use crate::resolution::Platform;

/// The index that is pinned, the image for one platform in it, and another digest.
const INDEX: &str = "sha256:1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a";
const AMD64: &str = "sha256:2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b";
const OTHER: &str = "sha256:3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";

const TRIVY: &str = include_str!("../../tests/data/scans/trivy.json");
const TRIVY_SARIF: &str = include_str!("../../tests/data/scans/trivy.sarif");
const GRYPE: &str = include_str!("../../tests/data/scans/grype.json");
const GRYPE_SARIF: &str = include_str!("../../tests/data/scans/grype.sarif");
const GRYPE_BY_TAG: &str = include_str!("../../tests/data/scans/grype-by-tag.sarif");
const SCOUT: &str = include_str!("../../tests/data/scans/scout.sarif");
const CYCLONEDX: &str = include_str!("../../tests/data/scans/vex.cdx.json");
const OPENVEX: &str = include_str!("../../tests/data/scans/openvex.json");

fn read(files: &[&str]) -> Scans {
    let mut scans = Scans::default();
    for (index, text) in files.iter().enumerate() {
        scans.read(&Source::new(format!("{index}.json"), *text), None).unwrap_or_else(|broken| panic!("{broken}"));
    }
    scans
}

fn error(text: &str) -> String {
    Scans::default().read(&Source::new("x.json", text), None).expect_err(text).to_string()
}

fn image(digest: &str) -> Reference {
    Reference::parse(&format!("ghcr.io/org/app:1.2.3@{digest}")).unwrap()
}

fn index() -> Answer<Description> {
    let platform = Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() };
    let content = Content::Index(vec![(platform, AMD64.to_owned())]);
    Answer::Found(Description { digest: INDEX.into(), media_type: String::new(), content, created: None })
}

/// One line a finding: `grade id part fix`.
fn lines(scans: &Scans, policy: Scan) -> String {
    let said = scans.of(&image(INDEX), &Answer::Missing, policy);
    let mut shown = String::new();
    for it in &said.found().unwrap_or_else(|| panic!("{said:?}")).found {
        let grade = it.grade.map_or("?", Grade::as_str);
        let fix = match &it.fix {
            Fix::In(version) => version,
            Fix::Nowhere => "none",
            Fix::Unknown => "unknown",
        };
        writeln!(shown, "{grade} {} {} {}: {fix}", it.id, it.aliases.join("+"), it.part).unwrap();
    }
    shown
}

fn all() -> Scan {
    Scan { gate: Grade::Low, ignore_unfixed: false }
}

/// Why no report counts, and what is remarked.
fn nothing(scans: &Scans, digest: &str) -> (String, Vec<String>) {
    match scans.of(&image(digest), &Answer::Missing, all()) {
        Answer::Unanswered(why) => (why.reason, scans.remarks(&|it| it == digest)),
        said => panic!("{said:?}"),
    }
}

#[test]
fn each_format_says_what_was_found() {
    let mut shown = String::new();
    let formats =
        [("Trivy JSON", TRIVY), ("Trivy SARIF", TRIVY_SARIF), ("Grype JSON", GRYPE), ("Grype SARIF", GRYPE_SARIF)];
    for (name, text) in formats {
        writeln!(shown, "## {name}\n{}", lines(&read(&[text]), all())).unwrap();
    }
    let mut scout = Scans::default();
    scout.read(&Source::new("scout.sarif", SCOUT), Some(INDEX)).unwrap();
    writeln!(shown, "## Docker Scout SARIF\n{}", lines(&scout, all())).unwrap();
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("scan-formats", shown);
    });
}

#[test]
fn the_gate_leaves_out_what_is_lower_and_never_what_is_not_graded() {
    let high = lines(&read(&[TRIVY]), Scan::default());
    assert!(
        !high.contains("CVE-2026-1003") && high.contains("CVE-2026-1002") && high.contains("? CVE-2026-1004"),
        "{high}"
    );
    let critical = lines(&read(&[TRIVY]), Scan { gate: Grade::Critical, ..Scan::default() });
    assert!(!critical.contains("CVE-2026-1002") && critical.contains("CVE-2026-1001"), "{critical}");
    let fixable = lines(&read(&[TRIVY]), Scan { ignore_unfixed: true, ..Scan::default() });
    assert!(!fixable.contains("CVE-2026-1002") && fixable.contains("GHSA-abcd-2345-wxyz"), "{fixable}");
}

#[test]
fn what_two_scanners_find_is_one() {
    let both = lines(&read(&[TRIVY, GRYPE]), Scan::default());
    assert_eq!(both.matches("CVE-2026-1001  libssl3").count(), 1, "{both}");
    assert!(both.contains("GHSA-mnop-2345-wxyz CVE-2026-2001"), "{both}");
}

#[test]
fn a_report_counts_for_its_own_digest_alone() {
    let (why, remarks) = nothing(&read(&[TRIVY]), OTHER);
    assert_eq!(why, format!("no scan report is for its digest; 0.json is for another: {INDEX}"));
    let expected = format!(
        "0.json: a report of {INDEX} (ghcr.io/org/app:1.2.3@{INDEX}), which no deployed image is known to have: it counts for nothing"
    );
    assert_eq!(remarks, [expected]);
    // The configuration's digest and a layer's name no manifest.
    for digest in ["9e", "7c"].map(|hex| format!("sha256:{}", hex.repeat(32))) {
        for text in [TRIVY, TRIVY_SARIF, GRYPE, GRYPE_SARIF] {
            assert!(!read(&[text]).names(&digest), "{digest}");
        }
    }
    assert_eq!(nothing(&Scans::default(), INDEX), ("no scan report is for its digest".to_owned(), vec![]));
    assert_eq!(read(&[TRIVY]).of(&Reference::parse("app:1").unwrap(), &Answer::Missing, all()), Answer::Missing);
}

#[test]
fn a_report_that_names_no_digest_counts_for_nothing_until_someone_says_what_was_scanned() {
    for (text, of) in [(GRYPE_BY_TAG, " (it is of ghcr.io/org/app:1.2.3)"), (SCOUT, "")] {
        let (_, remarks) = nothing(&read(&[text]), INDEX);
        assert!(
            remarks[0].starts_with(&format!("0.json: it names no digest{of}: it counts for nothing")),
            "{remarks:?}"
        );
        let mut scans = Scans::default();
        scans.read(&Source::new("x.sarif", text), Some(INDEX)).unwrap();
        assert!(scans.names(INDEX) && scans.remarks(&|_| true).is_empty());
    }
    let mut scans = Scans::default();
    scans.read(&Source::new("x.json", TRIVY), Some(OTHER)).unwrap();
    assert!(!scans.names(OTHER) && !scans.names(INDEX), "a word against the report's own");
    assert!(scans.remarks(&|_| true)[0].contains("it was given as a report of"));
    let by_id = TRIVY.replace(&format!("@{INDEX}"), "");
    assert!(!read(&[&by_id]).names(INDEX));
}

#[test]
fn the_image_of_one_platform_counts_where_the_registry_says_that_the_index_has_it() {
    let child = GRYPE.replace(INDEX, OTHER);
    let scans = read(&[&child]);
    assert!(scans.of(&image(INDEX), &index(), all()).found().is_some());
    assert!(scans.of(&image(INDEX), &Answer::Missing, all()).found().is_none());
    let down = Answer::Unanswered(Unanswered { reason: "the host is down".into(), help: String::new() });
    match scans.of(&image(INDEX), &down, all()) {
        Answer::Unanswered(why) => assert!(why.reason.ends_with("the host is down"), "{}", why.reason),
        said => panic!("{said:?}"),
    }
}

#[test]
fn a_vex_document_takes_back_what_it_names_and_nothing_else() {
    let found = lines(&read(&[TRIVY, CYCLONEDX]), Scan::default());
    assert!(!found.contains("CVE-2026-1002") && found.contains("CVE-2026-1001"), "{found}");
    let found = lines(&read(&[TRIVY, GRYPE, OPENVEX]), Scan::default());
    assert!(
        !found.contains("CVE-2026-1001  openssl") && found.contains("CVE-2026-1001  libssl3"),
        "one package: {found}"
    );
    assert!(!found.contains("GHSA-mnop"), "by its alias, and the later statement counts: {found}");
    let other = OPENVEX.replace(&INDEX.replace(':', "%3A"), &OTHER.replace(':', "%3A"));
    assert_eq!(lines(&read(&[TRIVY, GRYPE, &other]), all()), lines(&read(&[TRIVY, GRYPE]), all()));
    assert!(!read(&[CYCLONEDX]).names(INDEX), "a VEX document is no scan report");
}

#[test]
fn statements_that_name_no_image_take_nothing_back() {
    let before = lines(&read(&[TRIVY]), all());
    let oci = format!("pkg:oci/app@{}", INDEX.replace(':', "%3A"));
    for (affected, takes) in [
        (oci.clone(), true),
        (format!("urn:cdx:11111111-2222-3333-4444-555555555555/1#{}", oci.replace('%', "%25")), true),
        (format!("urn:cdx:11111111-2222-3333-4444-555555555555/1#{oci}"), true),
        ("pkg:oci/app?tag=1.2.3".to_owned(), false),
        ("pkg:deb/debian/libssl3@3.0.11-1~deb12u2".to_owned(), false),
        ("app".to_owned(), false),
    ] {
        let vex = format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","vulnerabilities":[{{"id":"CVE-2026-1001","analysis":{{"state":"false_positive"}},"affects":[{{"ref":"{affected}"}}]}}]}}"#
        );
        let scans = read(&[TRIVY, &vex]);
        assert_eq!(lines(&scans, all()) != before, takes, "{affected}");
        assert_eq!(!scans.remarks(&|_| true).is_empty(), !takes, "{affected}");
    }
    // With the image as its subject, a bill may speak of packages.
    for (subject, takes) in [(INDEX, true), (OTHER, false)] {
        let vex = format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.4","metadata":{{"component":{{"type":"container","name":"app","version":"{subject}"}}}},"components":[{{"type":"library","bom-ref":"1","name":"libssl3","version":"3.0.11-1~deb12u2"}}],"vulnerabilities":[{{"id":"CVE-2026-1001","analysis":{{"state":"resolved"}},"affects":[{{"ref":"1"}}]}}]}}"#
        );
        let found = lines(&read(&[TRIVY, &vex]), all());
        assert_eq!(!found.contains("CVE-2026-1001  libssl3"), takes, "{subject}");
        assert!(found.contains("CVE-2026-1001  openssl"), "{found}");
    }
}

#[test]
fn of_statements_that_contradict_each_other_the_newest_counts_and_without_a_time_the_worst() {
    let statement = |status: &str, time: &str| {
        let time = if time.is_empty() { String::new() } else { format!(r#","timestamp":"{time}""#) };
        format!(
            r#"{{"@context":"https://openvex.dev/ns","statements":[{{"vulnerability":"CVE-2026-1001","products":["pkg:oci/app@{}"],"status":"{status}","impact_statement":"x"{time}}}]}}"#,
            INDEX.replace(':', "%3A")
        )
    };
    let (old, new) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    for (first, second, taken) in [
        (statement("affected", old), statement("fixed", new), true),
        (statement("fixed", old), statement("affected", new), false),
        (statement("fixed", new), statement("affected", new), false),
        (statement("fixed", new), statement("affected", ""), false),
        (statement("fixed", ""), statement("not_affected", ""), true),
    ] {
        let found = lines(&read(&[TRIVY, &first, &second]), all());
        assert_eq!(!found.contains("CVE-2026-1001"), taken, "{first} {second}");
    }
}

#[test]
fn what_says_that_nothing_was_scanned_counts_for_nothing() {
    let run = |rest: &str| format!(r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"x"}}}}{rest}}}]}}"#);
    let about = format!(r#","properties":{{"repoDigests":["ghcr.io/org/app@{INDEX}"]}}"#);
    assert!(read(&[&run(&format!(r#","results":[]{about}"#))]).names(INDEX), "an empty list is a clean scan");
    assert!(!read(&[&run(&about)]).names(INDEX));
    assert!(!read(&[&run(&format!(r#","results":null{about}"#))]).names(INDEX));
    let failed = run(&format!(r#","results":[],"invocations":[{{"executionSuccessful":false}}]{about}"#));
    assert!(!read(&[&failed]).names(INDEX));
    let folder = TRIVY.replace("container_image", "filesystem");
    assert!(!read(&[&folder]).names(INDEX));
    let folder = GRYPE.replace(r#""type": "image""#, r#""type": "directory""#);
    assert!(!read(&[&folder]).names(INDEX));
    let several = GRYPE_SARIF.replacen(&format!("1.2.3@{INDEX}@"), &format!("1.2.3@{OTHER}@"), 1);
    assert!(!read(&[&several]).names(INDEX) && !read(&[&several]).names(OTHER));
}

#[test]
fn more_statements_than_anyone_would_look_through_take_nothing_back() {
    let statement =
        format!(r#"{{"vulnerability":"CVE-2026-1001","products":["pkg:oci/app@{INDEX}"],"status":"fixed"}}"#);
    let vex = |count: usize| {
        let statements = vec![statement.as_str(); count].join(",");
        format!(r#"{{"@context":"https://openvex.dev/ns","statements":[{statements}]}}"#)
    };
    assert!(!lines(&read(&[TRIVY, &vex(1000)]), all()).contains("CVE-2026-1001"));
    assert!(lines(&read(&[TRIVY, &vex(1001)]), all()).contains("CVE-2026-1001"));
}

#[test]
fn a_broken_report_is_refused_at_its_place() {
    let mut shown = String::new();
    let cut = TRIVY.get(..2000).unwrap();
    for (name, text) in [
        ("no JSON", "image: nginx\n"),
        ("nothing", ""),
        ("a list, as Trivy once wrote", "[]"),
        ("cut off", cut),
        ("something behind it", "{\"matches\": []} x"),
        ("another format", "{\"vulnerabilities\": []}"),
        ("two formats", "{\"runs\": [], \"matches\": []}"),
        ("another SARIF", "{\"version\": \"2.0.0\", \"runs\": []}"),
        ("no run", "{\"version\": \"2.1.0\", \"runs\": []}"),
        ("another Trivy", "{\"SchemaVersion\": 1}"),
        ("another CycloneDX", "{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.3\"}"),
        (
            "a state that is none",
            "{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.6\", \"vulnerabilities\": [{\"analysis\": {\"state\": \"fine\"}}]}",
        ),
        (
            "no reason",
            "{\"@context\": \"https://openvex.dev/ns/v0.2.0\", \"statements\": [{\"vulnerability\": \"CVE-1\", \"status\": \"not_affected\"}]}",
        ),
        (
            "a finding without a name",
            "{\"SchemaVersion\": 2,\n \"Results\": [{\"Vulnerabilities\": [{\"Severity\": \"LOW\"}]}]}",
        ),
        ("a severity that is no text", "{\"matches\": [{\"vulnerability\": {\"id\": \"CVE-1\", \"severity\": 9}}]}"),
        ("a key twice", "{\"matches\": [], \"matches\": [], \"source\": null}"),
    ] {
        writeln!(shown, "{name}: {}", error(text)).unwrap();
    }
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("scan-broken", shown);
    });
}

#[test]
fn any_file_ends_at_once() {
    for deep in ["[", "{\"runs\":[", "{\"components\":[", "{\"a\":"] {
        error(&format!(
            "{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":[{}",
            deep.repeat(100_000)
        ));
    }
    let many = format!(
        "{{\"SchemaVersion\":2,\"Results\":[{{\"Secrets\":[{}{{\"RuleID\":\"a\"}}]}}]}}",
        "{\"RuleID\":\"a\"},".repeat(MAX_FINDINGS)
    );
    assert!(error(&many).ends_with("at most 200000 are read"), "{}", error(&many));
    let affects = format!("{}{{\"ref\":\"a\"}}", "{\"ref\":\"a\"},".repeat(MAX_FINDINGS));
    let many = format!(
        "{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"vulnerabilities\":[{{\"id\":\"CVE-1\",\"analysis\":{{\"state\":\"resolved\"}},\"affects\":[{affects}]}}]}}"
    );
    assert!(error(&many).ends_with("it has more than 200000 statements: no more are read"), "{}", error(&many));
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..ProptestConfig::default()
    });
    let texts = [TRIVY, TRIVY_SARIF, GRYPE, GRYPE_SARIF, SCOUT, CYCLONEDX, OPENVEX];
    let strategy = (0..texts.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), "\\PC{0,4}");
    runner
        .run(&strategy, |(which, from, to, text)| {
            let base = texts[which];
            let (from, to) = (from.index(base.len()), to.index(base.len()));
            let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 40));
            let changed =
                format!("{}{text}{}", base.get(..from).unwrap_or_default(), base.get(to..).unwrap_or_default());
            let mut scans = Scans::default();
            if scans.read(&Source::new("x", changed), None).is_ok() {
                let _ = (scans.of(&image(INDEX), &index(), all()), scans.remarks(&|_| false));
            }
            Ok(())
        })
        .unwrap();
}

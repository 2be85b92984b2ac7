//! Evidence: the files that prove a run to somebody who was not there, and the statement about them that can be signed.
//!
//! The statement is in-toto's, its predicate in-toto's test result: each rule is a test, what was read and what is
//! deployed are what was tested. `evidence.json` lists the other files with their SHA-256 and is a subject itself, so
//! that one signature covers them all.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Style, by_importance, cyclonedx, json, step_summary};
use crate::finding::Report;
use crate::gate::{Deployed, Judged};
use crate::manifest::State;
use crate::policy::Policy;
use crate::rule::{JudgedBy, Level, RULES};
use crate::source::{Source, sha256};

/// The type of the predicate.
/// Source: <https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md>.
pub const PREDICATE_TYPE: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// One file of the bundle.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    pub name: &'static str,
    pub text: String,
}

/// What is known of the run beside its outcome.
#[derive(Debug, Default)]
pub struct Circumstances<'a> {
    /// The configuration and the policy file that were read.
    pub configuration: Vec<&'a Source>,
    /// The scan reports and VEX documents that were read: path and SHA-256.
    pub scans: &'a [(String, String)],
    /// The commit that was judged.
    pub commit: Option<String>,
    /// Where the run can be looked at.
    pub url: Option<String>,
    pub date: Option<Timestamp>,
}

/// A thing by its bytes.
#[derive(Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Descriptor {
    name: String,
    digest: BTreeMap<String, String>,
}

impl Descriptor {
    fn of(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), digest: BTreeMap::from([("sha256".to_owned(), sha256(text))]) }
    }
}

/// All files of the bundle; the same run gives the same bytes.
#[must_use]
pub fn files(judged: &Judged, policy: &Policy, by: JudgedBy, about: &Circumstances<'_>) -> Vec<File> {
    let style = Style { date: about.date, ..Style::default() };
    let report = &judged.report;
    let listed: Vec<_> = judged.images.iter().filter(|it| it.image.state != State::Local).cloned().collect();
    let mut files = vec![
        File { name: "findings.jsonl", text: json::check(report, &style) },
        File { name: "images.jsonl", text: json::images(&listed, &style) },
        File { name: "images.cdx.json", text: cyclonedx::images(&judged.images, &style) },
        File { name: "exceptions.json", text: json::exceptions(report) },
        File { name: "summary.md", text: step_summary::page(report, step_summary::MAX_BYTES) },
    ];
    let sources: Vec<_> =
        judged.sources.iter().map(|source| Descriptor::of(source.relative(), source.text())).collect();
    let configuration: Vec<_> = about.configuration.iter().map(|it| Descriptor::of(it.path(), it.text())).collect();
    let by_hash = |(name, hex): &(String, String)| json!({ "name": name, "digest": { "sha256": hex } });
    let index = json!({
        "tool": { "name": "digest-gate", "version": style.version },
        "date": about.date.map(|date| date.to_string()),
        "commit": about.commit,
        "url": about.url,
        "configuration": configuration,
        "result": report.result(),
        "sources": sources,
        "scanReports": about.scans.iter().map(by_hash).collect::<Vec<_>>(),
        "files": files.iter().map(|file| Descriptor::of(file.name, &file.text)).collect::<Vec<_>>(),
    });
    let index = File { name: "evidence.json", text: format!("{}\n", json::encode(&index)) };
    let subjects = subjects(sources, &judged.images, &index);
    let predicate = predicate(report, policy, by, about, configuration);
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    });
    files.push(index);
    files.push(File { name: "subjects.sha256", text: checksums(&subjects) });
    files.push(File { name: "predicate.json", text: format!("{}\n", json::encode(&predicate)) });
    files.push(File { name: "statement.json", text: format!("{}\n", json::encode(&statement)) });
    files
}

/// What the statement is about: the files that were read, the images they deploy, the bundle.
fn subjects(sources: Vec<Descriptor>, images: &[Deployed], index: &File) -> Vec<Descriptor> {
    let pinned = images.iter().filter_map(|deployed| {
        let reference = deployed.image.reference()?;
        let (algorithm, hex) = reference.digest()?.split_once(':')?;
        let tag = reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        let name = format!("{}/{}{tag}", reference.registry(), reference.repository());
        Some(Descriptor { name, digest: BTreeMap::from([(algorithm.to_owned(), hex.to_owned())]) })
    });
    let mut subjects: Vec<_> = sources.into_iter().chain(pinned).collect();
    subjects.push(Descriptor::of(index.name, &index.text));
    subjects.sort();
    subjects.dedup();
    subjects
}

/// The subjects as `sha256sum` writes them. A name that would not stay on its line is left to the statement.
fn checksums(subjects: &[Descriptor]) -> String {
    let lines = subjects.iter().filter(|it| !it.name.contains(['\n', '\r', '\\'])).filter_map(|subject| {
        let hex = subject.digest.values().next()?;
        Some(format!("{hex}  {}\n", subject.name))
    });
    lines.collect()
}

/// The outcome as a test result: rules are the tests. Where nothing was found to judge nothing has passed.
fn predicate(
    report: &Report,
    policy: &Policy,
    by: JudgedBy,
    about: &Circumstances<'_>,
    configuration: Vec<Descriptor>,
) -> Value {
    let findings = by_importance(report);
    let judged = RULES.iter().filter(|rule| rule.judged_by <= by && policy.level(rule) != Level::Off);
    let (mut passed, mut warned, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for rule in judged {
        let mut said = findings.iter().filter(|finding| finding.rule.id == rule.id).peekable();
        let list = match () {
            () if said.peek().is_none() => &mut passed,
            () if said.any(|finding| finding.blocks()) => &mut failed,
            () => &mut warned,
        };
        list.push(rule.id);
    }
    let result = match () {
        () if report.fails() => "FAILED",
        () if findings.is_empty() && report.counts.unchecked == 0 && report.counts.files > 0 => "PASSED",
        () => "WARNED",
    };
    let tool = json!({ "name": "digest-gate", "annotations": { "version": Style::default().version } });
    let mut settings: Vec<Value> = configuration.into_iter().map(|it| json!(it)).collect();
    settings.push(tool);
    let mut predicate = Map::new();
    predicate.insert("result".to_owned(), result.into());
    predicate.insert("configuration".to_owned(), settings.into());
    if let Some(url) = &about.url {
        predicate.insert("url".to_owned(), url.as_str().into());
    }
    for (key, names) in [("passedTests", passed), ("warnedTests", warned), ("failedTests", failed)] {
        predicate.insert(key.to_owned(), names.into());
    }
    predicate.into()
}

//! `gitlab`: a code quality report (<https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>).

use serde::Serialize;

use super::exceptions::{is_soon, line};
use super::{Shown, Style, fingerprints, is_advisory, json, stable_hash, visible};
use crate::finding::{Finding, ListedException, Report};
use crate::source::Place;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'a str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// All findings as one JSON array, one a line. Exempted ones are left out, for the format has no word for them; every
/// exception is an issue of its own, so that a merge request that adds one shows it.
#[must_use]
pub fn check(report: &Report, _: &Style) -> String {
    let issues: Vec<String> = report
        .findings
        .iter()
        .zip(fingerprints(report))
        .filter(|(finding, _)| finding.exception.is_none())
        .map(|(finding, fingerprint)| json::encode(&issue(finding, fingerprint)))
        .chain(report.exceptions.iter().map(|exception| json::encode(&exempting(exception))))
        .collect();
    if issues.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", issues.join(",\n")) }
}

fn issue(finding: &Finding, fingerprint: String) -> Issue<'_> {
    Issue {
        description: visible::visible(&format!("{}: {}", finding.message, finding.help)).into_owned(),
        check_name: finding.rule.id,
        fingerprint,
        severity: severity(finding),
        location: location(&finding.place),
    }
}

/// An exception. One that ended is a finding already.
fn exempting(exception: &ListedException) -> Issue<'_> {
    let place = &exception.place;
    let (files, rule) = (exception.path.as_deref().unwrap_or_default(), exception.rule.unwrap_or_default());
    let vulnerability = exception.vulnerability.as_deref().unwrap_or_default();
    let about = [place.source.path(), &exception.image, files, rule, vulnerability, &exception.reason];
    Issue {
        description: visible::visible(&format!("exception: {}", line(exception))).into_owned(),
        check_name: "exception",
        fingerprint: format!("{:016x}", stable_hash(&about)),
        severity: if is_soon(exception) { "minor" } else { "info" },
        location: location(place),
    }
}

fn location(place: &Place) -> Location<'_> {
    let path = place.source.path();
    Location { path: path.strip_prefix("./").unwrap_or(path), lines: Lines { begin: place.start().line } }
}

/// One of GitLab's five words: `blocker` is what makes the gate fail, and nothing else.
fn severity(finding: &Finding) -> &'static str {
    match Shown::of(finding) {
        Shown::Error => "blocker",
        Shown::Warning if is_advisory(finding) => "major",
        Shown::Warning => "minor",
        Shown::Note => "info",
    }
}

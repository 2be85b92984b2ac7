//! `gitlab`: a code quality report (<https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>).

use serde::Serialize;

use super::{Shown, Style, fingerprints, is_advisory, json, visible};
use crate::finding::{Finding, Report};

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

/// All findings as one JSON array, one a line. Exempted ones are left out: the format has no word for them.
#[must_use]
pub fn check(report: &Report, _: &Style) -> String {
    let issues: Vec<String> = report
        .findings
        .iter()
        .zip(fingerprints(report))
        .filter(|(finding, _)| finding.exception.is_none())
        .map(|(finding, fingerprint)| json::encode(&issue(finding, fingerprint)))
        .collect();
    if issues.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", issues.join(",\n")) }
}

fn issue(finding: &Finding, fingerprint: String) -> Issue<'_> {
    let path = finding.place.source.path();
    Issue {
        description: visible::visible(&format!("{}: {}", finding.message, finding.help)).into_owned(),
        check_name: finding.rule.id,
        fingerprint,
        severity: severity(finding),
        location: Location {
            path: path.strip_prefix("./").unwrap_or(path),
            lines: Lines { begin: finding.place.start().line },
        },
    }
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

//! What people and programs read of a run: [`FORMATS`], and what the formats share before any of them escapes.
//!
//! A format is one file below `report/` and one entry in [`FORMATS`]: pure functions from a [`Report`] to text. None
//! decides whether the gate fails, none reaches back into the run, and each escapes for its own syntax: manifest text
//! is written by whoever opens a pull request.

pub mod annotations;
pub mod check_run;
pub mod cyclonedx;
pub mod evidence;
mod exceptions;
pub mod gitlab;
pub mod history;
pub mod json;
pub mod markdown;
pub mod moves;
pub mod proposal;
pub mod sarif;
pub mod step_summary;
pub mod suggestion;
pub mod terminal;
mod visible;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::finding::{Exempted, Finding, Report, Severity};
use crate::gate::Deployed;
use exceptions::{ends, notices};

/// A value of `--format`.
#[derive(Debug)]
pub struct Format {
    /// The word on the command line.
    pub name: &'static str,
    /// What it is for, for people.
    pub title: &'static str,
    /// The outcome of `check`; `None` where the format has no form for it.
    pub check: Option<fn(&Report, &Style) -> String>,
    /// The list of `images`; `None` where the format has no form for it.
    pub images: Option<fn(&[Deployed], &Style) -> String>,
}

/// How text is laid out. Formats for programs look only at the version.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether ANSI colours are written.
    pub color: bool,
    /// Columns of the terminal; a longer source line is shown in part.
    pub width: usize,
    /// The version of the program, as machine-readable reports name it.
    pub version: &'static str,
    /// The time that is written where a report has one; none is written otherwise.
    pub date: Option<Timestamp>,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, width: 120, version: env!("CARGO_PKG_VERSION"), date: None }
    }
}

/// All formats, in the order in which they are documented; the first is the default.
pub static FORMATS: &[Format] = &[
    Format {
        name: "human",
        title: "for people, with the source line",
        check: Some(terminal::check),
        images: Some(terminal::images),
    },
    Format {
        name: "github",
        title: "workflow commands: annotations in the pull request",
        check: Some(annotations::check),
        images: None,
    },
    Format {
        name: "json",
        title: "one JSON object a line, for programs",
        check: Some(json::check),
        images: Some(json::images),
    },
    Format { name: "sarif", title: "SARIF 2.1.0, for code scanning", check: Some(sarif::check), images: None },
    Format {
        name: "markdown",
        title: "GitHub-flavoured markdown, for a comment",
        check: Some(markdown::check),
        images: None,
    },
    Format { name: "gitlab", title: "a GitLab code quality report", check: Some(gitlab::check), images: None },
    Format {
        name: "cyclonedx",
        title: "a bill of the images, CycloneDX 1.6",
        check: None,
        images: Some(cyclonedx::images),
    },
];

/// The format of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// The outcome in one line: `fail: 3 files, 12 images: 11 pinned, 1 error, 0 warnings`.
///
/// Numbers the reader need not think about (notes, unchecked, exempted) are named only when they are not zero.
#[must_use]
pub fn verdict(report: &Report) -> String {
    let counts = report.counts;
    let tally = Tally::of(report);
    let mut line = format!(
        "{}: {}, {}: {} pinned, {}",
        report.result(),
        counted(counts.files, "file"),
        counted(counts.images, "image"),
        counts.pinned,
        counted(tally.errors, "error"),
    );
    match tally.advisory {
        0 => {}
        advisory if advisory == tally.errors => line.push_str(" (advisory)"),
        advisory => {
            let _ = write!(line, " ({advisory} advisory)");
        }
    }
    let _ = write!(line, ", {}", counted(tally.warnings, "warning"));
    if tally.notes > 0 {
        let _ = write!(line, ", {}", counted(tally.notes, "note"));
    }
    if counts.unchecked > 0 {
        let _ = write!(line, ", {} unchecked", counts.unchecked);
    }
    if tally.exempted > 0 {
        let _ = write!(line, ", {} exempted", tally.exempted);
    }
    line
}

/// How many findings of each sort there are, counted in one pass.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// With the advisory ones.
    errors: usize,
    /// Errors in an environment that is not enforced.
    advisory: usize,
    warnings: usize,
    notes: usize,
    exempted: usize,
}

impl Tally {
    fn of(report: &Report) -> Self {
        let mut tally = Self::default();
        for finding in &report.findings {
            match finding.severity {
                _ if finding.exception.is_some() => tally.exempted += 1,
                Severity::Error => {
                    tally.errors += 1;
                    tally.advisory += usize::from(!finding.enforced);
                }
                Severity::Warning => tally.warnings += 1,
                Severity::Note => tally.notes += 1,
            }
        }
        tally
    }
}

/// What a finding is where there are three levels and the first means "this blocks": an advisory error is a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Error,
    Warning,
    Note,
}

impl Shown {
    fn of(finding: &Finding) -> Self {
        match finding.severity {
            Severity::Error if finding.enforced => Self::Error,
            Severity::Error | Severity::Warning => Self::Warning,
            Severity::Note => Self::Note,
        }
    }
}

/// An error in an environment that is not enforced, and not exempted: it is said, and does not block.
fn is_advisory(finding: &Finding) -> bool {
    finding.severity == Severity::Error && !finding.enforced
}

/// The findings that no exception exempts, the gravest first and otherwise in the order of the report.
fn by_importance(report: &Report) -> Vec<&Finding> {
    let mut findings: Vec<&Finding> = report.findings.iter().filter(|finding| finding.exception.is_none()).collect();
    findings.sort_by_key(|finding| (Shown::of(finding), Reverse(finding.severity)));
    findings
}

/// The exempted findings, each with its exception, in the order of the report.
fn exempted(report: &Report) -> Vec<(&Finding, &Exempted)> {
    report.findings.iter().filter_map(|finding| Some((finding, finding.exception.as_ref()?))).collect()
}

/// Which vulnerabilities a finding is about, with a blank before them: ` CVE-2024-3094, CVE-2024-1 and 7 more`.
fn about_vulnerabilities(finding: &Finding) -> String {
    const NAMED: usize = 3;
    let names = &finding.vulnerabilities;
    let Some(first) = names.get(..NAMED.min(names.len())).filter(|first| !first.is_empty()) else {
        return String::new();
    };
    let more = names.len() - first.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(" {}{more}", first.join(", "))
}

/// `1 error`, `2 errors`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A name for each finding of the report, in its order, that stays the same when lines are added above it.
///
/// Two findings that nothing but their line tells apart are numbered: `:1`, `:2`.
fn fingerprints(report: &Report) -> Vec<String> {
    let mut seen: HashMap<u64, usize> = HashMap::new();
    let name = |finding: &Finding| {
        let about = finding.image.as_deref().unwrap_or(&finding.message);
        let hash = stable_hash(&[
            finding.rule.id,
            finding.place.source.path(),
            finding.field.as_deref().unwrap_or_default(),
            finding.resource.as_deref().unwrap_or_default(),
            about,
        ]);
        let count = seen.entry(hash).or_default();
        *count += 1;
        format!("{hash:016x}:{count}")
    };
    report.findings.iter().map(name).collect()
}

/// FNV-1a, 64 bits: unlike the standard library's hasher it is the same in every release of the program.
fn stable_hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

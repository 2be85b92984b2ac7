//! The output of a check run, in the words and within the limits of GitHub's Checks API.

use std::fmt::Write as _;

use serde::Serialize;

use super::annotations::message;
use super::markdown::{Page, code};
use super::{Shown, Tally, by_importance, counted, visible};
use crate::finding::{Finding, Report};

/// Bytes of `summary` and of `text`; the API refuses more ("exceeds a maximum bytesize of 65535").
const MAX_TEXT: usize = 65_534;

/// Bytes of an annotation's message and details; the API refuses more than 64 KB.
const MAX_MESSAGE: usize = 60_000;

/// Characters of a title.
const MAX_TITLE: usize = 255;

/// What a check run shows. The API takes 50 annotations a request: who sends them has to part them.
#[derive(Clone, Debug, Serialize)]
pub struct CheckRunOutput {
    /// One line.
    pub title: String,
    /// Markdown: verdict, counts, exceptions and notices.
    pub summary: String,
    /// Markdown: the findings; empty where there are none.
    pub text: String,
    /// All findings that are not exempted, the gravest first.
    pub annotations: Vec<CheckAnnotation>,
}

/// One annotation of a check run.
#[derive(Clone, Debug, Serialize)]
pub struct CheckAnnotation {
    pub path: String,
    /// 1-based.
    pub start_line: u32,
    pub end_line: u32,
    /// 1-based; only where the span is on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_column: Option<u32>,
    pub annotation_level: AnnotationLevel,
    pub message: String,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_details: Option<String>,
}

/// The three levels of the Checks API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnnotationLevel {
    Notice,
    Warning,
    Failure,
}

/// The output of the check run for a report.
#[must_use]
pub fn output(report: &Report) -> CheckRunOutput {
    let mut summary = Page::new(MAX_TEXT);
    summary.head(report);
    summary.exceptions(report);
    summary.notices(report);
    let mut text = Page::new(MAX_TEXT);
    text.findings(report, false);
    CheckRunOutput {
        title: title(report),
        summary: summary.finish(),
        text: text.finish(),
        annotations: by_importance(report).into_iter().map(annotation).collect(),
    }
}

/// The output of the check run where nothing could be judged: an error for people, several lines long.
#[must_use]
pub fn could_not_judge(error: &str) -> CheckRunOutput {
    let lines: Vec<_> = error.lines().filter(|line| !line.trim().is_empty()).map(code).collect();
    CheckRunOutput {
        title: "could not judge".to_owned(),
        summary: format!("**digest-gate could not judge**: nothing is proven.\n\n{}", lines.join("<br>\n")),
        text: String::new(),
        annotations: Vec::new(),
    }
}

/// `2 errors, 1 warning; 10 of 12 images are pinned`.
fn title(report: &Report) -> String {
    let tally = Tally::of(report);
    let mut title = counted(tally.errors, "error");
    if tally.advisory > 0 {
        let _ = write!(title, " ({} advisory)", tally.advisory);
    }
    if tally.warnings > 0 {
        let _ = write!(title, ", {}", counted(tally.warnings, "warning"));
    }
    let _ = write!(title, "; {} of {} pinned", report.counts.pinned, counted(report.counts.images, "image"));
    if report.counts.unchecked > 0 {
        let _ = write!(title, ", {} unchecked", report.counts.unchecked);
    }
    title
}

fn annotation(finding: &Finding) -> CheckAnnotation {
    let (start, end) = (finding.place.start(), finding.place.end());
    let one_line = start.line == end.line;
    CheckAnnotation {
        path: finding.place.source.path().to_owned(),
        start_line: start.line,
        end_line: end.line,
        start_column: one_line.then_some(start.column),
        end_column: one_line.then_some(end.column),
        annotation_level: match Shown::of(finding) {
            Shown::Error => AnnotationLevel::Failure,
            Shown::Warning => AnnotationLevel::Warning,
            Shown::Note => AnnotationLevel::Notice,
        },
        message: cut(message(finding)),
        title: visible::shortened(&format!("{}: {}", finding.rule.id, finding.rule.summary), MAX_TITLE).into_owned(),
        raw_details: details(finding),
    }
}

/// The related places, one a line.
fn details(finding: &Finding) -> Option<String> {
    let mut details = String::new();
    for related in &finding.related {
        let start = related.place.start();
        let path = visible::visible(related.place.source.path());
        let _ = writeln!(details, "{path}:{}:{}: {}", start.line, start.column, visible::visible(&related.message));
    }
    (!details.is_empty()).then(|| cut(details))
}

/// The text below the limit of bytes.
fn cut(mut text: String) -> String {
    if text.len() > MAX_MESSAGE {
        text.truncate(text.floor_char_boundary(MAX_MESSAGE));
        text.push('…');
    }
    text
}

//! `json`: one object a line, for programs. Its names and their order are a promise (contract, sections 3 and 3a).

use std::fmt::Write as _;

use serde::Serialize;

use super::{Style, Tally, notices, visible};
use crate::finding::{Exempted, Finding, ListedException, Report};
use crate::gate::Deployed;
use crate::manifest::{LocatedImage, Related};
use crate::reference::Reference;
use crate::source::Place;

#[derive(Serialize)]
struct FindingLine<'a> {
    rule: &'a str,
    severity: &'a str,
    enforced: bool,
    environment: &'a str,
    path: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    field: Option<&'a str>,
    image: Option<&'a str>,
    message: &'a str,
    help: &'a str,
    related: Vec<RelatedPlace<'a>>,
    exception: Option<Exception<'a>>,
    /// Who set the level of the rule, and where.
    #[serde(skip_serializing_if = "Option::is_none")]
    level_from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    vulnerabilities: &'a [String],
}

#[derive(Serialize)]
struct RelatedPlace<'a> {
    path: &'a str,
    line: u32,
    column: u32,
    message: &'a str,
}

#[derive(Serialize)]
struct Exception<'a> {
    reason: &'a str,
    ticket: Option<&'a str>,
    expires: &'a str,
    days_left: i64,
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    summary: Summary<'a>,
}

#[derive(Serialize)]
struct Summary<'a> {
    result: &'a str,
    files: usize,
    images: usize,
    pinned: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
    unchecked: usize,
    /// Findings that are exempted.
    exceptions: usize,
    exception_list: Vec<ExceptionEntry<'a>>,
    notices: Vec<String>,
}

/// An exception of the configuration, whether it exempts something or not.
#[derive(Serialize)]
struct ExceptionEntry<'a> {
    image: &'a str,
    path: Option<&'a str>,
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vulnerability: Option<&'a str>,
    reason: &'a str,
    ticket: Option<&'a str>,
    expires: &'a str,
    days_left: Option<i64>,
    exempts: usize,
    refused_by: Option<Configured<'a>>,
    configured: Configured<'a>,
}

#[derive(Serialize)]
struct Configured<'a> {
    path: &'a str,
    line: u32,
}

#[derive(Serialize)]
struct ImageLine<'a> {
    path: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    offset: u32,
    kind: &'a str,
    field: &'a str,
    image: &'a str,
    effective: Option<&'a str>,
    registry: Option<&'a str>,
    repository: Option<String>,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
    pinned: bool,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
}

/// One finding a line, then one line with the counts.
#[must_use]
pub fn check(report: &Report, _: &Style) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        push_line(&mut out, &finding_line(finding, report));
    }
    let tally = Tally::of(report);
    let summary = Summary {
        result: report.result(),
        files: report.counts.files,
        images: report.counts.images,
        pinned: report.counts.pinned,
        errors: tally.errors,
        warnings: tally.warnings,
        notes: tally.notes,
        unchecked: report.counts.unchecked,
        exceptions: tally.exempted,
        exception_list: report.exceptions.iter().map(ExceptionEntry::from).collect(),
        notices: notices(report),
    };
    push_line(&mut out, &SummaryLine { summary });
    out
}

/// The exceptions of the configuration, with what each exempts.
#[must_use]
pub(super) fn exceptions(report: &Report) -> String {
    let entries: Vec<_> = report.exceptions.iter().map(ExceptionEntry::from).collect();
    encode(&entries) + "\n"
}

/// One image a line.
#[must_use]
pub fn images(images: &[Deployed], _: &Style) -> String {
    let mut out = String::new();
    for deployed in images {
        push_line(&mut out, &ImageLine::from(&deployed.image));
    }
    out
}

fn finding_line<'a>(finding: &'a Finding, report: &'a Report) -> FindingLine<'a> {
    let (start, end) = (finding.place.start(), finding.place.end());
    FindingLine {
        rule: finding.rule.id,
        severity: finding.severity.as_str(),
        enforced: finding.enforced,
        environment: &finding.environment,
        path: finding.place.source.path(),
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
        field: finding.field.as_deref(),
        image: finding.image.as_deref(),
        message: &finding.message,
        help: &finding.help,
        related: finding.related.iter().map(RelatedPlace::from).collect(),
        exception: finding.exception.as_ref().map(Exception::from),
        level_from: report.level_sources.get(finding.rule.id).map(String::as_str),
        resource: finding.resource.as_deref(),
        vulnerabilities: &finding.vulnerabilities,
    }
}

impl<'a> From<&'a Related> for RelatedPlace<'a> {
    fn from(related: &'a Related) -> Self {
        let start = related.place.start();
        Self { path: related.place.source.path(), line: start.line, column: start.column, message: &related.message }
    }
}

impl<'a> From<&'a Exempted> for Exception<'a> {
    fn from(exception: &'a Exempted) -> Self {
        Self {
            reason: &exception.reason,
            ticket: exception.ticket.as_deref(),
            expires: &exception.expires,
            days_left: exception.days_left,
        }
    }
}

impl<'a> From<&'a Place> for Configured<'a> {
    fn from(place: &'a Place) -> Self {
        Self { path: place.source.path(), line: place.start().line }
    }
}

impl<'a> From<&'a ListedException> for ExceptionEntry<'a> {
    fn from(exception: &'a ListedException) -> Self {
        Self {
            image: &exception.image,
            path: exception.path.as_deref(),
            rule: exception.rule,
            vulnerability: exception.vulnerability.as_deref(),
            reason: &exception.reason,
            ticket: exception.ticket.as_deref(),
            expires: &exception.expires,
            days_left: exception.days_left,
            exempts: exception.exempts,
            refused_by: exception.refused.as_ref().map(Configured::from),
            configured: Configured::from(&exception.place),
        }
    }
}

impl<'a> From<&'a LocatedImage> for ImageLine<'a> {
    fn from(image: &'a LocatedImage) -> Self {
        let (start, end) = (image.place.start(), image.place.end());
        let reference = image.reference();
        Self {
            path: image.place.source.path(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            offset: image.place.span.start,
            kind: image.kind,
            field: &image.field,
            image: &image.written,
            effective: image.effective(),
            registry: reference.map(Reference::registry),
            repository: reference.map(Reference::repository),
            tag: reference.and_then(Reference::tag),
            digest: reference.and_then(Reference::digest),
            pinned: image.is_pinned_as_written(),
            status: image.status(),
            resource: image.resource.as_deref(),
        }
    }
}

pub(super) fn push_line<T: Serialize>(out: &mut String, value: &T) {
    out.push_str(&encode(value));
    out.push('\n');
}

/// A value as JSON on one line: the same data for every reader, and inert where a terminal or a CI runner reads along.
///
/// A runner obeys `##[command]` anywhere in a line, and a terminal obeys direction marks. Both stand only inside of
/// strings, where JSON has another way to write them.
pub(super) fn encode<T: Serialize>(value: &T) -> String {
    // Only maps with keys that are no strings, or a failing writer, make this fail; neither is here.
    let plain = serde_json::to_string(value).unwrap_or_default();
    if !plain.contains(visible::is_hidden) && !plain.contains("##[") {
        return plain;
    }
    let mut out = String::with_capacity(plain.len() + 64);
    for c in plain.replace("##[", "#\\u0023[").chars() {
        if visible::is_hidden(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

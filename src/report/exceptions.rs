//! The words for exceptions that every format shares: each is listed with its reason, its ticket and its end, and one
//! that ends soon is announced.

use super::counted;
use crate::finding::{ListedException, Report};

/// An exception that ends within this many days is announced.
pub(super) const SOON: i64 = 14;

/// What the reader should know that is about no line: exceptions that end soon, then the notices of the run.
pub(super) fn notices(report: &Report) -> Vec<String> {
    let ending = report.exceptions.iter().filter(|exception| is_soon(exception)).map(|exception| {
        format!("the exception for {}: mend what it exempts or renew it before that day", line(exception))
    });
    ending.chain(report.notices.iter().cloned()).collect()
}

/// Whether it still counts, and soon no more.
pub(super) fn is_soon(exception: &ListedException) -> bool {
    exception.counts() && exception.days_left.is_some_and(|days| days <= SOON)
}

/// An exception in one line: ``ghcr.io/org/tool` (only `unpinned`): reason (POAM-17), ends on …, exempts 1 finding``.
pub(super) fn line(exception: &ListedException) -> String {
    let ticket = exception.ticket.as_ref().map(|ticket| format!(" ({ticket})")).unwrap_or_default();
    format!("{}: {}{ticket}, {}, {}", scope(exception), exception.reason, end(exception), effect(exception))
}

/// What it is for: the image, the rule and the files.
pub(super) fn scope(exception: &ListedException) -> String {
    let rule = exception.rule.map(|rule| format!("only `{rule}`"));
    let vulnerability = exception.vulnerability.as_ref().map(|name| format!("only `{name}`"));
    let path = exception.path.as_ref().map(|path| format!("only in `{path}`"));
    let limits: Vec<_> = rule.into_iter().chain(vulnerability).chain(path).collect();
    let limits = if limits.is_empty() { String::new() } else { format!(" ({})", limits.join(", ")) };
    format!("`{}`{limits}", exception.image)
}

/// When it ends or ended: `ends on 2027-01-31, in 68 days`.
pub(super) fn end(exception: &ListedException) -> String {
    let expires = &exception.expires;
    match exception.days_left {
        None => format!("never counts: `{expires}` is no date"),
        Some(days) if days >= 0 => format!("ends {}", ends(expires, days)),
        Some(-1) => format!("ended yesterday, {expires}"),
        Some(days) => format!("ended on {expires}, {} days ago", days.unsigned_abs()),
    }
}

/// When an exception that counts ends: `on 2027-01-31, in 68 days`.
pub(super) fn ends(expires: &str, days_left: i64) -> String {
    match days_left {
        0 => format!("today, {expires}"),
        1 => format!("tomorrow, {expires}"),
        days => format!("on {expires}, in {days} days"),
    }
}

/// What it did: `exempts 2 findings`.
pub(super) fn effect(exception: &ListedException) -> String {
    let exempts = match exception.exempts {
        0 => "exempts nothing".to_owned(),
        findings => format!("exempts {}", counted(findings, "finding")),
    };
    match &exception.refused {
        None => exempts,
        Some(place) => {
            let (file, line) = (place.source.path(), place.start().line);
            format!("{exempts}, does not count where `{file}:{line}` leaves the repository no exception")
        }
    }
}

//! `github`: workflow commands, which GitHub shows as annotations at the line, without any permission of the token.
//!
//! The grammar is the runner's own (`ActionCommand.cs`, actions/runner): it reads standard output and standard error,
//! obeys `::name k=v::data` at the start of a line and `##[name]data` anywhere in one.

use std::fmt::Write as _;

use super::exceptions::line;
use super::{Shown, Style, by_importance, counted, is_advisory, notices, verdict, visible};
use crate::finding::{Finding, Report};

/// How many annotations of a kind the runner shows for one step.
const SHOWN_PER_KIND: usize = 10;

/// UTF-16 units after which the runner cuts a message.
const MAX_MESSAGE: usize = 4096;

/// How many there were of each kind, beyond those that are shown.
#[derive(Default)]
struct Kinds {
    errors: usize,
    warnings: usize,
    notices: usize,
}

impl Kinds {
    /// Counts one of a kind; the answer is whether it is among those the runner shows.
    fn shows(&mut self, kind: Shown) -> bool {
        let count = match kind {
            Shown::Error => &mut self.errors,
            Shown::Warning => &mut self.warnings,
            Shown::Note => &mut self.notices,
        };
        *count += 1;
        *count <= SHOWN_PER_KIND
    }

    /// `190 errors and 3 warnings` more than are shown; `None` where all are.
    fn left(&self) -> Option<String> {
        let left = [(self.errors, "error"), (self.warnings, "warning"), (self.notices, "notice")]
            .iter()
            .filter(|(count, _)| *count > SHOWN_PER_KIND)
            .map(|(count, noun)| counted(count - SHOWN_PER_KIND, noun))
            .collect::<Vec<_>>()
            .join(", ");
        (!left.is_empty()).then_some(left)
    }
}

/// The gravest findings as workflow commands, every exception, then the verdict and how many more there are.
#[must_use]
pub fn check(report: &Report, _: &Style) -> String {
    let mut out = String::new();
    let mut kinds = Kinds::default();
    for finding in by_importance(report) {
        if kinds.shows(Shown::of(finding)) {
            push_finding(&mut out, finding);
        }
    }
    for text in notices(report) {
        if kinds.shows(Shown::Note) {
            out.push_str(&notice(&text));
        }
    }
    for exception in &report.exceptions {
        let _ = writeln!(out, "{}", neutral(&cut(&format!("exception: {}", line(exception)))));
    }
    let _ = writeln!(out, "{}", neutral(&verdict(report)));
    if let Some(left) = kinds.left() {
        let line = format!("{left} more: the job summary lists them, and so does `digest-gate check`");
        let _ = writeln!(out, "{}", neutral(&line));
    }
    out
}

/// One notice about the run itself, with its line end.
#[must_use]
pub fn notice(text: &str) -> String {
    format!("::notice title=digest-gate::{}\n", data(&cut(&visible::visible(text))))
}

/// One error about the run itself, with its line end; `place` is a file and a 1-based line.
#[must_use]
pub fn error(place: Option<(&str, u32)>, text: &str) -> String {
    at("error", place, text)
}

/// One warning, as [`error`].
#[must_use]
pub fn warning(place: Option<(&str, u32)>, text: &str) -> String {
    at("warning", place, text)
}

fn at(command: &str, place: Option<(&str, u32)>, text: &str) -> String {
    let at = place.map(|(file, line)| format!("file={},line={line},", property(&visible::visible(file))));
    let lines: Vec<_> = text.lines().map(visible::visible).collect();
    format!("::{command} {}title=digest-gate::{}\n", at.unwrap_or_default(), data(&cut(&lines.join("\n"))))
}

fn push_finding(out: &mut String, finding: &Finding) {
    let command = match Shown::of(finding) {
        Shown::Error => "error",
        Shown::Warning => "warning",
        Shown::Note => "notice",
    };
    let (start, end) = (finding.place.start(), finding.place.end());
    let _ = write!(
        out,
        "::{command} file={},line={}",
        property(&visible::visible(finding.place.source.path())),
        start.line
    );
    // The runner drops columns of a span over several lines; GitHub refuses them.
    if start.line == end.line {
        let _ = write!(out, ",col={}", start.column);
    }
    let _ = write!(out, ",endLine={}", end.line);
    if start.line == end.line {
        let _ = write!(out, ",endColumn={}", end.column);
    }
    let title = format!("digest-gate: {}", finding.rule.id);
    let _ = writeln!(out, ",title={}::{}", property(&title), data(&cut(&message(finding))));
}

/// What is wrong, where, and the way out, each on a line. Never empty: the runner drops an annotation without text.
pub(super) fn message(finding: &Finding) -> String {
    let mut text = visible::visible(&finding.message).into_owned();
    if text.trim().is_empty() {
        finding.rule.summary.clone_into(&mut text);
    }
    if is_advisory(finding) {
        let _ = write!(text, "\nadvisory: the environment {} does not block", visible::visible(&finding.environment));
    }
    for (label, value) in [("field", finding.field.as_deref()), ("resource", finding.resource.as_deref())] {
        if let Some(value) = value {
            let _ = write!(text, "\n{label}: {}", visible::visible(value));
        }
    }
    if !finding.help.is_empty() {
        let _ = write!(text, "\nhelp: {}", visible::visible(&finding.help));
    }
    text
}

/// The text below the runner's limit, with `…` where it was cut.
fn cut(text: &str) -> String {
    if text.len() < MAX_MESSAGE || text.encode_utf16().nth(MAX_MESSAGE - 1).is_none() {
        return text.to_owned();
    }
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units < MAX_MESSAGE - 1
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Escapes the data of a workflow command: what stands after the second `::`.
fn data(text: &str) -> String {
    escape(text, "")
}

/// Escapes a property of a workflow command, which a comma or a colon would end.
fn property(text: &str) -> String {
    escape(text, ":,")
}

fn escape(text: &str, also: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if matches!(c, '%' | '\r' | '\n') || also.contains(c) {
            let _ = write!(out, "%{:02X}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// A plain log line that no runner obeys and no terminal is moved by, whatever text of a manifest is in it.
///
/// Line ends, controls and direction marks are written out, a leading `::` and every `##[` get a backslash.
#[must_use]
pub fn neutral(text: &str) -> String {
    let shown = visible::visible(text).replace("##[", "##\\[");
    let rest = shown.trim_start();
    if rest.starts_with("::") { format!("\\{rest}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_and_properties_are_escaped_as_the_runner_reads_them() {
        assert_eq!(data("50%\r\na:b,c"), "50%25%0D%0Aa:b,c");
        assert_eq!(property("50%\r\na:b,c"), "50%25%0D%0Aa%3Ab%2Cc");
    }

    #[test]
    fn a_plain_line_is_never_a_command() {
        assert_eq!(neutral("::error::x"), "\\::error::x");
        assert_eq!(neutral(" \u{a0}\t::error::x"), "␉::error::x".replacen('␉', " \u{a0}␉", 1));
        assert_eq!(neutral("  ::add-mask::x"), "\\::add-mask::x");
        assert_eq!(neutral("a\n::error::x ###[group]\u{1b}[2J"), "a␊::error::x ###\\[group]␛[2J");
        assert_eq!(neutral("nothing to do"), "nothing to do");
    }

    #[test]
    fn a_message_is_cut_below_the_limit_in_utf16_units() {
        for text in ["x".repeat(10_000), "😀".repeat(5_000), "é😀".repeat(4_000)] {
            let cut = cut(&text);
            let units = cut.encode_utf16().count();
            assert!(units < MAX_MESSAGE && units > MAX_MESSAGE - 4, "{units}");
            assert!(cut.ends_with('…'));
        }
        assert_eq!(cut(&"x".repeat(4095)).len(), 4095);
    }
}

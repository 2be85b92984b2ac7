//! `markdown`: GitHub-flavoured tables for a comment, and the [`Page`] from which summary and check run are built.
//!
//! A page never grows beyond its limit: a table that does not fit ends at a row, followed by how many are left out.

use std::fmt::Write as _;

use super::exceptions::{self, SOON, effect, end, is_soon};
use super::{
    Style, Tally, about_vulnerabilities, by_importance, counted, ends, exempted, is_advisory, notices, verdict, visible,
};
use crate::finding::{Exempted, Finding, ListedException, Report};
use crate::source::Place;

/// Bytes of a comment; GitHub refuses one of more than 65,536 characters.
pub const COMMENT_BYTES: usize = 65_000;

/// Characters of one cell, so that no single text crowds out all others.
const MAX_CELL: usize = 400;

/// Bytes that are kept free for the line that says how much was left out.
const RESERVE: usize = 160;

/// Verdict, counts, findings, exceptions and notices as one page for a comment.
#[must_use]
pub fn check(report: &Report, _: &Style) -> String {
    let mut page = Page::new(COMMENT_BYTES);
    page.head(report);
    page.findings(report, true);
    page.exceptions(report);
    page.notices(report);
    page.finish()
}

/// Markdown below a limit of bytes.
pub(super) struct Page {
    text: String,
    max_bytes: usize,
}

impl Page {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { text: String::new(), max_bytes }
    }

    pub(super) fn finish(self) -> String {
        self.text.trim_start().to_owned()
    }

    fn fits(&self, bytes: usize, keep: usize) -> bool {
        self.text.len() + bytes + keep <= self.max_bytes
    }

    /// A block that is either there as a whole or not at all.
    pub(super) fn block(&mut self, text: &str) {
        if self.fits(text.len(), RESERVE) {
            self.text.push_str(text);
        }
    }

    /// The verdict and the table of counts.
    pub(super) fn head(&mut self, report: &Report) {
        let sign = if report.fails() { "❌" } else { "✅" };
        self.block(&format!("{sign} **{}\n", verdict(report).replacen(':', "**:", 1)));
        let tally = Tally::of(report);
        let counts = report.counts;
        let columns = [
            ("files", counts.files, true),
            ("images", counts.images, true),
            ("pinned", counts.pinned, true),
            ("errors", tally.errors, true),
            ("warnings", tally.warnings, true),
            ("notes", tally.notes, false),
            ("unchecked", counts.unchecked, false),
            ("exempted", tally.exempted, false),
        ];
        let columns = columns.iter().filter(|(_, count, always)| *always || *count > 0);
        let (mut names, mut rule, mut values) = (String::from("|"), String::from("|"), String::from("|"));
        for (name, count, _) in columns {
            let _ = write!(names, " {name} |");
            rule.push_str(" --: |");
            let _ = write!(values, " {count} |");
        }
        self.block(&format!("\n{names}\n{rule}\n{values}\n"));
    }

    /// The table of findings, the gravest first. `shares` leaves an eighth of the page to what follows.
    pub(super) fn findings(&mut self, report: &Report, shares: bool) {
        let findings = by_importance(report);
        let keep = if shares { self.max_bytes / 8 } else { 0 };
        let head = "\n### Findings\n\n| severity | rule | place | image | what to do |\n\
                    | --- | --- | --- | --- | --- |\n";
        self.rows(head, findings.iter().map(|finding| finding_row(finding)), "finding", keep);
    }

    /// The tables of exempted findings and of all exceptions.
    pub(super) fn exceptions(&mut self, report: &Report) {
        let exempted = exempted(report);
        let head = "\n### Exempted\n\n| rule | place | image | reason | ticket | ends |\n\
                    | --- | --- | --- | --- | --- | --- |\n";
        self.rows(head, exempted.iter().map(|(finding, exception)| exempted_row(finding, exception)), "exemption", 0);
        let head = "\n### Exceptions\n\n| for | reason | ticket | ends | exempts |\n\
                    | --- | --- | --- | --- | --- |\n";
        self.rows(head, report.exceptions.iter().map(exception_row), "exception", 0);
    }

    /// What the reader should know that is about no line.
    pub(super) fn notices(&mut self, report: &Report) {
        let notices = notices(report);
        self.rows("\n### Notices\n\n", notices.iter().map(|notice| format!("- {}\n", prose(notice))), "notice", 0);
    }

    /// A head and as many rows as fit, with how many do not; nothing where there are none.
    pub(super) fn rows(&mut self, head: &str, rows: impl ExactSizeIterator<Item = String>, noun: &str, keep: usize) {
        let total = rows.len();
        if total == 0 {
            return;
        }
        let mut written = 0;
        let mut head = Some(head);
        for row in rows {
            let heading = head.unwrap_or_default();
            if !self.fits(heading.len() + row.len(), RESERVE + keep) {
                break;
            }
            self.text.push_str(heading);
            self.text.push_str(&row);
            head = None;
            written += 1;
        }
        if written < total {
            let left = counted(total - written, noun);
            let line = format!("\n… {left} more: `digest-gate check` lists everything.\n");
            if self.fits(line.len(), 0) {
                self.text.push_str(&line);
            }
        }
    }
}

fn finding_row(finding: &Finding) -> String {
    let severity = finding.severity.as_str();
    let advisory = if is_advisory(finding) { " (advisory)" } else { "" };
    let image = finding.image.as_deref().filter(|image| !image.is_empty()).map_or_else(|| "–".to_owned(), code);
    let message = prose(&finding.message);
    let gap = if finding.help.is_empty() { "" } else { "<br>" };
    let help = prose(&finding.help);
    let place = place(&finding.place);
    format!("| {severity}{advisory} | `{}` | {place} | {image} | {message}{gap}{help} |\n", finding.rule.id)
}

fn exempted_row(finding: &Finding, exception: &Exempted) -> String {
    let about = finding.image.as_deref().map_or_else(|| prose(&finding.message), code);
    let ticket = exception.ticket.as_deref().map_or_else(|| "–".to_owned(), prose);
    let soon = if exception.days_left <= SOON { "⚠️ " } else { "" };
    format!(
        "| `{}`{} | {} | {about} | {} | {ticket} | {soon}{} |\n",
        finding.rule.id,
        prose(&about_vulnerabilities(finding)),
        place(&finding.place),
        prose(&exception.reason),
        prose(&ends(&exception.expires, exception.days_left)),
    )
}

fn exception_row(exception: &ListedException) -> String {
    let ticket = exception.ticket.as_deref().map_or_else(|| "–".to_owned(), prose);
    let sign = match () {
        () if !exception.counts() => "❌ ",
        () if is_soon(exception) => "⚠️ ",
        () => "",
    };
    format!(
        "| {} | {} | {ticket} | {sign}{} | {} |\n",
        prose(&exceptions::scope(exception)),
        prose(&exception.reason),
        prose(&end(exception)),
        prose(&effect(exception)),
    )
}

pub(super) fn place(place: &Place) -> String {
    let start = place.start();
    code(&format!("{}:{}:{}", place.source.path(), start.line, start.column))
}

/// Text of others as code, on one line. An element, for a code span has no way to hold both a `|` and a backtick.
pub(super) fn code(text: &str) -> String {
    let text = visible::shortened(text, MAX_CELL);
    if text.trim().is_empty() { String::from("–") } else { format!("<code>{}</code>", escape(&text)) }
}

/// A message of ours in which text of others may stand between backticks: the backticks become code, all else is inert.
pub(crate) fn prose(text: &str) -> String {
    let text = visible::shortened(text, MAX_CELL);
    let parts: Vec<&str> = text.split('`').collect();
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        let closed = index + 1 < parts.len();
        if index % 2 == 1 && closed && !part.trim().is_empty() {
            let _ = write!(out, "<code>{}</code>", escape(part));
        } else if index % 2 == 1 {
            let _ = write!(out, "&#96;{}{}", escape(part), if closed { "&#96;" } else { "" });
        } else {
            out.push_str(&escape(part));
        }
    }
    out
}

/// Escapes everything that means something in a table cell of GitHub-flavoured markdown.
///
/// A numeric reference is never taken for markup, neither for a `|` nor for a link. Mentions, issue numbers and
/// addresses are looked for after that, in the text as it is shown: an empty comment parts the sign from the name.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        let before = text.get(..at).unwrap_or_default();
        let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
        match c {
            '&' | '<' | '>' | '"' | '\'' | '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '|' | '!' | '$' | '{' | '}' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '@' | '#' if rest.starts_with(char::is_alphanumeric) && !is_digest(rest) => {
                let _ = write!(out, "&#{};<!-- -->", u32::from(c));
            }
            // A heading or a list within the item of a list.
            '#' | '-' | '+' if before.is_empty() => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            // A link that is written out, and the name of an emoji.
            ':' if rest.starts_with('/') || !before.ends_with(char::is_alphanumeric) => out.push_str("&#58;"),
            '.' if ends_with_www(before) => out.push_str("&#46;"),
            c => out.push(c),
        }
    }
    out
}

/// What stands behind the `@` of a pinned reference, and is no name that could be mentioned.
fn is_digest(text: &str) -> bool {
    text.starts_with("sha256:") || text.starts_with("sha512:")
}

fn ends_with_www(text: &str) -> bool {
    text.len().checked_sub(3).and_then(|at| text.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_inert() {
        assert_eq!(code("a|b`c"), "<code>a&#124;b&#96;c</code>");
        assert_eq!(code(""), "–");
        assert_eq!(code("app:1@sha256:00"), "<code>app:1@sha256:00</code>");
        assert_eq!(prose("@user and org/app#12"), "&#64;<!-- -->user and org/app&#35;<!-- -->12");
        assert_eq!(prose("see https://x.y or WWW.x.y"), "see https&#58;//x.y or WWW&#46;x.y");
        assert_eq!(prose("<!-- a\n--><script>"), "&#60;&#33;-- a␊--&#62;&#60;script&#62;");
    }

    #[test]
    fn backticks_become_code_only_in_pairs() {
        assert_eq!(prose("`a` has no `b|`"), "<code>a</code> has no <code>b&#124;</code>");
        assert_eq!(prose("one ` alone"), "one &#96; alone");
        assert_eq!(prose("``"), "&#96;&#96;");
    }
}

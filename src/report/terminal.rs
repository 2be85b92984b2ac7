//! `human`: findings with their source line, as compilers show them, and aligned columns for `images`.

use std::collections::HashSet;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::exceptions::line;
use super::{Style, about_vulnerabilities, counted, ends, exempted, is_advisory, notices, verdict, visible};
use crate::finding::{Exempted, Finding, ListedException, Report, Severity};
use crate::gate::Deployed;
use crate::manifest::{LocatedImage, State};
use crate::source::Place;

/// Characters of one text of a finding that are shown; the rest is for machine-readable formats.
const MAX_TEXT: usize = 2_000;

/// Columns to which a cell of the list of images is filled; a longer one stands out of line.
const MAX_FILL: usize = 110;

/// The least columns of a source line that are shown.
const MIN_LINE: usize = 40;

/// How images are counted and, in colours, shown.
const STATUSES: [(&str, Color); 6] = [
    ("pinned", Color::Green),
    ("unpinned", Color::Red),
    ("malformed", Color::Red),
    ("unresolved", Color::Red),
    ("built", Color::Yellow),
    ("local", Color::Blue),
];

#[derive(Clone, Copy)]
enum Color {
    Red,
    Green,
    Yellow,
    Blue,
    Bold,
}

/// The text in a colour, where the style has colours.
fn paint(style: &Style, color: Color, text: &str) -> String {
    let code = match color {
        Color::Red => "1;31",
        Color::Green => "1;32",
        Color::Yellow => "1;33",
        Color::Blue => "1;34",
        Color::Bold => "1",
    };
    if style.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Text of others on one line, of bounded length, inert in a terminal and in the log of a CI runner, which obeys
/// `##[command]` anywhere in a line and `::command` where it begins one.
pub(super) fn inert(text: &str) -> String {
    let text = visible::shortened(text, MAX_TEXT).replace("##[", "##\\[");
    if text.trim_start().starts_with("::") { format!("\\{text}") } else { text }
}

/// `path:line:column`.
fn at(place: &Place) -> String {
    let start = place.start();
    format!("{}:{}:{}", inert(place.source.path()), start.line, start.column)
}

/// Findings, exempted findings, notices and, as the last line, the verdict.
#[must_use]
pub fn check(report: &Report, style: &Style) -> String {
    let mut out = String::new();
    let mut explained = HashSet::new();
    for finding in report.findings.iter().filter(|finding| finding.exception.is_none()) {
        push_finding(&mut out, finding, explained.insert(finding.rule.id), style);
        out.push('\n');
    }
    push_exempted(&mut out, &exempted(report), style);
    push_idle(&mut out, &report.exceptions, style);
    let notices = notices(report);
    for notice in &notices {
        let _ = writeln!(out, "{}: {}", paint(style, Color::Blue, "note"), inert(notice));
    }
    if !notices.is_empty() {
        out.push('\n');
    }
    let color = if report.fails() { Color::Red } else { Color::Green };
    let verdict = verdict(report);
    let (result, rest) = verdict.split_once(':').unwrap_or((&verdict, ""));
    let _ = writeln!(out, "{}:{rest}", paint(style, color, result));
    out
}

/// One finding: what is wrong, where, and below the source line why it matters and the way out.
fn push_finding(out: &mut String, finding: &Finding, first_of_rule: bool, style: &Style) {
    let (color, prefix) = match finding.severity {
        Severity::Error if finding.enforced => (Color::Red, ""),
        Severity::Error => (Color::Yellow, "advisory "),
        Severity::Warning => (Color::Yellow, ""),
        Severity::Note => (Color::Blue, ""),
    };
    let head = paint(style, color, &format!("{prefix}{}[{}]", finding.severity.as_str(), finding.rule.id));
    let _ = writeln!(out, "{head}: {}", paint(style, Color::Bold, &inert(&finding.message)));

    let gutter = " ".repeat(finding.place.start().line.to_string().len());
    let bar = paint(style, Color::Blue, "|");
    let _ = writeln!(out, "{gutter}{} {}", paint(style, Color::Blue, "-->"), at(&finding.place));
    if !finding.place.source.text().is_empty() {
        push_line(out, &finding.place, &gutter, color, style);
        let _ = writeln!(out, "{gutter} {bar}");
    }
    for related in &finding.related {
        let arrow = paint(style, Color::Blue, ":::");
        let _ = writeln!(out, "{gutter} {arrow} {} {}", at(&related.place), inert(&related.message));
    }
    push_remarks(out, finding, first_of_rule, &gutter, style);
}

/// The lines that begin with `=`, their texts one below the other.
fn push_remarks(out: &mut String, finding: &Finding, first_of_rule: bool, gutter: &str, style: &Style) {
    let advisory = is_advisory(finding)
        .then(|| format!("the environment `{}` is not enforced, so this does not block", finding.environment));
    let why = first_of_rule.then_some(finding.rule.why);
    let remarks = [
        ("field", finding.field.as_deref()),
        ("resource", finding.resource.as_deref()),
        ("advisory", advisory.as_deref()),
        ("why", why),
        ("help", Some(finding.help.as_str())),
    ];
    let remarks: Vec<(&str, &str)> = remarks
        .into_iter()
        .filter_map(|(label, text)| Some((label, text?)))
        .filter(|(_, text)| !text.is_empty())
        .collect();
    let width = remarks.iter().map(|(label, _)| label.len() + 1).max().unwrap_or_default();
    for (label, text) in remarks {
        let sign = paint(style, Color::Blue, "=");
        let label = paint(style, Color::Bold, &format!("{:width$}", format!("{label}:")));
        let _ = writeln!(out, "{gutter} {sign} {label} {}", inert(text));
    }
}

/// The source line with the span underlined.
fn push_line(out: &mut String, place: &Place, gutter: &str, color: Color, style: &Style) {
    let view = View::of(place, style.width.saturating_sub(gutter.len() + 3).max(MIN_LINE));
    let bar = paint(style, Color::Blue, "|");
    let number = paint(style, Color::Blue, &place.start().line.to_string());
    let last = place.end().line;
    let more = if last > place.start().line { format!(" to line {last}") } else { String::new() };
    let carets = format!("{}{more}", "^".repeat(view.under.width().max(1)));
    let line = format!("{}{}{}", view.before, view.under, view.after);
    let _ = writeln!(out, "{gutter} {bar}");
    let _ = writeln!(out, "{}", format!("{number} {bar} {line}").trim_end());
    let _ = writeln!(out, "{gutter} {bar} {}{}", " ".repeat(view.before.width()), paint(style, color, &carets));
}

/// The part of a source line that is shown, as it is shown.
struct View {
    before: String,
    under: String,
    after: String,
}

impl View {
    /// At most `width` columns around the beginning of the span. Looks at no more of the text than it shows, so that
    /// a file of one long line costs no more than any other.
    fn of(place: &Place, width: usize) -> Self {
        let text = place.source.text();
        let start = text.floor_char_boundary(place.span.start as usize);
        let (head, tail) = text.split_at_checked(start).unwrap_or((text, ""));
        let (left, left_is_all) = fitting(head.chars().rev(), width);
        let (right, right_is_all) = fitting(tail.chars(), width);

        // Where both do not fit, what stands before the span gets a third, or what the other side leaves over.
        let fits = left.columns + right.columns <= width && left_is_all && right_is_all;
        let (left, left_is_all) = if fits {
            (left, true)
        } else {
            let room = (width / 3).max(width.saturating_sub(right.columns + 1));
            fitting(head.chars().rev(), room.saturating_sub(1))
        };
        let (right, right_is_all) = if fits {
            (right, true)
        } else {
            fitting(tail.chars(), width.saturating_sub(left.columns + usize::from(!left_is_all) + 1))
        };

        let first = start - left.bytes;
        let last = start + right.bytes;
        let end = text.floor_char_boundary(place.span.end as usize).clamp(start, last);
        let mut view =
            Self { before: shown(text, first, start), under: shown(text, start, end), after: shown(text, end, last) };
        if !left_is_all {
            view.before.insert(0, '…');
        }
        if !right_is_all {
            view.after.push('…');
        }
        view
    }
}

/// How much of a line fits.
#[derive(Clone, Copy, Default)]
struct Fitting {
    bytes: usize,
    columns: usize,
}

/// The characters up to the end of the line, or up to `width` columns; and whether the end was reached.
fn fitting(chars: impl Iterator<Item = char>, width: usize) -> (Fitting, bool) {
    let mut fitting = Fitting::default();
    let mut buffer = String::new();
    for c in chars {
        if matches!(c, '\n' | '\r') {
            return (fitting, true);
        }
        let cell = if matches!(c, ' '..='~') {
            1
        } else {
            buffer.clear();
            push_cell(&mut buffer, c);
            // A mark without width counts as one: a line of nothing else is shown in part, too.
            buffer.width().max(1)
        };
        let columns = fitting.columns + cell;
        if columns > width {
            return (fitting, false);
        }
        fitting = Fitting { bytes: fitting.bytes + c.len_utf8(), columns };
    }
    (fitting, true)
}

/// The bytes `start..end` of a line as they are shown.
fn shown(text: &str, start: usize, end: usize) -> String {
    let mut out = String::new();
    let mut marks = if text.get(..start).is_some_and(|before| before.ends_with("##")) { 2 } else { 0 };
    for (at, c) in text.get(start..end).unwrap_or_default().char_indices() {
        // A byte order mark belongs to the file, not to its first line.
        if c == '\u{feff}' && start + at == 0 {
            continue;
        }
        if c == '[' && marks >= 2 {
            out.push('\\');
        }
        marks = if c == '#' { marks + 1 } else { 0 };
        push_cell(&mut out, c);
    }
    out
}

/// A character of a source line: a tab is four blanks, what is not seen is written out.
fn push_cell(out: &mut String, c: char) {
    match c {
        '\t' => out.push_str("    "),
        // A combining mark that begins a line or a window stands on nothing; terminals then disagree on its width.
        c if out.is_empty() && c.width() == Some(0) && !visible::is_hidden(c) => {
            out.push('\u{25cc}');
            out.push(c);
        }
        c => visible::push(out, c),
    }
}

/// Exempted findings, one a line: they are no news, and they end.
fn push_exempted(out: &mut String, findings: &[(&Finding, &Exempted)], style: &Style) {
    if findings.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}", paint(style, Color::Bold, "exempted:"));
    for (finding, exception) in findings {
        let about = finding.image.as_deref().unwrap_or(&finding.message);
        let ticket = exception.ticket.as_deref().map(|ticket| format!(" ({})", inert(ticket))).unwrap_or_default();
        let _ = writeln!(
            out,
            "  {}[{}]{} {} {}: {}{ticket}, ends {}",
            finding.severity.as_str(),
            finding.rule.id,
            inert(&about_vulnerabilities(finding)),
            at(&finding.place),
            inert(about),
            inert(&exception.reason),
            inert(&ends(&exception.expires, exception.days_left)),
        );
    }
    out.push('\n');
}

/// The exceptions that exempt nothing here: the others are told beside what they exempt.
fn push_idle(out: &mut String, exceptions: &[ListedException], style: &Style) {
    let mut idle = exceptions.iter().filter(|exception| exception.exempts == 0).peekable();
    if idle.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "{}", paint(style, Color::Bold, "exceptions without a finding:"));
    for exception in idle {
        let _ = writeln!(out, "  {} {}", at(&exception.place), inert(&line(exception)));
    }
    out.push('\n');
}

/// One image a line in aligned columns, then how many there are of each status.
#[must_use]
pub fn images(images: &[Deployed], style: &Style) -> String {
    let images: Vec<_> = images.iter().map(|deployed| &deployed.image).collect();
    let places: Vec<String> = images.iter().map(|image| at(&image.place)).collect();
    let texts: Vec<String> = images.iter().map(|image| deployed(image)).collect();
    let place_width = column_width(&places);
    let text_width = column_width(&texts);
    let mut out = String::new();
    for ((image, place), text) in images.iter().zip(&places).zip(&texts) {
        let status = image.status();
        let color = STATUSES.iter().find(|(name, _)| *name == status).map_or(Color::Red, |(_, color)| *color);
        let status = paint(style, color, &format!("{status:10}"));
        let resource = image.resource.as_ref().map(|resource| format!(" ({})", inert(resource))).unwrap_or_default();
        let (place, text) = (filled(place, place_width), filled(text, text_width));
        let line = format!("{place}  {status}  {text}  {}{resource}", inert(&image.field));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let counts: Vec<String> = STATUSES
        .iter()
        .map(|(status, _)| (images.iter().filter(|image| image.status() == *status).count(), status))
        .filter(|(count, _)| *count > 0)
        .map(|(count, status)| format!("{count} {status}"))
        .collect();
    let colon = if counts.is_empty() { "" } else { ": " };
    let _ = writeln!(out, "{}{colon}{}", counted(images.len(), "image"), counts.join(", "));
    out
}

/// The reference that is deployed, or what is known of it.
fn deployed(image: &LocatedImage) -> String {
    match (&image.state, image.effective()) {
        (_, Some(text)) => inert(text),
        (State::Built, None) if image.written.is_empty() => "-".to_owned(),
        (_, None) => inert(&image.written),
    }
}

fn column_width(cells: &[String]) -> usize {
    cells.iter().map(|cell| cell.width()).max().unwrap_or_default().min(MAX_FILL)
}

fn filled(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

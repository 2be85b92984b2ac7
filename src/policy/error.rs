//! What is wrong with a configuration, shown with its line, an underline and the way out.

use std::fmt;

use crate::source::Place;

/// How much of a long line is shown, in characters, and how much of it before the place.
const SHOWN: usize = 120;
const SHOWN_BEFORE: usize = 60;

/// One thing that is wrong in a configuration.
#[derive(Clone, Debug)]
pub struct PolicyError {
    pub place: Place,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// The way out: lower case, no full stop.
    pub help: Option<String>,
}

/// How many errors are shown at once.
const SHOWN_ERRORS: usize = 25;

/// Everything that is wrong in a configuration, in the order of the text. Never empty.
#[derive(Clone, Debug)]
pub struct PolicyErrors(pub Vec<PolicyError>);

/// What is wrong with one value, before it is known where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Lower case, no full stop.
    pub message: String,
    /// The way out: lower case, no full stop.
    pub help: String,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.help)
    }
}

impl std::error::Error for Wrong {}

impl std::error::Error for PolicyErrors {}

impl std::error::Error for PolicyError {}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().take(SHOWN_ERRORS).enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            error.fmt(f)?;
        }
        match self.0.len().checked_sub(SHOWN_ERRORS) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "\n\nand {more} more errors: mend these first"),
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end) = (self.place.start(), self.place.end());
        let path = visible(self.place.source.path());
        write!(f, "{path}:{}:{}: {}", start.line, start.column, visible(&self.message))?;

        let line = self.place.source.line(start.line);
        let length = line.chars().count();
        let column = (start.column as usize).saturating_sub(1).min(length);
        let last = if end.line == start.line { (end.column as usize).saturating_sub(1) } else { length };
        let skipped = if length > SHOWN { column.saturating_sub(SHOWN_BEFORE) } else { 0 };
        let shown: String = line.chars().skip(skipped).take(SHOWN).collect();
        let number = start.line.to_string();
        let margin = " ".repeat(number.len());
        let before = " ".repeat(column - skipped);
        let marks = "^".repeat(last.min(skipped + SHOWN).saturating_sub(column).max(1));
        write!(f, "\n{margin} |\n{number} | {}\n{margin} | {before}{marks}", visible(&shown))?;

        match &self.help {
            Some(help) => write!(f, "\n{margin} = help: {}", visible(help)),
            None => Ok(()),
        }
    }
}

/// The text with every character that could move the cursor or turn the reading direction replaced, one for one.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if is_invisible(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Control characters, line separators that only some readers know, spaces without width, and marks that turn the
/// reading direction.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, Span};

    fn shown(text: &str, start: usize, end: usize) -> String {
        let place = Place::new(&Source::new("a.yml", text), Span::new(start, end));
        PolicyError { place, message: "wrong".into(), help: None }.to_string()
    }

    #[test]
    fn the_underline_stands_below_the_text() {
        assert_eq!(shown("é: [x]\n", 5, 6), "a.yml:1:5: wrong\n  |\n1 | é: [x]\n  |     ^");
        assert_eq!(shown("a:\n\tb: c\n", 4, 99), "a.yml:2:2: wrong\n  |\n2 |  b: c\n  |  ^^^^");
        assert_eq!(shown("", 0, 0), "a.yml:1:1: wrong\n  |\n1 | \n  | ^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}HERE{}", "x".repeat(500), "y".repeat(500));
        let shown = shown(&text, 500, 504);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[2].find("HERE"), lines[3].find("^^^^"));
        assert!(lines.iter().all(|line| line.len() < 140), "{shown}");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert!(!shown("a: \u{1b}[2J\u{202e}x", 0, 1).contains(['\u{1b}', '\u{202e}']));
    }
}

//! Changes that stay on one line, as a review can suggest them.

use super::Changed;

/// A line that changes, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// 1-based, as git counts: only a line feed ends a line.
    pub number: u32,
    /// Without the line feed; a carriage return before it is a part of the line.
    pub before: String,
    pub after: String,
}

/// The lines of a file that change, in their order. A change that touches or makes several lines is none of them, nor
/// is a line it touches.
#[must_use]
pub fn of(changed: &Changed) -> Vec<Line> {
    let text = changed.source.text();
    let mut splices = changed.splices.iter().peekable();
    let mut lines = Vec::new();
    let mut start = 0;
    // Where a change of several lines ends: the line that holds this byte is not left as it was.
    let mut torn = None;
    for (index, before) in text.split('\n').enumerate() {
        let end = start + before.len();
        let mut after = String::new();
        let (mut at, mut is_whole) = (start, torn.is_none_or(|torn| torn < start));
        while let Some((span, new)) = splices.next_if(|(span, _)| span.range().start <= end) {
            is_whole &= span.range().end <= end && !new.contains('\n');
            torn = if span.range().end > end { Some(span.range().end) } else { torn };
            after.push_str(text.get(at..span.range().start).unwrap_or_default());
            after.push_str(new);
            at = span.range().end;
        }
        after.push_str(text.get(at..end).unwrap_or_default());
        if is_whole && after != before {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            lines.push(Line { number, before: before.to_owned(), after });
        }
        start = end + 1;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::{Edit, apply};
    use crate::source::{Place, Source, Span};

    fn lines(text: &str, edits: &[(&str, usize, &str)]) -> Vec<(u32, String)> {
        let source = Source::new("a.yml", text);
        let edit = |(part, length, new): &(&str, usize, &str)| {
            let at = text.find(part).unwrap() + part.len();
            Edit { place: Place::new(&source, Span::new(at, at + length)), text: (*new).to_owned() }
        };
        let changed = apply(&edits.iter().map(edit).collect::<Vec<_>>()).unwrap();
        let lines = of(&changed[0]);
        for line in &lines {
            assert_eq!(text.split('\n').nth(line.number as usize - 1), Some(line.before.as_str()));
        }
        lines.into_iter().map(|line| (line.number, line.after)).collect()
    }

    #[test]
    fn a_line_is_given_whole() {
        let text = "\u{feff}a: x:1\r\nb: {c: y:1, d: z:2}\n# \rno line\nlast:1";
        assert_eq!(lines(text, &[("x:1", 0, "@d")]), [(1, "\u{feff}a: x:1@d\r".to_owned())]);
        assert_eq!(lines(text, &[("y:", 1, "5"), ("z:2", 0, "@e")]), [(2, "b: {c: y:5, d: z:2@e}".to_owned())]);
        assert_eq!(lines(text, &[("last:1", 0, "@f")]), [(4, "last:1@f".to_owned())]);
        assert_eq!(lines(text, &[("x:", 1, "1")]), []);
    }

    #[test]
    fn what_takes_several_lines_is_left_out() {
        let text = "one\ntwo\nthree\nfour\n";
        assert_eq!(lines(text, &[("one", 0, "\n  digest: d")]), []);
        assert_eq!(lines(text, &[("on", 4, "x"), ("tw", 1, "0"), ("fou", 1, "R")][..1]), []);
        assert_eq!(lines(text, &[("on", 2, "x"), ("tw", 1, "0"), ("fou", 1, "R")]), [(4, "fouR".to_owned())]);
        assert_eq!(lines(text, &[("on", 3, "x"), ("two", 0, "!"), ("fou", 1, "R")]), [(4, "fouR".to_owned())]);
    }
}

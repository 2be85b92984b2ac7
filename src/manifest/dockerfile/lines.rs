//! Parts a Dockerfile into instructions as BuildKit's `parser` does: continuations, comments, heredocs.
//!
//! Source: <https://github.com/moby/buildkit> (`frontend/dockerfile/parser`).

use super::directives::Directives;
use super::heredoc::{Broken, Heredoc, heredocs};
use crate::source::Span;

/// One instruction: its lines joined, and where each piece of them stands in the file.
#[derive(Debug, Default)]
pub(super) struct Instruction {
    pub(super) text: String,
    /// Offset in `text`, offset in the file; rising.
    pieces: Vec<(usize, usize)>,
}

impl Instruction {
    /// Adds a line; whether the next line continues it.
    fn push(&mut self, line: &str, offset: usize, escape: char) -> bool {
        self.pieces.push((self.text.len(), offset));
        let continued = line.trim_end_matches([' ', '\t']).strip_suffix(escape);
        let continued = continued.filter(|rest| !rest.ends_with(escape));
        self.text.push_str(continued.unwrap_or(line));
        continued.is_some()
    }

    /// The offset in the file of a byte of `text`.
    pub(super) fn offset(&self, at: usize) -> usize {
        let index = self.pieces.partition_point(|&(start, _)| start <= at).saturating_sub(1);
        self.pieces.get(index).map_or(at, |&(start, offset)| offset + (at - start))
    }

    /// The span in the file of the bytes `start..end` of `text`.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let last = if end > start { self.offset(end - 1) + 1 } else { self.offset(start) };
        Span::new(self.offset(start), last)
    }
}

/// A file in its parts.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) directives: Directives,
    pub(super) instructions: Vec<Instruction>,
    /// Where a heredoc begins that never ends or cannot be told, and why: nothing behind it is read.
    pub(super) broken: Option<(Span, &'static str)>,
}

/// Reads a whole file.
pub(super) fn scan(text: &str) -> Scan {
    let directives = Directives::read(text);
    let start = if directives.is_json { text.len() } else { directives.end };
    let mut lines = Lines::new(text, start);
    let mut scan = Scan { directives, instructions: Vec::new(), broken: None };
    while scan.broken.is_none()
        && let Some((start, line)) = lines.next()
    {
        let first = line.trim_start();
        if first.is_empty() || first.starts_with('#') {
            continue;
        }
        let instruction = join(start + line.len() - first.len(), first, &mut lines, scan.directives.escape);
        scan.broken =
            skip_bodies(&instruction, &mut lines).err().map(|why| (instruction.span(0, instruction.text.len()), why));
        if !instruction.text.trim().is_empty() {
            scan.instructions.push(instruction);
        }
    }
    scan
}

/// Joins a line and those that continue it; comments and empty lines between them are left out.
fn join(start: usize, first: &str, lines: &mut Lines<'_>, escape: char) -> Instruction {
    let mut instruction = Instruction::default();
    let mut continued = instruction.push(first, start, escape);
    while continued && let Some((start, line)) = lines.next() {
        let content = line.trim_start();
        if !content.is_empty() && !content.starts_with('#') {
            continued = instruction.push(line, start, escape);
        }
    }
    instruction
}

fn skip_bodies(instruction: &Instruction, lines: &mut Lines<'_>) -> Result<(), &'static str> {
    let heredocs = heredocs(&instruction.text).map_err(|broken| match broken {
        Broken::Syntax => "the name of a heredoc has a quote or a brace that does not close: close it",
        Broken::TooDeep => "`${…}` is nested too deep to tell whether this begins a heredoc: nest it less",
    })?;
    let ends = heredocs.iter().all(|heredoc| lines.skip_heredoc(heredoc));
    ends.then_some(()).ok_or("a heredoc begins here and does not end, so what follows is not read: end or quote it")
}

/// What BuildKit parts the words of an instruction at.
pub(super) const BLANKS: [char; 5] = ['\t', '\u{b}', '\u{c}', '\r', ' '];

/// The name of an instruction.
pub(super) struct Keyword<'t> {
    pub(super) text: &'t str,
    pub(super) start: usize,
    /// Where what follows it begins.
    pub(super) arguments: usize,
}

impl Keyword<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.text.eq_ignore_ascii_case(name)
    }
}

/// The word that begins at an offset or behind blanks.
pub(super) fn keyword(text: &str, from: usize) -> Keyword<'_> {
    let rest = text.get(from..).unwrap_or_default();
    let trimmed = rest.trim_start();
    let word = trimmed.split(BLANKS).next().unwrap_or_default().trim_end();
    let start = from + rest.len() - trimmed.len();
    let behind = text.get(start + word.len()..).unwrap_or_default();
    Keyword {
        text: word,
        start,
        arguments: text.len().min(start + word.len()) + behind.len() - behind.trim_start().len(),
    }
}

/// Lines with their offset, without their end. A lone CR is no line end to BuildKit, unless the file has no other.
pub(super) struct Lines<'t> {
    text: &'t str,
    /// Where the next line begins.
    pub(super) at: usize,
    end: u8,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str, at: usize) -> Self {
        let end = if memchr::memchr(b'\n', text.as_bytes()).is_some() { b'\n' } else { b'\r' };
        Self { text, at, end }
    }

    fn skip_heredoc(&mut self, heredoc: &Heredoc) -> bool {
        self.any(|(_, line)| {
            let line = if heredoc.strips_tabs { line.trim_start_matches('\t') } else { line };
            line == heredoc.name
        })
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = (usize, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(self.end, rest.as_bytes()).unwrap_or(rest.len());
        self.at = start + length + 1;
        Some((start, rest.get(..length).unwrap_or_default().trim_end_matches('\r')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        scan(text).instructions.into_iter().map(|instruction| instruction.text).collect()
    }

    #[test]
    fn lines_are_joined() {
        for (text, expected) in [
            ("FROM a \\ \t\r\n# c\r\n\r\n  AS b\r\nRUN x", &["FROM a   AS b", "RUN x"][..]),
            ("# escape=`\nRUN a `\n b\\\nRUN c", &["RUN a  b\\", "RUN c"]),
            ("RUN a\\\\\nRUN b", &["RUN a\\\\", "RUN b"]),
            ("\\\nFROM a", &["FROM a"]),
            ("RUN a \\\n  # c \\\n\t\n b", &["RUN a  b"]),
            ("RUN a \\", &["RUN a "]),
            ("\\\n", &[]),
            ("FROM a\rRUN b\r", &["FROM a", "RUN b"]),
        ] {
            assert_eq!(texts(text), expected, "{text:?}");
        }
    }

    #[test]
    fn bodies_are_skipped() {
        for (text, expected) in [
            ("RUN <<A 3<<-\"B\"\nFROM x\nA\nFROM y\n\tB\nRUN c", &["RUN <<A 3<<-\"B\"", "RUN c"][..]),
            ("RUN <<A\n A\nA \nA\r\nRUN c", &["RUN <<A", "RUN c"]),
            ("RUN \\\n <<A\nFROM x\nA\nRUN c", &["RUN  <<A", "RUN c"]),
            ("# c\rRUN <<E\nFROM a\nE\n", &["FROM a", "E"]),
        ] {
            assert_eq!(texts(text), expected, "{text:?}");
            assert_eq!(scan(text).broken, None);
        }
        for text in ["RUN <<E\nFROM a", "RUN <<A <<B\nA\nFROM a", "RUN ${A:-\\\" <<\\\"}\nE"] {
            assert!(scan(text).broken.is_some(), "{text}");
        }
    }
}

//! The bytes of one file, and where in it things stand: byte spans, lines and columns.

use std::fmt::{self, Write as _};
use std::sync::{Arc, OnceLock};

use sha2::{Digest as _, Sha256};

/// The largest file that is read, in bytes. A larger one is reported, never half read.
pub const MAX_BYTES: u64 = 256 << 20;

/// A half-open range of byte offsets in one [`Source`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The span of the bytes `start..end`. Sources are below 4 GiB, so both fit.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start: u32::try_from(start).unwrap_or(u32::MAX), end: u32::try_from(end.max(start)).unwrap_or(u32::MAX) }
    }

    /// The same range for slicing.
    #[must_use]
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A place as people and GitHub count it: both numbers are 1-based, the column in Unicode characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// 1-based. LF, CRLF and a lone CR end a line; U+2028 and U+0085 do not.
    pub line: u32,
    /// 1-based, in Unicode characters; a tab is one, a byte order mark is none.
    pub column: u32,
}

/// Why a file's bytes are not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// A UTF-16 or UTF-32 byte order mark.
    #[error("the file is UTF-16 or UTF-32, not UTF-8")]
    Utf16,
    /// The offset of the first byte that is not UTF-8.
    #[error("byte {0} is not UTF-8")]
    NotUtf8(usize),
}

/// One file's text under the name it is reported by.
pub struct Source {
    /// Path as it is shown and written into reports, with `/` between its parts.
    path: String,
    /// Path from the root of the repository; what patterns are matched against.
    relative: String,
    text: String,
    lines: OnceLock<Vec<u32>>,
    /// How many characters begin before each [`BLOCK`] of bytes; counted only where a line is long.
    characters: OnceLock<Vec<u32>>,
}

/// Bytes between two counts of characters: a column on a line of megabytes is found without counting the line.
const BLOCK: usize = 512;

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({}, {} bytes)", self.path, self.text.len())
    }
}

impl Source {
    /// Takes text that is already known to be UTF-8.
    #[must_use]
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let path = path.into();
        Self::at(path.clone(), path, text.into())
    }

    fn at(path: String, relative: String, text: String) -> Arc<Self> {
        Arc::new(Self { path, relative, text, lines: OnceLock::new(), characters: OnceLock::new() })
    }

    /// Takes a file's bytes. `path` is how it is shown, `relative` its path from the root of the repository.
    ///
    /// # Errors
    /// The bytes are not UTF-8. The path and the bytes are lost; no kind reads them.
    pub fn from_bytes(path: &str, relative: &str, bytes: Vec<u8>) -> Result<Arc<Self>, NotText> {
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(NotText::Utf16);
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::at(path.to_owned(), relative.to_owned(), text)),
            Err(error) => Err(NotText::NotUtf8(error.utf8_error().valid_up_to())),
        }
    }

    /// The path as it is shown, with `/` between its parts.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path from the root of the repository, with `/` between its parts.
    #[must_use]
    pub fn relative(&self) -> &str {
        &self.relative
    }

    /// The last part of the path.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The whole text, with its byte order mark if it has one.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span; empty where the span is not on character boundaries of this source.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// Line and column of a byte offset. An offset beyond the end is the end.
    #[must_use]
    pub fn position(&self, offset: u32) -> Position {
        let offset = floor_boundary(&self.text, offset as usize);
        let starts = self.lines.get_or_init(|| line_starts(&self.text));
        let index = starts.partition_point(|&start| start as usize <= offset).saturating_sub(1);
        let start = starts.get(index).map_or(0, |&start| start as usize);
        let mark = usize::from(start == 0 && offset > 0 && self.text.starts_with('\u{feff}'));
        let characters = if offset - start <= BLOCK {
            count_characters(self.text.as_bytes().get(start..offset).unwrap_or_default())
        } else {
            self.characters_before(offset) - self.characters_before(start)
        };
        Position {
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            column: u32::try_from(characters - mark + 1).unwrap_or(u32::MAX),
        }
    }

    /// How many characters begin before a byte offset.
    fn characters_before(&self, offset: usize) -> usize {
        let bytes = self.text.as_bytes();
        let counts = self.characters.get_or_init(|| {
            let mut count = 0;
            let before = bytes.chunks(BLOCK).map(|block| {
                let before = count;
                count += count_characters(block);
                u32::try_from(before).unwrap_or(u32::MAX)
            });
            before.collect()
        });
        // The end of the text may be the end of the last block: then that block is counted as a whole.
        let block = (offset / BLOCK).min(counts.len().saturating_sub(1));
        let before = counts.get(block).map_or(0, |&count| count as usize);
        before + count_characters(bytes.get(block * BLOCK..offset).unwrap_or_default())
    }

    /// How many lines the text has; a final line end does not begin another one.
    #[must_use]
    pub fn line_count(&self) -> u32 {
        let starts = self.lines.get_or_init(|| line_starts(&self.text));
        let last_is_empty = starts.last().is_some_and(|&start| start as usize == self.text.len());
        let count = starts.len() - usize::from(last_is_empty && starts.len() > 1);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The text of a 1-based line without its line end and without a byte order mark.
    #[must_use]
    pub fn line(&self, number: u32) -> &str {
        let starts = self.lines.get_or_init(|| line_starts(&self.text));
        let Some(&start) = (number as usize).checked_sub(1).and_then(|index| starts.get(index)) else {
            return "";
        };
        let end = starts.get(number as usize).map_or(self.text.len(), |&end| end as usize);
        let line = self.text.get(start as usize..end).unwrap_or_default();
        let line = line.trim_end_matches(['\n', '\r']);
        if start == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line }
    }
}

/// Where a part stands in a text, if it does so exactly once.
#[must_use]
pub fn once(text: &str, part: &str) -> Option<std::ops::Range<usize>> {
    let start = text.find(part).filter(|_| !part.is_empty())?;
    (text.rfind(part) == Some(start)).then(|| start..start + part.len())
}

/// The SHA-256 of a text's bytes, in lower-case hexadecimal.
#[must_use]
pub fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // A string takes everything that is written to it.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The nearest character boundary at or before `offset`.
fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// How many characters begin in a part of a UTF-8 text: every byte that continues none begins one.
fn count_characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

/// Byte offsets at which lines begin; the first is 0.
fn line_starts(text: &str) -> Vec<u32> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for at in memchr::memchr2_iter(b'\n', b'\r', bytes) {
        if bytes.get(at) == Some(&b'\r') && bytes.get(at + 1) == Some(&b'\n') {
            continue;
        }
        starts.push(u32::try_from(at + 1).unwrap_or(u32::MAX));
    }
    starts
}

/// A span in a source: where a finding, an image or a related fact stands.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// The bytes in it.
    pub span: Span,
}

impl Place {
    /// A place in a file.
    #[must_use]
    pub fn new(source: &Arc<Source>, span: Span) -> Self {
        Self { source: Arc::clone(source), span }
    }

    /// Line and column of the first character.
    #[must_use]
    pub fn start(&self) -> Position {
        self.source.position(self.span.start)
    }

    /// Line and column after the last character.
    #[must_use]
    pub fn end(&self) -> Position {
        self.source.position(self.span.end)
    }

    /// The text that stands there.
    #[must_use]
    pub fn text(&self) -> &str {
        self.source.slice(self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: &Source, offset: u32) -> (u32, u32) {
        let position = source.position(offset);
        (position.line, position.column)
    }

    #[test]
    fn lines_end_with_lf_crlf_or_a_lone_cr() {
        let source = Source::new("a", "one\r\ntwo\rthree\nfour");
        assert_eq!(at(&source, 0), (1, 1));
        assert_eq!(at(&source, 5), (2, 1));
        assert_eq!(at(&source, 9), (3, 1));
        assert_eq!(at(&source, 15), (4, 1));
        assert_eq!(source.line(2), "two");
        assert_eq!(source.line_count(), 4);
        assert_eq!(source.line(9), "");
    }

    #[test]
    fn columns_are_characters_and_the_mark_is_none() {
        let source = Source::new("a", "\u{feff}é\u{2028}\tx\n😀y");
        assert_eq!(at(&source, 3), (1, 1));
        assert_eq!(at(&source, 5), (1, 2));
        assert_eq!(at(&source, 9), (1, 4));
        assert_eq!(at(&source, 15), (2, 2));
        assert_eq!(at(&source, 999), (2, 3));
        assert_eq!(source.line(1), "é\u{2028}\tx");
    }

    #[test]
    fn columns_of_a_long_line_are_those_of_counting() {
        let long = "é😀a,".repeat(3000);
        for text in [format!("\u{feff}{long}"), format!("x\n{long}\r\n{long}")] {
            let source = Source::new("a", text.as_str());
            for at in (0..=text.len()).filter(|&at| text.is_char_boundary(at)).step_by(97).chain([text.len()]) {
                let line = text[..at].rsplit('\n').next().unwrap_or_default();
                let column = line.trim_start_matches('\u{feff}').chars().count() + 1;
                assert_eq!(source.position(u32::try_from(at).unwrap()).column as usize, column, "{at}");
            }
        }
    }

    #[test]
    fn what_is_not_utf8_is_told_apart() {
        assert_eq!(Source::from_bytes("a", "a", vec![0xff, 0xfe, b'a', 0]).unwrap_err(), NotText::Utf16);
        assert_eq!(Source::from_bytes("a", "a", vec![b'a', 0xe9]).unwrap_err(), NotText::NotUtf8(1));
    }
}

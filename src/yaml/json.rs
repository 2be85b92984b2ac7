//! Strict JSON (RFC 8259), with comments and trailing commas where they are asked for, without recursion.
//!
//! Several values one after the other are several documents, as `kubectl` reads them.

use memchr::{memchr, memchr2, memmem};

use super::{Builder, NodeKind, Style, SyntaxError, Tree};
use crate::source::Span;

/// The deepest nesting of arrays and objects, that of the YAML parser.
const MAX_DEPTH: usize = 255;

/// Fills `tree` with every value of `text`. The first error ends the reading and drops the value it stands in.
pub(super) fn parse(text: &str, comments: bool, tree: &mut Tree) {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 },
        comments,
        builder: Builder::new(tree),
        open: Vec::new(),
        decoded: String::new(),
    };
    if let Err(error) = reader.stream() {
        reader.builder.abandon_document();
        reader.builder.error(error.offset as usize, error.message);
    }
}

struct Reader<'a, 't> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    comments: bool,
    builder: Builder<'t>,
    /// The open collections: whether each is an object.
    open: Vec<bool>,
    decoded: String,
}

fn error(offset: usize, message: impl Into<String>) -> SyntaxError {
    SyntaxError { offset: u32::try_from(offset).unwrap_or(u32::MAX), message: message.into() }
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn stream(&mut self) -> Result<(), SyntaxError> {
        self.skip_blanks()?;
        if self.peek().is_none() {
            return Err(error(self.at, "expected a value"));
        }
        while self.peek().is_some() {
            let begin = self.at;
            self.value()?;
            while !self.open.is_empty() {
                self.next_child()?;
            }
            self.builder.end_document();
            let end = self.at;
            self.skip_blanks()?;
            // `1 2` are two values, `12` is one, `truefalse` is none.
            let closed = |at: usize| matches!(self.bytes.get(at), Some(b'{' | b'}' | b'[' | b']' | b'"'));
            if self.at == end && self.peek().is_some() && !(closed(end) || closed(end - 1) && end > begin) {
                return Err(error(end, "expected a blank before the next value"));
            }
        }
        Ok(())
    }

    /// Reads one element of the innermost collection, or its end.
    fn next_child(&mut self) -> Result<(), SyntaxError> {
        let Some(&object) = self.open.last() else { return Ok(()) };
        let close = if object { b'}' } else { b']' };
        self.skip_blanks()?;
        let first = self.builder.open.last().is_none_or(|(_, last)| *last == super::NONE);
        if self.peek() == Some(close) {
            return self.close();
        }
        if !first {
            if self.peek() != Some(b',') {
                return Err(error(self.at, if object { "expected `,` or `}`" } else { "expected `,` or `]`" }));
            }
            self.at += 1;
            self.skip_blanks()?;
            if self.comments && self.peek() == Some(close) {
                return self.close();
            }
        }
        if object {
            self.key()?;
        }
        self.value()
    }

    #[expect(clippy::unnecessary_wraps, reason = "the last step of a caller that can fail")]
    fn close(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        self.open.pop();
        self.builder.close(self.at);
        Ok(())
    }

    fn key(&mut self) -> Result<(), SyntaxError> {
        if self.peek() != Some(b'"') {
            return Err(error(self.at, "expected a key in double quotes"));
        }
        self.string()?;
        self.skip_blanks()?;
        if self.peek() != Some(b':') {
            return Err(error(self.at, "expected `:`"));
        }
        self.at += 1;
        self.skip_blanks()
    }

    /// A scalar, or the begin of a collection.
    fn value(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(byte @ (b'{' | b'[')) => {
                if self.open.len() == MAX_DEPTH {
                    return Err(error(self.at, format!("nested more than {MAX_DEPTH} levels deep")));
                }
                let kind = if byte == b'{' { NodeKind::Mapping } else { NodeKind::Sequence };
                self.builder.open(kind, self.at, true);
                self.open.push(byte == b'{');
                self.at += 1;
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<(), SyntaxError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(word) = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word.as_bytes())) else {
            return Err(error(self.at, "expected a value"));
        };
        self.plain(self.at + word.len())
    }

    fn plain(&mut self, end: usize) -> Result<(), SyntaxError> {
        if self.bytes.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-')) {
            return Err(error(end, "expected the end of the value"));
        }
        self.builder.scalar(Style::Plain, Span::new(self.at, end), None);
        self.at = end;
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        let mut at = self.at + usize::from(self.peek() == Some(b'-'));
        if self.bytes.get(at) == Some(&b'0') {
            at += 1;
        } else {
            at = self.digits(at)?;
        }
        if self.bytes.get(at) == Some(&b'.') {
            at = self.digits(at + 1)?;
        }
        if matches!(self.bytes.get(at), Some(b'e' | b'E')) {
            at += 1;
            at = self.digits(at + usize::from(matches!(self.bytes.get(at), Some(b'+' | b'-'))))?;
        }
        self.plain(at)
    }

    fn digits(&self, at: usize) -> Result<usize, SyntaxError> {
        let rest = self.bytes.get(at..).unwrap_or_default();
        match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
            0 => Err(error(at, "expected a digit")),
            count => Ok(at + count),
        }
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        let (quote, start) = (self.at, self.at + 1);
        let mut from = start;
        let mut decoded = false;
        loop {
            let rest = self.bytes.get(from..).unwrap_or_default();
            let length = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            let end = from + length;
            if let Some(control) = rest.iter().take(length).position(|&byte| byte < 0x20) {
                return Err(error(from + control, "control character in a string"));
            }
            if self.bytes.get(end) == Some(&b'\\') && !decoded {
                self.decoded.clear();
                decoded = true;
            }
            if decoded {
                self.decoded.push_str(self.text.get(from..end).unwrap_or_default());
            }
            match self.bytes.get(end) {
                None => return Err(error(quote, "string without an end")),
                Some(b'"') => {
                    let text = decoded.then_some(&*self.decoded);
                    self.builder.scalar(Style::DoubleQuoted, Span::new(start, end), text);
                    self.at = end + 1;
                    return Ok(());
                }
                Some(_) => from = self.escape(end)?,
            }
        }
    }

    /// Decodes the escape whose `\` is at `at`; answers the offset after it.
    fn escape(&mut self, at: usize) -> Result<usize, SyntaxError> {
        let character = match self.bytes.get(at + 1) {
            Some(b'u') => return self.unicode(at),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(&byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            _ => return Err(error(at, "unknown escape")),
        };
        self.decoded.push(character);
        Ok(at + 2)
    }

    fn unicode(&mut self, at: usize) -> Result<usize, SyntaxError> {
        let first = self.hex(at).ok_or_else(|| error(at, "expected four hexadecimal digits"))?;
        let (code, end) = match first {
            0xd800..=0xdbff => match self.hex(at + 6) {
                Some(low @ 0xdc00..=0xdfff) => (0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00), at + 12),
                _ => return Err(error(at, "half of a surrogate pair")),
            },
            _ => (first, at + 6),
        };
        self.decoded.push(char::from_u32(code).ok_or_else(|| error(at, "half of a surrogate pair"))?);
        Ok(end)
    }

    /// The number of `\uXXXX` at `at`.
    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    }

    fn skip_blanks(&mut self) -> Result<(), SyntaxError> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'/') if self.comments => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Result<(), SyntaxError> {
        let rest = self.bytes.get(self.at + 2..).unwrap_or_default();
        let length = match self.bytes.get(self.at + 1) {
            Some(b'/') => memchr(b'\n', rest).unwrap_or(rest.len()),
            Some(b'*') => memmem::find(rest, b"*/").ok_or_else(|| error(self.at, "comment without an end"))? + 2,
            _ => return Err(error(self.at, "expected a value")),
        };
        self.at += 2 + length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tree;

    fn strict(text: &str) -> Result<String, (u32, String)> {
        read(text, false)
    }

    fn read(text: &str, comments: bool) -> Result<String, (u32, String)> {
        let mut tree = Tree::default();
        tree.parse_json(text, comments);
        match tree.errors().first() {
            Some(error) => Err((error.offset, error.message.clone())),
            None => Ok(tree.documents(text).map(super::super::tests::describe).collect::<Vec<_>>().join(" --- ")),
        }
    }

    #[test]
    fn values_are_nodes() {
        assert_eq!(
            strict("\u{feff}{\"a\": [1, -0.5e+3, true], \"a\": {}}\n").unwrap(),
            r#"{"a"@a: ["1"@1, "-0.5e+3"@-0.5e+3, "true"@true], "a"@a: {}}"#
        );
        assert_eq!(strict(r#""\ud83d\ude00\u00e9\/\n""#).unwrap(), r#""😀é/\n"@\ud83d\ude00\u00e9\/\n"#);
        assert_eq!(strict("{}{} [1]\n2 null").unwrap(), r#"{} --- {} --- ["1"@1] --- "2"@2 --- "null"@null"#);
    }

    #[test]
    fn errors_stand_where_they_are() {
        for (text, offset) in [
            ("", 0),
            ("[1,]", 3),
            ("{\"a\":1,}", 7),
            ("[1 2]", 3),
            ("[01]", 2),
            ("[1.]", 3),
            ("[-]", 2),
            ("[\"a]", 1),
            ("[\"a\nb\"]", 3),
            ("[\"\\x\"]", 2),
            ("[\"\\ud800\"]", 2),
            ("[\"\\udc00\"]", 2),
            ("[\"\\u12g4\"]", 2),
            ("{a: 1}", 1),
            ("{\"a\" 1}", 5),
            ("// c\n1", 0),
            ("[", 1),
            ("]", 0),
            ("nul", 0),
            ("truefalse", 4),
            ("'a'", 0),
            ("[1]x", 3),
            ("[,1]", 1),
            ("\u{a0}1", 0),
        ] {
            assert_eq!(strict(text).unwrap_err().0, offset, "{text:?}");
        }
        let deep = "[".repeat(300);
        assert_eq!(strict(&deep).unwrap_err().0, 255);
    }

    #[test]
    fn comments_and_trailing_commas_are_read_where_asked_for() {
        assert_eq!(read("// c\n[1, /* d */ 2,] // e", true).unwrap(), r#"["1"@1, "2"@2]"#);
        assert_eq!(read("[1 /* ", true).unwrap_err().0, 3);
        assert_eq!(read("[1,,]", true).unwrap_err().0, 3);
        assert_eq!(read("[,]", true).unwrap_err().0, 1);
    }

    #[test]
    fn what_is_read_as_json_is_read_as_json_by_others() {
        for text in ["{\"a\": [1, 2.5e-3, null, \"x\\u0041\"]}", "[]", "\"\"", "0", "-0", "1E5"] {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok() && strict(text).is_ok(), "{text}");
        }
        for text in ["00", "+1", ".5", "1.", "1e", "[1,]", "{\"a\"}", "\"\t\"", "nulll", "[1]]", "NaN", "\u{c}1"] {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err() && strict(text).is_err(), "{text}");
        }
    }
}

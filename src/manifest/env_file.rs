//! Env files (`.env`), read exactly as compose-go's dotenv reads them, with the place of every value.
//!
//! Source: <https://github.com/compose-spec/compose-go> (`dotenv/parser.go`). The process environment takes no part.

use std::collections::HashMap;
use std::sync::Arc;

use super::interpolate::{End, Lookup, Undecided, Value, interpolate};
use super::slot::Ending;
use crate::source::{Place, Source, Span};

/// The largest env file that is read; it may be read again for each manifest beside it.
const MAX_LENGTH: usize = 64 << 10;
/// Most bytes that variables may add to the values of one file.
const MAX_EXPANDED: usize = 64 << 10;

/// The variables of one env file.
#[derive(Debug, Default)]
pub(crate) struct EnvFile {
    /// The value, or why nobody can tell it.
    variables: HashMap<String, Result<Value, String>>,
    /// Why Compose would refuse the whole file.
    problem: Option<String>,
}

impl EnvFile {
    /// Reads a file. What Compose refuses decides no variable.
    pub(crate) fn parse(source: &Arc<Source>) -> Self {
        Self::parse_with(source, &|_| Ok(None), &|_| Ok(None))
    }

    /// Reads a file whose values may use variables of an including project, which win, and of earlier env files.
    pub(crate) fn parse_with(source: &Arc<Source>, outer: &Lookup<'_>, earlier: &Lookup<'_>) -> Self {
        let mut parser = Parser { source, at: 0, file: Self::default(), outer, earlier, left: MAX_EXPANDED };
        let text = source.text();
        if text.len() > MAX_LENGTH {
            parser.file.problem = Some(format!("`{}` is larger than {MAX_LENGTH} bytes", source.path()));
            return parser.file;
        }
        parser.at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        if let Err((offset, what)) = parser.statements() {
            let line = source.position(u32::try_from(offset).unwrap_or(u32::MAX)).line;
            parser.file.problem = Some(format!("line {line} of `{}` cannot be read: {what}", source.path()));
        }
        parser.file
    }

    /// The value of a variable; `None` where the file does not set it.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Value>, String> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        self.variables.get(name).cloned().transpose()
    }
}

type Failure = (usize, &'static str);

struct Parser<'a> {
    source: &'a Arc<Source>,
    at: usize,
    file: EnvFile,
    outer: &'a Lookup<'a>,
    earlier: &'a Lookup<'a>,
    /// Bytes that variables may still add.
    left: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.source.text().get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, matches: impl Fn(char) -> bool) {
        self.at += self.rest().len() - self.rest().trim_start_matches(matches).len();
    }

    fn statements(&mut self) -> Result<(), Failure> {
        loop {
            self.skip(char::is_whitespace);
            if self.rest().is_empty() {
                return Ok(());
            }
            if self.rest().starts_with('#') {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                continue;
            }
            if let Some(key) = self.key()? {
                self.value(key)?;
            }
        }
    }

    /// The name before `=` or `:`; none where the line has only a name, which the environment alone could set.
    fn key(&mut self) -> Result<Option<&'a str>, Failure> {
        if let Some(rest) = self.rest().strip_prefix("export")
            && rest.starts_with(|c: char| c.is_ascii_whitespace() && c != '\u{b}')
        {
            self.at += "export".len();
            self.skip(is_blank);
        }
        let rest = self.rest();
        let Some(end) = rest.find(|c| !is_blank(c) && !is_name(c)) else {
            self.at += rest.len();
            return Ok(None);
        };
        let key = rest.get(..end).unwrap_or_default().trim_end();
        let separator = rest.as_bytes().get(end).copied().unwrap_or_default();
        if !matches!(separator, b'=' | b':' | b'\n') {
            return Err((self.at + end, "a name has letters, digits, `_`, `.`, `-`, `[` and `]`"));
        }
        if key.contains(' ') {
            return Err((self.at, "a name has no spaces"));
        }
        self.at += end + 1;
        self.skip(is_blank);
        Ok((separator != b'\n').then_some(key))
    }

    fn value(&mut self, key: &'a str) -> Result<(), Failure> {
        let start = self.at;
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            let line = self.rest().split('\n').next().unwrap_or_default();
            self.at = (start + line.len() + 1).min(self.source.text().len());
            let value = line.split(" #").next().unwrap_or_default().trim_end();
            return self.expand(key, value, Span::new(start, start + value.len()));
        };
        let Some((text, end)) = quoted(self.rest(), quote) else {
            return Err((start, "the closing quote is missing"));
        };
        self.at = start + end + 1;
        let span = Span::new(start + 1, start + end);
        if quote == '\'' {
            self.set(key, Ok(self.value_at(text, span, Vec::new())));
            return Ok(());
        }
        self.expand(key, &unescape(&text), span)
    }

    fn expand(&mut self, key: &str, text: &str, span: Span) -> Result<(), Failure> {
        let value = match interpolate(text, &|name| self.get(name)) {
            Ok(found) => {
                let added = found.text.len().saturating_sub(text.len());
                match self.left.checked_sub(added) {
                    Some(left) => {
                        self.left = left;
                        let ends = self.ends(&found.ends, key, text, span);
                        Ok(self.value_at(found.text, span, ends))
                    }
                    None => Err(format!("the variables of `{}` grow beyond {MAX_EXPANDED} bytes", self.source.path())),
                }
            }
            Err(Undecided::Invalid(_)) => {
                return Err((span.start as usize, "a `$` of its own is written `$$` or stands in single quotes"));
            }
            Err(why) => Err(format!("`{key}` in `{}` is undecided: {why}", self.source.path())),
        };
        self.set(key, value);
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Option<Value>, String> {
        if let Some(value) = (self.outer)(name)? {
            return Ok(Some(value));
        }
        match (self.file.get(name)?, (self.earlier)(name)?) {
            (Some(own), Some(earlier)) if own.text != earlier.text => Err(format!(
                "releases of Compose disagree whether `{name}` in `{}` is its own or that of an earlier env file",
                self.source.path()
            )),
            (own, earlier) => Ok(own.or(earlier)),
        }
    }

    fn value_at(&self, text: String, span: Span, inner_ends: Vec<Ending>) -> Value {
        Value { text: text.into(), place: Place::new(self.source, span), inner_ends }
    }

    /// The places of the ends of a text that stands at `span`, where it stands there byte by byte.
    fn ends(&self, ends: &[End], key: &str, text: &str, span: Span) -> Vec<Ending> {
        ends.iter().filter_map(|end| end.at(&Place::new(self.source, span), text, key)).collect()
    }

    fn set(&mut self, key: &str, value: Result<Value, String>) {
        self.file.variables.insert(key.to_owned(), value);
    }
}

/// White space that ends no line.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']')
}

/// The text between quotes, with the backslash of an escaped quote gone, and the offset of the closing quote.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return Some((out, at));
        }
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        if escaped && c != quote {
            out.push('\\');
        }
        escaped = false;
        out.push(c);
    }
    None
}

/// The escapes of a double-quoted value: Go's one-letter ones, octal behind `\0`, and `\$` for a `$` of its own.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        let Some(c) = rest.chars().next() else {
            out.push('\\');
            break;
        };
        if c == '0' {
            let digits = rest.get(1..).unwrap_or_default();
            let count = digits.bytes().take(3).take_while(u8::is_ascii_digit).count();
            let digits = digits.get(..count).unwrap_or_default();
            match u8::from_str_radix(digits, 8) {
                Ok(byte) if count == 3 => out.push(char::from(byte)),
                _ => out.extend(["\\0", digits]),
            }
            rest = rest.get(1 + count..).unwrap_or_default();
            continue;
        }
        match c {
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            '$' => out.push_str("$$"),
            '"' | '\\' => out.push(c),
            _ => out.extend(['\\', c]),
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(text: &str, name: &str) -> Result<Option<(String, String)>, String> {
        let source = Source::new(".env", text);
        let value = EnvFile::parse(&source).get(name)?;
        Ok(value.map(|value| (value.text.to_string(), value.place.text().to_owned())))
    }

    #[test]
    fn values_are_what_compose_reads_and_stand_where_they_are_written() {
        for (text, value, written) in [
            ("A=x", "x", "x"),
            ("\u{feff}A=x", "x", "x"),
            ("A=x\r\nB=y\r\n", "x", "x"),
            ("  A =  x y  ", "x y", "x y"),
            ("export A=x", "x", "x"),
            ("A: x", "x", "x"),
            ("A=", "", ""),
            ("A=x # c", "x", "x"),
            ("A=x#c", "x#c", "x#c"),
            ("A=#c", "#c", "#c"),
            ("A='x # $B' # c", "x # $B", "x # $B"),
            ("A=\"x\\\"y\\n\" B=z", "x\"y\n", "x\\\"y\\n"),
            ("A=\"x\ny\"", "x\ny", "x\ny"),
            ("A='x\\'y'", "x'y", "x\\'y"),
            ("A=\"\\$B\\0101\\z\"", "$BA\\z", "\\$B\\0101\\z"),
            ("B=b\nA=$B-${B}", "b-b", "$B-${B}"),
            ("A=${B:-x}", "x", "${B:-x}"),
            ("A=1\nA=2", "2", "2"),
            ("# A=1\nA=2", "2", "2"),
            ("A=1\nA\n", "1", "1"),
            ("a.b-c[0]=1\nA=x", "x", "x"),
        ] {
            assert_eq!(get(text, "A"), Ok(Some((value.into(), written.into()))), "{text:?}");
        }
    }

    #[test]
    fn what_is_unset_or_undecided_is_no_value() {
        for text in ["", "B=1", "A", "A\nB=1", "#A=1", "a=1"] {
            assert_eq!(get(text, "A"), Ok(None), "{text:?}");
        }
        for text in ["A=$B", "B=$C\nA=${B}", "A=${B:?e}", "A='x", "A!=1", "B C=1\nA=2", "A=${", "A=1\nB=\"${!}\""] {
            assert!(get(text, "A").is_err(), "{text:?}");
        }
        let bomb = "A=xxxxxxxxxx\n".to_owned() + &"A=$A$A$A$A\n".repeat(50);
        assert!(get(&bomb, "A").is_err());
        assert!(get(&format!("A=1\nB='{}'", "x".repeat(MAX_LENGTH)), "A").is_err());
    }
}

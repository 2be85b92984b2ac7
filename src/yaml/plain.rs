//! Plain block YAML, read in one pass: what nearly every manifest is written in, and nothing else.
//!
//! Read here: block mappings and sequences, scalars and flow collections on one line, literal block scalars, folded
//! ones whose lines are all alike, comments and document markers. Whatever is outside (tabs, carriage returns,
//! anchors, aliases, tags, directives, `? `, text over several lines) or in doubt is given up, and the full parser
//! reads the whole stream. What is read must be exactly what the full parser reads; `tests/it/yaml.rs` holds that.

use memchr::{memchr, memchr2, memchr3};

use super::{Builder, NodeKind, Style, Tree};
use crate::source::Span;

/// Levels of collections beyond which the full parser decides, in block and in flow style. It allows 255.
const MAX_DEPTH: usize = 64;
/// YAML allows 1024 characters before the `:` of a key; the full parser decides near that.
const MAX_KEY: usize = 1000;

/// Fills `tree` with every document of `text`, or leaves it empty and answers `false`.
pub(super) fn parse(text: &str, tree: &mut Tree) -> bool {
    let accepted = is_readable(text) && Reader::new(text, tree).stream().is_some();
    if !accepted {
        tree.clear();
    }
    accepted
}

/// Whether no character has a particular meaning or is refused: control characters, line separators, marks.
fn is_readable(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Without a branch, so that the compiler can look at many bytes at once.
    let odd = text
        .bytes()
        .fold(0, |odd, byte| odd | (u8::from(byte < 0x20) & u8::from(byte != b'\n')) | u8::from(byte == 0x7f));
    odd == 0 && (text.is_ascii() || !text.chars().any(is_special))
}

fn is_special(character: char) -> bool {
    matches!(character, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// An open block collection: its column and whether it is a sequence.
#[derive(Clone, Copy)]
struct Level {
    indent: usize,
    sequence: bool,
}

/// What the lines so far left to be filled.
#[derive(Clone, Copy)]
enum Pending {
    Nothing,
    /// A document, whose empty node would stand at the offset.
    Root(usize),
    /// The value of a key, whose `:` is at the offset.
    Value(usize),
    /// The item of a sequence, whose line ends at the offset; `None` where a comment follows.
    Item(Option<usize>),
}

/// A scalar on one line.
struct Token {
    style: Style,
    start: usize,
    end: usize,
    /// Its text is in `Reader::decoded`.
    decoded: bool,
    /// Where reading goes on: after the quote, or at what ended a plain scalar.
    next: usize,
}

/// `None` from its functions means: not plain enough.
struct Reader<'a, 't> {
    text: &'a str,
    bytes: &'a [u8],
    builder: Builder<'t>,
    levels: Vec<Level>,
    pending: Pending,
    in_document: bool,
    decoded: String,
}

impl<'a, 't> Reader<'a, 't> {
    fn new(text: &'a str, tree: &'t mut Tree) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            builder: Builder::new(tree),
            levels: Vec::new(),
            pending: Pending::Nothing,
            in_document: false,
            decoded: String::new(),
        }
    }

    fn stream(&mut self) -> Option<()> {
        let mut line = if self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        while line < self.bytes.len() {
            let at = self.skip_spaces(line);
            line = match self.byte(at) {
                None => break,
                Some(b'\n') => at + 1,
                Some(b'#') => self.line_end(at) + 1,
                Some(b'-' | b'.') if at == line && self.is_marker(at) => self.marker(at)?,
                Some(_) => self.line(line, at)?,
            };
        }
        if self.in_document { self.end_document() } else { Some(()) }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn tail(&self, at: usize) -> &'a [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    fn skip_spaces(&self, mut at: usize) -> usize {
        while self.byte(at) == Some(b' ') {
            at += 1;
        }
        at
    }

    fn line_end(&self, at: usize) -> usize {
        memchr(b'\n', self.tail(at)).map_or(self.bytes.len(), |length| at + length)
    }

    /// Whether a space, a line end or the end of the text is here.
    fn is_blank(&self, at: usize) -> bool {
        matches!(self.byte(at), None | Some(b' ' | b'\n'))
    }

    fn is_dash(&self, at: usize) -> bool {
        self.byte(at) == Some(b'-') && self.is_blank(at + 1)
    }

    fn is_marker(&self, at: usize) -> bool {
        matches!(self.bytes.get(at..at + 3), Some(b"---" | b"...")) && self.is_blank(at + 3)
    }

    /// The begin of the next line, if nothing or a comment is left of this one.
    fn rest(&self, at: usize) -> Option<usize> {
        let end = self.skip_spaces(at);
        match self.byte(end) {
            None | Some(b'\n') => Some(end + 1),
            Some(b'#') if end > at || self.byte(at.wrapping_sub(1)) == Some(b' ') => Some(self.line_end(end) + 1),
            Some(_) => None,
        }
    }

    fn marker(&mut self, at: usize) -> Option<usize> {
        let next = self.rest(at + 3)?;
        let begins = self.byte(at) == Some(b'-');
        if self.in_document {
            self.end_document()?;
        } else if !begins {
            return None;
        }
        self.in_document = begins;
        self.pending = if begins { Pending::Root(at + 3) } else { Pending::Nothing };
        Some(next)
    }

    fn end_document(&mut self) -> Option<()> {
        self.fill()?;
        while self.levels.pop().is_some() {
            self.builder.close(0);
        }
        self.builder.end_document();
        self.in_document = false;
        Some(())
    }

    /// Puts an empty node where one is missing.
    fn fill(&mut self) -> Option<()> {
        let at = match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => return Some(()),
            Pending::Root(at) | Pending::Value(at) => at,
            Pending::Item(at) => at?,
        };
        self.builder.scalar(Style::Plain, Span::new(at, at), None);
        Some(())
    }

    /// Reads a line whose first byte that is no space is at `at`; answers where the next line begins.
    fn line(&mut self, line: usize, at: usize) -> Option<usize> {
        if !self.in_document {
            self.in_document = true;
            self.pending = Pending::Root(at);
        }
        let column = at - line;
        let dash = self.is_dash(at);
        let indent = self.levels.last().map_or(0, |level| level.indent);
        let fills = match self.pending {
            Pending::Nothing => false,
            Pending::Root(_) => true,
            Pending::Value(_) => column > indent || (dash && column == indent),
            Pending::Item(_) => column > indent,
        };
        if fills {
            self.pending = Pending::Nothing;
            return self.node(line, at);
        }
        self.fill()?;
        self.settle(column, dash)?;
        if !dash {
            let token = self.token(at)?;
            return self.entry(&token);
        }
        match self.after_dash(at) {
            Ok(at) => self.node(line, at),
            Err(next) => Some(next),
        }
    }

    /// Closes the collections that end before a line at `column`; the one that is left goes on with it.
    fn settle(&mut self, column: usize, dash: bool) -> Option<()> {
        loop {
            let level = *self.levels.last()?;
            if level.indent == column && level.sequence == dash {
                return Some(());
            }
            // A sequence may stand at the column of its key, and ends at the next key.
            if level.indent < column || (level.indent == column && !level.sequence) {
                return None;
            }
            self.levels.pop();
            self.builder.close(0);
        }
    }

    fn push(&mut self, kind: NodeKind, start: usize, indent: usize) -> Option<()> {
        if self.levels.len() == MAX_DEPTH {
            return None;
        }
        self.builder.open(kind, start, false);
        self.levels.push(Level { indent, sequence: kind == NodeKind::Sequence });
        Some(())
    }

    /// Where the item after a dash begins, or else the begin of the next line.
    fn after_dash(&mut self, dash: usize) -> Result<usize, usize> {
        let at = self.skip_spaces(dash + 1);
        match self.byte(at) {
            None | Some(b'\n') => {
                self.pending = Pending::Item(Some(at));
                Err(at + 1)
            }
            Some(b'#') => {
                self.pending = Pending::Item(None);
                Err(self.line_end(at) + 1)
            }
            Some(_) => Ok(at),
        }
    }

    /// A node that begins at `at`, with all that follows on its line.
    fn node(&mut self, line: usize, mut at: usize) -> Option<usize> {
        while self.is_dash(at) {
            self.push(NodeKind::Sequence, at, at - line)?;
            match self.after_dash(at) {
                Ok(item) => at = item,
                Err(next) => return Some(next),
            }
        }
        match self.byte(at)? {
            b'[' | b'{' => self.flow_line(at),
            b'|' | b'>' => self.block_scalar(at),
            _ => {
                let token = self.token(at)?;
                if self.is_key(&token) {
                    self.push(NodeKind::Mapping, at, at - line)?;
                    return self.entry(&token);
                }
                self.add(&token);
                self.rest(token.next)
            }
        }
    }

    fn is_key(&self, token: &Token) -> bool {
        self.byte(token.next) == Some(b':') && self.is_blank(token.next + 1)
    }

    fn add(&mut self, token: &Token) {
        let decoded = token.decoded.then_some(&*self.decoded);
        self.builder.scalar(token.style, Span::new(token.start, token.end), decoded);
    }

    /// A key, and its value if that is on the same line.
    fn entry(&mut self, key: &Token) -> Option<usize> {
        if !self.is_key(key) || key.end - key.start > MAX_KEY {
            return None;
        }
        self.add(key);
        let at = self.skip_spaces(key.next + 1);
        match self.byte(at) {
            None | Some(b'\n' | b'#') => {
                self.pending = Pending::Value(key.next);
                Some(self.line_end(at) + 1)
            }
            Some(b'[' | b'{') => self.flow_line(at),
            Some(b'|' | b'>') => self.block_scalar(at),
            Some(_) => {
                let token = self.token(at)?;
                if self.is_key(&token) {
                    return None;
                }
                self.add(&token);
                self.rest(token.next)
            }
        }
    }

    fn token(&mut self, at: usize) -> Option<Token> {
        match self.byte(at)? {
            b'"' => self.double_quoted(at),
            b'\'' => self.single_quoted(at),
            _ => self.plain(at),
        }
    }

    fn plain(&self, start: usize) -> Option<Token> {
        match self.byte(start)? {
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
            | b'`' | b'?' | b':' => return None,
            b'-' if self.is_blank(start + 1) => return None,
            _ => {}
        }
        let mut next = start + 1;
        loop {
            next += memchr3(b':', b'#', b'\n', self.tail(next)).unwrap_or_else(|| self.tail(next).len());
            match self.byte(next) {
                Some(b':') if !self.is_blank(next + 1) => next += 1,
                Some(b'#') if self.byte(next - 1) != Some(b' ') => next += 1,
                _ => break,
            }
        }
        Some(self.plain_token(start, next))
    }

    fn plain_token(&self, start: usize, next: usize) -> Token {
        let mut end = next;
        while end > start && self.byte(end - 1) == Some(b' ') {
            end -= 1;
        }
        Token { style: Style::Plain, start, end, decoded: false, next }
    }

    fn single_quoted(&mut self, quote: usize) -> Option<Token> {
        let start = quote + 1;
        let mut from = start;
        let mut decoded = false;
        loop {
            let end = from + memchr2(b'\'', b'\n', self.tail(from))?;
            if self.byte(end) == Some(b'\n') {
                return None;
            }
            let twice = self.byte(end + 1) == Some(b'\'');
            if twice && !decoded {
                self.decoded.clear();
                decoded = true;
            }
            if decoded {
                self.decoded.push_str(self.text.get(from..end + usize::from(twice))?);
            }
            if !twice {
                return Some(Token { style: Style::SingleQuoted, start, end, decoded, next: end + 1 });
            }
            from = end + 2;
        }
    }

    fn double_quoted(&mut self, quote: usize) -> Option<Token> {
        let start = quote + 1;
        let mut from = start;
        let mut decoded = false;
        loop {
            let end = from + memchr3(b'"', b'\\', b'\n', self.tail(from))?;
            let byte = self.byte(end);
            if byte == Some(b'\\') && !decoded {
                self.decoded.clear();
                decoded = true;
            }
            if decoded {
                self.decoded.push_str(self.text.get(from..end)?);
            }
            match byte? {
                b'"' => return Some(Token { style: Style::DoubleQuoted, start, end, decoded, next: end + 1 }),
                b'\\' => self.decoded.push(simple_escape(self.byte(end + 1)?)?),
                _ => return None,
            }
            from = end + 2;
        }
    }

    /// A flow collection on a line of its own or after a key.
    fn flow_line(&mut self, at: usize) -> Option<usize> {
        let end = self.flow(at, 0)?;
        self.rest(end)
    }

    /// Answers the offset after the closing bracket.
    fn flow(&mut self, start: usize, depth: usize) -> Option<usize> {
        if depth == MAX_DEPTH {
            return None;
        }
        let mapping = self.byte(start)? == b'{';
        let (kind, close) = if mapping { (NodeKind::Mapping, b'}') } else { (NodeKind::Sequence, b']') };
        self.builder.open(kind, start, true);
        let mut at = self.skip_spaces(start + 1);
        let mut first = true;
        while !first || self.byte(at)? != close {
            first = false;
            if mapping {
                at = self.flow_key(at)?;
            }
            at = self.flow_node(at, depth)?;
            at = self.skip_spaces(at);
            match self.byte(at)? {
                b',' => at = self.skip_spaces(at + 1),
                byte if byte == close => break,
                _ => return None,
            }
        }
        self.builder.close(at + 1);
        Some(at + 1)
    }

    fn flow_key(&mut self, at: usize) -> Option<usize> {
        let key = self.flow_token(at)?;
        if self.byte(key.next) != Some(b':') || self.byte(key.next + 1) != Some(b' ') || key.end - key.start > MAX_KEY {
            return None;
        }
        self.add(&key);
        Some(self.skip_spaces(key.next + 1))
    }

    fn flow_node(&mut self, at: usize, depth: usize) -> Option<usize> {
        if matches!(self.byte(at)?, b'[' | b'{') {
            return self.flow(at, depth + 1);
        }
        let token = self.flow_token(at)?;
        self.add(&token);
        Some(token.next)
    }

    fn flow_token(&mut self, at: usize) -> Option<Token> {
        match self.byte(at)? {
            b'"' => return self.double_quoted(at),
            b'\'' => return self.single_quoted(at),
            b'-' if self.byte(at + 1).is_some_and(|byte| byte == b'-' || byte.is_ascii_alphanumeric()) => {}
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'$' | b'~') => {}
            _ => return None,
        }
        let mut next = at + 1;
        loop {
            match self.byte(next)? {
                b',' | b'[' | b']' | b'{' | b'}' => break,
                b'\n' | b'#' => return None,
                b':' => match self.byte(next + 1)? {
                    b' ' => break,
                    byte if byte.is_ascii_alphanumeric() || byte == b'/' => {}
                    _ => return None,
                },
                _ => {}
            }
            next += 1;
        }
        Some(self.plain_token(at, next))
    }

    /// `|` or `>` with or without `-` or `+`, whose header begins at `at`.
    fn block_scalar(&mut self, at: usize) -> Option<usize> {
        let parent = self.levels.last()?.indent;
        let literal = self.byte(at) == Some(b'|');
        let chomping = self.byte(at + 1).filter(|byte| matches!(byte, b'-' | b'+'));
        let begin = self.rest(at + 1 + usize::from(chomping.is_some()))?;
        let indent = self.block_indent(begin)?;
        if indent <= parent {
            return None;
        }
        let end = self.block_lines(begin, indent, literal)?;
        let content = self.text.get(begin..end.min(self.text.len()))?;
        if content.trim().is_empty() {
            // Nothing but Unicode blanks: the full parser places its empty span.
            return None;
        }
        let lead = content.len() - content.trim_start().len();
        let span = Span::new(begin + lead, begin + lead + content.trim().len());
        match chomping {
            Some(b'+') if end > self.text.len() => return None,
            Some(b'+') => {}
            other => {
                self.decoded.truncate(self.decoded.trim_end_matches('\n').len());
                if other.is_none() {
                    self.decoded.push('\n');
                }
            }
        }
        let same = self.text.get(span.range()) == Some(&*self.decoded);
        let style = if literal { Style::Literal } else { Style::Folded };
        self.builder.scalar(style, span, (!same).then_some(&*self.decoded));
        Some(end)
    }

    /// The column of the first line that holds text, unless a blank line before it is longer.
    fn block_indent(&self, mut line: usize) -> Option<usize> {
        let mut longest = 0;
        loop {
            let at = self.skip_spaces(line);
            if self.byte(at)? != b'\n' {
                return Some(at - line).filter(|&indent| longest <= indent);
            }
            longest = longest.max(at - line);
            line = at + 1;
        }
    }

    /// Decodes the lines that are indented by `indent`; answers where the next line begins.
    fn block_lines(&mut self, mut line: usize, indent: usize, literal: bool) -> Option<usize> {
        self.decoded.clear();
        while line < self.bytes.len() {
            let at = self.skip_spaces(line);
            let column = at - line;
            let end = self.line_end(at);
            if at == end && column <= indent {
                self.decoded.push('\n');
            } else if column < indent {
                break;
            } else {
                if !literal && !self.decoded.is_empty() {
                    // Blank and deeper lines follow rules of their own when lines are folded.
                    if column > indent || self.decoded.starts_with('\n') || self.decoded.ends_with("\n\n") {
                        return None;
                    }
                    self.decoded.pop();
                    self.decoded.push(' ');
                }
                self.decoded.push_str(self.text.get(line + indent..end)?);
                self.decoded.push('\n');
            }
            line = end + 1;
        }
        Some(line)
    }
}

/// The escapes of one letter that YAML and JSON share.
fn simple_escape(letter: u8) -> Option<char> {
    Some(match letter {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Tree;

    fn reads(text: &str) -> bool {
        let mut plain = Tree::default();
        let accepted = plain.parse_yaml_plainly(text);
        let mut full = Tree::default();
        full.parse_yaml_fully(text);
        assert!(!accepted || plain.outline(text) == full.outline(text), "{text:?}");
        accepted
    }

    #[test]
    fn what_manifests_are_written_in_is_read() {
        for text in [
            "",
            "# c\n",
            "a: b",
            "\u{feff}a: b\n",
            "a:\n- b\n- c: d\n  e:\nf: g\n",
            "- - x\n  - y\n-\n- z\n",
            "---\n---\n# c\n--- # d\na: 1\n...\nb: 2\n",
            "a: 'it''s' # c\nb: \"x\\n\"\n\"c\": d\n",
            "a: x:y#z # c\n",
            "a: [b, {c: 'd'}, []]\nb: {}\n",
            "a: |\n\n  b\n\n   c\n# d\ne: >-\n  f\n  g\nh: |+\n  i\n\n",
            "a: |-\n  b",
            "a : b\n",
            "é: ü\n",
            "http://x\n",
            "[a]\n",
        ] {
            assert!(reads(text), "{text:?}");
        }
    }

    #[test]
    fn all_else_is_given_up() {
        for text in [
            "a:\tb\n",
            "a: b\r\n",
            "a: b: c\n",
            "a: b\n  c\n",
            "a: &x b\n",
            "a: *x\n",
            "a: !t b\n",
            "%YAML 1.2\n---\n",
            "? a\n",
            "a: @b\n",
            "a: `b`\n",
            "a: \u{7}\n",
            "a: \u{7f}\n",
            "a: \u{85}\n",
            "a: 'b\n  c'\n",
            "a: {{ b }}\n",
            "a: [b,\n  c]\n",
            "a: [b: c]\n",
            "a: |2\n  b\n",
            "--- a\n",
            "a: - b\n",
            " a: b\nc: d\n",
            "a: b\nc\n",
            "a: \"b\" c\n",
            "a: \"b\"#c\n",
            "a: ]\n",
            "a: >\n  b\n\n  c\n",
            "a: >\n\n  b\n",
            "a: |\n  \u{a0}\nb: c\n",
            "a: b\n- c\n",
        ] {
            assert!(!reads(text), "{text:?}");
        }
        assert!(!reads(&format!("{}: a\n", "k".repeat(1030))));
        assert!(!reads(&format!("{}a\n", "- ".repeat(300))));
    }
}

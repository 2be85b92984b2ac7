//! Parts a Dockerfile into instructions as BuildKit's `parser` does: directives, continuations, comments, heredocs.
//!
//! Source: <https://github.com/moby/buildkit> (`frontend/dockerfile/parser`).

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
    pub(super) instructions: Vec<Instruction>,
    /// `\`, or what `# escape=` says.
    pub(super) escape: char,
    /// The image of `# syntax=`.
    pub(super) syntax: Option<Span>,
    /// Where a heredoc begins that never ends.
    pub(super) unterminated: Option<Span>,
}

/// Reads a whole file.
pub(super) fn scan(text: &str) -> Scan {
    let directives = Directives::read(text);
    let escape = directives.escape;
    let mut scan = Scan { instructions: Vec::new(), escape, syntax: directives.syntax, unterminated: None };
    let mut lines = Lines::new(text, directives.end);
    while let Some((start, line)) = lines.next() {
        let first = line.trim_start();
        if first.is_empty() || first.starts_with('#') {
            continue;
        }
        let mut instruction = Instruction::default();
        let mut continued = instruction.push(first, start + (line.len() - first.len()), escape);
        while continued && let Some((start, line)) = lines.next() {
            let content = line.trim_start();
            if !content.is_empty() && !content.starts_with('#') {
                continued = instruction.push(line, start, escape);
            }
        }
        if !heredocs(&instruction.text, escape).iter().all(|heredoc| lines.skip_heredoc(heredoc)) {
            scan.unterminated = Some(instruction.span(0, instruction.text.len()));
        }
        if !instruction.text.trim().is_empty() {
            scan.instructions.push(instruction);
        }
    }
    scan
}

/// Lines with their offset, without their end. A lone CR is no line end to BuildKit, unless the file has no other.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    end: u8,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str, at: usize) -> Self {
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

/// The directives at the top of the file.
struct Directives {
    escape: char,
    syntax: Option<Span>,
    /// Where the instructions begin.
    end: usize,
}

impl Directives {
    fn read(text: &str) -> Self {
        let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut found = Self { escape: '\\', syntax: None, end: start };
        let mut first = start;
        let mut lines = Lines::new(text, start);
        if let Some((_, line)) = lines.next()
            && line.starts_with("#!")
        {
            first = lines.at;
        }
        for (name, value, _) in block(text, start, "#") {
            if name.eq_ignore_ascii_case("escape") && text.get(value.range()) == Some("`") {
                found.escape = '`';
            }
        }
        for (marker, skip) in [("#", false), ("//", true)] {
            for (name, value, end) in block(text, first, marker) {
                if found.syntax.is_none() && name.eq_ignore_ascii_case("syntax") {
                    found.syntax = Some(first_word(text, value));
                }
                if skip {
                    found.end = end;
                }
            }
        }
        found
    }
}

/// `# syntax=image options`: the image alone.
fn first_word(text: &str, value: Span) -> Span {
    let start = value.start as usize;
    let word = text.get(value.range()).and_then(|value| value.split_whitespace().next()).unwrap_or_default();
    Span::new(start, start + word.len())
}

/// Name, value and end of the line of each directive from `start` to the first line that is none.
fn block<'t>(text: &'t str, start: usize, marker: &'t str) -> impl Iterator<Item = (&'t str, Span, usize)> {
    let mut lines = Lines::new(text, start);
    std::iter::from_fn(move || {
        let (start, line) = lines.next()?;
        let (name, value) = line.strip_prefix(marker)?.split_once('=')?;
        let name = name.trim();
        let mut letters = name.bytes();
        if !letters.next()?.is_ascii_alphabetic() || !letters.all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        let at = start + (line.len() - value.trim_start().len());
        let value = value.trim();
        if value.is_empty() {
            return None;
        }
        Some((name, Span::new(at, at + value.len()), lines.at.min(text.len())))
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Heredoc {
    name: String,
    strips_tabs: bool,
}

/// The heredocs that an instruction begins. None in exec form, and none where its quotes do not close: as BuildKit.
fn heredocs(text: &str, escape: char) -> Vec<Heredoc> {
    if !text.contains("<<") {
        return Vec::new();
    }
    let mut rest = text.trim();
    let mut keyword = rest.split_whitespace().next().unwrap_or_default();
    if keyword.eq_ignore_ascii_case("onbuild") {
        rest = rest.get(keyword.len()..).unwrap_or_default().trim_start();
        keyword = rest.split_whitespace().next().unwrap_or_default();
    }
    if !["run", "copy", "add"].iter().any(|name| keyword.eq_ignore_ascii_case(name)) {
        return Vec::new();
    }
    let mut arguments = rest.get(keyword.len()..).unwrap_or_default().trim();
    while arguments.starts_with("--")
        && let Some((_, behind)) = arguments.split_once(char::is_whitespace)
    {
        arguments = behind.trim_start();
    }
    if arguments.starts_with('[') && serde_json::from_str::<Vec<String>>(arguments).is_ok() {
        return Vec::new();
    }
    words(text, escape).unwrap_or_default().into_iter().filter_map(heredoc).collect()
}

/// `3<<-"NAME"`
fn heredoc(word: &str) -> Option<Heredoc> {
    let name = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
    let strips_tabs = name.starts_with('-');
    let name = name.strip_prefix('-').unwrap_or(name);
    if name.contains('<') {
        return None;
    }
    let name: String = name.chars().filter(|c| !matches!(c, '"' | '\'' | '\\')).collect();
    (!name.is_empty()).then_some(Heredoc { name, strips_tabs })
}

/// The words of a line with their quotes; `None` where a quote or a brace does not close.
pub(super) fn words(text: &str, escape: char) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut braces = 0_usize;
    let mut quote = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && braces == 0 && c.is_whitespace() {
            words.extend(start.take().and_then(|start| text.get(start..at)));
            continue;
        }
        start.get_or_insert(at);
        if c == escape && quote != Some('\'') {
            chars.next();
        } else if quote.is_some() {
            quote = quote.filter(|&q| q != c);
        } else if matches!(c, '"' | '\'') {
            quote = Some(c);
        } else if c == '$' && chars.next_if(|&(_, c)| c == '{').is_some() {
            braces += 1;
        } else if c == '}' {
            braces = braces.saturating_sub(1);
        }
    }
    words.extend(start.and_then(|start| text.get(start..)));
    (quote.is_none() && braces == 0).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        scan(text).instructions.into_iter().map(|instruction| instruction.text).collect()
    }

    #[test]
    fn lines_are_joined_and_bodies_skipped() {
        assert_eq!(texts("FROM a \\ \t\r\n# c\r\n\r\n  AS b\r\nRUN x"), ["FROM a   AS b", "RUN x"]);
        assert_eq!(texts("# escape=`\nRUN a `\n b\\\nRUN c"), ["RUN a  b\\", "RUN c"]);
        assert_eq!(texts("RUN a\\\\\nRUN b"), ["RUN a\\\\", "RUN b"]);
        assert_eq!(texts("RUN <<A 3<<-\"B\"\nFROM x\nA\nFROM y\n\tB\nRUN c"), ["RUN <<A 3<<-\"B\"", "RUN c"]);
        assert_eq!(texts("FROM a\rRUN b\r"), ["FROM a", "RUN b"]);
        assert_eq!(texts("# c\rRUN <<E\nFROM a\nE\n"), ["FROM a", "E"], "a lone CR does not end a comment");
    }

    #[test]
    fn what_only_looks_like_a_heredoc_hides_nothing() {
        for line in
            ["CMD <<E", "RUN [\"<<E\"]", "RUN \"<<E\"", "RUN cat <<<E", "RUN it's <<E", "RUN 1 << 2", "ENV a=<<E"]
        {
            assert_eq!(texts(&format!("{line}\nFROM a")).len(), 2, "{line}");
        }
        assert!(scan("RUN <<E\nFROM a").unterminated.is_some());
    }

    #[test]
    fn syntax_stands_in_the_block_at_the_top() {
        let syntax = |text: &str| scan(text).syntax.and_then(|span| text.get(span.range()).map(str::to_owned));
        for text in
            ["# syntax=a/b:1", "#SYNTAX = a/b:1 x\r\n", "\u{feff}# escape=`\n# syntax=a/b:1", "#!/x\n#syntax=a/b:1"]
        {
            assert_eq!(syntax(text).as_deref(), Some("a/b:1"), "{text}");
        }
        assert_eq!(syntax("// syntax=a/b:1\nFROM x").as_deref(), Some("a/b:1"));
        for text in ["# c\n# syntax=a", "\n# syntax=a", "FROM x\n# syntax=a", "# syntax="] {
            assert_eq!(syntax(text), None, "{text}");
        }
    }
}

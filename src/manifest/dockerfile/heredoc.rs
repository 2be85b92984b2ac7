//! Which heredocs an instruction begins: their bodies are no instructions.
//!
//! A body that is skipped by mistake hides images, so the words of the line are split exactly as BuildKit does it, with
//! its quirks. Source: <https://github.com/moby/buildkit> (`parser/parser.go`, `shell/lex.go`).

use std::iter::Peekable;
use std::str::Chars;

use super::flags::Flags;
use super::lines::keyword;

/// Deepest `${A:-${B:-…}}` that is followed.
const MAX_DEPTH: usize = 32;

/// A heredoc: what its last line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heredoc {
    pub(super) name: String,
    /// `<<-`: tabs before the last line do not count.
    pub(super) strips_tabs: bool,
}

/// Why the words of a line are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// BuildKit cannot read it either.
    Syntax,
    /// Nested deeper than is followed here.
    TooDeep,
}

/// The heredocs of an instruction, in order; an error where BuildKit refuses the line or it is nested too deep.
///
/// An exec form (`RUN ["…"]`) needs no case: no word of a JSON array begins with `<<`, its quotes being kept.
pub(super) fn heredocs(instruction: &str) -> Result<Vec<Heredoc>, Broken> {
    if !instruction.contains("<<") || !can_hold_heredoc(instruction) {
        return Ok(Vec::new());
    }
    let words = match Lexer::words(instruction, true) {
        Ok(words) => words,
        // BuildKit drops this error, and with it every heredoc of the line.
        Err(Broken::Syntax) => return Ok(Vec::new()),
        Err(Broken::TooDeep) => return Err(Broken::TooDeep),
    };
    words.iter().filter_map(|word| heredoc(word).transpose()).collect()
}

fn can_hold_heredoc(instruction: &str) -> bool {
    let mut name = keyword(instruction, 0);
    if name.is("onbuild") {
        name = keyword(instruction, Flags::new(instruction, name.arguments, '\\').end());
    }
    ["run", "copy", "add"].into_iter().any(|holder| name.is(holder))
}

/// `3<<-"NAME"`, from a word with its quotes and escapes.
fn heredoc(word: &str) -> Result<Option<Heredoc>, Broken> {
    let Some(rest) = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<") else { return Ok(None) };
    let strips_tabs = rest.starts_with('-');
    let rest = rest.strip_prefix('-').unwrap_or(rest).trim_start_matches(['\t', '\n', '\u{c}', '\r', ' ']);
    if rest.contains('<') || rest.is_empty() {
        return Ok(None);
    }
    let mut names = Lexer::words(rest, false)?;
    let name = names.pop().filter(|_| names.is_empty());
    Ok(name.map(|name| Heredoc { name, strips_tabs }))
}

/// BuildKit's shell lexer in the state it finds heredocs in: no variable is set, and one that is not set stays as it is.
struct Lexer<'t> {
    chars: Peekable<Chars<'t>>,
    keeps_quotes: bool,
    keeps_escapes: bool,
    /// The word that is being read. One buffer serves every depth, so a nested `${A:-…}` empties it: a quirk kept.
    word: String,
    words: Vec<String>,
}

impl<'t> Lexer<'t> {
    /// The words of a text; `raw` keeps quotes and escapes.
    fn words(text: &'t str, raw: bool) -> Result<Vec<String>, Broken> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let chars = text.chars().peekable();
        let mut lexer = Self { chars, keeps_quotes: raw, keeps_escapes: raw, word: String::new(), words: Vec::new() };
        while let Some(&c) = lexer.chars.peek() {
            match c {
                '$' => lexer.dollar(0)?.chars().for_each(|c| lexer.push(c)),
                '<' | '\'' | '"' => {
                    let text = lexer.special(c, 0)?;
                    lexer.word.push_str(&text);
                }
                '\\' => {
                    let text = lexer.escaped();
                    lexer.word.push_str(&text);
                }
                c => {
                    lexer.chars.next();
                    lexer.push(c);
                }
            }
        }
        lexer.end_word();
        Ok(lexer.words)
    }

    fn push(&mut self, c: char) {
        if c.is_whitespace() { self.end_word() } else { self.word.push(c) }
    }

    fn end_word(&mut self) {
        if !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    /// Text up to `stop`, which is consumed.
    fn until(&mut self, stop: char, keeps_escapes: bool, depth: usize) -> Result<String, Broken> {
        if depth > MAX_DEPTH {
            return Err(Broken::TooDeep);
        }
        let before = std::mem::replace(&mut self.keeps_escapes, keeps_escapes);
        let mut text = String::new();
        loop {
            match *self.chars.peek().ok_or(Broken::Syntax)? {
                c if c == stop => break,
                '$' => text.push_str(&self.dollar(depth)?),
                c @ ('<' | '\'' | '"') => text.push_str(&self.special(c, depth)?),
                '\\' => text.push_str(&self.escaped()),
                c => {
                    self.chars.next();
                    text.push(c);
                }
            }
        }
        self.chars.next();
        self.keeps_escapes = before;
        self.word.clear();
        Ok(text)
    }

    fn escaped(&mut self) -> String {
        let escape = self.chars.next().filter(|_| self.keeps_escapes);
        escape.into_iter().chain(self.chars.next()).collect()
    }

    fn special(&mut self, c: char, depth: usize) -> Result<String, Broken> {
        match c {
            '"' => self.double_quoted(depth),
            '\'' => self.single_quoted(),
            _ => Ok(self.angles()),
        }
    }

    /// `<<` takes the blanks behind it into the word.
    fn angles(&mut self) -> String {
        let mut text: String = self.chars.next().into_iter().collect();
        if let Some(second) = self.chars.next_if_eq(&'<') {
            text.push(second);
            while let Some(blank) = self.chars.next_if(|c| matches!(c, '\t' | '\r' | ' ')) {
                text.push(blank);
            }
        }
        text
    }

    fn single_quoted(&mut self) -> Result<String, Broken> {
        let mut text: String = self.chars.next().filter(|_| self.keeps_quotes).into_iter().collect();
        loop {
            match self.chars.next().ok_or(Broken::Syntax)? {
                '\'' => break,
                c => text.push(c),
            }
        }
        text.extend(self.keeps_quotes.then_some('\''));
        Ok(text)
    }

    fn double_quoted(&mut self, depth: usize) -> Result<String, Broken> {
        let mut text: String = self.chars.next().filter(|_| self.keeps_quotes).into_iter().collect();
        loop {
            match *self.chars.peek().ok_or(Broken::Syntax)? {
                '"' => break,
                '$' => text.push_str(&self.dollar(depth)?),
                c => {
                    self.chars.next();
                    let escaped = self.chars.next_if(|next| c == '\\' && matches!(next, '"' | '$' | '\\'));
                    text.extend((escaped.is_none() || self.keeps_escapes).then_some(c));
                    text.extend(escaped);
                }
            }
        }
        self.chars.next();
        text.extend(self.keeps_quotes.then_some('"'));
        Ok(text)
    }

    /// A variable as it is written.
    fn dollar(&mut self, depth: usize) -> Result<String, Broken> {
        self.chars.next();
        if self.chars.next_if_eq(&'{').is_none() {
            return Ok(format!("${}", name(&mut self.chars)));
        }
        if self.chars.peek().is_none_or(|c| matches!(c, '{' | '}' | ':')) {
            return Err(Broken::Syntax);
        }
        let name = name(&mut self.chars);
        let depth = depth + 1;
        match self.chars.next().ok_or(Broken::Syntax)? {
            '}' => Ok(format!("${{{name}}}")),
            ':' => {
                let operator = self.chars.next().filter(|c| !matches!(c, '#' | '%')).ok_or(Broken::Syntax)?;
                Ok(format!("${{{name}:{operator}{}}}", self.until('}', false, depth)?))
            }
            operator @ ('+' | '-' | '?' | '#' | '%') => {
                let keeps_escapes = matches!(operator, '#' | '%');
                Ok(format!("${{{name}{operator}{}}}", self.until('}', keeps_escapes, depth)?))
            }
            '/' => {
                self.chars.next_if_eq(&'/');
                let pattern = self.until('/', true, depth)?;
                Ok(format!("${{{name}/{pattern}/{}}}", self.until('}', true, depth)?))
            }
            _ => Err(Broken::Syntax),
        }
    }
}

/// The name behind a `$`: a special parameter, digits, or a word.
pub(super) fn name(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    if let Some(special) = chars.next_if(|c| matches!(c, '@' | '*' | '#' | '?' | '-' | '$' | '!')) {
        name.push(special);
    } else if chars.peek().is_some_and(char::is_ascii_digit) {
        name.extend(std::iter::from_fn(|| chars.next_if(char::is_ascii_digit)));
    } else {
        name.extend(std::iter::from_fn(|| chars.next_if(|&c| c.is_alphanumeric() || c == '_')));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(instruction: &str) -> Vec<String> {
        let found = heredocs(instruction).unwrap_or_else(|error| panic!("{instruction}: {error:?}"));
        found.into_iter().map(|doc| format!("{}{}", if doc.strips_tabs { "-" } else { "" }, doc.name)).collect()
    }

    #[test]
    fn heredocs_are_those_of_buildkit() {
        for (line, expected) in [
            ("RUN <<E", &["E"][..]),
            ("run  <<-E cat", &["-E"]),
            ("RUN <<A 3<<-\"B\" cat", &["A", "-B"]),
            ("RUN <<'E F'", &["E F"]),
            ("RUN <<\\E", &["E"]),
            ("RUN cat << E > $HOME/x", &["E"]),
            ("RUN echo $((1 << 2))", &["2))"]),
            ("RUN cat <<E > ${HOME}/x", &["E"]),
            ("RUN cat <<E > ${A:-\"b c\"}/x", &["E"]),
            ("COPY --chown='a <<X b' <<E /x", &["E"]),
            ("ADD <<E /x", &["E"]),
            ("ONBUILD COPY <<E /x", &["E"]),
            ("ONBUILD -- RUN <<E", &["E"]),
            ("RUN <<$X", &["$X"]),
        ] {
            assert_eq!(names(line), expected, "{line}");
        }
    }

    #[test]
    fn what_only_looks_like_a_heredoc_hides_nothing() {
        for line in [
            "CMD <<E",
            "ENV a=<<E",
            "ONBUILD ONBUILD RUN <<E",
            "RUN [\"<<E\"]",
            "RUN \"<<E\"",
            "RUN a\\ <<E",
            "RUN a<<E",
            "RUN cat <<<E",
            "RUN it's <<E",
            "RUN ${} <<E",
            "RUN <<",
            "RUN <<\"\"",
            "RUN <<E${X:-d}",
        ] {
            assert_eq!(names(line), [""; 0], "{line}");
        }
        assert_eq!(heredocs(&format!("RUN {} <<E", "${a:-".repeat(100_000))), Err(Broken::TooDeep));
    }
}

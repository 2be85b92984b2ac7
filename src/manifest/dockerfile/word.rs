//! The words of an `ARG`, and one word expanded as BuildKit's `shell` package does it: quotes, escapes, defaults.
//!
//! Source: <https://github.com/moby/buildkit> (`parser/line_parsers.go`, `shell/lex.go`).

use std::collections::HashMap;
use std::iter::Peekable;
use std::ops::Range;
use std::str::Chars;

use super::heredoc::name;
use crate::source::Span;

/// Longest text that is expanded, in bytes: more is no reference. Keeps doubling defaults small.
const MAX_LENGTH: usize = 1024;
/// Deepest `${A:-${B:-…}}`.
const MAX_DEPTH: usize = 16;
/// Most declarations that are named beside an image.
const MAX_DECLARED: usize = 8;

/// A declared argument.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) value: Value,
    /// Where it is declared.
    pub(super) span: Span,
}

/// What an argument stands for when the build is not given another value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Its default, expanded; may be empty.
    Default(String),
    /// Declared without a default: not set.
    Unset,
    /// It is set to a text that cannot be told. Why: for people.
    Unknown(String),
}

/// The arguments declared so far.
pub(super) type Arguments = HashMap<String, Argument>;

/// What a word stands for.
#[derive(Debug, Default)]
pub(super) struct Expansion {
    pub(super) text: String,
    /// A variable stands in it.
    pub(super) variable: bool,
    /// Why the text is not known.
    pub(super) undecided: Option<String>,
    /// Where the variables that took part are declared: name and place. The first few.
    pub(super) declared: Vec<(String, Span)>,
}

/// Expands a word.
pub(super) fn expand(word: &str, escape: char, arguments: &Arguments) -> Expansion {
    let mut lexer =
        Lexer { chars: word.chars().peekable(), escape, arguments, broken: None, out: Expansion::default() };
    let text = lexer.text(None, 0);
    let mut out = lexer.out;
    out.text = text;
    out.undecided = lexer.broken.map(str::to_owned).or(out.undecided);
    out
}

/// The ranges of the words of an `ARG`: parted at white space outside quotes. Braces hold nothing together.
pub(super) fn words(text: &str, start: usize, escape: char) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut word = None;
    let mut quote = None;
    let mut chars = text.get(start..).unwrap_or_default().char_indices().map(|(at, c)| (start + at, c));
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && c.is_whitespace() {
            words.extend(word.take().map(|start| start..at));
            continue;
        }
        word.get_or_insert(at);
        if c == escape && quote != Some('\'') {
            if chars.next().is_none() {
                // An escape that escapes nothing is dropped.
                words.extend(word.take().map(|start| start..at));
            }
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '"' | '\'') {
            quote = Some(c);
        }
    }
    words.extend(word.map(|start| start..text.len()));
    words
}

struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    escape: char,
    arguments: &'a Arguments,
    /// Why the whole word cannot be read, whatever its variables stand for.
    broken: Option<&'static str>,
    out: Expansion,
}

impl Lexer<'_> {
    fn undecided(&mut self, why: impl Into<String>) {
        self.out.undecided.get_or_insert(why.into());
    }

    /// Reads no further.
    fn give_up(&mut self, why: &'static str) {
        self.broken.get_or_insert(why);
        self.chars = "".chars().peekable();
    }

    /// Text up to `stop` or the end; `stop` is consumed.
    fn text(&mut self, stop: Option<char>, depth: usize) -> String {
        let mut text = String::new();
        let mut quoted = false;
        while let Some(c) = self.chars.next() {
            match c {
                '"' => quoted = !quoted,
                '\'' if !quoted => self.single_quoted(&mut text),
                '$' => text.push_str(&self.variable(depth)),
                c if c == self.escape => self.escaped(quoted, &mut text),
                c if Some(c) == stop && !quoted => return text,
                c => text.push(c),
            }
            if text.len() > MAX_LENGTH {
                text.truncate(text.floor_char_boundary(MAX_LENGTH));
                self.give_up("it is longer than any image reference");
            }
        }
        if quoted || stop.is_some() {
            self.give_up("a quote or a brace does not close");
        }
        text
    }

    fn single_quoted(&mut self, text: &mut String) {
        loop {
            match self.chars.next() {
                Some('\'') => return,
                Some(c) if text.len() <= MAX_LENGTH => text.push(c),
                Some(_) => {}
                None => return self.give_up("a quote does not close"),
            }
        }
    }

    fn escaped(&mut self, quoted: bool, text: &mut String) {
        match self.chars.next() {
            Some(c) if quoted && c != '"' && c != '$' && c != self.escape => text.extend([self.escape, c]),
            Some(c) => text.push(c),
            None => {}
        }
    }

    /// What stands after a `$`.
    fn variable(&mut self, depth: usize) -> String {
        let braced = self.chars.next_if_eq(&'{').is_some();
        let name = name(&mut self.chars);
        if name.is_empty() && !braced {
            return "$".to_owned();
        }
        self.out.variable = true;
        if !braced {
            return self.value(&name);
        }
        if depth >= MAX_DEPTH {
            self.give_up("its variables are nested too deep");
            return String::new();
        }
        let colon = self.chars.next_if_eq(&':').is_some();
        match self.chars.next() {
            Some('}') if !colon && !name.is_empty() => self.value(&name),
            Some(operator @ ('-' | '+' | '?')) => self.alternative(&name, operator, colon, depth),
            Some('#' | '%' | '/') if !colon => {
                self.undecided(format!(
                    "`${{{name}…}}` cuts or replaces text, which is not followed here: name the image"
                ));
                self.text(Some('}'), depth + 1);
                String::new()
            }
            _ => {
                self.give_up("`${…}` has no name or an operator that does not exist");
                String::new()
            }
        }
    }

    fn declared(&mut self, name: &str, span: Span) {
        let declared = &mut self.out.declared;
        if declared.len() < MAX_DECLARED && !declared.iter().any(|(known, _)| known == name) {
            declared.push((name.to_owned(), span));
        }
    }

    /// What a variable stands for by itself.
    fn value(&mut self, name: &str) -> String {
        let argument = self.arguments.get(name);
        if let Some(argument) = argument {
            self.declared(name, argument.span);
        }
        match argument.map(|argument| &argument.value) {
            Some(Value::Default(text)) => return text.clone(),
            Some(Value::Unknown(why)) => self.undecided(why.clone()),
            _ if is_platform(name) => self.undecided(format!("`{name}` is the platform that is built on or for")),
            Some(Value::Unset) => self.undecided(format!("`{name}` has no default: give the ARG one")),
            None => self.undecided(format!("`{name}` is declared by no ARG above the first FROM")),
        }
        String::new()
    }

    /// `${X:-d}` and its like: `d` is read in any case, and counts where it is taken.
    fn alternative(&mut self, name: &str, operator: char, colon: bool, depth: usize) -> String {
        let before = (self.out.undecided.clone(), self.out.declared.len());
        let alternative = self.text(Some('}'), depth + 1);
        let argument = self.arguments.get(name);
        let is_set = match argument.map(|argument| &argument.value) {
            Some(Value::Default(text)) => Some(!colon || !text.is_empty()),
            // Set, but perhaps to nothing.
            Some(Value::Unknown(_)) => (!colon).then_some(true),
            _ if is_platform(name) => None,
            Some(Value::Unset) | None => Some(false),
        };
        let takes_alternative = matches!((operator, is_set), ('-', Some(false)) | ('+', Some(true)));
        if takes_alternative {
            if let Some(argument) = argument {
                self.declared(name, argument.span);
            }
            return alternative;
        }
        self.out.undecided = before.0;
        self.out.declared.truncate(before.1);
        match (operator, is_set) {
            ('+', Some(false)) => String::new(),
            ('?', Some(false)) => {
                self.undecided(format!("`{name}` must be given to the build: give the ARG a default"));
                String::new()
            }
            ('+', None) => {
                self.value(name);
                self.undecided(format!("whether `{name}` is set is not known"));
                String::new()
            }
            _ => self.value(name),
        }
    }
}

/// The arguments BuildKit sets itself.
fn is_platform(name: &str) -> bool {
    let rest = name.strip_prefix("TARGET").or_else(|| name.strip_prefix("BUILD"));
    rest.is_some_and(|rest| matches!(rest, "PLATFORM" | "OS" | "OSVERSION" | "ARCH" | "VARIANT"))
        || name == "TARGETSTAGE"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> Arguments {
        [
            ("A", Value::Default("a".to_owned())),
            ("EMPTY", Value::Default(String::new())),
            ("UNSET", Value::Unset),
            ("UNKNOWN", Value::Unknown("because".to_owned())),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Argument { value, span: Span::default() }))
        .collect()
    }

    #[test]
    fn words_expand_as_in_buildkit() {
        for (word, expected) in [
            ("x", "x"),
            ("$A-${A}", "a-a"),
            ("'$A'\"$A'\"\\$A\"\\x\\\"\"", "$Aa'$A\\x\""),
            ("${A:-b}${A-b}${A:+b}${A+b}${A:?b}${A?b}", "aabbaa"),
            ("${EMPTY:-b}${EMPTY-b}${EMPTY:+b}${EMPTY+c}", "bc"),
            ("${UNSET:-b}${UNSET-c}${UNSET:+d}${UNSET+e}", "bc"),
            ("${NONE:-b}${NONE-c}${NONE+e}", "bc"),
            ("${UNKNOWN+b}", "b"),
            ("${NONE:-${NONE:-\"}\"$A}}", "}a"),
            ("${A:-$NONE}${A:-${NONE}}", "aa"),
            ("a$", "a$"),
            ("a\\", "a"),
        ] {
            let found = expand(word, '\\', &arguments());
            assert_eq!((found.text.as_str(), found.undecided), (expected, None), "{word}");
        }
        assert_eq!(expand("`$A\\", '`', &arguments()).text, "$A\\");
    }

    #[test]
    fn what_is_not_known_is_said() {
        for word in [
            "$NONE",
            "${UNSET}",
            "$UNKNOWN",
            "${UNKNOWN:-x}",
            "${UNKNOWN-x}",
            "${UNKNOWN:+x}",
            "${UNSET?x}",
            "${EMPTY:?x}",
            "${TARGETARCH-x}",
            "${TARGETARCH:+x}",
            "${A%x}",
            "${A/x/y}",
            "${A:1}",
            "${}",
            "${",
            "${A",
            "${A-",
            "\"a",
            "'a",
            "${A:-'}",
            "$1",
            "$$",
            "$é",
        ] {
            assert!(expand(word, '\\', &arguments()).undecided.is_some(), "{word}");
        }
    }

    #[test]
    fn hostile_words_stay_small() {
        for word in ["${A:-".repeat(100_000), "a".repeat(10 << 20), format!("'{}'", "a".repeat(10 << 20))] {
            let found = expand(&word, '\\', &arguments());
            assert!(found.undecided.is_some() && found.text.len() <= MAX_LENGTH);
        }
        assert_eq!(expand(&"$EMPTY$A".repeat(500), '\\', &arguments()).declared.len(), 2);
    }

    #[test]
    fn words_of_an_argument_are_parted_outside_quotes() {
        for (text, expected) in [
            ("A B=1", &["A", "B=1"][..]),
            ("A='x y' \"B\"=z", &["A='x y'", "\"B\"=z"]),
            ("A=x\\ y", &["A=x\\ y"]),
            ("A=${B:-x y}", &["A=${B:-x", "y}"]),
            ("A='x y", &["A='x y"]),
            ("A=x\\", &["A=x"]),
            ("", &[]),
        ] {
            let found: Vec<_> = words(text, 0, '\\').into_iter().filter_map(|range| text.get(range)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}

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
/// Most alternatives of a word whose end is looked for: each time the rest of the word is counted.
pub(super) const MAX_ENDS: usize = 8;

/// A declared argument.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) value: Value,
    /// Where it is declared.
    pub(super) span: Span,
    /// Where its default ends in another one, then where it ends itself: name of the argument, and its bytes.
    pub(super) ends: Vec<(String, Span)>,
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
    /// Where the text ends inside of a variable that it ends with: the innermost first.
    pub(super) ends: Vec<End>,
}

/// A place behind which something can be added, so that the whole ends in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Behind the default of an argument: its name, and its bytes.
    Default(String, Span),
    /// Behind what stands after an operator, before this byte of the word.
    Word(usize),
}

/// Expands a word.
pub(super) fn expand(word: &str, escape: char, arguments: &Arguments) -> Expansion {
    let (chars, out) = (word.chars().peekable(), Expansion::default());
    let mut lexer = Lexer { length: word.len(), chars, escape, arguments, broken: None, out, counted: 0 };
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
    /// Of the whole word, in bytes.
    length: usize,
    chars: Peekable<Chars<'a>>,
    escape: char,
    arguments: &'a Arguments,
    /// Why the whole word cannot be read, whatever its variables stand for.
    broken: Option<&'static str>,
    out: Expansion,
    /// How often the rest was counted.
    counted: usize,
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
            let length = text.len();
            match c {
                '"' => quoted = !quoted,
                '\'' if !quoted => self.single_quoted(&mut text),
                '$' => {
                    let ends = std::mem::take(&mut self.out.ends);
                    let value = self.variable(depth);
                    if value.is_empty() {
                        self.out.ends = ends;
                    }
                    text.push_str(&value);
                }
                c if c == self.escape => self.escaped(quoted, &mut text),
                c if Some(c) == stop && !quoted => return text,
                c => text.push(c),
            }
            if c != '$' && text.len() > length {
                self.out.ends.clear();
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
        match argument.map(|argument| (&argument.value, &argument.ends)) {
            Some((Value::Default(text), ends)) => {
                self.out.ends = ends.iter().map(|(name, span)| End::Default(name.clone(), *span)).collect();
                return text.clone();
            }
            Some((Value::Unknown(why), _)) => self.undecided(why.clone()),
            _ if is_platform(name) => self.undecided(format!("`{name}` is the platform that is built on or for")),
            Some((Value::Unset, _)) => self.undecided(format!("`{name}` has no default: give the ARG one")),
            None => self.undecided(format!("`{name}` is declared by no ARG above the first FROM")),
        }
        String::new()
    }

    /// Notes that an alternative ends before the brace that was read last.
    fn end_here(&mut self) {
        self.counted += 1;
        if self.counted <= MAX_ENDS {
            let left: usize = self.chars.clone().map(char::len_utf8).sum();
            self.out.ends.extend(self.length.checked_sub(left + 1).map(End::Word));
        }
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
            self.end_here();
            return alternative;
        }
        self.out.ends.clear();
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
        .map(|(name, value)| {
            let ends = vec![(name.to_owned(), Span::new(1, 2))];
            (name.to_owned(), Argument { value, span: Span::default(), ends })
        })
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
    fn what_is_behind_the_ends_ends_the_whole() {
        let default = End::Default("A".to_owned(), Span::new(1, 2));
        for (word, expected) in [
            ("x$A", vec![default.clone()]),
            ("\"x${A}\"", vec![default.clone()]),
            ("x$A$EMPTY", vec![default.clone()]),
            ("${A:-y}", vec![default.clone()]),
            ("${NONE:-y}", vec![End::Word(9)]),
            ("é${NONE:-${UNSET-$A}}", vec![default, End::Word(20), End::Word(21)]),
            ("$A\\x", vec![]),
            ("$A''", vec![End::Default("A".to_owned(), Span::new(1, 2))]),
            ("$A'x'", vec![]),
            ("${NONE:-y}z", vec![]),
            ("x$EMPTY", vec![]),
        ] {
            assert_eq!(expand(word, '\\', &arguments()).ends, expected, "{word}");
        }
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

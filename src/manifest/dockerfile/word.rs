//! One word of an instruction as BuildKit's `shell` package reads it: quotes, escapes and `ARG` defaults.
//!
//! Source: <https://github.com/moby/buildkit> (`frontend/dockerfile/shell/lex.go`).

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

use crate::source::Span;

/// Longest text that is expanded, in bytes: more is no reference. Keeps doubling defaults small.
const MAX_LENGTH: usize = 1024;
/// Deepest `${A:-${B:-…}}`.
const MAX_DEPTH: usize = 16;

/// A declared argument.
#[derive(Debug)]
pub(super) struct Argument {
    /// The default, or why it is not known.
    pub(super) value: Result<String, String>,
    /// Where it is declared.
    pub(super) span: Span,
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
    /// Where the variables that took part are declared: name and place.
    pub(super) declared: Vec<(String, Span)>,
}

/// Expands a word.
pub(super) fn expand(word: &str, escape: char, arguments: &Arguments) -> Expansion {
    let mut lexer = Lexer { chars: word.chars().peekable(), escape, arguments, out: Expansion::default() };
    let text = lexer.text(None, 0);
    let mut out = lexer.out;
    out.text = text;
    out
}

struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    escape: char,
    arguments: &'a Arguments,
    out: Expansion,
}

impl Lexer<'_> {
    fn undecided(&mut self, why: impl Into<String>) {
        self.out.undecided.get_or_insert(why.into());
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
                self.undecided("its text is longer than any image reference");
                text.truncate(text.floor_char_boundary(MAX_LENGTH));
            }
        }
        if quoted || stop.is_some() {
            self.undecided("a quote or a brace does not close");
        }
        text
    }

    fn single_quoted(&mut self, text: &mut String) {
        loop {
            match self.chars.next() {
                Some('\'') => return,
                Some(c) if text.len() <= MAX_LENGTH => text.push(c),
                Some(_) => {}
                None => return self.undecided("a quote does not close"),
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
        let mut name = String::new();
        while let Some(c) = self.chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        if name.is_empty() && !braced {
            return "$".to_owned();
        }
        self.out.variable = true;
        if !braced {
            return self.value(&name);
        }
        if depth >= MAX_DEPTH {
            self.undecided("its variables are nested too deep");
            self.chars.by_ref().for_each(drop);
            return String::new();
        }
        let colon = self.chars.next_if_eq(&':').is_some();
        match self.chars.next() {
            Some('}') if !colon && !name.is_empty() => self.value(&name),
            Some(operator @ ('-' | '+' | '?')) => self.alternative(&name, operator, colon, depth),
            _ => {
                self.undecided(format!("`${{{name}…}}` has an operator that is not followed here"));
                self.text(Some('}'), depth + 1);
                String::new()
            }
        }
    }

    /// The default of an argument.
    fn value(&mut self, name: &str) -> String {
        match self.arguments.get(name) {
            Some(Argument { value, span }) => {
                self.out.declared.push((name.to_owned(), *span));
                match value {
                    Ok(text) => return text.clone(),
                    Err(why) => self.undecided(why.clone()),
                }
            }
            None if is_platform(name) => self.undecided(format!("`{name}` is the platform that is built on or for")),
            None => self.undecided(format!("`{name}` is declared by no ARG above the first FROM")),
        }
        String::new()
    }

    /// `${X:-d}` and its like: `d` is read in any case, and counts where it is taken.
    fn alternative(&mut self, name: &str, operator: char, colon: bool, depth: usize) -> String {
        let before = (self.out.undecided.clone(), self.out.declared.len());
        let alternative = self.text(Some('}'), depth + 1);
        let argument = self.arguments.get(name);
        let unknown =
            is_platform(name) || argument.is_some_and(|argument| argument.value.is_err() && has_default(argument));
        let value = argument.and_then(|argument| argument.value.as_ref().ok());
        let is_set = value.is_some_and(|value| !colon || !value.is_empty());
        if !unknown && ((operator == '-' && !is_set) || (operator == '+' && is_set)) {
            self.out.declared.extend(argument.map(|argument| (name.to_owned(), argument.span)));
            return alternative;
        }
        self.out.undecided = before.0;
        self.out.declared.truncate(before.1);
        if operator == '+' && !unknown { String::new() } else { self.value(name) }
    }
}

/// Whether an argument without a known value was given a default that could not be read.
fn has_default(argument: &Argument) -> bool {
    argument.value.as_ref().is_err_and(|why| !why.ends_with(NO_DEFAULT))
}

/// How the reason for an argument that has no default ends.
pub(super) const NO_DEFAULT: &str = "has no default: give the ARG one";

/// The arguments BuildKit sets itself.
fn is_platform(name: &str) -> bool {
    let rest = name.strip_prefix("TARGET").or_else(|| name.strip_prefix("BUILD"));
    rest.is_some_and(|rest| matches!(rest, "PLATFORM" | "OS" | "OSVERSION" | "ARCH" | "VARIANT"))
        || name == "TARGETSTAGE"
}

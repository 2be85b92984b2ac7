//! Compose interpolation: what `$A`, `${A:-x}` and their like stand for, read exactly as compose-go reads them.
//!
//! Source: <https://github.com/compose-spec/compose-go> (`template/template.go`).

use std::ops::Range;
use std::sync::Arc;

use super::slot::{Ending, Form};
use crate::source::{Place, Span};

/// Deepest nesting of defaults; people write two.
const MAX_DEPTH: usize = 32;
/// Most bytes that variables may add: more than any reference has, so that a short file cannot grow without end.
const MAX_EXPANDED: usize = 1024;

/// The value of a variable, and where it is committed.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) text: Arc<str>,
    pub(crate) place: Place,
    /// Where it ends in the values of other variables, or in a default: the innermost first.
    pub(crate) inner_ends: Vec<Ending>,
}

/// The value of a variable; `None` where it is unset, and the reason where nobody can tell.
pub(crate) type Lookup<'a> = dyn Fn(&str) -> Result<Option<Value>, String> + 'a;

/// A text with its variables replaced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interpolated {
    pub(crate) text: String,
    /// The variables that took part, in the order in which they were asked for.
    pub(crate) variables: Vec<Variable>,
    /// Where the text ends inside of a variable that it ends with: the innermost first.
    pub(crate) ends: Vec<End>,
}

/// A place behind which something can be added, so that the whole ends in it.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// Behind a committed value.
    Value(Ending),
    /// Behind a default, before this byte of the text.
    Default(usize),
}

impl End {
    /// Where it is; `None` where it is in `text`, and that does not stand byte by byte at `at`, in the value of `name`.
    pub(crate) fn at(&self, at: &Place, text: &str, name: &str) -> Option<Ending> {
        match self {
            Self::Value(ending) => Some(ending.clone()),
            Self::Default(end) => {
                let start = at.span.start as usize;
                let place = Place::new(&at.source, Span::new(start, start + end));
                (at.text() == text).then(|| Ending { place, name: name.to_owned(), form: Form::Text })
            }
        }
    }
}

/// A variable that took part, and what decided it.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) decided: Decided,
}

/// What decided a variable.
#[derive(Clone, Debug)]
pub(crate) enum Decided {
    /// A committed value.
    Value(Place),
    /// A default in the text.
    Default,
    /// Being unset, in `${A:+x}`: it adds nothing.
    Nothing,
}

/// Why a text cannot be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undecided {
    #[error("`{0}` is not an interpolation; a `$` of its own is written `$$`")]
    Invalid(String),
    #[error("the variable `{0}` has neither a default nor a committed value")]
    Unset(String),
    #[error("the variable `{0}` is required and has no committed value")]
    Required(String),
    #[error("{0}")]
    Unknown(String),
    #[error("releases of Compose disagree where the default in `{0}` ends: leave the inner `{{` away")]
    Ambiguous(String),
    #[error("defaults are nested deeper than {MAX_DEPTH}")]
    Deep,
    #[error("its variables add more than {MAX_EXPANDED} bytes")]
    Long,
}

/// Replaces the variables of a decoded text.
pub(crate) fn interpolate(text: &str, lookup: &Lookup<'_>) -> Result<Interpolated, Undecided> {
    let mut expansion = Expansion { text, lookup, added: 0, result: Interpolated::default() };
    expansion.expand(0..text.len(), 0)?;
    Ok(expansion.result)
}

struct Expansion<'a> {
    text: &'a str,
    lookup: &'a Lookup<'a>,
    /// Bytes that came from values.
    added: usize,
    result: Interpolated,
}

/// What stands behind the name in `${NAME…}`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Default,
    Alternative,
    Required,
}

impl Expansion<'_> {
    fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    fn literal(&mut self, range: Range<usize>) {
        let text = self.text.get(range).unwrap_or_default();
        self.result.text.push_str(text);
        if !text.is_empty() {
            self.result.ends.clear();
        }
    }

    fn expand(&mut self, range: Range<usize>, depth: usize) -> Result<(), Undecided> {
        if depth > MAX_DEPTH {
            return Err(Undecided::Deep);
        }
        let mut at = range.start;
        while let Some(found) = self.slice(at..range.end).find('$') {
            let dollar = at + found;
            self.literal(at..dollar);
            let rest = self.slice(dollar + 1..range.end);
            at = if rest.starts_with('$') {
                self.literal(dollar..dollar + 1);
                dollar + 2
            } else if rest.starts_with('{') {
                self.braced(dollar..range.end, depth)?
            } else {
                let end = dollar + 1 + name_length(rest);
                if end == dollar + 1 {
                    self.literal(dollar..dollar + 1);
                } else {
                    self.plain(dollar + 1..end)?;
                }
                end
            };
        }
        self.literal(at..range.end);
        Ok(())
    }

    /// Replaces the `${…}` that `range` begins with; gives the offset behind it.
    fn braced(&mut self, range: Range<usize>, depth: usize) -> Result<usize, Undecided> {
        let start = range.start + 2;
        let end = start + name_length(self.slice(start..range.end));
        let (colon, rest) = match self.slice(end..range.end) {
            _ if start == end => return Err(self.invalid(range)),
            rest if rest.starts_with('}') => {
                self.plain(start..end)?;
                return Ok(end + 1);
            }
            rest => rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest)),
        };
        let operator = match rest.as_bytes().first() {
            Some(b'-') => Operator::Default,
            Some(b'+') => Operator::Alternative,
            Some(b'?') => Operator::Required,
            _ => return Err(self.invalid(range)),
        };
        let word = end + usize::from(colon) + 1;
        let close = self.closing_brace(range.start, word..range.end)?;
        self.operate(self.slice(start..end).to_owned(), colon, operator, word..close, depth)?;
        Ok(close + 1)
    }

    /// The offset of the brace that ends the word beginning at `range`. A word ends on its line.
    fn closing_brace(&self, dollar: usize, range: Range<usize>) -> Result<usize, Undecided> {
        let line = self.slice(range.clone());
        let line = line.get(..line.find('\n').unwrap_or(line.len())).unwrap_or_default();
        let close = balanced(line, "{");
        if close != balanced(line, "${") {
            return Err(Undecided::Ambiguous(excerpt(self.slice(dollar..range.end))));
        }
        // Where braces do not balance, compose-go's greedy pattern takes all up to the last one of the line.
        let close = close.or_else(|| line.rfind('}'));
        close.map(|at| range.start + at).ok_or_else(|| self.invalid(dollar..range.end))
    }

    fn operate(
        &mut self,
        name: String,
        colon: bool,
        operator: Operator,
        word: Range<usize>,
        depth: usize,
    ) -> Result<(), Undecided> {
        let value = (self.lookup)(&name).map_err(Undecided::Unknown)?;
        let value = value.filter(|value| !colon || !value.text.is_empty());
        match (operator, value) {
            (Operator::Default | Operator::Required, Some(value)) => self.value(name, value),
            (Operator::Default, None) => {
                self.took_part(name, Decided::Default);
                self.word(word, depth)
            }
            (Operator::Alternative, Some(value)) => {
                self.took_part(name, Decided::Value(value.place));
                self.word(word, depth)
            }
            (Operator::Alternative, None) => {
                self.took_part(name, Decided::Nothing);
                Ok(())
            }
            (Operator::Required, None) => Err(Undecided::Required(name)),
        }
    }

    /// What stands behind an operator.
    fn word(&mut self, word: Range<usize>, depth: usize) -> Result<(), Undecided> {
        let (end, length) = (word.end, self.result.text.len());
        self.expand(word, depth + 1)?;
        if self.result.text.len() > length {
            self.result.ends.push(End::Default(end));
        }
        Ok(())
    }

    /// `$NAME` and `${NAME}`.
    fn plain(&mut self, name: Range<usize>) -> Result<(), Undecided> {
        let name = self.slice(name).to_owned();
        match (self.lookup)(&name).map_err(Undecided::Unknown)? {
            Some(value) => self.value(name, value),
            // Compose would go on with an empty text, but the machine that deploys may well set it.
            None => Err(Undecided::Unset(name)),
        }
    }

    fn value(&mut self, name: String, value: Value) -> Result<(), Undecided> {
        self.added += value.text.len();
        if self.added > MAX_EXPANDED {
            return Err(Undecided::Long);
        }
        self.result.text.push_str(&value.text);
        if !value.text.is_empty() {
            self.result.ends.clear();
            let own = Ending { place: value.place.clone(), name: name.clone(), form: Form::Text };
            self.result.ends.extend(value.inner_ends.into_iter().chain([own]).map(End::Value));
        }
        self.took_part(name, Decided::Value(value.place));
        Ok(())
    }

    fn took_part(&mut self, name: String, decided: Decided) {
        self.result.variables.push(Variable { name, decided });
    }

    fn invalid(&self, range: Range<usize>) -> Undecided {
        Undecided::Invalid(excerpt(self.slice(range)))
    }
}

/// The length in bytes of the name a text begins with. Go's case-insensitive `[_a-z]` also takes the two letters of
/// Unicode that fold to ASCII: the long s and the Kelvin sign.
fn name_length(text: &str) -> usize {
    let letter = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '\u{17f}' | '\u{212a}');
    if !text.starts_with(letter) {
        return 0;
    }
    text.find(|c: char| !letter(c) && !c.is_ascii_digit()).unwrap_or(text.len())
}

/// The offset of the `}` that closes the one brace open before `text`, where braces are opened by `opening`: newer
/// releases of compose-go count every `{` and pass over the byte behind it, older ones count `${`.
fn balanced(text: &str, opening: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut open, mut at) = (1_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        if byte == b'}' {
            open -= 1;
            if open == 0 {
                return Some(at);
            }
        } else if bytes.get(at..).is_some_and(|rest| rest.starts_with(opening.as_bytes())) {
            open += 1;
            at += 1;
        }
        at += 1;
    }
    None
}

/// The beginning of a text, for a message.
fn excerpt(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    /// `S` is set, `E` is empty, `L` is long, `U` cannot be told; all others are unset.
    fn lookup(name: &str) -> Result<Option<Value>, String> {
        let text = match name {
            "S" => "set".to_owned(),
            "E" => String::new(),
            "L" => "x".repeat(MAX_EXPANDED),
            "U" => return Err("nobody knows".to_owned()),
            _ => return Ok(None),
        };
        let place = Place::new(&Source::new(".env", "S=set"), Span::new(2, 5));
        Ok(Some(Value { text: text.into(), place, inner_ends: Vec::new() }))
    }

    fn text_of(text: &str) -> String {
        interpolate(text, &lookup).unwrap_or_else(|error| panic!("{text}: {error}")).text
    }

    #[test]
    fn every_form_gives_what_compose_gives() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a$", "a$"),
            ("a$$", "a$"),
            ("a$$$", "a$$"),
            ("$$$$A", "$$A"),
            ("$$A", "$A"),
            ("$${A:-x}", "${A:-x}"),
            ("$$${A:-x}", "$x"),
            ("$1", "$1"),
            ("$-", "$-"),
            ("$é", "$é"),
            ("$S", "set"),
            ("${S}", "set"),
            ("$S-b", "set-b"),
            ("$S:$S", "set:set"),
            ("${A:-x}", "x"),
            ("${A-x}", "x"),
            ("${S:-x}", "set"),
            ("${E:-x}", "x"),
            ("${E-x}", ""),
            ("${A:-}", ""),
            ("${A+x}", ""),
            ("${A:+x}y", "y"),
            ("${S+x}", "x"),
            ("${S:+$S!}", "set!"),
            ("${E:+x}", ""),
            ("${E+x}", "x"),
            ("${S:?e}", "set"),
            ("${E?e}", ""),
            ("x${A:-x}y${B-z}w", "xxyzw"),
            ("${A:-${B:-x}}", "x"),
            ("${A:-a${B:-x}b}c", "axbc"),
            ("${A:-x}}", "x}"),
            ("${A:-a?b}", "a?b"),
            ("${A-a:-b}", "a:-b"),
            ("${A:-$$x}", "$x"),
            ("${A:-$}", "$"),
            ("{x}", "{x}"),
        ] {
            assert_eq!(text_of(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_decided_says_why() {
        use Undecided as U;
        let error = |text: &str| interpolate(text, &lookup).expect_err(text);
        for text in ["${", "${}", "${A", "${-x}", "${A!b}", "${A:-x", "${a.b}", "${é}", "${A:x}", "${A:}", "${ A }"] {
            assert!(matches!(error(text), U::Invalid(_)), "{text}");
        }
        assert!(matches!(error("${A:-x\ny}"), U::Invalid(_)), "a word ends on its line");
        assert!(matches!(error("${A:-${B}"), U::Invalid(_)));
        assert_eq!(error("x$A"), U::Unset("A".into()));
        assert_eq!(error("${A:-${B}}"), U::Unset("B".into()));
        assert_eq!(error("$\u{17f}S"), U::Unset("\u{17f}S".into()));
        assert_eq!(error("${A:?e}"), U::Required("A".into()));
        assert_eq!(error("${E:?e}"), U::Required("E".into()));
        assert_eq!(error("${U:-x}"), U::Unknown("nobody knows".into()));
        assert_eq!(error("$L$S"), U::Long);
        assert_eq!(error(&format!("{}{}", "${A:-".repeat(100), "}".repeat(100))), U::Deep);
        assert!(matches!(error("${A:-{x}-${B:-y}"), U::Ambiguous(_)), "old and new releases end the word elsewhere");
    }

    #[test]
    fn each_variable_tells_what_decided_it() {
        let found = interpolate("r/${A:-${B:-x}}:$S${C:+d}", &lookup).unwrap();
        let told: Vec<_> = found
            .variables
            .iter()
            .map(|variable| match &variable.decided {
                Decided::Default => format!("{} default", variable.name),
                Decided::Value(place) => format!("{} {}", variable.name, place.text()),
                Decided::Nothing => format!("{} nothing", variable.name),
            })
            .collect();
        assert_eq!(told, ["A default", "B default", "S set", "C nothing"]);
    }

    #[test]
    fn what_is_behind_the_ends_ends_the_whole() {
        for (text, expected) in [
            ("r/${A:-${B:-x}}", vec!["13", "14"]),
            ("r:${A:-x}", vec!["8"]),
            ("$S", vec!["set"]),
            ("${A:-$S}", vec!["set", "7"]),
            ("${S:+$S-x}", vec!["9"]),
            ("r:${S}${E}", vec!["set"]),
            ("${A:-x}y", vec![]),
            ("${S}$$", vec![]),
            ("r:1${A:-}", vec![]),
            ("r:1${E}", vec![]),
        ] {
            let found = interpolate(text, &lookup).unwrap();
            let ends: Vec<_> = found
                .ends
                .iter()
                .map(|end| match end {
                    End::Value(ending) => ending.place.text().to_owned(),
                    End::Default(at) => at.to_string(),
                })
                .collect();
            assert_eq!(ends, expected, "{text}");
        }
    }
}

//! What the top of a Dockerfile says about how to read it: `# syntax=`, `# escape=`, and the forms other frontends use.
//!
//! Source: <https://github.com/moby/buildkit> (`frontend/dockerfile/parser/directives.go`).

use std::borrow::Cow;

use serde::Deserialize;

use super::lines::Lines;
use crate::source::Span;

/// Directives BuildKit knows; any other name is a comment and ends the block.
const NAMES: [&str; 3] = ["syntax", "escape", "check"];

/// Blanks as Go's `\s` has them.
const BLANKS: [char; 5] = ['\t', '\n', '\u{c}', '\r', ' '];

/// What the directives say.
#[derive(Debug)]
pub(super) struct Directives {
    /// Escapes a character and continues a line.
    pub(super) escape: char,
    /// The image of the frontend.
    pub(super) syntax: Option<Span>,
    /// The file is JSON for another frontend, and holds no instruction.
    pub(super) is_json: bool,
    /// A directive that BuildKit refuses, and why.
    pub(super) refused: Option<(Span, &'static str)>,
    /// Where the instructions begin.
    pub(super) end: usize,
}

impl Directives {
    pub(super) fn read(text: &str) -> Self {
        let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut found = Self { escape: '\\', syntax: None, is_json: false, refused: None, end: start };
        // The parser of instructions knows no `#!` line: to it, that line is a comment that ends the block.
        for directive in Block::new(text, start, Form::Indented) {
            found.obey(&directive, text);
        }
        found.find_syntax(text, behind_shebang(text, start));
        found
    }

    fn obey(&mut self, directive: &Directive, text: &str) {
        if directive.is_repeated {
            self.refused = Some((directive.value, "this directive stands above already: remove one"));
        } else if directive.name == "escape" {
            let why = "the escape character is neither \\ nor `: write one of them";
            match text.get(directive.value.range()) {
                Some("`") => self.escape = '`',
                Some("\\") => {}
                _ => self.refused = Some((directive.value, why)),
            }
        }
    }

    fn find_syntax(&mut self, text: &str, start: usize) {
        let syntax = |form| Block::new(text, start, form).find(|found| found.name == "syntax" && !found.is_repeated);
        if let Some(directive) = syntax(Form::Hash) {
            self.syntax = Some(first_word(text, directive.value));
        } else if let Some(directive) = syntax(Form::Slashes) {
            self.syntax = Some(first_word(text, directive.value));
            self.end = Block::new(text, start, Form::Slashes).last().map_or(start, |directive| directive.end);
        } else if let Some(syntax) = json_syntax(text, start) {
            self.syntax = Some(syntax);
            self.is_json = true;
        }
    }
}

/// Where the text begins without a `#!` line.
fn behind_shebang(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let length = if rest.starts_with("#!") { rest.find('\n').map_or(rest.len(), |at| at + 1) } else { 0 };
    start + length
}

/// `image options`: the image alone.
fn first_word(text: &str, value: Span) -> Span {
    let start = value.start as usize;
    let word = text.get(value.range()).and_then(|value| value.split(' ').next()).unwrap_or_default();
    Span::new(start, start + word.len())
}

/// The value of `{"syntax": "image"}`. Where it is written with escapes, the whole file stands for it.
fn json_syntax(text: &str, start: usize) -> Option<Span> {
    #[derive(Deserialize)]
    struct Json<'t> {
        #[serde(borrow)]
        syntax: Cow<'t, str>,
    }
    let rest = text.get(start..).filter(|rest| rest.trim_start().starts_with('{'))?;
    let json: Json<'_> = serde_json::from_str(rest).ok()?;
    match json.syntax {
        Cow::Borrowed(syntax) => {
            let at = syntax.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
            Some(Span::new(at, at + syntax.len()))
        }
        Cow::Owned(_) => Some(Span::new(start, text.len())),
    }
}

/// How a directive is marked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `#` where the line begins.
    Hash,
    /// `#` behind any blanks.
    Indented,
    /// `//` where the line begins.
    Slashes,
}

#[derive(Debug)]
struct Directive {
    /// One of [`NAMES`].
    name: &'static str,
    value: Span,
    is_repeated: bool,
    /// Where the next line begins.
    end: usize,
}

/// The directives from an offset to the first line that is none.
struct Block<'t> {
    text: &'t str,
    lines: Lines<'t>,
    form: Form,
    seen: Vec<&'static str>,
}

impl<'t> Block<'t> {
    fn new(text: &'t str, start: usize, form: Form) -> Self {
        Self { text, lines: Lines::new(text, start), form, seen: Vec::new() }
    }
}

impl Iterator for Block<'_> {
    type Item = Directive;

    fn next(&mut self) -> Option<Directive> {
        let (start, line) = self.lines.next()?;
        let content = match self.form {
            Form::Hash => line.strip_prefix('#'),
            Form::Indented => line.trim_start().strip_prefix('#'),
            Form::Slashes => line.strip_prefix("//"),
        };
        let (name, value) = content?.trim_start().split_once('=')?;
        let name = name.trim_end_matches(BLANKS);
        let name = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name))?;
        let value = value.trim_start_matches(BLANKS);
        let at = start + line.len() - value.len();
        let value = value.trim_end_matches(BLANKS);
        if value.is_empty() {
            return None;
        }
        let is_repeated = self.seen.contains(&name);
        self.seen.push(name);
        let end = self.lines.at.min(self.text.len());
        if is_repeated {
            self.lines.at = self.text.len();
        }
        Some(Directive { name, value: Span::new(at, at + value.len()), is_repeated, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax(text: &str) -> Option<&str> {
        text.get(Directives::read(text).syntax?.range())
    }

    #[test]
    fn syntax_stands_in_the_block_at_the_top() {
        for text in [
            "# syntax=a/b:1",
            "#SYNTAX = a/b:1 x\r\n",
            "\u{feff}# escape=`\n# syntax=a/b:1",
            "#!/x\n#syntax=a/b:1",
            "# syntax=a/b:1\n# syntax=c",
            "// syntax=a/b:1\nFROM x",
            "{\"a\": [1], \"syntax\": \"a/b:1\"}",
        ] {
            assert_eq!(syntax(text), Some("a/b:1"), "{text}");
        }
        for text in [
            "# c\n# syntax=a",
            "\n# syntax=a",
            " # syntax=a",
            "FROM x\n# syntax=a",
            "# syntax=",
            "# other=x\n# syntax=a",
            "{\"syntax\": 1}",
            "{\"syntax\": \"a\"} x",
        ] {
            assert_eq!(syntax(text), None, "{text}");
        }
        assert_eq!(syntax("{\"syntax\": \"a\\u0062\"}"), Some("{\"syntax\": \"a\\u0062\"}"));
        assert!(Directives::read("{\"syntax\": \"a\"}").is_json);
    }

    #[test]
    fn escape_is_one_of_two_and_once() {
        let escape = |text: &str| Directives::read(text).escape;
        assert_eq!(escape("# escape=`"), '`');
        assert_eq!(escape("  #  Escape = `  \r\n"), '`');
        assert_eq!(escape("# check=skip=all\n# escape=`"), '`');
        assert_eq!(escape("# escape=\\"), '\\');
        for text in
            ["# c\n# escape=`", "# other=1\n# escape=`", "#!/x\n# escape=`", "\n# escape=`", "FROM x\n# escape=`"]
        {
            assert_eq!(escape(text), '\\', "{text}");
            assert!(Directives::read(text).refused.is_none(), "{text}");
        }
        for text in ["# escape=x", "# escape=``", "# escape=\\ x", "# escape=`\n# ESCAPE=`", "# syntax=a\n# syntax=a"] {
            assert!(Directives::read(text).refused.is_some(), "{text}");
        }
    }
}

//! Dockerfiles and Containerfiles: base images, images that files are copied or mounted from, and the frontend.
//!
//! Source: <https://docs.docker.com/reference/dockerfile/> and BuildKit's `frontend/dockerfile`.

mod lines;
mod word;

use std::collections::HashSet;
use std::sync::Arc;

use self::lines::{Instruction, Scan};
use self::word::{Argument, Arguments, Expansion, NO_DEFAULT, expand};
use super::{Found, Kind, LocatedImage, Reader, Related, State, Unreadable};
use crate::source::{Place, Source, Span};

/// The kind.
pub static KIND: Kind = Kind {
    name: "dockerfile",
    title: "Dockerfile",
    files: "`Dockerfile`, `Containerfile`, `Dockerfile.*` and `*.Dockerfile`, in any case",
    reads: "`FROM`, `COPY --from`, `RUN --mount=from=…` and `# syntax=`, with `ARG` defaults",
    reader: Reader::Text { claims, read },
};

/// Every instruction there is.
const INSTRUCTIONS: [&str; 18] = [
    "add",
    "arg",
    "cmd",
    "copy",
    "entrypoint",
    "env",
    "expose",
    "from",
    "healthcheck",
    "label",
    "maintainer",
    "onbuild",
    "run",
    "shell",
    "stopsignal",
    "user",
    "volume",
    "workdir",
];

fn claims(file_name: &str) -> bool {
    let name = file_name.to_ascii_lowercase();
    let (stem, extension) = name.split_once('.').unwrap_or((&name, ""));
    let last = name.rsplit('.').next().unwrap_or_default();
    if ["dockerignore", "md", "adoc", "rst"].contains(&last) {
        return false;
    }
    let is_name = |part: &str| part == "dockerfile" || part == "containerfile";
    is_name(stem) || (!extension.is_empty() && is_name(last))
}

/// Whether a text reads as a Dockerfile: `FROM`, or `ARG`s and then `FROM`, come first.
#[must_use]
pub fn looks_like(text: &str) -> bool {
    let scan = lines::scan(text);
    let first = scan.instructions.iter().map(|instruction| split(&instruction.text, 0));
    let Some((keyword, at, instruction)) = first
        .zip(&scan.instructions)
        .map(|((keyword, at), instruction)| (keyword, at, instruction))
        .find(|(keyword, ..)| !keyword.eq_ignore_ascii_case("arg"))
    else {
        return false;
    };
    keyword.eq_ignore_ascii_case("from") && from_words(instruction, at).is_some()
}

/// Keyword and where its arguments begin.
fn split(text: &str, start: usize) -> (&str, usize) {
    let rest = text.get(start..).unwrap_or_default();
    let keyword = rest.split_whitespace().next().unwrap_or_default();
    let end = start + (rest.len() - rest.trim_start().len()) + keyword.len();
    let behind = text.get(end..).unwrap_or_default();
    (keyword, end + (behind.len() - behind.trim_start().len()))
}

fn read(source: &Arc<Source>, found: &mut Found) -> bool {
    let scan = lines::scan(source.text());
    let has_from = scan.instructions.iter().any(|i| split(&i.text, 0).0.eq_ignore_ascii_case("from"));
    let name = source.file_name().to_ascii_lowercase();
    if !has_from && scan.syntax.is_none() && name != "dockerfile" && name != "containerfile" {
        return false;
    }
    let mut file = File {
        source,
        found,
        escape: scan.escape,
        arguments: Arguments::new(),
        stages: HashSet::new(),
        stage: None,
        in_stage: false,
        unreadable: false,
    };
    if let Some(span) = scan.syntax {
        file.report(span, "syntax", source.slice(span), State::of(source.slice(span)));
    }
    file.read(&scan);
    if !has_from {
        file.unreadable(Span::default(), "there is no FROM: nothing says what is built upon");
    }
    true
}

/// What is known on the way down a file.
struct File<'a> {
    source: &'a Arc<Source>,
    found: &'a mut Found,
    escape: char,
    arguments: Arguments,
    /// Names of the stages so far, in lower case.
    stages: HashSet<String>,
    /// The stage that is read.
    stage: Option<String>,
    in_stage: bool,
    unreadable: bool,
}

impl File<'_> {
    fn read(&mut self, scan: &Scan) {
        for instruction in &scan.instructions {
            self.instruction(instruction, 0);
        }
        if let Some(span) = scan.unterminated {
            self.unreadable(span, "a heredoc has no end: what follows it is not read");
        }
    }

    fn instruction(&mut self, instruction: &Instruction, start: usize) {
        let (keyword, at) = split(&instruction.text, start);
        let nested = start > 0;
        match keyword.to_ascii_lowercase().as_str() {
            "from" if nested => {
                self.unreadable(instruction.span(start, at), "ONBUILD cannot begin a stage: remove `FROM`")
            }
            "onbuild" if nested => {
                self.unreadable(instruction.span(start, at), "ONBUILD cannot stand in ONBUILD: remove one")
            }
            "from" => self.from(instruction, at),
            "arg" if !self.in_stage && !nested => self.arguments(instruction, at),
            "copy" => self.flags(instruction, at, "from"),
            "run" => self.flags(instruction, at, "mount"),
            "onbuild" => self.instruction(instruction, at),
            known if INSTRUCTIONS.contains(&known) => {}
            _ => self.unreadable(
                instruction.span(start, start + keyword.len()),
                "this is no Dockerfile instruction: correct or remove the line",
            ),
        }
    }

    /// Reports once a file: what follows is often of the same cause.
    fn unreadable(&mut self, span: Span, message: &str) {
        if !std::mem::replace(&mut self.unreadable, true) {
            let place = Place::new(self.source, span);
            self.found.unreadable.push(Unreadable { place, message: message.to_owned(), help: None });
        }
    }

    fn report(&mut self, span: Span, field: &str, written: &str, state: State) -> Option<&mut LocatedImage> {
        let mut image = LocatedImage::new(KIND.name, self.source, span, field, written, state);
        image.resource = self.stage.as_ref().map(|stage| format!("stage {stage}"));
        self.found.images.push(image);
        self.found.images.last_mut()
    }

    /// `FROM [--flag…] image [AS name]`
    fn from(&mut self, instruction: &Instruction, at: usize) {
        self.in_stage = true;
        let Some(From { start, end, name }) = from_words(instruction, at) else {
            self.unreadable(
                instruction.span(0, instruction.text.trim_end().len()),
                "FROM takes an image, and `AS` with a name after it",
            );
            return;
        };
        self.stage = name.map(str::to_owned);
        let (start, end) = unquoted(&instruction.text, start, end);
        let raw = instruction.text.get(start..end).unwrap_or_default();
        let span = instruction.span(start, end);
        if raw.contains("{{") || raw.contains("<%") {
            self.report(span, "FROM", raw, State::unresolved("it is a template: check the rendered file"));
        } else {
            // The quotes decide whether `$` is a variable, so the word is expanded with them.
            let quoted = from_words(instruction, at).and_then(|from| instruction.text.get(from.start..from.end));
            let expansion = expand(quoted.unwrap_or(raw), self.escape, &self.arguments);
            self.base(span, raw, expansion);
        }
        self.stages.extend(name.map(str::to_ascii_lowercase));
    }

    fn base(&mut self, span: Span, raw: &str, expansion: Expansion) {
        let Expansion { text, variable, undecided, declared } = expansion;
        let state = match undecided {
            Some(why) => State::unresolved(why),
            None if self.is_stage(&text) => State::Local,
            None => State::of(&text),
        };
        let source = Arc::clone(self.source);
        let written = if variable || text.is_empty() { raw } else { &text };
        let Some(image) = self.report(span, "FROM", written, state) else { return };
        image.variable = variable;
        image.related.extend(declared.into_iter().take(8).map(|(name, span)| Related {
            place: Place::new(&source, span),
            message: format!("`{name}` is declared here"),
        }));
    }

    fn is_stage(&self, text: &str) -> bool {
        let name = text.to_ascii_lowercase();
        name == "scratch" || self.stages.contains(&name)
    }

    /// `ARG NAME[=default]…` above the first `FROM`.
    fn arguments(&mut self, instruction: &Instruction, at: usize) {
        let rest = instruction.text.get(at..).unwrap_or_default();
        let Some(words) = lines::words(rest, self.escape) else {
            self.unreadable(instruction.span(0, instruction.text.len()), "a quote does not close: close it");
            return;
        };
        let mut start = at;
        for word in words {
            start += instruction.text.get(start..).and_then(|rest| rest.find(word)).unwrap_or_default();
            let span = instruction.span(start, start + word.len());
            start += word.len();
            let Some((name, value)) = word.split_once('=') else {
                let value = Err(format!("`{word}` {NO_DEFAULT}"));
                self.arguments.entry(word.to_owned()).or_insert(Argument { value, span });
                continue;
            };
            let Expansion { text, undecided, .. } = expand(value, self.escape, &self.arguments);
            let value = undecided.map_or(Ok(text), |why| Err(format!("the default of `{name}` is not known: {why}")));
            let value = value.map_err(|why| shortened(&why));
            self.arguments.insert(name.to_owned(), Argument { value, span });
        }
    }

    /// `--from=` of a COPY, `--mount=…,from=…` of a RUN.
    fn flags(&mut self, instruction: &Instruction, at: usize, wanted: &str) {
        for flag in (Flags { text: &instruction.text, at }) {
            let Some(value) = flag.value_of(wanted) else { continue };
            let (value, field) = if wanted == "from" {
                (Some(value), "COPY --from")
            } else {
                (value.mounted_from(), "RUN --mount from")
            };
            if let Some(value) = value.filter(|value| !value.text.is_empty()) {
                self.other(instruction, &value, field);
            }
        }
    }

    fn other(&mut self, instruction: &Instruction, value: &Text, field: &str) {
        let (Some(&first), Some(&last)) = (value.at.first(), value.at.last()) else { return };
        let text = value.text.as_str();
        let state = if text.bytes().all(|b| b.is_ascii_digit()) || self.is_stage(text) {
            State::Local
        } else if text.contains('$') {
            State::unresolved(format!("`{}` has a variable, which is not expanded here: name a stage", shortened(text)))
        } else if text.contains("{{") {
            State::unresolved("it is a template: check the rendered file")
        } else {
            State::of(text)
        };
        self.report(instruction.span(first, last + 1), field, text, state);
    }
}

/// A reason of bounded length: each default may quote the reason of the one before.
fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(200);
    if end == text.len() { text.to_owned() } else { format!("{}…", text.get(..end).unwrap_or_default()) }
}

/// Where the image of a `FROM` stands in the instruction, and the name of the stage.
struct From<'t> {
    start: usize,
    end: usize,
    name: Option<&'t str>,
}

fn from_words(instruction: &Instruction, at: usize) -> Option<From<'_>> {
    let mut flags = Flags { text: &instruction.text, at };
    flags.by_ref().for_each(drop);
    let (start, rest) = (flags.at, instruction.text.get(flags.at..)?);
    if rest.contains("{{") || rest.contains("<%") {
        let close = rest.rfind("}}").or_else(|| rest.rfind("%>")).map_or(rest.len(), |at| at + 2);
        let end = rest.get(close..).and_then(|rest| rest.find(char::is_whitespace)).map_or(rest.len(), |at| close + at);
        return Some(From { start, end: start + end, name: rest.get(end..)?.split_whitespace().nth(1) });
    }
    let mut words = rest.split_whitespace();
    let image = words.next()?;
    let start = start + (rest.len() - rest.trim_start().len());
    let name = match (words.next(), words.next(), words.next()) {
        (None, ..) => None,
        (Some(keyword), Some(name), None) if keyword.eq_ignore_ascii_case("as") => Some(name),
        _ => return None,
    };
    Some(From { start, end: start + image.len(), name })
}

/// The range without the quotes around the whole word.
fn unquoted(text: &str, start: usize, end: usize) -> (usize, usize) {
    let word = text.get(start..end).unwrap_or_default();
    let inner = ['"', '\''].iter().find_map(|&quote| word.strip_prefix(quote)?.strip_suffix(quote));
    if inner.is_some() { (start + 1, end - 1) } else { (start, end) }
}

/// Decoded text with the offset of each of its bytes.
#[derive(Default)]
struct Text {
    text: String,
    at: Vec<usize>,
}

impl Text {
    fn push(&mut self, at: usize, c: char) {
        self.text.push(c);
        self.at.extend(at..at + c.len_utf8());
    }

    fn value_of(&self, flag: &str) -> Option<Self> {
        let value = self.text.strip_prefix("--")?.strip_prefix(flag)?.strip_prefix('=')?;
        self.tail(self.text.len() - value.len())
    }

    fn tail(&self, from: usize) -> Option<Self> {
        Some(Self { text: self.text.get(from..)?.to_owned(), at: self.at.get(from..)?.to_vec() })
    }

    /// The value of `from` in the comma-separated fields of a mount; the last counts.
    fn mounted_from(&self) -> Option<Self> {
        let mut fields = vec![Self::default()];
        let mut quoted = false;
        for (index, c) in self.text.char_indices() {
            let at = self.at.get(index).copied()?;
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(Self::default()),
                c => fields.last_mut()?.push(at, c),
            }
        }
        let is_from = |field: &&Self| field.text.get(..5).is_some_and(|key| key.eq_ignore_ascii_case("from="));
        fields.iter().rfind(is_from)?.tail(5)
    }
}

/// The `--flags` before the arguments of an instruction, without their quotes; `at` is left behind them.
struct Flags<'t> {
    text: &'t str,
    at: usize,
}

impl Iterator for Flags<'_> {
    type Item = Text;

    fn next(&mut self) -> Option<Text> {
        let rest = self.text.get(self.at..)?;
        let start = self.at + (rest.len() - rest.trim_start().len());
        let rest = rest.trim_start();
        if !rest.starts_with("--") {
            return None;
        }
        let mut flag = Text::default();
        let mut quote = None;
        let mut chars = rest.char_indices();
        self.at = self.text.len();
        while let Some((index, c)) = chars.next() {
            match c {
                '\\' => flag.extend_escaped(start, chars.next()),
                c if quote == Some(c) => quote = None,
                '"' | '\'' if quote.is_none() => quote = Some(c),
                c if c.is_whitespace() && quote.is_none() => {
                    self.at = start + index;
                    break;
                }
                c => flag.push(start + index, c),
            }
        }
        (flag.text != "--").then_some(flag)
    }
}

impl Text {
    fn extend_escaped(&mut self, start: usize, next: Option<(usize, char)>) {
        if let Some((index, c)) = next {
            self.push(start + index, c);
        }
    }
}

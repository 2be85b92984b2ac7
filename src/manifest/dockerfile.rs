//! Dockerfiles and Containerfiles: base images, images that files are copied or mounted from, and the frontend.
//!
//! Source: <https://docs.docker.com/reference/dockerfile/> and BuildKit's `frontend/dockerfile`.

mod directives;
mod flags;
mod heredoc;
mod lines;
#[cfg(test)]
mod tests;
mod word;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use self::flags::{Flags, Value as FlagValue};
use self::lines::{BLANKS, Instruction, Scan, keyword};
use self::word::{Argument, Arguments, End, Expansion, MAX_ENDS, Value, expand};
use super::slot::{self, Ending, Form};
use super::{Found, Kind, LocatedImage, Reader, Related, State, Unreadable};
use crate::source::{Place, Source, Span};

/// The kind.
pub static KIND: Kind = Kind {
    name: "dockerfile",
    title: "Dockerfiles",
    files: "files with `Dockerfile` or `Containerfile` in their name: `Dockerfile.prod`, `app.Dockerfile`",
    reads: "`FROM`, with `ARG` defaults filled in, `COPY --from`, `RUN --mount=from=…`, both also after `ONBUILD`, and \
            `# syntax=`; stages of the same file, `scratch` and heredoc bodies are told apart",
    decided: "`ARG` above the first `FROM` by its default; names of stages, `scratch` and numbers of stages come from \
            no registry",
    unresolved: "an `ARG` without a default or below the first `FROM`, the platform (`TARGETARCH`), operators that \
            cut or replace text, variables in `COPY --from` and `RUN --mount=from=…`, templates (`{{ }}`, `<% %>`): \
            give the `ARG` a default with a digest, and name a stage that begins with it where files are taken from",
    example: &[(
        "Dockerfile",
        "ARG RUNTIME=ghcr.io/org/runtime:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
ARG TOOLS
FROM ghcr.io/org/go:1.2.3 AS build
FROM ghcr.io/org/tools:$TOOLS AS tools
FROM $RUNTIME
COPY --from=build /app /app
",
    )],
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

/// Most bytes that expanded defaults of `ARG`s may hold together: each may repeat the one before.
const MAX_EXPANDED: usize = 1 << 20;

fn claims(file_name: &str) -> bool {
    const OTHERS: [&str; 8] = ["dockerignore", "md", "adoc", "rst", "yml", "yaml", "json", "jsonc"];
    let name = file_name.to_ascii_lowercase();
    (name.contains("dockerfile") || name.contains("containerfile"))
        && !name.split('.').any(|part| OTHERS.contains(&part))
}

/// How sure a name makes it that the file is a Dockerfile.
#[derive(PartialEq, Eq)]
enum Named {
    /// `Dockerfile`
    Exactly,
    /// `Dockerfile.prod`, `app.Dockerfile`, `Dockerfile-alpine.template`
    Likely,
    /// `dockerfile_lint.py`, standard input
    Perhaps,
}

impl Named {
    fn of(file_name: &str) -> Self {
        /// Programs that read, write or test Dockerfiles are named after them.
        const PROGRAMS: [&str; 16] =
            ["bash", "c", "cpp", "cs", "go", "java", "js", "kt", "php", "ps1", "py", "rb", "rs", "sh", "ts", "tsx"];
        let name = file_name.to_ascii_lowercase();
        let is_name = |part: &str| part == "dockerfile" || part == "containerfile";
        if is_name(&name) {
            Self::Exactly
        } else if name.split(['.', '-', '_']).any(is_name)
            && !PROGRAMS.iter().any(|&last| name.rsplit('.').next() == Some(last))
        {
            Self::Likely
        } else {
            Self::Perhaps
        }
    }
}

/// Whether a text reads as a Dockerfile: `FROM`, or `ARG`s and then `FROM`, come first.
pub(super) fn looks_like(text: &str) -> bool {
    begins_with_from(&lines::scan(text))
}

fn begins_with_from(scan: &Scan) -> bool {
    let first = scan.instructions.iter().find(|instruction| !keyword(&instruction.text, 0).is("arg"));
    first.and_then(|instruction| From::read(instruction, scan.directives.escape)).is_some_and(|from| from.is_valid)
}

pub(super) fn read(source: &Arc<Source>, found: &mut Found) -> bool {
    let scan = lines::scan(source.text());
    let named = Named::of(source.file_name());
    let froms: Vec<_> = scan.instructions.iter().map(|i| From::read(i, scan.directives.escape)).collect();
    let has_from = froms.iter().flatten().any(|from| from.is_valid);
    let is_ours = match named {
        Named::Exactly => true,
        Named::Likely => has_from || scan.directives.syntax.is_some() || is_fragment(&scan),
        Named::Perhaps => begins_with_from(&scan),
    };
    if is_ours {
        let mut file = File::new(source, found, scan.directives.escape);
        file.read(&scan, &froms);
        if named == Named::Exactly && !has_from {
            file.unreadable(Span::default(), "there is no FROM, so nothing says what is built upon: add one");
        }
    }
    is_ours
}

/// A part that is put behind a `FROM` from elsewhere: nothing but instructions.
fn is_fragment(scan: &Scan) -> bool {
    let is_known = |i: &Instruction| INSTRUCTIONS.contains(&keyword(&i.text, 0).text.to_ascii_lowercase().as_str());
    !scan.instructions.is_empty() && scan.instructions.iter().all(is_known)
}

/// What is known on the way down a file.
struct File<'a> {
    source: &'a Arc<Source>,
    found: &'a mut Found,
    escape: char,
    arguments: Arguments,
    /// How many bytes the defaults hold that were expanded.
    expanded: usize,
    /// The number of the last stage of each name, in lower case, of the whole file.
    stages: HashMap<String, usize>,
    stage_count: usize,
    /// Names of the stages so far, in lower case.
    above: HashSet<String>,
    /// Where a stage takes over an argument: there it is used for something else than images.
    taken_over: HashMap<String, Vec<Place>>,
    /// The name of the stage that is read, for people.
    stage: Option<String>,
    /// Its number, from 0.
    number: Option<usize>,
    is_unreadable: bool,
}

impl<'a> File<'a> {
    fn new(source: &'a Arc<Source>, found: &'a mut Found, escape: char) -> Self {
        Self {
            source,
            found,
            escape,
            arguments: Arguments::new(),
            expanded: 0,
            stages: HashMap::new(),
            stage_count: 0,
            above: HashSet::new(),
            taken_over: HashMap::new(),
            stage: None,
            number: None,
            is_unreadable: false,
        }
    }

    fn read(&mut self, scan: &Scan, froms: &[Option<From<'_>>]) {
        if let Some((span, why)) = scan.directives.refused {
            self.unreadable(span, why);
        }
        if let Some(span) = scan.directives.syntax {
            let image = self.source.slice(span);
            self.report(span, "syntax", image, State::of(image));
        }
        if scan.directives.is_json {
            let why =
                "this is JSON for another frontend, so its images cannot be told: write a Dockerfile or leave it out";
            self.unreadable(Span::default(), why);
        }
        for from in froms.iter().flatten() {
            self.stages.extend(from.stage_name().map(|name| (name, self.stage_count)));
            self.stage_count += 1;
        }
        let in_stages = scan.instructions.iter().zip(froms).skip_while(|(_, from)| from.is_none());
        for (instruction, _) in in_stages {
            let keyword = keyword(&instruction.text, 0);
            if keyword.is("arg") {
                let words = word::words(&instruction.text, keyword.arguments, self.escape);
                for range in words {
                    let place = Place::new(self.source, instruction.span(range.start, range.end));
                    let name = instruction.text.get(range).unwrap_or_default();
                    if !name.contains('=') {
                        self.taken_over.insert(name.to_owned(), vec![place]);
                    }
                }
            }
        }
        for (instruction, from) in scan.instructions.iter().zip(froms) {
            match from {
                Some(from) => self.from(instruction, from),
                None => self.instruction(instruction, 0, false),
            }
        }
        if let Some((span, why)) = scan.broken {
            self.unreadable(span, why);
        }
    }

    /// Any instruction but a `FROM` with an image. `is_trigger`: it stands behind `ONBUILD`.
    fn instruction(&mut self, instruction: &Instruction, start: usize, is_trigger: bool) {
        let keyword = keyword(&instruction.text, start);
        let at = keyword.arguments;
        let span = instruction.span(keyword.start, keyword.start + keyword.text.len());
        match keyword.text.to_ascii_lowercase().as_str() {
            "from" if is_trigger => self.unreadable(span, "ONBUILD cannot begin a stage: remove `FROM`"),
            "from" => self.unreadable(span, FROM_FORM),
            "onbuild" if is_trigger => self.unreadable(span, "ONBUILD cannot stand in ONBUILD: remove one"),
            "onbuild" => {
                let at = Flags::new(&instruction.text, at, self.escape).end();
                self.instruction(instruction, at, true);
            }
            "arg" if self.number.is_none() && !is_trigger => self.arguments(instruction, at),
            "copy" => self.copy(instruction, at, is_trigger),
            "run" => self.mounts(instruction, at, is_trigger),
            known if INSTRUCTIONS.contains(&known) => {}
            _ => self.unreadable(span, "this is no Dockerfile instruction: correct or remove the line"),
        }
    }

    /// Reports once a file: what follows is often of the same cause.
    fn unreadable(&mut self, span: Span, message: &str) {
        if !std::mem::replace(&mut self.is_unreadable, true) {
            let place = Place::new(self.source, span);
            self.found.unreadable.push(Unreadable { place, message: message.to_owned(), help: None });
        }
    }

    fn report(&mut self, span: Span, field: &str, written: &str, state: State) {
        let mut image = LocatedImage::new(KIND.name, self.source, span, field, written, state);
        image.resource = self.resource();
        self.found.images.push(image);
    }

    /// The stage that is read, for people.
    fn resource(&self) -> Option<String> {
        self.stage.as_ref().map(|stage| format!("stage {stage}"))
    }

    /// `FROM [--flag…] image [AS name]`
    fn from(&mut self, instruction: &Instruction, from: &From<'_>) {
        self.number = Some(self.number.map_or(0, |number| number + 1));
        self.stage = from.name.map(shortened);
        if !from.is_valid {
            self.unreadable(instruction.span(from.start, instruction.text.trim_end().len()), FROM_FORM);
        }
        let word = instruction.text.get(from.start..from.end).unwrap_or_default();
        let (start, end) = inside_quotes(word);
        let (start, end) = (from.start + start, from.start + end);
        let written = instruction.text.get(start..end).unwrap_or_default();
        let span = instruction.span(start, end);
        if is_template(word) {
            self.report(span, "FROM", written, State::unresolved(TEMPLATE));
        } else {
            // The quotes decide whether `$` is a variable, so the word is expanded with them.
            let expansion = expand(word, self.escape, &self.arguments);
            self.base(instruction, from.start, span, written, expansion);
        }
        // A stage that is named like its base is built on the image of that name, so its name counts from here on.
        self.above.extend(from.stage_name());
    }

    /// The image of a `FROM`: `raw` at `span`, of the word that begins at `start`.
    fn base(&mut self, instruction: &Instruction, start: usize, span: Span, raw: &str, expansion: Expansion) {
        let Expansion { text, variable, undecided, declared, ends } = expansion;
        let name = text.to_lowercase();
        let state = match undecided {
            Some(why) => State::unresolved(why),
            None if name == "scratch" || self.above.contains(&name) => State::Local,
            None => State::of(&text),
        };
        let written = if variable || text.is_empty() { raw } else { &text };
        let mut image = LocatedImage::new(KIND.name, self.source, span, "FROM", written, state);
        image.resource = self.resource();
        image.variable = variable;
        image.related.extend(declared.into_iter().map(|(name, span)| Related {
            place: Place::new(self.source, span),
            message: format!("`{}` is declared here", shortened(&name)),
        }));
        let ends: Vec<_> = ends_in_file(ends, instruction, start)
            .map(|(name, span)| Ending { place: Place::new(self.source, span), name, form: Form::Text })
            .collect();
        image.slot = slot::put_together(&image, Some(Form::Text), &ends, |name| {
            self.taken_over.get(name).map_or(&[], Vec::as_slice)
        });
        self.found.images.push(image);
    }

    /// `ARG NAME[=default]…` above the first `FROM`.
    fn arguments(&mut self, instruction: &Instruction, at: usize) {
        let text = instruction.text.trim_end();
        let start = Flags::new(text, at, self.escape).end();
        for range in word::words(text, start, self.escape) {
            let span = instruction.span(range.start, range.end);
            let word = text.get(range.clone()).unwrap_or_default();
            let Some((name, default)) = word.split_once('=') else {
                // A default that stands above still counts.
                let argument = Argument { value: Value::Unset, span, ends: Vec::new() };
                self.arguments.entry(word.to_owned()).or_insert(argument);
                continue;
            };
            let (value, ends) = self.default_of(name, default);
            let start = range.end - default.len();
            let mut ends: Vec<_> = ends_in_file(ends, instruction, start).take(MAX_ENDS).collect();
            let (from, to) = inside_quotes(default);
            ends.push((name.to_owned(), instruction.span(start + from, start + to)));
            self.arguments.insert(name.to_owned(), Argument { value, span, ends });
        }
    }

    fn default_of(&mut self, name: &str, default: &str) -> (Value, Vec<End>) {
        let Expansion { text, undecided, variable, ends, .. } = expand(default, self.escape, &self.arguments);
        if variable {
            self.expanded += text.len();
        }
        let name = shortened(name);
        let value = match undecided {
            Some(why) => Value::Unknown(shortened(&format!("the default of `{name}` is not known: {why}"))),
            None if self.expanded > MAX_EXPANDED => Value::Unknown(format!("the defaults above `{name}` are too long")),
            None => Value::Default(text),
        };
        (value, ends)
    }

    /// `COPY --from=…`
    fn copy(&mut self, instruction: &Instruction, at: usize, is_trigger: bool) {
        for flag in Flags::new(&instruction.text, at, self.escape) {
            let Some(value) = flag.value("from") else { continue };
            // A number that fits is the number of a stage; BuildKit reads no other as an image.
            if value.text.parse::<i64>().is_ok() {
                self.report(value.span(instruction), "COPY --from", &value.text, State::Local);
            } else {
                self.other(instruction, &value, "COPY --from", is_trigger);
            }
        }
    }

    /// `RUN --mount=…,from=…`
    fn mounts(&mut self, instruction: &Instruction, at: usize, is_trigger: bool) {
        const FIELD: &str = "RUN --mount from";
        for flag in Flags::new(&instruction.text, at, self.escape) {
            let Some(value) = flag.mounted_from() else {
                let span = instruction.span(at, instruction.text.trim_end().len());
                self.unreadable(span, "the options of --mount are no comma-separated fields: correct the quotes");
                continue;
            };
            // Buildah takes the number of a stage; to BuildKit it is an image of that name.
            if value.text.parse().is_ok_and(|number: usize| number < self.stage_count) {
                self.report(value.span(instruction), FIELD, &value.text, State::Local);
            } else {
                self.other(instruction, &value, FIELD, is_trigger);
            }
        }
    }

    fn other(&mut self, instruction: &Instruction, value: &FlagValue, field: &str, is_trigger: bool) {
        let text = value.text.as_str();
        if text.is_empty() {
            return;
        }
        let span = value.span(instruction);
        let name = text.to_lowercase();
        let state = match self.stages.get(&name) {
            // A trigger runs in a later build or stage: which stages stand above it there is not known here.
            Some(&stage) if is_trigger || self.number.is_some_and(|number| stage < number) => State::Local,
            Some(_) => {
                let why = "the stage begins below or is this one: only from stages above can anything be taken";
                return self.unreadable(span, why);
            }
            None if name == "scratch" => State::Local,
            None if is_template(text) => State::unresolved(TEMPLATE),
            None if text.contains('$') => State::unresolved(format!(
                "`{}` has a variable, which is not expanded here: name a stage that begins with it",
                shortened(text)
            )),
            None => State::of(text),
        };
        self.report(span, field, text, state);
    }
}

const FROM_FORM: &str = "FROM takes one image, and `AS` with a name of letters, digits, `-`, `_` and `.`";
const TEMPLATE: &str = "it is a template: check the rendered file";

/// The marks of templates, opening and closing.
const MARKS: [(&str, &str); 2] = [("{{", "}}"), ("<%", "%>")];

fn is_template(text: &str) -> bool {
    MARKS.iter().any(|(open, _)| text.contains(open))
}

/// A text of bounded length: each default may quote the reason of the one before.
fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(200);
    if end == text.len() { text.to_owned() } else { format!("{}…", text.get(..end).unwrap_or_default()) }
}

/// Where the image of a `FROM` stands in the instruction, and the name of the stage.
struct From<'t> {
    start: usize,
    end: usize,
    name: Option<&'t str>,
    /// What follows the image is as BuildKit wants it.
    is_valid: bool,
}

impl<'t> From<'t> {
    /// The parts of a `FROM`; `None` for anything else, and for a `FROM` of nothing.
    fn read(instruction: &'t Instruction, escape: char) -> Option<Self> {
        let text = instruction.text.trim_end();
        let keyword = keyword(text, 0);
        if !keyword.is("from") {
            return None;
        }
        let mut at = Flags::new(text, keyword.arguments, escape).end();
        let mut next = || {
            let (start, end) = next_word(text, at)?;
            at = end;
            Some((start, end, text.get(start..end)?))
        };
        let (start, end, _) = next()?;
        let from = |name, is_valid| Some(Self { start, end, name, is_valid });
        match (next(), next(), next()) {
            (None, ..) => from(None, true),
            (Some((.., keyword)), Some((.., name)), None) if keyword.eq_ignore_ascii_case("as") => {
                let is_valid = is_template(name) || is_stage_name(&name.to_lowercase());
                from(Some(name).filter(|_| is_valid), is_valid)
            }
            _ => from(None, false),
        }
    }

    /// The name in lower case, where it is known.
    fn stage_name(&self) -> Option<String> {
        self.name.filter(|name| !is_template(name)).map(str::to_lowercase)
    }
}

/// `[a-z][a-z0-9-_.]*`: no image with a tag, a digest or a folder can be taken for a stage.
fn is_stage_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
}

/// The range of the next word; blanks within a template part nothing.
fn next_word(text: &str, at: usize) -> Option<(usize, usize)> {
    let start = at + text.get(at..)?.find(|c: char| !c.is_whitespace())?;
    let mut end = start;
    while let Some(rest) = text.get(end..) {
        end += rest.find(|c| BLANKS.contains(&c) || c == '{' || c == '<').unwrap_or(rest.len());
        let rest = text.get(end..)?;
        let close = MARKS.iter().find_map(|(open, close)| rest.starts_with(open).then(|| rest.find(close)));
        end += match (close, rest.chars().next()) {
            (Some(Some(close)), _) => close + 2,
            // Not closed: no template.
            (Some(None), _) => return Some((start, end + rest.find(BLANKS).unwrap_or(rest.len()))),
            (None, Some('{' | '<')) => 1,
            (None, _) => break,
        };
    }
    Some((start, end))
}

/// The range of a word without the quotes around the whole of it.
fn inside_quotes(word: &str) -> (usize, usize) {
    let inner = ['"', '\''].iter().find_map(|&quote| word.strip_prefix(quote)?.strip_suffix(quote));
    let is_whole = inner.is_some_and(|inner| !inner.contains(['"', '\'']));
    if is_whole { (1, word.len() - 1) } else { (0, word.len()) }
}

/// The ends of a word that begins at `start` of an instruction: the argument, and the bytes of its value in the file.
fn ends_in_file(ends: Vec<End>, instruction: &Instruction, start: usize) -> impl Iterator<Item = (String, Span)> {
    ends.into_iter().map(move |end| match end {
        End::Default(name, span) => (name, span),
        End::Word(end) => (String::new(), instruction.span(start, start + end)),
    })
}

impl FlagValue {
    fn span(&self, instruction: &Instruction) -> Span {
        instruction.span(self.start, self.end)
    }
}

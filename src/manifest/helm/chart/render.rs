//! Renders templates as Helm does, as far as that can be told here; what cannot is marked as unknown in the text.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::parse::{self, Block, Node, Operand, Pipe};
use super::text::{ANYTHING, Mark, Marks, Piece, SOME_TEXT, Text, Writer};
use super::value::{Entries, Hides, Value};
use crate::source::{Place, Source, Span};

/// How deep includes, blocks and parentheses nest while rendering.
const MAX_DEPTH: usize = 100;
/// Steps and bytes that all templates of a chart may take together.
const MAX_WORK: usize = 24 << 20;
/// Changes of mappings: each may nest one deeper.
const MAX_CHANGES: usize = 2000;

/// What most charts compose images with, for where the library is not in `charts/`: Bitnami's `common`.
const COMMON: &str = r#"{{- define "common.images.image" -}}
{{- $registry := default .imageRoot.registry ((.global).imageRegistry) -}}
{{- $termination := .imageRoot.tag | toString -}}
{{- if not .imageRoot.tag }}{{- if .chart }}{{- $termination = .chart.AppVersion | toString -}}{{- end -}}{{- end -}}
{{- $separator := ":" -}}
{{- if .imageRoot.digest }}{{- $separator = "@" -}}{{- $termination = .imageRoot.digest | toString -}}{{- end -}}
{{- if $registry }}{{- printf "%s/%s%s%s" $registry .imageRoot.repository $separator $termination -}}
{{- else -}}{{- printf "%s%s%s" .imageRoot.repository $separator $termination -}}{{- end -}}
{{- end -}}"#;

/// Where the text of a template stands.
#[derive(Clone)]
enum Written {
    File(Arc<Source>, usize),
    /// In a value, for `tpl`.
    Value(Mark),
}

/// A template that others may include.
#[derive(Clone)]
struct Named {
    body: Block,
    text: Rc<str>,
    written: Written,
}

/// What a template sees: its variables, the first of which is `$`.
pub(super) struct Scope {
    pub(super) dot: Value,
    variables: Vec<(String, Value)>,
    template: Named,
}

/// One chart being rendered.
pub(super) struct Render {
    pub(super) marks: Marks,
    templates: HashMap<String, Named>,
    /// Something that may be rendered is not in the text, nor is there a hole where it would stand.
    pub(super) is_uncertain: bool,
    /// The text holds what is not rendered: both sides of a condition.
    pub(super) is_doubled: bool,
    /// Inside of what may not be rendered.
    uncertain: usize,
    pub(super) work: usize,
    changes: usize,
    depth: usize,
    /// The mark of each part of each file.
    marked: HashMap<(usize, Span), Mark>,
    /// Files by their path from the folder of the chart that reads them.
    pub(super) files: HashMap<String, Arc<Source>>,
}

impl Render {
    pub(super) fn new(marks: Marks) -> Self {
        let mut render = Self {
            marks,
            templates: HashMap::new(),
            is_uncertain: false,
            is_doubled: false,
            uncertain: 0,
            work: MAX_WORK,
            changes: MAX_CHANGES,
            depth: 0,
            marked: HashMap::new(),
            files: HashMap::new(),
        };
        render.built_in(COMMON);
        render
    }

    /// Takes a file of templates under the name Helm gives it.
    pub(super) fn load(&mut self, name: &str, source: &Arc<Source>) -> Result<(), parse::Error> {
        let parsed = parse::parse(source.text())?;
        let text: Rc<str> = source.text().into();
        let written = Written::File(Arc::clone(source), self.templates.len());
        let named = |body| Named { body, text: Rc::clone(&text), written: written.clone() };
        self.templates.insert(name.to_owned(), named(parsed.body));
        for (name, body) in parsed.defines {
            self.templates.insert(name, named(body));
        }
        Ok(())
    }

    /// Counts work; `false` where there has been too much.
    pub(super) fn spend(&mut self, work: usize) -> bool {
        self.work = self.work.saturating_sub(work);
        self.work > 0
    }

    /// What a template of this name renders; `None` where there is none.
    pub(super) fn include(&mut self, name: &str, dot: &Value) -> Option<Text> {
        let template = self.templates.get(name)?.clone();
        Some(self.render(template, dot))
    }

    /// What a template renders that is in no file: it is one of a sub-chart that is missing, which is reported, or else
    /// Helm renders nothing. Images that it is given in values are not seen.
    pub(super) fn not_there(&mut self) -> Value {
        self.is_uncertain = true;
        self.is_doubled = true;
        Value::Unknown(Hides::Scalar)
    }

    /// Takes a template that no file of the chart holds.
    fn built_in(&mut self, text: &'static str) {
        let Ok(parsed) = parse::parse(text) else { return };
        for (name, body) in parsed.defines {
            self.templates.insert(name, Named { body, text: text.into(), written: Written::Value(0) });
        }
    }

    fn render(&mut self, template: Named, dot: &Value) -> Text {
        let variables = vec![("$".to_owned(), dot.clone())];
        let mut scope = Scope { dot: dot.clone(), variables, template };
        let body = Rc::clone(&scope.template.body);
        let mut out = Text::default();
        self.block(&body, &mut scope, &mut out);
        out
    }

    /// Renders a text that is a template itself.
    pub(super) fn tpl(&mut self, text: &Text, dot: &Value) -> Text {
        let plain = text.plain();
        if !plain.contains("{{") {
            return text.clone();
        }
        if !self.spend(plain.len()) {
            return Text::new(&ANYTHING.to_string(), 0);
        }
        let Ok(parsed) = parse::parse(&plain) else { return Text::new(&ANYTHING.to_string(), text.mark()) };
        let written = Written::Value(text.mark());
        self.deeper(|render| render.render(Named { body: parsed.body, text: plain.as_str().into(), written }, dot))
            .unwrap_or_else(|| Text::new(&ANYTHING.to_string(), text.mark()))
    }

    pub(super) fn deeper<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let result = act(self);
        self.depth -= 1;
        Some(result)
    }

    fn block(&mut self, block: &Block, scope: &mut Scope, out: &mut Text) {
        let outer = scope.variables.len();
        let is_done = self.deeper(|render| {
            for node in block.iter() {
                if !render.spend(1) {
                    return;
                }
                render.node(node, scope, out);
            }
        });
        if is_done.is_none() {
            out.push(&ANYTHING.to_string(), 0);
        }
        scope.variables.truncate(outer);
    }

    fn node(&mut self, node: &Node, scope: &mut Scope, out: &mut Text) {
        match node {
            Node::Text(range) => self.literal(range.clone(), scope, out),
            Node::Action(pipe, range) => {
                let mark = self.mark(scope, range.clone());
                let value = self.pipe(pipe, scope, mark);
                if pipe.names.is_empty() {
                    self.print(&value, mark, out);
                }
            }
            Node::If(pipe, then, other) | Node::With(pipe, then, other) => {
                let outer = scope.variables.len();
                let value = self.pipe(pipe, scope, 0);
                let dot = matches!(node, Node::With(..)).then_some(&value);
                match value.truth() {
                    Some(true) => self.branch(then, dot, scope, out),
                    Some(false) => self.block(other, scope, out),
                    None => self.either(then, other, dot, scope, out),
                }
                scope.variables.truncate(outer);
            }
            Node::Range(pipe, body, other) => {
                let outer = scope.variables.len();
                self.range(pipe, body, other, scope, out);
                scope.variables.truncate(outer);
            }
            Node::Template(name, pipe) => {
                let dot = pipe.as_ref().map_or(Value::Nothing, |pipe| self.pipe(pipe, scope, 0));
                let text = self.deeper(|render| render.include(name, &dot));
                out.append(match text {
                    Some(Some(text)) => text,
                    Some(None) => self.not_there().print(),
                    None => Text::new(&ANYTHING.to_string(), 0),
                });
            }
        }
    }

    /// Prints a value; what has no place of its own stands at the action.
    fn print(&mut self, value: &Value, mark: Mark, out: &mut Text) {
        let text = value.print();
        if !self.spend(text.len()) {
            return;
        }
        for piece in text.0 {
            out.0.push(if piece.mark == 0 { Piece { mark, skip: 0, ..piece } } else { piece });
        }
    }

    fn literal(&mut self, range: std::ops::Range<usize>, scope: &Scope, out: &mut Text) {
        let text = Rc::clone(&scope.template.text);
        let mut at = range.start;
        if !self.spend(range.len()) {
            return;
        }
        for line in text.get(range).unwrap_or_default().split_inclusive('\n') {
            let mark = self.mark(scope, at..at + line.len());
            // A line costs its place too.
            self.spend(64);
            out.push(line, mark);
            at += line.len();
        }
    }

    fn mark(&mut self, scope: &Scope, range: std::ops::Range<usize>) -> Mark {
        match &scope.template.written {
            Written::Value(mark) => *mark,
            Written::File(source, number) => {
                let span = Span::new(range.start, range.end);
                let marks = &mut self.marks;
                let add = || marks.add(Place::new(source, span), Writer::Template, None);
                *self.marked.entry((*number, span)).or_insert_with(add)
            }
        }
    }

    fn branch(&mut self, block: &Block, dot: Option<&Value>, scope: &mut Scope, out: &mut Text) {
        let outer = dot.map(|dot| std::mem::replace(&mut scope.dot, dot.clone()));
        self.block(block, scope, out);
        if let Some(outer) = outer {
            scope.dot = outer;
        }
    }

    /// Both branches of a condition that is not known. Two short texts become one that is not known.
    fn either(&mut self, then: &Block, other: &Block, dot: Option<&Value>, scope: &mut Scope, out: &mut Text) {
        let before = scope.variables.clone();
        self.uncertain += 1;
        let (mut first, mut second) = (Text::default(), Text::default());
        self.branch(then, dot, scope, &mut first);
        let after = std::mem::replace(&mut scope.variables, before);
        self.block(other, scope, &mut second);
        self.uncertain -= 1;
        join(scope, &after);
        if let (Some(lead), Some(other)) = (short(&first), short(&second)) {
            if lead.is_empty() && other.is_empty() || first.is_known() && first.plain() == second.plain() {
                out.append(first);
                return;
            }
            let mark = if first.mark() == 0 { second.mark() } else { first.mark() };
            let end = if first.plain().ends_with('\n') { "\n" } else { "" };
            out.push(&format!("{lead}{SOME_TEXT}{end}", lead = lead.strip_suffix('x').unwrap_or(other)), mark);
            return;
        }
        self.is_doubled = true;
        out.append(first);
        out.append(second);
    }

    fn range(&mut self, pipe: &Pipe, body: &Block, other: &Block, scope: &mut Scope, out: &mut Text) {
        let over = self.commands(pipe, scope, 0);
        let items: Vec<(Value, Value)> = match &over {
            Value::List(items) => {
                #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
                let number = |at: usize| Value::Number(at as f64, true, 0);
                items.iter().enumerate().map(|(at, item)| (number(at), item.clone())).collect()
            }
            Value::Map(entries) => {
                entries.borrow().iter().map(|(key, value)| (Value::text(key, 0), value.clone())).collect()
            }
            Value::Nothing => Vec::new(),
            _ => {
                self.unknown_range(pipe, body, other, scope, out);
                return;
            }
        };
        if items.is_empty() {
            self.block(other, scope, out);
        }
        for item in items {
            self.turn(pipe, item, body, scope, out);
        }
    }

    /// A `range` over what is not known: none, one or many turns. Turns are taken until one changes no variable.
    fn unknown_range(&mut self, pipe: &Pipe, body: &Block, other: &Block, scope: &mut Scope, out: &mut Text) {
        const TURNS: usize = 6;
        self.is_doubled = true;
        self.uncertain += 1;
        self.block(other, scope, out);
        for turn in 0..TURNS {
            let before = scope.variables.clone();
            let item = (Value::Unknown(Hides::Scalar), Value::Unknown(Hides::Anything));
            self.turn(pipe, item, body, scope, out);
            join(scope, &before);
            let is_settled =
                |(a, b): (&(String, Value), &(String, Value))| a.1.is_same(&b.1) || a.1.is_equally_unknown(&b.1);
            if scope.variables.iter().zip(&before).all(is_settled) {
                break;
            }
            if turn + 1 == TURNS {
                scope.variables.iter_mut().for_each(|(_, value)| *value = Value::Unknown(Hides::Anything));
            }
        }
        self.uncertain -= 1;
    }

    /// One turn of a `range`.
    fn turn(&mut self, pipe: &Pipe, item: (Value, Value), body: &Block, scope: &mut Scope, out: &mut Text) {
        let outer = scope.variables.len();
        match pipe.names.as_slice() {
            [value] => scope.variables.push((value.clone(), item.1.clone())),
            [key, value] => {
                scope.variables.push((key.clone(), item.0));
                scope.variables.push((value.clone(), item.1.clone()));
            }
            _ => {}
        }
        self.branch(body, Some(&item.1), scope, out);
        scope.variables.truncate(outer);
    }

    /// The value of a pipeline; sets the variables it declares.
    fn pipe(&mut self, pipe: &Pipe, scope: &mut Scope, mark: Mark) -> Value {
        let value = self.commands(pipe, scope, mark);
        for name in &pipe.names {
            let set = scope.variables.iter_mut().rev().find(|(it, _)| it == name).filter(|_| !pipe.declares);
            match set {
                Some((_, variable)) => *variable = value.clone(),
                None => scope.variables.push((name.clone(), value.clone())),
            }
        }
        value
    }

    fn commands(&mut self, pipe: &Pipe, scope: &mut Scope, mark: Mark) -> Value {
        let run = |render: &mut Self| {
            let mut last = None;
            for command in &pipe.commands {
                last = Some(render.command(command, last, scope, mark));
            }
            last.unwrap_or(Value::Nothing)
        };
        self.deeper(run).unwrap_or(Value::Unknown(Hides::Anything))
    }

    fn command(&mut self, operands: &[Operand], last: Option<Value>, scope: &mut Scope, mark: Mark) -> Value {
        if !self.spend(1) {
            return Value::Unknown(Hides::Anything);
        }
        let Some((first, rest)) = operands.split_first() else { return Value::Nothing };
        let mut arguments: Vec<Value> = rest.iter().map(|it| self.operand(it, scope, mark)).collect();
        arguments.extend(last);
        match first {
            Operand::Function(name) => self.call(name, &arguments, scope, mark),
            Operand::Fields(of, names) if !arguments.is_empty() => self.method(of, names, &arguments, scope, mark),
            _ => self.operand(first, scope, mark),
        }
    }

    /// `.Files.Get "x"`, `.Capabilities.APIVersions.Has "x"`.
    fn method(&mut self, of: &Operand, names: &[String], arguments: &[Value], scope: &mut Scope, mark: Mark) -> Value {
        if let ([.., files, method], [Value::Text(path)]) = (names, arguments)
            && files == "Files"
            && path.is_known()
            && let Some(value) = self.file(method, &path.plain())
        {
            return value;
        }
        match self.operand(of, scope, mark) {
            value if names.iter().any(|name| name == "Files") => {
                drop(value);
                Value::Unknown(Hides::Anything)
            }
            value => match names.iter().fold(value, |value, name| value.field(name)) {
                Value::Unknown(Hides::Scalar) => Value::Unknown(Hides::Scalar),
                _ => Value::Unknown(Hides::Anything),
            },
        }
    }

    /// What a method of `.Files` gives: the text of a file, the files that a pattern matches.
    fn file(&mut self, method: &str, path: &str) -> Option<Value> {
        let is_match: Box<dyn Fn(&str) -> bool> = match method {
            "Get" => Box::new(|it| it == path),
            "Glob" => {
                let glob = globset::GlobBuilder::new(path).literal_separator(true).build().ok()?.compile_matcher();
                Box::new(move |it| glob.is_match(it))
            }
            _ => return None,
        };
        let mut entries = Entries::new();
        let files: Vec<_> =
            self.files.iter().filter(|(it, _)| is_match(it)).map(|(path, it)| (path.clone(), Arc::clone(it))).collect();
        for (path, source) in files {
            if !self.spend(source.text().len()) {
                return None;
            }
            let place = Place::new(&source, Span::new(0, source.text().len()));
            let mark = self.marks.add(place, Writer::Template, None);
            entries.insert(path.into(), Value::text(source.text(), mark));
        }
        if method == "Get" { entries.into_values().next() } else { Some(Value::map(entries)) }
    }

    fn operand(&mut self, operand: &Operand, scope: &mut Scope, mark: Mark) -> Value {
        match operand {
            Operand::Text(text) => Value::text(text, mark),
            Operand::Number(value, is_integer) => Value::Number(*value, *is_integer, mark),
            Operand::Bool(value) => Value::Bool(*value, mark),
            Operand::Nil => Value::Nothing,
            Operand::Dot => scope.dot.clone(),
            Operand::Variable(name) => {
                let variable = scope.variables.iter().rev().find(|(it, _)| it == name);
                variable.map_or(Value::Unknown(Hides::Anything), |(_, value)| value.clone())
            }
            Operand::Function(name) => self.call(name, &[], scope, mark),
            Operand::Group(pipe) => self.pipe(pipe, scope, mark),
            Operand::Fields(of, names) => {
                let value = self.operand(of, scope, mark);
                names.iter().fold(value, |value, name| value.field(name))
            }
        }
    }

    /// Sets an entry of a mapping in place.
    pub(super) fn set(&mut self, map: &Value, key: &str, value: Value) {
        if !matches!(map, Value::Map(_)) {
            self.is_uncertain = true;
            return;
        }
        // Each change may nest as much deeper as its value does.
        let cost = 1 + value.depth();
        if self.changes < cost {
            // Nothing is set any more, so nothing may be taken for certain.
            self.work = 0;
            return;
        }
        self.changes -= cost;
        let old = map.field(key);
        let value = if self.uncertain == 0 { value } else { value.either(&old) };
        map.insert(key, value);
    }

    pub(super) fn new_map(&mut self, entries: Entries) -> Value {
        self.spend(entries.len() + 1);
        Value::map(entries)
    }
}

/// Variables that differ from those of another branch are not known.
fn join(scope: &mut Scope, other: &[(String, Value)]) {
    for ((_, value), (_, other)) in scope.variables.iter_mut().zip(other) {
        *value = std::mem::replace(value, Value::Nothing).either(other);
    }
}

/// The white space before a text of one line that is no part of a block, and `x` where there is more than that.
fn short(text: &Text) -> Option<&'static str> {
    let plain = text.plain();
    let trimmed = plain.trim();
    let is_short = !trimmed.contains('\n')
        && !trimmed.contains(ANYTHING)
        && !trimmed.starts_with("- ")
        && !trimmed.contains(": ")
        && !trimmed.ends_with(':');
    let lead = plain.len() - plain.trim_start().len();
    is_short.then_some(if trimmed.is_empty() {
        ""
    } else if plain.get(..lead).is_some_and(|lead| lead.contains('\n')) {
        "\nx"
    } else {
        "x"
    })
}

//! HCL files (Nomad, Terraform, Bake): bounded reading, and what an expression comes to through variables and locals.
//!
//! Sources: the HCL native syntax specification, the Nomad and Terraform language references.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, Object, ObjectKey, Traversal, TraversalOperator};
use hcl_edit::structure::{Block, Body, Structure};
use hcl_edit::template::{Element, Strip};

use super::slot::{self, Elsewhere, Ending, Form};
use super::{Found, LocatedImage, Related, State, Unreadable, place};
use crate::source::{Place, Source, Span};
use crate::yaml::Node;

/// The most bytes and the most `=` and `:` that are read: the parser compares each key of an object with all before it.
const MAX_BYTES: usize = 2 << 20;
const MAX_ASSIGNMENTS: usize = 20_000;

/// The most steps one expression may take through variables and locals, how deep it may go, and the longest text it
/// may come to: locals can name themselves and can double a text at each step.
const MAX_STEPS: usize = 256;
const MAX_DEPTH: usize = 16;
const MAX_TEXT: usize = 4096;

/// A text in a file that is HCL: the whole file, or a here-document in another one.
#[derive(Clone, Copy)]
pub(super) struct Text<'s> {
    pub(super) source: &'s Arc<Source>,
    /// Where the text begins in the file, in bytes.
    pub(super) base: usize,
    pub(super) raw: &'s str,
}

/// Why a text could not be read, at a byte offset of the file.
pub(super) struct Broken {
    offset: usize,
    message: String,
    help: Option<&'static str>,
}

impl<'s> Text<'s> {
    /// The whole file, without a byte order mark.
    pub(super) fn of(source: &'s Arc<Source>) -> Self {
        let text = source.text();
        let without_mark = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { source, base: text.len() - without_mark.len(), raw: without_mark }
    }

    /// A part of this text; nothing where the range is not inside it.
    pub(super) fn part(self, range: Range<usize>) -> Option<Self> {
        Some(Self { base: self.base + range.start, raw: self.raw.get(range)?, ..self })
    }

    /// Reads the text.
    ///
    /// # Errors
    /// It is not HCL, or it is larger than what is read in bounded time.
    pub(super) fn parse(self) -> Result<Body, Broken> {
        let assignments = self.raw.bytes().filter(|byte| matches!(byte, b'=' | b':')).count();
        if self.raw.len() > MAX_BYTES || assignments > MAX_ASSIGNMENTS {
            return Err(Broken {
                offset: self.base,
                message: format!("the file is larger than what is read: {MAX_ASSIGNMENTS} assignments or 2 MiB"),
                help: Some("split it into several files"),
            });
        }
        self.raw.parse().map_err(|error: hcl_edit::parser::Error| Broken {
            offset: self.base + error.location().offset(),
            message: error.message().replace('\n', ", "),
            help: None,
        })
    }

    /// The span in the file of a range of this text.
    pub(super) fn span(self, range: Range<usize>) -> Span {
        Span::new(self.base + range.start, self.base + range.end)
    }
}

impl Broken {
    /// Reports it.
    pub(super) fn report(self, source: &Arc<Source>, found: &mut Found) {
        let place = Place::new(source, Span::new(self.offset, self.offset));
        found.unreadable.push(Unreadable { place, message: self.message, help: self.help.map(str::to_owned) });
    }
}

/// What a name stands for.
struct Declared<'b> {
    /// The default of a variable, the value of a local; nothing where a variable has no default.
    value: Option<&'b Expression>,
    /// A variable: who deploys can set it.
    is_variable: bool,
}

/// The variables and locals of a text.
pub(super) struct Scope<'b> {
    text: Text<'b>,
    declared: HashMap<String, Declared<'b>>,
    /// What the text uses for something else than images.
    used_elsewhere: Elsewhere,
}

/// A text an expression comes to, and what took part.
#[derive(Default)]
struct Value {
    text: String,
    is_variable: bool,
    decided_by: Vec<(String, Range<usize>)>,
    /// Where the text ends inside of a variable that it ends with, the innermost first: its name, the bytes of its
    /// value, and their form.
    ends: Vec<(String, Range<usize>, Form)>,
}

/// How variables are called where they are used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// `var.name`, `local.name`
    Prefixed,
    /// `name`, and attributes at the top are names as well (Bake).
    Bare,
}

impl<'b> Scope<'b> {
    /// Collects what is declared at the top of a text.
    pub(super) fn new(text: Text<'b>, body: &'b Body, names: Names) -> Self {
        let mut declared = HashMap::new();
        for structure in body {
            match structure {
                Structure::Attribute(attribute) if names == Names::Bare => {
                    let value = Declared { value: Some(&attribute.value), is_variable: true };
                    declared.insert(attribute.key.as_str().to_owned(), value);
                }
                Structure::Attribute(_) => {}
                Structure::Block(block) => declare(block, names, &mut declared),
            }
        }
        Self { text, declared, used_elsewhere: Elsewhere::default() }
    }

    /// The image an expression names.
    pub(super) fn image(&self, kind: &'static str, expression: &Expression, field: String) -> Option<LocatedImage> {
        let (range, written) = self.written(expression)?;
        let mut steps = MAX_STEPS;
        let value = if matches!(expression, Expression::HeredocTemplate(_)) {
            Err("a here-document ends in a line break: write the image in quotes".to_owned())
        } else {
            self.value(expression, MAX_DEPTH, &mut steps)
        };
        Some(self.located(kind, range, &written, field, (form_of(expression), value)))
    }

    /// The image in a part of a template: embedded JSON. `elements` are those of the template around it.
    pub(super) fn image_in_template(
        &self,
        kind: &'static str,
        elements: &[&Element],
        range: Range<usize>,
        field: String,
    ) -> LocatedImage {
        let mut steps = MAX_STEPS;
        let written = self.text.raw.get(range.clone()).unwrap_or_default().to_owned();
        let value = self.template(elements.iter().copied(), Some(&range), MAX_DEPTH, &mut steps);
        self.located(kind, range, &written, field, (Some(Form::Text), value))
    }

    fn located(
        &self,
        kind: &'static str,
        range: Range<usize>,
        written: &str,
        field: String,
        (form, value): (Option<Form>, Result<Value, String>),
    ) -> LocatedImage {
        let source = self.text.source;
        let (state, value) = match value {
            Ok(value) => (state_of(&value.text), value),
            Err(why) => (State::unresolved(why), Value::default()),
        };
        let mut image = LocatedImage::new(kind, source, self.text.span(range), field, written, state);
        image.variable = value.is_variable;
        image.related = value
            .decided_by
            .into_iter()
            .map(|(name, range)| Related {
                place: Place::new(source, self.text.span(range)),
                message: format!("the value of `{name}`"),
            })
            .collect();
        let ending = |(name, range, form)| Ending { place: Place::new(source, self.text.span(range)), name, form };
        let ends: Vec<_> = value.ends.into_iter().map(ending).collect();
        image.slot = slot::put_together(&image, form, &ends, |name| {
            let text = (source, self.text.base, self.text.raw);
            self.used_elsewhere.of(name, [text], slot::words_beside_images)
        });
        image
    }

    /// Where the text of an expression stands, without quotes, and the text as written.
    fn written(&self, expression: &Expression) -> Option<(Range<usize>, String)> {
        let range = expression.span()?;
        let inside = range.start + 1..range.end.saturating_sub(1).max(range.start + 1);
        let raw = |range: &Range<usize>| self.text.raw.get(range.clone()).unwrap_or_default().to_owned();
        Some(match expression {
            Expression::String(text) => (inside, text.as_str().to_owned()),
            Expression::StringTemplate(_) => {
                let text = raw(&inside);
                (inside, text)
            }
            Expression::HeredocTemplate(heredoc) => {
                let content = heredoc.template.span().unwrap_or(range);
                let text = raw(&content);
                let start = content.start + (text.len() - text.trim_start().len()).min(text.len());
                (start..(content.start + text.trim_end().len()).max(start), text.trim().to_owned())
            }
            Expression::Parenthesis(parenthesis) => return self.written(parenthesis.inner()),
            _ => {
                let text = raw(&range);
                (range, text)
            }
        })
    }

    /// The plain text of an expression, where it comes to one.
    pub(super) fn text_of(&self, expression: &Expression) -> Option<String> {
        let mut steps = MAX_STEPS;
        self.value(expression, MAX_DEPTH, &mut steps).ok().map(|value| value.text)
    }

    /// How the text of an expression begins, as far as that is decided.
    pub(super) fn beginning_of(&self, expression: &Expression) -> String {
        let Expression::StringTemplate(template) = expression else { return String::new() };
        let mut steps = MAX_STEPS;
        let mut beginning = String::new();
        for element in template {
            match self.template(std::iter::once(element), None, MAX_DEPTH, &mut steps) {
                Ok(value) if beginning.len() <= MAX_TEXT => beginning.push_str(&value.text),
                _ => break,
            }
        }
        beginning
    }

    fn value(&self, expression: &Expression, depth: usize, steps: &mut usize) -> Result<Value, String> {
        let Some(depth) = depth.checked_sub(1).filter(|_| *steps > 0) else {
            return Err("it goes through too many variables, or a variable names itself".to_owned());
        };
        *steps -= 1;
        let literal = |text: &str| Ok(Value { text: text.to_owned(), ..Value::default() });
        match expression {
            Expression::String(text) => literal(text.as_str()),
            Expression::Number(number) => literal(&number.value().to_string()),
            Expression::Bool(value) => literal(if *value.value() { "true" } else { "false" }),
            Expression::Parenthesis(parenthesis) => self.value(parenthesis.inner(), depth, steps),
            Expression::StringTemplate(template) => self.template(template.iter(), None, depth, steps),
            Expression::Variable(name) => self.named(name.as_str(), &[], depth, steps),
            Expression::Traversal(traversal) => self.traversal(traversal, depth, steps),
            Expression::FuncCall(call) => Err(format!("the function `{}` decides it", call.name.name.as_str())),
            Expression::Conditional(_) => Err("a condition decides it".to_owned()),
            Expression::ForExpr(_) => Err("a `for` expression decides it".to_owned()),
            Expression::HeredocTemplate(_) => Err("a here-document decides it".to_owned()),
            Expression::Null(_) => Err("it is `null`".to_owned()),
            Expression::Array(_) | Expression::Object(_) => Err("it is a list or an object, not a text".to_owned()),
            Expression::UnaryOp(_) | Expression::BinaryOp(_) => Err("an operation decides it".to_owned()),
        }
    }

    /// What the elements of a template come to: all of them, or those in a range.
    fn template<'e>(
        &self,
        elements: impl Iterator<Item = &'e Element>,
        within: Option<&Range<usize>>,
        depth: usize,
        steps: &mut usize,
    ) -> Result<Value, String> {
        let mut whole = Value::default();
        for element in elements {
            let span = element.span().unwrap_or_default();
            if within.is_some_and(|within| span.end <= within.start || span.start >= within.end) {
                continue;
            }
            if element.as_literal().is_some_and(|text| !text.is_empty()) {
                whole.ends.clear();
            }
            match (element, within) {
                (Element::Literal(text), None) => whole.text.push_str(text.as_str()),
                (Element::Literal(_), Some(within)) => {
                    let range = span.start.max(within.start)..span.end.min(within.end);
                    whole.text.push_str(self.text.raw.get(range).unwrap_or_default());
                }
                (Element::Interpolation(inner), _) if inner.strip == Strip::None => {
                    let value = self.value(&inner.expr, depth, steps)?;
                    whole.text.push_str(&value.text);
                    whole.is_variable |= value.is_variable;
                    whole.decided_by.extend(value.decided_by);
                    if !value.text.is_empty() {
                        whole.ends = value.ends;
                    }
                }
                (Element::Interpolation(_) | Element::Directive(_), _) => {
                    return Err("a template directive (`%{ }`, `${~ }`) decides it".to_owned());
                }
            }
            if whole.text.len() > MAX_TEXT {
                return Err(format!("it comes to a text of more than {MAX_TEXT} bytes"));
            }
        }
        Ok(whole)
    }

    fn traversal(&self, traversal: &Traversal, depth: usize, steps: &mut usize) -> Result<Value, String> {
        let Expression::Variable(root) = &traversal.expr else {
            return Err("an expression decides it".to_owned());
        };
        let mut parts = Vec::new();
        for operator in &traversal.operators {
            match operator.value() {
                TraversalOperator::GetAttr(name) => parts.push(name.as_str()),
                TraversalOperator::Index(Expression::String(name)) => parts.push(name.as_str()),
                _ => return Err(format!("an element of `{}` that is not fixed decides it", root.as_str())),
            }
        }
        match (root.as_str(), parts.split_first()) {
            (root @ ("var" | "local"), Some((name, rest))) => self.named(&format!("{root}.{name}"), rest, depth, steps),
            (root, _) if self.declared.contains_key(root) => self.named(root, &parts, depth, steps),
            _ => Err(format!("`{}` is known only where it is deployed", shown(root.as_str(), &parts))),
        }
    }

    fn named(&self, name: &str, path: &[&str], depth: usize, steps: &mut usize) -> Result<Value, String> {
        let Some(declared) = self.declared.get(name) else {
            return Err(format!("nothing in this file declares `{name}`"));
        };
        let Some(mut expression) = declared.value else {
            return Err(format!("the variable `{name}` has no default"));
        };
        for key in path {
            let Expression::Object(object) = expression else {
                return Err(format!("`{}` is not a fixed element of `{name}`", path.join(".")));
            };
            expression = member(object, key).ok_or_else(|| format!("`{name}` has no element `{key}`"))?;
        }
        let mut value = self.value(expression, depth, steps)?;
        value.is_variable |= declared.is_variable;
        if let Some((range, _)) = self.written(expression) {
            value.ends.extend(form_of(expression).map(|form| (name.to_owned(), range.clone(), form)));
            value.decided_by.insert(0, (name.to_owned(), range));
        }
        Ok(value)
    }
}

/// How something is put behind an expression that comes to a text.
fn form_of(expression: &Expression) -> Option<Form> {
    match expression {
        Expression::String(_) | Expression::StringTemplate(_) => Some(Form::Text),
        Expression::Number(_) => Some(Form::Number),
        Expression::Variable(_) | Expression::Traversal(_) => Some(Form::Expression),
        Expression::Parenthesis(parenthesis) => form_of(parenthesis.inner()),
        _ => None,
    }
}

fn declare<'b>(block: &'b Block, names: Names, declared: &mut HashMap<String, Declared<'b>>) {
    match (block.ident.as_str(), names) {
        ("variable", _) => {
            let Some(name) = label(block, 0) else { return };
            let name = if names == Names::Bare { name.to_owned() } else { format!("var.{name}") };
            let value = block.body.get_attribute("default").map(|attribute| &attribute.value);
            let value = value.filter(|value| !value.is_null());
            declared.insert(name, Declared { value, is_variable: true });
        }
        ("locals", Names::Prefixed) => {
            for attribute in block.body.attributes() {
                let local = Declared { value: Some(&attribute.value), is_variable: false };
                declared.insert(format!("local.{}", attribute.key.as_str()), local);
            }
        }
        _ => {}
    }
}

/// The label of a block at an index.
pub(super) fn label(block: &Block, index: usize) -> Option<&str> {
    block.labels.get(index).map(hcl_edit::structure::BlockLabel::as_str)
}

/// The value of an object's key, written as a name or in quotes.
pub(super) fn member<'o>(object: &'o Object, key: &str) -> Option<&'o Expression> {
    object.iter().find(|(name, _)| key_text(name) == Some(key)).map(|(_, value)| value.expr())
}

/// The text of an object's key, where it is fixed.
pub(super) fn key_text(key: &ObjectKey) -> Option<&str> {
    match key {
        ObjectKey::Expression(Expression::String(name)) => Some(name.as_str()),
        ObjectKey::Ident(name) | ObjectKey::Expression(Expression::Variable(name)) => Some(name.as_str()),
        ObjectKey::Expression(_) => None,
    }
}

fn shown(root: &str, parts: &[&str]) -> String {
    let mut shown = root.to_owned();
    for part in parts {
        shown.push('.');
        shown.push_str(part);
    }
    shown
}

/// The state of a text that the language is done with, unless something else fills it in.
pub(super) fn state_of(text: &str) -> State {
    const MARKS: [(&str, &str); 3] =
        [("[[", "a template (`[[ ]]`)"), ("{{", "a template (`{{ }}`)"), ("${", "a variable (`${ }`)")];
    match MARKS.iter().find(|(mark, _)| text.contains(mark)) {
        Some((_, what)) => State::unresolved(format!("{what} is filled in where it is deployed")),
        None => State::of(text),
    }
}

/// The variables and locals of a document in the JSON syntax.
pub(super) struct JsonScope<'t> {
    /// What the file uses for something else than images.
    used_elsewhere: Elsewhere,
    names: Names,
    /// The value, where there is one, and whether who deploys can set it.
    declared: HashMap<String, (Option<Node<'t>>, bool)>,
}

/// A text of a JSON document, filled in.
#[derive(Default)]
pub(super) struct Filled<'t> {
    pub(super) text: String,
    is_variable: bool,
    decided_by: Vec<(String, Node<'t>)>,
    /// Where the text ends inside of a variable that it ends with, the innermost first.
    ends: Vec<(String, Node<'t>)>,
}

impl<'t> JsonScope<'t> {
    /// Collects what is declared at the top of a document.
    pub(super) fn new(root: Node<'t>, names: Names) -> Self {
        let mut declared = HashMap::new();
        for (name, value) in
            bodies(root).flat_map(Node::entries).filter_map(|(key, value)| Some((key.scalar()?, value)))
        {
            match (name, names) {
                ("variable", _) => {
                    for (name, variable) in labelled(value) {
                        let name = if names == Names::Bare { name.to_owned() } else { format!("var.{name}") };
                        let default = variable.get("default").filter(|default| !default.is_null());
                        declared.insert(name, (default, true));
                    }
                }
                ("locals", Names::Prefixed) => {
                    for (name, local) in bodies(value).flat_map(Node::entries) {
                        declared.insert(format!("local.{}", name.scalar().unwrap_or_default()), (Some(local), false));
                    }
                }
                (_, Names::Bare) => {
                    declared.entry(name.to_owned()).or_insert((Some(value), true));
                }
                _ => {}
            }
        }
        Self { used_elsewhere: Elsewhere::default(), names, declared }
    }

    /// The image a text names; nothing where it is empty, null or no text.
    pub(super) fn image(
        &self,
        kind: &'static str,
        source: &Arc<Source>,
        node: Node<'t>,
        field: &str,
    ) -> Option<LocatedImage> {
        let mut image = place::image(kind, source, node, field)?;
        match self.fill_in(&image.written) {
            Ok(filled) => {
                image.state = place::state_of(&filled.text);
                self.tell(filled, source, &mut image);
            }
            Err(why) => image.state = State::unresolved(why),
        }
        Some(image)
    }

    /// What a text comes to.
    ///
    /// # Errors
    /// Something in it is not decided here; why, for people.
    pub(super) fn fill_in(&self, text: &str) -> Result<Filled<'t>, String> {
        let mut steps = MAX_STEPS;
        self.filled(text, MAX_DEPTH, &mut steps)
    }

    fn filled(&self, text: &str, depth: usize, steps: &mut usize) -> Result<Filled<'t>, String> {
        if text.contains("%{") || text.contains("$${") {
            return Err("a template directive (`%{ }`, `$${ }`) decides it".to_owned());
        }
        let mut whole = Filled::default();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let (name, after) = behind.split_once('}').ok_or_else(|| "an interpolation does not end".to_owned())?;
            let Some(left) = steps.checked_sub(1).filter(|_| depth > 0) else {
                return Err("it goes through too many variables, or a variable names itself".to_owned());
            };
            *steps = left;
            let (name, node, is_variable) = self.named(name.trim())?;
            let value = node.string().ok_or_else(|| format!("`{name}` is not a text"))?;
            let value = self.filled(value, depth - 1, steps)?;
            whole.text.push_str(before);
            whole.text.push_str(&value.text);
            whole.is_variable |= is_variable || value.is_variable;
            if !value.text.is_empty() {
                whole.ends = value.ends;
                whole.ends.push((name.to_owned(), node));
            }
            whole.decided_by.push((name.to_owned(), node));
            whole.decided_by.extend(value.decided_by);
            rest = after;
            if whole.text.len() > MAX_TEXT {
                return Err(format!("it comes to a text of more than {MAX_TEXT} bytes"));
            }
        }
        if !rest.is_empty() {
            whole.ends.clear();
        }
        whole.text.push_str(rest);
        Ok(whole)
    }

    /// Tells an image what took part in deciding it, and where its digest belongs.
    pub(super) fn tell(&self, filled: Filled<'_>, source: &Arc<Source>, image: &mut LocatedImage) {
        let place = |node: Node<'_>| Place::new(source, node.resolve().unwrap_or(node).span());
        image.variable = filled.is_variable;
        image.related.extend(
            filled
                .decided_by
                .into_iter()
                .map(|(name, node)| Related { place: place(node), message: format!("the value of `{name}`") }),
        );
        let ending = |(name, node)| Ending { place: place(node), name, form: slot::form_of(source, node) };
        let ends: Vec<_> = filled.ends.into_iter().map(ending).collect();
        image.slot = slot::put_together(image, Some(Form::Text), &ends, |name| {
            self.used_elsewhere.of(name, [(source, 0, source.text())], slot::words_beside_images)
        });
    }

    fn named<'n>(&self, name: &'n str) -> Result<(&'n str, Node<'t>, bool), String> {
        match self.declared.get(name) {
            Some((Some(node), is_variable)) => Ok((name, *node, *is_variable)),
            Some((None, _)) => Err(format!("the variable `{name}` has no default")),
            None if !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) => {
                Err(format!("the expression `{name}` decides it"))
            }
            None if self.names == Names::Bare || name.starts_with("var.") || name.starts_with("local.") => {
                Err(format!("nothing in this file declares `{name}`"))
            }
            None => Err(format!("`{name}` is known only where it is deployed")),
        }
    }
}

/// The bodies that a value of the JSON syntax holds: itself, or the items of a list.
pub(super) fn bodies(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let itself = (!node.is_sequence()).then_some(node);
    itself.into_iter().chain(node.items())
}

/// The blocks of one type with their first label, in the JSON syntax.
pub(super) fn labelled(blocks: Node<'_>) -> impl Iterator<Item = (&str, Node<'_>)> {
    let named = bodies(blocks).flat_map(Node::entries).filter_map(|(name, value)| Some((name.scalar()?, value)));
    named.flat_map(|(name, value)| bodies(value).map(move |body| (name, body)))
}

/// The values of one key at the top of a document in the JSON syntax, however often it is there.
pub(super) fn at_top<'t>(root: Node<'t>, name: &str) -> impl Iterator<Item = Node<'t>> {
    let entries = bodies(root).flat_map(Node::entries);
    entries.filter(move |(key, _)| key.scalar() == Some(name)).map(|(_, value)| value)
}

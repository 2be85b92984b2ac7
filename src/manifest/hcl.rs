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

use super::{Found, LocatedImage, Related, State, Unreadable};
use crate::source::{Place, Source, Span};

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
}

/// A text an expression comes to, and what took part.
#[derive(Default)]
struct Value {
    text: String,
    is_variable: bool,
    decided_by: Vec<(String, Range<usize>)>,
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
        Self { text, declared }
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
        Some(self.located(kind, range, &written, field, value))
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
        self.located(kind, range, &written, field, value)
    }

    fn located(
        &self,
        kind: &'static str,
        range: Range<usize>,
        written: &str,
        field: String,
        value: Result<Value, String>,
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
            value.decided_by.insert(0, (name.to_owned(), range));
        }
        Ok(value)
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
fn state_of(text: &str) -> State {
    const MARKS: [(&str, &str); 3] =
        [("[[", "a template (`[[ ]]`)"), ("{{", "a template (`{{ }}`)"), ("${", "a variable (`${ }`)")];
    match MARKS.iter().find(|(mark, _)| text.contains(mark)) {
        Some((_, what)) => State::unresolved(format!("{what} is filled in where it is deployed")),
        None => State::of(text),
    }
}

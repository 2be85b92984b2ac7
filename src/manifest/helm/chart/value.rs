//! Values as a template sees them, each scalar with the place it was written at.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use super::text::{ANYTHING, Mark, Marks, SOME_TEXT, Text, Writer};
use crate::manifest::MAX_DEPTH;
use crate::manifest::embedded::join;
use crate::source::{Place, Source, Span};
use crate::yaml::{Node, NodeKind, Style, Tree};

/// What may hide behind a value that is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hides {
    /// A scalar: a release's name, a version of Kubernetes, a random text.
    Scalar,
    Anything,
}

pub(super) type Entries = BTreeMap<Rc<str>, Value>;

/// How deep values nest: they are walked and dropped level by level, and the stack is not without end.
const MAX_NESTING: usize = MAX_DEPTH + 8;

/// A list, and how deep it nests.
#[derive(Debug)]
pub(super) struct List(Vec<Value>, usize);

impl Deref for List {
    type Target = Vec<Value>;

    fn deref(&self) -> &Vec<Value> {
        &self.0
    }
}

/// A mapping, which templates change in place, and how deep it nested when it was made.
#[derive(Debug)]
pub(super) struct Map(RefCell<Entries>, Cell<usize>);

impl Deref for Map {
    type Target = RefCell<Entries>;

    fn deref(&self) -> &RefCell<Entries> {
        &self.0
    }
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Nothing,
    Bool(bool, Mark),
    /// Values are read as floating point numbers, as Helm reads them; `true` where it is an integer.
    Number(f64, bool, Mark),
    Text(Text),
    List(Rc<List>),
    Map(Rc<Map>),
    Unknown(Hides),
}

impl Value {
    pub(super) fn text(text: &str, mark: Mark) -> Self {
        Self::Text(Text::new(text, mark))
    }

    pub(super) fn map(entries: Entries) -> Self {
        let depth = 1 + entries.values().map(Self::depth).max().unwrap_or_default();
        if depth > MAX_NESTING {
            return Self::Unknown(Hides::Anything);
        }
        Self::Map(Rc::new(Map(RefCell::new(entries), Cell::new(depth))))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        let depth = 1 + items.iter().map(Self::depth).max().unwrap_or_default();
        if depth > MAX_NESTING { Self::Unknown(Hides::Anything) } else { Self::List(Rc::new(List(items, depth))) }
    }

    /// How deep it nests; of a mapping that was changed at least how deep its own entries do.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::List(items) => items.1,
            Self::Map(entries) => entries.1.get(),
            _ => 0,
        }
    }

    /// Puts an entry into a mapping, in place.
    pub(super) fn insert(&self, key: &str, value: Self) {
        let Self::Map(entries) = self else { return };
        entries.1.set(entries.1.get().max(1 + value.depth()));
        if let Ok(mut entries) = entries.try_borrow_mut() {
            entries.insert(key.into(), value);
        }
    }

    /// Whether Go's templates take it for true; `None` where that is not known.
    pub(super) fn truth(&self) -> Option<bool> {
        Some(match self {
            Self::Nothing => false,
            Self::Bool(value, _) => *value,
            Self::Number(value, ..) => *value != 0.0,
            Self::Text(text) => {
                let is_known = |c: char| c != SOME_TEXT && c != ANYTHING;
                let has_known = text.0.iter().any(|piece| piece.text.contains(is_known));
                if !has_known && !text.is_known() {
                    return None;
                }
                !text.is_empty()
            }
            Self::List(items) => !items.is_empty(),
            Self::Map(entries) => !entries.borrow().is_empty(),
            Self::Unknown(_) => return None,
        })
    }

    pub(super) fn truth_of_bool(&self) -> Option<bool> {
        if let Self::Bool(value, _) = self { Some(*value) } else { None }
    }

    /// The value of a field; nothing of what has none.
    pub(super) fn field(&self, name: &str) -> Self {
        match self {
            Self::Map(entries) => entries.borrow().get(name).cloned().unwrap_or(Self::Nothing),
            Self::Unknown(hides) => Self::Unknown(*hides),
            _ => Self::Nothing,
        }
    }

    /// How Go prints it.
    pub(super) fn print(&self) -> Text {
        match self {
            Self::Nothing => Text::default(),
            Self::Bool(value, mark) => Text::new(if *value { "true" } else { "false" }, *mark),
            Self::Number(value, is_integer, mark) => Text::new(&number(*value, *is_integer), *mark),
            Self::Text(text) => text.clone(),
            Self::List(_) | Self::Map(_) | Self::Unknown(Hides::Scalar) => Text::new(&SOME_TEXT.to_string(), 0),
            Self::Unknown(Hides::Anything) => Text::new(&ANYTHING.to_string(), 0),
        }
    }

    fn scalar_len(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }

    pub(super) fn is_scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Map(_) | Self::Unknown(Hides::Anything))
    }

    /// Whether two values are certainly the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => true,
            (Self::Bool(a, _), Self::Bool(b, _)) => a == b,
            (Self::Number(a, ..), Self::Number(b, ..)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a.is_known() && a.plain() == b.plain(),
            (Self::List(a), Self::List(b)) => Rc::ptr_eq(a, b),
            (Self::Map(a), Self::Map(b)) => Rc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Whether nothing is known of both, to the same degree.
    pub(super) fn is_equally_unknown(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Unknown(a), Self::Unknown(b)) if a == b)
    }

    /// What it is where it may be either.
    pub(super) fn either(self, other: &Self) -> Self {
        if self.is_same(other) {
            return self;
        }
        let hides = if self.is_scalar() && other.is_scalar() { Hides::Scalar } else { Hides::Anything };
        Self::Unknown(hides)
    }
}

/// A number as Go's `%v` prints it.
pub(super) fn number(value: f64, is_integer: bool) -> String {
    if is_integer {
        return format!("{value:.0}");
    }
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // Where the shortest form is asked for, Go draws the upper line at six digits: a tag of eight becomes `2.0240101e+07`.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    if value == 0.0 { "0".to_owned() } else { format!("{value}") }
}

/// The mark of a scalar by its span and its field.
type MarkOf<'m> = dyn FnMut(Span, &str) -> Mark + 'm;

/// Reads YAML as Helm does: YAML 1.1 without dates, every number a floating point number.
pub(super) struct Reader<'m> {
    mark: Box<MarkOf<'m>>,
    /// Collections by node: one that aliases name is read once.
    read: HashMap<u32, Value>,
}

impl<'m> Reader<'m> {
    /// Of a rendered text: each scalar stands at the piece that it begins in.
    pub(super) fn of_text(text: &'m Text) -> Self {
        let starts = text.starts();
        let mark = move |span: Span, _: &str| {
            let at = starts.partition_point(|&start| start <= span.start as usize).saturating_sub(1);
            text.0.get(at).map_or(0, |piece| piece.mark)
        };
        Self { mark: Box::new(mark), read: HashMap::new() }
    }

    /// The first document of a file; an empty mapping where there is none. `Err` holds where it cannot be read.
    pub(super) fn read(marks: &'m mut Marks, source: &'m Arc<Source>, writer: Writer) -> Result<Value, (u32, String)> {
        let tree = Tree::yaml(source.text());
        if let Some(error) = tree.errors().first() {
            return Err((error.offset, error.message.clone()));
        }
        let mark = move |span: Span, field: &str| marks.add(Place::new(source, span), writer, Some(field));
        let mut reader = Self { mark: Box::new(mark), read: HashMap::new() };
        Ok(match tree.documents(source.text()).next() {
            Some(root) if !root.is_null() => reader.node(root, "", 0),
            _ => Value::map(Entries::new()),
        })
    }

    pub(super) fn node(&mut self, node: Node<'_>, path: &str, depth: usize) -> Value {
        let Some(node) = node.resolve() else { return Value::Unknown(Hides::Anything) };
        if depth > MAX_DEPTH {
            return Value::Unknown(Hides::Anything);
        }
        if let Some(value) = self.read.get(&node.id()) {
            return value.clone();
        }
        let value = match node.kind() {
            NodeKind::Scalar(_) => return self.scalar(node, path),
            NodeKind::Sequence => {
                let items = node.items().enumerate();
                Value::list(items.map(|(at, item)| self.node(item, &format!("{path}[{at}]"), depth + 1)).collect())
            }
            NodeKind::Mapping => {
                let mut entries = Entries::new();
                self.mapping(node, path, depth, &mut entries);
                Value::map(entries)
            }
            NodeKind::Alias => Value::Unknown(Hides::Anything),
        };
        self.read.insert(node.id(), value.clone());
        value
    }

    fn mapping(&mut self, node: Node<'_>, path: &str, depth: usize, entries: &mut Entries) {
        for (key, value) in node.entries() {
            let Some(name) = key.scalar() else { continue };
            let is_plain = key.resolve().is_some_and(|key| key.kind() == NodeKind::Scalar(Style::Plain));
            if name == "<<" && is_plain {
                continue;
            }
            let name = if is_plain { plain_key(name) } else { name.into() };
            let value = self.node(value, &join(path, &name), depth + 1);
            entries.insert(name, value);
        }
        for (_, merged) in node.entries().filter(|(key, _)| key.scalar() == Some("<<")) {
            let sources: Vec<_> = if merged.is_sequence() { merged.items().collect() } else { vec![merged] };
            for source in sources {
                if let Value::Map(source) = self.node(source, path, depth + 1) {
                    for (name, value) in source.borrow().iter() {
                        entries.entry(Rc::clone(name)).or_insert_with(|| value.clone());
                    }
                }
            }
        }
    }

    fn scalar(&mut self, node: Node<'_>, path: &str) -> Value {
        let text = node.scalar().unwrap_or_default();
        let mark = (self.mark)(node.span(), path);
        if node.is_null() {
            return Value::Nothing;
        }
        let is_plain = node.kind() == NodeKind::Scalar(Style::Plain);
        match node.tag() {
            Some("!!str") | None if !is_plain => Value::text(text, mark),
            Some("!!str") => Value::text(text, mark),
            None => plain_scalar(text, mark),
            Some(_) => Value::Unknown(Hides::Scalar),
        }
    }
}

fn plain_key(name: &str) -> Rc<str> {
    match plain_scalar(name, 0) {
        Value::Bool(value, _) => value.to_string().into(),
        Value::Number(value, ..) if !name.contains(['.', 'e', 'E']) => number(value, true).into(),
        _ => name.into(),
    }
}

fn plain_scalar(text: &str, mark: Mark) -> Value {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => Value::Bool(true, mark),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            Value::Bool(false, mark)
        }
        _ => plain_number(text).map_or_else(|| Value::text(text, mark), |number| Value::Number(number, false, mark)),
    }
}

fn plain_number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let digits = unsigned.replace('_', "");
    let radix = |digits: &str, radix| i64::from_str_radix(digits, radix).ok();
    #[expect(clippy::cast_precision_loss, reason = "it is how Helm reads integers")]
    let integer = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => radix(digits.get(2..)?, 16).map(|it| it as f64),
        [b'0', b'b' | b'B', ..] => radix(digits.get(2..)?, 2).map(|it| it as f64),
        [b'0', b'o' | b'O', ..] => radix(digits.get(2..)?, 8).map(|it| it as f64),
        [b'0', _, ..] => radix(&digits, 8).map(|it| it as f64),
        _ => None,
    };
    let float = || {
        let is_float = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
        let has_digit = digits.contains(|c: char| c.is_ascii_digit());
        digits.parse::<f64>().ok().filter(|it| it.is_finite() && is_float && has_digit)
    };
    let value = integer.or_else(float)?;
    Some(if text.starts_with('-') { 0.0 - value } else { value })
}

/// Values merged as `helm` merges the files of `--values`: `null` stays, to remove what the chart gives.
pub(super) fn over(base: &Value, values: &Value, fuel: &mut usize) -> Value {
    let (Value::Map(lower), Value::Map(upper)) = (base, values) else { return values.clone() };
    let mut entries = lower.borrow().clone();
    for (name, value) in upper.borrow().iter() {
        if *fuel == 0 {
            return Value::Unknown(Hides::Anything);
        }
        *fuel -= 1;
        let value = match entries.get(name) {
            Some(below @ Value::Map(_)) if matches!(value, Value::Map(_)) => over(below, value, fuel),
            _ => value.clone(),
        };
        entries.insert(Rc::clone(name), value);
    }
    Value::map(entries)
}

/// `values` over `defaults`, as Helm coalesces them: a table stays one, `null` removes. `keep` keeps what is null, for
/// the values of sub-charts (`is_child`), which are coalesced again with their own.
pub(super) fn coalesce(
    values: &Entries,
    defaults: &Entries,
    keep: bool,
    is_child: &dyn Fn(&str) -> bool,
    fuel: &mut usize,
) -> Entries {
    let mut entries = values.clone();
    for (name, default) in defaults {
        *fuel = fuel.saturating_sub(1);
        if *fuel == 0 {
            entries.insert(Rc::clone(name), Value::Unknown(Hides::Anything));
            continue;
        }
        match values.get(name) {
            None if keep => {
                entries.insert(Rc::clone(name), default.clone());
            }
            None if matches!(default, Value::Nothing) => {}
            None => {
                entries.insert(Rc::clone(name), without_nothing(default, fuel));
            }
            Some(Value::Nothing) if !keep => {
                entries.remove(name);
            }
            Some(Value::Map(upper)) => {
                if let Value::Map(lower) = default {
                    let keep = keep || is_child(name);
                    let merged = coalesce(&upper.borrow(), &lower.borrow(), keep, &|_| false, fuel);
                    entries.insert(Rc::clone(name), Value::map(merged));
                }
            }
            Some(_) => {}
        }
    }
    entries
}

/// A table without what is null in it and in the tables below.
fn without_nothing(value: &Value, fuel: &mut usize) -> Value {
    let Value::Map(entries) = value else { return value.clone() };
    *fuel = fuel.saturating_sub(entries.borrow().len());
    if *fuel == 0 {
        return Value::Unknown(Hides::Anything);
    }
    let entries = entries.borrow();
    let left = entries.iter().filter(|(_, value)| !matches!(value, Value::Nothing));
    Value::map(left.map(|(name, value)| (Rc::clone(name), without_nothing(value, fuel))).collect())
}

/// Whether a scalar of a list or a mapping must be quoted to stay a text in YAML.
fn needs_quotes(text: &str) -> bool {
    let is_safe = |c: char| c.is_alphanumeric() || "/_.@-".contains(c) || c == SOME_TEXT || c == ANYTHING;
    let is_plain = text.starts_with(|c: char| c.is_alphanumeric() || c == '/' || c == '_' || c == SOME_TEXT)
        && text.chars().all(|c| is_safe(c) || c == ':')
        && !text.ends_with(':');
    !is_plain || !matches!(plain_scalar(text, 0), Value::Text(_)) || matches!(text, "null" | "Null" | "NULL" | "~")
}

/// A value written as YAML, a block at `indent`.
pub(super) fn to_yaml(value: &Value, indent: usize, fuel: &mut usize, out: &mut Text) {
    if *fuel == 0 || indent > 4 * MAX_DEPTH {
        out.push(&ANYTHING.to_string(), 0);
        return;
    }
    // Work is counted in bytes, since deep things are mostly indentation.
    *fuel = fuel.saturating_sub(64 + indent + value.scalar_len());
    match value {
        Value::Nothing => out.push("null", 0),
        Value::Number(number, _, mark) => out.push(&format!("{number}"), *mark),
        Value::Text(text) => text_to_yaml(text, indent, out),
        Value::List(items) if items.is_empty() => out.push("[]", 0),
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                let lead = if at == 0 { String::new() } else { format!("\n{}", " ".repeat(indent)) };
                out.push(&format!("{lead}- "), 0);
                to_yaml(item, indent + 2, fuel, out);
            }
        }
        Value::Map(entries) if entries.borrow().is_empty() => out.push("{}", 0),
        Value::Map(entries) => {
            for (at, (name, value)) in entries.borrow().iter().enumerate() {
                let lead = if at == 0 { String::new() } else { format!("\n{}", " ".repeat(indent)) };
                let name = if needs_quotes(name) { quote(name) } else { (**name).to_owned() };
                out.push(&format!("{lead}{name}:"), 0);
                let is_block = match value {
                    Value::List(items) => !items.is_empty(),
                    Value::Map(entries) => !entries.borrow().is_empty(),
                    _ => false,
                };
                let gap = if is_block { format!("\n{}", " ".repeat(indent + 2)) } else { " ".to_owned() };
                out.push(&gap, 0);
                to_yaml(value, indent + 2, fuel, out);
            }
        }
        _ => out.append(value.print()),
    }
}

fn text_to_yaml(text: &Text, indent: usize, out: &mut Text) {
    let plain = text.plain();
    if plain.contains('\n') && !plain.starts_with([' ', '\n']) && !plain.contains('\r') {
        let chomp = if plain.ends_with('\n') { "|\n" } else { "|-\n" };
        out.push(chomp, 0);
        out.append(text.clone().indent(indent.max(2)));
    } else if needs_quotes(&plain) {
        out.push("\"", 0);
        out.append(Text(
            text.0
                .iter()
                .map(|piece| super::text::Piece { text: escape(&piece.text).into(), ..piece.clone() })
                .collect(),
        ));
        out.push("\"", 0);
    } else {
        out.append(text.clone());
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// A text in double quotes.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", escape(text))
}

/// A parent's `global` over that of a sub-chart: a table is never replaced by something else.
pub(super) fn over_tables(own: &Value, global: &Value, keep: bool, fuel: &mut usize) -> Value {
    let (Value::Map(lower), Value::Map(upper)) = (own, global) else { return own.clone() };
    let mut entries = lower.borrow().clone();
    for (name, value) in upper.borrow().iter() {
        *fuel = fuel.saturating_sub(1);
        if *fuel == 0 {
            return Value::Unknown(Hides::Anything);
        }
        match (entries.get(name), value) {
            (Some(Value::Map(below)), Value::Map(above)) => {
                let merged = coalesce(&above.borrow(), &below.borrow(), keep, &|_| false, fuel);
                entries.insert(Rc::clone(name), Value::map(merged));
            }
            (Some(Value::Map(_)), _) | (Some(_), Value::Map(_)) => {}
            _ => {
                entries.insert(Rc::clone(name), value.clone());
            }
        }
    }
    Value::map(entries)
}

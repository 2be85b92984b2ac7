//! The objects of a build as values that can be changed, each scalar with the place that decided it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use super::{Outcome, refused, undecided};
use crate::manifest::{MAX_DEPTH, PinSlot, slot};
use crate::source::{Place, Span, once};
use crate::yaml::{Node, NodeKind};

/// How much a build may cost, in values made or looked at: a hostile overlay multiplies its bases or its patches.
const MAX_WORK: u64 = 16_000_000;

/// What a value costs that is made: each takes memory until the end of the build.
const MAKING: u64 = 8;

/// What a build has left to spend.
pub(super) struct Budget(Cell<u64>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_WORK))
    }
}

impl Budget {
    /// Takes the cost of looking at `count` values, for what stands at a place.
    pub(super) fn spend(&self, count: usize, at: &Place) -> Outcome {
        match self.0.get().checked_sub(count as u64) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(undecided(at, "this overlay multiplies what it builds beyond what is followed")),
        }
    }

    /// Takes the cost of making a value and everything in it.
    pub(super) fn make(&self, value: &Value, at: &Place) -> Outcome<Value> {
        self.spend(value.size().saturating_mul(usize::try_from(MAKING).unwrap_or(usize::MAX)), at)?;
        Ok(value.clone())
    }
}

/// The entries of a mapping.
pub(super) type Map = BTreeMap<String, Value>;

/// A part of an object.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Value>),
    Map(Map),
}

/// A text, and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) is_null: bool,
    /// A replacement is being made that reads it.
    pub(super) is_source: bool,
    /// Where it stands, or what changed it last.
    pub(super) place: Place,
    pub(super) history: Option<Box<History>>,
}

/// What happened to a text on its way through the layers.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Where it stood first.
    pub(super) declared: Option<Place>,
    /// What is written where it was changed last, if that is not the text itself.
    pub(super) written: Option<String>,
    /// Why it cannot be told what is deployed.
    pub(super) undecided: Option<String>,
    /// What holds its tag and its digest, if that is not the text where it stands.
    holder: Option<Holder>,
}

/// What holds the tag and the digest of a text.
#[derive(Clone, Debug)]
pub(super) enum Holder {
    /// The text at this place.
    Text(Place),
    /// An entry of `images`.
    Entry(Rc<PinSlot>),
}

impl Scalar {
    pub(super) fn new(text: impl Into<String>, place: Place) -> Self {
        Self { text: text.into(), is_null: false, is_source: false, place, history: None }
    }

    /// What holds its tag and its digest.
    pub(super) fn holder(&self) -> Holder {
        let holder = self.history.as_ref().and_then(|history| history.holder.clone());
        holder.unwrap_or_else(|| Holder::Text(self.place.clone()))
    }

    /// Where it was declared before anything changed it.
    pub(super) fn declared(&self) -> &Place {
        self.history.as_ref().and_then(|history| history.declared.as_ref()).unwrap_or(&self.place)
    }

    /// Takes the place of another: its declaration stays known.
    fn succeed(&mut self, earlier: &Self) {
        let history = self.history.get_or_insert_default();
        history.declared = Some(earlier.declared().clone());
    }

    /// Another text, as decided at `place`.
    pub(super) fn change(&mut self, text: String, place: &Place, written: Option<String>, holder: Holder) {
        let declared = self.declared().clone();
        self.text = text;
        self.is_null = false;
        self.place = place.clone();
        let history = self.history.get_or_insert_default();
        history.declared = Some(declared);
        history.written = written;
        history.holder = Some(holder);
    }
}

impl Value {
    /// A string.
    pub(super) fn text(text: impl Into<String>, place: &Place) -> Self {
        Self::Scalar(Scalar::new(text, place.clone()))
    }

    /// The value of a node. Aliases and merge keys are followed; `place` says where a span of the node stands.
    pub(super) fn of(node: Node<'_>, budget: &Budget, place: &dyn Fn(Span) -> Place) -> Outcome<Self> {
        Maker { budget, place }.value(node, 0)
    }

    /// How many values this is.
    pub(super) fn size(&self) -> usize {
        match self {
            // A text that is doubled again and again is not one value.
            Self::Scalar(scalar) => 1 + scalar.text.len() / 64,
            Self::List(items) => items.iter().map(Self::size).sum::<usize>() + 1,
            Self::Map(entries) => entries.values().map(Self::size).sum::<usize>() + 1,
        }
    }

    /// How many levels this has.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::Scalar(_) => 1,
            Self::List(items) => items.iter().map(Self::depth).max().unwrap_or_default() + 1,
            Self::Map(entries) => entries.values().map(Self::depth).max().unwrap_or_default() + 1,
        }
    }

    /// Ends what [`Scalar::is_source`] says.
    pub(super) fn unmark(&mut self) {
        match self {
            Self::Scalar(scalar) => scalar.is_source = false,
            Self::List(items) => items.iter_mut().for_each(Self::unmark),
            Self::Map(entries) => entries.values_mut().for_each(Self::unmark),
        }
    }

    /// Whether a list in it has an item that is nothing.
    pub(super) fn has_null_item(&self) -> bool {
        match self {
            Self::Scalar(_) => false,
            Self::List(items) => items.iter().any(|item| item.is_null() || item.has_null_item()),
            Self::Map(entries) => entries.values().any(Self::has_null_item),
        }
    }

    pub(super) fn as_map(&self) -> Option<&Map> {
        if let Self::Map(entries) = self { Some(entries) } else { None }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(scalar) if scalar.is_null)
    }

    /// The text of a scalar that is not null.
    pub(super) fn string(&self) -> Option<&str> {
        match self {
            Self::Scalar(scalar) if !scalar.is_null => Some(&scalar.text),
            _ => None,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// The value below a path of keys.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// The mapping below a path of keys, made where nothing is.
    pub(super) fn map_at(&mut self, path: &[&str]) -> Option<&mut Map> {
        let mut value = self;
        for key in path {
            let Self::Map(entries) = value else { return None };
            let next = entries.entry((*key).to_owned()).or_insert_with(|| Self::Map(Map::new()));
            if next.is_null() {
                *next = Self::Map(Map::new());
            }
            value = next;
        }
        if let Self::Map(entries) = value { Some(entries) } else { None }
    }

    /// Puts another value in the place of this one. What scalars replace scalars remember what they replaced.
    pub(super) fn replace(&mut self, mut other: Self) {
        if let (Self::Scalar(earlier), Self::Scalar(later)) = (&*self, &mut other) {
            later.succeed(earlier);
        }
        *self = other;
    }

    /// The value as JSON, with the offset at which the text of each scalar begins.
    pub(super) fn write<'v>(&'v self, json: &mut String, scalars: &mut Vec<(usize, &'v Scalar)>) {
        match self {
            Self::Scalar(scalar) if scalar.is_null => json.push_str("null"),
            Self::Scalar(scalar) => {
                scalars.push((json.len() + 1, scalar));
                write_text(&scalar.text, json);
            }
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    json.push(if index == 0 { '[' } else { ',' });
                    item.write(json, scalars);
                }
                json.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Self::Map(entries) => {
                for (index, (key, value)) in entries.iter().enumerate() {
                    json.push(if index == 0 { '{' } else { ',' });
                    write_text(key, json);
                    json.push(':');
                    value.write(json, scalars);
                }
                json.push_str(if entries.is_empty() { "{}" } else { "}" });
            }
        }
    }
}

fn write_text(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            // Writing to a string cannot fail.
            '\0'..='\u{1f}' | '\u{7f}' => drop(write!(json, "\\u{:04x}", u32::from(character))),
            _ => json.push(character),
        }
    }
    json.push('"');
}

struct Maker<'a> {
    budget: &'a Budget,
    place: &'a dyn Fn(Span) -> Place,
}

impl Maker<'_> {
    fn value(&self, node: Node<'_>, depth: usize) -> Outcome<Value> {
        let at = (self.place)(node.resolve().unwrap_or(node).span());
        self.budget.spend(usize::try_from(MAKING).unwrap_or(usize::MAX), &at)?;
        let Some(node) = node.resolve() else { return Err(refused(&at, "an alias stands for nothing")) };
        if depth == MAX_DEPTH {
            return Err(undecided(&at, &format!("this stands more than {MAX_DEPTH} levels deep")));
        }
        match node.kind() {
            NodeKind::Scalar(_) => {
                let text = node.scalar().unwrap_or_default();
                let mut scalar = Scalar { is_null: node.is_null(), ..Scalar::new(text, at) };
                let raw = node.file_text().get(node.span().range()).unwrap_or_default();
                if scalar.place.text() != raw {
                    // It stands in a text whose lines are not those of the file.
                    let holder = once(scalar.place.text(), raw).map(|range| {
                        let start = scalar.place.span.range().start;
                        let span = Span::new(start + range.start, start + range.end);
                        Holder::Text(Place::new(&scalar.place.source, span))
                    });
                    let nowhere = || Holder::Entry(Rc::new(PinSlot::None(slot::NOT_EXACT.to_owned())));
                    scalar.history.get_or_insert_default().holder = Some(holder.unwrap_or_else(nowhere));
                }
                Ok(Value::Scalar(scalar))
            }
            NodeKind::Sequence => {
                Ok(Value::List(node.items().map(|item| self.value(item, depth + 1)).collect::<Outcome<_>>()?))
            }
            NodeKind::Mapping => self.mapping(node, depth).map(Value::Map),
            NodeKind::Alias => Err(refused(&at, "an alias stands for an alias")),
        }
    }

    fn mapping(&self, node: Node<'_>, depth: usize) -> Outcome<Map> {
        let mut entries = Map::new();
        let mut merged = Vec::new();
        for (key, value) in node.entries() {
            let at = || (self.place)(key.span());
            let Some(name) = key.scalar() else { return Err(refused(&at(), "a key that is no text")) };
            if name == "<<" {
                merged.push(value);
            } else if entries.insert(name.to_owned(), self.value(value, depth + 1)?).is_some() {
                return Err(refused(&at(), &format!("the key `{name}` is there twice")));
            }
        }
        for value in merged {
            let sources = if value.is_sequence() { value.items().collect() } else { vec![value] };
            for source in sources {
                let Value::Map(source) = self.value(source, depth + 1)? else {
                    return Err(refused(&(self.place)(value.span()), "what a merge key brings in is no mapping"));
                };
                for (name, value) in source {
                    entries.entry(name).or_insert(value);
                }
            }
        }
        Ok(entries)
    }
}

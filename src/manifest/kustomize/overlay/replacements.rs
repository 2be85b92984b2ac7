//! Replacements: a value of one object that is written into fields of others.

use super::object::Object;
use super::select::{COMPILING, Selector, expression};
use super::value::{Budget, Value};
use super::{Outcome, refused, undecided};
use crate::manifest::MAX_DEPTH;
use crate::manifest::merge::entry_in_any_case;
use crate::source::Place;
use crate::yaml::Node;

fn field<'t>(node: Node<'t>, key: &str) -> Option<Node<'t>> {
    entry_in_any_case(node, key).map(|(_, value)| value).filter(|value| !value.is_null())
}

fn text<'t>(node: Node<'t>, key: &str) -> &'t str {
    field(node, key).and_then(Node::string).unwrap_or_default()
}

/// Applies one replacement to the objects of a layer.
pub(super) fn apply(objects: &mut [Object], replacement: Node<'_>, budget: &Budget, at: &Place) -> Outcome {
    if field(replacement, "sourceValue").is_some() {
        return Err(undecided(at, "versions of kustomize differ in whether they know `sourceValue`"));
    }
    let (Some(source), Some(targets)) = (field(replacement, "source"), field(replacement, "targets")) else {
        return Err(refused(at, "a replacement needs a `source` and `targets`"));
    };
    let (source, mut value) = find_source(objects, source, budget, at)?;
    for target in targets.items() {
        let Some(select) = field(target, "select") else {
            return Err(refused(at, "a target of a replacement needs a `select`"));
        };
        let select = Selector::of_replacement(select, at)?;
        let rejects: Vec<_> = field(target, "reject")
            .into_iter()
            .flat_map(Node::items)
            .map(|reject| Selector::of_replacement(reject, at))
            .collect::<Outcome<_>>()?;
        let paths: Vec<_> = field(target, "fieldPaths").into_iter().flat_map(Node::items).collect();
        let paths: Vec<_> = paths.into_iter().filter_map(Node::string).map(split).collect();
        let paths = if paths.is_empty() { vec![vec!["metadata".to_owned(), "name".to_owned()]] } else { paths };
        let options = Options::read(target, at)?;
        for (index, object) in objects.iter_mut().enumerate() {
            budget.spend(8 * (1 + rejects.len()), at)?;
            let is_rejected = |reject: &Selector| {
                reject.has_requirements() && reject.fits_labels(object)
                    || !reject.is_without_id() && reject.fits_any_id(object)
            };
            if select.fits_labels(object) && select.fits_any_id(object) && !rejects.iter().any(is_rejected) {
                if index == source && !matches!(value, Value::Scalar(_)) {
                    return Err(undecided(at, "a replacement writes a part of an object into the same object"));
                }
                for path in &paths {
                    Target { value: &mut value, options: &options, budget, at, met: 0 }.set(object, path)?;
                }
            }
        }
    }
    if let Some(object) = objects.get_mut(source) {
        budget.spend(object.value.size(), at)?;
        object.value.unmark();
    }
    Ok(())
}

/// The number of the object that is the source, and the value that is written. Kustomize does not copy a whole field: where the source is a target too, what is
/// written later is what it became. So it is marked.
fn find_source(objects: &mut [Object], source: Node<'_>, budget: &Budget, at: &Place) -> Outcome<(usize, Value)> {
    budget.spend(objects.len() * 8, at)?;
    let selector = Selector::of_replacement(source, at)?;
    let mut matching = objects.iter_mut().enumerate().filter(|(_, object)| selector.fits_any_id(object));
    let (Some((number, object)), None) = (matching.next(), matching.next()) else {
        return Err(refused(at, "the source of a replacement is not exactly one object"));
    };
    let path = match text(source, "fieldPath") {
        "" => "metadata.name",
        path => path,
    };
    let mut value = &mut object.value;
    for part in split(path) {
        let next = match value {
            Value::Map(entries) => entries.get_mut(&part),
            Value::List(items) => match (part.parse::<usize>(), element(&part)) {
                (Ok(index), _) => items.get_mut(index),
                (_, Some((key, expected))) => {
                    items.iter_mut().find(|item| item.get(key).and_then(Value::string) == Some(expected))
                }
                _ if part == "-" => items.last_mut(),
                _ => None,
            },
            Value::Scalar(_) => None,
        };
        let Some(next) = next.filter(|next| !next.is_null()) else {
            return Err(undecided(at, &format!("the source of a replacement has no `{path}` here")));
        };
        value = next;
    }
    let options = Options::read(source, at)?;
    let mut copy = budget.make(value, at)?;
    if options.delimiter.is_empty() {
        if let Value::Scalar(scalar) = value {
            scalar.is_source = true;
        }
    } else {
        let Value::Scalar(scalar) = &mut copy else {
            return Err(refused(at, "a delimiter is for texts"));
        };
        let part = usize::try_from(options.index).ok().and_then(|at| scalar.text.split(&*options.delimiter).nth(at));
        let part = part.ok_or_else(|| refused(at, "the index of a replacement's source is out of its bounds"))?;
        scalar.text = part.to_owned();
    }
    Ok((number, copy))
}

/// How a value is cut out or put in.
struct Options {
    delimiter: String,
    index: i64,
    create: bool,
}

impl Options {
    fn read(node: Node<'_>, at: &Place) -> Outcome<Self> {
        let node = field(node, "options");
        let text = |key| node.map(|node| text(node, key)).unwrap_or_default();
        let index = match text("index") {
            "" => 0,
            index => index.parse().map_err(|_| refused(at, "the `index` of a replacement is no number"))?,
        };
        Ok(Self { delimiter: text("delimiter").to_owned(), index, create: text("create") == "true" })
    }
}

/// The key and the value of a part that picks an item: `[name=app]`.
fn element(part: &str) -> Option<(&str, &str)> {
    part.strip_prefix('[')?.strip_suffix(']')?.split_once('=')
}

/// The parts of a field path: parted by `.`, unless it is escaped or stands in brackets.
fn split(path: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = path.chars().peekable();
    let mut in_brackets = false;
    while let Some(character) = characters.next() {
        let Some(part) = parts.last_mut() else { break };
        match character {
            '\\' if characters.peek() == Some(&'.') => part.extend(characters.next()),
            '[' if part.is_empty() => {
                in_brackets = true;
                part.push('[');
            }
            ']' if in_brackets => {
                in_brackets = false;
                part.push(']');
            }
            '.' if !in_brackets => parts.push(String::new()),
            _ => part.push(character),
        }
    }
    let unwrap = |part: String| match part.strip_prefix('[').and_then(|part| part.strip_suffix(']')) {
        // Brackets keep a dot together, and are no part of the name then.
        Some(inner) if !inner.contains('=') && inner.contains('.') => inner.to_owned(),
        _ => part,
    };
    parts.into_iter().map(unwrap).collect()
}

struct Target<'a> {
    value: &'a mut Value,
    options: &'a Options,
    budget: &'a Budget,
    at: &'a Place,
    /// How many fields were written.
    met: usize,
}

impl Target<'_> {
    fn set(&mut self, object: &mut Object, path: &[String]) -> Outcome {
        if path.len() + self.value.depth() > MAX_DEPTH {
            return Err(undecided(self.at, "a replacement makes an object too deep"));
        }
        self.walk(&mut object.value, path)?;
        if self.met == 0 {
            return Err(refused(self.at, &format!("the target of a replacement has no `{}`", path.join("."))));
        }
        Ok(())
    }

    fn walk(&mut self, value: &mut Value, path: &[String]) -> Outcome {
        self.budget.spend(1, self.at)?;
        let Some((part, rest)) = path.split_first() else { return self.write(value) };
        match value {
            Value::Map(entries) => {
                if !entries.contains_key(part) {
                    let is_plain =
                        |part: &String| element(part).is_none() && part != "-" && part.parse::<i64>().is_err();
                    match (self.options.create, path.iter().all(is_plain)) {
                        (false, _) => return Ok(()),
                        (true, false) => return Err(undecided(self.at, "a replacement creates an item of a list")),
                        (true, true) => {}
                    }
                    let slot = if rest.is_empty() { Value::text("", self.at) } else { Value::Map([].into()) };
                    entries.insert(part.clone(), slot);
                }
                entries.get_mut(part).map_or(Ok(()), |value| self.walk(value, rest))
            }
            Value::List(items) => self.walk_list(items, part, rest),
            Value::Scalar(scalar) if scalar.is_null => Ok(()),
            // Later versions write into texts that are JSON or YAML themselves.
            Value::Scalar(_) => Err(undecided(self.at, "a replacement writes into a part of a text")),
        }
    }

    fn walk_list(&mut self, items: &mut [Value], part: &str, rest: &[String]) -> Outcome {
        if part == "*" {
            return items.iter_mut().try_for_each(|item| self.walk(item, rest));
        }
        if let Ok(index) = part.parse::<usize>() {
            return items.get_mut(index).map_or(Ok(()), |item| self.walk(item, rest));
        }
        let Some((key, pattern)) = element(part) else {
            return Err(undecided(self.at, &format!("a replacement names `{part}` in a list")));
        };
        if key.is_empty() {
            return Err(undecided(self.at, "a replacement picks a plain item of a list"));
        }
        self.budget.spend(COMPILING / 8, self.at)?;
        let regex = expression(pattern);
        let regex = regex.ok_or_else(|| undecided(self.at, &format!("the expression `{pattern}` cannot be judged")))?;
        let is_match = |item: &Value| item.get(key).and_then(Value::string).is_some_and(|text| regex.is_match(text));
        for item in items.iter_mut() {
            self.budget.spend(1, self.at)?;
            if is_match(item) {
                self.walk(item, rest)?;
            }
        }
        if self.met == 0 && self.options.create {
            return Err(undecided(self.at, "a replacement creates an item of a list"));
        }
        Ok(())
    }

    fn write(&mut self, target: &mut Value) -> Outcome {
        self.met += 1;
        let value = self.budget.make(self.value, self.at)?;
        let is_source = matches!(target, Value::Scalar(scalar) if scalar.is_source);
        if self.options.delimiter.is_empty() {
            target.replace(value);
        } else {
            self.join(target, value)?;
        }
        if is_source {
            *self.value = self.budget.make(target, self.at)?;
            self.value.unmark();
            if let Value::Scalar(scalar) = target {
                scalar.is_source = true;
            }
        }
        Ok(())
    }

    /// Puts the value in the place of one part of a text.
    fn join(&self, target: &mut Value, value: Value) -> Outcome {
        let (Value::Scalar(scalar), Value::Scalar(value)) = (target, value) else {
            return Err(refused(self.at, "a delimiter is for texts"));
        };
        self.budget.spend(scalar.text.len() / 16, self.at)?;
        let mut parts: Vec<_> = scalar.text.split(&*self.options.delimiter).collect();
        let last = parts.len().saturating_sub(1);
        let mut is_last = false;
        match usize::try_from(self.options.index) {
            Err(_) => parts.insert(0, &value.text),
            Ok(index) => {
                is_last = index >= last;
                match parts.get_mut(index) {
                    Some(part) => *part = &value.text,
                    None => parts.push(&value.text),
                }
            }
        }
        let joined = parts.join(&self.options.delimiter);
        // A digest stands at the end.
        let holder = if is_last { value.holder() } else { scalar.holder() };
        scalar.change(joined, &value.place, None, holder);
        Ok(())
    }
}

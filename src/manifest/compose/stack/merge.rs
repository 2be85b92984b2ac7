//! How a later file, or an extending service, changes what came before, as compose-go merges it.
//!
//! Source: <https://github.com/compose-spec/compose-go> (`override/merge.go`, `override/uncity.go`).

use std::collections::HashMap;
use std::rc::Rc;

use super::value::{Data, Entry, Map, Text, Value};
use crate::source::Place;

/// A value that cannot take the place of an earlier one, and why.
pub(super) type Problems = Vec<(Place, String)>;

/// Merges the services of a later file over those of earlier ones.
pub(super) fn services(base: &mut Map, over: Map, problems: &mut Problems) {
    for (name, entry) in over {
        match base.remove(&name) {
            None => {
                base.insert(name, entry);
            }
            Some(earlier) => {
                let value = service(earlier.value, entry.value, problems);
                base.insert(name, Entry { key: earlier.key, value });
            }
        }
    }
}

/// Merges one service over another.
pub(super) fn service(base: Value, over: Value, problems: &mut Problems) -> Value {
    merge(base, over, &mut Vec::new(), problems)
}

fn merge(base: Value, over: Value, path: &mut Vec<Rc<str>>, problems: &mut Problems) -> Value {
    let keys: Vec<&str> = path.iter().map(|key| &**key).collect();
    match keys.as_slice() {
        ["build"] => return merge_build(base, over, path, problems),
        ["build", "additional_contexts"] => return concatenate(base, over),
        ["depends_on"] => {
            let place = over.place.clone();
            let map = mappings(as_mapping(base), as_mapping(over), path, problems);
            return Value { place, data: Data::Map(map) };
        }
        // One text is the name of the service, and is merged into a mapping of it or not.
        ["extends"] if !base.is_null() => {
            let message = "releases of Compose disagree how two `extends` of one service are merged";
            problems.push((over.place.clone(), message.to_owned()));
        }
        _ => {}
    }
    if over.is_null() {
        return base;
    }
    match (base.data, over.data) {
        (Data::Map(earlier), Data::Map(later)) => {
            Value { place: over.place, data: Data::Map(mappings(earlier, later, path, problems)) }
        }
        (Data::List(mut earlier), Data::List(later)) => {
            earlier.extend(later);
            Value { place: over.place, data: Data::List(earlier) }
        }
        (earlier @ (Data::Map(_) | Data::List(_)), later) => {
            let kind = if matches!(earlier, Data::Map(_)) { "mapping" } else { "list" };
            let name = path.last().map_or("service", |key| key);
            problems.push((over.place.clone(), format!("`{name}` is a {kind} in what this overrides, and none here")));
            Value { place: over.place, data: later }
        }
        (Data::Text(earlier), Data::Text(later)) => {
            let declared = Some(earlier.declared.unwrap_or(base.place));
            Value { place: over.place, data: Data::Text(Text { declared, ..later }) }
        }
        (_, later) => Value { place: over.place, data: later },
    }
}

fn mappings(mut base: Map, over: Map, path: &mut Vec<Rc<str>>, problems: &mut Problems) -> Map {
    for (key, entry) in over {
        match base.remove(&key) {
            None => {
                base.insert(key, entry);
            }
            Some(earlier) => {
                path.push(Rc::clone(&key));
                let value = merge(earlier.value, entry.value, path, problems);
                path.pop();
                base.insert(key, Entry { key: earlier.key, value });
            }
        }
    }
    base
}

/// A build may be a mapping or the text of its `context`.
fn merge_build(base: Value, over: Value, path: &mut Vec<Rc<str>>, problems: &mut Problems) -> Value {
    let place = over.place.clone();
    match (as_build(base), as_build(over)) {
        (Some(base), Some(over)) => Value { place, data: Data::Map(mappings(base, over, path, problems)) },
        (Some(map), None) | (None, Some(map)) => Value { place, data: Data::Map(map) },
        (None, None) => Value { place, data: Data::Null },
    }
}

fn as_build(value: Value) -> Option<Map> {
    match value.data {
        Data::Map(map) => Some(map),
        Data::Text(_) => {
            let key = value.place.clone();
            Some(Map::from([("context".into(), Entry { key, value })]))
        }
        _ => None,
    }
}

/// `depends_on` may be a list of names.
fn as_mapping(value: Value) -> Map {
    match value.data {
        Data::Map(map) => map,
        Data::List(items) => items
            .into_iter()
            .filter_map(|item| {
                let name = item.text().ok()?;
                let value = Value { place: item.place.clone(), data: Data::Null };
                Some((name.into(), Entry { key: item.place, value }))
            })
            .collect(),
        _ => Map::new(),
    }
}

/// Lists of `name=value` and mappings, one behind the other; [`contexts`] tells which of a name wins.
fn concatenate(base: Value, over: Value) -> Value {
    let place = over.place.clone();
    let items = |value: Value| match value.data {
        Data::List(items) => items,
        Data::Null => Vec::new(),
        _ => vec![value],
    };
    let mut all = items(base);
    all.extend(items(over));
    Value { place, data: Data::List(all) }
}

/// One named build context.
pub(super) struct Context<'v> {
    pub(super) name: String,
    pub(super) value: &'v Value,
    /// In a list, where the text begins with `name=`.
    pub(super) prefixed: bool,
}

/// The named contexts of `additional_contexts`, the last of a name.
pub(super) fn contexts(value: &Value) -> Vec<Context<'_>> {
    let mut all = Vec::new();
    for item in value.items() {
        match &item.data {
            Data::Map(map) => all.extend(map.iter().map(|(name, entry)| Context {
                name: name.to_string(),
                value: &entry.value,
                prefixed: false,
            })),
            Data::Text(text) => {
                let whole = item.text().unwrap_or_else(|_| text.written.to_string());
                let name = whole.split('=').next().unwrap_or_default().to_owned();
                all.push(Context { name, value: item, prefixed: true });
            }
            _ => {}
        }
    }
    last_of_each(all, |context| Some(context.name.clone()))
}

/// The mounts of `volumes`, the last of each target.
pub(super) fn volumes(value: &Value) -> Vec<&Value> {
    last_of_each(value.items().iter().collect(), |item| match &item.data {
        Data::Map(_) => item.get("target").and_then(|target| target.text().ok()),
        Data::Text(_) => item.text().ok().map(|text| short_target(&text)),
        _ => None,
    })
}

/// The last item of each key at the place of the first; all that have none.
fn last_of_each<T>(items: Vec<T>, key: impl Fn(&T) -> Option<String>) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    let mut by_key: HashMap<String, usize> = HashMap::new();
    for item in items {
        let key = key(&item);
        let known = key.as_ref().and_then(|key| by_key.get(key)).copied();
        if let Some(slot) = known.and_then(|index| kept.get_mut(index)) {
            *slot = item;
        } else {
            by_key.extend(key.map(|key| (key, kept.len())));
            kept.push(item);
        }
    }
    kept
}

/// Where `source:target:mode` is mounted. The colon behind one letter belongs to a Windows path.
fn short_target(text: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut drive = false;
    for part in text.split(':') {
        match parts.last_mut() {
            Some(last) if drive => {
                last.push(':');
                last.push_str(part);
                drive = false;
            }
            _ => {
                drive = part.chars().count() == 1 && part.starts_with(char::is_alphabetic);
                parts.push(part.to_owned());
            }
        }
    }
    let target = parts.get(1).or_else(|| parts.first());
    target.cloned().unwrap_or_default()
}

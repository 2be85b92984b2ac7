//! `depends_on`: Compose refuses a stack whose services wait for others that are not there, or for one another.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use super::load::Loader;
use super::value::{Entry, Map, Value};
use crate::source::Place;

/// A service that another one waits for.
struct Need {
    name: String,
    place: Place,
    required: bool,
}

/// Looks at what every deployed service waits for.
pub(super) fn check(all: &Map, is_active: &dyn Fn(&Value) -> bool, loader: &mut Loader<'_>) {
    let active = all.iter().filter(|(_, entry)| is_active(&entry.value));
    let waiting: BTreeMap<&str, Vec<Need>> = active.map(|(name, entry)| (&**name, needs(&entry.value))).collect();
    for (name, needs) in &waiting {
        for need in needs {
            let missing = match all.get(&*need.name) {
                None => "is no service of this stack",
                Some(entry) if need.required && !is_active(&entry.value) => "has none of the active profiles",
                Some(_) => continue,
            };
            loader.problem(&need.place, format!("`{name}` depends on `{}`, which {missing}", need.name));
        }
    }
    let started = started(&waiting);
    let mut left = waiting.iter().filter(|(name, _)| !started.contains(*name));
    if let Some((name, Some(need))) = left.next().map(|(name, needs)| (name, needs.first())) {
        loader.problem(&need.place, format!("`{name}` waits for itself, or for services that wait for each other"));
    }
}

/// The services that start in the end: whoever waits for nobody, then whoever waits only for these.
fn started<'s>(waiting: &BTreeMap<&'s str, Vec<Need>>) -> HashSet<&'s str> {
    let mut awaited_by: HashMap<&str, Vec<&'s str>> = HashMap::new();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (name, needs) in waiting {
        let needs = needs.iter().filter(|need| waiting.contains_key(&*need.name));
        for need in needs {
            awaited_by.entry(&need.name).or_default().push(name);
            *counts.entry(name).or_default() += 1;
        }
    }
    let mut ready: Vec<&'s str> = waiting.keys().copied().filter(|name| !counts.contains_key(name)).collect();
    let mut started = HashSet::new();
    while let Some(name) = ready.pop() {
        started.insert(name);
        for &other in awaited_by.get(name).into_iter().flatten() {
            if let Some(count) = counts.get_mut(other) {
                *count -= 1;
                if *count == 0 {
                    ready.push(other);
                }
            }
        }
    }
    started
}

fn needs(service: &Value) -> Vec<Need> {
    let Some(depends_on) = service.get("depends_on") else { return Vec::new() };
    if let Some(map) = depends_on.map() {
        let need = |(name, entry): (&Rc<str>, &Entry)| {
            let required = entry.value.get("required").and_then(|required| required.text().ok());
            Need { name: name.to_string(), place: entry.key.clone(), required: required.as_deref() != Some("false") }
        };
        return map.iter().map(need).collect();
    }
    let need = |item: &Value| Some(Need { name: item.text().ok()?, place: item.place.clone(), required: true });
    depends_on.items().iter().filter_map(need).collect()
}

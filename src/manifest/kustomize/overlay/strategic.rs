//! Strategic merge patches: partial objects that are laid over an object, lists of containers by name.

use std::collections::HashMap;

use super::object::Object;
use super::value::{Budget, Map, Value};
use super::{Outcome, refused, undecided};
use crate::source::Place;

/// What a patch may change beside the content of an object.
#[derive(Clone, Copy, Default)]
pub(super) struct Allowed {
    pub(super) name: bool,
    pub(super) kind: bool,
}

/// Lays a patch over an object; nothing is left where the patch deletes it.
pub(super) fn patch(
    object: Object,
    patch: &Value,
    allowed: Allowed,
    budget: &Budget,
    at: &Place,
) -> Outcome<Option<Object>> {
    let mut object = object;
    if allowed.name || allowed.kind {
        object.remember();
    }
    let id = object.id();
    let merge = Merge { budget, at, pod: path_to_pod(&id.api, &id.kind) };
    let kept = |way: &[&str]| object.value.at(way).cloned();
    let (api, kind) = (kept(&["apiVersion"]), kept(&["kind"]));
    let (name, namespace) = (kept(&["metadata", "name"]), kept(&["metadata", "namespace"]));
    let value = std::mem::replace(&mut object.value, Value::Map(Map::new()));
    let Some(value) = merge.values(Some(value), patch, &mut Vec::new())? else { return Ok(None) };
    object.value = value;
    object.restore("apiVersion", api);
    if !allowed.kind {
        object.restore("kind", kind);
    }
    if !allowed.name {
        object.restore_metadata("name", name);
    }
    object.restore_metadata("namespace", namespace);
    Ok(Some(object))
}

/// Where in an object of a built-in kind its pods are described. The lists of other kinds are replaced, not merged:
/// their schema is not known.
fn path_to_pod(api: &str, kind: &str) -> Option<&'static [&'static str]> {
    match (api, kind) {
        ("v1", "Pod") => Some(&["spec"]),
        ("v1", "PodTemplate") => Some(&["template", "spec"]),
        ("v1", "ReplicationController")
        | ("apps/v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch/v1", "Job") => Some(&["spec", "template", "spec"]),
        ("batch/v1" | "batch/v1beta1", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        _ => None,
    }
}

enum Directive {
    Merge,
    Replace,
    Delete,
}

struct Merge<'a> {
    budget: &'a Budget,
    at: &'a Place,
    pod: Option<&'static [&'static str]>,
}

impl Merge<'_> {
    /// One value over another; a list of a mapping's keys is the way to them.
    fn values<'p>(&self, below: Option<Value>, patch: &'p Value, way: &mut Vec<&'p str>) -> Outcome<Option<Value>> {
        self.budget.spend(1, self.at)?;
        let below = below.filter(|value| !value.is_null());
        if patch.is_null() {
            return Ok(None);
        }
        match (below, patch) {
            (None | Some(Value::Scalar(_)), Value::Scalar(_)) => self.budget.make(patch, self.at).map(Some),
            (below @ (None | Some(Value::Map(_))), Value::Map(patch)) => {
                let below = if let Some(Value::Map(entries)) = below { Some(entries) } else { None };
                Ok(self.mappings(below, patch, way)?.map(Value::Map))
            }
            (below @ (None | Some(Value::List(_))), Value::List(items)) => match self.merge_key(way) {
                None => self.budget.make(patch, self.at).map(Some),
                Some(key) => {
                    let below = if let Some(Value::List(items)) = below { Some(items) } else { None };
                    Ok(self.lists(below, items, key, way)?.map(Value::List))
                }
            },
            _ => Err(refused(self.at, &format!("the patch puts another type of value at `{}`", way.join(".")))),
        }
    }

    fn mappings<'p>(&self, below: Option<Map>, patch: &'p Map, way: &mut Vec<&'p str>) -> Outcome<Option<Map>> {
        let mut merged = match self.directive(patch.get("$patch"))? {
            Directive::Delete => return Ok(None),
            Directive::Replace => Map::new(),
            Directive::Merge => below.unwrap_or_default(),
        };
        for (key, value) in patch.iter().filter(|(key, _)| *key != "$patch") {
            way.push(key);
            let below = merged.remove(key);
            let earlier = if let Some(Value::Scalar(scalar)) = &below { Some(scalar.clone()) } else { None };
            if let Some(value) = self.values(below, value, way)? {
                let mut slot = earlier.map_or_else(|| Value::Map(Map::new()), Value::Scalar);
                slot.replace(value);
                merged.insert(key.clone(), slot);
            }
            way.pop();
        }
        Ok(Some(merged))
    }

    /// A list whose items are told apart by a key: those of the patch come first.
    fn lists<'p>(
        &self,
        below: Option<Vec<Value>>,
        patch: &'p [Value],
        key: &str,
        way: &mut Vec<&'p str>,
    ) -> Outcome<Option<Vec<Value>>> {
        let directive_at = patch.iter().position(|item| item.get("$patch").is_some());
        let alone =
            directive_at.and_then(|at| patch.get(at)).filter(|item| item.as_map().is_some_and(|m| m.len() == 1));
        if below.is_none() && alone.is_some() {
            // Kustomize loses items of such a list.
            let why = format!("the patch replaces or deletes the list `{}`, which is not there", way.join("."));
            return Err(undecided(self.at, &why));
        }
        let mut below = match self.directive(alone.and_then(|item| item.get("$patch")))? {
            Directive::Delete => return Ok(None),
            Directive::Replace => Vec::new(),
            Directive::Merge => below.unwrap_or_default(),
        };
        let patch = patch.iter().enumerate().filter(|(index, _)| alone.is_none() || Some(*index) != directive_at);
        let patch: Vec<_> = patch.map(|(_, item)| item).collect();
        if patch.is_empty() {
            return Ok(Some(below));
        }
        let mut known = self.index(&below, key)?;
        self.index(patch.iter().copied(), key)?;
        let mut slots: Vec<_> = below.drain(..).map(Some).collect();
        let mut merged = Vec::new();
        for item in patch {
            let name = item.get(key).and_then(Value::string).unwrap_or_default();
            let old = known.remove(name).and_then(|at| slots.get_mut(at)).and_then(Option::take);
            if old.is_some() && item.get("$patch").and_then(Value::string) == Some("replace") {
                // Kustomize 5.6 keeps the old one.
                return Err(undecided(self.at, &format!("the patch replaces `{name}` as an item of a list")));
            }
            let item = self.values(old, item, way)?;
            merged.extend(item.filter(|item| item.as_map().is_none_or(|entries| !entries.is_empty())));
        }
        merged.extend(slots.into_iter().flatten());
        Ok(Some(merged))
    }

    /// Where the item of each name stands.
    fn index<'v>(&self, items: impl IntoIterator<Item = &'v Value>, key: &str) -> Outcome<HashMap<String, usize>> {
        let mut known = HashMap::new();
        for (at, item) in items.into_iter().enumerate() {
            self.budget.spend(1, self.at)?;
            let Some(name) = item.get(key).and_then(Value::string) else {
                return Err(undecided(self.at, &format!("the patch meets a list with an item that has no `{key}`")));
            };
            if known.insert(name.to_owned(), at).is_some() {
                return Err(undecided(
                    self.at,
                    &format!("the patch meets a list with two items of the {key} `{name}`"),
                ));
            }
        }
        Ok(known)
    }

    fn directive(&self, value: Option<&Value>) -> Outcome<Directive> {
        match value.map(|value| value.string().unwrap_or_default()) {
            None | Some("merge") => Ok(Directive::Merge),
            Some("replace") => Ok(Directive::Replace),
            Some("delete") => Ok(Directive::Delete),
            Some(other) => Err(refused(self.at, &format!("`$patch: {other}` is none of merge, replace and delete"))),
        }
    }

    /// The key by which the items of a list are told apart, where it is merged.
    fn merge_key(&self, way: &[&str]) -> Option<&'static str> {
        match way.strip_prefix(self.pod?)? {
            ["containers" | "initContainers" | "ephemeralContainers" | "volumes" | "imagePullSecrets"]
            | ["containers" | "initContainers" | "ephemeralContainers", "env"] => Some("name"),
            ["containers" | "initContainers" | "ephemeralContainers", "volumeMounts"] => Some("mountPath"),
            ["containers" | "initContainers" | "ephemeralContainers", "volumeDevices"] => Some("devicePath"),
            ["hostAliases"] => Some("ip"),
            _ => None,
        }
    }
}

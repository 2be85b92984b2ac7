//! The model of a stack: services as a tree of values, each with the place that decided it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use super::environment::Environment;
use crate::manifest::compose::merge_keys::MergeKeys;
use crate::source::{Place, Source};
use crate::yaml::Node;

/// Keys of a service that lead to an image or say whether the service is deployed.
const KEPT: [&str; 10] = [
    "image",
    "build",
    "pull_policy",
    "extends",
    "volumes",
    "pre_start",
    "post_start",
    "pre_stop",
    "profiles",
    "depends_on",
];
/// Nothing that leads to an image stands deeper.
const MAX_DEPTH: usize = 8;

/// Keys in a stable order, each with the place of the key and the value.
pub(super) type Map = BTreeMap<Rc<str>, Entry>;

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) place: Place,
    pub(super) data: Data,
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    Null,
    Text(Text),
    List(Vec<Value>),
    Map(Map),
    /// Something that leads to no image: a scalar by its text, a collection by where it stands.
    Other {
        hash: u64,
        scalar: bool,
    },
}

/// A text before interpolation.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) written: Rc<str>,
    /// What decides its variables.
    pub(super) environment: Rc<Environment>,
    /// The text of an earlier file that this one overrides.
    pub(super) declared: Option<Place>,
}

impl Value {
    pub(super) fn map(&self) -> Option<&Map> {
        match &self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// A value of a mapping, where it is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.map()?.get(key).filter(|entry| !entry.value.is_null())
    }

    /// The text after interpolation.
    pub(super) fn text(&self) -> Result<String, String> {
        match &self.data {
            Data::Text(text) => text.environment.interpolate(&text.written).map(|found| found.text),
            _ => Err("it is not a text".to_owned()),
        }
    }

    /// The items of a list; a text stands for a list of itself.
    pub(super) fn items(&self) -> &[Value] {
        match &self.data {
            Data::List(items) => items,
            Data::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// How many values this one is made of.
    pub(super) fn size(&self) -> usize {
        match &self.data {
            Data::List(items) => items.iter().map(Self::size).sum::<usize>() + 1,
            Data::Map(map) => map.values().map(|entry| entry.value.size()).sum::<usize>() + 1,
            _ => 1,
        }
    }

    /// Whether both say the same, as far as that can be told: `anywhere` also where they stand apart, which only
    /// scalars allow, because Compose brings everything else into another form when it includes a file.
    pub(super) fn same(&self, other: &Self, anywhere: bool) -> bool {
        match (&self.data, &other.data) {
            (Data::Null, Data::Null) => true,
            (Data::Text(a), Data::Text(b)) => {
                (anywhere || self.stands_at(other)) && self.text().is_ok() && self.text() == other.text()
                    || Rc::ptr_eq(&a.environment, &b.environment) && self.stands_at(other)
            }
            (Data::Other { hash: a, scalar: one }, Data::Other { hash: b, scalar: two }) => {
                a == b && (!anywhere || *one && *two)
            }
            (Data::List(a), Data::List(b)) => {
                !anywhere && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b, false))
            }
            (Data::Map(a), Data::Map(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|((a, one), (b, two))| a == b && one.value.same(&two.value, anywhere))
            }
            _ => false,
        }
    }

    fn stands_at(&self, other: &Self) -> bool {
        self.place.span == other.place.span && self.place.source.path() == other.place.source.path()
    }
}

/// The nodes that `!reset` and `!override` take away from what came before: paths below a service, by service.
#[derive(Clone, Debug, Default)]
pub(super) struct Resets {
    pub(super) everything: bool,
    pub(super) services: BTreeMap<Rc<str>, Vec<Vec<Rc<str>>>>,
}

impl Resets {
    fn add(&mut self, path: &[Rc<str>]) {
        match path {
            [services] if &**services == "services" => self.everything = true,
            [services, name, rest @ ..] if &**services == "services" => {
                self.services.entry(Rc::clone(name)).or_default().push(rest.to_vec());
            }
            _ => {}
        }
    }

    /// Takes away what earlier files say.
    pub(super) fn apply(&self, services: &mut Map) {
        if self.everything {
            services.clear();
        }
        for (name, paths) in &self.services {
            if paths.iter().any(Vec::is_empty) {
                services.remove(name);
            } else if let Some(service) = services.get_mut(name) {
                self.apply_to(name, &mut service.value);
            }
        }
    }

    /// Takes away what an extended service says.
    pub(super) fn apply_to(&self, name: &str, service: &mut Value) {
        for path in self.services.get(name).into_iter().flatten() {
            remove(service, path);
        }
    }

    /// Whether an extended service says anything that is taken away and decides an image: what the extending service
    /// says itself in its place decides anyway.
    pub(super) fn matter_to(&self, name: &str, base: &Value, over: &Value) -> bool {
        self.services.get(name).into_iter().flatten().any(|path| {
            let is_text = |value: &Value| matches!(value.data, Data::Text(_));
            at(base, path).is_some_and(|taken| match (&taken.data, path.as_slice()) {
                (Data::Other { .. }, _) | (_, []) => false,
                (Data::Text(_), [_]) => !at(over, path).is_some_and(is_text),
                _ => true,
            })
        })
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.everything |= other.everything;
        for (name, paths) in other.services {
            self.services.entry(name).or_default().extend(paths);
        }
    }
}

fn at<'v>(value: &'v Value, path: &[Rc<str>]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

fn remove(value: &mut Value, path: &[Rc<str>]) {
    let Data::Map(map) = &mut value.data else { return };
    match path {
        [] => {}
        [key] => {
            map.remove(key);
        }
        [key, rest @ ..] => {
            if let Some(entry) = map.get_mut(key) {
                remove(&mut entry.value, rest);
            }
        }
    }
}

/// Turns nodes of one document into values.
pub(super) struct Conversion<'a> {
    pub(super) source: &'a Arc<Source>,
    pub(super) environment: &'a Rc<Environment>,
    pub(super) merge_keys: MergeKeys,
    pub(super) resets: Resets,
    path: Vec<Rc<str>>,
}

impl<'a> Conversion<'a> {
    pub(super) fn new(source: &'a Arc<Source>, environment: &'a Rc<Environment>) -> Self {
        Self { source, environment, merge_keys: MergeKeys::new(), resets: Resets::default(), path: Vec::new() }
    }

    /// The value of a key at the top of the document; none where it is taken away.
    pub(super) fn top(&mut self, key: &str, node: Node<'_>) -> Value {
        self.below(key, |this| this.value(node))
    }

    /// Notes that a `!reset` stands at a key at the top.
    pub(super) fn reset_top(&mut self, key: &str) {
        self.resets.add(&[key.into()]);
    }

    fn below<T>(&mut self, key: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(key.into());
        let out = inner(self);
        self.path.pop();
        out
    }

    fn value(&mut self, node: Node<'_>) -> Value {
        let outer = self.merge_keys.in_override;
        if node.tag() == Some("!override") && !outer {
            self.resets.add(&self.path);
            self.merge_keys.in_override = true;
        }
        let target = node.resolve().unwrap_or(node);
        let data = self.data(target);
        self.merge_keys.in_override = outer;
        Value { place: Place::new(self.source, target.span()), data }
    }

    fn data(&mut self, node: Node<'_>) -> Data {
        // Where Compose takes no notice of the tag, `!reset null` is the text `null`.
        let is_null = node.is_null() && node.tag() != Some("!reset");
        if !self.merge_keys.visit() || is_null {
            Data::Null
        } else if !self.is_kept() {
            Self::other(self.source, node)
        } else if node.is_mapping() {
            Data::Map(self.map(node))
        } else if node.is_sequence() {
            let is_override = self.merge_keys.in_override;
            let items = node.items().filter(|item| is_override || item.tag() != Some("!reset"));
            Data::List(items.map(|item| self.below("", |this| this.value(item))).collect())
        } else {
            node.scalar().map_or(Data::Null, |text| Data::Text(self.text(text)))
        }
    }

    fn text(&self, written: &str) -> Text {
        Text { written: written.into(), environment: Rc::clone(self.environment), declared: None }
    }

    fn map(&mut self, node: Node<'_>) -> Map {
        let merged = self.merge_keys.read(node);
        for key in merged.resets() {
            if *key == "*" {
                let problem = "a `!reset` of the key `*` takes away every key in earlier files";
                self.merge_keys.problems.push((node.span(), problem.to_owned()));
            }
            self.path.push((*key).into());
            self.resets.add(&self.path);
            self.path.pop();
        }
        let mut map = Map::new();
        for (key, value) in merged.entries {
            let Some(name) = key.scalar() else { continue };
            let place = Place::new(self.source, key.resolve().unwrap_or(key).span());
            let value = self.below(name, |this| this.value(value));
            map.insert(name.into(), Entry { key: place, value });
        }
        map
    }

    /// Whether the value at this path can lead to an image.
    fn is_kept(&self) -> bool {
        match self.path.as_slice() {
            [top, _, key] if &**top == "services" => KEPT.contains(&&**key),
            [top, _, build, key] if &**top == "services" && &**build == "build" => {
                matches!(&**key, "context" | "additional_contexts")
            }
            path => path.len() < MAX_DEPTH,
        }
    }

    fn other(source: &Source, node: Node<'_>) -> Data {
        let mut hasher = DefaultHasher::new();
        let text = node.scalar();
        match text {
            Some(text) => text.hash(&mut hasher),
            None => (source.path(), node.span()).hash(&mut hasher),
        }
        Data::Other { hash: hasher.finish(), scalar: text.is_some() }
    }
}

//! One layer: what its kustomization takes in, and what it changes, in the order of kustomize.

use super::file::{Kustomization, Named, is_no_text};
use super::images::{self, Entry, FieldSpec};
use super::object::Object;
use super::value::{Map, Value};
use super::{
    Build, Layer, MAX_KUSTOMIZATIONS, MAX_LAYERS, Outcome, refused, replacements, select::COMPILING, undecided,
};
use crate::manifest::merge::entry_in_any_case;
use crate::source::Place;
use crate::yaml::{Node, Tree};

/// What of `configurations` decides nothing about images or names.
const HARMLESS: [&str; 8] = [
    "nameReference",
    "varReference",
    "replicas",
    "commonLabels",
    "commonAnnotations",
    "labels",
    "templateLabels",
    "images",
];

impl Build<'_> {
    /// Builds a kustomization on top of what is there already (nothing, unless it is a component). `above` are the
    /// folders that led to it.
    pub(super) fn layer(
        &self,
        file: &Kustomization<'_>,
        start: Layer,
        above: &[&[String]],
        at: &Place,
    ) -> Outcome<Layer> {
        self.count.set(self.count.get() + 1);
        if self.count.get() > MAX_KUSTOMIZATIONS || above.len() > MAX_LAYERS {
            return Err(undecided(at, "it takes in more kustomizations than are followed"));
        }
        let folders: Vec<_> = above.iter().copied().chain([file.folder()]).collect();
        let mut layer = start;
        self.plugins(file)?;
        for key in ["resources", "bases"] {
            for (index, (node, path)) in file.texts(key)?.into_iter().enumerate() {
                self.resource(file, &mut layer, (node, path), &format!("{key}[{index}]"), &folders)?;
            }
        }
        self.configurations(file, &mut layer)?;
        self.generate(file, &mut layer)?;
        for (index, (node, path)) in file.texts("components")?.into_iter().enumerate() {
            let at = file.place(node);
            match self.open(file, path, &at)? {
                Named::Folder(source) => layer = self.below(&source, Some(layer), &folders, &at)?,
                Named::File(_) => return Err(refused(&at, &format!("the component `{path}` is no folder"))),
                Named::Remote => {
                    let why = "this component is fetched from elsewhere when it is built";
                    self.outside(file, at.span, format!("components[{index}]"), path, why);
                }
            }
        }
        self.transform(file, &mut layer)?;
        Ok(layer)
    }

    /// Notes what only kustomize itself can build.
    fn plugins(&self, file: &Kustomization<'_>) -> Outcome {
        let plugins = [
            ("transformers", "a plugin may change images when this is built"),
            ("generators", "a plugin generates objects when this is built"),
            ("helmCharts", "a chart is rendered when this is built"),
            ("helmChartInflationGenerator", "a chart is rendered when this is built"),
        ];
        for (key, why) in plugins {
            for (index, item) in file.items(key)?.into_iter().enumerate() {
                let named = ["name", "chartName"].into_iter().find_map(|key| item.get(key)).unwrap_or(item);
                let written = named.string().and_then(|text| text.lines().next()).unwrap_or_default();
                self.outside(file, file.place(named).span, format!("{key}[{index}]"), written, why);
            }
        }
        if let Some(path) = file.field("openapi").and_then(|schema| schema.get("path")) {
            let why = "a schema of its own changes how patches are merged";
            self.outside(
                file,
                file.place(path).span,
                "openapi.path".to_owned(),
                path.string().unwrap_or_default(),
                why,
            );
        }
        Ok(())
    }

    /// A kustomization in another folder: a component goes on with what is there, a base begins anew.
    fn below(
        &self,
        source: &std::sync::Arc<crate::source::Source>,
        start: Option<Layer>,
        above: &[&[String]],
        at: &Place,
    ) -> Outcome<Layer> {
        let file = Kustomization::parse(source)?;
        if above.iter().any(|folder| folder.starts_with(file.folder())) {
            return Err(refused(at, &format!("`{}` leads back to itself: it is a cycle", source.path())));
        }
        if file.is_component() != start.is_some() {
            let what = if start.is_some() { "is no" } else { "is a" };
            return Err(refused(at, &format!("`{}` {what} component", source.path())));
        }
        self.layer(&file, start.unwrap_or_default(), above, at)
    }

    fn resource(
        &self,
        file: &Kustomization<'_>,
        layer: &mut Layer,
        (node, path): (Node<'_>, &str),
        field: &str,
        folders: &[&[String]],
    ) -> Outcome {
        let at = file.place(node);
        let more = match self.open(file, path, &at)? {
            Named::File(source) => {
                let objects = self.objects(self.values_in(&source, &at)?)?;
                Layer { objects, specs: Vec::new() }
            }
            Named::Folder(source) => self.below(&source, None, folders, &at)?,
            Named::Remote => {
                let why = "this base is fetched from elsewhere when it is built";
                self.outside(file, at.span, field.to_owned(), path, why);
                return Ok(());
            }
        };
        layer.absorb(more, &at, &self.budget)
    }

    /// The objects that values are, lists of them taken apart.
    fn objects(&self, values: Vec<(Value, Place)>) -> Outcome<Vec<Object>> {
        let mut objects = Vec::new();
        let mut todo = std::collections::VecDeque::from(values);
        while let Some((value, at)) = todo.pop_front() {
            self.budget.spend(1, &at)?;
            let is_list = value.get("kind").and_then(Value::string).is_some_and(|kind| kind.ends_with("List"));
            let items = if let (true, Value::Map(entries)) = (is_list, &value) { entries.get("items") } else { None };
            match items {
                None => {
                    if value.has_null_item() {
                        return Err(undecided(&at, "a list in one of its objects has an empty item"));
                    }
                    objects.push(Object::new(value, &at)?);
                }
                Some(items) if items.is_null() => {}
                Some(Value::List(items)) => {
                    for item in items {
                        todo.push_back((self.budget.make(item, &at)?, at.clone()));
                    }
                }
                Some(_) => return Err(refused(&at, "the `items` of this list are none")),
            }
        }
        Ok(objects)
    }

    /// Everything that a layer changes, in the order in which kustomize does.
    fn transform(&self, file: &Kustomization<'_>, layer: &mut Layer) -> Outcome {
        self.patch_strategically(file, layer)?;
        self.patch(file, layer)?;
        rename(file, layer)?;
        label(file, layer, self)?;
        self.patch_json(file, layer)?;
        self.images(file, layer)?;
        self.replace(file, layer)
    }

    fn images(&self, file: &Kustomization<'_>, layer: &mut Layer) -> Outcome {
        let mut entries = Vec::new();
        for key in ["images", "imageTags"] {
            for node in file.items(key)? {
                let keys = ["digest", "newTag", "newName", "tagSuffix"];
                let values = keys.map(|key| entry_in_any_case(node, key).map(|(_, value)| value));
                if let Some(number) = values.iter().flatten().find(|value| is_no_text(**value)) {
                    return Err(refused(&file.place(*number), "a number stands where a text has to: put it in quotes"));
                }
                let decides = values.into_iter().flatten().find(|value| value.string().is_some_and(|t| !t.is_empty()));
                if let Some(decides) = decides {
                    self.budget.spend(COMPILING, &file.place(node))?;
                    entries.push(Entry::new(node, file.place(decides))?);
                }
            }
        }
        let at = Place::new(file.source, crate::source::Span::default());
        for object in &mut layer.objects {
            images::apply(object, &entries, &layer.specs, &self.budget, &at)?;
        }
        Ok(())
    }

    fn replace(&self, file: &Kustomization<'_>, layer: &mut Layer) -> Outcome {
        for replacement in file.items("replacements")? {
            let at = file.place(replacement);
            let Some((_, path)) = entry_in_any_case(replacement, "path") else {
                replacements::apply(&mut layer.objects, replacement, &self.budget, &at)?;
                continue;
            };
            let at = file.place(path);
            let source = self.open_file(file, path.string().unwrap_or_default(), &at)?;
            let tree = Tree::yaml(source.text());
            let roots: Vec<_> = tree.documents(source.text()).collect();
            let ([root], []) = (roots.as_slice(), tree.errors()) else {
                return Err(undecided(&at, "the file of replacements is no single document"));
            };
            let list: Vec<_> = if root.is_sequence() { root.items().collect() } else { vec![*root] };
            for replacement in list {
                let at = Place::new(&source, replacement.span());
                replacements::apply(&mut layer.objects, replacement, &self.budget, &at)?;
            }
        }
        Ok(())
    }

    /// Files that say to which further fields `images` applies.
    fn configurations(&self, file: &Kustomization<'_>, layer: &mut Layer) -> Outcome {
        for (node, path) in file.texts("configurations")? {
            let at = file.place(node);
            let source = self.open_file(file, path, &at)?;
            for (value, place) in self.values_in(&source, &at)? {
                for key in value.as_map().into_iter().flat_map(Map::keys) {
                    if !HARMLESS.contains(&key.as_str()) {
                        return Err(undecided(&place, &format!("the configuration of `{key}` is not followed")));
                    }
                }
                let Some(Value::List(specs)) = value.get("images") else { continue };
                for spec in specs {
                    let text = |key| spec.get(key).and_then(Value::string).unwrap_or_default();
                    let path = text("path").trim_start_matches('/').split('/');
                    let spec = FieldSpec {
                        group: text("group").to_owned(),
                        version: text("version").to_owned(),
                        kind: text("kind").to_owned(),
                        path: path.map(|part| part.strip_suffix("[]").unwrap_or(part).to_owned()).collect(),
                    };
                    if !layer.specs.contains(&spec) {
                        layer.specs.push(spec);
                    }
                }
            }
        }
        Ok(())
    }

    /// Config maps and secrets, as far as patches and replacements can name them.
    fn generate(&self, file: &Kustomization<'_>, layer: &mut Layer) -> Outcome {
        for (key, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
            for node in file.items(key)? {
                let at = file.place(node);
                let text = |key| entry_in_any_case(node, key).and_then(|(_, value)| value.string());
                let mut metadata = Map::from([("name".into(), Value::text(text("name").unwrap_or_default(), &at))]);
                if let Some(namespace) = text("namespace") {
                    metadata.insert("namespace".into(), Value::text(namespace, &at));
                }
                let data = if kind == "ConfigMap" { literals(file, node) } else { Map::new() };
                let object = Map::from([
                    ("apiVersion".into(), Value::text("v1", &at)),
                    ("kind".into(), Value::text(kind, &at)),
                    ("metadata".into(), Value::Map(metadata)),
                    ("data".into(), Value::Map(data)),
                ]);
                let object = Object::new(Value::Map(object), &at)?;
                self.budget.spend(layer.objects.len(), &at)?;
                let id = object.id();
                let known = layer.objects.iter_mut().find(|known| known.ids().any(|known| known == id));
                match (known, text("behavior")) {
                    (None, Some("merge" | "replace")) if self.is_complete() => {
                        return Err(refused(&at, &format!("there is no {kind} `{}` to merge with", id.name)));
                    }
                    (None, _) => layer.objects.push(object),
                    (Some(known), Some(behavior @ ("merge" | "replace"))) => {
                        let Value::Map(mut made) = object.value else { continue };
                        let Some(Value::Map(data)) = made.remove("data") else { continue };
                        let Some(old) = known.value.map_at(&["data"]) else { continue };
                        if behavior == "replace" {
                            old.clear();
                        }
                        old.extend(data);
                    }
                    (Some(_), _) => return Err(refused(&at, &format!("the {kind} `{}` is there already", id.name))),
                }
            }
        }
        Ok(())
    }
}

/// The literal data of a generated config map; each at the scalar that holds it.
fn literals(file: &Kustomization<'_>, node: Node<'_>) -> Map {
    let list = entry_in_any_case(node, "literals").map(|(_, list)| list);
    let literal = |item: Node<'_>| {
        let (key, value) = item.string()?.split_once('=')?;
        let unquoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        Some((key.to_owned(), Value::text(unquoted.unwrap_or(value), &file.place(item))))
    };
    list.into_iter().flat_map(Node::items).filter_map(literal).collect()
}

/// Namespace, prefix and suffix: each keeps the names that objects had.
fn rename(file: &Kustomization<'_>, layer: &mut Layer) -> Outcome {
    let at = |key: &str| file.field(key).map(|node| file.place(node));
    if let (namespace @ [_, ..], Some(at)) = (file.text("namespace").as_bytes(), at("namespace")) {
        let namespace = std::str::from_utf8(namespace).unwrap_or_default();
        let mut known = std::collections::HashSet::new();
        for object in &mut layer.objects {
            object.remember();
            let id = object.id();
            if (id.api.as_str(), id.kind.as_str()) == ("v1", "Namespace") {
                object.set_metadata(&["name"], namespace, &at)?;
            } else if !id.is_cluster_scoped() {
                object.set_metadata(&["namespace"], namespace, &at)?;
            }
            if !known.insert(object.id()) {
                return Err(refused(&at, &format!("the namespace makes two objects `{}/{}` one", id.kind, id.name)));
            }
        }
    }
    for (key, is_prefix) in [("namePrefix", true), ("nameSuffix", false)] {
        let (affix, Some(at)) = (file.text(key), at(key)) else { continue };
        for object in layer.objects.iter_mut().filter(|_| !affix.is_empty()) {
            let (id, first) = (object.id(), object.first_id());
            let is_service = first.kind == "APIService" && first.api.starts_with("apiregistration.k8s.io/");
            if is_service || matches!(first.kind.as_str(), "CustomResourceDefinition" | "Namespace") {
                continue;
            }
            object.remember();
            let name = if is_prefix { format!("{affix}{}", id.name) } else { format!("{}{affix}", id.name) };
            object.set_metadata(&["name"], &name, &at)?;
        }
    }
    Ok(())
}

/// Labels and annotations: later selectors see them.
fn label(file: &Kustomization<'_>, layer: &mut Layer, build: &Build<'_>) -> Outcome {
    let mut pairs = Vec::new();
    for label in file.items("labels")? {
        pairs.extend(entry_in_any_case(label, "pairs").map(|(_, pairs)| ("labels", pairs)));
    }
    pairs.extend(file.field("commonLabels").map(|pairs| ("labels", pairs)));
    pairs.extend(file.field("commonAnnotations").map(|pairs| ("annotations", pairs)));
    for (field, pairs) in pairs {
        for (key, value) in pairs.entries() {
            let (Some(key), Some(text)) = (key.scalar(), value.scalar()) else { continue };
            let at = file.place(value);
            if is_no_text(value) {
                return Err(refused(&at, "a label or annotation is no text: put it in quotes"));
            }
            build.budget.spend(layer.objects.len() * 4, &at)?;
            for object in &mut layer.objects {
                object.set_metadata(&[field, key], text, &at)?;
            }
        }
    }
    Ok(())
}

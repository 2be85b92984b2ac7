//! One kustomization file, and the way from it to the files and folders it names.

use std::sync::Arc;

use super::value::Value;
use super::{Build, FILE_NAMES, Outcome, refused, undecided};
use crate::manifest::merge::entry_in_any_case;
use crate::manifest::{Absent, embedded};
use crate::source::{Place, Source, Span};
use crate::yaml::{Node, NodeKind, Style, Tree};

/// All fields of a kustomization; kustomize takes no other, and these in any case.
const FIELDS: [&str; 34] = [
    "apiVersion",
    "kind",
    "metadata",
    "openapi",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "patchesStrategicMerge",
    "patchesJson6902",
    "patches",
    "images",
    "imageTags",
    "replacements",
    "replicas",
    "vars",
    "sortOptions",
    "resources",
    "components",
    "crds",
    "bases",
    "configMapGenerator",
    "secretGenerator",
    "helmGlobals",
    "helmCharts",
    "helmChartInflationGenerator",
    "generatorOptions",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "buildMetadata",
];

/// A kustomization file that was read.
pub(super) struct Kustomization<'s> {
    pub(super) source: &'s Arc<Source>,
    tree: Tree,
    /// The parts of the path of its folder.
    folder: Vec<String>,
}

impl<'s> Kustomization<'s> {
    /// Reads a kustomization file.
    pub(super) fn parse(source: &'s Arc<Source>) -> Outcome<Self> {
        let tree = Tree::yaml(source.text());
        if let [error, ..] = tree.errors() {
            let at = Place::new(source, Span { start: error.offset, end: error.offset });
            return Err(refused(&at, &format!("this cannot be read: {}", error.message)));
        }
        let folder = source.relative().rsplit_once('/').map_or("", |(folder, _)| folder);
        let file = Self { source, folder: normal(&[], folder), tree };
        file.check()?;
        Ok(file)
    }

    fn check(&self) -> Outcome {
        let top = Place::new(self.source, Span::default());
        let root = match self.tree.documents(self.source.text()).collect::<Vec<_>>().as_slice() {
            [root] if root.is_mapping() => *root,
            [_, second, ..] => return Err(undecided(&self.place(*second), "a kustomization has one document")),
            _ => return Err(refused(&top, "the kustomization is empty or no mapping")),
        };
        for (key, _) in root.entries() {
            let name = key.scalar().unwrap_or_default();
            let is_known = FIELDS.iter().chain([&"<<"]).any(|field| field.eq_ignore_ascii_case(name));
            if !is_known {
                return Err(refused(&self.place(key), &format!("kustomizations have no field `{name}`")));
            }
        }
        let is_type = |name: &str| ["apiVersion", "kind"].iter().any(|field| field.eq_ignore_ascii_case(name));
        let says = |(key, value): &(Node<'_>, Node<'_>)| {
            !is_type(key.scalar().unwrap_or_default()) && value.string() != Some("") && !value.is_null()
        };
        if !root.entries().any(|entry| says(&entry)) {
            return Err(refused(&top, "the kustomization is empty"));
        }
        let kind = self.text("kind");
        let expected = if kind == "Component" { "v1alpha1" } else { "v1beta1" };
        let api = self.text("apiVersion");
        if !matches!(kind, "" | "Kustomization" | "Component")
            || !api.is_empty() && api != format!("kustomize.config.k8s.io/{expected}")
        {
            return Err(refused(&top, &format!("`apiVersion: {api}`, `kind: {kind}` is no kustomization")));
        }
        Ok(())
    }

    pub(super) fn is_component(&self) -> bool {
        self.text("kind") == "Component"
    }

    pub(super) fn place(&self, node: Node<'_>) -> Place {
        Place::new(self.source, node.resolve().unwrap_or(node).span())
    }

    fn root(&self) -> Option<Node<'_>> {
        self.tree.documents(self.source.text()).next()
    }

    /// The value of a field, unless it is null.
    pub(super) fn field(&self, name: &str) -> Option<Node<'_>> {
        let (_, value) = entry_in_any_case(self.root()?, name)?;
        Some(value).filter(|value| !value.is_null())
    }

    /// The text of a field; empty where it has none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.field(name).and_then(Node::string).unwrap_or_default()
    }

    /// The items of a field that is a list.
    pub(super) fn items(&self, name: &str) -> Outcome<Vec<Node<'_>>> {
        match self.field(name) {
            None => Ok(Vec::new()),
            Some(list) if list.is_sequence() => Ok(list.items().collect()),
            Some(other) => Err(refused(&self.place(other), &format!("`{name}` is no list"))),
        }
    }

    /// The texts of a field that is a list of them.
    pub(super) fn texts(&self, name: &str) -> Outcome<Vec<(Node<'_>, &str)>> {
        let text = |item| match Node::string(item) {
            Some(text) if !text.is_empty() && !is_no_text(item) => Ok((item, text)),
            _ => Err(refused(&self.place(item), &format!("an item of `{name}` is empty or no text"))),
        };
        self.items(name)?.into_iter().map(text).collect()
    }

    /// Where a path leads.
    pub(super) fn path(&self, path: &str) -> Vec<String> {
        normal(&self.folder, path)
    }

    pub(super) fn folder(&self) -> &[String] {
        &self.folder
    }
}

/// A path below a folder without `.` and `..`, as far as that goes.
fn normal(folder: &[String], path: &str) -> Vec<String> {
    let mut parts = folder.to_vec();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| last != "..") => drop(parts.pop()),
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

/// What stands under a path.
pub(super) enum Named {
    File(Arc<Source>),
    /// The kustomization file in a folder.
    Folder(Arc<Source>),
    /// It is fetched from elsewhere.
    Remote,
}

/// Whether kustomize would fetch what has this name, if there is no such file.
fn is_remote(path: &str) -> bool {
    let is_host = |host: &str| host.contains('.') && !host.starts_with('.') || host.contains('@') || host.contains(':');
    path.contains("://")
        || path.starts_with("git@")
        || path.starts_with("git::")
        || path.contains("?ref=")
        || path.split_once('/').is_some_and(|(host, _)| is_host(host))
}

impl Build<'_> {
    /// The file or folder that an entry of a kustomization names.
    pub(super) fn open(&self, file: &Kustomization<'_>, path: &str, at: &Place) -> Outcome<Named> {
        if path.contains("://") {
            return Ok(Named::Remote);
        }
        if path.starts_with('/') {
            return Err(refused(at, &format!("`{path}` is absolute")));
        }
        match self.beside.open(file.source, path) {
            Ok(source) => {
                check_below(file, path, at)?;
                self.budget.spend(source.text().len() / 8, at)?;
                Ok(Named::File(source))
            }
            Err(Absent::Folder) => self.kustomization_in(file, path, at).map(Named::Folder),
            Err(Absent::NotThere) if is_remote(path) => Ok(Named::Remote),
            Err(absent) => Err(missing(path, &absent, at)),
        }
    }

    /// A file below the folder of the kustomization that names it.
    pub(super) fn open_file(&self, file: &Kustomization<'_>, path: &str, at: &Place) -> Outcome<Arc<Source>> {
        match self.open(file, path, at)? {
            Named::File(source) => Ok(source),
            Named::Folder(_) => Err(refused(at, &format!("`{path}` is a folder"))),
            Named::Remote => Err(undecided(at, &format!("`{path}` is fetched from elsewhere"))),
        }
    }

    fn kustomization_in(&self, file: &Kustomization<'_>, path: &str, at: &Place) -> Outcome<Arc<Source>> {
        let mut found = None;
        for name in FILE_NAMES {
            let path = format!("{}/{name}", path.trim_end_matches('/'));
            match self.beside.open(file.source, &path) {
                Ok(source) if found.is_none() => found = Some(source),
                Ok(_) => return Err(refused(at, &format!("`{path}` is not the only kustomization in its folder"))),
                Err(absent @ Absent::Unreadable(_)) => return Err(missing(&path, &absent, at)),
                Err(Absent::NotThere | Absent::Folder) => {}
            }
        }
        let found = found.ok_or_else(|| refused(at, &format!("the folder `{path}` has no kustomization")))?;
        self.budget.spend(found.text().len() / 8, at)?;
        Ok(found)
    }

    /// The objects in a file, lists of objects taken apart.
    pub(super) fn values_in(&self, source: &Arc<Source>, at: &Place) -> Outcome<Vec<(Value, Place)>> {
        let mut tree = Tree::default();
        tree.parse(source.file_name(), source.text());
        self.values(&tree, source.text(), &|span| Place::new(source, span), at)
    }

    /// The values of all documents of a text that are not empty.
    pub(super) fn values(
        &self,
        tree: &Tree,
        text: &str,
        place: &dyn Fn(Span) -> Place,
        at: &Place,
    ) -> Outcome<Vec<(Value, Place)>> {
        if let [error, ..] = tree.errors() {
            let place = place(Span { start: error.offset, end: error.offset });
            let what = format!("`{}` cannot be read: {}", place.source.path(), error.message);
            return Err(if place.source.text().contains("{{") { undecided(at, &what) } else { refused(&place, &what) });
        }
        let mut values = Vec::new();
        for root in tree.documents(text) {
            let value = Value::of(root, &self.budget, place)?;
            if !value.is_null() && !value.as_map().is_some_and(std::collections::BTreeMap::is_empty) {
                values.push((value, place(root.span())));
            }
        }
        Ok(values)
    }

    /// The values of the YAML or JSON in a scalar, each at its place in the file.
    pub(super) fn values_inside(
        &self,
        file: &Kustomization<'_>,
        scalar: Node<'_>,
        at: &Place,
    ) -> Outcome<Vec<(Value, Place)>> {
        let text = scalar.string().unwrap_or_default();
        let place = embedded::place(file.source, scalar.resolve().unwrap_or(scalar));
        self.values(&parse_patch(text), text, &place, at)
    }

    /// The values of a patch in a file of its own.
    pub(super) fn values_of_patch(&self, source: &Arc<Source>, at: &Place) -> Outcome<Vec<(Value, Place)>> {
        self.values(&parse_patch(source.text()), source.text(), &|span| Place::new(source, span), at)
    }
}

/// Files have to stand in or below the folder of the kustomization; folders may stand anywhere.
fn check_below(file: &Kustomization<'_>, path: &str, at: &Place) -> Outcome {
    if file.path(path).starts_with(file.folder()) {
        return Ok(());
    }
    Err(refused(at, &format!("`{path}` is a file outside of the folder of its kustomization")))
}

/// What begins with a bracket is JSON to kustomize, everything else YAML.
fn parse_patch(text: &str) -> Tree {
    let mut tree = Tree::default();
    if text.trim_start().starts_with('[') {
        tree.parse_json(text, false);
    } else {
        tree.parse_yaml(text);
    }
    tree
}

#[allow(clippy::unnecessary_box_returns)] // The error of every [`Outcome`].
fn missing(path: &str, absent: &Absent, at: &Place) -> Box<super::Unreadable> {
    match absent {
        Absent::NotThere => refused(at, &format!("`{path}` is not there")),
        Absent::Folder => refused(at, &format!("`{path}` is a folder")),
        Absent::Unreadable(why) => undecided(at, &format!("`{path}` is not read: {why}")),
    }
}

/// What YAML 1.1 takes for a truth value, as kustomize does.
const TRUTHS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "y", "n"];

/// Whether a scalar is a number or a truth value, which kustomize does not take for a text.
pub(super) fn is_no_text(node: Node<'_>) -> bool {
    let plain =
        node.resolve().is_some_and(|node| node.kind() == NodeKind::Scalar(Style::Plain) && node.tag().is_none());
    let text = node.scalar().unwrap_or_default();
    let is_truth = TRUTHS.iter().any(|truth| truth.eq_ignore_ascii_case(text));
    plain && (is_truth || is_number(text))
}

fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    let begins = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    begins && digits.contains(|c: char| c.is_ascii_digit()) && digits.replace('_', "").parse::<f64>().is_ok()
}

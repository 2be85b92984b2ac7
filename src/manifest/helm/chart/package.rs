//! A chart with its sub-charts, and the values that each of them gets.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::text::{Mark, Marks, Writer};
use super::value::{self, Entries, Reader, Value};
use crate::manifest::MAX_DEPTH;
use crate::manifest::{Found, Unreadable};
use crate::source::{Place, Source, Span};

/// How much merging the values of a chart may take.
pub(super) const MAX_MERGES: usize = 1 << 16;
/// How deep sub-charts nest.
const MAX_CHARTS: usize = 16;

/// Files by their path from the folder of the chart.
pub(super) type Files = BTreeMap<String, Arc<Source>>;

/// A chart or a sub-chart.
pub(super) struct Package {
    /// Its name; its alias where the parent gives one.
    pub(super) name: String,
    /// Its folder, from that of the whole: `charts/redis/`.
    pub(super) folder: String,
    pub(super) metadata: Value,
    defaults: Entries,
    pub(super) children: Vec<Package>,
    /// Sub-charts that are declared and not there: the name, and where it stands.
    pub(super) missing: Vec<(String, Mark)>,
    /// `condition` and `tags` of the entry that declares it.
    condition: String,
    tags: Vec<String>,
    /// Values of sub-charts are copied up by `import-values`.
    pub(super) imports: Option<Mark>,
}

/// What reading a chart needs and gives besides the chart.
pub(super) struct Loader<'a> {
    pub(super) files: &'a Files,
    pub(super) marks: &'a mut Marks,
    pub(super) found: &'a mut Found,
}

impl Loader<'_> {
    /// A file of values; what cannot be read is reported and nothing.
    pub(super) fn values(&mut self, source: &Arc<Source>, writer: Writer) -> Value {
        match Reader::read(self.marks, source, writer) {
            Ok(value @ Value::Map(_)) => value,
            Ok(_) => {
                self.unreadable(source, 0, "these are no values: a mapping is expected".to_owned());
                Value::map(Entries::new())
            }
            Err((offset, message)) => {
                self.unreadable(source, offset, message);
                Value::map(Entries::new())
            }
        }
    }

    fn unreadable(&mut self, source: &Arc<Source>, offset: u32, message: String) {
        let place = Place::new(source, Span { start: offset, end: offset });
        self.found.unreadable.push(Unreadable { place, message, help: None });
    }

    /// The chart in a folder, with the charts below its `charts/`.
    pub(super) fn package(&mut self, folder: &str, depth: usize) -> Option<Package> {
        let source = Arc::clone(self.files.get(&format!("{folder}Chart.yaml"))?);
        let metadata = self.values(&source, Writer::Metadata);
        let name = metadata.field("name").print().plain();
        let defaults = match self.files.get(&format!("{folder}values.yaml")).cloned() {
            Some(source) => self.values(&source, Writer::Defaults),
            None => Value::map(Entries::new()),
        };
        let defaults = if let Value::Map(entries) = &defaults { entries.borrow().clone() } else { Entries::new() };
        let mut package = Package {
            name,
            folder: folder.to_owned(),
            metadata,
            defaults,
            children: Vec::new(),
            missing: Vec::new(),
            condition: String::new(),
            tags: Vec::new(),
            imports: None,
        };
        let folders = self.folders_below(folder);
        if depth >= MAX_CHARTS && !folders.is_empty() {
            self.unreadable(&source, 0, format!("charts nest more than {MAX_CHARTS} deep here"));
            return Some(package);
        }
        self.children(&mut package, &folders, depth);
        Some(package)
    }

    /// The folders in `charts/` that are charts.
    fn folders_below(&self, folder: &str) -> BTreeSet<String> {
        let start = format!("{folder}charts/");
        let below = self.files.range(start.clone()..).map_while(|(path, _)| path.strip_prefix(&start));
        let folders = below.filter_map(|path| path.strip_suffix("/Chart.yaml")).filter(|name| !name.contains('/'));
        folders.filter(|name| !name.starts_with(['_', '.'])).map(|name| format!("{start}{name}/")).collect()
    }

    fn children(&mut self, package: &mut Package, folders: &BTreeSet<String>, depth: usize) {
        let declared: Vec<Value> = match package.metadata.field("dependencies") {
            Value::List(items) => items.to_vec(),
            _ => Vec::new(),
        };
        let text = |entry: &Value, key: &str| entry.field(key).print().plain();
        let mut used = BTreeSet::new();
        for entry in declared.iter().take(MAX_DEPTH) {
            let (name, alias) = (text(entry, "name"), text(entry, "alias"));
            let alias = if alias.is_empty() { name.clone() } else { alias };
            let folder = folders.iter().find(|folder| self.name_in(folder) == name);
            let tags = if let Value::List(tags) = entry.field("tags") {
                tags.iter().map(|tag| tag.print().plain()).collect()
            } else {
                Vec::new()
            };
            let mark = entry.field("name").print().mark();
            let child = folder.and_then(|folder| self.package(folder, depth + 1));
            let is_there = child.is_some();
            used.extend(folder.cloned());
            let mut child = child.unwrap_or_else(|| Package::stub(&alias));
            if !is_there {
                child.missing.push((name, mark));
            }
            let imports = matches!(entry.field("import-values"), Value::List(_)).then_some(mark);
            package.imports = package.imports.or(imports);
            package.children.push(Package { name: alias, condition: text(entry, "condition"), tags, ..child });
        }
        for folder in folders.iter().filter(|folder| !used.contains(*folder)) {
            package.children.extend(self.package(folder, depth + 1));
        }
    }

    fn name_in(&mut self, folder: &str) -> String {
        let Some(source) = self.files.get(&format!("{folder}Chart.yaml")) else { return String::new() };
        let mut marks = Marks::default();
        Reader::read(&mut marks, source, Writer::Metadata)
            .map_or_else(|_| String::new(), |it| it.field("name").print().plain())
    }
}

impl Package {
    /// A sub-chart that is not there.
    fn stub(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            folder: String::new(),
            metadata: Value::map(Entries::new()),
            defaults: Entries::new(),
            children: Vec::new(),
            missing: Vec::new(),
            condition: String::new(),
            tags: Vec::new(),
            imports: None,
        }
    }

    pub(super) fn is_library(&self) -> bool {
        self.metadata.field("type").print().plain() == "library"
    }

    /// The values of the chart with those of its sub-charts in their blocks; sub-charts that they switch off are gone.
    pub(super) fn settle(&mut self, values: &Value) -> Value {
        let all = self.coalesced(values);
        let tags = all.field("tags");
        self.switch_off(&all, &tags, &mut Vec::new());
        self.take_up(&mut MAX_MERGES.clone());
        self.coalesced(values)
    }

    fn coalesced(&self, values: &Value) -> Value {
        let entries = if let Value::Map(entries) = values { entries.borrow().clone() } else { Entries::new() };
        Value::map(self.coalesce(&entries, false, &mut MAX_MERGES.clone()))
    }

    /// Where dependencies are declared, Helm makes the values of sub-charts defaults of the parent before anything else.
    fn take_up(&mut self, fuel: &mut usize) {
        for child in &mut self.children {
            child.take_up(fuel);
        }
        if matches!(self.metadata.field("dependencies"), Value::List(_)) {
            self.defaults = self.coalesce(&self.defaults, true, fuel);
        }
    }

    /// `values` over those of the chart and its sub-charts; `keep` keeps what is null, for the next time.
    fn coalesce(&self, values: &Entries, keep: bool, fuel: &mut usize) -> Entries {
        let is_child = |name: &str| self.children.iter().any(|child| child.name == name);
        let mut entries = value::coalesce(values, &self.defaults, keep, &is_child, fuel);
        for child in &self.children {
            let block = match entries.get(child.name.as_str()) {
                Some(Value::Map(block)) => block.borrow().clone(),
                _ => Entries::new(),
            };
            let block = with_globals(block, entries.get("global"), keep, fuel);
            let block = child.coalesce(&block, keep, fuel);
            if let (Some(global), Some(own)) = (entries.get("global"), block.get("global")) {
                let shared = shared(global, own);
                entries.insert(Rc::from("global"), shared);
            }
            entries.insert(child.name.as_str().into(), Value::map(block));
        }
        let Some(global) = entries.get("global").cloned() else { return entries };
        for child in &self.children {
            if let Some(block @ Value::Map(_)) = entries.get(child.name.as_str()) {
                block.insert("global", shared(&block.field("global"), &global));
            }
        }
        entries
    }

    fn switch_off(&mut self, all: &Value, tags: &Value, path: &mut Vec<String>) {
        self.children.retain(|child| child.is_enabled(all, tags, path));
        for child in &mut self.children {
            path.push(child.name.clone());
            child.switch_off(all, tags, path);
            path.pop();
        }
    }

    /// Whether a sub-chart is on: the first of its conditions that is a boolean says so, else its tags.
    fn is_enabled(&self, all: &Value, tags: &Value, path: &[String]) -> bool {
        for condition in self.condition.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            let steps = path.iter().map(String::as_str).chain(condition.split('.'));
            match steps.fold(all.clone(), |value, step| value.field(step)) {
                Value::Bool(is_on, _) => return is_on,
                Value::Unknown(_) => return true,
                _ => {}
            }
        }
        let tags: Vec<_> = self.tags.iter().filter_map(|tag| tags.field(tag).truth_of_bool()).collect();
        tags.is_empty() || tags.contains(&true)
    }
}

/// A block of a sub-chart with the parent's `global` over its own.
fn with_globals(mut block: Entries, global: Option<&Value>, keep: bool, fuel: &mut usize) -> Entries {
    let empty = Value::map(Entries::new());
    let own = block.get("global").filter(|own| matches!(own, Value::Map(_))).unwrap_or(&empty);
    let merged = match global {
        Some(global @ Value::Map(_)) => value::over_tables(own, global, keep, fuel),
        _ => own.clone(),
    };
    block.insert(Rc::from("global"), merged);
    block
}

/// A `global` whose tables two levels down are those of another: Helm copies one level for each sub-chart, and what is
/// below is the same for the parent and all of them.
fn shared(global: &Value, other: &Value) -> Value {
    let Value::Map(tables) = global else { return global.clone() };
    let share = |(name, table): (&Rc<str>, &Value)| {
        let Value::Map(entries) = table else { return (Rc::clone(name), table.clone()) };
        let theirs = other.field(name);
        let entries = entries.borrow();
        let below = entries.iter().map(|(key, value)| match (value, theirs.field(key)) {
            (Value::Map(_), shared @ Value::Map(_)) => (Rc::clone(key), shared),
            _ => (Rc::clone(key), value.clone()),
        });
        (Rc::clone(name), Value::map(below.collect()))
    };
    Value::map(tables.borrow().iter().map(share).collect())
}

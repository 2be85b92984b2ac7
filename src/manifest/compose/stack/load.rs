//! From files to the services of a project: documents merged in order, `include` followed.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::environment::Environment;
use super::extend::Scope;
use super::merge;
use super::value::{Conversion, Data, Map, Resets, Value};
use crate::manifest::compose::claim::TOP_LEVEL;
use crate::manifest::{Absent, Beside, Unreadable, slot};
use crate::source::{Place, Source, Span};
use crate::yaml::{Node, Tree};

/// Most files read for one stack, each as often as it is named.
const MAX_FILES: usize = 500;
/// Most values that all files of a stack may make, copies for `extends` counted.
const MAX_VALUES: usize = 500_000;
/// Deepest nesting of `include`.
const MAX_INCLUDES: usize = 32;

/// What decides the paths and variables of some files.
#[derive(Clone)]
pub(super) struct Project {
    /// From the folder of the stack's first file, with a `/` at its end; empty for that folder itself.
    pub(super) folder: String,
    pub(super) environment: Rc<Environment>,
}

/// The services of one file, before `include`.
struct File {
    services: Map,
    include: Option<Value>,
    resets: Resets,
}

/// Reads the files of a stack and keeps what Compose would refuse.
pub(super) struct Loader<'a> {
    anchor: &'a Arc<Source>,
    beside: &'a dyn Beside,
    pub(super) problems: Vec<Unreadable>,
    files: usize,
    pub(super) values: usize,
    exhausted: bool,
    /// Where each file of the stack itself speaks of a service.
    pub(super) mentions: HashMap<(String, Rc<str>), Place>,
    pub(super) scopes: Vec<Scope>,
    /// Scopes of extended files by path and environment.
    pub(super) bases: HashMap<(String, usize), Option<usize>>,
    /// Services by scope that are part of a cycle that is refused.
    pub(super) cycles: HashSet<(usize, Rc<str>)>,
    /// Every file that was read, and the variables that they use for something else than images.
    sources: Vec<Arc<Source>>,
    used_elsewhere: slot::Elsewhere,
}

impl<'a> Loader<'a> {
    pub(super) fn new(anchor: &'a Arc<Source>, beside: &'a dyn Beside) -> Self {
        Self {
            anchor,
            beside,
            problems: Vec::new(),
            files: 0,
            values: 0,
            exhausted: false,
            mentions: HashMap::new(),
            scopes: Vec::new(),
            bases: HashMap::new(),
            cycles: HashSet::new(),
            sources: Vec::new(),
            used_elsewhere: slot::Elsewhere::default(),
        }
    }

    pub(super) fn problem(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(Unreadable { place: place.clone(), message: message.into(), help: None });
    }

    /// Where the files use a variable for something else than images. To be asked when all were read.
    pub(super) fn uses(&self, name: &str) -> &[Place] {
        let files = self.sources.iter().map(|source| (source, 0, source.text()));
        self.used_elsewhere.of(name, files, slot::variables_beside_images)
    }

    /// Counts values against the bound; whether there is room for them.
    pub(super) fn spend(&mut self, values: usize, place: &Place) -> bool {
        self.values += values;
        if self.values > MAX_VALUES && !self.exhausted {
            self.exhausted = true;
            self.problem(
                place,
                format!("the stack grows beyond {MAX_VALUES} values through aliases, `extends` and `include`"),
            );
        }
        self.values <= MAX_VALUES
    }

    pub(super) fn open(&self, path: &str) -> Result<Arc<Source>, Absent> {
        self.beside.open(self.anchor, path)
    }

    /// The file a text names, or the reason why there is none as a problem at that text.
    pub(super) fn open_at(&mut self, path: &str, place: &Place) -> Option<Arc<Source>> {
        match self.open(path) {
            Ok(source) => return Some(source),
            Err(Absent::NotThere) => self.problem(place, format!("`{path}` is not there")),
            Err(Absent::Folder) => self.problem(place, format!("`{path}` is a folder")),
            Err(Absent::Unreadable(why)) => self.problem(place, format!("`{path}` cannot be read: {why}")),
        }
        None
    }

    /// The services of files merged in order, with what they extend and include.
    pub(super) fn project(&mut self, sources: &[Arc<Source>], project: &Project, including: &mut Vec<String>) -> Map {
        let mut services = Map::new();
        for source in sources {
            for mut file in self.documents(source, project) {
                if including.len() == 1 {
                    let path = source.path();
                    let mentions = file
                        .services
                        .iter()
                        .map(|(name, entry)| ((path.to_owned(), Rc::clone(name)), entry.key.clone()));
                    self.mentions.extend(mentions);
                }
                file.services = self.extend_all(file.services, project, source, &file.resets);
                file.resets.apply(&mut services);
                if let Some(include) = &file.include {
                    self.include_all(include, &mut file.services, project, including);
                }
                let names: Vec<Rc<str>> = file.services.keys().cloned().collect();
                self.merge(&mut services, file.services);
                names.iter().filter_map(|name| services.get(name)).for_each(|entry| self.check_shape(&entry.value));
            }
        }
        services
    }

    fn merge(&mut self, services: &mut Map, over: Map) {
        let mut problems = merge::Problems::new();
        merge::services(services, over, &mut problems);
        for (place, message) in problems {
            self.problem(&place, message);
        }
    }

    /// Compose looks at what is merged so far: no later file mends what is no service, or an image that is none.
    fn check_shape(&mut self, service: &Value) {
        let Some(map) = service.map() else { return self.problem(&service.place, "a service is a mapping") };
        if let Some(entry) = map.get("image").filter(|entry| !matches!(entry.value.data, Data::Text(_))) {
            self.problem(&entry.value.place, "`image` is not a text");
        }
    }

    /// The services of a file as it stands, documents merged, and what it takes away.
    pub(super) fn raw(&mut self, source: &Arc<Source>, project: &Project) -> (Map, Resets) {
        let (mut services, mut resets) = (Map::new(), Resets::default());
        for file in self.documents(source, project) {
            file.resets.apply(&mut services);
            resets.extend(file.resets);
            self.merge(&mut services, file.services);
        }
        (services, resets)
    }

    fn documents(&mut self, source: &Arc<Source>, project: &Project) -> Vec<File> {
        let start = Place::new(source, Span::default());
        self.files += 1;
        if self.files > MAX_FILES {
            if self.files == MAX_FILES + 1 {
                self.problem(&start, format!("the stack reads more than {MAX_FILES} files"));
            }
            return Vec::new();
        }
        self.sources.push(Arc::clone(source));
        let tree = Tree::yaml(source.text());
        for error in tree.errors() {
            let at = Place::new(source, Span { start: error.offset, end: error.offset });
            self.problem(&at, error.message.clone());
        }
        tree.documents(source.text()).filter_map(|root| self.document(source, root, project)).collect()
    }

    fn document(&mut self, source: &Arc<Source>, root: Node<'_>, project: &Project) -> Option<File> {
        let place = Place::new(source, root.span());
        if !root.is_mapping() || root.tag() == Some("!reset") {
            // A document of comments alone is none.
            if !(root.is_null() && root.span().range().is_empty()) {
                self.problem(&place, "the top of a Compose file is a mapping");
            }
            return None;
        }
        let mut conversion = Conversion::new(source, &project.environment);
        let mut file = File { services: Map::new(), include: None, resets: Resets::default() };
        let top = conversion.merge_keys.read(root);
        top.resets().iter().for_each(|key| conversion.reset_top(key));
        for (key, node) in top.entries {
            let Some(name) = key.scalar() else { continue };
            match name {
                "services" => {
                    let value = conversion.top(name, node);
                    match value.data {
                        Data::Map(services) => file.services = services,
                        _ => self.problem(&value.place, "`services` is not a mapping"),
                    }
                }
                "include" => file.include = Some(conversion.top(name, node)).filter(|value| !value.is_null()),
                _ if TOP_LEVEL.contains(&name) || name.starts_with("x-") => {}
                _ => self.problem(&Place::new(source, key.span()), format!("`{name}` is no key of a Compose file")),
            }
        }
        let merge_keys = conversion.merge_keys;
        file.resets = conversion.resets;
        if merge_keys.is_exhausted() {
            self.problem(&place, "aliases and merge keys multiply this document beyond two million entries");
        }
        for (span, message) in merge_keys.problems {
            self.problem(&Place::new(source, span), message);
        }
        let size = file.services.values().map(|entry| entry.value.size()).sum();
        self.spend(size, &place).then_some(file)
    }

    fn include_all(&mut self, include: &Value, services: &mut Map, project: &Project, including: &mut Vec<String>) {
        if !matches!(include.data, Data::List(_)) {
            return self.problem(&include.place, "`include` is not a list");
        }
        let mut imported = HashSet::new();
        for item in include.items() {
            let Some(included) = self.included(item, project, including) else { continue };
            for (name, entry) in included {
                match services.get(&name) {
                    None => {
                        imported.insert(Rc::clone(&name));
                        services.insert(name, entry);
                    }
                    Some(own) if own.value.same(&entry.value, !imported.contains(&name)) => {}
                    Some(own) => {
                        let place = own.key.clone();
                        let other = entry.key.source.path().to_owned();
                        self.problems.push(Unreadable {
                            place,
                            message: format!("the service `{name}` is also declared in `{other}`, which is included"),
                            help: Some(
                                "override an included service in a file of its own, named behind this one".to_owned(),
                            ),
                        });
                    }
                }
            }
        }
    }

    /// The services that one item of `include` names.
    fn included(&mut self, item: &Value, project: &Project, including: &mut Vec<String>) -> Option<Map> {
        let item_path = if item.map().is_some() { item.get("path") } else { Some(item) };
        let Some(paths) = item_path.map(Value::items).filter(|paths| !paths.is_empty()) else {
            self.problem(&item.place, "`include` names no file");
            return None;
        };
        let mut sources = Vec::new();
        for path in paths {
            sources.push((self.local_path(path, project)?, path));
        }
        let first = sources.first().map(|(path, _)| path.clone()).unwrap_or_default();
        let folder = match item.get("project_directory") {
            None => folder_of(&first).to_owned(),
            Some(value) => as_folder(&self.local_path(value, project)?),
        };
        let mut files = Vec::new();
        for (path, value) in sources {
            files.push(self.open_at(&path, &value.place)?);
        }
        let key = files.first()?.path().to_owned();
        if let Some(at) = including.iter().position(|path| *path == key) {
            let cycle = including.get(at..).unwrap_or_default().join("` includes `");
            self.problem(&item.place, format!("`{cycle}` includes `{key}`: a cycle"));
            return None;
        }
        if including.len() >= MAX_INCLUDES {
            self.problem(&item.place, format!("`include` is nested deeper than {MAX_INCLUDES}"));
            return None;
        }
        let environment = self.included_environment(item, &folder, project)?;
        including.push(key);
        let services = self.project(&files, &Project { folder, environment }, including);
        including.pop();
        Some(services)
    }

    fn included_environment(&mut self, item: &Value, folder: &str, project: &Project) -> Option<Rc<Environment>> {
        let mut environment = Environment::new(Some(&project.environment));
        match item.get("env_file") {
            None => self.default_environment(&mut environment, folder),
            Some(files) => {
                for file in files.items() {
                    let path = self.local_path(file, project)?;
                    let source = self.open_at(&path, &file.place)?;
                    environment.add(&source);
                }
            }
        }
        let unchanged = environment.is_empty();
        Some(if unchanged { Rc::clone(&project.environment) } else { Rc::new(environment) })
    }

    /// The `.env` of a project folder, where there is one.
    pub(super) fn default_environment(&self, environment: &mut Environment, folder: &str) {
        match self.open(&format!("{folder}.env")) {
            Ok(source) => environment.add(&source),
            Err(Absent::NotThere | Absent::Folder) => {}
            Err(Absent::Unreadable(why)) => environment.fail(format!("`{folder}.env` cannot be read: {why}")),
        }
    }

    /// The path that a text names, from the folder of the stack's first file.
    pub(super) fn local_path(&mut self, value: &Value, project: &Project) -> Option<String> {
        let path = match value.text() {
            Ok(path) => path,
            Err(why) => {
                self.problem(&value.place, format!("which file this names cannot be told: {why}"));
                return None;
            }
        };
        if path.is_empty() {
            self.problem(&value.place, "this names no file");
            return None;
        }
        if is_remote(&path) {
            self.problems.push(Unreadable {
                place: value.place.clone(),
                message: format!("`{path}` is fetched when it is deployed: what it deploys cannot be told"),
                help: Some("commit a copy of it and name that".to_owned()),
            });
            return None;
        }
        Some(if path.starts_with('/') { path } else { tidy(&format!("{}{path}", project.folder)) })
    }
}

/// Whether Compose fetches a path from elsewhere.
fn is_remote(path: &str) -> bool {
    let is_repository = path.strip_suffix(".git").is_some() || path.contains(".git#");
    path.contains("://")
        || path.starts_with("git@")
        || path.starts_with("github.com/")
        || is_repository && !path.starts_with(['.', '/'])
}

/// The folder of a path with a `/` at its end; empty where it has none.
pub(super) fn folder_of(path: &str) -> &str {
    path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or_default()
}

fn as_folder(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => String::new(),
        path => format!("{path}/"),
    }
}

/// A relative path without `.` parts, and without `..` behind a named folder.
fn tidy(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match parts.last() {
            Some(&last) if part == ".." && last != ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

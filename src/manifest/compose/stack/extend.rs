//! `extends`: a service over the one it is based on, in the same file or in another one.
//!
//! Source: <https://github.com/compose-spec/compose-go> (`loader/extends.go`): services are extended file by file,
//! before files are merged, and never by included ones.

use std::rc::Rc;
use std::sync::Arc;

use super::load::{Loader, Project, folder_of};
use super::merge;
use super::value::{Data, Map, Resets, Value};
use crate::manifest::Unreadable;
use crate::source::Source;

/// Longest chain of `extends`.
const MAX_CHAIN: usize = 100;

/// The services of one file among which `extends` looks for names.
pub(super) struct Scope {
    services: Map,
    resets: Resets,
    project: Project,
    /// The file, for people.
    path: String,
}

impl Loader<'_> {
    /// The services of a file with everything that they extend.
    pub(super) fn extend_all(
        &mut self,
        services: Map,
        project: &Project,
        source: &Arc<Source>,
        resets: &Resets,
    ) -> Map {
        if !services.values().any(|entry| entry.value.map().is_some_and(|map| map.contains_key("extends"))) {
            return services;
        }
        let names: Vec<Rc<str>> = services.keys().cloned().collect();
        let (project, resets, path) = (project.clone(), resets.clone(), source.path().to_owned());
        self.scopes.push(Scope { services, resets, project, path });
        let scope = self.scopes.len() - 1;
        for name in names {
            self.extended(scope, &name, &mut Vec::new());
        }
        // The place of the scope stays taken: others are known by their number.
        self.scopes.get_mut(scope).map(|scope| std::mem::take(&mut scope.services)).unwrap_or_default()
    }

    /// A service with what it extends, which is remembered. `chain` are the services that led here.
    fn extended(&mut self, scope: usize, name: &str, chain: &mut Vec<(usize, Rc<str>)>) -> Option<Value> {
        let service = self.scopes.get(scope)?.services.get(name)?.value.clone();
        let Some(extends) = service.map().and_then(|map| map.get("extends")).map(|entry| entry.value.clone()) else {
            return Some(service);
        };
        if !self.spend(service.size(), &service.place) {
            return None;
        }
        let merged = match self.base(scope, name, &extends, chain) {
            Some(base) => self.merged(scope, name, base, service)?,
            None => service,
        };
        let mut merged = merged;
        if let Data::Map(map) = &mut merged.data {
            map.remove("extends");
        }
        if let Some(entry) = self.scopes.get_mut(scope)?.services.get_mut(name) {
            entry.value = merged.clone();
        }
        Some(merged)
    }

    fn merged(&mut self, scope: usize, name: &str, mut base: Value, service: Value) -> Option<Value> {
        if !self.spend(base.size(), &service.place) {
            return None;
        }
        self.scopes.get(scope)?.resets.apply_to(name, &mut base);
        let mut problems = merge::Problems::new();
        let merged = merge::service(base, service, &mut problems);
        for (place, message) in problems {
            self.problem(&place, message);
        }
        Some(merged)
    }

    /// The service that `extends` names, itself extended.
    fn base(&mut self, scope: usize, name: &str, extends: &Value, chain: &mut Vec<(usize, Rc<str>)>) -> Option<Value> {
        let link = (scope, Rc::from(name));
        if let Some(at) = chain.iter().position(|other| *other == link) {
            self.cycle(extends, chain.get(at..).unwrap_or_default(), &link);
            return None;
        }
        if chain.len() >= MAX_CHAIN {
            self.problem(&extends.place, format!("the chain of `extends` is longer than {MAX_CHAIN}"));
            return None;
        }
        let service = if extends.map().is_some() { extends.get("service") } else { Some(extends) };
        let base = match service.map(Value::text) {
            Some(Ok(base)) => base,
            Some(Err(why)) => {
                self.problem(&extends.place, format!("which service this extends cannot be told: {why}"));
                return None;
            }
            None => {
                self.problem(&extends.place, "`extends` names no service");
                return None;
            }
        };
        let base_scope = match extends.get("file") {
            None => scope,
            Some(file) => self.scope_of(file, scope)?,
        };
        if !self.scopes.get(base_scope)?.services.contains_key(&*base) {
            let path = self.scopes.get(base_scope)?.path.clone();
            let place = service.map_or(&extends.place, |service| &service.place);
            self.problem(place, format!("it extends `{base}`, which is no service of `{path}`"));
            return None;
        }
        chain.push(link);
        let found = self.extended(base_scope, &base, chain);
        chain.pop();
        found.filter(|base| !base.is_null())
    }

    /// The scope of the file that `extends.file` names, read once.
    fn scope_of(&mut self, file: &Value, from: usize) -> Option<usize> {
        let project = self.scopes.get(from)?.project.clone();
        let path = self.local_path(file, &project)?;
        let source = self.open_at(&path, &file.place)?;
        let key = (source.path().to_owned(), Rc::as_ptr(&project.environment).addr());
        if let Some(&known) = self.bases.get(&key) {
            return known;
        }
        let project = Project { folder: folder_of(&path).to_owned(), environment: project.environment };
        let before = self.problems.len();
        let (services, resets) = self.raw(&source, &project);
        self.scopes.push(Scope { services, resets, project, path: source.path().to_owned() });
        let scope = (self.problems.len() == before).then(|| self.scopes.len() - 1);
        self.bases.insert(key, scope);
        scope
    }

    fn cycle(&mut self, extends: &Value, chain: &[(usize, Rc<str>)], link: &(usize, Rc<str>)) {
        let shown = |(scope, name): &(usize, Rc<str>)| {
            let path = self.scopes.get(*scope).map_or("", |scope| &scope.path);
            format!("`{name}` in `{path}`")
        };
        let cycle: Vec<_> = chain.iter().chain([link]).map(shown).collect();
        self.problems.push(Unreadable {
            place: extends.place.clone(),
            message: format!("a cycle: {}", cycle.join(" extends ")),
            help: Some("let one of these services say its image itself, without `extends`".to_owned()),
        });
    }
}

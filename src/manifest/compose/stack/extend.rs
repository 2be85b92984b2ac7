//! `extends`: a service over the one it is based on, in the same file or in another one.
//!
//! Source: <https://github.com/compose-spec/compose-go> (`loader/extends.go`): services are extended file by file,
//! before files are merged, and never by included ones.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use super::load::{Loader, Project, folder_of};
use super::merge;
use super::value::{Data, Map, Resets, Value};
use crate::manifest::Unreadable;
use crate::source::{Place, Source};

/// Longest chain of `extends`.
const MAX_CHAIN: usize = 100;

/// The services of one file among which `extends` looks for names.
pub(super) struct Scope {
    services: Map,
    resets: Resets,
    project: Project,
    /// The file, for people.
    path: String,
    /// A file of the stack or an included one, not one that is only extended.
    is_kept: bool,
    /// Services that others of the file extend.
    bases: HashSet<String>,
}

/// A service that extends another one.
#[derive(Clone, PartialEq, Eq)]
struct Link {
    scope: usize,
    name: Rc<str>,
    /// The file by which Compose knows the link: the extended one, or the one it began with, wherever it leads.
    counted: usize,
}

impl Loader<'_> {
    /// The services of a file with everything that they extend.
    pub(super) fn extend_all(
        &mut self,
        mut services: Map,
        project: &Project,
        source: &Arc<Source>,
        resets: &Resets,
    ) -> Map {
        if !services.values().any(|entry| entry.value.map().is_some_and(|map| map.contains_key("extends"))) {
            return services;
        }
        let names: Vec<Rc<str>> = services.keys().cloned().collect();
        let (project, resets, path) = (project.clone(), resets.clone(), source.path().to_owned());
        let bases = services.values().filter_map(|entry| base_in_file(&entry.value)).collect();
        self.scopes.push(Scope { services: services.clone(), resets, project, path, is_kept: true, bases });
        let scope = self.scopes.len() - 1;
        for name in names {
            if let Some(value) = self.extended(scope, &name, &mut Vec::new())
                && let Some(entry) = services.get_mut(&name)
            {
                entry.value = value;
            }
        }
        services
    }

    /// A service with what it extends. `chain` are the services that led here.
    fn extended(&mut self, scope: usize, name: &str, chain: &mut Vec<Link>) -> Option<Value> {
        let service = self.scopes.get(scope)?.services.get(name)?.value.clone();
        let Some(extends) = service.map().and_then(|map| map.get("extends")).map(|entry| entry.value.clone()) else {
            return Some(service);
        };
        if !self.spend(service.size(), &service.place) {
            return None;
        }
        let mut merged = match self.base(scope, name, &extends, chain) {
            // Compose leaves `extends` where it is if the other service is empty.
            Some((_, base)) if base.is_null() => return Some(service),
            Some((from, base)) => {
                self.check_resets((scope, name, from), &base, &service, chain);
                self.merged(scope, name, base, service)?
            }
            None => service,
        };
        if let Data::Map(map) = &mut merged.data {
            map.remove("extends");
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

    /// Which tags take something from an extended service differs between releases of compose-go: until 2.1.4 those
    /// of the file of the stack; until 2.9.0 also those of all files that `extends` leads through, whichever service
    /// of that name they mean; since then those of the service's own file, unless another one extends it there first.
    fn check_resets(
        &mut self,
        (scope, name, from): (usize, &str, usize),
        base: &Value,
        service: &Value,
        chain: &[Link],
    ) {
        let matter =
            |scope: usize| self.scopes.get(scope).is_some_and(|scope| scope.resets.matter_to(name, base, service));
        let own = self.scopes.get(scope);
        let is_sure = own.is_some_and(|own| own.is_kept && !own.bases.contains(name));
        let others = chain.iter().map(|link| link.scope).chain([from]).filter(|&other| other != scope);
        if matter(scope) && !is_sure || others.into_iter().any(matter) {
            self.problems.push(Unreadable {
                place: service.place.clone(),
                message: format!(
                    "releases of Compose disagree what `!reset` and `!override` take from the service that `{name}` extends"
                ),
                help: Some("write out what these services need without the two tags".to_owned()),
            });
        }
    }

    /// The service that `extends` names, itself extended, and the scope it stands in.
    fn base(&mut self, scope: usize, name: &str, extends: &Value, chain: &mut Vec<Link>) -> Option<(usize, Value)> {
        if chain.len() >= MAX_CHAIN {
            self.problem(&extends.place, format!("the chain of `extends` is longer than {MAX_CHAIN}"));
            return None;
        }
        let (base, place) = self.base_name(extends)?;
        let first = chain.first().map_or(scope, |link| link.scope);
        let (from, counted) = match extends.get("file") {
            None => (scope, first),
            Some(file) => self.scope_of(file, scope).map(|from| (from, from))?,
        };
        if !self.scopes.get(from)?.services.contains_key(&*base) {
            let path = self.scopes.get(from)?.path.clone();
            self.problem(&place, format!("it extends `{base}`, which is no service of `{path}`"));
            return None;
        }
        let link = Link { scope, name: name.into(), counted };
        let is_known = |other: &Link| other.name == link.name && (other.counted == counted || other.scope == scope);
        if let Some(at) = chain.iter().position(is_known) {
            self.cycle(extends, chain.get(at..).unwrap_or_default(), &link);
            return None;
        }
        chain.push(link);
        let found = self.extended(from, &base, chain);
        chain.pop();
        Some((from, found?))
    }

    /// The name of the extended service, and where it stands.
    fn base_name(&mut self, extends: &Value) -> Option<(String, Place)> {
        let service = if extends.map().is_some() { extends.get("service") } else { Some(extends) };
        match service.map(|service| (service.text(), &service.place)) {
            Some((Ok(base), place)) => return Some((base, place.clone())),
            Some((Err(why), place)) => {
                self.problem(place, format!("which service this extends cannot be told: {why}"));
            }
            None => self.problem(&extends.place, "`extends` names no service"),
        }
        None
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
        let path = source.path().to_owned();
        self.scopes.push(Scope { services, resets, project, path, is_kept: false, bases: HashSet::new() });
        let scope = (self.problems.len() == before).then(|| self.scopes.len() - 1);
        self.bases.insert(key, scope);
        scope
    }

    /// Refuses a cycle, whichever of its services led into it first.
    fn cycle(&mut self, extends: &Value, chain: &[Link], link: &Link) {
        let is_known = chain.iter().any(|link| self.cycles.contains(&(link.scope, Rc::clone(&link.name))));
        self.cycles.extend(chain.iter().map(|link| (link.scope, Rc::clone(&link.name))));
        if is_known {
            return;
        }
        let shown = |link: &Link| {
            let path = self.scopes.get(link.scope).map_or("", |scope| &scope.path);
            format!("`{}` in `{path}`", link.name)
        };
        let cycle: Vec<_> = chain.iter().chain([link]).map(shown).collect();
        let cycle = cycle.join(" extends ");
        // Compose tells files apart only where `extends` enters them, and takes services in no order: it depends on
        // what it extended before whether it gets here.
        let is_real = chain.first().is_some_and(|first| first.scope == link.scope);
        let message = if is_real {
            format!("a cycle: {cycle}")
        } else {
            format!("Compose refuses this as a cycle or not by chance: {cycle}")
        };
        self.problems.push(Unreadable {
            place: extends.place.clone(),
            message,
            help: Some("give one of these services another name, or let it say its image without `extends`".to_owned()),
        });
    }
}

/// The service of the same file that a service extends.
fn base_in_file(service: &Value) -> Option<String> {
    let extends = service.get("extends")?;
    match extends.map() {
        None => extends.text().ok(),
        Some(_) if extends.get("file").is_some() => None,
        Some(_) => extends.get("service")?.text().ok(),
    }
}

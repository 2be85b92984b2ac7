//! A Compose stack as it is deployed: files merged in order, each image at the line that decided it.
//!
//! Source: <https://github.com/compose-spec/compose-spec>, and compose-go for what the text leaves open.

mod convention;
mod dependencies;
mod environment;
mod extend;
mod images;
mod load;
mod merge;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

pub use convention::{base_names, base_names_by};

use crate::manifest::{Beside, Found, LocatedImage, State, Unreadable};
use crate::source::{Place, Source, Span};
use environment::Environment;
use load::{Loader, Project};
use value::Value;

/// What is deployed together.
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a> {
    /// The files in the order in which they are merged. The folder of the first is the project folder.
    pub files: &'a [Arc<Source>],
    /// The files given by `--env-file`, later ones winning; without any, the `.env` of the project folder.
    pub env_files: &'a [Arc<Source>],
    /// Only these profiles; `None` judges every service.
    pub profiles: Option<&'a [String]>,
}

/// The model that Compose would deploy.
#[derive(Debug, Default)]
pub struct Effective {
    /// The images of each service: its own (or its `build`) first, then those of its build contexts, volumes and hooks.
    pub services: BTreeMap<String, Vec<LocatedImage>>,
    /// What Compose would refuse, or what nobody can tell.
    pub unreadable: Vec<Unreadable>,
}

/// Every image that a stack deploys, each once, sorted by place.
#[must_use]
pub fn read(stack: &Stack<'_>, beside: &dyn Beside) -> Found {
    let effective = effective(stack, beside);
    let mut images: Vec<LocatedImage> = Vec::new();
    let mut known: HashMap<(String, Span, String), (usize, bool)> = HashMap::new();
    for image in effective.services.into_values().flatten() {
        let text = image.effective().unwrap_or_default().to_owned();
        let key = (image.place.source.path().to_owned(), image.place.span, text);
        let built = image.state == State::Built;
        let earlier = known.get_mut(&key).and_then(|(index, all_built)| Some((images.get_mut(*index)?, all_built)));
        if let Some((slot, all_built)) = earlier {
            // What one service builds, another one may pull.
            slot.built |= image.built;
            if *all_built && !built {
                (*all_built, slot.state) = (false, image.state);
            }
        } else {
            known.insert(key, (images.len(), built));
            images.push(image);
        }
    }
    let order = |image: &LocatedImage| (image.place.source.path().to_owned(), image.place.span);
    images.sort_by_cached_key(|image| (order(image), image.field.clone()));
    Found { images, unreadable: effective.unreadable, is_manifest: true }
}

/// What each service of a stack runs.
#[must_use]
pub fn effective(stack: &Stack<'_>, beside: &dyn Beside) -> Effective {
    let Some(first) = stack.files.first() else { return Effective::default() };
    let mut loader = Loader::new(first, beside);
    let mut environment = Environment::new(None);
    if stack.env_files.is_empty() {
        loader.default_environment(&mut environment, "");
    }
    stack.env_files.iter().for_each(|source| environment.add(source));
    let project = Project { folder: String::new(), environment: Rc::new(environment) };
    let all = loader.project(stack.files, &project, &mut vec![first.path().to_owned()]);
    let profiles = profiles(stack, &project);
    let is_active = |service: &Value| profiles.as_deref().is_none_or(|profiles| has_profile(service, profiles));
    if all.is_empty() && loader.problems.is_empty() {
        let place = Place::new(first, Span::default());
        loader.problem(&place, "no file of this stack declares a service");
    }
    let mut services = BTreeMap::new();
    for (name, entry) in all.iter().filter(|(_, entry)| is_active(&entry.value)) {
        let found = images::of(name, entry, &all, stack.files, &mut loader);
        services.insert(name.to_string(), found);
    }
    dependencies::check(&all, &is_active, &mut loader);
    Effective { services, unreadable: distinct(loader.problems) }
}

/// The active profiles; `None` where all are.
fn profiles(stack: &Stack<'_>, project: &Project) -> Option<Vec<String>> {
    let mut profiles = stack.profiles?.to_vec();
    if profiles.is_empty() {
        match project.environment.get("COMPOSE_PROFILES") {
            Ok(value) => {
                let value = value.map(|value| value.text).unwrap_or_default();
                profiles = value.split(',').map(|profile| profile.trim().to_owned()).collect();
            }
            Err(_) => return None,
        }
    }
    (!profiles.iter().any(|profile| profile == "*")).then_some(profiles)
}

/// Whether a service is deployed with these profiles. One whose profile nobody can tell may be.
fn has_profile(service: &Value, profiles: &[String]) -> bool {
    let Some(own) = service.get("profiles").map(Value::items).filter(|own| !own.is_empty()) else { return true };
    own.iter().any(|profile| profile.text().map_or(true, |profile| profiles.contains(&profile)))
}

/// Each problem once, sorted by place.
fn distinct(mut problems: Vec<Unreadable>) -> Vec<Unreadable> {
    problems.sort_by(|a, b| order(a).cmp(&order(b)));
    problems.dedup_by(|a, b| order(a) == order(b));
    problems
}

fn order(problem: &Unreadable) -> (&str, Span, &str) {
    (problem.place.source.path(), problem.place.span, &problem.message)
}

#[cfg(test)]
mod tests;

//! The policy file of an organisation: a floor below which neither the configuration of a repository nor the command
//! line leads.
//!
//! It is written as a configuration is. Each key has its own way to be a floor: the higher level counts, the stricter
//! policy, the registries that both allow, the signatures that either requires, the lower gate for scan reports, the
//! exceptions of both as far as the floor lets the repository make some.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::error::{PolicyError, PolicyErrors};
use super::raw::{self, Errors, Raw};
use super::signatures::{Key, Requirement, Signer};
use super::{Exception, Form, PRODUCTION, Policy, check};
use crate::rule::{Level, Rule, STALE_DIGEST};
use crate::source::{Place, Source};
use crate::yaml::{Node, Tree};

/// The keys that only a policy file has.
const FLOOR_KEYS: &[&str] = &["repository-exceptions", "enforced-environments"];

/// The keys that only the configuration of a repository has: they say where things are and how they are done.
const REPOSITORY_KEYS: &[&str] = &["environments", "registries", "refresh"];

/// What a configuration is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Repository,
    Floor,
}

/// A checked policy file.
#[derive(Clone, Debug)]
pub struct Floor {
    policy: Policy,
    /// How the file is shown.
    path: String,
    /// Whether a repository may make exceptions from every rule, or from none, and where that is said.
    repository_exceptions: Option<(bool, Place)>,
    /// The environments that a repository has to have, enforced, and where that is said.
    enforced: Vec<(String, Place)>,
}

impl Floor {
    /// Reads a policy file.
    ///
    /// # Errors
    /// Everything that is wrong in it, as far as it could be read.
    pub fn parse(source: &Arc<Source>) -> Result<Self, PolicyErrors> {
        let mut tree = Tree::default();
        let (raw, root) = raw::read::<Raw>(source, &mut tree)?;
        let policy = check::check(source, &raw, root, Use::Floor)?;
        let errors: Vec<_> = policy.signatures.iter().flat_map(files_of_the_repository).collect();
        if !errors.is_empty() {
            return Err(PolicyErrors(errors));
        }
        let repository_exceptions = root.get("repository-exceptions").map(|node| Place::new(source, node.span()));
        Ok(Self {
            policy,
            path: source.path().to_owned(),
            repository_exceptions: raw.repository_exceptions.zip(repository_exceptions),
            enforced: enforced(source, &raw, root),
        })
    }

    pub(super) fn level(&self, rule: &Rule) -> Level {
        self.policy.own_level(rule)
    }

    pub(super) fn scan(&self) -> super::scan::Own {
        self.policy.scan
    }

    pub(super) fn is_strict(&self) -> bool {
        self.policy.is_strict()
    }

    pub(super) fn commit_references(&self) -> &[Form] {
        &self.policy.commit_references
    }

    /// Where it is said that a repository makes no exception from a rule: where it has none to make at all, or, unless
    /// it may make all, where the rule is set to `error`.
    fn keeps(&self, rule: &Rule) -> Option<&Place> {
        match &self.repository_exceptions {
            Some((true, _)) => None,
            Some((false, place)) => Some(place),
            None => {
                let set = self.policy.set_level_of(rule).filter(|set| set.level == Level::Error);
                set.and_then(|set| set.place.as_ref())
            }
        }
    }
}

fn enforced(source: &Arc<Source>, raw: &Raw, root: Node<'_>) -> Vec<(String, Place)> {
    let nodes = root.get("enforced-environments").into_iter().flat_map(Node::items);
    let places = nodes.map(|node| Place::new(source, node.span()));
    raw.enforced_environments.iter().cloned().zip(places).collect()
}

/// Refuses the keys that belong in the other of the two files: to ignore them would be silence.
pub(super) fn check_keys(used: Use, root: Node<'_>, errors: &mut Errors<'_>) {
    for (key, _) in root.entries() {
        let name = key.scalar().unwrap_or_default();
        match used {
            Use::Repository if FLOOR_KEYS.contains(&name) => {
                let help =
                    "remove it: a repository cannot raise itself; the action's input `policy-file` names that file";
                errors.add(key, format!("`{name}` belongs in the policy file of an organisation"), help);
            }
            Use::Floor if REPOSITORY_KEYS.contains(&name) => {
                let help = "remove it: a policy file says what is required, not where a repository keeps things";
                errors.add(key, format!("`{name}` is for the repository's own configuration to say"), help);
            }
            _ => {}
        }
    }
}

/// What a requirement reads from the repository, which could change what it is held against.
fn files_of_the_repository(requirement: &Requirement) -> Vec<PolicyError> {
    let keys = requirement.signers.iter().filter_map(|signer| match signer {
        Signer::Key { key: Key::File(file), .. } => Some(PolicyError {
            place: file.place.clone(),
            message: format!("`{}` is a file of the repository, which could change it", file.path),
            help: Some("write the key itself: `key: |` and the lines of its PEM form".to_owned()),
        }),
        _ => None,
    });
    let root = requirement.trusted_root.iter().map(|file| PolicyError {
        place: file.place.clone(),
        message: format!("`{}` is a file of the repository, which could change it", file.path),
        help: Some("remove it: under a policy file the embedded trusted roots hold".to_owned()),
    });
    keys.chain(root).collect()
}

impl Policy {
    /// Lays a floor below this policy and what the command line will change in it.
    ///
    /// # Errors
    /// The two leave nothing that could be judged: an environment that has to be there is not, or no registry is
    /// allowed by both.
    pub fn raise(&mut self, floor: Floor) -> Result<(), PolicyErrors> {
        let mut errors = self.enforce(&floor);
        errors.extend(self.allow_only(&floor));
        if !errors.is_empty() {
            return Err(PolicyErrors(errors));
        }
        self.lower_age(&floor);
        self.exceptions.splice(0..0, floor.policy.exceptions.iter().cloned());
        let required = floor.policy.signatures.iter().cloned();
        self.signatures.extend(required.map(|required| Requirement { of_floor: true, ..required }));
        self.floor = Some(Arc::new(floor));
        Ok(())
    }

    /// Enforces the environments that have to be. Without a configuration there is [`PRODUCTION`], and it is enforced.
    fn enforce(&mut self, floor: &Floor) -> Vec<PolicyError> {
        let mut errors = Vec::new();
        for (name, place) in &floor.enforced {
            if let Some(environment) = self.environments.iter_mut().find(|environment| *environment.name == **name) {
                if !environment.enforce {
                    environment.enforce = true;
                    self.notices.push(format!("the environment `{name}` is enforced, as {} requires", at(place)));
                }
            } else if !(self.environments.is_empty() && name == PRODUCTION) {
                let known: Vec<_> = self.environments.iter().map(|it| format!("`{}`", it.name)).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let help = format!("add it under `environments` of the repository's configuration, which has {known}");
                let message = format!("the repository has no environment `{name}`");
                errors.push(PolicyError { place: place.clone(), message, help: Some(help) });
            }
        }
        errors
    }

    /// Takes the shorter of both ages.
    fn lower_age(&mut self, floor: &Floor) {
        let (Some(theirs), Some(place)) = (floor.policy.max_digest_age, &floor.policy.max_age_place) else { return };
        match self.max_digest_age {
            Some(own) if own <= theirs => return,
            Some(_) => self.notices.push(format!("`max-digest-age` is {theirs} days, as {} requires", at(place))),
            None => {}
        }
        self.max_digest_age = Some(theirs);
        self.max_age_place = Some(place.clone());
    }

    /// Leaves of the allowed registries those that the floor allows.
    fn allow_only(&mut self, floor: &Floor) -> Option<PolicyError> {
        let (allowed, theirs) = (&floor.policy.allowed_registries, floor.policy.allowed_place.as_ref());
        if allowed.is_empty() {
            return None;
        }
        if self.allowed_registries.is_empty() {
            self.allowed_registries.clone_from(allowed);
            return None;
        }
        let both = |own: &String| -> Vec<String> {
            let narrower = allowed.iter().filter_map(|other| narrower(own, other));
            narrower.cloned().collect()
        };
        let theirs = theirs.map(at).unwrap_or_default();
        let (kept, out): (Vec<_>, Vec<_>) = self.allowed_registries.iter().partition(|own| !both(own).is_empty());
        if kept.is_empty() {
            let place = self.allowed_place.clone()?;
            let help = format!("name registries below one of: {}", allowed.join(", "));
            return Some(PolicyError { place, message: format!("{theirs} allows none of these"), help: Some(help) });
        }
        if !out.is_empty() {
            let names: Vec<_> = out.iter().map(|name| format!("`{name}`")).collect();
            self.notices.push(format!("{theirs} does not allow {}: images from there are refused", names.join(", ")));
        }
        let mut registries: Vec<_> = kept.into_iter().flat_map(both).collect();
        registries.sort();
        registries.dedup();
        self.allowed_registries = registries;
        None
    }

    /// Where it is said that an exception does not count for a rule, although it names it.
    #[must_use]
    pub fn refusal(&self, exception: &Exception, rule: &Rule) -> Option<&Place> {
        self.floor.as_ref().filter(|_| !exception.of_floor).and_then(|floor| floor.keeps(rule))
    }

    /// Who set the level of a rule, and where: `` `levels` of digest-gate.yml:7 ``.
    #[must_use]
    pub fn level_source(&self, rule: &Rule) -> String {
        match &self.floor {
            Some(floor) if floor.level(rule) > self.own_level(rule) => floor.policy.own_source(rule, Some(&floor.path)),
            _ => self.own_source(rule, None),
        }
    }

    fn own_source(&self, rule: &Rule, file: Option<&str>) -> String {
        let named = |key: &str, place: &Place| format!("`{key}` of {}", at(place));
        if let Some(set) = self.set_level_of(rule) {
            return set.place.as_ref().map_or_else(|| "`--level`".to_owned(), |place| named("levels", place));
        }
        let is_list = rule.id == "disallowed-registry" && !self.allowed_registries.is_empty();
        if let Some(place) = self.allowed_place.as_ref().filter(|_| is_list) {
            return named("allow-registries", place);
        }
        let is_age = rule.id == STALE_DIGEST.id && rule.level(self.base) < Level::Warning;
        if let Some(place) = self.max_age_place.as_ref().filter(|_| is_age) {
            return named("max-digest-age", place);
        }
        if let Some(place) = &self.base_place {
            return named("policy", place);
        }
        let word = check::BASES.iter().find(|(_, base)| *base == self.base).map_or("default", |(word, _)| word);
        let file = file.map(|file| format!(" of {file}")).unwrap_or_default();
        format!("policy `{word}`{file}")
    }

    /// Which file is the floor, and where it raised the levels of `rules`; none where there is no floor.
    pub fn floor_notice<'r>(&self, rules: impl Iterator<Item = &'r Rule>) -> Option<String> {
        let floor = self.floor.as_ref()?;
        let mut text = format!("the policy file `{}` is the floor", floor.path);
        let mut raised = rules.filter(|rule| floor.level(rule) > self.own_level(rule)).peekable();
        if raised.peek().is_some() {
            text.push_str(", and raised");
        }
        for (index, rule) in raised.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let (from, to) = (self.own_level(rule).as_str(), floor.level(rule).as_str());
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma} `{}` from {from} to {to} by {}", rule.id, self.level_source(rule));
        }
        Some(text)
    }
}

/// The narrower of two prefixes of which one lies at or below the other.
fn narrower<'p>(one: &'p String, other: &'p String) -> Option<&'p String> {
    let is_below = |below: &str, above: &str| {
        below.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match () {
        () if is_below(one, other) => Some(one),
        () if is_below(other, one) => Some(other),
        () => None,
    }
}

/// `org.yml:4`.
fn at(place: &Place) -> String {
    format!("{}:{}", place.source.path(), place.start().line)
}

/// The schema of `repository-exceptions`.
pub(super) fn repository_exceptions_schema() -> Value {
    json!({
        "type": "boolean",
        "description": "Only in a policy file: whether the exceptions of a repository count for every rule (true) or \
            for none (false). Without the key they count for every rule that levels does not set to error."
    })
}

/// The schema of `enforced-environments`.
pub(super) fn enforced_environments_schema() -> Value {
    json!({
        "type": "array",
        "items": { "type": "string", "minLength": 1 },
        "description": "Only in a policy file: the environments that every repository has, and that are enforced \
            whatever it says of them."
    })
}

#[cfg(test)]
mod tests;

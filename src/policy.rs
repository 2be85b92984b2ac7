//! What is required of which manifests: the configuration, read and checked, every value with its place.
//!
//! `raw` is what may be written, `check` turns it into a [`Policy`], `schema` tells editors. A new key is a field in
//! `raw`, a function in `check` and a property in `schema`; a test holds the three together. A key that is not known
//! is an error: to accept and ignore it would be silence.

mod check;
mod commit;
mod error;
pub mod find;
mod floor;
mod glob;
mod hold;
mod nearest;
pub mod pattern;
mod raw;
mod refresh;
mod scan;
mod schema;
mod signatures;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use crate::manifest::LocatedImage;
use crate::resolution::Grade;
use crate::rule::{Base, Facts, Level, Rule, STALE_DIGEST};
use crate::source::{Place, Source};
use crate::yaml::Tree;

pub use commit::Form;
pub use error::{PolicyError, PolicyErrors, Wrong};
pub use floor::Floor;
pub use glob::Glob;
pub use hold::{Hold, Holds};
pub use nearest::suggest;
pub use pattern::{CONVENTIONAL, Pattern, Repositories};
pub use raw::MAX_CONFIGURATION;
pub use refresh::{Refresh, RegistryHost, branch, days};
pub use scan::{Scan, named_gate};
pub use schema::schema;
pub use signatures::{Key, Provenance, Requirement, Signer};

/// The name of the environment that is judged where nothing is configured.
pub const PRODUCTION: &str = "production";

/// The rules from which there is no exception: they watch over exceptions and over the configuration itself, or are
/// about a commit as a whole.
pub(crate) const NOT_EXEMPTABLE: &[&str] =
    &["expired-exception", "unused-exception", "no-manifests", "commit-reference"];

/// The rules about whole files, which only an exception with `image: "**"`, `rule` and `path` can exempt.
pub(crate) const EXEMPTABLE_BY_PATH: &[&str] = &["unreadable-manifest"];

/// A checked configuration; [`Policy::default`] is what holds without one.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The policy it starts from.
    pub base: Base,
    /// In the order of the text; empty where none is configured, see [`Environment::conventional`].
    pub environments: Vec<Environment>,
    /// `registry` or `registry/path` prefixes; empty where every registry is allowed.
    pub allowed_registries: Vec<String>,
    /// How many days a digest may go unchanged; none where that is not asked.
    pub max_digest_age: Option<u32>,
    /// In the order of the text.
    pub exceptions: Vec<Exception>,
    /// By host as references name it.
    pub registries: BTreeMap<String, RegistryHost>,
    pub refresh: Refresh,
    /// In the order of the text.
    pub signatures: Vec<Requirement>,
    /// What the message of a commit that moves digests may name; empty for the usual forms.
    pub commit_references: Vec<Form>,
    /// What the reader of a report should know of how it came about; sentences without full stop.
    pub notices: Vec<String>,
    scan: scan::Own,
    /// `levels`, and behind them those of the command line: the last one of a rule counts.
    levels: Vec<SetLevel>,
    /// Where `policy` stands.
    base_place: Option<Place>,
    /// Where `max-digest-age` stands.
    max_age_place: Option<Place>,
    /// Where `allow-registries` stands.
    allowed_place: Option<Place>,
    /// What none of this goes below.
    floor: Option<Arc<Floor>>,
}

/// The level of a rule, as somebody set it.
#[derive(Clone, Debug)]
struct SetLevel {
    rule: &'static Rule,
    level: Level,
    /// None for the command line.
    place: Option<Place>,
}

/// A named set of manifests.
#[derive(Clone, Debug)]
pub struct Environment {
    pub name: Arc<str>,
    /// Whether its findings block. An environment that does not say so is enforced: the safe side.
    pub enforce: bool,
    /// Files that are judged one by one.
    pub manifests: Vec<Pattern>,
    /// Compose files that are judged as they are deployed together.
    pub stacks: Vec<Stack>,
    /// Folders of kustomizations, judged as they build.
    pub overlays: Vec<Named>,
    /// Helm charts with the values of the environment.
    pub charts: Vec<Chart>,
}

/// One file or folder, named in the configuration by its path from the root.
#[derive(Clone, Debug)]
pub struct Named {
    pub path: String,
    /// Where it is configured.
    pub place: Place,
}

/// Several Compose files that are deployed together.
#[derive(Clone, Debug)]
pub struct Stack {
    /// In merge order; never empty.
    pub files: Vec<Named>,
    /// In place of `.env` beside the first file.
    pub env_file: Option<Named>,
    /// Only these profiles; without, every profile is judged.
    pub profiles: Option<Vec<String>>,
}

/// A Helm chart as an environment deploys it.
#[derive(Clone, Debug)]
pub struct Chart {
    pub folder: Named,
    /// Values files over the chart's own, the last one counts.
    pub values: Vec<Named>,
}

/// A dated, reasoned exemption.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Which images.
    pub images: Repositories,
    /// Which files; none for all.
    pub path: Option<Pattern>,
    /// Which rule; none for every rule that judges an image.
    pub rule: Option<&'static Rule>,
    /// Which vulnerability alone, as scanners call it; none for all.
    pub vulnerability: Option<String>,
    pub reason: String,
    pub ticket: Option<String>,
    /// The last day on which it counts; none where what is written is no date, and then it never counts.
    pub expires: Option<Date>,
    /// `expires` as it is written.
    pub expires_text: String,
    /// Where its `image` stands.
    pub place: Place,
    /// Where its `expires` stands.
    pub expires_place: Place,
    /// Whether the organisation made it: then it counts whatever the floor keeps, and is for many repositories.
    pub of_floor: bool,
}

impl Policy {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Everything that is wrong in it, as far as it could be read.
    pub fn parse(source: &Arc<Source>) -> Result<Self, PolicyErrors> {
        let mut tree = Tree::default();
        let (raw, root) = raw::read::<raw::Raw>(source, &mut tree)?;
        check::check(source, &raw, root, floor::Use::Repository)
    }

    /// Starts from another policy (`--policy`).
    pub fn set_base(&mut self, base: Base) {
        self.base = base;
        self.base_place = None;
    }

    /// Sets the level of a rule (`--level`), over what is configured.
    pub fn set_level(&mut self, rule: &'static Rule, level: Level) {
        self.levels.push(SetLevel { rule, level, place: None });
    }

    /// The level of a rule: never below the floor.
    #[must_use]
    pub fn level(&self, rule: &Rule) -> Level {
        let floor = self.floor.as_ref().map_or(Level::Off, |floor| floor.level(rule));
        self.own_level(rule).max(floor)
    }

    /// The command line's level over the configuration's over that of the policy. A list of allowed registries makes
    /// `disallowed-registry` an error where nobody says otherwise, required signatures `unchecked`: who can push could
    /// else keep a signature from being looked at. A `max-digest-age` makes `stale-digest` a warning.
    fn own_level(&self, rule: &Rule) -> Level {
        if let Some(set) = self.set_level_of(rule) {
            set.level
        } else if rule.id == "disallowed-registry" && !self.allowed_registries.is_empty()
            || rule.id == "unchecked" && !self.signatures.is_empty()
        {
            Level::Error
        } else if rule.id == STALE_DIGEST.id && self.max_digest_age.is_some() {
            rule.level(self.base).max(Level::Warning)
        } else {
            rule.level(self.base)
        }
    }

    fn set_level_of(&self, rule: &Rule) -> Option<&SetLevel> {
        self.levels.iter().rev().find(|set| set.rule.id == rule.id)
    }

    /// What the manifest and this policy say of an image before anyone is asked.
    #[must_use]
    pub fn facts<'a>(&'a self, image: &'a LocatedImage) -> Facts<'a> {
        let facts = Facts::of(image, self.is_strict(), &self.allowed_registries);
        Facts { max_digest_age: self.max_digest_age, ..facts }
    }

    /// How many days a digest may go unchanged, where that is to be judged.
    #[must_use]
    pub fn judged_age(&self) -> Option<u32> {
        self.max_digest_age.filter(|_| self.level(&STALE_DIGEST) > Level::Off)
    }

    /// What of scan reports counts: the repository's word, and never less than the floor's.
    #[must_use]
    pub fn scan(&self) -> Scan {
        self.scan.over(self.floor.as_ref().map(|floor| floor.scan()))
    }

    /// Sets the lowest grade that counts (`--scan-gate`), over what is configured.
    pub fn set_scan_gate(&mut self, gate: Grade) {
        self.scan.gate = Some(gate);
    }

    /// Whether the policy is strict.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.base == Base::Strict || self.floor.as_ref().is_some_and(|floor| floor.is_strict())
    }

    /// The environment of a name (`--environment`).
    ///
    /// # Errors
    /// It is not configured; the help names those that are.
    pub fn environment(&self, name: &str) -> Result<&Environment, Wrong> {
        self.environments.iter().find(|environment| &*environment.name == name).ok_or_else(|| {
            let help = if self.environments.is_empty() {
                "no environment is configured: add it under `environments`".to_owned()
            } else {
                suggest(name, self.environments.iter().map(|environment| &*environment.name))
            };
            Wrong::new(format!("`{name}` is no environment of the configuration"), help)
        })
    }
}

impl Environment {
    /// What is judged where nothing is configured: the [`CONVENTIONAL`] names, enforced, as [`PRODUCTION`].
    #[must_use]
    pub fn conventional() -> Self {
        let manifests = CONVENTIONAL.iter().filter_map(|text| Pattern::new(text, None).ok()).collect();
        Self::of_patterns(PRODUCTION, manifests)
    }

    /// An enforced environment of files that are judged one by one.
    #[must_use]
    pub fn of_patterns(name: &str, manifests: Vec<Pattern>) -> Self {
        let (stacks, overlays, charts) = (Vec::new(), Vec::new(), Vec::new());
        Self { name: name.into(), enforce: true, manifests, stacks, overlays, charts }
    }

    /// Whether one of its patterns takes the file at `path`, relative to the root.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.manifests.iter().any(|pattern| pattern.matches(path))
    }
}

/// Reads a policy's word (`--policy`).
///
/// # Errors
/// There is no such policy.
pub fn parse_base(word: &str) -> Result<Base, Wrong> {
    check::named_base(word)
}

/// Reads `RULE=LEVEL` (`--level`).
///
/// # Errors
/// There is no such rule or no such level.
pub fn parse_level(text: &str) -> Result<(&'static Rule, Level), Wrong> {
    let Some((rule, level)) = text.split_once('=') else {
        return Err(Wrong::new(
            format!("`{text}` is no level"),
            "write `RULE=LEVEL`, for example `floating-tag=error`",
        ));
    };
    Ok((check::named_rule(rule.trim())?, check::named_level(level.trim())?))
}

#[cfg(test)]
mod tests;

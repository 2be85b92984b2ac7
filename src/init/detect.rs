//! What a repository deploys, by the names of its files and folders.

use std::collections::BTreeSet;

use super::Seen;
use crate::manifest::compose::stack;
use crate::manifest::{Found, kustomize};
use crate::policy::Pattern;
use crate::source::Source;

/// The kinds that are deployed; the others build, or run on the machines of developers and CI.
const DEPLOYED: &[&str] = &[
    "compose",
    "kubernetes",
    "kustomize",
    "helm",
    "nomad",
    "nomad-json",
    "ecs",
    "cloudformation",
    "terraform",
    "terraform-json",
    "quadlet",
    "azure",
];

/// Words that say that a stack is not that of production.
const OTHERS: &[&str] = &[
    "staging",
    "stage",
    "stg",
    "dev",
    "development",
    "local",
    "test",
    "testing",
    "qa",
    "uat",
    "ci",
    "demo",
    "override",
];

/// Folders of which nothing is deployed, where no name says what is.
const TESTS: &[&str] = &["test", "tests", "testing", "testdata", "fixtures", "__tests__"];

/// How many folders are named one by one where no name says production.
const MAX_FOLDERS: usize = 12;

/// An environment as it is proposed.
#[derive(Debug, Default)]
pub(super) struct Proposed {
    pub(super) name: &'static str,
    pub(super) enforce: bool,
    /// No name says that it is this environment.
    pub(super) is_guess: bool,
    pub(super) stacks: Vec<ProposedStack>,
    pub(super) overlays: Vec<String>,
    pub(super) charts: Vec<ProposedChart>,
    pub(super) manifests: Vec<String>,
}

#[derive(Debug)]
pub(super) struct ProposedStack {
    pub(super) files: Vec<String>,
    pub(super) env_file: Option<String>,
}

#[derive(Debug)]
pub(super) struct ProposedChart {
    pub(super) folder: String,
    pub(super) values: Vec<String>,
}

impl Proposed {
    fn is_empty(&self) -> bool {
        self.stacks.is_empty() && self.overlays.is_empty() && self.charts.is_empty() && self.manifests.is_empty()
    }
}

/// The environments that are there: production, and staging where its names are.
pub(super) fn environments(seen: &Seen<'_>) -> Vec<Proposed> {
    let repository = Repository::of(seen);
    let mut production = repository.environment("production", true, &["prod", "production", "prd", "live"]);
    if production.is_empty() {
        production = repository.everything();
    }
    let staging = repository.environment("staging", false, &["staging", "stage", "stg"]);
    [production, staging].into_iter().filter(|environment| !environment.is_empty()).collect()
}

struct Repository<'a> {
    paths: &'a BTreeSet<String>,
    /// What is deployed, and lies in no chart.
    manifests: Vec<(&'a Source, &'a Found)>,
    /// The folders of kustomizations that deploy something by themselves.
    kustomizations: Vec<&'a str>,
    /// The folders of charts that are no part of another one.
    charts: Vec<&'a str>,
}

impl<'a> Repository<'a> {
    fn of(seen: &Seen<'a>) -> Self {
        let charts = seen.paths.iter().filter(|path| name_of(path) == "Chart.yaml").map(|path| folder_of(path));
        let charts: Vec<_> = charts.filter(|folder| can_be_named(folder)).collect();
        let is_part = |folder: &&str| charts.iter().any(|other| other != folder && is_below(folder, other));
        let charts: Vec<_> = charts.iter().copied().filter(|folder| !is_part(folder)).collect();
        let sources = seen.manifests.iter().filter(|(source, found)| {
            let path = source.relative();
            let is_manifest = found.is_manifest || !found.unreadable.is_empty();
            is_manifest && !is_below(path, ".github") && !charts.iter().any(|folder| is_of_chart(path, folder))
        });
        let manifests: Vec<_> = sources.map(|(source, found)| (&**source, found)).collect();
        let kustomizations = manifests.iter().filter(|(source, _)| {
            kustomize::FILE_NAMES.contains(&source.file_name()) && !source.text().contains("kind: Component")
        });
        let kustomizations = kustomizations.map(|(source, _)| folder_of(source.relative()));
        Self {
            paths: seen.paths,
            kustomizations: kustomizations.filter(|it| can_be_named(it)).collect(),
            manifests,
            charts,
        }
    }

    /// What goes by one of the words.
    fn environment(&self, name: &'static str, enforce: bool, words: &[&str]) -> Proposed {
        let stacks = self.stacks(words);
        let goes_by = |folder: &&&str| folder.split('/').any(|part| starts_with_word(part, words));
        let overlays: Vec<_> = self.kustomizations.iter().filter(goes_by).map(|folder| named(folder)).collect();
        let charts = self.charts_of(words);
        let parts: BTreeSet<_> = stacks.iter().flat_map(|stack| &stack.files).map(String::as_str).collect();
        let values: BTreeSet<_> = charts.iter().flat_map(|chart| &chart.values).map(String::as_str).collect();
        let is_free = |path: &str| {
            !parts.contains(path) && !values.contains(path) && !overlays.iter().any(|folder| is_below(path, folder))
        };
        let deployed = self.manifests.iter().filter(|(_, found)| found.images.is_empty() || deploys(found));
        let free = deployed.map(|(source, _)| source.relative()).filter(|path| is_free(path));
        let manifests: BTreeSet<_> = free.filter_map(|path| pattern(path, words)).collect();
        let manifests = manifests.into_iter().collect();
        Proposed { name, enforce, is_guess: false, stacks, overlays, charts, manifests }
    }

    /// Overrides with the bases they go over.
    fn stacks(&self, words: &[&str]) -> Vec<ProposedStack> {
        let stack = |path: &'a String| {
            let folder = folder_of(path);
            let bases = stack::base_names_by(name_of(path), words);
            let base = bases.iter().map(|name| join(folder, name)).find(|path| self.paths.contains(path))?;
            let env_files = words.iter().flat_map(|word| [format!(".env.{word}"), format!("{word}.env")]);
            let env_file = env_files.map(|name| join(folder, &name)).find(|path| self.paths.contains(path));
            let files = vec![base, path.clone()];
            files.iter().all(|path| can_be_named(path)).then_some(ProposedStack { files, env_file })
        };
        self.paths.iter().filter_map(stack).collect()
    }

    /// Charts with the values files that go by one of the words: those in the chart itself, and where there is one
    /// chart alone, those that lie elsewhere.
    fn charts_of(&self, words: &[&str]) -> Vec<ProposedChart> {
        let is_values = |path: &&String| {
            let name = name_of(path);
            let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or_default();
            let mut parts = stem.split(['.', '-', '_']);
            let says_values = parts.clone().any(|part| part == "values");
            let in_folder = folder_of(path).split('/').any(|part| words.contains(&part));
            says_values && (in_folder || parts.any(|part| words.contains(&part))) && can_be_named(path)
        };
        let values: Vec<_> = self.paths.iter().filter(is_values).collect();
        let of = |folder: &str| -> Vec<String> {
            let is_own = |path: &str| self.charts.len() == 1 || is_below(path, folder);
            let own = values.iter().filter(|path| is_own(path) && !is_below(path, &join(folder, "charts")));
            own.map(|path| (*path).clone()).collect()
        };
        let charts = self.charts.iter().map(|folder| ProposedChart { folder: named(folder), values: of(folder) });
        charts.filter(|chart| !chart.values.is_empty()).collect()
    }

    /// Everything that is deployed, where no name says which of it is production.
    fn everything(&self) -> Proposed {
        let is_test = |path: &str| folder_of(path).split('/').any(|part| TESTS.contains(&part));
        let is_meant = |path: &str| !name_of(path).contains(".override.") && !is_test(path);
        let files = self.manifests.iter().filter(|(source, found)| deploys(found) && is_meant(source.relative()));
        let mut patterns = BTreeSet::new();
        for (source, _) in files {
            let path = source.relative();
            let folder = folder_of(path);
            patterns.insert(if folder.is_empty() { path.to_owned() } else { format!("{folder}/**") });
        }
        if patterns.len() > MAX_FOLDERS {
            patterns = patterns.into_iter().map(|pattern| top(&pattern)).collect();
        }
        let covered = |pattern: &String| {
            patterns.iter().any(|it| it != pattern && it.strip_suffix("/**").is_some_and(|it| is_below(pattern, it)))
        };
        let manifests = patterns.iter().filter(|pattern| !covered(pattern) && can_be_matched(pattern));
        let charts = self.charts.iter().map(|folder| ProposedChart { folder: named(folder), values: Vec::new() });
        Proposed {
            name: "production",
            enforce: true,
            is_guess: true,
            charts: charts.collect(),
            manifests: manifests.cloned().collect(),
            ..Proposed::default()
        }
    }
}

fn deploys(found: &Found) -> bool {
    found.images.iter().any(|image| DEPLOYED.contains(&image.kind))
}

/// The pattern for a manifest that goes by one of the words: the folder of that name, or the file itself.
fn pattern(path: &str, words: &[&str]) -> Option<String> {
    let mut folder = String::new();
    for part in folder_of(path).split('/') {
        folder = join(&folder, part);
        if words.contains(&part) {
            return Some(format!("{folder}/**")).filter(|pattern| can_be_matched(pattern));
        }
    }
    let (stem, _) = name_of(path).rsplit_once('.')?;
    let last = stem.rsplit('.').next().unwrap_or(stem);
    let compose = last.strip_prefix("compose-").or_else(|| last.strip_prefix("docker-compose-"));
    let says_so = words.contains(&compose.unwrap_or(last));
    let rest = stem.strip_prefix("docker-stack").filter(|_| words.contains(&"prod"));
    let is_stack = rest.is_some_and(|rest| !rest.split(['.', '-', '_']).any(|part| OTHERS.contains(&part)));
    (says_so || is_stack).then(|| path.to_owned()).filter(|path| can_be_named(path))
}

/// `prod`, `prod-eu`, `production.us`.
fn starts_with_word(part: &str, words: &[&str]) -> bool {
    let rest = words.iter().filter_map(|word| part.strip_prefix(word));
    rest.into_iter().any(|rest| rest.is_empty() || rest.starts_with(['-', '.', '_']))
}

/// Whether the configuration can name a file or folder.
fn can_be_named(path: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@ ='(),&~".contains(c);
    path.is_empty() || path.chars().all(is_plain) && Pattern::new(path, None).is_ok_and(|pattern| pattern.is_literal())
}

/// Whether a file is a part of the chart in a folder. A chart at the root has only what Helm reads.
fn is_of_chart(path: &str, folder: &str) -> bool {
    let own = ["templates", "charts", "crds", "ci"].iter().any(|part| is_below(path, part));
    let values = !path.contains('/') && (path == "Chart.yaml" || path.starts_with("values"));
    if folder.is_empty() { own || values } else { is_below(path, folder) }
}

/// A folder as the configuration names it.
fn named(folder: &str) -> String {
    if folder.is_empty() { ".".to_owned() } else { folder.to_owned() }
}

/// Whether the configuration can take everything in a folder.
fn can_be_matched(pattern: &str) -> bool {
    can_be_named(pattern.strip_suffix("/**").unwrap_or(pattern))
}

fn top(pattern: &str) -> String {
    pattern.split_once('/').map_or_else(|| pattern.to_owned(), |(first, _)| format!("{first}/**"))
}

fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

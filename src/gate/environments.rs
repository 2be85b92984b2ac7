//! What an environment deploys: its stacks, overlays and charts as wholes, and every other manifest on its own.
//!
//! Stacks and overlays are also found by convention among the files its patterns match: an override of production has
//! its base beside it, a kustomization is what it builds. A file that is a part of a whole is not judged alone: the
//! image of a base is not what is deployed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::run::{Run, Scope};
use super::{Collected, Whole};
use crate::manifest::compose::stack;
use crate::manifest::helm::chart;
use crate::manifest::kustomize::overlay;
use crate::manifest::{self, Absent, Beside, Found, Unreadable, kustomize};
use crate::policy::{self, Environment, Named, Pattern};
use crate::source::{Place, Source, Span};
use crate::walk::{Met, Neighbours, ReadError};
use crate::yaml::{Node, Tree};

/// The ending of a packed chart.
const ARCHIVE: &str = ".tgz";

/// Judges environments.
pub(super) fn judge(run: Run<'_, '_>, environments: &[&Environment]) -> Collected {
    let mut parts = BTreeSet::new();
    for environment in environments {
        let scope = scope_of(environment);
        let wholes = Wholes { run: &run, scope };
        for stack in &environment.stacks {
            wholes.stack(stack, &mut parts);
        }
        for folder in &environment.overlays {
            wholes.overlay(folder, &mut parts);
        }
        for chart in &environment.charts {
            wholes.chart(chart, &mut parts);
        }
    }
    let patterns = Patterns::of(environments);
    let matched = patterns.walk(&run, &parts);
    let single = judge_wholes_by_convention(&run, matched, &mut parts);
    let left: Vec<_> = single.into_iter().filter(|file| !parts.contains(&file.met.relative)).collect();
    in_parallel(run.request.threads, &left, |file| {
        if run.met(&file.met, file.error.lock().unwrap_or_else(PoisonError::into_inner).take(), file.scope) {
            patterns.mark(&file.met.relative);
        }
    });
    for path in &parts {
        patterns.mark(path);
    }
    patterns.report_unmatched(&run);
    let mut collected = run.finish();
    collected.notices.extend(patterns.notice(&collected, environments));
    collected
}

fn scope_of(environment: &Environment) -> Scope<'_> {
    Scope { name: &environment.name, enforced: environment.enforce }
}

/// The patterns of all environments, and which of them took a manifest.
struct Patterns<'e> {
    all: Vec<(&'e Environment, &'e Pattern, AtomicBool)>,
}

/// A file that a pattern matched.
struct Matched<'e> {
    met: Met,
    error: Mutex<Option<ReadError>>,
    scope: Scope<'e>,
}

impl<'e> Patterns<'e> {
    fn of(environments: &[&'e Environment]) -> Self {
        let of_one = |environment: &'e Environment| {
            environment.manifests.iter().map(move |pattern| (environment, pattern, AtomicBool::new(false)))
        };
        Self { all: environments.iter().copied().flat_map(of_one).collect() }
    }

    /// A pattern that names one file asks for that file, whatever it is called.
    fn want(&self, path: &str) -> bool {
        let mut patterns = self.all.iter();
        patterns.any(|(_, pattern, _)| pattern.matches(path) && (pattern.is_literal() || manifest::is_candidate(path)))
    }

    /// The environment in which a file is judged: of several the one that is enforced.
    fn scope(&self, path: &str) -> Option<Scope<'e>> {
        let matching = self.all.iter().filter(|(_, pattern, _)| pattern.matches(path));
        matching.max_by_key(|(environment, ..)| environment.enforce).map(|(environment, ..)| scope_of(environment))
    }

    fn walk(&self, run: &Run<'_, '_>, parts: &BTreeSet<String>) -> Vec<Matched<'e>> {
        let workspace = run.request.workspace;
        let matched = Mutex::new(Vec::new());
        let visit = |met: Met, error: Option<ReadError>| {
            if let Some(scope) = self.scope(&met.relative)
                && !parts.contains(&met.relative)
            {
                let file = Matched { met, error: Mutex::new(error), scope };
                matched.lock().unwrap_or_else(PoisonError::into_inner).push(file);
            }
        };
        let folders = workspace.folders(self.all.iter().map(|(_, pattern, _)| pattern.base()));
        workspace.walk(&folders, run.request.threads, &|path| self.want(path), &visit);
        let mut matched = matched.into_inner().unwrap_or_else(PoisonError::into_inner);
        matched.sort_by(|a, b| a.met.relative.cmp(&b.met.relative));
        matched
    }

    fn mark(&self, path: &str) {
        let matching = self.all.iter().filter(|(_, pattern, _)| pattern.matches(path));
        matching.for_each(|(_, _, matched)| matched.store(true, Ordering::Relaxed));
    }

    fn report_unmatched(&self, run: &Run<'_, '_>) {
        for (environment, pattern, matched) in &self.all {
            if let Some(place) = &pattern.place
                && !matched.load(Ordering::Relaxed)
            {
                run.no_manifests(scope_of(environment), place, format!("`{}` matches no manifest", pattern.text));
            }
        }
    }

    /// What was looked for, where nothing is configured and nothing was found.
    fn notice(&self, collected: &Collected, environments: &[&Environment]) -> Option<String> {
        let configured = |environment: &&Environment| environment.manifests.iter().any(|p| p.place.is_some());
        let wholes = |environment: &&Environment| {
            !(environment.stacks.is_empty() && environment.overlays.is_empty() && environment.charts.is_empty())
        };
        if collected.counts.files > 0 || environments.iter().any(|e| configured(e) || wholes(e)) {
            return None;
        }
        let looked_for: Vec<_> = self.all.iter().map(|(_, pattern, _)| format!("`{}`", pattern.text)).collect();
        Some(format!(
            "nothing is configured and no manifest has a conventional production name: looked for {}; name yours in \
             `digest-gate.yml`",
            looked_for.join(", ")
        ))
    }
}

/// Judges the stacks and overlays among the files that patterns matched; gives back the other files.
fn judge_wholes_by_convention<'e>(
    run: &Run<'_, '_>,
    matched: Vec<Matched<'e>>,
    parts: &mut BTreeSet<String>,
) -> Vec<Matched<'e>> {
    let mut single = Vec::new();
    let mut overlays = Vec::new();
    for file in matched {
        let wholes = Wholes { run, scope: file.scope };
        if file.error.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            single.push(file);
        } else if let Some(base) = wholes.base_of(&file.met) {
            wholes.stack_of(&[base, file.met], &mut *parts);
        } else if kustomize::FILE_NAMES.contains(&name_of(&file.met.relative)) {
            overlays.push(file);
        } else {
            single.push(file);
        }
    }
    single.extend(judge_overlays(run, overlays, parts));
    single
}

/// Builds every kustomization, and judges those that no other one builds upon.
fn judge_overlays<'e>(run: &Run<'_, '_>, files: Vec<Matched<'e>>, parts: &mut BTreeSet<String>) -> Vec<Matched<'e>> {
    let built = Mutex::new(Vec::new());
    in_parallel(run.request.threads, &files, |file| {
        let recorder = Recorder::new(&run.neighbours);
        let found = match run.request.workspace.read(&file.met) {
            Ok(source) if !is_component(&source) => {
                run.keep(&source);
                Some(overlay::read(&source, &recorder))
            }
            _ => None,
        };
        built.lock().unwrap_or_else(PoisonError::into_inner).push((
            file.met.relative.clone(),
            found,
            recorder.opened(),
        ));
    });
    let built = built.into_inner().unwrap_or_else(PoisonError::into_inner);
    parts.extend(built.iter().flat_map(|(_, _, opened)| opened.iter().cloned()));
    let mut single = Vec::new();
    for file in files {
        let Some((path, found, opened)) = built.iter().find(|(path, ..)| *path == file.met.relative) else { continue };
        match found {
            _ if parts.contains(path) => {}
            Some(found) => {
                run.found(found.clone(), Whole::Overlay(path.clone()), opened.len() + 1, file.scope);
                parts.insert(path.clone());
            }
            None => single.push(file),
        }
    }
    single
}

/// A component is built into kustomizations, never alone.
fn is_component(source: &Source) -> bool {
    let mut tree = Tree::default();
    tree.parse(source.file_name(), source.text());
    let kind = tree.documents(source.text()).next().and_then(|root| root.get("kind"));
    kind.and_then(Node::scalar) == Some("Component")
}

/// The wholes of one environment.
struct Wholes<'w, 'r, 'a> {
    run: &'w Run<'r, 'a>,
    scope: Scope<'w>,
}

impl Wholes<'_, '_, '_> {
    /// A file that the configuration names; says so where it is not there or cannot be read.
    fn read(&self, named: &Named) -> Option<Arc<Source>> {
        let workspace = self.run.request.workspace;
        let Some(met) = workspace.at(&named.path) else {
            self.run.no_manifests(self.scope, &named.place, format!("`{}` is not there", named.path));
            return None;
        };
        self.read_met(&met)
    }

    fn read_met(&self, met: &Met) -> Option<Arc<Source>> {
        match self.run.request.workspace.read(met) {
            Ok(source) => Some(source),
            Err(error) => {
                self.unreadable(met, &error);
                None
            }
        }
    }

    fn unreadable(&self, met: &Met, error: &ReadError) {
        let place = Place::new(&Source::new(met.shown.as_str(), ""), Span::default());
        let unreadable = Unreadable { place, message: error.to_string(), help: None };
        let found = Found { unreadable: vec![unreadable], ..Found::default() };
        self.run.found(found, Whole::default(), 1, self.scope);
    }

    fn stack(&self, configured: &policy::Stack, parts: &mut BTreeSet<String>) {
        let files: Vec<_> = configured.files.iter().filter_map(|named| self.read(named)).collect();
        let env_files: Vec<_> = configured.env_file.iter().filter_map(|named| self.read(named)).collect();
        if files.len() == configured.files.len() && env_files.len() == usize::from(configured.env_file.is_some()) {
            self.judge_stack(&files, &env_files, configured.profiles.as_deref(), parts);
        }
    }

    /// The base over which a file goes by its name, where both are there.
    fn base_of(&self, met: &Met) -> Option<Met> {
        let (folder, name) = met.relative.rsplit_once('/').unwrap_or(("", &met.relative));
        let bases = stack::base_names(name);
        bases.iter().find_map(|base| self.run.request.workspace.at(&format!("{folder}/{base}")))
    }

    fn stack_of(&self, files: &[Met], parts: &mut BTreeSet<String>) {
        let sources: Vec<_> = files.iter().filter_map(|met| self.read_met(met)).collect();
        if sources.len() == files.len() {
            self.judge_stack(&sources, &[], None, parts);
        }
    }

    fn judge_stack(
        &self,
        files: &[Arc<Source>],
        env_files: &[Arc<Source>],
        profiles: Option<&[String]>,
        parts: &mut BTreeSet<String>,
    ) {
        files.iter().chain(env_files).for_each(|source| self.run.keep(source));
        let recorder = Recorder::new(&self.run.neighbours);
        let found = stack::read(&stack::Stack { files, env_files, profiles }, &recorder);
        let paths = |files: &[Arc<Source>]| files.iter().map(|file| file.relative().to_owned()).collect();
        let profiles = profiles.map(<[_]>::to_vec);
        let whole = Whole::Stack { files: paths(files), env_files: paths(env_files), profiles };
        self.run.found(found, whole, files.len(), self.scope);
        parts.extend(recorder.opened());
        parts.extend(files.iter().map(|file| file.relative().to_owned()));
    }

    fn overlay(&self, folder: &Named, parts: &mut BTreeSet<String>) {
        let workspace = self.run.request.workspace;
        let names = kustomize::FILE_NAMES.iter();
        let Some(met) = names.copied().find_map(|name| workspace.at(&format!("{}/{name}", folder.path))) else {
            self.run.no_manifests(self.scope, &folder.place, format!("`{}` holds no kustomization", folder.path));
            return;
        };
        let Some(source) = self.read_met(&met) else { return };
        self.run.keep(&source);
        let recorder = Recorder::new(&self.run.neighbours);
        let found = overlay::read(&source, &recorder);
        let opened = recorder.opened();
        let whole = Whole::Overlay(source.relative().to_owned());
        self.run.found(found, whole, opened.len() + 1, self.scope);
        parts.extend(opened);
        parts.insert(source.relative().to_owned());
    }

    fn chart(&self, configured: &policy::Chart, parts: &mut BTreeSet<String>) {
        let workspace = self.run.request.workspace;
        let folder = &configured.folder;
        let Some(met) = workspace.at(&format!("{}/Chart.yaml", folder.path)) else {
            self.run.no_manifests(self.scope, &folder.place, format!("`{}` holds no `Chart.yaml`", folder.path));
            return;
        };
        let Some(chart) = self.read_met(&met) else { return };
        let values: Vec<_> = configured.values.iter().filter_map(|named| self.read(named)).collect();
        if values.len() != configured.values.len() {
            return;
        }
        let (archives, texts): (Vec<_>, Vec<_>) =
            self.files_below(&folder.path).into_iter().partition(|met| met.relative.ends_with(ARCHIVE));
        let archives: Vec<_> = archives.into_iter().map(|met| met.relative).collect();
        let sources: Vec<_> = texts.iter().filter_map(|met| self.read_part_of_chart(met)).collect();
        sources.iter().chain(&values).chain([&chart]).for_each(|source| self.run.keep(source));
        let found = chart::read(&chart::Chart { chart: &chart, values: &values, files: &sources, archives: &archives });
        let paths = values.iter().map(|file| file.relative().to_owned()).collect();
        let whole = Whole::Chart { folder: folder.path.clone(), values: paths };
        self.run.found(found, whole, values.len() + 1, self.scope);
        parts.extend(sources.iter().chain(&values).map(|source| source.relative().to_owned()));
    }

    /// A file of a chart. Helm renders its templates and those of its sub-charts: one that cannot be read is said; any
    /// other file that is no text (a picture, a key) is none of its manifests.
    fn read_part_of_chart(&self, met: &Met) -> Option<Arc<Source>> {
        if ["/templates/", "/charts/"].iter().any(|folder| met.relative.contains(folder)) {
            self.read_met(met)
        } else {
            self.run.request.workspace.read(met).ok()
        }
    }

    /// Every file below a folder, sorted. What cannot be listed or lies outside is said.
    fn files_below(&self, folder: &str) -> Vec<Met> {
        let workspace = self.run.request.workspace;
        let files = Mutex::new(Vec::new());
        let folders = workspace.folders(std::iter::once(folder));
        workspace.walk(&folders, self.run.request.threads, &|_| true, &|met, error| {
            if let Some(error) = error {
                self.unreadable(&met, &error);
                return;
            }
            files.lock().unwrap_or_else(PoisonError::into_inner).push(met);
        });
        let mut files = files.into_inner().unwrap_or_else(PoisonError::into_inner);
        files.sort_by(|a, b| a.relative.cmp(&b.relative));
        files
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Remembers which files a whole is made of.
struct Recorder<'n, 'w> {
    neighbours: &'n Neighbours<'w>,
    opened: Mutex<BTreeSet<String>>,
}

impl<'n, 'w> Recorder<'n, 'w> {
    fn new(neighbours: &'n Neighbours<'w>) -> Self {
        Self { neighbours, opened: Mutex::default() }
    }

    fn opened(&self) -> BTreeSet<String> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Beside for Recorder<'_, '_> {
    fn open(&self, from: &Source, path: &str) -> Result<Arc<Source>, Absent> {
        let source = self.neighbours.open(from, path)?;
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(source.relative().to_owned());
        Ok(source)
    }
}

/// Hands every item to `work`, on several threads.
fn in_parallel<T: Sync>(threads: usize, items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let turn = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(turn);
        }
        turn();
    });
}

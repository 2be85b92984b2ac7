//! From files to findings: which manifests an environment has, and what every rule says of their images.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;

use crate::exception::{self, Coverage};
use crate::finding::{Counts, Finding, Report};
use crate::manifest::{self, Found, LocatedImage, State, Unreadable};
use crate::policy::{Environment, PRODUCTION, Policy};
use crate::rule::{self, Facts, Rule};
use crate::source::{Place, Source, Span};
use crate::walk::{Met, Neighbours, ReadError, Workspace};
use crate::yaml::Tree;

/// What is to be judged, and by what.
pub struct Request<'a> {
    pub workspace: &'a Workspace,
    pub policy: &'a Policy,
    pub targets: Targets<'a>,
    /// Whether every image is wanted, or only what the rules say of them.
    pub keep_images: bool,
    /// How many threads read files.
    pub threads: usize,
    /// The day on which exceptions are looked at.
    pub today: Date,
}

impl Request<'_> {
    /// Whether every manifest is looked at that an exception could be for.
    fn coverage(&self) -> Coverage {
        match &self.targets {
            Targets::Environments(environments) if environments.len() >= self.policy.environments.len() => {
                Coverage::Whole
            }
            _ => Coverage::Part,
        }
    }
}

/// Which manifests are looked at.
pub enum Targets<'a> {
    /// Files and folders the user named, and text from standard input: judged as production.
    Paths { paths: &'a [PathBuf], stdin: Option<Arc<Source>> },
    /// The manifests of environments.
    Environments(Vec<&'a Environment>),
}

/// What was found and judged.
pub struct Judged {
    pub report: Report,
    /// Where asked for, every image that is deployed, sorted by place; local ones too.
    pub images: Vec<LocatedImage>,
}

/// Judges all manifests of a request.
///
/// # Errors
/// A path the user named is not there. Everything else that goes wrong is a finding.
pub fn judge(request: &Request<'_>) -> Result<Judged, Missing> {
    let neighbours = Neighbours::new(request.workspace);
    let run = Run { request, neighbours, collected: Mutex::default() };
    let mut collected = match &request.targets {
        Targets::Paths { paths, stdin } => run.paths(paths, stdin.as_ref())?,
        Targets::Environments(environments) => run.environments(environments),
    };
    let mut findings = collected.findings;
    exception::apply(&mut findings, request.policy, request.today, request.coverage());
    sort(&mut findings);
    let report = Report { findings, counts: collected.counts, notices: collected.notices };
    collected
        .images
        .sort_by(|a, b| place_order(&a.place).cmp(&place_order(&b.place)).then_with(|| a.field.cmp(&b.field)));
    Ok(Judged { report, images: collected.images })
}

/// A path the user named that cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {error}")]
pub struct Missing {
    path: String,
    error: ReadError,
}

fn place_order(place: &Place) -> (&str, Span) {
    (place.source.path(), place.span)
}

fn sort(findings: &mut Vec<Finding>) {
    let rank = |rule: &Rule| rule::RULES.iter().position(|other| other.id == rule.id);
    findings.sort_by(|a, b| {
        place_order(&a.place).cmp(&place_order(&b.place)).then_with(|| rank(a.rule).cmp(&rank(b.rule)))
    });
    findings.dedup_by(|a, b| {
        a.rule.id == b.rule.id && place_order(&a.place) == place_order(&b.place) && a.message == b.message
    });
}

/// The environment a file is judged in.
#[derive(Clone, Copy)]
struct Scope<'a> {
    name: &'a Arc<str>,
    enforced: bool,
}

#[derive(Default)]
struct Collected {
    findings: Vec<Finding>,
    counts: Counts,
    images: Vec<LocatedImage>,
    notices: Vec<String>,
}

struct Run<'r, 'a> {
    request: &'r Request<'a>,
    neighbours: Neighbours<'r>,
    collected: Mutex<Collected>,
}

thread_local! {
    /// Working memory for one file after the other.
    static TREE: RefCell<Tree> = RefCell::default();
}

impl Run<'_, '_> {
    fn paths(self, paths: &[PathBuf], stdin: Option<&Arc<Source>>) -> Result<Collected, Missing> {
        let name = Arc::from(PRODUCTION);
        let scope = Scope { name: &name, enforced: true };
        let workspace = self.request.workspace;
        let mut folders = Vec::new();
        for path in paths {
            let missing = |error| Missing { path: path.display().to_string(), error };
            let met = workspace.named(path).map_err(missing)?;
            if workspace.is_folder(&met) {
                folders.push(met);
            } else {
                let source = workspace.read(&met);
                self.file(&met.shown, source, scope);
            }
        }
        workspace.walk(&folders, self.request.threads, &manifest::is_candidate, &|met, error| {
            self.met(&met, error, scope);
        });
        if let Some(source) = stdin {
            self.file(source.path(), Ok(Arc::clone(source)), scope);
        }
        let mut collected = self.collected.into_inner().unwrap_or_else(PoisonError::into_inner);
        if collected.counts.files == 0 {
            collected.notices.push("no manifest was found in what was named: nothing was proven".to_owned());
        }
        Ok(collected)
    }

    fn environments(self, environments: &[&Environment]) -> Collected {
        let workspace = self.request.workspace;
        let patterns: Vec<_> = environments
            .iter()
            .flat_map(|environment| environment.manifests.iter().map(move |pattern| (*environment, pattern)))
            .map(|(environment, pattern)| (environment, pattern, AtomicBool::new(false)))
            .collect();
        // A pattern that names one file asks for that file, whatever it is called.
        let wants = |path: &str| {
            patterns
                .iter()
                .any(|(_, pattern, _)| pattern.matches(path) && (pattern.is_literal() || manifest::is_candidate(path)))
        };
        let visit = |met: Met, error: Option<ReadError>| {
            let matching = || patterns.iter().filter(|(_, pattern, _)| pattern.matches(&met.relative));
            let Some((environment, ..)) = matching().max_by_key(|(environment, ..)| environment.enforce) else {
                return;
            };
            let scope = Scope { name: &environment.name, enforced: environment.enforce };
            if self.met(&met, error, scope) {
                matching().for_each(|(_, _, matched)| matched.store(true, Ordering::Relaxed));
            }
        };
        let folders: Vec<_> = workspace.folders(patterns.iter().map(|(_, pattern, _)| pattern.base()));
        workspace.walk(&folders, self.request.threads, &wants, &visit);
        for (environment, pattern, matched) in &patterns {
            if let Some(place) = &pattern.place
                && !matched.load(Ordering::Relaxed)
            {
                self.no_manifests(environment, &pattern.text, place);
            }
        }
        let mut collected = self.collected.into_inner().unwrap_or_else(PoisonError::into_inner);
        let configured = patterns.iter().any(|(_, pattern, _)| pattern.place.is_some());
        if collected.counts.files == 0 && !configured {
            let looked_for: Vec<_> = patterns.iter().map(|(_, pattern, _)| format!("`{}`", pattern.text)).collect();
            collected.notices.push(format!(
                "nothing is configured and no manifest has a conventional production name: looked for {}; name yours in \
                 `digest-gate.yml`",
                looked_for.join(", ")
            ));
        }
        collected
    }

    fn met(&self, met: &Met, error: Option<ReadError>, scope: Scope<'_>) -> bool {
        let source = match error {
            Some(error) => Err(error),
            None => self.request.workspace.read(met),
        };
        self.file(&met.shown, source, scope)
    }

    /// Judges one file; answers whether it is a manifest, or may be one that could not be read.
    fn file(&self, shown: &str, source: Result<Arc<Source>, ReadError>, scope: Scope<'_>) -> bool {
        let mut part = Collected::default();
        let is_manifest = match source {
            Ok(source) => {
                let found = TREE.with_borrow_mut(|tree| manifest::read(&source, &self.neighbours, tree));
                tracing::debug!(path = shown, images = found.images.len(), manifest = found.is_manifest, "read");
                let is_manifest = found.is_manifest || !found.unreadable.is_empty();
                self.judge(found, scope, &mut part);
                is_manifest
            }
            Err(error) => {
                let place = Place::new(&Source::new(shown, ""), Span::default());
                self.unreadable(Unreadable { place, message: error.to_string(), help: None }, scope, &mut part);
                true
            }
        };
        if is_manifest {
            part.counts.files += 1;
            self.collect(part);
        }
        is_manifest
    }

    fn collect(&self, part: Collected) {
        let mut all = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        all.findings.extend(part.findings);
        all.images.extend(part.images);
        all.counts.files += part.counts.files;
        all.counts.images += part.counts.images;
        all.counts.pinned += part.counts.pinned;
    }

    fn judge(&self, found: Found, scope: Scope<'_>, part: &mut Collected) {
        for unreadable in found.unreadable {
            self.unreadable(unreadable, scope, part);
        }
        for image in found.images {
            if image.state != State::Local {
                part.counts.images += 1;
                part.counts.pinned +=
                    usize::from(image.reference().is_some_and(crate::reference::Reference::is_pinned));
                self.image(&image, scope, part);
            }
            if self.request.keep_images {
                part.images.push(image);
            }
        }
    }

    fn image(&self, image: &LocatedImage, scope: Scope<'_>, part: &mut Collected) {
        let policy = self.request.policy;
        let facts = Facts { image, strict: policy.is_strict(), allowed_registries: &policy.allowed_registries };
        for (rule, verdict) in rule::judge(facts) {
            let Some(severity) = policy.level(rule).severity() else { continue };
            part.findings.push(Finding {
                rule,
                severity,
                enforced: scope.enforced,
                environment: Arc::clone(scope.name),
                place: image.place.clone(),
                field: Some(image.field.clone()),
                resource: image.resource.clone(),
                image: Some(image.written.clone()),
                repository: image.reference().map(|r| format!("{}/{}", r.registry(), r.repository())),
                message: verdict.message,
                help: verdict.help,
                related: image.related.clone(),
                exception: None,
            });
        }
    }

    fn unreadable(&self, unreadable: Unreadable, scope: Scope<'_>, part: &mut Collected) {
        let rule = &rule::UNREADABLE_MANIFEST;
        let Some(severity) = self.request.policy.level(rule).severity() else { return };
        part.findings.push(Finding {
            rule,
            severity,
            enforced: scope.enforced,
            environment: Arc::clone(scope.name),
            place: unreadable.place,
            field: None,
            resource: None,
            image: None,
            repository: None,
            message: unreadable.message,
            help: unreadable
                .help
                .unwrap_or_else(|| "mend it, or leave it out of the configured manifests if it is none".to_owned()),
            related: Vec::new(),
            exception: None,
        });
    }

    fn no_manifests(&self, environment: &Environment, pattern: &str, place: &Place) {
        let rule = &rule::NO_MANIFESTS;
        let Some(severity) = self.request.policy.level(rule).severity() else { return };
        let mut part = Collected::default();
        part.findings.push(Finding {
            rule,
            severity,
            enforced: environment.enforce,
            environment: Arc::clone(&environment.name),
            place: place.clone(),
            field: None,
            resource: None,
            image: None,
            repository: None,
            message: format!("`{pattern}` matches no manifest"),
            help: "correct the pattern, or remove it if there is nothing to deploy any more".to_owned(),
            related: Vec::new(),
            exception: None,
        });
        self.collect(part);
    }
}

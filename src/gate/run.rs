//! Judging: files and what was found in them, on several threads, into one heap of findings and counts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Collected, Deployed, Missing, Request, Whole};
use crate::finding::Finding;
use crate::manifest::{self, Found, LocatedImage, State, Unreadable};
use crate::policy::PRODUCTION;
use crate::rule;
use crate::source::{Place, Source, Span};
use crate::walk::{Met, Neighbours, ReadError};
use crate::yaml::Tree;

/// The environment a file is judged in.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) name: &'a Arc<str>,
    pub(super) enforced: bool,
}

pub(super) struct Run<'r, 'a> {
    pub(super) request: &'r Request<'a>,
    pub(super) neighbours: Neighbours<'r>,
    collected: Mutex<Collected>,
    /// Where images are wanted, the files that took part, by path from the root.
    sources: Mutex<BTreeMap<String, Arc<Source>>>,
}

thread_local! {
    /// Working memory for one file after the other.
    static TREE: RefCell<Tree> = RefCell::default();
}

impl<'r, 'a> Run<'r, 'a> {
    pub(super) fn new(request: &'r Request<'a>) -> Self {
        Self {
            request,
            neighbours: Neighbours::new(request.workspace),
            collected: Mutex::default(),
            sources: Mutex::default(),
        }
    }

    /// Everything that was judged.
    pub(super) fn finish(self) -> Collected {
        for source in self.neighbours.opened() {
            self.keep(&source);
        }
        let mut collected = self.collected.into_inner().unwrap_or_else(PoisonError::into_inner);
        let sources = self.sources.into_inner().unwrap_or_else(PoisonError::into_inner);
        collected.sources = sources.into_values().collect();
        collected
    }

    /// Remembers that a file took part.
    pub(super) fn keep(&self, source: &Arc<Source>) {
        if self.request.keep_images {
            let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
            sources.entry(source.relative().to_owned()).or_insert_with(|| Arc::clone(source));
        }
    }

    pub(super) fn paths(self, paths: &[PathBuf], stdin: Option<&Arc<Source>>) -> Result<Collected, Missing> {
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
        let mut collected = self.finish();
        if collected.counts.files == 0 {
            collected.notices.push("no manifest was found in what was named: nothing was proven".to_owned());
        }
        Ok(collected)
    }

    pub(super) fn met(&self, met: &Met, error: Option<ReadError>, scope: Scope<'_>) -> bool {
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
                if is_manifest {
                    self.keep(&source);
                }
                self.judge(found, &whole_of(&source), scope, &mut part);
                is_manifest
            }
            Err(ReadError::NotText(_)) if !manifest::is_text_by_name(shown) => false,
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

    /// Judges what was found in `files` files that are deployed together.
    pub(super) fn found(&self, found: Found, whole: Whole, files: usize, scope: Scope<'_>) {
        let mut part = Collected::default();
        part.counts.files = files;
        self.judge(found, &Arc::new(whole), scope, &mut part);
        self.collect(part);
    }

    fn collect(&self, part: Collected) {
        let mut all = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        all.findings.extend(part.findings);
        all.images.extend(part.images);
        all.counts.files += part.counts.files;
        all.counts.images += part.counts.images;
        all.counts.pinned += part.counts.pinned;
    }

    fn judge(&self, found: Found, whole: &Arc<Whole>, scope: Scope<'_>, part: &mut Collected) {
        let complete = found.unreadable.is_empty();
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
                let (environment, whole) = (Arc::clone(scope.name), Arc::clone(whole));
                part.images.push(Deployed { image, environment, enforced: scope.enforced, whole, complete });
            }
        }
    }

    fn image(&self, image: &LocatedImage, scope: Scope<'_>, part: &mut Collected) {
        let policy = self.request.policy;
        for (rule, severity, verdict) in rule::judge(policy.facts(image), |rule| policy.level(rule)) {
            part.findings.push(Finding::about(image, scope.name, scope.enforced, rule, severity, verdict));
        }
    }

    pub(super) fn unreadable(&self, unreadable: Unreadable, scope: Scope<'_>, part: &mut Collected) {
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
            vulnerabilities: Vec::new(),
            message: unreadable.message,
            help: unreadable
                .help
                .unwrap_or_else(|| "mend it, or leave it out of the configured manifests if it is none".to_owned()),
            related: Vec::new(),
            exception: None,
        });
    }

    /// Says that something configured is not there: lower case, no full stop.
    pub(super) fn no_manifests(&self, scope: Scope<'_>, place: &Place, message: String) {
        let rule = &rule::NO_MANIFESTS;
        let Some(severity) = self.request.policy.level(rule).severity() else { return };
        let mut part = Collected::default();
        part.findings.push(Finding {
            rule,
            severity,
            enforced: scope.enforced,
            environment: Arc::clone(scope.name),
            place: place.clone(),
            field: None,
            resource: None,
            image: None,
            repository: None,
            vulnerabilities: Vec::new(),
            message,
            help: "correct it, or remove it if there is nothing to deploy any more".to_owned(),
            related: Vec::new(),
            exception: None,
        });
        self.collect(part);
    }
}

/// A file is decided by itself; standard input is no file.
fn whole_of(source: &Source) -> Arc<Whole> {
    if source.path() == manifest::STDIN {
        return Arc::default();
    }
    Arc::new(Whole::File(source.relative().to_owned()))
}

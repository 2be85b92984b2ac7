//! One whole through time: read again where one of its files has another blob, followed where its files are renamed.

use std::collections::HashMap;
use std::sync::Arc;

use gix::ObjectId;

use super::past::{Past, Reads};
use super::rename::Renames;
use super::repository::{Form, Lost, Object, Repository};
use super::track::{Reading, Seen, Track};
use crate::gate::Whole;
use crate::manifest::compose::stack;
use crate::manifest::helm::chart;
use crate::manifest::kustomize::overlay;
use crate::manifest::{self, Absent, Found, Unreadable};
use crate::source::{Place, Source, Span};
use crate::yaml::Tree;

/// The ending of a packed chart.
const ARCHIVE: &str = ".tgz";
/// The file that makes a folder a chart.
const CHART: &str = "Chart.yaml";
/// How many readings are kept for a state that comes back.
const MAX_KNOWN: usize = 4096;

/// A whole with its images.
pub(super) struct Unit {
    /// As it is called in the state that was looked at last.
    whole: Whole,
    pub(super) tracks: Vec<Track>,
    /// What it was read from in the state that was looked at last.
    pub(super) reads: Reads,
    /// Readings by the first file; what else they were read from stands beside them.
    known: HashMap<ObjectId, Vec<(Reads, Arc<Reading>)>>,
    kept: usize,
    /// What could not be told of it: a sentence without full stop.
    pub(super) open: Option<String>,
}

/// Whether a whole consists of files below the root.
pub(super) fn is_in_repository(whole: &Whole) -> bool {
    !matches!(whole, Whole::Text) && roots(whole).iter().all(|path| !path.starts_with('/') && !path.is_empty())
}

/// The files by which a whole is known; the first is its head.
fn roots(whole: &Whole) -> Vec<String> {
    match whole {
        Whole::Text => Vec::new(),
        Whole::File(path) | Whole::Overlay(path) => vec![path.clone()],
        Whole::Stack { files, env_files, .. } => files.iter().chain(env_files).cloned().collect(),
        Whole::Chart { folder, values } => std::iter::once(marker(folder)).chain(values.iter().cloned()).collect(),
    }
}

/// The file that makes a folder a chart.
fn marker(folder: &str) -> String {
    if folder.is_empty() { CHART.to_owned() } else { format!("{folder}/{CHART}") }
}

impl Unit {
    pub(super) fn new(whole: &Whole) -> Self {
        let (tracks, known) = (Vec::new(), HashMap::new());
        Self { whole: whole.clone(), tracks, reads: Reads::new(), known, kept: 0, open: None }
    }

    /// Reads the whole in the state `tree`; `newer` is the state after it.
    pub(super) fn read(
        &mut self,
        repository: &Repository,
        tree: ObjectId,
        newer: Option<ObjectId>,
        renames: &mut Renames,
        memory: &mut Tree,
    ) -> Result<Arc<Reading>, Lost> {
        if let Some(newer) = newer {
            self.follow(repository, tree, newer, renames)?;
        }
        if let Some((reads, reading)) = self.known(repository, tree)? {
            self.reads = reads;
            return Ok(reading);
        }
        let past = Past::new(repository, tree);
        let found = read(&self.whole, &past, memory)?;
        let reads = past.finish()?;
        let reading = Arc::new(Reading {
            is_whole: found.unreadable.is_empty(),
            images: found.images.iter().filter_map(Seen::of).collect(),
        });
        if let Some(head) = self.head(repository, &reads).filter(|_| self.kept < MAX_KNOWN) {
            self.kept += 1;
            self.known.entry(head).or_default().push((reads.clone(), Arc::clone(&reading)));
        }
        self.reads = reads;
        Ok(reading)
    }

    /// The blob of its first file.
    fn head(&self, repository: &Repository, reads: &Reads) -> Option<ObjectId> {
        let first = roots(&self.whole).into_iter().next()?;
        reads.get(&repository.path(&first)).copied().flatten().map(|object| object.id)
    }

    /// A reading of another state in which everything it was read from is the same.
    fn known(&self, repository: &Repository, tree: ObjectId) -> Result<Option<(Reads, Arc<Reading>)>, Lost> {
        let past = Past::new(repository, tree);
        let Some(first) = roots(&self.whole).into_iter().next() else { return Ok(None) };
        let Some(head) = past.object(&repository.path(&first))? else { return Ok(None) };
        'readings: for (reads, reading) in self.known.get(&head.id).into_iter().flatten() {
            for (path, object) in reads {
                if past.object(path)? != *object {
                    continue 'readings;
                }
            }
            return Ok(Some((reads.clone(), Arc::clone(reading))));
        }
        Ok(None)
    }

    /// Looks for the former names of files that this state does not have and the one after it has.
    fn follow(
        &mut self,
        repository: &Repository,
        tree: ObjectId,
        newer: ObjectId,
        renames: &mut Renames,
    ) -> Result<(), Lost> {
        let mut moved = Vec::new();
        for root in roots(&self.whole) {
            let path = repository.path(&root);
            let was_there = self.reads.get(&path).copied().flatten();
            let Some(Object { id, kind: Form::File | Form::Link }) = was_there else { continue };
            if super::past::look(repository, tree, &path)?.is_some() {
                continue;
            }
            match renames.find(repository, newer, tree, &path, id)? {
                Ok(Some(former)) => {
                    if let Some(former) = repository.relative(&former) {
                        moved.push((root, former.to_owned()));
                    }
                }
                Ok(None) => {}
                Err(why) => self.open = Some(why),
            }
        }
        for (new, former) in moved {
            rename(&mut self.whole, &new, &former);
        }
        Ok(())
    }
}

/// Gives a file of a whole its former name.
fn rename(whole: &mut Whole, new: &str, former: &str) {
    let in_list = |list: &mut Vec<String>| {
        for path in list.iter_mut().filter(|path| *path == new) {
            former.clone_into(path);
        }
    };
    match whole {
        Whole::Text => {}
        Whole::File(path) | Whole::Overlay(path) => former.clone_into(path),
        Whole::Stack { files, env_files, .. } => {
            in_list(files);
            in_list(env_files);
        }
        Whole::Chart { folder, values } => {
            if marker(folder) == new {
                let former = former.strip_suffix(CHART).unwrap_or_default();
                former.trim_end_matches('/').clone_into(folder);
            }
            in_list(values);
        }
    }
}

/// Reads a whole as it was; a part that was not there then was no part of it.
fn read(whole: &Whole, past: &Past<'_>, memory: &mut Tree) -> Result<Found, Lost> {
    let open = |path: &String| past.open_at(path);
    Ok(match whole {
        Whole::Text => Found::default(),
        Whole::File(path) => one(open(path), |source| manifest::read(source, past, memory)),
        Whole::Overlay(path) => one(open(path), |source| overlay::read(source, past)),
        Whole::Stack { files, env_files, profiles } => {
            let files: Vec<_> = files.iter().filter_map(|path| open(path).ok()).collect();
            let env_files: Vec<_> = env_files.iter().filter_map(|path| open(path).ok()).collect();
            if files.is_empty() {
                return Ok(Found::default());
            }
            let profiles = profiles.as_deref();
            stack::read(&stack::Stack { files: &files, env_files: &env_files, profiles }, past)
        }
        Whole::Chart { folder, values } => return read_chart(folder, values, past),
    })
}

/// A file that is not there holds nothing; one that cannot be read holds nobody knows what.
fn one(source: Result<Arc<Source>, Absent>, read: impl FnOnce(&Arc<Source>) -> Found) -> Found {
    match source {
        Ok(source) => read(&source),
        Err(Absent::NotThere | Absent::Folder) => Found::default(),
        Err(Absent::Unreadable(message)) => unreadable(message),
    }
}

/// Nothing is known of what a whole held.
fn unreadable(message: String) -> Found {
    let place = Place::new(&Source::new("", ""), Span::default());
    Found { unreadable: vec![Unreadable { place, message, help: None }], ..Found::default() }
}

fn read_chart(folder: &str, values: &[String], past: &Past<'_>) -> Result<Found, Lost> {
    let Ok(chart) = past.open_at(&marker(folder)) else { return Ok(Found::default()) };
    let values: Vec<_> = values.iter().filter_map(|path| past.open_at(path).ok()).collect();
    let Some(files) = past.files_below(folder)? else { return Ok(unreadable("it has too many files".to_owned())) };
    let (archives, texts): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| path.ends_with(ARCHIVE));
    let files: Vec<_> = texts.iter().filter_map(|path| past.open_at(path).ok()).collect();
    Ok(chart::read(&chart::Chart { chart: &chart, values: &values, files: &files, archives: &archives }))
}

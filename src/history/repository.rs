//! The door to git: commits, trees and blobs, read by gix from the files below `.git`.
//!
//! Only the repository's own configuration is read, and none of it can start a program. A repository of another owner
//! (a container sees the files of its host so) is read, too: what is read there are objects, checked by nobody's trust
//! but their own form.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gix::objs::{CommitRef, CommitRefIter, Find as _, Kind, TreeRefIter};
use gix::odb::pack;
use gix::{ObjectId, commitgraph, hash, oid};
use jiff::Timestamp;

use super::{Commit, End};

/// How many packs are looked into for the order of their objects.
const MAX_PACKS: usize = 64;

/// Bytes kept of objects that others are deltas of.
const CACHE: usize = 64 << 20;

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("`{}` lies in no git repository: history is read from git", .0.display())]
    NoRepository(PathBuf),
    #[error("cannot open the git repository `{}`: {}", .0.display(), .1)]
    Unopened(PathBuf, String),
    #[error("cannot read the newest commit: {0}")]
    NoHead(String),
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Why an object cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Lost {
    #[error("git has no object {0} here: fetch it without a filter, or clone again")]
    Missing(ObjectId),
    #[error("git's object {0} cannot be read: {1}")]
    Broken(ObjectId, String),
}

/// A repository whose history is read.
pub struct Repository {
    git: Mutex<gix::Repository>,
    hash: hash::Kind,
    graph: Option<commitgraph::Graph>,
    /// The tables of the packs.
    packs: Vec<pack::index::File>,
    /// Commits whose parents are not there.
    shallow: HashSet<ObjectId>,
    /// The path of the workspace in it: empty, or with a `/` at its end.
    prefix: String,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Repository({})", self.prefix)
    }
}

/// A commit of the branch, as far as walking needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub id: ObjectId,
    pub tree: ObjectId,
    /// When it was committed, in seconds since 1970.
    pub seconds: i64,
}

/// What a tree has under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Object {
    pub id: ObjectId,
    pub kind: Form,
}

/// The forms of an entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    File,
    Folder,
    Link,
    /// A commit of another repository.
    Submodule,
}

impl Repository {
    /// Opens the repository in which the folder `root` lies: absolute, without symbolic links.
    ///
    /// # Errors
    /// There is none, or git's own files cannot be read.
    pub fn open(root: &Path) -> Result<Self, HistoryError> {
        let top = root.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok());
        let top = top.ok_or_else(|| HistoryError::NoRepository(root.to_owned()))?;
        let failed = |error: gix::Error| HistoryError::Unopened(top.to_owned(), said(&error));
        let mut git = gix::open::Options::isolated().open(top).map_err(failed)?.to_thread_local();
        git.objects.set_pack_cache(|| Box::new(pack::cache::lru::MemoryCappedHashmap::new(CACHE)));
        let shallow = git.shallow_commits().map_err(failed)?;
        let shallow = shallow.map(|commits| commits.iter().copied().collect()).unwrap_or_default();
        // It only makes things faster: one that cannot be read is none.
        let graph = git.commit_graph_if_enabled().unwrap_or_default();
        let packs = packs(&git.common_dir().join("objects/pack"), git.object_hash());
        let below = root.strip_prefix(top).unwrap_or(Path::new(""));
        let below = below.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
        let prefix = if below.is_empty() { below } else { below + "/" };
        Ok(Self { hash: git.object_hash(), git: Mutex::new(git), graph, packs, shallow, prefix })
    }

    /// Whether it is a shallow clone.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        !self.shallow.is_empty()
    }

    /// A path of the workspace as the trees have it.
    pub(super) fn path(&self, relative: &str) -> String {
        format!("{}{relative}", self.prefix)
    }

    /// A path of the trees as the workspace has it; none for what lies outside of it.
    pub(super) fn relative<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(self.prefix.as_str())
    }

    fn git(&self) -> MutexGuard<'_, gix::Repository> {
        self.git.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The commits of the branch; none where nothing was committed yet.
    pub(super) fn chain(&self) -> Result<Chain, HistoryError> {
        let unread = |error: gix::Error| HistoryError::NoHead(said(&error));
        let git = self.git();
        let head = git.head().map_err(unread)?.try_into_peeled_id().map_err(unread)?.map(gix::Id::detach);
        Ok(Chain { next: head, last: None, buffer: Vec::new() })
    }

    /// The commit that a branch or a tag names.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<String> {
        let git = self.git();
        let id = git.find_reference(name).ok()?.into_fully_peeled_id().ok()?;
        Some(id.to_string())
    }

    fn object<'b>(&self, id: &oid, buffer: &'b mut Vec<u8>) -> Result<gix::objs::Data<'b>, Lost> {
        match self.git().objects.try_find(id, buffer) {
            Ok(Some(data)) => Ok(data),
            Ok(None) => Err(Lost::Missing(id.to_owned())),
            Err(error) => Err(Lost::Broken(id.to_owned(), said(&error))),
        }
    }

    /// Hands each entry of a tree to `visit`, in git's order, until it answers `false`. A tree that is none is lost.
    pub(super) fn entries(
        &self,
        tree: &oid,
        buffer: &mut Vec<u8>,
        mut visit: impl FnMut(&[u8], Object) -> bool,
    ) -> Result<(), Lost> {
        if tree == ObjectId::empty_tree(self.hash) {
            return Ok(());
        }
        let data = self.object(tree, buffer)?;
        if data.kind != Kind::Tree {
            return Err(Lost::Broken(tree.to_owned(), "it is no tree".to_owned()));
        }
        for entry in TreeRefIter::from_bytes(data.data, self.hash) {
            let entry = entry.map_err(|error| Lost::Broken(tree.to_owned(), error.to_string()))?;
            let kind = match entry.mode.kind() {
                gix::objs::tree::EntryKind::Tree => Form::Folder,
                gix::objs::tree::EntryKind::Blob | gix::objs::tree::EntryKind::BlobExecutable => Form::File,
                gix::objs::tree::EntryKind::Link => Form::Link,
                gix::objs::tree::EntryKind::Commit => Form::Submodule,
            };
            if !visit(entry.filename, Object { id: entry.oid.to_owned(), kind }) {
                break;
            }
        }
        Ok(())
    }

    /// What a tree has under a name.
    pub(super) fn entry(&self, tree: &oid, name: &[u8], buffer: &mut Vec<u8>) -> Result<Option<Object>, Lost> {
        let mut found = None;
        self.entries(tree, buffer, |other, object| {
            if other == name {
                found = Some(object);
            }
            found.is_none()
        })?;
        Ok(found)
    }

    /// Sorts objects as they lie in the packs: what is stored as a difference comes behind what it differs from.
    pub(super) fn sort_as_packed(&self, objects: &mut [ObjectId]) {
        let place = |id: &ObjectId| {
            let mut packs = self.packs.iter().enumerate();
            packs.find_map(|(pack, index)| Some((pack, index.pack_offset_at_index(index.lookup(id)?))))
        };
        objects.sort_by_cached_key(place);
    }

    /// The bytes of a blob, at most `limit`; none where it has more.
    pub(super) fn blob(&self, id: &oid, limit: u64) -> Result<Option<Vec<u8>>, Lost> {
        use gix::odb::HeaderExt as _;
        let header = self.git().objects.header(id).map_err(|error| Lost::Broken(id.to_owned(), said(&error)));
        let mut bytes = Vec::new();
        if header.is_ok_and(|header| header.size() > limit) {
            return Ok(None);
        }
        self.object(id, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// What people want to know of a commit.
    pub(super) fn commit(&self, id: &oid) -> Result<Commit, Lost> {
        let broken = |error: gix::Error| Lost::Broken(id.to_owned(), said(&error));
        let mut buffer = Vec::new();
        let data = self.object(id, &mut buffer)?;
        let commit = CommitRef::from_bytes(data.data, self.hash).map_err(broken)?;
        let author = commit.author().map_err(broken)?.trim();
        let seconds = commit.committer().map_err(broken)?.seconds();
        Ok(Commit {
            id: id.to_string(),
            date: timestamp(seconds),
            author: author.name.to_string(),
            email: author.email.to_string(),
            subject: commit.message().summary().to_string(),
        })
    }
}

/// The tables of the packs in a folder, as far as they can be read: they only make things faster.
fn packs(folder: &Path, hash: hash::Kind) -> Vec<pack::index::File> {
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "idx"));
    paths.sort();
    paths.truncate(MAX_PACKS);
    paths.iter().filter_map(|path| pack::index::File::at(path, hash).ok()).collect()
}

/// An error of gix with its causes, on one line.
fn said(error: &gix::Error) -> String {
    error.to_string()
}

/// Git knows dates that calendars do not.
pub(super) fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// The commits from the newest to the oldest, each the first parent of the one before it.
pub(super) struct Chain {
    next: Option<ObjectId>,
    /// The last commit, where its parents are not there.
    last: Option<ObjectId>,
    buffer: Vec<u8>,
}

impl Chain {
    /// The next older commit; none at the end, or where the clone is cut off.
    pub(super) fn next(&mut self, repository: &Repository) -> Result<Option<Link>, Lost> {
        let Some(id) = self.next.take() else { return Ok(None) };
        let (link, parent) = match repository.graph.as_ref().and_then(|graph| in_graph(graph, &id)) {
            Some(found) => found,
            None => self.in_objects(repository, id)?,
        };
        if repository.shallow.contains(&id) {
            self.last = parent.and(Some(id));
        } else {
            self.next = parent;
        }
        Ok(Some(link))
    }

    fn in_objects(&mut self, repository: &Repository, id: ObjectId) -> Result<(Link, Option<ObjectId>), Lost> {
        let broken = |error: gix::Error| Lost::Broken(id, said(&error));
        let data = repository.object(&id, &mut self.buffer)?;
        let commit = || CommitRefIter::from_bytes(data.data, repository.hash);
        let tree = commit().tree_id().map_err(broken)?;
        let seconds = commit().committer().map_err(broken)?.seconds();
        Ok((Link { id, tree, seconds }, commit().parent_ids().next()))
    }

    /// Why it ended.
    pub(super) fn end(&self) -> End {
        self.last.map_or(End::Beginning, |id| End::Shallow(id.to_string()))
    }
}

/// A commit as git's own table of commits has it; none where it is not in the table.
fn in_graph(graph: &commitgraph::Graph, id: &oid) -> Option<(Link, Option<ObjectId>)> {
    let commit = graph.commit_by_id(id)?;
    let parent = commit.parent1().ok()?.map(|position| graph.id_at(position).to_owned());
    let seconds = i64::try_from(commit.committer_timestamp()).ok()?;
    Some((Link { id: id.to_owned(), tree: commit.root_tree_id().to_owned(), seconds }, parent))
}

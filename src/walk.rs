//! The door to files: which ones are looked at, and reading them without leaving the repository.
//!
//! Folders are walked with `.gitignore` respected (but what git tracks is always looked at), hidden folders skipped
//! except `.github`. A symbolic link is followed
//! only to a place inside the repository, because a pull request can make one that points anywhere: a finding shows
//! the lines it is about.

mod tracked;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::manifest::{Absent, Beside};
use crate::source::{MAX_BYTES, Source};

/// Room for a manifest of the usual size, in bytes: a larger one is read in a few steps more.
const USUAL_BYTES: usize = 16 << 10;

/// The folder that is judged, and how its files are named in reports.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Absolute, without symbolic links.
    root: PathBuf,
    /// The folder the user stands in, absolute, without symbolic links.
    current: PathBuf,
    /// Texts that are read in place of what the files hold, by real path.
    drafts: HashMap<PathBuf, String>,
}

/// Why a file that should be looked at could not be.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("has {0} bytes: at most {MAX_BYTES} are read")]
    TooLarge(u64),
    #[error("is not text: {0}")]
    NotText(#[from] crate::source::NotText),
    #[error("is a symbolic link that leads out of the repository or nowhere: it is not followed")]
    LinkOut,
    #[error("is not a regular file")]
    NotAFile,
}

/// One file that was met.
pub struct Met {
    /// Path relative to the root with `/` between its parts; what patterns are matched against.
    pub relative: String,
    /// Path as it is shown.
    pub shown: String,
    absolute: PathBuf,
    /// The file was reached through a symbolic link or named by the user, not by walking over regular files.
    link: bool,
}

impl Workspace {
    /// The workspace of the folder `root`, for a user who stands in `current`.
    pub fn new(root: &Path, current: &Path) -> io::Result<Self> {
        Ok(Self { root: root.canonicalize()?, current: current.canonicalize()?, drafts: HashMap::new() })
    }

    /// The same workspace with other texts in some files: what it would be after they are written.
    #[must_use]
    pub fn with_drafts(&self, drafts: HashMap<PathBuf, String>) -> Self {
        Self { drafts, ..self.clone() }
    }

    /// The file of a source on disk, behind symbolic links.
    ///
    /// # Errors
    /// It is not there any more.
    pub fn real_path(&self, source: &Source) -> io::Result<PathBuf> {
        self.root.join(source.relative()).canonicalize()
    }

    /// The folder that is judged: absolute, without symbolic links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file or folder a user names, relative to where the user stands.
    ///
    /// # Errors
    /// There is no such file.
    pub fn named(&self, path: &Path) -> Result<Met, ReadError> {
        let absolute = normalize(&self.current.join(path));
        absolute.symlink_metadata()?;
        Ok(self.met(absolute, true))
    }

    /// The file or folder at a path from the root; `None` where nothing is there.
    pub fn at(&self, relative: &str) -> Option<Met> {
        let absolute = normalize(&self.root.join(relative.trim_start_matches('/')));
        absolute.symlink_metadata().is_ok().then(|| self.met(absolute, true))
    }

    fn met(&self, absolute: PathBuf, link: bool) -> Met {
        let relative = slashes(absolute.strip_prefix(&self.root).unwrap_or(&absolute));
        Met { relative, shown: self.shown(&absolute), absolute, link }
    }

    /// The path as the user would write it: from where the user stands, absolute where nothing is shared.
    pub fn shown(&self, absolute: &Path) -> String {
        let mut up = String::new();
        for ancestor in self.current.ancestors().filter(|ancestor| ancestor.parent().is_some()) {
            if let Ok(below) = absolute.strip_prefix(ancestor) {
                return up + &slashes(below);
            }
            up.push_str("../");
        }
        slashes(absolute)
    }

    /// Reads a file that was met.
    ///
    /// # Errors
    /// It leads out of the repository, is no regular file, too large or not UTF-8.
    pub fn read(&self, met: &Met) -> Result<Arc<Source>, ReadError> {
        let inside = met.absolute.starts_with(&self.root);
        if met.link && inside {
            self.inside(&met.absolute)?;
        }
        if met.link {
            let metadata = std::fs::metadata(&met.absolute)?;
            // Asked before opening, which would wait for a writer. A pipe is read only where the user names one
            // outside of the repository: `<(helm template …)`.
            if !metadata.is_file() && (inside || metadata.is_dir()) {
                return Err(ReadError::NotAFile);
            }
        }
        if !self.drafts.is_empty()
            && let Some(draft) = self.drafts.get(&met.absolute.canonicalize()?)
        {
            return Ok(Source::from_bytes(met.shown.as_str(), &met.relative, draft.clone().into_bytes())?);
        }
        let mut file = File::open(&met.absolute)?;
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        file.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            let size = file.metadata().map_or(MAX_BYTES + 1, |metadata| metadata.len());
            return Err(ReadError::TooLarge(size));
        }
        bytes.shrink_to_fit();
        Ok(Source::from_bytes(met.shown.as_str(), &met.relative, bytes)?)
    }

    /// The real path behind a link, if it lies inside the repository.
    fn inside(&self, path: &Path) -> Result<PathBuf, ReadError> {
        let real = path.canonicalize().map_err(|_| ReadError::LinkOut)?;
        if real.starts_with(&self.root) { Ok(real) } else { Err(ReadError::LinkOut) }
    }

    /// The folders at which a walk begins to meet every path that begins with one of `bases` (relative to the root);
    /// a base that lies below another one, or is not there, is left out. A base may name a file.
    pub fn folders<'b>(&self, bases: impl Iterator<Item = &'b str>) -> Vec<Met> {
        let mut starts: Vec<PathBuf> = Vec::new();
        let mut bases: Vec<_> = bases.map(|base| normalize(&self.root.join(base))).collect();
        bases.sort();
        for base in bases {
            if base.symlink_metadata().is_ok() && !starts.iter().any(|start| base.starts_with(start)) {
                starts.push(base);
            }
        }
        starts.into_iter().map(|start| self.met(start, true)).collect()
    }

    /// Whether a path the user named is a folder to walk.
    pub fn is_folder(&self, met: &Met) -> bool {
        met.absolute.is_dir()
    }

    /// Where on disk something lies that was met: absolute.
    #[must_use]
    pub fn path_of<'m>(&self, met: &'m Met) -> &'m Path {
        &met.absolute
    }

    /// Walks folders (relative to the root) on `threads` threads and hands every file whose path `wants` accepts to
    /// `visit`. Nothing is said about the order.
    ///
    /// `visit` gets a read error in place of the file where a folder could not be listed or a link leads out.
    pub fn walk<W, V>(&self, folders: &[Met], threads: usize, wants: &W, visit: &V)
    where
        W: Fn(&str) -> bool + Sync,
        V: Fn(Met, Option<ReadError>) + Sync,
    {
        let index = tracked::index_of(&self.root);
        let seen = Mutex::new(HashSet::new());
        let visit = &|met: Met, error: Option<ReadError>| {
            if index.is_some() {
                seen.lock().unwrap_or_else(PoisonError::into_inner).insert(met.relative.clone());
            }
            visit(met, error);
        };
        self.walk_links(folders, threads, wants, visit);
        if let Some(index) = &index {
            let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
            self.visit_ignored(index, folders, &seen, wants, visit);
        }
    }

    /// Visits the files that git tracks although they are ignored.
    fn visit_ignored<W, V>(&self, index: &Path, folders: &[Met], seen: &HashSet<String>, wants: &W, visit: &V)
    where
        W: Fn(&str) -> bool,
        V: Fn(Met, Option<ReadError>),
    {
        let Some(paths) = tracked::paths(index) else {
            let error = io::Error::other("git's index cannot be read, so that ignored files could hide tracked ones");
            visit(self.met(index.to_path_buf(), false), Some(error.into()));
            return;
        };
        let in_hidden_folder = |path: &str| {
            let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
            folders.split('/').any(|name| name.starts_with('.') && name != ".github")
        };
        for path in paths {
            let absolute = self.root.join(&path);
            let asked = folders.iter().any(|folder| absolute.starts_with(&folder.absolute));
            if asked && wants(&path) && !seen.contains(&path) && !in_hidden_folder(&path) && absolute.is_file() {
                visit(self.met(absolute, true), None);
            }
        }
    }

    fn walk_links<W, V>(&self, folders: &[Met], threads: usize, wants: &W, visit: &V)
    where
        W: Fn(&str) -> bool + Sync,
        V: Fn(Met, Option<ReadError>) + Sync,
    {
        let links = Mutex::new(Vec::new());
        let mut followed = BTreeSet::new();
        let mut next = Vec::new();
        for start in folders {
            // What the user names outside the repository is the user's own choice.
            let outside = !start.absolute.starts_with(&self.root);
            match if outside { Ok(start.absolute.clone()) } else { self.inside(&start.absolute) } {
                Ok(_) => next.push(start.absolute.clone()),
                Err(error) => visit(self.met(start.absolute.clone(), true), Some(error)),
            }
        }
        while !next.is_empty() {
            self.walk_once(&next, threads, wants, visit, &links);
            let found = std::mem::take(&mut *links.lock().unwrap_or_else(PoisonError::into_inner));
            next = found.into_iter().filter_map(|link| self.follow(link, wants, visit, &mut followed)).collect();
        }
    }

    /// What a link that was met stands for: a file is visited, a folder inside the repository is the next to walk.
    fn follow<W, V>(&self, link: PathBuf, wants: &W, visit: &V, followed: &mut BTreeSet<PathBuf>) -> Option<PathBuf>
    where
        W: Fn(&str) -> bool,
        V: Fn(Met, Option<ReadError>),
    {
        let met = self.met(link, true);
        match self.inside(&met.absolute) {
            Ok(real) if real.is_dir() => return followed.insert(real).then(|| met.absolute.join("")),
            Ok(_) if wants(&met.relative) => visit(met, None),
            Err(error) if wants(&met.relative) => visit(met, Some(error)),
            _ => {}
        }
        None
    }

    fn walk_once<W, V>(&self, folders: &[PathBuf], threads: usize, wants: &W, visit: &V, links: &Mutex<Vec<PathBuf>>)
    where
        W: Fn(&str) -> bool + Sync,
        V: Fn(Met, Option<ReadError>) + Sync,
    {
        let mut folders = folders.iter();
        let Some(first) = folders.next() else { return };
        let mut builder = WalkBuilder::new(first);
        for folder in folders {
            builder.add(folder);
        }
        // Ignore files that are not git's, and git's that are not committed, would make the verdict depend on the machine.
        builder.hidden(false).ignore(false).git_global(false).git_exclude(false).threads(threads);
        builder.filter_entry(is_walked);
        builder.build_parallel().run(|| {
            Box::new(|entry| {
                match entry {
                    Ok(entry) => self.entry(entry, wants, visit, links),
                    Err(error) => self.failed(&error, visit),
                }
                WalkState::Continue
            })
        });
    }

    fn entry<W, V>(&self, entry: DirEntry, wants: &W, visit: &V, links: &Mutex<Vec<PathBuf>>)
    where
        W: Fn(&str) -> bool,
        V: Fn(Met, Option<ReadError>),
    {
        let Some(kind) = entry.file_type() else { return };
        if kind.is_symlink() {
            links.lock().unwrap_or_else(PoisonError::into_inner).push(entry.into_path());
        } else if !kind.is_dir() {
            // What is no regular file is looked at again before it is read: opening a pipe would wait.
            let met = self.met(entry.into_path(), !kind.is_file());
            if wants(&met.relative) {
                visit(met, None);
            }
        }
    }

    fn failed<V: Fn(Met, Option<ReadError>)>(&self, error: &ignore::Error, visit: &V) {
        let path = path_of(error).map_or_else(|| self.root.clone(), Path::to_path_buf);
        let cause = error.io_error().map_or_else(|| io::Error::other(error.to_string()), |e| io::Error::from(e.kind()));
        visit(self.met(path, false), Some(ReadError::Io(cause)));
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

/// Hidden folders are tools' own, except the one that holds workflows.
fn is_walked(entry: &DirEntry) -> bool {
    let hidden = entry.depth() > 0 && entry.file_name().as_encoded_bytes().first() == Some(&b'.');
    let folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    !(hidden && folder) || entry.file_name() == OsStr::new(".github")
}

/// Removes `.` and `..` without asking the file system, so that a path is shown as it was named.
fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

/// Files that stand beside manifests, each read once.
#[derive(Debug)]
pub struct Neighbours<'w> {
    workspace: &'w Workspace,
    read: Mutex<HashMap<PathBuf, Result<Arc<Source>, Absent>>>,
}

impl<'w> Neighbours<'w> {
    /// Nothing read yet.
    pub fn new(workspace: &'w Workspace) -> Self {
        Self { workspace, read: Mutex::default() }
    }

    /// Every file that was opened so far, in no order.
    #[must_use]
    pub fn opened(&self) -> Vec<Arc<Source>> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.values().filter_map(|source| source.as_ref().ok().map(Arc::clone)).collect()
    }
}

impl Beside for Neighbours<'_> {
    fn open(&self, from: &Source, path: &str) -> Result<Arc<Source>, Absent> {
        let workspace = self.workspace;
        let manifest = normalize(&workspace.root.join(from.relative()));
        let wanted = normalize(&manifest.parent().unwrap_or(&workspace.root).join(path));
        // What the user names outside the repository has its neighbours there.
        let top = if manifest.starts_with(&workspace.root) { workspace.root.as_path() } else { Path::new("") };
        if !wanted.starts_with(top) {
            return Err(Absent::Unreadable("it lies outside of the repository".to_owned()));
        }
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.entry(wanted).or_insert_with_key(|wanted| workspace.neighbour(wanted)).clone()
    }
}

impl Workspace {
    fn neighbour(&self, path: &Path) -> Result<Arc<Source>, Absent> {
        if path.symlink_metadata().is_err() {
            return Err(Absent::NotThere);
        }
        let unreadable = |error: ReadError| Absent::Unreadable(error.to_string());
        if path.starts_with(&self.root) {
            self.inside(path).map_err(unreadable)?;
        }
        if path.is_dir() {
            return Err(Absent::Folder);
        }
        self.read(&self.met(path.to_path_buf(), true)).map_err(unreadable)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make the folders they walk")]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::create(path).unwrap();
        }
        let workspace = Workspace::new(folder.path(), folder.path()).unwrap();
        (folder, workspace)
    }

    fn met(workspace: &Workspace, folder: &str) -> Vec<String> {
        let seen = Mutex::new(BTreeSet::new());
        let start = workspace.named(Path::new(folder)).unwrap();
        workspace.walk(&[start], 2, &|_| true, &|met, error| {
            let mark = if error.is_some() { "!" } else { "" };
            seen.lock().unwrap().insert(format!("{mark}{}", met.relative));
        });
        seen.into_inner().unwrap().into_iter().collect()
    }

    #[test]
    fn hidden_folders_are_skipped_except_github() {
        let (_folder, workspace) = tree(&["a/b.yml", ".gitlab-ci.yml", ".github/workflows/ci.yml", ".cache/x.yml"]);
        assert_eq!(met(&workspace, "."), [".github/workflows/ci.yml", ".gitlab-ci.yml", "a/b.yml"]);
    }

    #[test]
    fn gitignore_holds_in_a_repository() {
        let (folder, workspace) = tree(&[".git/HEAD", "a.yml", "b.yml"]);
        std::fs::write(folder.path().join(".gitignore"), "b.yml\n").unwrap();
        std::fs::write(folder.path().join(".ignore"), "a.yml\n").unwrap();
        assert_eq!(met(&workspace, "."), [".gitignore", ".ignore", "a.yml"]);
    }

    #[test]
    fn what_git_tracks_cannot_be_ignored() {
        let (folder, workspace) = tree(&["prod/a.yml", "prod/b.yml", "other/c.yml", "prod/.hidden/d.yml"]);
        let git = |arguments: &[&str]| {
            let status = std::process::Command::new("git").current_dir(folder.path()).args(arguments).status();
            status.is_ok_and(|status| status.success())
        };
        if !git(&["init", "-q"]) {
            io::Write::write_all(&mut io::stderr(), b"SKIPPED: git is not on PATH\n").unwrap();
            return;
        }
        std::fs::write(folder.path().join(".gitignore"), "*.yml\n").unwrap();
        assert!(git(&["add", "-f", "prod/a.yml", "other/c.yml", "prod/.hidden/d.yml"]));
        assert_eq!(met(&workspace, "prod"), ["prod/a.yml"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_inside_the_repository_only() {
        use std::os::unix::fs::symlink;
        let (folder, workspace) = tree(&["prod/a.yml", "base/b.yml"]);
        let outside = tempfile::tempdir().unwrap();
        File::create(outside.path().join("secret.yml")).unwrap();
        let prod = folder.path().join("prod");
        symlink("../base", prod.join("base")).unwrap();
        symlink("..", prod.join("loop")).unwrap();
        symlink("../base/b.yml", prod.join("c.yml")).unwrap();
        symlink(outside.path(), prod.join("out")).unwrap();
        symlink(outside.path().join("secret.yml"), prod.join("d.yml")).unwrap();
        let seen = met(&workspace, "prod");
        assert!(seen.contains(&"prod/base/b.yml".to_owned()), "{seen:?}");
        assert!(seen.contains(&"prod/c.yml".to_owned()), "{seen:?}");
        assert!(seen.contains(&"!prod/d.yml".to_owned()), "{seen:?}");
        assert!(seen.contains(&"!prod/out".to_owned()), "{seen:?}");
        assert!(!seen.iter().any(|path| path.contains("secret")), "{seen:?}");
        let link = workspace.named(Path::new("prod/d.yml")).unwrap();
        assert!(matches!(workspace.read(&link), Err(ReadError::LinkOut)));
        assert_eq!(met(&workspace, "prod/out"), ["!prod/out"]);
        let behind = workspace.named(Path::new("prod/out/secret.yml")).unwrap();
        assert!(matches!(workspace.read(&behind), Err(ReadError::LinkOut)));
    }

    #[test]
    fn paths_are_shown_from_where_the_user_stands() {
        let (folder, _) = tree(&["a/b/c.yml", "d.yml"]);
        let workspace = Workspace::new(folder.path(), &folder.path().join("a")).unwrap();
        let root = workspace.root().to_path_buf();
        assert_eq!(workspace.shown(&root.join("a/b/c.yml")), "b/c.yml");
        assert_eq!(workspace.shown(&root.join("d.yml")), "../d.yml");
        assert_eq!(workspace.shown(Path::new("/elsewhere/e.yml")), "/elsewhere/e.yml");
    }

    #[test]
    fn neighbours_are_files_of_the_repository() {
        let (folder, workspace) = tree(&["a/compose.yml"]);
        std::fs::write(folder.path().join(".env"), "A=1").unwrap();
        let neighbours = Neighbours::new(&workspace);
        let manifest = Source::new("a/compose.yml", "");
        assert_eq!(neighbours.read(&manifest, "../.env").map(|s| s.text().to_owned()).as_deref(), Some("A=1"));
        assert_eq!(neighbours.open(&manifest, ".env").unwrap_err(), Absent::NotThere);
        assert_eq!(neighbours.open(&manifest, "../a").unwrap_err(), Absent::Folder);
        let outside = neighbours.open(&manifest, "../../../../etc/hostname");
        assert!(matches!(outside, Err(Absent::Unreadable(_))), "{outside:?}");
    }
}

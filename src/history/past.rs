//! The files of one state: the door through which manifests of another time are read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use gix::ObjectId;

use super::repository::{Form, Lost, Object, Repository};
use crate::manifest::{Absent, Beside};
use crate::source::Source;

/// The largest manifest of another time that is read, in bytes.
const MAX_BYTES: u64 = 32 << 20;
/// How many symbolic links one path may lead over.
const MAX_LINKS: usize = 16;
/// How many files below one folder are read.
const MAX_FILES: usize = 50_000;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::default();
}

/// What stood where, by path in the repository, as far as it was asked for.
pub(super) type Reads = BTreeMap<String, Option<Object>>;

/// The files of one state. It remembers which of them were asked for.
pub(super) struct Past<'r> {
    repository: &'r Repository,
    tree: ObjectId,
    reads: Mutex<Reads>,
    /// What git could not read, where that was so.
    lost: Mutex<Option<Lost>>,
}

impl<'r> Past<'r> {
    pub(super) fn new(repository: &'r Repository, tree: ObjectId) -> Self {
        Self { repository, tree, reads: Mutex::default(), lost: Mutex::default() }
    }

    /// What was asked for, or what git could not read of it.
    pub(super) fn finish(self) -> Result<Reads, Lost> {
        match self.lost.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(lost) => Err(lost),
            None => Ok(self.reads.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// What stands at a path of the repository; no link on the way is followed.
    pub(super) fn object(&self, path: &str) -> Result<Option<Object>, Lost> {
        if let Some(known) = self.reads.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(*known);
        }
        let object = look(self.repository, self.tree, path)?;
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), object);
        Ok(object)
    }

    /// The file at a path of the workspace, behind symbolic links.
    pub(super) fn open_at(&self, relative: &str) -> Result<Arc<Source>, Absent> {
        self.read_at(relative).unwrap_or_else(|lost| {
            let absent = Absent::Unreadable(lost.to_string());
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(lost);
            Err(absent)
        })
    }

    fn read_at(&self, relative: &str) -> Result<Result<Arc<Source>, Absent>, Lost> {
        let mut path = self.repository.path(relative);
        for _ in 0..MAX_LINKS {
            let Some((at, object)) = self.first_that_is_no_folder(&path)? else { return Ok(Err(Absent::NotThere)) };
            let rest = path.get(at.len()..).unwrap_or_default().trim_start_matches('/').to_owned();
            match object.kind {
                Form::Folder => return Ok(Err(Absent::Folder)),
                Form::File if rest.is_empty() => return self.source(relative, object.id),
                Form::File => return Ok(Err(Absent::NotThere)),
                Form::Submodule => return Ok(Err(Absent::Unreadable("it lies in a submodule".to_owned()))),
                Form::Link => {
                    let Some(target) = self.repository.blob(&object.id, MAX_LINK)? else { break };
                    let folder = at.rsplit_once('/').map_or("", |(folder, _)| folder);
                    let target = String::from_utf8_lossy(&target).into_owned();
                    let Some(next) = join(folder, &format!("{target}/{rest}")) else { break };
                    path = next;
                }
            }
            if self.repository.relative(&path).is_none() {
                break;
            }
        }
        Ok(Err(Absent::Unreadable("it leads out of the repository, or nowhere".to_owned())))
    }

    /// The first part of a path that is no folder, or the folder at its end.
    fn first_that_is_no_folder(&self, path: &str) -> Result<Option<(String, Object)>, Lost> {
        if let Some(object) = self.object(path)? {
            return Ok(Some((path.to_owned(), object)));
        }
        for (at, _) in path.match_indices('/') {
            let Some(part) = path.get(..at).filter(|part| !part.is_empty()) else { continue };
            match look(self.repository, self.tree, part)? {
                Some(object) if object.kind == Form::Folder => {}
                Some(_) => return Ok(self.object(part)?.map(|object| (part.to_owned(), object))),
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    fn source(&self, relative: &str, id: ObjectId) -> Result<Result<Arc<Source>, Absent>, Lost> {
        let Some(bytes) = self.repository.blob(&id, MAX_BYTES)? else {
            return Ok(Err(Absent::Unreadable(format!("it has more than {MAX_BYTES} bytes"))));
        };
        let source = Source::from_bytes(relative, relative, bytes);
        Ok(source.map_err(|error| Absent::Unreadable(error.to_string())))
    }

    /// The paths of all files below a folder of the workspace, sorted, without those in hidden folders, as a walk over
    /// the files on disk meets them; none where there are too many.
    pub(super) fn files_below(&self, folder: &str) -> Result<Option<Vec<String>>, Lost> {
        let mut files = Vec::new();
        let top = self.object(self.repository.path(folder).trim_end_matches('/'))?;
        if let Some(Object { id, kind: Form::Folder }) = top {
            self.list(folder, id, &mut files)?;
        }
        files.sort();
        Ok((files.len() <= MAX_FILES).then_some(files))
    }

    fn list(&self, folder: &str, tree: ObjectId, files: &mut Vec<String>) -> Result<(), Lost> {
        if files.len() > MAX_FILES {
            return Ok(());
        }
        let mut folders = Vec::new();
        self.repository.entries(&tree, &mut Vec::new(), |name, object| {
            let name = String::from_utf8_lossy(name);
            let path = if folder.is_empty() { name.clone().into_owned() } else { format!("{folder}/{name}") };
            match object.kind {
                Form::Folder if !name.starts_with('.') || name == ".github" => folders.push((path, object.id)),
                Form::File | Form::Link => files.push(path),
                Form::Folder | Form::Submodule => {}
            }
            files.len() <= MAX_FILES
        })?;
        folders.iter().try_for_each(|(path, id)| self.list(path, *id, files))
    }
}

/// The longest target of a symbolic link, in bytes.
const MAX_LINK: u64 = 4096;

/// What stands at a path below a tree.
pub(super) fn look(repository: &Repository, tree: ObjectId, path: &str) -> Result<Option<Object>, Lost> {
    BUFFER.with_borrow_mut(|buffer| {
        let mut object = Object { id: tree, kind: Form::Folder };
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if object.kind != Form::Folder {
                return Ok(None);
            }
            match repository.entry(&object.id, part.as_bytes(), buffer)? {
                Some(next) => object = next,
                None => return Ok(None),
            }
        }
        Ok(Some(object))
    })
}

/// A path from a folder, without `.` and `..`; none where it leads out or begins at the root of the machine.
fn join(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

impl Beside for Past<'_> {
    fn open(&self, from: &Source, path: &str) -> Result<Arc<Source>, Absent> {
        let folder = from.relative().rsplit_once('/').map_or("", |(folder, _)| folder);
        match join(folder, path) {
            Some(wanted) => self.open_at(&wanted),
            None => Err(Absent::Unreadable("it lies outside of the repository".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leads_out() {
        assert_eq!(join("a/b", "../c.yml").as_deref(), Some("a/c.yml"));
        assert_eq!(join("", "./x//y").as_deref(), Some("x/y"));
        assert_eq!(join("a", "../.."), None);
        assert_eq!(join("a", "/etc/passwd"), None);
    }
}

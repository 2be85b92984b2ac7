//! The files in the base: each must still hold what was read, and keeps its mode.

use std::collections::HashMap;

use super::error::{ProposeError, Step};
use super::{File, Place};
use crate::github::git_data::{Entry, Written, blob_id};

/// Whether the blob of this name holds the text.
pub(super) fn is_blob(text: &str, id: &str) -> bool {
    blob_id(text.as_bytes(), id).as_deref() == Some(id)
}

pub(super) fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// A file that the base does not have; names are as long as `like`.
fn new<'f>(file: &'f File, like: &str) -> Written<'f> {
    let id = blob_id(file.after.as_bytes(), like).unwrap_or_default();
    Written { path: &file.path, mode: "100644".to_owned(), text: file.after.clone(), id }
}

/// The folders of the base that were looked into.
pub(super) struct Folders<'a> {
    place: &'a Place<'a>,
    root: String,
    known: HashMap<String, Vec<Entry>>,
}

impl<'a> Folders<'a> {
    pub(super) fn new(place: &'a Place<'a>, root: &str) -> Self {
        Self { place, root: root.to_owned(), known: HashMap::new() }
    }

    /// What is to be written for a file, if the base still holds what was read.
    pub(super) fn written<'f>(&mut self, file: &'f File) -> Result<Written<'f>, ProposeError> {
        let base = self.place.base.clone();
        let not_a_file = |what| ProposeError::NotAFile { path: file.path.clone(), base: base.clone(), what };
        let mut tree = self.root.clone();
        let mut parts = file.path.split('/').peekable();
        let entry = loop {
            let part = parts.next().unwrap_or_default();
            let entries = self.folder(&tree)?;
            let entry = entries.iter().find(|entry| entry.name == part);
            let Some(entry) = entry.cloned() else {
                return if file.before.is_empty() { Ok(new(file, &tree)) } else { Err(not_a_file("is not there")) };
            };
            match (entry.mode.as_str(), parts.peek().is_some()) {
                ("040000", true) => tree = entry.id,
                ("100644" | "100755", false) => break entry,
                ("160000", _) => return Err(not_a_file("lies in a submodule")),
                ("120000", _) => return Err(not_a_file("is or lies behind a symbolic link")),
                _ => return Err(not_a_file("is no file")),
            }
        };
        let text = if is_blob(&file.before, &entry.id) {
            file.after.clone()
        } else if is_blob(&unix_lines(&file.before), &entry.id) {
            // The checkout gave the file other line ends than it has in the repository (`eol=crlf`).
            unix_lines(&file.after)
        } else {
            return Err(ProposeError::Moved { path: file.path.clone(), base });
        };
        let id = blob_id(text.as_bytes(), &entry.id).unwrap_or_default();
        Ok(Written { path: &file.path, mode: entry.mode, text, id })
    }

    fn folder(&mut self, tree: &str) -> Result<&[Entry], ProposeError> {
        if !self.known.contains_key(tree) {
            let entries = self.place.git.folder(tree).map_err(|error| self.place.failed(Step::Read, &error))?;
            self.known.insert(tree.to_owned(), entries);
        }
        Ok(self.known.get(tree).map(Vec::as_slice).unwrap_or_default())
    }
}

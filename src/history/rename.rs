//! What a file was called before: a file of the same or of a similar text that is gone where this one appears.
//!
//! The measure is that of git's own `-M`: more than half of the text is the same, counted by lines.

use std::collections::HashMap;

use gix::ObjectId;

use super::repository::{Form, Lost, Object, Repository};

/// How many files of one commit are looked at.
const MAX_GONE: usize = 20_000;
/// How many texts are compared.
const MAX_COMPARED: usize = 200;
/// The largest text that is compared, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// How much of the text must be the same, in hundredths.
const SIMILAR: usize = 50;

/// The renames of one commit.
#[derive(Default)]
pub(super) struct Renames {
    of: Option<(ObjectId, ObjectId)>,
    /// The files that the commit removed; none where there are too many.
    gone: Option<Vec<(String, ObjectId)>>,
}

impl Renames {
    /// The former path of a file that the commit between two states made; an error says why it cannot be told.
    pub(super) fn find(
        &mut self,
        repository: &Repository,
        newer: ObjectId,
        older: ObjectId,
        path: &str,
        id: ObjectId,
    ) -> Result<Result<Option<String>, String>, Lost> {
        if self.of != Some((newer, older)) {
            let mut gone = Some(Vec::new());
            collect(repository, "", Some(newer), older, &mut gone)?;
            self.of = Some((newer, older));
            self.gone = gone;
        }
        let Some(gone) = &self.gone else {
            return Ok(Err(format!(
                "what `{path}` was called before cannot be told: the commit that made it removed more than {MAX_GONE} \
                 files"
            )));
        };
        Ok(Ok(best(repository, gone, path, id)?))
    }
}

/// Adds the files that `older` has and `newer` has not.
fn collect(
    repository: &Repository,
    folder: &str,
    newer: Option<ObjectId>,
    older: ObjectId,
    gone: &mut Option<Vec<(String, ObjectId)>>,
) -> Result<(), Lost> {
    let mut now: HashMap<Vec<u8>, Object> = HashMap::new();
    if let Some(newer) = newer {
        repository.entries(&newer, &mut Vec::new(), |name, object| {
            now.insert(name.to_vec(), object);
            true
        })?;
    }
    let mut before = Vec::new();
    repository.entries(&older, &mut Vec::new(), |name, object| {
        if now.get(name) != Some(&object) {
            before.push((name.to_vec(), object));
        }
        true
    })?;
    for (name, object) in before {
        let path = format!("{folder}{}", String::from_utf8_lossy(&name));
        let is_folder = |object: &&Object| object.kind == Form::Folder;
        let same = now.get(&name);
        match object.kind {
            Form::Folder => {
                let newer = same.filter(is_folder).map(|object| object.id);
                collect(repository, &(path + "/"), newer, object.id, gone)?;
            }
            Form::File if same.is_none_or(|object| object.kind == Form::Folder) => {
                let Some(list) = gone else { return Ok(()) };
                list.push((path, object.id));
                if list.len() > MAX_GONE {
                    *gone = None;
                }
            }
            Form::File | Form::Link | Form::Submodule => {}
        }
        if gone.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

/// The file that became the one at `path`: the same text first, then the most similar; of several the one of the same
/// name, then the first.
fn best(
    repository: &Repository,
    gone: &[(String, ObjectId)],
    path: &str,
    id: ObjectId,
) -> Result<Option<String>, Lost> {
    let rank = |former: &str| (name(former) != name(path), ending(former) != ending(path));
    let mut candidates: Vec<_> = gone.iter().collect();
    candidates.sort_by_key(|(former, _)| (rank(former), former.as_str()));
    if let Some((former, _)) = candidates.iter().find(|(_, other)| *other == id) {
        return Ok(Some(former.clone()));
    }
    let Some(text) = repository.blob(&id, MAX_BYTES)? else { return Ok(None) };
    let mut found: Option<(usize, &String)> = None;
    for (former, other) in candidates.into_iter().take(MAX_COMPARED) {
        let Some(other) = repository.blob(other, MAX_BYTES)? else { continue };
        let score = similarity(&text, &other);
        if score >= SIMILAR && found.is_none_or(|(best, _)| score > best) {
            found = Some((score, former));
        }
    }
    Ok(found.map(|(_, former)| former.clone()))
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn ending(path: &str) -> Option<&str> {
    name(path).rsplit_once('.').map(|(_, ending)| ending)
}

/// How much of the larger text stands in the other, too, in hundredths.
fn similarity(a: &[u8], b: &[u8]) -> usize {
    let larger = a.len().max(b.len());
    // What is twice as long cannot be the same by half.
    if larger == 0 || a.len().min(b.len()) * 100 < larger * SIMILAR {
        return 0;
    }
    let mut lines: HashMap<&[u8], usize> = HashMap::new();
    for line in a.split_inclusive(|byte| *byte == b'\n') {
        *lines.entry(line).or_default() += 1;
    }
    let mut same = 0;
    for line in b.split_inclusive(|byte| *byte == b'\n') {
        if let Some(count) = lines.get_mut(line).filter(|count| **count > 0) {
            *count -= 1;
            same += line.len();
        }
    }
    same * 100 / larger
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_is_what_has_half_of_its_lines_in_common() {
        assert_eq!(similarity(b"a\nb\nc\nd\n", b"a\nb\nc\nd\n"), 100);
        assert_eq!(similarity(b"a\nb\nc\nd\n", b"a\nb\nx\ny\n"), 50);
        assert_eq!(similarity(b"a\na\n", b"a\nb\n"), 50);
        assert_eq!(similarity(b"a\n", b"a\nb\nc\nd\n"), 0);
        assert_eq!(similarity(b"", b""), 0);
    }
}

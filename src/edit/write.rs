//! The door through which files are changed: all of them or none, each of them whole at every moment.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::unregister;
use tempfile::NamedTempFile;

/// One file to be written.
#[derive(Debug)]
pub struct Rewrite {
    /// Absolute. A symbolic link stays one: the file behind it is written.
    pub path: PathBuf,
    /// What was read. The file must still hold it; where it is empty, there may be no file yet.
    pub before: String,
    pub after: String,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("{path} has changed since it was read; nothing was written, run again")]
    Moved { path: String },
    #[error("cannot write {path}: {error}; nothing was written")]
    Failed { path: String, error: io::Error },
    #[error("interrupted; nothing was written")]
    Interrupted,
    /// A file could not be written, and one that was could not be given back its old text.
    #[error("cannot write {path}: {error}; {} written before it and could not be returned: `git checkout` gives the old text", .kept.join(", "))]
    Torn { path: String, error: io::Error, kept: Vec<String> },
}

/// A new text beside its file, ready to take its place.
struct Staged<'a> {
    rewrite: &'a Rewrite,
    /// Behind symbolic links.
    target: PathBuf,
    file: NamedTempFile,
}

/// Writes all files or none.
///
/// Every new text is first written and flushed to a file beside its target, with the target's mode and, where that is
/// allowed, its owner; then each takes its target's place in one step. Should one of these steps fail, those before it
/// are taken back.
///
/// Ctrl-C and a polite kill are heeded until the first file is about to be replaced, and from there on only when all
/// are: either nothing is written or everything.
pub fn all_or_none(files: &[Rewrite]) -> Result<(), WriteError> {
    let stop = Arc::new(AtomicBool::new(false));
    let heed = |signal| flag::register(signal, Arc::clone(&stop));
    let heeded: Vec<_> = [SIGINT, SIGTERM].into_iter().filter_map(|signal| heed(signal).ok()).collect();
    let written = unless(&stop, files);
    for id in heeded {
        unregister(id);
    }
    written
}

/// Writes all files, or none if `stop` is set before the first is replaced.
fn unless(stop: &AtomicBool, files: &[Rewrite]) -> Result<(), WriteError> {
    let go_on = || if stop.load(Ordering::Relaxed) { Err(WriteError::Interrupted) } else { Ok(()) };
    let staged: Vec<_> = files.iter().map(|file| go_on().and_then(|()| stage(file))).collect::<Result<_, _>>()?;
    go_on()?;
    let mut done: Vec<&Rewrite> = Vec::new();
    for Staged { rewrite, target, file } in staged {
        if let Err(error) = file.persist(&target) {
            let path = rewrite.path.display().to_string();
            return Err(take_back(&done, path, error.error));
        }
        done.push(rewrite);
    }
    Ok(())
}

fn stage(rewrite: &Rewrite) -> Result<Staged<'_>, WriteError> {
    let failed = |error| WriteError::Failed { path: rewrite.path.display().to_string(), error };
    if rewrite.before.is_empty() && rewrite.path.symlink_metadata().is_err() {
        let file = beside(&rewrite.path, &rewrite.after).map_err(failed)?;
        return Ok(Staged { rewrite, target: rewrite.path.clone(), file });
    }
    let target = rewrite.path.canonicalize().map_err(failed)?;
    let mut now = Vec::with_capacity(rewrite.before.len());
    File::open(&target).and_then(|mut file| file.read_to_end(&mut now)).map_err(failed)?;
    if now != rewrite.before.as_bytes() {
        return Err(WriteError::Moved { path: rewrite.path.display().to_string() });
    }
    let file = beside(&target, &rewrite.after).map_err(failed)?;
    Ok(Staged { rewrite, target, file })
}

/// Gives one file a new text in one step; makes it where it is not there.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = if path.exists() { path.canonicalize()? } else { path.to_owned() };
    beside(&target, text)?.persist(&target).map_err(|error| error.error).map(|_| ())
}

/// The text in a new file beside `target`, with its mode and owner where it is there.
fn beside(target: &Path, text: &str) -> io::Result<NamedTempFile> {
    let folder = match target.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => Path::new("/"),
    };
    let mut file = tempfile::Builder::new().prefix(".digest-gate-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    let Ok(metadata) = target.metadata() else { return readable(file) };
    file.as_file().set_permissions(metadata.permissions())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        // Only the superuser may give files away, and only then does the new file have another owner that matters.
        let _ = fchown(file.as_file(), Some(metadata.uid()), Some(metadata.gid()));
    }
    file.as_file().sync_all()?;
    Ok(file)
}

/// A file that is new: temporary ones are for their owner alone.
fn readable(file: NamedTempFile) -> io::Result<NamedTempFile> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.as_file().sync_all()?;
    Ok(file)
}

fn take_back(done: &[&Rewrite], path: String, error: io::Error) -> WriteError {
    let give_back = |rewrite: &&Rewrite| {
        if rewrite.before.is_empty() {
            return std::fs::remove_file(&rewrite.path);
        }
        let target = rewrite.path.canonicalize()?;
        beside(&target, &rewrite.before)?.persist(&target).map_err(|error| error.error).map(|_| ())
    };
    let kept: Vec<_> = done.iter().filter(|rewrite| give_back(rewrite).is_err()).collect();
    if kept.is_empty() {
        return WriteError::Failed { path, error };
    }
    WriteError::Torn { path, error, kept: kept.iter().map(|rewrite| rewrite.path.display().to_string()).collect() }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests look at the files")]
mod tests {
    use std::fs;

    use super::*;

    fn rewrite(path: &Path, before: &str, after: &str) -> Rewrite {
        Rewrite { path: path.to_owned(), before: before.to_owned(), after: after.to_owned() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_that_moved_or_is_gone_leaves_all_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, "old").unwrap();
        fs::write(&b, "other").unwrap();
        let moved = all_or_none(&[rewrite(&a, "old", "new"), rewrite(&b, "old", "new")]).unwrap_err();
        assert!(matches!(moved, WriteError::Moved { .. }), "{moved}");
        fs::remove_file(&b).unwrap();
        let gone = all_or_none(&[rewrite(&a, "old", "new"), rewrite(&b, "old", "new")]).unwrap_err();
        assert!(matches!(gone, WriteError::Failed { .. }), "{gone}");
        assert_eq!(fs::read_to_string(&a).unwrap(), "old");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn an_interrupt_before_the_first_file_is_replaced_leaves_all_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let a = folder.path().join("a");
        fs::write(&a, "old").unwrap();
        let files = [rewrite(&a, "old", "new")];
        let stopped = unless(&AtomicBool::new(true), &files).unwrap_err();
        assert!(matches!(stopped, WriteError::Interrupted), "{stopped}");
        assert_eq!((fs::read_to_string(&a).unwrap().as_str(), names(folder.path())), ("old", vec!["a".to_owned()]));
        unless(&AtomicBool::new(false), &files).unwrap();
        assert_eq!(fs::read_to_string(&a).unwrap(), "new");
    }

    #[test]
    fn a_file_that_is_not_there_yet_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.json");
        replace(&path, "1").unwrap();
        replace(&path, "2").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "2");
        assert_eq!(names(folder.path()), ["new.json"]);
        assert!(replace(&folder.path().join("none/new.json"), "1").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn modes_and_links_are_kept() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real", &link).unwrap();
        all_or_none(&[rewrite(&link, "old", "new")]).unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(names(folder.path()), ["link", "real"]);
    }

    #[test]
    fn when_one_cannot_take_its_place_the_others_are_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let a = folder.path().join("a");
        fs::write(&a, "new").unwrap();
        let done = rewrite(&a, "old", "new");
        let error = take_back(&[&done], "b".to_owned(), io::Error::other("full"));
        assert_eq!(error.to_string(), "cannot write b: full; nothing was written");
        assert_eq!(fs::read_to_string(&a).unwrap(), "old");
        let gone = rewrite(&folder.path().join("none"), "old", "new");
        let error = take_back(&[&gone], "b".to_owned(), io::Error::other("full"));
        assert!(matches!(error, WriteError::Torn { .. }), "{error}");
    }
}

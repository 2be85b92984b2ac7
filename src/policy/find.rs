//! Where the configuration is: looked for upwards to the root of the repository, and read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::MAX_CONFIGURATION;
use crate::source::{NotText, Source};

/// The names of the configuration, relative to its root.
pub const NAMES: [&str; 4] =
    ["digest-gate.yml", "digest-gate.yaml", ".github/digest-gate.yml", ".github/digest-gate.yaml"];

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The folder to which patterns are relative: that of the configuration; without one the folder with `.git`;
    /// without that the folder from which was looked. Without symbolic links in it.
    pub root: PathBuf,
    /// The configuration, below `root`; none where there is none.
    pub file: Option<PathBuf>,
}

/// Why there is no configuration to read.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error("there are two configurations, `{}` and `{}`: remove one of them", .0.display(), .1.display())]
    Two(PathBuf, PathBuf),
    #[error(
        "`{}` is a symbolic link to outside of the repository: put the configuration itself there, or name it with \
         `--config`",
        .0.display()
    )]
    Outside(PathBuf),
    #[error("there are two files of holds, `{}` and `{}`: put all holds into one of them", .0.display(), .1.display())]
    TwoHolds(PathBuf, PathBuf),
    #[error("`{}` is a symbolic link: put the file of holds itself there", .0.display())]
    Linked(PathBuf),
    #[error("`{}` is not a file: a configuration is one", .0.display())]
    NotAFile(PathBuf),
    #[error("`{}` has more than {MAX_CONFIGURATION} bytes: name manifests by globs instead of one by one", .0.display())]
    TooLarge(PathBuf),
    #[error("`{}`: {}: save it as UTF-8", .0.display(), .1)]
    NotText(PathBuf, NotText),
    #[error("cannot read `{}`: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
}

/// Looks for the configuration in the folder `from` and upwards to the folder with `.git`. Where no folder above has
/// one, only in `from`: what lies above a repository is none of its business.
///
/// # Errors
/// There are two in one folder, or the one there is cannot be taken.
pub fn find(from: &Path) -> Result<Location, FindError> {
    let from = fs::canonicalize(from).map_err(|error| FindError::Io(from.to_owned(), error))?;
    let top = &top_of(&from);
    for folder in from.ancestors().take_while(|folder| folder.starts_with(top)) {
        if let Some(file) = find_in(folder, top)? {
            return Ok(Location { root: folder.to_owned(), file: Some(file) });
        }
    }
    Ok(Location { root: top.to_owned(), file: None })
}

/// The location of a configuration that is named (`--config`) instead of looked for: its patterns are relative to the
/// repository of the folder `from`.
///
/// # Errors
/// There is no folder `from`.
pub fn named(from: &Path, file: &Path) -> Result<Location, FindError> {
    let from = fs::canonicalize(from).map_err(|error| FindError::Io(from.to_owned(), error))?;
    Ok(Location { root: top_of(&from), file: Some(from.join(file)) })
}

/// Whether a file lies in the repository of the folder `root`, and in no other one inside of it.
///
/// # Errors
/// The file, or the folder, is not there.
pub fn is_of_repository(file: &Path, root: &Path) -> Result<bool, FindError> {
    let real = |path: &Path| fs::canonicalize(path).map_err(|error| FindError::Io(path.to_owned(), error));
    let (file, root) = (real(file)?, real(root)?);
    let folder = file.parent().unwrap_or(&root);
    Ok(file.starts_with(&root) && top_of(folder) == top_of(&root) || folder == root)
}

/// The folder with `.git` at or above `from`; `from` itself where there is none.
#[must_use]
pub fn top_of(from: &Path) -> PathBuf {
    let repository = from.ancestors().find(|folder| fs::symlink_metadata(folder.join(".git")).is_ok());
    repository.unwrap_or(from).to_owned()
}

fn find_in(folder: &Path, top: &Path) -> Result<Option<PathBuf>, FindError> {
    let mut found: Option<PathBuf> = None;
    for name in NAMES {
        let path = folder.join(name);
        match fs::symlink_metadata(&path) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(FindError::Io(path, error)),
        }
        if let Some(first) = found {
            return Err(FindError::Two(first, path));
        }
        found = Some(path);
    }
    if let Some(path) = &found {
        let target = fs::canonicalize(path).map_err(|error| FindError::Io(path.clone(), error))?;
        if !target.starts_with(top) {
            return Err(FindError::Outside(path.clone()));
        }
    }
    Ok(found)
}

/// The names of the file of holds, relative to the root.
const HOLDS: [&str; 2] = ["digest-gate-holds.yml", ".github/digest-gate-holds.yml"];

/// The file of holds, from the root: the one that is there, or where it shall be made: beside the configuration.
///
/// # Errors
/// There are two, or it is a link: what a pull request can point elsewhere is not written to.
pub fn holds(root: &Path) -> Result<(&'static str, bool), FindError> {
    let is_there = |name: &str| fs::symlink_metadata(root.join(name)).is_ok();
    let there: Vec<_> = HOLDS.into_iter().filter(|name| is_there(name)).collect();
    match there.as_slice() {
        [] => {
            let [top, hidden] = HOLDS;
            let beside = NAMES.into_iter().find(|name| is_there(name));
            Ok((if beside.is_some_and(|name| name.starts_with(".github/")) { hidden } else { top }, false))
        }
        [name] if fs::symlink_metadata(root.join(name)).is_ok_and(|it| it.is_symlink()) => {
            Err(FindError::Linked(root.join(name)))
        }
        [name] => Ok((name, true)),
        [first, second, ..] => Err(FindError::TwoHolds(root.join(first), root.join(second))),
    }
}

/// Reads a configuration; `shown` is the path that errors and reports give.
///
/// # Errors
/// It is no file, too large, not UTF-8, or cannot be read.
pub fn read(path: &Path, shown: &str) -> Result<Arc<Source>, FindError> {
    let failed = |error| FindError::Io(path.to_owned(), error);
    // Asked before opening: opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(FindError::NotAFile(path.to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(MAX_CONFIGURATION + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_CONFIGURATION {
        return Err(FindError::TooLarge(path.to_owned()));
    }
    Source::from_bytes(shown, shown, bytes).map_err(|error| FindError::NotText(path.to_owned(), error))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write the files they look for")]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("repo/.git")).unwrap();
        fs::create_dir_all(root.join("repo/.github")).unwrap();
        fs::create_dir_all(root.join("repo/a/b")).unwrap();
        (folder, root.join("repo"))
    }

    fn located(root: &Path, file: Option<&str>) -> Location {
        Location { root: root.to_owned(), file: file.map(|file| root.join(file)) }
    }

    #[test]
    fn it_is_looked_for_up_to_the_root_of_the_repository() {
        let (_folder, repo) = folder();
        fs::write(repo.join("../digest-gate.yml"), "version: 1").unwrap();
        assert_eq!(find(&repo.join("a/b")).unwrap(), located(&repo, None));
        fs::write(repo.join(".github/digest-gate.yml"), "version: 1").unwrap();
        assert_eq!(find(&repo.join("a/b")).unwrap(), located(&repo, Some(".github/digest-gate.yml")));
        fs::write(repo.join("a/digest-gate.yaml"), "version: 1").unwrap();
        assert_eq!(find(&repo.join("a/b")).unwrap(), located(&repo.join("a"), Some("digest-gate.yaml")));
    }

    #[test]
    fn without_a_repository_only_the_folder_itself_counts() {
        let (_folder, repo) = folder();
        fs::remove_dir(repo.join(".git")).unwrap();
        fs::write(repo.join("digest-gate.yml"), "version: 1").unwrap();
        assert_eq!(find(&repo.join("a")).unwrap(), located(&repo.join("a"), None));
        assert_eq!(find(&repo).unwrap(), located(&repo, Some("digest-gate.yml")));
    }

    #[test]
    fn two_configurations_are_an_error() {
        let (_folder, repo) = folder();
        fs::write(repo.join("digest-gate.yml"), "version: 1").unwrap();
        fs::write(repo.join(".github/digest-gate.yaml"), "version: 1").unwrap();
        assert!(matches!(find(&repo), Err(FindError::Two(..))));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_repository_is_refused() {
        let (_folder, repo) = folder();
        let link = repo.join("digest-gate.yml");
        fs::write(repo.join("../other.yml"), "version: 1").unwrap();
        std::os::unix::fs::symlink("../other.yml", &link).unwrap();
        assert!(matches!(find(&repo), Err(FindError::Outside(_))));
        fs::remove_file(&link).unwrap();
        fs::write(repo.join("a/other.yml"), "version: 1").unwrap();
        std::os::unix::fs::symlink("a/other.yml", &link).unwrap();
        assert_eq!(find(&repo).unwrap(), located(&repo, Some("digest-gate.yml")));
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(matches!(find(&repo), Err(FindError::Io(..))), "a broken link is no missing configuration");
    }

    #[test]
    fn what_is_no_text_file_is_refused() {
        let (_folder, repo) = folder();
        let path = repo.join("digest-gate.yml");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(read(&path, "x"), Err(FindError::NotText(..))));
        fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
        assert!(matches!(read(&path, "x"), Err(FindError::TooLarge(_))));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(read(&path, "x"), Err(FindError::NotAFile(_))));
    }
}

//! `init`: writes a configuration and workflows for what is found in the repository.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};

use crate::cli::{CLEAN, all_threads};
use crate::init::{Planned, Seen, plan};
use crate::manifest::{self, Found};
use crate::policy::{Policy, find};
use crate::source::Source;
use crate::walk::{Met, Neighbours, Workspace};
use crate::yaml::Tree;

/// Writes the files, all or none, or prints what they would be.
pub(crate) fn run(print: bool) -> anyhow::Result<u8> {
    let current = std::env::current_dir().context("cannot tell the current folder")?;
    let location = find::find(&current)?;
    let workspace = Workspace::new(&location.root, &current).context("cannot open the current folder")?;
    let (paths, manifests) = look(&workspace);
    let planned = plan(&Seen { paths: &paths, manifests: &manifests });
    for file in planned.iter().filter(|file| file.path == crate::init::CONFIGURATION) {
        // What is written must be read again, whatever the files of the repository are called.
        Policy::parse(&Source::new(file.path, file.text.as_str())).context("the configuration would be wrong")?;
    }
    if print {
        return super::print(&printed(&planned));
    }
    let root = workspace.root();
    let mut there: Vec<_> = location.file.iter().map(|file| workspace.shown(file)).collect();
    let taken = planned.iter().map(|file| root.join(file.path)).filter(|path| fs::symlink_metadata(path).is_ok());
    there.extend(taken.map(|path| workspace.shown(&path)));
    there.sort();
    there.dedup();
    if !there.is_empty() {
        bail!(
            "nothing was written, for there is already {}: `digest-gate init --print` shows what would be written",
            there.join(", ")
        );
    }
    write(root, &planned)?;
    super::print(&told(&workspace, &planned))?;
    Ok(CLEAN)
}

/// Every file of the repository, and what those hold that may be manifests.
fn look(workspace: &Workspace) -> (BTreeSet<String>, Vec<(Arc<Source>, Found)>) {
    let all = Mutex::new(Vec::new());
    workspace.walk(&workspace.folders(std::iter::once("")), all_threads(), &|_| true, &|met: Met, error| {
        if error.is_none() {
            all.lock().unwrap_or_else(PoisonError::into_inner).push(met);
        }
    });
    let all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    let neighbours = Neighbours::new(workspace);
    let mut tree = Tree::default();
    let candidates = all.iter().filter(|met| manifest::is_candidate(&met.relative));
    let sources = candidates.filter_map(|met| workspace.read(met).ok());
    let mut manifests: Vec<_> = sources
        .map(|source| {
            let found = manifest::read(&source, &neighbours, &mut tree);
            (source, found)
        })
        .collect();
    manifests.sort_by(|(a, _), (b, _)| a.relative().cmp(b.relative()));
    (all.into_iter().map(|met| met.relative).collect(), manifests)
}

/// Writes all files or none; never over one that is there.
fn write(root: &Path, planned: &[Planned]) -> anyhow::Result<()> {
    let mut written: Vec<PathBuf> = Vec::new();
    for file in planned {
        let path = root.join(file.path);
        if let Err(error) = create(root, &path, &file.text) {
            for path in written {
                // What cannot be removed is one of the files that were asked for.
                let _ = fs::remove_file(path);
            }
            return Err(error.context(format!("cannot write `{}`; nothing was written", file.path)));
        }
        written.push(path);
    }
    Ok(())
}

fn create(root: &Path, path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(root);
    let there = folder.ancestors().find_map(|folder| fs::canonicalize(folder).ok());
    if !there.is_some_and(|there| there.starts_with(root)) {
        bail!("its folder is a symbolic link out of the repository");
    }
    fs::create_dir_all(folder)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes()).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })?;
    Ok(())
}

/// All files one after the other, each below its name.
fn printed(planned: &[Planned]) -> String {
    let mut text = String::new();
    for (index, file) in planned.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{gap}# ---- {} ----\n\n{}", file.path, file.text);
    }
    text
}

/// What was written and why, and what is left to do.
fn told(workspace: &Workspace, planned: &[Planned]) -> String {
    let mut text = String::new();
    for file in planned {
        let path = workspace.shown(&workspace.root().join(file.path));
        let mut lines = file.says.lines();
        let _ = writeln!(text, "wrote {path}: {}", lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    text.push_str(
        "\nnext:\n  digest-gate check    judges what the configuration names: look it through, and mend what is found\n  \
         commit the files, and require the job `digest-gate` in the rules of the branch that is deployed\n  allow \
         workflows to open pull requests (Settings, Actions, General), or give the refresh the token of an app\n  name \
         the action by its commit, as every action, and change `main` in the workflow if your branch has another name\n",
    );
    text
}

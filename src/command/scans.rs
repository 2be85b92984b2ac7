//! Scan reports as the command line and the action name them: files, folders of them, `REPOSITORY@DIGEST=FILE`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ignore::WalkBuilder;

use crate::reference::Reference;
use crate::scan::Scans;
use crate::walk::Workspace;

/// How deep a folder of reports is looked into: artifacts of a workflow lie in a folder each.
const MAX_DEPTH: usize = 4;
/// The most files that a folder of reports may hold.
const MAX_FILES: usize = 10_000;

/// Reads every report that is named; none where none is.
pub(crate) fn read(workspace: &Workspace, named: &[&str]) -> anyhow::Result<Option<Scans>> {
    let mut scans = Scans::default();
    for name in named {
        let (about, path) = split(name);
        let path = Path::new(path);
        let met = workspace.named(path).with_context(|| format!("the scan report `{}`", path.display()))?;
        if !workspace.is_folder(&met) {
            add(workspace, path, about.as_deref(), &mut scans)?;
            continue;
        }
        if about.is_some() {
            bail!("the scan reports in `{}` cannot all be of one image: name the file", path.display());
        }
        for file in reports_below(workspace.path_of(&met))? {
            add(workspace, &file, None, &mut scans)?;
        }
    }
    Ok((!named.is_empty()).then_some(scans))
}

/// The digest that was scanned, where it is said, and the path.
fn split(name: &str) -> (Option<String>, &str) {
    let said = name.split_once('=').and_then(|(image, path)| {
        let digest = Reference::parse(image).ok()?.digest()?.to_owned();
        Some((Some(digest), path))
    });
    said.unwrap_or((None, name))
}

fn add(workspace: &Workspace, path: &Path, about: Option<&str>, scans: &mut Scans) -> anyhow::Result<()> {
    let shown = || format!("the scan report `{}`", path.display());
    let source = workspace.read(&workspace.named(path).with_context(shown)?).with_context(shown)?;
    Ok(scans.read(&source, about)?)
}

/// The files below a folder whose names say JSON or SARIF, sorted.
fn reports_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let is_report = |path: &Path| path.extension().is_some_and(|ending| ending == "json" || ending == "sarif");
    let mut files = Vec::new();
    let mut walk = WalkBuilder::new(folder);
    walk.standard_filters(false).follow_links(false).max_depth(Some(MAX_DEPTH));
    for entry in walk.build() {
        let entry = entry.with_context(|| format!("cannot list the scan reports in `{}`", folder.display()))?;
        if entry.file_type().is_some_and(|kind| kind.is_file()) && is_report(entry.path()) {
            files.push(entry.into_path());
        }
        if files.len() > MAX_FILES {
            bail!("the folder of scan reports `{}` has more than {MAX_FILES} files", folder.display());
        }
    }
    if files.is_empty() {
        bail!("the folder `{}` holds no scan report: no file ends in `.json` or `.sarif`", folder.display());
    }
    files.sort();
    Ok(files)
}

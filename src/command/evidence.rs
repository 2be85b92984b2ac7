//! The bundle of evidence of a run: written whole into a folder of its own, or not at all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::setup::Setup;
use crate::gate::Judged;
use crate::history::Repository;
use crate::report::evidence::{Circumstances, File, files};
use crate::rule::JudgedBy;
use crate::scan::Scans;

/// Writes the evidence of a run into `folder`, which must be new or empty.
pub(crate) fn write(
    folder: &Path,
    setup: &Setup,
    judged: &Judged,
    by: JudgedBy,
    scans: Option<&Scans>,
) -> anyhow::Result<()> {
    let about = Circumstances {
        scans: scans.map(Scans::files).unwrap_or_default(),
        configuration: setup.configuration.iter().map(AsRef::as_ref).collect(),
        commit: commit(setup),
        url: url(),
        date: crate::cli::source_date()?,
    };
    store(folder, &files(judged, &setup.policy, by, &about))
}

/// The commit that is checked out; where git does not tell, the one that the runner says it judges.
fn commit(setup: &Setup) -> Option<String> {
    let head = Repository::open(setup.workspace.root()).ok().and_then(|repository| repository.named("HEAD"));
    head.or_else(|| crate::cli::variables().remove("GITHUB_SHA").filter(|sha| !sha.is_empty()))
}

/// Where the run of a workflow can be looked at.
fn url() -> Option<String> {
    let mut variables = crate::cli::variables();
    let mut variable = |name: &str| variables.remove(name).filter(|value| !value.is_empty());
    let (server, repository, run) =
        (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?, variable("GITHUB_RUN_ID")?);
    Some(format!("{server}/{repository}/actions/runs/{run}"))
}

/// Writes all files beside the folder and lets them take its place in one step.
fn store(folder: &Path, files: &[File]) -> anyhow::Result<()> {
    let shown = folder.display();
    let is_free = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("cannot write the evidence into `{shown}`")),
    };
    if !is_free {
        bail!("`{shown}` holds files already: name a folder for the evidence that is new or empty");
    }
    let written = || -> anyhow::Result<()> {
        let target = std::path::absolute(folder)?;
        let parent = target.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
        fs::create_dir_all(&parent)?;
        let beside = tempfile::Builder::new().prefix(".digest-gate-").tempdir_in(&parent)?;
        // The folder for temporary files is for its owner alone: what is inside of it has the usual mode.
        let draft = beside.path().join("evidence");
        fs::create_dir(&draft)?;
        for file in files {
            let mut out = fs::File::create_new(draft.join(file.name))?;
            out.write_all(file.text.as_bytes())?;
            out.sync_all()?;
        }
        Ok(fs::rename(&draft, &target)?)
    };
    written().with_context(|| format!("cannot write the evidence into `{shown}`; nothing was written"))
}

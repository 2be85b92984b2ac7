//! `--commit-message`: the message of a commit that moves digests.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

use anyhow::{Context, bail};

use super::setup::{Asked, Setup};
use crate::commit::{self, Commit};
use crate::gate::{self, Judged};
use crate::history::{self, Repository};
use crate::rule::JudgedBy;

/// The longest message that is read, in bytes: with the diff that git may put below it.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a message from a file, or from standard input where it is `-`.
pub(crate) fn read(file: &Path) -> anyhow::Result<String> {
    let name = file.display().to_string();
    let failed = || format!("cannot read the commit message `{name}`");
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        stdin().take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(failed)?;
    } else {
        File::open(file).and_then(|it| it.take(MAX_BYTES + 1).read_to_end(&mut bytes)).with_context(failed)?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        bail!("the commit message `{name}` has more than {MAX_BYTES} bytes");
    }
    // What is no UTF-8 cannot be a reference.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Judges what is asked for, and the message of a commit.
pub(crate) fn judge(setup: &Setup, asked: &Asked<'_>, message: &str, commit: Commit) -> anyhow::Result<Judged> {
    let request = setup.request(&setup.workspace, asked.targets());
    let mut collected = gate::collect(&request)?;
    let repository = Repository::open(setup.workspace.root()).context("what the commit moves is not known")?;
    let histories = history::of(&repository, &collected.images, commit.depth())?;
    if let Some(why) = histories.end.unanswered() {
        bail!("what the commit moves is not known: {}: {}", why.reason, why.help);
    }
    collected.notices.extend(histories.open.iter().cloned());
    collected.findings.extend(commit::judge(message, commit, &collected.images, &histories, &setup.policy));
    Ok(gate::conclude(collected, &request, JudgedBy::Check))
}

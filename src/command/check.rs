//! `check`: judge.

use std::path::Path;

use anyhow::bail;

use super::message;
use super::setup::Setup;
use crate::cli::{CLEAN, Common, FINDINGS, Input, Message};
use crate::commit::Commit;
use crate::finding::Report;
use crate::gate::Judged;
use crate::report;
use crate::rule::JudgedBy;

/// Judges what is asked for, and the message of a commit where there is one, and prints the outcome.
pub(crate) fn run(input: &Input, common: &Common, message: &Message, evidence: Option<&Path>) -> anyhow::Result<u8> {
    let setup = Setup::new(common, evidence.is_some() || message.commit_message.is_some())?;
    let judged = match &message.commit_message {
        Some(file) => judge_with(&setup, input, file, message.committed)?,
        None => setup.judge(input)?,
    };
    let status = show(&judged.report, common)?;
    if let Some(folder) = evidence {
        super::evidence::write(folder, &setup, &judged, JudgedBy::Check, None)?;
    }
    Ok(status)
}

/// Judges what is asked for, and the message of a commit.
fn judge_with(setup: &Setup, input: &Input, file: &Path, committed: bool) -> anyhow::Result<Judged> {
    let is_stdin = |path: &Path| path == Path::new("-");
    if is_stdin(file) && input.paths.iter().any(|path| is_stdin(path)) {
        bail!("standard input cannot be a manifest and the commit message at once: name a file for one of them");
    }
    let commit = if committed { Commit::Newest } else { Commit::Coming };
    message::judge(setup, &setup.asked(input)?, &message::read(file)?, commit)
}

/// Prints an outcome and tells how it ended.
pub(crate) fn show(report: &Report, common: &Common) -> anyhow::Result<u8> {
    let status = if report.fails() { FINDINGS } else { CLEAN };
    if status == CLEAN && common.quiet && common.output.is_none() {
        return Ok(status);
    }
    let Some(check) = report::find(&common.format).and_then(|format| format.check) else {
        let known: Vec<_> = report::FORMATS.iter().filter(|it| it.check.is_some()).map(|it| it.name).collect();
        bail!("findings have no format `{}`: use {}", common.format, known.join(" or "));
    };
    super::emit(&check(report, &common.style()), common.output.as_deref())?;
    Ok(status)
}

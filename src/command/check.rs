//! `check`: judge.

use std::path::Path;

use anyhow::bail;

use super::setup::Setup;
use crate::cli::{CLEAN, Common, FINDINGS, Input};
use crate::finding::Report;
use crate::report;
use crate::rule::JudgedBy;

/// Judges what is asked for and prints the outcome.
pub(crate) fn run(input: &Input, common: &Common, evidence: Option<&Path>) -> anyhow::Result<u8> {
    let setup = Setup::new(common, evidence.is_some())?;
    let judged = setup.judge(input)?;
    let status = show(&judged.report, common)?;
    if let Some(folder) = evidence {
        super::evidence::write(folder, &setup, &judged, JudgedBy::Check, None)?;
    }
    Ok(status)
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

//! `check`: judge.

use super::setup::Setup;
use crate::cli::{CLEAN, Common, FINDINGS, Input};
use crate::finding::Report;
use crate::report;

/// Judges what is asked for and prints the outcome.
pub(crate) fn run(input: &Input, common: &Common) -> anyhow::Result<u8> {
    let judged = Setup::new(common, false)?.judge(input)?;
    show(&judged.report, common)
}

/// Prints an outcome and tells how it ended.
pub(crate) fn show(report: &Report, common: &Common) -> anyhow::Result<u8> {
    let status = if report.fails() { FINDINGS } else { CLEAN };
    if status == CLEAN && common.quiet && common.output.is_none() {
        return Ok(status);
    }
    if let Some(format) = report::find(&common.format) {
        super::emit(&(format.check)(report, &common.style()), common.output.as_deref())?;
    }
    Ok(status)
}

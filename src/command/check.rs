//! `check`: judge.

use super::setup::Setup;
use crate::cli::{CLEAN, Common, FINDINGS, Input};
use crate::report;

/// Judges what is asked for and prints the outcome.
pub(crate) fn run(input: &Input, common: &Common) -> anyhow::Result<u8> {
    let judged = Setup::new(common, false)?.judge(input)?;
    let status = if judged.report.fails() { FINDINGS } else { CLEAN };
    if status == CLEAN && common.quiet && common.output.is_none() {
        return Ok(status);
    }
    if let Some(format) = report::find(&common.format) {
        super::emit(&(format.check)(&judged.report, &common.style()), common.output.as_deref())?;
    }
    Ok(status)
}

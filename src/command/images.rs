//! `images`: every image reference with its exact place.

use anyhow::bail;

use super::setup::Setup;
use crate::cli::{CLEAN, Common, FAILED, Input};
use crate::manifest::{LocatedImage, State};
use crate::report::{self, Style};
use crate::rule;

/// Lists the images of what is asked for.
pub(crate) fn run(input: &Input, common: &Common, all: bool) -> anyhow::Result<u8> {
    let format = report::find(&common.format).and_then(|format| format.images);
    let Some(format) = format else {
        let known: Vec<_> = report::FORMATS.iter().filter(|f| f.images.is_some()).map(|f| f.name).collect();
        bail!("`images` has no format `{}`: use {}", common.format, known.join(" or "));
    };
    let judged = Setup::new(common, true)?.judge(input)?;
    // A bill that left out what is not known would look whole.
    let all = all || common.format == "cyclonedx";
    let is_listed = |image: &LocatedImage| all || !image.partial && !matches!(image.state, State::Local | State::Built);
    let images: Vec<_> = judged.images.into_iter().filter(|deployed| is_listed(&deployed.image)).collect();
    let style = Style { date: crate::cli::source_date()?, ..common.style() };
    super::emit(&format(&images, &style), common.output.as_deref())?;
    let mut status = CLEAN;
    for finding in judged.report.findings.iter().filter(|f| f.rule.id == rule::UNREADABLE_MANIFEST.id) {
        let at = finding.place.start();
        super::say("error", &format!("{}:{}:{}: {}", finding.place.source.path(), at.line, at.column, finding.message));
        status = FAILED;
    }
    Ok(status)
}

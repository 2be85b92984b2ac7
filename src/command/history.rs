//! `history`: the digests that each image had, from git.

use anyhow::{Context, anyhow, bail};

use super::setup::Setup;
use super::tell_unread;
use crate::cli::{Common, Input};
use crate::gate::{self, Deployed};
use crate::history::{self, Depth, Repository};
use crate::manifest::State;
use crate::pin::Selection;
use crate::policy::Repositories;
use crate::report::history as report;

/// Prints what the images of what is asked for were.
pub(crate) fn run(input: &Input, common: &Common, images: &[String]) -> anyhow::Result<u8> {
    let show = match common.format.as_str() {
        "human" => report::human,
        "json" => report::json,
        other => bail!("`history` has no format `{other}`: use human or json"),
    };
    let images = images.iter().map(|text| Repositories::new(text).map_err(|wrong| anyhow!(wrong)));
    let images = images.collect::<anyhow::Result<_>>().context("--image")?;
    let selection = Selection { images, ..Selection::default() };
    let setup = Setup::new(common, true)?;
    let asked = setup.asked(input)?;
    let collected = gate::collect(&setup.request(&setup.workspace, asked.targets()))?;
    let status = tell_unread(&collected);
    let everything = selection.is_everything();
    let is_wanted = |deployed: &Deployed| everything || selection.takes(deployed);
    let images: Vec<_> = collected.images.into_iter().filter(is_wanted).collect();
    tell_undecided(&images);
    let repository = Repository::open(setup.workspace.root())?;
    let histories = history::of(&repository, &images, Depth::All)?;
    super::emit(&show(&images, &histories), common.output.as_deref())?;
    if let Some(open) = histories.unanswered() {
        super::say("warning", &format!("{}; {}", open.reason, open.help));
    }
    Ok(status)
}

/// Says which images have no history because nothing decides them.
fn tell_undecided(images: &[Deployed]) {
    for Deployed { image, .. } in images {
        let why = match &image.state {
            State::Unresolved { why } => why.clone(),
            State::Malformed { error, .. } => error.to_string(),
            State::Reference(_) | State::Built | State::Local => continue,
        };
        let at = image.place.start();
        let place = format!("{}:{}:{}", image.place.source.path(), at.line, at.column);
        super::say("warning", &format!("{place}: `{}` has no history: {why}", image.written));
    }
}

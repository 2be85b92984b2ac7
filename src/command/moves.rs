//! `pin` and `refresh`: which digests move, shown as a diff, written with `--write`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::setup::{Asked, Setup};
use crate::cli::{CLEAN, Common, FINDINGS};
use crate::edit::write::{Rewrite, all_or_none};
use crate::edit::{Changed, diff};
use crate::gate::{self, Deployed};
use crate::pin::{Choice, Missed, Moves};
use crate::report::moves as report;
use crate::rule::{self, Level};
use crate::source::Source;

/// Reads again what is asked for as it would be with the changes.
fn read_again(setup: &Setup, asked: &Asked<'_>, changed: &[Changed]) -> anyhow::Result<Vec<Deployed>> {
    let mut drafts = HashMap::new();
    let mut stdin = None;
    for file in changed {
        match (asked.stdin(), setup.workspace.real_path(&file.source)) {
            (Some(source), _) if source.path() == file.source.path() => {
                stdin = Some(Source::new(source.path(), file.text.as_str()));
            }
            (_, path) => {
                let path = path.with_context(|| format!("{} is not there any more", file.source.path()))?;
                drafts.insert(path, file.text.clone());
            }
        }
    }
    let workspace = setup.workspace.with_drafts(drafts);
    let asked = asked.with_stdin(stdin);
    Ok(gate::collect(&setup.request(&workspace, asked.targets()))?.images)
}

/// Settles what was chosen for the images that were collected.
pub(crate) fn settle(
    setup: &Setup,
    asked: &Asked<'_>,
    images: Vec<Deployed>,
    choices: Vec<Choice>,
) -> anyhow::Result<Moves> {
    // One file may be met under several names: by a link, and from the base of two overlays.
    let mut first: HashMap<PathBuf, Arc<Source>> = HashMap::new();
    let all = images.iter().flat_map(|deployed| deployed.image.sources());
    for source in all {
        if let Ok(path) = setup.workspace.real_path(source) {
            first.entry(path).or_insert_with(|| Arc::clone(source));
        }
    }
    let same = |source: &Arc<Source>| {
        let path = setup.workspace.real_path(source).ok();
        Arc::clone(path.and_then(|path| first.get(&path)).unwrap_or(source))
    };
    Moves::settle(images, choices, &same, &|changed| read_again(setup, asked, changed))
}

/// Prints what moves, writes it where asked to, and tells how it ended.
pub(crate) fn finish(
    setup: &Setup,
    asked: &Asked<'_>,
    common: &Common,
    moves: &Moves,
    write: bool,
    grave: impl Fn(&Missed) -> bool,
) -> anyhow::Result<u8> {
    if write {
        self::write(setup, asked, moves)?;
    }
    show(common, moves, if write { Ending::Written } else { Ending::Planned })?;
    Ok(if is_left_undone(moves, grave) { FINDINGS } else { CLEAN })
}

/// What is done with digests that move.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Planned,
    Written,
    Proposed,
}

/// Prints what moves.
pub(crate) fn show(common: &Common, moves: &Moves, ending: Ending) -> anyhow::Result<()> {
    let is_written = ending == Ending::Written;
    match common.format.as_str() {
        "human" => {
            let shown = if is_written { String::new() } else { diff::unified(&moves.changed) };
            super::emit(&shown, common.output.as_deref())?;
            tell(moves, common, ending);
            Ok(())
        }
        "json" => super::emit(&report::json(moves, is_written), common.output.as_deref()),
        "markdown" => super::emit(&report::table(moves), common.output.as_deref()),
        other => bail!("digests that move have no format `{other}`: use human, json or markdown"),
    }
}

fn tell(moves: &Moves, common: &Common, ending: Ending) {
    if !common.quiet {
        super::whisper(&report::lines(moves));
        let verb = match ending {
            Ending::Planned => "would be written",
            Ending::Written => "written",
            Ending::Proposed => "proposed",
        };
        let hint = ending == Ending::Planned && !moves.changed.is_empty();
        let hint = if hint { "; `--write` writes them" } else { "" };
        super::whisper(&format!("{}{hint}\n", report::summary(moves, verb)));
    }
}

/// Whether an image of an enforced environment did not get what was asked for it.
pub(crate) fn is_left_undone(moves: &Moves, grave: impl Fn(&Missed) -> bool) -> bool {
    moves.each().any(|(deployed, choice)| match choice {
        Choice::Missed(missed) => deployed.enforced && grave(missed),
        _ => false,
    })
}

/// What blocks a refresh: what cannot be written; what the rules of `verify` call an error.
pub(crate) fn blocks_refresh(setup: &Setup, missed: &Missed) -> bool {
    let is_error = |id: &str| rule::find(id).is_some_and(|rule| setup.policy.level(rule) == Level::Error);
    match missed {
        Missed::Unchecked(_) => is_error("unchecked"),
        Missed::NotThere(_) => is_error("tag-moved"),
        Missed::NotAnImage(_) | Missed::NoPlace(_) | Missed::Undecided(_) => true,
    }
}

/// Writes all files or none.
pub(crate) fn write(setup: &Setup, asked: &Asked<'_>, moves: &Moves) -> anyhow::Result<()> {
    let rewrite = |file: &Changed| {
        if asked.stdin().is_some_and(|stdin| stdin.path() == file.source.path()) {
            bail!("standard input cannot be written: leave `--write` away, and apply the diff that is printed");
        }
        let path = if file.is_new() {
            setup.workspace.root().join(file.source.relative())
        } else {
            setup.workspace.real_path(&file.source).with_context(|| file.source.path().to_owned())?
        };
        Ok(Rewrite { path, before: file.source.text().to_owned(), after: file.text.clone() })
    };
    let files: Vec<_> = moves.changed.iter().map(rewrite).collect::<anyhow::Result<_>>()?;
    Ok(all_or_none(&files)?)
}

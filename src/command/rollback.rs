//! `rollback`: returns to the digests that were deployed before, and holds them there.

use anyhow::{Context, anyhow};
use jiff::civil::Date;
use jiff::{Span, ToSpan as _};

use super::holds::HoldFile;
use super::setup::Setup;
use super::{moves, registries, tell_unread};
use crate::cli::{Asking, CLEAN, Common, Input, Moving, Returning};
use crate::edit::diff;
use crate::gate;
use crate::history::{self, Depth, Repository};
use crate::pin::{Choice, Moves, Selection};
use crate::policy::{self, Hold, Holds, Repositories};
use crate::rollback::{self, Target};

/// How long images are held where nobody says otherwise.
const DAYS: u32 = 30;

/// Shows or writes the digests that were deployed before.
pub(crate) fn run(
    input: &Input,
    common: &Common,
    moving: &Moving,
    asking: &Asking,
    returning: &Returning,
) -> anyhow::Result<u8> {
    let setup = Setup::new(common, true)?;
    let selection = moving.selection(&setup.policy)?;
    let file = HoldFile::read(&setup)?;
    if returning.lift {
        return lift(&setup, input, common, moving, &selection, &file);
    }
    let until = returning.until(setup.today())?;
    let asked = setup.asked(input)?;
    let repository = Repository::open(setup.workspace.root())?;
    let collected = gate::collect(&setup.request(&setup.workspace, asked.targets()))?;
    let unread = tell_unread(&collected);
    let histories = history::of(&repository, &collected.images, Depth::All)?;
    let target = match &returning.to {
        Some(text) => Target::parse(text, &histories, &repository).context("--to")?,
        None => Target::LastKnown,
    };
    let counting = file.counting(setup.today());
    let mut choices = rollback::choose(&collected.images, &histories, &selection, &target, &counting);
    if common.offline {
        rollback::confirm(&collected.images, &mut choices, None);
    } else {
        let registries = registries::connect(&setup.policy, common, asking)?;
        rollback::confirm(&collected.images, &mut choices, Some(&*registries));
    }
    let mut moves = moves::settle(&setup, &asked, collected.images, choices)?;
    if let Some(until) = until {
        hold(&mut moves, &file, returning, setup.today(), until)?;
    }
    let status = moves::finish(&setup, &asked, common, &moves, moving.write, |_| true)?;
    Ok(unread.max(status))
}

impl Returning {
    /// The last day on which the images are held; none where they are not.
    fn until(&self, today: Date) -> anyhow::Result<Option<Date>> {
        if self.no_hold {
            return Ok(None);
        }
        let text = self.hold_until.as_deref();
        if let Some(day) = text.filter(|text| text.contains('-')) {
            let day = day.parse().map_err(|_| anyhow!("`{day}` is no date: write `YYYY-MM-DD`"));
            return day.map(Some).context("--hold-until");
        }
        let days = text.map(policy::days).transpose().map_err(|wrong| anyhow!(wrong)).context("--hold-until")?;
        let span: Span = i64::from(days.unwrap_or(DAYS)).days();
        Ok(Some(today.checked_add(span)?))
    }
}

/// Adds the holds of the images that move to the files that change; those that count no more are left out.
fn hold(moves: &mut Moves, file: &HoldFile, returning: &Returning, today: Date, until: Date) -> anyhow::Result<()> {
    let mut holds = Holds { all: file.holds.on(today).cloned().collect() };
    let mut any = false;
    for (deployed, choice) in moves.each() {
        let (Choice::Move(chosen), Some(reference)) = (choice, deployed.image.reference()) else { continue };
        let name = format!("{}/{}", reference.registry(), reference.repository());
        any = true;
        holds.add(Hold {
            images: Repositories::new(&name).map_err(|wrong| anyhow!(wrong))?,
            path: Some(deployed.image.place.source.relative().to_owned()),
            digest: chosen.digest.clone(),
            from: chosen.from.clone(),
            reason: returning.reason.clone(),
            since: Some(today),
            until,
            place: None,
        });
    }
    if any {
        moves.changed.extend(file.with(&holds));
    }
    Ok(())
}

/// Lifts the holds of the images, and of the files, that are named.
fn lift(
    setup: &Setup,
    input: &Input,
    common: &Common,
    moving: &Moving,
    selection: &Selection,
    file: &HoldFile,
) -> anyhow::Result<u8> {
    let paths = input.paths.iter().map(|path| Ok(setup.workspace.named(path)?.relative));
    let paths: Vec<String> = paths.collect::<anyhow::Result<_>>().context("a path to lift the holds of")?;
    let is_below = |path: &str| {
        let below = |folder: &String| {
            path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        paths.iter().any(|folder| folder.is_empty() || below(folder))
    };
    let is_lifted = |hold: &Hold| {
        let image = selection.images.is_empty() || selection.images.iter().any(|images| images.covers(&hold.images));
        image && (paths.is_empty() || hold.path.as_deref().is_some_and(is_below))
    };
    let mut left = file.holds.clone();
    left.all.retain(|hold| !is_lifted(hold));
    let lifted = file.holds.all.len() - left.all.len();
    let changed: Vec<_> = file.with(&left).filter(|_| lifted > 0).into_iter().collect();
    let moves = Moves { changed, ..Moves::default() };
    if moving.write {
        moves::write(setup, &setup.asked(input)?, &moves)?;
    } else {
        super::emit(&diff::unified(&moves.changed), common.output.as_deref())?;
    }
    let verb = if moving.write { "lifted" } else { "would be lifted; `--write` does it" };
    super::say("note", &format!("{lifted} of {} holds {verb}", file.holds.all.len()));
    Ok(CLEAN)
}

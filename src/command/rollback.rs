//! `rollback`: returns to the digests that were deployed before, and holds them there.

use anyhow::{Context, anyhow};
use jiff::civil::Date;
use jiff::{Span, ToSpan as _};

use super::holds::HoldFile;
use super::pull_request::{self, Ask};
use super::setup::{Asked, Setup};
use super::{moves, registries, tell_unread};
use crate::cli::{Asking, CLEAN, Common, Input, Moving, Returning};
use crate::edit::diff;
use crate::gate::{self, Deployed};
use crate::history::{self, Depth, Repository};
use crate::pin::{Choice, Moves, Selection};
use crate::policy::{self, Hold, Holds, Repositories};
use crate::report::proposal::Purpose;
use crate::resolution::Answers;
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
    let place = if returning.pull_request { Some(pull_request::connect(&crate::cli::variables())?) } else { None };
    let setup = Setup::new(common, true)?;
    let selection = moving.selection(&setup.policy)?;
    if returning.lift {
        return lift(&setup, input, common, moving, &selection, &HoldFile::read(&setup)?);
    }
    let until = until(returning.hold_until.as_deref(), setup.today()).context("--hold-until")?;
    let until = Some(until).filter(|_| !returning.no_hold);
    let back = Back { to: returning.to.as_deref().map(|to| (to, "--to")), until, reason: returning.reason.as_deref() };
    let asked = setup.asked(input)?;
    let collected = gate::collect(&setup.request(&setup.workspace, asked.targets()))?;
    let unread = tell_unread(&collected);
    let registries = if common.offline { None } else { Some(registries::connect(&setup.policy, common, asking)?) };
    let moves =
        plan(&setup, &asked, collected.images, &selection, &back, registries.as_deref().map(|it| it as &dyn Answers))?;
    let status = match &place {
        Some(place) => {
            let ask = Ask {
                purpose: Purpose::Rollback,
                reason: back.reason,
                part: pull_request::part(input, moving),
                is_complete: unread == CLEAN,
                ..Ask::default()
            };
            pull_request::finish(place, &setup, common, &moves, &ask, |_| true)?
        }
        None => moves::finish(&setup, &asked, common, &moves, moving.write, |_| true)?,
    };
    Ok(unread.max(status))
}

/// Where images go back to, and until when they stay there.
pub(crate) struct Back<'a> {
    /// Where to, and how the user says so: `--to`, an input; none for the last state that is known.
    pub(crate) to: Option<(&'a str, &'static str)>,
    /// The last day on which they are held; none where they are not.
    pub(crate) until: Option<Date>,
    pub(crate) reason: Option<&'a str>,
}

/// Settles which images go back, with their holds. Without registries nobody is asked whether the digests still exist.
pub(crate) fn plan(
    setup: &Setup,
    asked: &Asked<'_>,
    images: Vec<Deployed>,
    selection: &Selection,
    back: &Back<'_>,
    registries: Option<&dyn Answers>,
) -> anyhow::Result<Moves> {
    let file = HoldFile::read(setup)?;
    let repository = Repository::open(setup.workspace.root())?;
    let histories = history::of(&repository, &images, Depth::All)?;
    let target = match back.to {
        Some((text, option)) => Target::parse(text, &histories, &repository).context(option)?,
        None => Target::LastKnown,
    };
    let counting = file.counting(setup.today());
    let mut choices = rollback::choose(&images, &histories, selection, &target, &counting);
    rollback::confirm(&images, &mut choices, registries);
    let mut moves = moves::settle(setup, asked, images, choices)?;
    if let Some(until) = back.until {
        hold(&mut moves, &file, back.reason, setup.today(), until)?;
    }
    Ok(moves)
}

/// The last day on which images are held: a date, or a number of days from today.
pub(crate) fn until(text: Option<&str>, today: Date) -> anyhow::Result<Date> {
    if let Some(day) = text.filter(|text| text.contains('-')) {
        return day.parse().map_err(|_| anyhow!("`{day}` is no date: write `YYYY-MM-DD`"));
    }
    let days = text.map(policy::days).transpose().map_err(|wrong| anyhow!(wrong))?;
    let span: Span = i64::from(days.unwrap_or(DAYS)).days();
    Ok(today.checked_add(span)?)
}

/// Adds the holds of the images that move to the files that change; those that count no more are left out.
fn hold(moves: &mut Moves, file: &HoldFile, reason: Option<&str>, today: Date, until: Date) -> anyhow::Result<()> {
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
            reason: reason.map(str::to_owned),
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

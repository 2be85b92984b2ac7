//! `refresh`: moves digests to what their tags serve now.

use anyhow::{Context, anyhow};
use jiff::{SignedDuration, Timestamp};

use super::first_seen::FirstSeen;
use super::holds::HoldFile;
use super::setup::Setup;
use super::{moves, pull_request, registries, tell_unread};
use crate::cli::{Asking, CLEAN, Common, Input, Moving, Proposing, Waiting};
use crate::gate;
use crate::pin::{self, Ages, Dates, Selection};
use crate::policy::{self, Policy};
use crate::report::proposal::Purpose;

/// Asks what the tags serve now, and shows or writes the digests that have moved.
pub(crate) fn run(
    input: &Input,
    common: &Common,
    moving: &Moving,
    proposing: &Proposing,
    asking: &Asking,
    waiting: &Waiting,
) -> anyhow::Result<u8> {
    let place = proposing.place()?;
    let setup = Setup::new(common, true)?;
    let asked = setup.asked(input)?;
    let held = HoldFile::read(&setup)?.counting(setup.today());
    let selection = Selection { held, ..moving.selection(&setup.policy)? };
    let mut seen = waiting.first_seen.as_deref().map(FirstSeen::read).transpose()?;
    let mut ages = waiting.ages(&setup.policy, seen.as_mut().map(FirstSeen::take))?;
    let registries = registries::connect(&setup.policy, common, asking)?;
    let collected = gate::collect(&setup.request(&setup.workspace, asked.targets()))?;
    let unread = tell_unread(&collected);
    let choices = pin::refresh(&collected.images, &selection, &mut ages, &*registries);
    let moves = moves::settle(&setup, &asked, collected.images, choices)?;
    let grave = |missed: &_| moves::blocks_refresh(&setup, missed);
    let status = match &place {
        Some(place) => {
            let ask = proposing.ask(Purpose::Refresh, pull_request::part(input, moving), unread == CLEAN);
            pull_request::finish(place, &setup, common, &moves, &ask, grave)?
        }
        None => moves::finish(&setup, &asked, common, &moves, moving.write, grave)?,
    };
    if let (Some(seen), Some(dates)) = (seen, ages.first_seen) {
        seen.write(dates)?;
    }
    Ok(unread.max(status))
}

impl Waiting {
    fn ages(&self, policy: &Policy, first_seen: Option<Dates>) -> anyhow::Result<Ages> {
        let asked = self.cooldown.as_deref().map(policy::days).transpose();
        let asked = asked.map_err(|wrong| anyhow!(wrong)).context("--cooldown")?;
        let days = asked.or(policy.refresh.cooldown_days).filter(|days| *days > 0);
        let cooldown = days.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
        Ok(Ages { cooldown, first_seen, now: Timestamp::now() })
    }
}

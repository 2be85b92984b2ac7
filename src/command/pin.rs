//! `pin`: adds the digests that are missing.

use super::setup::Setup;
use super::{moves, pull_request, registries, tell_unread};
use crate::cli::{Asking, CLEAN, Common, Input, Moving, Proposing};
use crate::report::proposal::Purpose;
use crate::{gate, pin};

/// Asks for the digest of every image that has none, and shows or writes them.
pub(crate) fn run(
    input: &Input,
    common: &Common,
    moving: &Moving,
    proposing: &Proposing,
    asking: &Asking,
) -> anyhow::Result<u8> {
    let place = proposing.place()?;
    let setup = Setup::new(common, true)?;
    let asked = setup.asked(input)?;
    let selection = moving.selection(&setup.policy)?;
    let registries = registries::connect(&setup.policy, common, asking)?;
    let collected = gate::collect(&setup.request(&setup.workspace, asked.targets()))?;
    let unread = tell_unread(&collected);
    let choices = pin::pin(&collected.images, &selection, &*registries);
    let moves = moves::settle(&setup, &asked, collected.images, choices)?;
    // Whatever the reason: what stays without a digest is what `check` fails on.
    let grave = |_: &_| true;
    let status = match &place {
        Some(place) => {
            let ask = proposing.ask(Purpose::Pin, pull_request::part(input, moving), unread == CLEAN);
            pull_request::finish(place, &setup, common, &moves, &ask, grave)?
        }
        None => moves::finish(&setup, &asked, common, &moves, moving.write, grave)?,
    };
    Ok(unread.max(status))
}

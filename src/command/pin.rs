//! `pin`: adds the digests that are missing.

use super::setup::Setup;
use super::{moves, registries, tell_unread};
use crate::cli::{Asking, Common, Input, Moving};
use crate::{gate, pin};

/// Asks for the digest of every image that has none, and shows or writes them.
pub(crate) fn run(input: &Input, common: &Common, moving: &Moving, asking: &Asking) -> anyhow::Result<u8> {
    let setup = Setup::new(common, true)?;
    let asked = setup.asked(input)?;
    let selection = moving.selection(&setup.policy)?;
    let registries = registries::connect(&setup.policy, common, asking)?;
    let collected = gate::collect(&setup.request(&setup.workspace, asked.targets()))?;
    let unread = tell_unread(&collected);
    let choices = pin::pin(&collected.images, &selection, &*registries);
    let moves = moves::settle(&setup, &asked, collected.images, choices)?;
    // Whatever the reason: what stays without a digest is what `check` fails on.
    Ok(unread.max(moves::finish(&setup, &asked, common, &moves, moving.write, |_| true)?))
}

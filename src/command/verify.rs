//! `verify`: judges, and asks the registries about every image.

use super::registries;
use super::setup::{Asked, Setup};
use crate::cli::{Asking, Common, Input};
use crate::gate::{self, Judged};
use crate::resolution::Registry;
use crate::rule::JudgedBy;
use crate::verify;

/// Judges what is asked for, asks the registries, and prints the outcome.
pub(crate) fn run(input: &Input, common: &Common, asking: &Asking) -> anyhow::Result<u8> {
    let setup = Setup::new(common, true)?;
    let asked = setup.asked(input)?;
    let registries = registries::connect(&setup.policy, common, asking)?;
    let judged = judge(&setup, &asked, &*registries)?;
    super::check::show(&judged.report, common)
}

/// Judges what the manifests say and what the registries say of them.
pub(crate) fn judge(setup: &Setup, asked: &Asked<'_>, registries: &dyn Registry) -> anyhow::Result<Judged> {
    let request = setup.request(&setup.workspace, asked.targets());
    let mut collected = gate::collect(&request)?;
    verify::ask(&mut collected, &setup.policy, registries);
    Ok(gate::conclude(collected, &request, JudgedBy::Verify))
}

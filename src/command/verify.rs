//! `verify`: judges, asks the registries about every image, and reads what scanners found in it.

use std::path::Path;

use super::setup::{Asked, Setup};
use super::{registries, scans};
use crate::cli::{Asking, Common, Input, Scanning};
use crate::gate::{self, Judged};
use crate::policy;
use crate::resolution::Registry;
use crate::rule::JudgedBy;
use crate::scan::Scans;
use crate::signature::Trust;
use crate::verify;

/// Judges what is asked for, asks the registries, and prints the outcome.
pub(crate) fn run(
    input: &Input,
    common: &Common,
    asking: &Asking,
    scanning: &Scanning,
    evidence: Option<&Path>,
    trusted_root: Option<&Path>,
) -> anyhow::Result<u8> {
    let mut setup = Setup::new(common, true)?;
    if let Some(gate) = &scanning.gate {
        setup.policy.set_scan_gate(policy::named_gate(gate)?);
    }
    let asked = setup.asked(input)?;
    let trust = Trust::read(&setup.policy, &setup.workspace, trusted_root)?;
    let named: Vec<_> = scanning.reports.iter().map(String::as_str).collect();
    let scans = scans::read(&setup.workspace, &named)?;
    let registries = registries::connect(&setup.policy, common, asking)?;
    let judged = judge(&setup, &asked, &trust, &*registries, scans.as_ref())?;
    let status = super::check::show(&judged.report, common)?;
    if let Some(folder) = evidence {
        super::evidence::write(folder, &setup, &judged, judged_by(scans.as_ref()), scans.as_ref())?;
    }
    Ok(status)
}

/// Judges what the manifests say, what the registries say of them, and what scanners found.
pub(crate) fn judge(
    setup: &Setup,
    asked: &Asked<'_>,
    trust: &Trust,
    registries: &dyn Registry,
    scans: Option<&Scans>,
) -> anyhow::Result<Judged> {
    let request = setup.request(&setup.workspace, asked.targets());
    let mut collected = setup.collect(&request)?;
    verify::ask(&mut collected, &setup.policy, registries, scans);
    verify::ask_signatures(&mut collected, &setup.policy, trust, registries, request.coverage());
    Ok(gate::conclude(collected, &request, judged_by(scans)))
}

/// Which rules were all judged.
pub(crate) fn judged_by(scans: Option<&Scans>) -> JudgedBy {
    if scans.is_some() { JudgedBy::Scans } else { JudgedBy::Verify }
}

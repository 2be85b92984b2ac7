//! The commands of the action that judge: `check` and `verify`; and `images`, which only lists.

use std::path::Path;

use anyhow::Context;

use super::{Command, asked, post, setup, workspace};
use crate::cli::{CLEAN, FAILED, FINDINGS};
use crate::command::{evidence, message, registries, scans, verify};
use crate::commit::Commit;
use crate::finding::{Report, Severity};
use crate::gate::{self, Judged};
use crate::policy;
use crate::report::{self, Style, annotations, step_summary};
use crate::rule::{self, JudgedBy};
use crate::runner::Runner;
use crate::signature::Trust;

/// Judges, and says so everywhere.
pub(super) fn run(runner: &Runner, command: Command) -> anyhow::Result<u8> {
    let posting = post::Posting::read(runner)?;
    let mut setup = setup(runner)?;
    if let Some(gate) = runner.input("scan-gate") {
        setup.policy.set_scan_gate(policy::named_gate(gate)?);
    }
    let asked = asked(runner, &setup)?;
    let (judged, by, scans) = if command == Command::Verify {
        let scans = scans::read(&setup.workspace, &runner.lines("scan-report"))?;
        let auth = runner.input("registry-auth");
        let registries = registries::dial(&setup.policy, runner.variables(), auth)?;
        let trust = Trust::read(&setup.policy, &setup.workspace, runner.input("trusted-root").map(Path::new))?;
        let judged = verify::judge(&setup, &asked, &trust, &registries, scans.as_ref())?;
        (judged, verify::judged_by(scans.as_ref()), scans)
    } else {
        let judged = match runner.input("commit-message").filter(|_| command == Command::Check) {
            Some(text) => message::judge(&setup, &asked, text, Commit::Newest)?,
            None => setup.judge_asked(&asked)?,
        };
        (judged, JudgedBy::Check, None)
    };
    if command == Command::Images {
        return list(runner, &judged);
    }
    let report = &judged.report;
    let style = Style::default();
    crate::command::print(&annotations::check(report, &style))?;
    runner.add_summary(&step_summary::page(report, step_summary::MAX_BYTES)).context("cannot write the summary")?;
    for (input, format) in [("sarif-file", "sarif"), ("json-file", "json")] {
        if let (Some(file), Some(check)) = (runner.input(input), report::find(format).and_then(|it| it.check)) {
            crate::command::emit(&check(report, &style), Some(&workspace(runner)?.join(file)))?;
        }
    }
    if let Some(folder) = runner.input("evidence") {
        evidence::write(&workspace(runner)?.join(folder), &setup, &judged, by, scans.as_ref())?;
    }
    runner.set_outputs(&outputs(runner, &judged)).context("cannot write the outputs")?;
    posting.report(runner, &setup, &asked, &judged)?;
    Ok(if report.fails() { FINDINGS } else { CLEAN })
}

/// The outputs of `action.yml`.
fn outputs(runner: &Runner, judged: &Judged) -> Vec<(&'static str, String)> {
    let Report { findings, counts, .. } = &judged.report;
    let errors = judged.report.count(Severity::Error);
    vec![
        ("result", judged.report.result().to_owned()),
        ("images", counts.images.to_string()),
        ("unpinned", (counts.images - counts.pinned).to_string()),
        ("findings", findings.len().to_string()),
        ("errors", errors.to_string()),
        ("unchecked", counts.unchecked.to_string()),
        ("images-json", serde_json::Value::from(gate::locked(&judged.images)).to_string()),
        ("report", runner.input("json-file").unwrap_or_default().to_owned()),
    ]
}

/// Sets the outputs, whatever the rules say; only a manifest that cannot be read is an error.
fn list(runner: &Runner, judged: &Judged) -> anyhow::Result<u8> {
    let unread: Vec<_> =
        judged.report.findings.iter().filter(|finding| finding.rule.id == rule::UNREADABLE_MANIFEST.id).collect();
    for finding in &unread {
        let at = (finding.place.source.path(), finding.place.start().line);
        crate::command::print(&annotations::error(Some(at), &finding.message))?;
    }
    let mut outputs = outputs(runner, judged);
    outputs.retain(|(name, _)| !["findings", "errors", "unchecked", "report"].contains(name));
    let (result, status) = if unread.is_empty() { ("pass", CLEAN) } else { ("error", FAILED) };
    if let Some(output) = outputs.first_mut() {
        result.clone_into(&mut output.1);
    }
    runner.set_outputs(&outputs).context("cannot write the outputs")?;
    Ok(status)
}

//! The commands of the action that move digests: they open a pull request, and write nothing in the workspace.

use std::fmt::Write as _;

use anyhow::{Context, anyhow, bail};
use jiff::{SignedDuration, Timestamp};

use super::{asked, setup};
use crate::cli::{CLEAN, FAILED, FINDINGS};
use crate::command::holds::HoldFile;
use crate::command::pull_request::{self, Ask};
use crate::command::rollback::{self, Back};
use crate::command::setup::Setup;
use crate::command::{moves, registries};
use crate::finding::Finding;
use crate::gate::{self, Collected};
use crate::github::Proposed;
use crate::pin::{self, Ages, Choice, Missed, Moves, Selection};
use crate::policy::Repositories;
use crate::reference::ends_in_digest;
use crate::report::moves::{Tally, lines, summary};
use crate::report::proposal::{Purpose, proposal};
use crate::report::{annotations, markdown};
use crate::rule;
use crate::runner::Runner;

/// Moves digests in a pull request.
pub(super) fn run(runner: &Runner, purpose: Purpose) -> anyhow::Result<u8> {
    let Some(token) = runner.input("token") else { bail!("the input `command` needs the input `token`") };
    let place = pull_request::dial(runner.variables(), token)?;
    let setup = setup(runner)?;
    let asked = asked(runner, &setup)?;
    let selection = selection(runner, &setup)?;
    let registries = registries::dial(&setup.policy, runner.variables(), runner.input("registry-auth"))?;
    let Collected { images, findings, notices, .. } = gate::collect(&setup.request(&setup.workspace, asked.targets()))?;
    let unread = unread(&findings);
    let moves = match purpose {
        Purpose::Pin => {
            let choices = pin::pin(&images, &selection, &registries);
            moves::settle(&setup, &asked, images, choices)?
        }
        Purpose::Refresh => {
            let held = HoldFile::read(&setup)?.counting(setup.today());
            let selection = Selection { held, ..selection };
            let choices = pin::refresh(&images, &selection, &mut ages(&setup), &registries);
            moves::settle(&setup, &asked, images, choices)?
        }
        Purpose::Rollback => {
            let until = rollback::until(runner.input("hold-until"), setup.today());
            let until = Some(until.context("the input `hold-until`")?);
            let back =
                Back { to: runner.input("to").map(|to| (to, "the input `to`")), until, reason: runner.input("reason") };
            rollback::plan(&setup, &asked, images, &selection, &back, Some(&registries))?
        }
    };
    let ask = Ask {
        purpose,
        reason: runner.input("reason"),
        branch: runner.input("branch"),
        base: runner.input("base"),
        labels: runner.lines("labels"),
        reviewers: runner.lines("reviewers"),
        part: part(runner),
        is_complete: unread.is_empty(),
    };
    let proposed = pull_request::open(&place, &setup, &moves, &ask)?;
    tell(&setup, &moves, &proposed, purpose, &unread, &notices)?;
    let page = page(&moves, &proposed, &ask);
    runner.add_summary(&page).context("cannot write the summary")?;
    let (result, status) = if !unread.is_empty() {
        ("error", FAILED)
    } else if moves::is_left_undone(&moves, |missed| is_grave(&setup, purpose, missed)) {
        ("fail", FINDINGS)
    } else {
        ("pass", CLEAN)
    };
    runner.set_outputs(&outputs(&moves, &proposed, result)).context("cannot write the outputs")?;
    Ok(status)
}

/// Only the images that the input `image` names, one a line.
fn selection(runner: &Runner, setup: &Setup) -> anyhow::Result<Selection> {
    let images = runner.lines("image").into_iter().map(|text| Repositories::new(text).map_err(|wrong| anyhow!(wrong)));
    let images = images.collect::<anyhow::Result<_>>().context("the input `image`")?;
    Ok(Selection { images, ignored: setup.policy.refresh.ignored.clone(), ..Selection::default() })
}

/// What is selected, where it is not everything.
fn part(runner: &Runner) -> Vec<String> {
    let of = |input: &str| {
        let lines = runner.lines(input).into_iter();
        lines.map(|line| format!("{input} {line}")).collect::<Vec<_>>()
    };
    ["manifests", "environment", "image"].map(of).concat()
}

fn ages(setup: &Setup) -> Ages {
    let days = setup.policy.refresh.cooldown_days.filter(|days| *days > 0);
    let cooldown = days.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
    Ages { cooldown, first_seen: None, now: Timestamp::now() }
}

/// What fails the step: for `refresh` what the rules call an error, else whatever does not get its digest.
fn is_grave(setup: &Setup, purpose: Purpose, missed: &Missed) -> bool {
    purpose != Purpose::Refresh || moves::blocks_refresh(setup, missed)
}

/// The manifests that could not be read, or are not there.
fn unread(findings: &[Finding]) -> Vec<&Finding> {
    let ids = [rule::UNREADABLE_MANIFEST.id, rule::NO_MANIFESTS.id];
    findings.iter().filter(|finding| ids.contains(&finding.rule.id)).collect()
}

/// Says in the log and at the lines what moves and what does not.
fn tell(
    setup: &Setup,
    moves: &Moves,
    proposed: &Proposed,
    purpose: Purpose,
    unread: &[&Finding],
    notices: &[String],
) -> anyhow::Result<()> {
    let mut out = String::new();
    for finding in unread {
        let at = (finding.place.source.path(), finding.place.start().line);
        out.push_str(&annotations::error(Some(at), &finding.message));
    }
    for (deployed, choice) in moves.each() {
        let Choice::Missed(missed) = choice else { continue };
        let place = &deployed.image.place;
        let at = Some((place.source.path(), place.start().line));
        let text = format!("`{}` gets no digest: {}", deployed.image.written, missed.reason());
        let is_error = deployed.enforced && is_grave(setup, purpose, missed);
        out.push_str(&if is_error { annotations::error(at, &text) } else { annotations::warning(at, &text) });
    }
    for notice in notices.iter().chain(&proposed.notices) {
        out.push_str(&annotations::notice(notice));
    }
    for line in lines(moves).lines().chain([summary(moves, "proposed").as_str()]) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}", annotations::neutral(line));
    }
    let _ = writeln!(out, "{}", annotations::neutral(&pull_request::told_with_page(proposed)));
    crate::command::print(&out).map(drop)
}

/// The summary of the step.
fn page(moves: &Moves, proposed: &Proposed, ask: &Ask<'_>) -> String {
    let told = markdown::prose(&pull_request::told(proposed));
    let link = proposed.url.as_deref().filter(|url| url.starts_with("https://")).map(|url| format!("\n\n<{url}>"));
    let words = proposal(moves, ask.purpose, ask.reason);
    let body = if moves.changed.is_empty() { format!("{}.\n", summary(moves, "moved")) } else { words.body };
    format!("## digest-gate {}\n\n{told}.{}\n\n{body}\n", ask.purpose.word(), link.unwrap_or_default())
}

/// The outputs of `action.yml`.
fn outputs(moves: &Moves, proposed: &Proposed, result: &str) -> Vec<(&'static str, String)> {
    let tally = Tally::of(moves);
    let images = moves.deployed_after();
    let locked: Vec<_> = images.iter().filter(|image| ends_in_digest(image)).cloned().collect();
    vec![
        ("result", result.to_owned()),
        ("images", images.len().to_string()),
        ("unpinned", images.iter().filter(|image| !image.contains('@')).count().to_string()),
        ("unchecked", tally.unchecked.to_string()),
        ("moved", tally.moved.to_string()),
        ("images-json", serde_json::Value::from(locked).to_string()),
        ("pull-request", proposed.number.map(|number| number.to_string()).unwrap_or_default()),
        ("pull-request-url", proposed.url.clone().unwrap_or_default()),
        ("pull-request-commit", proposed.commit.clone().unwrap_or_default()),
    ]
}

//! `action`: what the container runs. Options come from the inputs, the outcome goes to annotations, the summary,
//! the outputs and a check run; the exit status is the verdict.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::setup::{Asked, Setup, Wishes};
use crate::cli::{CLEAN, FAILED, FINDINGS, all_threads};
use crate::finding::Report;
use crate::gate::{Deployed, Judged};
use crate::github::{self, Client, Event, Outcome};
use crate::manifest::{LocatedImage, State};
use crate::policy::{Environment, PRODUCTION, Pattern, PolicyErrors};
use crate::report::check_run::{self, CheckRunOutput};
use crate::report::{self, Style, annotations, step_summary};
use crate::runner::Runner;
use crate::source::{Place, Source, Span};

const CHECK_NAME: &str = "digest-gate report";

/// Judges the workspace of a workflow run.
pub(crate) fn run() -> anyhow::Result<u8> {
    let runner = Runner::new(std::env::vars_os().filter_map(|(name, value)| {
        // Nothing the action reads is anything but text.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    }));
    match judge(&runner) {
        Ok(judged) => publish(&runner, &judged),
        Err(error) => fail(&runner, &error),
    }
}

fn judge(runner: &Runner) -> anyhow::Result<Judged> {
    let command = runner.input("command").unwrap_or("check");
    if command != "check" {
        bail!("the input `command` is `{command}`: the action knows `check`");
    }
    if let Some(mode) = runner.input("check-run")
        && !["auto", "on", "off"].contains(&mode)
    {
        bail!("the input `check-run` is `{mode}`: write `auto`, `on` or `off`");
    }
    let workspace = workspace(runner)?;
    let wishes = Wishes {
        config: runner.input("config").map(Path::new),
        policy_file: runner.input("policy-file").map(Path::new),
        policy: runner.input("policy"),
        levels: runner.lines("levels"),
        threads: all_threads(),
        keep_images: true,
    };
    let setup = Setup::at(&workspace, &wishes)?;
    let patterns = runner.lines("manifests");
    if patterns.is_empty() {
        return setup.judge_environments(runner.input("environment"));
    }
    if runner.input("environment").is_some() {
        bail!("the inputs `manifests` and `environment` exclude each other: name what is judged in one of them");
    }
    let named = Asked::Environments(vec![Cow::Owned(named(runner, &patterns)?)]);
    setup.judge_asked(&named)
}

fn workspace(runner: &Runner) -> anyhow::Result<PathBuf> {
    match runner.workspace() {
        Some(folder) => Ok(folder),
        None => std::env::current_dir().context("cannot tell the workspace"),
    }
}

/// The manifests that the workflow names. A pattern that matches nothing is a finding at the workflow.
fn named(runner: &Runner, patterns: &[&str]) -> anyhow::Result<Environment> {
    let workflow = Source::new(runner.workflow().unwrap_or("action.yml"), "");
    let place = Place::new(&workflow, Span::default());
    let manifests: Result<Vec<_>, _> = patterns.iter().map(|text| Pattern::new(text, Some(place.clone()))).collect();
    let manifests = manifests.context("the input `manifests`")?;
    Ok(Environment::of_patterns(PRODUCTION, manifests))
}

fn publish(runner: &Runner, judged: &Judged) -> anyhow::Result<u8> {
    let report = &judged.report;
    let style = Style::default();
    super::print(&annotations::check(report, &style))?;
    runner.add_summary(&step_summary::page(report, step_summary::MAX_BYTES)).context("cannot write the summary")?;
    for (input, format) in [("sarif-file", "sarif"), ("json-file", "json")] {
        if let (Some(file), Some(check)) = (runner.input(input), report::find(format).and_then(|it| it.check)) {
            super::emit(&check(report, &style), Some(&workspace(runner)?.join(file)))?;
        }
    }
    runner.set_outputs(&outputs(runner, judged)).context("cannot write the outputs")?;
    post(runner, &check_run::output(report), report.fails())?;
    Ok(if report.fails() { FINDINGS } else { CLEAN })
}

/// The outputs of `action.yml`.
fn outputs(runner: &Runner, judged: &Judged) -> Vec<(&'static str, String)> {
    let Report { findings, counts, .. } = &judged.report;
    let errors = judged.report.count(crate::finding::Severity::Error);
    vec![
        ("result", judged.report.result().to_owned()),
        ("images", counts.images.to_string()),
        ("unpinned", (counts.images - counts.pinned).to_string()),
        ("findings", findings.len().to_string()),
        ("errors", errors.to_string()),
        ("unchecked", counts.unchecked.to_string()),
        ("images-json", images_json(&judged.images)),
        ("report", runner.input("json-file").unwrap_or_default().to_owned()),
    ]
}

/// The distinct images that are deployed, as a JSON list.
fn images_json(images: &[Deployed]) -> String {
    let images = images.iter().map(|deployed| &deployed.image);
    let mut distinct: Vec<_> =
        images.filter(|image| image.state != State::Local).filter_map(LocatedImage::effective).collect();
    distinct.sort_unstable();
    distinct.dedup();
    serde_json::Value::from(distinct).to_string()
}

/// Posts the check run, where the inputs and the token allow it. Whatever becomes of it, the verdict stands.
fn post(runner: &Runner, output: &CheckRunOutput, failed: bool) -> anyhow::Result<()> {
    let mode = runner.input("check-run").unwrap_or("auto");
    let Some(token) = runner.input("token").filter(|_| mode != "off") else { return Ok(()) };
    let name = runner.input("check-name").unwrap_or(CHECK_NAME);
    let outcome = connect(runner, token).map(|(client, event)| github::publish(&client, &event, name, output, failed));
    let text = match outcome {
        Ok(Outcome::Posted { .. }) => return Ok(()),
        Ok(Outcome::ReadOnly { .. }) if mode == "auto" => {
            "the token may not write check runs, so this step's annotations and summary are the report; to post one, \
             give the job `checks: write` (pull requests from forks and from Dependabot cannot have it)"
                .to_owned()
        }
        Ok(Outcome::ReadOnly { status }) => {
            format!(
                "the input `check-run` is `on`, and the token may not write check runs (status {status}): give the job `checks: write`"
            )
        }
        Ok(Outcome::Failed { message }) => format!("the check run could not be posted: {message}; the verdict stands"),
        Err(error) => format!("the check run could not be posted: {error:#}; the verdict stands"),
    };
    super::print(&annotations::notice(&text)).map(|_| ())
}

fn connect(runner: &Runner, token: &str) -> anyhow::Result<(Client, Event)> {
    let event = Event::read(runner.variables())?;
    let client = Client::new(&event.api_url, token, runner.variables())?;
    Ok((client, event))
}

/// Says everywhere that it could not be judged.
fn fail(runner: &Runner, error: &anyhow::Error) -> anyhow::Result<u8> {
    let places = error.downcast_ref::<PolicyErrors>().and_then(|errors| errors.0.first()).map(|error| &error.place);
    let place = places.map(|place| (place.source.path(), place.start().line));
    let text = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    super::print(&annotations::error(place, &text))?;
    let output = check_run::could_not_judge(&text);
    runner.add_summary(&format!("{}\n", output.summary)).context("cannot write the summary")?;
    runner.set_outputs(&[("result", "error".to_owned())]).context("cannot write the outputs")?;
    post(runner, &output, true)?;
    Ok(FAILED)
}

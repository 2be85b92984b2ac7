//! `action`: what the container runs. Options come from the inputs, the outcome goes to annotations, the summary,
//! the outputs and to GitHub; the exit status is the verdict.

mod judged;
mod moved;
mod post;
mod suggest;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::setup::{Asked, Setup, Wishes};
use crate::cli::{FAILED, all_threads};
use crate::policy::{Environment, PRODUCTION, Pattern, PolicyErrors};
use crate::report::proposal::Purpose;
use crate::report::{annotations, check_run};
use crate::runner::Runner;
use crate::source::{Place, Source, Span};

/// What the input `command` names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Check,
    Verify,
    Images,
    Move(Purpose),
}

const COMMANDS: &[(&str, Command)] = &[
    ("check", Command::Check),
    ("verify", Command::Verify),
    ("images", Command::Images),
    ("pin", Command::Move(Purpose::Pin)),
    ("refresh", Command::Move(Purpose::Refresh)),
    ("rollback", Command::Move(Purpose::Rollback)),
];

/// An input that turns something on.
const SWITCH: &[(&str, bool)] = &[("off", false), ("on", true)];

/// Runs in the workspace of a workflow run.
pub(crate) fn run() -> anyhow::Result<u8> {
    let runner = Runner::new(crate::cli::variables());
    match dispatch(&runner) {
        Ok(status) => Ok(status),
        Err(error) => fail(&runner, &error),
    }
}

fn dispatch(runner: &Runner) -> anyhow::Result<u8> {
    match one_of(runner, "command", COMMANDS)? {
        Command::Move(purpose) => moved::run(runner, purpose),
        command => judged::run(runner, command),
    }
}

/// The meaning of an input that takes one of some words; the first of them where it is not given.
fn one_of<T: Copy>(runner: &Runner, input: &str, words: &[(&str, T)]) -> anyhow::Result<T> {
    let given = runner.input(input);
    let found = words.iter().find(|(word, _)| given.is_none_or(|given| given == *word));
    let known = || words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let wrong = || format!("the input `{input}` is `{}`: write one of {}", given.unwrap_or_default(), known());
    found.map(|(_, meaning)| *meaning).with_context(wrong)
}

fn workspace(runner: &Runner) -> anyhow::Result<PathBuf> {
    match runner.workspace() {
        Some(folder) => Ok(folder),
        None => std::env::current_dir().context("cannot tell the workspace"),
    }
}

/// The policy, and where the manifests are.
fn setup(runner: &Runner) -> anyhow::Result<Setup> {
    let wishes = Wishes {
        config: runner.input("config").map(Path::new),
        policy_file: runner.input("policy-file").map(Path::new),
        policy: runner.input("policy"),
        levels: runner.lines("levels"),
        threads: all_threads(),
        keep_images: true,
    };
    Setup::at(&workspace(runner)?, &wishes)
}

/// The manifests that the workflow asks for.
fn asked<'s>(runner: &Runner, setup: &'s Setup) -> anyhow::Result<Asked<'s>> {
    let patterns = runner.lines("manifests");
    if patterns.is_empty() {
        return setup.environments(runner.input("environment"));
    }
    if runner.input("environment").is_some() {
        bail!("the inputs `manifests` and `environment` exclude each other: name what is judged in one of them");
    }
    Ok(Asked::Environments(vec![Cow::Owned(named(runner, &patterns)?)]))
}

/// The manifests that the workflow names. A pattern that matches nothing is a finding at the workflow.
fn named(runner: &Runner, patterns: &[&str]) -> anyhow::Result<Environment> {
    let workflow = Source::new(runner.workflow().unwrap_or("action.yml"), "");
    let place = Place::new(&workflow, Span::default());
    let manifests: Result<Vec<_>, _> = patterns.iter().map(|text| Pattern::new(text, Some(place.clone()))).collect();
    let manifests = manifests.context("the input `manifests`")?;
    Ok(Environment::of_patterns(PRODUCTION, manifests))
}

/// Says everywhere that it could not be done.
fn fail(runner: &Runner, error: &anyhow::Error) -> anyhow::Result<u8> {
    let places = error.downcast_ref::<PolicyErrors>().and_then(|errors| errors.0.first()).map(|error| &error.place);
    let place = places.map(|place| (place.source.path(), place.start().line));
    let text = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    super::print(&annotations::error(place, &text))?;
    let output = check_run::could_not_judge(&text);
    runner.add_summary(&format!("{}\n", output.summary)).context("cannot write the summary")?;
    runner.set_outputs(&[("result", "error".to_owned())]).context("cannot write the outputs")?;
    if matches!(one_of(runner, "command", COMMANDS), Ok(Command::Check | Command::Verify) | Err(_)) {
        post::failure(runner, &output)?;
    }
    Ok(FAILED)
}

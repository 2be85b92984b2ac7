//! What goes to GitHub beside the verdict: the check run, the comment, the suggestions. Whatever becomes of it, the
//! verdict stands.

use std::collections::BTreeSet;

use anyhow::bail;

use super::{SWITCH, one_of, suggest as digests};
use crate::command::setup::{Asked, Setup};
use crate::gate::Judged;
use crate::github::{self, Client, Commented, Event, Outcome, Suggested};
use crate::report::check_run::{self, CheckRunOutput};
use crate::report::{Style, annotations, markdown};
use crate::runner::Runner;

const CHECK_NAME: &str = "digest-gate report";

/// Whether a check run is posted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CheckRun {
    Auto,
    On,
    Off,
}

const CHECK_RUN: &[(&str, CheckRun)] = &[("auto", CheckRun::Auto), ("on", CheckRun::On), ("off", CheckRun::Off)];

/// What the inputs ask for.
pub(super) struct Posting {
    check_run: CheckRun,
    comment: bool,
    suggestions: bool,
}

/// What a token may not write, and which permissions it lacks.
#[derive(Default)]
struct Lacks {
    what: Vec<&'static str>,
    permissions: BTreeSet<&'static str>,
}

impl Lacks {
    fn add(&mut self, what: &'static str, permission: &'static str) {
        self.what.push(what);
        self.permissions.insert(permission);
    }

    /// One notice for all of them.
    fn tell(&self) -> anyhow::Result<()> {
        if self.what.is_empty() {
            return Ok(());
        }
        let permissions: Vec<_> = self.permissions.iter().map(|it| format!("`{it}`")).collect();
        notice(&format!(
            "the token may not write {}, so this step's annotations and summary are the report; to post it, give the \
             job {} (pull requests from forks cannot have it, and those of Dependabot only where the workflow says so)",
            self.what.join(" and "),
            permissions.join(" and "),
        ))
    }
}

fn notice(text: &str) -> anyhow::Result<()> {
    crate::command::print(&annotations::notice(text)).map(drop)
}

fn name(runner: &Runner) -> &str {
    runner.input("check-name").unwrap_or(CHECK_NAME)
}

fn connect(runner: &Runner, token: &str) -> anyhow::Result<(Client, Event)> {
    let event = Event::read(runner.variables())?;
    let client = Client::new(&event.api_url, token, runner.variables())?;
    Ok((client, event))
}

/// Posts the check run of a run that could not judge.
pub(super) fn failure(runner: &Runner, output: &CheckRunOutput) -> anyhow::Result<()> {
    let check_run = one_of(runner, "check-run", CHECK_RUN).unwrap_or(CheckRun::Auto);
    let Some(token) = runner.input("token").filter(|_| check_run != CheckRun::Off) else { return Ok(()) };
    let mut lacks = Lacks::default();
    match connect(runner, token) {
        Ok((client, event)) => {
            let outcome = github::publish(&client, &event, name(runner), output, true);
            tell_check_run(check_run, outcome, &mut lacks)?;
        }
        Err(error) => notice(&format!("the check run could not be posted: {error:#}; the verdict stands"))?,
    }
    lacks.tell()
}

fn tell_check_run(mode: CheckRun, outcome: Outcome, lacks: &mut Lacks) -> anyhow::Result<()> {
    match outcome {
        Outcome::Posted { .. } => Ok(()),
        Outcome::ReadOnly { .. } if mode == CheckRun::Auto => {
            lacks.add("check runs", "checks: write");
            Ok(())
        }
        Outcome::ReadOnly { status } => notice(&format!(
            "the input `check-run` is `on`, and the token may not write check runs (status {status}): give the job \
             `checks: write`"
        )),
        Outcome::Failed { message } => {
            notice(&format!("the check run could not be posted: {message}; the verdict stands"))
        }
    }
}

impl Posting {
    pub(super) fn read(runner: &Runner) -> anyhow::Result<Self> {
        let posting = Self {
            check_run: one_of(runner, "check-run", CHECK_RUN)?,
            comment: one_of(runner, "comment", SWITCH)?,
            suggestions: one_of(runner, "suggestions", SWITCH)?,
        };
        if runner.input("token").is_none() && (posting.comment || posting.suggestions) {
            bail!("the inputs `comment` and `suggestions` need the input `token`");
        }
        Ok(posting)
    }

    /// Posts what is asked for.
    pub(super) fn report(
        &self,
        runner: &Runner,
        setup: &Setup,
        asked: &Asked<'_>,
        judged: &Judged,
    ) -> anyhow::Result<()> {
        let is_asked = self.check_run != CheckRun::Off || self.comment || self.suggestions;
        let Some(token) = runner.input("token").filter(|_| is_asked) else { return Ok(()) };
        let (client, event) = match connect(runner, token) {
            Ok(connected) => connected,
            Err(error) => return notice(&format!("nothing could be posted: {error:#}; the verdict stands")),
        };
        let mut lacks = Lacks::default();
        if self.check_run != CheckRun::Off {
            let (output, failed) = (check_run::output(&judged.report), judged.report.fails());
            let outcome = github::publish(&client, &event, name(runner), &output, failed);
            tell_check_run(self.check_run, outcome, &mut lacks)?;
        }
        if let Some(number) = event.pull_request {
            if self.comment {
                let text = markdown::check(&judged.report, &Style::default());
                match github::sticky(&client, &event.place(), number, name(runner), &text) {
                    Commented::Posted { .. } => {}
                    Commented::ReadOnly { .. } => lacks.add("comments", "pull-requests: write"),
                    Commented::Failed { message } => notice(&format!("{message}; the verdict stands"))?,
                }
            }
            if self.suggestions {
                suggest(runner, setup, asked, judged, (&client, &event, number), &mut lacks)?;
            }
        }
        lacks.tell()
    }
}

fn suggest(
    runner: &Runner,
    setup: &Setup,
    asked: &Asked<'_>,
    judged: &Judged,
    (client, event, number): (&Client, &Event, u64),
    lacks: &mut Lacks,
) -> anyhow::Result<()> {
    if event.is_fork {
        // Its token only reads, and its manifests name the registries that would be asked.
        lacks.add("suggestions", "pull-requests: write");
        return Ok(());
    }
    let suggestions = match digests::suggestions(runner, setup, asked, judged) {
        Ok(suggestions) => suggestions,
        Err(error) => return notice(&format!("no digest could be suggested: {error:#}; the verdict stands")),
    };
    if suggestions.unanswered > 0 {
        notice(&format!(
            "no digest is suggested for {}: the registry did not answer; `digest-gate verify` says why",
            crate::report::counted(suggestions.unanswered, "image")
        ))?;
    }
    match github::suggest(client, &event.place(), number, &event.sha, &suggestions.all) {
        Suggested::Posted { .. } => Ok(()),
        Suggested::ReadOnly { .. } => {
            lacks.add("suggestions", "pull-requests: write");
            Ok(())
        }
        Suggested::Failed { message } => notice(&format!("{message}; the verdict stands")),
    }
}

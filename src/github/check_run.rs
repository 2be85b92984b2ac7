//! Posts a report as a check run: created in progress, filled 50 annotations at a time, completed whatever happens.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use serde_json::{Value, json};

use super::client::Client;
use super::error::{ApiError, Cause};
use super::event::Event;
use super::transport::{UNHURRIED, Verb, unreadable};
use crate::report::check_run::{CheckAnnotation, CheckRunOutput};

/// Annotations the API takes in one request.
const BATCH: usize = 50;

/// How posting went. It never changes the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Posted {
        /// The web page of the check run.
        url: String,
    },
    /// The token may not write check runs: a fork, Dependabot, or no `checks: write`.
    ReadOnly { status: u16 },
    /// Anything else; one sentence, without full stop.
    Failed { message: String },
}

/// A check run that exists.
struct Run {
    id: u64,
    url: String,
}

/// Posts the check run `name` on the commit of the event, one request after the other.
#[must_use]
pub fn publish(client: &Client, event: &Event, name: &str, output: &CheckRunOutput, failed: bool) -> Outcome {
    let run = match create(client, event, name, output) {
        Ok(run) => run,
        Err(error) => {
            return match error.status() {
                Some(status @ (401 | 403 | 404)) if error.method == Verb::Post.as_str() => Outcome::ReadOnly { status },
                _ => Outcome::Failed { message: format!("no check run: {error}") },
            };
        }
    };
    let this = client.url(&format!("{}/{}", path(event), run.id), &[]);
    let annotated = annotate(client, &this, output);
    // Also after a failure: a run that stays in progress would look as if it still ran.
    match (complete(client, &this, output, failed), annotated) {
        (Ok(()), Ok(())) => Outcome::Posted { url: run.url },
        (Ok(()), Err(error)) => {
            Outcome::Failed { message: format!("check run {} lacks annotations: {error}", run.url) }
        }
        (Err(error), _) => Outcome::Failed { message: format!("check run {} stays in progress: {error}", run.url) },
    }
}

/// The path of the check runs of the repository.
fn path(event: &Event) -> String {
    format!("/repos/{}/{}/check-runs", event.owner, event.repository)
}

/// Creates the run, in progress and without annotations; never twice.
fn create(client: &Client, event: &Event, name: &str, output: &CheckRunOutput) -> Result<Run, ApiError> {
    let started = now();
    let or_none = |number: &Option<String>| number.clone().unwrap_or_else(|| "-".to_owned());
    let external_id = format!("{}/{}/{name}", or_none(&event.run_id), or_none(&event.run_attempt));
    let body = json!({
        "name": name,
        "head_sha": event.sha,
        "status": "in_progress",
        "started_at": started.to_string(),
        "external_id": external_id,
        "details_url": event.run_url(),
        "output": { "title": output.title, "summary": output.summary },
    });
    let url = client.url(&path(event), &[]);
    client.once(
        || {
            let answer = client.send(Verb::Post, &url, Some(&body))?;
            run(&answer).ok_or_else(|| unreadable(Verb::Post, &url, "a check run without id"))
        },
        || find(client, event, name, &external_id, started),
    )
}

/// Looks for the run that this process may have created: the job and the second have to match.
fn find(
    client: &Client,
    event: &Event,
    name: &str,
    external_id: &str,
    started: Timestamp,
) -> Result<Option<Run>, ApiError> {
    let path = format!("/repos/{}/{}/commits/{}/check-runs", event.owner, event.repository, event.sha);
    let url = client.url(&path, &[("check_name", name), ("filter", "latest"), ("per_page", "100")]);
    let answer = client.repeat(Verb::Get, &url, None)?;
    let runs = answer.get("check_runs").and_then(Value::as_array);
    let runs = runs.ok_or_else(|| unreadable(Verb::Get, &url, "a list without check_runs"))?;
    let text = |run: &Value, key| run.get(key).and_then(Value::as_str).map(str::to_owned);
    let ours = |found: &&Value| {
        let at = text(found, "started_at").and_then(|at| at.parse::<Timestamp>().ok());
        text(found, "external_id").as_deref() == Some(external_id) && at == Some(started)
    };
    Ok(runs.iter().find(ours).and_then(run))
}

/// Appends the annotations, each batch once.
fn annotate(client: &Client, this: &Url, output: &CheckRunOutput) -> Result<(), ApiError> {
    let mut sent = 0;
    for (index, batch) in output.annotations.chunks(BATCH).enumerate() {
        if index >= UNHURRIED {
            client.pause(Duration::from_secs(1));
        }
        sent += batch.len();
        append(client, this, output, batch, sent)?;
    }
    Ok(())
}

/// Appends one batch. The API adds to what is there, so a repeated batch would show twice: its count tells.
fn append(
    client: &Client,
    this: &Url,
    output: &CheckRunOutput,
    batch: &[CheckAnnotation],
    expected: usize,
) -> Result<(), ApiError> {
    let body = json!({ "output": { "title": output.title, "summary": output.summary, "annotations": batch } });
    client.once(
        || client.send(Verb::Patch, this, Some(&body)).map(drop),
        || {
            let answer = client.repeat(Verb::Get, this, None)?;
            let count = answer.pointer("/output/annotations_count").and_then(Value::as_u64);
            let count = count.ok_or_else(|| unreadable(Verb::Get, this, "a check run without annotations_count"))?;
            Ok(usize::try_from(count).is_ok_and(|count| count >= expected).then_some(()))
        },
    )
}

/// Completes the run with its conclusion; without the text where the API refuses that.
fn complete(client: &Client, this: &Url, output: &CheckRunOutput, failed: bool) -> Result<(), ApiError> {
    let mut body = json!({
        "status": "completed",
        "conclusion": if failed { "failure" } else { "success" },
        "completed_at": now().to_string(),
        "output": { "title": output.title, "summary": output.summary },
    });
    let bare = body.clone();
    if !output.text.is_empty()
        && let Some(shown) = body.get_mut("output").and_then(Value::as_object_mut)
    {
        shown.insert("text".to_owned(), Value::from(output.text.as_str()));
    }
    let done = match client.repeat(Verb::Patch, this, Some(&body)) {
        Err(error) if error.status() == Some(422) => client.repeat(Verb::Patch, this, Some(&bare)),
        done => done,
    };
    match done {
        // Done: what the answer says is of no interest.
        Ok(_) | Err(ApiError { cause: Cause::Unreadable(_), .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn run(answer: &Value) -> Option<Run> {
    let id = answer.get("id")?.as_u64()?;
    let page = answer.get("html_url").and_then(Value::as_str).unwrap_or_default();
    Some(Run { id, url: page.to_owned() })
}

/// The time in whole seconds, as the API writes it.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

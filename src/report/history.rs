//! The digests that images had: for people a list of the states of each environment, for programs one object a line.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use super::counted;
use super::terminal::inert;
use crate::gate::Deployed;
use crate::history::{Commit, Entry, Histories, ImageHistory, Value, short};
use crate::reference::Reference;

/// The form of a time for people.
const TIME: &str = "%Y-%m-%d %H:%M UTC";

/// What the images of one environment were.
struct Row<'a> {
    deployed: &'a Deployed,
    reference: &'a Reference,
    history: &'a ImageHistory,
}

fn rows<'a>(images: &'a [Deployed], histories: &'a Histories) -> Vec<Row<'a>> {
    let rows = images.iter().zip(&histories.images).filter_map(|(deployed, history)| {
        Some(Row { deployed, reference: deployed.image.reference()?, history: history.as_ref()? })
    });
    rows.collect()
}

/// The states of each environment in which a digest or a tag changed, the newest first: what changed, and below it what
/// was deployed with it.
#[must_use]
pub fn human(images: &[Deployed], histories: &Histories) -> String {
    let rows = rows(images, histories);
    let mut environments: Vec<&Arc<str>> = Vec::new();
    for row in &rows {
        if !environments.contains(&&row.deployed.environment) {
            environments.push(&row.deployed.environment);
        }
    }
    let mut out = String::new();
    for environment in environments {
        let rows: Vec<_> = rows.iter().filter(|row| row.deployed.environment == *environment).collect();
        push_environment(&mut out, environment, &rows);
    }
    out
}

fn push_environment(out: &mut String, environment: &str, rows: &[&Row<'_>]) {
    // What is not committed comes before the newest commit, which is state 0.
    let states: BTreeSet<Option<usize>> = rows.iter().flat_map(|row| &row.history.entries).map(Entry::state).collect();
    let _ = writeln!(out, "{}: {}", inert(environment), counted(rows.len(), "image"));
    for state in states {
        let commit = rows.iter().find_map(|row| changed(row, state)).and_then(|entry| entry.commit.as_deref());
        let _ = writeln!(out, "\n{}", head(commit));
        let mut together = Vec::new();
        for row in rows {
            match (changed(row, state), row.history.at_or_now(state)) {
                (Some(entry), _) => push_change(out, row, entry),
                (None, Some(value)) => together.extend(brief(row, value)),
                (None, None) => {}
            }
        }
        if !together.is_empty() {
            let _ = writeln!(out, "    with {}", together.join(", "));
        }
    }
    out.push('\n');
}

/// What an image became in a state.
fn changed<'a>(row: &Row<'a>, state: Option<usize>) -> Option<&'a Entry> {
    row.history.entries.iter().find(|entry| entry.state() == state)
}

fn head(commit: Option<&Commit>) -> String {
    match commit {
        Some(commit) => format!(
            "{}  {}  {}: {}",
            commit.date.strftime(TIME),
            short(&commit.id),
            inert(&commit.author),
            inert(&commit.subject)
        ),
        None => "not committed".to_owned(),
    }
}

fn push_change(out: &mut String, row: &Row<'_>, entry: &Entry) {
    let place = format!("{}: {}", inert(&entry.path), inert(&entry.field));
    let name = inert(row.reference.name());
    let _ = match &entry.value {
        Value::Nothing => writeln!(out, "  - {name}  not deployed  {place}"),
        Value::Image { tag, digest } => {
            let mark = if entry.digest_is_new { '+' } else { '~' };
            let image = image(&name, tag.as_deref(), digest.as_deref());
            let none = if digest.is_none() { "  without a digest" } else { "" };
            let earlier = if entry.may_be_older { "  or earlier" } else { "" };
            writeln!(out, "  {mark} {image}{none}{earlier}  {place}")
        }
    };
}

/// An image that did not change, with the first characters of its digest.
fn brief(row: &Row<'_>, value: &Value) -> Option<String> {
    let digest = value.digest().map(|digest| digest.get(..digest.find(':')? + 13)).map(Option::unwrap_or_default);
    (*value != Value::Nothing).then(|| image(&inert(row.reference.name()), value.tag(), digest))
}

fn image(name: &str, tag: Option<&str>, digest: Option<&str>) -> String {
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
    format!("{name}{tag}{digest}")
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own for programs")]
struct Line<'a> {
    environment: &'a str,
    enforced: bool,
    path: &'a str,
    field: &'a str,
    resource: Option<&'a str>,
    registry: &'a str,
    repository: String,
    /// Whether it was deployed at all.
    deployed: bool,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
    commit: Option<&'a str>,
    date: Option<String>,
    author: Option<&'a str>,
    email: Option<&'a str>,
    subject: Option<&'a str>,
    /// Whether it is so now.
    current: bool,
    until_commit: Option<&'a str>,
    until: Option<String>,
    /// Where it was written then, from the root of the configuration or of the repository.
    path_then: &'a str,
    field_then: &'a str,
    /// It may have been so before `commit`: nothing older is known.
    may_be_older: bool,
}

#[derive(Serialize)]
struct SummaryLine {
    summary: Summary,
}

#[derive(Serialize)]
struct Summary {
    images: usize,
    entries: usize,
    commits: usize,
    unchecked: usize,
}

/// One line for each run of states in which an image had the same tag and digest, the newest first, then the counts.
#[must_use]
pub fn json(images: &[Deployed], histories: &Histories) -> String {
    let mut out = String::new();
    let rows = rows(images, histories);
    let mut entries = 0;
    for row in &rows {
        let mut newer: Option<&Entry> = None;
        for entry in &row.history.entries {
            super::json::push_line(&mut out, &line(row, entry, newer));
            newer = Some(entry);
            entries += 1;
        }
    }
    let (commits, unchecked) = (histories.commits(), histories.unchecked(images));
    let summary = Summary { images: rows.len(), entries, commits, unchecked };
    super::json::push_line(&mut out, &SummaryLine { summary });
    out
}

fn line<'a>(row: &Row<'a>, entry: &'a Entry, newer: Option<&'a Entry>) -> Line<'a> {
    let image = &row.deployed.image;
    let commit = entry.commit.as_deref();
    let until = newer.and_then(|newer| newer.commit.as_deref());
    Line {
        environment: &row.deployed.environment,
        enforced: row.deployed.enforced,
        path: image.place.source.path(),
        field: &image.field,
        resource: image.resource.as_deref(),
        registry: row.reference.registry(),
        repository: row.reference.repository(),
        deployed: entry.value != Value::Nothing,
        tag: entry.value.tag(),
        digest: entry.value.digest(),
        commit: commit.map(|commit| commit.id.as_str()),
        date: commit.map(|commit| commit.date.to_string()),
        author: commit.map(|commit| commit.author.as_str()),
        email: commit.map(|commit| commit.email.as_str()),
        subject: commit.map(|commit| commit.subject.as_str()),
        current: newer.is_none(),
        until_commit: until.map(|commit| commit.id.as_str()),
        until: until.map(|commit| commit.date.to_string()),
        path_then: &entry.path,
        field_then: &entry.field,
        may_be_older: entry.may_be_older,
    }
}

//! What became of digests that were asked for: lines for people, JSON for programs, a table for a pull request.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::counted;
use super::markdown::{code, place, prose};
use super::terminal::inert;
use crate::gate::Deployed;
use crate::pin::{Choice, Chosen, Missed, Moves};
use crate::reference::Reference;

/// How many images had which fate.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Tally {
    pub moved: usize,
    pub current: usize,
    pub left: usize,
    pub missed: usize,
    /// Of those missed: the registry did not answer.
    pub unchecked: usize,
    pub files: usize,
}

impl Tally {
    /// Counts.
    #[must_use]
    pub fn of(moves: &Moves) -> Self {
        let mut tally = Self { files: moves.changed.len(), ..Self::default() };
        for choice in &moves.choices {
            match choice {
                Choice::Move(_) => tally.moved += 1,
                Choice::Current => tally.current += 1,
                Choice::Left(_) => tally.left += 1,
                Choice::Missed(missed) => {
                    tally.missed += 1;
                    tally.unchecked += usize::from(matches!(missed, Missed::Unchecked(_)));
                }
                Choice::Passed => {}
            }
        }
        tally
    }
}

/// The line that sums up: `2 digests in 1 file: 2 written, …`. `verb` is what was done to them.
#[must_use]
pub fn summary(moves: &Moves, verb: &str) -> String {
    let tally = Tally::of(moves);
    let mut line = format!(
        "{} {verb} in {}, {} current",
        counted(tally.moved, "digest"),
        counted(tally.files, "file"),
        tally.current
    );
    for (count, what) in [(tally.left, "left alone"), (tally.missed, "missed"), (tally.unchecked, "unchecked")] {
        if count > 0 {
            let _ = write!(line, ", {count} {what}");
        }
    }
    line
}

/// A line for every image that moves, waits or is missed.
#[must_use]
pub fn lines(moves: &Moves) -> String {
    let mut out = String::new();
    for (deployed, choice) in moves.each() {
        let place = &deployed.image.place;
        let (at, image) = (place.start(), inert(deployed.image.effective().unwrap_or(&deployed.image.written)));
        let what = match choice {
            Choice::Move(chosen) => format!("{} → {}{}", image, inert(&chosen.shown()), details(chosen)),
            Choice::Left(why) => format!("{image} is left: {}", inert(why)),
            Choice::Missed(Missed::Unchecked(open)) => {
                format!("{image} is unchecked: {}; {}", inert(&open.reason), inert(&open.help))
            }
            Choice::Missed(missed) => format!("{image} gets no digest: {}", inert(missed.reason())),
            Choice::Current | Choice::Passed => continue,
        };
        let _ = writeln!(out, "{}:{}:{}: {what}", inert(place.source.path()), at.line, at.column);
    }
    out
}

/// ` (linux/amd64; created 2026-11-01, before 2026-10-02)`.
fn details(chosen: &Chosen) -> String {
    let mut parts = Vec::new();
    if !chosen.platforms.is_empty() {
        parts.push(platforms(chosen));
    }
    if let Some(created) = day(chosen.created) {
        let before = day(chosen.created_before).map(|day| format!(", before {day}")).unwrap_or_default();
        parts.push(format!("created {created}{before}"));
    }
    parts.extend(chosen.note.as_deref().map(inert));
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
}

fn platforms(chosen: &Chosen) -> String {
    let names: Vec<_> = chosen.platforms.iter().map(|platform| inert(&platform.to_string())).collect();
    names.join(", ")
}

/// The day of a date that means something: reproducible builds give the first second of 1970 or of 1980.
fn day(at: Option<Timestamp>) -> Option<String> {
    let day = at?.strftime("%Y-%m-%d").to_string();
    (day.as_str() >= "1990").then_some(day)
}

#[derive(Serialize)]
struct Entry<'a> {
    path: &'a str,
    line: u32,
    column: u32,
    field: &'a str,
    image: &'a str,
    environment: &'a str,
    enforced: bool,
    /// `move`, `current`, `left`, `missed`, `unchecked`.
    outcome: &'a str,
    registry: Option<&'a str>,
    repository: Option<String>,
    tag: Option<&'a str>,
    from: Option<&'a str>,
    to: Option<&'a str>,
    /// Where the tag changes, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    to_tag: Option<&'a str>,
    platforms: Vec<String>,
    created_before: Option<String>,
    created: Option<String>,
    reason: Option<&'a str>,
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct SummaryLine {
    summary: Summary,
}

#[derive(Serialize)]
struct Summary {
    #[serde(flatten)]
    tally: Tally,
    written: bool,
}

/// One image a line, then the counts.
#[must_use]
pub fn json(moves: &Moves, written: bool) -> String {
    let mut out = String::new();
    for (deployed, choice) in moves.each() {
        if !matches!(choice, Choice::Passed) {
            super::json::push_line(&mut out, &line(deployed, choice));
        }
    }
    super::json::push_line(&mut out, &SummaryLine { summary: Summary { tally: Tally::of(moves), written } });
    out
}

fn line<'a>(deployed: &'a Deployed, choice: &'a Choice) -> Entry<'a> {
    let image = &deployed.image;
    let at = image.place.start();
    let reference = image.reference();
    let (outcome, reason, help) = match choice {
        Choice::Move(chosen) => ("move", chosen.note.as_deref(), None),
        Choice::Current => ("current", None, None),
        Choice::Left(why) => ("left", Some(why.as_str()), None),
        Choice::Missed(Missed::Unchecked(open)) => ("unchecked", Some(open.reason.as_str()), Some(open.help.as_str())),
        Choice::Missed(missed) => ("missed", Some(missed.reason()), None),
        Choice::Passed => ("passed", None, None),
    };
    let chosen = match choice {
        Choice::Move(chosen) => Some(chosen),
        _ => None,
    };
    Entry {
        path: image.place.source.path(),
        line: at.line,
        column: at.column,
        field: &image.field,
        image: &image.written,
        environment: &deployed.environment,
        enforced: deployed.enforced,
        outcome,
        registry: reference.map(Reference::registry),
        repository: reference.map(Reference::repository),
        tag: reference.and_then(Reference::tag),
        from: reference.and_then(Reference::digest),
        to: chosen.map(|chosen| chosen.digest.as_str()),
        to_tag: chosen.and_then(|chosen| chosen.tag.as_deref()),
        platforms: chosen.into_iter().flat_map(|it| it.platforms.iter().map(ToString::to_string)).collect(),
        created_before: chosen.and_then(|chosen| Some(chosen.created_before?.to_string())),
        created: chosen.and_then(|chosen| Some(chosen.created?.to_string())),
        reason,
        help,
    }
}

/// A row for every image that moves, with the command that takes it back.
#[must_use]
pub fn table(moves: &Moves) -> String {
    let mut out = String::from(
        "| image | tag | digest before | digest now | created | platforms | where |\n|---|---|---|---|---|---|---|\n",
    );
    for (deployed, choice) in moves.each() {
        let (Choice::Move(chosen), Some(reference)) = (choice, deployed.image.reference()) else { continue };
        let created = match (day(chosen.created_before), day(chosen.created)) {
            (Some(before), Some(now)) => format!("{before} → {now}"),
            (None, Some(now)) => now,
            _ => String::new(),
        };
        let note = chosen.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
        let cells = [
            code(reference.name()),
            tags(reference, chosen),
            chosen.from.as_deref().map(code).unwrap_or_default(),
            code(&chosen.digest),
            created,
            prose(&format!("{}{note}", platforms(chosen))),
            place(&deployed.image.place),
        ];
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

/// The tag, or the old one and the new one.
fn tags(reference: &Reference, chosen: &Chosen) -> String {
    let tags: Vec<_> = reference.tag().into_iter().chain(chosen.tag.as_deref()).map(code).collect();
    tags.join(" → ")
}

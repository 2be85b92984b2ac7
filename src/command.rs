//! The commands: each reads its options, calls the library and prints. No logic of its own.

pub(crate) mod action;
pub(crate) mod check;
mod evidence;
pub(crate) mod explain;
mod first_seen;
pub(crate) mod history;
mod holds;
pub(crate) mod images;
pub(crate) mod init;
mod message;
mod moves;
pub(crate) mod pin;
mod pull_request;
pub(crate) mod refresh;
mod registries;
pub(crate) mod rollback;
mod scans;
mod setup;
pub(crate) mod verify;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use crate::cli::{CLEAN, FAILED};
use crate::gate::Collected;
use crate::rule::{NO_MANIFESTS, UNREADABLE_MANIFEST};

/// Writes to standard output. A reader that has gone away (`| head`) is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<u8> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(CLEAN),
    }
}

/// Writes to `file`, or to standard output where there is none.
pub(crate) fn emit(text: &str, file: Option<&Path>) -> anyhow::Result<()> {
    let Some(file) = file else { return print(text).map(|_| ()) };
    let write = || File::create(file)?.write_all(text.as_bytes());
    write().with_context(|| format!("cannot write `{}`", file.display()))
}

/// Writes lines for the user to standard error; foreign text in them is inert already.
pub(crate) fn whisper(text: &str) {
    // Nobody can be told that standard error is closed.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Says which manifests could not be read, before digests are moved in the others; the status that this asks for.
pub(crate) fn tell_unread(collected: &Collected) -> u8 {
    for notice in &collected.notices {
        say("note", notice);
    }
    let unread = |id: &str| id == UNREADABLE_MANIFEST.id || id == NO_MANIFESTS.id;
    let mut status = CLEAN;
    for finding in collected.findings.iter().filter(|finding| unread(finding.rule.id)) {
        let at = finding.place.start();
        say("error", &format!("{}:{}:{}: {}", finding.place.source.path(), at.line, at.column, finding.message));
        status = FAILED;
    }
    status
}

/// Writes an error for the user to standard error, with what caused it.
pub(crate) fn complain(error: &anyhow::Error) {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    say("error", &causes.join(": "));
}

/// Writes a line for the user to standard error; nothing in it can be taken for a workflow command.
pub(crate) fn say(word: &str, text: &str) {
    for (index, line) in text.lines().enumerate() {
        let line = crate::report::annotations::neutral(line);
        let line = if index == 0 { format!("{word}: {line}\n") } else { format!("{line}\n") };
        // Nobody can be told that standard error is closed.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

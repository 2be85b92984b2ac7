//! The commands: each reads its options, calls the library and prints. No logic of its own.

pub(crate) mod action;
pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod images;
mod moves;
mod setup;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use crate::cli::CLEAN;

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

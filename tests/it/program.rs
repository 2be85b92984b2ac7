//! Runs the program as a user would: in a folder of its own, with an environment in which nothing is set.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Says what a test could not do, past the test runner, which keeps what passing tests print.
pub(crate) fn skipped(what: &str) {
    std::io::stderr().write_all(format!("SKIPPED: {what}\n").as_bytes()).unwrap();
}

/// Whether a program that ours is held against is on PATH; says so where it is not.
pub(crate) fn has_referee(program: &str) -> bool {
    let is_there = Command::new(program).arg("version").output().is_ok();
    if !is_there {
        skipped(&format!("`{program}` is not on PATH: nothing was held against it"));
    }
    is_there
}

/// A folder with files in it, in which the program is run. Removed when it is dropped.
pub(crate) struct Folder(pub(crate) tempfile::TempDir);

/// What a run printed and how it ended.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { status: output.status.code().unwrap(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Status and both outputs, for a snapshot.
    pub(crate) fn shown(&self) -> String {
        let mut shown = format!("status {}\n{}", self.status, self.stdout);
        if !self.stderr.is_empty() {
            shown.push_str("--- standard error\n");
            shown.push_str(&self.stderr);
        }
        shown
    }
}

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "", &[])
    }

    pub(crate) fn run_with(&self, arguments: &[&str], stdin: &str, environment: &[(&str, &str)]) -> Ran {
        run_in(self.path(), arguments, stdin, environment)
    }
}

/// Runs the program in any folder.
pub(crate) fn run_in(folder: &Path, arguments: &[&str], stdin: &str, environment: &[(&str, &str)]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_digest-gate"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    Ran::of(&child.wait_with_output().unwrap())
}

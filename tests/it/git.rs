//! Repositories made by the real git, with times and names that are always the same.

use std::path::Path;
use std::process::Command;

use super::program::{Folder, Ran, run_in, skipped};

/// A repository in a folder of its own.
pub(crate) struct Repository {
    pub(crate) folder: Folder,
    /// Days since the first commit.
    day: std::cell::Cell<i64>,
}

/// 2026-01-01.
const FIRST_DAY: i64 = 1_767_225_600;

/// A digest that is told apart by its first characters.
pub(crate) fn digest(name: &str) -> String {
    let hex: String = name.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("sha256:{hex:0<64}")
}

/// Runs git in a folder; what it printed.
pub(crate) fn git_in(folder: &Path, day: i64, arguments: &[&str]) -> String {
    let date = format!("{} +0000", FIRST_DAY + day * 86_400);
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("HOME", "/nonexistent"), ("GIT_AUTHOR_NAME", "Jane Doe")])
        .envs([("GIT_AUTHOR_EMAIL", "jane@example.org"), ("GIT_COMMITTER_NAME", "A Merger")])
        .envs([("GIT_COMMITTER_EMAIL", "merger@example.org")])
        .envs([("GIT_AUTHOR_DATE", &date), ("GIT_COMMITTER_DATE", &date)])
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Repository {
    /// An empty one; none, and a word about it, where there is no git.
    pub(crate) fn new() -> Option<Self> {
        Self::of_format("sha1")
    }

    pub(crate) fn of_format(format: &str) -> Option<Self> {
        if Command::new("git").arg("version").output().is_err() {
            skipped("no `git` on PATH: no history was made to be read");
            return None;
        }
        let repository = Self { folder: Folder::new(&[]), day: std::cell::Cell::new(0) };
        repository.git(&["init", "-q", "-b", "main", "--object-format", format]);
        Some(repository)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git_in(self.path(), self.day.get(), arguments)
    }

    /// Commits everything, a day after the commit before it; the id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.day.set(self.day.get() + 1);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Commits everything at the time it was so many days ago.
    pub(crate) fn commit_days_ago(&self, days: i64, message: &str) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let today = i64::try_from(now.as_secs()).unwrap() - FIRST_DAY;
        self.day.set(today.div_euclid(86_400) - days - 1);
        self.commit(message);
    }

    /// Writes a file and commits everything.
    pub(crate) fn write(&self, path: &str, text: &str, message: &str) -> String {
        self.folder.write(path, text);
        self.commit(message)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.folder.run(arguments)
    }

    /// The lines of `history`: the subject, the field, and what the image was.
    pub(crate) fn history(&self, arguments: &[&str]) -> Vec<String> {
        history_in(self.path(), arguments)
    }
}

/// The lines of `history` in any folder.
pub(crate) fn history_in(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let ran = run_in(folder, &[&["history", "--format", "json"], arguments].concat(), "", &[]);
    assert_eq!(ran.status, 0, "{}", ran.shown());
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if line["summary"].is_object() {
            return None;
        }
        let text = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
        // The name that was given to `digest`.
        let hex = line["digest"].as_str().unwrap_or("sha256:2d").replace("sha256:", "");
        let bytes = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).map_or('?', char::from));
        let digest: String = bytes.filter(|c| *c != '\0').collect();
        let was = if line["deployed"] == true { format!("{}@{digest}", text("tag")) } else { "gone".to_owned() };
        Some(format!("{}: {} {was}", text("subject"), text("field_then")))
    };
    ran.stdout.lines().filter_map(line).collect()
}

//! The door to the workflow runner: inputs from `INPUT_*`, outputs and the summary through its file commands.
//!
//! Source: actions/runner, `Handler.cs` (`AddInputsToEnvironment`), `FileCommandManager.cs` and `EnvFileKeyValuePairs`.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The environment the runner started the action with.
#[derive(Clone, Default)]
pub struct Runner {
    variables: BTreeMap<String, String>,
}

impl Runner {
    /// Takes an environment.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect() }
    }

    /// All variables.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// A variable that is set to something.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// An input: `INPUT_` and the name in upper case, with hyphens kept and blanks made `_`. An input that is not given
    /// arrives empty, and is none.
    pub fn input(&self, name: &str) -> Option<&str> {
        let name = format!("INPUT_{}", name.replace(' ', "_").to_uppercase());
        self.variables.get(&name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// An input of one value a line.
    pub fn lines(&self, name: &str) -> Vec<&str> {
        let lines = self.input(name).into_iter().flat_map(str::lines);
        lines.map(str::trim).filter(|line| !line.is_empty()).collect()
    }

    /// The folder that was checked out.
    pub fn workspace(&self) -> Option<PathBuf> {
        self.variable("GITHUB_WORKSPACE").map(PathBuf::from)
    }

    /// The path of the workflow that runs, relative to its repository.
    pub fn workflow(&self) -> Option<&str> {
        let reference = self.variable("GITHUB_WORKFLOW_REF")?;
        let path = reference.split_once('@').map_or(reference, |(path, _)| path);
        path.splitn(3, '/').nth(2)
    }

    /// Sets outputs of the step.
    ///
    /// # Errors
    /// The runner's file cannot be written, or there is no randomness for the delimiter.
    pub fn set_outputs(&self, outputs: &[(&str, String)]) -> io::Result<()> {
        let Some(file) = self.variable("GITHUB_OUTPUT") else { return Ok(()) };
        let mut text = String::new();
        for (name, value) in outputs {
            text.push_str(&heredoc(name, value, &delimiter(value)?));
        }
        append(Path::new(file), &text)
    }

    /// Adds to the summary of the step.
    ///
    /// # Errors
    /// The runner's file cannot be written.
    pub fn add_summary(&self, markdown: &str) -> io::Result<()> {
        let Some(file) = self.variable("GITHUB_STEP_SUMMARY") else { return Ok(()) };
        append(Path::new(file), markdown)
    }
}

fn append(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(file)?.write_all(text.as_bytes())
}

/// A delimiter of 128 random bits that does not stand in the value: text of a manifest cannot end it and begin an
/// output of its own.
fn delimiter(value: &str) -> io::Result<String> {
    loop {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let delimiter = format!("digest_gate_{:032x}", u128::from_be_bytes(bytes));
        if !value.contains(&delimiter) {
            return Ok(delimiter);
        }
    }
}

fn heredoc(name: &str, value: &str, delimiter: &str) -> String {
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner(variables: &[(&str, &str)]) -> Runner {
        Runner::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn inputs_keep_hyphens_and_empty_is_none() {
        let runner = runner(&[
            ("INPUT_CHECK-NAME", " report "),
            ("INPUT_CONFIG", ""),
            ("INPUT_MANIFESTS", "a.yml\r\n\n  b/**  \n"),
            ("GITHUB_WORKFLOW_REF", "org/repo/.github/workflows/gate.yml@refs/heads/a@b"),
        ]);
        assert_eq!(runner.input("check-name"), Some("report"));
        assert_eq!(runner.input("config"), None);
        assert_eq!(runner.input("policy"), None);
        assert_eq!(runner.lines("manifests"), ["a.yml", "b/**"]);
        assert_eq!(runner.workflow(), Some(".github/workflows/gate.yml"));
    }

    #[test]
    fn a_value_cannot_end_its_heredoc() {
        let value = "a\nEOF\nresult=pass\n\r";
        let first = delimiter(value).unwrap();
        assert_ne!(first, delimiter(value).unwrap());
        assert!(!value.contains(&first));
        assert_eq!(heredoc("x", "v", "d"), "x<<d\nv\nd\n");
    }

    #[test]
    fn without_a_runner_nothing_is_written() {
        assert!(runner(&[]).set_outputs(&[("result", "pass".to_owned())]).is_ok());
        assert!(runner(&[("GITHUB_STEP_SUMMARY", "/nonexistent/x")]).add_summary("x").is_err());
    }
}

//! The variables of a project: its env files, over them what an including project sets.

use std::rc::Rc;
use std::sync::Arc;

use crate::manifest::env_file::EnvFile;
use crate::manifest::interpolate::{Interpolated, Undecided, Value, interpolate};
use crate::source::Source;

#[derive(Debug, Default)]
pub(super) struct Environment {
    /// The project that includes this one; what it sets wins.
    parent: Option<Rc<Environment>>,
    /// Later ones win.
    files: Vec<EnvFile>,
    /// Why an env file could not be read: then nothing is known of any variable.
    problem: Option<String>,
}

impl Environment {
    pub(super) fn new(parent: Option<&Rc<Self>>) -> Self {
        Self { parent: parent.cloned(), files: Vec::new(), problem: None }
    }

    /// Adds an env file, whose values may use what is set so far.
    pub(super) fn add(&mut self, source: &Arc<Source>) {
        let file = EnvFile::parse_with(source, &|name| self.outer(name), &|name| self.earlier(name));
        self.files.push(file);
    }

    pub(super) fn fail(&mut self, why: String) {
        self.problem = Some(why);
    }

    /// Whether no env file sets anything that the including project does not.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.problem.is_none()
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<Value>, String> {
        if name == "COMPOSE_PROJECT_NAME" {
            return Err("Compose sets `COMPOSE_PROJECT_NAME` to the name of the project".to_owned());
        }
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        match self.outer(name)? {
            None => self.earlier(name),
            found => Ok(found),
        }
    }

    /// What the including project sets.
    fn outer(&self, name: &str) -> Result<Option<Value>, String> {
        self.parent.as_ref().map_or(Ok(None), |parent| parent.get(name))
    }

    /// What the env files set.
    fn earlier(&self, name: &str) -> Result<Option<Value>, String> {
        for file in self.files.iter().rev() {
            if let Some(value) = file.get(name)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    pub(super) fn decide(&self, text: &str) -> Result<Interpolated, Undecided> {
        interpolate(text, &|name| self.get(name))
    }

    pub(super) fn interpolate(&self, text: &str) -> Result<Interpolated, String> {
        self.decide(text).map_err(|why| why.to_string())
    }
}

//! What a rule says about a place: everything a report needs, before any format exists.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::manifest::{LocatedImage, Related};
use crate::rule::{Rule, Verdict};
use crate::source::Place;

/// How grave a finding is. Only an enforced error blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Note,
    Warning,
    Error,
}

impl Severity {
    /// The word in configuration and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The exception that exempts a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exempted {
    pub reason: String,
    pub ticket: Option<String>,
    /// The last day on which it counts, `YYYY-MM-DD`.
    pub expires: String,
    /// Days left, 0 on the last day.
    pub days_left: i64,
}

/// An exception of the configuration, and what it did in one run.
#[derive(Clone, Debug)]
pub struct ListedException {
    /// As it is written: a repository, or a glob over repositories.
    pub image: String,
    /// The files it is limited to, as written.
    pub path: Option<String>,
    /// The rule it is limited to.
    pub rule: Option<&'static str>,
    /// The vulnerability it is limited to.
    pub vulnerability: Option<String>,
    pub reason: String,
    pub ticket: Option<String>,
    /// The last day on which it counts, as written: maybe no date.
    pub expires: String,
    /// Days left, 0 on the last day, negative where it is past; none where what is written is no date.
    pub days_left: Option<i64>,
    /// How many findings it exempts.
    pub exempts: usize,
    /// Where it is said that it does not count for findings it names.
    pub refused: Option<Place>,
    /// Where it is configured.
    pub place: Place,
}

impl ListedException {
    /// Whether it exempts what it names.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.days_left.is_some_and(|days| days >= 0)
    }
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    pub rule: &'static Rule,
    pub severity: Severity,
    /// Whether the environment blocks; outside of it a finding advises.
    pub enforced: bool,
    /// The name of the environment whose manifest it is.
    pub environment: Arc<str>,
    pub place: Place,
    /// The field of the image, where it is about one.
    pub field: Option<String>,
    /// The object that deploys the image, for people: `Deployment/web`.
    pub resource: Option<String>,
    /// The image text as written, where it is about one.
    pub image: Option<String>,
    /// What is deployed, `registry/repository` in full, where that is decided: what exceptions compare.
    pub repository: Option<String>,
    /// The vulnerabilities it is about; empty where it is about none.
    pub vulnerabilities: Vec<String>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What the reader should do: a sentence without full stop.
    pub help: String,
    pub related: Vec<Related>,
    pub exception: Option<Exempted>,
}

impl Finding {
    /// What a rule says of an image that is deployed in an environment.
    #[must_use]
    pub fn about(
        image: &LocatedImage,
        environment: &Arc<str>,
        enforced: bool,
        rule: &'static Rule,
        severity: Severity,
        verdict: Verdict,
    ) -> Self {
        Self {
            rule,
            severity,
            enforced,
            environment: Arc::clone(environment),
            place: image.place.clone(),
            field: Some(image.field.clone()),
            resource: image.resource.clone(),
            image: Some(image.written.clone()),
            repository: image.reference().map(|r| format!("{}/{}", r.registry(), r.repository())),
            vulnerabilities: Vec::new(),
            message: verdict.message,
            help: verdict.help,
            related: image.related.clone(),
            exception: None,
        }
    }

    /// Whether this finding alone makes the gate fail.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.enforced && self.severity == Severity::Error && self.exception.is_none()
    }
}

/// What was counted in one run. `unchecked` questions are never counted as good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Manifests read.
    pub files: usize,
    /// Images judged.
    pub images: usize,
    /// Images whose effective reference carries a digest.
    pub pinned: usize,
    pub unchecked: usize,
}

/// The outcome of one run, in the order in which it is shown.
#[derive(Debug, Default)]
pub struct Report {
    /// Sorted by path, place and rule.
    pub findings: Vec<Finding>,
    pub counts: Counts,
    /// Every exception that is configured, in the order of the configuration.
    pub exceptions: Vec<ListedException>,
    /// Who set the level of each rule that is broken, and where: for people.
    pub level_sources: BTreeMap<&'static str, String>,
    /// What the reader should know that is about no place; sentences without full stop.
    pub notices: Vec<String>,
}

impl Report {
    /// Whether the gate fails.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.findings.iter().any(Finding::blocks)
    }

    /// `pass` or `fail`.
    #[must_use]
    pub fn result(&self) -> &'static str {
        if self.fails() { "fail" } else { "pass" }
    }

    /// How many findings of a severity stand, exempted ones left out.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|f| f.exception.is_none() && f.severity == severity).count()
    }

    /// How many findings an exception exempts.
    #[must_use]
    pub fn exempted(&self) -> usize {
        self.findings.iter().filter(|f| f.exception.is_some()).count()
    }
}

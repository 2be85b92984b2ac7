//! What makers say of vulnerabilities: statements, whatever format they came in, and which findings they take back.

use std::collections::HashMap;

use jiff::Timestamp;

use super::purl::Package;
use super::read::Wrong;
use super::{Found, MAX_FINDINGS, Report};

/// How many statements about one vulnerability are looked through.
const MAX_STATEMENTS: usize = 1000;

/// That a vulnerability does, or does not, matter in an image.
#[derive(Debug)]
pub(super) struct Statement {
    /// All names of the vulnerability.
    pub(super) ids: Vec<String>,
    /// The digests of the images it is about. Without one it is about none.
    pub(super) digests: Vec<String>,
    /// The packages in them it is about; empty where it is about the whole image.
    pub(super) packages: Vec<Package>,
    /// Whether it says that there is nothing to mend: not affected, fixed, resolved, a false positive.
    pub(super) harmless: bool,
    /// When it was made.
    pub(super) at: Option<Timestamp>,
}

/// Why a document is not read to its end.
pub(super) fn too_many() -> Wrong {
    format!("it has more than {MAX_FINDINGS} statements: no more are read")
}

impl Statement {
    pub(super) fn names_an_image(&self) -> bool {
        !self.digests.is_empty()
    }

    fn is_about(&self, line: &Found, digest: &str, report: &Report) -> bool {
        let image = self.digests.iter().any(|it| it == digest || report.names(it));
        let takes = |package: &Package| line.package.as_ref().is_some_and(|other| package.takes(other));
        image && (self.packages.is_empty() || self.packages.iter().any(takes))
    }
}

/// The statements, found by the names of vulnerabilities.
pub(super) struct Said<'s>(HashMap<&'s str, Vec<&'s Statement>>);

impl<'s> Said<'s> {
    pub(super) fn of(statements: &'s [Statement]) -> Self {
        let mut by_name: HashMap<&str, Vec<&Statement>> = HashMap::new();
        for statement in statements {
            for id in &statement.ids {
                by_name.entry(id).or_default().push(statement);
            }
        }
        Self(by_name)
    }

    /// Whether the makers take a finding back. The newest statement counts; of several of one time, or where one has no
    /// time, all must agree. Where more is said than anyone would look through nothing is taken back.
    pub(super) fn take_back(&self, line: &Found, digest: &str, report: &Report) -> bool {
        let said = line.ids.iter().filter_map(|id| self.0.get(id.as_str())).flatten();
        let mut about = Vec::new();
        for (count, statement) in said.enumerate() {
            if count >= MAX_STATEMENTS {
                return false;
            }
            if statement.is_about(line, digest, report) {
                about.push(statement);
            }
        }
        let newest = about.iter().map(|it| it.at).max().flatten();
        let mut last = about.iter().filter(|it| it.at.is_none() || it.at == newest).peekable();
        last.peek().is_some() && last.all(|it| it.harmless)
    }
}

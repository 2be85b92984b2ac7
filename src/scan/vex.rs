//! What makers say of vulnerabilities: statements, whatever format they came in, and which findings they take back.

use jiff::Timestamp;

use super::purl::Package;
use super::{Found, Report};

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

impl Statement {
    pub(super) fn names_an_image(&self) -> bool {
        !self.digests.is_empty()
    }

    fn is_about(&self, line: &Found, digest: &str, report: &Report) -> bool {
        let image = self.digests.iter().any(|it| it == digest || report.names(it));
        let vulnerability = self.ids.iter().any(|id| line.ids.contains(id));
        let takes = |package: &Package| line.package.as_ref().is_some_and(|other| package.takes(other));
        image && vulnerability && (self.packages.is_empty() || self.packages.iter().any(takes))
    }
}

/// Whether the makers take a finding back. The newest statement counts; of several of one time, or where one has no time,
/// all must agree.
pub(super) fn takes_back(statements: &[Statement], line: &Found, digest: &str, report: &Report) -> bool {
    let about: Vec<_> = statements.iter().filter(|it| it.is_about(line, digest, report)).collect();
    let newest = about.iter().map(|it| it.at).max().flatten();
    let mut last = about.iter().filter(|it| it.at.is_none() || it.at == newest).peekable();
    last.peek().is_some() && last.all(|it| it.harmless)
}

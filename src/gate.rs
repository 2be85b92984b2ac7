//! From files to findings: which manifests an environment has, and what every rule says of their images.

mod environments;
mod run;
mod whole;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Date;

use crate::exception::{self, Coverage};
use crate::finding::{Counts, Finding, Report};
use crate::manifest::LocatedImage;
use crate::policy::{Environment, Policy};
use crate::reference::Reference;
use crate::rule::{self, JudgedBy, Rule};
use crate::source::{Place, Source, Span};
use crate::walk::{ReadError, Workspace};
use run::Run;

pub use whole::Whole;

/// What is to be judged, and by what.
pub struct Request<'a> {
    pub workspace: &'a Workspace,
    pub policy: &'a Policy,
    pub targets: Targets<'a>,
    /// Whether every image is wanted, or only what the rules say of them.
    pub keep_images: bool,
    /// How many threads read files.
    pub threads: usize,
    /// The day on which exceptions are looked at.
    pub today: Date,
}

impl Request<'_> {
    /// Whether every manifest is looked at that an exception could be for.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        match &self.targets {
            Targets::Environments(environments) if environments.len() >= self.policy.environments.len() => {
                Coverage::Whole
            }
            _ => Coverage::Part,
        }
    }
}

/// Which manifests are looked at.
pub enum Targets<'a> {
    /// Files and folders the user named, and text from standard input: judged as production.
    Paths { paths: &'a [PathBuf], stdin: Option<Arc<Source>> },
    /// The manifests of environments.
    Environments(Vec<&'a Environment>),
}

/// An image that is deployed, and where.
#[derive(Clone, Debug)]
pub struct Deployed {
    pub image: LocatedImage,
    pub environment: Arc<str>,
    /// Whether the environment blocks.
    pub enforced: bool,
    /// What was read to decide it.
    pub whole: Arc<Whole>,
    /// Whether all of that could be read.
    pub complete: bool,
}

/// The images that are locked: each reference with a digest that is deployed, once, sorted.
#[must_use]
pub fn locked(images: &[Deployed]) -> Vec<&str> {
    let references = images.iter().filter_map(|deployed| deployed.image.reference());
    let mut locked: Vec<_> = references.filter(|it| it.is_pinned()).map(Reference::as_str).collect();
    locked.sort_unstable();
    locked.dedup();
    locked
}

/// What was found and judged.
pub struct Judged {
    pub report: Report,
    /// Where asked for, every image that is deployed, sorted by place; local ones too.
    pub images: Vec<Deployed>,
    /// Where asked for, every file that took part, sorted by path.
    pub sources: Vec<Arc<Source>>,
}

/// What the manifests alone say, before exceptions are applied. More may be asked about the images and added.
#[derive(Default)]
pub struct Collected {
    /// In no order.
    pub findings: Vec<Finding>,
    pub counts: Counts,
    /// Where asked for, every image that is deployed, sorted by place; local ones too.
    pub images: Vec<Deployed>,
    /// Where asked for, every file that took part, sorted by path.
    pub sources: Vec<Arc<Source>>,
    pub notices: Vec<String>,
}

/// Judges all manifests of a request.
///
/// # Errors
/// A path the user named is not there. Everything else that goes wrong is a finding.
pub fn judge(request: &Request<'_>) -> Result<Judged, Missing> {
    Ok(conclude(collect(request)?, request, JudgedBy::Check))
}

/// Reads all manifests of a request and judges each image.
///
/// # Errors
/// A path the user named is not there. Everything else that goes wrong is a finding.
pub fn collect(request: &Request<'_>) -> Result<Collected, Missing> {
    let run = Run::new(request);
    let mut collected = match &request.targets {
        Targets::Paths { paths, stdin } => run.paths(paths, stdin.as_ref())?,
        Targets::Environments(environments) => environments::judge(run, environments),
    };
    collected.images.sort_by(|a, b| {
        let (a, b) = (&a.image, &b.image);
        place_order(&a.place).cmp(&place_order(&b.place)).then_with(|| a.field.cmp(&b.field))
    });
    Ok(collected)
}

/// Applies the exceptions, now that everything that `by` judges was judged.
#[must_use]
pub fn conclude(collected: Collected, request: &Request<'_>, by: JudgedBy) -> Judged {
    let Collected { mut findings, counts, images, sources, mut notices } = collected;
    let policy = request.policy;
    let exceptions = exception::apply(&mut findings, policy, request.today, request.coverage(), by);
    sort(&mut findings);
    let rules: BTreeMap<_, _> = findings.iter().map(|finding| (finding.rule.id, finding.rule)).collect();
    notices.extend(policy.notices.iter().cloned());
    notices.extend(policy.floor_notice(rules.values().copied()));
    let level_sources = rules.into_iter().map(|(id, rule)| (id, policy.level_source(rule))).collect();
    Judged { report: Report { findings, counts, exceptions, level_sources, notices }, images, sources }
}

/// A path the user named that cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {error}")]
pub struct Missing {
    path: String,
    error: ReadError,
}

fn place_order(place: &Place) -> (&str, Span) {
    (place.source.path(), place.span)
}

fn sort(findings: &mut Vec<Finding>) {
    let rank = |rule: &Rule| rule::RULES.iter().position(|other| other.id == rule.id);
    findings.sort_by(|a, b| {
        place_order(&a.place).cmp(&place_order(&b.place)).then_with(|| rank(a.rule).cmp(&rank(b.rule)))
    });
    findings.dedup_by(|a, b| {
        a.rule.id == b.rule.id && place_order(&a.place) == place_order(&b.place) && a.message == b.message
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Alone, read};
    use crate::yaml::Tree;

    #[test]
    fn what_is_locked_is_each_reference_with_a_digest_once() {
        let digest = format!("sha256:{}", "1a".repeat(32));
        let text = format!(
            "services:\n  b: {{image: 'b:1@{digest}'}}\n  a: {{image: 'a@{digest}'}}\n  again: {{image: 'b:1@{digest}'}}\n  \
             tag: {{image: 'c:1'}}\n  short: {{image: 'd@sha256:abc'}}\n  any: {{image: '${{X}}'}}\n  built: {{build: .}}\n"
        );
        let found = read(&Source::new("compose.yml", text), &Alone, &mut Tree::default()).images;
        let deployed = |image| Deployed {
            image,
            environment: "production".into(),
            enforced: true,
            whole: Arc::default(),
            complete: true,
        };
        let images: Vec<_> = found.into_iter().map(deployed).collect();
        assert_eq!(images.len(), 7);
        assert_eq!(locked(&images), [format!("a@{digest}"), format!("b:1@{digest}")]);
    }
}

//! What scan reports say of every image that is deployed.

use std::collections::BTreeSet;

use super::says;
use crate::finding::Finding;
use crate::gate::{Collected, Deployed};
use crate::pin::{Table, by_digest};
use crate::policy::Policy;
use crate::resolution::{Answer, Content, Description, Scanned};
use crate::rule::Facts;
use crate::scan::Scans;

/// How many vulnerabilities a finding lists by name.
const MAX_NAMES: usize = 1000;

/// Adds what the scan reports say of every image.
pub(super) fn judge(collected: &mut Collected, policy: &Policy, described: &Table<Description>, scans: &Scans) {
    let accepted: Vec<_> = policy.exceptions.iter().filter_map(|it| it.vulnerability.as_deref()).collect();
    let mut deployed: BTreeSet<String> = BTreeSet::new();
    let mut open: BTreeSet<&str> = BTreeSet::new();
    let mut findings = Vec::new();
    for it in &collected.images {
        let Some(reference) = it.image.reference() else { continue };
        let unasked = Answer::Missing;
        let registry = reference.digest().map(|digest| by_digest(reference, digest));
        let registry = registry.and_then(|asked| described.asked(&asked)).unwrap_or(&unasked);
        let Some(said) = scans.of(reference, registry, policy.scan()) else {
            // It is unpinned, and that is said already.
            open.insert(reference.as_str());
            continue;
        };
        deployed.extend(reference.digest().map(str::to_owned));
        if let Answer::Found(Description { content: Content::Index(entries), .. }) = registry {
            deployed.extend(entries.iter().map(|(_, digest)| digest.clone()));
        }
        if said.found().is_none_or(|scanned| scanned.ungraded().next().is_some()) {
            open.extend(reference.digest());
        }
        findings.extend(judge_one(it, said, &accepted, policy));
    }
    collected.notices.extend(scans.remarks(&|digest| deployed.contains(digest)));
    collected.counts.unchecked += open.len();
    collected.findings.extend(findings);
}

/// What the rules say of the scan of one image: what an exception names is a finding of its own.
fn judge_one(deployed: &Deployed, said: Answer<Scanned>, accepted: &[&str], policy: &Policy) -> Vec<Finding> {
    let parts = match said {
        Answer::Found(scanned) => scanned.apart(accepted),
        Answer::Missing => Vec::new(),
        Answer::Unanswered(why) => {
            return says(
                deployed,
                Facts { scan: Some(&Answer::Unanswered(why)), ..policy.facts(&deployed.image) },
                policy,
            );
        }
    };
    let judged = parts.into_iter().flat_map(|(accepted, part)| {
        let names: Vec<_> = match accepted {
            Some(name) => vec![name.to_owned()],
            None => part.found.iter().map(|it| it.id.clone()).take(MAX_NAMES).collect(),
        };
        let scan = Answer::Found(part);
        let mut findings = says(deployed, Facts { scan: Some(&scan), ..policy.facts(&deployed.image) }, policy);
        for finding in &mut findings {
            finding.vulnerabilities.clone_from(&names);
        }
        findings
    });
    judged.collect()
}

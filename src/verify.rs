//! What the registries say of every image that is deployed: does its digest exist, what does its tag serve now.
//!
//! A reference costs two HEAD requests; only where the digest is that of one image, or the tag has moved, are manifests
//! read.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::gate::{Collected, Deployed};
use crate::pin::{Table, by_digest, by_tag};
use crate::policy::Policy;
use crate::reference::Reference;
use crate::resolution::{Answer, Answers, Asked, Content, Description, Served, Standing};
use crate::rule::{self, Facts, JudgedBy};

/// Asks about every image and adds what the rules of `verify` say to what was collected.
pub fn ask(collected: &mut Collected, policy: &Policy, registries: &dyn Answers) {
    let references: Vec<_> = collected.images.iter().map(|deployed| deployed.image.reference()).collect();
    let asked: BTreeSet<Asked> = references.iter().flatten().flat_map(|reference| questions(reference)).collect();
    let served = Table::of(asked.iter(), |asked| registries.served(asked));
    let details: BTreeSet<Asked> = references.iter().flatten().flat_map(|it| closer(it, &served)).collect();
    let described = Table::of(details.iter(), |asked| registries.describe(asked));
    let mut open = BTreeSet::new();
    for asked in &asked {
        if matches!(served.get(asked), Answer::Unanswered(_)) {
            open.insert(asked);
        }
    }
    let still_open = |asked: &&Asked| matches!(described.get(asked), Answer::Unanswered(_));
    open.extend(details.iter().filter(still_open));
    let mut findings = Vec::new();
    for (deployed, reference) in collected.images.iter().zip(&references) {
        let Some(reference) = reference else { continue };
        match standing(reference, &served, &described) {
            Some(standing) => findings.extend(judge(deployed, &standing, policy)),
            None => advise(&mut collected.findings, deployed, served.get(&by_tag(reference))),
        }
    }
    collected.counts.unchecked += open.len();
    collected.findings.extend(findings);
}

/// What is asked about a reference first.
fn questions(reference: &Reference) -> Vec<Asked> {
    let digest = reference.digest().map(|digest| by_digest(reference, digest));
    let tag = (reference.tag().is_some() || digest.is_none()).then(|| by_tag(reference));
    digest.into_iter().chain(tag).collect()
}

/// What must be looked at more closely, given the first answers.
fn closer(reference: &Reference, served: &Table<Served>) -> Vec<Asked> {
    let Some(digest) = reference.digest() else { return Vec::new() };
    let asked = by_digest(reference, digest);
    let Answer::Found(found) = served.get(&asked) else { return Vec::new() };
    let now = reference.tag().and_then(|_| served.get(&by_tag(reference)).found());
    let moved = now.filter(|now| now.digest != digest).map(|now| by_digest(reference, &now.digest));
    if moved.is_none() && is_index(&found.media_type) { Vec::new() } else { moved.into_iter().chain([asked]).collect() }
}

fn is_index(media_type: &str) -> bool {
    media_type.contains("image.index") || media_type.contains("manifest.list")
}

/// What is known of a pinned reference after all answers; none where it has no digest.
fn standing(reference: &Reference, served: &Table<Served>, described: &Table<Description>) -> Option<Standing> {
    let asked = by_digest(reference, reference.digest()?);
    let digest = look(served.get(&asked), &asked, described);
    let tag = reference.tag().map(|_| {
        let first = served.get(&by_tag(reference));
        let name = first.found().map_or_else(|| asked.clone(), |now| by_digest(reference, &now.digest));
        look(first, &name, described)
    });
    Some(Standing { digest, tag })
}

/// The closer look where there was one, else what the first answer tells: an index whose images do not matter.
fn look(first: &Answer<Served>, name: &Asked, described: &Table<Description>) -> Answer<Description> {
    match first {
        Answer::Missing => Answer::Missing,
        Answer::Unanswered(why) => Answer::Unanswered(why.clone()),
        Answer::Found(served) => described.asked(name).cloned().unwrap_or_else(|| {
            Answer::Found(Description {
                digest: served.digest.clone(),
                media_type: served.media_type.clone(),
                content: Content::Index(Vec::new()),
                created: None,
            })
        }),
    }
}

fn judge(deployed: &Deployed, standing: &Standing, policy: &Policy) -> Vec<Finding> {
    let facts = Facts {
        image: &deployed.image,
        strict: policy.is_strict(),
        allowed_registries: &policy.allowed_registries,
        registry: Some(standing),
    };
    let said = rule::judge(facts, |rule| policy.level(rule)).filter(|(rule, ..)| rule.judged_by == JudgedBy::Verify);
    let finding = |(rule, severity, verdict)| {
        Finding::about(&deployed.image, &deployed.environment, deployed.enforced, rule, severity, verdict)
    };
    said.map(finding).collect()
}

/// Completes what `check` says of an image without a digest: now the digest is known.
fn advise(findings: &mut [Finding], deployed: &Deployed, now: &Answer<Served>) {
    let (Some(reference), Answer::Found(now)) = (deployed.image.reference(), now) else { return };
    let place = &deployed.image.place;
    let same = |finding: &&mut Finding| {
        finding.rule.id == "unpinned"
            && finding.place.span == place.span
            && finding.place.source.path() == place.source.path()
    };
    for finding in findings.iter_mut().filter(same) {
        finding.help = format!("write `{}@{}`, or let `digest-gate pin --write` do it", reference.as_str(), now.digest);
    }
}

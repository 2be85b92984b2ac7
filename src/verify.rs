//! What the registries say of every image that is deployed: does its digest exist, what does its tag serve now.
//!
//! A reference costs one HEAD request: a digest that its tag serves is there. Where the tag has moved the digest is asked
//! about as well, and manifests are read; so they are where the digest is that of one image.

mod scanned;

use std::collections::BTreeSet;

use crate::exception::Coverage;
use crate::finding::Finding;
use crate::gate::{Collected, Deployed};
use crate::pin::{Table, by_digest, by_tag};
use crate::policy::Policy;
use crate::reference::Reference;
use crate::resolution::{Answer, Answers, Artifacts, Asked, Content, Description, Object, Served, Standing};
use crate::rule::{self, Facts, JudgedBy};
use crate::scan::Scans;
use crate::signature::{self, Trust};

/// Asks about every image and adds what the rules of `verify` say to what was collected. Where scan reports are given,
/// each image must have one.
pub fn ask(collected: &mut Collected, policy: &Policy, registries: &dyn Answers, scans: Option<&Scans>) {
    let references: Vec<_> = collected.images.iter().map(|deployed| deployed.image.reference()).collect();
    let asked: BTreeSet<Asked> = references.iter().flatten().flat_map(|reference| questions(reference)).collect();
    let served = served(&asked, references.iter().flatten().copied(), registries);
    let details: BTreeSet<Asked> = references.iter().flatten().flat_map(|it| closer(it, &served, scans)).collect();
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
            Some(standing) => {
                let facts = Facts { registry: Some(&standing), ..policy.facts(&deployed.image) };
                findings.extend(says(deployed, facts, policy));
            }
            None => advise(&mut collected.findings, deployed, served.get(&by_tag(reference))),
        }
    }
    collected.counts.unchecked += open.len();
    collected.findings.extend(findings);
    if let Some(scans) = scans {
        scanned::judge(collected, policy, &described, scans);
    }
}

/// What is asked about a reference first.
fn questions(reference: &Reference) -> Vec<Asked> {
    let digest = reference.digest().map(|digest| by_digest(reference, digest));
    let tag = (reference.tag().is_some() || digest.is_none()).then(|| by_tag(reference));
    digest.into_iter().chain(tag).collect()
}

/// What the names serve: the tags are asked first, and then the digests that they do not serve.
fn served<'a>(
    asked: &BTreeSet<Asked>,
    references: impl Iterator<Item = &'a Reference>,
    registries: &dyn Answers,
) -> Table<Served> {
    let is_tag = |asked: &&Asked| matches!(asked.object, Object::Tag(_));
    let mut served = Table::of(asked.iter().filter(is_tag), |asked| registries.served(asked));
    let mut there = Vec::new();
    for reference in references {
        let Some(digest) = reference.digest() else { continue };
        if let Answer::Found(now) = served.get(&by_tag(reference))
            && now.digest == digest
        {
            there.push((by_digest(reference, digest), Answer::Found(now.clone())));
        }
    }
    served.add(there);
    let rest: Vec<_> = asked.iter().filter(|asked| served.asked(asked).is_none()).collect();
    served.join(Table::of(rest.into_iter(), |asked| registries.served(asked)));
    served
}

/// What must be looked at more closely, given the first answers.
fn closer(reference: &Reference, served: &Table<Served>, scans: Option<&Scans>) -> Vec<Asked> {
    let Some(digest) = reference.digest() else { return Vec::new() };
    let asked = by_digest(reference, digest);
    let Answer::Found(found) = served.get(&asked) else { return Vec::new() };
    let now = reference.tag().and_then(|_| served.get(&by_tag(reference)).found());
    let moved = now.filter(|now| now.digest != digest).map(|now| by_digest(reference, &now.digest));
    // A scan report may be for the image of one platform: the index tells which ones it has.
    if moved.is_none() && is_index(&found.media_type) && scans.is_none() {
        return Vec::new();
    }
    moved.into_iter().chain([asked]).collect()
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

/// Asks for the signatures of every image for which they are required, and adds what the rules say of them.
/// With all manifests in sight, entries that are for no image are told.
pub fn ask_signatures(
    collected: &mut Collected,
    policy: &Policy,
    trust: &Trust,
    artifacts: &dyn Artifacts,
    coverage: Coverage,
) {
    let references: Vec<_> = collected.images.iter().map(|deployed| deployed.image.reference()).collect();
    let known = signature::look(&references, trust, artifacts);
    let mut findings = Vec::new();
    for (deployed, signatures) in collected.images.iter().zip(&known.images) {
        findings.extend(says(deployed, Facts { signatures, ..policy.facts(&deployed.image) }, policy));
    }
    collected.counts.unchecked += known.open;
    if coverage == Coverage::Whole {
        collected.notices.extend(known.idle);
    }
    collected.findings.extend(findings);
}

/// What the rules of `verify` say of an image.
fn says(deployed: &Deployed, facts: Facts<'_>, policy: &Policy) -> Vec<Finding> {
    let said = rule::judge(facts, |rule| policy.level(rule)).filter(|(rule, ..)| rule.judged_by >= JudgedBy::Verify);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::finding::Severity;
    use crate::manifest::{Alone, read};
    use crate::resolution::{Object, Platform, Unanswered};
    use crate::rule::Base;
    use crate::source::Source;
    use crate::yaml::Tree;

    const OLD: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    const NEW: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

    /// What a registry has under each name.
    #[derive(Default)]
    struct Registry(BTreeMap<String, Answer<Description>>);

    impl Registry {
        fn with(mut self, name: &str, digest: &str, content: Content, created: &str) -> Self {
            let media_type = match content {
                Content::Index(_) => "application/vnd.oci.image.index.v1+json",
                _ => "application/vnd.oci.image.manifest.v1+json",
            };
            let (digest, media_type) = (digest.to_owned(), media_type.to_owned());
            let description = Description { digest, media_type, content, created: created.parse().ok() };
            self.0.insert(name.to_owned(), Answer::Found(description));
            self
        }

        fn open(mut self, name: &str) -> Self {
            let why = Unanswered { reason: "the host is down".to_owned(), help: "run again later".to_owned() };
            self.0.insert(name.to_owned(), Answer::Unanswered(why));
            self
        }

        fn answer(&self, asked: &Asked) -> Answer<Description> {
            let name = match &asked.object {
                Object::Tag(name) | Object::Digest(name) => name,
            };
            self.0.get(name).cloned().unwrap_or(Answer::Missing)
        }
    }

    impl Answers for Registry {
        fn served(&self, asked: &[Asked]) -> Vec<Answer<Served>> {
            let served = |asked: &Asked| match self.answer(asked) {
                Answer::Found(it) => Answer::Found(Served { digest: it.digest, media_type: it.media_type }),
                Answer::Missing => Answer::Missing,
                Answer::Unanswered(why) => Answer::Unanswered(why),
            };
            asked.iter().map(served).collect()
        }

        fn describe(&self, asked: &[Asked]) -> Vec<Answer<Description>> {
            asked.iter().map(|asked| self.answer(asked)).collect()
        }
    }

    fn index() -> Content {
        let platform =
            |name: &str| Platform { os: "linux".to_owned(), architecture: name.to_owned(), ..Platform::default() };
        Content::Index(vec![(platform("amd64"), OLD.to_owned()), (platform("arm64"), "sha256:x".to_owned())])
    }

    fn image() -> Content {
        Content::Image(Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), ..Platform::default() })
    }

    /// `rule severity: message`, and how many questions stayed open.
    fn findings(image: &str, registry: &Registry) -> (Vec<String>, usize) {
        let source = Source::new("compose.yml", format!("services: {{a: {{image: '{image}'}}}}\n"));
        let found = read(&source, &Alone, &mut Tree::default()).images;
        let images = found
            .into_iter()
            .map(|image| Deployed {
                image,
                environment: Arc::from("production"),
                enforced: true,
                whole: Arc::default(),
                complete: true,
            })
            .collect();
        let mut collected = Collected { images, ..Collected::default() };
        let mut policy = Policy::default();
        policy.set_base(Base::Strict);
        ask(&mut collected, &policy, registry, None);
        let line = |finding: &Finding| {
            assert_eq!(finding.place.text(), image);
            let grave = if finding.severity == Severity::Error { "error" } else { "warning" };
            format!("{} {grave}: {}", finding.rule.id, finding.message)
        };
        (collected.findings.iter().map(line).collect(), collected.counts.unchecked)
    }

    #[test]
    fn a_digest_that_the_tag_serves_is_good() {
        let registry = Registry::default().with(OLD, OLD, index(), "").with("1", OLD, index(), "");
        assert_eq!(findings(&format!("app:1@{OLD}"), &registry), (vec![], 0));
        let single = Registry::default().with(OLD, OLD, image(), "").with("1", OLD, image(), "");
        assert_eq!(findings(&format!("app:1@{OLD}"), &single), (vec![], 0));
        assert_eq!(findings(&format!("app@{OLD}"), &single), (vec![], 0));
    }

    #[test]
    fn a_tag_that_moved_is_told_with_both_dates() {
        let registry = Registry::default()
            .with(OLD, OLD, index(), "2026-09-01T00:00:00Z")
            .with("1", NEW, index(), "")
            .with(NEW, NEW, Content::Index(vec![]), "2026-11-02T00:00:00Z");
        let (found, open) = findings(&format!("app:1@{OLD}"), &registry);
        let expected =
            format!("tag-moved warning: `1` serves {NEW} now (created 2026-11-02, the pinned one 2026-09-01)");
        assert_eq!((found, open), (vec![expected], 0));
        let gone = Registry::default().with(OLD, OLD, index(), "");
        let (found, _) = findings(&format!("app:1@{OLD}"), &gone);
        assert_eq!(found, ["tag-moved warning: docker.io has no tag `1` any more"]);
    }

    #[test]
    fn one_platform_of_an_index_is_told() {
        let registry =
            Registry::default().with(OLD, OLD, image(), "").with("1", NEW, index(), "").with(NEW, NEW, index(), "");
        let (found, _) = findings(&format!("app:1@{OLD}"), &registry);
        let expected = "single-platform error: this is only the image for linux/amd64; the tag serves an index for \
                        linux/amd64, linux/arm64";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_digest_that_is_gone_or_no_image_is_an_error() {
        let tag = Registry::default().with("1", NEW, index(), "").with(NEW, NEW, index(), "");
        let (found, _) = findings(&format!("app:1@{OLD}"), &tag);
        assert_eq!(found[0], format!("digest-not-found error: docker.io has no `library/app` with the digest {OLD}"));
        let what = Content::Artifact("an attestation".to_owned());
        let artifact = Registry::default().with(OLD, OLD, what.clone(), "").with("1", OLD, what, "");
        let (found, _) = findings(&format!("app:1@{OLD}"), &artifact);
        assert_eq!(found, ["digest-not-found error: the digest is that of an attestation, which cannot be run"]);
    }

    #[test]
    fn what_nobody_answered_is_counted_and_said() {
        let registry = Registry::default().open(OLD).open("1");
        let (found, open) = findings(&format!("app:1@{OLD}"), &registry);
        assert_eq!(found, ["unchecked error: whether the digest exists is not known: the host is down"]);
        assert_eq!(open, 2);
        let (found, open) = findings("app:1", &Registry::default().open("1"));
        assert_eq!((found, open), (vec![], 1), "it is unpinned already, and counted as unchecked");
    }
}

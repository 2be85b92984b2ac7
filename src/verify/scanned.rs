//! What scan reports say of every image that is deployed.

use std::collections::{BTreeSet, HashMap};

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
/// The rule about what is not known.
const UNCHECKED: &str = "unchecked";

/// A part of what the reports say of an image, by the vulnerability that an exception names.
type Part<'e> = (Option<&'e str>, Answer<Scanned>);

/// Adds what the scan reports say of every image.
pub(super) fn judge(collected: &mut Collected, policy: &Policy, described: &Table<Description>, scans: &Scans) {
    let accepted: Vec<_> = policy.exceptions.iter().filter_map(|it| it.vulnerability.as_deref()).collect();
    let mut deployed: BTreeSet<String> = BTreeSet::new();
    let mut open: BTreeSet<&str> = BTreeSet::new();
    let mut findings = Vec::new();
    // One image may stand in thousands of manifests, and its report have as many lines.
    let mut known: HashMap<(&str, &str), Vec<Part<'_>>> = HashMap::new();
    for it in &collected.images {
        let Some(reference) = it.image.reference() else { continue };
        let unasked = Answer::Missing;
        let registry = reference.digest().map(|digest| by_digest(reference, digest));
        let registry = registry.and_then(|asked| described.asked(&asked)).unwrap_or(&unasked);
        let Some(digest) = reference.digest() else {
            // It is unpinned, and that is said already.
            open.insert(reference.as_str());
            continue;
        };
        deployed.insert(digest.to_owned());
        if let Answer::Found(Description { content: Content::Index(entries), .. }) = registry {
            deployed.extend(entries.iter().map(|(_, digest)| digest.clone()));
        }
        let parts = known
            .entry((reference.name(), digest))
            .or_insert_with(|| parts(scans.of(reference, registry, policy.scan()), &accepted));
        let is_open = |said: &Answer<Scanned>| said.found().is_none_or(|it| it.ungraded().next().is_some());
        if parts.iter().any(|(_, said)| is_open(said)) {
            open.insert(digest);
        }
        for (accepted, said) in parts {
            findings.extend(judge_part(it, *accepted, said, policy));
        }
    }
    collected.notices.extend(scans.remarks(&|digest| deployed.contains(digest)));
    collected.counts.unchecked += open.len();
    collected.findings.extend(findings);
}

/// What the reports say, in parts: what an exception names is a part of its own.
fn parts<'e>(said: Answer<Scanned>, accepted: &[&'e str]) -> Vec<Part<'e>> {
    match said {
        Answer::Found(scanned) => {
            let parts =
                scanned.apart(accepted).into_iter().filter(|(name, part)| name.is_none() || !part.found.is_empty());
            parts.map(|(name, part)| (name, Answer::Found(part))).collect()
        }
        open => vec![(None, open)],
    }
}

/// What the rules say of one part.
fn judge_part(deployed: &Deployed, accepted: Option<&str>, scan: &Answer<Scanned>, policy: &Policy) -> Vec<Finding> {
    let mut findings = says(deployed, Facts { scan: Some(scan), ..policy.facts(&deployed.image) }, policy);
    for finding in &mut findings {
        finding.vulnerabilities = match accepted {
            Some(name) => vec![name.to_owned()],
            None => names(scan, finding.rule.id == UNCHECKED),
        };
    }
    findings
}

/// What a finding is about by name: what has a grade, or what has none.
fn names(scan: &Answer<Scanned>, ungraded: bool) -> Vec<String> {
    let found = scan.found().map(|scanned| scanned.found.as_slice()).unwrap_or_default();
    let mut names: Vec<_> = found.iter().filter(|it| it.grade.is_none() == ungraded).map(|it| it.id.clone()).collect();
    names.dedup();
    names.truncate(MAX_NAMES);
    names
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::exception::{self, Coverage};
    use crate::finding::Severity;
    use crate::manifest::{Alone, read};
    use crate::resolution::Asked;
    use crate::rule::JudgedBy;
    use crate::source::Source;
    use crate::yaml::Tree;

    const DIGEST: &str = "sha256:1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a";
    const TODAY: jiff::civil::Date = jiff::civil::date(2026, 11, 26);

    /// `rule severity (exempted): message` of one image, and how many questions are open.
    fn findings(image: &str, reports: &[&str], configuration: &str) -> (Vec<String>, usize) {
        let source = Source::new("compose.yml", format!("services: {{a: {{image: '{image}'}}}}\n"));
        let found = read(&source, &Alone, &mut Tree::default()).images;
        let deployed = |image| Deployed {
            image,
            environment: Arc::from("production"),
            enforced: true,
            whole: Arc::default(),
            complete: true,
        };
        let mut collected = Collected { images: found.into_iter().map(deployed).collect(), ..Collected::default() };
        let policy = Policy::parse(&Source::new("digest-gate.yml", format!("version: 1\n{configuration}")));
        let policy = policy.unwrap_or_else(|errors| panic!("{errors}"));
        let mut scans = Scans::default();
        for report in reports {
            scans.read(&Source::new("scan.json", *report), None).unwrap();
        }
        let described = Table::of(std::iter::empty::<&Asked>(), |_| Vec::new());
        judge(&mut collected, &policy, &described, &scans);
        let mut findings = collected.findings;
        exception::apply(&mut findings, &policy, TODAY, Coverage::Whole, JudgedBy::Scans);
        let line = |it: &Finding| {
            let grave = if it.severity == Severity::Error { "error" } else { "warning" };
            let exempted = if it.exception.is_some() { " exempted" } else { "" };
            format!("{} {grave}{exempted} [{}]: {}", it.rule.id, it.vulnerabilities.join(" "), it.message)
        };
        (findings.iter().map(line).collect(), collected.counts.unchecked)
    }

    const TRIVY: &str = include_str!("../../tests/data/scans/trivy.json");
    const UNGRADED: &str = "unchecked warning [CVE-2026-1004]: how grave CVE-2026-1004 would be is not known: the scan \
                            report gives no severity";

    #[test]
    fn what_a_report_lists_is_one_finding_of_the_image() {
        let (found, open) = findings(&format!("app@{DIGEST}"), &[TRIVY], "");
        let message = "vulnerable error [CVE-2026-1001 aws-access-key-id GHSA-abcd-2345-wxyz CVE-2026-1002]: 3 critical, 2 high (the gate is high): CVE-2026-1001 (libssl3 3.0.11-1~deb12u2, fixed in \
                       3.0.15-1~deb12u1), CVE-2026-1001 (openssl 3.0.11-1~deb12u2, fixed in 3.0.15-1~deb12u1), \
                       aws-access-key-id (/app/config.json), GHSA-abcd-2345-wxyz (@org/parser 1.0.0, fixed in 1.0.1), \
                       CVE-2026-1002 (libc6 2.36-9+deb12u9, no fix yet)";
        assert_eq!(found, [message, UNGRADED]);
        assert_eq!(open, 1);
        let (found, open) = findings(&format!("app@{DIGEST}"), &[TRIVY], "policy: strict\nscan: {gate: critical}\n");
        assert!(
            found
                .iter()
                .any(|it| it.starts_with("vulnerable error") && it.contains(": 3 critical (the gate is critical): ")),
            "{found:?}"
        );
        assert!(found.iter().any(|it| it.starts_with("unchecked error")) && open == 1, "{found:?}");
    }

    #[test]
    fn an_image_without_a_report_is_unchecked() {
        let (found, open) = findings(&format!("app@{DIGEST}"), &[], "");
        assert_eq!(found, ["unchecked warning []: no scan report is for its digest"]);
        assert_eq!(open, 1);
        assert_eq!(findings("app:1", &[TRIVY], ""), (vec![], 1), "it is unpinned already");
    }

    #[test]
    fn an_exception_that_names_a_vulnerability_exempts_it_alone() {
        let exception = |keys: &str| format!("exceptions: [{{image: app, reason: x, expires: 2026-12-31{keys}}}]\n");
        let count = |configuration: &str| {
            let (found, _) = findings(&format!("app@{DIGEST}"), &[TRIVY], configuration);
            let of = |words: &str| found.iter().filter(|it| it.starts_with(words)).count();
            (of("vulnerable error ["), of("vulnerable error exempted"), of("unchecked warning"), of("unused"), found)
        };
        let (blocking, exempted, _, unused, found) = count(&exception(", vulnerability: CVE-2026-1002"));
        assert_eq!((blocking, exempted, unused), (1, 1, 0), "{found:?}");
        assert!(found.iter().any(|it| it.contains("3 critical, 1 high")), "{found:?}");
        let (blocking, exempted, unchecked, ..) = count(&exception(", vulnerability: CVE-2026-1004"));
        assert_eq!((blocking, exempted, unchecked), (1, 0, 1), "it is not graded, and said");
        let (blocking, exempted, _, unused, _) = count(&exception(", vulnerability: CVE-2026-9999"));
        assert_eq!((blocking, exempted, unused), (1, 0, 1));
        let (blocking, exempted, ..) = count(&exception(", rule: vulnerable"));
        assert_eq!((blocking, exempted), (0, 1), "without a name all of them");
        let ended = exception(", vulnerability: CVE-2026-1002").replace("2026-12-31", "2026-11-25");
        let (blocking, exempted, ..) = count(&ended);
        assert_eq!((blocking, exempted), (2, 0), "it ended");
    }
}

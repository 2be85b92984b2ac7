//! Exceptions applied to findings: what they exempt, which are past their date, and which exempt nothing.
//!
//! An exception compares the repository that is deployed, in full, with its `image`; the file with its `path`; the
//! rule with its `rule`. Without `rule` it exempts from every rule that judges an image and from nothing else. A
//! finding about an image whose repository nobody knows (malformed, unresolved, built) or about a whole file is
//! exempted only where `image` is `**` and both `path` and `rule` are given.

use std::sync::Arc;

use jiff::civil::Date;

use crate::finding::{Exempted, Finding, ListedException};
use crate::manifest::Related;
use crate::policy::{Exception, NOT_EXEMPTABLE, Policy};
use crate::rule::{EXPIRED_EXCEPTION, JudgedBy, Rule, UNUSED_EXCEPTION};
use crate::source::Place;

/// The name of the environment of findings about the configuration itself.
pub const CONFIGURATION: &str = "configuration";

/// How much of what is configured was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every environment: an exception that exempts nothing is unused.
    Whole,
    /// Some environments or the files of the command line: nothing is said about unused exceptions.
    Part,
}

/// Marks the findings that an exception exempts, and adds a finding for every exception that is past its date and,
/// where everything was judged, for every one that exempts nothing. Answers every exception with what it did.
///
/// `by` is the command whose rules were all judged: an exception for the rule of a later one is not unused.
/// The first exception in the configuration that takes a finding is named; all that take it are in use.
pub fn apply(
    findings: &mut Vec<Finding>,
    policy: &Policy,
    today: Date,
    coverage: Coverage,
    by: JudgedBy,
) -> Vec<ListedException> {
    let mut about_exceptions = Vec::new();
    let mut listed = Vec::new();
    for exception in &policy.exceptions {
        let days_left = exception.expires.map(|day| days_between(today, day));
        let mut named: Vec<_> = findings.iter_mut().filter(|finding| names(exception, finding)).collect();
        let (mut exempts, mut refused) = (0, None);
        if let Some(days_left) = days_left.filter(|days| *days >= 0) {
            (exempts, refused) = exempt(&mut named, exception, days_left, policy);
            // What was not judged could not be exempted; what an organisation exempts is for many repositories.
            let was_judged = match exception.rule {
                _ if exception.vulnerability.is_some() => by == JudgedBy::Scans,
                Some(rule) => rule.judged_by <= by,
                None => true,
            };
            if exempts == 0 && was_judged && coverage == Coverage::Whole && !exception.of_floor {
                about_exceptions.extend(unused(exception, refused, policy));
            }
        } else if !(exception.of_floor && named.is_empty()) {
            about_exceptions.extend(expired(exception, policy));
        }
        listed.push(list(exception, days_left, exempts, refused));
    }
    findings.append(&mut about_exceptions);
    listed
}

/// Marks what an exception names: as exempted, or, where the floor leaves the repository no exception, as what would
/// have been. Answers how many are exempted, and where it is said that others are not.
fn exempt<'p>(
    named: &mut [&mut Finding],
    exception: &Exception,
    days_left: i64,
    policy: &'p Policy,
) -> (usize, Option<&'p Place>) {
    let (mut exempts, mut refused) = (0, None);
    for finding in named {
        if let Some(place) = policy.refusal(exception, finding.rule) {
            refused = Some(place);
            let message = format!("this exception does not count: {}", leaves_none(place));
            finding.related.push(Related { place: exception.place.clone(), message });
        } else {
            exempts += 1;
            finding.exception.get_or_insert_with(|| exempted(exception, days_left));
        }
    }
    (exempts, refused)
}

/// Whole days from one to the other, negative where the other is before.
fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_secs() / (24 * 60 * 60)
}

fn list(exception: &Exception, days_left: Option<i64>, exempts: usize, refused: Option<&Place>) -> ListedException {
    ListedException {
        image: exception.images.text.clone(),
        path: exception.path.as_ref().map(|path| path.text.clone()),
        rule: exception.rule.map(|rule| rule.id),
        vulnerability: exception.vulnerability.clone(),
        reason: exception.reason.clone(),
        ticket: exception.ticket.clone(),
        expires: exception.expires_text.clone(),
        days_left,
        exempts,
        refused: refused.cloned(),
        place: exception.place.clone(),
    }
}

/// Whether the finding is one that the exception is for.
fn names(exception: &Exception, finding: &Finding) -> bool {
    let id = finding.rule.id;
    if NOT_EXEMPTABLE.contains(&id) {
        return false;
    }
    let rule = match exception.rule {
        _ if exception.vulnerability.is_some() => true,
        Some(rule) => rule.id == id,
        None => finding.rule.judge.is_some(),
    };
    let path = exception.path.as_ref().is_none_or(|path| path.matches(finding.place.source.relative()));
    let image = match &finding.repository {
        Some(repository) => exception.images.matches(repository),
        None => exception.images.is_everything() && exception.path.is_some() && exception.rule.is_some(),
    };
    rule && path && image && exempts_vulnerability(exception, finding)
}

/// An exception that names a vulnerability is about that one alone, whether it is graded or not.
fn exempts_vulnerability(exception: &Exception, finding: &Finding) -> bool {
    let Some(name) = &exception.vulnerability else { return true };
    matches!(finding.vulnerabilities.as_slice(), [only] if only == name)
}

fn exempted(exception: &Exception, days_left: i64) -> Exempted {
    Exempted {
        reason: exception.reason.clone(),
        ticket: exception.ticket.clone(),
        expires: exception.expires_text.clone(),
        days_left,
    }
}

fn expired(exception: &Exception, policy: &Policy) -> Option<Finding> {
    let (image, text) = (&exception.images.text, &exception.expires_text);
    let message = if exception.expires.is_some() {
        format!("the exception for `{image}` ended on {text}")
    } else {
        format!("the exception for `{image}` never counts: `{text}` is no date")
    };
    about(exception, &EXPIRED_EXCEPTION, policy, &exception.expires_place, message)
}

fn unused(exception: &Exception, refused: Option<&Place>, policy: &Policy) -> Option<Finding> {
    let image = &exception.images.text;
    let message = match refused {
        None => format!("the exception for `{image}` exempts nothing"),
        Some(place) => {
            format!("the exception for `{image}` does not count: {}", leaves_none(place))
        }
    };
    about(exception, &UNUSED_EXCEPTION, policy, &exception.place, message)
}

/// Why an exception of a repository does not count, by where that is said.
fn leaves_none(place: &Place) -> String {
    format!("{}:{} leaves the repository no exception", place.source.path(), place.start().line)
}

fn about(
    exception: &Exception,
    rule: &'static Rule,
    policy: &Policy,
    place: &Place,
    message: String,
) -> Option<Finding> {
    Some(Finding {
        rule,
        severity: policy.level(rule).severity()?,
        enforced: true,
        environment: Arc::from(CONFIGURATION),
        place: place.clone(),
        field: None,
        resource: None,
        image: Some(exception.images.text.clone()),
        repository: None,
        vulnerabilities: Vec::new(),
        message,
        help: rule.fix.to_owned(),
        related: Vec::new(),
        exception: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use crate::rule;
    use crate::source::{Source, Span};

    const TODAY: Date = jiff::civil::date(2027, 1, 31);

    fn finding(id: &str, path: &str, repository: Option<&str>) -> Finding {
        Finding {
            rule: rule::find(id).expect(id),
            severity: Severity::Error,
            enforced: true,
            environment: "production".into(),
            place: Place::new(&Source::new(path, "image"), Span::new(0, 5)),
            field: None,
            resource: None,
            image: None,
            repository: repository.map(str::to_owned),
            vulnerabilities: Vec::new(),
            message: String::new(),
            help: String::new(),
            related: Vec::new(),
            exception: None,
        }
    }

    fn policy(exceptions: &str) -> Policy {
        let text = format!("version: 1\nexceptions: [{exceptions}]\n");
        Policy::parse(&Source::new("digest-gate.yml", text)).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// Whether the finding is exempted, and the rules of the findings that were added.
    fn applied(exceptions: &str, finding: Finding) -> (bool, Vec<&'static str>) {
        let mut findings = vec![finding];
        apply(&mut findings, &policy(exceptions), TODAY, Coverage::Whole, JudgedBy::Check);
        (findings[0].exception.is_some(), findings[1..].iter().map(|finding| finding.rule.id).collect())
    }

    #[test]
    fn an_exception_exempts_what_it_names_and_nothing_else() {
        let nginx = || finding("unpinned", "prod/a.yml", Some("docker.io/library/nginx"));
        for (exception, exempted) in [
            ("image: nginx", true),
            ("image: nginx, rule: unpinned", true),
            ("image: nginx, path: prod", true),
            ("image: 'docker.io/library/*'", true),
            ("image: '**'", true),
            ("image: nginx, rule: floating-tag", false),
            ("image: nginx, path: staging", false),
            ("image: nginx2", false),
            ("image: ghcr.io/library/nginx", false),
        ] {
            let added = if exempted { vec![] } else { vec!["unused-exception"] };
            let exception = format!("{{{exception}, reason: x, expires: 2027-01-31}}");
            assert_eq!(applied(&exception, nginx()), (exempted, added), "{exception}");
        }
    }

    #[test]
    fn what_names_no_repository_needs_everything_said() {
        let all = "image: '**', reason: x, expires: 2027-01-31";
        for (id, exception, exempted) in [
            ("unresolved-image", String::new(), false),
            ("unresolved-image", ", path: a.yml".into(), false),
            ("unresolved-image", ", path: a.yml, rule: unresolved-image".into(), true),
            ("unreadable-manifest", ", path: a.yml".into(), false),
            ("unreadable-manifest", ", path: a.yml, rule: unreadable-manifest".into(), true),
            ("no-manifests", ", path: a.yml".into(), false),
        ] {
            let (marked, _) = applied(&format!("{{{all}{exception}}}"), finding(id, "a.yml", None));
            assert_eq!(marked, exempted, "{id}{exception}");
        }
    }

    #[test]
    fn the_day_itself_still_counts() {
        let nginx = || finding("unpinned", "a.yml", Some("docker.io/library/nginx"));
        for (expires, expected) in [
            ("2027-02-28", Some(28)),
            ("2027-02-01", Some(1)),
            ("2027-01-31", Some(0)),
            ("2027-01-30", None),
            ("2027-02-30", None),
            ("never", None),
        ] {
            let mut findings = vec![nginx()];
            let policy = policy(&format!("{{image: nginx, reason: x, ticket: T, expires: {expires}}}"));
            apply(&mut findings, &policy, TODAY, Coverage::Whole, JudgedBy::Check);
            assert_eq!(findings[0].exception.as_ref().map(|exempted| exempted.days_left), expected, "{expires}");
            let added = findings.get(1);
            assert_eq!(
                added.map(|f| (f.rule.id, f.place.text())),
                expected.is_none().then_some(("expired-exception", expires))
            );
            assert_eq!(added.is_some_and(Finding::blocks), expected.is_none());
        }
    }

    #[test]
    fn a_part_of_the_manifests_makes_no_exception_unused() {
        let mut findings = Vec::new();
        let policy = policy("{image: nginx, reason: x, expires: 2027-01-31}");
        apply(&mut findings, &policy, TODAY, Coverage::Part, JudgedBy::Check);
        assert!(findings.is_empty());
    }

    #[test]
    fn the_far_end_of_the_calendar_is_counted() {
        let mut findings = vec![finding("unpinned", "a.yml", Some("docker.io/library/nginx"))];
        apply(
            &mut findings,
            &policy("{image: nginx, reason: x, expires: 9999-12-31}"),
            Date::MIN,
            Coverage::Whole,
            JudgedBy::Check,
        );
        assert!(findings[0].exception.as_ref().is_some_and(|exempted| exempted.days_left > 0));
    }
}

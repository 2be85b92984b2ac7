//! `unchecked`: the registry did not answer.

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::resolution::{Answer, Signed};

pub(super) static RULE: Rule = Rule {
    id: "unchecked",
    default: Level::Warning,
    strict: Level::Error,
    summary: "a question could not be answered: the registry did not answer, or no scan report is for the image",
    why: "what was not looked at is not known to be good: an outage or a rate limit must not pass for a clean result",
    fix: "run again later, log in to the registry (`docker login`, the input `registry-auth`), or configure a mirror. \
          Where `signatures` are required it is an error unless `levels` says otherwise",
    example: None,
    judged_by: JudgedBy::Verify,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    asked(facts).or_else(|| scanned(facts))
}

/// What the scan reports leave open: there is none of the image, or one that grades not everything.
fn scanned(facts: &Facts<'_>) -> Option<Verdict> {
    let scanned = match facts.scan? {
        Answer::Unanswered(why) => {
            return Some(Verdict { message: why.reason.clone(), help: why.help.clone() });
        }
        Answer::Missing => return None,
        Answer::Found(scanned) => scanned,
    };
    let mut names: Vec<_> = scanned.ungraded().map(|it| it.id.as_str()).collect();
    names.dedup();
    let more = names.len().saturating_sub(3);
    let shown = names.get(..3).unwrap_or(&names).join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| Verdict {
        message: format!("how grave {shown}{more} would be is not known: the scan report gives no severity"),
        help: "scan again when it has been graded, or say in a VEX document that it does no harm".to_owned(),
    })
}

fn asked(facts: &Facts<'_>) -> Option<Verdict> {
    let digest = match facts.registry.map(|registry| &registry.digest) {
        Some(Answer::Unanswered(why)) => Some((why, "whether the digest exists")),
        _ => None,
    };
    let tag = match facts.registry.and_then(|registry| registry.tag.as_ref()) {
        Some(Answer::Unanswered(why)) => Some((why, "what the tag serves now")),
        _ => None,
    };
    let signature = facts.signatures.iter().find_map(|signed| match signed {
        Signed::Open(why) => Some((why, "whether it is signed as required")),
        Signed::Yes | Signed::No(_) => None,
    });
    let (why, what) = digest.or(tag).or(signature)?;
    Some(Verdict { message: format!("{what} is not known: {}", why.reason), help: why.help.clone() })
}

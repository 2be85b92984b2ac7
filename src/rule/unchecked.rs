//! `unchecked`: the registry did not answer.

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::resolution::Answer;

pub(super) static RULE: Rule = Rule {
    id: "unchecked",
    default: Level::Warning,
    strict: Level::Error,
    summary: "a question could not be answered: the registry did not answer, or refused to",
    why: "what was not looked at is not known to be good: an outage or a rate limit must not pass for a clean result",
    fix: "run again later, log in to the registry (`docker login`, the input `registry-auth`), or configure a mirror",
    example: None,
    judged_by: JudgedBy::Verify,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let registry = facts.registry?;
    let digest = match &registry.digest {
        Answer::Unanswered(why) => Some((why, "whether the digest exists")),
        _ => None,
    };
    let tag = match &registry.tag {
        Some(Answer::Unanswered(why)) => Some((why, "what the tag serves now")),
        _ => None,
    };
    let (why, what) = digest.or(tag)?;
    Some(Verdict { message: format!("{what} is not known: {}", why.reason), help: why.help.clone() })
}

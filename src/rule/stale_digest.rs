//! `stale-digest`: the digest has not changed for longer than the review cadence.

use super::{Facts, JudgedBy, Level, Rule, Verdict};

/// The rule, for the ages are judged apart from the manifests.
pub static RULE: Rule = Rule {
    id: "stale-digest",
    default: Level::Off,
    strict: Level::Warning,
    summary: "the digest has not changed for longer than `max-digest-age`, by git",
    why: "a pinned image gets no fixes by itself: a digest that nobody has touched for a quarter has the known flaws of a \
          quarter",
    fix: "look for a newer digest with `digest-gate refresh`, or take a newer tag with its digest. Where it has to stay, \
          make a dated exception that says why. Only judged where `max-digest-age` is configured, which makes this rule a \
          warning unless `levels` says otherwise; it needs the whole history (`fetch-depth: 0`)",
    example: None,
    judged_by: JudgedBy::Check,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let (age, limit) = (facts.age?, facts.max_digest_age?);
    if age.days <= i64::from(limit) {
        return None;
    }
    let (at_least, longer) = if age.is_at_least { ("at least ", " or before") } else { ("", "") };
    Some(Verdict {
        message: format!(
            "its digest has not changed for {at_least}{} days, since {}{longer}: at most {limit} days are allowed",
            age.days, age.since
        ),
        help: "look for a newer one with `digest-gate refresh`, or take a newer tag with its digest".to_owned(),
    })
}

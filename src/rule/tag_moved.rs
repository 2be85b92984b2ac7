//! `tag-moved`: the tag serves another digest now.

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::resolution::{Answer, Description};

pub(super) static RULE: Rule = Rule {
    id: "tag-moved",
    default: Level::Warning,
    strict: Level::Warning,
    summary: "the tag serves another digest now",
    why: "what is deployed is still what was reviewed; but the publisher has put something else under the same tag: a \
          rebuilt base with fixes, or bytes nobody has looked at",
    fix: "look at what changed, and take the new digest with `digest-gate refresh`; a tag that names a full version \
          should never move: ask its publisher",
    example: None,
    judged_by: JudgedBy::Verify,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let registry = facts.registry?;
    let reference = facts.image.reference()?;
    let (digest, tag) = (reference.digest()?, reference.tag()?);
    match registry.tag.as_ref()? {
        Answer::Missing => Some(Verdict {
            message: format!("{} has no tag `{tag}` any more", reference.registry()),
            help: "choose a tag that is there: without one nobody can refresh the digest".to_owned(),
        }),
        Answer::Found(now) if now.digest != digest && !now.has(digest) => {
            let dates = match (registry.digest.found().and_then(created), created(now)) {
                (Some(before), Some(now)) => format!(" (created {now}, the pinned one {before})"),
                (None, Some(now)) => format!(" (created {now})"),
                _ => String::new(),
            };
            Some(Verdict {
                message: format!("`{tag}` serves {} now{dates}", now.digest),
                help: "look at what changed, then take the new digest with `digest-gate refresh`".to_owned(),
            })
        }
        _ => None,
    }
}

/// The day an image was created; dates before 1990 stand for none.
fn created(description: &Description) -> Option<String> {
    let day = description.created?.strftime("%Y-%m-%d").to_string();
    (day.as_str() >= "1990").then_some(day)
}

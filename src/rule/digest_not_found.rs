//! `digest-not-found`: the registry has no such digest.

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::resolution::{Answer, Content};

pub(super) static RULE: Rule = Rule {
    id: "digest-not-found",
    default: Level::Error,
    strict: Level::Error,
    summary: "the registry has no such digest, or what it has is no image",
    why: "what is pinned cannot be pulled: the next node that has no copy of it will not start, and a rollback to it \
          fails",
    fix: "`digest-gate refresh` moves the reference to what its tag serves now; if the digest was deleted by a retention \
          policy, exempt digests that are deployed from it",
    example: None,
    judged_by: JudgedBy::Verify,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let registry = facts.registry?;
    let reference = facts.image.reference()?;
    let digest = reference.digest()?;
    let host = reference.registry();
    match &registry.digest {
        Answer::Missing => Some(Verdict {
            message: format!("{host} has no `{}` with the digest {digest}", reference.repository()),
            help: "move it to a digest that is there: `digest-gate refresh` takes what the tag serves now".to_owned(),
        }),
        Answer::Found(found) => match &found.content {
            Content::Artifact(what) => Some(Verdict {
                message: format!("the digest is that of {what}, which cannot be run"),
                help: "write the digest of the image: `digest-gate refresh` takes what the tag serves now".to_owned(),
            }),
            Content::Index(_) | Content::Image(_) => None,
        },
        Answer::Unanswered(_) => None,
    }
}

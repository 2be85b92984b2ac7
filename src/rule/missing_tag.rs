//! `missing-tag`: a digest without a tag.

use super::{Facts, JudgedBy, Level, Rule, Verdict};

pub(super) static RULE: Rule = Rule {
    id: "missing-tag",
    default: Level::Warning,
    strict: Level::Error,
    summary: "a digest without a tag",
    why: "nobody can read from a digest which version runs, and nothing says which tag it should be refreshed from",
    fix: "write the tag the digest was taken from before it: `registry/repository:tag@sha256:…`",
    example: Some((
        "image: ghcr.io/org/app@sha256:2f1d1b3e5c0a4e6f8b7a9c0d1e2f30415263748596a7b8c9d0e1f2a3b4c5d6e7",
        "image: ghcr.io/org/app:1.2.3@sha256:2f1d1b3e5c0a4e6f8b7a9c0d1e2f30415263748596a7b8c9d0e1f2a3b4c5d6e7",
    )),
    judged_by: JudgedBy::Check,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let reference = facts.image.reference()?;
    let digest = reference.digest()?;
    reference.tag().is_none().then(|| Verdict {
        message: format!("`{}` has a digest and no tag: nobody can read or refresh it", reference.as_str()),
        help: format!("write the tag the digest was taken from: `{}:TAG@{digest}`", reference.name()),
    })
}

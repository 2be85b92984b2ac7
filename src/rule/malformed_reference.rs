//! `malformed-reference`: the text is no image reference, or its digest proves nothing.

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::manifest::State;

pub(super) static RULE: Rule = Rule {
    id: "malformed-reference",
    default: Level::Error,
    strict: Level::Error,
    summary: "the image is no reference of the grammar, or its digest is short, long, upper-case or of an unknown algorithm",
    why: "a digest that is not exact proves nothing, and what one tool passes over another may read as a tag",
    fix: "write `registry/repository:tag@sha256:` and 64 lower-case hexadecimal digits, copied from the registry",
    example: Some((
        "image: ghcr.io/org/app:1.2.3@sha256:2F1D1B3E",
        "image: ghcr.io/org/app:1.2.3@sha256:2f1d1b3e5c0a4e6f8b7a9c0d1e2f30415263748596a7b8c9d0e1f2a3b4c5d6e7",
    )),
    judged_by: JudgedBy::Check,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let State::Malformed { text, error } = &facts.image.state else { return None };
    Some(Verdict {
        message: format!("`{text}` is not an image reference: {error}"),
        help: "write `registry/repository:tag@sha256:` and 64 lower-case hexadecimal digits".to_owned(),
    })
}

//! `unpinned`: the reference has no digest.

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::manifest::State;

pub(super) static RULE: Rule = Rule {
    id: "unpinned",
    default: Level::Error,
    strict: Level::Error,
    summary: "the image has no digest",
    why: "a tag is a pointer that moves: what is deployed tomorrow may not be what was reviewed and tested today, and a \
          rollback may not bring back what ran yesterday",
    fix: "ask the registry which digest the tag serves (`docker buildx imagetools inspect IMAGE`, `crane digest IMAGE`) \
          and write it behind the tag: `registry/repository:tag@sha256:…`",
    example: Some((
        "image: ghcr.io/org/app:1.2.3",
        "image: ghcr.io/org/app:1.2.3@sha256:2f1d1b3e5c0a4e6f8b7a9c0d1e2f30415263748596a7b8c9d0e1f2a3b4c5d6e7",
    )),
    judged_by: JudgedBy::Check,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let State::Reference(reference) = &facts.image.state else { return None };
    if reference.is_pinned() {
        return None;
    }
    let text = reference.as_str();
    let help = if facts.image.built {
        format!(
            "publish the image from CI, write its digest behind the tag (`{text}@sha256:…`) and take `build:` out of \
             the production stack (`build: !reset null` in the override)"
        )
    } else {
        let tagged = if reference.tag().is_some() { text.to_owned() } else { format!("{text}:TAG") };
        format!("write `{tagged}@sha256:…` with the digest that `docker buildx imagetools inspect {tagged}` prints")
    };
    Some(Verdict { message: format!("`{text}` has no digest"), help })
}

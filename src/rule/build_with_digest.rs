//! `build-with-digest`: a service has both `build:` and an image with a digest.

use super::{Facts, JudgedBy, Level, Rule, Verdict};

pub(super) static RULE: Rule = Rule {
    id: "build-with-digest",
    default: Level::Error,
    strict: Level::Error,
    summary: "`build:` and an image with a digest on the same service",
    why: "a build cannot be tagged with a digest, so `docker compose build` and `up --build` fail; which of the two is \
          meant nobody can tell",
    fix: "keep the image with its digest and take `build:` out of the production stack (`build: !reset null` in the \
          override)",
    example: None,
    judged_by: JudgedBy::Check,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let reference = facts.image.reference()?;
    (facts.image.built && reference.is_pinned()).then(|| Verdict {
        message: format!("`{}` has a digest, and the same service is built", reference.as_str()),
        help: "take `build:` out of the production stack (`build: !reset null` in the override)".to_owned(),
    })
}

//! `built-on-deploy`: the service is built where it is deployed.

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::manifest::State;

pub(super) static RULE: Rule = Rule {
    id: "built-on-deploy",
    default: Level::Error,
    strict: Level::Error,
    summary: "`build:` without a published image",
    why: "an image that is built on the deploying machine was never scanned, signed or tested, and there is nothing \
          immutable to pin or to go back to",
    fix: "build and publish the image in CI, then name it by digest (`image: registry/repository:tag@sha256:…`) and take \
          `build:` out of the production stack (`build: !reset null` in the override)",
    example: Some((
        "build: ./app",
        "image: ghcr.io/org/app:1.2.3@sha256:2f1d1b3e5c0a4e6f8b7a9c0d1e2f30415263748596a7b8c9d0e1f2a3b4c5d6e7",
    )),
    judged_by: JudgedBy::Check,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    (facts.image.state == State::Built).then(|| Verdict {
        message: "the image is built where it is deployed: there is nothing immutable to pin".to_owned(),
        help: "publish it from CI and write `image: registry/repository:tag@sha256:…` in place of `build:`".to_owned(),
    })
}

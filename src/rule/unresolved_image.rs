//! `unresolved-image`: nothing in the repository decides which image it is.

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::manifest::State;

pub(super) static RULE: Rule = Rule {
    id: "unresolved-image",
    default: Level::Error,
    strict: Level::Error,
    summary: "a variable or a template decides the image, and no default, env file or values file in the repository gives its value",
    why: "whoever sets the variable on the deploying machine chooses the image: no review saw it. Under `policy: strict` \
          this also holds where a committed default could still be overridden there",
    fix: "write the reference with its digest in place of the variable, or give the variable a committed value that \
          carries the digest (`${IMAGE:-registry/repository:tag@sha256:…}`, `.env`, a values file); render templates \
          and check what they give: `helm template … | digest-gate check -`",
    example: Some((
        "image: ghcr.io/org/app:${TAG}",
        "image: ghcr.io/org/app:1.2.3@sha256:2f1d1b3e5c0a4e6f8b7a9c0d1e2f30415263748596a7b8c9d0e1f2a3b4c5d6e7",
    )),
    judged_by: JudgedBy::Check,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    match &facts.image.state {
        State::Unresolved { why } => Some(Verdict {
            message: format!("cannot tell which image `{}` is: {why}", facts.image.written),
            help: "write the reference with its digest here, or commit a value for it that carries the digest"
                .to_owned(),
        }),
        State::Reference(reference) if facts.strict && facts.image.variable && reference.is_pinned() => Some(Verdict {
            message: format!("the deploying machine can still change `{}`", facts.image.written),
            help: format!("write `{}` in place of the variable", reference.as_str()),
        }),
        _ => None,
    }
}

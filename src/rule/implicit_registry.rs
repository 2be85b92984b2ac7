//! `implicit-registry`: the reference names no registry.

use super::{Facts, JudgedBy, Level, Rule, Verdict};

pub(super) static RULE: Rule = Rule {
    id: "implicit-registry",
    default: Level::Off,
    strict: Level::Error,
    summary: "no registry is written: the form is `registry/repository:tag@sha256:…`",
    why: "a name without a registry is completed by the deploying machine's configuration (a mirror, a search list), not \
          by what was reviewed",
    fix: "write the registry: `docker.io/library/nginx` for `nginx`, `docker.io/org/app` for `org/app`",
    example: None,
    judged_by: JudgedBy::Check,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let reference = facts.image.reference()?;
    reference.domain().is_none().then(|| {
        let rest = reference.as_str().strip_prefix(reference.name()).unwrap_or_default();
        Verdict {
            message: format!("`{}` names no registry", reference.as_str()),
            help: format!("write `docker.io/{}{rest}` if Docker Hub is meant", reference.repository()),
        }
    })
}

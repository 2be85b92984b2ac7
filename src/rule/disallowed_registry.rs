//! `disallowed-registry`: the image comes from a registry that is not on the configured list.

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::reference::Reference;

pub(super) static RULE: Rule = Rule {
    id: "disallowed-registry",
    default: Level::Off,
    strict: Level::Off,
    summary: "the image's registry or repository is not on `allow-registries`",
    why: "a digest proves which bytes are deployed, not that anybody you trust made them",
    fix: "copy the image to an allowed registry and name it there, or have its registry added to `allow-registries`. A \
          list in the configuration makes this rule an error unless `levels` says otherwise",
    example: None,
    judged_by: JudgedBy::Check,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let reference = facts.image.reference()?;
    if facts.allowed_registries.is_empty() || is_allowed(reference, facts.allowed_registries) {
        return None;
    }
    Some(Verdict {
        message: format!(
            "`{}/{}` is not on the list of allowed registries",
            reference.registry(),
            reference.repository()
        ),
        help: format!("use an image below one of: {}", facts.allowed_registries.join(", ")),
    })
}

/// Whether `registry/repository` lies at or below one of the prefixes. A prefix ends at a `/`: `ghcr.io/org` does
/// not allow `ghcr.io/organisation`.
#[must_use]
pub fn is_allowed(reference: &Reference, prefixes: &[String]) -> bool {
    let name = format!("{}/{}", reference.registry(), reference.repository());
    prefixes.iter().any(|prefix| {
        let prefix = prefix.trim_end_matches('/');
        name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_slash() {
        let allowed = |text: &str, prefix: &str| is_allowed(&Reference::parse(text).unwrap(), &[prefix.to_owned()]);
        assert!(allowed("ghcr.io/org/app:1", "ghcr.io/org"));
        assert!(allowed("ghcr.io/org/app:1", "ghcr.io"));
        assert!(allowed("ghcr.io/org/app:1", "ghcr.io/org/app"));
        assert!(!allowed("ghcr.io/organisation/app:1", "ghcr.io/org"));
        assert!(!allowed("ghcr.io.evil.example/org/app", "ghcr.io"));
        assert!(allowed("nginx", "docker.io/library"));
        assert!(!allowed("org/nginx", "docker.io/library"));
    }
}

//! Which files of one folder are a stack by convention: a base and the override of production.

/// Words by which the override of production goes.
const PRODUCTION: [&str; 4] = ["prod", "production", "prd", "live"];
const STEMS: [&str; 4] = ["compose", "docker-compose", "podman-compose", "docker-stack"];

/// Finds the stacks among the file names of one folder: for every override of production that has a base, both in the
/// order in which they are merged, as indexes into `names`.
///
/// `compose.prod.yml` goes over `compose.yml` or `compose.yaml`; `docker-compose-production.yaml` over
/// `docker-compose.yaml` or `.yml`. Where both bases are there, the one of the same ending is meant.
#[must_use]
pub fn conventional(names: &[&str]) -> Vec<Vec<usize>> {
    let parts: Vec<_> = names.iter().map(|name| split(name)).collect();
    let is = |index: usize, stem: &str, ending: &str| parts.get(index).copied().flatten() == Some((stem, ending));
    let find = |stem: &str, ending: &str| (0..names.len()).find(|&index| is(index, stem, ending));
    let mut stacks = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let Some((stem, ending)) = *part else { continue };
        let Some(base) = base_of(stem) else { continue };
        let other = if ending == "yml" { "yaml" } else { "yml" };
        if let Some(base) = find(base, ending).or_else(|| find(base, other)) {
            stacks.push(vec![base, index]);
        }
    }
    stacks
}

/// Stem and ending of a YAML file.
fn split(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('.').filter(|(_, ending)| matches!(*ending, "yml" | "yaml"))
}

/// The stem without its word for production: `compose` of `compose.prod`.
fn base_of(stem: &str) -> Option<&str> {
    PRODUCTION.iter().find_map(|word| {
        let base = stem.strip_suffix(word)?.strip_suffix(['.', '-', '_'])?;
        STEMS.contains(&base).then_some(base)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_of_production_goes_over_its_base() {
        for (names, expected) in [
            (&["compose.yml", "compose.prod.yml"][..], &[&[0, 1][..]][..]),
            (&["compose.prod.yaml", "compose.yml"], &[&[1, 0]]),
            (&["compose.prod.yaml", "compose.yml", "compose.yaml"], &[&[2, 0]]),
            (&["docker-compose.yml", "docker-compose-production.yml", "docker-compose.dev.yml"], &[&[0, 1]]),
            (&["docker-stack.yml", "docker-stack.prod.yml"], &[&[0, 1]]),
            (
                &["compose.yml", "docker-compose.yml", "compose.prod.yml", "docker-compose.prod.yml"],
                &[&[0, 2], &[1, 3]],
            ),
            (&["compose.yml", "compose.override.yml"], &[]),
            (&["compose.prod.yml"], &[]),
            (&["compose.yml", "compose.prod.json", "prod.yml", "composeprod.yml"], &[]),
        ] {
            assert_eq!(conventional(names), expected, "{names:?}");
        }
    }
}

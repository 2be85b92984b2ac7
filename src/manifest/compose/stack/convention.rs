//! Which file an override of production goes over, by their names.

/// Words by which the override of production goes.
const PRODUCTION: [&str; 4] = ["prod", "production", "prd", "live"];
const STEMS: [&str; 4] = ["compose", "docker-compose", "podman-compose", "docker-stack"];

/// The names that the base of an override of production may have, the likeliest first; none where `name` is that of
/// no override.
///
/// `compose.prod.yml` goes over `compose.yml` or `compose.yaml`; `docker-compose-production.yaml` over
/// `docker-compose.yaml` or `.yml`.
#[must_use]
pub fn base_names(name: &str) -> Vec<String> {
    base_names_by(name, &PRODUCTION)
}

/// The names that the base of an override may have that goes by one of the words.
#[must_use]
pub fn base_names_by(name: &str, words: &[&str]) -> Vec<String> {
    let Some((stem, ending)) = name.rsplit_once('.') else { return Vec::new() };
    let other = match ending {
        "yml" => "yaml",
        "yaml" => "yml",
        _ => return Vec::new(),
    };
    let base = words.iter().find_map(|word| {
        let base = stem.strip_suffix(*word)?.strip_suffix(['.', '-', '_'])?;
        STEMS.contains(&base).then_some(base)
    });
    base.map_or_else(Vec::new, |base| vec![format!("{base}.{ending}"), format!("{base}.{other}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_of_production_goes_over_its_base() {
        for (name, bases) in [
            ("compose.prod.yml", &["compose.yml", "compose.yaml"][..]),
            ("docker-compose-production.yaml", &["docker-compose.yaml", "docker-compose.yml"]),
            ("docker-stack.prod.yml", &["docker-stack.yml", "docker-stack.yaml"]),
            ("compose.yml", &[]),
            ("compose.override.yml", &[]),
            ("compose.prod.json", &[]),
            ("prod.yml", &[]),
            ("composeprod.yml", &[]),
        ] {
            assert_eq!(base_names(name), bases, "{name}");
        }
    }
}

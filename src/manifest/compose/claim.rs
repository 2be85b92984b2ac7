//! Whether a YAML document is Compose: its content first, the name of its file where content leaves it open.

use super::merge_keys::Merged;
use crate::yaml::Node;

/// Keys of the Compose specification at the top of a file.
pub(super) const TOP_LEVEL: [&str; 10] =
    ["version", "name", "services", "networks", "volumes", "configs", "secrets", "include", "models", "<<"];
/// Keys that, in a service, lead to an image.
const LEADS_TO_IMAGE: [&str; 7] = ["image", "build", "extends", "volumes", "pre_start", "post_start", "<<"];

/// How the services of a document are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Below `services:`, or none at all.
    Services,
    /// Version 1: the services are the document.
    Version1,
}

/// The shape of a document, if it is Compose. `root` is its top mapping after merge keys.
pub(super) fn claim(root: &Merged<'_>, file_name: &str) -> Option<Shape> {
    let named = is_compose_name(file_name);
    if root.get("apiVersion").is_some() && root.get("kind").is_some() {
        return None;
    }
    if let Some((_, services)) = root.get("services") {
        let is_ci = ["pipeline", "steps", "jobs", "stages"].iter().any(|key| root.get(key).is_some());
        let is_compose = named || !is_ci && services.entries().any(|(key, value)| is_service(key, value));
        return is_compose.then_some(Shape::Services);
    }
    if !named || root.entries.is_empty() && !root.is_reset("services") {
        return None;
    }
    let top_level = |key: Node<'_>| key.scalar().is_some_and(|key| TOP_LEVEL.contains(&key) || key.starts_with("x-"));
    if root.entries.iter().all(|(key, _)| top_level(*key)) {
        return Some(Shape::Services);
    }
    let all_mappings = root.entries.iter().all(|(_, value)| value.is_mapping());
    let deploys = root.entries.iter().any(|(_, value)| value.get("image").or_else(|| value.get("build")).is_some());
    (all_mappings && deploys).then_some(Shape::Version1)
}

/// Whether an entry below `services:` could be a service of Compose that has an image: a Symfony service has `class`
/// and `arguments`, and no other format has these keys there.
fn is_service(key: Node<'_>, value: Node<'_>) -> bool {
    key.scalar() == Some("<<")
        || value.entries().any(|(key, _)| key.scalar().is_some_and(|key| LEADS_TO_IMAGE.contains(&key)))
}

/// Names by which Compose and Swarm files go: `compose.prod.yml`, `docker-compose.yaml`, `docker-stack.yml`,
/// `web.stack.yml`, `web-compose.yml`.
fn is_compose_name(file_name: &str) -> bool {
    let name = file_name.to_ascii_lowercase();
    let Some(stem) = [".yml", ".yaml", ".json"].iter().find_map(|end| name.strip_suffix(end)) else {
        return false;
    };
    ["compose", "docker-compose", "podman-compose", "docker-stack", "stack"].iter().any(|start| {
        stem.strip_prefix(start).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
            || stem.strip_suffix(start).is_some_and(|rest| rest.ends_with(['.', '-', '_']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known() {
        for name in [
            "compose.yml",
            "compose.yaml",
            "compose.prod.yml",
            "compose-prod.yml",
            "docker-compose.yml",
            "docker-compose.override.yaml",
            "Docker-Compose.YML",
            "docker-stack.yml",
            "docker-stack-prod.yml",
            "web.stack.yml",
            "stack.yml",
            "web.compose.yaml",
            "web-docker-compose.yml",
            "compose2.yml",
        ] {
            assert!(is_compose_name(name), "{name}");
        }
        for name in ["composer.yml", "services.yaml", "compose.md", "values.yaml", "stackable.yml", "compose"] {
            assert!(!is_compose_name(name), "{name}");
        }
    }
}

//! What one file says of its services: the model from which images are located, and by which files are merged.

use super::claim::Shape;
use super::merge_keys::{MergeKeys, Merged};
use crate::yaml::Node;

/// One service as a file declares it, after merge keys.
#[derive(Clone, Debug)]
pub(super) struct Service<'t> {
    pub(super) name: &'t str,
    keys: Merged<'t>,
}

/// The service that another one is based on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extends<'t> {
    /// The scalar that names the service.
    pub(super) service: Node<'t>,
    /// The scalar that names the file, where it is another one.
    pub(super) file: Option<Node<'t>>,
}

impl<'t> Service<'t> {
    /// Key and value of a key that says something; nothing where it is null or reset.
    pub(super) fn get(&self, key: &str) -> Option<(Node<'t>, Node<'t>)> {
        self.keys.get(key).filter(|(_, value)| !value.is_null())
    }

    /// Whether `!reset` drops what an extended service says of a key.
    pub(super) fn resets(&self, key: &str) -> bool {
        self.keys.is_reset(key)
    }

    /// The service this one extends.
    pub(super) fn extends(&self) -> Option<Extends<'t>> {
        let (_, value) = self.get("extends")?;
        if value.is_mapping() {
            let file = value.get("file").filter(|file| !file.is_null());
            return Some(Extends { service: value.get("service").unwrap_or(value), file });
        }
        Some(Extends { service: value, file: None })
    }
}

/// The services of a document in the order in which they are met, and the values that are no service.
pub(super) fn services<'t>(root: &Merged<'t>, shape: Shape, merge_keys: &mut MergeKeys) -> Vec<Service<'t>> {
    let merged = match (shape, root.get("services")) {
        (Shape::Version1, _) => root.clone(),
        (Shape::Services, Some((_, services))) if services.is_mapping() => merge_keys.read(services),
        (Shape::Services, Some((_, services))) => {
            if !services.is_null() {
                merge_keys.problems.push((services.span(), "`services` is not a mapping".to_owned()));
            }
            return Vec::new();
        }
        (Shape::Services, None) => return Vec::new(),
    };
    let mut services = Vec::new();
    for (key, value) in merged.entries {
        let Some(name) = key.scalar() else { continue };
        if value.is_mapping() {
            merge_keys.in_override = value.tag() == Some("!override");
            services.push(Service { name, keys: merge_keys.read(value) });
            merge_keys.in_override = false;
        } else if !value.is_null() && !name.starts_with("x-") {
            merge_keys.problems.push((value.span(), format!("the service `{name}` is not a mapping")));
        }
    }
    services
}

//! YAML merge keys: what a mapping holds once its `<<` is merged in.

use crate::yaml::Node;

/// How far merges are followed, so that a bomb of them costs no more than it has text.
const MAX_DEPTH: usize = 4;
const MAX_SOURCES: usize = 16;

/// Key and value of the entry that `node` has under `key`, its own before a merged one.
pub(super) fn entry<'t>(node: Node<'t>, key: &str) -> Option<(Node<'t>, Node<'t>)> {
    find(node, &|name| name == key, MAX_DEPTH)
}

/// The value that `node` has under `key`, its own before a merged one.
pub(super) fn get<'t>(node: Node<'t>, key: &str) -> Option<Node<'t>> {
    entry(node, key).map(|(_, value)| value)
}

/// The same for readers that take keys in any case (Go's `encoding/json` behind kustomize): of several spellings the
/// one that sorts last wins.
pub(super) fn entry_in_any_case<'t>(node: Node<'t>, key: &str) -> Option<(Node<'t>, Node<'t>)> {
    find(node, &|name| name.eq_ignore_ascii_case(key), MAX_DEPTH)
}

fn find<'t>(node: Node<'t>, is: &dyn Fn(&str) -> bool, depth: usize) -> Option<(Node<'t>, Node<'t>)> {
    let own = node.entries().filter(|(name, _)| name.scalar().is_some_and(is));
    if let Some(entry) = own.max_by_key(|(name, _)| name.scalar()) {
        return Some(entry);
    }
    let merged = node.get("<<").filter(|_| depth > 0)?;
    if merged.is_sequence() {
        return merged.items().take(MAX_SOURCES).find_map(|source| find(source, is, depth - 1));
    }
    find(merged, is, depth - 1)
}

//! YAML merge keys: the entries of a mapping after `<<`, each with the nodes that decided it.

use std::collections::HashSet;

use crate::source::Span;
use crate::yaml::{Node, NodeKind, Style};

/// Most entries visited in one document. Compose itself gives up at 100 000 nodes; a document that needs more than
/// this multiplies through its aliases.
const MAX_VISITS: usize = 2_000_000;

/// Reads mappings through their merge keys, within a bound for the whole document.
#[derive(Debug)]
pub(super) struct MergeKeys {
    left: usize,
    /// Whether the mappings read stand below `!override`, where Compose takes no notice of `!reset`.
    pub(super) in_override: bool,
    /// Places where Compose would refuse the document, and why.
    pub(super) problems: Vec<(Span, String)>,
}

/// A mapping after merging.
#[derive(Clone, Debug, Default)]
pub(super) struct Merged<'t> {
    /// Key and value, each key once, in the order in which they are met.
    pub(super) entries: Vec<(Node<'t>, Node<'t>)>,
    /// Keys with the tag `!reset`: what an extended service or an earlier file says of them is dropped.
    resets: Vec<&'t str>,
}

impl<'t> Merged<'t> {
    /// Key and value of a key.
    pub(super) fn get(&self, key: &str) -> Option<(Node<'t>, Node<'t>)> {
        self.entries.iter().copied().find(|(name, _)| name.scalar() == Some(key))
    }

    /// The keys with the tag `!reset`.
    pub(super) fn resets(&self) -> &[&'t str] {
        &self.resets
    }

    /// Whether a key has the tag `!reset`.
    pub(super) fn is_reset(&self, key: &str) -> bool {
        self.resets.contains(&key)
    }
}

impl MergeKeys {
    pub(super) fn new() -> Self {
        Self { left: MAX_VISITS, in_override: false, problems: Vec::new() }
    }

    /// Whether the bound was reached: nothing read since is complete.
    pub(super) fn is_exhausted(&self) -> bool {
        self.left == 0
    }

    /// Counts one more visit; whether the bound leaves room for it.
    pub(super) fn visit(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    /// The entries of a mapping: its own keys before merged ones, earlier sources before later ones. A `!reset` key
    /// is no entry and, as in Compose, hides none of the merged ones.
    pub(super) fn read<'t>(&mut self, mapping: Node<'t>) -> Merged<'t> {
        let mut merged = Merged::default();
        if !self.visit() {
            return merged;
        }
        let (mut names, mut visited) = (HashSet::new(), HashSet::new());
        let mut open: Vec<Node<'t>> = mapping.resolve().into_iter().collect();
        while let Some(node) = open.pop() {
            if !visited.insert(node.id()) {
                continue;
            }
            let (mut sources, mut own) = (Vec::new(), HashSet::new());
            for (key, value) in node.entries() {
                if !self.visit() {
                    return merged;
                }
                if is_merge_key(key) {
                    self.sources(value, &mut sources);
                    continue;
                }
                let Some(name) = key.scalar() else { continue };
                if !own.insert(name) {
                    self.problems.push((key.span(), format!("the key `{name}` stands twice")));
                }
                if value.tag() == Some("!reset") && !self.in_override {
                    merged.resets.push(name);
                } else if names.insert(name) {
                    merged.entries.push((key, value));
                }
            }
            open.extend(sources.into_iter().rev());
        }
        merged
    }

    /// The mappings that the value of a merge key names, in order.
    fn sources<'t>(&mut self, value: Node<'t>, sources: &mut Vec<Node<'t>>) {
        if value.is_mapping() {
            sources.extend(value.resolve());
        } else if value.is_sequence() && value.items().all(Node::is_mapping) {
            for item in value.items() {
                self.visit();
                sources.extend(item.resolve());
            }
        } else {
            self.problems.push((value.span(), "`<<` needs a mapping or a list of mappings".to_owned()));
        }
    }
}

/// `<<` as a plain scalar; in quotes it is a key like any other, unless it is tagged.
fn is_merge_key(key: Node<'_>) -> bool {
    key.scalar() == Some("<<")
        && (key.kind() == NodeKind::Scalar(Style::Plain) && key.tag().is_none() || key.tag() == Some("!!merge"))
}

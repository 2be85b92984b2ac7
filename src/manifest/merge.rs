//! YAML merge keys: what a mapping holds once its `<<` is merged in.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::yaml::{Node, NodeKind};

/// How far merges are followed, so that a bomb of them costs no more than it has text.
const MAX_DEPTH: usize = 8;
const MAX_SOURCES: usize = 64;

/// The nodes that were read through an alias: each is read once, however many aliases name it.
#[derive(Default)]
pub(super) struct Once(HashSet<u32>);

impl Once {
    /// The node itself, or what an alias stands for the first time it is met.
    pub(super) fn enter<'t>(&mut self, node: Node<'t>) -> Option<Node<'t>> {
        let target = node.resolve()?;
        let is_new = node.kind() != NodeKind::Alias || self.0.insert(target.id());
        is_new.then_some(target)
    }

    /// The value of a key, in the same way.
    pub(super) fn get<'t>(&mut self, node: Node<'t>, key: &str) -> Option<Node<'t>> {
        self.enter(node.get(key)?)
    }

    /// The items of the list under a key with their numbers, in the same way.
    pub(super) fn items<'t>(&mut self, node: Node<'t>, key: &str) -> Vec<(usize, Node<'t>)> {
        let list = self.get(node, key).into_iter().flat_map(Node::items).enumerate();
        list.filter_map(|(index, item)| Some((index, self.enter(item)?))).collect()
    }
}

/// An entry under its key.
pub(super) type Entry<'t> = (&'t str, Node<'t>);

/// A mapping's entries by key, with those of the mappings that are merged into it.
#[derive(Default)]
pub(super) struct Index<'t> {
    own: HashMap<&'t str, Node<'t>>,
    merged: Vec<Rc<Index<'t>>>,
}

impl<'t> Index<'t> {
    /// The entry under a key, the mapping's own before a merged one.
    pub(super) fn get(&self, key: &str) -> Option<Entry<'t>> {
        self.find(key, &mut MAX_SOURCES.clone())
    }

    fn find(&self, key: &str, steps: &mut usize) -> Option<Entry<'t>> {
        if let Some((name, value)) = self.own.get_key_value(key) {
            return Some((name, *value));
        }
        self.merged.iter().find_map(|source| {
            *steps = steps.checked_sub(1)?;
            source.find(key, steps)
        })
    }
}

/// The indexes of all mappings that were merged into others: each is made once.
#[derive(Default)]
pub(super) struct Indexes<'t>(HashMap<u32, Rc<Index<'t>>>);

impl<'t> Indexes<'t> {
    /// The index of a mapping.
    pub(super) fn of(&mut self, node: Node<'t>) -> Rc<Index<'t>> {
        self.build(node, MAX_DEPTH)
    }

    fn build(&mut self, node: Node<'t>, depth: usize) -> Rc<Index<'t>> {
        let Some(node) = node.resolve() else { return Rc::default() };
        if let Some(index) = self.0.get(&node.id()) {
            return Rc::clone(index);
        }
        let mut index = Index::default();
        for (key, value) in node.entries() {
            match key.scalar() {
                Some("<<") if depth == 0 => {}
                Some("<<") if value.is_sequence() => {
                    index.merged.extend(value.items().take(MAX_SOURCES).map(|source| self.build(source, depth - 1)));
                }
                Some("<<") => index.merged.push(self.build(value, depth - 1)),
                Some(name) => {
                    index.own.insert(name, value);
                }
                None => {}
            }
        }
        let index = Rc::new(index);
        self.0.insert(node.id(), Rc::clone(&index));
        index
    }
}

/// The entry under a key in any case, as Go's `encoding/json` behind kustomize takes it: of several spellings the one
/// that sorts last wins. Of a merged mapping its first entries are looked at: what kustomize takes has few.
pub(super) fn entry_in_any_case<'t>(node: Node<'t>, key: &str) -> Option<(Node<'t>, Node<'t>)> {
    let find = |entries: &mut dyn Iterator<Item = (Node<'t>, Node<'t>)>| {
        let named = entries.filter(|(name, _)| name.scalar().is_some_and(|name| name.eq_ignore_ascii_case(key)));
        named.max_by_key(|(name, _)| name.scalar())
    };
    find(&mut node.entries()).or_else(|| {
        let merged = node.get("<<")?;
        let sources = merged.items().take(MAX_DEPTH).chain(Some(merged));
        sources.into_iter().find_map(|source| find(&mut source.entries().take(MAX_SOURCES)))
    })
}

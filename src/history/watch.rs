//! Which files changed from one state to the next: only the trees on the way to watched paths are read, and of those
//! only the ones that changed.
//!
//! Trees are read ahead, for many states at once, in the order in which they lie in the packs: most of them are stored as
//! what differs from the one before, and are then put together once instead of once for each that builds upon them.

use std::collections::{BTreeMap, HashMap, HashSet};

use gix::ObjectId;

use super::repository::{Form, Lost, Object, Repository};

/// The watched paths as a tree of their parts.
#[derive(Debug, Default)]
pub(super) struct Watch {
    top: Node,
    nodes: usize,
    /// The watched entries of trees that were read ahead, by node and tree.
    ahead: HashMap<(usize, ObjectId), Entries>,
    buffers: Vec<Vec<u8>>,
}

/// What a tree has under names that are watched.
type Entries = HashMap<Vec<u8>, Object>;

#[derive(Debug, Default)]
struct Node {
    /// Another one whenever there are other names below it.
    id: usize,
    seen: Seen,
    /// By name.
    below: BTreeMap<Vec<u8>, Node>,
    /// Who wants to know of a change, each once.
    units: Vec<usize>,
}

/// What stood at a path in the last state that was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Seen {
    /// It was not looked at.
    #[default]
    Unknown,
    /// This, or nothing.
    Known(Option<Object>),
}

impl Watch {
    /// Watches a path for a unit: in the last state that was looked at, `object` stood there.
    pub(super) fn add(&mut self, path: &str, object: Option<Object>, unit: usize) {
        let node = self.top.at(path, &mut self.nodes);
        node.seen = Seen::Known(object);
        if !node.units.contains(&unit) {
            node.units.push(unit);
        }
    }

    /// A unit does not look at a path any more.
    pub(super) fn remove(&mut self, path: &str, unit: usize) {
        self.top.at(path, &mut self.nodes).units.retain(|other| *other != unit);
    }

    /// Reads what the next states need, in place of what was read ahead before. What cannot be read is met again when
    /// its state is looked at.
    pub(super) fn read_ahead(&mut self, repository: &Repository, trees: Vec<ObjectId>) {
        self.ahead.clear();
        self.top.read_ahead(repository, trees, &mut self.ahead, &mut Vec::new());
    }

    /// Looks at the next state; `changed` gets every unit of which a file changed, maybe more than once.
    pub(super) fn look(
        &mut self,
        repository: &Repository,
        tree: ObjectId,
        changed: &mut Vec<usize>,
    ) -> Result<(), Lost> {
        let top = Some(Object { id: tree, kind: Form::Folder });
        let read = &mut |node: &Node, tree: ObjectId| {
            if let Some(known) = self.ahead.remove(&(node.id, tree)) {
                return Ok(known);
            }
            let mut buffer = self.buffers.pop().unwrap_or_default();
            let found = node.entries(repository, tree, &mut buffer);
            self.buffers.push(buffer);
            found
        };
        self.top.look(top, changed, read)
    }
}

impl Node {
    fn at(&mut self, path: &str, nodes: &mut usize) -> &mut Self {
        let mut node = self;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if !node.below.contains_key(part.as_bytes()) {
                // Its entries have to be looked at again, for one more of them.
                node.seen = Seen::Unknown;
                *nodes += 1;
                node.id = *nodes;
            }
            node = node.below.entry(part.as_bytes().to_vec()).or_default();
        }
        node
    }

    /// What a tree has under the names below this node.
    fn entries(&self, repository: &Repository, tree: ObjectId, buffer: &mut Vec<u8>) -> Result<Entries, Lost> {
        let mut found = Entries::new();
        let Some(first) = self.below.keys().next() else { return Ok(found) };
        let only = self.below.len() == 1;
        repository.entries(&tree, buffer, |name, object| {
            if if only { first == name } else { self.below.contains_key(name) } {
                found.insert(name.to_vec(), object);
            }
            found.len() < self.below.len()
        })?;
        Ok(found)
    }

    fn read_ahead(
        &self,
        repository: &Repository,
        mut trees: Vec<ObjectId>,
        ahead: &mut HashMap<(usize, ObjectId), Entries>,
        buffer: &mut Vec<u8>,
    ) {
        if self.below.is_empty() {
            return;
        }
        let mut distinct = HashSet::new();
        trees.retain(|tree| distinct.insert(*tree));
        repository.sort_as_packed(&mut trees);
        let mut below: HashMap<&[u8], Vec<ObjectId>> = HashMap::new();
        for tree in trees {
            let Ok(found) = self.entries(repository, tree, buffer) else { continue };
            for (name, node) in &self.below {
                if let Some(Object { id, kind: Form::Folder }) = found.get(name)
                    && !node.below.is_empty()
                {
                    below.entry(name).or_default().push(*id);
                }
            }
            ahead.insert((self.id, tree), found);
        }
        for (name, node) in &self.below {
            if let Some(trees) = below.remove(name.as_slice()) {
                node.read_ahead(repository, trees, ahead, buffer);
            }
        }
    }

    fn look(
        &mut self,
        now: Option<Object>,
        changed: &mut Vec<usize>,
        read: &mut impl FnMut(&Self, ObjectId) -> Result<Entries, Lost>,
    ) -> Result<(), Lost> {
        if self.seen == Seen::Known(now) {
            return Ok(());
        }
        // A node that was not looked at is one on the way: nobody watches it.
        changed.extend(&self.units);
        self.seen = Seen::Known(now);
        let found = match now {
            Some(Object { id, kind: Form::Folder }) if !self.below.is_empty() => read(self, id)?,
            _ => Entries::new(),
        };
        for (name, node) in &mut self.below {
            node.look(found.get(name).copied(), changed, read)?;
        }
        Ok(())
    }
}

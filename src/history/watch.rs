//! Which files changed from one state to the next: only the trees on the way to watched paths are read, and of those
//! only the ones that changed.

use std::collections::{BTreeMap, HashMap};

use gix::ObjectId;

use super::repository::{Form, Lost, Object, Repository};

/// The watched paths as a tree of their parts.
#[derive(Debug, Default)]
pub(super) struct Watch {
    top: Node,
    buffers: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Node {
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
        let node = self.top.at(path);
        node.seen = Seen::Known(object);
        if !node.units.contains(&unit) {
            node.units.push(unit);
        }
    }

    /// A unit does not look at a path any more.
    pub(super) fn remove(&mut self, path: &str, unit: usize) {
        self.top.at(path).units.retain(|other| *other != unit);
    }

    /// Looks at the next state; `changed` gets every unit of which a file changed, maybe more than once.
    pub(super) fn look(
        &mut self,
        repository: &Repository,
        tree: ObjectId,
        changed: &mut Vec<usize>,
    ) -> Result<(), Lost> {
        let top = Some(Object { id: tree, kind: Form::Folder });
        self.top.look(repository, top, changed, &mut self.buffers)
    }
}

impl Node {
    fn at(&mut self, path: &str) -> &mut Self {
        let mut node = self;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if !node.below.contains_key(part.as_bytes()) {
                // Its entries have to be looked at again, for one more of them.
                node.seen = Seen::Unknown;
            }
            node = node.below.entry(part.as_bytes().to_vec()).or_default();
        }
        node
    }

    fn look(
        &mut self,
        repository: &Repository,
        now: Option<Object>,
        changed: &mut Vec<usize>,
        buffers: &mut Vec<Vec<u8>>,
    ) -> Result<(), Lost> {
        if self.seen == Seen::Known(now) {
            return Ok(());
        }
        // A node that was not looked at is one on the way: nobody watches it.
        changed.extend(&self.units);
        self.seen = Seen::Known(now);
        let mut found: HashMap<Vec<u8>, Object> = HashMap::new();
        if let Some(Object { id, kind: Form::Folder }) = now
            && let Some(first) = self.below.keys().next()
        {
            let only = self.below.len() == 1;
            let mut buffer = buffers.pop().unwrap_or_default();
            repository.entries(&id, &mut buffer, |name, object| {
                if if only { first == name } else { self.below.contains_key(name) } {
                    found.insert(name.to_vec(), object);
                }
                found.len() < self.below.len()
            })?;
            buffers.push(buffer);
        }
        for (name, node) in &mut self.below {
            node.look(repository, found.remove(name), changed, buffers)?;
        }
        Ok(())
    }
}

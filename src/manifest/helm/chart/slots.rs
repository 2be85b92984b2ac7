//! Where the digest of a rendered image is written: into the values that decide it, else into the template.

use std::collections::HashMap;
use std::sync::Arc;

use super::rendered::{Rendered, exact, is_value};
use super::text::{Marks, Piece, Writer};
use crate::manifest::helm::parts::{DIGESTS, NO_TAG, TAGS, in_forms};
use crate::manifest::{LocatedImage, PinSlot, Slot, slot};
use crate::reference::Reference;
use crate::source::{Place, Source, Span, once};
use crate::yaml::{Node, Tree};

/// Keys that a template may read beside a tag, and that the values may not have yet.
const NEW_DIGESTS: [&str; 2] = ["digest", "sha"];

/// Finds places in the files of one chart.
#[derive(Default)]
pub(super) struct Slots {
    templates: Vec<Arc<Source>>,
    /// By the address of the file.
    values: HashMap<usize, Entries>,
}

/// The entries of a values file by where their value begins: mapping, key and value.
struct Entries {
    tree: Tree,
    at: HashMap<u32, [u32; 3]>,
}

/// An entry of a mapping.
struct Entry<'t> {
    mapping: Node<'t>,
    key: Node<'t>,
    value: Node<'t>,
}

impl Entries {
    fn of(source: &Source) -> Self {
        let tree = Tree::yaml(source.text());
        let mut at = HashMap::new();
        let mut todo: Vec<Node<'_>> = tree.documents(source.text()).take(1).collect();
        while let Some(node) = todo.pop() {
            for (key, value) in node.entries() {
                let start = value.resolve().unwrap_or(value).span().start;
                at.entry(start).or_insert([node.id(), key.id(), value.id()]);
            }
            // What an alias stands for is met where it is written.
            let below = node.entries().map(|(_, value)| value).chain(node.items());
            todo.extend(below.filter(|below| below.resolve() == Some(*below)));
        }
        Self { tree, at }
    }

    fn get<'t>(&'t self, source: &'t Source, start: u32) -> Option<Entry<'t>> {
        let [mapping, key, value] = *self.at.get(&start)?;
        let node = |id| self.tree.node(source.text(), id);
        Some(Entry { mapping: node(mapping)?, key: node(key)?, value: node(value)? })
    }
}

impl Slots {
    /// `templates` are all those of the chart and its sub-charts.
    pub(super) fn new(templates: Vec<Arc<Source>>) -> Self {
        Self { templates, values: HashMap::new() }
    }

    /// Where the digest of an image of a rendered text is written.
    pub(super) fn of(&mut self, image: &LocatedImage, rendered: &Rendered, marks: &Marks) -> PinSlot {
        let Some(reference) = image.reference() else { return PinSlot::Text };
        if let PinSlot::At(_) = image.slot {
            let reference = reference.clone();
            return image.slot.clone().moved(|slot| self.moved(&slot, &reference, rendered, marks));
        }
        let span = image.place.span;
        let slots = match reference.digest() {
            Some(digest) => pinned(reference, digest, rendered, span, marks).into_iter().collect(),
            None => self.unpinned(reference, rendered, span, marks),
        };
        if !slots.is_empty() {
            return PinSlot::At(slots);
        }
        let why = if reference.is_pinned() { slot::IN_PARTS } else { NO_TAG };
        PinSlot::None(why.to_owned())
    }

    fn unpinned(&mut self, reference: &Reference, rendered: &Rendered, span: Span, marks: &Marks) -> Vec<Slot> {
        let pieces = rendered.pieces(span);
        let pieces: Vec<_> = pieces.filter_map(|(at, piece)| Some((at, piece, marks.get(piece.mark)?))).collect();
        let Some((start, piece, origin)) = pieces.last() else { return Vec::new() };
        match origin.writer {
            Writer::Environment | Writer::Defaults => {
                let mut slots = if reference.tag().is_some() { self.beside_tag(&origin.place) } else { Vec::new() };
                slots.push(Slot::behind(&origin.place));
                slots
            }
            Writer::Template => {
                let end = (span.end as usize).saturating_sub(*start).min(piece.text.len());
                let from = (span.start as usize).saturating_sub(*start).min(end);
                let place = exact(piece, marks, from..end).filter(|place| place.text().len() == end - from);
                place.as_ref().map(Slot::behind).into_iter().collect()
            }
            // The version of a chart names more than an image: the tag is written in the values.
            Writer::Metadata => {
                let version = reference.tag().unwrap_or_default();
                let name = pieces.iter().rev().find(|(_, _, origin)| is_value(origin));
                let slot = name.and_then(|(_, _, origin)| self.tag_beside(&origin.place));
                slot.map(|slot| Slot { before: format!("{}{version}@", slot.before), ..slot }).into_iter().collect()
            }
        }
    }

    fn entry<'e>(&'e mut self, place: &'e Place) -> Option<Entry<'e>> {
        let source = &place.source;
        let entries = self.values.entry(Arc::as_ptr(source) as usize).or_insert_with(|| Entries::of(source));
        entries.get(source, place.span.start)
    }

    /// Places for a digest in the mapping in which a tag stands: a key without a text, or a new one that a template reads.
    fn beside_tag(&mut self, tag: &Place) -> Vec<Slot> {
        let read: Vec<&str> = NEW_DIGESTS.into_iter().filter(|key| self.is_read(key)).collect();
        let Some(Entry { mapping, key, value }) = self.entry(tag) else { return Vec::new() };
        let tag_place = Some(tag.clone());
        let mut empty = DIGESTS.iter().filter_map(|name| Some((*name, mapping.get(name)?)));
        if let Some((name, digest)) = empty.next() {
            let slot = slot::into_empty(&tag.source, digest).map(|slot| Slot { tag: tag_place, ..slot });
            return slot.into_iter().flat_map(|slot| in_forms(name, slot)).collect();
        }
        let new = |name| Some((name, slot::new_entry(&tag.source, mapping, (key, value), name)?));
        let new = read.into_iter().filter_map(new).flat_map(|(name, slot)| in_forms(name, slot));
        new.map(|slot| Slot { tag: tag_place.clone(), ..slot }).collect()
    }

    /// The place for a tag in the mapping in which a repository stands.
    fn tag_beside(&mut self, repository: &Place) -> Option<Slot> {
        let Entry { mapping, key, value } = self.entry(repository)?;
        match TAGS.iter().find_map(|name| mapping.get(name)) {
            Some(tag) => slot::into_empty(&repository.source, tag),
            None => slot::new_entry(&repository.source, mapping, (key, value), "tag"),
        }
    }

    /// Whether a template reads a field of this name.
    fn is_read(&self, name: &str) -> bool {
        let field = format!(".{name}");
        let is_end = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let reads =
            |text: &str| text.match_indices(&field).any(|(at, _)| text.get(at + field.len()..).is_some_and(is_end));
        self.templates.iter().any(|source| reads(source.text()))
    }

    /// A place in a rendered text, put to the files.
    fn moved(&mut self, slot: &Slot, reference: &Reference, rendered: &Rendered, marks: &Marks) -> Option<Slot> {
        let span = slot.place.span;
        let origin = |piece: &Piece| marks.get(piece.mark).filter(|origin| is_value(origin));
        if let Some(digest) = reference.digest() {
            return pinned(reference, digest, rendered, span, marks);
        }
        if slot.before.starts_with('@') {
            let (_, piece) = rendered.piece_at((span.start as usize).checked_sub(1)?)?;
            return Some(Slot::behind(&origin(piece)?.place));
        }
        // An empty value is remembered where it is rendered.
        let empty = rendered.empty_at(span.start as usize).find_map(origin)?.place.clone();
        let value = self.entry(&empty)?.value;
        let new = slot::into_empty(&empty.source, value)?;
        Some(Slot { is_bare: slot.is_bare, ..new })
    }
}

/// The digest is written over the one that a piece of the text brings.
fn pinned(reference: &Reference, digest: &str, rendered: &Rendered, span: Span, marks: &Marks) -> Option<Slot> {
    let text = rendered.slice(span);
    let hex = digest.rsplit(':').next().unwrap_or(digest);
    let places = |range: std::ops::Range<usize>| {
        let (from, to) = (span.range().start + range.start, span.range().start + range.end);
        let pieces = rendered.pieces(Span::new(from, to));
        pieces.filter_map(move |(start, piece)| {
            exact(piece, marks, from.saturating_sub(start)..(to - start).min(piece.text.len()))
        })
    };
    let over = |place: &Place, part: &str| Slot::over_digest(place, part);
    let whole = || once(text, digest).and_then(|range| places(range).find_map(|place| over(&place, digest)));
    let bare = || once(text, hex).and_then(|range| places(range).find_map(|place| over(&place, hex)));
    let slot = whole().or_else(|| bare().map(|slot| Slot { is_bare: true, ..slot }))?;
    let tag = places(0..text.len()).find(|place| Some(place.text()) == reference.tag());
    Some(Slot { tag, ..slot })
}

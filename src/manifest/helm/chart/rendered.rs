//! From a rendered text back to where its images were written.

use std::collections::HashSet;
use std::sync::Arc;

use super::package::Package;
use super::render::Render;
use super::slots::Slots;
use super::text::{ANYTHING, Mark, Marks, Origin, Piece, SOME_TEXT, Text, Writer};
use super::value::{self, Value};
use super::{WAY_OUT, unresolved};
use crate::manifest::helm::{self, template};
use crate::manifest::{self, Alone, Document, Found, LocatedImage, PinSlot, Related, State, Unreadable};
use crate::reference::Reference;
use crate::source::{Place, Source, Span};
use crate::yaml::Tree;

/// Objects whose texts are never containers.
const TEXT_KINDS: [&str; 3] = ["kind: ConfigMap", "kind: Secret", "kind: CustomResourceDefinition"];

/// A text, and where each of its pieces begins.
pub(super) struct Rendered {
    text: String,
    starts: Vec<usize>,
    pieces: Vec<Piece>,
}

impl Rendered {
    pub(super) fn new(text: Text) -> Self {
        Self { text: text.plain(), starts: text.starts(), pieces: text.0 }
    }

    /// The pieces that a span shares bytes with, each with where it begins.
    pub(super) fn pieces(&self, span: Span) -> impl Iterator<Item = (usize, &Piece)> {
        let range = span.range();
        let first = self.starts.partition_point(|&start| start <= range.start).saturating_sub(1);
        let from = self.starts.iter().copied().zip(&self.pieces).skip(first);
        from.take_while(move |(start, _)| *start < range.end)
            .filter(move |(start, piece)| start + piece.text.len() > range.start)
    }

    /// The piece that a byte is of.
    pub(super) fn piece_at(&self, at: usize) -> Option<(usize, &Piece)> {
        self.pieces(Span::new(at, at + 1)).next()
    }

    /// The pieces without a byte at an offset.
    pub(super) fn empty_at(&self, at: usize) -> impl Iterator<Item = &Piece> {
        let first = self.starts.partition_point(|&start| start < at);
        let here = self.starts.iter().zip(&self.pieces).skip(first).take_while(move |(start, _)| **start == at);
        here.map(|(_, piece)| piece).filter(|piece| piece.text.is_empty())
    }

    /// The text of a span.
    pub(super) fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// The text with holes that stand alone on their lines turned into comments, which take as many bytes.
    fn readable(&self) -> String {
        let lines = self.text.split_inclusive('\n').map(|line| {
            let is_hole = line.contains(ANYTHING) && line.trim().chars().all(|c| c == ANYTHING);
            if is_hole { line.replacen(ANYTHING, "#  ", 1) } else { line.to_owned() }
        });
        lines.collect()
    }
}

/// What was found so far in one chart.
pub(super) struct Reading {
    pub(super) found: Found,
    chart: Arc<Source>,
    /// Places of values that rendered images are made of.
    covered: HashSet<(usize, Span)>,
    /// Values that were rendered anywhere.
    printed: HashSet<Mark>,
    slots: Slots,
    tree: Tree,
}

fn key_of(place: &Place) -> (usize, Span) {
    (Arc::as_ptr(&place.source) as usize, place.span)
}

impl Reading {
    /// `templates` are all those of the chart and its sub-charts.
    pub(super) fn new(chart: &Arc<Source>, templates: Vec<Arc<Source>>, found: Found) -> Self {
        Self {
            found,
            chart: Arc::clone(chart),
            covered: HashSet::new(),
            printed: HashSet::new(),
            slots: Slots::new(templates),
            tree: Tree::default(),
        }
    }

    /// Reads what a template renders, as what Helm prints is read.
    pub(super) fn template(&mut self, rendered: &Rendered, source: &Arc<Source>, render: &mut Render) {
        self.printed.extend(rendered.pieces.iter().filter(|piece| !piece.text.is_empty()).map(|piece| piece.mark));
        let text = Source::new("rendered.yaml", rendered.readable());
        let mut inside = manifest::read(&text, &Alone, &mut self.tree);
        if let Some(error) = inside.unreadable.first() {
            // Both sides of a condition rarely make one document: then its lines are read.
            if !render.is_doubled && render.work > 0 {
                let at = rendered.piece_at(error.place.span.start as usize);
                let place = at.and_then(|(_, piece)| exact(piece, &render.marks, 0..0));
                self.found.unreadable.push(Unreadable {
                    place: place.unwrap_or_else(|| super::start_of(source)),
                    message: format!("what this template renders cannot be read: {}", error.message),
                    help: Some(WAY_OUT.to_owned()),
                });
            }
            template::locate_lines(&text, &mut inside);
        }
        for image in inside.images {
            let image = self.placed(image, rendered, source, &render.marks);
            self.found.images.push(image);
        }
        self.holes(rendered, source, render);
    }

    /// What may be whole containers is reported where it is rendered.
    fn holes(&mut self, rendered: &Rendered, source: &Arc<Source>, render: &mut Render) {
        let mut at = 0;
        for document in rendered.text.split("\n---") {
            let start = at;
            at += document.len() + "\n---".len();
            let is_text = document.lines().any(|line| TEXT_KINDS.contains(&line.trim_end()));
            let holes = document.match_indices(ANYTHING).map(|(at, _)| start + at);
            for hole in holes.filter(|_| !is_text) {
                render.is_uncertain = true;
                let place = rendered.piece_at(hole).and_then(|(_, piece)| exact(piece, &render.marks, 0..0));
                let place = place.unwrap_or_else(|| super::start_of(source));
                let why = format!("what this renders cannot be told here: {WAY_OUT}");
                let written = place.text().lines().next().unwrap_or_default().to_owned();
                let image = unresolved(&place, "", &written, &why);
                let is_known = |it: &LocatedImage| key_of(&it.place) == key_of(&image.place);
                if !self.found.images.iter().any(is_known) {
                    self.found.images.push(image);
                }
            }
        }
    }

    /// An image of a rendered text, put to the scalar that decides it.
    fn placed(
        &mut self,
        image: LocatedImage,
        rendered: &Rendered,
        source: &Arc<Source>,
        marks: &Marks,
    ) -> LocatedImage {
        let span = image.place.span;
        let slot = self.slots.of(&image, rendered, marks);
        let deployed = deployed_by(rendered, span, marks);
        let parts: Vec<(&Piece, &Origin)> =
            rendered.pieces(span).filter_map(|(_, piece)| Some((piece, marks.get(piece.mark)?))).collect();
        let hole = image.written.contains([SOME_TEXT, ANYTHING]);
        let decider = if hole { None } else { decider(&parts) };
        let literal = || {
            let (start, piece) = rendered.pieces(span).next()?;
            let from = (span.start as usize).saturating_sub(start);
            let to = (span.end as usize).saturating_sub(start).min(piece.text.len());
            exact(piece, marks, from..to)
        };
        let place = match decider {
            Some(origin) => origin.place.clone(),
            None if hole || parts.len() > 1 => {
                deployed.clone().or_else(literal).unwrap_or_else(|| super::start_of(source))
            }
            None => literal().unwrap_or_else(|| super::start_of(source)),
        };
        let written = image.written.replace([SOME_TEXT, ANYTHING], "…");
        let state =
            if hole { State::unresolved(format!("nothing in the chart decides it: {WAY_OUT}")) } else { image.state };
        let field = decider.and_then(|origin| origin.field.as_deref()).unwrap_or(&image.field);
        let mut placed = LocatedImage::new(helm::KIND.name, &place.source, place.span, field, &written, state);
        placed.slot = slot;
        placed.resource = image.resource.map(|name| name.replace([SOME_TEXT, ANYTHING], "…"));
        placed.related = related(&parts, &place, deployed);
        if !hole {
            let of_values = parts.iter().filter(|(_, origin)| is_value(origin));
            self.covered.extend(of_values.map(|(_, origin)| key_of(&origin.place)));
        }
        placed
    }

    /// Images in the values that no template shows: reported where it is not certain that nothing deploys them.
    pub(super) fn values(&mut self, values: &Value, package: &Package, render: &Render) {
        let mut text = Text::default();
        value::to_yaml(values, 0, &mut (4 << 20), &mut text);
        let rendered = Rendered::new(text);
        if render.is_uncertain && rendered.text.contains(ANYTHING) {
            self.found.unreadable.push(Unreadable {
                place: super::start_of(&self.chart),
                message: "the values of this chart are too many to be judged here".to_owned(),
                help: Some(WAY_OUT.to_owned()),
            });
        }
        let source = Source::new("values.yaml", rendered.text.as_str());
        let tree = Tree::yaml(source.text());
        let mut inside = Found::default();
        for root in tree.documents(source.text()) {
            let document = Document { source: &source, root, beside: &Alone };
            helm::read_merged(&document, &mut inside);
        }
        let printed: HashSet<_> = self
            .printed
            .iter()
            .filter_map(|mark| render.marks.get(*mark))
            .map(|origin| key_of(&origin.place))
            .collect();
        let names: Vec<_> = package.children.iter().map(|child| child.name.as_str()).collect();
        let version = package.metadata.field("appVersion").print();
        for mut image in inside.images {
            let span = image.place.span;
            let piece = rendered.pieces(span).find(|(_, piece)| marks_value(piece, &render.marks));
            let Some(origin) = piece.and_then(|(_, piece)| render.marks.get(piece.mark)) else { continue };
            let key = key_of(&origin.place);
            if self.covered.contains(&key) || !render.is_uncertain && !printed.contains(&key) {
                continue;
            }
            let first = image.field.split(['.', '[']).next().unwrap_or_default();
            if !names.contains(&first) {
                with_version(&mut image, &version, &render.marks);
            }
            if !matches!(image.slot, PinSlot::Text) {
                image.slot = self.slots.of(&image, &rendered, &render.marks);
            }
            image.place = origin.place.clone();
            self.found.images.push(image);
        }
    }

    /// What was found, sorted, each image once.
    pub(super) fn finish(self) -> Found {
        let mut found = self.found;
        let order = |a: &LocatedImage, b: &LocatedImage| {
            let key = |it: &LocatedImage| (it.place.source.path().to_owned(), it.place.span);
            key(a).cmp(&key(b)).then_with(|| a.written.cmp(&b.written))
        };
        found.images.sort_by(order);
        found
            .images
            .dedup_by(|a, b| key_of(&a.place) == key_of(&b.place) && a.written == b.written && a.state == b.state);
        for image in &mut found.images {
            // A chart is judged as a whole: what stands in another file is named with it.
            image.related.retain(|related| key_of(&related.place) != key_of(&image.place));
        }
        found
    }
}

/// The place of a part of a piece: exact in a template, the whole scalar in values.
pub(super) fn exact(piece: &Piece, marks: &Marks, part: std::ops::Range<usize>) -> Option<Place> {
    let origin = marks.get(piece.mark)?;
    let start = origin.place.span.start as usize + piece.skip as usize;
    let span = Span::new(start + part.start, start + part.end);
    let stands = origin.writer == Writer::Template
        && !part.is_empty()
        && origin.place.source.slice(span) == piece.text.get(part).unwrap_or_default();
    Some(if stands { Place::new(&origin.place.source, span) } else { origin.place.clone() })
}

pub(super) fn is_value(origin: &Origin) -> bool {
    matches!(origin.writer, Writer::Defaults | Writer::Environment)
}

fn marks_value(piece: &Piece, marks: &Marks) -> bool {
    marks.get(piece.mark).is_some_and(is_value)
}

/// The scalar of the values that carries the digest, else the last one that the environment gives, else the last one.
fn decider<'m>(parts: &[(&Piece, &'m Origin)]) -> Option<&'m Origin> {
    let values = || parts.iter().filter(|(_, origin)| is_value(origin));
    let is_hex = |text: &str| text.len() >= 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_digest = |text: &str| text.contains("sha256:") || text.contains("sha512:") || is_hex(text);
    let digest = values().rfind(|(piece, _)| is_digest(&piece.text));
    let environment = || values().rfind(|(_, origin)| origin.writer == Writer::Environment);
    digest.or_else(environment).or_else(|| values().next_back()).map(|(_, origin)| *origin)
}

/// The other places that take part.
fn related(parts: &[(&Piece, &Origin)], place: &Place, deployed: Option<Place>) -> Vec<Related> {
    let mut related: Vec<Related> = Vec::new();
    for (_, origin) in parts {
        let message = match (origin.writer, &origin.field) {
            (Writer::Defaults | Writer::Environment, Some(field)) => format!("`{field}` is set here"),
            (Writer::Metadata, _) => "the chart's `appVersion` is the tag where none is given".to_owned(),
            _ => continue,
        };
        if !related.iter().any(|it| key_of(&it.place) == key_of(&origin.place)) {
            related.push(Related { place: origin.place.clone(), message });
        }
    }
    related.extend(deployed.map(|place| Related { place, message: "this line of the template deploys it".to_owned() }));
    related.retain(|it| key_of(&it.place) != key_of(place));
    related
}

/// The value of the `image:` line of the template that renders a text.
fn deployed_by(rendered: &Rendered, span: Span, marks: &Marks) -> Option<Place> {
    let before = rendered.text.get(..span.start as usize)?;
    let key =
        before.rfind("image").filter(|&key| before.get(key..).is_some_and(|text| text.matches('\n').count() < 2))?;
    let (start, piece) = rendered.piece_at(key)?;
    let origin = marks.get(piece.mark).filter(|origin| origin.writer == Writer::Template)?;
    let source = &origin.place.source;
    let at = origin.place.span.start as usize + piece.skip as usize + key - start;
    let text = source.text();
    let line = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let whole = text.get(line..)?.split('\n').next()?;
    let value = template::value_of(whole);
    let span = value.map_or(Span::new(at, at + "image".len()), |value| Span::new(line + value.start, line + value.end));
    Some(Place::new(source, span))
}

/// A chart's own image without a tag has the chart's `appVersion` for one.
fn with_version(image: &mut LocatedImage, version: &Text, marks: &Marks) {
    let Some(reference) = image.reference().filter(|it| it.tag().is_none() && !it.is_pinned()) else { return };
    if version.is_empty() {
        return;
    }
    if let Ok(tagged) = Reference::parse(&format!("{}:{}", reference.as_str(), version.plain())) {
        image.state = State::Reference(tagged);
        let message = "the chart's `appVersion` is the tag where none is given".to_owned();
        image.related.extend(marks.get(version.mark()).map(|origin| Related { place: origin.place.clone(), message }));
    }
}

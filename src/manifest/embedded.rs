//! YAML inside a scalar: read as a document of its own, and put back to where it stands in the file.

use std::ops::Range;
use std::sync::Arc;

use super::{Document, Found, LocatedImage, PinSlot, Slot, Unreadable, slot};
use crate::reference::Reference;
use crate::source::{Place, Source, Span, once};
use crate::yaml::{Node, NodeKind, Style, Tree};

/// Reads the text of a scalar with `read`, once for each document in it.
///
/// What is found is placed at its exact bytes where the scalar holds the text line by line (a literal block, a plain
/// or quoted scalar without escapes), else at the whole scalar. Fields are put below `field`.
pub(super) fn read(
    document: &Document<'_>,
    node: Node<'_>,
    field: &str,
    found: &mut Found,
    read: &mut dyn FnMut(&Document<'_>, &mut Found),
) {
    let (Some(text), Some(scalar)) = (node.string(), node.resolve()) else { return };
    let inner = Source::new(document.source.path(), text);
    let tree = Tree::yaml(text);
    let mut inside = Found::default();
    for root in tree.documents(text) {
        read(&Document { source: &inner, root, beside: document.beside }, &mut inside);
    }
    for error in tree.errors() {
        inside.unreadable.push(Unreadable {
            place: Place::new(&inner, Span { start: error.offset, end: error.offset }),
            message: format!("the text in `{field}` cannot be read: {}", error.message),
            help: None,
        });
    }
    take(document, scalar, field, inside, found);
}

/// Moves what was found in the text of `scalar` to the file.
pub(super) fn take(document: &Document<'_>, scalar: Node<'_>, field: &str, inside: Found, found: &mut Found) {
    let (source, lines) = (document.source, Lines::of(scalar));
    let place = |place: &Place| place_of(source, scalar, lines.as_ref(), place.span);
    for mut image in inside.images {
        image.slot = slot(source, scalar, lines.as_ref(), &mut image);
        image.place = place(&image.place);
        for related in &mut image.related {
            related.place = place(&related.place);
        }
        image.field = join(field, &image.field);
        found.images.push(image);
    }
    for mut unreadable in inside.unreadable {
        unreadable.place = place(&unreadable.place);
        found.unreadable.push(unreadable);
    }
}

/// Where the digest of an image in the text of `scalar` is written in the file.
fn slot(source: &Arc<Source>, scalar: Node<'_>, lines: Option<&Lines>, image: &mut LocatedImage) -> PinSlot {
    let Some(lines) = lines else {
        return match std::mem::take(&mut image.slot) {
            PinSlot::Text => in_whole(&Place::new(source, scalar.span()), image.place.text(), image.reference()),
            PinSlot::At(_) => PinSlot::None(slot::NOT_EXACT.to_owned()),
            none @ PinSlot::None(_) => none,
        };
    };
    std::mem::take(&mut image.slot).moved(|slot| {
        let place = |place: &Place| Some(Place::new(source, lines.span(place.span)?));
        let is_new_line = slot.before.contains('\n');
        let before = match lines.indentation {
            None if is_new_line => return None,
            Some(indentation) if is_new_line => {
                let line_break = format!("{}{}", slot::line_break(source.text()), " ".repeat(indentation));
                slot.before.replace('\n', &line_break)
            }
            _ => slot.before,
        };
        let tag = slot.tag.as_ref().and_then(place);
        Some(Slot { place: place(&slot.place)?, before, tag, ..slot })
    })
}

/// Where the digest of an image is written that stands somewhere in the text of a place as `written`.
pub(super) fn in_whole(whole: &Place, written: &str, reference: Option<&Reference>) -> PinSlot {
    let Some(reference) = reference else { return PinSlot::Text };
    let slot = match reference.digest() {
        Some(digest) => Slot::over_digest(whole, digest),
        None => once(whole.text(), written).map(|range| {
            let start = whole.span.range().start;
            Slot::behind(&Place::new(&whole.source, Span::new(start + range.start, start + range.end)))
        }),
    };
    slot.map_or_else(|| PinSlot::None(slot::NOT_EXACT.to_owned()), |slot| PinSlot::At(vec![slot]))
}

/// Where a span of the text of `scalar` stands in the file: at its exact bytes, else at the whole scalar.
pub(super) fn place<'t>(source: &'t Arc<Source>, scalar: Node<'t>) -> impl Fn(Span) -> Place + 't {
    let lines = Lines::of(scalar);
    move |span| place_of(source, scalar, lines.as_ref(), span)
}

fn place_of(source: &Arc<Source>, scalar: Node<'_>, lines: Option<&Lines>, span: Span) -> Place {
    Place::new(source, lines.and_then(|lines| lines.span(span)).unwrap_or_else(|| scalar.span()))
}

/// A field below another.
pub(super) fn join(field: &str, below: &str) -> String {
    match (field, below) {
        ("", _) => below.to_owned(),
        (_, "") => field.to_owned(),
        _ if below.starts_with('[') => format!("{field}{below}"),
        _ => format!("{field}.{below}"),
    }
}

/// Where each line of a scalar's decoded text stands in the file.
struct Lines {
    lines: Vec<Line>,
    /// How many bytes stand before each line; none where there is but one line, and no other can be added.
    indentation: Option<usize>,
}

struct Line {
    decoded: Range<usize>,
    /// Offset in the file of the line's first byte.
    start: usize,
}

impl Lines {
    /// `None` where the text does not stand in the file line by line.
    fn of(scalar: Node<'_>) -> Option<Self> {
        let span = scalar.span().range();
        let text = scalar.scalar()?;
        match scalar.kind() {
            NodeKind::Scalar(Style::Literal) => Self::of_literal(scalar.file_text(), text, span.start),
            NodeKind::Scalar(_) if !scalar.is_decoded() => {
                let lines = vec![Line { decoded: 0..text.len(), start: span.start }];
                Some(Self { lines, indentation: None })
            }
            _ => None,
        }
    }

    /// `content` is the offset of the first character that is not white space. Each line is compared with the file, so
    /// that a place is exact or is not claimed at all.
    fn of_literal(file: &str, text: &str, content: usize) -> Option<Self> {
        let blank = text.len() - text.trim_start().len();
        let lead = text.get(..blank)?.rfind('\n').map_or(blank, |at| blank - at - 1);
        let first = content.checked_sub(lead)?;
        let line_start = file.get(..first)?.rfind('\n').map_or(0, |at| at + 1);
        let indentation = first - line_start;
        let mut lines = Vec::new();
        let (mut decoded, mut at) = (blank - lead, line_start);
        while decoded < text.len() {
            let line = text.get(decoded..)?.split('\n').next()?;
            let raw = file.get(at..)?.split('\n').next()?;
            let start = at + indentation.min(raw.len());
            let stands = file.get(start..at + raw.len())?.trim_end_matches('\r');
            if stands != line {
                return None;
            }
            lines.push(Line { decoded: decoded..decoded + line.len(), start });
            decoded += line.len() + 1;
            at += raw.len() + 1;
        }
        Some(Self { lines, indentation: Some(indentation) })
    }

    fn span(&self, span: Span) -> Option<Span> {
        Some(Span::new(self.offset(span.start as usize)?, self.offset(span.end as usize)?))
    }

    fn offset(&self, decoded: usize) -> Option<usize> {
        let index = self.lines.partition_point(|line| line.decoded.start <= decoded).checked_sub(1)?;
        let line = self.lines.get(index)?;
        Some(line.start + decoded.min(line.decoded.end) - line.decoded.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Alone, State};

    /// The file's text at the place of every scalar value inside `a`.
    fn values(text: &str) -> Vec<String> {
        let tree = Tree::yaml(text);
        let source = Source::new("a.yaml", text);
        let mut found = Found::default();
        for root in tree.documents(text) {
            let document = Document { source: &source, root, beside: &Alone };
            let node = root.get("a").unwrap();
            read(&document, node, "a", &mut found, &mut |inner, found| {
                for (key, value) in inner.root.entries() {
                    let (name, text) = (key.scalar().unwrap(), value.scalar().unwrap());
                    found.images.push(LocatedImage::new("k", inner.source, value.span(), name, text, State::Local));
                }
            });
        }
        found.images.iter().map(|image| format!("{} {}", image.field, image.place.text())).collect()
    }

    #[test]
    fn what_stands_line_by_line_is_found_there() {
        assert_eq!(values("a: |\n  b: c\n\n  d: 'é'\n"), ["a.b c", "a.d é"]);
        assert_eq!(values("x:\n- y\na: |2-\n\n    b: c\n    d: e\n"), ["a.b c", "a.d e"]);
        assert_eq!(values("a: |\r\n  b: c\r\n  d: e\r\n"), ["a.b c", "a.d e"]);
        assert_eq!(values("a: '{b: c, d: \"e\"}'\n"), ["a.b c", "a.d e"]);
        assert_eq!(values("a: |+\n  b: c\n\n\n"), ["a.b c"]);
    }

    #[test]
    fn what_is_folded_or_escaped_is_the_whole_scalar() {
        assert_eq!(values("a: \"b: c\\nd: e\"\n"), [r"a.b b: c\nd: e", r"a.d b: c\nd: e"]);
        assert_eq!(values("a: >\n  b: c\n\n  d: e\n")[1], "a.d b: c\n\n  d: e");
    }
}

//! Where a digest is written for an image that was put together from several texts.

mod entry;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

pub(super) use self::entry::{into_empty, line_break, new_entry};
use super::{LocatedImage, PinSlot, Slot, is_json_name};
use crate::source::{Place, Source, Span, once};
use crate::yaml::{Node, NodeKind, Style};

impl Slot {
    /// The digest is written over the bytes of a place, or between two where it has none.
    #[must_use]
    pub fn over(place: Place) -> Self {
        Self { place, before: String::new(), after: String::new(), is_bare: false, tag: None }
    }

    /// The digest is written with its `@` behind the text at a place.
    #[must_use]
    pub fn behind(place: &Place) -> Self {
        let end = place.span.range().start + place.text().trim_end().len();
        let place = Place::new(&place.source, Span::new(end, end));
        Self { before: "@".to_owned(), ..Self::over(place) }
    }

    /// The digest is written over the one that stands in the text at a place, if that is written out there.
    #[must_use]
    pub fn over_digest(place: &Place, digest: &str) -> Option<Self> {
        let range = once(place.text(), digest)?;
        let start = place.span.range().start;
        Some(Self::over(Place::new(&place.source, Span::new(start + range.start, start + range.end))))
    }
}

impl PinSlot {
    /// The slot with each of its places put elsewhere; those that have no place there are left out.
    pub(super) fn moved(self, to: impl FnMut(Slot) -> Option<Slot>) -> Self {
        let Self::At(slots) = self else { return self };
        let slots: Vec<_> = slots.into_iter().filter_map(to).collect();
        if slots.is_empty() { Self::None(NOT_EXACT.to_owned()) } else { Self::At(slots) }
    }
}

/// Why nothing can be written into a text that is not written as it is read.
pub(super) const NOT_EXACT: &str =
    "the text that it stands in is written with escapes or folded: write it line by line (`|`)";

/// A place at which the whole text of an image ends: inside of a value that it ends with.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) place: Place,
    /// The variable that has the value; empty where it is a default in the image's own text.
    pub(crate) name: String,
    pub(crate) form: Form,
}

/// How something is put behind a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// It is a text: it goes on.
    Text,
    /// It is a number without quotes: it becomes a text.
    Number,
    /// It is an expression of HCL: it becomes a template.
    Expression,
}

impl Form {
    /// The digest is written behind what stands at a place.
    fn slot(self, place: &Place) -> Slot {
        let raw = place.text();
        let before = match self {
            Self::Text => return Slot::behind(place),
            Self::Number => format!("\"{raw}@"),
            Self::Expression => format!("\"${{{raw}}}@"),
        };
        Slot { before, after: "\"".to_owned(), ..Slot::over(place.clone()) }
    }
}

/// How something is put behind a scalar: JSON has texts in quotes alone.
pub(super) fn form_of(source: &Source, node: Node<'_>) -> Form {
    let is_plain = node.resolve().is_some_and(|node| node.kind() == NodeKind::Scalar(Style::Plain));
    if is_plain && is_json_name(source.file_name()) { Form::Number } else { Form::Text }
}

/// The digest is written with its `@` behind a scalar.
pub(super) fn behind(source: &Arc<Source>, node: Node<'_>) -> Slot {
    form_of(source, node).slot(&Place::new(source, node.span()))
}

/// The slot of an image that other texts than its own take part in: those that are named beside it.
///
/// The digest goes behind one of `ends`, the one first that decides most closely, or behind the image's own text, which
/// is of the form `own` if anything can be put behind it; into a value that something else uses only where nothing else
/// is left: `uses` are the places that use a variable.
pub(super) fn put_together<'u>(
    image: &LocatedImage,
    own: Option<Form>,
    ends: &[Ending],
    uses: impl Fn(&str) -> &'u [Place],
) -> PinSlot {
    // A text may be no reference only until a scheme is taken away.
    match image.effective().map(|text| text.split_once('@').map(|(_, digest)| digest)) {
        None => PinSlot::Text,
        Some(None) if ends.is_empty() && own == Some(Form::Text) => PinSlot::Text,
        Some(None) => {
            let is_inside = |place: &Place| {
                let mut own = ends.iter().map(|end| &end.place).chain([&image.place]);
                own.any(|own| {
                    own.source.path() == place.source.path() && own.span.range().contains(&(place.span.start as usize))
                })
            };
            let is_used_elsewhere = |end: &&Ending| !uses(&end.name).iter().all(is_inside);
            let (last, first): (Vec<_>, Vec<_>) = ends.iter().partition(is_used_elsewhere);
            let own = own.map(|form| form.slot(&image.place));
            let slot = |end: &Ending| end.form.slot(&end.place);
            let slots: Vec<_> = first.into_iter().map(slot).chain(own).chain(last.into_iter().map(slot)).collect();
            if slots.is_empty() { PinSlot::None(NO_TEXT.to_owned()) } else { PinSlot::At(slots) }
        }
        Some(Some(digest)) if once(image.place.text(), digest).is_some() => PinSlot::Text,
        Some(Some(digest)) => {
            let related = image.related.iter().map(|related| &related.place);
            let mut values = ends.iter().map(|end| &end.place).chain(related);
            match values.find_map(|place| Slot::over_digest(place, digest)) {
                Some(slot) => PinSlot::At(vec![slot]),
                None => PinSlot::None(IN_PARTS.to_owned()),
            }
        }
    }
}

/// Why nothing can be put behind an image that no text ends.
const NO_TEXT: &str = "no text of its own ends it: write the image in one text";

/// Why a digest cannot be replaced that no single text holds.
pub(super) const IN_PARTS: &str = "its digest is put together from several texts: write it in one";

/// Most places of one variable that are kept.
const MAX_USES: usize = 4;

/// The places at which files use variables for something else than images: looked for when the first is asked for.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(OnceCell<HashMap<String, Vec<Place>>>);

impl Elsewhere {
    /// The places of one variable, a few of them. `find` finds names and offsets in the text of each file.
    pub(super) fn of<'s>(
        &self,
        name: &str,
        files: impl IntoIterator<Item = (&'s Arc<Source>, usize, &'s str)>,
        find: fn(&str) -> Vec<(&str, usize)>,
    ) -> &[Place] {
        let look = || {
            let mut all: HashMap<String, Vec<Place>> = HashMap::new();
            for (source, base, text) in files {
                for (name, at) in find(text) {
                    let places = all.entry(name.to_owned()).or_default();
                    if places.len() < MAX_USES {
                        places.push(Place::new(source, Span::new(base + at, base + at)));
                    }
                }
            }
            all
        };
        self.0.get_or_init(look).get(name).map_or(&[], Vec::as_slice)
    }
}

/// The lines of a text with their offset, up to where they speak of an image: what is behind is part of one.
fn lines_before_images(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    let lines = text.split_inclusive('\n').map(move |line| {
        let start = next;
        next += line.len();
        let image = line.as_bytes().windows(5).position(|word| word.eq_ignore_ascii_case(b"image"));
        (start, line.get(..image.unwrap_or(line.len())).unwrap_or_default())
    });
    lines.filter(|(_, line)| !line.trim_start().starts_with('#'))
}

/// The variables (`$NAME`, `${NAME…}`) that a text uses for something else than images, and where.
pub(super) fn variables_beside_images(text: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines_before_images(text) {
        let mut rest = line;
        while let Some((_, behind)) = rest.split_once('$') {
            if let Some(escaped) = behind.strip_prefix('$') {
                rest = escaped;
                continue;
            }
            let name = behind.strip_prefix('{').unwrap_or(behind);
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            let at = start + line.len() - name.len();
            found.extend(name.get(..end).filter(|name| !name.is_empty()).map(|name| (name, at)));
            rest = behind;
        }
    }
    found
}

/// The words (`var.name`, `Name`) that a text uses for something else than images, and where. A key is not
/// used by what it is given. Of dotted words also the first one and the first two.
pub(super) fn words_beside_images(text: &str) -> Vec<(&str, usize)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut found = Vec::new();
    for (start, line) in lines_before_images(text) {
        let indented = line.trim_start();
        if indented.starts_with('/') || indented.starts_with("variable") {
            continue;
        }
        let mut rest = indented;
        while let Some(at) = rest.find(is_word) {
            let word = rest.get(at..).unwrap_or_default();
            let offset = start + line.len() - word.len();
            let (word, behind) = word.split_at(word.find(|c| !is_word(c)).unwrap_or(word.len()));
            rest = behind;
            if behind.trim_start_matches(['"', '\'']).trim_start().starts_with(['=', ':']) {
                continue;
            }
            let dots = word.match_indices('.').map(|(at, _)| at).take(2);
            found.extend(dots.chain([word.len()]).filter_map(|end| Some((word.get(..end)?, offset))));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_used_beside_images_or_not() {
        let text =
            "variable \"a\" {\n  image = var.b\n  tag = \"${var.c.x.y}-z\"\nD: e\n# f\nimage: g\n!Ref H\nTag = 1\n";
        let found = words_beside_images(text);
        assert!(found.iter().all(|(word, at)| text[*at..].starts_with(word)), "{found:?}");
        let words: Vec<_> = found.into_iter().map(|(word, _)| word).collect();
        assert_eq!(words, ["var", "var.c", "var.c.x.y", "-z", "e", "Ref", "H", "1"]);
    }

    #[test]
    fn variables_are_used_beside_images_or_not() {
        let text = "image: ${A}:$B\nx: $C-${D:-$E} $$F # $G\n# $H\nbaseImage: 'x:$I'\nlabels: [image=$J, '$']\n";
        let found = variables_beside_images(text);
        assert!(found.iter().all(|(name, at)| text[*at..].starts_with(name)), "{found:?}");
        let names: Vec<_> = found.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["C", "D", "E", "G"]);
    }
}

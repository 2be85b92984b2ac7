//! Where a digest is written for an image that was put together from several texts.

mod entry;

use std::collections::HashSet;

pub(super) use self::entry::{into_empty, line_break, new_entry};
use super::{LocatedImage, PinSlot, Slot};
use crate::source::{Place, Span, once};

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
    pub(super) fn moved(self, to: impl Fn(Slot) -> Option<Slot>) -> Self {
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
}

/// The slot of an image that other texts than its own take part in: those that are named beside it.
///
/// The digest goes behind one of `ends`, the one first that decides most closely, or behind the image's own text; into a
/// value that `is_used_elsewhere` only where nothing else is left.
pub(super) fn put_together(image: &LocatedImage, ends: &[Ending], is_used_elsewhere: impl Fn(&str) -> bool) -> PinSlot {
    match image.reference().map(|reference| reference.digest()) {
        None => PinSlot::Text,
        Some(None) if ends.is_empty() => PinSlot::Text,
        Some(None) => {
            let (last, first): (Vec<_>, Vec<_>) = ends.iter().partition(|end| is_used_elsewhere(&end.name));
            let places =
                |ends: Vec<&'_ Ending>| ends.into_iter().map(|end| Slot::behind(&end.place)).collect::<Vec<_>>();
            let own = Slot::behind(&image.place);
            PinSlot::At(places(first).into_iter().chain([own]).chain(places(last)).collect())
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

/// Why a digest cannot be replaced that no single text holds.
pub(super) const IN_PARTS: &str = "its digest is put together from several texts: write it in one";

/// The variables (`$NAME`, `${NAME…}`) that a text uses for something else than images: on lines that do not speak of
/// one before.
pub(super) fn used_beside_images(text: &str) -> HashSet<&str> {
    let mut names = HashSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let image = line.as_bytes().windows(5).position(|word| word.eq_ignore_ascii_case(b"image"));
        let mut rest = line.get(..image.unwrap_or(line.len())).unwrap_or_default();
        while let Some((_, behind)) = rest.split_once('$') {
            if let Some(escaped) = behind.strip_prefix('$') {
                rest = escaped;
                continue;
            }
            let name = behind.strip_prefix('{').unwrap_or(behind);
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            names.extend(name.get(..end).filter(|name| !name.is_empty()));
            rest = behind;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_used_beside_images_or_not() {
        let text = "image: ${A}:$B\nx: $C-${D:-$E} $$F # $G\n# $H\nbaseImage: 'x:$I'\nlabels: [image=$J, '$']\n";
        let mut names: Vec<_> = used_beside_images(text).into_iter().collect();
        names.sort_unstable();
        assert_eq!(names, ["C", "D", "E", "G"]);
    }
}

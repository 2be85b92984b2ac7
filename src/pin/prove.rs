//! What came out otherwise than asked, and which writing is to blame for it.

use std::collections::{BTreeMap, BTreeSet};

use super::Wanted;
use super::plan::Writing;
use crate::gate::{Deployed, Whole};
use crate::manifest::LocatedImage;
use crate::reference::Reference;
use crate::source::Place;

/// Something that is not as it should be after the writing.
#[derive(Debug)]
pub(super) struct Difference {
    /// The image that came out otherwise; none where one is found that was not there.
    index: Option<usize>,
    /// The places that decide it.
    places: Vec<Place>,
    /// Lower case, no full stop.
    why: String,
}

const OTHERS: &str = "writing its digest would change another image";
const UNREAD: &str = "what deploys it reads no digest where one could be written";
const COUNT: &str = "writing its digest would change which images are found";

/// What tells an image from the others before and after: the scalar that decides it may be another one afterwards.
type Identity<'i> = (&'i str, &'i Whole, &'i str, &'i str, &'i str);

fn identity(deployed: &Deployed) -> Identity<'_> {
    let image = &deployed.image;
    let holder = image.field.rsplit_once('.').map_or("", |(holder, _)| holder);
    (&deployed.environment, &deployed.whole, image.kind, image.resource.as_deref().unwrap_or_default(), holder)
}

/// Compares every image with what it should be: the asked ones with their digest, the others as they were.
pub(super) fn differences(before: &[Deployed], wanted: &[Option<Wanted>], after: &[Deployed]) -> Vec<Difference> {
    let mut groups: BTreeMap<Identity<'_>, (Vec<usize>, Vec<&LocatedImage>)> = BTreeMap::new();
    for (index, deployed) in before.iter().enumerate() {
        groups.entry(identity(deployed)).or_default().0.push(index);
    }
    for deployed in after {
        groups.entry(identity(deployed)).or_default().1.push(&deployed.image);
    }
    let mut differences = Vec::new();
    for (old, new) in groups.into_values() {
        let image = |index: &usize| before.get(*index).map(|deployed| &deployed.image);
        if old.len() != new.len() {
            let gone = old.iter().map(|index| (Some(*index), image(index).map(places_of).unwrap_or_default()));
            let came = new.iter().map(|image| (None, places_of(image)));
            let differ = gone.chain(came).map(|(index, places)| Difference { index, places, why: COUNT.to_owned() });
            differences.extend(differ);
            continue;
        }
        for (index, new) in old.into_iter().zip(new) {
            let Some(old) = image(&index) else { continue };
            let wanted = wanted.get(index).and_then(Option::as_ref);
            let expected = match (wanted, old.reference()) {
                (Some(wanted), Some(reference)) => Some(moved(reference, wanted)),
                _ => old.effective().map(str::to_owned),
            };
            if expected.as_deref() != new.effective() || wanted.is_none() && old.status() != new.status() {
                let why = match new.effective() {
                    got if got == old.effective() => UNREAD.to_owned(),
                    Some(got) => format!("with its digest written it would be `{got}`"),
                    None => "with its digest written it could not be decided any more".to_owned(),
                };
                differences.push(Difference { index: Some(index), places: places_of(old), why });
            }
        }
    }
    differences
}

/// The reference with what is wanted in it.
pub(super) fn moved(reference: &Reference, wanted: &Wanted) -> String {
    let tag = wanted.tag.as_deref().or(reference.tag()).map(|tag| format!(":{tag}")).unwrap_or_default();
    format!("{}{tag}@{}", reference.name(), wanted.digest)
}

/// The places that take part in deciding an image.
fn places_of(image: &LocatedImage) -> Vec<Place> {
    let slots = image.slot.places().map(|slot| &slot.place);
    let related = image.related.iter().map(|related| &related.place);
    std::iter::once(&image.place).chain(slots).chain(related).cloned().collect()
}

fn touches(writing: &Writing, place: &Place) -> bool {
    writing.edits.iter().any(|edit| {
        let (a, b) = (edit.place.span, place.span);
        edit.place.source.path() == place.source.path() && a.start <= b.end && b.start <= a.end
    })
}

/// Whether both write the same text into the same place: then neither does anything that the other does not.
fn writes_the_same(a: &Writing, b: &Writing) -> bool {
    let key = |writing: &Writing| -> Vec<_> {
        writing.edits.iter().map(|it| (it.place.source.path().to_owned(), it.place.span, it.text.clone())).collect()
    };
    key(a) == key(b)
}

fn is_in_file(writing: &Writing, place: &Place) -> bool {
    writing.edits.iter().any(|edit| edit.place.source.path() == place.source.path())
}

/// The writings that a difference may come from: the closest that can be told.
fn suspects<'w>(difference: &Difference, writings: &'w [Writing]) -> Vec<&'w Writing> {
    let near = |is_near: fn(&Writing, &Place) -> bool| -> Vec<&'w Writing> {
        let own = |writing: &&Writing| Some(writing.index) == difference.index;
        let suspected = |writing: &&Writing| difference.places.iter().any(|place| is_near(writing, place));
        writings.iter().filter(|writing| own(writing) || suspected(writing)).collect()
    };
    let closest = near(touches);
    if !closest.is_empty() {
        return closest;
    }
    let same_file = near(is_in_file);
    if same_file.is_empty() { writings.iter().collect() } else { same_file }
}

/// The images that may have another place to try: index, and how many places were tried then.
pub(super) fn to_try_elsewhere(differences: &[Difference], writings: &[Writing]) -> BTreeMap<usize, usize> {
    let suspects = differences.iter().flat_map(|difference| suspects(difference, writings));
    suspects.filter(|writing| writing.has_more).map(|writing| (writing.index, writing.option + 1)).collect()
}

/// The images that get no digest, and why: whoever changes another image, else the one that came out otherwise.
pub(super) fn to_refuse(differences: &[Difference], writings: &[Writing]) -> BTreeMap<usize, String> {
    let asked: BTreeSet<usize> = writings.iter().map(|writing| writing.index).collect();
    let mut refused = BTreeMap::new();
    for difference in differences {
        let suspects = suspects(difference, writings);
        let own = writings.iter().find(|writing| Some(writing.index) == difference.index);
        let is_own = |writing: &&&Writing| own.is_some_and(|own| writes_the_same(own, writing));
        let others: Vec<_> = suspects.iter().filter(|writing| !is_own(writing)).collect();
        match difference.index.filter(|index| asked.contains(index)) {
            Some(index) if others.is_empty() => drop(refused.insert(index, difference.why.clone())),
            _ => {
                let why = if difference.why == COUNT { COUNT } else { OTHERS };
                for writing in others {
                    refused.entry(writing.index).or_insert_with(|| why.to_owned());
                }
            }
        }
    }
    refused
}

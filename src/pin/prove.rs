//! What came out otherwise than asked, and which writing is to blame for it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

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

const OTHERS: &str = "writing its digest would change another image: write each in a text of its own";
const UNREAD: &str =
    "what deploys it reads no digest where one could be written: write the whole image where it is used";
const COUNT: &str = "writing its digest would change which images are found";
const BROKEN: &str = "with its digest written what deploys it could not be read any more";

/// Whether what came out otherwise says nothing of which writing is to blame.
pub(super) fn spoils_all(why: &str) -> bool {
    [COUNT, BROKEN].contains(&why)
}

/// What deploys an image, before and after.
type Group<'i> = (&'i str, &'i Whole, &'i str, &'i str);

fn group(deployed: &Deployed) -> Group<'_> {
    let image = &deployed.image;
    (&deployed.environment, &deployed.whole, image.kind, image.resource.as_deref().unwrap_or_default())
}

/// What holds the scalar that decides an image: that may be another one of the same afterwards.
fn holder(image: &LocatedImage) -> &str {
    image.field.rsplit_once('.').map_or("", |(holder, _)| holder)
}

/// An image before, with what it should be.
struct Old<'i> {
    index: usize,
    deployed: &'i Deployed,
    expected: Option<String>,
    is_asked: bool,
}

/// Compares every image with what it should be: the asked ones with their digest, the others as they were.
pub(super) fn differences(before: &[Deployed], wanted: &[Option<Wanted>], after: &[Deployed]) -> Vec<Difference> {
    let mut groups: BTreeMap<Group<'_>, (Vec<Old<'_>>, Vec<&Deployed>)> = BTreeMap::new();
    for (index, (deployed, wanted)) in before.iter().zip(wanted).enumerate() {
        let image = &deployed.image;
        let expected = match (wanted, image.reference()) {
            (Some(wanted), Some(reference)) => Some(moved(reference, wanted)),
            _ => image.effective().map(str::to_owned),
        };
        let old = Old { index, deployed, expected, is_asked: wanted.is_some() };
        groups.entry(group(deployed)).or_default().0.push(old);
    }
    for deployed in after {
        groups.entry(group(deployed)).or_default().1.push(deployed);
    }
    let mut differences = Vec::new();
    for (old, new) in groups.into_values() {
        for (old, new) in pairs(old, new) {
            differences.extend(difference(old, new));
        }
    }
    differences
}

/// Each image before with the one it is afterwards: of the same holder, else what it should be, else the next one.
fn pairs<'i>(
    old: Vec<Old<'i>>,
    new: Vec<&'i Deployed>,
) -> impl Iterator<Item = (Option<Old<'i>>, Option<&'i Deployed>)> {
    let mut by_holder: HashMap<&str, VecDeque<&Deployed>> = HashMap::new();
    for deployed in new {
        by_holder.entry(holder(&deployed.image)).or_default().push_back(deployed);
    }
    let mut pairs = Vec::new();
    let mut alone = Vec::new();
    for old in old {
        match by_holder.get_mut(holder(&old.deployed.image)).and_then(VecDeque::pop_front) {
            Some(new) => pairs.push((Some(old), Some(new))),
            None => alone.push(old),
        }
    }
    let mut left: Vec<_> = by_holder.into_values().flatten().collect();
    left.sort_by_key(|it| (it.image.place.source.path(), it.image.place.span));
    let mut left = VecDeque::from(left);
    for old in alone {
        let as_expected =
            left.iter().position(|new| new.image.effective() == old.expected.as_deref()).unwrap_or_default();
        let new = left.remove(as_expected);
        pairs.push((Some(old), new));
    }
    pairs.into_iter().chain(left.into_iter().map(|new| (None, Some(new))))
}

fn difference(old: Option<Old<'_>>, new: Option<&Deployed>) -> Option<Difference> {
    let differs =
        |index, deployed: &Deployed, why: String| Some(Difference { index, places: places_of(&deployed.image), why });
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (Some(old), None) => return differs(Some(old.index), old.deployed, COUNT.to_owned()),
        (None, new) => return new.and_then(|new| differs(None, new, COUNT.to_owned())),
    };
    let (before, after) = (&old.deployed.image, &new.image);
    let is_expected =
        old.expected.as_deref() == after.effective() && (old.is_asked || before.status() == after.status());
    let why = match after.effective() {
        _ if is_expected && old.deployed.complete && !new.complete => BROKEN.to_owned(),
        _ if is_expected => return None,
        got if got == before.effective() => UNREAD.to_owned(),
        Some(got) => format!("with its digest written it would be `{got}`"),
        None => "with its digest written it could not be decided any more".to_owned(),
    };
    differs(Some(old.index), old.deployed, why)
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
                let why = if spoils_all(&difference.why) { &difference.why } else { OTHERS };
                for writing in others {
                    refused.entry(writing.index).or_insert_with(|| why.to_owned());
                }
            }
        }
    }
    refused
}

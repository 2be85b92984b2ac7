//! Where each digest is written: the places of every image, tried in their order, and what images compete for.

use std::collections::HashMap;

use super::{SameFile, Wanted};
use crate::edit::{self, Changed, Edit, Overlap};
use crate::gate::Deployed;
use crate::manifest::{LocatedImage, PinSlot, Slot};
use crate::reference::Reference;
use crate::source::{Place, Span, once};

/// What is to be written, and what cannot be.
#[derive(Debug, Default)]
pub struct Plan {
    pub changed: Vec<Changed>,
    /// Indexes of images that no digest can be written for, and why: lower case, no full stop.
    pub refused: Vec<(usize, String)>,
    /// What is written for each image.
    pub(super) writings: Vec<Writing>,
}

/// What is written for one image that is asked for.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) index: usize,
    /// The number of the place, and whether there is another one to try.
    pub(super) option: usize,
    pub(super) has_more: bool,
    pub(super) edits: Vec<Edit>,
}

const SHARED: &str = "it shares its place with an image of another digest: write each image in a text of its own";

/// Finds the place for each digest. `wanted` stands beside `images`; an image that wants none keeps others from writing
/// into a place that it shares with them.
#[must_use]
pub fn plan(images: &[Deployed], wanted: &[Option<Wanted>], same: &SameFile<'_>) -> Plan {
    plan_from(images, wanted, &HashMap::new(), same)
}

/// The same, without the first places of some images: `tried` of each index.
pub(super) fn plan_from(
    images: &[Deployed],
    wanted: &[Option<Wanted>],
    tried: &HashMap<usize, usize>,
    same: &SameFile<'_>,
) -> Plan {
    let mut refused = Vec::new();
    let mut candidates: Vec<Candidate> = Vec::new();
    for (index, (deployed, wanted)) in images.iter().zip(wanted).enumerate() {
        let at = tried.get(&index).copied().unwrap_or_default();
        match options_of(&deployed.image, wanted.as_ref(), same) {
            Ok(options) => candidates.push(Candidate { index, options, asked: wanted.is_some(), at }),
            Err(why) if wanted.is_some() => refused.push((index, why)),
            Err(_) => {}
        }
    }
    loop {
        let contested = contested(&candidates);
        if !contested.is_empty() {
            advance(&mut candidates, &contested, &mut refused, SHARED);
            continue;
        }
        let edits: Vec<_> = candidates.iter().filter(|it| it.asked).flat_map(Candidate::edits).cloned().collect();
        match edit::apply(&edits) {
            Ok(changed) => return Plan { changed, refused, writings: writings(candidates) },
            Err(overlap) => {
                let why = overlap.to_string();
                let meeting = positions(&candidates, |it| it.asked && it.edits().iter().any(|it| meets(it, &overlap)));
                if meeting.is_empty() {
                    refused.extend(candidates.iter().filter(|it| it.asked).map(|it| (it.index, why.clone())));
                    return Plan { refused, ..Plan::default() };
                }
                advance(&mut candidates, &meeting, &mut refused, &why);
            }
        }
    }
}

fn writings(candidates: Vec<Candidate>) -> Vec<Writing> {
    let writing = |candidate: Candidate| {
        let Candidate { index, mut options, at, .. } = candidate;
        let has_more = at + 1 < options.len();
        (at < options.len()).then(|| Writing { index, option: at, has_more, edits: options.swap_remove(at) })
    };
    candidates.into_iter().filter(|it| it.asked).filter_map(writing).collect()
}

/// The places at which an image may get its digest, the best one first.
struct Candidate {
    index: usize,
    /// What is written for each. Of an image that must not change: only the places, to keep others away.
    options: Vec<Vec<Edit>>,
    asked: bool,
    at: usize,
}

impl Candidate {
    fn edits(&self) -> &[Edit] {
        self.options.get(self.at).map_or(&[], Vec::as_slice)
    }
}

/// What two images compete for.
fn key(edit: &Edit) -> (&str, Span) {
    (edit.place.source.path(), edit.place.span)
}

fn meets(edit: &Edit, overlap: &Overlap) -> bool {
    let span = edit.place.span;
    edit.place.source.path() == overlap.path && span.start <= overlap.offset && overlap.offset <= span.end
}

fn positions(candidates: &[Candidate], is_one: impl Fn(&Candidate) -> bool) -> Vec<usize> {
    candidates.iter().enumerate().filter(|(_, candidate)| is_one(candidate)).map(|(at, _)| at).collect()
}

/// Lets the candidates at some positions try their next place.
fn advance(candidates: &mut [Candidate], positions: &[usize], refused: &mut Vec<(usize, String)>, why: &str) {
    for &at in positions {
        let Some(candidate) = candidates.get_mut(at) else { continue };
        candidate.at += 1;
        if candidate.asked && candidate.edits().is_empty() {
            refused.push((candidate.index, why.to_owned()));
        }
    }
}

/// The positions of those that would write different texts into the same place.
fn contested(candidates: &[Candidate]) -> Vec<usize> {
    let mut texts: HashMap<_, (&str, bool, bool)> = HashMap::new();
    for candidate in candidates {
        for edit in candidate.edits() {
            let (text, asked, contested) = texts.entry(key(edit)).or_insert((&edit.text, candidate.asked, false));
            *contested |= *text != edit.text || *asked != candidate.asked;
        }
    }
    let is_contested = |edit: &Edit| texts.get(&key(edit)).is_some_and(|(.., contested)| *contested);
    positions(candidates, |candidate| candidate.edits().iter().any(is_contested))
}

/// What is written at each place of an image. One that must not change gets places, too: those of its own digest, or
/// of one that it does not have.
fn options_of(image: &LocatedImage, wanted: Option<&Wanted>, same: &SameFile<'_>) -> Result<Vec<Vec<Edit>>, String> {
    let mut options = match (&image.slot, wanted) {
        (PinSlot::None(why), _) => return Err(why.clone()),
        (PinSlot::Text, None) => return Ok(Vec::new()),
        (PinSlot::At(slots), None) => {
            slots.iter().map(|slot| vec![Edit { place: slot.place.clone(), text: String::new() }]).collect()
        }
        (PinSlot::Text, Some(wanted)) => vec![vec![in_text(image, wanted)?]],
        (PinSlot::At(slots), Some(wanted)) => at_slots(image, slots, wanted)?,
    };
    for edit in options.iter_mut().flatten() {
        edit.place.source = same(&edit.place.source);
    }
    Ok(options)
}

/// The image's own text is the whole reference: its digest is replaced, or one is written behind it.
fn in_text(image: &LocatedImage, wanted: &Wanted) -> Result<Edit, String> {
    let raw = image.place.text();
    let start = image.place.span.range().start;
    let at = |range: std::ops::Range<usize>, text: String| Edit {
        place: Place::new(&image.place.source, Span::new(start + range.start, start + range.end)),
        text,
    };
    let Some(reference) = image.reference() else { return Err("it is no reference".to_owned()) };
    if let Some(tag) = &wanted.tag {
        let old = tail(reference);
        let range = once(raw, &old).ok_or("its tag and digest are not written as one text")?;
        return Ok(at(range, format!(":{tag}@{}", wanted.digest)));
    }
    if let Some(digest) = reference.digest() {
        let range = once(raw, digest).ok_or("its digest is not written as plain text")?;
        return Ok(at(range, wanted.digest.clone()));
    }
    let end = raw.trim_end().len();
    Ok(at(end..end, format!("@{}", wanted.digest)))
}

fn at_slots(image: &LocatedImage, slots: &[Slot], wanted: &Wanted) -> Result<Vec<Vec<Edit>>, String> {
    let new_tag = wanted.tag.as_deref().filter(|tag| image.reference().and_then(Reference::tag) != Some(tag));
    let Some(tag) = new_tag else {
        return Ok(slots.iter().map(|slot| vec![write(slot, &wanted.digest)]).collect());
    };
    let old = image.reference().map(tail).unwrap_or_default();
    let with_tag = |slot: &Slot| {
        if let Some(place) = &slot.tag {
            return Some(vec![Edit { place: place.clone(), text: tag.to_owned() }, write(slot, &wanted.digest)]);
        }
        // Tag and digest change together where they stand together.
        let text = slot.place.source.text();
        let end = slot.place.span.range().end;
        let start = end.checked_sub(old.len().checked_sub(1)?)?;
        (text.get(start..end)? == old.get(1..)?).then(|| {
            let place = Place::new(&slot.place.source, Span::new(start, end));
            vec![Edit { place, text: format!("{tag}@{}", wanted.digest) }]
        })
    };
    let options: Vec<_> = slots.iter().filter_map(with_tag).collect();
    if options.is_empty() {
        Err("its tag and its digest do not stand beside each other".to_owned())
    } else {
        Ok(options)
    }
}

fn write(slot: &Slot, digest: &str) -> Edit {
    let digest = if slot.is_bare { digest.rsplit(':').next().unwrap_or(digest) } else { digest };
    Edit { place: slot.place.clone(), text: format!("{}{digest}{}", slot.before, slot.after) }
}

/// `:tag@digest` of a reference, as far as it has them.
fn tail(reference: &Reference) -> String {
    reference.as_str().get(reference.name().len()..).unwrap_or_default().to_owned()
}

//! Writing digests: from images and the digests they shall carry to edits, and the proof that they do just that.
//!
//! [`plan`] finds a place for every digest, [`settle`] reads everything again as it would be afterwards and keeps only
//! what was proven: each asked image is deployed with its digest, and no other image has changed.

mod choose;

use std::collections::HashMap;
use std::sync::Arc;

use crate::edit::{self, Changed, Edit, Overlap};
use crate::gate::Deployed;
use crate::manifest::{LocatedImage, PinSlot, Slot};
use crate::reference::Reference;
use crate::source::{Place, Source, Span};

pub use choose::{Ages, Choice, Chosen, Dates, Missed, Selection, pin, refresh};
pub(crate) use choose::{Table, by_digest, by_tag};

/// The digest an image shall carry from now on; none where it must stay as it is.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub digest: String,
    /// In place of its tag; none where the tag stays.
    pub tag: Option<String>,
}

/// What is to be written, and what cannot be.
#[derive(Debug, Default)]
pub struct Plan {
    pub changed: Vec<Changed>,
    /// Indexes of images that no digest can be written for, and why: lower case, no full stop.
    pub refused: Vec<(usize, String)>,
}

/// Several sources of one file on disk are one: `same` gives the first of them.
pub type SameFile<'a> = dyn Fn(&Arc<Source>) -> Arc<Source> + 'a;

/// Finds the place for each digest. `wanted` stands beside `images`; an image that wants none keeps others from writing
/// into a place that it shares with them.
#[must_use]
pub fn plan(images: &[Deployed], wanted: &[Option<Wanted>], same: &SameFile<'_>) -> Plan {
    let mut refused = Vec::new();
    let mut candidates: Vec<Candidates> = Vec::new();
    for (index, (deployed, wanted)) in images.iter().zip(wanted).enumerate() {
        match candidates_of(&deployed.image, wanted.as_ref(), same) {
            Ok(edits) => candidates.push(Candidates { index, edits, asked: wanted.is_some(), at: 0 }),
            Err(why) if wanted.is_some() => refused.push((index, why)),
            Err(_) => {}
        }
    }
    while let Some(contested) = contested(&candidates) {
        for candidate in candidates.iter_mut().filter(|candidate| contested.contains(&candidate.key())) {
            candidate.at += 1;
            if candidate.asked && candidate.edits.get(candidate.at).is_none() {
                refused.push((candidate.index, "it shares its place with an image of another digest".to_owned()));
            }
        }
    }
    let edits: Vec<_> =
        candidates.iter().filter(|it| it.asked).filter_map(|it| it.edits.get(it.at).cloned().flatten()).collect();
    match edit::apply(&edits) {
        Ok(changed) => Plan { changed, refused },
        Err(overlap) => {
            let of_file = |index: &usize| images.get(*index).is_some_and(|it| is_in(&it.image, &overlap));
            let asked = candidates.iter().filter(|it| it.asked).map(|it| it.index);
            refused.extend(asked.filter(of_file).map(|index| (index, overlap.to_string())));
            Plan { changed: Vec::new(), refused }
        }
    }
}

fn is_in(image: &LocatedImage, overlap: &Overlap) -> bool {
    image.place.source.path() == overlap.path
}

/// The places at which an image may get its digest, the best one first.
struct Candidates {
    index: usize,
    /// Of an image that must not change: only the places, to keep others away.
    edits: Vec<Option<Edit>>,
    asked: bool,
    at: usize,
}

/// What two images compete for.
type Key = Option<(String, Span)>;

impl Candidates {
    fn key(&self) -> Key {
        let edit = self.edits.get(self.at)?.as_ref()?;
        Some((edit.place.source.path().to_owned(), edit.place.span))
    }
}

/// The places into which different texts would be written.
fn contested(candidates: &[Candidates]) -> Option<Vec<Key>> {
    let mut texts: HashMap<Key, (&str, bool)> = HashMap::new();
    let mut contested = Vec::new();
    for candidate in candidates {
        let key = candidate.key();
        let Some(Some(edit)) = candidate.edits.get(candidate.at) else { continue };
        let (text, asked) = texts.entry(key.clone()).or_insert((&edit.text, candidate.asked));
        if *text != edit.text || *asked != candidate.asked {
            contested.push(key);
        }
    }
    let someone_moves = |key: &Key| candidates.iter().any(|it| it.asked && it.key() == *key);
    contested.retain(someone_moves);
    (!contested.is_empty()).then_some(contested)
}

/// The edits that give an image its digest. One that must not change gets edits, too: of its own digest, or of none.
fn candidates_of(
    image: &LocatedImage,
    wanted: Option<&Wanted>,
    same: &SameFile<'_>,
) -> Result<Vec<Option<Edit>>, String> {
    let edits = match (&image.slot, wanted) {
        (PinSlot::None(why), _) => return Err(why.clone()),
        (PinSlot::Text, None) => return Ok(Vec::new()),
        (PinSlot::At(slots), None) => {
            slots.iter().map(|slot| Edit { place: slot.place.clone(), text: String::new() }).collect()
        }
        (PinSlot::Text, Some(wanted)) => vec![in_text(image, wanted)?],
        (PinSlot::At(slots), Some(wanted)) => at_slots(image, slots, wanted)?,
    };
    let on_one_source = |edit: Edit| {
        let place = Place::new(&same(&edit.place.source), edit.place.span);
        Some(Edit { place, ..edit })
    };
    Ok(edits.into_iter().map(on_one_source).collect())
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

fn at_slots(image: &LocatedImage, slots: &[Slot], wanted: &Wanted) -> Result<Vec<Edit>, String> {
    let new_tag = wanted.tag.as_deref().filter(|tag| image.reference().and_then(Reference::tag) != Some(tag));
    let Some(tag) = new_tag else {
        return Ok(slots.iter().map(|slot| write(slot, &wanted.digest)).collect());
    };
    // Tag and digest change together where they stand together.
    let old = image.reference().map(tail).unwrap_or_default();
    let around = slots.iter().filter_map(|slot| {
        let text = slot.place.source.text();
        let end = slot.place.span.range().end;
        let start = end.checked_sub(old.len() - 1)?;
        (text.get(start..end)? == old.get(1..)?).then(|| Edit {
            place: Place::new(&slot.place.source, Span::new(start, end)),
            text: format!("{tag}@{}", wanted.digest),
        })
    });
    let edits: Vec<_> = around.collect();
    if edits.is_empty() { Err("its tag and its digest do not stand beside each other".to_owned()) } else { Ok(edits) }
}

fn write(slot: &Slot, digest: &str) -> Edit {
    Edit { place: slot.place.clone(), text: format!("{}{digest}{}", slot.before, slot.after) }
}

/// `:tag@digest` of a reference, as far as it has them.
fn tail(reference: &Reference) -> String {
    reference.as_str().get(reference.name().len()..).unwrap_or_default().to_owned()
}

/// Where `part` stands in `text`, if it does so exactly once.
fn once(text: &str, part: &str) -> Option<std::ops::Range<usize>> {
    let start = text.find(part).filter(|_| !part.is_empty())?;
    (text.rfind(part) == Some(start)).then(|| start..start + part.len())
}

/// Reads everything again as it would be with the changes.
pub type ReadAgain<'a, E> = dyn Fn(&[Changed]) -> Result<Vec<Deployed>, E> + 'a;

/// What becomes of every image, and of the files.
#[derive(Debug, Default)]
pub struct Moves {
    pub images: Vec<Deployed>,
    /// Beside `images`.
    pub choices: Vec<Choice>,
    pub changed: Vec<Changed>,
}

impl Moves {
    /// The images with what becomes of them.
    pub fn each(&self) -> impl Iterator<Item = (&Deployed, &Choice)> {
        self.images.iter().zip(&self.choices)
    }

    /// Settles what was chosen; what cannot be written is among what was missed.
    ///
    /// # Errors
    /// What `read_again` fails with.
    pub fn settle<E>(
        images: Vec<Deployed>,
        mut choices: Vec<Choice>,
        same: &SameFile<'_>,
        read_again: &ReadAgain<'_, E>,
    ) -> Result<Self, E> {
        let wanted = choices.iter().map(|choice| match choice {
            Choice::Move(chosen) => Some(chosen.wanted()),
            _ => None,
        });
        let settled = settle(&images, wanted.collect(), same, read_again)?;
        for (index, why) in settled.refused {
            if let Some(choice) = choices.get_mut(index) {
                *choice = Choice::Missed(Missed::NoPlace(why));
            }
        }
        Ok(Self { images, choices, changed: settled.changed })
    }
}

/// How often a plan is made again without the images that it failed for.
const ROUNDS: usize = 8;

/// What can be written and was proven.
#[derive(Debug, Default)]
pub struct Settled {
    pub changed: Vec<Changed>,
    /// Indexes of images that get no digest, and why: lower case, no full stop. Sorted.
    pub refused: Vec<(usize, String)>,
}

/// Plans, reads everything again as it would be with the plan carried out, and leaves out what does not come out as it
/// should.
///
/// # Errors
/// What `read_again` fails with.
pub fn settle<E>(
    images: &[Deployed],
    mut wanted: Vec<Option<Wanted>>,
    same: &SameFile<'_>,
    read_again: &ReadAgain<'_, E>,
) -> Result<Settled, E> {
    let mut refused: Vec<(usize, String)> = Vec::new();
    for _ in 0..ROUNDS {
        let plan = plan(images, &wanted, same);
        let mut failed = plan.refused;
        if failed.is_empty() {
            if plan.changed.is_empty() {
                refused.sort();
                return Ok(Settled { changed: Vec::new(), refused });
            }
            failed = differences(images, &wanted, &read_again(&plan.changed)?);
            if failed.is_empty() {
                refused.sort();
                return Ok(Settled { changed: plan.changed, refused });
            }
        }
        for (index, why) in failed {
            if let Some(wanted) = wanted.get_mut(index).and_then(Option::take) {
                drop(wanted);
                refused.push((index, why));
            }
        }
    }
    let left = wanted.iter().enumerate().filter(|(_, wanted)| wanted.is_some());
    refused.extend(left.map(|(index, _)| (index, "what it would change beside itself could not be told".to_owned())));
    refused.sort();
    Ok(Settled { changed: Vec::new(), refused })
}

/// The asked images that are to blame for what did not come out as it should.
fn differences(before: &[Deployed], wanted: &[Option<Wanted>], after: &[Deployed]) -> Vec<(usize, String)> {
    let asked = || wanted.iter().enumerate().filter(|(_, wanted)| wanted.is_some()).map(|(index, _)| index);
    if before.len() != after.len() {
        let why = "writing its digest would change which images are found";
        return asked().map(|index| (index, why.to_owned())).collect();
    }
    let mut failed = Vec::new();
    let mut others = Vec::new();
    for (index, ((old, new), wanted)) in before.iter().zip(after).zip(wanted).enumerate() {
        let (old, new) = (&old.image, &new.image);
        let expected = match (wanted, old.reference()) {
            (Some(wanted), Some(reference)) => Some(moved(reference, wanted)),
            _ => old.effective().map(str::to_owned),
        };
        if expected.as_deref() == new.effective() && (wanted.is_some() || old.status() == new.status()) {
            continue;
        }
        if wanted.is_some() {
            let got = new.effective().unwrap_or("nothing that can be decided");
            failed.push((index, format!("with its digest written it would be `{got}`")));
        } else {
            others.push(old.place.source.path());
        }
    }
    if failed.is_empty() && !others.is_empty() {
        // Of those that share a file with what must not change, none can be trusted; else none at all.
        let shares =
            |index: &usize| before.get(*index).is_some_and(|it| others.contains(&it.image.place.source.path()));
        let mut blamed: Vec<_> = asked().filter(shares).collect();
        if blamed.is_empty() {
            blamed = asked().collect();
        }
        failed.extend(
            blamed.into_iter().map(|index| (index, "writing its digest would change another image".to_owned())),
        );
    }
    failed
}

/// The reference with what is wanted in it.
fn moved(reference: &Reference, wanted: &Wanted) -> String {
    let tag = wanted.tag.as_deref().or(reference.tag()).map(|tag| format!(":{tag}")).unwrap_or_default();
    format!("{}{tag}@{}", reference.name(), wanted.digest)
}

#[cfg(test)]
mod tests;

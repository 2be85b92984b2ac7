//! Writing digests: from images and the digests they shall carry to edits, and the proof that they do just that.
//!
//! [`plan`] finds a place for every digest, [`settle`] reads everything again as it would be afterwards and keeps only
//! what was proven: each asked image is deployed with its digest, and no other image has changed.

mod choose;
mod plan;
mod prove;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::edit::Changed;
use crate::gate::Deployed;
use crate::manifest::State;
use crate::source::Source;

pub use choose::{Ages, Choice, Chosen, Dates, Missed, Selection, pin, refresh};
pub(crate) use choose::{Table, by_digest, by_tag};
pub use plan::{Plan, plan};

/// The digest an image shall carry from now on; none where it must stay as it is.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub digest: String,
    /// In place of its tag; none where the tag stays.
    pub tag: Option<String>,
}

/// Several sources of one file on disk are one: `same` gives the first of them.
pub type SameFile<'a> = dyn Fn(&Arc<Source>) -> Arc<Source> + 'a;

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

    /// The distinct images that are deployed once this is carried out, sorted; those alone that can be decided.
    #[must_use]
    pub fn deployed_after(&self) -> Vec<String> {
        let after = |(deployed, choice): (&Deployed, &Choice)| match (choice, deployed.image.reference()) {
            _ if deployed.image.state == State::Local => None,
            (Choice::Move(chosen), Some(reference)) => Some(prove::moved(reference, &chosen.wanted())),
            _ => deployed.image.effective().map(str::to_owned),
        };
        let after: BTreeSet<_> = self.each().filter_map(after).collect();
        after.into_iter().collect()
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

/// How often a plan is made again: with other places, then without the images that it failed for.
const ROUNDS: usize = 64;

/// What can be written and was proven.
#[derive(Debug, Default)]
pub struct Settled {
    pub changed: Vec<Changed>,
    /// Indexes of images that get no digest, and why: lower case, no full stop. Sorted.
    pub refused: Vec<(usize, String)>,
}

/// Plans, reads everything again as it would be with the plan carried out, tries the next place of what does not come
/// out as it should, and leaves out what has none.
///
/// # Errors
/// What `read_again` fails with.
pub fn settle<E>(
    images: &[Deployed],
    wanted: Vec<Option<Wanted>>,
    same: &SameFile<'_>,
    read_again: &ReadAgain<'_, E>,
) -> Result<Settled, E> {
    let mut settled = Settled::default();
    let mut tried = HashMap::new();
    let mut search = Search::new(wanted);
    for _ in 0..ROUNDS {
        let plan = plan::plan_from(images, &search.wanted, &tried, same);
        let mut failed: BTreeMap<usize, String> = plan.refused.into_iter().collect();
        if failed.is_empty() {
            let differences = match plan.changed.as_slice() {
                [] => Vec::new(),
                changed => prove::differences(images, &search.wanted, &read_again(changed)?),
            };
            if differences.is_empty() {
                if search.go_on() {
                    continue;
                }
                settled.changed = plan.changed;
                settled.refused.sort();
                return Ok(settled);
            }
            let elsewhere = prove::to_try_elsewhere(&differences, &plan.writings);
            if elsewhere.is_empty() {
                failed = search.narrow(prove::to_refuse(&differences, &plan.writings));
            }
            tried.extend(elsewhere);
        }
        for (index, why) in failed {
            if search.take(index).is_some() {
                settled.refused.push((index, why));
            }
        }
    }
    let why = "what it would change beside itself could not be told";
    settled.refused.extend(search.left().map(|index| (index, why.to_owned())));
    settled.refused.sort();
    Ok(settled)
}

/// The images that are asked for, and the search for the few that spoil the rest.
struct Search {
    wanted: Vec<Option<Wanted>>,
    /// Those that were asked for last: what was asked for before came out well.
    fresh: Vec<usize>,
    /// Those that wait until others are proven.
    waiting: Vec<Vec<(usize, Wanted)>>,
}

impl Search {
    fn new(wanted: Vec<Option<Wanted>>) -> Self {
        let fresh = wanted.iter().enumerate().filter(|(_, wanted)| wanted.is_some()).map(|(index, _)| index).collect();
        Self { wanted, fresh, waiting: Vec::new() }
    }

    fn take(&mut self, index: usize) -> Option<Wanted> {
        self.wanted.get_mut(index).and_then(Option::take)
    }

    /// Asks for some of those that wait, if any do.
    fn go_on(&mut self) -> bool {
        let Some(group) = self.waiting.pop() else { return false };
        self.fresh.clear();
        for (index, wanted) in group {
            self.fresh.push(index);
            if let Some(slot) = self.wanted.get_mut(index) {
                *slot = Some(wanted);
            }
        }
        true
    }

    /// Those to refuse: where one of several spoils everything, half of them wait.
    fn narrow(&mut self, failed: BTreeMap<usize, String>) -> BTreeMap<usize, String> {
        if failed.len() < 2 || !failed.values().all(|why| prove::spoils_all(why)) {
            return failed;
        }
        let mut suspects: Vec<usize> = self.fresh.iter().copied().filter(|index| failed.contains_key(index)).collect();
        if suspects.len() < 2 {
            return failed.into_iter().filter(|(index, _)| suspects.is_empty() || suspects.contains(index)).collect();
        }
        let later = suspects.split_off(suspects.len() / 2);
        self.fresh = suspects;
        let waiting = later.into_iter().filter_map(|index| Some((index, self.take(index)?))).collect();
        self.waiting.push(waiting);
        BTreeMap::new()
    }

    /// Those that are still asked for.
    fn left(&self) -> impl Iterator<Item = usize> {
        let asked = self.wanted.iter().enumerate().filter(|(_, wanted)| wanted.is_some()).map(|(index, _)| index);
        asked.chain(self.waiting.iter().flatten().map(|(index, _)| *index))
    }
}

#[cfg(test)]
mod tests;

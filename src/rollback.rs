//! Returning to earlier digests: which digest each image goes back to, and whether it is still there.
//!
//! Without a target the images go back together, to the newest state of the branch in which one of them had another
//! digest: what was deployed together before is deployed together again, and a refresh is undone by one rollback.

mod target;

use crate::gate::Deployed;
use crate::history::{Entry, Histories, ImageHistory, Value, short};
use crate::manifest::State;
use crate::pin::{Choice, Chosen, Missed, Selection, Table, by_digest};
use crate::policy::Hold;
use crate::reference::Reference;
use crate::resolution::{Answer, Answers};

pub use target::{Target, TargetError};

/// Chooses for each image the digest it goes back to. `holds` are those that count: without a target no image goes to a
/// digest from which it was returned.
#[must_use]
pub fn choose(
    images: &[Deployed],
    histories: &Histories,
    selection: &Selection,
    target: &Target,
    holds: &[Hold],
) -> Vec<Choice> {
    let back = Back { histories, selection, target, holds };
    let state = match target {
        Target::LastKnown => back.last_known(images),
        Target::State(state) => Some(*state),
        Target::Digest(_) => None,
    };
    let each = images.iter().zip(&histories.images);
    each.map(|(deployed, history)| back.choose(deployed, history.as_ref(), state)).collect()
}

/// What is asked for.
struct Back<'a> {
    histories: &'a Histories,
    selection: &'a Selection,
    target: &'a Target,
    holds: &'a [Hold],
}

impl Back<'_> {
    /// The newest state in which an image that is asked for had another digest.
    fn last_known(&self, images: &[Deployed]) -> Option<usize> {
        let each = images.iter().zip(&self.histories.images);
        let asked = each.filter(|(deployed, _)| self.selection.takes(deployed));
        let states = asked.filter_map(|(deployed, history)| {
            let history = history.as_ref()?;
            let now = history.entries.first()?.value.digest();
            let is_another = |(_, value): &(usize, &Value)| {
                value
                    .digest()
                    .is_some_and(|digest| Some(digest) != now && self.returned_from(deployed, digest).is_none())
            };
            history.earlier().find(is_another).map(|(state, _)| state)
        });
        states.min()
    }

    /// The hold of an image that was returned from a digest.
    fn returned_from(&self, deployed: &Deployed, digest: &str) -> Option<&Hold> {
        let from = |hold: &&Hold| hold.from.as_deref() == Some(digest) && hold.is_about(&deployed.image);
        self.holds.iter().find(from)
    }

    fn choose(&self, deployed: &Deployed, history: Option<&ImageHistory>, state: Option<usize>) -> Choice {
        let image = &deployed.image;
        let everything = self.selection.is_everything();
        let reference = match &image.state {
            State::Reference(reference) if !image.partial && self.selection.takes(deployed) => reference,
            State::Unresolved { why } if everything => return Choice::Left(why.clone()),
            State::Malformed { error, .. } if everything => return Choice::Left(error.to_string()),
            _ => return Choice::Passed,
        };
        let Some(history) = history else {
            return Choice::Missed(Missed::Undecided("no file of the repository decides it".to_owned()));
        };
        let entry = match (self.target, state) {
            (Target::Digest(digest), _) => history.entries.iter().find(|entry| entry.value.digest() == Some(digest)),
            (_, Some(state)) => history.entry_at(state),
            (_, None) => return self.never_another(),
        };
        let Some(entry) = entry else { return self.not_there() };
        match (back_to(reference, entry, *self.target == Target::LastKnown), self.target) {
            (Choice::Move(chosen), Target::LastKnown) => match self.returned_from(deployed, &chosen.digest) {
                Some(hold) => {
                    Choice::Left(format!("the digest it had then is one it was returned from, until {}", hold.until))
                }
                None => Choice::Move(chosen),
            },
            (choice, _) => choice,
        }
    }

    /// Nothing that is asked for ever had another digest.
    fn never_another(&self) -> Choice {
        Choice::Missed(match self.histories.unanswered() {
            Some(open) => Missed::Unchecked(open),
            None => Missed::Undecided("git knows no other digest to return to".to_owned()),
        })
    }

    /// An image has no entry for the target.
    fn not_there(&self) -> Choice {
        match (self.target, self.histories.unanswered()) {
            (Target::Digest(_), _) => Choice::Passed,
            (_, Some(open)) => Choice::Missed(Missed::Unchecked(open)),
            (_, None) => Choice::Left("it was not there then".to_owned()),
        }
    }
}

/// What becomes of an image that goes back to an entry of its history; `gently` leaves it where it had no digest.
fn back_to(reference: &Reference, entry: &Entry, gently: bool) -> Choice {
    let (digest, then) = match &entry.value {
        Value::Nothing => return Choice::Left("it was not deployed then".to_owned()),
        Value::Image { digest: None, .. } if gently => return Choice::Left("it had no digest then".to_owned()),
        Value::Image { digest: None, .. } => {
            return Choice::Missed(Missed::Undecided("it had no digest then".to_owned()));
        }
        Value::Image { digest: Some(digest), tag } => (digest, tag.as_deref()),
    };
    if reference.digest() == Some(digest) {
        return Choice::Current;
    }
    if let (None, Some(tag)) = (then, reference.tag()) {
        return Choice::Missed(Missed::NoPlace(format!(
            "its earlier digest {digest} stood without a tag, and would now stand behind `{tag}`, which never named it: \
             write it by hand"
        )));
    }
    let commit = entry.commit.as_ref();
    Choice::Move(Chosen {
        from: reference.digest().map(str::to_owned),
        digest: digest.clone(),
        tag: then.filter(|tag| reference.tag() != Some(tag)).map(str::to_owned),
        platforms: Vec::new(),
        created_before: None,
        created: None,
        note: commit.map(|it| format!("as committed {} in {}", it.date.strftime("%Y-%m-%d"), short(&it.id))),
    })
}

/// Asks the registries whether they still have the digests; without them it is noted that nobody was asked.
pub fn confirm(images: &[Deployed], choices: &mut [Choice], registries: Option<&dyn Answers>) {
    let asked = |deployed: &Deployed, chosen: &Chosen| Some(by_digest(deployed.image.reference()?, &chosen.digest));
    let questions: Vec<_> = images
        .iter()
        .zip(&*choices)
        .filter_map(|(deployed, choice)| match choice {
            Choice::Move(chosen) => asked(deployed, chosen),
            _ => None,
        })
        .collect();
    let Some(registries) = registries else {
        for choice in choices {
            let Choice::Move(chosen) = choice else { continue };
            let before = chosen.note.take().map(|note| format!("{note}; ")).unwrap_or_default();
            chosen.note = Some(format!("{before}whether the registry still has it was not asked (`--offline`)"));
        }
        return;
    };
    let table = Table::of(questions.iter(), |asked| registries.served(asked));
    for (deployed, choice) in images.iter().zip(choices) {
        let Choice::Move(chosen) = &choice else { continue };
        let Some(asked) = asked(deployed, chosen) else { continue };
        match table.get(&asked) {
            Answer::Found(_) => {}
            Answer::Missing => {
                *choice = Choice::Missed(Missed::NotThere(format!("the registry no longer has `{asked}`")));
            }
            Answer::Unanswered(why) => *choice = Choice::Missed(Missed::Unchecked(why.clone())),
        }
    }
}

#[cfg(test)]
mod tests;

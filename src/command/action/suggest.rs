//! The digests that images lack, as suggestions for the lines of a pull request.

use crate::command::setup::{Asked, Setup};
use crate::command::{moves, pull_request, registries};
use crate::edit::{Changed, lines};
use crate::gate::Judged;
use crate::github::Suggestion;
use crate::pin::{self, Choice, Missed, Moves, Selection};
use crate::policy;
use crate::runner::Runner;

/// What can be suggested.
#[derive(Default)]
pub(super) struct Suggestions {
    pub(super) all: Vec<Suggestion>,
    /// Images of which no registry answered.
    pub(super) unanswered: usize,
}

/// Asks the registries for the digests that are missing. Nothing is written.
pub(super) fn suggestions(
    runner: &Runner,
    setup: &Setup,
    asked: &Asked<'_>,
    judged: &Judged,
) -> anyhow::Result<Suggestions> {
    let lacks = |deployed: &crate::gate::Deployed| deployed.image.reference().is_some_and(|it| it.digest().is_none());
    if !judged.images.iter().any(lacks) {
        return Ok(Suggestions::default());
    }
    let registries = registries::dial(&setup.policy, runner.variables(), runner.input("registry-auth"))?;
    let selection = Selection { ignored: setup.policy.refresh.ignored.clone(), ..Selection::default() };
    let choices = pin::pin(&judged.images, &selection, &registries);
    let moves = moves::settle(setup, asked, judged.images.clone(), choices)?;
    let root = policy::find::top_of(setup.workspace.root());
    let mut all = Vec::new();
    for changed in &moves.changed {
        let path = pull_request::file(setup, &root, changed)?.path;
        for line in lines::of(changed) {
            let message = message(&moves, changed, line.number);
            let (before, after) = (line.before, line.after);
            all.push(Suggestion { path: path.clone(), line: line.number, before, after, message });
        }
    }
    let unanswered = moves.choices.iter().filter(|it| matches!(it, Choice::Missed(Missed::Unchecked(_)))).count();
    Ok(Suggestions { all, unanswered })
}

/// Which images of a line get a digest.
fn message(moves: &Moves, changed: &Changed, line: u32) -> String {
    let here = moves.each().filter(|(deployed, choice)| {
        let place = &deployed.image.place;
        let is_here = place.source.path() == changed.source.path() && place.start().line == line;
        is_here && matches!(choice, Choice::Move(_))
    });
    let mut images: Vec<_> = here.map(|(deployed, _)| format!("`{}`", deployed.image.written)).collect();
    images.sort();
    images.dedup();
    match images.as_slice() {
        [] => "an image that this line decides has no digest: this is what its tag serves now".to_owned(),
        [image] => format!("{image} has no digest: this is what its tag serves now"),
        images => format!("{} have no digest: this is what their tags serve now", images.join(", ")),
    }
}

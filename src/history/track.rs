//! One image through time: known again from state to state, with a new entry wherever its tag or digest differs.

use std::collections::{HashMap, VecDeque};

use crate::manifest::{LocatedImage, State};
use crate::reference::Reference;

/// What an image was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Deployed with this tag and this digest.
    Image { tag: Option<String>, digest: Option<String> },
    /// Not there.
    Nothing,
}

impl Value {
    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        match self {
            Self::Image { digest, .. } => digest.as_deref(),
            Self::Nothing => None,
        }
    }

    /// Its tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Image { tag, .. } => tag.as_deref(),
            Self::Nothing => None,
        }
    }

    pub(super) fn of(reference: &Reference) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self::Image { tag: owned(reference.tag()), digest: owned(reference.digest()) }
    }
}

/// What a whole deployed in one state.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) images: Vec<Seen>,
    /// Whether nothing in it was unreadable: then what is not among the images was not there.
    pub(super) is_whole: bool,
}

/// An image of one state.
#[derive(Debug)]
pub(super) struct Seen {
    identity: Identity,
    /// None where nothing decided it.
    value: Option<Value>,
    path: String,
}

/// By what an image is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    resource: Option<String>,
    field: String,
    /// `registry/repository` in full; none where nothing decided it.
    name: Option<String>,
}

impl Identity {
    fn of(image: &LocatedImage) -> Self {
        let name = image.reference().map(|it| format!("{}/{}", it.registry(), it.repository()));
        Self { resource: image.resource.clone(), field: image.field.clone(), name }
    }
}

impl Seen {
    /// Of everything that is or may be an image of a registry.
    pub(super) fn of(image: &LocatedImage) -> Option<Self> {
        if image.partial || matches!(image.state, State::Built | State::Local) {
            return None;
        }
        let value = image.reference().map(Value::of);
        Some(Self { identity: Identity::of(image), value, path: image.place.source.relative().to_owned() })
    }
}

/// What an image was during a run of states; `since` is the oldest of them, none for what is not committed.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) value: Value,
    pub(super) since: Option<usize>,
    /// Where it was written in that state.
    pub(super) path: String,
    pub(super) field: String,
}

/// One image on the way from the newest state to the oldest.
#[derive(Debug)]
pub(super) struct Track {
    identity: Identity,
    /// The newest first; never empty. The last one may go on.
    pub(super) runs: Vec<Run>,
    /// Since when it is unknown what it was: the run before it is not older.
    is_open: bool,
}

impl Track {
    /// The image as it is now; none where it is no reference.
    pub(super) fn new(image: &LocatedImage) -> Option<Self> {
        let reference = image.reference().filter(|_| !image.partial)?;
        let run = Run {
            value: Value::of(reference),
            since: None,
            path: image.place.source.relative().to_owned(),
            field: image.field.clone(),
        };
        Some(Self { identity: Identity::of(image), runs: vec![run], is_open: false })
    }

    /// Whether it had another digest before the one it has now.
    pub(super) fn had_another_digest(&self) -> bool {
        let now = self.runs.first().and_then(|run| run.value.digest());
        self.runs.iter().any(|run| run.value != Value::Nothing && run.value.digest() != now)
    }

    /// Its last run went on until the state `state`, the newest being 0.
    pub(super) fn went_on(&mut self, state: usize) {
        if !self.is_open
            && let Some(run) = self.runs.last_mut()
        {
            run.since = Some(state);
        }
    }

    fn was(&mut self, value: Value, path: &str, field: &str) {
        self.is_open = false;
        match self.runs.last_mut().filter(|run| run.value == value) {
            Some(run) => {
                path.clone_into(&mut run.path);
                field.clone_into(&mut run.field);
            }
            None => self.runs.push(Run { value, since: None, path: path.to_owned(), field: field.to_owned() }),
        }
    }
}

/// Takes a whole of the next older state: what each image was in it.
pub(super) fn take(tracks: &mut [Track], reading: &Reading) {
    let matched = same(tracks, &reading.images);
    for (track, matched) in tracks.iter_mut().zip(matched) {
        match matched.and_then(|index| reading.images.get(index)) {
            Some(Seen { value: Some(value), path, identity }) => {
                track.was(value.clone(), path, &identity.field);
                track.identity = identity.clone();
            }
            None if reading.is_whole => {
                let (path, field) =
                    track.runs.last().map(|run| (run.path.clone(), run.field.clone())).unwrap_or_default();
                track.was(Value::Nothing, &path, &field);
            }
            Some(_) | None => track.is_open = true,
        }
    }
}

/// By how much of its identity an image is looked for, the surest first: containers change their order, services and
/// workloads their names.
const TIERS: [fn(&Identity) -> Option<Key<'_>>; 5] = [
    |it| Some((it.resource.as_deref(), Some(&it.field), Some(it.name.as_deref()?))),
    |it| Some((it.resource.as_deref(), Some(&it.field), None)),
    |it| Some((it.resource.as_deref(), None, Some(it.name.as_deref()?))),
    |it| Some((None, Some(&it.field), Some(it.name.as_deref()?))),
    |it| Some((None, None, Some(it.name.as_deref()?))),
];

/// Resource, field and repository, as far as they are compared.
type Key<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

/// The tier in which a field alone is compared: only with what nothing decided.
const BY_FIELD: usize = 1;

/// For each track the index of the image that it was; each image is one of them at most.
fn same(tracks: &[Track], images: &[Seen]) -> Vec<Option<usize>> {
    let mut matched: Vec<Option<usize>> = vec![None; tracks.len()];
    let mut taken = vec![false; images.len()];
    for (tier, key) in TIERS.iter().enumerate() {
        let mut left: HashMap<Key<'_>, VecDeque<usize>> = HashMap::new();
        for (index, seen) in images.iter().enumerate() {
            let is_left = taken.get(index) == Some(&false) && (tier != BY_FIELD || seen.value.is_none());
            if let Some(key) = key(&seen.identity).filter(|_| is_left) {
                left.entry(key).or_default().push_back(index);
            }
        }
        if left.is_empty() {
            continue;
        }
        for (track, matched) in tracks.iter().zip(&mut matched).filter(|(_, matched)| matched.is_none()) {
            let same = key(&track.identity).and_then(|key| left.get_mut(&key)).and_then(VecDeque::pop_front);
            if let Some(taken) = same.and_then(|index| taken.get_mut(index)) {
                *taken = true;
            }
            *matched = same;
        }
    }
    matched
}

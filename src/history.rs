//! The digests that images had: the states of the branch one after the other, read from git without starting a program.
//!
//! A state is what the branch was at one of its commits, and the commits of a branch are its first parents: what stood
//! on a topic branch before it was merged was never what the branch deployed, and a merge brings its changes at once.
//! Each whole (a file, a stack, an overlay, a chart) is read again where one of the files that it was read from has
//! another blob, and nowhere else; an image is known again by its object, its field and its repository.

mod age;
mod past;
mod rename;
mod repository;
mod track;
mod unit;
mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use crate::gate::{Deployed, Whole};
use crate::resolution::Unanswered;
use crate::yaml::Tree;
use rename::Renames;
use repository::{Chain, Link, Lost};
use track::Track;
use unit::Unit;
use watch::Watch;

pub use age::judge;
pub use repository::{HistoryError, Repository};
pub use track::Value;

/// How many commits are looked at: more than the longest branch there is.
const MAX_COMMITS: usize = 2_000_000;

/// For how many commits trees are read ahead.
const MAX_AHEAD: usize = 1024;

/// A commit of the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// In full, lower-case hex.
    pub id: String,
    /// When it was committed: when the branch got it, as far as git knows.
    pub date: Timestamp,
    /// Who made the change: as git has it, not to be trusted on a terminal.
    pub author: String,
    pub email: String,
    /// The first line of its message.
    pub subject: String,
}

/// What an image was during a run of states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub value: Value,
    /// The commit that made it so; none for what is not committed.
    pub commit: Option<Arc<Commit>>,
    /// The oldest state in which it was so: 0 is the newest commit; none for what is not committed.
    since: Option<usize>,
    /// The file in which it was written then, from the root.
    pub path: String,
    /// Its field then, for people.
    pub field: String,
    /// Whether the digest differs from that of the entry before it in time, and not only the tag.
    pub digest_is_new: bool,
    /// It may have been so before that commit: nothing older is known.
    pub may_be_older: bool,
}

impl Entry {
    /// The state that made it so, 0 being the newest commit; none for what is not committed.
    #[must_use]
    pub fn state(&self) -> Option<usize> {
        self.since
    }
}

/// What an image was, the newest first. The first is what it is now.
#[derive(Clone, Debug, Default)]
pub struct ImageHistory {
    pub entries: Vec<Entry>,
}

impl ImageHistory {
    /// What it was at a state; none before it was there.
    #[must_use]
    pub fn at(&self, state: usize) -> Option<&Value> {
        self.entry_at(state).map(|entry| &entry.value)
    }

    /// The entry of a state; none before it was there.
    #[must_use]
    pub fn entry_at(&self, state: usize) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.since.is_some_and(|since| since >= state))
    }

    /// What it was at a state, or what it is now where there is none.
    #[must_use]
    pub fn at_or_now(&self, state: Option<usize>) -> Option<&Value> {
        match state {
            Some(state) => self.at(state),
            None => self.entries.first().map(|entry| &entry.value),
        }
    }

    /// The newest state of each entry but the first, with what it was.
    pub fn earlier(&self) -> impl Iterator<Item = (usize, &Value)> {
        let newer = self.entries.iter().map(|entry| entry.since.map_or(0, |since| since + 1));
        newer.zip(self.entries.iter().skip(1).map(|entry| &entry.value))
    }
}

/// Why no older state was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The branch begins here.
    Beginning,
    /// Everything that was asked for is known.
    Enough,
    /// The clone is shallow: what came before this commit is not there.
    Shallow(String),
    /// Git could not read on. The reason is for people.
    Lost(String),
}

impl End {
    /// Why older states are not known, and the way out; none where there are none, or none were asked for.
    #[must_use]
    pub fn unanswered(&self) -> Option<Unanswered> {
        match self {
            Self::Beginning | Self::Enough => None,
            Self::Shallow(id) => Some(Unanswered {
                reason: format!("the clone is shallow: nothing older than {} is there", short(id)),
                help: "check out with `fetch-depth: 0`, or run `git fetch --unshallow`".to_owned(),
            }),
            Self::Lost(why) => Some(Unanswered {
                reason: format!("history could not be read to its beginning: {why}"),
                help: "clone the whole repository, without a filter".to_owned(),
            }),
        }
    }
}

/// The first characters of a commit: enough for people.
#[must_use]
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// What images were.
#[derive(Debug)]
pub struct Histories {
    /// Beside the images; none for what no file of the repository decides.
    pub images: Vec<Option<ImageHistory>>,
    /// The states, the newest first.
    states: Vec<Link>,
    pub end: End,
    /// What could not be told, and why: sentences without full stop, each once.
    pub open: Vec<String>,
}

impl Histories {
    /// How many commits were looked at.
    #[must_use]
    pub fn commits(&self) -> usize {
        self.states.len()
    }

    /// Why older states may be missing, and the way out.
    #[must_use]
    pub fn unanswered(&self) -> Option<Unanswered> {
        let renamed = || {
            self.open
                .first()
                .map(|why| Unanswered { reason: why.clone(), help: "look with `git log --follow`".to_owned() })
        };
        self.end.unanswered().or_else(renamed)
    }

    /// The state the branch was in at a time: its newest commit until then. None where it had none yet, or none is known.
    #[must_use]
    pub fn state_at(&self, time: Timestamp) -> Option<usize> {
        self.states.iter().position(|link| link.seconds <= time.as_second())
    }

    /// The states whose commits begin with this text.
    pub fn states_of<'h>(&'h self, id: &'h str) -> impl Iterator<Item = usize> + 'h {
        let begins = move |link: &Link| link.id.to_string().starts_with(id);
        self.states.iter().enumerate().filter(move |(_, link)| begins(link)).map(|(state, _)| state)
    }

    /// How many images have a history that may be longer, or none although they are deployed by a reference.
    #[must_use]
    pub fn unchecked(&self, images: &[Deployed]) -> usize {
        let is_cut = self.unanswered().is_some();
        let open = |(history, deployed): &(&Option<ImageHistory>, &Deployed)| match history {
            Some(_) => is_cut,
            None => deployed.image.reference().is_some() && !deployed.image.partial,
        };
        self.images.iter().zip(images).filter(open).count()
    }
}

/// How far back is looked.
#[derive(Clone, Copy, Debug)]
pub enum Depth {
    /// To the beginning of the branch.
    All,
    /// Until each image had another digest, and not beyond the first commit before this time.
    Newest(Timestamp),
    /// This many states, the newest among them.
    States(usize),
}

/// Reads what images were. Those without a reference have no history.
///
/// # Errors
/// The newest commit cannot be read.
pub fn of(repository: &Repository, images: &[Deployed], depth: Depth) -> Result<Histories, HistoryError> {
    let mut walk = Walk::new(repository, images);
    let mut branch = Branch::new(repository.chain()?, depth);
    let end = loop {
        let link = match branch.next(repository, &mut walk.watch) {
            Ok(link) if walk.states.len() < MAX_COMMITS => link,
            Ok(_) => break End::Lost(format!("the branch has more than {MAX_COMMITS} commits")),
            Err(end) => break end,
        };
        let read_again = match walk.step(link) {
            Ok(read_again) => read_again,
            Err(lost) => break End::Lost(lost.to_string()),
        };
        let is_enough = match depth {
            Depth::All => false,
            Depth::Newest(limit) => link.seconds < limit.as_second() || read_again && walk.each_had_another_digest(),
            Depth::States(count) => walk.states.len() >= count,
        };
        if is_enough {
            break End::Enough;
        }
    };
    Ok(walk.finish(end))
}

/// The commits of the branch, with what they need read ahead.
struct Branch {
    chain: Chain,
    depth: Depth,
    ready: VecDeque<Link>,
    /// How many are read ahead next: few where few may be enough.
    next: usize,
    end: Option<End>,
}

impl Branch {
    fn new(chain: Chain, depth: Depth) -> Self {
        Self { chain, depth, ready: VecDeque::new(), next: 1, end: None }
    }

    /// The next older commit, or why there is none.
    fn next(&mut self, repository: &Repository, watch: &mut Watch) -> Result<Link, End> {
        if self.ready.is_empty() {
            self.fill(repository);
            let trees = self.ready.iter().map(|link| link.tree).collect();
            watch.read_ahead(repository, trees);
        }
        self.ready.pop_front().ok_or_else(|| self.end.clone().unwrap_or(End::Beginning))
    }

    fn fill(&mut self, repository: &Repository) {
        while self.end.is_none() && self.ready.len() < self.next {
            match self.chain.next(repository) {
                Ok(Some(link)) => {
                    self.ready.push_back(link);
                    if matches!(self.depth, Depth::Newest(limit) if link.seconds < limit.as_second()) {
                        break;
                    }
                }
                Ok(None) => self.end = Some(self.chain.end()),
                Err(lost) => self.end = Some(End::Lost(lost.to_string())),
            }
        }
        self.next = (self.next * 8).min(MAX_AHEAD);
    }
}

/// The walk from the newest state to the oldest.
struct Walk<'r> {
    repository: &'r Repository,
    units: Vec<Unit>,
    /// Beside the images: which unit they belong to, and which of its tracks is theirs.
    places: Vec<Option<(usize, usize)>>,
    watch: Watch,
    renames: Renames,
    states: Vec<Link>,
    changed: Vec<usize>,
    memory: Tree,
}

impl<'r> Walk<'r> {
    fn new(repository: &'r Repository, images: &[Deployed]) -> Self {
        let mut units: Vec<Unit> = Vec::new();
        let mut by_whole: BTreeMap<&Whole, usize> = BTreeMap::new();
        let mut places = Vec::with_capacity(images.len());
        for deployed in images {
            let track = Track::new(&deployed.image).filter(|_| unit::is_in_repository(&deployed.whole));
            let Some(track) = track else {
                places.push(None);
                continue;
            };
            let index = *by_whole.entry(&deployed.whole).or_insert_with(|| {
                units.push(Unit::new(&deployed.whole));
                units.len() - 1
            });
            places.push(units.get_mut(index).map(|unit| {
                unit.tracks.push(track);
                (index, unit.tracks.len() - 1)
            }));
        }
        let changed = (0..units.len()).collect();
        let (watch, renames, states) = (Watch::default(), Renames::default(), Vec::new());
        Self { repository, units, places, watch, renames, states, changed, memory: Tree::default() }
    }

    /// Takes the next older state. Whether a unit was read again.
    fn step(&mut self, link: Link) -> Result<bool, Lost> {
        let newer = self.states.last().map(|newer| newer.tree);
        if newer == Some(link.tree) {
            self.states.push(link);
            return Ok(false);
        }
        self.watch.look(self.repository, link.tree, &mut self.changed)?;
        self.changed.sort_unstable();
        self.changed.dedup();
        let changed = std::mem::take(&mut self.changed);
        for &index in &changed {
            let Some(unit) = self.units.get_mut(index) else { continue };
            let before = std::mem::take(&mut unit.reads);
            unit.reads.clone_from(&before);
            let reading = unit.read(self.repository, link.tree, newer, &mut self.renames, &mut self.memory)?;
            for path in before.keys().filter(|path| !unit.reads.contains_key(*path)) {
                self.watch.remove(path, index);
            }
            for (path, object) in &unit.reads {
                self.watch.add(path, *object, index);
            }
            if let Some(newest) = self.states.len().checked_sub(1) {
                unit.tracks.iter_mut().for_each(|track| track.went_on(newest));
            }
            track::take(&mut unit.tracks, &reading);
        }
        self.states.push(link);
        Ok(!changed.is_empty())
    }

    fn each_had_another_digest(&self) -> bool {
        self.units.iter().flat_map(|unit| &unit.tracks).all(Track::had_another_digest)
    }

    fn finish(mut self, mut end: End) -> Histories {
        if let Some(oldest) = self.states.len().checked_sub(1) {
            self.units.iter_mut().flat_map(|unit| &mut unit.tracks).for_each(|track| track.went_on(oldest));
        }
        let is_cut = end != End::Beginning;
        let mut commits = Commits { repository: self.repository, states: &self.states, is_cut, known: BTreeMap::new() };
        let mut images = Vec::with_capacity(self.places.len());
        for place in &self.places {
            let track = place.and_then(|(unit, track)| self.units.get(unit)?.tracks.get(track));
            let history = track.map(|track| commits.history(track)).transpose();
            images.push(history.unwrap_or_else(|lost| {
                end = End::Lost(lost.to_string());
                None
            }));
        }
        let mut open: Vec<_> = self.units.iter().filter_map(|unit| unit.open.clone()).collect();
        open.sort();
        open.dedup();
        Histories { images, states: self.states, end, open }
    }
}

/// The commits of entries, each read once.
struct Commits<'w> {
    repository: &'w Repository,
    states: &'w [Link],
    /// Whether there may be older states.
    is_cut: bool,
    known: BTreeMap<usize, Arc<Commit>>,
}

impl Commits<'_> {
    fn history(&mut self, track: &Track) -> Result<ImageHistory, Lost> {
        let last = track.runs.iter().rposition(|run| run.value != Value::Nothing).unwrap_or_default();
        let entries = track.runs.iter().enumerate().take(last + 1).map(|(index, run)| {
            let before = track.runs.get(index + 1).filter(|_| index < last);
            Ok(Entry {
                digest_is_new: before.is_none_or(|before| before.value.digest() != run.value.digest()),
                may_be_older: self.is_cut && index + 1 == track.runs.len() && run.since.is_some(),
                value: run.value.clone(),
                commit: run.since.map(|since| self.at(since)).transpose()?.flatten(),
                since: run.since,
                path: run.path.clone(),
                field: run.field.clone(),
            })
        });
        Ok(ImageHistory { entries: entries.collect::<Result<_, Lost>>()? })
    }

    fn at(&mut self, state: usize) -> Result<Option<Arc<Commit>>, Lost> {
        if let Some(known) = self.known.get(&state) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(link) = self.states.get(state) else { return Ok(None) };
        let commit = Arc::new(self.repository.commit(&link.id)?);
        self.known.insert(state, Arc::clone(&commit));
        Ok(Some(commit))
    }
}

//! Which digest each image shall carry: what the registries answered, weighed by what the user asks for.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::Wanted;
use crate::gate::Deployed;
use crate::manifest::State;
use crate::policy::{Hold, Repositories};
use crate::reference::Reference;
use crate::resolution::{Answer, Answers, Asked, Content, Description, Object, Platform, Served, Unanswered};

const IGNORED: &str = "the configuration ignores it (`refresh.ignore`)";

/// What becomes of an image.
#[derive(Clone, Debug)]
pub enum Choice {
    /// It gets a digest.
    Move(Chosen),
    /// It carries the digest it should.
    Current,
    /// It is left alone on purpose, or waits; the reason is for people: lower case, no full stop.
    Left(String),
    /// It was not asked for, or is nothing that carries a digest.
    Passed,
    /// It should get a digest, and gets none.
    Missed(Missed),
}

/// Why an image gets no digest.
#[derive(Clone, Debug)]
pub enum Missed {
    /// The registry answered that it has no such thing. What is missing, for people.
    NotThere(String),
    /// The registry did not answer.
    Unchecked(Unanswered),
    /// What the tag serves is nothing that can be deployed. What it is, for people.
    NotAnImage(String),
    /// Nothing in the repository decides the image, or it is no reference.
    Undecided(String),
    /// The digest cannot be written.
    NoPlace(String),
}

impl Missed {
    /// The reason: lower case, no full stop.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::NotThere(why) | Self::NotAnImage(why) | Self::Undecided(why) | Self::NoPlace(why) => why,
            Self::Unchecked(open) => &open.reason,
        }
    }
}

/// A digest and what is known of it.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The digest until now.
    pub from: Option<String>,
    pub digest: String,
    /// The tag that comes in place of the old one; none where the tag stays.
    pub tag: Option<String>,
    /// `linux/amd64`, or several; empty where it was not asked.
    pub platforms: Vec<Platform>,
    /// When the old one was created.
    pub created_before: Option<Timestamp>,
    /// When the new one was created.
    pub created: Option<Timestamp>,
    /// What the reader should know: lower case, no full stop.
    pub note: Option<String>,
}

impl Chosen {
    /// What changes, for people: the digest, with the tag before it where that changes, too.
    #[must_use]
    pub fn shown(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!("{tag}@")).unwrap_or_default();
        format!("{tag}{}", self.digest)
    }

    /// What is to be written for it.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        Wanted { digest: self.digest.clone(), tag: self.tag.clone() }
    }
}

/// Which images are moved.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these repositories; all where there is none.
    pub images: Vec<Repositories>,
    /// Only services, workloads or fields of these names; all where there is none.
    pub services: Vec<String>,
    /// Never these repositories.
    pub ignored: Vec<Repositories>,
    /// Those that count now: a refresh leaves the images that they keep.
    pub held: Vec<Hold>,
}

impl Selection {
    /// Whether an image is asked for.
    #[must_use]
    pub fn takes(&self, deployed: &Deployed) -> bool {
        let image = &deployed.image;
        let Some(reference) = image.reference() else { return false };
        let name = format!("{}/{}", reference.registry(), reference.repository());
        let named = |service: &String| {
            let resource = image.resource.as_deref().and_then(|resource| resource.rsplit('/').next());
            resource == Some(service) || image.field.split('.').any(|part| part == service)
        };
        (self.images.is_empty() || self.images.iter().any(|images| images.matches(&name)))
            && (self.services.is_empty() || self.services.iter().any(named))
    }

    /// Whether every image is asked for.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.images.is_empty() && self.services.is_empty()
    }

    fn is_ignored(&self, reference: &Reference) -> bool {
        let name = format!("{}/{}", reference.registry(), reference.repository());
        self.ignored.iter().any(|images| images.matches(&name))
    }
}

/// When digests were first seen.
pub type Dates = BTreeMap<String, Timestamp>;

/// How old a digest must be before it is taken, and what is known of its age beside its creation date.
#[derive(Clone, Debug)]
pub struct Ages {
    /// None where every digest is taken at once.
    pub cooldown: Option<SignedDuration>,
    /// When a digest was first seen, from earlier runs. Where it is kept, creation dates are not asked.
    pub first_seen: Option<Dates>,
    pub now: Timestamp,
}

impl Ages {
    /// Why a digest is not taken yet; records one that is seen for the first time.
    fn holds(&mut self, digest: &str, created: Option<Timestamp>) -> Option<String> {
        let cooldown = self.cooldown?;
        let (since, what) = match &mut self.first_seen {
            Some(seen) => (*seen.entry(digest.to_owned()).or_insert(self.now), "first seen"),
            // Reproducible builds give the first second of 1970, or of 1980, for want of a date.
            None => match created.filter(|created| *created > EARLIEST) {
                Some(created) => (created, "created"),
                None => {
                    return Some(format!(
                        "its new digest `{digest}` has no creation date to wait from: keep dates of your own with \
                         `--first-seen FILE`, or refresh it alone with `--cooldown 0d`"
                    ));
                }
            },
        };
        let ripe = since.checked_add(cooldown).ok()?;
        (ripe > self.now)
            .then(|| format!("its new digest `{digest}` was {what} {}, and is taken from {} on", day(since), day(ripe)))
    }
}

/// 1990-01-01: no image is older, and dates before it stand for none.
const EARLIEST: Timestamp = Timestamp::constant(631_152_000, 0);

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Chooses a digest for each image that has none.
pub fn pin(images: &[Deployed], selection: &Selection, registries: &dyn Answers) -> Vec<Choice> {
    let asked: Vec<_> = images
        .iter()
        .map(|deployed| {
            let image = &deployed.image;
            let reference = image.reference().filter(|it| !it.is_pinned() && !image.built && !image.partial)?;
            (selection.takes(deployed) && !selection.is_ignored(reference)).then(|| by_tag(reference))
        })
        .collect();
    let served = Table::of(asked.iter().flatten(), |asked| registries.served(asked));
    let choose = |(deployed, asked): (&Deployed, &Option<Asked>)| match asked {
        Some(asked) => match served.get(asked) {
            Answer::Found(served) => Choice::Move(Chosen {
                from: None,
                digest: served.digest.clone(),
                tag: None,
                platforms: Vec::new(),
                created_before: None,
                created: None,
                note: None,
            }),
            Answer::Missing => Choice::Missed(Missed::NotThere(format!("the registry has no `{asked}`"))),
            Answer::Unanswered(why) => Choice::Missed(Missed::Unchecked(why.clone())),
        },
        None if !selection.is_everything() && deployed.image.reference().is_none() => Choice::Passed,
        None => match &deployed.image.state {
            State::Reference(reference) if !selection.takes(deployed) => {
                tracing::debug!(image = reference.as_str(), "not asked for");
                Choice::Passed
            }
            State::Reference(reference) if reference.is_pinned() => Choice::Current,
            State::Reference(reference) if selection.is_ignored(reference) => Choice::Left(IGNORED.to_owned()),
            State::Reference(_) if deployed.image.built => {
                Choice::Left("it is built where it is deployed, so that there is nothing to pin yet".to_owned())
            }
            State::Unresolved { why } => Choice::Missed(Missed::Undecided(why.clone())),
            State::Malformed { error, .. } => Choice::Missed(Missed::Undecided(error.to_string())),
            State::Reference(_) | State::Built | State::Local => Choice::Passed,
        },
    };
    images.iter().zip(&asked).map(choose).collect()
}

/// What the tag of a reference is asked; `latest` where it has none, as the runtimes do.
pub(crate) fn by_tag(reference: &Reference) -> Asked {
    let tag = reference.tag().unwrap_or("latest").to_owned();
    Asked { registry: reference.registry().to_owned(), repository: reference.repository(), object: Object::Tag(tag) }
}

/// What the digest of the repository of a reference is asked.
pub(crate) fn by_digest(reference: &Reference, digest: &str) -> Asked {
    let object = Object::Digest(digest.to_owned());
    Asked { registry: reference.registry().to_owned(), repository: reference.repository(), object }
}

/// Chooses for each pinned image the digest that its tag serves now.
pub fn refresh(images: &[Deployed], selection: &Selection, ages: &mut Ages, registries: &dyn Answers) -> Vec<Choice> {
    let pinned = images.iter().map(|deployed| followed(deployed, selection));
    let pinned: Vec<Result<Pinned<'_>, Box<Choice>>> = pinned.collect();
    let asked: Vec<_> = pinned.iter().flatten().map(|pinned| by_tag(pinned.reference)).collect();
    let served = Table::of(asked.iter(), |asked| registries.served(asked));
    let mut details = Vec::new();
    for pinned in pinned.iter().flatten() {
        if let Answer::Found(served) = served.get(&by_tag(pinned.reference))
            && served.digest != pinned.digest
        {
            details.push(by_digest(pinned.reference, pinned.digest));
            details.push(by_digest(pinned.reference, &served.digest));
        }
    }
    let described = Table::of(details.iter(), |asked| registries.describe(asked));
    let choose = |pinned: Result<Pinned<'_>, Box<Choice>>| match pinned {
        Ok(pinned) => follow(&pinned, &served, &described, ages),
        Err(choice) => *choice,
    };
    pinned.into_iter().map(choose).collect()
}

/// An image whose tag is followed.
struct Pinned<'a> {
    reference: &'a Reference,
    digest: &'a str,
}

fn followed<'a>(deployed: &'a Deployed, selection: &Selection) -> Result<Pinned<'a>, Box<Choice>> {
    let passed = || Box::new(Choice::Passed);
    let left = |why: &str| Err(Box::new(Choice::Left(why.to_owned())));
    let reference = deployed.image.reference().filter(|_| selection.takes(deployed)).ok_or_else(passed)?;
    let digest = reference.digest().ok_or_else(passed)?;
    if selection.is_ignored(reference) {
        return left(IGNORED);
    }
    if let Some(hold) = selection.held.iter().find(|hold| hold.keeps(&deployed.image)) {
        return Err(Box::new(Choice::Left(hold.why())));
    }
    if reference.tag().is_none() {
        return left("it has no tag that could be followed: write the tag before the digest");
    }
    Ok(Pinned { reference, digest })
}

fn follow(pinned: &Pinned<'_>, served: &Table<Served>, described: &Table<Description>, ages: &mut Ages) -> Choice {
    let asked = by_tag(pinned.reference);
    let new = match served.get(&asked) {
        Answer::Found(new) if new.digest == pinned.digest => return Choice::Current,
        Answer::Found(new) => new,
        Answer::Missing => return Choice::Missed(Missed::NotThere(format!("the registry has no `{asked}` any more"))),
        Answer::Unanswered(why) => return Choice::Missed(Missed::Unchecked(why.clone())),
    };
    let described_new = described.get(&by_digest(pinned.reference, &new.digest));
    let described_old = described.get(&by_digest(pinned.reference, pinned.digest));
    let (now, before) = match (described_new, described_old) {
        (Answer::Unanswered(why), _) | (_, Answer::Unanswered(why)) => {
            return Choice::Missed(Missed::Unchecked(why.clone()));
        }
        (Answer::Missing, _) => {
            return Choice::Missed(Missed::NotThere(format!("the tag of `{asked}` names a digest that is not there")));
        }
        (Answer::Found(now), Answer::Missing) => (now, None),
        (Answer::Found(now), Answer::Found(before)) => (now, Some(before)),
    };
    let mut chosen = Chosen {
        from: Some(pinned.digest.to_owned()),
        digest: new.digest.clone(),
        tag: None,
        platforms: platforms(now),
        created_before: before.and_then(|before| before.created),
        created: now.created,
        note: before.is_none().then(|| "the registry no longer has the old digest".to_owned()),
    };
    match (&now.content, before.map(|before| &before.content)) {
        (Content::Artifact(what), _) => return Choice::Missed(Missed::NotAnImage(format!("`{asked}` is {what}"))),
        (Content::Index(entries), Some(Content::Image(platform))) => {
            let Some((platform, digest)) = entries.iter().find(|(other, _)| is_same(platform, other)) else {
                return Choice::Missed(Missed::NotThere(format!("`{asked}` has no image for {platform} any more")));
            };
            if digest == pinned.digest {
                return Choice::Current;
            }
            chosen.digest.clone_from(digest);
            chosen.platforms = vec![platform.clone()];
            chosen.note = Some(format!("stays pinned to one platform, {platform}, of {}", entries.len()));
        }
        _ => {}
    }
    match ages.holds(&chosen.digest, chosen.created) {
        Some(why) => Choice::Left(why),
        None => Choice::Move(chosen),
    }
}

/// An index may leave the variant away that the image gives, and the other way round.
fn is_same(image: &Platform, entry: &Platform) -> bool {
    let agree = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
    image.os == entry.os
        && image.architecture == entry.architecture
        && agree(&image.variant, &entry.variant)
        && (image.os != "windows" || agree(&image.os_version, &entry.os_version))
}

/// The platforms of what is described.
pub(crate) fn platforms(description: &Description) -> Vec<Platform> {
    match &description.content {
        Content::Index(entries) => entries.iter().map(|(platform, _)| platform.clone()).collect(),
        Content::Image(platform) => vec![platform.clone()],
        Content::Artifact(_) => Vec::new(),
    }
}

/// Answers by question; each distinct question is asked once.
pub(crate) struct Table<T>(HashMap<Asked, Answer<T>>, Answer<T>);

impl<T> Table<T> {
    pub(crate) fn of<'q>(
        questions: impl Iterator<Item = &'q Asked>,
        ask: impl FnOnce(&[Asked]) -> Vec<Answer<T>>,
    ) -> Self {
        let mut distinct: Vec<Asked> = questions.cloned().collect();
        distinct.sort();
        distinct.dedup();
        let answers = if distinct.is_empty() { Vec::new() } else { ask(&distinct) };
        let unasked = Unanswered { reason: "it was not asked".to_owned(), help: "run again".to_owned() };
        Self(distinct.into_iter().zip(answers).collect(), Answer::Unanswered(unasked))
    }

    /// Adds answers to further questions.
    pub(crate) fn add(&mut self, answers: impl IntoIterator<Item = (Asked, Answer<T>)>) {
        self.0.extend(answers);
    }

    /// Adds what another table knows.
    pub(crate) fn join(&mut self, other: Self) {
        self.add(other.0);
    }

    /// The answer to a question, if it was asked.
    pub(crate) fn asked(&self, asked: &Asked) -> Option<&Answer<T>> {
        self.0.get(asked)
    }

    /// The answer to a question; open where it was not asked.
    pub(crate) fn get(&self, asked: &Asked) -> &Answer<T> {
        self.0.get(asked).unwrap_or(&self.1)
    }
}

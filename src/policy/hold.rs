//! Holds: digests that were returned to, and that `refresh` leaves alone until a day.
//!
//! They are kept in a file of their own beside the configuration, written by `rollback` and read by `refresh`: a program
//! does not edit what people write.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::civil::Date;
use serde::Deserialize;

use super::Repositories;
use super::check::{at, date, take};
use super::error::{PolicyErrors, Wrong, is_invisible};
use super::raw::{self, Errors};
use crate::manifest::LocatedImage;
use crate::reference::check_digest;
use crate::source::{Place, Source};
use crate::yaml::{Node, Tree};

const HEAD: &str = "\
# Written by `digest-gate rollback`, read by `digest-gate refresh`: until the day `until`, the images stay at these digests.
# To lift a hold, remove its entry, or run `digest-gate rollback --lift --image REPOSITORY --write`.
";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
struct RawHolds {
    version: u64,
    #[serde(default)]
    holds: Vec<RawHold>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
struct RawHold {
    // Not `image`: a key of that name makes any YAML file a manifest.
    repository: String,
    path: Option<String>,
    digest: String,
    from: Option<String>,
    reason: Option<String>,
    since: Option<String>,
    until: String,
}

/// A digest that an image stays at.
#[derive(Clone, Debug)]
pub struct Hold {
    /// A repository, or a glob over repositories.
    pub images: Repositories,
    /// The file in which the image is written, from the root; none for every file.
    pub path: Option<String>,
    /// The digest it stays at.
    pub digest: String,
    /// The digest it was returned from, and is not returned to.
    pub from: Option<String>,
    pub reason: Option<String>,
    /// The day it was made.
    pub since: Option<Date>,
    /// The last day on which it counts.
    pub until: Date,
    /// Where it is written; none before it is.
    pub place: Option<Place>,
}

impl Hold {
    /// Whether it is about an image.
    #[must_use]
    pub fn is_about(&self, image: &LocatedImage) -> bool {
        let name = image.reference().map(|it| format!("{}/{}", it.registry(), it.repository()));
        name.is_some_and(|name| self.images.matches(&name))
            && self.path.as_ref().is_none_or(|path| path == image.place.source.relative())
    }

    /// Whether it keeps an image where it is: at the digest it stays at. One that was moved by hand is free.
    #[must_use]
    pub fn keeps(&self, image: &LocatedImage) -> bool {
        let digest = image.reference().and_then(crate::reference::Reference::digest);
        digest == Some(self.digest.as_str()) && self.is_about(image)
    }

    /// Why an image stays, and the way out: lower case, no full stop.
    #[must_use]
    pub fn why(&self) -> String {
        let reason = self.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let place = self.place.as_ref().map(|place| format!(" by {}:{}", place.source.path(), place.start().line));
        format!(
            "it is held at this digest until {}{}{reason}; `digest-gate rollback --lift --image {} --write` lifts that",
            self.until,
            place.unwrap_or_default(),
            self.images.text
        )
    }
}

/// All holds of a repository.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    /// In the order of the text.
    pub all: Vec<Hold>,
}

impl Holds {
    /// Reads the file of holds.
    ///
    /// # Errors
    /// Everything that is wrong in it, as far as it could be read.
    pub fn parse(source: &Arc<Source>) -> Result<Self, PolicyErrors> {
        let mut tree = Tree::default();
        let (raw, root) = raw::read::<RawHolds>(source, &mut tree)?;
        let mut errors = Errors { source, found: Vec::new() };
        if raw.version != 1 {
            let help = "use a digest-gate that reads this version";
            errors.add(at(root, "version"), format!("version {} is not known", raw.version), help);
        }
        let nodes = at(root, "holds").items();
        let all = raw.holds.iter().zip(nodes).filter_map(|(raw, node)| hold(raw, node, &mut errors)).collect();
        errors.done().map(|()| Self { all })
    }

    /// Those that count on a day.
    pub fn on(&self, today: Date) -> impl Iterator<Item = &Hold> {
        self.all.iter().filter(move |hold| hold.until >= today)
    }

    /// What the reader should know of those that count no more; sentences without full stop.
    pub fn ended(&self, today: Date) -> impl Iterator<Item = String> {
        let ended = self.all.iter().filter(move |hold| hold.until < today);
        ended.map(|hold| {
            let place = hold.place.as_ref().map(|place| format!("{}:{}: ", place.source.path(), place.start().line));
            let place = place.unwrap_or_default();
            format!("{place}the hold for `{}` ended on {}: remove it, or hold again", hold.images.text, hold.until)
        })
    }

    /// Adds a hold, in place of one that keeps the same images at the same digest, and of those that keep them from it.
    pub fn add(&mut self, hold: Hold) {
        let is_same = |other: &Hold| other.images.text == hold.images.text && other.path == hold.path;
        let is_contrary = |other: &Hold| other.digest == hold.digest || other.from.as_ref() == Some(&hold.digest);
        self.all.retain(|other| !(is_same(other) && is_contrary(other)));
        self.all.push(hold);
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("{HEAD}version: 1\n");
        if self.all.is_empty() {
            out.push_str("holds: []\n");
            return out;
        }
        out.push_str("holds:\n");
        for hold in &self.all {
            let since = hold.since.map(|day| day.to_string());
            let fields = [
                ("path", hold.path.as_deref().map(quoted)),
                ("digest", Some(hold.digest.clone())),
                ("from", hold.from.clone()),
                ("reason", hold.reason.as_deref().map(quoted)),
                ("since", since),
                ("until", Some(hold.until.to_string())),
            ];
            // Writing to a string cannot fail.
            let _ = writeln!(out, "  - repository: {}", quoted(&hold.images.text));
            for (key, value) in fields {
                let _ = value.map(|value| writeln!(out, "    {key}: {value}"));
            }
        }
        out
    }
}

/// A text in double quotes, on one line, with nothing invisible in it.
fn quoted(text: &str) -> String {
    let visible: String = text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect();
    // The double quotes of JSON are those of YAML.
    serde_json::Value::from(visible).to_string()
}

fn hold(raw: &RawHold, node: Node<'_>, errors: &mut Errors<'_>) -> Option<Hold> {
    let images = take(Repositories::new(&raw.repository), at(node, "repository"), errors);
    for (key, digest) in [("digest", Some(&raw.digest)), ("from", raw.from.as_ref())] {
        if let Some(Err(error)) = digest.map(|digest| check_digest(digest)) {
            errors.add(at(node, key), format!("no digest: {error}"), "write `sha256:` and 64 lower-case hex digits");
        }
    }
    let day = |text: &str| date(text).ok_or_else(|| Wrong::new(format!("`{text}` is no date"), "write `YYYY-MM-DD`"));
    let since = raw.since.as_deref().map(|text| take(day(text), at(node, "since"), errors));
    let until = take(day(&raw.until), at(node, "until"), errors);
    Some(Hold {
        images: images?,
        path: raw.path.clone(),
        digest: raw.digest.clone(),
        from: raw.from.clone(),
        reason: raw.reason.clone(),
        // What is none here although it is written is among the errors, and then there are no holds.
        since: since.flatten(),
        until: until?,
        place: Some(errors.place(at(node, "repository"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Alone, read};

    const OLD: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    const NEW: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn sample() -> Hold {
        Hold {
            images: Repositories::new("ghcr.io/org/web").unwrap(),
            path: Some("prod/it's \"a\".yml".to_owned()),
            digest: OLD.to_owned(),
            from: Some(NEW.to_owned()),
            reason: Some("breaks: log-in # \u{202e}é\nsecond".to_owned()),
            since: Some(day("2026-11-26")),
            until: day("2026-12-26"),
            place: None,
        }
    }

    fn image(path: &str, text: &str) -> LocatedImage {
        let source = Source::new(path, format!("services: {{a: {{image: '{text}'}}}}\n"));
        read(&source, &Alone, &mut Tree::default()).images.remove(0)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut holds = Holds::default();
        assert!(Holds::parse(&Source::new("h.yml", holds.text())).unwrap().all.is_empty());
        holds.add(sample());
        holds.add(Hold { path: None, from: None, reason: None, since: None, ..sample() });
        holds.add(sample());
        assert_eq!(holds.all.len(), 2, "a hold comes in place of one for the same image and file");
        let text = holds.text();
        let again = Holds::parse(&Source::new("h.yml", text.as_str())).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(again.text(), text);
        assert_eq!(again.all[1].reason.as_deref(), Some("breaks: log-in #  é second"));
        assert_eq!(again.all[1].path, sample().path);
    }

    #[test]
    fn it_keeps_the_image_it_names_at_the_digest_it_names() {
        let hold = Hold { path: Some("prod/a.yml".to_owned()), ..sample() };
        assert!(hold.keeps(&image("prod/a.yml", &format!("ghcr.io/org/web:1@{OLD}"))));
        assert!(!hold.keeps(&image("prod/a.yml", &format!("ghcr.io/org/web:1@{NEW}"))), "it was moved by hand");
        assert!(!hold.keeps(&image("prod/b.yml", &format!("ghcr.io/org/web:1@{OLD}"))));
        assert!(!hold.keeps(&image("prod/a.yml", &format!("ghcr.io/org/other:1@{OLD}"))));
        let everywhere = Hold { path: None, ..sample() };
        assert!(everywhere.keeps(&image("prod/b.yml", &format!("ghcr.io/org/web:1@{OLD}"))));
    }

    #[test]
    fn the_day_itself_still_counts() {
        let mut holds = Holds::default();
        holds.add(sample());
        assert_eq!(holds.on(day("2026-12-26")).count(), 1);
        assert_eq!(holds.on(day("2026-12-27")).count(), 0);
        let ended: Vec<_> = holds.ended(day("2026-12-27")).collect();
        assert_eq!(ended, ["the hold for `ghcr.io/org/web` ended on 2026-12-26: remove it, or hold again"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, expected) in [
            ("version: 2\n", "h.yml:1:10: version 2 is not known"),
            ("version: 1\nhold: []\n", "h.yml:2:1: unknown key `hold`"),
            ("version: 1\nholds: [{repository: a, digest: x, until: never}]\n", "h.yml:2:33: no digest"),
            ("version: 1\nholds: [{repository: a, digest: x, until: never}]\n", "h.yml:2:43: `never` is no date"),
            ("version: 1\nholds: [{repository: 'a:1', until: 2026-01-01}]\n", "has no `digest`"),
        ] {
            let errors = Holds::parse(&Source::new("h.yml", text)).unwrap_err().to_string();
            assert!(errors.contains(expected), "{errors}");
        }
    }
}

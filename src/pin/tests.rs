//! Plans, proofs and choices, held against small files and a registry of a few lines.

use std::collections::BTreeMap;
use std::convert::Infallible;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::manifest::{Alone, LocatedImage, PinSlot, Slot, read};
use crate::policy::Repositories;
use crate::resolution::{Answer, Answers, Asked, Content, Description, Object, Platform, Served, Unanswered};
use crate::source::{Place, Span};
use crate::yaml::Tree;

/// A digest that is told apart by its first characters.
fn digest(name: &str) -> String {
    let hex = name.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    format!("sha256:{hex:0<64}")
}

fn deployed(sources: &[Arc<Source>]) -> Vec<Deployed> {
    let mut tree = Tree::default();
    let images = sources.iter().flat_map(|source| read(source, &Alone, &mut tree).images);
    images
        .map(|image| Deployed {
            image,
            environment: Arc::from("production"),
            enforced: true,
            whole: Arc::default(),
            complete: true,
        })
        .collect()
}

/// The files of changes, over those they were made from.
fn changed(sources: &[Arc<Source>], changed: &[Changed]) -> Vec<Arc<Source>> {
    let new = |source: &Arc<Source>| {
        let change = changed.iter().find(|file| file.source.path() == source.path());
        change.map_or_else(|| Arc::clone(source), |file| Source::new(source.path(), file.text.as_str()))
    };
    sources.iter().map(new).collect()
}

fn settled(sources: &[Arc<Source>], choose: impl Fn(&LocatedImage) -> Option<String>) -> Settled {
    let images = deployed(sources);
    let wanted = images.iter().map(|it| choose(&it.image).map(|digest| Wanted { digest, tag: None })).collect();
    let again = |change: &[Changed]| Ok::<_, Infallible>(deployed(&changed(sources, change)));
    settle(&images, wanted, &Arc::clone, &again).unwrap()
}

fn pinned(name: &str, text: &str, choose: impl Fn(&LocatedImage) -> Option<String>) -> (String, Vec<String>) {
    let sources = [Source::new(name, text)];
    let settled = settled(&sources, choose);
    let refused = settled.refused.into_iter().map(|(_, why)| why).collect();
    (changed(&sources, &settled.changed)[0].text().to_owned(), refused)
}

fn by_name(image: &LocatedImage) -> Option<String> {
    image.reference().map(|reference| digest(reference.path()))
}

#[test]
fn a_digest_is_written_behind_the_text_and_nothing_else_changes() {
    let text = "\u{feff}services:\r\n  a: {image: 'x:1'} # é\r\n  b:\r\n    image: \"y:2\"\r\n  c:\r\n    image: z:3@OLD   # keep\r\n  d:\r\n    image: w";
    let text = text.replace("OLD", &digest("old"));
    let (new, refused) = pinned("compose.yml", &text, by_name);
    assert!(refused.is_empty(), "{refused:?}");
    let expected = text
        .replace("x:1", &format!("x:1@{}", digest("x")))
        .replace("y:2", &format!("y:2@{}", digest("y")))
        .replace(&digest("old"), &digest("z"))
        .replace("image: w", &format!("image: w@{}", digest("w")));
    assert_eq!(new, expected);
}

#[test]
fn an_alias_is_written_once() {
    let text = "x-image: &i app:1\nservices:\n  a: {image: *i}\n  b: {image: *i}\n";
    let (new, refused) = pinned("compose.yml", text, by_name);
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(new, text.replace("app:1", &format!("app:1@{}", digest("app"))));
}

#[test]
fn what_is_written_with_escapes_is_pinned_behind_or_refused() {
    let (new, refused) = pinned("compose.yml", "services: {a: {image: \"\\x61pp:1\"}}\n", by_name);
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(new, format!("services: {{a: {{image: \"\\x61pp:1@{}\"}}}}\n", digest("app")));
    let escaped = digest("old").replace("sha256", "\\x73ha256");
    let text = format!("services: {{a: {{image: \"app:1@{escaped}\"}}}}\n");
    let (new, refused) = pinned("compose.yml", &text, by_name);
    assert_eq!(new, text);
    assert_eq!(refused, ["its digest is not written as plain text"]);
}

#[test]
fn an_image_that_was_not_asked_for_never_changes() {
    let text = "x-image: &i app:1\nservices:\n  a: {image: *i}\n  b: {image: *i}\n  c: {image: 'other:1'}\n";
    let images = deployed(&[Source::new("compose.yml", text)]);
    assert_eq!(images.len(), 2, "an alias is one image at one place");
    let only = |image: &LocatedImage| (image.reference()?.path() == "other").then(|| digest("o"));
    let (new, refused) = pinned("compose.yml", text, only);
    assert!(refused.is_empty());
    assert_eq!(new, text.replace("other:1", &format!("other:1@{}", digest("o"))));
}

#[test]
fn a_value_that_two_digests_compete_for_goes_to_the_place_of_use() {
    let values = Source::new("v.txt", "1.0");
    let uses = Source::new("compose.yml", "services: {a: {image: 'a:${T}'}, b: {image: 'b:${T}'}}\n");
    let mut images = deployed(&[Source::new("compose.yml", "services: {a: {image: 'a:1.0'}, b: {image: 'b:1.0'}}\n")]);
    let slot = |source: &Arc<Source>, at| Slot {
        place: Place::new(source, Span::new(at, at)),
        before: "@".to_owned(),
        after: String::new(),
        is_bare: false,
        tag: None,
    };
    for (image, at) in images.iter_mut().zip([28, 48]) {
        image.image.slot = PinSlot::At(vec![slot(&values, 3), slot(&uses, at)]);
    }
    let both = vec![Some(Wanted { digest: digest("a"), tag: None }), Some(Wanted { digest: digest("b"), tag: None })];
    let found = plan(&images, &both, &Arc::clone);
    assert!(found.refused.is_empty(), "{:?}", found.refused);
    assert_eq!(found.changed.iter().map(|file| file.source.path()).collect::<Vec<_>>(), ["compose.yml"]);
    let same = vec![Some(Wanted { digest: digest("a"), tag: None }); 2];
    assert_eq!(plan(&images, &same, &Arc::clone).changed[0].source.path(), "v.txt");
    // An image that stays keeps the shared value as it is.
    let one = vec![Some(Wanted { digest: digest("a"), tag: None }), None];
    assert_eq!(plan(&images, &one, &Arc::clone).changed[0].source.path(), "compose.yml");
    for image in &mut images {
        image.image.slot = PinSlot::At(vec![slot(&values, 3)]);
    }
    assert_eq!(plan(&images, &both, &Arc::clone).refused.len(), 2);
}

#[test]
fn tag_and_digest_go_back_together() {
    let text = format!("services: {{a: {{image: 'app:2@{}'}}}}\n", digest("new"));
    let sources = [Source::new("compose.yml", text.as_str())];
    let images = deployed(&sources);
    let wanted = vec![Some(Wanted { digest: digest("old"), tag: Some("1".to_owned()) })];
    let again = |change: &[Changed]| Ok::<_, Infallible>(deployed(&changed(&sources, change)));
    let settled = settle(&images, wanted, &Arc::clone, &again).unwrap();
    assert_eq!(settled.changed[0].text, format!("services: {{a: {{image: 'app:1@{}'}}}}\n", digest("old")));
}

#[test]
fn a_tag_that_stands_apart_goes_back_with_its_digest() {
    let text = format!("images:\n- name: app\n  newTag: '2'\n  digest: {}\n", digest("new"));
    let sources = [Source::new("kustomization.yaml", text.as_str())];
    let images = deployed(&sources);
    let wanted = vec![Some(Wanted { digest: digest("old"), tag: Some("1".to_owned()) })];
    let again = |change: &[Changed]| Ok::<_, Infallible>(deployed(&changed(&sources, change)));
    let settled = settle(&images, wanted, &Arc::clone, &again).unwrap();
    assert_eq!(settled.changed[0].text, text.replace("'2'", "'1'").replace(&digest("new"), &digest("old")));
}

#[test]
fn one_that_spoils_everything_is_found_among_the_others() {
    let services: Vec<_> = (0..9).map(|n| format!("  s{n}: {{image: 'n{n}:1'}}\n")).collect();
    let services = services.concat();
    let sources = [Source::new("compose.yml", format!("services:\n{services}"))];
    let images = deployed(&sources);
    for spoilers in [&["n4"][..], &["n0"], &["n8"], &["n1", "n7"], &[]] {
        let reads = std::cell::Cell::new(0);
        let again = |change: &[Changed]| {
            reads.set(reads.get() + 1);
            let spoilt = spoilers.iter().any(|name| change[0].text.contains(&digest(name)));
            let files = if spoilt { Vec::new() } else { changed(&sources, change) };
            Ok::<_, Infallible>(deployed(&files))
        };
        let wanted = images.iter().map(|it| by_name(&it.image).map(|digest| Wanted { digest, tag: None })).collect();
        let settled = settle(&images, wanted, &Arc::clone, &again).unwrap();
        let refused: Vec<_> = settled.refused.iter().map(|(index, _)| format!("n{index}")).collect();
        assert_eq!(refused, spoilers);
        assert_eq!(settled.changed[0].splices.len(), 9 - spoilers.len());
        assert!(reads.get() <= 4 + 8 * spoilers.len(), "{} reads", reads.get());
    }
}

#[test]
fn what_could_not_be_read_afterwards_is_not_written() {
    let sources = [Source::new("compose.yml", "services: {a: {image: 'a:1'}, b: {image: 'b:1'}}\n")];
    let images = deployed(&sources);
    let again = |change: &[Changed]| {
        let complete = !change[0].text.contains(&digest("b"));
        let images = deployed(&changed(&sources, change)).into_iter().map(|it| Deployed { complete, ..it });
        Ok::<_, Infallible>(images.collect())
    };
    let wanted = images.iter().map(|it| by_name(&it.image).map(|digest| Wanted { digest, tag: None })).collect();
    let settled = settle(&images, wanted, &Arc::clone, &again).unwrap();
    let why = "with its digest written what deploys it could not be read any more";
    assert_eq!(settled.refused, [(1, why.to_owned())]);
    assert_eq!(settled.changed[0].splices.len(), 1);
}

/// Files of a few services in many spellings.
fn compose() -> impl Strategy<Value = String> {
    let image = prop::sample::select(vec![
        "app:1",
        "'app:1'",
        "\"web:2\"",
        "ghcr.io/o/x:3",
        "&a app:1",
        "*a",
        "web:2   # c",
        "|-\n      db:4",
        ">-\n      db:4",
        "app:1@PIN",
        "'web:2@PIN'",
        "${X:-app:1}",
        "${Y}",
        "",
    ]);
    let service = (image, prop::bool::ANY).prop_map(|(image, twice)| {
        let more = if twice { "    labels: {a: 'app:1'}\n" } else { "" };
        (image, format!("    image: {image}\n{more}"))
    });
    let services = prop::collection::vec(service, 1..6);
    (services, prop::sample::select(vec!["\n", "\r\n"]), prop::bool::ANY).prop_map(|(services, end, cut)| {
        let mut text = "services:\n".to_owned();
        let mut anchored = false;
        for (index, (image, service)) in services.iter().enumerate() {
            if *image == "*a" && !anchored {
                continue;
            }
            anchored |= image.starts_with('&');
            text.extend(["  s", &index.to_string(), ":\n", service]);
        }
        let text = text.replace("PIN", &digest("pin")).replace('\n', end);
        if cut { text.trim_end().to_owned() } else { text }
    })
}

#[test]
fn pinning_twice_is_pinning_once_and_going_back_gives_the_bytes() {
    let mut runner =
        TestRunner::new_with_rng(Config::with_cases(400), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&compose(), |text| {
            let unpinned = |image: &LocatedImage| by_name(image).filter(|_| !image.reference().unwrap().is_pinned());
            let (once, refused) = pinned("compose.yml", &text, unpinned);
            prop_assert!(refused.is_empty(), "{text}: {refused:?}");
            prop_assert_eq!(&pinned("compose.yml", &once, unpinned).0, &once);
            let digests: BTreeMap<_, _> = ["app", "web", "o/x", "db"].map(|name| (name, digest(name))).into();
            let bare = digests.values().fold(once.clone(), |text, digest| text.replace(&format!("@{digest}"), ""));
            prop_assert_eq!(bare, text.as_str(), "only digests were written");
            let moved = |image: &LocatedImage| {
                image.reference()?.digest().map(|old| old.replace("sha256:", "sha256:f")[..71].to_owned())
            };
            let (there, refused) = pinned("compose.yml", &once, moved);
            prop_assert!(refused.is_empty(), "{once}: {refused:?}");
            let before: Vec<_> = deployed(&[Source::new("compose.yml", once.as_str())])
                .iter()
                .map(|it| it.image.reference().and_then(|reference| reference.digest().map(str::to_owned)))
                .collect();
            let index = std::cell::Cell::new(0);
            let back = |_: &LocatedImage| {
                index.set(index.get() + 1);
                before.get(index.get() - 1).cloned().flatten()
            };
            prop_assert_eq!(pinned("compose.yml", &there, back).0, once);
            Ok(())
        })
        .unwrap();
}

/// A registry of a few answers.
#[derive(Default)]
struct Registry {
    served: BTreeMap<String, Answer<Served>>,
    described: BTreeMap<String, Description>,
}

impl Registry {
    fn tag(mut self, name: &str, digest: &str) -> Self {
        let media_type = "application/vnd.oci.image.index.v1+json".to_owned();
        self.served.insert(name.to_owned(), Answer::Found(Served { digest: digest.to_owned(), media_type }));
        self
    }

    fn description(mut self, digest: &str, content: Content, created: &str) -> Self {
        let description = Description {
            digest: digest.to_owned(),
            media_type: String::new(),
            content,
            created: created.parse().ok(),
        };
        self.described.insert(digest.to_owned(), description);
        self
    }
}

impl Answers for Registry {
    fn served(&self, asked: &[Asked]) -> Vec<Answer<Served>> {
        asked.iter().map(|asked| self.served.get(&asked.to_string()).cloned().unwrap_or(Answer::Missing)).collect()
    }

    fn describe(&self, asked: &[Asked]) -> Vec<Answer<Description>> {
        let found = |asked: &Asked| match &asked.object {
            Object::Digest(digest) => self.described.get(digest).cloned().map_or(Answer::Missing, Answer::Found),
            Object::Tag(_) => Answer::Missing,
        };
        asked.iter().map(found).collect()
    }
}

fn amd64() -> Platform {
    Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), ..Platform::default() }
}

fn ages(cooldown_days: Option<i64>) -> Ages {
    let cooldown = cooldown_days.map(|days| jiff::SignedDuration::from_hours(24 * days));
    Ages { cooldown, first_seen: None, now: "2026-11-10T00:00:00Z".parse().unwrap() }
}

fn images_of(text: &str) -> Vec<Deployed> {
    deployed(&[Source::new("compose.yml", text)])
}

fn index_of(digest_of_amd64: &str) -> Content {
    let arm = Platform { architecture: "arm64".to_owned(), ..amd64() };
    Content::Index(vec![(arm, digest("arm")), (amd64(), digest_of_amd64.to_owned())])
}

#[test]
fn a_tag_is_followed_and_one_platform_stays_one_platform() {
    let old = digest("old");
    let images = images_of(&format!("services: {{a: {{image: 'app:1@{old}'}}}}\n"));
    let registry = Registry::default()
        .tag("docker.io/library/app:1", &digest("new"))
        .description(&old, Content::Image(amd64()), "2026-10-01T00:00:00Z")
        .description(&digest("new"), index_of(&digest("new-amd")), "2026-11-01T00:00:00Z");
    let choices = refresh(&images, &Selection::default(), &mut ages(None), &registry);
    let [Choice::Move(chosen)] = choices.as_slice() else { panic!("{choices:?}") };
    assert_eq!(chosen.digest, digest("new-amd"));
    assert_eq!(chosen.platforms, [amd64()]);
    assert_eq!(chosen.note.as_deref(), Some("stays pinned to one platform, linux/amd64, of 2"));
    let same = Registry::default()
        .tag("docker.io/library/app:1", &digest("new"))
        .description(&old, Content::Image(amd64()), "")
        .description(&digest("new"), index_of(&old), "");
    assert!(matches!(refresh(&images, &Selection::default(), &mut ages(None), &same)[0], Choice::Current));
}

#[test]
fn a_cooldown_waits_from_the_creation_or_the_first_sight() {
    let old = digest("old");
    let images = images_of(&format!("services: {{a: {{image: 'app:1@{old}'}}}}\n"));
    let registry = |created: &str| {
        Registry::default()
            .tag("docker.io/library/app:1", &digest("new"))
            .description(&old, index_of("x"), "")
            .description(&digest("new"), index_of("y"), created)
    };
    let choose =
        |created: &str, ages: &mut Ages| refresh(&images, &Selection::default(), ages, &registry(created)).remove(0);
    assert!(matches!(choose("2026-11-01T00:00:00Z", &mut ages(Some(3))), Choice::Move(_)));
    let Choice::Left(why) = choose("2026-11-08T00:00:00Z", &mut ages(Some(3))) else { panic!() };
    assert!(why.ends_with("was created 2026-11-08, and is taken from 2026-11-11 on"), "{why}");
    let Choice::Left(why) = choose("1970-01-01T00:00:00Z", &mut ages(Some(3))) else { panic!() };
    assert!(why.contains("has no creation date"), "{why}");
    let mut seen = ages(Some(3));
    seen.first_seen = Some(BTreeMap::new());
    assert!(matches!(choose("1970-01-01T00:00:00Z", &mut seen), Choice::Left(_)));
    assert_eq!(seen.first_seen.as_ref().unwrap().get(&digest("new")), Some(&seen.now));
    seen.now = "2026-11-14T00:00:00Z".parse().unwrap();
    assert!(matches!(choose("1970-01-01T00:00:00Z", &mut seen), Choice::Move(_)));
}

#[test]
fn the_three_states_stay_apart() {
    let images =
        images_of("services: {a: {image: 'app:1'}, b: {image: 'web:1'}, c: {image: 'db:1'}, d: {image: '${X}'}}\n");
    let mut registry = Registry::default().tag("docker.io/library/app:1", &digest("app"));
    let open = Unanswered { reason: "429".to_owned(), help: "log in".to_owned() };
    registry.served.insert("docker.io/library/web:1".to_owned(), Answer::Unanswered(open));
    let choices = pin(&images, &Selection::default(), &registry);
    assert!(matches!(&choices[0], Choice::Move(chosen) if chosen.digest == digest("app")));
    assert!(matches!(&choices[1], Choice::Missed(Missed::Unchecked(open)) if open.reason == "429"));
    assert!(matches!(&choices[2], Choice::Missed(Missed::NotThere(_))));
    assert!(matches!(&choices[3], Choice::Missed(Missed::Undecided(_))));
}

#[test]
fn only_what_is_selected_is_asked_for() {
    let images = images_of("services: {a: {image: 'app:1'}, b: {image: 'web:1'}}\n");
    let registry = Registry::default()
        .tag("docker.io/library/app:1", &digest("app"))
        .tag("docker.io/library/web:1", &digest("web"));
    let moved = |selection: &Selection| -> Vec<bool> {
        pin(&images, selection, &registry).iter().map(|choice| matches!(choice, Choice::Move(_))).collect()
    };
    let web = vec![Repositories::new("docker.io/library/w*").unwrap()];
    assert_eq!(moved(&Selection { images: web.clone(), ..Selection::default() }), [false, true]);
    assert_eq!(moved(&Selection { services: vec!["a".to_owned()], ..Selection::default() }), [true, false]);
    assert_eq!(moved(&Selection { ignored: web, ..Selection::default() }), [true, false]);
}

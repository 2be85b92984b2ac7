//! The three states of an answer, held against a registry of a few lines.

use std::sync::Arc;

use super::*;
use crate::manifest::{Alone, read};
use crate::resolution::{Asked, Description, Object, Served, Unanswered};
use crate::source::Source;
use crate::yaml::Tree;

fn digest(name: &str) -> String {
    let hex = name.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("sha256:{hex:0<64}")
}

/// Has every digest but `gone`, and says nothing of `open`.
struct Registry;

impl Answers for Registry {
    fn served(&self, asked: &[Asked]) -> Vec<Answer<Served>> {
        let answer = |asked: &Asked| {
            let Object::Digest(asked) = &asked.object else { panic!("a tag was asked for") };
            if *asked == digest("gone") {
                Answer::Missing
            } else if *asked == digest("open") {
                Answer::Unanswered(Unanswered { reason: "down".to_owned(), help: "run again".to_owned() })
            } else {
                Answer::Found(Served { digest: asked.clone(), media_type: String::new() })
            }
        };
        asked.iter().map(answer).collect()
    }

    fn describe(&self, _: &[Asked]) -> Vec<Answer<Description>> {
        panic!("no manifest is needed")
    }
}

#[test]
fn only_what_the_registry_still_has_is_returned_to() {
    let names = ["there", "gone", "open"];
    let service = |name: &str| format!("  {name}: {{image: 'app:1@{}'}}\n", digest("now"));
    let text = format!("services:\n{}", names.map(service).concat());
    let images = read(&Source::new("compose.yml", text), &Alone, &mut Tree::default()).images;
    let deployed = |image| Deployed {
        image,
        environment: Arc::from("production"),
        enforced: true,
        whole: Arc::default(),
        complete: true,
    };
    let images: Vec<_> = images.into_iter().map(deployed).collect();
    let chosen = |name: &str| {
        Choice::Move(Chosen {
            from: Some(digest("now")),
            digest: digest(name),
            tag: None,
            platforms: Vec::new(),
            created_before: None,
            created: None,
            note: Some("as committed".to_owned()),
        })
    };
    let mut choices = names.map(chosen);
    confirm(&images, &mut choices, Some(&Registry));
    assert!(matches!(&choices[0], Choice::Move(chosen) if chosen.note.as_deref() == Some("as committed")));
    assert!(
        matches!(&choices[1], Choice::Missed(Missed::NotThere(why)) if why.starts_with("the registry no longer has"))
    );
    assert!(matches!(&choices[2], Choice::Missed(Missed::Unchecked(open)) if open.reason == "down"));
    let mut choices = names.map(chosen);
    confirm(&images, &mut choices, None);
    let note = "as committed; whether the registry still has it was not asked (`--offline`)";
    assert!(
        choices.iter().all(|choice| matches!(choice, Choice::Move(chosen) if chosen.note.as_deref() == Some(note)))
    );
}

//! Holds what is read from one file against `docker-compose config`, with an empty environment.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::program::has_referee;
use digest_gate::manifest::{self, Absent, Beside, State};
use digest_gate::source::Source;
use digest_gate::yaml::Tree;

/// Files that Compose takes; the text before a line `===` is the `.env` file.
const TAKEN: &[&str] = &[
    "services: {a: {image: x}}",
    "services: {a: {image: 'x:1', build: .}}",
    "services: {a: {build: .}}",
    "services: {a: {image: '', build: .}}",
    "services: {a: {image: !!str 5}}",
    "services:\n  a:\n    image: >-\n      x\n      y\n",
    "services:\n  a:\n    image: |\n      x\n",
    "services: {a: {image: \"\\x78\"}}",
    "services: {a: {image: 'x$$y'}}",
    "services: {a: {image: 'x$'}}",
    "services: {a: {image: 'x$1'}}",
    "services: {a: {image: 'x$-'}}",
    "services: {a: {image: '${A:-x}'}}",
    "services: {a: {image: '${A-x}'}}",
    "services: {a: {image: '${A:-${B:-x}}'}}",
    "services: {a: {image: '${A:-a${B:-x}b}c'}}",
    "services: {a: {image: 'r/${A:-x}:${B-1}'}}",
    "services: {a: {image: '${A:-x}}'}}",
    "services: {a: {image: '${A:-a?b}'}}",
    "services: {a: {image: '${A-a:-b}'}}",
    "services: {a: {image: '${A:-x-y}'}}",
    "services: {a: {image: 'x${A:+y}'}}",
    "services: {a: {image: 'x${A+y}'}}",
    "services: {a: {image: '${A:-$$x}'}}",
    "services: {a: {image: '${A:-$}x'}}",
    "services: {a: {image: '$$$${A:-x}'}}",
    "services: {a: {image: '$$${A:-x}'}}",
    "A=x\n===\nservices: {a: {image: $A}}",
    "A=x\n===\nservices: {a: {image: '${A}:1'}}",
    "A=x\n===\nservices: {a: {image: '${A:+y}'}}",
    "A=x\n===\nservices: {a: {image: '${A?no}'}}",
    "A=\n===\nservices: {a: {image: '${A:-x}'}}",
    "A=\n===\nservices: {a: {image: 'y${A-x}'}}",
    "A='x # y' # z\n===\nservices: {a: {image: $A}}",
    "A=x # y\n===\nservices: {a: {image: $A}}",
    "A=x#y\n===\nservices: {a: {image: $A}}",
    "A= #y\n===\nservices: {a: {image: $A}}",
    "export A=x\n===\nservices: {a: {image: $A}}",
    "A: x\n===\nservices: {a: {image: $A}}",
    "B=x\nA=$B-${B}\n===\nservices: {a: {image: $A}}",
    "B=x\nA='$B'\n===\nservices: {a: {image: $A}}",
    "B=x\nA=\"$B\\\"\\\\t\\$B\\0101\"\n===\nservices: {a: {image: $A}}",
    "A=\"x\ny\"\n===\nservices: {a: {image: $A}}",
    "A='x\\'y'\n===\nservices: {a: {image: $A}}",
    "\u{feff}A=x\r\nB=y\r\n===\nservices: {a: {image: $A$B}}",
    "A=1\nA=2\n===\nservices: {a: {image: $A}}",
    "A=x B=y\n===\nservices: {a: {image: $A}}",
    "A=\"x\" B=y\n===\nservices: {a: {image: $A$B}}",
    "x-a: &a {image: x}\nservices: {a: {<<: *a}, b: {<<: *a, image: y}}",
    "x-a: &a {image: x}\nx-b: &b {image: y}\nservices: {a: {<<: [*b, *a]}}",
    "x-a: &a {image: x}\nx-b: &b {<<: *a}\nservices: {a: {<<: *b}}",
    "services: {<<: {z: {image: x}}, a: {image: y}}",
    "<<: {services: {z: {image: x}}}",
    "services: {a: {!!merge <<: {image: z}}}",
    "x-a: &a {image: x}\nservices: {a: {<<: *a, image: !reset null, build: .}}",
    "services: {a: !reset {image: x}, b: {image: y}}",
    "services: {a: {image: !override x}}",
    "services: {a: {image: x, build: !reset null}}",
    "services: {a: {image: x}, b: {extends: a}}",
    "services: {a: {image: x}, b: {extends: {service: a}, image: y}}",
    "services: {a: {image: x}, b: {extends: a, image: !reset null, build: .}}",
    "services: {a: {build: .}, b: {extends: a, image: y}}",
    "services: {a: {image: x}, b: {extends: a}, c: {extends: b}}",
];

/// Files that Compose refuses: nothing in them may pass for proven.
const REFUSED: &[&str] = &[
    "services: {a: {image: '${'}}",
    "services: {a: {image: '${}'}}",
    "services: {a: {image: '${A'}}",
    "services: {a: {image: '${A!b}'}}",
    "services: {a: {image: '${-x}'}}",
    "services: {a: {image: '${A:-x'}}",
    "services: {a: {image: '${A:?no}'}}",
    "services: {a: {image: '${A:x}'}}",
    "services: {a: {image: [x]}}",
    "services: {a: {image: {x: y}}}",
    "services: {a: {image: *no}}",
    "services: {a: {image: x, image: y}}",
    "services: {a: {extends: no}}",
    "services: {a: {extends: b}, b: {extends: a}}",
    "A='x\n===\nservices: {a: {image: '${A:-x}'}}",
    "A B=x\n===\nservices: {a: {image: '${A:-x}'}}",
];

/// One folder of files.
struct Folder<'a>(&'a Path);

impl Beside for Folder<'_> {
    fn open(&self, _: &Source, path: &str) -> Result<Arc<Source>, Absent> {
        let text = std::fs::read_to_string(self.0.join(path)).map_err(|_| Absent::NotThere)?;
        Ok(Source::new(path, text))
    }
}

fn write(folder: &Path, case: &str) -> String {
    let (env, text) = case.split_once("===\n").unwrap_or(("", case));
    std::fs::write(folder.join(".env"), env).unwrap();
    std::fs::write(folder.join("compose.yml"), text).unwrap();
    text.to_owned()
}

/// The images of all services; `None` where Compose refuses the file.
fn referee(folder: &Path) -> Option<BTreeSet<String>> {
    let output = Command::new("docker-compose")
        .args(["-f", "compose.yml", "config", "--no-path-resolution", "--no-normalize", "--format", "json"])
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .unwrap();
    if !output.status.success() {
        return None;
    }
    let model: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let images = model["services"].as_object()?.values().filter_map(|service| service["image"].as_str());
    // `config` writes a `$` as `$$`, so that its output can be read again.
    Some(images.map(|image| image.replace("$$", "$")).collect())
}

#[test]
fn the_images_are_those_of_docker_compose() {
    if !has_referee("docker-compose") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for case in TAKEN {
        let source = Source::new("compose.yml", write(folder, case));
        let found = manifest::read(&source, &Folder(folder), &mut Tree::default());
        let ours: BTreeSet<String> = found.images.iter().filter_map(|i| i.effective()).map(str::to_owned).collect();
        assert_eq!(Some(ours), referee(folder), "{case}");
        assert!(found.unreadable.is_empty(), "{case}");
    }
    for case in REFUSED {
        let source = Source::new("compose.yml", write(folder, case));
        let found = manifest::read(&source, &Folder(folder), &mut Tree::default());
        assert_eq!(referee(folder), None, "{case}");
        let undecided = found.images.iter().any(|image| matches!(image.state, State::Unresolved { .. }));
        assert!(undecided || !found.unreadable.is_empty(), "{case}: {:?}", found.images);
    }
}

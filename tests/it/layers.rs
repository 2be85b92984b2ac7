//! The layers of `src/lib.rs`: a module uses only its own layer and those before it.

use std::fs;
use std::path::{Path, PathBuf};

const LAYERS: &[&[&str]] = &[
    &["source", "reference", "edit", "resolution", "http"],
    &["yaml"],
    &["manifest"],
    &["finding", "rule"],
    &["policy", "exception"],
    &["walk"],
    &["gate"],
    &["registry", "history", "signature", "scan"],
    &["commit", "init", "pin", "rollback", "verify"],
    &["report"],
    &["runner", "github"],
    &["command", "cli"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// The modules of this crate that a text names.
fn used(text: &str) -> impl Iterator<Item = &str> {
    text.split("crate::").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
}

#[test]
fn a_module_uses_only_layers_before_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    for file in files(&source) {
        let relative = file.strip_prefix(&source).unwrap().to_str().unwrap();
        let module = relative.split(['/', '.']).next().unwrap();
        if matches!(module, "lib" | "main") {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{relative}: add `{module}` to the layers"));
        let text = fs::read_to_string(&file).unwrap();
        for other in used(&text).filter(|other| layer(other).is_some()) {
            assert!(layer(other) <= Some(own), "{relative} uses `{other}`, which is a later layer");
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} uses were seen");
}

#[test]
fn every_file_says_what_it_is_for() {
    for folder in ["src", "tests"] {
        let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
        for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "rs")) {
            let text = fs::read_to_string(file).unwrap();
            assert!(text.starts_with("//! "), "{}", file.display());
        }
    }
}

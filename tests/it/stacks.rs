//! Holds stacks of several files against `docker-compose config`, with an empty environment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::program::has_referee;
use digest_gate::manifest::compose::stack::{self, Stack};
use digest_gate::manifest::{Absent, Beside, LocatedImage, State};
use digest_gate::source::Source;

mod cases;
mod random;

/// One folder of files.
struct Folder<'a>(&'a Path);

impl Folder<'_> {
    fn at(&self, path: &Path) -> Result<Arc<Source>, Absent> {
        let whole = self.0.join(path);
        if whole.is_dir() {
            return Err(Absent::Folder);
        }
        let text = std::fs::read_to_string(whole).map_err(|_| Absent::NotThere)?;
        Ok(Source::new(path.to_str().unwrap(), text))
    }
}

impl Beside for Folder<'_> {
    fn open(&self, from: &Source, path: &str) -> Result<Arc<Source>, Absent> {
        let mut parts = PathBuf::from(from.path());
        parts.pop();
        for part in Path::new(path) {
            match part.to_str() {
                Some("..") => drop(parts.pop()),
                Some(".") => {}
                _ => parts.push(part),
            }
        }
        self.at(&parts)
    }
}

/// The options of `docker-compose` in the first line, then each file behind `=== path`.
struct Case {
    options: Vec<String>,
    files: Vec<(String, String)>,
}

impl Case {
    fn of(text: &str) -> Self {
        let (options, rest) = text.trim_start().split_once('\n').unwrap();
        let files = rest.split("=== ").skip(1).map(|file| {
            let (path, text) = file.split_once('\n').unwrap();
            (path.trim().to_owned(), text.to_owned())
        });
        Self { options: options.split_whitespace().map(str::to_owned).collect(), files: files.collect() }
    }

    fn write(&self, folder: &Path) {
        for (path, text) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    fn option(&self, name: &str) -> Vec<&str> {
        self.options.chunks(2).filter(|pair| pair[0] == name).map(|pair| pair[1].as_str()).collect()
    }

    fn ours(&self, folder: &Path) -> (BTreeMap<String, BTreeSet<String>>, Vec<String>) {
        let beside = Folder(folder);
        let read = |name: &str| self.option(name).iter().map(|path| beside.at(Path::new(path)).unwrap()).collect();
        let (files, env_files): (Vec<_>, Vec<_>) = (read("-f"), read("--env-file"));
        let profiles: Vec<_> = self.option("--profile").iter().map(|&profile| profile.to_owned()).collect();
        let profiles = Some(profiles.as_slice());
        let effective = stack::effective(&Stack { files: &files, env_files: &env_files, profiles }, &beside);
        let mut problems: Vec<_> = effective.unreadable.into_iter().map(|problem| problem.message).collect();
        let unresolved = |image: &LocatedImage| matches!(image.state, State::Unresolved { .. });
        for image in effective.services.values().flatten().filter(|image| unresolved(image)) {
            problems.push(format!("{} is unresolved", image.field));
        }
        let services = effective.services.into_iter();
        (services.map(|(name, images)| (name, images.iter().map(shown).collect())).collect(), problems)
    }

    fn referee(&self, folder: &Path) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
        let output = Command::new("docker-compose")
            .args(&self.options)
            .args(["config", "--no-path-resolution", "--format", "json"])
            .current_dir(folder)
            .env_clear()
            .env("HOME", folder)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .output()
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let model: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let services = model["services"].as_object().cloned().unwrap_or_default();
        Ok(services.into_iter().map(|(name, service)| (name, images_of(&service))).collect())
    }
}

fn shown(image: &LocatedImage) -> String {
    match (&image.state, image.effective()) {
        (State::Built, _) if image.written.is_empty() => "built".to_owned(),
        (_, Some(text)) => text.to_owned(),
        _ => image.written.clone(),
    }
}

fn images_of(service: &serde_json::Value) -> BTreeSet<String> {
    // `config` writes a `$` as `$$`, so that its output can be read again.
    let text = |value: &serde_json::Value| value.as_str().map(|text| text.replace("$$", "$"));
    let mut images = BTreeSet::new();
    match text(&service["image"]) {
        Some(image) => drop(images.insert(image)),
        None => drop(images.insert("built".to_owned())),
    }
    for volume in service["volumes"].as_array().into_iter().flatten().filter(|volume| volume["type"] == "image") {
        images.extend(text(&volume["source"]));
    }
    for (_, context) in service["build"]["additional_contexts"].as_object().into_iter().flatten() {
        images.extend(text(context).and_then(|text| Some(text.strip_prefix("docker-image://")?.to_owned())));
    }
    images
}

/// How two readings compare.
enum Compared {
    /// Both read the same.
    Taken,
    /// Both refuse.
    Refused,
    /// We refuse what releases of Compose read in different ways, or one release by chance.
    Disputed,
    Differing(String),
}

fn is_disputed(problem: &str) -> bool {
    problem.starts_with("releases of Compose disagree") || problem.contains("by chance")
}

fn compare(case: &Case) -> Compared {
    let folder = tempfile::Builder::new().prefix("stack").tempdir().unwrap();
    case.write(folder.path());
    let (ours, problems) = case.ours(folder.path());
    match case.referee(folder.path()) {
        Err(_) if !problems.is_empty() => Compared::Refused,
        Err(error) => Compared::Differing(format!("docker-compose refuses: {error}\nwe find {ours:?}")),
        Ok(theirs) if problems.is_empty() && theirs == ours => Compared::Taken,
        Ok(_) if problems.iter().any(|problem| is_disputed(problem)) => Compared::Disputed,
        Ok(theirs) => {
            Compared::Differing(format!("docker-compose finds {theirs:?}\nwe find            {ours:?}\n{problems:?}"))
        }
    }
}

fn hold(cases: impl Iterator<Item = Case>, name: &str) {
    if !has_referee("docker-compose") {
        return;
    }
    let (mut taken, mut refused, mut disputed, mut differing) = (0, 0, 0, Vec::new());
    for case in cases {
        match compare(&case) {
            Compared::Taken => taken += 1,
            Compared::Refused => refused += 1,
            Compared::Disputed => disputed += 1,
            Compared::Differing(what) => differing.push(format!("{}\n{what}", case.shown())),
        }
    }
    let line = format!(
        "\n{name} stacks: {taken} read alike, {refused} refused by both, {disputed} in dispute between releases, {} differing\n",
        differing.len()
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    let shown: Vec<_> = differing.iter().take(12).cloned().collect();
    assert!(differing.is_empty(), "{}", shown.join("\n--------\n"));
    assert!(disputed * 5 <= taken, "too many stacks are left undecided");
}

impl Case {
    fn shown(&self) -> String {
        let files = self.files.iter().map(|(path, text)| format!("=== {path}\n{text}"));
        format!("{}\n{}", self.options.join(" "), files.collect::<String>())
    }
}

/// The files of every stack by hand and of some random ones, each with the configuration that names it.
pub(crate) fn trees(random: u64) -> impl Iterator<Item = Vec<(String, String)>> {
    let by_hand = cases::CASES.iter().map(|text| Case::of(text));
    by_hand.chain((0..random).map(random::stack)).map(|case| {
        let list = |name: &str| case.option(name).join(", ");
        let env_file = case.option("--env-file").first().map(|file| format!(", env-file: {file}")).unwrap_or_default();
        let profiles = if case.option("--profile").is_empty() {
            String::new()
        } else {
            format!(
                ", profiles: [{}]",
                case.option("--profile").iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
            )
        };
        let stack = format!("{{files: [{}]{env_file}{profiles}}}", list("-f"));
        let configuration = format!("version: 1\nenvironments: {{production: {{stacks: [{stack}]}}}}\n");
        let mut files = case.files;
        files.push(("digest-gate.yml".to_owned(), configuration));
        files
    })
}

#[test]
fn handwritten_stacks_are_those_of_docker_compose() {
    hold(cases::CASES.iter().map(|text| Case::of(text)), "handwritten");
}

#[test]
fn random_stacks_are_those_of_docker_compose() {
    let count = std::env::var("STACKS").ok().and_then(|count| count.parse().ok()).unwrap_or(150);
    let seed = std::env::var("STACKS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    hold((0..count).map(|index| random::stack(seed + index)), "random");
}

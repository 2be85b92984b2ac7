//! Charts judged as they are deployed, held against the real `helm template`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use digest_gate::manifest::helm::chart::{Chart, read, values_as_json};
use digest_gate::manifest::{Alone, Found, LocatedImage, State, read as read_manifest};
use digest_gate::source::Source;
use digest_gate::yaml::Tree;

/// A chart in a folder, as the program would list it.
struct Listed {
    chart: Arc<Source>,
    values: Vec<Arc<Source>>,
    files: Vec<Arc<Source>>,
    archives: Vec<String>,
}

impl Listed {
    fn new(folder: &Path, values: &[PathBuf]) -> Self {
        let source = |path: &Path| Some(Source::new(path.to_str()?, fs::read_to_string(path).ok()?));
        let mut paths = Vec::new();
        walk(folder, &mut paths);
        let archives = paths.iter().filter(|path| path.extension().is_some_and(|it| it == "tgz"));
        Self {
            chart: source(&folder.join("Chart.yaml")).unwrap(),
            values: values.iter().filter_map(|path| source(path)).collect(),
            archives: archives.map(|path| path.to_str().unwrap().to_owned()).collect(),
            files: paths.iter().filter_map(|path| source(path)).collect(),
        }
    }

    fn chart(&self) -> Chart<'_> {
        Chart { chart: &self.chart, values: &self.values, files: &self.files, archives: &self.archives }
    }
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

fn is_helm_there() -> bool {
    let is_there = Command::new("helm").arg("version").output().is_ok();
    if !is_there {
        // Written past the capture of the test runner: it must be seen.
        let line = b"\n*** SKIPPED: `helm` is not on PATH, charts are NOT held against it ***\n";
        std::io::stderr().write_all(line).unwrap();
    }
    is_there
}

fn say(line: &str) {
    std::io::stderr().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// What Helm renders; its complaint where it renders nothing.
fn template(folder: &Path, values: &[PathBuf]) -> Result<String, String> {
    let mut command = Command::new("helm");
    command.args(["template", "rel"]).arg(folder);
    for path in values {
        command.arg("-f").arg(path);
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// The images in what Helm renders, each with the template that renders it.
fn rendered_images(rendered: &str) -> BTreeSet<(String, String)> {
    let mut images = BTreeSet::new();
    for document in format!("\n{rendered}").split("\n---\n") {
        let template = document.lines().find_map(|line| line.strip_prefix("# Source: ")).unwrap_or_default();
        let found = read_manifest(&Source::new("r.yaml", document), &Alone, &mut Tree::default());
        images.extend(found.images.iter().map(|image| (image.written.clone(), template.to_owned())));
    }
    images
}

/// What is wrong with what was found, next to what Helm renders.
fn differences(found: &Found, rendered: &str) -> Vec<String> {
    let ours: BTreeSet<_> = found.images.iter().filter_map(|image| image.effective().map(str::to_owned)).collect();
    let theirs = rendered_images(rendered);
    let mut wrong = Vec::new();
    for (image, template) in &theirs {
        let file = template.split_once('/').map_or("", |(_, file)| file);
        let is_covered = |found: &LocatedImage| {
            matches!(found.state, State::Unresolved { .. })
                && (found.place.source.path().ends_with(file)
                    || found.related.iter().any(|it| it.place.source.path().ends_with(file)))
        };
        if !ours.contains(image) && !found.images.iter().any(is_covered) {
            wrong.push(format!("missing {image} of {template}"));
        }
    }
    let is_decided = found.unreadable.is_empty() && !found.images.iter().any(|it| it.effective().is_none());
    let extra = ours.iter().filter(|image| !theirs.iter().any(|(it, _)| it == *image));
    if is_decided {
        wrong.extend(extra.map(|image| format!("not rendered {image}")));
    }
    wrong
}

fn line_of(image: &LocatedImage, folder: &str) -> String {
    let place = |place: &digest_gate::source::Place| {
        let at = place.start();
        format!("{}:{}:{}", place.source.path().trim_start_matches(folder).trim_start_matches('/'), at.line, at.column)
    };
    let related: Vec<_> = image.related.iter().map(|it| place(&it.place)).collect();
    format!("{} {} {} {} [{}]", place(&image.place), image.field, image.written, image.status(), related.join(" "))
}

/// Every chart below a folder named by `CHARTS`; not part of the usual run.
#[test]
#[ignore = "needs a folder of charts, named by CHARTS"]
fn real_charts_are_read_as_helm_renders_them() {
    let root = PathBuf::from(std::env::var("CHARTS").unwrap());
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let (mut compared, mut wrong, mut unresolved, mut images) = (0, 0, 0, 0);
    for path in paths.iter().filter(|path| path.file_name().is_some_and(|name| name == "Chart.yaml")) {
        let folder = path.parent().unwrap();
        let start = std::time::Instant::now();
        let listed = Listed::new(folder, &[]);
        let found = read(&listed.chart());
        let took = start.elapsed();
        let rendered = template(folder, &[]);
        let state = match &rendered {
            Err(error) => format!("helm: {}", error.lines().next().unwrap_or_default()),
            Ok(rendered) => {
                compared += 1;
                let differences = differences(&found, rendered);
                wrong += usize::from(!differences.is_empty());
                differences.join("\n     ")
            }
        };
        images += found.images.len();
        say(&format!(
            "{} {took:?} {} images, {} unreadable {state}",
            folder.display(),
            found.images.len(),
            found.unreadable.len()
        ));
        for unreadable in &found.unreadable {
            say(&format!(
                "  ! {} {:?} {}",
                unreadable.place.source.path(),
                unreadable.place.start(),
                unreadable.message
            ));
        }
        for image in found.images.iter() {
            unresolved += usize::from(image.effective().is_none());
            if image.effective().is_none() || std::env::var("ALL").is_ok() {
                say(&format!("  - {}", line_of(image, folder.to_str().unwrap())));
            }
        }
    }
    say(&format!("{compared} compared, {wrong} differing, {images} images, {unresolved} unresolved"));
    assert_eq!(wrong, 0);
}

//! Charts judged as they are deployed, held against the real `helm template`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

mod cases;

use crate::program::has_referee;
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

/// What is wrong with what was found, next to what Helm renders: an image that is missing, or one that is nowhere in it
/// although everything was decided. `may_be_more`: a cluster decides what is rendered.
fn differences(found: &Found, rendered: &str, may_be_more: bool) -> Vec<String> {
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
    // Images outside of containers, for an operator, are found as well.
    let extra = extra.filter(|image| !rendered.contains(image.as_str()));
    if is_decided && !may_be_more {
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
                let differences = differences(&found, rendered, false);
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
        for image in &found.images {
            unresolved += usize::from(image.effective().is_none());
            if image.effective().is_none() || std::env::var("ALL").is_ok() {
                say(&format!("  - {}", line_of(image, folder.to_str().unwrap())));
            }
        }
    }
    say(&format!("{compared} compared, {wrong} differing, {images} images, {unresolved} unresolved"));
    assert_eq!(wrong, 0);
}

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Writes a case into a folder of its own; the values file of its environment.
fn write_case(case: &str, folder: &Path) -> Vec<PathBuf> {
    let mut values = Vec::new();
    fs::write(folder.join("Chart.yaml"), cases::CHART).unwrap();
    for file in case.split("=== ").skip(1) {
        let (name, text) = file.split_once('\n').unwrap();
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    image: ";
        let text: Vec<_> = text
            .lines()
            .map(|line| line.strip_prefix("pod ").map_or(line.to_owned(), |image| format!("{pod}{image}")))
            .collect();
        fs::write(&path, (text.join("\n") + "\n").replace("HEX", HEX)).unwrap();
        if name == "prod.yaml" {
            values.push(path);
        }
    }
    values
}

fn found_lines(found: &Found, folder: &str) -> String {
    let images = found.images.iter().map(|image| line_of(image, folder).replace(HEX, "HEX") + "\n");
    let unreadable = found.unreadable.iter().map(|it| format!("unreadable {}\n", it.message));
    images.chain(unreadable).collect()
}

/// The files of every chart by hand, each with the configuration that names it.
pub(crate) fn trees() -> impl Iterator<Item = Vec<(String, String)>> {
    cases::CASES.iter().map(|case| {
        let folder = tempfile::tempdir().unwrap();
        let values = if write_case(case, folder.path()).is_empty() { "" } else { "c/prod.yaml" };
        let chart = format!("{{chart: c, values: [{values}]}}");
        let configuration = format!("version: 1\nenvironments: {{production: {{charts: [{chart}]}}}}\n");
        let mut paths = Vec::new();
        walk(folder.path(), &mut paths);
        let read = |path: &PathBuf| {
            let below = path.strip_prefix(folder.path()).unwrap().to_str().unwrap();
            (format!("c/{below}"), fs::read_to_string(path).unwrap())
        };
        paths.iter().map(read).chain([("digest-gate.yml".to_owned(), configuration)]).collect()
    })
}

#[test]
fn charts_are_read_as_helm_renders_them() {
    let is_helm_there = has_referee("helm");
    let (mut compared, mut differing, mut all) = (0, Vec::new(), String::new());
    for case in cases::CASES {
        let folder = tempfile::tempdir().unwrap();
        let values = write_case(case, folder.path());
        let listed = Listed::new(folder.path(), &values);
        let found = read(&listed.chart());
        let lines = found_lines(&found, folder.path().to_str().unwrap());
        all.extend([case, "=== found\n", &lines, "\n"]);
        if !is_helm_there {
            continue;
        }
        match template(folder.path(), &values) {
            Ok(rendered) => {
                compared += 1;
                differing.extend(
                    differences(&found, &rendered, case.contains(".Capabilities"))
                        .iter()
                        .map(|it| format!("{case}{it}\n{rendered}")),
                );
            }
            Err(error) => {
                let is_told = !found.unreadable.is_empty() || found.images.iter().any(|it| it.effective().is_none());
                if !is_told {
                    differing.push(format!("{case}Helm fails: {error}"));
                }
            }
        }
    }
    say(&format!(
        "charts held against `helm template`: {compared} compared of {}, {} differing",
        cases::CASES.len(),
        differing.len()
    ));
    assert!(differing.is_empty(), "{}", differing.join("\n----------\n"));
    super::cli::snapshot("charts", &all);
}

/// A generator of its own, so that the same values come up everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap()]
    }

    /// A mapping in flow style, over names that come up again in others.
    fn mapping(&mut self, depth: u64) -> String {
        const NAMES: &[&str] = &["a", "b", "image", "tag", "global", "sub", "other", "on", "5"];
        let mut names: Vec<_> = (0..self.below(5)).map(|_| self.pick(NAMES)).collect();
        names.sort_unstable();
        names.dedup();
        let entries: Vec<_> = names.into_iter().map(|name| format!("{name}: {}", self.value(name, depth))).collect();
        format!("{{{}}}", entries.join(", "))
    }

    fn value(&mut self, name: &str, depth: u64) -> String {
        const SCALARS: &[&str] = &[
            "null",
            "~",
            "x",
            "'1'",
            "1.10",
            "yes",
            "0x1f",
            "0644",
            "''",
            "r.io/a:1",
            "1e3",
            "20240101",
            "2024-01-01",
            "!!str 1",
        ];
        match self.below(8) {
            // What is no table in the block of a sub-chart is an error of Helm.
            _ if matches!(name, "sub" | "other" | "global") => self.mapping(depth.saturating_sub(1)),
            0..3 if depth > 0 => self.mapping(depth - 1),
            3 => format!("[{}, {}]", self.pick(SCALARS), self.pick(SCALARS)),
            _ => self.pick(SCALARS).to_owned(),
        }
    }
}

/// The same values without the entries that are null, which templates cannot tell from those that are not there.
fn without_null(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value::{Array, Number, Object};
    match value {
        Object(entries) => {
            let mut left: Vec<_> = entries.into_iter().filter(|(_, value)| !value.is_null()).collect();
            left.sort_by(|a, b| a.0.cmp(&b.0));
            Object(left.into_iter().map(|(key, value)| (key, without_null(value))).collect())
        }
        Array(items) => Array(items.into_iter().map(without_null).collect()),
        Number(number) => number.as_f64().into(),
        value => value,
    }
}

#[test]
fn values_are_merged_as_helm_merges_them() {
    const MERGES: usize = 100;
    if !has_referee("helm") {
        return;
    }
    let mut random = Random(20_240_229);
    let (mut compared, mut differing) = (0, Vec::new());
    for _ in 0..MERGES {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let dependencies = "dependencies:\n- {name: sub, version: 0.1.0, repository: 'https://example.com'}\n- {name: sub, alias: other, version: 0.1.0, repository: 'https://example.com'}\n";
        write("Chart.yaml", &format!("{}{dependencies}", cases::CHART));
        write("templates/v.yaml", "values: {{ .Values | toJson }}\n");
        let mut texts = vec![random.mapping(3), random.mapping(2), random.mapping(3), random.mapping(3)];
        write("values.yaml", &texts[0]);
        write("charts/sub/Chart.yaml", &cases::CHART.replace("app", "sub").replace("subVersion", "appVersion"));
        write("charts/sub/values.yaml", &texts[1]);
        let values = vec![write("one.yaml", &texts[2]), write("two.yaml", &texts[3])];
        let listed = Listed::new(folder.path(), &values);
        let ours = values_as_json(&listed.chart()).unwrap();
        let Ok(rendered) = template(folder.path(), &values) else { continue };
        let theirs = rendered.lines().find_map(|line| line.strip_prefix("values: ")).unwrap();
        let read = |text: &str| without_null(serde_json::from_str(text).unwrap());
        compared += 1;
        if read(&ours) != read(theirs) {
            texts.push(format!("ours   {}\ntheirs {}", read(&ours), read(theirs)));
            differing.push(texts.join("\n"));
        }
    }
    say(&format!(
        "values held against `helm template`: {compared} compared of {MERGES}, {} differing",
        differing.len()
    ));
    assert!(differing.is_empty() && compared > MERGES / 2, "{}", differing.join("\n\n"));
}

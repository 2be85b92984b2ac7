//! GitLab CI: images of jobs and services, through variables of the same file.
//!
//! Source: the GitLab CI/CD YAML reference (`image`, `services`, `default`, `variables`, `extends`).

use std::sync::Arc;

use super::place;
use super::slot::{self, Elsewhere, Ending, Form};
use super::{Document, Found, Kind, LocatedImage, Reader, Related, State};
use crate::source::{Place, Source};
use crate::yaml::Node;

/// The kind.
pub static KIND: Kind = Kind {
    name: "gitlab",
    title: "GitLab CI",
    files: "`*.gitlab-ci.yml`, `.gitlab-ci.yml`, folders `.gitlab/ci/`, and YAML with `stages` and jobs with `script`",
    reads: "`image` and `services` at the top, under `default` and in each job, through `variables` of the file",
    decided: "`$NAME` and `${NAME}` by the `variables` of each job and of what it extends, then by those of the file, \
            also where these name one another; jobs that extend or inherit an image fill it with their own variables",
    unresolved: "variables that nothing in the file sets (`$CI_REGISTRY`, those of the project), inputs (`$[[ ]]`), \
            `!reference`: write the image out with its digest, or set the variable in the file",
    example: &[(
        ".gitlab-ci.yml",
        "variables:
  TAG: 1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
build:
  image: ghcr.io/org/build:$TAG
  script: make
test:
  image: ghcr.io/org/test:1.2.3
  services: ['$CI_REGISTRY/org/db:1.2.3']
  script: make test
",
    )],
    reader: Reader::Document(read),
};

/// Keys at the top that are no jobs.
const KEYWORDS: [&str; 6] = ["variables", "include", "stages", "workflow", "spec", "cache"];

/// Longest text and deepest chain of variables that is followed.
const MAX_TEXT: usize = 4096;
const MAX_DEPTH: usize = 8;

/// GitLab's limit of nested `extends`, and more layers than any job has.
const MAX_EXTENDS: usize = 11;
const MAX_LAYERS: usize = 64;

fn read(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    if !root.is_mapping() || !is_gitlab(document.source.path(), root) {
        return false;
    }
    let file = &File { source: document.source, root, used_elsewhere: Elsewhere::default() };
    read_job(file, &[Layer { name: None, node: root }], found);
    for (key, job) in root.entries() {
        let Some(name) = key.scalar() else { continue };
        if !KEYWORDS.contains(&name) && name != "image" && name != "services" && job.is_mapping() {
            let mut layers = Vec::new();
            extend(root, Layer { name: Some(name), node: job }, MAX_EXTENDS, &mut layers);
            if name != "default" {
                // A job without an image of its own runs the one of `default` or of the top, with its own variables.
                layers.extend(root.get("default").map(|node| Layer { name: Some("default"), node }));
                layers.push(Layer { name: None, node: root });
            }
            read_job(file, &layers, found);
        }
    }
    true
}

/// The file that is read.
struct File<'t> {
    source: &'t Arc<Source>,
    root: Node<'t>,
    used_elsewhere: Elsewhere,
}

/// A mapping that gives a job its keywords.
#[derive(Clone, Copy)]
struct Layer<'t> {
    /// Its key at the top; none for the top itself.
    name: Option<&'t str>,
    node: Node<'t>,
}

/// The job, then what it extends: the nearest first, as GitLab merges them.
fn extend<'t>(root: Node<'t>, job: Layer<'t>, depth: usize, layers: &mut Vec<Layer<'t>>) {
    if layers.len() >= MAX_LAYERS {
        return;
    }
    layers.push(job);
    let (Some(depth), Some(extends)) = (depth.checked_sub(1), job.node.get("extends")) else { return };
    let mut names: Vec<_> = if extends.is_sequence() { extends.items().collect() } else { vec![extends] };
    names.reverse();
    for name in names.into_iter().filter_map(Node::string) {
        if let Some((key, node)) = root.entry(name) {
            extend(root, Layer { name: key.scalar(), node }, depth, layers);
        }
    }
}

fn is_gitlab(path: &str, root: Node<'_>) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    if name.ends_with("gitlab-ci.yml") || name.ends_with("gitlab-ci.yaml") || path.contains(".gitlab/ci/") {
        return true;
    }
    root.get("stages").is_some_and(Node::is_sequence)
        && root.entries().any(|(_, job)| job.get("script").is_some() && job.get("stage").is_some())
}

/// The image and the services of a job, of `default`, or of the top: each where its text stands, with the variables
/// of the job.
fn read_job(file: &File<'_>, layers: &[Layer<'_>], found: &mut Found) {
    let mut scope: Vec<_> = layers.iter().map(|layer| layer.node.get("variables")).collect();
    scope.push(file.root.get("variables"));
    let first = |key: &str| layers.iter().find_map(|layer| Some((layer.name, layer.node.get(key)?)));
    let prefix = |name: Option<&str>| name.map(|name| format!("{name}.")).unwrap_or_default();
    let mut image = |node: Node<'_>, field: &str| {
        let named = node.is_mapping().then(|| node.get("name")).flatten();
        let field = if named.is_some() { format!("{field}.name") } else { field.to_owned() };
        found.images.extend(located(file, named.unwrap_or(node), &field, &scope));
    };
    if let Some((name, node)) = first("image") {
        image(node, &format!("{}image", prefix(name)));
    }
    if let Some((name, services)) = first("services") {
        for (index, service) in services.items().enumerate() {
            image(service, &format!("{}services[{index}]", prefix(name)));
        }
    }
}

fn located(file: &File<'_>, node: Node<'_>, field: &str, scope: &[Option<Node<'_>>]) -> Option<LocatedImage> {
    let source = file.source;
    let node = node.resolve()?;
    if node.tag().is_some_and(|tag| tag.starts_with("!reference")) {
        let why = "`!reference` takes it from another place";
        let text = source.slice(node.span());
        return Some(LocatedImage::new(KIND.name, source, node.span(), field, text, State::unresolved(why)));
    }
    let mut image = place::image(KIND.name, source, node, field)?;
    if !image.written.contains('$') {
        return Some(image);
    }
    let mut used = Used::default();
    match expand(&image.written, scope, MAX_DEPTH, &mut used) {
        Ok(text) => {
            image.state = place::state_of(&text);
            image.variable = !used.all.is_empty();
            image.related = used
                .all
                .into_iter()
                .map(|(name, node)| Related {
                    place: Place::new(source, node.span()),
                    message: format!("the value of `{name}`"),
                })
                .collect();
            let ending = |(name, node): (String, Node<'_>)| {
                let place = Place::new(source, node.span());
                Ending { place, name, form: Form::Text }
            };
            let ends: Vec<_> = used.ends.into_iter().map(ending).collect();
            image.slot = slot::put_together(&image, Some(Form::Text), &ends, |name| {
                file.used_elsewhere.of(name, [(source, 0, source.text())], slot::variables_beside_images)
            });
        }
        Err(why) => image.state = State::unresolved(why),
    }
    Some(image)
}

/// The variables that took part in a text.
#[derive(Default)]
struct Used<'t> {
    all: Vec<(String, Node<'t>)>,
    /// Those that the text ends with, the innermost first.
    ends: Vec<(String, Node<'t>)>,
}

/// A text with the variables of the file put in. Those of the project and of the runner are not known.
fn expand<'t>(text: &str, scope: &[Option<Node<'t>>], depth: usize, used: &mut Used<'t>) -> Result<String, String> {
    let Some(depth) = depth.checked_sub(1) else { return Err("variables are nested too deeply".to_owned()) };
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        whole.push_str(before);
        if !before.is_empty() {
            used.ends.clear();
        }
        if let Some(after) = after.strip_prefix('$') {
            whole.push('$');
            used.ends.clear();
            rest = after;
            continue;
        }
        if after.starts_with("[[") {
            return Err("an input (`$[[ ]]`) is filled in where it is included".to_owned());
        }
        let (name, after) = name_at(after).ok_or("a `$` that begins no variable")?;
        rest = after;
        let (value, node) = lookup(name, scope).ok_or_else(|| format!("nothing in this file sets `{name}`"))?;
        used.all.push((name.to_owned(), node));
        let ends = std::mem::take(&mut used.ends);
        let value = expand(value, scope, depth, used)?;
        if value.is_empty() {
            used.ends = ends;
        } else {
            used.ends.push((name.to_owned(), node));
        }
        whole.push_str(&value);
        if whole.len() > MAX_TEXT || used.all.len() > MAX_TEXT {
            return Err(format!("it comes to a text of more than {MAX_TEXT} bytes"));
        }
    }
    whole.push_str(rest);
    if !rest.is_empty() {
        used.ends.clear();
    }
    Ok(whole)
}

/// The name after a `$`, with or without braces, and what follows it.
fn name_at(text: &str) -> Option<(&str, &str)> {
    if let Some(inner) = text.strip_prefix('{') {
        let (name, rest) = inner.split_once('}')?;
        return name.bytes().all(is_name_byte).then_some((name, rest));
    }
    let end = text.bytes().position(|byte| !is_name_byte(byte)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at_checked(end)).flatten()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The value of a variable: of the job, then of the file; `{value: …}` as well.
fn lookup<'t>(name: &str, scope: &[Option<Node<'t>>]) -> Option<(&'t str, Node<'t>)> {
    let node = scope.iter().flatten().find_map(|variables| variables.get(name))?;
    let node = node.get("value").unwrap_or(node).resolve()?;
    Some((node.string()?, node))
}

#[cfg(test)]
mod tests {
    use crate::manifest::place::tests::{find, images};

    #[test]
    fn each_job_fills_what_it_extends_and_inherits() {
        let text = "\
variables: {TAG: '7'}
image: top:$TAG
.base: {image: 'redis:$TAG'}
.more: {extends: .base, variables: {TAG: '9'}}
a: {extends: .base, variables: {TAG: latest}, script: x}
b: {extends: [.base, .more], script: x}
c: {variables: {TAG: '8'}, script: x}
d: {extends: d, script: x}
";
        assert_eq!(
            images(".gitlab-ci.yml", text),
            [
                "2:8 image top:$TAG unpinned top:7",
                "2:8 image top:$TAG unpinned top:8",
                "3:17 .base.image redis:$TAG unpinned redis:7",
                "3:17 .base.image redis:$TAG unpinned redis:9",
                "3:17 .base.image redis:$TAG unpinned redis:latest",
            ]
        );
    }

    #[test]
    fn jobs_services_and_variables() {
        let text = "\
variables: {TAG: '7', LOOP: $LOOP}
image: a:1
default:
  services: [b:1, {name: 'c:1', alias: x}]
.base: &base
  image: {name: d, entrypoint: ['']}
job:
  <<: *base
  variables: {TAG: '8'}
  image: redis:$TAG
  services: ['${TAG}:1', $CI_REGISTRY/x, $LOOP, '$[[ inputs.x ]]']
  script: [image]
other: {image: !reference [.base, image], script: x}
";
        assert_eq!(
            images(".gitlab-ci.yml", text),
            [
                "2:8 image a:1 unpinned a:1",
                "4:14 default.services[0] b:1 unpinned b:1",
                "4:27 default.services[1].name c:1 unpinned c:1",
                "6:17 .base.image.name d unpinned d",
                "10:10 job.image redis:$TAG unpinned redis:8",
                "11:15 job.services[0] ${TAG}:1 unpinned 8:1",
                "11:26 job.services[1] $CI_REGISTRY/x unresolved -",
                "11:42 job.services[2] $LOOP unresolved -",
                "11:50 job.services[3] $[[ inputs.x ]] unresolved -",
                "13:27 other.image [.base, image] unresolved -",
            ]
        );
        assert!(find(".gitlab-ci.yml", text).images[4].variable);
    }

    #[test]
    fn other_names_are_known_by_content() {
        assert_eq!(images("ci.yml", "stages: [a]\nj: {stage: a, image: x, script: y}\n").len(), 1);
        assert!(!find("a.yml", "j: {image: x, script: y}\n").is_manifest);
    }

    #[test]
    fn doubling_variables_are_bounded() {
        let doubled: Vec<_> = (1..60).map(|n| format!("  A{n}: $A{0}$A{0}\n", n - 1)).collect();
        let text = format!("image: $A59\nvariables:\n  A0: x\n{}", doubled.concat());
        assert!(images(".gitlab-ci.yml", &text)[0].ends_with("unresolved -"));
    }
}

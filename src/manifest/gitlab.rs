//! GitLab CI: images of jobs and services, through variables of the same file.
//!
//! Source: the GitLab CI/CD YAML reference (`image`, `services`, `default`, `variables`, `extends`).

use std::sync::Arc;

use super::place;
use super::{Document, Found, Kind, LocatedImage, Reader, Related, State};
use crate::source::{Place, Source};
use crate::yaml::Node;

/// The kind.
pub static KIND: Kind = Kind {
    name: "gitlab",
    title: "GitLab CI",
    files: "`*.gitlab-ci.yml`, `.gitlab-ci.yml`, folders `.gitlab/ci/`, and YAML with `stages` and jobs with `script`",
    reads: "`image` and `services` at the top, under `default` and in each job, through `variables` of the file",
    decided: "`$NAME` and `${NAME}` by the `variables` of the job, then by those of the file, also where these name \
            one another",
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

fn read(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    if !root.is_mapping() || !is_gitlab(document.source.path(), root) {
        return false;
    }
    read_job(document.source, root, root, "", found);
    for (key, job) in root.entries() {
        let Some(name) = key.scalar() else { continue };
        if !KEYWORDS.contains(&name) && name != "image" && name != "services" && job.is_mapping() {
            read_job(document.source, root, job, &format!("{name}."), found);
        }
    }
    true
}

fn is_gitlab(path: &str, root: Node<'_>) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    if name.ends_with("gitlab-ci.yml") || name.ends_with("gitlab-ci.yaml") || path.contains(".gitlab/ci/") {
        return true;
    }
    root.get("stages").is_some_and(Node::is_sequence)
        && root.entries().any(|(_, job)| job.get("script").is_some() && job.get("stage").is_some())
}

/// The keywords of a job, of `default`, or of the top.
fn read_job(source: &Arc<Source>, root: Node<'_>, job: Node<'_>, prefix: &str, found: &mut Found) {
    let scope = [job.get("variables"), root.get("variables")];
    let mut image = |node: Node<'_>, field: &str| {
        let named = node.is_mapping().then(|| node.get("name")).flatten();
        let field = if named.is_some() { format!("{prefix}{field}.name") } else { format!("{prefix}{field}") };
        found.images.extend(located(source, named.unwrap_or(node), &field, &scope));
    };
    if let Some(node) = job.get("image") {
        image(node, "image");
    }
    if let Some(services) = job.get("services") {
        for (index, service) in services.items().enumerate() {
            image(service, &format!("services[{index}]"));
        }
    }
}

fn located(source: &Arc<Source>, node: Node<'_>, field: &str, scope: &[Option<Node<'_>>]) -> Option<LocatedImage> {
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
    let mut used = Vec::new();
    match expand(&image.written, scope, MAX_DEPTH, &mut used) {
        Ok(text) => {
            image.state = place::state_of(&text);
            image.variable = !used.is_empty();
            image.related = used
                .into_iter()
                .map(|(name, node)| Related {
                    place: Place::new(source, node.span()),
                    message: format!("the value of `{name}`"),
                })
                .collect();
        }
        Err(why) => image.state = State::unresolved(why),
    }
    Some(image)
}

/// A text with the variables of the file put in. Those of the project and of the runner are not known.
fn expand<'t>(
    text: &str,
    scope: &[Option<Node<'t>>],
    depth: usize,
    used: &mut Vec<(String, Node<'t>)>,
) -> Result<String, String> {
    let Some(depth) = depth.checked_sub(1) else { return Err("variables are nested too deeply".to_owned()) };
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        whole.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            whole.push('$');
            rest = after;
            continue;
        }
        if after.starts_with("[[") {
            return Err("an input (`$[[ ]]`) is filled in where it is included".to_owned());
        }
        let (name, after) = name_at(after).ok_or("a `$` that begins no variable")?;
        rest = after;
        let (value, node) = lookup(name, scope).ok_or_else(|| format!("nothing in this file sets `{name}`"))?;
        used.push((name.to_owned(), node));
        whole.push_str(&expand(value, scope, depth, used)?);
        if whole.len() > MAX_TEXT || used.len() > MAX_TEXT {
            return Err(format!("it comes to a text of more than {MAX_TEXT} bytes"));
        }
    }
    whole.push_str(rest);
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

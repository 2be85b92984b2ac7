//! Docker Bake files: images that the contexts of a target bring into its build.
//!
//! Source: the Bake file reference (`contexts`). Tags of targets are what is built, not what is used.

use std::sync::Arc;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};

use super::hcl::{self, Names, Scope, Text};
use super::place::{self, Places};
use super::{Document, Found, Kind, LocatedImage, Reader, State};
use crate::source::{Source, Span};

/// Bake files in HCL.
pub static KIND: Kind = Kind {
    name: "bake",
    title: "Docker Bake files",
    files: "`docker-bake.hcl`, `docker-bake.*.hcl`, `*.bake.hcl`",
    reads: "`docker-image://…` in the `contexts` of targets",
    decided: "variables by their `default` and names that are set at the top of the same file; a context is read as \
            an image where its text, as written or with these filled in, begins with `docker-image://`",
    unresolved: "a variable without a default or of another file, functions and conditions inside the text: write the \
            image out with its digest, or give the variable a default with one",
    example: &[(
        "docker-bake.hcl",
        r#"variable "BASE" {
  default = "1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0"
}

variable "TOOLS" {}

target "web" {
  contexts = {
    base  = "docker-image://ghcr.io/org/base:${BASE}"
    node  = "docker-image://ghcr.io/org/node:22.1.0"
    tools = "docker-image://ghcr.io/org/tools:${TOOLS}"
    src   = "target:src"
  }
}
"#,
    )],
    reader: Reader::Text { claims: is_named, read },
};

/// Bake files in JSON.
pub static JSON: Kind = Kind {
    name: "bake-json",
    title: "Docker Bake files in JSON",
    files: "`docker-bake.json`, `docker-bake.*.json`",
    reads: "`docker-image://…` in the `contexts` of targets",
    decided: "nothing is filled in, the text is taken as it stands",
    unresolved: "a variable in the text (`${ }`): write the image out with its digest",
    example: &[(
        "docker-bake.json",
        r#"{"target": {"web": {"contexts": {"base": "docker-image://ghcr.io/org/base:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0"}}}}
"#,
    )],
    reader: Reader::Document(read_json),
};

const SCHEME: &str = "docker-image://";

fn is_named(name: &str) -> bool {
    let Some((stem, "hcl")) = name.rsplit_once('.') else { return false };
    stem.starts_with("docker-bake") || stem.strip_suffix(".bake").is_some()
}

fn read(source: &Arc<Source>, found: &mut Found) -> bool {
    let text = Text::of(source);
    match text.parse() {
        Ok(body) => read_targets(text, &body, found),
        Err(broken) => broken.report(source, found),
    }
    true
}

fn read_targets(text: Text<'_>, body: &Body, found: &mut Found) {
    let scope = Scope::new(text, body, Names::Bare);
    for target in body.get_blocks("target") {
        let name = hcl::label(target, 0).unwrap_or_default();
        for (key, value) in contexts(target) {
            let image = scope.image(KIND.name, value, format!("target.{name}.contexts.{key}"));
            found.images.extend(image.and_then(of_registry));
        }
    }
}

/// The names and values of a target's contexts.
fn contexts(target: &Block) -> impl Iterator<Item = (&str, &Expression)> {
    let contexts = target.body.get_attribute("contexts").and_then(|attribute| match &attribute.value {
        Expression::Object(object) => Some(object),
        _ => None,
    });
    contexts.into_iter().flatten().filter_map(|(key, value)| Some((hcl::key_text(key)?, value.expr())))
}

/// The image without its scheme; nothing where the context is a folder, a target or a repository.
fn of_registry(mut image: LocatedImage) -> Option<LocatedImage> {
    if let State::Malformed { text, .. } = &image.state {
        image.state = State::of(text.strip_prefix(SCHEME)?);
    } else if !image.written.starts_with(SCHEME) {
        return None;
    }
    if let Some(rest) = image.written.strip_prefix(SCHEME) {
        image.written = rest.to_owned();
        if image.place.text().starts_with(SCHEME) {
            let span = image.place.span;
            image.place.span = Span::new(span.start as usize + SCHEME.len(), span.end as usize);
        }
    }
    Some(image)
}

fn read_json(document: &Document<'_>, found: &mut Found) -> bool {
    let name = document.source.file_name();
    if !name.starts_with("docker-bake.") || document.root.get("target").is_none() {
        return false;
    }
    Places::new(document.root).each("target.*.contexts.*", &mut |node, field| {
        found.images.extend(place::image(JSON.name, document.source, node, field).and_then(of_registry));
    });
    true
}

#[cfg(test)]
mod tests {
    use crate::manifest::place::tests::{find, images};

    #[test]
    fn contexts_are_images_and_tags_are_not() {
        let text = r#"
variable "TAG" { default = "3.20" }
target "app" {
  tags = ["org/app:1"]
  contexts = {
    base = "docker-image://alpine:${TAG}"
    src  = "target:src"
    dir  = "./x"
  }
}
"#;
        assert_eq!(
            images("docker-bake.hcl", text),
            ["6:28 target.app.contexts.base alpine:${TAG} unpinned alpine:3.20"]
        );
        assert!(find("docker-bake.hcl", text).images[0].variable);
        let json = r#"{"target": {"app": {"contexts": {"base": "docker-image://a:1", "x": "target:y"}}}}"#;
        assert_eq!(images("docker-bake.json", json), ["1:58 target.app.contexts.base a:1 unpinned a:1"]);
        assert_eq!(find("docker-bake.hcl", "target {").unreadable.len(), 1);
    }
}

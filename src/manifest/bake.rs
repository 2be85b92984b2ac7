//! Docker Bake files: images that the contexts of a target bring into its build.
//!
//! Source: the Bake file reference (`contexts`). Tags of targets are what is built, not what is used.

use std::sync::Arc;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;

use super::hcl::{self, JsonScope, Names, Scope, Text};
use super::place;
use super::{Document, Found, Kind, LocatedImage, Reader, State};
use crate::source::{Source, Span};
use crate::yaml::Node;

/// Bake files in HCL.
pub static KIND: Kind = Kind {
    name: "bake",
    title: "Docker Bake files",
    files: "`docker-bake.hcl`, `docker-bake.*.hcl`, `*.bake.hcl`",
    reads: "`docker-image://…` in the `contexts` of targets",
    decided: "variables by their `default` and names that are set at the top of the same file; both sides of a \
            condition; a context whose text, with these filled in, begins with anything but `docker-image://` is no \
            image",
    unresolved: "a variable without a default or of another file, functions and conditions inside the text, also where \
            they leave open whether the context is an image, and `contexts` that are not written as an object: write \
            the image out with its digest, or give the variable a default with one",
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
    decided: "`${ }` of a variable by its `default` and of a name that is set at the top of the same file; a context \
            whose text begins with anything but `docker-image://` is no image",
    unresolved: "any other expression in the text (`${ }`), also where it leaves open whether the context is an image: \
            write the image out with its digest",
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
        let field = format!("target.{}.contexts", hcl::label(target, 0).unwrap_or_default());
        if let Some(contexts) = target.body.get_attribute("contexts") {
            read_contexts(&scope, &contexts.value, &field, found);
        }
    }
}

/// The contexts of a target: an object, either one of a condition, or something that nothing here decides.
fn read_contexts(scope: &Scope<'_>, contexts: &Expression, field: &str, found: &mut Found) {
    match contexts {
        Expression::Null(_) => {}
        Expression::Parenthesis(inner) => read_contexts(scope, inner.inner(), field, found),
        Expression::Conditional(either) => {
            read_contexts(scope, &either.true_expr, field, found);
            read_contexts(scope, &either.false_expr, field, found);
        }
        Expression::Object(object) => {
            for (key, value) in object {
                let key = hcl::key_text(key).unwrap_or("*");
                read_context(scope, value.expr(), &format!("{field}.{key}"), found);
            }
        }
        _ => found.images.extend(scope.image(KIND.name, contexts, field.to_owned()).map(|mut image| {
            let why = match &image.state {
                State::Unresolved { why } => why.as_str(),
                _ => "the contexts are no object",
            };
            image.state = may_be_image(why);
            image
        })),
    }
}

/// One context. Only what is decided can be something other than an image.
fn read_context(scope: &Scope<'_>, value: &Expression, field: &str, found: &mut Found) {
    match value {
        Expression::Null(_) => return,
        Expression::Parenthesis(inner) => return read_context(scope, inner.inner(), field, found),
        Expression::Conditional(either) => {
            read_context(scope, &either.true_expr, field, found);
            return read_context(scope, &either.false_expr, field, found);
        }
        _ => {}
    }
    let Some(mut image) = scope.image(KIND.name, value, field.to_owned()) else { return };
    if let Some(text) = scope.text_of(value) {
        let Some(reference) = text.strip_prefix(SCHEME) else { return };
        image.state = hcl::state_of(reference);
    } else if !decide_by_beginning(&scope.beginning_of(value), &mut image) {
        return;
    }
    found.images.push(without_scheme(image));
}

/// Of an undecided text, what its decided beginning says: whether it can be an image.
fn decide_by_beginning(beginning: &str, image: &mut LocatedImage) -> bool {
    // `${~` takes white space away.
    let beginning = beginning.trim();
    if beginning.starts_with(SCHEME) {
        return true;
    }
    if let State::Unresolved { why } = &image.state {
        image.state = may_be_image(why);
    }
    SCHEME.starts_with(beginning)
}

fn may_be_image(why: &str) -> State {
    State::unresolved(format!("{why}; it may name an image"))
}

/// The image without its scheme, where that is written.
fn without_scheme(mut image: LocatedImage) -> LocatedImage {
    if let Some(rest) = image.written.strip_prefix(SCHEME) {
        image.written = rest.to_owned();
        if image.place.text().starts_with(SCHEME) {
            let span = image.place.span;
            image.place.span = Span::new(span.start as usize + SCHEME.len(), span.end as usize);
        }
    }
    image
}

/// Whether a file of this name is one in JSON.
pub(super) fn is_json_named(name: &str) -> bool {
    matches!(name.rsplit_once('.'), Some((stem, "json")) if stem.starts_with("docker-bake"))
}

fn read_json(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    if !document.source.file_name().starts_with("docker-bake.") || hcl::at_top(root, "target").next().is_none() {
        return false;
    }
    let scope = JsonScope::new(root, Names::Bare);
    for (name, target) in hcl::at_top(root, "target").flat_map(hcl::labelled) {
        for (_, contexts) in target.entries().filter(|(key, _)| key.scalar() == Some("contexts")) {
            let field = format!("target.{name}.contexts");
            if contexts.scalar().is_some() {
                // Not an object: whatever it is, the tool makes contexts of it.
                let image = place::image(JSON.name, document.source, contexts, &field);
                found.images.extend(image.map(|mut image| {
                    image.state = may_be_image("an expression decides the contexts");
                    image
                }));
            }
            for (key, value) in contexts.entries() {
                let field = format!("{field}.{}", key.scalar().unwrap_or("*"));
                found.images.extend(context_in_json(document, &scope, value, &field));
            }
        }
    }
    true
}

fn context_in_json<'t>(
    document: &Document<'t>,
    scope: &JsonScope<'t>,
    node: Node<'t>,
    field: &str,
) -> Option<LocatedImage> {
    let mut image = place::image(JSON.name, document.source, node, field)?;
    match scope.fill_in(&image.written) {
        Ok(filled) => {
            image.state = place::state_of(filled.text.strip_prefix(SCHEME)?);
            scope.tell(filled, document.source, &mut image);
        }
        Err(why) => {
            image.state = State::unresolved(why);
            let end = ["${", "%{"].into_iter().filter_map(|mark| image.written.find(mark)).min().unwrap_or_default();
            let beginning = image.written.get(..end).unwrap_or_default().to_owned();
            decide_by_beginning(&beginning, &mut image).then_some(())?;
        }
    }
    Some(without_scheme(image))
}

#[cfg(test)]
mod tests {
    use crate::manifest::State;
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

    fn states(name: &str, text: &str) -> Vec<String> {
        let place = |image: &crate::manifest::LocatedImage| image.place.start();
        let why = |image: &crate::manifest::LocatedImage| match &image.state {
            State::Unresolved { why } => why.clone(),
            _ => image.effective().unwrap_or_default().to_owned(),
        };
        let found = find(name, text).images;
        found.iter().map(|image| format!("{}:{} {}", place(image).line, place(image).column, why(image))).collect()
    }

    #[test]
    fn what_may_be_an_image_is_never_passed_over() {
        let text = r#"
variable "BASE" {}
variable "SCHEME" { default = "docker-image://" }
variable "DIR" { default = "./x" }
target "app" {
  contexts = {
    a = BASE
    b = format("docker-image://%s", "alpine")
    c = DIR == "" ? "docker-image://alpine:1" : ("docker-image://alpine:2")
    d = "${SCHEME}alpine:1"
    e = "${OTHER}alpine:1"
    f = "docker-image://alpine:${OTHER}"
    "${DIR}" = "docker-image://alpine:3"
    g = DIR == "" ? null : "./y"
    h = DIR
    i = "target:${OTHER}"
    j = "${DIR}/${OTHER}"
    k = "docker-${OTHER}"
  }
}
target "merged" {
  contexts = merge(COMMON, {})
}
target "either" {
  contexts = DIR == "" ? { a = "docker-image://alpine:4" } : {}
}
"#;
        assert_eq!(
            states("docker-bake.hcl", text),
            [
                "7:9 the variable `BASE` has no default; it may name an image",
                "8:9 the function `format` decides it; it may name an image",
                "9:37 alpine:1",
                "9:66 alpine:2",
                "10:10 alpine:1",
                "11:10 nothing in this file declares `OTHER`; it may name an image",
                "12:25 nothing in this file declares `OTHER`",
                "13:32 alpine:3",
                "18:10 nothing in this file declares `OTHER`; it may name an image",
                "22:14 the function `merge` decides it; it may name an image",
                "25:48 alpine:4",
            ]
        );
    }

    #[test]
    fn json_is_filled_in_or_not_passed_over() {
        let text = r#"{"variable": {"BASE": {"default": "${AT}alpine:1"}, "NONE": {}, "LOOP": {"default": "${LOOP}"}},
"AT": "docker-image://",
"target": [{"app": [{"contexts": {
"a": "${BASE}",
"b": "${NONE}",
"c": "${lower(BASE)}",
"d": "docker-image://a:${NONE}",
"e": "target:${NONE}",
"f": "%{ if true }docker-image://a%{ endif }",
"g": "${LOOP}",
"h": null
}}]}, {"m": {"contexts": "${merge(A, B)}"}}]}"#;
        assert_eq!(
            states("docker-bake.json", text),
            [
                "4:7 alpine:1",
                "5:7 the variable `NONE` has no default; it may name an image",
                "6:7 the expression `lower(BASE)` decides it; it may name an image",
                "7:22 the variable `NONE` has no default",
                "9:7 a template directive (`%{ }`, `$${ }`) decides it; it may name an image",
                "10:7 it goes through too many variables, or a variable names itself; it may name an image",
                "12:27 an expression decides the contexts; it may name an image",
            ]
        );
        // Nothing in this file says "image".
        assert_eq!(images("docker-bake.json", r#"{"target": {"a": {"contexts": {"b": "${B}"}}}}"#).len(), 1);
    }
}

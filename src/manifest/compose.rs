//! Compose and Swarm files: every image that a service runs, mounts or is built from.
//!
//! Source: <https://github.com/compose-spec/compose-spec>, and compose-go for what the text leaves open.

mod claim;
mod locate;
mod merge_keys;
mod service;
pub mod stack;
mod variables;

use super::{Document, Found, Kind, Reader, Unreadable};
use crate::source::{Place, Span};
use locate::Locator;
use merge_keys::MergeKeys;
use variables::Variables;

/// The kind.
pub static KIND: Kind = Kind {
    name: "compose",
    title: "Compose and Swarm files",
    files: "YAML with `services:` whose services have an image or a build; `compose*.yml`, `docker-compose*.yml`, \
            `docker-stack*.yml`, `*.stack.yml` also without",
    reads: "`services.*.image` after anchors, merge keys, `extends` and variables (defaults and `.env`); `build` without \
            an image; volumes of `type: image`; `docker-image://` build contexts; images of lifecycle hooks",
    decided: "variables by the `.env` file beside the manifest, then by the default in the text (`${TAG:-1.2.3}`); \
            anchors, merge keys and `extends`, also into other files of the repository; a service with `build` and no \
            image is built on deployment",
    unresolved: "a variable with neither a default nor a committed value (`${TAG}`, `${TAG:?}`), `extends` of a file \
            that is not there: commit the value in `.env`, give a default with a digest, or name the stack with its \
            `env-file` under `stacks` of the configuration",
    example: &[
        (
            ".env",
            "WEB=1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
",
        ),
        (
            "compose.yml",
            "services:
  web:
    image: ghcr.io/org/web:${WEB}
  worker:
    image: ghcr.io/org/worker:${WORKER:-1.2.3}
  proxy:
    image: ghcr.io/org/proxy:${PROXY}
",
        ),
    ],
    reader: Reader::Document(read),
};

fn read(document: &Document<'_>, found: &mut Found) -> bool {
    if !document.root.is_mapping() {
        return false;
    }
    let mut merge_keys = MergeKeys::new();
    let root = merge_keys.read(document.root);
    let Some(shape) = claim::claim(&root, document.source.file_name()) else { return false };
    let services = service::services(&root, shape, &mut merge_keys);
    let variables = Variables::new(document);
    let mut locator = Locator::new(document.beside, &variables);
    locator.locate(document.source, &services, &mut merge_keys);
    found.images.extend(locator.into_images());
    report_problems(document, merge_keys, found);
    true
}

/// Everything that Compose would refuse, each place once.
fn report_problems(document: &Document<'_>, merge_keys: MergeKeys, found: &mut Found) {
    if merge_keys.is_exhausted() {
        let start = document.root.span().start;
        found.unreadable.push(Unreadable {
            place: Place::new(document.source, Span { start, end: start }),
            message: "aliases and merge keys multiply this document beyond two million entries".to_owned(),
            help: Some("write the services out, or merge fewer anchors into each other".to_owned()),
        });
    }
    let mut problems = merge_keys.problems;
    problems.sort_unstable();
    problems.dedup();
    found.unreadable.extend(problems.into_iter().map(|(span, message)| Unreadable {
        place: Place::new(document.source, span),
        message,
        help: None,
    }));
}

#[cfg(test)]
mod tests;

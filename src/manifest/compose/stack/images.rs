//! From the services of a stack to located images, with the file in which a digest belongs.

use std::sync::Arc;

use super::load::Loader;
use super::merge;
use super::value::{Data, Entry, Map, Value};
use crate::manifest::compose::KIND;
use crate::manifest::compose::locate::DOCKER_IMAGE;
use crate::manifest::compose::variables;
use crate::manifest::{LocatedImage, Related, State, Unreadable};
use crate::source::{Place, Source, Span};

/// What one service deploys.
pub(super) fn of(
    name: &str,
    entry: &Entry,
    all: &Map,
    files: &[Arc<Source>],
    loader: &mut Loader<'_>,
) -> Vec<LocatedImage> {
    let service = &entry.value;
    let mut images = Vec::new();
    let image = service.get("image").filter(|image| !is_empty_text(image));
    let build = service.entry("build");
    match (image, build) {
        (Some(image), _) => {
            let mut located = text(image, format!("services.{name}.image"), 0, loader);
            located.built = build.is_some();
            let policy = service.get("pull_policy").and_then(|policy| policy.text().ok());
            if located.built && policy.as_deref() == Some("build") {
                located.state = State::Built;
            }
            explain(&mut located, image, name, files, loader);
            images.push(located);
        }
        (None, Some(build)) => images.push(LocatedImage {
            built: true,
            place: build.key.clone(),
            ..located(&build.key, format!("services.{name}.build"), "", State::Built)
        }),
        (None, None) if service.get("provider").is_some() => {}
        (None, None) if loader.problems.is_empty() => loader.problems.push(Unreadable {
            place: entry.key.clone(),
            message: format!("the service `{name}` has neither an image nor a build in this stack"),
            help: Some("name the file that declares it before this one".to_owned()),
        }),
        (None, None) => {}
    }
    if let Some(contexts) = build.and_then(|build| build.value.get("additional_contexts")) {
        images.extend(merge::contexts(contexts).iter().filter_map(|context| of_context(name, context, loader)));
    }
    of_volumes(name, service, all, loader, &mut images);
    of_hooks(name, service, loader, &mut images);
    images
}

fn is_empty_text(value: &Value) -> bool {
    matches!(&value.data, Data::Text(text) if text.written.is_empty())
}

fn of_volumes(name: &str, service: &Value, all: &Map, loader: &Loader<'_>, images: &mut Vec<LocatedImage>) {
    let volumes = service.get("volumes").map(merge::volumes).unwrap_or_default();
    for (index, volume) in volumes.into_iter().enumerate() {
        // A mount whose type nobody can tell may be an image.
        let is_image = volume.get("type").is_some_and(|kind| kind.text().map_or(true, |kind| kind == "image"));
        let Some(source) = volume.get("source").filter(|_| is_image) else { continue };
        // The name of a service stands for the image that service runs or builds.
        if !source.text().is_ok_and(|source| all.contains_key(&*source)) {
            images.push(text(source, format!("services.{name}.volumes[{index}].source"), 0, loader));
        }
    }
}

fn of_hooks(name: &str, service: &Value, loader: &Loader<'_>, images: &mut Vec<LocatedImage>) {
    for hook in ["pre_start", "post_start", "pre_stop"] {
        let Some(hooks) = service.get(hook) else { continue };
        for (index, item) in hooks.items().iter().enumerate() {
            if let Some(image) = item.get("image") {
                images.push(text(image, format!("services.{name}.{hook}[{index}].image"), 0, loader));
            }
        }
    }
}

/// A named build context that is an image.
fn of_context(name: &str, context: &merge::Context<'_>, loader: &Loader<'_>) -> Option<LocatedImage> {
    let field = format!("services.{name}.build.additional_contexts.{}", context.name);
    let Data::Text(written) = &context.value.data else { return None };
    let skip = if context.prefixed { written.written.find('=').map_or(0, |at| at + 1) } else { 0 };
    if written.written.get(skip..).is_some_and(|text| text.starts_with(DOCKER_IMAGE)) {
        return Some(text(context.value, field, skip + DOCKER_IMAGE.len(), loader));
    }
    // The scheme itself may come from a variable.
    let found = written.environment.interpolate(&written.written).ok()?;
    let value = if context.prefixed { found.text.split_once('=')?.1 } else { &found.text };
    let state = State::of(value.strip_prefix(DOCKER_IMAGE)?);
    let mut image = located(&context.value.place, field, &written.written, state);
    image.variable = true;
    variables::place_digest(&mut image, &found, |name| loader.uses(name));
    Some(image)
}

/// The image in a text behind its first `skip` bytes.
fn text(value: &Value, field: String, skip: usize, loader: &Loader<'_>) -> LocatedImage {
    let Data::Text(text) = &value.data else {
        let at = Place::new(&value.place.source, Span { end: value.place.span.start, ..value.place.span });
        return located(&at, field, "", State::unresolved("it is not a text"));
    };
    let written = text.written.get(skip..).unwrap_or_default();
    let mut place = value.place.clone();
    // Escapes and folding leave the prefix in other bytes; then the whole text is the place.
    if let Some(prefix) = text.written.get(..skip).filter(|prefix| !prefix.is_empty())
        && let Some(found) = place.text().find(prefix)
    {
        let start = place.span.start as usize + found + prefix.len();
        place = Place::new(&place.source, Span::new(start, place.span.end as usize));
    }
    if !written.contains('$') {
        return located(&place, field, written, State::of(written));
    }
    let mut image = located(&place, field, written, State::Local);
    variables::fill_in(&mut image, text.environment.decide(written), |name| loader.uses(name));
    image
}

fn located(place: &Place, field: String, written: &str, state: State) -> LocatedImage {
    LocatedImage::new(KIND.name, &place.source, place.span, field, written, state)
}

/// Adds the base that declared an image and the override that should pin it.
fn explain(located: &mut LocatedImage, image: &Value, name: &str, files: &[Arc<Source>], loader: &Loader<'_>) {
    if let Data::Text(text) = &image.data
        && let Some(place) = text.declared.clone()
    {
        located.related.push(Related { place, message: "declared here".to_owned() });
    }
    let pinned = located.reference().is_some_and(crate::reference::Reference::is_pinned);
    if pinned || located.state == State::Built || files.len() < 2 {
        return;
    }
    if let Some(last) = files.last().filter(|last| last.path() != located.place.source.path()) {
        let mention = loader.mentions.get(&(last.path().to_owned(), name.into()));
        let place = mention.cloned().unwrap_or_else(|| Place::new(last, Span::default()));
        located.related.push(Related { place, message: format!("set `services.{name}.image` in this file") });
    }
}

//! Overlays: the objects that a kustomization builds, layer by layer as kustomize 5.6 does, and the images they deploy.
//!
//! Everything happens on the files of the repository: what comes from elsewhere (remote bases, charts, plugins) is
//! unresolved, with the way out. Where kustomize refuses to build, or where it cannot be told here what it builds,
//! the whole overlay is unreadable: nothing in it is proven.

mod file;
mod images;
mod json_patch;
mod layer;
mod object;
mod patches;
mod replacements;
mod select;
mod strategic;
#[cfg(test)]
mod tests;
mod value;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;

use self::file::Kustomization;
use self::images::FieldSpec;
use self::object::Object;
use self::value::{Budget, Holder, Scalar};
use super::KIND;
use crate::manifest::{
    Alone, Beside, Document, Found, LocatedImage, PinSlot, Related, Slot, State, Unreadable, embedded, kubernetes, slot,
};
use crate::source::{Place, Source, Span};
use crate::yaml::Tree;

pub use super::FILE_NAMES;

/// What a step of a build gives, or why nothing can be told of the whole.
type Outcome<T = ()> = Result<T, Box<Unreadable>>;

/// The way out wherever this program cannot tell what is built.
const WAY_OUT: &str = "build it and check the result: `kustomize build … | digest-gate check -`";

/// How many kustomizations one build may read, each counted as often as it is named.
const MAX_KUSTOMIZATIONS: usize = 1000;

/// How deep kustomizations may name one another.
const MAX_LAYERS: usize = 32;

/// Kustomize itself builds nothing here.
#[allow(clippy::unnecessary_box_returns)] // The error of every [`Outcome`].
fn refused(at: &Place, why: &str) -> Box<Unreadable> {
    Box::new(Unreadable {
        place: at.clone(),
        message: format!("kustomize does not build this overlay: {why}"),
        help: Some("mend it until `kustomize build` succeeds".to_owned()),
    })
}

#[allow(clippy::unnecessary_box_returns)] // The error of every [`Outcome`].
/// Kustomize builds something here that this program does not know.
fn undecided(at: &Place, why: &str) -> Box<Unreadable> {
    Box::new(Unreadable {
        place: at.clone(),
        message: format!("what this overlay builds cannot be told: {why}"),
        help: Some(WAY_OUT.to_owned()),
    })
}

/// Reads an overlay as it builds. `kustomization` is the kustomization file of its folder.
///
/// Each container of each object that is built is one image, at the scalar that decided it.
pub fn read(kustomization: &Arc<Source>, beside: &dyn Beside) -> Found {
    let build = Build { beside, budget: Budget::default(), count: Cell::new(0), outside: RefCell::default() };
    let top = Place::new(kustomization, Span::default());
    let mut found = Found { is_manifest: true, ..Found::default() };
    let outcome = Kustomization::parse(kustomization).and_then(|file| build.layer(&file, Layer::default(), &[], &top));
    match outcome.and_then(|layer| layer.objects.iter().try_for_each(|object| report(object, &mut found))) {
        Ok(()) => found.images.extend(build.outside.into_inner()),
        Err(unreadable) => {
            found.images.clear();
            found.unreadable.push(*unreadable);
        }
    }
    found.images.sort_by(|a, b| order(a).cmp(&order(b)));
    found
}

fn order(image: &LocatedImage) -> (&str, Span, &Option<String>, &str) {
    (image.place.source.path(), image.place.span, &image.resource, &image.field)
}

/// One build.
struct Build<'a> {
    beside: &'a dyn Beside,
    budget: Budget,
    /// How many kustomizations were read.
    count: Cell<usize>,
    /// What is built from elsewhere.
    outside: RefCell<Vec<LocatedImage>>,
}

/// What the layers so far have built.
#[derive(Default)]
struct Layer {
    objects: Vec<Object>,
    /// Fields of custom resources that `images` applies to.
    specs: Vec<FieldSpec>,
}

impl Layer {
    /// Takes in what another layer built: no two objects may have the same name.
    fn absorb(&mut self, other: Self, at: &Place, budget: &Budget) -> Outcome {
        budget.spend(self.objects.len() + other.objects.len(), at)?;
        let mut known: HashSet<_> = self.objects.iter().map(Object::id).collect();
        for object in &other.objects {
            let id = object.id();
            if known.contains(&id) {
                return Err(refused(at, &format!("`{}/{}` is there already", id.kind, id.name)));
            }
            known.insert(id);
        }
        self.objects.extend(other.objects);
        for spec in other.specs {
            if !self.specs.contains(&spec) {
                self.specs.push(spec);
            }
        }
        Ok(())
    }
}

impl Build<'_> {
    /// Notes something from elsewhere that takes part in the build.
    fn outside(&self, file: &Kustomization<'_>, span: Span, field: String, written: &str, why: &str) {
        let state = State::unresolved(format!("{why}: {WAY_OUT}"));
        self.outside.borrow_mut().push(LocatedImage::new(KIND.name, file.source, span, field, written, state));
    }

    /// Whether all objects of the build are known.
    fn is_complete(&self) -> bool {
        self.outside.borrow().is_empty()
    }
}

/// Reports the images of an object: it is written down as a document and read as any other.
fn report(object: &Object, found: &mut Found) -> Outcome {
    if object.is_local() {
        return Ok(());
    }
    let id = object.id();
    if id.kind.is_empty() || id.name.is_empty() {
        return Err(refused(&object.place, "an object ends up without a kind or a name"));
    }
    let (mut json, mut scalars) = (String::new(), Vec::new());
    object.value.write(&mut json, &mut scalars);
    let mut tree = Tree::default();
    tree.parse_json(&json, false);
    let source = Source::new(object.place.source.path(), json.as_str());
    let mut inside = Found::default();
    for root in tree.documents(&json) {
        let document = Document { source: &source, root, beside: &Alone };
        kubernetes::read_object(&document, &mut inside);
    }
    if tree.documents(&json).count() != 1 || !inside.unreadable.is_empty() {
        return Err(undecided(&object.place, "one of its objects cannot be read"));
    }
    found.images.extend(inside.images.into_iter().filter_map(|image| decided(image, &scalars)));
    Ok(())
}

/// The image at the place that decided it.
fn decided(mut image: LocatedImage, scalars: &[(usize, &Scalar)]) -> Option<LocatedImage> {
    let start = image.place.span.start as usize;
    let index = scalars.partition_point(|(offset, _)| *offset <= start).checked_sub(1)?;
    let (offset, scalar) = scalars.get(index)?;
    image.kind = KIND.name;
    image.slot = slot_of(&image, scalars, *offset == start, scalar);
    image.place = scalar.place.clone();
    image.related.clear();
    let Some(history) = &scalar.history else { return Some(image) };
    if *offset == start {
        if let Some(written) = &history.written {
            image.written.clone_from(written);
        }
        if let Some(why) = &history.undecided {
            image.state = State::unresolved(format!("{why}: {WAY_OUT}"));
        }
    }
    if let Some(place) = &history.declared {
        image.related.push(Related { place: place.clone(), message: "the container is declared here".to_owned() });
    }
    Some(image)
}

/// Where the digest of an image is written in the files: `scalar` holds it, and is it where `is_whole` says so.
fn slot_of(image: &LocatedImage, scalars: &[(usize, &Scalar)], is_whole: bool, scalar: &Scalar) -> PinSlot {
    if let PinSlot::At(_) = &image.slot
        && is_whole
    {
        return image.slot.clone().moved(|slot| moved(slot, scalars));
    }
    if !is_whole {
        // A manifest in a text of an object.
        return embedded::in_whole(&scalar.place, &image.written, image.reference());
    }
    match (scalar.holder(), image.reference()) {
        (Holder::Entry(slot), _) => (*slot).clone(),
        (Holder::Text(place), Some(reference)) if !is_same(&place, &scalar.place) => {
            let slot = match reference.digest() {
                Some(digest) => Slot::over_digest(&place, digest),
                None => Some(Slot::behind(&place)),
            };
            slot.map_or_else(|| PinSlot::None(slot::IN_PARTS.to_owned()), |slot| PinSlot::At(vec![slot]))
        }
        (Holder::Text(_), _) => PinSlot::Text,
    }
}

/// A slot in the text of an object, put to the scalar in the files.
fn moved(slot: Slot, scalars: &[(usize, &Scalar)]) -> Option<Slot> {
    let range = slot.place.span.range();
    let index = scalars.partition_point(|(offset, _)| *offset <= range.start).checked_sub(1)?;
    let (offset, scalar) = scalars.get(index)?;
    let Holder::Text(place) = scalar.holder() else { return None };
    if range.end > offset + scalar.text.len() || place.text() != scalar.text {
        return None;
    }
    let start = place.span.range().start;
    let span = Span::new(start + range.start - offset, start + range.end - offset);
    Some(Slot { place: Place::new(&place.source, span), tag: None, ..slot })
}

fn is_same(a: &Place, b: &Place) -> bool {
    a.span == b.span && a.source.path() == b.source.path()
}

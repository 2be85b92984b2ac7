//! The variables of a project: what an image text becomes with the `.env` file beside the manifest.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::manifest::env_file::EnvFile;
use crate::manifest::interpolate::{Decided, Interpolated, Undecided, Value, interpolate};
use crate::manifest::{Document, LocatedImage, Related, State, slot};
use crate::source::{Place, Source};

/// Most places listed beside one image.
const MAX_RELATED: usize = 8;

/// The committed variables of a project. Files are read when the first variable is met.
pub(super) struct Variables<'a> {
    document: &'a Document<'a>,
    env: OnceCell<Rc<EnvFile>>,
    /// Those that the file uses for something else than images.
    used_elsewhere: slot::Elsewhere,
}

thread_local! {
    /// The env file read last: all documents of a manifest, and most manifests of a folder, share it.
    static LAST: RefCell<Option<(Arc<Source>, Rc<EnvFile>)>> = const { RefCell::new(None) };
}

/// Reads an env file, or takes it from the last time.
fn parse(source: &Arc<Source>) -> Rc<EnvFile> {
    LAST.with_borrow_mut(|last| {
        if let Some((known, file)) = last
            && Arc::ptr_eq(known, source)
        {
            return Rc::clone(file);
        }
        let file = Rc::new(EnvFile::parse(source));
        *last = Some((Arc::clone(source), Rc::clone(&file)));
        file
    })
}

impl<'a> Variables<'a> {
    pub(super) fn new(document: &'a Document<'a>) -> Self {
        Self { document, env: OnceCell::new(), used_elsewhere: slot::Elsewhere::default() }
    }

    /// A decoded text with its variables replaced.
    pub(super) fn interpolate(&self, text: &str) -> Result<Interpolated, Undecided> {
        interpolate(text, &|name| self.get(name))
    }

    /// Where the file uses a variable for something else than images.
    pub(super) fn uses(&self, name: &str) -> &[Place] {
        let source = self.document.source;
        self.used_elsewhere.of(name, [(source, 0, source.text())], slot::variables_beside_images)
    }

    fn get(&self, name: &str) -> Result<Option<Value>, String> {
        if name == "COMPOSE_PROJECT_NAME" {
            return Err("Compose sets `COMPOSE_PROJECT_NAME` to the name of the project".to_owned());
        }
        let read = || {
            let file = self.document.beside.read(self.document.source, ".env");
            file.map(|source| parse(&source)).unwrap_or_default()
        };
        self.env.get_or_init(read).get(name)
    }
}

/// Tells an image what its text comes to, the lines that decided it, and where its digest belongs.
pub(super) fn fill_in<'u>(
    image: &mut LocatedImage,
    found: Result<Interpolated, Undecided>,
    uses: impl Fn(&str) -> &'u [Place],
) {
    image.variable = true;
    match found {
        Ok(found) if found.text.is_empty() => {
            image.state = State::unresolved("its variables leave nothing: a value is empty");
            image.related = related(&found);
        }
        Ok(found) => {
            image.state = State::of(&found.text);
            image.variable = !found.variables.is_empty();
            place_digest(image, &found, uses);
        }
        Err(why) => image.state = State::unresolved(why.to_string()),
    }
}

/// Tells an image that ends as a text does which lines decided it, and where its digest belongs.
pub(super) fn place_digest<'u>(image: &mut LocatedImage, found: &Interpolated, uses: impl Fn(&str) -> &'u [Place]) {
    image.related = related(found);
    let ends: Vec<_> = found.ends.iter().filter_map(|end| end.at(&image.place, &image.written, "")).collect();
    image.slot = slot::put_together(image, Some(slot::Form::Text), &ends, uses);
}

/// The lines of env files that took part, each once.
fn related(found: &Interpolated) -> Vec<Related> {
    let mut related: Vec<Related> = Vec::new();
    for variable in &found.variables {
        if let Decided::Value(place) = &variable.decided
            && related.len() < MAX_RELATED
            && !related.iter().any(|other| same_place(&other.place, place))
        {
            related.push(Related { place: place.clone(), message: format!("`{}` is set here", variable.name) });
        }
    }
    related
}

fn same_place(a: &Place, b: &Place) -> bool {
    a.span == b.span && a.source.path() == b.source.path()
}

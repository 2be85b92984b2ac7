//! What a manifest is and what is found in it: [`KINDS`], [`LocatedImage`] and the state of each image.
//!
//! A kind is one file below `manifest/` and one entry in [`KINDS`]. It is given a file or a YAML document, says
//! whether that is its own, and hands every image it finds to [`Found`].

pub mod azure;
pub mod bake;
pub mod compose;
pub mod devcontainer;
pub mod dockerfile;
pub mod ecs;
mod embedded;
mod env_file;
pub mod gitlab;
mod gitops;
mod hcl;
pub mod helm;
mod interpolate;
pub mod kubernetes;
pub mod kustomize;
mod merge;
pub mod nomad;
pub mod pipeline;
mod place;
pub mod quadlet;
mod slot;
pub mod terraform;
pub mod workflow;

use std::sync::Arc;

use crate::reference::{Reference, ReferenceError, ends_in_digest};
use crate::source::{Place, Source, Span};
use crate::yaml::{Node, Tree};

/// A kind of manifest.
#[derive(Debug)]
pub struct Kind {
    /// The name in reports: `compose`.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// Which files are read for it, for people.
    pub files: &'static str,
    /// Which images are located, for people.
    pub reads: &'static str,
    /// What is filled in and followed, for people.
    pub decided: &'static str,
    /// What nothing in the repository decides, and the way out, for people.
    pub unresolved: &'static str,
    /// Files that show it: path and text.
    pub example: &'static [(&'static str, &'static str)],
    /// How it is read.
    pub reader: Reader,
}

/// How a kind reads. Each function answers whether the text is of its kind; only then it may report anything.
pub enum Reader {
    /// One YAML or JSON document; asked for each document of each file, in the order of [`KINDS`].
    Document(fn(&Document<'_>, &mut Found) -> bool),
    /// A whole file of another syntax; asked for files whose name `claims` accepts.
    Text { claims: fn(file_name: &str) -> bool, read: fn(&Arc<Source>, &mut Found) -> bool },
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Document(_) => "Document",
            Self::Text { .. } => "Text",
        })
    }
}

/// All kinds, in the order in which a document is offered to them: the first that takes it reads it.
pub static KINDS: &[&Kind] = &[
    &workflow::KIND,
    &kustomize::KIND,
    &helm::KIND,
    &kubernetes::KIND,
    &nomad::KIND,
    &nomad::JSON,
    &bake::KIND,
    &bake::JSON,
    &quadlet::KIND,
    &terraform::KIND,
    &terraform::JSON,
    &ecs::KIND,
    &ecs::TEMPLATE,
    &devcontainer::KIND,
    &azure::KIND,
    &azure::PIPELINE,
    &pipeline::CIRCLECI,
    &pipeline::DRONE,
    &pipeline::BITBUCKET,
    &compose::KIND,
    &gitlab::KIND,
    &dockerfile::KIND,
    &kubernetes::FRAGMENT,
];

/// One YAML or JSON document of a file.
pub struct Document<'t> {
    /// The file.
    pub source: &'t Arc<Source>,
    /// Its top node.
    pub root: Node<'t>,
    /// Files beside the manifest that decide values in it (`.env`).
    pub beside: &'t dyn Beside,
}

/// Reads the files that a manifest names or that stand beside it; the only way from a kind to a file.
pub trait Beside: Sync {
    /// The file at `path`, relative to the folder of the manifest `from`.
    ///
    /// # Errors
    /// Why there is no text of it.
    fn open(&self, from: &Source, path: &str) -> Result<Arc<Source>, Absent>;

    /// The file at `path`, relative to the folder of the manifest `from`, where it is there and can be read.
    fn read(&self, from: &Source, path: &str) -> Option<Arc<Source>> {
        self.open(from, path).ok()
    }
}

/// Why a file beside a manifest has no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Nothing is there.
    NotThere,
    /// It is a folder.
    Folder,
    /// Something is there that is not read: outside of the repository, too large, no text. The reason is for people.
    Unreadable(String),
}

/// The name of standard input in reports.
pub const STDIN: &str = "<stdin>";

/// Whether a file of this path is looked at when a folder is walked: by its name, some kind may take it.
#[must_use]
pub fn is_candidate(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    is_document_name(name) || is_claimed_as_text(name)
}

/// Whether a file of this path that is no text must be said: a disk's `*.image` is as much a file as a unit of that
/// name, and what no kind takes by its name is any file.
#[must_use]
pub fn is_text_by_name(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or_default();
    is_candidate(path) && !matches!(ending, "image" | "volume")
}

fn is_claimed_as_text(name: &str) -> bool {
    KINDS.iter().any(|kind| matches!(kind.reader, Reader::Text { claims, .. } if claims(name)))
}

/// Whether a name says YAML or JSON, also as a template of one (`values.yaml.gotmpl`, `stack.yml.j2`).
fn is_document_name(name: &str) -> bool {
    const TEMPLATES: [&str; 8] = ["j2", "jinja", "jinja2", "tpl", "tmpl", "gotmpl", "template", "in"];
    let ending = |name: &str| name.rsplit_once('.').map(|(stem, ending)| (stem.len(), ending.to_ascii_lowercase()));
    let is_document = |ending: &str| matches!(ending, "yml" | "yaml" | "json" | "jsonc");
    match ending(name) {
        Some((_, last)) if is_document(&last) => true,
        Some((stem, last)) if TEMPLATES.contains(&last.as_str()) => {
            ending(name.get(..stem).unwrap_or_default()).is_some_and(|(_, inner)| is_document(&inner))
        }
        // kustomize reads its file under three names, one of them without an ending.
        _ => name == STDIN || name == "Kustomization",
    }
}

fn is_json_name(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("json"))
}

/// For text that stands alone: standard input, tests.
pub struct Alone;

impl Beside for Alone {
    fn open(&self, _: &Source, _: &str) -> Result<Arc<Source>, Absent> {
        Err(Absent::NotThere)
    }
}

/// One image reference at its exact place.
#[derive(Clone, Debug)]
pub struct LocatedImage {
    /// The name of the kind.
    pub kind: &'static str,
    /// The image text itself: after an opening quote, `docker://`, an anchor or a tag.
    pub place: Place,
    /// Where in the manifest, for people: `services.web.image`.
    pub field: String,
    /// The object that deploys it, for people: `Deployment/web`.
    pub resource: Option<String>,
    /// The decoded text as written, before interpolation.
    pub written: String,
    /// What is deployed.
    pub state: State,
    /// A variable took part in deciding it: the environment of the deploying machine can still change it.
    pub variable: bool,
    /// The same service is built (`build:`).
    pub built: bool,
    /// A part of a reference whose rest is not in this file: a tag over a chart's own values. It is judged, and is no
    /// reference to list.
    pub partial: bool,
    /// Places that took part: the line that declares a variable, the base of an override.
    pub related: Vec<Related>,
    /// Where its digest is written.
    pub slot: PinSlot,
}

/// Where the digest of an image is written: data, so that pinning knows no syntax.
#[derive(Clone, Debug, Default)]
pub enum PinSlot {
    /// In the image's own text, which is the whole reference: its digest is replaced, or one is written behind it.
    #[default]
    Text,
    /// Elsewhere, or around it. The first is where the value is decided; the next ones are for a value that several
    /// images share and that cannot carry the digests of all of them.
    At(Vec<Slot>),
    /// Nowhere, for this reason: lower case, no full stop.
    None(String),
}

impl PinSlot {
    /// The places, where there are any beside the text.
    pub fn places(&self) -> impl Iterator<Item = &Slot> {
        let slots = match self {
            Self::At(slots) => slots.as_slice(),
            Self::Text | Self::None(_) => &[],
        };
        slots.iter()
    }
}

/// One place for a digest: `before`, the digest and `after` are written over the bytes of `place`.
#[derive(Clone, Debug)]
pub struct Slot {
    /// What is replaced; empty where something is inserted.
    pub place: Place,
    /// What comes before the digest: `@` behind a tag.
    pub before: String,
    /// What comes behind it.
    pub after: String,
    /// Only the hexadecimal digits are written: whoever reads them puts `sha256:` before them.
    pub is_bare: bool,
    /// Where the tag stands, where that is apart from the digest.
    pub tag: Option<Place>,
}

/// Another place that explains a finding.
#[derive(Clone, Debug)]
pub struct Related {
    pub place: Place,
    /// What stands there: lower case, no full stop.
    pub message: String,
}

/// What is known of the image that is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It follows the grammar. Pinned where it has a digest.
    Reference(Reference),
    /// It is no reference, or its digest proves nothing.
    Malformed { text: String, error: ReferenceError },
    /// A variable or a template that nothing in the repository decides. `why` is for people.
    Unresolved { why: String },
    /// Built where it is deployed.
    Built,
    /// Not from a registry: a stage name, `scratch`.
    Local,
}

impl State {
    /// The state of a text that is deployed as it stands.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match Reference::parse(text) {
            Ok(reference) => Self::Reference(reference),
            Err(error) => Self::Malformed { text: text.to_owned(), error },
        }
    }

    /// Unresolved, for the reason given: lower case, no full stop.
    #[must_use]
    pub fn unresolved(why: impl Into<String>) -> Self {
        Self::Unresolved { why: why.into() }
    }
}

impl LocatedImage {
    /// An image whose text stands in one node and is deployed as `state` says.
    #[must_use]
    pub fn new(
        kind: &'static str,
        source: &Arc<Source>,
        span: Span,
        field: impl Into<String>,
        written: &str,
        state: State,
    ) -> Self {
        Self {
            kind,
            place: Place::new(source, span),
            field: field.into(),
            resource: None,
            written: written.to_owned(),
            state,
            variable: false,
            built: false,
            partial: false,
            related: Vec::new(),
            slot: PinSlot::default(),
        }
    }

    /// Whether the text as written ends in a well-formed digest.
    #[must_use]
    pub fn is_pinned_as_written(&self) -> bool {
        ends_in_digest(&self.written)
    }

    /// The reference that is deployed, where it is one.
    #[must_use]
    pub fn reference(&self) -> Option<&Reference> {
        match &self.state {
            State::Reference(reference) => Some(reference),
            _ => None,
        }
    }

    /// The text that is deployed, where it is decided.
    #[must_use]
    pub fn effective(&self) -> Option<&str> {
        match &self.state {
            State::Reference(reference) => Some(reference.as_str()),
            State::Malformed { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The files into which its digest may be written.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        std::iter::once(&self.place.source).chain(self.slot.places().map(|slot| &slot.place.source))
    }

    /// The word for the state in reports.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match &self.state {
            State::Reference(reference) if reference.is_pinned() => "pinned",
            State::Reference(_) => "unpinned",
            State::Malformed { .. } => "malformed",
            State::Unresolved { .. } => "unresolved",
            State::Built => "built",
            State::Local => "local",
        }
    }
}

/// A manifest, or a part of it, that could not be read: nothing in it is proven.
#[derive(Clone, Debug)]
pub struct Unreadable {
    pub place: Place,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// The way out, where there is a particular one.
    pub help: Option<String>,
}

/// How deep a walk goes: aliases nest deeper than the text does, and the stack is not without end.
const MAX_DEPTH: usize = 256;

impl Unreadable {
    /// What stands too deep to be read.
    fn too_deep(source: &Arc<Source>, node: Node<'_>) -> Self {
        Self {
            place: Place::new(source, node.span()),
            message: format!("this stands more than {MAX_DEPTH} levels deep, counting through aliases"),
            help: Some("write what is deployed without nesting it through aliases".to_owned()),
        }
    }
}

/// Everything found in one file.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub images: Vec<LocatedImage>,
    pub unreadable: Vec<Unreadable>,
    /// Whether any kind took the file for its own.
    pub is_manifest: bool,
}

/// Reads one manifest: decides its syntax by name and, failing that, by content, offers it to [`KINDS`], and sorts
/// what was found by place.
///
/// `tree` is working memory that is used again from file to file.
pub fn read(source: &Arc<Source>, beside: &dyn Beside, tree: &mut Tree) -> Found {
    let mut found = Found::default();
    let name = source.file_name();
    let nameless = name == STDIN || !is_document_name(name);
    if is_claimed_as_text(name) {
        for kind in KINDS {
            if let Reader::Text { claims, read } = kind.reader
                && claims(name)
            {
                found.is_manifest |= read(source, &mut found);
            }
        }
    } else if nameless && dockerfile::looks_like(source.text()) {
        found.is_manifest = dockerfile::read(source, &mut found);
    } else if may_hold_an_image(source) {
        read_documents(source, beside, tree, &mut found);
    }
    found.images.sort_by(|a, b| {
        let order = (a.place.span, &a.field, a.effective());
        order.cmp(&(b.place.span, &b.field, b.effective()))
    });
    found.images.dedup_by(|a, b| {
        let same_place = a.place.span == b.place.span && a.place.source.path() == b.place.source.path();
        same_place && a.written == b.written && a.state == b.state
    });
    found
}

/// Most JSON in a repository is no manifest: without a key that has `image` in it, also spelled with escapes, none is,
/// but for a development container that is built, and for names whose texts variables fill in.
fn may_hold_an_image(source: &Source) -> bool {
    let bytes = source.text().as_bytes();
    !is_json_name(source.file_name())
        || devcontainer::is_named(source.file_name())
        || bake::is_json_named(source.file_name())
        || terraform::is_json_named(source.file_name())
        || memchr::memmem::find(bytes, b"mage").is_some()
        || memchr::memmem::find(bytes, b"\\u").is_some()
}

fn read_documents(source: &Arc<Source>, beside: &dyn Beside, tree: &mut Tree, found: &mut Found) {
    tree.parse(source.file_name(), source.text());
    for root in tree.documents(source.text()) {
        let document = Document { source, root, beside };
        for kind in KINDS {
            if let Reader::Document(read) = kind.reader
                && read(&document, found)
            {
                found.is_manifest = true;
                break;
            }
        }
    }
    // A file that only its content could make a manifest, and does not, is any text.
    if is_document_name(source.file_name()) || found.is_manifest {
        report_errors(source, tree, found);
    }
}

fn report_errors(source: &Arc<Source>, tree: &Tree, found: &mut Found) {
    let at = |offset: u32| Place::new(source, Span { start: offset, end: offset });
    let template = ["{{", "{%"].into_iter().find_map(|mark| source.text().find(mark));
    match (template, tree.errors()) {
        (_, []) => {}
        (Some(offset), [_, ..]) => {
            // A broken document of a template says nothing that the first one does not, and neither does the file where
            // its lines say the same: what they name is rendered.
            if !locate_in_template(source, tree, found) {
                found.unreadable.push(Unreadable {
                    place: at(u32::try_from(offset).unwrap_or(u32::MAX)),
                    message: "this is a template, not YAML: which images it gives cannot be told".to_owned(),
                    help: Some(
                        "render it and check what comes out: `helm template … | digest-gate check -`".to_owned(),
                    ),
                });
            }
        }
        (None, errors) => found.unreadable.extend(errors.iter().map(|error| Unreadable {
            place: at(error.offset),
            message: error.message.clone(),
            help: None,
        })),
    }
}

/// Locates the `image:` lines of the documents that could not be read; whether one of them is unresolved.
fn locate_in_template(source: &Arc<Source>, tree: &Tree, found: &mut Found) -> bool {
    let mut lines = Found::default();
    helm::template::locate_lines(source, &mut lines);
    let read: Vec<Span> = tree.documents(source.text()).map(Node::span).collect();
    let is_read = |span: Span| {
        let before = read.partition_point(|document| document.start <= span.start);
        before.checked_sub(1).and_then(|at| read.get(at)).is_some_and(|document| span.end <= document.end)
    };
    lines.images.retain(|image| !is_read(image.place.span));
    let is_unresolved = lines.images.iter().any(|image| matches!(image.state, State::Unresolved { .. }));
    found.is_manifest |= !lines.images.is_empty();
    found.images.extend(lines.images);
    is_unresolved
}

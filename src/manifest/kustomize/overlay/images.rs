//! The `images` of a layer, applied to every place of an object that kustomize applies them to.

use std::rc::Rc;

use regex::Regex;

use super::object::Object;
use super::select::expression;
use super::value::{Budget, Holder, Scalar, Value};
use super::{Outcome, undecided};
use crate::manifest::PinSlot;
use crate::manifest::kustomize::{self, ImageEntry};
use crate::source::Place;
use crate::yaml::Node;

/// A field that `images` applies to, as `configurations` name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FieldSpec {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) path: Vec<String>,
}

impl FieldSpec {
    fn fits(&self, group: &str, version: &str, kind: &str) -> bool {
        let fits = |expected: &str, actual| expected.is_empty() || expected == actual;
        fits(&self.group, group) && fits(&self.version, version) && fits(&self.kind, kind)
    }
}

/// The fields that kustomize 5.6 knows by itself, beside all lists of containers.
const PATHS: [&[&str]; 4] = [
    &["spec", "containers", "image"],
    &["spec", "initContainers", "image"],
    &["spec", "template", "spec", "containers", "image"],
    &["spec", "template", "spec", "initContainers", "image"],
];

/// Those that later versions know too.
const LATER_PATHS: [&[&str]; 2] =
    [&["spec", "volumes", "image", "reference"], &["spec", "template", "spec", "volumes", "image", "reference"]];

/// One entry, ready to be applied.
pub(super) struct Entry<'t> {
    change: ImageEntry<'t>,
    /// The scalar that decides.
    place: Place,
    /// Where a digest is written.
    slot: Rc<PinSlot>,
    regex: Regex,
    /// What versions after 5.6 match: digests of other algorithms.
    later: Regex,
}

impl<'t> Entry<'t> {
    pub(super) fn new(node: Node<'t>, place: Place) -> Outcome<Self> {
        const TAG: &str = "(:[a-zA-Z0-9_.{}-]*)?";
        let entry = ImageEntry::of(node);
        let slot = Rc::new(kustomize::slot_of(&place.source, node));
        let make = |digest: &str| {
            let pattern = expression(&format!("^{}{TAG}(@{digest}:[a-zA-Z0-9_.{{}}-]*)?$", entry.name));
            pattern.ok_or_else(|| undecided(&place, &format!("the image name `{}` cannot be judged", entry.name)))
        };
        let (regex, later) = (make("sha256")?, make("[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*")?);
        Ok(Self { change: entry, place, slot, regex, later })
    }

    fn apply(&self, scalar: &mut Scalar) {
        if !self.regex.is_match(&scalar.text) {
            if scalar.text.contains('@') && self.later.is_match(&scalar.text) {
                self.leave_undecided(scalar);
            }
            return;
        }
        let (mut name, mut tag, mut digest) = split(&scalar.text);
        let ImageEntry { new_name, new_tag, tag_suffix, digest: new_digest, .. } = self.change;
        if !new_name.is_empty() {
            name = new_name;
        }
        let suffixed = format!("{tag}{tag_suffix}");
        if !new_tag.is_empty() || !new_digest.is_empty() {
            (tag, digest) = (new_tag, new_digest);
        } else if !tag_suffix.is_empty() {
            (tag, digest) = (&suffixed, "");
        }
        let mut text = name.to_owned();
        if !tag.is_empty() {
            text.extend([":", tag]);
        }
        if !digest.is_empty() {
            text.extend(["@", digest]);
        }
        // An entry that gives a name alone leaves tag and digest where they stand.
        let gives_version = !(new_tag.is_empty() && new_digest.is_empty() && tag_suffix.is_empty());
        let holder = if gives_version { Holder::Entry(Rc::clone(&self.slot)) } else { scalar.holder() };
        scalar.change(text, &self.place, Some(self.change.composed()), holder);
    }

    fn leave_undecided(&self, scalar: &mut Scalar) {
        let why = "versions of kustomize differ in whether this entry of `images` changes the image";
        scalar.change(scalar.text.clone(), &self.place, Some(self.change.composed()), scalar.holder());
        scalar.history.get_or_insert_default().undecided = Some(why.to_owned());
    }
}

/// Name, tag and digest as kustomize splits them: what stands before the first `/` is the registry.
fn split(image: &str) -> (&str, &str, &str) {
    let registry = image.find('/').unwrap_or(0);
    let find = |mark| image.get(registry..)?.find(mark).map(|at| at + registry);
    let (colon, at) = (find(':'), find('@'));
    let part = |from: usize, to: usize| image.get(from..to).unwrap_or_default();
    match (colon, at) {
        (None, None) => (image, "", ""),
        (Some(colon), Some(at)) if colon < at => (part(0, colon), part(colon + 1, at), part(at + 1, image.len())),
        (_, Some(at)) => (part(0, at), "", part(at + 1, image.len())),
        (Some(colon), None) => (part(0, colon), part(colon + 1, image.len()), ""),
    }
}

/// Applies all entries to an object, in their order.
pub(super) fn apply(
    object: &mut Object,
    entries: &[Entry<'_>],
    specs: &[FieldSpec],
    budget: &Budget,
    at: &Place,
) -> Outcome {
    let id = object.id();
    if entries.is_empty() || id.kind == "CustomResourceDefinition" {
        return Ok(());
    }
    let (group, version) = id.api.rsplit_once('/').unwrap_or(("", &id.api));
    let specs = specs.iter().filter(|spec| spec.fits(group, version, &id.kind)).collect();
    Walk { entries, specs, budget, at }.value(&mut object.value, &mut Vec::new(), Role::Other)
}

/// What it costs to match an expression, beside the length of the text.
const MATCHING: usize = 16;

/// What a value is to the walk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Other,
    /// A list of this name is one of containers, at any depth.
    Containers,
    Container,
    /// The image of a container.
    Image,
}

struct Walk<'a> {
    entries: &'a [Entry<'a>],
    specs: Vec<&'a FieldSpec>,
    budget: &'a Budget,
    at: &'a Place,
}

impl Walk<'_> {
    /// `path` holds the keys above; lists are no part of it.
    fn value(&self, value: &mut Value, path: &mut Vec<String>, role: Role) -> Outcome {
        self.budget.spend(1 + self.specs.len(), self.at)?;
        match value {
            Value::Scalar(scalar) if scalar.is_null => Ok(()),
            Value::Scalar(scalar) => self.scalar(scalar, path, role),
            Value::List(items) => {
                let role = if role == Role::Containers { Role::Container } else { Role::Other };
                items.iter_mut().try_for_each(|item| self.value(item, path, role))
            }
            Value::Map(entries) => {
                for (key, value) in entries {
                    let role = match key.as_str() {
                        "image" if role == Role::Container => Role::Image,
                        "containers" | "initContainers" => Role::Containers,
                        _ => Role::Other,
                    };
                    path.push(key.clone());
                    self.value(value, path, role)?;
                    path.pop();
                }
                Ok(())
            }
        }
    }

    /// Every entry is applied once for each way in which kustomize comes by: what is suffixed is suffixed twice.
    fn scalar(&self, scalar: &mut Scalar, path: &[String], role: Role) -> Outcome {
        let is_here = |known: &[&str]| known.iter().eq(path.iter());
        let times = usize::from(role == Role::Image)
            + PATHS.iter().filter(|known| is_here(known)).count()
            + self.specs.iter().filter(|spec| spec.path == path).count();
        let is_later = times == 0 && LATER_PATHS.iter().any(|known| is_here(known));
        if times == 0 && !is_later {
            return Ok(());
        }
        for entry in self.entries {
            self.budget.spend((1 + times) * (MATCHING + scalar.text.len()), self.at)?;
            (0..times).for_each(|_| entry.apply(scalar));
            if is_later && entry.later.is_match(&scalar.text) {
                entry.leave_undecided(scalar);
            }
        }
        Ok(())
    }
}

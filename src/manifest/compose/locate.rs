//! From services to located images: each text once, where it stands, with the state of what is deployed.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::KIND;
use super::claim;
use super::merge_keys::MergeKeys;
use super::service::{Extends, Service, services};
use super::variables::{self, Variables};
use crate::manifest::{Beside, LocatedImage, State};
use crate::source::{Source, Span};
use crate::yaml::{Node, Tree};

/// Longest chain of `extends`.
const MAX_CHAIN: usize = 32;
/// Most files that the `extends` of one document may lead to.
const MAX_FILES: usize = 32;
pub(super) const DOCKER_IMAGE: &str = "docker-image://";

/// What a service runs once `extends` is followed; numbers are indexes into the images of the [`Locator`].
#[derive(Clone, Debug, Default)]
struct Effective {
    image: Option<usize>,
    build: Option<usize>,
    always_builds: Option<bool>,
    /// Images beside the service's own, of the service and of each one it extends.
    others: Vec<Rc<[usize]>>,
}

/// An image that may be used by several services.
struct Slot {
    image: LocatedImage,
    used: bool,
    /// A service runs it without building it first.
    pulled: bool,
}

/// The services of one document, and what is known of each so far: `None` while it is being found out.
struct File<'f, 't> {
    source: &'f Arc<Source>,
    services: HashMap<&'t str, &'f Service<'t>>,
    known: HashMap<&'t str, Option<Effective>>,
}

/// Locates the images of a document and of the files it extends.
pub(super) struct Locator<'a> {
    beside: &'a dyn Beside,
    variables: &'a Variables<'a>,
    slots: Vec<Slot>,
    /// Slots by path and bytes.
    by_place: HashMap<(String, Span), usize>,
    /// Services of other files by path: `None` while a file is being read, or where it cannot be.
    files: HashMap<String, Option<HashMap<String, Effective>>>,
}

impl<'a> Locator<'a> {
    pub(super) fn new(beside: &'a dyn Beside, variables: &'a Variables<'a>) -> Self {
        Self { beside, variables, slots: Vec::new(), by_place: HashMap::new(), files: HashMap::new() }
    }

    /// Locates every image that these services deploy.
    pub(super) fn locate(&mut self, source: &Arc<Source>, services: &[Service<'_>], merge_keys: &mut MergeKeys) {
        let effective = self.file(source, services, merge_keys);
        for service in services {
            if let Some(effective) = effective.get(service.name) {
                self.deploy(service.name, effective);
            }
        }
    }

    /// The images that are deployed.
    pub(super) fn into_images(self) -> impl Iterator<Item = LocatedImage> {
        self.slots.into_iter().filter(|slot| slot.used).map(|mut slot| {
            if slot.image.built && !slot.pulled {
                slot.image.state = State::Built;
            }
            slot.image
        })
    }

    fn deploy(&mut self, name: &str, service: &Effective) {
        let builds = service.build.is_some();
        match (service.image, service.build) {
            (Some(image), _) => self.use_slot(name, image, builds, builds && service.always_builds == Some(true)),
            (None, Some(build)) => self.use_slot(name, build, true, true),
            (None, None) => {}
        }
        for &other in service.others.iter().flat_map(|others| others.iter()) {
            self.use_slot(name, other, false, false);
        }
    }

    fn use_slot(&mut self, name: &str, index: usize, built: bool, always_built: bool) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if !slot.used {
            // Until it is used, the field is what stands below the service.
            slot.image.field = format!("services.{name}.{}", slot.image.field);
            slot.used = true;
        }
        slot.image.built |= built;
        slot.pulled |= !always_built;
    }

    /// What each service of a document runs.
    fn file<'t>(
        &mut self,
        source: &Arc<Source>,
        services: &[Service<'t>],
        merge_keys: &mut MergeKeys,
    ) -> HashMap<&'t str, Effective> {
        let by_name = services.iter().map(|service| (service.name, service)).collect();
        let mut file = File { source, services: by_name, known: HashMap::new() };
        for service in services {
            self.service(&mut file, service, merge_keys, 0);
        }
        file.known.into_iter().filter_map(|(name, service)| Some((name, service?))).collect()
    }

    fn service<'t>(
        &mut self,
        file: &mut File<'_, 't>,
        service: &Service<'t>,
        merge_keys: &mut MergeKeys,
        chain: usize,
    ) -> Effective {
        if let Some(Some(known)) = file.known.get(service.name) {
            return known.clone();
        }
        file.known.insert(service.name, None);
        let mut effective = self.own(file, service, merge_keys);
        if let Some(extends) = service.extends() {
            let base = match self.base(file, extends, merge_keys, chain) {
                Ok(base) => base,
                Err(why) => self.unresolved_base(file.source, extends, why),
            };
            effective.image = effective.image.or(base.image.filter(|_| !service.resets("image")));
            effective.build = effective.build.or(base.build.filter(|_| !service.resets("build")));
            effective.always_builds = effective.always_builds.or(base.always_builds);
            effective.others.extend(base.others);
        }
        file.known.insert(service.name, Some(effective.clone()));
        effective
    }

    /// What a service says itself.
    fn own(&mut self, file: &File<'_, '_>, service: &Service<'_>, merge_keys: &mut MergeKeys) -> Effective {
        let source = file.source;
        let (mut effective, mut others) = (Effective::default(), Vec::new());
        let image = service.get("image").filter(|(_, value)| value.scalar() != Some(""));
        let build = service.get("build");
        effective.image = image.map(|(_, value)| self.text(source, value, "image"));
        if let Some((key, value)) = build {
            effective.build = Some(self.slot(source, key.span(), "", "build", State::Built));
            self.contexts(source, value, merge_keys, &mut others);
        }
        let policy = service.get("pull_policy").and_then(|(_, value)| value.scalar());
        // A service that runs what another one builds (the same image, `pull_policy: never`) is judged as any other:
        // the text does not say that the build came first.
        effective.always_builds = policy.map(|policy| policy == "build");
        if let Some((_, volumes)) = service.get("volumes") {
            for (index, volume) in volumes.items().enumerate() {
                let volume = merge_keys.read(volume);
                if volume.get("type").and_then(|(_, value)| value.scalar()) == Some("image")
                    && let Some((_, value)) = volume.get("source").filter(|(_, value)| !value.is_null())
                    // The name of a service stands for the image that service runs or builds.
                    && !value.scalar().is_some_and(|name| file.services.contains_key(name))
                {
                    others.push(self.text(source, value, &format!("volumes[{index}].source")));
                }
            }
        }
        for hook in ["pre_start", "post_start", "pre_stop"] {
            let Some((_, hooks)) = service.get(hook) else { continue };
            for (index, item) in hooks.items().enumerate() {
                if let Some((_, value)) = merge_keys.read(item).get("image").filter(|(_, value)| !value.is_null()) {
                    others.push(self.text(source, value, &format!("{hook}[{index}].image")));
                }
            }
        }
        if !others.is_empty() {
            effective.others.push(others.into());
        }
        effective
    }

    /// `build.additional_contexts` that are images, as a mapping or as a list of `name=value`.
    fn contexts(&mut self, source: &Arc<Source>, build: Node<'_>, merge_keys: &mut MergeKeys, others: &mut Vec<usize>) {
        let Some((_, contexts)) = merge_keys.read(build).get("additional_contexts") else { return };
        for (key, value) in merge_keys.read(contexts).entries {
            let (Some(name), Some(text)) = (key.scalar(), value.scalar()) else { continue };
            others.extend(self.context(source, value, name, text));
        }
        for item in contexts.items() {
            if !merge_keys.visit() {
                return;
            }
            let Some((name, text)) = item.scalar().and_then(|item| item.split_once('=')) else { continue };
            others.extend(self.context(source, item, name, text));
        }
    }

    fn context(&mut self, source: &Arc<Source>, node: Node<'_>, name: &str, text: &str) -> Option<usize> {
        let node = node.resolve()?;
        let field = format!("build.additional_contexts.{name}");
        let Some(image) = text.strip_prefix(DOCKER_IMAGE) else {
            // The scheme itself may come from a variable.
            let found = self.variables.interpolate(text).ok()?;
            let image = found.text.strip_prefix(DOCKER_IMAGE)?;
            let slot = self.slot(source, node.span(), text, &field, State::of(image));
            let image = &mut self.slots.get_mut(slot)?.image;
            image.variable = true;
            variables::place_digest(image, &found, |name| self.variables.uses(name));
            return Some(slot);
        };
        let mut span = node.span();
        if let Some(at) = source.slice(span).find(DOCKER_IMAGE) {
            span = Span::new(span.start as usize + at + DOCKER_IMAGE.len(), span.end as usize);
        }
        Some(self.interpolated(source, span, image, &field))
    }

    /// The image that one node names.
    fn text(&mut self, source: &Arc<Source>, node: Node<'_>, field: &str) -> usize {
        let why = match node.resolve() {
            None => format!("`{}` stands for no anchor of this document", source.slice(node.span())),
            Some(target) => match target.scalar() {
                Some(text) => return self.interpolated(source, target.span(), text, field),
                None => format!("`{field}` is not a text"),
            },
        };
        let start = node.resolve().unwrap_or(node).span().start;
        self.slot(source, Span { start, end: start }, "", field, State::unresolved(why))
    }

    fn interpolated(&mut self, source: &Arc<Source>, span: Span, text: &str, field: &str) -> usize {
        if let Some(&known) = self.by_place.get(&(source.path().to_owned(), span)) {
            return known;
        }
        if !text.contains('$') {
            return self.slot(source, span, text, field, State::of(text));
        }
        let index = self.slot(source, span, text, field, State::Local);
        if let Some(slot) = self.slots.get_mut(index) {
            let found = self.variables.interpolate(text);
            variables::fill_in(&mut slot.image, found, |name| self.variables.uses(name));
        }
        index
    }

    /// The slot of a place, made where there is none yet.
    fn slot(&mut self, source: &Arc<Source>, span: Span, written: &str, field: &str, state: State) -> usize {
        let key = (source.path().to_owned(), span);
        if let Some(&known) = self.by_place.get(&key) {
            return known;
        }
        let image = LocatedImage::new(KIND.name, source, span, field, written, state);
        self.slots.push(Slot { image, used: false, pulled: false });
        self.by_place.insert(key, self.slots.len() - 1);
        self.slots.len() - 1
    }

    /// What the extended service runs.
    fn base<'t>(
        &mut self,
        file: &mut File<'_, 't>,
        extends: Extends<'t>,
        merge_keys: &mut MergeKeys,
        chain: usize,
    ) -> Result<Effective, String> {
        let name = self.plain_text(extends.service)?;
        if let Some(path) = extends.file {
            let path = self.plain_text(path)?;
            return self.base_in_file(file.source, &path, &name);
        }
        if chain >= MAX_CHAIN {
            return Err(format!("the chain of `extends` is longer than {MAX_CHAIN}"));
        }
        let Some(&service) = file.services.get(&*name) else {
            return Err(format!("it extends `{name}`, which is no service of this document"));
        };
        if matches!(file.known.get(service.name), Some(None)) {
            return Err(format!("it extends `{name}`, which extends it"));
        }
        Ok(self.service(file, service, merge_keys, chain + 1))
    }

    fn plain_text(&self, node: Node<'_>) -> Result<String, String> {
        let text = node.scalar().ok_or("`extends` names no service")?;
        Ok(self.variables.interpolate(text).map_err(|why| why.to_string())?.text)
    }

    fn base_in_file(&mut self, from: &Arc<Source>, path: &str, name: &str) -> Result<Effective, String> {
        let source = self
            .beside
            .read(from, path)
            .ok_or_else(|| format!("it extends `{name}` of `{path}`, which is not among the files that can be read"))?;
        let key = source.path();
        if !self.files.contains_key(key) {
            if self.files.len() >= MAX_FILES {
                return Err(format!("its `extends` lead through more than {MAX_FILES} files"));
            }
            self.files.insert(key.to_owned(), None);
            let services = self.read_file(&source);
            self.files.insert(key.to_owned(), services);
        }
        match self.files.get(key) {
            Some(Some(services)) => services
                .get(name)
                .cloned()
                .ok_or_else(|| format!("it extends `{name}`, which is no service of `{path}`")),
            _ => Err(format!("it extends `{name}` of `{path}`, which cannot be read or leads back here")),
        }
    }

    /// The services of all documents of another file, later ones over earlier ones.
    fn read_file(&mut self, source: &Arc<Source>) -> Option<HashMap<String, Effective>> {
        let tree = Tree::yaml(source.text());
        if !tree.errors().is_empty() {
            return None;
        }
        let mut all = HashMap::new();
        for root in tree.documents(source.text()) {
            let mut merge_keys = MergeKeys::new();
            let root = merge_keys.read(root);
            let declared = services(&root, claim::Shape::Services, &mut merge_keys);
            let found = self.file(source, &declared, &mut merge_keys);
            all.extend(found.into_iter().map(|(name, service)| (name.to_owned(), service)));
            if merge_keys.is_exhausted() {
                return None;
            }
        }
        Some(all)
    }

    /// A service whose base is not known could run anything, unless it names its own image.
    fn unresolved_base(&mut self, source: &Arc<Source>, extends: Extends<'_>, why: String) -> Effective {
        let node = extends.service;
        let node = node.resolve().unwrap_or(node);
        let written = node.scalar().unwrap_or_default();
        let image = self.slot(source, node.span(), written, "extends", State::unresolved(why));
        Effective { image: Some(image), ..Effective::default() }
    }
}

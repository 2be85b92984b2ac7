//! An image that is written as several scalars: which scalar is which part, and what they compose.

use std::sync::Arc;

use crate::manifest::merge::Entry as Part;
use crate::manifest::{PinSlot, Slot, slot};
use crate::reference::{Reference, ends_in_digest};
use crate::source::{Place, Source};
use crate::yaml::Node;

/// What the mappings around one say of it.
#[derive(Clone, Copy, Default)]
pub(super) struct Scope<'t> {
    /// The registry that the nearest `global:` puts in place of every other.
    overriding: Option<&'t str>,
    /// The registry that it gives to images without one.
    filling: Option<&'t str>,
    /// A key on the way here names an image (`image`, `initContainerImage`, `images`).
    pub(super) is_image: bool,
    /// The last key on the way here does.
    is_own_image: bool,
    /// The last key on the way here is about a chart or a repository of source code.
    is_source: bool,
}

impl<'t> Scope<'t> {
    /// The scope of the value of a key.
    pub(super) fn below(&self, key: &str) -> Self {
        let lower = key.to_ascii_lowercase();
        let is_own_image = lower.contains("image") && !lower.contains("imagepull");
        let is_source = matches!(lower.as_str(), "chart" | "git" | "source" | "helm");
        Self { is_image: self.is_image || is_own_image, is_own_image, is_source, ..*self }
    }

    /// The scope inside a mapping whose `global:` is nearer than one outside; `global` gives its texts by path.
    pub(super) fn within(&self, mut global: impl FnMut(&[&str]) -> Option<&'t str>) -> Self {
        let mut text = |path: &[&str]| global(path).filter(|text| !text.is_empty());
        let overriding = [&["imageRegistry"][..], &["cattle", "systemDefaultRegistry"], &["systemDefaultRegistry"]];
        let filling = [&["image", "registry"][..], &["hub"]];
        Self {
            overriding: overriding.into_iter().find_map(&mut text),
            filling: filling.into_iter().find_map(&mut text),
            ..*self
        }
    }
}

/// How much of an image the scalars tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Whole,
    /// The repository is the chart's.
    TagAlone,
    /// Cilium: one digest for each cloud, and the chart chooses.
    SeveralDigests,
}

/// The scalars of one image.
pub(super) struct Parts<'t> {
    registry: String,
    /// Put before `base`: NVIDIA writes `repository` and `image`.
    parent: Option<Part<'t>>,
    base: Option<Part<'t>>,
    tag: Option<Part<'t>>,
    digest: Option<Part<'t>>,
    /// Keys that are there and have no text yet.
    empty_tag: Option<Part<'t>>,
    empty_digest: Option<Part<'t>>,
    form: Form,
}

pub(super) const TAGS: [&str; 2] = ["tag", "imageTag"];
pub(super) const DIGESTS: [&str; 5] = ["digest", "sha", "sha256", "imageDigest", "imageSHA"];
const POLICIES: [&str; 2] = ["pullPolicy", "imagePullPolicy"];
const REGISTRIES: [&str; 4] = ["registry", "hub", "imageRegistry", "defaultRegistry"];
/// Digests for one cloud each, in Cilium's operator.
const CLOUD_DIGESTS: [&str; 4] = ["genericDigest", "awsDigest", "azureDigest", "alibabacloudDigest"];
/// Hosts of source code, which serve no images.
const CODE_HOSTS: [&str; 3] = ["github.com/", "gitlab.com/", "bitbucket.org/"];

/// Why no digest is written where the chart gives the tag.
pub(super) const NO_TAG: &str =
    "no tag stands here, so the chart decides it: write `tag`, and the digest goes behind it";

/// The slot of a value called `key`: some charts put `sha256:` before what they find there.
pub(super) fn in_forms(key: &str, slot: Slot) -> [Slot; 2] {
    let bare = Slot { is_bare: true, ..slot.clone() };
    if key.to_ascii_lowercase().contains("sha") { [bare, slot] } else { [slot, bare] }
}

fn filled(part: Option<Part<'_>>) -> Option<Part<'_>> {
    part.filter(|(_, value)| value.string().is_some_and(|text| !text.is_empty()))
}

/// The registry that stands beside the repository, empty where the key is there and nothing is written.
fn registry<'t>(get: &dyn Fn(&str) -> Option<Part<'t>>) -> Option<&'t str> {
    let mut any = REGISTRIES.iter().filter_map(|key| get(key)).map(|(_, value)| value.string().unwrap_or_default());
    let first = any.next()?;
    Some(if first.is_empty() { any.find(|text| !text.is_empty()).unwrap_or_default() } else { first })
}

/// The registry that a chart puts before `base`: the global one of Bitnami, Prometheus community, Longhorn and Rancher
/// overrides, that of ingress-nginx and Istio fills in.
fn registry_of<'t>(get: &dyn Fn(&str) -> Option<Part<'t>>, scope: &Scope<'t>, base: &str) -> String {
    let own = registry(get);
    let has_domain = base.split_once('/').is_some_and(|(first, _)| first.contains(['.', ':']) || first == "localhost");
    if own.is_none() && has_domain {
        return String::new();
    }
    let registry = scope.overriding.or(own.filter(|own| !own.is_empty())).or(scope.filling);
    registry.unwrap_or_default().trim_end_matches('/').to_owned()
}

/// Whether a text has a tag or a digest of its own.
fn has_version(part: Part<'_>) -> bool {
    let text = part.1.string().unwrap_or_default();
    text.contains('@') || text.rsplit('/').next().is_some_and(|last| last.contains(':'))
}

/// Whether a repository is one of charts or of source code.
fn is_address(text: &str) -> bool {
    text.contains("://")
        || text.starts_with("git@")
        || text.strip_suffix(".git").is_some()
        || CODE_HOSTS.iter().any(|host| text.starts_with(host))
}

/// Whether a text is meant as a digest; whether it is one is judged with the whole reference.
pub(super) fn is_digest(text: &str) -> bool {
    text.starts_with("sha256:") || text.starts_with("sha512:")
}

/// Whether a text begins with a host that serves nothing but images.
fn is_known_registry(text: &str) -> bool {
    let Some((host, _)) = text.split_once('/') else { return false };
    let hosts = ["docker.io", "ghcr.io", "quay.io", "gcr.io", "registry.k8s.io", "mcr.microsoft.com", "public.ecr.aws"];
    let endings = [".gcr.io", ".pkg.dev", ".azurecr.io", ".docker.io"];
    hosts.contains(&host) || endings.iter().any(|ending| host.ends_with(ending)) || host.contains(".dkr.ecr.")
}

/// Whether a key names a part of an image and never a whole one.
pub(super) fn is_part(name: &str) -> bool {
    let lists = [&TAGS[..], &DIGESTS, &POLICIES, &REGISTRIES];
    lists.iter().any(|list| list.contains(&name)) || matches!(name, "repository" | "name" | "version" | "override")
}

impl<'t> Parts<'t> {
    /// The image that a mapping is; `None` where it is none. `get` gives scalars by key.
    pub(super) fn gather(get: &dyn Fn(&str) -> Option<Part<'t>>, scope: &Scope<'t>, overrides: bool) -> Option<Self> {
        if scope.is_image
            && let Some(whole) = filled(get("override"))
        {
            return Self::of_text(whole, None, None);
        }
        let mut parts = Self::versions(get);
        let repository = filled(get("repository")).or_else(|| filled(get("repo")).filter(|_| scope.is_own_image));
        match (repository, filled(get("image"))) {
            (Some(repository), image) => parts.with_repository(get, scope, repository, image)?,
            (None, Some(image)) => parts.with_image(get, image)?,
            (None, None) if !scope.is_own_image || get("repository").is_some() || get("image").is_some() => {
                return None;
            }
            (None, None) => match filled(get("name")) {
                Some(name) if parts.has_version() || get("tag").is_some() || registry(get).is_some() => {
                    parts.base = Some(name);
                }
                None if overrides && parts.is_unpinned_tag() => parts.form = Form::TagAlone,
                _ => return None,
            },
        }
        parts.registry = registry_of(get, scope, parts.base.and_then(|(_, base)| base.string()).unwrap_or_default());
        Some(parts)
    }

    /// A whole reference under one key, with a tag or a digest beside it.
    pub(super) fn of_text(text: Part<'t>, tag: Option<Part<'t>>, digest: Option<Part<'t>>) -> Option<Self> {
        let is_alone = tag.is_none() && digest.is_none() && text.0 != "override";
        if is_alone || text.1.string().is_none_or(|text| text.is_empty() || is_address(text)) {
            return None;
        }
        let mut parts = Self { base: Some(text), ..Self::empty() };
        parts.tag = filled(tag).filter(|_| !has_version(text));
        parts.digest = filled(digest);
        Some(parts)
    }

    fn empty() -> Self {
        Self {
            registry: String::new(),
            parent: None,
            base: None,
            tag: None,
            digest: None,
            empty_tag: None,
            empty_digest: None,
            form: Form::Whole,
        }
    }

    /// Tag and digest, whatever they belong to.
    fn versions(get: &dyn Fn(&str) -> Option<Part<'t>>) -> Self {
        let first = |keys: &[&str]| keys.iter().find_map(|key| filled(get(key)));
        let empty = |keys: &[&str]| keys.iter().find_map(|key| get(key)).filter(|part| filled(Some(*part)).is_none());
        let mut parts = Self {
            tag: first(&TAGS),
            digest: first(&DIGESTS),
            empty_tag: empty(&TAGS),
            empty_digest: empty(&DIGESTS),
            ..Self::empty()
        };
        if get("useDigest").is_some_and(|(_, value)| value.scalar() == Some("false")) {
            parts.digest = None;
            parts.empty_digest = None;
        } else if parts.digest.is_none() && first(&CLOUD_DIGESTS).is_some() {
            parts.form = Form::SeveralDigests;
        }
        if parts.tag.is_none()
            && let Some(version) = filled(get("version"))
        {
            parts.tag = Some(version);
        }
        // A digest where the tag is expected: charts that allow it put `@` before it.
        if parts.digest.is_none() && parts.tag.is_some_and(|(_, tag)| tag.string().is_some_and(is_digest)) {
            parts.digest = parts.tag.take();
        }
        parts
    }

    fn with_repository(
        &mut self,
        get: &dyn Fn(&str) -> Option<Part<'t>>,
        scope: &Scope<'t>,
        repository: Part<'t>,
        image: Option<Part<'t>>,
    ) -> Option<()> {
        let text = repository.1.string()?;
        let has_any = |keys: &[&str]| keys.iter().any(|key| get(key).is_some());
        let has_registry = has_any(&REGISTRIES);
        let is_image = has_any(&TAGS)
            || has_any(&DIGESTS)
            || has_any(&POLICIES)
            || has_any(&CLOUD_DIGESTS)
            || has_registry && get("version").is_some()
            || scope.is_image
            || image.is_some() && get("version").is_some()
            || is_known_registry(text)
            || text.contains("@sha256:");
        let is_source = scope.is_source || has_any(&["chart", "targetRevision"]);
        if !is_image || is_address(text) && !scope.is_own_image || is_source && !scope.is_image {
            return None;
        }
        // `version` is often that of something else: it is the tag where the rest says so.
        let is_version = self.tag.is_some_and(|(key, _)| key == "version");
        if is_version && !(has_registry || scope.is_image || image.is_some()) {
            self.tag = None;
        }
        match image {
            Some(image) if image.1.string().is_some_and(|image| !image.contains([':', '@'])) => {
                self.parent = Some(repository);
                self.base = Some(image);
            }
            _ => self.base = Some(repository),
        }
        Some(())
    }

    fn with_image(&mut self, get: &dyn Fn(&str) -> Option<Part<'t>>, image: Part<'t>) -> Option<()> {
        let text = image.1.string()?;
        let has_registry = registry(get).is_some();
        let is_version = |part: Option<Part<'_>>| part.is_some_and(|(key, _)| key == "version");
        if is_version(self.tag) && !has_registry {
            self.tag = None;
        }
        let has_tag_key = get("tag").is_some() || get("imageTag").is_some();
        if is_address(text) || !(has_registry || has_tag_key || self.tag.is_some() || self.digest.is_some()) {
            return None;
        }
        if has_version(image) {
            // The text has its own: what stands beside it is of something else.
            self.tag = None;
            self.digest = self.digest.filter(|_| !text.contains('@') && !is_version(self.digest));
        }
        self.base = Some(image);
        Some(())
    }

    fn is_unpinned_tag(&self) -> bool {
        let tag = self.tag.and_then(|(_, tag)| tag.string());
        self.digest.is_none() && tag.is_some_and(|tag| !ends_in_digest(tag))
    }

    /// Whether a value is the one that gives the image its name, so that it is not one by itself.
    pub(super) fn takes(&self, value: Node<'t>) -> bool {
        [self.base, self.parent].iter().flatten().any(|(_, part)| *part == value)
    }

    /// Whether a tag or a digest is given.
    pub(super) fn has_version(&self) -> bool {
        self.tag.is_some() || self.digest.is_some()
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// The scalar that carries the digest, else the tag, else the name.
    pub(super) fn decides(&self) -> Option<Part<'t>> {
        self.digest.or(self.tag).or(self.base)
    }

    /// Where the digest of the image that deploys `reference` is written. `mapping` is that of the parts, if it is one;
    /// `version` is the tag that the chart gives where none stands.
    pub(super) fn slot(
        &self,
        source: &Arc<Source>,
        mapping: Option<Node<'t>>,
        reference: &Reference,
        version: Option<&str>,
    ) -> PinSlot {
        let place = |part: Part<'t>| Some(Place::new(source, part.1.resolve()?.span()));
        let tag = self.tag.and_then(place).filter(|place| Some(place.text()) == reference.tag());
        if let Some(digest) = reference.digest() {
            let places = [self.digest, self.tag, self.base].into_iter().flatten().filter_map(place);
            let hex = digest.rsplit(':').next().unwrap_or(digest);
            let written = |place: Place| {
                Slot::over_digest(&place, digest)
                    .or_else(|| Slot::over_digest(&place, hex).map(|slot| Slot { is_bare: true, ..slot }))
            };
            let slot = places.into_iter().find_map(written);
            return slot.map_or_else(
                || PinSlot::None(slot::IN_PARTS.to_owned()),
                |slot| PinSlot::At(vec![Slot { tag, ..slot }]),
            );
        }
        let mut slots = Vec::new();
        if let Some((key, value)) = self.empty_digest.filter(|_| version.is_none() && reference.tag().is_some()) {
            let slot = slot::into_empty(source, value).map(|slot| Slot { tag, ..slot });
            slots.extend(slot.into_iter().flat_map(|slot| in_forms(key, slot)));
        }
        let with_version =
            |slot: Slot| Slot { before: format!("{}{}@", slot.before, version.unwrap_or_default()), ..slot };
        match (self.tag.or(self.base), version) {
            (Some((key, _)), Some(_)) => {
                let empty = self.empty_tag.map(|(_, value)| slot::into_empty(source, value));
                let new = || {
                    let mapping = mapping?;
                    slot::new_entry(source, mapping, mapping.entry(key)?, "tag")
                };
                slots.extend(empty.unwrap_or_else(new).map(with_version));
            }
            (Some((_, value)), None) if reference.tag().is_some() => {
                slots.extend(value.resolve().map(|node| slot::behind(source, node)));
            }
            _ => {}
        }
        if slots.is_empty() { PinSlot::None(NO_TAG.to_owned()) } else { PinSlot::At(slots) }
    }

    /// The reference, as charts compose it.
    pub(super) fn composed(&self) -> String {
        let text = |part: Option<Part<'t>>| part.and_then(|(_, node)| node.string()).unwrap_or_default();
        let (parent, base) = (text(self.parent).trim_end_matches('/'), text(self.base));
        let mut whole = String::new();
        let first = if parent.is_empty() { base } else { parent };
        let registry = self.registry.as_str();
        let stands = first.strip_prefix(registry).is_some_and(|rest| rest.starts_with('/'));
        for name in [if stands { "" } else { registry }, parent] {
            if !name.is_empty() {
                whole.push_str(name);
                whole.push('/');
            }
        }
        whole.push_str(base);
        let tag = text(self.tag);
        if !tag.is_empty() && !whole.is_empty() {
            whole.push(':');
        }
        whole.push_str(tag);
        if let Some((key, _)) = self.digest {
            let digest = text(self.digest).trim_start_matches('@');
            let is_bare = !digest.contains(':') && key.to_ascii_lowercase().contains("sha");
            whole.push_str(if is_bare { "@sha256:" } else { "@" });
            whole.push_str(digest);
        }
        whole
    }
}

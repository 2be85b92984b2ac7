//! Kustomizations: the entries of `images`, and the images that inline patches set.
//!
//! Sources: the Kustomize reference (`images`, `patches`), and the behaviour of kustomize 5.6, against which the
//! rules of [`ImageEntry`] are tested.

use super::embedded::{self, join};
use super::{Document, Found, Kind, LocatedImage, Reader, State, helm, kubernetes, merge};
use crate::yaml::Node;

/// The kind.
pub static KIND: Kind = Kind {
    name: "kustomize",
    title: "Kustomize",
    files: "`kustomization.yaml`, `kustomization.yml`, `Kustomization`, and documents of `kind: Kustomization` or \
            `Component` of `kustomize.config.k8s.io`",
    reads: "`newName`, `newTag` and `digest` of each entry of `images`, images in inline patches, `valuesInline` of \
            `helmCharts`",
    reader: Reader::Document(read),
};

/// The names kustomize looks for.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// An entry of `images`: which images it changes, and to what. Texts are empty where nothing is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageEntry<'t> {
    pub name: &'t str,
    pub new_name: &'t str,
    pub new_tag: &'t str,
    pub tag_suffix: &'t str,
    pub digest: &'t str,
}

impl<'t> ImageEntry<'t> {
    /// The entry that a mapping is.
    #[must_use]
    pub fn of(node: Node<'t>) -> Self {
        let text = |key| field(node, key).and_then(|(_, value)| value.string()).unwrap_or_default();
        Self {
            name: text("name"),
            new_name: text("newName"),
            new_tag: text("newTag"),
            tag_suffix: text("tagSuffix"),
            digest: text("digest"),
        }
    }

    /// What an image becomes; `None` where the entry is not for it.
    #[must_use]
    pub fn apply(&self, image: &str) -> Option<String> {
        let (name, tag, digest) = split(image);
        let is_meant = self.name == name || self.name == image || !tag.is_empty() && self.name == name_and_tag(image);
        if self.name.is_empty() || !is_meant {
            return None;
        }
        let name = if self.new_name.is_empty() { name } else { self.new_name };
        Some(match (self.new_tag, self.digest) {
            // The suffix is put twice and the digest is lost: that is how kustomize 5.6 deploys it.
            ("", "") if !self.tag_suffix.is_empty() => {
                compose(name, &format!("{tag}{}{}", self.tag_suffix, self.tag_suffix), "")
            }
            ("", "") => compose(name, tag, digest),
            (tag, digest) => compose(name, tag, digest),
        })
    }

    /// The reference as far as the entry alone tells it.
    #[must_use]
    pub fn composed(&self) -> String {
        let name = if self.new_name.is_empty() { split(self.name).0 } else { self.new_name };
        compose(name, self.new_tag, self.digest)
    }

    /// What is deployed, as far as the entry alone tells it.
    fn state(&self) -> State {
        let keeps_the_rest = self.new_tag.is_empty() && self.digest.is_empty() && self.tag_suffix.is_empty();
        let (_, tag, digest) = split(self.new_name);
        if keeps_the_rest && tag.is_empty() && digest.is_empty() {
            return State::unresolved(
                "only the name is replaced, tag and digest stay those of the manifests below: check the overlay as it builds",
            );
        }
        kubernetes::state_of(&self.composed())
    }
}

fn compose(name: &str, tag: &str, digest: &str) -> String {
    let tag = if tag.is_empty() { String::new() } else { format!(":{tag}") };
    let digest = if digest.is_empty() { String::new() } else { format!("@{digest}") };
    format!("{name}{tag}{digest}")
}

fn name_and_tag(image: &str) -> &str {
    image.split('@').next().unwrap_or(image)
}

/// Name, tag and digest of any text, without judging it.
fn split(image: &str) -> (&str, &str, &str) {
    let (rest, digest) = image.split_once('@').unwrap_or((image, ""));
    match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag, digest),
        _ => (rest, "", digest),
    }
}

/// Kustomize takes keys in any case.
fn field<'t>(node: Node<'t>, key: &str) -> Option<(Node<'t>, Node<'t>)> {
    merge::entry_in_any_case(node, key)
}

fn read(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    let text = |key| root.get(key).and_then(Node::string);
    let group = text("apiVersion").map(|api| api.split('/').next().unwrap_or_default());
    let kind = text("kind");
    if group == Some("builtin") && kind == Some("ImageTagTransformer") {
        let entry = field(root, "imageTag").map(|(_, entry)| entry);
        read_entries(document, entry, "imageTag", found);
        return true;
    }
    let named = FILE_NAMES.contains(&document.source.file_name()) && root.is_mapping();
    let kind_fits = matches!(kind, Some("Kustomization" | "Component"));
    let is_kustomization = match group {
        Some(group) => group == "kustomize.config.k8s.io" && (kind_fits || named && kind.is_none()),
        None => named && (kind_fits || kind.is_none()),
    };
    if !is_kustomization {
        return false;
    }
    // `imageTags` is what `images` was called: kustomize still reads it.
    for key in ["images", "imageTags"] {
        read_images(document, field(root, key).map(|(_, list)| list), key, found);
    }
    read_patches(document, root, "", found);
    read_transformers(document, found);
    for (index, chart) in items(root, "helmCharts") {
        if let Some((_, values)) = field(chart, "valuesInline") {
            helm::read_values(document, values, &format!("helmCharts[{index}].valuesInline"), found);
        }
    }
    true
}

fn items<'t>(node: Node<'t>, key: &str) -> impl Iterator<Item = (usize, Node<'t>)> + use<'t> {
    field(node, key).into_iter().flat_map(|(_, list)| list.items()).enumerate()
}

/// A list of entries, of a kustomization or of an object that holds one.
pub(super) fn read_images(document: &Document<'_>, list: Option<Node<'_>>, path: &str, found: &mut Found) {
    for (index, entry) in list.into_iter().flat_map(Node::items).enumerate() {
        read_entries(document, Some(entry), &format!("{path}[{index}]"), found);
    }
}

/// One entry: one image, at the scalar that carries its digest, else its tag, else its name.
fn read_entries(document: &Document<'_>, entry: Option<Node<'_>>, path: &str, found: &mut Found) {
    let Some(node) = entry else { return };
    let entry = ImageEntry::of(node);
    let keys = ["digest", "newTag", "newName", "tagSuffix"];
    let decides = keys.into_iter().filter_map(|key| field(node, key));
    // An entry that has nothing but a name changes nothing.
    let mut decides = decides.filter(|(_, value)| value.string().is_some_and(|text| !text.is_empty()));
    let Some((key, value)) = decides.next() else { return };
    let Some(scalar) = value.resolve() else { return };
    let name = format!("{path}.{}", key.scalar().unwrap_or_default());
    let image = LocatedImage::new(KIND.name, document.source, scalar.span(), name, &entry.composed(), entry.state());
    found.images.push(image);
}

/// Inline patches: strategic merge patches, which are partial objects, and JSON patches.
pub(super) fn read_patches(document: &Document<'_>, node: Node<'_>, path: &str, found: &mut Found) {
    for key in ["patches", "patchesJson6902"] {
        for (index, patch) in items(node, key) {
            let name = join(path, &format!("{key}[{index}].patch"));
            if let Some((_, text)) = field(patch, "patch") {
                read_patch(document, text, &name, found);
            }
        }
    }
    for (index, patch) in items(node, "patchesStrategicMerge") {
        let name = join(path, &format!("patchesStrategicMerge[{index}]"));
        read_patch(document, patch, &name, found);
    }
}

fn read_patch(document: &Document<'_>, node: Node<'_>, field: &str, found: &mut Found) {
    if node.is_mapping() || node.is_sequence() {
        read_patch_document(&Document { root: node, ..*document }, field, found);
        return;
    }
    embedded::read(document, node, field, found, &mut |inner, found| read_patch_document(inner, "", found));
}

fn read_patch_document(document: &Document<'_>, path: &str, found: &mut Found) {
    if !document.root.is_sequence() {
        kubernetes::read_part(document, document.root, None, path, found);
        return;
    }
    for (index, operation) in document.root.items().enumerate() {
        let text = |key| operation.get(key).and_then(Node::string).unwrap_or_default();
        if let ("add" | "replace", Some(value)) = (text("op"), operation.get("value")) {
            let names = text("path").rsplit('/').filter(|name| *name != "-" && name.parse::<usize>().is_err());
            let name = names.into_iter().next().filter(|name| !name.is_empty());
            let path = join(path, &format!("[{index}].value"));
            kubernetes::read_part(document, value, name, &path, found);
        }
    }
}

/// Transformers written in the kustomization itself.
fn read_transformers(document: &Document<'_>, found: &mut Found) {
    for key in ["transformers", "generators"] {
        for (index, text) in items(document.root, key) {
            if text.string().is_some_and(|text| text.contains('\n')) {
                let name = format!("{key}[{index}]");
                embedded::read(document, text, &name, found, &mut |inner, found| {
                    if !read(inner, found) {
                        kubernetes::read_part(inner, inner.root, None, "", found);
                    }
                });
            }
        }
    }
}

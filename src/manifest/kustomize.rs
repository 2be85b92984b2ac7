//! Kustomizations: the entries of `images`, and the images that inline patches set.
//!
//! Sources: the Kustomize reference (`images`, `patches`), and the behaviour of kustomize 5.6, against which the
//! rules of [`ImageEntry`] are tested.

pub mod overlay;

use std::sync::Arc;

use super::embedded::{self, join};
use super::merge::{self, Once};
use super::{Document, Found, Kind, LocatedImage, PinSlot, Reader, Slot, State, helm, kubernetes, slot};
use crate::reference::ends_in_digest;
use crate::source::{Place, Source};
use crate::yaml::Node;

/// The kind.
pub static KIND: Kind = Kind {
    name: "kustomize",
    title: "Kustomize",
    files: "`kustomization.yaml`, `kustomization.yml`, `Kustomization`, and documents of `kind: Kustomization` or \
            `Component` of `kustomize.config.k8s.io`",
    reads: "`newName`, `newTag` and `digest` of each entry of `images`, images in inline patches, `valuesInline` of \
            `helmCharts`",
    decided: "`newName`, `newTag` and `digest` of an entry are put together as kustomize does; with a digest or a tag \
            of its own an entry tells the whole image",
    unresolved: "an entry that replaces only the name, for tag and digest stay those of the manifests below: give it \
            a `digest`, or name the folder under `overlays` of the configuration, and it is judged as it builds",
    example: &[(
        "kustomization.yaml",
        "images:
- name: web
  newName: ghcr.io/org/web
  newTag: 1.2.3
  digest: sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
- name: worker
  newName: ghcr.io/org/worker
  newTag: 1.2.3
- name: proxy
  newName: ghcr.io/org/proxy
",
    )],
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
    // kustomize knows no `services`: a file of that name that has them is Compose's.
    let named =
        FILE_NAMES.contains(&document.source.file_name()) && root.is_mapping() && root.get("services").is_none();
    let kind_fits = matches!(kind, Some("Kustomization" | "Component"));
    let is_kustomization = match group {
        Some(group) => group == "kustomize.config.k8s.io" && (kind_fits || named && kind.is_none()),
        None => named && (kind_fits || kind.is_none()),
    };
    if !is_kustomization {
        return false;
    }
    let once = &mut Once::default();
    // `imageTags` is what `images` was called: kustomize still reads it.
    for key in ["images", "imageTags"] {
        let list = field(root, key).map(|(_, list)| list);
        read_images(document, list, key, once, found);
    }
    read_patches(document, root, "", once, found);
    read_transformers(document, once, found);
    for (index, chart) in items(root, "helmCharts", once) {
        if let Some(values) = field(chart, "valuesInline").and_then(|(_, values)| once.enter(values)) {
            helm::read_values(document, values, &format!("helmCharts[{index}].valuesInline"), found);
        }
    }
    true
}

fn items<'t>(node: Node<'t>, key: &str, once: &mut Once) -> Vec<(usize, Node<'t>)> {
    let list = field(node, key).and_then(|(_, list)| once.enter(list));
    let items = list.into_iter().flat_map(Node::items).enumerate();
    items.filter_map(|(index, item)| Some((index, once.enter(item)?))).collect()
}

/// A list of entries, of a kustomization or of an object that holds one.
pub(super) fn read_images(
    document: &Document<'_>,
    list: Option<Node<'_>>,
    path: &str,
    once: &mut Once,
    found: &mut Found,
) {
    for (index, entry) in list.and_then(|list| once.enter(list)).into_iter().flat_map(Node::items).enumerate() {
        read_entries(document, once.enter(entry), &format!("{path}[{index}]"), found);
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
    let mut image =
        LocatedImage::new(KIND.name, document.source, scalar.span(), name, &entry.composed(), entry.state());
    image.slot = slot_of(document.source, node);
    found.images.push(image);
}

/// Where the digest of an entry is written: over the one it has, else under `digest`, else behind its tag.
pub(super) fn slot_of(source: &Arc<Source>, node: Node<'_>) -> PinSlot {
    let entry = ImageEntry::of(node);
    let place = |key| {
        let (_, value) = field(node, key)?;
        Some(Place::new(source, value.resolve()?.span()))
    };
    let tag = place("newTag").filter(|place| !entry.new_tag.is_empty() && place.text() == entry.new_tag);
    if !entry.digest.is_empty() {
        let slot = place("digest").and_then(|place| Slot::over_digest(&place, entry.digest));
        return slot.map_or(PinSlot::Text, |slot| PinSlot::At(vec![Slot { tag, ..slot }]));
    }
    let named = if entry.new_tag.is_empty() { "newName" } else { "newTag" };
    if entry.new_tag.is_empty() && !entry.tag_suffix.is_empty() {
        return PinSlot::None("the suffix is put to a tag that stands below: give the entry `newTag`".to_owned());
    }
    if ends_in_digest(&entry.composed()) {
        return PinSlot::Text;
    }
    let digest = match field(node, "digest") {
        Some((_, value)) => slot::into_empty(source, value),
        // What is merged in is no entry of this mapping.
        None => node
            .entries()
            .filter(|(key, _)| key.scalar().is_some_and(|key| key.eq_ignore_ascii_case(named)))
            .last()
            .and_then(|entry| slot::new_entry(source, node, entry, "digest")),
    };
    let digest = digest.map(|slot| Slot { tag, ..slot });
    PinSlot::At(digest.into_iter().chain(place(named).map(|place| Slot::behind(&place))).collect())
}

/// Inline patches: strategic merge patches, which are partial objects, and JSON patches.
pub(super) fn read_patches(document: &Document<'_>, node: Node<'_>, path: &str, once: &mut Once, found: &mut Found) {
    for key in ["patches", "patchesJson6902"] {
        for (index, patch) in items(node, key, once) {
            if let Some(text) = field(patch, "patch").and_then(|(_, text)| once.enter(text)) {
                read_patch(document, text, &join(path, &format!("{key}[{index}].patch")), found);
            }
        }
    }
    for (index, patch) in items(node, "patchesStrategicMerge", once) {
        read_patch(document, patch, &join(path, &format!("patchesStrategicMerge[{index}]")), found);
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
fn read_transformers(document: &Document<'_>, once: &mut Once, found: &mut Found) {
    for key in ["transformers", "generators"] {
        for (index, text) in items(document.root, key, once) {
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

#[cfg(test)]
mod tests {
    use crate::manifest::{Alone, Found, read};
    use crate::source::Source;
    use crate::yaml::Tree;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn find(name: &str, text: &str) -> Found {
        read(&Source::new(name, text.replace("HEX", HEX)), &Alone, &mut Tree::default())
    }

    /// `line:column field written status` of every image.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = find("k/kustomization.yaml", text);
        assert!(found.is_manifest, "{text}");
        let line = |image: &super::LocatedImage| {
            let at = image.place.start();
            format!("{}:{} {} {} {}", at.line, at.column, image.field, image.written, image.status())
                .replace(HEX, "HEX")
        };
        assert_eq!(found.images.iter().map(line).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn an_entry_is_one_image_where_its_digest_or_tag_stands() {
        check("images:\n- name: a\n  newTag: '1'\n", &["3:12 images[0].newTag a:1 unpinned"]);
        check("images: [{name: a, newName: b, newTag: x}]\n", &["1:40 images[0].newTag b:x unpinned"]);
        check("images: [{name: a, digest: 'sha256:HEX'}]\n", &["1:29 images[0].digest a@sha256:HEX pinned"]);
        check(
            "images: [{name: a, newTag: x, digest: 'sha256:HEX'}]\n",
            &["1:40 images[0].digest a:x@sha256:HEX pinned"],
        );
        check("images: [{name: a, newTag: 'x@sha256:HEX'}]\n", &["1:29 images[0].newTag a:x@sha256:HEX pinned"]);
        check("images: [{name: a, newTag: 'sha256:HEX'}]\n", &["1:29 images[0].newTag a:sha256:HEX malformed"]);
        check("images: [{name: a, digest: HEX}]\n", &["1:28 images[0].digest a@HEX malformed"]);
        check("images: [{name: a, newTag: '1', digest: ''}]\n", &["1:29 images[0].newTag a:1 unpinned"]);
        check("images: [{name: a, newName: b}]\n", &["1:29 images[0].newName b unresolved"]);
        check("images: [{name: a, newName: 'b:1'}]\n", &["1:30 images[0].newName b:1 unpinned"]);
        check("images: [{name: a, tagSuffix: -x}]\n", &["1:31 images[0].tagSuffix a unpinned"]);
        check("images: [{name: 'a:1', newTag: '2'}]\n", &["1:33 images[0].newTag a:2 unpinned"]);
        check("images: [{name: a, newTag: '${TAG}'}]\n", &["1:29 images[0].newTag a:${TAG} unresolved"]);
        check("Images: [{name: a, NewTag: '5'}]\n", &["1:29 images[0].NewTag a:5 unpinned"]);
        check("imageTags: [{name: a, newTag: '5'}]\n", &["1:32 imageTags[0].newTag a:5 unpinned"]);
        check("images: [{name: a, newTag: '5', NewTag: '6'}]\n", &["1:29 images[0].newTag a:5 unpinned"]);
        check("images: [{name: a}, {name: 'a:1'}, {name: b, newTag: ''}]\n", &[]);
    }

    #[test]
    fn inline_patches_set_images_too() {
        let text = "\
patches:
- target: {kind: Pod}
  patch: |-
    - op: replace
      path: /spec/containers/0/image
      value: q:1
    - {op: add, path: /spec/containers/-, value: {name: x, image: r}}
    - {op: remove, path: /spec/containers/1}
    - {op: test, path: /spec/containers/0/image, value: 'no:1'}
- patch: '[{\"op\": \"add\", \"path\": \"/spec/containers\", \"value\": [{\"image\": \"s:1\"}]}]'
- path: file.yaml
- patch: \"kind: Pod\\napiVersion: v1\\nspec: {containers: [{image: 't:1'}]}\"
patchesStrategicMerge:
- file.yaml
- |
  apiVersion: apps/v1
  kind: Deployment
  spec: {template: {spec: {containers: [{name: c, image: u:1}]}}}
";
        check(
            text,
            &[
                "6:14 patches[0].patch[0].value q:1 unpinned",
                "7:67 patches[0].patch[1].value.image r unpinned",
                "10:75 patches[1].patch[0].value[0].image s:1 unpinned",
                "12:11 patches[3].patch.spec.containers[0].image t:1 unpinned",
                "18:58 patchesStrategicMerge[1].spec.template.spec.containers[0].image u:1 unpinned",
            ],
        );
    }

    #[test]
    fn charts_and_transformers_hold_images_too() {
        check(
            "helmCharts:\n- {name: a, repo: 'https://e.com', valuesInline: {image: {repository: a, tag: b}}}\n",
            &["2:79 helmCharts[0].valuesInline.image.tag a:b unpinned"],
        );
        let text = "\
transformers:
- file.yaml
- |-
  apiVersion: builtin
  kind: ImageTagTransformer
  metadata: {name: x}
  imageTag: {name: app, newTag: '9'}
";
        check(text, &["7:34 transformers[1].imageTag.newTag app:9 unpinned"]);
    }

    #[test]
    fn a_kustomization_is_told_by_kind_or_name() {
        let images = "images: [{name: a, newTag: x}]\n";
        let typed = format!("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n{images}");
        assert_eq!(find("any.yaml", &typed).images.len(), 1);
        assert_eq!(find("Kustomization", images).images.len(), 1);
        assert!(find("any.yaml", images).images.is_empty());
        let flux =
            format!("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: {{{}}}\n", images.trim());
        assert_eq!(find("kustomization.yaml", &flux).images[0].field, "spec.images[0].newTag");
    }

    #[test]
    fn a_patch_that_cannot_be_read_is_never_silence() {
        let found = find("kustomization.yaml", "patches:\n- patch: |-\n    a: [\n");
        assert_eq!(found.unreadable.len(), 1);
        assert!(found.unreadable[0].message.starts_with("the text in `patches[0].patch` cannot be read: "));
    }
}

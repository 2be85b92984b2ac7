//! Kubernetes objects, built-in and custom, in YAML and JSON.
//!
//! One walk serves all of them: pod-shaped lists are found at any depth, so that a `CronJob`, a `List`, a Tekton task and
//! an object nested in a custom resource need no case of their own. Sources: the Kubernetes API (`PodSpec`,
//! `Container`, `ImageVolumeSource`), the Tekton and Argo Workflows references.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::embedded::join;
use super::merge::Once;
use super::{Document, Found, Kind, LocatedImage, MAX_DEPTH, Reader, State, Unreadable, gitops};
use crate::reference::Reference;
use crate::yaml::{Node, NodeKind};

/// The kind.
pub static KIND: Kind = Kind {
    name: "kubernetes",
    title: "Kubernetes manifests",
    files: "YAML and JSON documents with `apiVersion` and `kind`",
    reads: "`image` of containers, init and ephemeral containers at any depth, image volumes, Tekton steps and sidecars, \
            Argo templates, `image` fields under the `spec` of custom resources",
    decided: "nothing is filled in, the text is deployed as it stands; anchors, aliases and merge keys are followed; \
            values, `images` and patches in objects of Flux, Argo CD and k3s are read as such",
    unresolved: "a template or a variable in the text (`{{ }}`, `${ }`, `$( )`, `[[ ]]`, `ko://`): write the image \
            out with its digest, or check what is rendered (`… | digest-gate check -`)",
    example: &[(
        "web.yaml",
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      initContainers:
      - name: migrate
        image: ghcr.io/org/migrate:1.2.3
      containers:
      - name: web
        image: ghcr.io/org/web:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
      - name: proxy
        image: ghcr.io/org/proxy:${PROXY_VERSION}
",
    )],
    reader: Reader::Document(read),
};

/// Documents of no known kind: parts of manifests, files of other tools.
pub static FRAGMENT: Kind = Kind {
    name: "yaml",
    title: "Other YAML and JSON",
    files: "documents that no other kind takes",
    reads: "`image` in pod-shaped lists, and any `image` whose text has a tag, a digest or a registry",
    decided: "nothing is filled in, the text is taken as it stands",
    unresolved: "a template or a variable in the text (`{{ }}`, `${ }`, `$( )`, `[[ ]]`): write the image out with \
            its digest, or check the rendered file",
    example: &[(
        "parts.yaml",
        "containers:
- name: web
  image: ghcr.io/org/web:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
- name: worker
  image: worker
tools:
  proxy: {image: 'ghcr.io/org/proxy:${VERSION}'}
",
    )],
    reader: Reader::Document(read_fragment),
};

/// Lists whose items are containers, whatever they stand in.
const CONTAINER_LISTS: [&str; 5] = ["containers", "initContainers", "ephemeralContainers", "steps", "sidecars"];

/// Mappings that are one container: Argo `container` and `script`, Tekton `stepTemplate`.
const CONTAINER_MAPPINGS: [&str; 3] = ["container", "script", "stepTemplate"];

/// Kinds that hold no image that is deployed: schemas, embedded text, addresses of repositories.
const WITHOUT_IMAGES: [&str; 9] = [
    "CustomResourceDefinition",
    "ConfigMap",
    "Secret",
    "SealedSecret",
    "OCIRepository",
    "HelmRepository",
    "ImageRepository",
    "ImagePolicy",
    "ClusterImagePolicy",
];

/// API groups (or their endings, after a dot) in which a free `image` names a machine's disk, not a container.
const MACHINE_GROUPS: [&str; 8] = [
    "cluster.x-k8s.io",
    "machine.openshift.io",
    "machine.sapcloud.io",
    "crossplane.io",
    "upbound.io",
    "cnrm.cloud.google.com",
    "azure.com",
    "karpenter.sh",
];

/// API groups of policies, whose `image` texts may be patterns.
const POLICY_GROUPS: [&str; 4] = ["kyverno.io", "gatekeeper.sh", "sigstore.dev", "admissionregistration.k8s.io"];

/// Configuration of build tools that borrows the form of an object: its images are what is built.
const BUILD_GROUPS: [&str; 2] = ["skaffold", "devspace"];

fn read(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    let (Some(api), Some(kind)) = (text_of(root, "apiVersion"), text_of(root, "kind")) else { return false };
    let group = api.split('/').next().unwrap_or_default();
    if !BUILD_GROUPS.contains(&group) {
        let before = found.images.len();
        let mut walk = Walk::new(document, found, KIND.name, Free::Any);
        walk.object(root, api, kind);
        if let Some(template) = rendered_from(document) {
            for resource in found.images.iter_mut().skip(before).filter_map(|image| image.resource.as_mut()) {
                let _ = write!(resource, " ({template})");
            }
        }
    }
    true
}

/// The template that Helm rendered a document from: it says so in a comment above it.
fn rendered_from<'t>(document: &Document<'t>) -> Option<&'t str> {
    let before = document.root.file_text().get(..document.root.span().start as usize)?;
    let line = before.trim_end().rsplit('\n').next()?;
    line.trim_end().strip_prefix("# Source: ").filter(|path| path.len() < 256 && path.contains("/templates/"))
}

/// Reads an object that is deployed, whatever its kind.
pub(super) fn read_object(document: &Document<'_>, found: &mut Found) {
    if !read(document, found) {
        read_part(document, document.root, None, "", found);
    }
}

/// Reads a part of an object: a partial one where `name` is `None`, else the value of a field of that name, however deep
/// in an object it will stand. Fields are put below `path`.
pub(super) fn read_part<'t>(
    document: &Document<'t>,
    node: Node<'t>,
    name: Option<&'t str>,
    path: &str,
    found: &mut Found,
) {
    let before = found.images.len();
    let mut walk = Walk::new(document, found, KIND.name, Free::Any);
    match name {
        Some(name) if CONTAINER_LISTS.contains(&name) && node.is_mapping() => walk.container(node),
        Some(name) => walk.field(name, node),
        None => walk.node(node),
    }
    for image in found.images.iter_mut().skip(before) {
        image.field = join(path, &image.field);
    }
}

fn read_fragment(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    let has = |key| root.get(key).is_some();
    // Schemas describe images, they name none.
    if has("openapi") || has("swagger") || has("$schema") && has("properties") {
        return false;
    }
    let before = found.images.len();
    let mut walk = Walk::new(document, found, FRAGMENT.name, Free::ImageLike);
    walk.node(root);
    found.images.len() > before
}

/// Whether a document is an object of the Kubernetes API.
pub(super) fn is_object(root: Node<'_>) -> bool {
    text_of(root, "apiVersion").is_some() && text_of(root, "kind").is_some()
}

fn text_of<'t>(node: Node<'t>, key: &str) -> Option<&'t str> {
    node.get(key)?.string()
}

fn is_in_group(api: &str, groups: &[&str]) -> bool {
    let group = api.split_once('/').map_or("", |(group, _)| group);
    groups.iter().any(|ending| group.strip_suffix(ending).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Which `image` fields outside pod-shaped lists are images.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Free {
    Any,
    /// Those whose text has a tag, a digest or a registry.
    ImageLike,
    None,
}

enum Step<'t> {
    Key(&'t str),
    Index(usize),
}

/// One walk over a document: where it stands, and what it has to know there.
struct Walk<'d, 't> {
    document: &'d Document<'t>,
    found: &'d mut Found,
    kind: &'static str,
    free: Free,
    /// The object may hold patterns in place of images.
    patterns: bool,
    path: Vec<Step<'t>>,
    resource: Option<String>,
    /// Nodes that were entered through an alias, and whether as containers: each is walked once, however many aliases
    /// name it.
    entered: HashSet<(u32, bool)>,
    /// The same for what charts and overlays are given.
    once: Once,
    depth: usize,
}

impl<'d, 't> Walk<'d, 't> {
    fn new(document: &'d Document<'t>, found: &'d mut Found, kind: &'static str, free: Free) -> Self {
        Self {
            document,
            found,
            kind,
            free,
            patterns: false,
            path: Vec::new(),
            resource: None,
            entered: HashSet::new(),
            once: Once::default(),
            depth: 0,
        }
    }

    /// An object with `apiVersion` and `kind`, at the top or nested.
    fn object(&mut self, node: Node<'t>, api: &str, kind: &str) {
        if WITHOUT_IMAGES.contains(&kind) {
            return;
        }
        let free = if is_in_group(api, &MACHINE_GROUPS) { Free::None } else { self.free };
        let name = node.at_path(&["metadata", "name"]).and_then(Node::string);
        let resource = match name {
            Some(name) => Some(format!("{kind}/{name}")),
            None if kind.ends_with("List") => self.resource.clone(),
            None => Some(kind.to_owned()),
        };
        let outer = (
            std::mem::replace(&mut self.free, free),
            std::mem::replace(&mut self.patterns, is_in_group(api, &POLICY_GROUPS)),
            std::mem::replace(&mut self.resource, resource),
        );
        let before = self.found.images.len();
        if gitops::read(self.document, node, (api, kind), &self.field_name(), &mut self.once, self.found) {
            for image in self.found.images.iter_mut().skip(before) {
                image.resource.clone_from(&self.resource);
            }
        } else {
            self.mapping(node, &["metadata", "status"]);
        }
        (self.free, self.patterns, self.resource) = outer;
    }

    fn node(&mut self, node: Node<'t>) {
        let Some(node) = self.enter(node, false) else { return };
        self.deeper(node, Self::collection);
    }

    /// The node itself, or what an alias stands for where it has not been walked through one before.
    fn enter(&mut self, node: Node<'t>, is_container: bool) -> Option<Node<'t>> {
        let target = node.resolve()?;
        let is_new = node.kind() != NodeKind::Alias || self.entered.insert((target.id(), is_container));
        is_new.then_some(target)
    }

    /// Walks into a node unless it stands too deep.
    fn deeper(&mut self, node: Node<'t>, walk: impl FnOnce(&mut Self, Node<'t>)) {
        if self.depth == MAX_DEPTH {
            self.found.unreadable.push(Unreadable::too_deep(self.document.source, node));
            return;
        }
        self.depth += 1;
        walk(self, node);
        self.depth -= 1;
    }

    fn collection(&mut self, node: Node<'t>) {
        match node.kind() {
            NodeKind::Mapping => match (text_of(node, "apiVersion"), text_of(node, "kind")) {
                (Some(api), Some(kind)) => self.object(node, api, kind),
                _ => self.mapping(node, &[]),
            },
            NodeKind::Sequence => {
                for (index, item) in node.items().enumerate() {
                    self.path.push(Step::Index(index));
                    self.node(item);
                    self.path.pop();
                }
            }
            NodeKind::Scalar(_) | NodeKind::Alias => {}
        }
    }

    fn mapping(&mut self, node: Node<'t>, without: &[&str]) {
        for (key, value) in node.entries() {
            let Some(name) = key.scalar() else { continue };
            if without.contains(&name) {
                continue;
            }
            if name == "<<" {
                // What is merged belongs to this mapping: the key is no part of the field.
                self.node(value);
                continue;
            }
            self.path.push(Step::Key(name));
            self.field(name, value);
            self.path.pop();
        }
    }

    fn field(&mut self, name: &'t str, value: Node<'t>) {
        match name {
            // A pod template has annotations of its own; a schema describes images and names none.
            "metadata" | "openAPIV3Schema" if value.is_mapping() => {}
            // A RADOS block device: its image is a disk.
            "rbd" => {}
            "image" => self.image(value),
            _ if CONTAINER_LISTS.contains(&name) && value.is_sequence() => self.containers(value),
            _ if CONTAINER_MAPPINGS.contains(&name) && value.is_mapping() => self.container(value),
            _ if is_image_key(name) && value.scalar().is_some() => self.image_key(value),
            _ => self.node(value),
        }
    }

    fn containers(&mut self, list: Node<'t>) {
        let Some(list) = self.enter(list, true) else { return };
        for (index, item) in list.items().enumerate() {
            self.path.push(Step::Index(index));
            self.container(item);
            self.path.pop();
        }
    }

    /// A mapping in a place where only a container can stand: its image is one, whatever its text.
    fn container(&mut self, node: Node<'t>) {
        if let Some(node) = self.enter(node, true) {
            self.deeper(node, Self::fields_of_container);
        }
    }

    fn fields_of_container(&mut self, node: Node<'t>) {
        for (key, value) in node.entries() {
            match key.scalar() {
                Some("image") => {
                    self.path.push(Step::Key("image"));
                    if value.scalar().is_some() {
                        self.report(value);
                    } else {
                        self.image(value);
                    }
                    self.path.pop();
                }
                Some("<<") => self.merged(value),
                Some(name) => {
                    self.path.push(Step::Key(name));
                    self.field(name, value);
                    self.path.pop();
                }
                None => {}
            }
        }
    }

    /// What a merge key brings into a container: the text stands at the anchor.
    fn merged(&mut self, value: Node<'t>) {
        if !value.is_sequence() {
            self.container(value);
        } else if let Some(list) = self.enter(value, true) {
            list.items().for_each(|source| self.container(source));
        }
    }

    /// A field called `image` outside the pod-shaped lists.
    fn image(&mut self, value: Node<'t>) {
        let Some(text) = value.string() else {
            // An image volume (`reference`), or the parts that a chart composes.
            if let Some((key, reference)) = value.entry("reference")
                && reference.scalar().is_some()
            {
                self.path.push(Step::Key(key.scalar().unwrap_or_default()));
                self.report(reference);
                self.path.pop();
            } else {
                self.node(value);
            }
            return;
        };
        let takes = match self.free {
            Free::Any => !matches!(text, "true" | "false"),
            Free::ImageLike => is_image_like(text),
            Free::None => false,
        };
        if takes {
            self.report(value);
        }
    }

    /// A field whose name ends in `Image`, in an object whose schema is not known here.
    fn image_key(&mut self, value: Node<'t>) {
        if self.free != Free::None && value.string().is_some_and(is_image_like) {
            self.report(value);
        }
    }

    fn report(&mut self, value: Node<'t>) {
        let (Some(text), Some(node)) = (value.string(), value.resolve()) else { return };
        if text.is_empty() || self.patterns && text.contains(['*', '?', '!', '|', '<', '>']) {
            return;
        }
        let source = self.document.source;
        let mut image = LocatedImage::new(self.kind, source, node.span(), self.field_name(), text, state_of(text));
        image.resource.clone_from(&self.resource);
        self.found.images.push(image);
    }

    fn field_name(&self) -> String {
        let mut name = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) => {
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(key);
                }
                Step::Index(index) => {
                    // Writing to a string cannot fail.
                    let _ = write!(name, "[{index}]");
                }
            }
        }
        name
    }
}

/// Field names of custom resources that hold an image next to those called `image`.
fn is_image_key(name: &str) -> bool {
    name.ends_with("Image") || name == "imageName"
}

/// The state of a text that Kubernetes takes as it stands, unless something fills it in before.
pub(super) fn state_of(text: &str) -> State {
    match template_in(text) {
        Some(template) => State::unresolved(format!("{template} is filled in before it is deployed")),
        None => State::of(text),
    }
}

/// What fills a text in, where it is a template.
fn template_in(text: &str) -> Option<&'static str> {
    const MARKS: [(&str, &str); 5] = [
        ("{{", "a template (`{{ }}`)"),
        ("${", "a variable (`${ }`)"),
        ("$(", "a parameter (`$( )`)"),
        ("[[", "a template (`[[ ]]`)"),
        ("ko://", "a Go import path that `ko` builds"),
    ];
    MARKS.iter().find(|(mark, _)| text.contains(mark)).map(|(_, what)| *what)
}

/// Whether a text can hardly be anything but an image: it has a tag, a digest or a registry.
pub(super) fn is_image_like(text: &str) -> bool {
    if text.contains("@sha256:") {
        return true;
    }
    if template_in(text).is_some() {
        return text.contains(['/', ':']) && !text.contains(char::is_whitespace) && !text.contains("://");
    }
    let Ok(reference) = Reference::parse(text) else { return false };
    reference.tag().is_some() || reference.domain().is_some() && !is_file_name(reference.path())
}

/// Whether a path ends like a picture or a disk, not like a repository.
pub(super) fn is_file_name(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or_default();
    ["png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "iso", "img", "qcow2", "vmdk", "vhd"].contains(&ending)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::manifest::{Alone, Found, read};
    use crate::source::Source;
    use crate::yaml::Tree;

    fn find(name: &str, text: &str) -> Found {
        read(&Source::new(name, text), &Alone, &mut Tree::default())
    }

    /// `line:column field text status` of every image.
    fn images(text: &str) -> Vec<String> {
        find("a.yaml", text)
            .images
            .iter()
            .map(|image| {
                let at = image.place.start();
                format!("{}:{} {} {} {}", at.line, at.column, image.field, image.written, image.status())
            })
            .collect()
    }

    #[test]
    fn all_container_lists_of_a_workload() {
        let text = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  annotations: {image: not:this}
spec:
  template:
    metadata: {annotations: {image: nor:this}}
    spec:
      initContainers:
        - image: 'init:1'
      containers:
        - {name: a, image: \"a:1\"}
        - name: b
          image: >-
            b:1
      ephemeralContainers:
      - image: &e e:1
      volumes:
        - name: v
          image:
            reference: quay.io/v:1
        - name: r
          rbd: {image: disk}
status:
  image: s:1
";
        assert_eq!(
            images(text),
            [
                "10:19 spec.template.spec.initContainers[0].image init:1 unpinned",
                "12:29 spec.template.spec.containers[0].image a:1 unpinned",
                "15:13 spec.template.spec.containers[1].image b:1 unpinned",
                "17:19 spec.template.spec.ephemeralContainers[0].image e:1 unpinned",
                "21:24 spec.template.spec.volumes[0].image.reference quay.io/v:1 unpinned",
            ]
        );
    }

    #[test]
    fn lists_hold_objects_and_each_names_its_own_resource() {
        let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: PodList
  items:
  - {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{image: a}]}}
- apiVersion: v1
  kind: ConfigMap
  data: {image: x:1}
- apiVersion: batch/v1
  kind: CronJob
  metadata: {name: c}
  spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: b:1}]}}}}}
";
        let found = find("a.yaml", text);
        let resources: Vec<_> = found.images.iter().map(|i| i.resource.as_deref().unwrap_or_default()).collect();
        assert_eq!(resources, ["Pod/p", "CronJob/c"]);
        assert_eq!(
            images(text),
            [
                "7:82 items[0].items[0].spec.containers[0].image a unpinned",
                "14:70 items[2].spec.jobTemplate.spec.template.spec.containers[0].image b:1 unpinned",
            ]
        );
    }

    #[test]
    fn json_is_read_like_yaml() {
        let text = r#"{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"a\u003a1"}]}}"#;
        let found = find("pod.json", text);
        assert_eq!(found.images.len(), 1);
        assert_eq!(found.images[0].written, "a:1");
        assert_eq!(found.images[0].place.text(), r"a\u003a1");
    }

    #[test]
    fn custom_resources_hold_images_under_spec() {
        let text = "\
apiVersion: tekton.dev/v1
kind: Task
spec:
  stepTemplate: {image: t:1}
  steps: [{image: $(params.builder)}]
  sidecars: [{image: s}]
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
spec: {imageName: ghcr.io/pg:16, image: plain, osImage: Linux 1}
status: {image: x}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1
kind: GCPMachineTemplate
spec: {template: {spec: {image: debian-11}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
spec: {rules: [{validate: {pattern: {spec: {containers: [{image: '!*:latest'}]}}}}]}
";
        assert_eq!(
            images(text),
            [
                "4:25 spec.stepTemplate.image t:1 unpinned",
                "5:19 spec.steps[0].image $(params.builder) unresolved",
                "6:22 spec.sidecars[0].image s unpinned",
                "10:19 spec.imageName ghcr.io/pg:16 unpinned",
                "10:41 spec.image plain unpinned",
            ]
        );
    }

    #[test]
    fn schemas_and_embedded_text_hold_none() {
        let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {image: a:1}\n";
        assert!(images(crd).is_empty());
        let nested = "apiVersion: x/v1\nkind: X\nspec: {openAPIV3Schema: {image: a:1}}\n";
        assert!(images(nested).is_empty());
    }

    #[test]
    fn aliases_are_found_once_where_the_text_stands() {
        let text = "\
apiVersion: v1
kind: Pod
x-image: &i shared:1
spec:
  containers:
  - &c {image: *i}
  - *c
  - <<: *c
    name: d
";
        assert_eq!(images(text), ["3:13 spec.containers[0].image shared:1 unpinned"]);
    }

    #[test]
    fn a_bomb_of_aliases_is_walked_once() {
        let mut text = String::from("apiVersion: v1\nkind: Pod\na0: &a0 [{image: a:1}]\n");
        for n in 1..60 {
            let before = n - 1;
            writeln!(text, "a{n}: &a{n} [*a{before}, *a{before}, *a{before}]").unwrap();
        }
        assert_eq!(images(&text).len(), 1);
    }

    #[test]
    fn fragments_are_read_where_the_text_can_be_nothing_else() {
        assert_eq!(images("spec:\n  containers:\n  - image: a\n"), ["3:12 spec.containers[0].image a unpinned"]);
        assert_eq!(images("x: {image: logo}\ny: {image: a/b.png}\nz: {image: 'a:1'}\n"), ["3:13 z.image a:1 unpinned"]);
        assert!(images("image: https://example.com/x.png\n").is_empty());
        assert!(!find("a.yaml", "a: 1\n").is_manifest);
    }

    #[test]
    fn an_unknown_alias_is_never_silence() {
        let found = find("a.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: *gone}]}\n");
        assert_eq!(found.unreadable.len(), 1);
        assert_eq!(found.unreadable[0].message, "no anchor `gone` stands before this alias");
    }

    #[test]
    fn chains_of_aliases_neither_multiply_nor_end_the_stack() {
        let chain = |links: usize, link: &dyn Fn(usize) -> String| (1..links).map(link).collect::<String>();
        let bomb = chain(60, &|n| format!("l{n}: &l{n} [{{containers: *l{0}, initContainers: *l{0}}}]\n", n - 1));
        let text = format!("apiVersion: v1\nkind: Pod\nl0: &l0 [{{image: a}}]\n{bomb}spec: {{containers: *l59}}\n");
        assert_eq!(images(&text).len(), 1);
        let deep = chain(5000, &|n| format!("  a{n}: &a{n} {{<<: *a{}}}\n", n - 1));
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  a0: &a0 {{image: a}}\n{deep}spec: {{containers: [*a4999]}}\n"
        );
        let found = find("a.yaml", &text);
        assert!(found.unreadable[0].message.starts_with("this stands more than 256 levels deep"));
    }
}

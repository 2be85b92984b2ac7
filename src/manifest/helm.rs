//! Helm values: images that are written as several scalars, in values files and wherever values are embedded.
//!
//! A chart is free in how it composes an image. The forms here are those of public charts (Bitnami, Grafana,
//! Prometheus community, ingress-nginx, Istio, Calico, Longhorn, Rook, Sigstore, Cilium, NVIDIA): `repository` beside
//! `registry`, `tag` and `digest`, `image` beside the same, and whole references.

pub mod chart;
mod parts;
pub mod template;

use std::collections::HashSet;
use std::fmt::Write as _;

use self::parts::{Form, Parts, Scope};
use super::embedded::{self, join};
use super::{Document, Found, Kind, LocatedImage, MAX_DEPTH, Reader, Related, State, Unreadable, kubernetes, merge};
use crate::reference::Reference;
use crate::source::{Place, Source};
use crate::yaml::{Node, NodeKind, Style, Tree};

/// The kind.
pub static KIND: Kind = Kind {
    name: "helm",
    title: "Helm values",
    files: "`values.yaml`, `values-*.yaml`, `values.*.yaml`, `*-values.yaml`, `*.values.yaml` and YAML in folders called \
            `values`; the values in Flux `HelmRelease`, k3s `HelmChart` and Argo CD `Application` objects",
    reads: "`repository` or `image` with `registry`, `tag` and `digest` (also `sha`, `version`, `hub`, `imageTag`), \
            `image` and keys ending in `Image` with a whole reference, containers and objects in values",
    decided: "the parts of an image are put together, with the registry that `global` gives; an image without a tag \
            in the chart's own `values.yaml` has the `appVersion` of the `Chart.yaml` beside it",
    unresolved: "a `tag` alone over the values of a chart, a digest that the chart chooses among several, `{{ }}` in \
            a value: give `digest` beside the tag, or name the chart with its values under `charts` of the \
            configuration, or check what is rendered (`helm template … | digest-gate check -`)",
    example: &[(
        "values-prod.yaml",
        "web:
  image:
    registry: ghcr.io
    repository: org/web
    tag: 1.2.3
    digest: sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
worker:
  image: {repository: ghcr.io/org/worker, tag: 1.2.3}
proxy:
  image: {tag: 1.2.3}
",
    )],
    reader: Reader::Document(read),
};

fn read(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    let is_object = root.get("apiVersion").is_some() && root.get("kind").is_some();
    let is_schema = root.get("$schema").is_some();
    let Some(name) = named(document.source.path()) else { return false };
    if !root.is_mapping() || is_object || is_schema {
        return false;
    }
    let before = found.images.len();
    let chart = if name == Name::Defaults { Chart::beside(document) } else { None };
    Walk::new(document, found, name != Name::Defaults, chart).node(root, &Scope::default());
    // A folder's name alone says little: what holds no image there may be of another kind.
    name != Name::Folder || found.images.len() > before
}

/// Values inside another document: those of an object, those of `helmCharts`. `path` is where they stand.
pub(super) fn read_values(document: &Document<'_>, values: Node<'_>, path: &str, found: &mut Found) {
    let mut walk = Walk::new(document, found, true, None);
    path.clone_into(&mut walk.path);
    walk.node(values, &Scope::default());
}

/// The values of a chart, merged: nothing is left to put them over.
fn read_merged(document: &Document<'_>, found: &mut Found) {
    Walk::new(document, found, false, None).node(document.root, &Scope::default());
}

/// Values written as a text.
pub(super) fn read_values_text(document: &Document<'_>, text: Node<'_>, path: &str, found: &mut Found) {
    embedded::read(document, text, path, found, &mut |inner, found| read_values(inner, inner.root, "", found));
}

/// A text that a template language fills in before it is YAML.
pub(super) fn read_template_text(document: &Document<'_>, node: Node<'_>, path: &str, found: &mut Found) {
    let (Some(text), Some(scalar)) = (node.string(), node.resolve()) else { return };
    let mut inside = Found::default();
    template::locate_lines(&Source::new(document.source.path(), text), &mut inside);
    embedded::take(document, scalar, path, inside, found);
}

/// Values set one by one, as `--set` does: dotted names, and the field that each stands at.
pub(super) fn read_parameters<'t>(
    document: &Document<'t>,
    parameters: &[(&'t str, Node<'t>, String)],
    found: &mut Found,
) {
    let mut groups: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut index_of = std::collections::HashMap::new();
    for (index, (name, ..)) in parameters.iter().enumerate() {
        let group = name.rsplit_once('.').map_or("", |(group, _)| group);
        let at = *index_of.entry(group).or_insert_with(|| {
            groups.push((group, Vec::new()));
            groups.len() - 1
        });
        if let Some((_, members)) = groups.get_mut(at) {
            members.push(index);
        }
    }
    for (group, members) in groups {
        let members: Vec<_> = members.iter().filter_map(|&index| parameters.get(index)).collect();
        let get = |key: &str| {
            let member = members.iter().rev().find(|(name, ..)| name.rsplit('.').next() == Some(key))?;
            Some((key_of(member.0), member.1))
        };
        let scope = group.split('.').fold(Scope::default(), |scope, name| scope.below(name));
        let mut walk = Walk::new(document, found, true, None);
        if let Some(parts) = Parts::gather(&get, &scope, true) {
            let decides = parts.decides().map(|(_, value)| value);
            let field = members.iter().find(|(_, value, _)| Some(*value) == decides);
            field.map_or("", |(_, _, field)| field).clone_into(&mut walk.path);
            walk.report_parts(&parts, None, true);
            continue;
        }
        for (name, value, field) in members {
            field.clone_into(&mut walk.path);
            walk.string_field(key_of(name), *value, &scope);
        }
    }
}

fn key_of(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// How a file's name says that it holds values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    /// The chart's own `values.yaml`.
    Defaults,
    /// Values put over those.
    Overrides,
    /// Anything in a folder called `values`.
    Folder,
}

fn named(path: &str) -> Option<Name> {
    let mut parts = path.rsplit('/');
    let name = parts.next()?;
    let stem = [".yaml", ".yml", ".json"].into_iter().find_map(|ending| name.strip_suffix(ending))?;
    let is_word = |word: &str| word.eq_ignore_ascii_case("values");
    if is_word(stem) {
        return Some(Name::Defaults);
    }
    let mut words = stem.split(['-', '.', '_']);
    if words.next().is_some_and(is_word) || words.next_back().is_some_and(is_word) {
        let is_schema = stem.ends_with(".schema");
        return (!is_schema).then_some(Name::Overrides);
    }
    parts.next().is_some_and(is_word).then_some(Name::Folder)
}

/// What `Chart.yaml` says of a chart whose values are read.
struct Chart {
    /// Where `appVersion` stands, and its text.
    app_version: (Place, String),
    /// Keys under which the values of other charts stand.
    dependencies: HashSet<String>,
}

impl Chart {
    fn beside(document: &Document<'_>) -> Option<Self> {
        let source = document.beside.read(document.source, "Chart.yaml")?;
        let tree = Tree::yaml(source.text());
        let root = tree.documents(source.text()).next()?;
        let version = root.get("appVersion")?;
        let text = version.string().filter(|text| !text.is_empty())?.to_owned();
        let dependencies = root.get("dependencies").into_iter().flat_map(Node::items);
        let names = dependencies.flat_map(|item| ["name", "alias"].map(|key| item.get(key).and_then(Node::string)));
        Some(Self {
            app_version: (Place::new(&source, version.resolve()?.span()), text),
            dependencies: names.flatten().map(str::to_owned).collect(),
        })
    }
}

/// One walk over values.
struct Walk<'d, 't> {
    document: &'d Document<'t>,
    found: &'d mut Found,
    /// The values are put over those of a chart: a tag alone changes an image.
    overrides: bool,
    chart: Option<Chart>,
    path: String,
    /// Nodes that were entered through an alias: each is walked once, however many aliases name it.
    entered: HashSet<u32>,
    indexes: merge::Indexes<'t>,
    depth: usize,
}

impl<'d, 't> Walk<'d, 't> {
    fn new(document: &'d Document<'t>, found: &'d mut Found, overrides: bool, chart: Option<Chart>) -> Self {
        Self {
            document,
            found,
            overrides,
            chart,
            path: String::new(),
            entered: HashSet::new(),
            indexes: merge::Indexes::default(),
            depth: 0,
        }
    }

    /// Does something with the path one step longer.
    fn below(&mut self, step: &str, act: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        act(self);
        self.path.truncate(length);
    }

    fn node(&mut self, node: Node<'t>, scope: &Scope<'t>) {
        let Some(target) = node.resolve() else { return };
        if node.kind() == NodeKind::Alias && !self.entered.insert(target.id()) {
            return;
        }
        if self.depth == MAX_DEPTH {
            self.found.unreadable.push(Unreadable::too_deep(self.document.source, node));
            return;
        }
        self.depth += 1;
        self.collection(target, scope);
        self.depth -= 1;
    }

    fn collection(&mut self, target: Node<'t>, scope: &Scope<'t>) {
        match target.kind() {
            NodeKind::Mapping => self.mapping(target, scope),
            NodeKind::Sequence => {
                let mut step = String::new();
                for (index, item) in target.items().enumerate() {
                    step.clear();
                    // Writing to a string cannot fail.
                    let _ = write!(step, "[{index}]");
                    self.below(&step, |walk| walk.item(item, scope));
                }
            }
            NodeKind::Scalar(_) | NodeKind::Alias => {}
        }
    }

    fn item(&mut self, item: Node<'t>, scope: &Scope<'t>) {
        if item.scalar().is_some() {
            self.string_field("", item, scope);
        } else {
            self.node(item, scope);
        }
    }

    fn mapping(&mut self, node: Node<'t>, outer: &Scope<'t>) {
        if node.get("apiVersion").and_then(Node::string).is_some() && node.get("kind").and_then(Node::string).is_some()
        {
            kubernetes::read_part(&Document { ..*self.document }, node, None, &self.path, self.found);
            return;
        }
        let index = self.indexes.of(node);
        let scope = match index.get("global") {
            Some((_, global)) if global.is_mapping() => outer.within(|path| self.text_at(global, path)),
            _ => *outer,
        };
        let parts = Parts::gather(&|key| scalar_entry(&index, key), &scope, self.overrides);
        if let Some(parts) = &parts {
            self.report_parts(parts, Some(node), false);
        }
        for (key, value) in node.entries() {
            let Some(name) = key.scalar() else { continue };
            let is_taken = parts.as_ref().is_some_and(|parts| parts.takes(value));
            if is_taken || is_never_an_image(name) {
                continue;
            }
            if name == "<<" {
                // What stands at an anchor is read there; it is composed with this mapping above.
                if value.kind() != NodeKind::Alias {
                    self.node(value, &scope);
                }
                continue;
            }
            self.below(name, |walk| {
                if value.scalar().is_some() {
                    walk.string_or_parts(name, &index, value, &scope);
                } else {
                    walk.node(value, &scope.below(name));
                }
            });
        }
    }

    fn text_at(&mut self, node: Node<'t>, path: &[&str]) -> Option<&'t str> {
        path.iter().try_fold(node, |node, key| self.indexes.of(node).get(key).map(|(_, value)| value))?.string()
    }

    /// A scalar: `fooImage` may have `fooImageTag` beside it.
    fn string_or_parts(&mut self, name: &'t str, index: &merge::Index<'t>, value: Node<'t>, scope: &Scope<'t>) {
        if name.len() > "image".len() && is_image_key(name) {
            let beside = |suffix: &str| scalar_entry(index, &format!("{name}{suffix}"));
            let tag = beside("Tag").or_else(|| beside("_tag"));
            let digest = beside("Digest").or_else(|| beside("_digest"));
            if let Some(parts) = Parts::of_text((name, value), tag, digest) {
                let length = self.path.len().saturating_sub(name.len());
                let path = self.path.get(..length).unwrap_or_default().trim_end_matches('.').to_owned();
                let own = std::mem::replace(&mut self.path, path);
                self.report_parts(&parts, None, false);
                self.path = own;
                return;
            }
        }
        self.string_field(name, value, scope);
    }

    /// A scalar that is a whole reference, or none.
    fn string_field(&mut self, name: &str, value: Node<'t>, scope: &Scope<'t>) {
        let (Some(text), Some(scalar)) = (value.string(), value.resolve()) else { return };
        if matches!(scalar.kind(), NodeKind::Scalar(Style::Literal | Style::Folded)) && text.contains("image:") {
            // Containers and the like that a chart takes as a text.
            read_template_text(self.document, scalar, &self.path, self.found);
            return;
        }
        let takes = if name == "image" {
            could_be_image(text)
        } else if is_image_key(name) {
            kubernetes::is_image_like(text)
        } else {
            scope.is_image && !parts::is_part(name) && is_certainly_image(text)
        };
        if takes {
            let state = kubernetes::state_of(text);
            self.report(scalar, self.path.clone(), text, state);
        }
    }

    /// Reports what parts come to; `mapping` is that of them, if it is one.
    fn report_parts(&mut self, parts: &Parts<'t>, mapping: Option<Node<'t>>, is_whole_path: bool) {
        let Some((key, value)) = parts.decides() else { return };
        let Some(scalar) = value.resolve() else { return };
        let field = if is_whole_path { self.path.clone() } else { join(&self.path, key) };
        let written = parts.composed();
        if written.is_empty() {
            return;
        }
        let state = match parts.form() {
            Form::Whole => kubernetes::state_of(&written),
            Form::TagAlone => State::unresolved(
                "repository and digest are the chart's: check the chart with these values, or give the digest here",
            ),
            Form::SeveralDigests => State::unresolved("the chart chooses between several digests"),
        };
        let partial = parts.form() == Form::TagAlone;
        let image = self.report(scalar, field, &written, state);
        image_at(self.found, image, |image| image.partial = partial);
        let with_version = self.with_app_version(parts, &written);
        let version = with_version.as_ref().and(self.chart.as_ref()).map(|chart| chart.app_version.1.as_str());
        let source = self.document.source;
        image_at(self.found, image, |image| {
            if let Some((state, related)) = with_version {
                image.state = state;
                image.related.push(related);
            }
            if let State::Reference(reference) = &image.state {
                image.slot = parts.slot(source, mapping, reference, version);
            }
        });
    }

    /// A chart's own image without a tag has the chart's `appVersion` for one.
    fn with_app_version(&self, parts: &Parts<'t>, written: &str) -> Option<(State, Related)> {
        let chart = self.chart.as_ref()?;
        let first = self.path.split(['.', '[']).next().unwrap_or_default();
        if parts.form() != Form::Whole || parts.has_version() || chart.dependencies.contains(first) {
            return None;
        }
        let (place, version) = &chart.app_version;
        let reference = Reference::parse(written).ok().filter(|it| it.tag().is_none() && !it.is_pinned())?;
        let tagged = Reference::parse(&format!("{}:{version}", reference.as_str())).ok()?;
        let message = "the chart's `appVersion` is the tag where none is given".to_owned();
        Some((State::Reference(tagged), Related { place: place.clone(), message }))
    }

    fn report(&mut self, scalar: Node<'t>, field: String, written: &str, state: State) -> usize {
        let image = LocatedImage::new(KIND.name, self.document.source, scalar.span(), field, written, state);
        self.found.images.push(image);
        self.found.images.len() - 1
    }
}

fn image_at(found: &mut Found, index: usize, change: impl FnOnce(&mut LocatedImage)) {
    if let Some(image) = found.images.get_mut(index) {
        change(image);
    }
}

/// The entry of a key whose value is a scalar.
fn scalar_entry<'t>(index: &merge::Index<'t>, key: &str) -> Option<merge::Entry<'t>> {
    index.get(key).filter(|(_, value)| value.scalar().is_some())
}

/// Keys below which no image stands although texts may look like one.
fn is_never_an_image(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with("annotations")
        || lower.ends_with("labels")
        || lower.ends_with("pullsecrets")
        || lower.ends_with("pullpolicy")
        || name == "openAPIV3Schema"
}

/// A key whose value may be a whole reference.
fn is_image_key(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with("image") || lower == "imagename"
}

/// Whether the value of a key called `image` can be an image: anything but a switch, a number, a picture or an address.
fn could_be_image(text: &str) -> bool {
    if kubernetes::is_image_like(text) || text.contains("{{") {
        return true;
    }
    let is_value = matches!(text, "" | "true" | "false" | "yes" | "no") || text.parse::<f64>().is_ok();
    let is_address = text.contains("://") || text.contains(char::is_whitespace);
    if is_value || is_address {
        return false;
    }
    match Reference::parse(text) {
        Ok(reference) => !kubernetes::is_file_name(reference.path()),
        // What is meant as a reference and is none must not go unseen.
        Err(_) => text.contains([':', '@']) && text.contains(char::is_alphabetic),
    }
}

/// Whether a text below `images:` is an image whatever its key.
fn is_certainly_image(text: &str) -> bool {
    let has_letter = || text.split([':', '@']).next().is_some_and(|name| name.contains(char::is_alphabetic));
    kubernetes::is_image_like(text) && has_letter() && !parts::is_digest(text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    use super::*;
    use crate::manifest::{Absent, Alone, Beside, read as read_file};

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    struct Files(&'static str);

    impl Beside for Files {
        fn open(&self, _: &Source, path: &str) -> Result<Arc<Source>, Absent> {
            if path == "Chart.yaml" { Ok(Source::new("c/Chart.yaml", self.0)) } else { Err(Absent::NotThere) }
        }
    }

    fn find(name: &str, text: &str, beside: &dyn Beside) -> Found {
        read_file(&Source::new(name, text.replace("HEX", HEX)), beside, &mut Tree::default())
    }

    /// `line:column field written status`, and `= effective` where that differs, of every image.
    fn lines(found: &Found) -> Vec<String> {
        let line = |image: &LocatedImage| {
            let at = image.place.start();
            let line = format!("{}:{} {} {} {}", at.line, at.column, image.field, image.written, image.status());
            let effective = image.effective().filter(|text| *text != image.written);
            let line = effective.map_or(line.clone(), |effective| format!("{line} = {effective}"));
            line.replace(HEX, "HEX")
        };
        found.images.iter().map(line).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(lines(&find("c/values.yaml", text, &Alone)), expected, "{text}");
    }

    #[test]
    fn names_tell_values_files() {
        let names = [
            ("values.yaml", Some(Name::Defaults)),
            ("a/values.yml", Some(Name::Defaults)),
            ("values-prod.yaml", Some(Name::Overrides)),
            ("values.prod.yaml", Some(Name::Overrides)),
            ("values_prod.yaml", Some(Name::Overrides)),
            ("prod-values.yaml", Some(Name::Overrides)),
            ("prod.values.yaml", Some(Name::Overrides)),
            ("values/prod.yaml", Some(Name::Folder)),
            ("values.schema.json", None),
            ("valuesfrom.yaml", None),
            ("values.txt", None),
            ("compose.yaml", None),
        ];
        for (name, expected) in names {
            assert!(named(name) == expected, "{name}");
        }
    }

    #[test]
    fn several_scalars_are_one_image() {
        check("image:\n  repository: a/b\n  tag: '1'\n", &["3:9 image.tag a/b:1 unpinned"]);
        check("image: {repository: a, tag: 1.10, digest: ''}\n", &["1:29 image.tag a:1.10 unpinned"]);
        check(
            "image: {registry: r.io, repository: a, digest: sha256:HEX}\n",
            &["1:48 image.digest r.io/a@sha256:HEX pinned"],
        );
        check("image: {registry: r.io, repository: r.io/a, tag: x}\n", &["1:50 image.tag r.io/a:x unpinned"]);
        check("image: {repository: a, tag: 1, sha: HEX}\n", &["1:37 image.sha a:1@sha256:HEX pinned"]);
        check("image: {repository: a, tag: '1@sha256:HEX'}\n", &["1:30 image.tag a:1@sha256:HEX pinned"]);
        check("image: {repository: a@sha256, tag: HEX}\n", &["1:36 image.tag a@sha256:HEX pinned"]);
        check("image: {repository: 'a@sha256:HEX', tag: ''}\n", &["1:22 image.repository a@sha256:HEX pinned"]);
        check(
            "x: {registry: r.io, repository: a:2, version: sha256:HEX}\n",
            &["1:47 x.version r.io/a:2@sha256:HEX pinned"],
        );
        check("x: {repository: a, tag: sha256:HEX}\n", &["1:25 x.tag a@sha256:HEX pinned"]);
        check("x: {repository: a, pullPolicy: Always}\n", &["1:17 x.repository a unpinned"]);
        check("image: {repository: a, digest: HEX}\n", &["1:32 image.digest a@HEX malformed"]);
        check(
            "image: {repository: a, tag: '1', digest: 'sha256:abc'}\n",
            &["1:43 image.digest a:1@sha256:abc malformed"],
        );
        check("image: {name: a, tag: '1'}\n", &["1:24 image.tag a:1 unpinned"]);
        check("a: [{image: {repository: b, tag: c}}]\n", &["1:34 a[0].image.tag b:c unpinned"]);
        check(
            "images: {a: {repository: b}, c: 'd/e:1', f: g}\n",
            &["1:26 images.a.repository b unpinned", "1:34 images.c d/e:1 unpinned"],
        );
        check(
            "image: {repository: 'a', tag: '{{ .Chart.AppVersion }}'}\n",
            &["1:32 image.tag a:{{ .Chart.AppVersion }} unresolved"],
        );
    }

    #[test]
    fn an_image_text_has_its_parts_beside_it() {
        check(
            "c: {image: {registry: r.io, image: n/c, tag: v1, digest: 'sha256:HEX'}}\n",
            &["1:59 c.image.digest r.io/n/c:v1@sha256:HEX pinned"],
        );
        check(
            "global: {hub: r.io/istio}\npilot: {hub: '', tag: '', image: pilot}\n",
            &["2:34 pilot.image r.io/istio/pilot unpinned"],
        );
        check("o: {image: t/o, version: v1, registry: q.io}\n", &["1:26 o.version q.io/t/o:v1 unpinned"]);
        check("o: {image: t/o, tag: v1}\n", &["1:22 o.tag t/o:v1 unpinned"]);
        check(
            "driver: {repository: n.io/n, image: driver, version: '5'}\n",
            &["1:55 driver.version n.io/n/driver:5 unpinned"],
        );
        check("image: d.io/e\nimageTag: '8'\n", &["2:12 imageTag d.io/e:8 unpinned"]);
        check("initImage: a/b\ninitImageTag: '8'\n", &["2:16 initImageTag a/b:8 unpinned"]);
        check("db: {image: 'a:1', version: '2'}\n", &["1:14 db.image a:1 unpinned"]);
        check("db: {image: 'a:1', digest: 'sha256:HEX'}\n", &["1:29 db.digest a:1@sha256:HEX pinned"]);
    }

    #[test]
    fn whole_references_stand_under_image_keys() {
        check("image: a:1\n", &["1:8 image a:1 unpinned"]);
        check(
            "x: {image: busybox, initImage: 'b/c:1', osImage: linux}\n",
            &["1:12 x.image busybox unpinned", "1:33 x.initImage b/c:1 unpinned"],
        );
        check("extraContainers:\n- name: a\n  image: b\n", &["3:10 extraContainers[0].image b unpinned"]);
        check("extraContainers: |\n  - name: a\n    image: b:1 # c\n", &["3:12 extraContainers.image b:1 unpinned"]);
        check("image: a:1@sha256:abc\n", &["1:8 image a:1@sha256:abc malformed"]);
        check("image: App:1\n", &["1:8 image App:1 malformed"]);
        check(
            "extra:\n- apiVersion: v1\n  kind: Pod\n  metadata: {annotations: {image: 'x:1'}}\n  spec: {containers: [{image: a}]}\n",
            &["5:31 extra[0].spec.containers[0].image a unpinned"],
        );
    }

    #[test]
    fn charts_override_registries_and_digests() {
        check(
            "global: {imageRegistry: m.io}\nimage: {registry: d.io, repository: a, tag: x}\n",
            &["2:45 image.tag m.io/a:x unpinned"],
        );
        check("global: {image: {registry: m.io}}\nimage: {image: a, tag: x}\n", &["2:24 image.tag m.io/a:x unpinned"]);
        check(
            "image: {repository: a, tag: x, digest: 'sha256:HEX', useDigest: false}\n",
            &["1:29 image.tag a:x unpinned"],
        );
        check("image: {override: 'b:2', repository: a, tag: x}\n", &["1:20 image.override b:2 unpinned"]);
        check(
            "image: {repository: a, tag: x, awsDigest: 'sha256:HEX', useDigest: true}\n",
            &["1:29 image.tag a:x unresolved"],
        );
    }

    #[test]
    fn what_is_no_image_is_not_reported() {
        for text in [
            "image: {repository: '', tag: '1'}\n",
            "image: {pullPolicy: Always, tag: ''}\nimagePullSecrets: [{name: a/b:1}]\n",
            "image: ''\nx: {image: true}\ny: {image: https://e.com/a.png}\nz: {image: logo.png}\n",
            "chart: {repository: 'https://charts.example.com', tag: '1'}\n",
            "source: {repository: github.com/a/b, tag: '1'}\n",
            "dep: {repository: 'oci://r.io/a', version: '1'}\n",
            "backup: {repository: bucket/path}\npersistence: {image: 5}\n",
            "podAnnotations: {image: 'a:1'}\n# image: b:1\n",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn aliases_and_merges_stand_at_their_text() {
        check("x: &x {repository: a, tag: '1'}\nimage: *x\n", &["1:29 image.tag a:1 unpinned"]);
        check(
            "x: &x {repository: a, tag: '1'}\nimage:\n  <<: *x\n  tag: '2'\n",
            &["1:29 x.tag a:1 unpinned", "4:9 image.tag a:2 unpinned"],
        );
        let mut bomb = String::from("a0: &a0 [{image: 'a:1'}]\n");
        for n in 1..60 {
            let _ = writeln!(bomb, "a{n}: &a{n} [*a{0}, *a{0}, *a{0}]", n - 1);
        }
        check(&bomb, &["1:19 a0[0].image a:1 unpinned"]);
    }

    #[test]
    fn the_app_version_is_the_tag_of_the_chart_alone() {
        let chart = Files("appVersion: v9\ndependencies: [{name: redis}]\n");
        let text = "image: {repository: a, tag: ''}\nredis: {image: {repository: r, tag: ''}}\n";
        let found = find("c/values.yaml", text, &chart);
        assert_eq!(
            lines(&found),
            ["1:21 image.repository a unpinned = a:v9", "2:29 redis.image.repository r unpinned"]
        );
        assert_eq!(found.images[0].related[0].place.text(), "v9");
        assert_eq!(lines(&find("c/values-a.yaml", text, &chart))[0], "1:21 image.repository a unpinned");
    }

    #[test]
    fn a_tag_over_the_values_of_a_chart_is_never_silence() {
        let over = |text: &str| lines(&find("values-prod.yaml", text, &Alone));
        assert_eq!(over("image: {tag: 1.2.3}\n"), ["1:14 image.tag 1.2.3 unresolved"]);
        assert!(over("image: {tag: '1@sha256:HEX'}\n").is_empty());
        assert!(over("image: {digest: 'sha256:HEX'}\nx: {tag: a}\n").is_empty());
        check("image: {tag: 1.2.3}\n", &[]);
    }

    #[test]
    fn any_text_is_read_without_panic() {
        let config = Config { cases: 2000, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let word = prop::sample::select(vec![
            "image",
            "repository",
            "tag",
            "digest",
            ":",
            ": ",
            "\n",
            "\n  ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            ",",
            "&a ",
            "*a",
            "<<",
            "|",
            "\n    ",
            "a/b",
            "1",
            "sha256:",
            "é",
            "'",
            "\"",
            "{{",
            "}}",
            "images",
            "patches",
            "patch",
            "name",
            "newTag",
            "@",
            "/*",
            "#",
        ]);
        let names = ["values-a.yaml", "kustomization.yaml", "values/a.yaml"];
        let text = prop::collection::vec(word, 0..40).prop_map(|words| words.concat());
        let read = |text: String| {
            for name in names {
                find(name, &text, &Alone);
            }
            template::locate_lines(&Source::new("t.yaml", text), &mut Found::default());
            Ok(())
        };
        runner.run(&text, read).unwrap();
    }
}

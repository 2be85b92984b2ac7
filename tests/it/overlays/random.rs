//! Random overlays: a few objects, a few layers, and everything that may change an image.

// Text is put together from many small parts here.
#![allow(clippy::format_push_string)]

use std::collections::BTreeMap;

use super::{Files, HEX};

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn image(&mut self) -> String {
        let name = self.pick(&["app", "nginx", "r.io/app", "r.io:5000/a/b", "ghcr.io/org/app"]);
        format!("{name}{}", self.pick(&["", ":1", ":2.0", "@sha256:HEX", ":1@sha256:HEX"]))
    }

    fn container(&mut self) -> String {
        let name = self.pick(&["app", "side", "third"]);
        match self.below(8) {
            0 => format!("{{name: {name}, $patch: delete}}"),
            1 => format!("{{name: {name}, env: [{{name: A, value: '{}'}}]}}", self.below(9)),
            2 if self.one_in(5) => format!("{{name: {name}, $patch: replace, image: '{}'}}", self.image()),
            _ => format!("{{name: {name}, image: '{}'}}", self.image()),
        }
    }

    /// Part of a pod's `spec`, to be laid over another.
    fn pod_patch(&mut self) -> String {
        let mut lists = Vec::new();
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            match self.below(7) {
                0 => lists.push(format!("{list}: null")),
                1 if list == "containers" => lists.push(format!("{list}: [{}, {{$patch: replace}}]", self.container())),
                2 | 3 => lists.push(format!("{list}: [{}]", self.container())),
                4 if list == "containers" => {
                    lists
                        .push(format!("{list}: [{{name: app, image: '{}'}}, {{name: new, image: 'n'}}]", self.image()));
                }
                _ => {}
            }
        }
        format!("{{{}}}", lists.join(", "))
    }
}

/// API version, kind and the way to its pods.
const KINDS: [(&str, &str, &[&str]); 6] = [
    ("apps/v1", "Deployment", &["spec", "template", "spec"]),
    ("apps/v1", "StatefulSet", &["spec", "template", "spec"]),
    ("batch/v1", "CronJob", &["spec", "jobTemplate", "spec", "template", "spec"]),
    ("v1", "Pod", &["spec"]),
    ("example.com/v1", "Robot", &["spec"]),
    ("apps/v1beta1", "Deployment", &["spec", "template", "spec"]),
];

fn nest(path: &[&str], inner: &str) -> String {
    path.iter().rev().fold(inner.to_owned(), |inner, key| format!("{{{key}: {inner}}}"))
}

struct Objects(Vec<(usize, String)>);

impl Objects {
    fn new(random: &mut Random) -> Self {
        let mut names: Vec<_> =
            (0..=random.below(4)).map(|_| (random.below(6), random.pick(&["web", "db", "x"]))).collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into_iter().map(|(kind, name)| (kind, name.to_owned())).collect())
    }

    fn text(&self, random: &mut Random) -> String {
        let mut text = String::new();
        for (kind, name) in &self.0 {
            let (api, kind, path) = KINDS[*kind];
            let containers = ["app", "side"][..=random.below(2)]
                .iter()
                .map(|name| format!("{{name: {name}, image: '{}'}}", random.image()))
                .collect::<Vec<_>>();
            let init = if random.one_in(3) {
                format!(", initContainers: [{{name: app, image: '{}'}}]", random.image())
            } else {
                String::new()
            };
            let more = if random.one_in(4) {
                format!(", ephemeralContainers: [{{name: side, image: '{}'}}]", random.image())
            } else {
                String::new()
            };
            let pod = format!("{{containers: [{}]{init}{more}}}", containers.join(", "));
            let namespace = random.pick(&["", "", ", namespace: shop", ", namespace: default"]);
            let labels = random.pick(&["{app: a}", "{app: b, tier: c}", "{}"]);
            let body = nest(path, &pod);
            let body = &body[1..body.len() - 1];
            text.push_str(&format!(
                "---\napiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}, labels: {labels}{namespace}}}\n{body}\n"
            ));
        }
        text
    }
}

/// A kustomization's own changes.
fn changes(random: &mut Random, objects: &Objects, prefix: &str, text: &mut String) {
    if random.one_in(2) {
        text.push_str("images:\n");
        for _ in 0..=random.below(3) {
            let name = random.pick(&[
                "app",
                "nginx",
                "r.io/app",
                "'r.io:5000/a/b'",
                "ghcr.io/org/app",
                "'.*app'",
                "'app:1'",
                "'n?ginx'",
            ]);
            let change = random.pick(&[
                "newTag: '3'",
                "digest: 'sha256:HEX'",
                "newTag: v4, digest: 'sha256:HEX'",
                "newName: app",
                "newName: r.io/app, newTag: x",
                "tagSuffix: -s",
                "newName: z.io/q",
                "newTag: ''",
            ]);
            text.push_str(&format!("- {{name: {name}, {change}}}\n"));
        }
    }
    if random.one_in(2) {
        text.push_str("patches:\n");
        for _ in 0..=random.below(2) {
            text.push_str(&patch(random, objects, prefix));
        }
    }
    if random.one_in(5) {
        let (_, kind, path) = KINDS[objects.0[random.below(objects.0.len())].0];
        let (source, name) = &objects.0[random.below(objects.0.len())];
        let (api, source, from) = KINDS[*source];
        let (path, from) = (path.join("."), from.join("."));
        let group = api.split_once('/').map_or("", |(group, _)| group);
        let options =
            random.pick(&["", ", options: {delimiter: ':', index: 1}", ", options: {delimiter: '@', index: 0}"]);
        let pick = random.pick(&["containers.0", "containers.[name=app]", "containers.*"]);
        text.push_str(&format!(
            "replacements:\n- source: {{group: '{group}', kind: {source}, name: {name}, fieldPath: '{from}.containers.[name=app].image'{}}}\n  targets: \
             [{{select: {{kind: {kind}}}, fieldPaths: ['{path}.{pick}.image']{options}}}]\n",
            random.pick(&["", ", options: {delimiter: ':'}"])
        ));
    }
}

fn patch(random: &mut Random, objects: &Objects, prefix: &str) -> String {
    let (kind, name) = objects.0[random.below(objects.0.len())].clone();
    let (api, kind, path) = KINDS[kind];
    let target = random.pick(&[
        "kind: KIND",
        "name: NAME",
        "name: '.*b'",
        "labelSelector: app=a",
        "labelSelector: 'app in (a, b),!tier', kind: KIND",
        "group: apps",
        "namespace: shop",
    ]);
    let target = target.replace("KIND", kind).replace("NAME", &name);
    if random.one_in(2) {
        let body = nest(path, &random.pod_patch());
        let body = &body[1..body.len() - 1];
        let name = if random.one_in(3) { format!("{prefix}{name}") } else { name };
        let body = if random.one_in(9) { "$patch: delete" } else { body };
        let target = if random.one_in(2) { format!("  target: {{kind: {kind}}}\n") } else { String::new() };
        return format!(
            "- patch: |-\n    apiVersion: {api}\n    kind: {kind}\n    metadata: {{name: {name}}}\n    {body}\n{target}"
        );
    }
    let pod = format!("/{}", path.join("/"));
    let mut text = format!("- target: {{{target}, kind: {kind}}}\n  patch: |-\n");
    if target.contains("kind") {
        text = format!("- target: {{{target}}}\n  patch: |-\n");
    }
    for _ in 0..=random.below(2) {
        let image = random.image();
        let operation = match random.below(8) {
            0 => format!("{{op: remove, path: {pod}/containers/{}}}", random.pick(&["0", "-1", "1"])),
            1 => format!("{{op: add, path: {pod}/containers/-, value: {{name: x, image: '{image}'}}}}"),
            2 => format!("{{op: copy, from: {pod}/containers/0/image, path: {pod}/containers/-1/image}}"),
            3 => format!("{{op: test, path: {pod}/containers/0/name, value: app}}"),
            4 => format!("{{op: add, path: {pod}/initContainers, value: [{{name: i, image: '{image}'}}]}}"),
            5 => format!("{{op: move, from: {pod}/containers/0, path: {pod}/containers/0}}"),
            _ => format!("{{op: replace, path: {pod}/containers/0/image, value: '{image}'}}"),
        };
        text.push_str(&format!("    - {operation}\n"));
    }
    text
}

/// Two or three layers, sometimes with a component.
pub(crate) fn overlay(seed: u32) -> Files {
    let mut random = Random(u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    random.below(2);
    let objects = Objects::new(&mut random);
    let mut files = BTreeMap::from([("base/all.yaml".to_owned(), objects.text(&mut random))]);
    let mut base = "resources: [all.yaml]\n".to_owned();
    changes(&mut random, &objects, "", &mut base);
    let mut prefix = String::new();
    let affix = |random: &mut Random, prefix: &mut String, text: &mut String| {
        if random.one_in(4) {
            text.push_str("namePrefix: p-\n");
            prefix.insert_str(0, "p-");
        }
        if random.one_in(5) {
            text.push_str("namespace: shop\n");
        }
        if random.one_in(6) {
            text.push_str("commonLabels: {app: a}\n");
        }
    };
    affix(&mut random, &mut prefix, &mut base);
    files.insert("base/kustomization.yaml".to_owned(), base);
    let mut below = "base";
    if random.one_in(3) {
        let mut mid = "resources: [../base]\n".to_owned();
        changes(&mut random, &objects, &prefix, &mut mid);
        affix(&mut random, &mut prefix, &mut mid);
        files.insert("mid/kustomization.yaml".to_owned(), mid);
        below = "mid";
    }
    let mut over = format!("resources: [../{below}]\n");
    if random.one_in(4) {
        over.push_str("components: [../part]\n");
        let mut part =
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {part: here}\n"
                .to_owned();
        changes(&mut random, &objects, &prefix, &mut part);
        files.insert("part/kustomization.yaml".to_owned(), part);
    }
    changes(&mut random, &objects, &prefix, &mut over);
    affix(&mut random, &mut prefix, &mut over);
    files.insert("over/kustomization.yaml".to_owned(), over);
    Files(files.into_iter().map(|(path, text)| (path, text.replace("HEX", HEX))).collect())
}

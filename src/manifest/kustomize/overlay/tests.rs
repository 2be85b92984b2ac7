//! The rules of overlays, told by small builds in memory: which image, at which place.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::read;
use crate::manifest::{Absent, Beside, Found};
use crate::source::Source;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: app
        image: org/app:1
      - {name: side, image: 'nginx@sha256:HEX'}
";

struct Files(HashMap<String, String>);

impl Beside for Files {
    fn open(&self, from: &Source, path: &str) -> Result<Arc<Source>, Absent> {
        let mut parts: Vec<_> = from.relative().split('/').collect();
        parts.pop();
        for part in path.split('/') {
            match part {
                ".." => drop(parts.pop()),
                "." | "" => {}
                _ => parts.push(part),
            }
        }
        let path = parts.join("/");
        match self.0.get(&path) {
            Some(text) => Ok(Source::new(path, text.as_str())),
            None if self.0.keys().any(|known| known.starts_with(&format!("{path}/"))) => Err(Absent::Folder),
            None => Err(Absent::NotThere),
        }
    }
}

fn build(files: &[(&str, &str)]) -> Found {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.replace("HEX", HEX))).collect();
    let files = Files(files);
    let top = Source::new("o/kustomization.yaml", files.0["o/kustomization.yaml"].as_str());
    read(&top, &files)
}

/// `path:line:column resource field written effective status`, and where it is declared.
fn lines(found: &Found) -> Vec<String> {
    let mut lines = Vec::new();
    for image in &found.images {
        let at = image.place.start();
        let mut line = format!("{}:{}:{} {}", image.place.source.path(), at.line, at.column, image.written);
        if image.effective() != Some(&image.written) {
            write!(line, " = {}", image.effective().unwrap_or("?")).unwrap();
        }
        for related in &image.related {
            let at = related.place.start();
            write!(line, " < {}:{}:{}", related.place.source.path(), at.line, at.column).unwrap();
        }
        lines.push(line.replace(HEX, "HEX"));
    }
    lines.extend(found.unreadable.iter().map(|unreadable| {
        let at = unreadable.place.start();
        format!("{}:{}:{} {}", unreadable.place.source.path(), at.line, at.column, unreadable.message)
    }));
    lines
}

#[track_caller]
fn check(kustomization: &str, expected: &[&str]) {
    let found = build(&[
        ("o/kustomization.yaml", kustomization),
        ("b/kustomization.yaml", "resources: [web.yaml]\n"),
        ("b/web.yaml", WEB),
    ]);
    assert_eq!(lines(&found), expected, "{kustomization}");
}

#[test]
fn what_nothing_changes_stands_in_its_own_line() {
    check("resources: [../b]\n", &["b/web.yaml:9:16 org/app:1", "b/web.yaml:10:30 nginx@sha256:HEX"]);
}

#[test]
fn an_entry_decides_where_its_digest_or_tag_stands() {
    check(
        "resources: [../b]\nimages:\n- {name: org/app, newName: r/app, digest: 'sha256:HEX'}\n- {name: nginx, newTag: x}\n- {name: gone, newTag: x}\n",
        &[
            "o/kustomization.yaml:3:44 r/app@sha256:HEX < b/web.yaml:9:16",
            "o/kustomization.yaml:4:25 nginx:x < b/web.yaml:10:30",
        ],
    );
    check(
        "resources: [../b]\nimages: [{name: org/app, newName: r/app}]\n",
        &["b/web.yaml:10:30 nginx@sha256:HEX", "o/kustomization.yaml:2:35 r/app = r/app:1 < b/web.yaml:9:16"],
    );
}

#[test]
fn a_patch_decides_where_its_image_stands() {
    check(
        "resources: [../b]\npatches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: replace\n      path: /spec/template/spec/containers/0/image\n      value: p:1\n",
        &["b/web.yaml:10:30 nginx@sha256:HEX", "o/kustomization.yaml:7:14 p:1 < b/web.yaml:9:16"],
    );
    check(
        "resources: [../b]\npatches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: web}\n    spec: {template: {spec: {containers: [{name: app, image: q}, {name: new, image: r}, {name: side, $patch: delete}]}}}\n",
        &["o/kustomization.yaml:7:62 q < b/web.yaml:9:16", "o/kustomization.yaml:7:85 r"],
    );
}

#[test]
fn a_replacement_decides_where_its_source_stands() {
    check(
        "resources: [../b]\nreplacements:\n- source: {kind: Deployment, fieldPath: 'spec.template.spec.containers.[name=side].image'}\n  targets: [{select: {kind: Deployment}, fieldPaths: ['spec.template.spec.containers.0.image']}]\n",
        &["b/web.yaml:10:30 nginx@sha256:HEX < b/web.yaml:9:16", "b/web.yaml:10:30 nginx@sha256:HEX"],
    );
}

#[test]
fn what_comes_from_elsewhere_is_unresolved_where_it_is_named() {
    check(
        "resources: [../b, 'https://example.com/x.yaml']\n",
        &[
            "b/web.yaml:9:16 org/app:1",
            "b/web.yaml:10:30 nginx@sha256:HEX",
            "o/kustomization.yaml:1:20 https://example.com/x.yaml = ?",
        ],
    );
}

#[test]
fn what_cannot_be_built_is_said_where_it_is_named() {
    check(
        "resources:\n- ../b\n- gone.yaml\n",
        &["o/kustomization.yaml:3:3 kustomize does not build this overlay: `gone.yaml` is not there"],
    );
    check(
        "resources: [../o]\n",
        &[
            "o/kustomization.yaml:1:13 kustomize does not build this overlay: `o/kustomization.yaml` leads back to itself: \
           it is a cycle",
        ],
    );
}

#[test]
fn hostile_overlays_end_soon() {
    // Diamonds of diamonds, each with a name of its own.
    let mut files = vec![("b0/kustomization.yaml".to_owned(), "resources: [web.yaml]\n".to_owned())];
    files.push(("b0/web.yaml".to_owned(), WEB.to_owned()));
    for level in 1..=30 {
        for side in ["l", "r"] {
            let text = format!("resources: [../b{}]\nnamePrefix: {side}\n", level - 1);
            files.push((format!("{side}{level}/kustomization.yaml"), text));
        }
        files.push((format!("b{level}/kustomization.yaml"), format!("resources: [../l{level}, ../r{level}]\n")));
    }
    files.push(("o/kustomization.yaml".to_owned(), "resources: [../b30]\n".to_owned()));
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert!(build(&files).unreadable[0].message.contains("than are followed"));

    let copies = "    - {op: copy, from: /spec, path: /spec/deeper}\n".repeat(400);
    let patch = format!("resources: [web.yaml]\npatches:\n- target: {{kind: Deployment}}\n  patch: |-\n{copies}");
    let found = build(&[("o/kustomization.yaml", &patch), ("o/web.yaml", WEB)]);
    assert!(found.unreadable[0].message.contains("too deep"), "{:?}", found.unreadable);

    let copies = "    - {op: copy, from: /spec/template/spec, path: /spec/template/spec/containers/-}\n    - {op: copy, from: /spec/template, path: /spec/x}\n    - {op: move, from: /spec/x, path: /spec/template/spec/y}\n".repeat(60);
    let patch = format!("resources: [web.yaml]\npatches:\n- target: {{kind: Deployment}}\n  patch: |-\n{copies}");
    let found = build(&[("o/kustomization.yaml", &patch), ("o/web.yaml", WEB)]);
    assert_eq!(found.unreadable.len(), 1);

    let bomb = (1..40).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)).collect::<Vec<_>>().concat();
    let bomb = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\na0: &a0 [b]\n{bomb}");
    let found = build(&[("o/kustomization.yaml", "resources: [web.yaml]\n"), ("o/web.yaml", &bomb)]);
    assert!(found.unreadable[0].message.contains("multiplies"), "{:?}", found.unreadable);

    let images = "- {name: '(a*)*.*b', newTag: x}\n".repeat(300);
    let containers = "      - {name: a, image: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n".repeat(2000);
    let web = format!("{WEB}{containers}");
    let found =
        build(&[("o/kustomization.yaml", &format!("resources: [web.yaml]\nimages:\n{images}")), ("o/web.yaml", &web)]);
    assert_eq!(found.unreadable.len(), 1);
}

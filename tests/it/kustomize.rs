//! The rules of `images` entries, held against the real `kustomize build`.

use std::path::Path;
use std::process::Command;

use crate::program::has_referee;
use digest_gate::manifest::kustomize::ImageEntry;
use digest_gate::yaml::Tree;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Image in the pod, and the entry.
const CASES: &[(&str, &str)] = &[
    ("app:1", "{name: app}"),
    ("app:1", "{name: app, newTag: '2'}"),
    ("app", "{name: app, newTag: '2'}"),
    ("app:1", "{name: app, newTag: '2.0@sha256:HEX'}"),
    ("app:1", "{name: app, newTag: 'sha256:HEX'}"),
    ("app:1", "{name: app, digest: 'sha256:HEX'}"),
    ("app:1", "{name: app, newTag: '2', digest: 'sha256:HEX'}"),
    ("app:1", "{name: app, digest: HEX}"),
    ("app:1", "{name: app, newTag: '2', digest: HEX}"),
    ("app:1", "{name: app, newName: 'r.io/b:3'}"),
    ("app", "{name: app, newName: 'r.io/b:3'}"),
    ("app:1", "{name: app, newName: 'r.io/b:3', newTag: '4'}"),
    ("app:1", "{name: app, newName: r.io/b}"),
    ("app@sha256:HEX", "{name: app, newTag: '4'}"),
    ("app@sha256:HEX", "{name: app, newName: b}"),
    ("app:1@sha256:HEX", "{name: app, newName: b}"),
    ("app:1@sha256:HEX", "{name: app, newTag: '4'}"),
    ("app:1@sha256:HEX", "{name: app, newTag: '4', digest: ''}"),
    ("app:1@sha256:HEX", "{name: app, digest: 'sha256:HEX'}"),
    ("app:1", "{name: 'app:1', newTag: '4'}"),
    ("app:2", "{name: 'app:1', newTag: '4'}"),
    ("app@sha256:HEX", "{name: 'app@sha256:HEX', newTag: '5'}"),
    ("app:1", "{name: docker.io/library/app, newTag: '4'}"),
    ("localhost:5000/app:1", "{name: 'localhost:5000/app', newTag: '5'}"),
    ("localhost:5000/app", "{name: 'localhost:5000/app', newTag: '5'}"),
    ("app:1", "{name: app, tagSuffix: -x}"),
    ("app:1@sha256:HEX", "{name: app, tagSuffix: -x}"),
    ("app:1", "{name: app, newTag: '4', tagSuffix: -x}"),
    ("app:1", "{name: app, tagSuffix: -x, digest: 'sha256:HEX'}"),
    ("app:1", "{name: app, NewTag: '6'}"),
    ("app:1", "{name: app, newTag: '5', NewTag: '6'}"),
    ("app:1", "{name: app, newTag: '5', newtag: '6'}"),
    ("app:1", "{newName: b, newTag: '2'}"),
];

fn built(folder: &Path, image: &str, entry: &str) -> Option<String> {
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: a, image: '{image}'}}]}}\n"
    );
    std::fs::write(folder.join("pod.yaml"), pod).unwrap();
    std::fs::write(folder.join("kustomization.yaml"), format!("resources: [pod.yaml]\nimages:\n- {entry}\n")).unwrap();
    let output = Command::new("kustomize").arg("build").arg(folder).output().ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{entry}: {}", String::from_utf8_lossy(&output.stderr));
    let tree = Tree::yaml(&text);
    let root = tree.documents(&text).next().unwrap();
    let containers = root.at_path(&["spec", "containers"]).unwrap();
    containers.items().next().unwrap().get("image").unwrap().string().map(str::to_owned)
}

#[test]
fn entries_change_images_as_kustomize_does() {
    if !has_referee("kustomize") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (image, entry) in CASES {
        let (image, text) = (image.replace("HEX", HEX), entry.replace("HEX", HEX));
        let tree = Tree::yaml(&text);
        let node = tree.documents(&text).next().unwrap();
        let ours = ImageEntry::of(node).apply(&image).unwrap_or_else(|| image.clone());
        assert_eq!(Some(ours), built(folder.path(), &image, &text), "{image} {entry}");
    }
}

//! Azure: Container Apps and Container Instances in YAML, ARM templates, and Azure Pipelines.
//!
//! Sources: the Container Apps and Container Instances YAML references, the ARM template and Azure Pipelines schemas.

use super::place::{self, Places};
use super::{Document, Found, Kind, LocatedImage, Reader, State};
use crate::yaml::Node;

/// Applications and templates.
pub static KIND: Kind = Kind {
    name: "azure",
    title: "Azure Container Apps, Container Instances and ARM templates",
    files: "YAML and JSON with `properties.template.containers` or `properties.containers`, ARM deployment templates",
    reads: "`image` of containers and init containers",
    decided: "nothing is filled in, the text is deployed as it stands",
    unresolved: "expressions of a template (`[parameters('image')]`), whether or not the parameter has a default, and \
            variables in the text (`${ }`, `$( )`): write the image out with its digest",
    example: &[(
        "app.yaml",
        "properties:
  template:
    initContainers:
    - name: migrate
      image: ghcr.io/org/migrate:1.2.3
    containers:
    - name: web
      image: ghcr.io/org/web:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
    - name: proxy
      image: ghcr.io/org/proxy:${VERSION}
",
    )],
    reader: Reader::Document(read),
};

/// Pipelines.
pub static PIPELINE: Kind = Kind {
    name: "azure-pipelines",
    title: "Azure Pipelines",
    files: "`azure-pipelines*.yml`, `.azure-pipelines/`, and YAML with `resources.containers`",
    reads: "`resources.containers[].image`, `container` of jobs",
    decided: "the `container` of a job that names an entry of `resources.containers` is the image there",
    unresolved: "variables and template expressions (`$(…)`, `${{ }}`, `$[ ]`), also those that the file itself sets: \
            write the image out with its digest under `resources.containers`",
    example: &[(
        "azure-pipelines.yml",
        "resources:
  containers:
  - container: build
    image: ghcr.io/org/build:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
jobs:
- job: build
  container: build
- job: test
  container: ghcr.io/org/test:1.2.3
- job: lint
  container: ghcr.io/org/lint:$(version)
",
    )],
    reader: Reader::Document(read_pipeline),
};

/// Where the properties of an application or a group hold their images.
const IMAGES: [&str; 4] = [
    "properties.template.containers.[].image",
    "properties.template.initContainers.[].image",
    "properties.containers.[].properties.image",
    "properties.initContainers.[].properties.image",
];

fn read(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    let schema = root.get("$schema").and_then(Node::string).unwrap_or_default().to_ascii_lowercase();
    let is_template = schema.contains("deploymenttemplate.json");
    let properties = root.get("properties");
    let is_app = properties.is_some_and(|properties| properties.at_path(&["template", "containers"]).is_some());
    let is_group = properties.and_then(|properties| properties.get("containers")).is_some_and(|containers| {
        containers.items().any(|container| container.at_path(&["properties", "image"]).is_some())
    });
    if !is_template && !is_app && !is_group {
        return false;
    }
    let mut places = Places::new(root);
    for images in IMAGES {
        let pattern = if is_template { format!("**.{images}") } else { images.to_owned() };
        places.each(&pattern, &mut |node, field| {
            found.images.extend(place::image(KIND.name, document.source, node, field).map(of_template));
        });
    }
    true
}

/// A text in brackets is an expression of the template; two brackets at its start are one that is meant.
fn of_template(mut image: LocatedImage) -> LocatedImage {
    if image.written.starts_with('[') && image.written.ends_with(']') {
        image.state = State::unresolved("an expression (`[ ]`) is filled in before it is deployed");
    }
    image
}

fn read_pipeline(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    let path = document.source.path();
    let has = |key| root.get(key).is_some();
    let is_pipeline = has("stages") || has("jobs") || has("steps") || has("resources") || has("container");
    let is_named = path.contains("azure-pipelines");
    let declares = root.at_path(&["resources", "containers"]).is_some_and(Node::is_sequence);
    if !root.is_mapping() || !(is_named && is_pipeline || declares && (has("jobs") || has("steps") || has("stages"))) {
        return false;
    }
    place::report(PIPELINE.name, document, &["resources.containers.[].image"], found);
    let mut names = Vec::new();
    let mut places = Places::new(root);
    places.each("resources.containers.[].container", &mut |node, _| names.extend(node.scalar()));
    for container in ["container", "container.image"] {
        for job in ["", "jobs.[].", "stages.[].jobs.[]."] {
            places.each(&format!("{job}{container}"), &mut |node, field| {
                // A name that `resources` declares stands for the image there.
                if !node.scalar().is_some_and(|name| names.contains(&name)) {
                    found.images.extend(place::image(PIPELINE.name, document.source, node, field));
                }
            });
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use crate::manifest::place::tests::{find, images};

    #[test]
    fn applications_groups_and_templates() {
        let app = "properties:\n  template:\n    containers:\n    - image: a:1\n    initContainers: [{image: b}]\n";
        assert_eq!(
            images("app.yaml", app),
            [
                "4:14 properties.template.containers[0].image a:1 unpinned a:1",
                "5:30 properties.template.initContainers[0].image b unpinned b",
            ]
        );
        let group = "properties:\n  containers:\n  - properties: {image: a}\n";
        assert_eq!(images("aci.yaml", group).len(), 1);
        let arm = r#"{"$schema": "https://x/deploymentTemplate.json#", "resources": [{"properties": {"template": {"containers": [{"image": "[parameters('i')]"}]}}}]}"#;
        assert_eq!(
            images("arm.json", arm),
            ["1:120 resources[0].properties.template.containers[0].image [parameters('i')] unresolved -"]
        );
    }

    #[test]
    fn pipelines() {
        let text = "resources: {containers: [{container: c, image: 'a:1'}]}\ncontainer: b:1\njobs:\n- container: c\n- container: {image: $(img)}\n";
        assert_eq!(
            images("azure-pipelines.yml", text),
            [
                "1:49 resources.containers[0].image a:1 unpinned a:1",
                "2:12 container b:1 unpinned b:1",
                "5:22 jobs[1].container.image $(img) unresolved -",
            ]
        );
        assert!(!find("a.yml", "container: x\nsteps: []\n").is_manifest);
    }
}

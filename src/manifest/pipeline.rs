//! Pipelines of `CircleCI`, Drone, Woodpecker and Bitbucket: images at the fixed places of each.
//!
//! Sources: the configuration references of the four.

use super::place;
use super::{Document, Found, Kind, Reader};
use crate::yaml::Node;

/// `CircleCI`.
pub static CIRCLECI: Kind = Kind {
    name: "circleci",
    title: "CircleCI",
    files: "`.circleci/*.yml`",
    reads: "`docker[].image` of jobs and executors",
    decided: "nothing is filled in, the text is used as it stands; executors and inline orbs are read where they are \
            declared",
    unresolved: "parameters and variables (`<< parameters.… >>`, `$…`), also those with a default: write the image \
            out with its digest in the job or the executor",
    example: &[(
        ".circleci/config.yml",
        "version: 2.1
executors:
  go:
    docker:
    - image: ghcr.io/org/go:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
jobs:
  test:
    docker:
    - image: ghcr.io/org/test:1.2.3
    - image: ghcr.io/org/db:<< parameters.db >>
",
    )],
    reader: Reader::Document(read_circleci),
};

/// Drone and Woodpecker.
pub static DRONE: Kind = Kind {
    name: "drone",
    title: "Drone and Woodpecker pipelines",
    files: "`.drone.yml`, `.woodpecker.yml`, folders `.woodpecker/`, and YAML of `kind: pipeline`",
    reads: "`image` of steps, services and clones",
    decided: "nothing is filled in, the text is used as it stands",
    unresolved: "variables in the text (`${…}`, `$…`), also those of a matrix: write the image out with its digest",
    example: &[(
        "ci.yml",
        "kind: pipeline
steps:
- name: build
  image: ghcr.io/org/build:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
- name: test
  image: ghcr.io/org/test:1.2.3
- name: lint
  image: ghcr.io/org/lint:${VERSION}
",
    )],
    reader: Reader::Document(read_drone),
};

/// Bitbucket.
pub static BITBUCKET: Kind = Kind {
    name: "bitbucket",
    title: "Bitbucket Pipelines",
    files: "`bitbucket-pipelines.yml`",
    reads: "`image` at the top, of steps and of service definitions",
    decided: "nothing is filled in, the text is used as it stands; anchors and aliases are followed",
    unresolved: "variables of the repository or the deployment (`$…`): write the image out with its digest",
    example: &[(
        "bitbucket-pipelines.yml",
        "image: ghcr.io/org/build:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
pipelines:
  default:
  - step:
      image: ghcr.io/org/test:1.2.3
  - step:
      image: ghcr.io/org/lint:$VERSION
",
    )],
    reader: Reader::Document(read_bitbucket),
};

fn read_circleci(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    let is_named = document.source.path().contains(".circleci/");
    if !is_named || root.get("jobs").or_else(|| root.get("executors")).is_none() {
        return false;
    }
    place::report(
        CIRCLECI.name,
        document,
        &[
            "jobs.*.docker.[].image",
            "executors.*.docker.[].image",
            "orbs.*.jobs.*.docker.[].image",
            "orbs.*.executors.*.docker.[].image",
        ],
        found,
    );
    true
}

fn read_drone(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    let path = document.source.path();
    let is_named = path.contains(".woodpecker") || path.contains(".drone.y");
    let is_pipeline = root.get("kind").and_then(Node::string) == Some("pipeline") && root.get("steps").is_some();
    if !root.is_mapping() || !is_named && !is_pipeline {
        return false;
    }
    let lists = ["steps.[].image", "services.[].image", "clone.[].image", "pipeline.[].image"];
    let mappings = ["steps.*.image", "services.*.image", "clone.*.image", "pipeline.*.image"];
    place::report(DRONE.name, document, &lists, found);
    place::report(DRONE.name, document, &mappings, found);
    true
}

fn read_bitbucket(document: &Document<'_>, found: &mut Found) -> bool {
    if !document.source.file_name().starts_with("bitbucket-pipelines.y") {
        return false;
    }
    place::report(
        BITBUCKET.name,
        document,
        &[
            "image",
            "image.name",
            "pipelines.**.step.image",
            "pipelines.**.step.image.name",
            "definitions.services.*.image",
            "definitions.services.*.image.name",
            "definitions.steps.[].step.image",
            "definitions.steps.[].step.image.name",
        ],
        found,
    );
    true
}

#[cfg(test)]
mod tests {
    use crate::manifest::place::tests::images;

    #[test]
    fn each_pipeline_at_its_places() {
        let circle = "jobs:\n  b:\n    docker:\n    - image: cimg/go:1\n    - image: << parameters.x >>\n";
        assert_eq!(
            images(".circleci/config.yml", circle),
            [
                "4:14 jobs.b.docker[0].image cimg/go:1 unpinned cimg/go:1",
                "5:14 jobs.b.docker[1].image << parameters.x >> unresolved -",
            ]
        );
        let drone = "kind: pipeline\nsteps:\n- {name: a, image: go}\nservices:\n- image: redis\n";
        assert_eq!(images("ci.yml", drone).len(), 2);
        assert_eq!(images(".woodpecker.yml", "steps:\n  a:\n    image: go\n"), ["3:12 steps.a.image go unpinned go"]);
        let bitbucket =
            "image: a\npipelines:\n  default:\n  - step: {image: {name: b}}\n  - parallel: [{step: {image: c}}]\n";
        assert_eq!(images("bitbucket-pipelines.yml", bitbucket).len(), 3);
    }
}

//! `docs/manifests.md`: what is said of each kind comes from the list, and what examples print is what the program
//! prints.

use std::fmt::Write as _;

use digest_gate::manifest::KINDS;
use serde_json::Value;

use crate::program::Folder;

type Files = &'static [(&'static str, &'static str)];

const OPENING: &str = "\
# What is read

The kind of a file is decided by its content first and by its name second. A file of no kind is skipped; one that should be
read and cannot be is a finding (`unreadable-manifest`).

An image is decided where the files of the repository tell what is deployed; a value that can still be changed from
outside (a default, an env file) counts, and is an error under `policy: strict`. What nothing in the repository decides is
`unresolved`, and an error under either policy.
";

const TOGETHER: &str = "
## What is deployed together

What [the configuration](configuration.md) names under `stacks`, `overlays` and `charts` is judged as a whole: each image
stands at the line that decides it, and the files that took part are not judged alone. Nothing is fetched, and neither
Compose nor kustomize nor Helm is run.
";

/// Files that are deployed as a whole.
struct Whole {
    title: &'static str,
    /// What becomes of the files.
    decided: &'static str,
    unresolved: &'static str,
    files: Files,
    /// What is written to standard error begins so.
    says: &'static str,
}

const WHOLES: [Whole; 3] = [
    Whole {
        title: "Stacks",
        decided: "files are merged in order as Compose merges them, with `include`, `extends`, `!reset` and `!override`; \
                  variables by the `env-file`, or by `.env` in the folder of the first file, then by the default in the \
                  text; with `profiles` only the services that they start",
        unresolved: "a variable with neither a default nor a committed value: commit it in the env file. A remote \
                     `include` or `extends` (`oci://…`, `https://…`, Git) makes the stack unreadable: commit a copy and \
                     name that, or check what Compose makes of it (`docker compose config | digest-gate check -`)",
        files: &[
            (
                "digest-gate.yml",
                "version: 1
environments:
  production:
    stacks:
      - files: [compose.yml, compose.prod.yml]
        env-file: .env.production
",
            ),
            (
                "compose.yml",
                "include:
- oci://ghcr.io/org/monitoring:1.2.3
services:
  web:
    image: ghcr.io/org/web:latest
  worker:
    image: ghcr.io/org/worker:1.2.3
  proxy:
    image: ghcr.io/org/proxy:${PROXY}
",
            ),
            (
                "compose.prod.yml",
                "services:
  web:
    image: ghcr.io/org/web:${WEB}
",
            ),
            (".env.production", "WEB=1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0\n"),
        ],
        says: "error: compose.yml:2:3: ",
    },
    Whole {
        title: "Overlays",
        decided: "resources, bases and components of the repository, `images`, patches, replacements, name prefixes and \
                  namespaces, layer by layer as kustomize builds them",
        unresolved: "remote resources and components, `helmCharts`, and plugins under `generators` and `transformers`: \
                     each is listed where it is named. Where kustomize refuses to build, or what it builds cannot be \
                     told, the whole overlay is unreadable. Commit a copy of what is remote, or check what is built \
                     (`kustomize build … | digest-gate check -`)",
        files: &[
            (
                "digest-gate.yml",
                "version: 1
environments:
  production:
    overlays: [k8s/overlays/prod]
",
            ),
            ("k8s/base/kustomization.yaml", "resources: [pod.yaml]\n"),
            (
                "k8s/base/pod.yaml",
                "apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    image: web
  - name: worker
    image: ghcr.io/org/worker:1.2.3
",
            ),
            (
                "k8s/overlays/prod/kustomization.yaml",
                "resources:
- ../../base
- https://github.com/org/shared//proxy?ref=v1.2.3
images:
- name: web
  newName: ghcr.io/org/web
  newTag: 1.2.3
  digest: sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
",
            ),
        ],
        says: "",
    },
    Whole {
        title: "Charts",
        decided: "the values of the environment are merged over the chart's own as Helm merges them, and the templates \
                  are rendered with them, helpers and sub-charts in `charts/` included",
        unresolved: "what only a cluster or a release tells (`lookup`, `.Release`, `.Capabilities`), sub-charts that are \
                     packed or not in `charts/`, `import-values`, and functions that are not followed here. Unpack \
                     sub-charts in `charts/`, or check what is rendered (`helm template … | digest-gate check -`)",
        files: &[
            (
                "digest-gate.yml",
                "version: 1
environments:
  production:
    charts:
      - chart: charts/web
        values: [values.prod.yaml]
",
            ),
            (
                "charts/web/Chart.yaml",
                "apiVersion: v2
name: web
version: 0.1.0
appVersion: 1.2.3
dependencies:
- name: redis
  version: 20.1.0
  repository: oci://ghcr.io/org/charts
",
            ),
            (
                "charts/web/values.yaml",
                "web: {repository: ghcr.io/org/web, digest: ''}
worker: {repository: ghcr.io/org/worker}
",
            ),
            (
                "charts/web/templates/pod.yaml",
                "apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    image: {{ .Values.web.repository }}:{{ .Chart.AppVersion }}@{{ .Values.web.digest }}
  - name: worker
    image: {{ .Values.worker.repository }}:{{ .Chart.AppVersion }}
  - name: proxy
    image: ghcr.io/{{ .Release.Namespace }}/proxy:1.2.3
",
            ),
            (
                "values.prod.yaml",
                "web:
  digest: sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
",
            ),
        ],
        says: "",
    },
];

#[test]
fn the_kinds_are_those_of_the_list() {
    let mut text = OPENING.to_owned();
    for kind in KINDS {
        let (title, name, files, reads) = (kind.title, kind.name, kind.files, kind.reads);
        writeln!(text, "\n## {title}\n\nKind `{name}`. Files: {files}.\n\nRead: {reads}.").unwrap();
        writeln!(text, "\nDecided: {}.\n\nUnresolved: {}.", kind.decided, kind.unresolved).unwrap();
        let images = show(&mut text, kind.example, &["images", named(kind.example)], "");
        assert!(images.iter().all(|image| image["kind"] == name), "{name}: {images:?}");
    }
    text.push_str(TOGETHER);
    for whole in &WHOLES {
        let Whole { title, decided, unresolved, .. } = whole;
        writeln!(text, "\n### {title}\n\nDecided: {decided}.\n\nUnresolved: {unresolved}.").unwrap();
        show(&mut text, whole.files, &["images"], whole.says);
    }
    super::generated("docs/manifests.md", &text);
}

/// What is named on the command line for an example: the folder, and hidden folders, which are walked only by name.
fn named(files: Files) -> &'static str {
    let hidden = |path: &'static str| path.split_once('/').map(|(folder, _)| folder).filter(|it| it.starts_with('.'));
    files.iter().find_map(|(path, _)| hidden(path)).filter(|folder| *folder != ".github").unwrap_or(".")
}

/// Writes an example and what the program prints for it, and gives the images.
fn show(text: &mut String, files: Files, arguments: &[&str], says: &str) -> Vec<Value> {
    const STATUSES: [&str; 6] = ["pinned", "unpinned", "malformed", "unresolved", "built", "local"];
    for (path, content) in files {
        writeln!(text, "\n`{path}`\n\n```{}\n{content}```", language(path)).unwrap();
    }
    let folder = Folder::new(files);
    let ran = folder.run(arguments);
    assert!(ran.stderr.starts_with(says) && says.is_empty() == ran.stderr.is_empty(), "{}", ran.shown());
    assert_eq!(ran.status, if says.is_empty() { 0 } else { 2 }, "{}", ran.shown());
    let command = arguments.join(" ");
    writeln!(text, "\n`digest-gate {command}` prints\n\n```text\n{}{}```", ran.stdout, ran.stderr).unwrap();

    let json = folder.run(&[arguments, &["--format", "json"]].concat()).stdout;
    let images: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let has = |status: &str| images.iter().any(|image| image["status"] == status);
    assert!(has("pinned"), "{}", ran.shown());
    assert!(images.iter().all(|image| STATUSES.iter().any(|status| image["status"] == *status)), "{json}");
    images
}

fn language(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap();
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("yaml" | "yml") => "yaml",
        Some("json") => "json",
        Some("tf" | "hcl" | "nomad") => "hcl",
        Some("container") => "ini",
        None if name == "Dockerfile" => "dockerfile",
        _ => "text",
    }
}

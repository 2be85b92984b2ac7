//! GitHub workflows and actions: job containers, services, container steps, and the image of a container action.
//!
//! Sources: the workflow syntax and the metadata syntax of GitHub Actions; `ContainerInfo` and `ActionManager` of the
//! runner for what it strips from an image.

use super::slot::{self, Ending, Form};
use super::{Document, Found, Kind, LocatedImage, Reader, Related, State, kubernetes};
use crate::source::{Place, Span};
use crate::yaml::Node;

/// The kind.
pub static KIND: Kind = Kind {
    name: "workflow",
    title: "GitHub workflows and actions",
    files: "YAML with `jobs` below `.github/workflows/` or with `on`, and `action.yml`",
    reads: "`container` and `services` of jobs, steps that use `docker://…`, `runs.image` of container actions, and the \
            literal values of a matrix that these name",
    decided: "`${{ matrix.… }}` where the list of the matrix and its `include` are literal: one image for each value",
    unresolved: "every other expression (`inputs`, `vars`, `env`, `fromJSON`): write the image out with its digest, \
            or list the images in the matrix",
    example: &[
        (
            ".github/workflows/test.yml",
            "on: push
jobs:
  unit:
    strategy:
      matrix:
        database: ['ghcr.io/org/db:16.4.0@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0', 'ghcr.io/org/db:17.2.0']
    container: ghcr.io/org/ci:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
    services:
      db: {image: '${{ matrix.database }}'}
      cache: {image: '${{ vars.CACHE }}'}
    steps:
    - uses: docker://ghcr.io/org/lint:1.2.3
",
        ),
    ],
    reader: Reader::Document(read),
};

const SCHEME: &str = "docker://";

fn read(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    // A Kubernetes object with the keys of a workflow put beside its own is still applied as what it is.
    if kubernetes::is_object(root) {
        return false;
    }
    let mut walk = Walk { document, found };
    if is_workflow(document) {
        let jobs = root.get("jobs").into_iter().flat_map(Node::entries);
        jobs.for_each(|(name, job)| walk.job(name.scalar().unwrap_or_default(), job));
        true
    } else if is_action(document) {
        let runs = root.get("runs");
        if let Some(image) = runs.and_then(|runs| runs.get("image")) {
            walk.reference_with_scheme(image, "runs.image");
        }
        if let Some(steps) = runs.and_then(|runs| runs.get("steps")) {
            walk.steps(steps, "runs", None);
        }
        true
    } else {
        false
    }
}

fn is_workflow(document: &Document<'_>) -> bool {
    let root = document.root;
    if !root.get("jobs").is_some_and(Node::is_mapping) {
        return false;
    }
    // YAML 1.1 reads `on` as true: both spellings are in use.
    let path = format!("/{}", document.source.relative());
    path.contains("/.github/workflows/") || root.get("on").or_else(|| root.get("true")).is_some()
}

fn is_action(document: &Document<'_>) -> bool {
    let named = matches!(document.source.file_name(), "action.yml" | "action.yaml");
    named && document.root.at_path(&["runs", "using"]).is_some()
}

struct Walk<'d, 't> {
    document: &'d Document<'t>,
    found: &'d mut Found,
}

impl<'t> Walk<'_, 't> {
    fn job(&mut self, name: &str, job: Node<'t>) {
        let matrix = job.at_path(&["strategy", "matrix"]);
        if let Some(container) = job.get("container") {
            self.container(container, &format!("jobs.{name}.container"), matrix);
        }
        for (service, value) in job.get("services").into_iter().flat_map(Node::entries) {
            let service = service.scalar().unwrap_or_default();
            self.container(value, &format!("jobs.{name}.services.{service}"), matrix);
        }
        if let Some(steps) = job.get("steps") {
            self.steps(steps, &format!("jobs.{name}"), matrix);
        }
    }

    /// A container: its image, or a mapping with one.
    fn container(&mut self, value: Node<'t>, field: &str, matrix: Option<Node<'t>>) {
        match value.get("image") {
            Some(image) => self.image(image, &format!("{field}.image"), matrix),
            None => self.image(value, field, matrix),
        }
    }

    fn steps(&mut self, steps: Node<'t>, field: &str, matrix: Option<Node<'t>>) {
        for (index, step) in steps.items().enumerate() {
            let Some(uses) = step.get("uses") else { continue };
            // Without the scheme it is another action, which pins itself.
            if uses.string().is_some_and(|text| scheme_length(text).is_some()) {
                self.image(uses, &format!("{field}.steps[{index}].uses"), matrix);
            }
        }
    }

    /// `runs.image`: a reference with the scheme, or the name of a Dockerfile, which is judged as such.
    fn reference_with_scheme(&mut self, value: Node<'t>, field: &str) {
        if value.string().is_some_and(|text| scheme_length(text).is_some()) {
            self.image(value, field, None);
        }
    }

    fn image(&mut self, value: Node<'t>, field: &str, matrix: Option<Node<'t>>) {
        let (Some(node), Some(text)) = (value.resolve(), value.string()) else { return };
        let text = without_scheme(text);
        if text.is_empty() {
            // An empty image is no container: the job runs on the machine itself.
            return;
        }
        let span = self.image_span(node);
        if !text.contains("${{") {
            self.found.images.push(self.located(span, field, text, State::of(text)));
        } else if let Some(values) = matrix.and_then(|matrix| matrix_values(text, matrix)) {
            self.push_matrix(span, field, text, &values);
        } else {
            let why = "an expression (`${{ }}`) is filled in when the workflow runs";
            self.found.images.push(self.located(span, field, text, State::unresolved(why)));
        }
    }

    /// One image for each literal value of the matrix, at the expression that stands for it.
    fn push_matrix(&mut self, span: Span, field: &str, text: &str, values: &[Node<'t>]) {
        let Some(expression) = sole_expression(text) else { return };
        for value in values {
            let (Some(at), Some(filling)) = (value.resolve(), value.string()) else { continue };
            let filled = format!("{}{filling}{}", expression.before, expression.after);
            let filled = without_scheme(&filled);
            if filled.is_empty() {
                continue;
            }
            let place = Place::new(self.document.source, at.span());
            let related = Related { place, message: "this value of the matrix".to_owned() };
            let mut image = self.located(span, field, text, State::of(filled));
            let name = expression.inside.to_owned();
            let end = Ending { place: related.place.clone(), name, form: Form::Text };
            image.related.push(related);
            // The text itself stands for every value.
            let own = (values.len() == 1).then_some(Form::Text);
            image.slot = match expression.after.trim() {
                "" => slot::put_together(&image, own, &[end], |_| &[]),
                _ => slot::put_together(&image, Some(Form::Text), &[], |_| &[]),
            };
            self.found.images.push(image);
        }
    }

    fn located(&self, span: Span, field: &str, text: &str, state: State) -> LocatedImage {
        LocatedImage::new(KIND.name, self.document.source, span, field, text, state)
    }

    /// The bytes of the image text alone: without the blanks and the scheme the runner strips.
    fn image_span(&self, node: Node<'t>) -> Span {
        let span = node.span();
        let raw = self.document.source.slice(span);
        let text = without_scheme(raw);
        let start = span.start as usize + raw.len() - without_scheme_start(raw).len();
        Span::new(start, start + text.len())
    }
}

/// The length of the scheme, blanks before it included, where a text begins with it in any case.
fn scheme_length(text: &str) -> Option<usize> {
    let blanks = text.len() - text.trim_start().len();
    let scheme = text.get(blanks..blanks + SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(blanks + SCHEME.len())
}

fn without_scheme_start(text: &str) -> &str {
    scheme_length(text).and_then(|length| text.get(length..)).unwrap_or(text).trim_start()
}

fn without_scheme(text: &str) -> &str {
    without_scheme_start(text).trim_end()
}

/// The only expression in a text, and what stands around it.
struct Expression<'t> {
    before: &'t str,
    inside: &'t str,
    after: &'t str,
}

fn sole_expression(text: &str) -> Option<Expression<'_>> {
    let (before, rest) = text.split_once("${{")?;
    let (inside, after) = rest.split_once("}}")?;
    (!after.contains("${{")).then_some(Expression { before, inside: inside.trim(), after })
}

/// The values that `${{ matrix.NAME }}` can have, where all of them are literal: from the matrix's list and from
/// `include`. `None` where an expression has a part in it.
fn matrix_values<'t>(text: &str, matrix: Node<'t>) -> Option<Vec<Node<'t>>> {
    let name = sole_expression(text)?.inside.strip_prefix("matrix.")?;
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        return None;
    }
    let list = matrix.get(name);
    let include = matrix.get("include");
    let lists_literally = |node: Option<Node<'t>>| node.is_none_or(Node::is_sequence);
    if !matrix.is_mapping() || !lists_literally(list) || !lists_literally(include) {
        return None;
    }
    let included: Vec<_> = include.into_iter().flat_map(Node::items).collect();
    if !included.iter().all(|entry| entry.is_mapping()) {
        return None;
    }
    let included = included.iter().filter_map(|entry| entry.get(name));
    let values: Vec<_> = list.into_iter().flat_map(Node::items).chain(included).collect();
    let literal = |value: &Node<'t>| value.scalar().is_some_and(|text| !text.contains("${{"));
    (!values.is_empty() && values.iter().all(literal)).then_some(values)
}

#[cfg(test)]
mod tests {
    use crate::manifest::{Alone, Found, read};
    use crate::source::Source;
    use crate::yaml::Tree;

    fn find(name: &str, text: &str) -> Found {
        read(&Source::new(name, text), &Alone, &mut Tree::default())
    }

    fn images(name: &str, text: &str) -> Vec<String> {
        let describe = |image: &crate::manifest::LocatedImage| {
            let at = image.place.start();
            format!("{}:{} {} {} {}", at.line, at.column, image.field, image.written, image.status())
        };
        find(name, text).images.iter().map(describe).collect()
    }

    #[test]
    fn containers_services_and_steps_of_jobs() {
        let text = "\
on: push
jobs:
  a:
    container: node:18
    services:
      db: {image: 'postgres:16'}
      none: {image: ''}
    steps:
    - uses: docker://alpine:3.20
    - uses: 'DOCKER://  alpine:3.21 '
    - uses: actions/checkout@v6
    - run: docker run busybox
      with: {image: x:1}
  b:
    container:
      image: ${{ inputs.image }}
  c:
    uses: ./.github/workflows/x.yml
";
        assert_eq!(
            images(".github/workflows/ci.yml", text),
            [
                "4:16 jobs.a.container node:18 unpinned",
                "6:20 jobs.a.services.db.image postgres:16 unpinned",
                "9:22 jobs.a.steps[0].uses alpine:3.20 unpinned",
                "10:25 jobs.a.steps[1].uses alpine:3.21 unpinned",
                "16:14 jobs.b.container.image ${{ inputs.image }} unresolved",
            ]
        );
    }

    #[test]
    fn literal_matrix_values_are_the_images() {
        let text = "\
on: push
jobs:
  a:
    strategy:
      matrix:
        image: [ubuntu:24.04, '', &d debian:12]
        version: [18, 20]
        include:
        - image: fedora:41
        dynamic: ${{ fromJSON(needs.x.outputs.y) }}
    container: ${{ matrix.image }}
    services:
      node: {image: 'node:${{matrix.version}}-slim'}
      dyn: {image: '${{ matrix.dynamic }}'}
      both: {image: '${{ matrix.image }}:${{ matrix.version }}'}
";
        assert_eq!(
            images(".github/workflows/ci.yml", text),
            [
                "11:16 jobs.a.container ${{ matrix.image }} unpinned",
                "11:16 jobs.a.container ${{ matrix.image }} unpinned",
                "11:16 jobs.a.container ${{ matrix.image }} unpinned",
                "13:22 jobs.a.services.node.image node:${{matrix.version}}-slim unpinned",
                "13:22 jobs.a.services.node.image node:${{matrix.version}}-slim unpinned",
                "14:21 jobs.a.services.dyn.image ${{ matrix.dynamic }} unresolved",
                "15:22 jobs.a.services.both.image ${{ matrix.image }}:${{ matrix.version }} unresolved",
            ]
        );
    }

    #[test]
    fn each_value_of_the_matrix_is_judged() {
        let text = "\
on: push
jobs:
  a:
    strategy: {matrix: {image: ['a:1', '']}}
    container: ${{ matrix.image }}
";
        let found = find("ci.yml", text);
        assert_eq!(found.images.len(), 1);
        assert_eq!(found.images[0].effective(), Some("a:1"));
        assert_eq!(found.images[0].related[0].place.text(), "a:1");
    }

    #[test]
    fn container_and_composite_actions() {
        let docker = "runs:\n  using: docker\n  image: docker://ghcr.io/a/b:v1\n";
        assert_eq!(images("x/action.yml", docker), ["3:19 runs.image ghcr.io/a/b:v1 unpinned"]);
        assert!(find("action.yml", "runs: {using: docker, image: Dockerfile}\n").is_manifest);
        assert!(images("action.yml", "runs: {using: docker, image: Dockerfile}\n").is_empty());
        let composite = "runs:\n  using: composite\n  steps:\n  - uses: docker://a:1\n  - uses: a/b@v1\n";
        assert_eq!(images("action.yaml", composite), ["4:20 runs.steps[0].uses a:1 unpinned"]);
    }

    #[test]
    fn an_object_cannot_pass_for_a_workflow_or_an_action() {
        let pod = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: evil}]}\n";
        for (name, keys) in [
            ("a.yaml", "on: push\njobs: {}\n"),
            (".github/workflows/a.yaml", "jobs: {}\n"),
            ("action.yml", "runs: {using: docker}\n"),
        ] {
            let found = find(name, &format!("{pod}{keys}"));
            assert_eq!(found.images.len(), 1, "{name}");
            assert_eq!(found.images[0].kind, "kubernetes", "{name}");
        }
    }

    #[test]
    fn a_file_with_jobs_alone_is_no_workflow() {
        assert!(!find("jobs.yml", "jobs: {a: {container: 'x'}}\n").is_manifest);
        assert!(find("jobs.yml", "on: push\njobs: {a: {container: x}}\n").is_manifest);
    }

    #[test]
    fn an_alias_is_reported_where_the_text_stands() {
        let text = "on: push\njobs:\n  a: {container: &i 'node:18'}\n  b: {container: *i}\n";
        assert_eq!(images("ci.yml", text), ["3:22 jobs.a.container node:18 unpinned"]);
    }
}

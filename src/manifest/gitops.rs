//! Objects from which a cluster deploys a chart or a kustomization: Flux, Argo CD and the k3s Helm controller.
//!
//! Sources: the Flux `HelmRelease` and `Kustomization` references, the Argo CD `Application` reference, the k3s
//! `HelmChart` reference.

use super::embedded::join;
use super::merge::Once;
use super::{Document, Found, LocatedImage, helm, kubernetes, kustomize};
use crate::source::Span;
use crate::yaml::Node;

/// Reads an object (`apiVersion`, `kind`) at `path`; `false` where it is none of these.
pub(super) fn read(
    document: &Document<'_>,
    object: Node<'_>,
    (api, kind): (&str, &str),
    path: &str,
    once: &mut Once,
    found: &mut Found,
) -> bool {
    let Some(spec) = once.get(object, "spec") else { return false };
    let path = join(path, "spec");
    match (api.split('/').next().unwrap_or_default(), kind) {
        ("helm.toolkit.fluxcd.io", "HelmRelease") => helm_release(document, spec, &path, once, found),
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => kustomization(document, spec, &path, once, found),
        ("helm.cattle.io", "HelmChart" | "HelmChartConfig") => helm_chart(document, spec, &path, once, found),
        ("argoproj.io", "Application") => application(document, spec, &path, once, found),
        ("argoproj.io", "ApplicationSet") => application_set(document, spec, &path, once, found),
        _ => return false,
    }
    true
}

/// Values are an object here, a text there.
fn values(document: &Document<'_>, holder: Node<'_>, key: &str, path: &str, once: &mut Once, found: &mut Found) {
    let Some(value) = once.get(holder, key) else { return };
    let path = join(path, key);
    if value.is_mapping() {
        helm::read_values(document, value, &path, found);
    } else {
        helm::read_values_text(document, value, &path, found);
    }
}

fn helm_release(document: &Document<'_>, spec: Node<'_>, path: &str, once: &mut Once, found: &mut Found) {
    values(document, spec, "values", path, once, found);
    for (index, renderer) in once.items(spec, "postRenderers") {
        if let Some(overlay) = once.get(renderer, "kustomize") {
            kustomization(document, overlay, &join(path, &format!("postRenderers[{index}].kustomize")), once, found);
        }
    }
}

/// `images` and patches in the form of a kustomization.
fn kustomization(document: &Document<'_>, spec: Node<'_>, path: &str, once: &mut Once, found: &mut Found) {
    kustomize::read_images(document, spec.get("images"), &join(path, "images"), once, found);
    kustomize::read_patches(document, spec, path, once, found);
}

fn helm_chart(document: &Document<'_>, spec: Node<'_>, path: &str, once: &mut Once, found: &mut Found) {
    values(document, spec, "valuesContent", path, once, found);
    values(document, spec, "values", path, once, found);
    if let Some(set) = once.get(spec, "set") {
        let parameters = set.entries().filter_map(|(key, value)| {
            let name = key.scalar()?;
            Some((name, value, join(path, &format!("set.{name}"))))
        });
        helm::read_parameters(document, &parameters.collect::<Vec<_>>(), found);
    }
    // The job that installs the chart runs in a container of its own.
    if let Some(image) = spec.get("jobImage") {
        kubernetes::read_part(document, image, Some("image"), &join(path, "jobImage"), found);
    }
}

fn application(document: &Document<'_>, spec: Node<'_>, path: &str, once: &mut Once, found: &mut Found) {
    if let Some(source) = once.get(spec, "source") {
        application_source(document, source, &join(path, "source"), once, found);
    }
    for (index, source) in once.items(spec, "sources") {
        application_source(document, source, &join(path, &format!("sources[{index}]")), once, found);
    }
}

fn application_set(document: &Document<'_>, spec: Node<'_>, path: &str, once: &mut Once, found: &mut Found) {
    if let Some(spec) = once.get(spec, "template").and_then(|it| once.get(it, "spec")) {
        application(document, spec, &join(path, "template.spec"), once, found);
    }
    if let Some(patch) = once.get(spec, "templatePatch") {
        // A text that a template language fills in: its lines are read as those of a chart's template.
        helm::read_template_text(document, patch, &join(path, "templatePatch"), found);
    }
}

fn application_source(document: &Document<'_>, source: Node<'_>, path: &str, once: &mut Once, found: &mut Found) {
    if let Some(chart) = once.get(source, "helm") {
        let path = join(path, "helm");
        values(document, chart, "values", &path, once, found);
        values(document, chart, "valuesObject", &path, once, found);
        let items = once.items(chart, "parameters");
        let parameters = items.into_iter().filter_map(|(index, item)| {
            let name = item.get("name")?.string()?;
            Some((name, item.get("value")?, join(&path, &format!("parameters[{index}].value"))))
        });
        helm::read_parameters(document, &parameters.collect::<Vec<_>>(), found);
    }
    if let Some(overlay) = once.get(source, "kustomize") {
        let path = join(path, "kustomize");
        for (index, image) in once.items(overlay, "images") {
            argo_image(document, image, join(&path, &format!("images[{index}]")), found);
        }
        kustomize::read_patches(document, overlay, &path, once, found);
    }
}

/// `name=reference`, or a reference whose name says which image it replaces.
fn argo_image(document: &Document<'_>, node: Node<'_>, field: String, found: &mut Found) {
    let (Some(text), Some(scalar)) = (node.string(), node.resolve()) else { return };
    let reference = text.split_once('=').map_or(text, |(_, reference)| reference);
    if reference.is_empty() {
        return;
    }
    let mut span = scalar.span();
    if !scalar.is_decoded() {
        span = Span { start: span.end - u32::try_from(reference.len()).unwrap_or(0), ..span };
    }
    let state = kubernetes::state_of(reference);
    found.images.push(LocatedImage::new(kustomize::KIND.name, document.source, span, field, reference, state));
}

#[cfg(test)]
mod tests {
    use crate::manifest::{Alone, read};
    use crate::source::Source;
    use crate::yaml::Tree;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// `line:column kind resource field text status` of every image.
    fn images(text: &str) -> Vec<String> {
        let text = text.replace("HEX", HEX);
        let found = read(&Source::new("a.yaml", text), &Alone, &mut Tree::default());
        assert!(found.is_manifest && found.unreadable.is_empty(), "{:?}", found.unreadable);
        let line = |image: &crate::manifest::LocatedImage| {
            let at = image.place.start();
            let resource = image.resource.as_deref().unwrap_or_default();
            let written = image.written.replace(HEX, "HEX");
            format!("{}:{} {} {resource} {} {written} {}", at.line, at.column, image.kind, image.field, image.status())
        };
        found.images.iter().map(line).collect()
    }

    #[test]
    fn flux_releases_hold_values_and_post_renderers() {
        let text = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: r}
spec:
  chart: {spec: {chart: ghcr.io/c, version: 1.2.3, sourceRef: {kind: HelmRepository}}}
  values:
    image: {repository: ghcr.io/a, tag: '1'}
    other: {image: 'b:1'}
  postRenderers:
    - kustomize:
        images: [{name: c, newTag: '2', digest: 'sha256:HEX'}]
        patches:
          - patch: |
              - op: replace
                path: /spec/template/spec/containers/0/image
                value: d:1
";
        assert_eq!(
            images(text),
            [
                "7:42 helm HelmRelease/r spec.values.image.tag ghcr.io/a:1 unpinned",
                "8:21 helm HelmRelease/r spec.values.other.image b:1 unpinned",
                "11:50 kustomize HelmRelease/r spec.postRenderers[0].kustomize.images[0].digest c:2@sha256:HEX pinned",
                "16:24 kubernetes HelmRelease/r spec.postRenderers[0].kustomize.patches[0].patch[0].value d:1 unpinned",
            ]
        );
    }

    #[test]
    fn flux_kustomizations_hold_images_and_patches() {
        let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: kustomize.toolkit.fluxcd.io/v1
  kind: Kustomization
  metadata: {name: k}
  spec:
    images: [{name: a, newName: b, newTag: '1'}]
    patches:
    - patch: |-
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: d}
        spec: {template: {spec: {containers: [{name: c, image: 'c:1'}]}}}
";
        assert_eq!(
            images(text),
            [
                "8:45 kustomize Kustomization/k items[0].spec.images[0].newTag b:1 unpinned",
                "14:65 kubernetes Kustomization/k items[0].spec.patches[0].patch.spec.template.spec.containers[0].image c:1 unpinned",
            ]
        );
    }

    #[test]
    fn k3s_charts_hold_values_as_text() {
        let text = "\
apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata: {name: t}
spec:
  repo: https://charts.example.com
  jobImage: rancher/klipper-helm:v0.8
  set:
    image.repository: ghcr.io/a
    image.tag: '1'
    other: x
  valuesContent: |-
    image:
      repository: ghcr.io/b
      tag: \"2\"
";
        assert_eq!(
            images(text),
            [
                "6:13 kubernetes HelmChart/t spec.jobImage rancher/klipper-helm:v0.8 unpinned",
                "9:17 helm HelmChart/t spec.set.image.tag ghcr.io/a:1 unpinned",
                "14:13 helm HelmChart/t spec.valuesContent.image.tag ghcr.io/b:2 unpinned",
            ]
        );
    }

    #[test]
    fn argo_applications_hold_values_parameters_and_kustomize_images() {
        let text = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: a}
spec:
  source:
    repoURL: https://example.com
    helm:
      parameters:
      - {name: image.repository, value: ghcr.io/a}
      - {name: image.digest, value: 'sha256:HEX'}
      - {name: 'sidecar.image', value: 's:1'}
      values: |
        image: v:1
      valuesObject: {initImage: 'i:1'}
  sources:
  - kustomize:
      images: [a=ghcr.io/b:1, 'c:2@sha256:HEX']
";
        assert_eq!(
            images(text),
            [
                "10:38 helm Application/a spec.source.helm.parameters[1].value ghcr.io/a@sha256:HEX pinned",
                "11:41 helm Application/a spec.source.helm.parameters[2].value s:1 unpinned",
                "13:16 helm Application/a spec.source.helm.values.image v:1 unpinned",
                "14:34 helm Application/a spec.source.helm.valuesObject.initImage i:1 unpinned",
                "17:18 kustomize Application/a spec.sources[0].kustomize.images[0] ghcr.io/b:1 unpinned",
                "17:32 kustomize Application/a spec.sources[0].kustomize.images[1] c:2@sha256:HEX pinned",
            ]
        );
    }
}

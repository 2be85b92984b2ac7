//! Overlays written by hand, by topic.

use super::Verdict::{self, Refused, Told, Unresolved};

/// The base that every case has.
pub(crate) const COMMON: &str = "\
# file: base/kustomization.yaml
resources: [web.yaml, rest.yaml]
# file: base/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web, tier: front}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers:
      - name: init
        image: busybox
      containers:
      - name: app
        image: ghcr.io/org/app:1
        env: [{name: TAG, value: v9}]
      - name: side
        image: nginx:1.25@sha256:HEX
# file: base/rest.yaml
apiVersion: batch/v1
kind: CronJob
metadata: {name: clean, annotations: {a/b: c}}
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers: [{name: app, image: ghcr.io/org/app:1}]
---
apiVersion: example.com/v1
kind: Robot
metadata: {name: robot, namespace: factory}
spec:
  image: ghcr.io/org/app:1
  containers: [{name: app, image: ghcr.io/org/app:1}]
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: one}
  spec:
    containers: [{name: app, image: nginx}]
    ephemeralContainers: [{name: debug, image: nginx}]
";

pub(crate) const CASES: &[(&str, Verdict, &str)] = &[
    ("a base alone", Told, "# file: over/kustomization.yaml\nresources: [../base]\n"),
    ("bases", Told, "# file: over/kustomization.yaml\nbases: [../base]\n"),
    (
        "images by every key",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
images:
- {name: ghcr.io/org/app, digest: 'sha256:HEX'}
- {name: nginx, newTag: '2'}
- {name: busybox, newName: r.io/box, newTag: '1', digest: 'sha256:HEX'}
",
    ),
    (
        "images one after the other",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
images:
- {name: ghcr.io/org/app, newName: r.io/app}
- {name: r.io/app, newTag: '7'}
- {name: 'r.io/app:7', newTag: '8'}
- {name: 'ng.*', newName: z}
",
    ),
    (
        "image names are expressions",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
images: [{name: '.*/app', newTag: '7'}, {name: '(nginx|busybox)', newTag: '3'}, {name: 'n.inx', newName: q}]
",
    ),
    (
        "suffixes, twice and once",
        Told,
        "# file: over/kustomization.yaml\nresources: [../base]\nimages: [{name: ghcr.io/org/app, tagSuffix: -x}]\n",
    ),
    (
        "an expression that is none",
        Unresolved,
        "# file: over/kustomization.yaml\nresources: [../base]\nimages: [{name: '[', newTag: '1'}]\n",
    ),
    (
        "a number for a tag",
        Refused,
        "# file: over/kustomization.yaml\nresources: [../base]\nimages: [{name: nginx, newTag: 1.2}]\n",
    ),
    (
        "inner images before outer ones",
        Told,
        "# file: mid/kustomization.yaml
resources: [../base]
images: [{name: ghcr.io/org/app, newName: r.io/app, digest: 'sha256:HEX'}]
# file: over/kustomization.yaml
resources: [../mid]
images: [{name: r.io/app, newTag: '3'}, {name: ghcr.io/org/app, newTag: lost}]
",
    ),
    (
        "patches before images, replacements after",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
images: [{name: patched, newTag: '3'}, {name: replaced, newTag: '4'}]
patches:
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec: {template: {spec: {containers: [{name: app, image: 'patched:1'}]}}}
replacements:
- source: {kind: CronJob, name: clean, fieldPath: 'metadata.annotations.a/b'}
  targets:
  - select: {kind: Deployment}
    fieldPaths: ['spec.template.spec.containers.[name=side].image']
",
    ),
    (
        "a strategic patch from a file adds, changes and deletes",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
patches: [{path: p.yaml}]
# file: over/p.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      initContainers:
      - {name: init, $patch: delete}
      - {name: second, image: second:1}
      containers:
      - {name: new, image: new:1}
      - {name: side, $patch: delete}
      - {name: app, env: [{name: A, value: b}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: clean}
$patch: delete
",
    ),
    (
        "lists and mappings replaced",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
patchesStrategicMerge:
- |-
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec:
    template:
      spec:
        initContainers: null
        containers:
        - {name: only, image: only:1}
        - $patch: replace
- p.yaml
# file: over/p.yaml
apiVersion: batch/v1
kind: CronJob
metadata: {name: clean}
spec: {jobTemplate: {spec: {template: {$patch: replace, spec: {containers: [{name: z, image: 'z:1'}]}}}}}
",
    ),
    (
        "lists of custom resources are not merged",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
patches:
- patch: '{apiVersion: example.com/v1, kind: Robot, metadata: {name: robot, namespace: factory}, spec: {containers: [{name: b, image: b}]}}'
",
    ),
    (
        "a patch for what is not there",
        Refused,
        "# file: over/kustomization.yaml
resources: [../base]
patches: [{patch: '{apiVersion: v1, kind: Pod, metadata: {name: two}}'}]
",
    ),
    (
        "a custom resource in another namespace",
        Refused,
        "# file: over/kustomization.yaml
resources: [../base]
patches: [{patch: '{apiVersion: example.com/v1, kind: Robot, metadata: {name: robot}, spec: {image: b}}'}]
",
    ),
    (
        "targets by kind, group, name and labels",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
patches:
- target: {group: apps, version: v1, kind: Depl.*, name: 'w.b', namespace: default}
  patch: '[{\"op\": \"replace\", \"path\": \"/spec/template/spec/containers/0/image\", \"value\": \"a:1\"}]'
- target: {labelSelector: 'app in (web, x), tier!=back, !gone'}
  patch: '[{\"op\": \"replace\", \"path\": \"/spec/template/spec/containers/1/image\", \"value\": \"b:1\"}]'
- target: {annotationSelector: 'a/b=c'}
  patch: '[{\"op\": \"add\", \"path\": \"/spec/jobTemplate/spec/template/spec/containers/-\", \"value\": {\"name\": \"x\", \"image\": \"x\"}}]'
- target: {kind: Pod|Robot}
  patch: |
    kind: any
    apiVersion: any/v1
    metadata: {name: any}
    spec: {containers: [{name: app, image: 'c:1'}]}
- target: {kind: Nothing}
  patch: '[{\"op\": \"remove\", \"path\": \"/x\"}]'
",
    ),
    (
        "operations of JSON patches",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
patches:
- target: {kind: Deployment}
  path: ops.yaml
patchesJson6902:
- target: {version: v1, kind: Pod, name: one}
  patch: |-
    - {op: replace, path: /spec/containers, value: [{name: a, image: 'a:1'}, {name: b, image: 'b:1'}]}
    - {op: remove, path: /spec/ephemeralContainers}
# file: over/ops.yaml
- op: test
  path: /spec/template/spec/containers/0/image
  value: ghcr.io/org/app:1
- op: copy
  from: /spec/template/spec/containers/0
  path: /spec/template/spec/initContainers/0
- op: move
  from: /spec/template/spec/containers/1
  path: /spec/template/spec/containers/0
- op: add
  path: /metadata/annotations
  value: {}
- op: add
  path: /metadata/annotations/x~1y~0z
  value: w
- op: replace
  path: /spec/template/spec/initContainers/-1/image
  value: last:1
",
    ),
    (
        "a JSON patch that tests in vain",
        Refused,
        "# file: over/kustomization.yaml
resources: [../base]
patches:
- target: {kind: Deployment}
  patch: '[{\"op\": \"test\", \"path\": \"/metadata/name\", \"value\": \"app\"}]'
",
    ),
    (
        "a JSON patch of what is not there",
        Refused,
        "# file: over/kustomization.yaml
resources: [../base]
patches:
- target: {kind: Deployment}
  patch: '[{\"op\": \"replace\", \"path\": \"/spec/template/spec/containers/7/image\", \"value\": \"app\"}]'
",
    ),
    (
        "a JSON patch without a target",
        Refused,
        "# file: over/kustomization.yaml
resources: [../base]
patches: [{patch: '[{\"op\": \"remove\", \"path\": \"/spec\"}]'}]
",
    ),
    (
        "patches find what was renamed by either name",
        Told,
        "# file: mid/kustomization.yaml
resources: [../base]
namePrefix: p-
nameSuffix: -s
namespace: shop
# file: over/kustomization.yaml
resources: [../mid]
namePrefix: q-
patches:
- patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: app, image: a}]}}}}'
- patch: '{apiVersion: batch/v1, kind: CronJob, metadata: {name: p-clean-s, namespace: shop}, spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: app, image: b}]}}}}}}'
- target: {name: one}
  patch: '[{\"op\": \"replace\", \"path\": \"/spec/containers/0/image\", \"value\": \"c\"}]'
- target: {name: p-robot-s, namespace: factory}
  patch: '[{\"op\": \"replace\", \"path\": \"/spec/containers/0/image\", \"value\": \"d\"}]'
",
    ),
    (
        "names that a patch may change",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
patches:
- target: {kind: Deployment}
  patch: '{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: other}}'
  options: {allowNameChange: true, allowKindChange: true}
- patch: '{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: other}, spec: {template: {spec: {containers: [{name: app, image: d}]}}}}'
",
    ),
    (
        "components come after resources and before the layer's own changes",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
components: [../part]
images: [{name: from-part, newTag: '2'}]
# file: part/kustomization.yaml
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [extra.yaml]
images: [{name: ghcr.io/org/app, newName: from-part}]
patches:
- patch: '{apiVersion: v1, kind: Pod, metadata: {name: one}, spec: {containers: [{name: app, image: p}]}}'
# file: part/extra.yaml
apiVersion: v1
kind: Pod
metadata: {name: extra}
spec: {containers: [{name: a, image: 'ghcr.io/org/app:2'}]}
",
    ),
    (
        "a component among resources",
        Refused,
        "# file: over/kustomization.yaml
resources: [../part]
# file: part/kustomization.yaml
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
",
    ),
    ("a base among components", Refused, "# file: over/kustomization.yaml\ncomponents: [../base]\n"),
    (
        "a diamond",
        Refused,
        "# file: a/kustomization.yaml
resources: [../base]
# file: b/kustomization.yaml
resources: [../base]
# file: over/kustomization.yaml
resources: [../a, ../b]
",
    ),
    (
        "a diamond with names of its own",
        Told,
        "# file: a/kustomization.yaml
resources: [../base]
namePrefix: a-
images: [{name: nginx, newTag: a}]
# file: b/kustomization.yaml
resources: [../base]
namePrefix: b-
images: [{name: nginx, newTag: b}]
# file: over/kustomization.yaml
resources: [../a, ../b]
patches:
- target: {name: web}
  patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: {spec: {containers: [{name: app, image: q}]}}}}'
",
    ),
    (
        "a diamond patched by a name that two have",
        Refused,
        "# file: a/kustomization.yaml
resources: [../base]
namePrefix: a-
# file: b/kustomization.yaml
resources: [../base]
namePrefix: b-
# file: over/kustomization.yaml
resources: [../a, ../b]
patches: [{patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}'}]
",
    ),
    (
        "a cycle",
        Refused,
        "# file: a/kustomization.yaml\nresources: [../over]\n# file: over/kustomization.yaml\nresources: [../a]\n",
    ),
    ("itself", Refused, "# file: over/kustomization.yaml\nresources: [../over]\n"),
    ("the folder above", Refused, "# file: kustomization.yaml\nresources: []\n# file: over/kustomization.yaml\nresources: [..]\n"),
    ("a file outside", Refused, "# file: over/kustomization.yaml\nresources: [../base/web.yaml]\n"),
    ("a patch outside", Refused, "# file: over/kustomization.yaml\nresources: [../base]\npatches: [{path: ../base/web.yaml}]\n"),
    ("nothing there", Refused, "# file: over/kustomization.yaml\nresources: [gone.yaml]\n"),
    ("a folder without a kustomization", Refused, "# file: over/kustomization.yaml\nresources: [sub]\n# file: over/sub/a.yaml\na: b\n"),
    (
        "two kustomizations in a folder",
        Refused,
        "# file: over/kustomization.yaml\nresources: [../base]\n# file: base/Kustomization\nresources: [web.yaml]\n",
    ),
    ("an unknown field", Refused, "# file: over/kustomization.yaml\nresources: [../base]\nimage: []\n"),
    ("fields in another case", Told, "# file: over/kustomization.yaml\nRESOURCES: [../base]\nImages: [{Name: nginx, NewTag: q}]\n"),
    ("another kind", Refused, "# file: over/kustomization.yaml\nkind: List\nresources: [../base]\n"),
    ("an object without a name", Refused, "# file: over/kustomization.yaml\nresources: [a.yaml]\n# file: over/a.yaml\napiVersion: v1\nkind: Pod\n"),
    ("an object twice", Refused, "# file: over/kustomization.yaml\nresources: [a.yaml, b.yaml]\n# file: over/a.yaml\n{apiVersion: v1, kind: Pod, metadata: {name: a}}\n# file: over/b.yaml\n{apiVersion: v1, kind: Pod, metadata: {name: a}}\n"),
    ("a key twice", Refused, "# file: over/kustomization.yaml\nresources: [a.yaml]\n# file: over/a.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: a, name: b}\n"),
    ("no YAML", Refused, "# file: over/kustomization.yaml\nresources: [a.yaml]\n# file: over/a.yaml\na: [\n"),
    (
        "objects as JSON, with anchors, empty and local ones",
        Told,
        "# file: over/kustomization.yaml
resources: [a.json, b.yaml]
images: [{name: a, newTag: '3'}]
# file: over/a.json
{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"a\"}, \"spec\": {\"containers\": [{\"name\": \"a\", \"image\": \"a\"}]}}
# file: over/b.yaml
---
# nothing
---
apiVersion: v1
kind: Pod
metadata: {name: b}
spec:
  containers:
  - &c {name: a, image: a}
  - <<: *c
    name: b
  - *c
---
apiVersion: v1
kind: Pod
metadata: {name: c, annotations: {config.kubernetes.io/local-config: 'true'}}
spec: {containers: [{name: a, image: local}]}
",
    ),
    (
        "replacements by delimiter, index and whole",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
configMapGenerator:
- {name: versions, literals: [APP=v7, 'WHOLE=r.io/whole:2@sha256:HEX']}
replacements:
- source: {kind: ConfigMap, name: versions, fieldPath: data.APP}
  targets:
  - select: {kind: Deployment, name: web}
    fieldPaths: [spec.template.spec.containers.0.image]
    options: {delimiter: ':', index: 1}
- source: {kind: ConfigMap, fieldPath: data.WHOLE}
  targets:
  - select: {kind: CronJob}
    fieldPaths: ['spec.jobTemplate.spec.template.spec.containers.*.image']
  - select: {kind: Pod}
    reject: [{name: two}]
    fieldPaths: ['spec.containers.[name=app].image']
- path: r.yaml
# file: over/r.yaml
source:
  kind: Deployment
  fieldPath: spec.template.spec.containers.[name=side].image
  options: {delimiter: '@', index: 0}
targets:
- select: {kind: Robot}
  fieldPaths: [spec.image]
- select: {kind: Robot}
  fieldPaths: [spec.extra.image]
  options: {create: true}
",
    ),
    (
        "a replacement of what is not there",
        Refused,
        "# file: over/kustomization.yaml
resources: [../base]
replacements:
- source: {kind: Deployment, fieldPath: metadata.name}
  targets: [{select: {kind: Pod}, fieldPaths: [spec.nothing]}]
",
    ),
    (
        "fields of configurations",
        Told,
        "# file: over/kustomization.yaml
resources: [../base]
configurations: [c.yaml]
images: [{name: ghcr.io/org/app, newTag: '9'}]
# file: over/c.yaml
images:
- {path: spec/image, kind: Robot}
- {path: 'spec/nothing[]/image', create: true}
",
    ),
    (
        "labels and annotations are seen by the layer above",
        Told,
        "# file: mid/kustomization.yaml
resources: [../base]
labels: [{pairs: {team: a}, includeSelectors: true}]
commonAnnotations: {x: w}
# file: over/kustomization.yaml
resources: [../mid]
patches:
- target: {kind: Deployment, labelSelector: team=a, annotationSelector: x==w}
  patch: '[{\"op\": \"replace\", \"path\": \"/spec/template/spec/containers/0/image\", \"value\": \"a:1\"}]'
- target: {labelSelector: team=b}
  patch: '[{\"op\": \"remove\", \"path\": \"/nothing\"}]'
",
    ),
    (
        "generated and merged config maps",
        Told,
        "# file: over/kustomization.yaml
resources: [../base, ../mid]
configMapGenerator: [{name: versions, behavior: merge, literals: [APP=v8]}]
replacements:
- source: {kind: ConfigMap, name: versions, fieldPath: data.APP}
  targets: [{select: {kind: Robot}, fieldPaths: [spec.image]}]
# file: mid/kustomization.yaml
configMapGenerator: [{name: versions, literals: [APP=v7, B=c]}]
",
    ),
    (
        "image volumes",
        Unresolved,
        "# file: over/kustomization.yaml
resources: [a.yaml]
images: [{name: model, newTag: '3'}]
# file: over/a.yaml
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {volumes: [{name: v, image: {reference: 'model:1'}}]}
",
    ),
    ("a remote base", Unresolved, "# file: over/kustomization.yaml\nresources: ['https://github.com/org/repo//k8s?ref=v1']\n"),
    ("a remote folder", Unresolved, "# file: over/kustomization.yaml\nresources: ['github.com/org/repo/k8s?ref=v1']\npatches: [{patch: '{apiVersion: v1, kind: Pod, metadata: {name: two}}'}]\n"),
    ("a chart", Unresolved, "# file: over/kustomization.yaml\nhelmCharts: [{name: a, repo: 'https://example.com'}]\n"),
    ("a transformer", Unresolved, "# file: over/kustomization.yaml\nresources: [../base]\ntransformers: [t.yaml]\n"),
    ("an empty kustomization", Refused, "# file: over/kustomization.yaml\n# nothing\n"),
    (
        "an image that is nothing",
        Told,
        "# file: over/kustomization.yaml\nresources: [../base]\npatches: [{patch: '{apiVersion: v1, kind: Pod, metadata: {name: one}, spec: {containers: [{name: app, image: null}]}}'}]\nimages: [{name: nginx, newTag: '1'}]\n",
    ),
    (
        "an object without an API version",
        Told,
        "# file: over/kustomization.yaml\nresources: [a.yaml]\nimages: [{name: a, newTag: '1'}]\n# file: over/a.yaml\nkind: Thing\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a}]}\n",
    ),
    (
        "an entry without a name",
        Told,
        "# file: over/kustomization.yaml\nresources: [../base]\nimages: [{newTag: '1'}]\n",
    ),
    (
        "lists in lists, and a list without items",
        Told,
        "# file: over/kustomization.yaml\nresources: [a.yaml]\n# file: over/a.yaml\nkind: PodList\napiVersion: v1\nitems:\n- kind: List\n  apiVersion: v1\n  items:\n  - {kind: Pod, apiVersion: v1, metadata: {name: a}, spec: {containers: [{name: a, image: a}]}}\n---\nkind: List\napiVersion: v1\nitems: []\n",
    ),
    (
        "a namespace over all sorts of objects",
        Told,
        "# file: over/kustomization.yaml\nresources: [../base, a.yaml]\nnamespace: shop\npatches: [{target: {kind: ClusterRole|Namespace}, patch: '[{\"op\": \"add\", \"path\": \"/containers\", \"value\": [{\"name\": \"a\", \"image\": \"a\"}]}]'}]\n# file: over/a.yaml\n{kind: Namespace, apiVersion: v1, metadata: {name: old}}\n---\n{kind: ClusterRole, apiVersion: rbac.authorization.k8s.io/v1, metadata: {name: a}}\n",
    ),
    (
        "two namespaces become one",
        Refused,
        "# file: over/kustomization.yaml\nresources: [a.yaml]\nnamespace: shop\n# file: over/a.yaml\n{kind: Pod, apiVersion: v1, metadata: {name: a}}\n---\n{kind: Pod, apiVersion: v1, metadata: {name: a, namespace: b}}\n",
    ),
    (
        "line ends of Windows",
        Told,
        "# file: over/kustomization.yaml\nresources: [../base]\r\npatches:\r\n- target: {kind: Pod}\r\n  patch: |-\r\n    - op: replace\r\n      path: /spec/containers/0/image\r\n      value: a:1\r\n",
    ),
    (
        "a component twice",
        Told,
        "# file: over/kustomization.yaml\nresources: [../base]\ncomponents: [../part, ../part]\n# file: part/kustomization.yaml\nkind: Component\nimages: [{name: nginx, tagSuffix: -x}]\n",
    ),
    (
        "a selector that is none",
        Unresolved,
        "# file: over/kustomization.yaml\nresources: [../base]\npatches: [{target: {labelSelector: 'a b'}, patch: '{kind: Pod, apiVersion: v1, metadata: {name: one}}'}]\n",
    ),
    (
        "two patches with a target",
        Refused,
        "# file: over/kustomization.yaml\nresources: [../base]\npatches: [{path: p.yaml, target: {kind: Pod}}]\n# file: over/p.yaml\n{kind: Pod, apiVersion: v1, metadata: {name: one}}\n---\n{kind: Pod, apiVersion: v1, metadata: {name: one}}\n",
    ),
    (
        "a patch of neither kind",
        Refused,
        "# file: over/kustomization.yaml\nresources: [../base]\npatches: [{patch: 'a: b', target: {kind: Pod}}]\n",
    ),
    (
        "a patch with a file and a text",
        Refused,
        "# file: over/kustomization.yaml\nresources: [../base]\npatches: [{patch: 'a: b', path: p.yaml}]\n",
    ),
    (
        "a patch without a name, with a target",
        Refused,
        "# file: over/kustomization.yaml\nresources: [../base]\npatches: [{patch: '{kind: Pod, apiVersion: v1, spec: {containers: [{name: app, image: x}]}}', target: {kind: Pod}}]\n",
    ),
    (
        "a secret that is generated",
        Told,
        "# file: over/kustomization.yaml\nresources: [../base]\nsecretGenerator: [{name: s, literals: [a=b]}]\npatches: [{patch: '{kind: Secret, apiVersion: v1, metadata: {name: s}, type: x}'}]\n",
    ),
    (
        "a patch before its namespace",
        Told,
        "# file: over/kustomization.yaml\nresources: [../base]\nnamespace: shop\npatches: [{patch: '{kind: Pod, apiVersion: v1, metadata: {name: one}, spec: {containers: [{name: app, image: x}]}}'}]\npatchesJson6902: [{target: {kind: Pod, name: one, namespace: shop, version: v1}, patch: '[{\"op\": \"add\", \"path\": \"/spec/containers/0/image\", \"value\": \"y\"}]'}]\n",
    ),
    (
        "a name with a slash and a dot in replacements",
        Told,
        "# file: over/kustomization.yaml\nresources: [../base]\nreplacements:\n- source: {kind: CronJob, fieldPath: 'metadata.annotations.a/b'}\n  targets: [{select: {kind: Robot}, fieldPaths: [spec.image], options: {delimiter: '/', index: -1}}]\n- source: {kind: Robot, fieldPath: spec.image}\n  targets: [{select: {kind: Pod}, fieldPaths: ['spec.containers.[name=a].image', 'spec.ephemeralContainers.0.image'], options: {delimiter: '/', index: 9}}]\n",
    ),
    (
        "a replacement into a text",
        Unresolved,
        "# file: over/kustomization.yaml\nresources: [../base]\nreplacements:\n- source: {kind: CronJob, fieldPath: metadata.name}\n  targets: [{select: {kind: Robot}, fieldPaths: [spec.image.tag]}]\n",
    ),
    (
        "a JSON patch over a text",
        Refused,
        "# file: over/kustomization.yaml\nresources: [../base]\npatches: [{target: {kind: Robot}, patch: '[{\"op\": \"add\", \"path\": \"/spec/image/tag\", \"value\": \"x\"}]'}]\n",
    ),
    (
        "a patch of another type",
        Refused,
        "# file: over/kustomization.yaml\nresources: [../base]\npatches: [{patch: '{kind: Pod, apiVersion: v1, metadata: {name: one}, spec: {containers: {name: a}}}'}]\n",
    ),
    (
        "a custom resource definition",
        Told,
        "# file: over/kustomization.yaml\nresources: [a.yaml]\nimages: [{name: a, newTag: '1'}]\nnamePrefix: p-\n# file: over/a.yaml\n{kind: CustomResourceDefinition, apiVersion: apiextensions.k8s.io/v1, metadata: {name: a}, spec: {containers: [{image: a}]}}\n",
    ),
    (
        "a folder by another spelling",
        Told,
        "# file: over/kustomization.yaml\nresources: [./../base/]\n",
    ),
    (
        "a kustomization among resources",
        Refused,
        "# file: over/kustomization.yaml\nresources: [kustomization.yaml]\n",
    ),
    (
        "an empty file",
        Told,
        "# file: over/kustomization.yaml\nresources: [../base, a.yaml]\n# file: over/a.yaml\n# nothing\n",
    ),
    (
        "a null item",
        Unresolved,
        "# file: over/kustomization.yaml\nresources: [a.yaml]\n# file: over/a.yaml\n{kind: Pod, apiVersion: v1, metadata: {name: a}, spec: {containers: [null]}}\n",
    ),
    (
        "a list of texts",
        Refused,
        "# file: over/kustomization.yaml\nresources: [a.yaml]\n# file: over/a.yaml\n- a\n",
    ),
    (
        "an unknown anchor",
        Refused,
        "# file: over/kustomization.yaml\nresources: [a.yaml]\n# file: over/a.yaml\n{kind: Pod, apiVersion: v1, metadata: {name: a}, spec: *gone}\n",
    ),
    (
        "a replaced name",
        Told,
        "# file: over/kustomization.yaml\nresources: [../base]\npatches: [{target: {kind: Pod}, patch: '[{\"op\": \"replace\", \"path\": \"/metadata/name\", \"value\": \"two\"}]'}, {patch: '{kind: Pod, apiVersion: v1, metadata: {name: two}, spec: {containers: [{name: app, image: z}]}}'}]\n",
    ),
];

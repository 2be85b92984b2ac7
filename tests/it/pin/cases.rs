//! Trees of files with the digests that are written marked in them.

/// Name, files, refusals.
pub(super) type Case = (&'static str, &'static str, &'static [&'static str]);

pub(super) const COMPOSE: &[Case] = &[
    (
        "texts in every spelling",
        "=== compose.yml
services:
  a: {image: 'r.io/app:1«@{app}»'} # why
  b:
    image: \"web:2«@{web}»\"
  c:
    image: >-
      db:3«@{db}»
  d:
    image: |-
      app«@{app}»
  e:
    image: !!str side:1«@{side}»   # keep
  f: {image: 'app:1@«{old}→{app}»'}
  g:
    build: .
",
        &[],
    ),
    (
        "anchors and merge keys are written once",
        "=== compose.yml
x-app: &app
  image: &image app:1«@{app}»
services:
  a: *app
  b: {<<: *app, restart: always}
  c: {image: *image}
",
        &[],
    ),
    (
        "a default, where it decides",
        "=== compose.yml
services:
  a: {image: '${IMAGE:-app:1«@{app}»}'}
  b: {image: 'web:${TAG:-1.2«@{web}»}'}
  c: {image: '${REGISTRY:-r.io}/db:1«@{db}»'}
  d: {image: '${SIDE-${OTHER:-side:2«@{side}»}}'}
  e: {image: 'app:1${SUFFIX:-}«@{app}»'}
  f: {image: '${X:-web:1@«{old}→{web}»}'}
",
        &[],
    ),
    (
        "a value of the env file",
        "=== .env
# the images
APP=app:1«@{app}» # keep
export WEB_TAG='1.2«@{web}»'
DB_TAG=\"3«@{db}»\"
SIDE=${NAME}:${VERSION}
NAME=x
VERSION=7
=== compose.yml
services:
  app: {image: $APP}
  web: {image: 'web:${WEB_TAG}'}
  db: {image: 'db:${DB_TAG:-9}'}
",
        &[],
    ),
    (
        "a value that another one is made of",
        "=== .env
VERSION=7«@{app}»
APP=r.io/app:${VERSION}
OLD=@«{old}→{db}»
DB=db:1$OLD
=== compose.yml
services:
  app: {image: '${APP}'}
  db: {image: '${DB}'}
",
        &[],
    ),
    (
        "a value that two images share is left alone",
        "=== .env
TAG=1.2
=== compose.yml
services:
  app: {image: 'app:${TAG}«@{app}»'}
  web: {image: 'web:${TAG}«@{web}»'}
",
        &[],
    ),
    (
        "a value that two images of one digest share",
        "=== .env
TAG=1.2«@{app}»
=== compose.yml
services:
  a: {image: 'app:${TAG}'}
  b: {image: 'r.io/app:${TAG}'}
",
        &[],
    ),
    (
        "a value that stands within another image",
        "=== .env
TAG=1.2
=== compose.yml
services:
  app: {image: 'app:${TAG}«@{app}»'}
  web: {image: 'web:${TAG}-slim«@{web}»'}
  db: {image: 'db:${TAG}@{db}'}
",
        &[],
    ),
    (
        "a value that is used for something else, too",
        "=== .env
TAG=1.2
WEB=web:1«@{web}» # image of it
VERSION=3
DB=db:${VERSION}«@{db}»
=== compose.yml
services:
  app:
    image: app:${TAG}«@{app}»
    environment: {RELEASE: '${TAG}', VERSION: $VERSION}
  # ${WEB}
  web: {image: '${WEB}', labels: ['$$WEB']}
  db: {image: '${DB}'}
",
        &[],
    ),
    (
        "line ends, a mark and no final newline",
        "=== compose.yml
\u{feff}services:\r\n  a:\r\n    image: app:1«@{app}»\r\n  b: {image: 'web:${TAG:-2«@{web}»}'}\r
=== .env
B=1\r
=== prod/compose.yml
services: {a: {image: db«@{db}»}}",
        &[],
    ),
    (
        "what extends another file is written there",
        "=== compose.yml
services:
  a: {extends: {file: base/common.yml, service: x}}
=== base/common.yml
services:
  x: {image: app:1«@{app}»}
",
        &[],
    ),
    (
        "other places of images",
        "=== compose.yml
services:
  a:
    image: app:1
    build: {context: ., additional_contexts: {n: 'docker-image://web:1«@{web}»', m: '${S}db:1«@{db}»'}}
    volumes: [{type: image, source: side«@{side}», target: /x}]
=== .env
S=docker-image://
",
        &[],
    ),
];

pub(super) const STACKS: &[Case] = &[
    (
        "the file that decides",
        "=== digest-gate.yml
version: 1
environments: {production: {stacks: [{files: [compose.yml, prod.yml], env-file: prod.env}]}}
=== compose.yml
services:
  a: {image: app:1}
  b: {image: web:1«@{web}»}
  c: {image: 'db:${DB}'}
  d: {image: '${SIDE:-side:1«@{side}»}', environment: [A=$SIDE]}
=== prod.yml
services:
  a: {image: 'app:2«@{app}»'}
=== prod.env
DB=3«@{db}»
=== .env
DB=no
",
        &[],
    ),
    (
        "what is included and extended",
        "=== digest-gate.yml
version: 1
environments: {production: {stacks: [{files: [deploy/compose.yml]}]}}
=== deploy/compose.yml
include: [{path: sub/inc.yml, env_file: sub/inc.env}]
services:
  a: {extends: {file: ../base.yml, service: x}}
  b: {extends: c}
  c: {image: web:1«@{web}»}
=== deploy/sub/inc.yml
services: {i: {image: 'db:${DB}'}}
=== deploy/sub/inc.env
DB='1«@{db}»'
=== base.yml
services: {x: {image: app:1«@{app}»}}
",
        &[],
    ),
    (
        "two stacks over one base",
        "=== digest-gate.yml
version: 1
environments:
  production: {stacks: [{files: [compose.yml, prod.yml]}]}
  staging: {enforce: false, stacks: [{files: [compose.yml, staging.yml]}]}
=== compose.yml
services: {a: {image: 'app:1«@{app}»'}, b: {image: db:1}}
=== prod.yml
services: {b: {image: 'db:2«@{db}»'}}
=== staging.yml
services: {b: {image: 'db:3«@{db}»'}}
",
        &[],
    ),
];

pub(super) const DOCKERFILES: &[Case] = &[
    (
        "literal images in every instruction",
        "=== Dockerfile
# syntax=docker.io/db:1«@{db}»
# escape=`
FROM --platform=linux/amd64 \"app:1«@{app}»\" AS build
FROM 'web:1@«{old}→{web}»'
FROM r.io/side`
:2«@{side}» AS s
COPY --from=build /a /a
COPY --link --from=\"db:3«@{db}»\" /b /b
RUN --mount=type=bind,from=app:2«@{app}»,target=/x `
  make
ONBUILD COPY --from=web:4«@{web}» /c /c
",
        &[],
    ),
    (
        "the default of an argument",
        "=== Dockerfile
ARG BASE=app:1«@{app}»
ARG TAG='2«@{web}»' OTHER=3
ARG NAME=db
ARG FULL=\"r.io/${NAME}:${OTHER}«@{db}»\"
ARG OLD=side:1@«{old}→{side}»
FROM ${BASE} AS a
FROM web:$TAG
FROM $FULL
FROM ${OLD}
FROM app:$OTHER«@{app}»
FROM ${NONE:-web:7«@{web}»}
",
        &[],
    ),
    (
        "a default that a stage uses, too",
        "=== a.Dockerfile
ARG VERSION=1.2
ARG TAG=2«@{web}»
FROM app:$VERSION«@{app}»
ARG VERSION
ARG TAG=7
RUN echo $VERSION
FROM web:${TAG}
",
        &[],
    ),
    (
        "line ends and continued lines",
        "=== Dockerfile.prod
ARG \\\r
  TAG=1«@{app}»\r
FROM \\\r
# a comment\r
  app:${TAG} \\\r
  AS x\r
FROM web«@{web}»",
        &[],
    ),
    (
        "a digest in parts",
        "=== Dockerfile
ARG HEX={old#}
ARG DIGEST=«{old}→{app}»
FROM app:1@sha256:$HEX
FROM app:1@$DIGEST
",
        &["FROM: its digest is put together from several texts: write it in one"],
    ),
];

pub(super) const KUSTOMIZATIONS: &[Case] = &[
    (
        "entries of images in every form",
        "=== kustomization.yaml
images:
- name: app
  newTag: '1' # the tag«
  digest: {app}»
- newTag: \"2\"«
  digest: {web}»
  newName: r.io/web
  name: x
- {name: db, newTag: '3'«, digest: {db}»}
- name: side
  newTag: v1
  digest: '«{side}»'
- name: old
  newTag: v1
  digest: {old}
- name: app
  newName: r.io/app:7«
  digest: {app}»
- name: web
  newTag: 2@«{old}→{web}»
- name: y
  newName: r.io/only
- &common
  name: db
  newTag: '4'«
  digest: {db}»
",
        &[],
    ),
    (
        "an empty digest and one that is there",
        "=== a/kustomization.yaml
images:
- name: app
  newTag: '1'
  digest: '«{app}»'
- name: web
  digest: «{old}→{web}»
- name: db
  newTag: '1'
  digest:« {db}» # none yet
- {name: side, digest: '«{old}→{side}»', newTag: '1'}
=== b/kustomization.yml
{\"images\": [{\"name\": \"app\", \"newTag\": \"1\"«, \"digest\": \"{app}\"»}, {\"name\": \"web\", \"newTag\": \"1\", \"digest\": \"«{web}»\"}]}",
        &[],
    ),
    (
        "line ends and a mark",
        "=== kustomization.yaml
\u{feff}images:\r
- name: app\r
  newTag: '1'«\r
  digest: {app}»\r
- name: web\r
  newTag: '1'«\r
  digest: {web}»",
        &[],
    ),
    (
        "what cannot be told",
        "=== kustomization.yaml
images:
- name: app
  tagSuffix: -x
",
        &["images[0].tagSuffix: the suffix is put to a tag that stands below: give the entry `newTag`"],
    ),
    (
        "patches and entries in texts",
        "=== kustomization.yaml
patches:
- target: {kind: Pod}
  patch: |-
    - op: replace
      path: /spec/containers/0/image
      value: app:1«@{app}»
- patch: '[{\"op\": \"add\", \"path\": \"/spec/containers\", \"value\": [{\"image\": \"web:1«@{web}»\"}]}]'
- patch: \"kind: Pod\\napiVersion: v1\\nspec: {containers: [{image: 'db:1«@{db}»'}]}\"
- patch: \"kind: Pod\\napiVersion: v1\\nspec: {containers: [{image: 'web:2'}, {image: 'web:2-x«@{web}»'}]}\"
=== flux.yaml
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: k}
spec:
  images:
  - name: side
    newTag: '1'«
    digest: {side}»
=== argo.yaml
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: a}
spec: {source: {kustomize: {images: ['x=r.io/app:1«@{app}»', web:1«@{web}», 'db:1@«{old}→{db}»']}}}
",
        &[
            "patches[3].patch.spec.containers[0].image: the text that it stands in is written with escapes or folded: write it line by line (`|`)",
        ],
    ),
];

pub(super) const OVERLAYS: &[Case] = &[
    (
        "entries decide, else the container",
        "=== digest-gate.yml
version: 1
environments: {production: {overlays: [over]}}
=== base/kustomization.yaml
resources: [pod.yaml]
=== base/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - {name: a, image: app}
  - {name: b, image: 'web:1«@{web}»'}
  - {name: c, image: r/db:2«@{db}»}
  - {name: d, image: 'side:1@{old}'}
=== over/kustomization.yaml
resources: [../base]
images:
- name: app
  newTag: '7'«
  digest: {app}»
- name: r/db
  newName: r.io/db
- name: side
  newName: r.io/side
  digest: «{old}→{side}»
",
        &[],
    ),
    (
        "a name in one layer and a tag in another",
        "=== digest-gate.yml
version: 1
environments: {production: {overlays: [over]}}
=== base/kustomization.yaml
resources: [pod.yaml]
images: [{name: app, newTag: '2'«, digest: {app}»}]
=== base/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: a, image: app}, {name: b, image: 'app:1'}]}
=== over/kustomization.yaml
resources: [../base]
images: [{name: app, newName: r.io/app}]
",
        &[],
    ),
    (
        "patches",
        "=== digest-gate.yml
version: 1
environments: {production: {overlays: [over]}}
=== over/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: a, image: app}, {name: b, image: 'web:1'}, {name: c, image: 'db:1«@{db}»'}, {name: d, image: d}]}
=== over/patch.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: a, image: 'app:2«@{app}»'}]}
=== over/kustomization.yaml
resources: [pod.yaml]
patches:
- path: patch.yaml
- patch: |-
    - {op: replace, path: /spec/containers/1/image, value: web:3«@{web}»}
  target: {kind: Pod}
- patch: \"[{\\\"op\\\": \\\"replace\\\", \\\"path\\\": \\\"/spec/containers/3/image\\\", \\\"value\\\": \\\"side:3«@{side}»\\\"}]\"
  target: {kind: Pod}
",
        &[],
    ),
    (
        "replacements",
        "=== digest-gate.yml
version: 1
environments: {production: {overlays: [over]}}
=== over/all.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {tag: '9«@{app}»', image: web:4«@{web}», host: r.io}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: a, image: 'app:1'}, {name: b, image: b}, {name: c, image: h/db:1«@{db}»}]}
=== over/kustomization.yaml
resources: [all.yaml]
replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.tag}
  targets: [{select: {kind: Pod}, fieldPaths: ['spec.containers.[name=a].image'], options: {delimiter: ':', index: 1}}]
- source: {kind: ConfigMap, name: c, fieldPath: data.image}
  targets: [{select: {kind: Pod}, fieldPaths: ['spec.containers.[name=b].image']}]
- source: {kind: ConfigMap, name: c, fieldPath: data.host}
  targets: [{select: {kind: Pod}, fieldPaths: ['spec.containers.[name=c].image'], options: {delimiter: '/', index: 0}}]
",
        &[],
    ),
    (
        "two overlays over one base",
        "=== digest-gate.yml
version: 1
environments:
  production: {overlays: [prod]}
  staging: {enforce: false, overlays: [staging]}
=== base/kustomization.yaml
resources: [pod.yaml]
=== base/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers: [{name: a, image: app}, {name: b, image: 'web:1«@{web}»'}]
=== prod/kustomization.yaml
resources: [../base]
images:
- name: app
  newTag: '1'«
  digest: {app}»
=== staging/kustomization.yaml
resources: [../base]
images:
- name: app
  newTag: '2'«
  digest: {app}»
",
        &[],
    ),
    (
        "an entry for two images",
        "=== digest-gate.yml
version: 1
environments: {production: {overlays: [over]}}
=== over/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: a, image: app}, {name: b, image: web}]}
=== over/kustomization.yaml
resources: [pod.yaml]
images: [{name: '(app|web)', newTag: '1'}]
",
        &[
            "spec.containers[0].image: it shares its place with an image of another digest: write each image in a text of its own",
            "spec.containers[1].image: it shares its place with an image of another digest: write each image in a text of its own",
        ],
    ),
];

pub(super) const HCL: &[Case] = &[
    (
        "nomad jobs",
        "=== web.nomad
variable \"app\" { default = \"app:1«@{app}»\" }
variable \"tag\" {
  type    = string
  default = \"2\"
}
variable \"one\" { default = «3→\"3@{side}\"» }
locals {
  db  = \"r.io/db:${local.v}\"
  v   = \"4.1«@{db}»\"
  old = \"web:1@«{old}→{web}»\"
}
job \"j\" {
  group \"g\" {
    task \"a\" {
      driver = \"docker\"
      config { image = var.app }
    }
    task \"b\" {
      driver = \"docker\"
      config { image = \"docker://web:${var.tag}«@{web}»\" }
      env { VERSION = var.tag }
    }
    task \"c\" {
      driver = \"docker\"
      config { image = local.db }
    }
    task \"d\" {
      driver = \"docker\"
      config { image = local.old }
    }
    task \"e\" {
      driver = \"docker\"
      config { image = \"side:${var.one}\" }
    }
    task \"f\" {
      driver = \"docker\"
      config { image = \"app:9«@{app}»\" } # literal
    }
  }
}
",
        &[],
    ),
    (
        "a variable of two images",
        "=== web.nomad
variable \"image\" { default = \"app:1\" }
job \"j\" {
  group \"g\" {
    task \"a\" {
      driver = \"docker\"
      config { image = «var.image→\"${var.image}@{app}\"» }
    }
    task \"b\" {
      driver = \"docker\"
      config { image = \"${var.image}-slim«@{app}»\" }
    }
  }
}
",
        &[],
    ),
    (
        "terraform",
        "=== main.tf
variable \"tag\" {
  default = \"2«@{web}»\"
}
locals { side = { image = \"side:1«@{side}»\" } }
resource \"docker_container\" \"a\" { image = \"app:1«@{app}»\" }
resource \"aws_ecs_task_definition\" \"t\" {
  container_definitions = jsonencode([{ image = \"web:${var.tag}\" }, { image = local.side.image }])
}
resource \"aws_ecs_task_definition\" \"u\" {
  container_definitions = <<EOT
[{\"image\": \"db:7«@{db}»\"}, {\"image\": \"r.io/web:${var.tag}\"}]
EOT
}
resource \"kubectl_manifest\" \"m\" {
  yaml_body = <<-YAML
    spec:
      containers:
      - image: app:2«@{app}»
  YAML
}
module \"m\" { image = \"ghcr.io/org/db:1@«{old}→{db}»\" }
=== main.tf.json
{\"variable\": {\"tag\": {\"default\": \"1«@{app}»\"}, \"n\": {\"default\": «2→\"2@{db}\"»}}, \"resource\": {\"docker_container\": {\"a\": {\"image\": \"app:${var.tag}\"}, \"b\": {\"image\": \"db:${var.n}\"}}}}
",
        &[],
    ),
    (
        "bake files",
        "=== docker-bake.hcl
variable \"TAG\" { default = \"3.20\" }
variable \"BASE\" { default = \"docker-image://web:1«@{web}»\" }
SIDE = \"2«@{side}»\"
target \"app\" {
  tags = [\"org/app:${TAG}\"]
  contexts = {
    a = \"docker-image://app:${TAG}«@{app}»\"
    b = BASE
    c = \"docker-image://db:1«@{db}»\"
    d = \"docker-image://side:${SIDE}\"
  }
}
=== docker-bake.json
{\"target\": {\"app\": {\"contexts\": {\"base\": \"docker-image://app:1«@{app}»\"}}}}
",
        &[],
    ),
    (
        "cloudformation",
        "=== template.yaml
Parameters:
  Tag: {Type: String, Default: '1.2«@{web}»'}
  Image: {Type: String, Default: db:1«@{db}»}
  Version: {Type: String, Default: 3}
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
      - Image: app:1«@{app}»
      - Image: !Sub 'r.io/web:${Tag}'
      - Image: !Ref Image
      - {Image: {'Fn::Join': [':', [side, '2«@{side}»']]}}
      - Image: !Sub ['app:${V}«@{app}»', {V: !Ref Version}]
      - Image: !If [C, 'db:2«@{db}»', {Ref: 'AWS::NoValue'}]
      Tags: [{Key: version, Value: !Ref Version}]
=== t.json
{\"AWSTemplateFormatVersion\": \"x\", \"Parameters\": {\"T\": {\"Default\": «7→\"7@{app}\"»}},
\"Resources\": {\"F\": {\"Type\": \"AWS::Lambda::Function\", \"Properties\": {\"Code\": {\"ImageUri\": {\"Fn::Sub\": \"app:${T}\"}}}}}}
",
        &[],
    ),
];

pub(super) const PIPELINES: &[Case] = &[
    (
        "gitlab",
        "=== .gitlab-ci.yml
variables:
  TAG: 7«@{app}»
  IMAGE: {value: 'web:1«@{web}»'}
  VERSION: '2'
  DB: db:$VERSION
image: app:$TAG
a:
  image: $IMAGE
  script: x
b:
  image: {name: '${DB}«@{db}»'}
  script: echo $VERSION $DB
c:
  variables: {VERSION: '3'}
  image: side:$VERSION«@{side}»
  services: [db:1«@{db}», {name: 'web:2@«{old}→{web}»'}]
  script: x
",
        &[],
    ),
    (
        "github workflows",
        "=== .github/workflows/a.yml
on: push
jobs:
  a:
    strategy:
      matrix:
        image: [app:1«@{app}», '', &w 'web:2«@{web}»']
        db: [1, 2]
        side: [7«@{side}»]
        include: [{image: db«@{db}»}]
    container: ${{ matrix.image }}
    services:
      d: {image: 'db:${{ matrix.db }}'}
      s: {image: 'side:${{ matrix.side }}'}
      o: {image: 'app:${{ matrix.db }}-slim«@{app}»'}
    steps:
    - uses: docker://web:1«@{web}»
    - uses: 'DOCKER://  db:2«@{db}» '
    - uses: docker://side:1@«{old}→{side}»
  b:
    container: {image: app:3«@{app}»}
",
        &[
            "jobs.a.services.d.image: writing its digest would change another image: write each in a text of its own",
            "jobs.a.services.d.image: writing its digest would change another image: write each in a text of its own",
        ],
    ),
    (
        "other pipelines",
        "=== azure-pipelines.yml
resources: {containers: [{container: c, image: 'app:1«@{app}»'}]}
container: web:1«@{web}»
jobs:
- container: c
=== .woodpecker.yml
steps: [{name: a, image: side:1«@{side}»}]
=== bitbucket-pipelines.yml
image: {name: app:1«@{app}»}
pipelines: {default: [{step: {image: app:2«@{app}»}}]}
",
        &[],
    ),
];

pub(super) const VALUES: &[Case] = &[
    (
        "values without their chart",
        "=== values-prod.yaml
app: {image: {repository: r.io/app, tag: '1«@{app}»'}}
web:
  image:
    registry: r.io
    repository: web
    tag: 1.2«@{web}» # a number
    pullPolicy: Always
db:
  image:
    repository: db
    digest: '«{db}»'
    tag: 7
side:
  image: {repository: side, tag: 1, sha: \"«{side#}»\"}
old:
  image:
    repository: web
    tag: 1
    sha: «{old#}→{web#}»
more:
  image: {repository: app, tag: '1', digest: «{old}→{app}»}
inTag:
  image: {repository: app, tag: 1@«{old}→{app}»}
text: {image: 'db:1«@{db}»'}
busyboxImage: app
busyboxImageTag: '3«@{app}»'
off: {image: {repository: app, tag: '2«@{app}»', digest: '', useDigest: false}}
none: {image: {repository: r.io/app, pullPolicy: Always}}
alone: {image: {tag: '1'}}
",
        &[
            "none.image.repository: no tag stands here, so the chart decides it: write `tag`, and the digest goes behind it",
        ],
    ),
    (
        "the version of the chart",
        "=== Chart.yaml
name: c
appVersion: 1.2.3
=== values.yaml
image:
  repository: app«
  tag: 1.2.3@{app}»
  pullPolicy: Always
web:
  image: {repository: web, tag: \"«1.2.3@{web}»\"}
db:
  image:
    repository: db
    tag:« 1.2.3@{db}»
    digest: ''
",
        &[],
    ),
    (
        "values in objects",
        "=== release.yaml
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: r}
spec:
  values:
    image: {repository: r.io/app, tag: '1«@{app}»'}
    other: {image: 'web:1«@{web}»'}
  postRenderers:
  - kustomize:
      images:
      - name: c
        newName: db
        newTag: '2'«
        digest: {db}»
=== chart.yaml
apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata: {name: t}
spec:
  jobImage: app:1«@{app}»
  set: {image.repository: r.io/web, image.tag: '1«@{web}»'}
  valuesContent: |-
    image:
      repository: r.io/db
      tag: \"2\"
      digest: \"«{db}»\"
=== app.yaml
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: a}
spec:
  source:
    helm:
      parameters:
      - {name: image.repository, value: r.io/app}
      - {name: image.tag, value: '1«@{app}»'}
      values: |
        image: web:1«@{web}»
      valuesObject: {initImage: 'db:1«@{db}»'}
=== flux/kustomization.yaml
helmCharts:
- name: x
  valuesInline:
    image:
      repository: r.io/side
      tag: v1«@{side}»
",
        &[],
    ),
];

pub(super) const CHARTS: &[Case] = &[
    (
        "a tag of the environment, of the chart and of a template",
        "=== digest-gate.yml
version: 1
environments: {production: {charts: [{chart: c, values: [prod.yaml]}]}}
=== c/Chart.yaml
apiVersion: v2
name: c
version: 0.1.0
appVersion: 1.2.3
=== c/values.yaml
app: {repository: r.io/app, tag: '1'}
web:
  repository: web
  tag: 2.0.1«@{web}»
db: {image: 'db:1«@{db}»'}
old: {repository: web, tag: '1', digest: {old}}
=== c/templates/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - {name: a, image: '{{ .Values.app.repository }}:{{ .Values.app.tag }}'}
  - name: b
    image: {{ printf \"%s:%s\" .Values.web.repository .Values.web.tag | quote }}
  - name: c
    image: {{ .Values.db.image }}
  - name: d
    image: \"side:7«@{side}»\" # literal
  - name: e
    image: \"{{ .Values.side }}:8«@{side}»\"
  - name: f
    image: \"{{ .Values.old.repository }}:{{ .Values.old.tag }}@{{ .Values.old.digest }}\"
=== prod.yaml
app: {tag: '9«@{app}»'}
side: side
old: {digest: «{old}→{web}»}
",
        &[],
    ),
    (
        "a digest that the chart reads",
        "=== digest-gate.yml
version: 1
environments: {production: {charts: [{chart: c, values: [prod.yaml]}]}}
=== c/Chart.yaml
apiVersion: v2
name: c
version: 0.1.0
appVersion: 1.2.3
=== c/values.yaml
app: {repository: r.io/app, tag: '1', digest: ''}
web: {repository: r.io/web, tag: '1', sha: '«{web#}»'}
db: {repository: r.io/db, tag: ''}
side: {repository: side, tag: '2', sha: '{old#}'}
=== c/templates/_h.tpl
{{ define \"image\" }}{{ .repository }}:{{ .tag }}{{ with .digest }}@{{ . }}{{ end }}{{ with .sha }}@sha256:{{ . }}{{ end }}{{ end }}
=== c/templates/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - {name: a, image: '{{ template \"image\" .Values.app }}'}
  - {name: b, image: '{{ template \"image\" .Values.web }}'}
  - {name: c, image: '{{ template \"image\" .Values.db }}'}
  - {name: d, image: '{{ template \"image\" .Values.side }}'}
  - {name: e, image: '{{ template \"image\" .Values.more }}'}
=== prod.yaml
app:
  # the tag of production
  tag: '9'«
  digest: {app}»
db: {tag: '1'«, digest: {db}»}
side: {sha: '«{old#}→{side#}»'}
more: {repository: app, tag: '3', digest:« {app}»}
",
        &[],
    ),
    (
        "a digest in place of the tag, and a version that is checked",
        "=== digest-gate.yml
version: 1
environments: {production: {charts: [{chart: c, values: []}]}}
=== c/Chart.yaml
apiVersion: v2
name: c
version: 0.1.0
appVersion: 1.2.3
=== c/values.yaml
app: {repository: app, tag: '1«@{app}»', digest: ''}
=== c/templates/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - {name: a, image: '{{ .Values.app.repository }}{{ if .Values.app.digest }}@{{ .Values.app.digest }}{{ else }}:{{ .Values.app.tag }}{{ end }}'}
",
        &[],
    ),
    (
        "the version of the chart",
        "=== digest-gate.yml
version: 1
environments: {production: {charts: [{chart: c, values: [prod.yaml]}]}}
=== c/Chart.yaml
apiVersion: v2
name: c
version: 0.1.0
appVersion: 1.2.3
=== c/values.yaml
app: {repository: app, tag: '«1.2.3@{app}»'}
web:
  repository: web
db: db
=== c/templates/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - {name: a, image: '{{ .Values.app.repository }}:{{ .Values.app.tag | default .Chart.AppVersion }}'}
  - {name: b, image: '{{ .Values.web.repository }}:{{ default .Chart.AppVersion .Values.web.tag }}'}
  - {name: c, image: '{{ .Values.db }}:{{ .Chart.AppVersion }}'}
=== prod.yaml
web:
  repository: r.io/web # ours«
  tag: 1.2.3@{web}»
",
        &[
            "db: what deploys it reads no digest where one could be written: write the whole image where it is used",
        ],
    ),
    (
        "sub-charts",
        "=== digest-gate.yml
version: 1
environments: {production: {charts: [{chart: c, values: [prod.yaml]}]}}
=== c/Chart.yaml
apiVersion: v2
name: c
version: 0.1.0
dependencies: [{name: db, version: 1.0.0, repository: 'file://x'}]
=== c/values.yaml
db: {image: {tag: '2«@{db}»'}}
=== c/templates/a.yaml
=== c/charts/db/Chart.yaml
apiVersion: v2
name: db
version: 1.0.0
=== c/charts/db/values.yaml
image: {repository: db, tag: '1'}
side: {repository: side, tag: '1«@{side}»'}
=== c/charts/db/templates/pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - {name: a, image: '{{ .Values.image.repository }}:{{ .Values.image.tag }}'}
  - {name: b, image: '{{ .Values.side.repository }}:{{ .Values.side.tag }}'}
=== prod.yaml
x: y
",
        &[],
    ),
];

pub(super) const OTHERS: &[Case] = &[(
    "units, objects, task definitions",
    "=== a.container
# é
[Container]
Image = docker://app:1«@{app}»
Environment=A=1
=== b.container
[Container]
Image=\"web:1«@{web}»\"
=== pod.yaml
apiVersion: v1
kind: Pod
x: &i db:1«@{db}»
spec:
  initContainers: [{image: *i}]
  containers:
  - image: \"side:1«@{side}»\"   # why
    name: x
  volumes: [{name: v, image: {reference: 'app:7«@{app}»'}}]
=== task.json
{\"containerDefinitions\": [{\"image\":\"app:1«@{app}»\"}, {\"image\": \"we\\u0062:1«@{web}»\"}]}
=== devcontainer.json
{
  // the image
  \"image\": \"db:1«@{db}»\", /* x */
}
=== job.json
{\"TaskGroups\": [{\"Tasks\": [{\"Driver\": \"docker\", \"Config\": {\"image\": \"docker://side:1«@{side}»\"}}]}]}
=== chart/templates/a.yaml
{{ if .Values.x }}
      - image: app:1«@{app}» # why
      - image: {{ .Values.image }}
{{ end }}
",
    &[],
)];

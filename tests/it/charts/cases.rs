//! Small charts: their files, each below a line `=== path`. `pod EXPRESSION` stands for a pod with that image.
//!
//! `HEX` stands for a digest's hexadecimal part. `=== found` holds what is found, a line for each image: place, field,
//! text, status, and in brackets the other places that take part.

/// Without a `Chart.yaml` of its own a chart has version 1.2.3 of `app`.
pub(super) const CHART: &str = "apiVersion: v2\nname: app\nversion: 0.1.0\nappVersion: 1.2.3\n";

pub(super) const CASES: &[&str] = &[
    "=== values.yaml
image: r.io/a:1
=== templates/a.yaml
pod {{ .Values.image }}
",
    "=== values.yaml
image: {repository: r.io/a, tag: ''}
=== templates/a.yaml
pod \"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}\"
",
    "=== values.yaml
image: {repository: r.io/a, tag: '1'}
=== prod.yaml
image: {tag: '2@sha256:HEX'}
=== templates/a.yaml
pod \"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}\"
",
    "=== values.yaml
image: {repository: r.io/a, tag: '1'}
=== prod.yaml
image: {repository: r.io/b}
=== templates/a.yaml
pod {{ printf \"%s:%s\" .Values.image.repository .Values.image.tag | quote }}
",
    "=== values.yaml
image: {registry: r.io, repository: a, tag: '1', digest: ''}
=== prod.yaml
image: {digest: 'sha256:HEX'}
=== templates/a.yaml
pod \"{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ end }}\"
",
    "=== values.yaml
image: {repository: r.io/a, tag: '1', digest: 'sha256:HEX'}
=== prod.yaml
image: {digest: null}
=== templates/a.yaml
pod \"{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag }}{{ end }}\"
",
    "=== values.yaml
image: {registry: docker.io, repository: a, tag: '1', digest: ''}
global: {imageRegistry: ''}
=== prod.yaml
global: {imageRegistry: m.io}
=== templates/a.yaml
pod {{ include \"app.image\" . }}
=== templates/_helpers.tpl
{{- define \"app.image\" -}}
{{ include \"common.images.image\" (dict \"imageRoot\" .Values.image \"global\" .Values.global \"chart\" .Chart) }}
{{- end -}}
{{- define \"common.images.image\" -}}
{{- $registryName := default .imageRoot.registry ((.global).imageRegistry) -}}
{{- $repositoryName := .imageRoot.repository -}}
{{- $separator := \":\" -}}
{{- $termination := .imageRoot.tag | toString -}}
{{- if not .imageRoot.tag }}
  {{- if .chart }}
    {{- $termination = .chart.AppVersion | toString -}}
  {{- end -}}
{{- end -}}
{{- if .imageRoot.digest }}
    {{- $separator = \"@\" -}}
    {{- $termination = .imageRoot.digest | toString -}}
{{- end -}}
{{- if $registryName }}
    {{- printf \"%s/%s%s%s\" $registryName $repositoryName $separator $termination -}}
{{- else -}}
    {{- printf \"%s%s%s\"  $repositoryName $separator $termination -}}
{{- end -}}
{{- end -}}
",
    "=== templates/a.yaml
pod busybox:1.36 # why
",
    "=== values.yaml
tag: 1.10
=== templates/a.yaml
pod r.io/a:{{ .Values.tag }}
",
    "=== values.yaml
tag: 20240101
=== templates/a.yaml
pod r.io/a:{{ .Values.tag }}
",
    "=== values.yaml
tag: 20240101
=== templates/a.yaml
pod r.io/a:{{ .Values.tag | int64 }}
",
    "=== values.yaml
image: r.io/a:1
metrics: {enabled: false, image: 'r.io/m:1'}
=== templates/a.yaml
pod {{ .Values.image }}
=== templates/m.yaml
{{- if .Values.metrics.enabled }}
pod {{ .Values.metrics.image }}
{{- end }}
",
    "=== values.yaml
image: r.io/a:1
metrics: {enabled: false, image: 'r.io/m:1'}
=== prod.yaml
metrics: {enabled: true}
=== templates/a.yaml
pod {{ .Values.image }}
=== templates/m.yaml
{{- if and .Values.metrics.enabled (not .Values.metrics.external) }}
pod {{ .Values.metrics.image }}
{{- end }}
",
    "=== values.yaml
image: r.io/a:1
=== templates/a.yaml
{{- if .Capabilities.APIVersions.Has \"example.com/v1\" }}
pod {{ .Values.image }}-special
{{- else }}
pod {{ .Values.image }}
{{- end }}
",
    "=== templates/a.yaml
pod r.io/{{ .Release.Name }}:1
",
    "=== values.yaml
sidecars:
- name: s
  image: r.io/s:1
=== templates/a.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  {{- range .Values.sidecars }}
  - name: {{ .name }}
    image: {{ .image }}
  {{- end }}
  {{- with .Values.sidecars }}
  initContainers:
  {{- toYaml . | nindent 2 }}
  {{- end }}
",
    "=== values.yaml
containers: |
  - name: {{ .Release.Name }}
    image: r.io/{{ .Values.name }}:1
name: t
=== templates/a.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  {{- tpl .Values.containers . | nindent 2 }}
",
    "=== values.yaml
jobs:
  b: {image: {repository: r.io/b, tag: '2'}}
  a: {image: {repository: r.io/a, tag: '1'}}
=== templates/a.yaml
{{- range $name, $job := .Values.jobs }}
---
apiVersion: batch/v1
kind: Job
metadata: {name: {{ $name }}-{{ $.Release.Name }}}
spec:
  template:
    spec:
      containers:
      - name: j
        image: \"{{ $job.image.repository }}:{{ $job.image.tag }}\"
{{- end }}
",
    "=== values.yaml
image: r.io/a:1
=== templates/a.yaml
pod {{ unknownFunction .Values.image }}
",
    "=== values.yaml
image: r.io/a:1
=== templates/a.yaml
pod {{ regexReplaceAll \"a\" .Values.image \"b\" }}
",
    "=== values.yaml
image: r.io/a:1
=== templates/a.yaml
pod {{ .Values.image
",
    "=== values.yaml
image: r.io/a:1
=== templates/NOTES.txt
image: {{ .Values.nothing }}
=== templates/_part.yaml
image: r.io/part:1
=== templates/tests/t.yaml
pod {{ .Values.image }}
",
    "=== Chart.yaml
apiVersion: v2
name: app
version: 0.1.0
dependencies:
- {name: redis, version: 1.0.0, repository: 'https://example.com', condition: redis.enabled}
=== values.yaml
redis: {enabled: true, image: {tag: '9'}}
global: {registry: g.io}
=== charts/redis/Chart.yaml
apiVersion: v2
name: redis
version: 1.0.0
appVersion: '7'
=== charts/redis/values.yaml
image: {repository: redis, tag: '7'}
=== charts/redis/templates/a.yaml
pod {{ .Values.global.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}
",
    "=== Chart.yaml
apiVersion: v2
name: app
version: 0.1.0
dependencies:
- {name: redis, version: 1.0.0, repository: 'https://example.com', condition: redis.enabled}
=== values.yaml
redis: {enabled: true}
=== prod.yaml
redis: {enabled: false}
=== charts/redis/Chart.yaml
apiVersion: v2
name: redis
version: 1.0.0
=== charts/redis/values.yaml
image: {repository: redis, tag: '7'}
=== charts/redis/templates/a.yaml
pod {{ .Values.image.repository }}:{{ .Values.image.tag }}
",
    "=== Chart.yaml
apiVersion: v2
name: app
version: 0.1.0
dependencies:
- {name: redis, version: 1.0.0, repository: 'https://example.com', alias: cache, tags: [caches]}
- {name: redis, version: 1.0.0, repository: 'https://example.com', alias: queue}
- {name: redis, version: 1.0.0, repository: 'https://example.com', alias: other, tags: [others]}
=== values.yaml
tags: {others: false}
cache: {image: {tag: '8'}}
=== prod.yaml
queue: {image: {tag: null, repository: r.io/q}}
=== charts/redis/Chart.yaml
apiVersion: v2
name: redis
version: 1.0.0
appVersion: 7.1.0
=== charts/redis/values.yaml
image: {repository: redis, tag: '7'}
=== charts/redis/templates/a.yaml
pod {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
",
    "=== Chart.yaml
apiVersion: v2
name: app
version: 0.1.0
dependencies:
- {name: redis, version: 1.0.0, repository: 'https://example.com'}
=== templates/a.yaml
pod r.io/a:1
",
    "=== charts/lib/Chart.yaml
apiVersion: v2
name: lib
type: library
version: 1.0.0
=== charts/lib/templates/_image.tpl
{{- define \"lib.image\" -}}
{{- $ := . -}}
{{- $i := index . 0 -}}{{- $root := index . 1 -}}
{{- $version := $i.tag | default $root.Chart.AppVersion -}}
{{- list $i.repository $version | join \":\" -}}
{{- end }}
=== values.yaml
image: {repository: r.io/a}
=== templates/a.yaml
pod {{ include \"lib.image\" (list .Values.image .) }}
",
    "=== values.yaml
image: {repository: r.io/a, sha: HEX, tag: '1'}
=== templates/a.yaml
pod {{ .Values.image.repository }}:{{ .Values.image.tag }}@sha256:{{ .Values.image.sha }}
",
    "=== values.yaml
operator: {image: 'r.io/worker:1'}
=== templates/a.yaml
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - name: c
    image: r.io/operator@sha256:HEX
    env:
    - {name: WORKER_IMAGE, value: {{ .Values.operator.image | quote }}}
",
    "=== values.yaml
image: r.io/a:1
=== templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: c, annotations: {sum: {{ include (print $.Template.BasePath \"/b.yaml\") . | sha256sum }}}}
data:
  a: |
    image: {{ .Values.image }}
=== templates/b.yaml
pod {{ ternary \"r.io/x:1\" .Values.image (eq .Values.image \"r.io/b:1\") }}
",
    "=== values.yaml
defaults: {image: {repository: r.io/d, tag: '1'}}
special: {image: {tag: '2'}}
=== templates/a.yaml
{{- $merged := merge (deepCopy .Values.special) .Values.defaults }}
{{- $_ := set $merged \"extra\" \"x\" }}
pod {{ $merged.image.repository }}:{{ $merged.image.tag }}-{{ get $merged \"extra\" }}
",
    "=== values.yaml
image: {repository: r.io/a, tag: \"\"}
=== templates/a.yaml
{{- $tag := .Values.image.tag }}
{{- if not $tag }}
{{- $tag = printf \"v%s\" .Chart.AppVersion }}
{{- end }}
pod {{ $tag | printf \"%s:%s\" .Values.image.repository }}
",
    "=== values.yaml
image: &i {repository: r.io/a, tag: '1'}
other:
  <<: *i
  tag: '2'
=== templates/a.yaml
pod {{ .Values.other.repository }}:{{ .Values.other.tag }}
=== templates/b.yaml
pod {{ .Values.image.repository }}:{{ .Values.image.tag }}
",
    "=== values.yaml
images: [r.io/a:1, r.io/b:1]
=== templates/a.yaml
pod {{ index .Values.images 1 }}
=== templates/b.yaml
pod {{ .Values.images | first | upper | lower }}
",
];

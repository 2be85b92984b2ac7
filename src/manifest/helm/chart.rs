//! A Helm chart as an environment deploys it: its values merged, its templates rendered here, offline.
//!
//! Values are merged as Helm merges them and templates rendered as Helm renders them, but every part of the text
//! remembers where it was written. What comes out is read like any manifest, and each image is put back to the scalar
//! that decides it. What only a cluster or a release decides is a hole in the text: an image with a hole is
//! unresolved, both sides of a condition with a hole are read.

mod functions;
mod package;
mod parse;
mod render;
mod rendered;
mod slots;
mod text;
mod value;

use std::collections::HashMap;
use std::sync::Arc;

use self::package::{Files, Loader, Package};
use self::render::Render;
use self::rendered::Rendered;
use self::text::{Marks, Writer};
use self::value::{Entries, Hides, Value};
use super::template;
use crate::manifest::{Found, LocatedImage, State, Unreadable};
use crate::source::{Place, Source, Span};

const WAY_OUT: &str = "check what Helm renders: `helm template … | digest-gate check -`";

/// A chart and what it is deployed with.
pub struct Chart<'a> {
    /// Its `Chart.yaml`.
    pub chart: &'a Arc<Source>,
    /// Values files over the chart's own `values.yaml`, the last one counts.
    pub values: &'a [Arc<Source>],
    /// Every text file below the folder of the chart, also those of the sub-charts in `charts/`.
    pub files: &'a [Arc<Source>],
    /// The paths of packed sub-charts, `charts/*.tgz`: they are not read.
    pub archives: &'a [String],
}

/// Every image that the chart deploys, each once, at the line that decides it.
#[must_use]
pub fn read(chart: &Chart<'_>) -> Found {
    let mut found = Found { is_manifest: true, ..Found::default() };
    let mut marks = Marks::default();
    let Some((package, values)) = settle(chart, &mut marks, &mut found) else { return found };
    let mut render = Render::new(marks);
    render.is_uncertain = !found.unreadable.is_empty();
    let files = files_of(chart);
    report_missing(chart, &package, &render.marks, &mut found);
    load(&package, &package.name, &files, &mut render, &mut found);
    let all = files.iter().filter(|(path, _)| path.contains("templates/")).map(|(_, source)| Arc::clone(source));
    let mut read = rendered::Reading::new(chart.chart, all.collect(), found);
    deploy(&package, &package.name, &values, &files, &mut render, &mut read);
    if render.work == 0 {
        render.is_uncertain = true;
        read.found.unreadable.push(Unreadable {
            place: start_of(chart.chart),
            message: "rendering this chart takes too long to be judged here".to_owned(),
            help: Some(WAY_OUT.to_owned()),
        });
    }
    read.values(&values, &package, &render);
    read.finish()
}

/// The merged values as JSON, for comparing with Helm; `None` where there is no chart.
#[doc(hidden)]
#[must_use]
pub fn values_as_json(chart: &Chart<'_>) -> Option<String> {
    let (_, values) = settle(chart, &mut Marks::default(), &mut Found::default())?;
    Some(functions::json(&values))
}

fn start_of(source: &Arc<Source>) -> Place {
    Place::new(source, Span::default())
}

/// The chart with the sub-charts that are on, and its values.
fn settle(chart: &Chart<'_>, marks: &mut Marks, found: &mut Found) -> Option<(Package, Value)> {
    let files = files_of(chart);
    let mut loader = Loader { files: &files, marks, found };
    let mut package = loader.package("", 0)?;
    let mut values = Value::map(Entries::new());
    for source in chart.values {
        let file = loader.values(source, Writer::Environment);
        values = value::over(&values, &file, &mut package::MAX_MERGES.clone());
    }
    let values = package.settle(&values);
    Some((package, values))
}

/// Files by their path below the folder of the chart.
fn files_of(chart: &Chart<'_>) -> Files {
    let folder = chart.chart.path().strip_suffix("Chart.yaml").unwrap_or_default();
    let below = |source: &Arc<Source>| Some((source.path().strip_prefix(folder)?.to_owned(), Arc::clone(source)));
    let own = ("Chart.yaml".to_owned(), Arc::clone(chart.chart));
    chart.files.iter().filter_map(below).chain([own]).collect()
}

/// Sub-charts that are on and cannot be read.
fn report_missing(chart: &Chart<'_>, package: &Package, marks: &Marks, found: &mut Found) {
    let mut reported = Vec::new();
    let mut todo = vec![package];
    while let Some(package) = todo.pop() {
        todo.extend(&package.children);
        for (name, mark) in &package.missing {
            let archive = chart.archives.iter().find(|path| is_archive_of(path, name));
            let why = match archive {
                Some(path) => format!(
                    "the sub-chart `{name}` is packed (`{}`), so its images cannot be read: unpack it, or {WAY_OUT}",
                    file_name(path)
                ),
                None => format!(
                    "the sub-chart `{name}` is not in `charts/`: `helm dependency build` and unpack it there, or {WAY_OUT}"
                ),
            };
            reported.extend(archive);
            let place = marks.get(*mark).map_or_else(|| start_of(chart.chart), |origin| origin.place.clone());
            found.images.push(unresolved(&place, "dependencies", name, &why));
        }
        if let Some(mark) = package.imports {
            let why = format!("`import-values` copies values of sub-charts, which is not followed: {WAY_OUT}");
            let place = marks.get(mark).map_or_else(|| start_of(chart.chart), |origin| origin.place.clone());
            found.images.push(unresolved(&place, "dependencies", "import-values", &why));
        }
    }
    // An archive that nothing declares is deployed all the same; one that is declared may be switched off.
    let declared = declared_names(&package.metadata);
    let is_in_charts = |path: &&String| path.rsplit('/').nth(1) == Some("charts");
    for path in chart.archives.iter().filter(is_in_charts).filter(|path| !reported.contains(path)) {
        if !declared.iter().any(|name| is_archive_of(path, name)) {
            let name = file_name(path);
            let why =
                format!("the sub-chart `{name}` is packed, so its images cannot be read: unpack it, or {WAY_OUT}");
            found.images.push(unresolved(&start_of(chart.chart), "charts", name, &why));
        }
    }
}

fn declared_names(metadata: &Value) -> Vec<String> {
    let Value::List(entries) = metadata.field("dependencies") else { return Vec::new() };
    entries.iter().map(|entry| entry.field("name").print().plain()).collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `redis-1.2.3.tgz` is one of `redis`, not of `redis-ha`.
fn is_archive_of(path: &str, name: &str) -> bool {
    let version = file_name(path).strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    version.is_some_and(|rest| rest.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()))
}

fn unresolved(place: &Place, field: &str, written: &str, why: &str) -> LocatedImage {
    let span = place.span;
    LocatedImage::new(super::KIND.name, &place.source, span, field, written, State::unresolved(why))
}

/// The files of templates of a package, by the name that Helm gives them.
fn templates<'f>(package: &Package, name: &str, files: &'f Files) -> Vec<(String, &'f Arc<Source>)> {
    let start = format!("{}templates/", package.folder);
    let below = files.range(start.clone()..).take_while(|(path, _)| path.starts_with(&start));
    let named = |(path, source): (&String, &'f Arc<Source>)| {
        (format!("{name}/{}", path.strip_prefix(&package.folder).unwrap_or(path)), source)
    };
    below.map(named).collect()
}

/// Reads all templates: those of a chart count before those of its sub-charts, the first file of a folder before others.
fn load(package: &Package, name: &str, files: &Files, render: &mut Render, found: &mut Found) {
    for child in &package.children {
        load(child, &format!("{name}/charts/{}", child.name), files, render, found);
    }
    if package.folder.is_empty() && name.contains('/') {
        return;
    }
    let mut all = templates(package, name, files);
    all.sort_by_key(|(name, _)| std::cmp::Reverse((name.matches('/').count(), name.clone())));
    for (name, source) in all {
        let Err(parse::Error(offset, message)) = render.load(&name, source) else { continue };
        render.is_uncertain = true;
        found.unreadable.push(Unreadable {
            place: Place::new(source, Span::new(offset, offset)),
            message: format!("this template cannot be read: {message}"),
            help: Some(format!("mend it if Helm cannot read it either, or {WAY_OUT}")),
        });
        template::locate_lines(source, found);
    }
}

/// Renders a chart and its sub-charts and reads what comes out.
fn deploy(
    package: &Package,
    name: &str,
    values: &Value,
    files: &Files,
    render: &mut Render,
    read: &mut rendered::Reading,
) {
    for child in &package.children {
        let values = values.field(&child.name);
        deploy(child, &format!("{name}/charts/{}", child.name), &values, files, render, read);
    }
    if package.is_library() || package.folder.is_empty() && name.contains('/') {
        return;
    }
    let own = |(path, source): (&String, &Arc<Source>)| {
        Some((path.strip_prefix(&package.folder)?.to_owned(), Arc::clone(source)))
    };
    render.files = files.iter().filter_map(own).collect::<HashMap<_, _>>();
    for (template, source) in templates(package, name, files) {
        let file = template.rsplit('/').next().unwrap_or_default();
        if file.starts_with('_') || file == "NOTES.txt" {
            continue;
        }
        let dot = context(package, name, &template, values);
        if let Some(text) = render.include(&template, &dot) {
            read.template(&Rendered::new(text), source, render);
        }
    }
}

/// What a template is given as its dot.
fn context(package: &Package, name: &str, template: &str, values: &Value) -> Value {
    let text = |text: &str| Value::text(text, 0);
    let map = |entries: &[(&str, Value)]| {
        Value::map(entries.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
    };
    let release = [
        ("Name", Value::Unknown(Hides::Scalar)),
        ("Namespace", Value::Unknown(Hides::Scalar)),
        ("Revision", Value::Unknown(Hides::Scalar)),
        ("IsInstall", Value::Unknown(Hides::Scalar)),
        ("IsUpgrade", Value::Unknown(Hides::Scalar)),
        ("Service", text("Helm")),
    ];
    map(&[
        ("Values", values.clone()),
        ("Chart", chart_object(package)),
        ("Release", map(&release)),
        ("Capabilities", Value::Unknown(Hides::Scalar)),
        ("Template", map(&[("Name", text(template)), ("BasePath", text(&format!("{name}/templates")))])),
        ("Files", Value::Unknown(Hides::Anything)),
        ("Subcharts", Value::Unknown(Hides::Anything)),
    ])
}

/// `.Chart`: what `Chart.yaml` says, under the names of Helm's own fields, every scalar a text.
fn chart_object(package: &Package) -> Value {
    let mut entries = Entries::new();
    let fields = [
        ("version", "Version"),
        ("appVersion", "AppVersion"),
        ("kubeVersion", "KubeVersion"),
        ("apiVersion", "APIVersion"),
        ("description", "Description"),
        ("type", "Type"),
        ("home", "Home"),
        ("icon", "Icon"),
    ];
    for (key, name) in fields {
        let value = match package.metadata.field(key) {
            // Whole numbers stay whole here, unlike in values.
            Value::Number(number, _, mark) if number.fract() == 0.0 => Value::text(&format!("{number}"), mark),
            value => Value::Text(value.print()),
        };
        entries.insert(name.into(), value);
    }
    entries.insert("Name".into(), Value::text(&package.name, 0));
    for (key, name) in [("annotations", "Annotations"), ("keywords", "Keywords"), ("dependencies", "Dependencies")] {
        entries.insert(name.into(), package.metadata.field(key));
    }
    Value::map(entries)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn read_files(files: &[(&str, &str)]) -> Found {
        let chart = Source::new("c/Chart.yaml", "name: app\nversion: 0.1.0\nappVersion: 1.2.3\n");
        let files: Vec<_> = files.iter().map(|(path, text)| Source::new(format!("c/{path}"), *text)).collect();
        read(&Chart { chart: &chart, values: &[], files: &files, archives: &[] })
    }

    fn statuses(files: &[(&str, &str)]) -> Vec<String> {
        let found = read_files(files);
        let images = found.images.iter().map(|image| format!("{} {}", image.written, image.status()));
        images.chain(found.unreadable.iter().map(|it| it.message.clone())).collect()
    }

    #[test]
    fn what_never_ends_is_told() {
        let pod = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'r.io/a:1'}]}\n";
        for text in [
            "{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}",
            "{{ define \"x\" }}{{ include \"x\" . }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}",
            "{{ $x := \"aaaaaaaaaaaaaaaa\" }}{{ range until 999 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}{{ $x }}",
            "{{ range until 999 }}{{ range until 999 }}{{ range until 999 }}\nx\n{{ end }}{{ end }}{{ end }}",
            "{{ $x := list 1 }}{{ range until 999 }}{{ $x = concat $x $x }}{{ end }}{{ toYaml $x }}",
            "{{ $x := dict }}{{ range until 999 }}{{ $x = dict \"a\" $x \"b\" $x }}{{ end }}{{ toYaml $x }}",
            "{{ $x := dict }}{{ range until 999 }}{{ $x = set (dict) \"a\" $x }}{{ end }}{{ toYaml $x }}",
            "{{ $x := dict }}{{ $_ := set $x \"a\" $x }}{{ $_ := set $x \"b\" $x }}{{ toYaml $x }}{{ toJson $x }}{{ deepCopy $x }}",
            "{{ $x := dict }}{{ $_ := set $x \"a\" $x }}{{ merge $x $x }}",
            "{{ $x := \"{{ tpl $.Values.t . }}\" }}{{ tpl $x . }}",
            "{{ range until 999 }}{{ range until 999 }}{{ \"x\\n\" | indent 999 }}{{ end }}{{ end }}",
        ] {
            let start = std::time::Instant::now();
            let values = "t: '{{ tpl .Values.t . }}'\n";
            let found = read_files(&[("templates/a.yaml", text), ("templates/b.yaml", pod), ("values.yaml", values)]);
            let is_told =
                !found.unreadable.is_empty() || found.images.iter().any(|image| image.status() == "unresolved");
            let is_seen = found.images.iter().any(|image| image.written == "r.io/a:1");
            assert!(is_told || is_seen, "{text}");
            assert!(start.elapsed().as_secs() < 60, "{text}: {:?}", start.elapsed());
        }
    }

    #[test]
    fn what_nests_deep_is_no_crash() {
        let nested = |open: &str, close: &str| format!("{}{}", open.repeat(5000), close.repeat(5000));
        for text in [
            nested("{{ if true }}", "{{ end }}"),
            format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000)),
            nested("{{ if false }}{{ else if true }}", ""),
            "{{".repeat(5000),
            "{{/*".repeat(5000),
            format!("image: {{{{ {} }}}}", "1 | ".repeat(5000)),
        ] {
            assert!(!statuses(&[("templates/a.yaml", &text)]).is_empty(), "{}", text.get(..40).unwrap_or_default());
        }
        let mut values = String::from("a0: &a0 {image: 'r.io/a:1'}\n");
        for n in 1..60 {
            let _ = writeln!(values, "a{n}: &a{n} {{x: *a{0}, y: *a{0}, z: *a{0}}}", n - 1);
        }
        let files = [("values.yaml", values.as_str()), ("templates/a.yaml", "{{ toYaml .Values }}\n")];
        assert!(!statuses(&files).is_empty());
    }

    #[test]
    fn holes_are_never_silence() {
        let pod = |containers: &str| format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n{containers}");
        let holes = [
            pod("  {{ someFunction .Values | nindent 2 }}\n"),
            pod("  {{- range someFunction }}\n  - image: {{ .image }}\n  {{- end }}\n"),
            pod("  - {{ someFunction }}\n"),
            pod("  - image:\n      {{ .Release.Name }}\n"),
            pod("  - image: r.io/{{ lookup \"v1\" \"Pod\" \"a\" \"b\" }}\n"),
            pod("  - image: {{ randAlphaNum 5 }}\n"),
            pod("  - image: {{ .Release.Name | trunc 3 }}\n"),
            pod("  - image: {{ if .Release.IsInstall }}a{{ else }}b{{ end }}\n"),
            pod("  - image: {{ index .Values .Release.Name }}\n"),
            "{{ someFunction }}\n".to_owned(),
        ];
        for text in holes {
            let found = statuses(&[("templates/a.yaml", &text)]);
            assert!(found.iter().any(|it| it.ends_with(" unresolved")), "{text}{found:?}");
        }
    }
}

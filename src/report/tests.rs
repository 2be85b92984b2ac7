//! All formats before the same two reports: a friendly one, and one whose every text was written to do harm.

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::Value;

use super::visible::is_hidden;
use super::*;
use crate::finding::{Counts, Exempted, ListedException};
use crate::manifest::{LocatedImage, Related, State};
use crate::rule;
use crate::source::{Place, Source, Span};

const DIGEST: &str = "sha256:2f1d1b3e5c0a4e6f8b7a9c0d1e2f30415263748596a7b8c9d0e1f2a3b4c5d6e7";

const COMPOSE: &str = "\
services:
  web:
    image: ghcr.io/org/app:1.2.3
  cache:
    image: redis:latest
  tool:
    image: ghcr.io/vendor/tool:1
";

/// The place of a text in a source.
fn place(source: &Arc<Source>, text: &str) -> Place {
    let at = source.text().find(text).expect("the text stands in the source");
    Place::new(source, Span::new(at, at + text.len()))
}

fn finding(rule: &str, severity: Severity, place: Place, message: &str, help: &str) -> Finding {
    Finding {
        rule: rule::find(rule).expect("the rule exists"),
        severity,
        enforced: true,
        environment: "production".into(),
        repository: None,
        vulnerabilities: Vec::new(),
        image: Some(place.text().to_owned()),
        place,
        field: None,
        resource: None,
        message: message.to_owned(),
        help: help.to_owned(),
        related: Vec::new(),
        exception: None,
    }
}

/// An exception of a configuration in which nothing else stands.
fn exception(path: &str, image: &str, words: &str, days_left: Option<i64>, exempts: usize) -> ListedException {
    ListedException {
        image: image.to_owned(),
        path: None,
        rule: None,
        vulnerability: None,
        reason: words.to_owned(),
        ticket: None,
        expires: "2027-01-31".to_owned(),
        days_left,
        exempts,
        refused: None,
        place: place(&Source::new(path, format!("- image: '{image}'")), image),
    }
}

/// One that ends soon, one for another day, one that ended, one without a date.
fn exceptions() -> Vec<ListedException> {
    let exception = |image, words, days, exempts| exception("digest-gate.yml", image, words, days, exempts);
    let mut tool = exception("ghcr.io/vendor/tool", "vendor publishes no stable digest", Some(9), 1);
    tool.ticket = Some("POAM-17".to_owned());
    let mut later = exception("ghcr.io/org/**", "moves to the new registry", Some(68), 0);
    later.rule = Some("floating-tag");
    later.path = Some("deploy/prod/**".to_owned());
    later.refused = Some(place(&Source::new("org.yml", "# ours\nlevels: {floating-tag: error}"), "floating-tag"));
    let ended = exception("docker.io/library/redis", "cache, to be replaced", Some(-3), 0);
    let mut never = exception("docker.io/org/old", "nobody knows", None, 0);
    never.expires = "soon".to_owned();
    vec![tool, later, ended, never]
}

fn friendly() -> Report {
    let base = Source::new("compose.yml", "services:\n  web:\n    image: app\n");
    let compose = Source::new("deploy/prod/compose.yml", COMPOSE);
    let staging = Source::new("deploy/staging/job.yml", "kind: Job\nspec:\n\t- image: busybox # 容器\n");
    let mut web = finding(
        "unpinned",
        Severity::Error,
        place(&compose, "ghcr.io/org/app:1.2.3"),
        "`ghcr.io/org/app:1.2.3` has no digest",
        "write `ghcr.io/org/app:1.2.3@sha256:…`",
    );
    web.field = Some("services.web.image".to_owned());
    web.related.push(Related { place: place(&base, "app"), message: "declared here".to_owned() });
    let mut floating = finding(
        "floating-tag",
        Severity::Warning,
        place(&compose, "redis:latest"),
        "`latest` moves with every release",
        "name the full version",
    );
    floating.field = Some("services.cache.image".to_owned());
    let mut tool = finding(
        "unpinned",
        Severity::Error,
        place(&compose, "ghcr.io/vendor/tool:1"),
        "`ghcr.io/vendor/tool:1` has no digest",
        "write its digest",
    );
    tool.exception = Some(Exempted {
        reason: "vendor publishes no stable digest".to_owned(),
        ticket: Some("POAM-17".to_owned()),
        expires: "2027-01-31".to_owned(),
        days_left: 9,
    });
    let mut job = finding(
        "unpinned",
        Severity::Error,
        place(&staging, "busybox"),
        "`busybox` has no digest",
        "write `busybox:TAG@sha256:…`",
    );
    job.enforced = false;
    job.environment = "staging".into();
    job.resource = Some("Job/clean".to_owned());
    Report {
        findings: vec![web, floating, tool, job],
        counts: Counts { files: 3, images: 12, pinned: 8, unchecked: 0 },
        exceptions: exceptions(),
        level_sources: [("floating-tag", "`levels` of org.yml:2".to_owned())].into(),
        notices: vec!["`deploy/old` is not scanned: no environment names it".to_owned()],
    }
}

/// Everything that means something to a terminal, a runner, markdown, HTML, JSON or a reader.
const HARM: &str = "100%\r\n::error::x,:=##[add-mask]y`z|<script>alert(1)</script><!-- \u{202e}\u{1b}[31m@user #1 \
                    https://evil.example [a](b) **b** \\| ``` 容器👩‍🚀e\u{301}";

/// `copies` plain findings follow the odd ones.
fn hostile(copies: usize) -> Report {
    let path = "a b:c,d#e%/##[group]\u{202e}::x|`@user`.yml";
    let odd =
        Source::new(path, "\u{feff}容器👩‍🚀:\te\u{301} ##[error]x\u{1b}[2J\r\n  image: |-\r\n    a\r\n    b\r\nlast");
    let empty = Source::new("empty.yml", "");
    let mut findings = Vec::new();
    let spans = [
        place(&odd, "##[error]x\u{1b}[2J"),
        place(&odd, "e\u{301}"),
        place(&odd, "a\r\n    b"),
        place(&odd, "last"),
        Place::new(&odd, Span::new(odd.text().len(), odd.text().len())),
        Place::new(&odd, Span::new(9_000, 9_999)),
        Place::new(&odd, Span::new(1, 5)),
        Place::new(&empty, Span::default()),
    ];
    for (index, place) in spans.into_iter().enumerate() {
        let mut finding = finding("malformed-reference", Severity::Error, place, HARM, HARM);
        finding.field = Some(HARM.to_owned());
        finding.resource = Some(HARM.to_owned());
        finding.image = Some(HARM.to_owned());
        finding.enforced = index != 1;
        finding.environment = HARM.into();
        finding.related.push(Related { place: Place::new(&odd, Span::new(4, 9)), message: HARM.to_owned() });
        if index == 2 {
            finding.exception = Some(Exempted {
                reason: HARM.to_owned(),
                ticket: Some(HARM.to_owned()),
                expires: HARM.to_owned(),
                days_left: 3,
            });
        }
        findings.push(finding);
    }
    let many = Source::new("many.yml", "- image: nginx\n".repeat(copies.max(1)));
    for copy in 0..copies {
        let place = Place::new(&many, Span::new(copy * 15 + 9, copy * 15 + 14));
        findings.push(finding("unpinned", Severity::Error, place, "`nginx` has no digest", "write its digest"));
    }
    let mut odd = exception(path, HARM, HARM, None, 0);
    (odd.ticket, odd.path, odd.expires) = (Some(HARM.to_owned()), Some(HARM.to_owned()), HARM.to_owned());
    let exceptions = vec![exception(path, HARM, HARM, Some(3), 1), odd];
    let counts = Counts { files: 3, images: 208, pinned: 0, unchecked: 2 };
    Report { findings, counts, exceptions, notices: vec![HARM.into()], ..Report::default() }
}

/// One image of each status, as it is deployed.
fn located() -> Vec<Deployed> {
    let deployed = |(index, image)| Deployed {
        image,
        environment: if index == 1 { "staging" } else { "production" }.into(),
        enforced: index != 1,
        whole: Arc::default(),
        complete: true,
    };
    every_status().into_iter().enumerate().map(deployed).collect()
}

fn every_status() -> Vec<LocatedImage> {
    let pinned = format!("ghcr.io/org/app:1.2.3@{DIGEST}");
    let text = format!("{pinned}\nnginx\n\"nginx:1.2.3@sha256:abc\"\n${{IMAGE}}\n.\nscratch\n{HARM}");
    let source = Source::new("deploy/prod/all.yml", text);
    let image = |written: &str, field: &str, state: State| {
        LocatedImage::new("compose", &source, place(&source, written).span, field, written, state)
    };
    let mut built = image(".", "services.built.build", State::Built);
    built.written = String::new();
    let mut images = vec![
        image(&pinned, "services.web.image", State::of(&pinned)),
        image("nginx", "services.proxy.image", State::of("nginx")),
        image("nginx:1.2.3@sha256:abc", "services.short.image", State::of("nginx:1.2.3@sha256:abc")),
        image("${IMAGE}", "services.any.image", State::unresolved("nothing sets `IMAGE`")),
        built,
        image("scratch", "FROM", State::Local),
        image(HARM, HARM, State::of(HARM)),
    ];
    for image in images.iter_mut().take(1) {
        image.resource = Some("Deployment/web".to_owned());
    }
    images
}

fn style() -> Style {
    Style { version: "1.2.3", ..Style::default() }
}

/// JSON on one line, laid out for review.
fn laid_out(name: &str, text: String) -> String {
    match (name, serde_json::from_str::<Value>(&text)) {
        ("sarif" | "cyclonedx", Ok(value)) => format!("{value:#}"),
        _ => text,
    }
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "../../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

/// The formats of `check`.
fn checks() -> impl Iterator<Item = (&'static str, fn(&Report, &Style) -> String)> {
    FORMATS.iter().filter_map(|format| Some((format.name, format.check?)))
}

#[test]
fn each_format_before_both_reports() {
    for format in FORMATS {
        let name = format.name;
        if let Some(check) = format.check {
            snapshot(&format!("report-{name}-friendly"), &laid_out(name, check(&friendly(), &style())));
            snapshot(&format!("report-{name}-hostile"), &laid_out(name, check(&hostile(0), &style())));
        }
        if let Some(images) = format.images {
            snapshot(&format!("report-{name}-images"), &laid_out(name, images(&located(), &style())));
        }
    }
    for (name, report) in [("friendly", friendly()), ("hostile", hostile(0))] {
        snapshot(&format!("report-step-summary-{name}"), &step_summary::page(&report, step_summary::MAX_BYTES));
        let output = check_run::output(&report);
        snapshot(&format!("report-check-run-{name}"), &serde_json::to_string_pretty(&output).expect("it is JSON"));
    }
    let colored = terminal::check(&friendly(), &Style { color: true, ..style() });
    snapshot("report-human-colored", &colored.replace('\u{1b}', "␛"));
}

#[test]
fn a_report_of_nothing_is_whole_in_each_format() {
    let report = Report::default();
    for format in FORMATS {
        if let Some(check) = format.check {
            let text = check(&report, &style());
            assert!(text.ends_with('\n'), "{}", format.name);
            check_shape(format.name, &text);
        }
        if let Some(images) = format.images {
            check_shape(format.name, &images(&[], &style()));
        }
    }
    assert_eq!(verdict(&report), "pass: 0 files, 0 images: 0 pinned, 0 errors, 0 warnings");
    assert_eq!(check_run::output(&report).text, "");
}

#[test]
fn the_verdict_tells_advice_from_what_blocks() {
    let mut report = friendly();
    assert_eq!(verdict(&report), "fail: 3 files, 12 images: 8 pinned, 2 errors (1 advisory), 1 warning, 1 exempted");
    report.findings.remove(0);
    report.counts.unchecked = 2;
    assert_eq!(
        verdict(&report),
        "pass: 3 files, 12 images: 8 pinned, 1 error (advisory), 1 warning, 2 unchecked, 1 exempted"
    );
}

#[test]
fn no_format_lets_harm_through() {
    for report in [friendly(), hostile(200)] {
        for (name, check) in checks() {
            check_shape(name, &check(&report, &style()));
        }
        check_shape("markdown", &step_summary::page(&report, step_summary::MAX_BYTES));
        let output = check_run::output(&report);
        check_shape("markdown", &output.summary);
        check_shape("markdown", &output.text);
    }
    for format in FORMATS {
        if let Some(images) = format.images {
            check_shape(format.name, &images(&located(), &style()));
        }
    }
}

/// What holds for every text of a format, whatever the report says.
fn check_shape(format: &str, text: &str) {
    let bare = text.replace('\n', "");
    assert!(!bare.contains(is_hidden), "{format}: {bare:?}");
    for line in text.lines() {
        let command = line.trim_start().strip_prefix("::").and_then(|rest| rest.split_once("::")).map(|(head, _)| head);
        let name = command.map(|head| head.split(' ').next().unwrap_or_default());
        match (format, name) {
            ("github", Some(name)) => assert!(["error", "warning", "notice"].contains(&name), "{line}"),
            // A related place begins with `:::`: the runner then looks for a command named `:`.
            (_, name) => assert!(name.is_none_or(|name| name == ":"), "{line}"),
        }
        assert!(line.starts_with("::") && format == "github" || !line.contains("##["), "{format}: {line}");
    }
    match format {
        "json" => text.lines().for_each(|line| assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}")),
        "sarif" => check_sarif(&serde_json::from_str(text).expect("SARIF is JSON")),
        "gitlab" => assert!(serde_json::from_str::<Value>(text).expect("it is JSON").is_array()),
        "markdown" => check_tables(text),
        "cyclonedx" => check_bill(&serde_json::from_str(text).expect("it is JSON")),
        _ => {}
    }
}

/// The bill fits the schema of its format, and what is referred to is there.
fn check_bill(bill: &Value) {
    static VALIDATOR: OnceLock<jsonschema::Validator> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| {
        let read = |text: &str| serde_json::from_str::<Value>(text).expect("it is JSON");
        let beside = |name: &str| format!("http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json");
        let registry = jsonschema::Registry::new()
            .add(beside("spdx"), read(include_str!("../../tests/data/cyclonedx/spdx.SNAPSHOT.schema.json")))
            .and_then(|it| {
                it.add(
                    beside("jsf-0.82"),
                    read(include_str!("../../tests/data/cyclonedx/jsf-0.82.SNAPSHOT.schema.json")),
                )
            })
            .and_then(jsonschema::RegistryBuilder::prepare)
            .expect("the schemas are whole");
        let schema = read(include_str!("../../tests/data/cyclonedx/bom-1.6.SNAPSHOT.schema.json"));
        jsonschema::options().with_registry(&registry).build(&schema).expect("the schema is one")
    });
    let errors: Vec<_> = validator.iter_errors(bill).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let names: Vec<_> =
        bill["components"].as_array().unwrap().iter().map(|it| it["bom-ref"].as_str().unwrap()).collect();
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(names, distinct, "sorted, and each is there once");
    let root = bill["dependencies"][0]["dependsOn"].as_array().cloned().unwrap_or_default();
    assert_eq!(root, names.iter().map(|name| Value::from(*name)).collect::<Vec<_>>());
}

/// Each table keeps its number of columns, and nothing of others is markup.
fn check_tables(text: &str) {
    let mut columns = None;
    for line in text.lines() {
        let bars = line.matches('|').count();
        if line.starts_with('|') {
            assert_eq!(*columns.get_or_insert(bars), bars, "{line}");
            assert!(line.ends_with('|'), "{line}");
        } else {
            assert!(columns.take().is_none() || line.is_empty(), "a table ends with an empty line: {line}");
        }
        let ours = ["<code>", "</code>", "<br>", "<!-- -->"].iter().fold(line.to_owned(), |l, tag| l.replace(tag, ""));
        assert!(!ours.contains('<') && !ours.contains('>'), "{line}");
        assert!(!line.contains("](") && !line.contains("://") && !line.contains("@user"), "{line}");
    }
}

/// The parts of SARIF 2.1.0 that GitHub requires (docs: "SARIF support for code scanning").
fn check_sarif(log: &Value) {
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().is_some_and(|schema| schema.ends_with("sarif-2.1.0.json")));
    let run = &log["runs"][0];
    assert_eq!(run["automationDetails"]["id"], "digest-gate/");
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    for rule in rules {
        for part in ["shortDescription", "fullDescription", "help"] {
            let length = rule[part]["text"].as_str().expect("text").chars().count();
            assert!((1..=1024).contains(&length), "{rule}");
        }
        let severity: f32 = rule["properties"]["security-severity"].as_str().expect("text").parse().expect("a number");
        assert!(severity > 0.0 && severity < 10.0);
        assert_eq!(rule["properties"]["tags"][0], "security");
    }
    let results = run["results"].as_array().expect("results");
    assert!(results.len() <= 25_000);
    let mut fingerprints = std::collections::HashSet::new();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().expect("text")));
        let location = &result["locations"][0]["physicalLocation"];
        let uri = location["artifactLocation"]["uri"].as_str().expect("text");
        assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~%".contains(&b)), "{uri}");
        let number = |name: &str| location["region"][name].as_u64().expect("a number");
        assert!(number("startLine") >= 1 && number("startColumn") >= 1);
        assert!((number("startLine"), number("startColumn")) <= (number("endLine"), number("endColumn")));
        let hash = result["partialFingerprints"]["primaryLocationLineHash"].as_str().expect("text");
        assert!(fingerprints.insert(hash), "{hash} names two results");
    }
    check_no_empty_string(log);
}

fn check_no_empty_string(value: &Value) {
    match value {
        Value::String(text) => assert!(!text.is_empty()),
        Value::Array(values) => values.iter().for_each(check_no_empty_string),
        Value::Object(map) => map.values().for_each(check_no_empty_string),
        _ => {}
    }
}

#[test]
fn annotations_are_ten_of_a_kind_and_the_gravest_first() {
    let text = annotations::check(&hostile(200), &style());
    assert_eq!(text.matches("::error file=").count(), 10);
    assert_eq!(text.matches("::warning file=").count(), 1);
    assert!(text.ends_with("196 errors more: the job summary lists them, and so does `digest-gate check`\n"), "{text}");
    assert!(text.starts_with("::error "));
    assert!(text.contains("file=a b%3Ac%2Cd#e%25/##[group]<U+202E>%3A%3Ax|`@user`.yml,line=1,"), "{text}");
}

#[test]
fn columns_are_given_for_one_line_alone() {
    let mut report = hostile(0);
    for finding in &mut report.findings {
        finding.exception = None;
    }
    for annotation in check_run::output(&report).annotations {
        assert_eq!(annotation.start_column.is_some(), annotation.start_line == annotation.end_line);
        assert_eq!(annotation.start_column.is_some(), annotation.end_column.is_some());
        assert!(annotation.start_line >= 1 && annotation.start_line <= annotation.end_line);
    }
    let text = annotations::check(&report, &style());
    assert!(text.contains(",line=3,endLine=4,title="), "{text}");
}

#[test]
fn a_page_ends_at_a_row_below_its_limit() {
    let report = hostile(3_000);
    for max in [100, 400, 2_000, 20_000, 65_535, 1 << 20] {
        let page = step_summary::page(&report, max);
        assert!(page.len() <= max, "{} of {max}", page.len());
        check_tables(&page);
    }
    assert!(step_summary::page(&report, 20_000).contains("findings more: `digest-gate check` lists everything."));
    assert!(!step_summary::page(&report, 1 << 20).contains("findings more"));
    let output = check_run::output(&report);
    assert!(output.summary.len() < 65_535 && output.text.len() < 65_535 && output.text.len() > 64_000);
    assert_eq!(output.annotations.len(), 3_007);
    assert!(output.annotations.iter().all(|a| a.title.chars().count() <= 255 && a.message.len() < 64_000));
    assert!(markdown::check(&report, &style()).len() <= markdown::COMMENT_BYTES);
}

#[test]
fn one_huge_text_crowds_nothing_out() {
    let mut report = friendly();
    report.findings[0].message = "`x|".repeat(500_000);
    report.findings[0].image = Some("😀".repeat(500_000));
    let page = step_summary::page(&report, step_summary::MAX_BYTES);
    assert!(page.len() < 40_000 && page.contains("redis:latest"), "{}", page.len());
    assert!(terminal::check(&report, &style()).len() < 40_000);
    let output = check_run::output(&report);
    assert!(output.annotations[0].message.len() < 64_000);
    let line = annotations::check(&report, &style());
    assert!(line.lines().next().expect("a line").encode_utf16().count() < 4_096 + 200);
}

#[test]
fn an_exempted_finding_is_a_suppressed_result_and_no_annotation() {
    let log: Value = serde_json::from_str(&sarif::check(&friendly(), &style())).expect("it is JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    let suppressed: Vec<_> = results.iter().filter(|result| result.get("suppressions").is_some()).collect();
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0]["suppressions"][0]["kind"], "external");
    assert_eq!(suppressed[0]["level"], "note");
    let text = annotations::check(&friendly(), &style());
    assert!(!text.lines().any(|line| line.starts_with("::error") && line.contains("vendor/tool")), "{text}");
    let issues: Value = serde_json::from_str(&gitlab::check(&friendly(), &style())).expect("it is JSON");
    let about_tool = |issue: &&Value| issue["description"].as_str().is_some_and(|text| text.contains("vendor/tool"));
    let names: Vec<_> = issues.as_array().expect("a list").iter().filter(about_tool).collect();
    assert!(names.len() == 1 && names[0]["check_name"] == "exception", "{names:?}");
}

/// The words of each exception, which a format may escape: what stands between the marks.
#[test]
fn every_format_lists_every_exception_and_announces_the_end() {
    let report = friendly();
    let mut texts: Vec<_> = checks().map(|(name, check)| (name, check(&report, &style()))).collect();
    texts.push(("summary", step_summary::page(&report, step_summary::MAX_BYTES)));
    texts.push(("check run", check_run::output(&report).summary));
    for (format, text) in texts {
        for words in [
            "vendor publishes no stable digest",
            "POAM-17",
            "in 9 days",
            "moves to the new registry",
            "cache, to be replaced",
            "nobody knows",
        ] {
            assert!(text.contains(words), "{format} does not say `{words}`: {text}");
        }
        // GitLab's format has no notices: the severity of the exception says it.
        let announced =
            text.contains("before that day") || text.contains(r#""severity":"minor","location":{"path":"d"#);
        assert!(announced, "{format}: {text}");
        if format != "json" {
            assert!(text.contains("in 68 days") && text.contains("3 days ago"), "{format}: {text}");
        }
    }
}

#[test]
fn too_many_results_lose_the_least_grave() {
    let mut report = hostile(25_100);
    report.findings.push(friendly().findings.remove(1));
    let log: Value = serde_json::from_str(&sarif::check(&report, &style())).expect("it is JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 25_000);
    assert!(results.iter().all(|result| result["level"] == "error"));
    let notes = log["runs"][0]["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(notes.contains("109 findings left out"), "{notes}");
}

#[test]
fn a_fingerprint_is_not_moved_by_lines_above_it() {
    let with = |above: &str| {
        let source = Source::new("a.yml", format!("{above}image: nginx\nimage: nginx\n"));
        let mut report = Report::default();
        for (at, _) in source.text().match_indices("nginx") {
            let place = Place::new(&source, Span::new(at, at + 5));
            report.findings.push(finding("unpinned", Severity::Error, place, "m", "h"));
        }
        fingerprints(&report)
    };
    assert_eq!(with(""), with("# a\n# b\n"));
    assert_ne!(with("")[0], with("")[1]);
}

#[test]
fn the_underline_stands_below_the_image_as_it_is_displayed() {
    let lines = |text: &str, span: Span, width: usize| {
        let place = Place::new(&Source::new("a", text), span);
        let mut report = Report::default();
        report.findings.push(finding("unpinned", Severity::Error, place, "m", "h"));
        let shown = terminal::check(&report, &Style { width, ..style() });
        let mut lines = shown.lines().skip(3).map(str::to_owned);
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default())
    };
    let under = |line: &str, carets: &str| (line.to_owned(), carets.to_owned());
    assert_eq!(lines("\u{feff}\tab cd", Span::new(4, 6), 80), under("1 |     ab cd", "  |     ^^"));
    assert_eq!(lines("容器 ab", Span::new(7, 9), 80), under("1 | 容器 ab", "  |      ^^"));
    assert_eq!(lines("e\u{301} ab", Span::new(4, 6), 80), under("1 | e\u{301} ab", "  |   ^^"));
    assert_eq!(lines("\u{1b}\u{202e} ab", Span::new(5, 7), 80), under("1 | ␛<U+202E> ab", "  |           ^^"));
    assert_eq!(lines("##[x] ab", Span::new(2, 5), 80), under("1 | ##\\[x] ab", "  |   ^^^^"));
    assert_eq!(lines("a", Span::new(1, 1), 80), under("1 | a", "  |  ^"));
    assert_eq!(lines("a\n", Span::new(2, 2), 80), under("2 |", "  | ^"));
    assert_eq!(lines("ab\r\ncd\n", Span::new(1, 6), 80), under("1 | ab", "  |  ^ to line 2"));
    let long = format!("{}IMAGE{}", "x".repeat(5_000), "y".repeat(5_000));
    let (line, carets) = lines(&long, Span::new(5_000, 5_005), 60);
    assert_eq!(line.chars().count(), 60);
    assert!(line.starts_with("1 | …xxx") && line.ends_with("yyy…"), "{line}");
    let at = carets.find('^').expect("an underline");
    assert_eq!(line.chars().skip(at).take(carets.matches('^').count()).collect::<String>(), "IMAGE");
}

#[test]
fn tens_of_thousands_of_findings_on_one_line_take_linear_time() {
    let count = 30_000;
    let source = Source::new("min.json", "{\"image\":\"nginx\",\"é\":\"xxxxxxxxxxxxxxxxxxx\"},".repeat(count));
    let step = source.text().len() / count;
    let mut report = Report::default();
    for index in 0..count {
        let place = Place::new(&source, Span::new(index * step + 10, index * step + 15));
        report.findings.push(finding("unpinned", Severity::Error, place, "`nginx` has no digest", "write its digest"));
    }
    for (_, check) in checks() {
        assert!(!check(&report, &style()).is_empty());
    }
    assert_eq!(check_run::output(&report).annotations.len(), count);
}

/// Text of others: pieces that mean something somewhere, between any characters.
fn any_text() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "::",
        "##",
        "[",
        "##[error]",
        "::error::",
        "\r",
        "\n",
        "\r\n",
        " ",
        "\u{a0}",
        "%",
        ",",
        "|",
        "`",
        "``",
        "<",
        "-->",
        "@user",
        "#1",
        "\\",
        "*",
        "_",
        "\u{202e}",
        "\u{1b}",
        "\u{feff}",
        "www.",
        "https://",
        "](",
        "\"",
        "容",
        "e\u{301}",
        "\u{85}",
        "\u{2028}",
        "\0",
        "&",
        "x",
        "sha256:",
    ];
    let piece = prop_oneof![3 => prop::sample::select(PIECES).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn whatever_the_texts_are_no_format_is_broken_by_them() {
    let config = ProptestConfig {
        cases: 1_500,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_124),
        ..ProptestConfig::default()
    };
    let texts = prop::collection::vec(any_text(), 10);
    let input = (texts, 0_usize..60, 0_usize..60, any::<bool>(), any::<bool>());
    TestRunner::new(config)
        .run(&input, |(texts, start, length, enforced, exempt)| {
            let report = random_report(&texts, Span::new(start, start + length), enforced, exempt);
            for (name, check) in checks() {
                check_shape(name, &check(&report, &style()));
            }
            check_shape("markdown", &step_summary::page(&report, 3_000));
            let image = random_image(&texts, &report.findings[0].place);
            for format in FORMATS {
                if let Some(images) = format.images {
                    check_shape(format.name, &images(std::slice::from_ref(&image), &style()));
                }
            }
            let json = json::check(&report, &style());
            let first: Value = serde_json::from_str(json.lines().next().expect("a line")).expect("it is JSON");
            prop_assert_eq!(&first["message"], &Value::from(texts[2].as_str()));
            prop_assert_eq!(&first["path"], &Value::from(texts[0].as_str()));
            Ok(())
        })
        .expect("the property holds");
}

fn random_image(texts: &[String], place: &Place) -> Deployed {
    let state = State::of(&texts[6]);
    let mut image = LocatedImage::new("compose", &place.source, place.span, texts[4].as_str(), &texts[5], state);
    image.resource = Some(texts[7].clone());
    Deployed { image, environment: texts[8].as_str().into(), enforced: true, whole: Arc::default(), complete: true }
}

fn random_report(texts: &[String], span: Span, enforced: bool, exempt: bool) -> Report {
    let source = Source::new(texts[0].as_str(), texts[1].as_str());
    let mut finding = finding("unpinned", Severity::Error, Place::new(&source, span), &texts[2], &texts[3]);
    finding.enforced = enforced;
    finding.field = Some(texts[4].clone());
    finding.resource = Some(texts[5].clone());
    finding.image = Some(texts[6].clone());
    finding.environment = texts[7].as_str().into();
    finding.related.push(Related { place: Place::new(&source, span), message: texts[8].clone() });
    finding.exception = exempt.then(|| Exempted {
        reason: texts[7].clone(),
        ticket: Some(texts[8].clone()),
        expires: texts[9].clone(),
        days_left: 1,
    });
    let mut listed = exception(&texts[0], &texts[1], &texts[2], exempt.then_some(1), 0);
    (listed.ticket, listed.path, listed.expires) = (Some(texts[3].clone()), Some(texts[4].clone()), texts[5].clone());
    let notices = vec![texts[9].clone()];
    Report { findings: vec![finding], exceptions: vec![listed], notices, ..Report::default() }
}

//! SARIF 2.1.0 as Trivy, Grype and Docker Scout write it.
//!
//! The standard has no place for an image's digest. Trivy puts it into the run's properties (`repoDigests`). Grype puts
//! the image it was asked for before the *layer's* digest in each logical location (`IMAGE@LAYER:/path`). Docker Scout
//! puts it nowhere. A run without `results` says that nothing was scanned; an empty list says that nothing was found.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;

use super::purl::{Package, digest_of};
use super::read::{Read, Wrong};
use super::{Found, Report, grade};
use crate::resolution::{Fix, Grade};

#[derive(Deserialize)]
pub(super) struct Sarif {
    version: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    results: Option<Vec<Line>>,
    invocations: Option<Vec<Invocation>>,
    properties: Option<RunProperties>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Driver,
}

#[derive(Deserialize)]
struct Driver {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    help: Option<Message>,
    default_configuration: Option<Configuration>,
    properties: Option<RuleProperties>,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<String>,
}

#[derive(Default, Deserialize)]
struct RuleProperties {
    #[serde(rename = "security-severity")]
    score: Option<serde_json::Value>,
    #[serde(rename = "cvssV3_severity")]
    severity: Option<String>,
    tags: Option<Vec<String>>,
    purl: Option<String>,
    purls: Option<Vec<String>>,
    fixed_version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunProperties {
    image_name: Option<String>,
    repo_digests: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    rule_id: Option<String>,
    rule: Option<RuleReference>,
    rule_index: Option<i64>,
    level: Option<String>,
    kind: Option<String>,
    message: Option<Message>,
    #[serde(default)]
    locations: Vec<Location>,
}

#[derive(Deserialize)]
struct RuleReference {
    id: Option<String>,
    index: Option<i64>,
}

#[derive(Deserialize)]
struct Message {
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(default)]
    logical_locations: Vec<Logical>,
    physical_location: Option<Physical>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Option<Artifact>,
}

#[derive(Deserialize)]
struct Artifact {
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logical {
    fully_qualified_name: Option<String>,
}

pub(super) fn read(sarif: Sarif) -> Result<Read, Wrong> {
    if sarif.version != "2.1.0" {
        return Err(format!("SARIF {} is not known: 2.1.0 is", super::purl::short(&sarif.version)));
    }
    if sarif.runs.is_empty() {
        return Err("it has no run: nothing was scanned".to_owned());
    }
    let reports = sarif.runs.into_iter().map(report).collect();
    Ok(Read { reports, ..Read::default() })
}

fn report(run: Run) -> Report {
    let mut report = Report::default();
    let properties = run.properties.unwrap_or_default();
    report.image = properties.image_name;
    report.digests = properties.repo_digests.unwrap_or_default().iter().filter_map(|it| digest_of(it)).collect();
    if report.digests.is_empty() {
        report.digests.extend(report.image.as_deref().and_then(digest_of));
    }
    let has_failed = |it: &Invocation| it.execution_successful == Some(false);
    if run.invocations.is_some_and(|all| all.iter().any(has_failed)) {
        report.void = Some("the scanner says that it failed".to_owned());
    }
    let Some(results) = run.results else {
        report.void = Some("its run has no `results`: nothing was scanned".to_owned());
        return report;
    };
    if report.digests.is_empty() {
        named_by_locations(&results, &mut report);
    }
    let rules = Rules::of(&run.tool.driver.rules);
    report.found = results.iter().filter(|line| line.is_finding()).filter_map(|line| found(line, &rules)).collect();
    report
}

/// The image that Grype was asked for. Results about several images are no scan of one.
fn named_by_locations(results: &[Line], report: &mut Report) {
    let locations = results.iter().flat_map(|line| &line.locations).flat_map(|it| &it.logical_locations);
    let names = locations.filter_map(|it| it.fully_qualified_name.as_deref());
    let images: BTreeSet<&str> = names.filter_map(|name| Some(name.split_once(":/")?.0.rsplit_once('@')?.0)).collect();
    let mut images = images.into_iter();
    match (images.next(), images.next()) {
        (Some(image), None) => {
            report.image = Some(image.to_owned());
            report.digests.extend(digest_of(image));
        }
        (Some(_), Some(_)) => report.void = Some("its results are about several images".to_owned()),
        (None, _) => {}
    }
}

impl Line {
    /// Whether it reports a problem. What a scanner suppressed counts: Grype once marked every result so.
    fn is_finding(&self) -> bool {
        !matches!(self.kind.as_deref(), Some("pass" | "notApplicable" | "informational"))
    }

    /// Where it was found, as far as it says.
    fn file(&self) -> Option<&str> {
        self.locations.iter().find_map(|it| it.physical_location.as_ref()?.artifact_location.as_ref()?.uri.as_deref())
    }
}

/// The rules of a run, by their place and by their name.
struct Rules<'r> {
    all: &'r [Rule],
    by_name: HashMap<&'r str, &'r Rule>,
}

impl<'r> Rules<'r> {
    fn of(all: &'r [Rule]) -> Self {
        // Of several of one name the first counts.
        Self { all, by_name: all.iter().rev().map(|rule| (rule.id.as_str(), rule)).collect() }
    }

    /// The rule that a result broke.
    fn of_line(&self, line: &Line) -> Option<&'r Rule> {
        let id = line.rule_id.as_deref().or_else(|| line.rule.as_ref()?.id.as_deref());
        let index = line.rule_index.or_else(|| line.rule.as_ref()?.index);
        let by_index = index.and_then(|index| self.all.get(usize::try_from(index).ok()?));
        // Old scanners write 0 for every index: the name goes first.
        let by_index = by_index.filter(|rule| id.is_none_or(|id| id == rule.id));
        by_index.or_else(|| self.by_name.get(id?).copied())
    }
}

fn found(line: &Line, rules: &Rules<'_>) -> Option<Found> {
    let rule = rules.of_line(line);
    let text = |message: Option<&Message>| message.and_then(|it| it.text.clone()).unwrap_or_default();
    let message = text(line.message.as_ref());
    let help = text(rule.and_then(|rule| rule.help.as_ref()));
    let value = |keys: &[&str]| keys.iter().find_map(|key| labelled(&message, key).or_else(|| labelled(&help, key)));
    let properties = rule.and_then(|rule| rule.properties.as_ref());
    let tags = properties.and_then(|it| it.tags.as_deref()).unwrap_or_default();
    if tags.iter().any(|tag| tag == "license") {
        return None;
    }
    let id = line.rule_id.as_deref().or(rule.map(|rule| rule.id.as_str())).unwrap_or("a result without a name");
    let purls = properties.into_iter().flat_map(|it| it.purls.iter().flatten().chain(&it.purl));
    let purl = purls.into_iter().find_map(|it| Package::parse(it));
    let named =
        value(&["Package"]).map(|name| Package::named(&name, value(&["Installed Version", "Version"]).as_deref()));
    let part = named.as_ref().or(purl.as_ref()).map(Package::shown);
    let part = part.or_else(|| line.file().map(str::to_owned)).unwrap_or_else(|| "a part it does not name".to_owned());
    let of_rule = properties.and_then(|it| it.fixed_version.clone());
    Some(Found {
        grade: graded(line, rule, &message, &help),
        ids: vec![vulnerability(id).to_owned()],
        part,
        fix: match of_rule.or_else(|| value(&["Fixed Version", "Fix Version"])) {
            Some(version) if version.is_empty() || version == "not fixed" => Fix::Nowhere,
            Some(version) => Fix::In(version),
            None => Fix::Unknown,
        },
        package: purl.or(named),
    })
}

/// The value behind `Key:` at the beginning of a line, as Trivy and Grype write it.
fn labelled(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().map(str::trim).take(16);
    lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(|it| it.trim().to_owned()).next()
}

/// The vulnerability in the name of a rule: Grype's are `CVE-…-package`.
fn vulnerability(rule: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    for (prefix, parts) in [("CVE-", 3), ("GHSA-", 4)] {
        let Some(at) = rule.find(prefix) else { continue };
        let name = rule.get(at..).unwrap_or_default();
        let name = name.split(|c| !is_part(c)).next().unwrap_or_default();
        let end = name.match_indices('-').nth(parts - 1).map_or(name.len(), |(at, _)| at);
        return name.get(..end).unwrap_or(rule);
    }
    rule
}

/// How grave a result is: by a word where there is one, else by the score, else by the level. A word that grades nothing
/// (`UNKNOWN`) is the last word.
fn graded(line: &Line, rule: Option<&Rule>, message: &str, help: &str) -> Option<Grade> {
    let properties = rule.and_then(|rule| rule.properties.as_ref());
    let tags = properties.into_iter().flat_map(|it| it.tags.iter().flatten()).map(String::as_str);
    let mut words = labelled(message, "Severity").into_iter().collect::<Vec<_>>();
    words.extend(tags.filter(|tag| is_word(tag)).map(str::to_owned));
    words.extend(properties.and_then(|it| it.severity.clone()));
    words.extend(labelled(help, "Severity"));
    let score = properties.and_then(|it| score(it.score.as_ref()?));
    if let Some(word) = words.iter().find(|word| is_word(word)) {
        return grade(word).or_else(|| score.and_then(of_score));
    }
    if let Some(score) = score {
        return of_score(score);
    }
    let default = rule.and_then(|rule| rule.default_configuration.as_ref()?.level.as_deref());
    match line.level.as_deref().or(default).unwrap_or("warning") {
        "error" => Some(Grade::High),
        "warning" => Some(Grade::Medium),
        _ => Some(Grade::Low),
    }
}

fn is_word(text: &str) -> bool {
    grade(text).is_some() || ["unknown", "unspecified"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn score(value: &serde_json::Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|score| score.is_finite())
}

/// The bands of CVSS v3, which code scanning uses for `security-severity`, too. Nothing scored is nothing graded.
fn of_score(score: f64) -> Option<Grade> {
    match score {
        score if score >= 9.0 => Some(Grade::Critical),
        score if score >= 7.0 => Some(Grade::High),
        score if score >= 4.0 => Some(Grade::Medium),
        score if score > 0.0 => Some(Grade::Low),
        _ => None,
    }
}

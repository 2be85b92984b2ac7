//! `sarif`: SARIF 2.1.0 as GitHub code scanning reads it, within its limits.
//!
//! An advisory error has the level `warning`: a ruleset that requires "no errors" then blocks exactly what the gate
//! blocks. An exempted finding is a suppressed result, with the reason as its justification; as GitHub does not look
//! at suppressions, its level is `note`.

use std::cmp::Reverse;
use std::fmt::Write as _;

use serde::Serialize;

use super::{Shown, Style, counted, ends, exceptions, fingerprints, is_advisory, json, notices, visible};
use crate::finding::{Exempted, Finding, Report};
use crate::manifest::Related;
use crate::rule::{Level, RULES, Rule};
use crate::source::Place;

/// Results of one run; GitHub refuses a file with more.
const MAX_RESULTS: usize = 25_000;

/// Related places of one result; GitHub shows no more locations than these.
const MAX_RELATED: usize = 100;

/// Characters of a description.
const MAX_DESCRIPTION: usize = 1_024;

/// Characters of a message.
const MAX_MESSAGE: usize = 8_192;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'a str,
    version: &'a str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    automation_details: AutomationDetails<'a>,
    column_kind: &'a str,
    invocations: [Invocation<'a>; 1],
    results: Vec<SarifResult<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'a str,
    version: &'a str,
    semantic_version: &'a str,
    rules: Vec<ReportingDescriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportingDescriptor<'a> {
    id: &'a str,
    short_description: Message,
    full_description: Message,
    help: Message,
    default_configuration: Configuration<'a>,
    properties: RuleProperties<'a>,
}

#[derive(Serialize)]
struct Configuration<'a> {
    level: &'a str,
}

#[derive(Serialize)]
struct RuleProperties<'a> {
    #[serde(rename = "security-severity")]
    security_severity: &'a str,
    precision: &'a str,
    tags: [&'a str; 2],
}

#[derive(Serialize)]
struct AutomationDetails<'a> {
    id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    execution_successful: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
struct Notification<'a> {
    level: &'a str,
    message: Message,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'a str,
    message: Message,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    partial_fingerprints: PartialFingerprints,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressions: Option<[Suppression<'a>; 1]>,
    properties: ResultProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are SARIF's")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    logical_locations: Option<[LogicalLocation; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialFingerprints {
    primary_location_line_hash: String,
}

#[derive(Serialize)]
struct Suppression<'a> {
    kind: &'a str,
    status: &'a str,
    justification: String,
}

#[derive(Serialize)]
struct ResultProperties<'a> {
    enforced: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    environment: &'a str,
}

#[derive(Serialize)]
struct Message {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    markdown: Option<String>,
}

impl Message {
    /// Text of ours; never empty, which GitHub refuses.
    fn new(text: &str, max: usize) -> Self {
        let text = visible::shortened(text, max);
        Self { text: if text.trim().is_empty() { "-".to_owned() } else { text.into_owned() }, markdown: None }
    }

    /// Text of others: brackets would be a link (SARIF 2.1.0, section 3.11.6).
    fn inert(text: &str, max: usize) -> Self {
        let mut message = Self::new(text, max);
        message.text = message.text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]");
        message
    }
}

/// The report as one SARIF log.
#[must_use]
pub fn check(report: &Report, style: &Style) -> String {
    let mut notifications: Vec<Notification<'_>> = notices(report)
        .iter()
        .map(|notice| Notification { level: "note", message: Message::inert(notice, MAX_MESSAGE) })
        .collect();
    notifications.extend(report.exceptions.iter().map(|exception| {
        let text = format!("exception: {}", exceptions::line(exception));
        Notification { level: "note", message: Message::inert(&text, MAX_MESSAGE) }
    }));
    let left = report.findings.len().saturating_sub(MAX_RESULTS);
    if left > 0 {
        let text = format!("{} left out: code scanning takes {MAX_RESULTS} results at most", counted(left, "finding"));
        notifications.push(Notification { level: "warning", message: Message::new(&text, MAX_MESSAGE) });
    }
    let run = Run {
        tool: Tool {
            driver: Driver {
                name: "digest-gate",
                version: style.version,
                semantic_version: style.version,
                rules: RULES.iter().map(|rule| descriptor(rule)).collect(),
            },
        },
        automation_details: AutomationDetails { id: "digest-gate/" },
        column_kind: "unicodeCodePoints",
        invocations: [Invocation { execution_successful: true, tool_execution_notifications: notifications }],
        results: results(report),
    };
    let schema = "https://json.schemastore.org/sarif-2.1.0.json";
    let mut out = json::encode(&Log { schema, version: "2.1.0", runs: [run] });
    out.push('\n');
    out
}

/// The results in the order of the report; where there are too many, the gravest of them.
fn results(report: &Report) -> Vec<SarifResult<'_>> {
    let mut findings: Vec<(&Finding, String)> = report.findings.iter().zip(fingerprints(report)).collect();
    if findings.len() > MAX_RESULTS {
        findings
            .sort_by_key(|(finding, _)| (finding.exception.is_some(), Shown::of(finding), Reverse(finding.severity)));
        findings.truncate(MAX_RESULTS);
    }
    findings.into_iter().map(|(finding, fingerprint)| result(finding, fingerprint)).collect()
}

fn result(finding: &Finding, fingerprint: String) -> SarifResult<'_> {
    let advisory = if is_advisory(finding) { " (advisory: its environment does not block)" } else { "" };
    let name = [finding.resource.as_deref(), finding.field.as_deref()].into_iter().flatten().collect::<Vec<_>>();
    let name = visible::shortened(&name.join(" "), MAX_DESCRIPTION).into_owned();
    let mut location = location(&finding.place);
    location.logical_locations = (!name.trim().is_empty()).then_some([LogicalLocation { fully_qualified_name: name }]);
    SarifResult {
        rule_id: finding.rule.id,
        rule_index: RULES.iter().position(|rule| rule.id == finding.rule.id),
        level: level(finding),
        message: Message::inert(&format!("{}{advisory}: {}", finding.message, finding.help), MAX_MESSAGE),
        locations: [location],
        related_locations: finding.related.iter().take(MAX_RELATED).enumerate().map(related).collect(),
        partial_fingerprints: PartialFingerprints { primary_location_line_hash: fingerprint },
        suppressions: finding.exception.as_ref().map(|exception| [suppression(exception)]),
        properties: ResultProperties { enforced: finding.enforced, environment: &finding.environment },
    }
}

fn level(finding: &Finding) -> &'static str {
    match Shown::of(finding) {
        _ if finding.exception.is_some() => "note",
        Shown::Error => "error",
        Shown::Warning => "warning",
        Shown::Note => "note",
    }
}

fn suppression(exception: &Exempted) -> Suppression<'static> {
    let ticket = exception.ticket.as_deref().map(|ticket| format!("{ticket}: ")).unwrap_or_default();
    let ends = ends(&exception.expires, exception.days_left);
    let text = format!("{ticket}{} (ends {ends})", exception.reason);
    Suppression { kind: "external", status: "accepted", justification: Message::new(&text, MAX_DESCRIPTION).text }
}

fn related((index, related): (usize, &Related)) -> Location {
    let mut location = location(&related.place);
    location.id = Some(index + 1);
    location.message = Some(Message::inert(&related.message, MAX_DESCRIPTION));
    location
}

fn location(place: &Place) -> Location {
    let (start, end) = (place.start(), place.end());
    Location {
        id: None,
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri: relative_uri(place.source.path()) },
            region: Region {
                start_line: start.line,
                start_column: start.column,
                end_line: end.line,
                end_column: end.column,
            },
        },
        logical_locations: None,
        message: None,
    }
}

/// The path as a relative reference (RFC 3986): everything but unreserved characters and `/` is percent-encoded, a
/// colon too, for the first one would end a scheme.
fn relative_uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    if uri.is_empty() { ".".to_owned() } else { uri }
}

fn descriptor(rule: &'static Rule) -> ReportingDescriptor<'static> {
    let (level, security_severity) = match rule.default {
        Level::Error => ("error", "8.0"),
        Level::Warning => ("warning", "5.0"),
        Level::Note | Level::Off => ("note", "2.0"),
    };
    let text = format!("why: {}. how to mend it: {}.", rule.why, rule.fix);
    ReportingDescriptor {
        id: rule.id,
        short_description: Message::new(rule.summary, MAX_DESCRIPTION),
        full_description: Message::new(rule.why, MAX_DESCRIPTION),
        help: Message { markdown: Some(help(rule)), ..Message::new(&text, MAX_DESCRIPTION) },
        default_configuration: Configuration { level },
        properties: RuleProperties { security_severity, precision: "very-high", tags: ["security", "supply-chain"] },
    }
}

/// The page of a rule: why, how to mend it, and a line before and after.
fn help(rule: &Rule) -> String {
    let mut page = format!("**Why:** {}.\n\n**How to mend it:** {}.\n", rule.why, rule.fix);
    if let Some((before, after)) = rule.example {
        let _ = write!(page, "\n```diff\n");
        for (sign, text) in [('-', before), ('+', after)] {
            for line in text.lines() {
                let _ = writeln!(page, "{sign}{line}");
            }
        }
        page.push_str("```\n");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_relative_reference() {
        assert_eq!(relative_uri("./deploy/a b:c,#%.yml"), "deploy/a%20b%3Ac%2C%23%25.yml");
        assert_eq!(relative_uri("é"), "%C3%A9");
        assert_eq!(relative_uri(""), ".");
    }
}

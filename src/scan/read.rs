//! Reading a file of any format: which one it is, by its content, and the errors with their place.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::vex::Statement;
use super::{MAX_FINDINGS, Report, cyclonedx, grype, openvex, sarif, trivy};
use crate::source::Source;

/// Why a file cannot be read: nothing of it counts.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Broken {
    /// `file`, or `file:line:column`.
    place: String,
    /// Lower case, no full stop.
    message: String,
}

/// What one file says.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) reports: Vec<Report>,
    pub(super) statements: Vec<Statement>,
    /// Whether it is a VEX document.
    pub(super) is_vex: bool,
}

impl From<Report> for Read {
    fn from(report: Report) -> Self {
        Self { reports: vec![report], ..Self::default() }
    }
}

impl From<Vec<Statement>> for Read {
    fn from(statements: Vec<Statement>) -> Self {
        Self { statements, is_vex: true, ..Self::default() }
    }
}

/// What is wrong in a file that could be parsed.
pub(super) type Wrong = String;

/// The keys by which formats are told apart.
#[derive(Deserialize)]
struct Keys {
    runs: Option<IgnoredAny>,
    #[serde(rename = "SchemaVersion")]
    schema_version: Option<IgnoredAny>,
    matches: Option<IgnoredAny>,
    #[serde(rename = "bomFormat")]
    bom_format: Option<IgnoredAny>,
    statements: Option<IgnoredAny>,
}

/// A format: its name, whether a file has its keys, and how it is read.
type Format = (&'static str, fn(&Keys) -> bool, fn(&Source) -> Result<Read, Broken>);

const FORMATS: [Format; 5] = [
    ("SARIF", |keys| keys.runs.is_some(), |source| typed(source, "SARIF", sarif::read)),
    ("Trivy JSON", |keys| keys.schema_version.is_some(), |source| typed(source, "Trivy JSON", trivy::read)),
    ("Grype JSON", |keys| keys.matches.is_some(), |source| typed(source, "Grype JSON", grype::read)),
    ("CycloneDX", |keys| keys.bom_format.is_some(), |source| typed(source, "CycloneDX", cyclonedx::read)),
    ("OpenVEX", |keys| keys.statements.is_some(), |source| typed(source, "OpenVEX", openvex::read)),
];

pub(super) fn read(source: &Source) -> Result<Read, Broken> {
    if !source.text().trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        return Err(broken(source, "it is no JSON object".to_owned()));
    }
    let keys: Keys = parse(source, "JSON")?;
    let mut formats = FORMATS.iter().filter(|(_, has, _)| has(&keys));
    let (first, second) = (formats.next(), formats.next());
    match (first, second) {
        (Some((.., read)), None) => read(source),
        (Some((one, ..)), Some((other, ..))) => {
            Err(broken(source, format!("it has the keys of {one} and of {other}: it cannot be told which it is")))
        }
        (None, _) => {
            let known: Vec<_> = FORMATS.iter().map(|(name, ..)| *name).collect();
            Err(broken(source, format!("it is none of {}", known.join(", "))))
        }
    }
}

/// Reads the types of a format and takes from them what counts.
fn typed<T: for<'de> Deserialize<'de>>(
    source: &Source,
    format: &str,
    take: fn(T) -> Result<Read, Wrong>,
) -> Result<Read, Broken> {
    let read = take(parse(source, format)?).map_err(|wrong| broken(source, wrong))?;
    let count = read.reports.iter().map(|report| report.found.len()).sum::<usize>() + read.statements.len();
    if count > MAX_FINDINGS {
        return Err(broken(source, format!("it has {count} findings: at most {MAX_FINDINGS} are read")));
    }
    Ok(read)
}

fn parse<'s, T: Deserialize<'s>>(source: &'s Source, format: &str) -> Result<T, Broken> {
    let text = source.text();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut json = serde_json::Deserializer::from_str(text);
    let misfit = |error: &serde_json::Error, path: &str| {
        // Where something is missing serde gives the place behind the object; without it there is none.
        let place = format!("{}:{}:{}", source.path(), error.line(), error.column());
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
        let path = if path == "." || path.is_empty() { String::new() } else { format!(", at `{path}`") };
        Broken { place, message: format!("not {format}{path}: {message}") }
    };
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| misfit(error.inner(), &error.path().to_string()))?;
    json.end().map_err(|error| misfit(&error, ""))?;
    Ok(value)
}

fn broken(source: &Source, message: String) -> Broken {
    Broken { place: source.path().to_owned(), message }
}

//! `vulnerable`: a scan report of the locked image lists vulnerabilities that are graver than allowed.

use std::fmt::Write as _;

use super::{Facts, JudgedBy, Level, Rule, Verdict};
use crate::resolution::{Fix, Grade, Vulnerability};

pub(super) static RULE: Rule = Rule {
    id: "vulnerable",
    default: Level::Error,
    strict: Level::Error,
    summary: "a scan report of the locked image lists vulnerabilities at or above the gate",
    why: "a digest locks the flaws of an image together with its bytes: what is known of exactly these bytes must be \
          mended, shown to be harmless, or accepted by name and until a date",
    fix: "refresh to a digest without them (`digest-gate refresh`), say in a VEX document why they do no harm, or accept \
          one with a dated exception that names it (`vulnerability: CVE-…`)",
    example: None,
    judged_by: JudgedBy::Scans,
    judge: Some(judge),
};

/// How many vulnerabilities a message names.
const NAMED: usize = 5;
/// How many bytes of a name in a report are shown.
const MAX_NAME: usize = 80;

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let scanned = facts.scan?.found()?;
    let found: Vec<_> = scanned.graded().collect();
    let (first, rest) = found.split_first()?;
    let mut message = Grade::ALL
        .iter()
        .map(|(word, grade)| (word, found.iter().filter(|it| it.grade == Some(*grade)).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect::<Vec<_>>()
        .join(", ");
    let _ = write!(message, " (the gate is {}): {}", scanned.gate.as_str(), named(first));
    for vulnerability in rest.iter().take(NAMED - 1) {
        let _ = write!(message, ", {}", named(vulnerability));
    }
    if let Some(more) = found.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _ = write!(message, " and {more} more");
    }
    let fixable = found.iter().filter(|it| matches!(it.fix, Fix::In(_))).count();
    let refresh = if fixable > 0 { "refresh to a digest without them" } else { "wait for a fix" };
    let help = format!(
        "{refresh}, or say why they do no harm: in a VEX document, or in an exception from `{}` with `vulnerability: {}`",
        RULE.id,
        short(&first.id)
    );
    Some(Verdict { message, help })
}

/// `CVE-2024-3094 (xz-libs 5.6.0, fixed in 5.6.1-r2)`.
fn named(vulnerability: &Vulnerability) -> String {
    let mut name = format!("{} ({}", short(&vulnerability.id), short(&vulnerability.part));
    match &vulnerability.fix {
        Fix::In(version) => {
            let _ = write!(name, ", fixed in {}", short(version));
        }
        Fix::Nowhere => name.push_str(", no fix yet"),
        Fix::Unknown => {}
    }
    name.push(')');
    name
}

fn short(text: &str) -> &str {
    match text.char_indices().nth(MAX_NAME) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

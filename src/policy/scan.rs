//! The keys about scan reports: `scan`, and the vulnerability that an exception names.

use serde::Deserialize;
use serde_json::{Value, json};

use super::check::{at, take};
use super::error::Wrong;
use super::nearest::suggest;
use super::raw::{Errors, RawException};
use crate::resolution::Grade;
use crate::yaml::Node;

/// The rule whose findings name vulnerabilities.
const RULE: &str = "vulnerable";
/// The longest name of a vulnerability, in bytes; scanners use some twenty.
const MAX_NAME: usize = 128;

/// What of a scan report counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The lowest grade that counts.
    pub gate: Grade,
    /// Whether what has no fix yet is left out.
    pub ignore_unfixed: bool,
}

impl Default for Scan {
    fn default() -> Self {
        Own::default().over(None)
    }
}

/// What one configuration says of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Own {
    pub(super) gate: Option<Grade>,
    ignore_unfixed: Option<bool>,
}

impl Own {
    /// What counts, given the floor that nothing goes below: the lower gate; nothing is left out unless both say so.
    pub(super) fn over(self, floor: Option<Self>) -> Scan {
        let floor = floor.unwrap_or_default();
        let gate = self.gate.unwrap_or(Grade::High);
        let ignore = self.ignore_unfixed.unwrap_or(false);
        Scan {
            gate: floor.gate.map_or(gate, |floor| floor.min(gate)),
            ignore_unfixed: ignore && floor.ignore_unfixed.unwrap_or(floor.gate.is_none()),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
pub(super) struct RawScan {
    pub gate: Option<String>,
    pub ignore_unfixed: Option<bool>,
}

/// Checks `scan`.
pub(super) fn scan(raw: Option<&RawScan>, root: Node<'_>, errors: &mut Errors<'_>) -> Own {
    let Some(raw) = raw else { return Own::default() };
    let node = at(at(root, "scan"), "gate");
    let gate = raw.gate.as_deref().and_then(|word| take(named_gate(word), node, errors));
    Own { gate, ignore_unfixed: raw.ignore_unfixed }
}

/// The grade of a word (`scan.gate`, `--scan-gate`).
///
/// # Errors
/// There is no such grade.
pub fn named_gate(word: &str) -> Result<Grade, Wrong> {
    let grade = Grade::ALL.iter().find(|(name, _)| *name == word).map(|(_, grade)| *grade);
    grade.ok_or_else(|| Wrong::new(format!("`{word}` is no grade"), suggest(word, Grade::ALL.iter().map(|it| it.0))))
}

/// The vulnerability of an exception, where an exception can be made from it.
pub(super) fn of_exception(name: &str, exception: &RawException) -> Result<String, Wrong> {
    if let Some(rule) = exception.rule.as_deref().filter(|rule| *rule != RULE) {
        let help = format!("write `rule: {RULE}`, or leave `vulnerability` away");
        return Err(Wrong::new(format!("a finding of `{rule}` is about no vulnerability"), help));
    }
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_plain) {
        let help = "write one name as the scanner writes it: `CVE-2024-3094`";
        return Err(Wrong::new("no name of a vulnerability", help));
    }
    Ok(name.to_owned())
}

/// The schema of `scan`.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "gate": {
                "enum": Grade::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
                "default": "high",
                "description": "The lowest severity that counts."
            },
            "ignore-unfixed": {
                "type": "boolean",
                "default": false,
                "description": "Leave out what the scanner says there is no fix for."
            }
        },
        "description": "What of the scan reports that are given to verify counts."
    })
}

/// The schema of an exception's `vulnerability`.
pub(super) fn exception_schema() -> Value {
    json!({
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_NAME,
        "pattern": "^\\S+$",
        "description": "Only this vulnerability, as the scanner calls it: CVE-2024-3094."
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_below_the_floor() {
        let own = |gate, ignore_unfixed| Own { gate, ignore_unfixed };
        let scan = |gate, ignore_unfixed| Scan { gate, ignore_unfixed };
        assert_eq!(Own::default().over(None), scan(Grade::High, false));
        assert_eq!(own(Some(Grade::Critical), Some(true)).over(None), scan(Grade::Critical, true));
        let floor = Some(own(Some(Grade::High), None));
        assert_eq!(own(Some(Grade::Critical), Some(true)).over(floor), scan(Grade::High, false));
        assert_eq!(own(Some(Grade::Low), None).over(floor), scan(Grade::Low, false));
        let floor = Some(own(Some(Grade::Low), Some(true)));
        assert_eq!(own(None, Some(true)).over(floor), scan(Grade::Low, true));
        assert_eq!(own(None, Some(true)).over(Some(own(None, Some(false)))), scan(Grade::High, false));
    }
}

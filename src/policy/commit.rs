//! The key `commit-reference`: what the message of a commit that moves digests has to name.

use regex::bytes::{Regex, RegexBuilder};
use serde_json::{Value, json};

use super::Policy;
use super::check::{at, take};
use super::error::Wrong;
use super::raw::Errors;
use crate::yaml::Node;

/// The usual forms. The last one is what `digest-gate rollback` writes: to go back is a reason.
const USUAL: &[&str] = &[
    r"(?i)\bCVE-[0-9]{4}-[0-9]{4,}\b",
    r"(?i)\bGHSA(-[0-9a-z]{4}){3}\b",
    r"(?i)\bPOA&?M[-_ #:]*[0-9]",
    r"(?i)\b(maintenance|quarterly review|release v?[0-9])",
    r"(?m)^Reason: *[^ ].*[^ ]",
    r"(?m)^Digest-Gate: rollback *$",
];

/// The usual forms for people.
const USUAL_WORDS: &str = "a CVE (`CVE-2026-1234`), a GHSA, a POA&M (`POAM-17`), `release 1.2.3`, `maintenance`, \
                           `quarterly review`, or a line `Reason: …`";

/// The largest form once it is compiled, in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// A regular expression that a message may match.
#[derive(Clone, Debug)]
pub struct Form {
    /// As it was written.
    pub text: String,
    regex: Regex,
}

impl Form {
    /// Reads a regular expression. It knows ASCII, and takes time linear in the text.
    ///
    /// # Errors
    /// It is none, too large, or matches every message.
    pub fn new(text: &str) -> Result<Self, Wrong> {
        let regex = RegexBuilder::new(text).unicode(false).size_limit(MAX_COMPILED).build().map_err(|error| {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let help = "write one as `OPS-[0-9]+`, in single quotes";
            Wrong::new(format!("`{text}` is no regular expression: {why}"), help)
        })?;
        if regex.is_match(b"") {
            let help = "write what a message must name, for example `OPS-[0-9]+`";
            return Err(Wrong::new(format!("`{text}` matches every message"), help));
        }
        Ok(Self { text: text.to_owned(), regex })
    }
}

/// Checks `commit-reference`.
pub(super) fn forms(raw: &[String], root: Node<'_>, errors: &mut Errors<'_>) -> Vec<Form> {
    let forms = raw.iter().zip(at(root, "commit-reference").items());
    forms.filter_map(|(text, node)| take(Form::new(text), node, errors)).collect()
}

impl Policy {
    /// What a message lacks, for people; none where it names a reason. Where a floor has forms of its own, one of those
    /// must be named, too.
    #[must_use]
    pub fn missing_reference(&self, message: &str) -> Option<String> {
        let below = self.floor.as_ref().map_or(&[][..], |floor| floor.commit_references());
        let lists: Vec<_> =
            [self.commit_references.as_slice(), below].into_iter().filter(|it| !it.is_empty()).collect();
        if lists.is_empty() {
            let mut usual = USUAL.iter().filter_map(|text| Form::new(text).ok());
            return (!usual.any(|form| form.regex.is_match(message.as_bytes()))).then(|| USUAL_WORDS.to_owned());
        }
        let unnamed = |list: &&&[Form]| !list.iter().any(|form| form.regex.is_match(message.as_bytes()));
        let list = lists.iter().find(unnamed)?;
        let forms: Vec<_> = list.iter().map(|form| format!("`{}`", form.text)).collect();
        Some(format!("what matches {}", forms.join(" or ")))
    }
}

/// The schema of `commit-reference`.
pub(super) fn commit_reference_schema() -> Value {
    json!({
        "type": "array",
        "items": { "type": "string", "minLength": 1 },
        "description": "Regular expressions, one of which the message of a commit that moves digests must match. \
            Without the key: a CVE, GHSA or POA&M number, a release, maintenance, or a line Reason:."
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::Floor;
    use crate::source::Source;

    fn source(text: &str) -> Arc<Source> {
        Source::new("a.yml", format!("version: 1\n{text}"))
    }

    #[test]
    fn the_usual_forms_are_known_and_idle_words_are_not() {
        assert!(USUAL.iter().all(|text| Form::new(text).is_ok()));
        let policy = Policy::default();
        for message in [
            "bump: CVE-2026-12345",
            "fixes cve-2024-3094",
            "GHSA-4xc9-xhrj-v574",
            "POAM-17",
            "poa&m 17",
            "POA&M #4",
            "monthly maintenance",
            "Maintenance: rebuild",
            "quarterly review",
            "release v1.2.3",
            "Refresh 2 image digests\n\nReason: the vendor asked",
            "Roll back\n\nDigest-Gate: rollback\n",
        ] {
            assert_eq!(policy.missing_reference(message), None, "{message}");
        }
        for message in [
            "",
            "update images",
            "CVE-2026",
            "XCVE-2026-12345",
            "GHSA-1",
            "POAM",
            "poem 17",
            "released it",
            "Reason:",
            "Reason: x",
            "the Reason: is none",
            "Digest-Gate: refresh",
        ] {
            assert!(policy.missing_reference(message).is_some(), "{message}");
        }
    }

    #[test]
    fn a_floor_asks_for_its_own_beside_those_of_the_repository() {
        let mut policy = Policy::parse(&source("commit-reference: ['OPS-[0-9]+', 'CVE-']\n")).unwrap();
        assert_eq!(policy.missing_reference("OPS-1"), None);
        assert_eq!(policy.missing_reference("POAM-17").unwrap(), "what matches `OPS-[0-9]+` or `CVE-`");
        policy.raise(Floor::parse(&source("commit-reference: ['CHG[0-9]{7}']\n")).unwrap()).unwrap();
        assert_eq!(policy.missing_reference("OPS-1 CHG0000001"), None);
        assert_eq!(policy.missing_reference("OPS-1").unwrap(), "what matches `CHG[0-9]{7}`");
        assert!(policy.missing_reference("CHG0000001").is_some());
    }
}

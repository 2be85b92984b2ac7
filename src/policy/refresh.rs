//! The keys about asking registries and moving digests: `registries` and `refresh`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::check::{at, take};
use super::error::Wrong;
use super::pattern::Repositories;
use super::raw::Errors;
use crate::yaml::Node;

/// The branch of the pull request where none is configured.
pub(super) const BRANCH: &str = "digest-gate/refresh";

/// How a registry is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryHost {
    /// Asked before the registry itself: `host` or `host/path`, in this order.
    pub mirrors: Vec<String>,
    /// Whether it is asked without encryption.
    pub plain_http: bool,
}

/// How digests are moved.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// How many days a digest must be old before it is taken.
    pub cooldown_days: Option<u32>,
    /// The branch of the pull request.
    pub branch: String,
    /// The branch it is for; the repository's default branch where it is left away.
    pub base: Option<String>,
    /// Images that are never moved.
    pub ignored: Vec<Repositories>,
    pub labels: Vec<String>,
    /// Users, and teams as `org/team`.
    pub reviewers: Vec<String>,
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            cooldown_days: None,
            branch: BRANCH.to_owned(),
            base: None,
            ignored: Vec::new(),
            labels: Vec::new(),
            reviewers: Vec::new(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
pub(super) struct RawHost {
    #[serde(default)]
    pub mirrors: Vec<String>,
    #[serde(default)]
    pub plain_http: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
pub(super) struct RawRefresh {
    pub cooldown: Option<String>,
    pub group: Option<bool>,
    pub branch: Option<String>,
    pub base: Option<String>,
    #[serde(default)]
    pub ignore: Vec<String>,
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default)]
    pub reviewers: Vec<String>,
}

/// Checks `registries`.
pub(super) fn registries(
    raw: &BTreeMap<String, RawHost>,
    root: Node<'_>,
    errors: &mut Errors<'_>,
) -> BTreeMap<String, RegistryHost> {
    let Some(node) = root.get("registries") else { return BTreeMap::new() };
    let mut hosts = BTreeMap::new();
    for (key, value) in node.entries() {
        let Some((name, raw)) = key.scalar().and_then(|name| raw.get_key_value(name)) else { continue };
        take(host(name), key, errors);
        for (text, node) in raw.mirrors.iter().zip(at(value, "mirrors").items()) {
            let first = text.split('/').next().unwrap_or_default();
            take(host(first), node, errors);
        }
        let name = if name == "index.docker.io" { "docker.io" } else { name };
        let host = RegistryHost { mirrors: raw.mirrors.clone(), plain_http: raw.plain_http };
        hosts.insert(name.to_owned(), host);
    }
    hosts
}

/// A host as references name it, with its port.
fn host(text: &str) -> Result<(), Wrong> {
    let is_host = !text.is_empty()
        && !text.starts_with(['-', '.'])
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
    let help = "write it as references do, without a scheme: `registry.example.com`, `localhost:5000`";
    if is_host { Ok(()) } else { Err(Wrong::new(format!("`{text}` is no host of a registry"), help)) }
}

/// Checks `refresh`.
pub(super) fn refresh(raw: Option<&RawRefresh>, root: Node<'_>, errors: &mut Errors<'_>) -> Refresh {
    let node = at(root, "refresh");
    let Some(raw) = raw else { return Refresh::default() };
    if raw.group == Some(false) {
        let help = "remove the key: all digests that move come in one pull request";
        errors.add(at(node, "group"), "digests are not moved one by one", help);
    }
    let ignored = raw.ignore.iter().zip(at(node, "ignore").items());
    let ignored = ignored.filter_map(|(text, node)| take(Repositories::new(text), node, errors)).collect();
    for key in ["branch", "base"] {
        let text = if key == "branch" { &raw.branch } else { &raw.base };
        if let Some(text) = text {
            take(branch(text), at(node, key), errors);
        }
    }
    Refresh {
        cooldown_days: raw.cooldown.as_deref().and_then(|text| take(days(text), at(node, "cooldown"), errors)),
        branch: raw.branch.clone().unwrap_or_else(|| BRANCH.to_owned()),
        base: raw.base.clone(),
        ignored,
        labels: raw.labels.clone(),
        reviewers: raw.reviewers.clone(),
    }
}

/// A number of days: `3d`, `2w`.
///
/// # Errors
/// It is none, or more than ten years.
pub fn days(text: &str) -> Result<u32, Wrong> {
    let wrong = || Wrong::new(format!("`{text}` is no number of days"), "write days or weeks: `3d`, `2w`");
    let (number, days) = match (text.strip_suffix('d'), text.strip_suffix('w')) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 7),
        _ => return Err(wrong()),
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let total = number.parse::<u32>().ok().filter(|_| is_number).and_then(|number| number.checked_mul(days));
    total.filter(|days| *days <= 3660).ok_or_else(wrong)
}

/// Checks that a text is a branch, as `git check-ref-format --branch` takes it, and of plain characters.
///
/// # Errors
/// It is none.
pub fn branch(text: &str) -> Result<(), Wrong> {
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.'));
    let part = |part: &str| !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with('.');
    let is_branch =
        is_plain && text.split('/').all(part) && !text.contains("..") && text.rsplit('.').next() != Some("lock");
    let help = "write letters, digits, `-`, `_`, `.` and `/`: `digest-gate/refresh`";
    if is_branch { Ok(()) } else { Err(Wrong::new(format!("`{text}` is no branch"), help)) }
}

/// The schema of `registries`.
pub(super) fn registries_schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "mirrors": {
                    "type": "array",
                    "items": { "type": "string", "minLength": 1 },
                    "description": "Asked first, in this order: a host, or a host and a path. What a mirror does not \
                        have, or does not answer, the next one is asked, and at last the registry itself."
                },
                "plain-http": {
                    "type": "boolean",
                    "default": false,
                    "description": "Ask it without encryption. Registries of this machine need no key for that."
                }
            }
        },
        "description": "How registries are asked, by host as references name it."
    })
}

/// The schema of `refresh`.
pub(super) fn refresh_schema() -> Value {
    let list = |description: &str| json!({ "type": "array", "items": { "type": "string", "minLength": 1 }, "description": description });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "cooldown": {
                "type": "string",
                "pattern": "^[0-9]+[dw]$",
                "description": "How old a digest must be before it is taken: 3d, 2w."
            },
            "group": { "const": true, "description": "All digests that move come in one pull request." },
            "branch": { "type": "string", "minLength": 1, "default": BRANCH, "description": "The branch of the pull request." },
            "base": { "type": "string", "minLength": 1, "description": "The branch it is for; the default branch where it is left away." },
            "ignore": list("Repositories, or globs over repositories, that are never moved."),
            "labels": list("Labels of the pull request."),
            "reviewers": list("Who is asked to review it: users, and teams as org/team.")
        },
        "description": "How digests are moved to what their tags serve now."
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_weeks_are_read() {
        assert_eq!(days("3d").unwrap(), 3);
        assert_eq!(days("2w").unwrap(), 14);
        for text in ["", "d", "3", "3h", "-1d", "+1d", "1.5d", "99999999999d", "4000d", "1 d"] {
            assert!(days(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_branch_is_one() {
        for text in ["digest-gate/refresh", "a", "v1.2"] {
            assert!(branch(text).is_ok(), "{text}");
        }
        for text in ["", "a//b", "/a", "a..b", "a.lock", "-a", "a b", "a~1", "a/.b", "a/"] {
            assert!(branch(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_has_no_scheme() {
        for text in ["ghcr.io", "localhost:5000", "[::1]:5000"] {
            assert!(host(text).is_ok(), "{text}");
        }
        for text in ["https://ghcr.io", "", "a b", "-x"] {
            assert!(host(text).is_err(), "{text}");
        }
    }
}

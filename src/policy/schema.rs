//! The JSON Schema of the configuration, for editors and for `digest-gate schema`.

use serde_json::{Value, json};

use super::check::{BASES, MAX_NAME};
use super::{EXEMPTABLE_BY_PATH, NOT_EXEMPTABLE};
use super::{commit, floor, refresh, scan, signatures};
use crate::rule::{Level, RULES};

/// The schema, draft 2020-12. It accepts every configuration that the gate accepts; the gate is stricter about what a
/// schema cannot say (dates, globs, repositories).
#[must_use]
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "digest-gate configuration",
        "description": "digest-gate.yml or .github/digest-gate.yml",
        "type": "object",
        "required": ["version"],
        "additionalProperties": false,
        "properties": {
            "version": { "const": 1, "description": "The version of this format." },
            "policy": {
                "enum": BASES.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
                "description": "The levels that rules start from.",
                "default": "default"
            },
            "environments": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": { "pattern": format!("^[A-Za-z0-9._-]{{1,{MAX_NAME}}}$") },
                "additionalProperties": environment(),
                "description": "Named sets of manifests."
            },
            "levels": levels(),
            "allow-registries": {
                "type": "array",
                "items": { "type": "string", "minLength": 1 },
                "description": "Registries, or registries with a path, at or below which images may lie. A list that is \
                    not empty makes disallowed-registry an error unless levels says otherwise."
            },
            "max-digest-age": {
                "type": "string",
                "pattern": "^[0-9]+[dw]$",
                "description": "How long a digest may go unchanged in git before stale-digest reports it: 90d, 12w. \
                    Makes that rule a warning unless levels says otherwise."
            },
            "exceptions": { "type": "array", "items": exception(), "description": "Dated, reasoned exemptions." },
            "registries": refresh::registries_schema(),
            "refresh": refresh::refresh_schema(),
            "signatures": signatures::signatures_schema(),
            "commit-reference": commit::commit_reference_schema(),
            "repository-exceptions": floor::repository_exceptions_schema(),
            "enforced-environments": floor::enforced_environments_schema(),
            "scan": scan::schema()
        }
    })
}

fn environment() -> Value {
    let any_of = ["manifests", "stacks", "overlays", "charts"].map(|key| json!({ "required": [key] })).to_vec();
    json!({
        "type": "object",
        "anyOf": any_of,
        "additionalProperties": false,
        "properties": {
            "enforce": {
                "type": "boolean",
                "default": true,
                "description": "Whether findings block; without it they do."
            },
            "manifests": {
                "type": "array",
                "minItems": 1,
                "items": { "type": "string", "minLength": 1 },
                "description": "Files, folders or globs, relative to the root of the repository. * stays within one \
                    part of a path, ** crosses parts; a folder stands for everything in it."
            },
            "stacks": {
                "type": "array",
                "minItems": 1,
                "items": stack(),
                "description": "Compose files that are judged as they are deployed together."
            },
            "overlays": {
                "type": "array",
                "minItems": 1,
                "items": path("The folder of a kustomization."),
                "description": "Kustomizations, judged as they build."
            },
            "charts": {
                "type": "array",
                "minItems": 1,
                "items": chart(),
                "description": "Helm charts, judged with the values of the environment."
            }
        }
    })
}

fn path(description: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "description": description })
}

fn stack() -> Value {
    json!({
        "type": "object",
        "required": ["files"],
        "additionalProperties": false,
        "properties": {
            "files": { "type": "array", "minItems": 1, "items": path("A Compose file."), "description": "In merge order." },
            "env-file": path("In place of .env beside the first file."),
            "profiles": {
                "type": "array",
                "items": { "type": "string" },
                "description": "Only these profiles; without the key every profile is judged."
            }
        }
    })
}

fn chart() -> Value {
    json!({
        "type": "object",
        "required": ["chart"],
        "additionalProperties": false,
        "properties": {
            "chart": path("The folder of the chart."),
            "values": {
                "type": "array",
                "items": path("A values file."),
                "description": "Over the chart's own values; the last one counts."
            }
        }
    })
}

fn levels() -> Value {
    let words: Vec<_> = Level::ALL.iter().map(|(word, _)| *word).collect();
    let rule = |summary: &str| json!({ "enum": words, "description": summary });
    let rules: serde_json::Map<_, _> = RULES.iter().map(|r| (r.id.to_owned(), rule(r.summary))).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": rules,
        "description": "The levels of single rules, over those of the policy."
    })
}

fn exception() -> Value {
    let rules: Vec<_> = RULES.iter().map(|rule| rule.id).filter(|id| !NOT_EXEMPTABLE.contains(id)).collect();
    json!({
        "type": "object",
        "required": ["image", "reason", "expires"],
        "additionalProperties": false,
        "if": { "required": ["rule"], "properties": { "rule": { "enum": EXEMPTABLE_BY_PATH } } },
        "then": { "required": ["path"], "properties": { "image": { "const": "**" } } },
        "properties": {
            "image": {
                "type": "string",
                "minLength": 1,
                "description": "A repository, or a glob over repositories: nginx, ghcr.io/org/tool, ghcr.io/org/**."
            },
            "path": { "type": "string", "minLength": 1, "description": "Only in these files: a file, folder or glob." },
            "rule": { "enum": rules, "description": "Only from this rule; without it from every rule about images." },
            "vulnerability": scan::exception_schema(),
            "reason": { "type": "string", "pattern": "\\S", "description": "Why." },
            "ticket": { "type": "string", "description": "Where it is tracked." },
            "expires": {
                "type": "string",
                "format": "date",
                "description": "The last day on which it counts: YYYY-MM-DD."
            }
        }
    })
}

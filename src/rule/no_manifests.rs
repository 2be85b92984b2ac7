//! `no-manifests`: a configured pattern matched nothing.

use super::{JudgedBy, Level, Rule};

/// The rule; its findings are made where files are looked for.
pub static RULE: Rule = Rule {
    id: "no-manifests",
    default: Level::Error,
    strict: Level::Error,
    summary: "a configured pattern or file matched no manifest",
    why: "a gate that looks at nothing is always green: a renamed folder must not switch it off",
    fix: "correct the pattern in the configuration, or remove it if there is nothing to deploy any more",
    example: None,
    judged_by: JudgedBy::Check,
    judge: None,
};

//! `unused-exception`: an exception that exempts nothing.

use super::{JudgedBy, Level, Rule};

/// The rule; its findings are made where exceptions are applied.
pub static RULE: Rule = Rule {
    id: "unused-exception",
    default: Level::Warning,
    strict: Level::Error,
    summary: "an exception exempts nothing",
    why: "a forgotten exception waits for the next image of that name and lets it through unseen",
    fix: "remove it from the configuration, or correct its `image`, `path` or `rule`",
    example: None,
    judged_by: JudgedBy::Check,
    judge: None,
};

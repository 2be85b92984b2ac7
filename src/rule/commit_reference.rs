//! `commit-reference`: a commit moves digests, and its message does not say why.

use super::{JudgedBy, Level, Rule};

/// The rule; its finding is made where the message of a commit is judged.
pub static RULE: Rule = Rule {
    id: "commit-reference",
    default: Level::Error,
    strict: Level::Error,
    summary: "a commit moves digests, and its message names no reason (`check --commit-message`)",
    why: "who looks back at what ran in production, and when it changed, finds the commit: without a reason in it nobody \
          can tell a fixed vulnerability from an accident",
    fix: "name the vulnerability (`CVE-2026-1234`, `GHSA-…`), the plan of action (`POAM-17`), the release or the \
          maintenance, or write a line `Reason: …`; `commit-reference` in the configuration replaces these forms",
    example: None,
    judged_by: JudgedBy::Check,
    judge: None,
};

//! `unreadable-manifest`: a manifest cannot be parsed, so nothing in it is proven.

use super::{JudgedBy, Level, Rule};

/// The rule; its findings are made where files are read.
pub static RULE: Rule = Rule {
    id: "unreadable-manifest",
    default: Level::Error,
    strict: Level::Error,
    summary: "a manifest, or a part of it, cannot be read",
    why: "an image that cannot be found cannot be proven: a broken or templated manifest would pass in silence",
    fix: "mend the syntax at the place shown; render templates and check what they give: `helm template … | digest-gate \
          check -`; leave files that are no manifests out of the configured patterns",
    example: None,
    judged_by: JudgedBy::Check,
    judge: None,
};

//! `expired-exception`: an exception whose date is past, or is no date.

use super::{JudgedBy, Level, Rule};

/// The rule; its findings are made where exceptions are applied.
pub static RULE: Rule = Rule {
    id: "expired-exception",
    default: Level::Error,
    strict: Level::Error,
    summary: "an exception's date is past, or is no date",
    why: "an exemption that never ends is a changed policy: it has to be looked at again by the day it names",
    fix: "pin the image and remove the exception, or have it renewed with a new `expires: YYYY-MM-DD`",
    example: None,
    judged_by: JudgedBy::Check,
    judge: None,
};

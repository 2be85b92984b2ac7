//! `explain`: what a rule means, why, and how to fix it.

use std::fmt::Write as _;

use crate::rule::{self, RULES, Rule};

/// Prints one rule, or a line for each.
pub(crate) fn run(id: Option<&str>) -> anyhow::Result<u8> {
    let text = match id.and_then(rule::find) {
        Some(rule) => one(rule),
        None => all(),
    };
    super::print(&text)
}

fn all() -> String {
    let width = RULES.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    let mut text = String::new();
    for rule in RULES {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:width$}  {:7}  {}", rule.id, rule.default.as_str(), rule.summary);
    }
    text.push_str("\n`digest-gate explain RULE` says why, and how to fix it.\n");
    text
}

fn one(rule: &Rule) -> String {
    let mut text = format!(
        "{}: {}\n\nLevel: {} (policy default), {} (policy strict)\n\nWhy: {}.\n\nWhat to do: {}.\n",
        rule.id,
        rule.summary,
        rule.default.as_str(),
        rule.strict.as_str(),
        rule.why,
        rule.fix
    );
    if let Some((bad, good)) = rule.example {
        let _ = write!(text, "\nInstead of\n\n    {bad}\n\nwrite\n\n    {good}\n");
    }
    text
}

//! The summary of a job: the page of a comment with more room, and what each broken rule means.

use super::markdown::{Page, prose};
use crate::finding::Report;
use crate::rule::RULES;

/// Bytes of one step's summary; the runner throws away a larger one as a whole.
pub const MAX_BYTES: usize = 1 << 20;

/// The whole report in GitHub-flavoured markdown, in at most `max_bytes` bytes: rows that do not fit are counted.
#[must_use]
pub fn page(report: &Report, max_bytes: usize) -> String {
    let mut page = Page::new(max_bytes);
    page.block("## digest-gate\n\n");
    page.head(report);
    page.findings(report, true);
    page.exceptions(report);
    page.notices(report);
    let broken: Vec<String> = RULES
        .iter()
        .filter(|rule| report.findings.iter().any(|finding| finding.exception.is_none() && finding.rule.id == rule.id))
        .map(|rule| format!("- **`{}`**: {}. {}.\n", rule.id, sentence(rule.why), sentence(rule.fix)))
        .collect();
    page.rows("\n### What the rules mean\n\n", broken.into_iter(), "rule", 0);
    page.finish()
}

/// A text of ours, its first letter in upper case.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase).into_iter().flatten();
    prose(&first.chain(chars).collect::<String>())
}

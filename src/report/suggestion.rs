//! The words of a review that suggests digests: one comment a line, which the author takes over with a click.

use std::fmt::Write as _;

use super::counted;
use super::markdown::prose;
use super::visible::is_hidden;

/// How a comment begins that is ours; nobody sees it.
pub const MARKER: &str = "<!-- digest-gate: suggestion -->";

/// Bytes of the longest line that is suggested: a file of one line is no suggestion.
const MAX_LINE: usize = 2_000;

/// The block that puts `line` in place of the one it stands at; none where the line cannot be written in a comment.
///
/// A line that ends in a carriage return is shown, to be copied by hand: what becomes of line ends where a suggestion
/// is taken over is not promised anywhere.
#[must_use]
pub fn block(line: &str) -> Option<String> {
    let text = line.strip_suffix('\r').unwrap_or(line);
    if text.len() > MAX_LINE || text.contains(|c: char| c != '\t' && is_hidden(c)) {
        return None;
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    let kind = if text.len() < line.len() { "text" } else { "suggestion" };
    Some(format!("{fence}{kind}\n{text}\n{fence}"))
}

/// A comment: what is suggested and why.
#[must_use]
pub fn comment(message: &str, block: &str) -> String {
    let hint = if block.trim_start_matches('`').starts_with("text") {
        "\n\nThe line ends in CR LF: copy it by hand, so that its line end stays."
    } else {
        ""
    };
    format!("{MARKER}\n{}\n\n{block}{hint}", prose(message))
}

/// The text above the comments of one review.
#[must_use]
pub fn review(posted: usize, outside: usize, left: usize) -> String {
    let mut text = format!("digest-gate suggests {}.", counted(posted, "digest"));
    // Writing to a string cannot fail.
    if outside > 0 {
        let lines = counted(outside, "line");
        let _ =
            write!(text, " {lines} outside of this diff could have one as well: `digest-gate pin --write` writes all.");
    }
    if left > 0 {
        let more = counted(left, "suggestion");
        let _ = write!(text, " {more} more come when these are taken over.");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_ends_its_fence() {
        assert_eq!(block("\timage: a:1@d").unwrap(), "```suggestion\n\timage: a:1@d\n```");
        assert_eq!(block("```").unwrap(), "````suggestion\n```\n````");
        assert_eq!(block("a: '`' # `````").unwrap(), "``````suggestion\na: '`' # `````\n``````");
        assert_eq!(block("").unwrap(), "```suggestion\n\n```");
    }

    #[test]
    fn what_a_comment_cannot_hold_is_not_suggested() {
        for line in ["a\rb", "a\u{202e}b", "\u{feff}a", "a\u{2028}b", "a\0", &"x".repeat(2_001)] {
            assert_eq!(block(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_carriage_return_is_not_put_at_risk() {
        let block = block("image: a:1@d\r").unwrap();
        assert_eq!(block, "```text\nimage: a:1@d\n```");
        assert!(comment("`a:1`", &block).ends_with("so that its line end stays."));
    }

    #[test]
    fn the_words_are_inert_and_count() {
        assert_eq!(comment("`a` @b", "B"), format!("{MARKER}\n<code>a</code> &#64;<!-- -->b\n\nB"));
        assert_eq!(review(1, 0, 0), "digest-gate suggests 1 digest.");
        assert!(review(20, 2, 3).contains("2 lines outside") && review(20, 2, 3).contains("3 suggestions more"));
    }
}

//! Characters that hide, reorder or end text: told apart from all others, and written so that they are seen.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character is not seen as itself: a control, a mark that changes the direction of what follows, or one
/// without width that makes two different texts look alike (<https://www.unicode.org/reports/tr36/>, "Trojan Source").
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Adds a character so that it is seen: controls as their pictures (`␛`, `␊`), others by number (`<U+202E>`).
pub(super) fn push(out: &mut String, c: char) {
    match c {
        '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or(' ')),
        '\u{7f}' => out.push('\u{2421}'),
        c if is_hidden(c) => {
            let _ = write!(out, "<U+{:04X}>", u32::from(c));
        }
        c => out.push(c),
    }
}

/// The text on one line, with nothing in it that is not seen.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push(&mut out, c);
    }
    Cow::Owned(out)
}

/// The visible form of at most `max` characters of a text, with `…` where something was left away.
pub(super) fn shortened(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max || text.chars().nth(max).is_none() {
        return visible(text);
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    Cow::Owned(format!("{}…", visible(&kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out() {
        assert_eq!(visible("a\u{1b}[31m\r\n\u{202e}b\u{7f}\u{85}"), "a␛[31m␍␊<U+202E>b␡<U+0085>");
        assert!(matches!(visible("é😀 plain"), Cow::Borrowed(_)));
        assert_eq!(shortened("abcdef", 6), "abcdef");
        assert_eq!(shortened("abcdefg", 6), "abcde…");
    }
}

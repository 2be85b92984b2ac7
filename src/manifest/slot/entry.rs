//! Entries of YAML and JSON mappings into which a digest is written: one that is empty, or a new one behind another.

use std::sync::Arc;

use crate::manifest::Slot;
use crate::source::{Place, Source, Span};
use crate::yaml::{Node, NodeKind, Style};

/// The digest is written in the place of an empty value: between its quotes, over `null`, or behind the `:`.
pub(in crate::manifest) fn into_empty(source: &Arc<Source>, value: Node<'_>) -> Option<Slot> {
    let node = value.resolve()?;
    let span = node.span();
    let at = |start: usize, end: usize| Slot::over(Place::new(source, Span::new(start, end)));
    if !span.range().is_empty() || node.kind() != NodeKind::Scalar(Style::Plain) {
        return (node.is_null() || span.range().is_empty()).then(|| at(span.range().start, span.range().end));
    }
    // Nothing stands there: the node is at the colon, or behind it.
    let text = source.text();
    let start = span.range().start;
    let behind = if text.get(start..)?.starts_with(':') { start + 1 } else { start };
    let slot = at(behind, behind);
    text.get(..behind)?.ends_with(':').then(|| Slot { before: " ".to_owned(), ..slot })
}

/// The digest is written as the value of a new entry `name`, behind an entry of the same mapping. `None` where that
/// entry is not written in the common way: key and value on one line, or in braces.
pub(in crate::manifest) fn new_entry(
    source: &Arc<Source>,
    mapping: Node<'_>,
    (key, value): (Node<'_>, Node<'_>),
    name: &str,
) -> Option<Slot> {
    let text = source.text();
    let end = end_of(text, value)?;
    if mapping.resolve()?.is_flow() {
        // JSON, and YAML like it, has every text in quotes.
        let quote = quote_before(text, key.span().range().start).unwrap_or_default();
        let place = Place::new(source, Span::new(end, end));
        let before = format!(", {quote}{name}{quote}: {quote}");
        return Some(Slot { before, after: quote.to_owned(), ..Slot::over(place) });
    }
    let line_end = end + text.get(end..)?.find(['\n', '\r']).unwrap_or(text.len() - end);
    let rest = text.get(end..line_end)?.trim_start();
    let start = key.span().range().start - quote_before(text, key.span().range().start).map_or(0, str::len);
    let line = text.get(..start)?.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let lead = text.get(line..start)?.trim_start_matches('\u{feff}');
    if !(rest.is_empty() || rest.starts_with('#')) || !lead.bytes().all(|byte| matches!(byte, b' ' | b'-')) {
        return None;
    }
    let place = Place::new(source, Span::new(line_end, line_end));
    let before = format!("{}{}{name}: ", line_break(text), " ".repeat(lead.len()));
    Some(Slot { before, ..Slot::over(place) })
}

/// Where a scalar ends on its line, with its closing quote.
fn end_of(text: &str, value: Node<'_>) -> Option<usize> {
    let range = value.span().range();
    let is_block = matches!(value.kind(), NodeKind::Scalar(Style::Literal | Style::Folded));
    let is_scalar = matches!(value.kind(), NodeKind::Scalar(_) | NodeKind::Alias);
    if !is_scalar || is_block || text.get(range.clone())?.contains(['\n', '\r']) {
        return None;
    }
    let is_quoted = matches!(value.kind(), NodeKind::Scalar(Style::SingleQuoted | Style::DoubleQuoted));
    Some(range.end + usize::from(is_quoted))
}

fn quote_before(text: &str, start: usize) -> Option<&str> {
    let before = text.get(start.checked_sub(1)?..start)?;
    matches!(before, "\"" | "'").then_some(before)
}

/// The line break that a text uses.
pub(in crate::manifest) fn line_break(text: &str) -> &'static str {
    match text.find(['\n', '\r']) {
        Some(at) if text.get(at..).is_some_and(|rest| rest.starts_with("\r\n")) => "\r\n",
        Some(at) if text.get(at..).is_some_and(|rest| rest.starts_with('\r')) => "\r",
        _ => "\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Tree;

    /// The text with `D` written in a new entry `d` behind the entry `k`, wherever that is.
    fn behind(text: &str) -> Option<String> {
        written(text, |source, mapping, entry| new_entry(source, mapping, entry, "d"))
    }

    fn empty(text: &str) -> Option<String> {
        written(text, |source, _, (_, value)| into_empty(source, value))
    }

    type Find<'f> = &'f dyn Fn(&Arc<Source>, Node<'_>, (Node<'_>, Node<'_>)) -> Option<Slot>;

    fn written(
        text: &str,
        slot: impl Fn(&Arc<Source>, Node<'_>, (Node<'_>, Node<'_>)) -> Option<Slot>,
    ) -> Option<String> {
        fn find(source: &Arc<Source>, node: Node<'_>, slot: Find<'_>) -> Option<Slot> {
            let own = node.entry("k").and_then(|entry| slot(source, node, entry));
            let below =
                || node.entries().map(|(_, value)| value).chain(node.items()).find_map(|it| find(source, it, slot));
            own.or_else(below)
        }
        let source = Source::new("a.yaml", text);
        let tree = Tree::yaml(text);
        let slot = tree.documents(text).find_map(|root| find(&source, root, &slot))?;
        let range = slot.place.span.range();
        Some(format!("{}{}D{}{}", &text[..range.start], slot.before, slot.after, &text[range.end..]))
    }

    #[test]
    fn a_new_entry_stands_behind_another_one() {
        for (text, expected) in [
            ("k: 1", "k: 1\nd: D"),
            ("a:\n- k: '1' # c\n  b: 2\n", "a:\n- k: '1' # c\n  d: D\n  b: 2\n"),
            ("a:\n  - b: 2\n    k: \"1\"\n", "a:\n  - b: 2\n    k: \"1\"\n    d: D\n"),
            ("a:\r\n- - 'k': 1\r\n    b: 2\r\n", "a:\r\n- - 'k': 1\r\n    d: D\r\n    b: 2\r\n"),
            ("a: {k: '1', b: 2}\n", "a: {k: '1', d: D, b: 2}\n"),
            ("{\"k\": \"1\"}", "{\"k\": \"1\", \"d\": \"D\"}"),
            ("[{k: 1}]", "[{k: 1, d: D}]"),
            ("x: &x 1\na: {k: *x}\n", "x: &x 1\na: {k: *x, d: D}\n"),
            ("x: &x 1\na:\n k: *x\n", "x: &x 1\na:\n k: *x\n d: D\n"),
            ("\u{feff}k: &a 1", "\u{feff}k: &a 1\nd: D"),
        ] {
            assert_eq!(behind(text).as_deref(), Some(expected), "{text:?}");
        }
        for text in ["k: >\n  1\n", "k: 1\n  2\n", "? k\n: 1\n", "k: [1]\n"] {
            assert_eq!(behind(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_empty_value_is_written_over() {
        for (text, expected) in [
            ("k: ''\n", "k: 'D'\n"),
            ("k: \"\" # c\n", "k: \"D\" # c\n"),
            ("k:\n", "k: D\n"),
            ("k: # c\n", "k: D # c\n"),
            ("k:", "k: D"),
            ("a:\n  k:\n  b: 1\n", "a:\n  k: D\n  b: 1\n"),
            ("k: ~\n", "k: D\n"),
            ("{k: null, b: 1}\n", "{k: D, b: 1}\n"),
            ("{\"k\": \"\"}", "{\"k\": \"D\"}"),
            ("{k: , b: 1}", "{k: D , b: 1}"),
        ] {
            assert_eq!(empty(text).as_deref(), Some(expected), "{text:?}");
        }
        assert_eq!(empty("k: 1"), None);
    }
}

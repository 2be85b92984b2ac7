//! All of YAML 1.2, through granit-parser: the only module that knows the YAML parser.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span as Range, StructureStyle, options};

use super::{Builder, NodeKind, Style, Tree};
use crate::source::Span;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Fills `tree` with every document of `text`.
pub(super) fn parse(text: &str, tree: &mut Tree) {
    // The default indentation rules are those of libyaml, with which Compose and kubectl read.
    let mut options = options! { emit_unresolved_aliases: true, bom_inside_document_as_content: true };
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder::new(tree);
    let mut anchors = HashMap::new();
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => return,
            Some(Ok((event, range))) => take(&event, range, text, &mut builder, &mut anchors),
            Some(Err(error)) => {
                builder.abandon_document();
                anchors.clear();
                builder.error(error.marker().byte_offset().unwrap_or(text.len()), error.info());
                if !matches!(parser.proceed_next_document(), Ok(true)) {
                    return;
                }
            }
        }
    }
}

fn take(event: &Event<'_>, range: Range, text: &str, builder: &mut Builder<'_>, anchors: &mut HashMap<usize, u32>) {
    let bytes = range.byte_range().unwrap_or_default();
    let node = match event {
        Event::Scalar(value, style, _, _) => scalar(value, *style, &bytes, text, builder),
        Event::SequenceStart(style, ..) => {
            builder.open(NodeKind::Sequence, bytes.start, *style == StructureStyle::Flow)
        }
        Event::MappingStart(style, ..) => builder.open(NodeKind::Mapping, bytes.start, *style == StructureStyle::Flow),
        Event::SequenceEnd | Event::MappingEnd => {
            builder.close(bytes.end);
            return;
        }
        Event::Alias(id) => builder.alias(Span::new(bytes.start, bytes.end), anchors.get(id).copied()),
        Event::UnresolvedAlias(name) => {
            builder.error(bytes.start, format!("no anchor `{name}` stands before this alias"));
            builder.alias(Span::new(bytes.start, bytes.end), None)
        }
        Event::DocumentEnd => {
            builder.end_document();
            anchors.clear();
            return;
        }
        _ => return,
    };
    if let Some(id) = event.anchor_id().filter(|&id| id != 0) {
        anchors.insert(id, node);
    }
    if let Some(tag) = event.tag() {
        builder.tag(node, &tag.original());
    }
}

fn scalar(
    value: &str,
    style: ScalarStyle,
    bytes: &std::ops::Range<usize>,
    text: &str,
    builder: &mut Builder<'_>,
) -> u32 {
    let raw = text.get(bytes.clone()).unwrap_or_default();
    let (style, start, end) = match style {
        // An empty node is reported as `~` with no bytes.
        ScalarStyle::Plain if raw.is_empty() => {
            return builder.scalar(Style::Plain, Span::new(bytes.start, bytes.end), None);
        }
        // kubectl splits a stream into documents before it reads them, so that a mark after `---` is none of the text.
        ScalarStyle::Plain if raw.starts_with(BYTE_ORDER_MARK) => {
            let start = bytes.start + BYTE_ORDER_MARK.len_utf8();
            let decoded = value.trim_start_matches(BYTE_ORDER_MARK);
            let same = text.get(start..bytes.end) == Some(decoded);
            return builder.scalar(Style::Plain, Span::new(start, bytes.end), (!same).then_some(decoded));
        }
        ScalarStyle::Plain => (Style::Plain, bytes.start, bytes.end),
        ScalarStyle::SingleQuoted => (Style::SingleQuoted, bytes.start + 1, bytes.end.saturating_sub(1)),
        ScalarStyle::DoubleQuoted => (Style::DoubleQuoted, bytes.start + 1, bytes.end.saturating_sub(1)),
        ScalarStyle::Literal | ScalarStyle::Folded => {
            let style = if style == ScalarStyle::Literal { Style::Literal } else { Style::Folded };
            let lead = raw.len() - raw.trim_start().len();
            let content = raw.trim();
            (style, bytes.start + lead, bytes.start + lead + content.len())
        }
    };
    let span = Span::new(start, end);
    let same = text.get(span.range()) == Some(value);
    builder.scalar(style, span, (!same).then_some(value))
}

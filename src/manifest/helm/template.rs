//! The text of a chart's template, which is no YAML before Helm renders it: `image:` lines, found line by line.

use std::sync::Arc;

use crate::manifest::{Found, LocatedImage, State, kubernetes};
use crate::source::{Source, Span};

/// Locates the images of a text that holds `{{ }}` and is therefore not read as YAML.
///
/// A literal is an image like any other, a templated one is unresolved. Comments of YAML and of Helm hold none.
pub fn locate_lines(source: &Arc<Source>, found: &mut Found) {
    let text = source.text();
    let mut comment = Comment::default();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        if comment.covers(line) {
            continue;
        }
        let Some(value) = value_of(line) else { continue };
        let value = if matches!(line.get(value.clone()), Some("|" | "|-" | "|+" | ">" | ">-" | ">+")) {
            let next = text.get(at..).and_then(|rest| rest.split('\n').next()).unwrap_or_default();
            let lead = next.len() - next.trim_start().len();
            Span::new(at + lead, at + next.trim_end().len())
        } else {
            Span::new(start + value.start, start + value.end)
        };
        report(source, value, found);
    }
}

fn report(source: &Arc<Source>, span: Span, found: &mut Found) {
    let text = source.slice(span);
    if text.is_empty() {
        return;
    }
    let state = if text.contains("{{") {
        State::unresolved("it is rendered by Helm: check what that gives, `helm template … | digest-gate check -`")
    } else {
        kubernetes::state_of(text)
    };
    found.images.push(LocatedImage::new(super::KIND.name, source, span, "image", text, state));
}

/// Whether a comment of Helm (`{{/* … */}}`) is open.
#[derive(Default)]
struct Comment {
    open: bool,
}

impl Comment {
    /// Whether a line is comment from its beginning, and what that means for the lines below.
    fn covers(&mut self, line: &str) -> bool {
        let begins_in_comment = self.open;
        let mut rest = line;
        let mut begins_comment = false;
        loop {
            let mark = if self.open { "*/" } else { "/*" };
            let Some(at) = rest.find(mark) else { break };
            let before = rest.get(..at).unwrap_or_default();
            // `/*` begins a comment behind `{{` alone; in a path it is text.
            if self.open || before.trim_end().trim_end_matches('-').trim_end().ends_with("{{") {
                self.open = !self.open;
                begins_comment |= self.open && before.trim_matches(['{', '-', ' ', '\t']).is_empty();
            }
            rest = rest.get(at + mark.len()..).unwrap_or_default();
        }
        begins_in_comment || begins_comment || line.trim_start().starts_with('#')
    }
}

/// The range of the value on an `image: value` line.
pub(super) fn value_of(line: &str) -> Option<std::ops::Range<usize>> {
    let body = line.trim_start_matches([' ', '\t', '-', '{', '"', '\'']);
    let body = body.strip_prefix("image")?;
    let body = body.strip_prefix(['"', '\'']).unwrap_or(body);
    let body = body.trim_start().strip_prefix(':')?;
    if !body.starts_with([' ', '\t', '"']) {
        return None;
    }
    let value = body.trim_start();
    let start = line.len() - value.len();
    let (start, value) = match value.chars().next()? {
        quote @ ('"' | '\'') => (start + 1, quoted(value.get(1..)?, quote)),
        '#' | '\n' | '\r' => return None,
        _ => (start, plain(value)),
    };
    Some(start..start + value.len())
}

/// A quoted text up to its closing quote; quotes inside `{{ }}` belong to the template.
fn quoted(text: &str, quote: char) -> &str {
    let mut depth = 0_usize;
    let mut previous = '\0';
    for (at, c) in text.char_indices() {
        match c {
            '{' if previous == '{' => depth += 1,
            '}' if previous == '}' => depth = depth.saturating_sub(1),
            _ if c == quote && depth == 0 => return text.get(..at).unwrap_or_default(),
            _ => {}
        }
        previous = c;
    }
    text.trim_end()
}

/// A plain text up to a comment or its line's end, in braces up to the next `,` or `}` outside `{{ }}`.
fn plain(text: &str) -> &str {
    let mut end = text.len();
    let mut depth = 0_usize;
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '{' if previous == '{' => depth += 1,
            '}' if previous == '}' => depth = depth.saturating_sub(1),
            '#' if depth == 0 && previous.is_whitespace() => {
                end = at;
                break;
            }
            ',' if depth == 0 => {
                end = at;
                break;
            }
            _ => {}
        }
        previous = c;
    }
    let text = text.get(..end).unwrap_or_default().trim_end();
    if text.contains("{{") { text } else { text.trim_end_matches(['}', ' ']) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(text: &str) -> Vec<String> {
        let mut found = Found::default();
        locate_lines(&Source::new("templates/a.yaml", text), &mut found);
        let line = |image: &LocatedImage| {
            let at = image.place.start();
            format!("{}:{} {} {}", at.line, at.column, image.written, image.status())
        };
        found.images.iter().map(line).collect()
    }

    #[test]
    fn lines_hold_literal_and_templated_images() {
        let text = "\
      containers:
        - image: busybox:1.36 # why
        - image: \"{{ .Values.a | default \"x\" }}:{{ .Values.b }}\"
        - name: c
          image: {{ include \"a.image\" . }}
          \"image\": 'c:1'
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          image: >-
            d:1
          image:
        - {image: e:1, name: e}
";
        assert_eq!(
            images(text),
            [
                "2:18 busybox:1.36 unpinned",
                "3:19 {{ .Values.a | default \"x\" }}:{{ .Values.b }} unresolved",
                "5:18 {{ include \"a.image\" . }} unresolved",
                "6:21 c:1 unpinned",
                "9:13 d:1 unpinned",
                "11:19 e:1 unpinned",
            ]
        );
    }

    #[test]
    fn comments_hold_none() {
        let text = "\
# image: a:1
{{/* image: b:1
image: c:1
*/}}
{{- /* one line */ -}}
image: d:1
{{- if .Values.x }}{{/* image: e */}}
path: /*
image: f:1
";
        assert_eq!(images(text), ["6:8 d:1 unpinned", "9:8 f:1 unpinned"]);
    }
}

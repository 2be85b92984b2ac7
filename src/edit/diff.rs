//! The unified diff of spliced files, as `git apply` and `patch` read it.
//!
//! The splices say what changed, so nothing is searched for: the diff takes as long as the file is long.

use std::fmt::Write as _;
use std::ops::Range;

use super::Changed;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// The diff of all files, in their order.
#[must_use]
pub fn unified(files: &[Changed]) -> String {
    files.iter().map(one).collect()
}

/// Old and new lines that are replaced by each other, as indexes from 0.
struct Change {
    old: Range<usize>,
    new: Range<usize>,
}

fn one(file: &Changed) -> String {
    let old: Vec<&str> = file.source.text().split_inclusive('\n').collect();
    let new: Vec<&str> = file.text.split_inclusive('\n').collect();
    let changes = changes(file, &old);
    let path = file.source.path();
    let mut diff = String::new();
    if changes.is_empty() {
        return diff;
    }
    if file.is_new() {
        let lines: Vec<&str> = file.text.split_inclusive('\n').collect();
        let _ = write!(diff, "--- /dev/null\n+++ b/{path}\n@@ -0,0 +{} @@\n", header(&(0..lines.len())));
        write_lines(&mut diff, '+', &lines, 0..lines.len());
        return diff;
    }
    // Writing to a string cannot fail.
    let _ = write!(diff, "--- a/{path}\n+++ b/{path}\n");
    for hunk in changes.chunk_by(|a, b| b.old.start <= a.old.end + 2 * CONTEXT) {
        write_hunk(&mut diff, hunk, &old, &new);
    }
    diff
}

/// Which lines the splices touch. The new text of a splice ends inside the line that its old text ends in.
fn changes(file: &Changed, old: &[&str]) -> Vec<Change> {
    let mut starts = Vec::with_capacity(old.len());
    let mut offset = 0;
    for line in old {
        starts.push(offset);
        offset += line.len();
    }
    let line_of = |offset: usize| starts.partition_point(|&start| start <= offset).saturating_sub(1);
    let mut changes: Vec<Change> = Vec::new();
    let mut shift = 0_isize;
    for (span, text) in &file.splices {
        let (first, last) = (line_of(span.range().start), line_of(span.range().end));
        let removed = file.source.slice(*span).matches('\n').count();
        let grown = text.matches('\n').count().cast_signed() - removed.cast_signed();
        let new_start = first.saturating_add_signed(shift);
        shift += grown;
        let new_end = (last + 1).saturating_add_signed(shift);
        match changes.last_mut() {
            Some(before) if before.old.end > first => {
                before.old.end = last + 1;
                before.new.end = new_end;
            }
            _ => changes.push(Change { old: first..last + 1, new: new_start..new_end }),
        }
    }
    changes
}

fn write_hunk(diff: &mut String, changes: &[Change], old: &[&str], new: &[&str]) {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return };
    let before = first.old.start.min(CONTEXT);
    let after = old.len().saturating_sub(last.old.end).min(CONTEXT);
    let old_range = first.old.start - before..last.old.end + after;
    let new_range = first.new.start - before..last.new.end + after;
    let _ = writeln!(diff, "@@ -{} +{} @@", header(&old_range), header(&new_range));
    let mut at = old_range.start;
    for change in changes {
        write_lines(diff, ' ', old, at..change.old.start);
        write_lines(diff, '-', old, change.old.clone());
        write_lines(diff, '+', new, change.new.clone());
        at = change.old.end;
    }
    write_lines(diff, ' ', old, at..old_range.end);
}

/// `start,count`, 1-based; a count of one is left away.
fn header(range: &Range<usize>) -> String {
    if range.len() == 1 { (range.start + 1).to_string() } else { format!("{},{}", range.start + 1, range.len()) }
}

fn write_lines(diff: &mut String, mark: char, lines: &[&str], range: Range<usize>) {
    for line in lines.get(range).unwrap_or_default() {
        diff.push(mark);
        diff.push_str(line);
        if !line.ends_with('\n') {
            diff.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::{Edit, apply};
    use crate::source::{Place, Source, Span};

    fn diff(text: &str, edits: &[(usize, usize, &str)]) -> String {
        let source = Source::new("a.yml", text);
        let edit = |(start, end, text): &(usize, usize, &str)| Edit {
            place: Place::new(&source, Span::new(*start, *end)),
            text: (*text).to_owned(),
        };
        unified(&apply(&edits.iter().map(edit).collect::<Vec<_>>()).unwrap())
    }

    #[test]
    fn near_changes_share_a_hunk_and_far_ones_do_not() {
        let text = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n";
        assert_eq!(
            diff(text, &[(1, 1, "x"), (13, 13, "\ny")]),
            "--- a/a.yml\n+++ b/a.yml\n@@ -1,10 +1,11 @@\n-1\n+1x\n 2\n 3\n 4\n 5\n 6\n-7\n+7\n+y\n 8\n 9\n 10\n"
        );
        let far = diff(text, &[(1, 1, "x"), (35, 35, "y")]);
        assert_eq!(far.matches("@@ -").count(), 2, "{far}");
        assert!(far.contains("@@ -12,4 +12,4 @@\n 12\n 13\n 14\n-15\n+15y\n"), "{far}");
    }

    #[test]
    fn a_file_without_a_last_line_end_is_said() {
        let expected = "--- a/a.yml\n+++ b/a.yml\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+ab\n\\ No newline at end of file\n";
        assert_eq!(diff("a", &[(1, 1, "b")]), expected);
        assert_eq!(diff("a", &[]), "");
    }
}

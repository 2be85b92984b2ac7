//! What a patch shows of the new version of a file: the lines that a review can comment on.

/// A line of the new version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'p> {
    /// 1-based.
    pub(super) number: u32,
    /// Without the line feed; a carriage return before it is a part of the line.
    pub(super) text: &'p str,
}

/// The lines of the new version within the hunks of a patch of one file, in their order. A patch that breaks off, or
/// whose counts do not fit, gives those before that.
pub(super) fn right_side(patch: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    // What the current hunk still holds of the old and of the new version.
    let (mut old, mut new, mut number) = (0_u32, 0_u32, 0_u32);
    for line in patch.split('\n') {
        if old == 0 && new == 0 {
            // Between hunks: a header, or the remark that the last line has no end.
            let Some((olds, start, news)) = header(line) else { continue };
            (old, new, number) = (olds, news, start);
            continue;
        }
        let mut chars = line.chars();
        let kind = chars.next();
        let (of_old, of_new) = match kind {
            Some(' ') => (1, 1),
            Some('-') => (1, 0),
            Some('+') => (0, 1),
            Some('\\') => continue,
            _ => return lines,
        };
        let (Some(rest_old), Some(rest_new)) = (old.checked_sub(of_old), new.checked_sub(of_new)) else { return lines };
        (old, new) = (rest_old, rest_new);
        if of_new == 1 {
            lines.push(Line { number, text: chars.as_str() });
            number = number.saturating_add(1);
        }
    }
    lines
}

/// How many lines of the old version a hunk holds, where it begins in the new one, and how many of that it holds:
/// `@@ -1,2 +3,4 @@ anything`, in which a count of 1 may be left away.
fn header(line: &str) -> Option<(u32, u32, u32)> {
    let (ranges, _) = line.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let range = |range: &str| {
        let (start, count) = range.split_once(',').unwrap_or((range, "1"));
        Some((start.parse::<u32>().ok()?, count.parse::<u32>().ok()?))
    };
    let ((_, old), (start, new)) = (range(old)?, range(new)?);
    Some((old, start, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(patch: &str) -> Vec<(u32, &str)> {
        right_side(patch).into_iter().map(|line| (line.number, line.text)).collect()
    }

    #[test]
    fn context_and_added_lines_are_there_with_their_numbers() {
        let patch = "@@ -1,3 +1,4 @@ services:\n a\n-b\n+B\r\n+@@ -1 +1 @@\n c\n@@ -9 +10 @@\n-x\n+y\n\\ No newline at end of file";
        assert_eq!(seen(patch), [(1, "a"), (2, "B\r"), (3, "@@ -1 +1 @@"), (4, "c"), (10, "y")]);
        let patch = "@@ -0,0 +1,2 @@\n+a\n+\n\\ No newline at end of file\n@@ -5,2 +7,0 @@\n-x\n-y";
        assert_eq!(seen(patch), [(1, "a"), (2, "")]);
    }

    #[test]
    fn a_patch_that_is_none_gives_no_line_it_does_not_hold() {
        for (patch, lines) in [
            ("", 0),
            ("no patch", 0),
            ("@@ -1,2 +1,2 @@\n a", 1),
            ("@@ -1,2 +1,2 @@\n a\nb\n c", 1),
            ("@@ -1,1 +1,1 @@\n-a\n-b\n+c", 0),
            ("@@ -x +1 @@\n+a", 0),
            ("@@ -1 +4294967295,3 @@\n-a\n+b\n+c\n+d", 3),
            ("@@ -1,99999999999 +1,2 @@\n a", 0),
            ("@@ -1,2 +é @@", 0),
        ] {
            assert_eq!(seen(patch).len(), lines, "{patch}");
        }
    }
}

//! `floating-tag`: the tag names no full version.

use super::{Facts, JudgedBy, Level, Rule, Verdict};

pub(super) static RULE: Rule = Rule {
    id: "floating-tag",
    default: Level::Warning,
    strict: Level::Error,
    summary: "`latest`, `stable`, `edge`, … or a tag that names no full version (`1`, `1.2`), even beside a digest",
    why: "such a tag is moved on purpose: beside a digest it tells the reader a version that is not the one that runs, \
          and the next refresh jumps to another release",
    fix: "write the full version the digest belongs to: `1.2.3` in place of `1.2` or `latest`",
    example: Some((
        "image: docker.io/library/nginx:1.27",
        "image: docker.io/library/nginx:1.27.1@sha256:2f1d1b3e5c0a4e6f8b7a9c0d1e2f30415263748596a7b8c9d0e1f2a3b4c5d6e7",
    )),
    judged_by: JudgedBy::Check,
    judge: Some(judge),
};

fn judge(facts: &Facts<'_>) -> Option<Verdict> {
    let reference = facts.image.reference()?;
    let tag = reference.tag()?;
    is_floating(tag).then(|| Verdict {
        message: format!("`{tag}` is a tag that moves: it names no full version"),
        help: format!("write the full version the image has, such as `{}:1.2.3`", reference.name()),
    })
}

/// Whether a tag is made to move. A full version has three numbers or more (`1.2.3`, `v1.2.3-alpine`), or is a date,
/// a build number of five digits or more, or a commit.
fn is_floating(tag: &str) -> bool {
    let tokens = || tag.split(['-', '_']);
    if tokens().any(|token| token.eq_ignore_ascii_case("latest")) {
        return true;
    }
    if has_date(tag) || tokens().any(is_commit) {
        return false;
    }
    let leading = tokens().find(|token| {
        let bare = token.strip_prefix(['v', 'V']).unwrap_or(token);
        bare.starts_with(|c: char| c.is_ascii_digit())
    });
    !is_full_version(leading.unwrap_or(tag))
}

/// Whether the first run of dotted numbers has three numbers, or is one number of five digits or more.
fn is_full_version(text: &str) -> bool {
    let digits_at = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let run = text.get(digits_at..).unwrap_or_default();
    let run = run.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    let numbers = run.split('.').take_while(|number| !number.is_empty());
    let (count, longest) = numbers.fold((0, 0), |(count, longest), number| (count + 1, number.len().max(longest)));
    count >= 3 || longest >= 5
}

/// Whether a calendar date stands in the text: `2024-05-01`, `2024.05.01`.
fn has_date(text: &str) -> bool {
    text.as_bytes().windows(10).any(|window| {
        window.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => matches!(byte, b'-' | b'.' | b'_'),
            _ => byte.is_ascii_digit(),
        })
    })
}

/// Whether a token is an abbreviated or whole commit: at least seven hexadecimal digits, of both sorts.
fn is_commit(token: &str) -> bool {
    token.len() >= 7
        && token.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && token.bytes().any(|b| b.is_ascii_digit())
        && token.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_floats_unless_it_names_a_full_version() {
        for tag in [
            "latest",
            "2019-latest",
            "stable",
            "edge",
            "nightly",
            "main",
            "lts",
            "alpine",
            "bookworm-slim",
            "1",
            "v1",
            "1.2",
            "v1.2",
            "1.27-alpine3.19.1",
            "16-bookworm",
            "24.04",
            "php8.2",
            "8-jdk",
            "LATEST",
            "2024",
            "1.x",
        ] {
            assert!(is_floating(tag), "{tag}");
        }
        for tag in [
            "1.2.3",
            "v1.2.3",
            "1.2.3-alpine",
            "1.2.3-rc.1",
            "24.0.2_12-jdk-noble",
            "k8s-1.2.3",
            "alpine3.19.1",
            "bookworm-20240701-slim",
            "RELEASE.2024-05-01T01-11-10Z",
            "sha-1a2b3c4",
            "build-48213",
            "2024.05.01",
            "1.2.3.4",
            "0f3c9d1e8b7a",
            "v1.2.3-stable",
            "jdk-17.0.2",
        ] {
            assert!(!is_floating(tag), "{tag}");
        }
    }
}

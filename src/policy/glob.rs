//! Patterns over identities, builders and sources: texts with `*` and `**` that cannot reach further than they look.

use regex::Regex;

use super::error::Wrong;

/// The longest pattern, in bytes.
const MAX_GLOB: usize = 1024;

/// A text in which `*` stands for characters but `/`, and `**` for any. Neither stands for a control character or an
/// `@`: what precedes the `@` of an identity is the workflow, what follows is a ref whose name its author chooses.
#[derive(Clone, Debug)]
pub struct Glob {
    /// As it was written.
    pub text: String,
    regex: Regex,
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is empty, too long, or would take everything.
    pub fn new(text: &str) -> Result<Self, Wrong> {
        if text.trim().is_empty() {
            return Err(Wrong::new("the pattern is empty", "write the whole text, or a glob with `*` in it"));
        }
        if text.len() > MAX_GLOB {
            let message = format!("the pattern has {} bytes, more than {MAX_GLOB}", text.len());
            return Err(Wrong::new(message, "write a shorter one with `**` in it"));
        }
        if text.contains("***") {
            return Err(Wrong::new(format!("`{text}` has `***`"), "write `*` within a part, `**` across `/`"));
        }
        if !text.contains(char::is_alphanumeric) {
            let help = "write who it must be: `https://github.com/org/*/.github/workflows/release.yml@refs/tags/*`";
            return Err(Wrong::new(format!("`{text}` takes everything"), help));
        }
        let regex = Regex::new(&expression(text))
            .map_err(|error| Wrong::new(format!("`{text}` is no glob: {error}"), "write a simpler one"))?;
        Ok(Self { text: text.to_owned(), regex })
    }

    /// Whether it takes a text as a whole; upper and lower case differ.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn expression(text: &str) -> String {
    let mut expression = String::from(r"\A");
    for (index, across) in text.split("**").enumerate() {
        if index > 0 {
            expression.push_str(r"[^@\x00-\x1f\x7f]*");
        }
        for (index, literal) in across.split('*').enumerate() {
            if index > 0 {
                expression.push_str(r"[^/@\x00-\x1f\x7f]*");
            }
            expression.push_str(&regex::escape(literal));
        }
    }
    expression.push_str(r"\z");
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_takes_what_it_looks_like() {
        let workflow = "https://github.com/org/*/.github/workflows/release.yml@refs/tags/*";
        let cases: &[(&str, &[&str], &[&str])] = &[
            (
                workflow,
                &["https://github.com/org/app/.github/workflows/release.yml@refs/tags/v1.2.3"],
                &[
                    "https://github.com/org/app/.github/workflows/release.yml@refs/heads/main",
                    "https://github.com/org/a/b/.github/workflows/release.yml@refs/tags/v1",
                    "https://github.com/org/app/.github/workflows/release.yml@refs/tags/a/b",
                    "https://github.com/org/app/.github/workflows/release.yml@refs/tags/v1\n",
                    "xhttps://github.com/org/app/.github/workflows/release.yml@refs/tags/v1",
                    "https://github.com/org/app/.github/workflows/releaseXyml@refs/tags/v1",
                    "https://github.com/ORG/app/.github/workflows/release.yml@refs/tags/v1",
                ],
            ),
            // A branch may be called `x@refs/tags/v1`.
            (
                "https://github.com/org/**@refs/tags/v*",
                &["https://github.com/org/a/.github/workflows/b.yml@refs/tags/v1"],
                &["https://github.com/org/a/.github/workflows/b.yml@refs/heads/x@refs/tags/v1"],
            ),
            ("refs/tags/**", &["refs/tags/a/b", "refs/tags/v1"], &["refs/heads/a", "refs/tags/app@1.0"]),
            ("*@example.com", &["ann@example.com"], &["ann@evil@example.com", "ann@example.com.evil"]),
            ("a.b+c", &["a.b+c"], &["aXb+c", "a.bbc", "a.b+c "]),
            ("é*", &["éü"], &["e"]),
        ];
        for (text, matching, others) in cases {
            let glob = Glob::new(text).unwrap();
            for value in *matching {
                assert!(glob.matches(value), "{text} {value}");
            }
            for value in *others {
                assert!(!glob.matches(value), "{text} {value}");
            }
        }
    }

    #[test]
    fn what_takes_everybody_is_refused() {
        for text in ["", " ", "*", "**", "**@**", "*/*", "a***", &"a".repeat(2000)] {
            assert!(Glob::new(text).is_err(), "{text}");
        }
    }
}

//! What a `WWW-Authenticate` header asks for (RFC 9110, section 11.6.1; distribution, token authentication).

/// One challenge: `Bearer realm="https://auth.example.com/token",service="registry"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// In lower case: `basic`, `bearer`.
    pub(super) scheme: String,
    /// Names in lower case, each once: the first one counts.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The challenges of one header, in their order. What is not understood is passed over.
pub(super) fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = Rest(header);
    while let Some(word) = rest.word() {
        if rest.takes('=') {
            let value = rest.value();
            let Some(challenge) = challenges.last_mut() else { continue };
            let name = word.to_ascii_lowercase();
            if challenge.parameter(&name).is_none() {
                challenge.parameters.push((name, value));
            }
        } else {
            challenges.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
        }
    }
    challenges
}

/// What is still to be read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// The next word, after white space, commas and what no word begins with.
    fn word(&mut self) -> Option<&'a str> {
        let start = self.0.find(is_token)?;
        let rest = self.0.get(start..)?;
        let end = rest.find(|c| !is_token(c)).unwrap_or(rest.len());
        let (word, rest) = rest.split_at_checked(end)?;
        self.0 = rest;
        Some(word)
    }

    /// Takes a character, if it comes next; white space may be around it.
    fn takes(&mut self, wanted: char) -> bool {
        let Some(rest) = self.0.trim_start().strip_prefix(wanted) else { return false };
        self.0 = rest.trim_start();
        true
    }

    /// A quoted string, or all up to a comma or white space.
    fn value(&mut self) -> String {
        let Some(quoted) = self.0.strip_prefix('"') else {
            let end = self.0.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(self.0.len());
            let (value, rest) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
            self.0 = rest;
            return value.to_owned();
        };
        let mut value = String::new();
        let mut characters = quoted.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => break,
                '\\' => value.extend(characters.next()),
                _ => value.push(character),
            }
        }
        self.0 = characters.as_str();
        value
    }
}

/// A character of a token (RFC 9110, section 5.6.2).
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngSeed};

    use super::*;

    fn shown(header: &str) -> Vec<String> {
        let line = |challenge: &Challenge| {
            let parameters: Vec<_> =
                challenge.parameters.iter().map(|(name, value)| format!(" {name}=<{value}>")).collect();
            format!("{}{}", challenge.scheme, parameters.concat())
        };
        parse(header).iter().map(line).collect()
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull""#;
        assert_eq!(
            shown(hub),
            ["bearer realm=<https://auth.docker.io/token> service=<registry.docker.io> \
              scope=<repository:library/nginx:pull>"]
        );
        assert_eq!(shown(r#"Basic realm="Registry Realm""#), ["basic realm=<Registry Realm>"]);
        assert_eq!(
            shown(r#"BASIC Realm=x, Bearer realm = "y, z" , scope="a:b:pull,push" , Negotiate"#),
            ["basic realm=<x>", "bearer realm=<y, z> scope=<a:b:pull,push>", "negotiate"]
        );
    }

    #[test]
    fn odd_challenges_are_read_as_far_as_they_go() {
        assert_eq!(shown(r#"Bearer realm="a\"b\\c",realm="other""#), [r#"bearer realm=<a"b\c>"#]);
        assert_eq!(shown(r#"Bearer realm="never closed"#), ["bearer realm=<never closed>"]);
        assert_eq!(shown("Bearer realm="), ["bearer realm=<>"]);
        assert!(shown(r#"realm="of nothing""#).is_empty());
        assert!(shown("").is_empty());
        assert_eq!(shown("Bearer"), ["bearer"]);
    }

    proptest! {
        #![proptest_config(Config { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() })]

        #[test]
        fn what_is_quoted_comes_back(realm in "[ -~]{0,30}", scope in "[ -~]{0,30}", scheme in "[A-Za-z]{1,10}") {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!(r#"{scheme} realm="{}", scope="{}""#, quote(&realm), quote(&scope));
            let challenges = parse(&header);
            prop_assert_eq!(challenges.len(), 1);
            prop_assert_eq!(challenges[0].scheme.as_str(), scheme.to_ascii_lowercase());
            prop_assert_eq!(challenges[0].parameter("realm"), Some(realm.as_str()));
            prop_assert_eq!(challenges[0].parameter("scope"), Some(scope.as_str()));
        }

        #[test]
        fn any_header_is_read_to_its_end(header in "[\\PC\"=, \\\\]{0,60}") {
            for challenge in parse(&header) {
                prop_assert!(!challenge.scheme.is_empty());
            }
        }
    }
}

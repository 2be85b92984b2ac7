//! What is required of an image: [`RULES`], their levels, and the judging of one image.
//!
//! A rule is one file below `rule/`, named by its id, and one entry in [`RULES`]. Rules see facts and nothing else:
//! no files, clock, environment or network.

mod build_with_digest;
mod built_on_deploy;
mod commit_reference;
mod digest_not_found;
mod disallowed_registry;
mod expired_exception;
mod floating_tag;
mod implicit_registry;
mod malformed_reference;
mod missing_tag;
mod no_manifests;
mod single_platform;
mod stale_digest;
mod tag_moved;
mod unchecked;
mod unpinned;
mod unreadable_manifest;
mod unresolved_image;
mod unsigned;
mod unused_exception;
mod vulnerable;

use crate::finding::Severity;
use crate::manifest::LocatedImage;
use crate::resolution::{Age, Answer, Scanned, Signed, Standing};

pub use commit_reference::RULE as COMMIT_REFERENCE;
pub use disallowed_registry::is_allowed as registry_is_allowed;
pub use expired_exception::RULE as EXPIRED_EXCEPTION;
pub use no_manifests::RULE as NO_MANIFESTS;
pub use stale_digest::RULE as STALE_DIGEST;
pub use unreadable_manifest::RULE as UNREADABLE_MANIFEST;
pub use unused_exception::RULE as UNUSED_EXCEPTION;

/// What a rule weighs under a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Off,
    Note,
    Warning,
    Error,
}

impl Level {
    /// All levels by the word that is written in configuration and on the command line.
    pub const ALL: [(&'static str, Self); 4] =
        [("error", Self::Error), ("warning", Self::Warning), ("note", Self::Note), ("off", Self::Off)];

    /// The level of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == word).map(|(_, level)| *level)
    }

    /// The word of the level.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, level)| *level == self).map_or("off", |(name, _)| name)
    }

    /// The severity of a finding at this level; none where the rule is off.
    #[must_use]
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Note => Some(Severity::Note),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
        }
    }
}

/// The two policies a configuration starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Base {
    #[default]
    Default,
    Strict,
}

/// The commands that judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JudgedBy {
    /// `check`, which asks nobody, and every command after it.
    Check,
    /// `verify`, which asks the registries.
    Verify,
    /// `verify`, where scan reports are given.
    Scans,
}

/// One thing that is required.
#[derive(Debug)]
pub struct Rule {
    /// kebab-case; the file name below `rule/` with hyphens.
    pub id: &'static str,
    /// Level under `policy: default`.
    pub default: Level,
    /// Level under `policy: strict`.
    pub strict: Level,
    /// What it says, in one line.
    pub summary: &'static str,
    /// Why it matters, in a sentence or two.
    pub why: &'static str,
    /// How to mend it.
    pub fix: &'static str,
    /// A manifest line that breaks the rule, and the same line mended.
    pub example: Option<(&'static str, &'static str)>,
    /// Which command judges it.
    pub judged_by: JudgedBy,
    /// How an image is judged; `None` where the rule is about files, configuration or exceptions.
    pub judge: Option<fn(&Facts<'_>) -> Option<Verdict>>,
}

impl Rule {
    /// The level before `levels:` and `--level` are applied.
    #[must_use]
    pub fn level(&self, base: Base) -> Level {
        match base {
            Base::Default => self.default,
            Base::Strict => self.strict,
        }
    }
}

/// Everything a rule may know of an image.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub image: &'a LocatedImage,
    /// Whether the policy is strict.
    pub strict: bool,
    /// `registry` or `registry/path` prefixes; empty where every registry is allowed.
    pub allowed_registries: &'a [String],
    /// What its registry says; none where nobody was asked.
    pub registry: Option<&'a Standing>,
    /// What the scan reports say of it; none where no report is given.
    pub scan: Option<&'a Answer<Scanned>>,
    /// How long its digest has been what it is; none where git was not asked, or does not know.
    pub age: Option<&'a Age>,
    /// How many days that may be; none where it is not judged.
    pub max_digest_age: Option<u32>,
    /// Whether it is signed as each entry of `signatures` requires that is for it; empty where nobody was asked.
    pub signatures: &'a [Signed],
}

impl<'a> Facts<'a> {
    /// What the manifest and the policy alone say; nobody was asked.
    #[must_use]
    pub fn of(image: &'a LocatedImage, strict: bool, allowed_registries: &'a [String]) -> Self {
        let (registry, scan, age, max_digest_age) = (None, None, None, None);
        Self { image, strict, allowed_registries, registry, scan, age, max_digest_age, signatures: &[] }
    }
}

/// What a rule says of an image.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What the reader should do: lower case, no full stop.
    pub help: String,
}

/// All rules, in the order in which they are listed and documented.
pub static RULES: &[&Rule] = &[
    &unpinned::RULE,
    &malformed_reference::RULE,
    &unresolved_image::RULE,
    &unreadable_manifest::RULE,
    &built_on_deploy::RULE,
    &build_with_digest::RULE,
    &no_manifests::RULE,
    &expired_exception::RULE,
    &floating_tag::RULE,
    &missing_tag::RULE,
    &implicit_registry::RULE,
    &disallowed_registry::RULE,
    &stale_digest::RULE,
    &unused_exception::RULE,
    &commit_reference::RULE,
    &digest_not_found::RULE,
    &tag_moved::RULE,
    &single_platform::RULE,
    &unsigned::RULE,
    &vulnerable::RULE,
    &unchecked::RULE,
];

/// The rule of an id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id)
}

/// What every rule that `level` does not switch off says of one image, in the order of [`RULES`].
pub fn judge(
    facts: Facts<'_>,
    level: impl Fn(&Rule) -> Level,
) -> impl Iterator<Item = (&'static Rule, Severity, Verdict)> {
    RULES.iter().filter_map(move |rule| {
        let severity = level(rule).severity()?;
        Some((*rule, severity, (rule.judge?)(&facts)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::State;
    use crate::source::{Source, Span};

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn image(text: &str) -> LocatedImage {
        let source = Source::new("compose.yml", text);
        LocatedImage::new("compose", &source, Span::new(0, text.len()), "services.a.image", text, State::of(text))
    }

    fn rules_of(image: &LocatedImage, strict: bool) -> Vec<&'static str> {
        let base = if strict { Base::Strict } else { Base::Default };
        let facts = Facts::of(image, strict, &[]);
        judge(facts, |rule| rule.level(base)).map(|(rule, ..)| rule.id).collect()
    }

    #[test]
    fn each_rule_has_its_file_and_says_what_to_do() {
        for rule in RULES {
            let file = format!("{}/src/rule/{}.rs", env!("CARGO_MANIFEST_DIR"), rule.id.replace('-', "_"));
            assert!(std::path::Path::new(&file).is_file(), "{file}");
            for text in [rule.summary, rule.why, rule.fix] {
                assert!(text.len() > 10, "{}", rule.id);
            }
            assert!(rule.strict >= rule.default, "{}: strict is never laxer", rule.id);
        }
    }

    #[test]
    fn a_full_reference_breaks_no_rule() {
        assert_eq!(rules_of(&image(&format!("ghcr.io/org/app:1.2.3@{DIGEST}")), true), Vec::<&str>::new());
    }

    #[test]
    fn each_image_breaks_the_rules_it_should() {
        assert_eq!(rules_of(&image("ghcr.io/org/app:1.2.3"), false), ["unpinned"]);
        assert_eq!(rules_of(&image("nginx"), false), ["unpinned"]);
        assert_eq!(rules_of(&image("nginx:latest"), false), ["unpinned", "floating-tag"]);
        assert_eq!(rules_of(&image(&format!("nginx:latest@{DIGEST}")), false), ["floating-tag"]);
        assert_eq!(rules_of(&image(&format!("nginx@{DIGEST}")), false), ["missing-tag"]);
        assert_eq!(rules_of(&image(&format!("nginx:1.2.3@{DIGEST}")), true), ["implicit-registry"]);
        assert_eq!(rules_of(&image("nginx:1.2.3@sha256:abc"), false), ["malformed-reference"]);
    }

    #[test]
    fn a_committed_default_passes_unless_the_policy_is_strict() {
        let mut image = image(&format!("ghcr.io/org/app:1.2.3@{DIGEST}"));
        image.variable = true;
        assert_eq!(rules_of(&image, false), Vec::<&str>::new());
        assert_eq!(rules_of(&image, true), ["unresolved-image"]);
    }

    #[test]
    fn a_digest_is_stale_after_the_longest_age() {
        let image = image(&format!("app:1.2.3@{DIGEST}"));
        let age = |days, is_at_least| Age { days, since: jiff::civil::date(2026, 7, 29), is_at_least };
        let judge = |age: &Age, max_digest_age| {
            let facts = Facts { age: Some(age), max_digest_age, ..Facts::of(&image, false, &[]) };
            (STALE_DIGEST.judge.unwrap())(&facts).map(|verdict| verdict.message)
        };
        assert_eq!(judge(&age(90, false), Some(90)), None);
        assert_eq!(judge(&age(9_000, false), None), None);
        let message = "its digest has not changed for 91 days, since 2026-07-29: at most 90 days are allowed";
        assert_eq!(judge(&age(91, false), Some(90)).as_deref(), Some(message));
        let message = "its digest has not changed for at least 91 days, since 2026-07-29 or before: at most 90 days are \
                       allowed";
        assert_eq!(judge(&age(91, true), Some(90)).as_deref(), Some(message));
    }

    #[test]
    fn a_service_that_is_built_has_nothing_to_pin() {
        let mut built = image("");
        built.state = State::Built;
        built.built = true;
        assert_eq!(rules_of(&built, false), ["built-on-deploy"]);
        let mut both = image(&format!("app:1.2.3@{DIGEST}"));
        both.built = true;
        assert_eq!(rules_of(&both, false), ["build-with-digest"]);
    }
}

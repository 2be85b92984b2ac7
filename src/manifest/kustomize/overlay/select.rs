//! Which objects a patch, an image entry or a replacement is for: expressions and selectors as kustomize takes them.

use regex::Regex;

use super::object::Object;
use super::{Outcome, undecided};
use crate::manifest::merge::entry_in_any_case;
use crate::source::Place;
use crate::yaml::Node;

/// What it costs to compile the few expressions of an entry or a selector.
pub(super) const COMPILING: usize = 2000;

/// The longest expression that is compiled, in bytes.
const MAX_LENGTH: usize = 1000;

/// Compiles an expression of Go's syntax.
///
/// `None` where it is none, or where the same text may mean something else here.
pub(super) fn expression(pattern: &str) -> Option<Regex> {
    let mut previous = ' ';
    let mut in_class = false;
    let mut escaped = false;
    let mut translated = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        if escaped {
            escaped = false;
            match character {
                // These know all of Unicode here, and ASCII in Go.
                'd' if in_class => translated.push_str("0-9"),
                'd' => translated.push_str("[0-9]"),
                'w' if in_class => translated.push_str("0-9A-Za-z_"),
                'w' => translated.push_str("[0-9A-Za-z_]"),
                _ if character.is_ascii_punctuation() => translated.extend(['\\', character]),
                _ => return None,
            }
            previous = 'x';
            continue;
        }
        match character {
            '\\' => {
                escaped = true;
                continue;
            }
            // Sets of sets are known here only, as are repetitions of repetitions.
            '[' | '&' | '~' if in_class => return None,
            '-' if in_class && previous == '-' => return None,
            '*' | '+' if !in_class && matches!(previous, '*' | '+' | '?' | '}') => return None,
            '?' if !in_class && previous == '?' => return None,
            '[' => in_class = true,
            ']' if in_class && !matches!(previous, '[' | '^') => in_class = false,
            _ => {}
        }
        translated.push(character);
        previous = character;
    }
    let has_flags = pattern.match_indices("(?").any(|(at, _)| !pattern.get(at..).is_some_and(|p| p.starts_with("(?:")));
    if escaped || has_flags || pattern.len() > MAX_LENGTH {
        return None;
    }
    regex::RegexBuilder::new(&translated).size_limit(1 << 20).build().ok()
}

/// What a field has to be; nothing where any will do.
enum Test {
    Any,
    Exactly(String),
    Matching(Regex),
}

impl Test {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(expected) => text == expected,
            Self::Matching(regex) => regex.is_match(text),
        }
    }

    fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }
}

/// The `target` of a patch, or what a replacement selects.
pub(super) struct Selector {
    group: Test,
    version: Test,
    kind: Test,
    name: Test,
    namespace: Test,
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
    pub(super) has_name: bool,
}

impl Selector {
    /// The selector of a patch, whose fields are expressions.
    pub(super) fn of_patch(node: Node<'_>, at: &Place) -> Outcome<Self> {
        Self::read(node, at, &|text| {
            let anchored = expression(&format!("^(?:{text})$"));
            let regex = anchored.ok_or_else(|| undecided(at, &format!("the expression `{text}` cannot be judged")))?;
            Ok(Test::Matching(regex))
        })
    }

    /// The selector of a replacement, whose fields are names, and for some versions of kustomize expressions.
    pub(super) fn of_replacement(node: Node<'_>, at: &Place) -> Outcome<Self> {
        Self::read(node, at, &|text| {
            if text.contains(|c: char| !c.is_ascii_alphanumeric() && !"-_./".contains(c)) {
                let why = format!("versions of kustomize differ in what `{text}` selects");
                return Err(undecided(at, &why));
            }
            Ok(Test::Exactly(text.to_owned()))
        })
    }

    fn read(node: Node<'_>, at: &Place, judge: &dyn Fn(&str) -> Outcome<Test>) -> Outcome<Self> {
        let text = |key| entry_in_any_case(node, key).and_then(|(_, value)| value.string()).unwrap_or_default();
        let field = |key| match text(key) {
            "" => Ok(Test::Any),
            text => judge(text),
        };
        let requirements = |key| {
            Requirement::read(text(key)).ok_or_else(|| undecided(at, &format!("the `{key}` of this cannot be judged")))
        };
        Ok(Self {
            group: field("group")?,
            version: field("version")?,
            kind: field("kind")?,
            name: field("name")?,
            namespace: field("namespace")?,
            labels: requirements("labelSelector")?,
            annotations: requirements("annotationSelector")?,
            has_name: !text("name").is_empty(),
        })
    }

    fn fits_kind(&self, api: &str, kind: &str) -> bool {
        let (group, version) = api.rsplit_once('/').unwrap_or(("", api));
        self.group.matches(group) && self.version.matches(version) && self.kind.matches(kind)
    }

    pub(super) fn fits_labels(&self, object: &Object) -> bool {
        let all = |requirements: &[Requirement], field| {
            requirements.iter().all(|requirement| requirement.holds(object.metadata(&[field, &requirement.key])))
        };
        all(&self.labels, "labels") && all(&self.annotations, "annotations")
    }

    /// Whether a patch with this target is for an object: under its first name or its present one.
    pub(super) fn selects(&self, object: &Object) -> bool {
        let (first, now) = (object.first_id(), object.id());
        (self.namespace.matches(first.namespace()) || self.namespace.matches(now.namespace()))
            && (self.name.matches(&first.name) || self.name.matches(&now.name))
            && self.fits_kind(&now.api, &now.kind)
            && self.fits_labels(object)
    }

    /// Whether any of the names that an object had fits.
    pub(super) fn fits_any_id(&self, object: &Object) -> bool {
        object.ids().any(|id| {
            self.fits_kind(&id.api, &id.kind)
                && self.name.matches(&id.name)
                && (self.namespace.is_any() || self.namespace.matches(id.namespace()))
        })
    }

    /// Whether it names no object by kind or name.
    pub(super) fn is_without_id(&self) -> bool {
        [&self.group, &self.version, &self.kind, &self.name, &self.namespace].into_iter().all(Test::is_any)
    }

    /// Whether it says anything of labels or annotations.
    pub(super) fn has_requirements(&self) -> bool {
        !self.labels.is_empty() || !self.annotations.is_empty()
    }
}

/// One part of a label selector.
struct Requirement {
    key: String,
    /// The label has to be one of `values`, or just to be there.
    values: Option<Vec<String>>,
    /// The opposite has to hold.
    negated: bool,
}

impl Requirement {
    /// The parts of a selector; `None` where it is none.
    fn read(text: &str) -> Option<Vec<Self>> {
        let mut requirements = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            let (is_absent, after) = rest.strip_prefix('!').map_or((false, rest), |after| (true, after.trim_start()));
            let end = after.find(|c| !is_part(c)).unwrap_or(after.len());
            let (key, mut after) = after.split_at_checked(end)?;
            after = after.trim_start();
            let requirement = if is_absent || after.is_empty() || after.starts_with(',') {
                Self { key: key.to_owned(), values: None, negated: is_absent }
            } else {
                let (negated, values, remaining) = Self::values(after)?;
                after = remaining;
                Self { key: key.to_owned(), values: Some(values), negated }
            };
            if key.is_empty() {
                return None;
            }
            requirements.push(requirement);
            after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) if !next.trim().is_empty() => next.trim_start(),
                None if after.is_empty() => after,
                _ => return None,
            };
        }
        Some(requirements)
    }

    /// What follows a key: `= a`, `!= a`, `in (a, b)`, `notin (a)`.
    fn values(text: &str) -> Option<(bool, Vec<String>, &str)> {
        let set = |text: &'_ str| -> Option<(Vec<String>, usize)> {
            let inner = text.trim_start().strip_prefix('(')?;
            let end = inner.find(')')?;
            let values = inner.get(..end)?.split(',').map(|value| value.trim().to_owned()).collect();
            Some((values, text.len() - inner.len() + end + 1))
        };
        for (word, negated) in [("notin", true), ("in", false)] {
            if let Some(after) = text.strip_prefix(word)
                && let Some((values, length)) = set(after)
            {
                return Some((negated, values, after.get(length..)?));
            }
        }
        for (operator, negated) in [("==", false), ("!=", true), ("=", false)] {
            if let Some(after) = text.strip_prefix(operator) {
                let after = after.trim_start();
                let end = after.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(after.len());
                let (value, rest) = after.split_at_checked(end)?;
                return Some((negated, vec![value.to_owned()], rest));
            }
        }
        None
    }

    fn holds(&self, value: Option<&str>) -> bool {
        let is = match (&self.values, value) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(values), Some(value)) => values.iter().any(|expected| expected == value),
        };
        is != self.negated
    }
}

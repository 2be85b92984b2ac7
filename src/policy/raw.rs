//! The configuration as it is written: its keys and their types, and the reading of the text into them.
//!
//! The text is read twice: into our own tree, which has limits and knows where everything stands, and only when that
//! holds nothing two readers could take differently, by serde into the types below.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::error::{PolicyError, PolicyErrors, is_invisible};
use super::nearest::suggest;
use super::refresh::{RawHost, RawRefresh};
use super::scan::RawScan;
use super::signatures::RawSignature;
use crate::source::{Place, Source, Span};
use crate::yaml::{Node, NodeKind, Style, Tree};

/// The largest configuration, in bytes.
pub const MAX_CONFIGURATION: u64 = 1 << 20;
const BYTE_ORDER_MARK: char = '\u{feff}';
/// How deep it may be nested; it needs six levels.
const MAX_DEPTH: u32 = 32;

/// The top of the configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
pub(super) struct Raw {
    pub version: u64,
    pub policy: Option<String>,
    #[serde(default)]
    pub environments: BTreeMap<String, RawEnvironment>,
    #[serde(default)]
    pub levels: BTreeMap<String, String>,
    #[serde(default)]
    pub allow_registries: Vec<String>,
    pub max_digest_age: Option<String>,
    #[serde(default)]
    pub exceptions: Vec<RawException>,
    #[serde(default)]
    pub registries: BTreeMap<String, RawHost>,
    pub refresh: Option<RawRefresh>,
    #[serde(default)]
    pub signatures: Vec<RawSignature>,
    #[serde(default)]
    pub commit_reference: Vec<String>,
    pub repository_exceptions: Option<bool>,
    #[serde(default)]
    pub enforced_environments: Vec<String>,
    pub scan: Option<RawScan>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
pub(super) struct RawEnvironment {
    pub enforce: Option<bool>,
    #[serde(default)]
    pub manifests: Vec<String>,
    #[serde(default)]
    pub stacks: Vec<RawStack>,
    #[serde(default)]
    pub overlays: Vec<String>,
    #[serde(default)]
    pub charts: Vec<RawChart>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
pub(super) struct RawStack {
    pub files: Vec<String>,
    pub env_file: Option<String>,
    pub profiles: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
pub(super) struct RawChart {
    pub chart: String,
    #[serde(default)]
    pub values: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a mapping of keys")]
pub(super) struct RawException {
    pub image: String,
    pub path: Option<String>,
    pub rule: Option<String>,
    pub vulnerability: Option<String>,
    pub reason: String,
    pub ticket: Option<String>,
    pub expires: String,
}

/// What to write for a required key that is missing.
const REQUIRED: &[(&str, &str)] = &[
    ("version", "write `version: 1` into its first line"),
    ("repository", "add the repository that is held: `repository: ghcr.io/org/tool`"),
    ("digest", "add the digest that is held: `digest: sha256:…`"),
    ("until", "add the last day on which it is held: `until: YYYY-MM-DD`"),
    ("files", "add the files of the stack in merge order: `files: [compose.yml, compose.prod.yml]`"),
    ("chart", "add the folder of the chart: `chart: charts/app`"),
    ("images", "add the repositories that must be signed: `images: ghcr.io/org/**`"),
    ("image", "add the repository that is exempted: `image: ghcr.io/org/tool`"),
    ("reason", "add why it is exempted: `reason: vendor publishes no stable digest`"),
    ("expires", "add the last day on which it counts: `expires: YYYY-MM-DD`"),
];

/// Where another type was expected: serde's word for it, ours, and what to write.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("a boolean", "`true` or `false`", "write `true` or `false`, without quotes"),
    ("a string", "a text", "write it in quotes"),
    ("a sequence", "a list", "write a list: `[one, two]`, or one `- …` a line"),
    ("a map", "a mapping", "write `key: value` pairs, indented below it"),
    ("a mapping of keys", "a mapping", "write `key: value` pairs, indented below it"),
    ("u64", "a whole number from 0 on", "write a whole number, without quotes"),
];

/// The beginning of serde's words for a value, and ours.
const FOUND: &[(&str, &str)] = &[
    ("string ", "the text "),
    ("integer ", "the number "),
    ("floating point ", "the number "),
    ("boolean ", ""),
    ("sequence", "a list"),
    ("map", "a mapping"),
];

/// Where errors are gathered and places are made.
pub(super) struct Errors<'a> {
    pub source: &'a Arc<Source>,
    pub found: Vec<PolicyError>,
}

impl Errors<'_> {
    pub(super) fn place(&self, node: Node<'_>) -> Place {
        Place::new(self.source, node.span())
    }

    pub(super) fn add(&mut self, node: Node<'_>, message: impl Into<String>, help: impl Into<String>) {
        self.add_at(node.span(), message, help);
    }

    fn add_at(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let place = Place::new(self.source, span);
        self.found.push(PolicyError { place, message: message.into(), help: Some(help.into()) });
    }

    /// The errors in the order of the text, if there are any.
    pub(super) fn done(mut self) -> Result<(), PolicyErrors> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|error| error.place.span);
        Err(PolicyErrors(self.found))
    }
}

/// Reads the text into `tree` and into its types; the node is the top mapping.
pub(super) fn read<'t, T: DeserializeOwned>(
    source: &'t Arc<Source>,
    tree: &'t mut Tree,
) -> Result<(T, Node<'t>), PolicyErrors> {
    let root = read_tree(source, tree)?;
    let mut errors = Errors { source, found: Vec::new() };
    let raw = read_types(source.text(), root, &mut errors);
    if let Err(misfit) = &raw
        && errors.found.is_empty()
    {
        explain(misfit, root, &mut errors);
    }
    errors.done()?;
    raw.map(|raw| (raw, root)).map_err(|_| PolicyErrors(Vec::new()))
}

fn read_tree<'t>(source: &'t Arc<Source>, tree: &'t mut Tree) -> Result<Node<'t>, PolicyErrors> {
    let text = source.text();
    let mut errors = Errors { source, found: Vec::new() };
    check_text(text, &mut errors);
    if errors.found.is_empty() {
        tree.parse_yaml(text);
        for error in tree.errors() {
            let span = Span { start: error.offset, end: error.offset };
            errors.add_at(span, format!("not YAML: {}", error.message), "mend the YAML; indentation is by spaces");
        }
    }
    let mut documents = tree.documents(text);
    let root = documents.next();
    if let Some(second) = documents.next() {
        errors.add(second, "a second YAML document", "write everything into one document, without `---` in between");
    }
    match root {
        None if errors.found.is_empty() => {
            errors.add_at(Span::default(), "the configuration is empty", "write at least `version: 1`");
        }
        None => {}
        Some(root) if !root.is_mapping() => {
            errors.add(root, "the configuration is no mapping", "begin with `version: 1`, each key on its own line");
        }
        Some(root) => check_node(root, 0, &mut errors),
    }
    errors.done()?;
    root.ok_or_else(|| PolicyErrors(Vec::new()))
}

/// Refuses what is too large, and characters that show a reviewer another text than is read.
fn check_text(text: &str, errors: &mut Errors<'_>) {
    if text.len() as u64 > MAX_CONFIGURATION {
        let message = format!("the configuration has {} bytes, more than {MAX_CONFIGURATION}", text.len());
        errors.add_at(Span::default(), message, "name manifests by globs instead of one by one");
        return;
    }
    let allowed = |at: usize, c: char| matches!(c, '\t' | '\n' | '\r') || (at == 0 && c == BYTE_ORDER_MARK);
    let hidden = text.char_indices().find(|&(at, c)| is_invisible(c) && !allowed(at, c));
    if let Some((at, c)) = hidden {
        let message = format!("an invisible character (U+{:04X})", u32::from(c));
        errors.add_at(Span::new(at, at + c.len_utf8()), message, "remove it");
    }
}

/// Refuses what two readers of YAML could take differently, and what would be ignored in silence.
fn check_node(node: Node<'_>, depth: u32, errors: &mut Errors<'_>) {
    if depth > MAX_DEPTH {
        errors.add(node, "nested too deeply", "a configuration has six levels: remove the others");
    } else if node.kind() == NodeKind::Alias {
        errors.add(node, "an alias (`*name`)", "write the value itself: a configuration has no aliases");
    } else if let Some(tag) = node.tag() {
        let help = "remove it: a configuration has no tags; a text is written in quotes";
        errors.add(node, format!("a tag (`{tag}`)"), help);
    } else if node.is_null() {
        errors.add(node, "a list item without a value", "give it a value, or remove it");
    } else if node.is_mapping() {
        check_keys(node, errors);
        let values = node.entries().map(|(_, value)| value).filter(|value| !value.is_null());
        values.for_each(|value| check_node(value, depth + 1, errors));
    } else {
        node.items().for_each(|item| check_node(item, depth + 1, errors));
    }
}

fn check_keys(node: Node<'_>, errors: &mut Errors<'_>) {
    let mut seen = BTreeMap::new();
    for (key, value) in node.entries() {
        let Some(name) = key.scalar().filter(|_| matches!(key.kind(), NodeKind::Scalar(_)) && key.tag().is_none())
        else {
            errors.add(key, "a key that is no text", "write a plain word before the colon");
            continue;
        };
        if name == "<<" {
            errors.add(key, "a merge key (`<<`)", "write the keys themselves: a configuration has no merge keys");
        } else if let Some(first) = seen.insert(name, key) {
            let line = errors.source.position(first.span().start).line;
            let message = format!("`{name}` is there twice: the first is in line {line}");
            errors.add(key, message, "keep one of the two");
            errors.add(first, format!("`{name}` is here for the first time"), "keep one of the two");
        } else if value.is_null() {
            errors.add(key, format!("`{name}` has no value"), "give it a value, or remove it");
        }
    }
}

/// Why the types do not fit: the path at which serde stopped, and its message.
type Misfit = (serde_path_to_error::Path, String);

/// Reads the text with serde.
fn read_types<T: DeserializeOwned>(text: &str, root: Node<'_>, errors: &mut Errors<'_>) -> Result<T, Misfit> {
    let nowhere = |error: serde_yaml::Error| (serde_path_to_error::Track::new().path(), error.to_string());
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    // A value has no positions: messages come without serde's own path and line, which count otherwise than we do.
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(nowhere)?;
    compare(&value, root, errors);
    serde_path_to_error::deserialize(value).map_err(|error| (error.path().clone(), error.inner().to_string()))
}

/// Holds both readings against each other: places come from one of them, values from the other.
fn compare(value: &serde_yaml::Value, node: Node<'_>, errors: &mut Errors<'_>) {
    use serde_yaml::Value;
    let same = match value {
        Value::String(text) => node.scalar() == Some(text),
        Value::Bool(_) | Value::Number(_) => node.kind() == NodeKind::Scalar(Style::Plain),
        Value::Null | Value::Tagged(_) => false,
        Value::Sequence(items) => {
            items.iter().zip(node.items()).for_each(|(item, node)| compare(item, node, errors));
            node.is_sequence() && items.len() == node.items().count()
        }
        Value::Mapping(entries) => {
            for ((key, value), (key_node, node)) in entries.iter().zip(node.entries()) {
                compare(value, node, errors);
                if key.as_str() != key_node.scalar() {
                    errors.add(key_node, "a key that is no text", "write a plain word before the colon");
                }
            }
            node.is_mapping() && entries.len() == node.entries().count()
        }
    };
    if !same {
        errors.add(node, "readers of YAML take this differently", "write it in double quotes, on one line");
    }
}

/// Turns serde's words into ours: `message` was given at `path`.
fn explain((path, message): &Misfit, root: Node<'_>, errors: &mut Errors<'_>) {
    let (node, parent, shown) = locate(path, root);
    if let Some(name) = quoted(message, "unknown field `") {
        // serde counts the unknown key as the end of the path.
        let mapping = if parent.get(name).is_some() { parent } else { node };
        let known = message.rsplit(", expected ").next().unwrap_or_default();
        let known: Vec<_> = known.split('`').skip(1).step_by(2).collect();
        for (key, _) in mapping.entries() {
            let name = key.scalar().unwrap_or_default();
            if !known.contains(&name) {
                errors.add(key, format!("unknown key `{name}`"), suggest(name, known.iter().copied()));
            }
        }
    } else if let Some(name) = quoted(message, "missing field `") {
        let help = REQUIRED.iter().find(|(key, _)| *key == name).map_or("add it", |(_, help)| help);
        errors.add(node, format!("{shown} has no `{name}`"), help);
    } else if let Some((found, expected)) = expectation(message) {
        let (expected, help) = EXPECTED
            .iter()
            .find(|(words, ..)| expected == *words)
            .map_or((expected, "`digest-gate schema` prints what it may be"), |(_, ours, help)| (ours, help));
        let ours = FOUND.iter().find_map(|(words, ours)| Some((*ours, found.strip_prefix(words)?)));
        let (ours, rest) = ours.unwrap_or(("", found));
        errors.add(node, format!("{shown} is {ours}{rest}, not {expected}"), help);
    }
    if errors.found.is_empty() {
        errors.add(node, message, "`digest-gate schema` prints what a configuration may hold");
    }
}

/// The name behind the first words of a message.
fn quoted<'m>(message: &'m str, first: &str) -> Option<&'m str> {
    let rest = message.strip_prefix(first)?;
    let end = rest.rfind("`, expected ").or_else(|| rest.rfind('`'))?;
    rest.get(..end)
}

/// What was found and what was expected, in serde's words.
fn expectation(message: &str) -> Option<(&str, &str)> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    rest.rsplit_once(", expected ")
}

/// The node at a path as far as it leads, the node before it, and the path for people.
fn locate<'t>(path: &serde_path_to_error::Path, root: Node<'t>) -> (Node<'t>, Node<'t>, String) {
    let mut shown = String::new();
    let (mut node, mut parent) = (root, root);
    for segment in path {
        let (next, text) = match segment {
            Segment::Seq { index } => (node.items().nth(*index), format!("[{index}]")),
            Segment::Map { key } => (node.get(key), format!(".{key}")),
            Segment::Enum { .. } | Segment::Unknown => (None, String::new()),
        };
        let Some(next) = next else { break };
        shown.push_str(&text);
        (node, parent) = (next, node);
    }
    let shown = shown.trim_start_matches('.');
    (node, parent, if shown.is_empty() { "the configuration".to_owned() } else { format!("`{shown}`") })
}

//! The functions of templates that take part in composing images and in deciding what is rendered: Go's, Sprig's and
//! Helm's. What is not here is unknown, never guessed.

use std::rc::Rc;

use super::render::{Render, Scope};
use super::text::{ANYTHING, Mark, SOME_TEXT, Text};
use super::value::{self, Entries, Hides, Reader, Value};
use crate::yaml::Tree;

/// How many bytes one call may add to a text.
const MAX_GROWN: usize = 8 << 20;

/// Functions whose result is one scalar, whatever it is.
const SCALARS: &[&str] = &[
    "adler32sum",
    "b32enc",
    "b64enc",
    "bcrypt",
    "ceil",
    "date",
    "dateInZone",
    "date_in_zone",
    "div",
    "floor",
    "genPrivateKey",
    "htmlDate",
    "htpasswd",
    "kebabcase",
    "len",
    "max",
    "min",
    "mod",
    "mul",
    "now",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "regexMatch",
    "mustRegexMatch",
    "round",
    "semverCompare",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "snakecase",
    "toDate",
    "unixEpoch",
    "uuidv4",
    "derivePassword",
    "regexFind",
    "regexReplaceAll",
    "regexReplaceAllLiteral",
    "mustRegexReplaceAll",
    "mustRegexReplaceAllLiteral",
    "mustRegexFind",
    "dateModify",
    "ago",
    "swapcase",
    "nospace",
    "plural",
    "getHostByName",
    "urlquery",
    "js",
    "html",
    "base",
    "dir",
    "ext",
    "toDecimal",
    "isAbs",
    "clean",
    "add1f",
    "addf",
    "subf",
    "mulf",
    "divf",
    "seq",
    "duration",
    "durationRound",
    "initials",
    "abbrev",
    "wrap",
    "cat",
    "encryptAES",
    "buildCustomCert",
    "hasSuffix",
    "durationSeconds",
    "title",
];

impl Render {
    /// Calls a function.
    pub(super) fn call(&mut self, name: &str, arguments: &[Value], scope: &mut Scope, mark: Mark) -> Value {
        let size: usize = arguments.iter().map(size_of).sum();
        if !self.spend(1 + size) {
            return Value::Unknown(Hides::Anything);
        }
        let known = self
            .of_templates(name, arguments, scope, mark)
            .or_else(|| of_logic(name, arguments))
            .or_else(|| of_texts(name, arguments, mark))
            .or_else(|| self.of_collections(name, arguments))
            .or_else(|| self.of_changes(name, arguments));
        match known {
            Some(value) => {
                self.spend(1 + size_of(&value));
                value
            }
            None if SCALARS.contains(&name) => Value::Unknown(Hides::Scalar),
            None => Value::Unknown(Hides::Anything),
        }
    }

    fn of_templates(&mut self, name: &str, arguments: &[Value], _: &mut Scope, mark: Mark) -> Option<Value> {
        Some(match (name, arguments) {
            ("include", [template, dot]) => {
                let Value::Text(template) = template else { return None };
                match self.deeper(|render| render.include(&template.plain(), dot))? {
                    Some(text) => Value::Text(text),
                    None => self.not_there(),
                }
            }
            ("tpl", [Value::Text(text), dot]) => Value::Text(self.tpl(text, dot)),
            ("tpl", [value, _]) if value.is_scalar() => Value::Text(value.print()),
            ("required", [_, value]) => match value.truth() {
                Some(false) if !matches!(value, Value::Bool(..) | Value::Number(..)) => Value::Unknown(Hides::Scalar),
                _ => value.clone(),
            },
            ("fail", _) => Value::text("", 0),
            ("toYaml" | "mustToYaml" | "toYamlPretty", [value]) => {
                let mut text = Text::default();
                let mut fuel = self.work.min(2 << 20);
                value::to_yaml(value, 0, &mut fuel, &mut text);
                self.spend(2 * text.len());
                for piece in text.0.iter_mut().filter(|piece| piece.mark == 0) {
                    piece.mark = mark;
                }
                Value::Text(text)
            }
            // JSON is YAML; only that it stands on one line is lost where it is long.
            ("toJson" | "toPrettyJson" | "toRawJson" | "mustToJson", [value]) => {
                let mut text = Text::default();
                let mut fuel = self.work.min(2 << 20);
                to_json(value, 0, &mut fuel, &mut text);
                self.spend(text.len());
                Value::Text(text)
            }
            ("fromYaml" | "fromYamlArray" | "fromJson" | "fromJsonArray" | "mustFromJson", [Value::Text(text)]) => {
                self.read_text(text)
            }
            _ => return None,
        })
    }

    /// The value that a rendered text is; each scalar stands at the piece it begins in.
    fn read_text(&mut self, text: &Text) -> Value {
        let plain = text.plain();
        if text.contains(ANYTHING) || !self.spend(plain.len()) {
            return Value::Unknown(Hides::Anything);
        }
        let tree = Tree::yaml(&plain);
        let Some(root) = tree.documents(&plain).next().filter(|_| tree.errors().is_empty()) else {
            return if plain.trim().is_empty() { Value::map(Entries::new()) } else { Value::Unknown(Hides::Anything) };
        };
        Reader::of_text(text).node(root, "", 0)
    }

    #[expect(clippy::too_many_lines, reason = "a table")]
    fn of_collections(&mut self, name: &str, arguments: &[Value]) -> Option<Value> {
        Some(match (name, arguments) {
            ("dict", pairs) => {
                let mut entries = Entries::new();
                for pair in pairs.chunks(2) {
                    let [Value::Text(key), value] = pair else { return None };
                    entries.insert(key.plain().into(), value.clone());
                }
                self.new_map(entries)
            }
            ("list" | "tuple", items) => Value::list(items.to_vec()),
            ("get", [map @ Value::Map(_), Value::Text(key)]) => match map.field(&key.plain()) {
                Value::Nothing => Value::text("", 0),
                value => value,
            },
            ("hasKey", [Value::Map(entries), Value::Text(key)]) if key.is_known() => {
                Value::Bool(entries.borrow().contains_key(&*key.plain()), 0)
            }
            ("index", [value, path @ ..]) => path.iter().try_fold(value.clone(), |value, key| at(&value, key))?,
            ("first" | "mustFirst", [Value::List(items)]) => items.first().cloned().unwrap_or(Value::Nothing),
            ("last" | "mustLast", [Value::List(items)]) => items.last().cloned().unwrap_or(Value::Nothing),
            ("rest" | "mustRest", [Value::List(items)]) => Value::list(items.get(1..).unwrap_or_default().to_vec()),
            ("initial", [Value::List(items)]) => {
                Value::list(items.split_last().map(|(_, items)| items.to_vec()).unwrap_or_default())
            }
            ("append" | "push" | "mustAppend", [Value::List(items), item]) => {
                Value::list(items.iter().chain([item]).cloned().collect())
            }
            ("prepend" | "mustPrepend", [Value::List(items), item]) => {
                Value::list([item].into_iter().chain(items.iter()).cloned().collect())
            }
            ("concat", lists) => {
                let mut all = Vec::new();
                for list in lists {
                    let Value::List(items) = list else { return None };
                    all.extend(items.iter().cloned());
                }
                Value::list(all)
            }
            ("compact" | "mustCompact", [Value::List(items)]) => {
                if items.iter().any(|item| item.truth().is_none()) {
                    return None;
                }
                Value::list(items.iter().filter(|item| item.truth() == Some(true)).cloned().collect())
            }
            ("uniq" | "mustUniq", [Value::List(items)]) if items.len() <= 100 => {
                let mut left: Vec<Value> = Vec::new();
                for item in items.iter() {
                    let equal: Vec<_> = left.iter().map(|it| equal(it, item)).collect();
                    if equal.contains(&None) {
                        return None;
                    }
                    if !equal.contains(&Some(true)) {
                        left.push(item.clone());
                    }
                }
                Value::list(left)
            }
            ("keys", [Value::Map(entries)]) => {
                Value::list(entries.borrow().keys().map(|key| Value::text(key, 0)).collect())
            }
            ("values", [Value::Map(entries)]) => Value::list(entries.borrow().values().cloned().collect()),
            ("sortAlpha", [Value::List(items)]) => {
                let mut sorted: Vec<_> = items.iter().map(Value::print).collect();
                if !sorted.iter().all(Text::is_known) {
                    return None;
                }
                sorted.sort_by_key(Text::plain);
                Value::list(sorted.into_iter().map(Value::Text).collect())
            }
            ("has" | "mustHas", [item, Value::List(items)]) => {
                let equal: Vec<_> = items.iter().map(|it| equal(it, item)).collect();
                if equal.contains(&Some(true)) {
                    Value::Bool(true, 0)
                } else if equal.contains(&None) {
                    Value::Unknown(Hides::Scalar)
                } else {
                    Value::Bool(false, 0)
                }
            }
            ("has" | "mustHas", [_, Value::Nothing]) => Value::Bool(false, 0),
            ("pick", [Value::Map(entries), keys @ ..]) => {
                let keys = texts(keys)?;
                let picked =
                    entries.borrow().iter().filter(|(key, _)| keys.iter().any(|it| **it == ***key)).map(copy).collect();
                self.new_map(picked)
            }
            ("omit", [Value::Map(entries), keys @ ..]) => {
                let keys = texts(keys)?;
                let left = entries
                    .borrow()
                    .iter()
                    .filter(|(key, _)| !keys.iter().any(|it| **it == ***key))
                    .map(copy)
                    .collect();
                self.new_map(left)
            }
            ("pluck", [Value::Text(key), maps @ ..]) => {
                let key = key.plain();
                let found = maps.iter().map(|map| map.field(&key)).filter(|value| !matches!(value, Value::Nothing));
                Value::list(found.collect())
            }
            ("dig", [keys @ .., default, map]) => {
                let keys = texts(keys)?;
                let value = keys.iter().fold(map.clone(), |value, key| value.field(key));
                if matches!(value, Value::Nothing) { default.clone() } else { value }
            }
            ("len", [Value::List(items)]) => count(items.len()),
            ("len", [Value::Map(entries)]) => count(entries.borrow().len()),
            ("until", [Value::Number(end, ..)]) if (0.0..1000.0).contains(end) => {
                let mut items = Vec::new();
                while count(items.len()).print().plain().parse::<f64>().is_ok_and(|at| at < *end) {
                    items.push(count(items.len()));
                }
                Value::list(items)
            }
            ("deepCopy" | "mustDeepCopy", [value]) => {
                let mut fuel = self.work.min(2 << 20);
                let copied = deep_copy(value, 0, &mut fuel);
                self.spend(self.work.min(2 << 20).saturating_sub(fuel));
                copied
            }
            _ => return None,
        })
    }

    /// Functions that change a mapping in place.
    fn of_changes(&mut self, name: &str, arguments: &[Value]) -> Option<Value> {
        match (name, arguments) {
            ("set", [map @ Value::Map(_), Value::Text(key), value]) if key.is_known() => {
                self.set(map, &key.plain(), value.clone());
                Some(map.clone())
            }
            ("unset", [map @ Value::Map(_), Value::Text(key)]) if key.is_known() => {
                self.set(map, &key.plain(), Value::Nothing);
                Some(map.clone())
            }
            (
                "merge" | "mustMerge" | "mergeOverwrite" | "mustMergeOverwrite",
                [target @ Value::Map(_), sources @ ..],
            ) => {
                let overwrites = name.ends_with("Overwrite");
                if sources.iter().all(|source| self.merge(target, source, overwrites, 0).is_some()) {
                    return Some(target.clone());
                }
                self.blur(target);
                None
            }
            ("set" | "unset" | "merge" | "mustMerge" | "mergeOverwrite" | "mustMergeOverwrite", [target, ..]) => {
                self.blur(target);
                None
            }
            _ => None,
        }
    }

    /// Every entry of a mapping may have become anything.
    fn blur(&mut self, target: &Value) {
        let Value::Map(entries) = target else {
            self.is_uncertain = true;
            return;
        };
        let keys: Vec<Rc<str>> = entries.borrow().keys().cloned().collect();
        for key in keys {
            self.set(target, &key, Value::Unknown(Hides::Anything));
        }
    }

    fn merge(&mut self, target: &Value, source: &Value, overwrites: bool, level: usize) -> Option<()> {
        let Value::Map(entries) = source else { return matches!(source, Value::Nothing).then_some(()) };
        if level > 100 || !self.spend(entries.borrow().len()) {
            return None;
        }
        let copied: Vec<_> = entries.borrow().iter().map(copy).collect();
        for (key, value) in copied {
            let old = target.field(&key);
            match (&old, &value) {
                (Value::Map(_), Value::Map(_)) => self.merge(&old, &value, overwrites, level + 1)?,
                // mergo takes a zero value for one that is not set.
                _ if value.truth() == Some(false) => {
                    if matches!(old, Value::Nothing) {
                        self.set(target, &key, value);
                    }
                }
                _ if overwrites || old.truth() == Some(false) => {
                    let value = deep_copy(&value, 0, &mut 10_000);
                    self.set(target, &key, value);
                }
                _ if old.truth().is_none() => self.set(target, &key, old.either(&value)),
                _ => {}
            }
        }
        Some(())
    }
}

fn of_logic(name: &str, arguments: &[Value]) -> Option<Value> {
    let bool_of = |known: Option<bool>| known.map_or(Value::Unknown(Hides::Scalar), |it| Value::Bool(it, 0));
    Some(match (name, arguments) {
        ("not", [value]) => bool_of(value.truth().map(|it| !it)),
        ("and" | "or", values) => {
            let ends = name == "or";
            let (last, before) = values.split_last()?;
            let mut seen: Option<Value> = None;
            for value in before {
                match value.truth() {
                    Some(truth) if truth == ends => return Some(seen.map_or(value.clone(), |it| it.either(value))),
                    Some(_) => {}
                    None => seen = Some(seen.map_or(value.clone(), |it| it.either(value))),
                }
            }
            match seen {
                None => last.clone(),
                Some(_) if last.truth() == Some(ends) && values.iter().all(Value::is_scalar) && is_bool(last) => {
                    // Whatever the unknown ones are, the whole is as true as the last.
                    last.clone()
                }
                Some(seen) => seen.either(last),
            }
        }
        ("default", [default, value]) => match value.truth() {
            Some(true) => value.clone(),
            Some(false) => default.clone(),
            None => value.clone().either(default),
        },
        ("default", [default]) => default.clone(),
        ("coalesce", values) => {
            let mut seen: Option<Value> = None;
            for value in values.iter().filter(|value| value.truth() != Some(false)) {
                seen = Some(seen.map_or(value.clone(), |it| it.either(value)));
                if value.truth() == Some(true) {
                    break;
                }
            }
            seen.unwrap_or(Value::Nothing)
        }
        ("ternary", [yes, no, condition]) => match condition.truth() {
            Some(true) => yes.clone(),
            Some(false) => no.clone(),
            None => yes.clone().either(no),
        },
        ("empty", [value]) => bool_of(value.truth().map(|it| !it)),
        ("all", values) if values.iter().all(|value| value.truth().is_some()) => {
            Value::Bool(values.iter().all(|value| value.truth() == Some(true)), 0)
        }
        ("any", values) if values.iter().all(|value| value.truth().is_some()) => {
            Value::Bool(values.iter().any(|value| value.truth() == Some(true)), 0)
        }
        ("eq", [value, others @ ..]) => {
            let all: Vec<_> = others.iter().map(|other| equal(value, other)).collect();
            bool_of(if all.contains(&Some(true)) {
                Some(true)
            } else if all.contains(&None) {
                None
            } else {
                Some(false)
            })
        }
        ("ne", [a, b]) => bool_of(equal(a, b).map(|it| !it)),
        ("lt", [Value::Number(a, ..), Value::Number(b, ..)]) => Value::Bool(a < b, 0),
        ("le", [Value::Number(a, ..), Value::Number(b, ..)]) => Value::Bool(a <= b, 0),
        ("gt", [Value::Number(a, ..), Value::Number(b, ..)]) => Value::Bool(a > b, 0),
        ("ge", [Value::Number(a, ..), Value::Number(b, ..)]) => Value::Bool(a >= b, 0),
        ("lt" | "le" | "gt" | "ge", _) => Value::Unknown(Hides::Scalar),
        ("add", values) if numbers(values).is_some() => numbers(values)?.iter().sum::<f64>().into_integer(),
        ("add1", [Value::Number(a, ..)]) => (a.trunc() + 1.0).into_integer(),
        ("sub", [Value::Number(a, ..), Value::Number(b, ..)]) => (a.trunc() - b.trunc()).into_integer(),
        ("add" | "add1" | "sub" | "int" | "int64" | "float64" | "atoi", values) if !values.is_empty() => {
            integer(name, values)
        }
        ("kindIs", [kind, value]) => bool_of(kind_of(value).map(|it| it == kind.print().plain())),
        ("kindOf" | "typeOf", [value]) => Value::text(kind_of(value)?, 0),
        ("typeIs", [kind, value]) => {
            let kind = kind.print().plain();
            bool_of(kind_of(value).map(|it| {
                it == kind
                    || it == "map" && kind == "map[string]interface {}"
                    || it == "slice" && kind == "[]interface {}"
            }))
        }
        ("lookup", _) => Value::Unknown(Hides::Anything),
        _ => return None,
    })
}

trait IntoInteger {
    fn into_integer(self) -> Value;
}

impl IntoInteger for f64 {
    fn into_integer(self) -> Value {
        Value::Number(self, true, 0)
    }
}

fn is_bool(value: &Value) -> bool {
    matches!(value, Value::Bool(..))
}

fn numbers(values: &[Value]) -> Option<Vec<f64>> {
    values.iter().map(|value| if let Value::Number(number, ..) = value { Some(number.trunc()) } else { None }).collect()
}

fn integer(name: &str, values: &[Value]) -> Value {
    match values {
        [Value::Number(value, _, mark)] if name == "float64" => Value::Number(*value, false, *mark),
        [Value::Number(value, _, mark)] if name.starts_with("int") => Value::Number(value.trunc(), true, *mark),
        [Value::Nothing] if name.starts_with("int") => 0.0.into_integer(),
        [Value::Text(text)] if text.is_known() && name != "float64" => text
            .plain()
            .parse::<i32>()
            .map_or(Value::Unknown(Hides::Scalar), |it| Value::Number(f64::from(it), true, text.mark())),
        _ => Value::Unknown(Hides::Scalar),
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn of_texts(name: &str, arguments: &[Value], mark: Mark) -> Option<Value> {
    if arguments.iter().any(|value| !value.is_scalar()) && !matches!(name, "join" | "printf" | "print") {
        return None;
    }
    let text = |at: usize| arguments.get(at).map(Value::print);
    let last = arguments.last().map(Value::print).unwrap_or_default();
    Some(match (name, arguments.len()) {
        ("quote" | "squote", _) => quoted(if name == "quote" { "\"" } else { "'" }, arguments),
        ("toString", 1) => Value::Text(last),
        ("trim", 1) => Value::Text(last.trim()),
        ("nindent" | "indent", 2) => {
            let Some(Value::Number(width, ..)) = arguments.first() else { return None };
            let width = format!("{width:.0}").parse::<usize>().ok().filter(|&it| it <= 1000)?;
            let lines =
                last.0.iter().map(|piece| memchr::memchr_iter(b'\n', piece.text.as_bytes()).count()).sum::<usize>();
            if lines.saturating_mul(width) > MAX_GROWN {
                return None;
            }
            let mut text = Text::default();
            text.push(if name == "nindent" { "\n" } else { "" }, 0);
            text.append(last.indent(width));
            Value::Text(text)
        }
        ("camelcase", 1) => Value::Text(last.map(camel_case)),
        ("untitle", 1) => Value::Text(last.map(|it| it.split(' ').map(lower_first).collect::<Vec<_>>().join(" "))),
        ("lower", 1) => Value::Text(last.map(str::to_lowercase)),
        ("upper", 1) => Value::Text(last.map(str::to_uppercase)),
        ("printf", 1..) => Value::Text(printf(arguments, mark)?),
        ("print", _) => {
            // Go puts spaces between operands neither of which is a text.
            if !arguments.iter().all(|it| matches!(it, Value::Text(_) | Value::Unknown(Hides::Scalar)))
                && arguments.len() > 1
            {
                return Some(Value::Unknown(Hides::Scalar)).filter(|_| arguments.iter().all(Value::is_scalar));
            }
            let mut text = Text::default();
            for argument in arguments {
                text.append(argument.print());
            }
            Value::Text(text)
        }
        ("trimSuffix", 2) => Value::Text(trimmed(last, &text(0)?, false)),
        ("trimPrefix", 2) => Value::Text(trimmed(last, &text(0)?, true)),
        ("trimAll", 2) => {
            let cut = text(0)?.plain();
            Value::Text(last.map(|it| it.trim_matches(|c| cut.contains(c)).to_owned()))
        }
        ("trunc", 2) => {
            let Some(Value::Number(width, ..)) = arguments.first() else { return None };
            let width = format!("{width:.0}").parse::<usize>().ok()?;
            if last.is_known() && last.len() <= width {
                return Some(Value::Text(last));
            }
            Value::Text(last.map(|it| it.get(..width.min(it.len())).unwrap_or(it).to_owned()))
        }
        ("substr", 3) => {
            let (Some(Value::Number(from, ..)), Some(Value::Number(to, ..))) = (arguments.first(), arguments.get(1))
            else {
                return None;
            };
            let index = |at: f64| format!("{at:.0}").parse::<usize>().ok();
            let from = index(from.max(0.0))?;
            let to = index(*to);
            Value::Text(last.map(|it| {
                let to = to.filter(|&to| to <= it.len()).unwrap_or(it.len());
                it.get(from..to).unwrap_or(if from == 0 { it } else { "" }).to_owned()
            }))
        }
        ("replace", 3) => {
            let (from, to) = (text(0)?, text(1)?);
            if !from.is_known() || !to.is_known() || from.is_empty() {
                return Some(Value::Unknown(Hides::Scalar));
            }
            if last.is_known() && !last.plain().contains(&from.plain()) {
                return Some(Value::Text(last));
            }
            if to.len().saturating_mul(last.len()) > MAX_GROWN {
                return None;
            }
            Value::Text(last.map(|it| it.replace(&from.plain(), &to.plain())))
        }
        ("contains" | "hasPrefix" | "hasSuffix", 2) => {
            let part = text(0)?;
            if !part.is_known() || !last.is_known() {
                return Some(Value::Unknown(Hides::Scalar));
            }
            let (whole, part) = (last.plain(), part.plain());
            Value::Bool(
                match name {
                    "contains" => whole.contains(&part),
                    "hasPrefix" => whole.starts_with(&part),
                    _ => whole.ends_with(&part),
                },
                0,
            )
        }
        ("split" | "splitList", 2) => split(name, &text(0)?, &last),
        ("join", 2) => {
            let Some(Value::List(items)) = arguments.get(1) else { return None };
            let between = text(0)?;
            if between.len().saturating_mul(items.len()) > MAX_GROWN {
                return None;
            }
            let mut joined = Text::default();
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    joined.append(between.clone());
                }
                joined.append(item.print());
            }
            Value::Text(joined)
        }
        ("repeat", 2) => Value::Unknown(Hides::Scalar),
        _ => return None,
    })
}

/// `query_frontend` as `QueryFrontend`.
fn camel_case(text: &str) -> String {
    let words = text.split(['_', '-', ' ']).map(|word| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>()).unwrap_or_default()
    });
    words.collect()
}

fn lower_first(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn quoted(mark: &str, arguments: &[Value]) -> Value {
    let mut whole = Text::default();
    for (at, value) in arguments.iter().filter(|value| !matches!(value, Value::Nothing)).enumerate() {
        if at > 0 {
            whole.push(" ", 0);
        }
        whole.push(mark, 0);
        let text = value.print();
        let is_simple = !text.contains('"') && !text.contains('\\') && !text.contains('\n');
        whole.append(if mark == "'" || is_simple {
            text
        } else {
            let quoted = value::quote(&text.plain());
            Text::new(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default(), text.mark())
        });
        whole.push(mark, 0);
    }
    Value::Text(whole)
}

fn trimmed(text: Text, part: &Text, is_prefix: bool) -> Text {
    if !part.is_known() {
        return Text::new(&SOME_TEXT.to_string(), 0);
    }
    let (plain, part) = (text.plain(), part.plain());
    let rest = if is_prefix { plain.strip_prefix(&part) } else { plain.strip_suffix(&part) };
    match rest {
        // An unknown end may be what is taken away.
        None if !text.is_known() && plain.ends_with([SOME_TEXT, ANYTHING]) && !is_prefix => {
            Text::new(&SOME_TEXT.to_string(), 0)
        }
        None if !text.is_known() && plain.starts_with([SOME_TEXT, ANYTHING]) && is_prefix => {
            Text::new(&SOME_TEXT.to_string(), 0)
        }
        None => text,
        Some(rest) => Text::new(rest, text.mark()),
    }
}

fn split(name: &str, by: &Text, text: &Text) -> Value {
    if !by.is_known() || !text.is_known() || by.is_empty() {
        return Value::Unknown(Hides::Scalar);
    }
    let (by, plain, mark) = (by.plain(), text.plain(), text.mark());
    let parts = plain.split(&by);
    if name == "splitList" {
        Value::list(parts.map(|part| Value::text(part, mark)).collect())
    } else {
        Value::map(parts.enumerate().map(|(at, part)| (format!("_{at}").into(), Value::text(part, mark))).collect())
    }
}

/// Go's `Sprintf` for `%s`, `%v`, `%d`, `%t`, `%q` and `%%`.
fn printf(arguments: &[Value], mark: Mark) -> Option<Text> {
    let (format, mut rest) = arguments.split_first()?;
    let Value::Text(format) = format else { return None };
    if !format.is_known() {
        return Some(Text::new(&SOME_TEXT.to_string(), mark));
    }
    let plain = format.plain();
    let mark = if format.mark() == 0 { mark } else { format.mark() };
    let mut out = Text::default();
    let mut at = plain.as_str();
    while let Some(percent) = at.find('%') {
        out.push(at.get(..percent)?, mark);
        let verb = at.get(percent + 1..)?.chars().next()?;
        at = at.get(percent + 1 + verb.len_utf8()..)?;
        if verb == '%' {
            out.push("%", mark);
            continue;
        }
        let Some((value, left)) = rest.split_first() else {
            out.push(&format!("%!{verb}(MISSING)"), mark);
            continue;
        };
        rest = left;
        out.append(match (verb, value) {
            ('s', Value::Nothing) => Text::new("%!s(<nil>)", mark),
            ('v', Value::Nothing) => Text::new("<nil>", mark),
            ('s', Value::Number(_, is_integer, mark)) => {
                let kind = if *is_integer { "int" } else { "float64" };
                Text::new(&format!("%!s({kind}={})", value.print().plain()), *mark)
            }
            ('s', Value::Bool(value, mark)) => Text::new(&format!("%!s(bool={value})"), *mark),
            ('q', Value::Text(_)) => quoted("\"", std::slice::from_ref(value)).print(),
            ('s' | 'v', _) | ('t', Value::Bool(..)) | ('d', Value::Number(_, true, _)) => value.print(),
            _ => Text::new(&SOME_TEXT.to_string(), mark),
        });
    }
    out.push(at, mark);
    Some(out)
}

fn equal(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) if a.is_known() && b.is_known() => Some(a.plain() == b.plain()),
        (Value::Number(a, ..), Value::Number(b, ..)) => Some((a - b).abs() == 0.0),
        (Value::Bool(a, _), Value::Bool(b, _)) => Some(a == b),
        (Value::Nothing, Value::Nothing) => Some(true),
        (Value::Unknown(_) | Value::List(_) | Value::Map(_), _)
        | (_, Value::Unknown(_) | Value::List(_) | Value::Map(_))
        | (Value::Text(_), Value::Text(_)) => None,
        _ => Some(false),
    }
}

fn kind_of(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Nothing => "invalid",
        Value::Bool(..) => "bool",
        Value::Number(_, true, _) => "int",
        Value::Number(..) => "float64",
        Value::Text(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
        Value::Unknown(_) => return None,
    })
}

fn at(value: &Value, key: &Value) -> Option<Value> {
    match (value, key) {
        (Value::Map(_) | Value::Nothing, Value::Text(key)) if key.is_known() => Some(value.field(&key.plain())),
        (Value::List(items), Value::Number(at, ..)) => items.get(format!("{at:.0}").parse::<usize>().ok()?).cloned(),
        (Value::Unknown(hides), _) => Some(Value::Unknown(*hides)),
        _ => None,
    }
}

fn texts(values: &[Value]) -> Option<Vec<String>> {
    values.iter().map(|value| if let Value::Text(text) = value { Some(text.plain()) } else { None }).collect()
}

fn copy((key, value): (&Rc<str>, &Value)) -> (Rc<str>, Value) {
    (Rc::clone(key), value.clone())
}

#[expect(clippy::cast_precision_loss, reason = "nothing here has that many parts")]
fn count(count: usize) -> Value {
    Value::Number(count as f64, true, 0)
}

/// How much work a value is to copy.
fn size_of(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len() + 64 * text.0.len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.borrow().len(),
        _ => 1,
    }
}

fn deep_copy(value: &Value, level: usize, fuel: &mut usize) -> Value {
    *fuel = fuel.saturating_sub(1);
    if level > 100 || *fuel == 0 {
        return Value::Unknown(Hides::Anything);
    }
    match value {
        Value::Map(entries) => {
            let entries = entries.borrow();
            Value::map(entries.iter().map(|(key, value)| (Rc::clone(key), deep_copy(value, level + 1, fuel))).collect())
        }
        Value::List(items) => Value::list(items.iter().map(|item| deep_copy(item, level + 1, fuel)).collect()),
        _ => value.clone(),
    }
}

fn to_json(value: &Value, level: usize, fuel: &mut usize, out: &mut Text) {
    *fuel = fuel.saturating_sub(1);
    if level > 200 || *fuel == 0 {
        out.push(&ANYTHING.to_string(), 0);
        return;
    }
    match value {
        Value::List(items) => {
            out.push("[", 0);
            for (at, item) in items.iter().enumerate() {
                out.push(if at > 0 { "," } else { "" }, 0);
                to_json(item, level + 1, fuel, out);
            }
            out.push("]", 0);
        }
        Value::Map(entries) => {
            out.push("{", 0);
            for (at, (key, value)) in entries.borrow().iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                out.push(&format!("{comma}{}:", value::quote(key)), 0);
                to_json(value, level + 1, fuel, out);
            }
            out.push("}", 0);
        }
        Value::Nothing => out.push("null", 0),
        Value::Number(number, _, mark) => out.push(&format!("{number}"), *mark),
        Value::Text(text) => {
            out.push("\"", 0);
            let escaped = |piece: &super::text::Piece| {
                let quoted = value::quote(&piece.text);
                let text = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
                super::text::Piece { text: text.into(), ..piece.clone() }
            };
            out.append(Text(text.0.iter().map(escaped).collect()));
            out.push("\"", 0);
        }
        _ => out.append(value.print()),
    }
}

/// Renders every value as JSON, for comparing.
pub(super) fn json(value: &Value) -> String {
    let mut text = Text::default();
    to_json(value, 0, &mut (1 << 24), &mut text);
    text.plain()
}

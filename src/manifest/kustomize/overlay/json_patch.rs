//! JSON patches (RFC 6902): operations on the parts of an object.

use super::value::{Budget, Value};
use super::{Outcome, refused, undecided};
use crate::manifest::MAX_DEPTH;
use crate::source::Place;

/// Applies all operations of a patch, which is a list of them.
pub(super) fn apply(value: &mut Value, patch: &Value, budget: &Budget, at: &Place) -> Outcome {
    let Value::List(operations) = patch else { return Err(refused(at, "a JSON patch is a list of operations")) };
    for operation in operations {
        let mut document = Document { value: &mut *value, budget, at };
        document.apply(operation)?;
    }
    Ok(())
}

struct Document<'a> {
    value: &'a mut Value,
    budget: &'a Budget,
    at: &'a Place,
}

impl Document<'_> {
    fn apply(&mut self, operation: &Value) -> Outcome {
        let pointer = |key| {
            let text = operation.get(key).and_then(Value::string);
            text.and_then(parts).ok_or_else(|| refused(self.at, &format!("the `{key}` of an operation is no path")))
        };
        let path = pointer("path")?;
        let value = operation.get("value");
        match operation.get("op").and_then(Value::string).unwrap_or_default() {
            "add" => self.add(&path, self.value_of(value)?),
            "replace" => {
                let value = self.value_of(value)?;
                self.get(&path)?.replace(value);
                Ok(())
            }
            "remove" => self.remove(&path).map(drop),
            "copy" => {
                let from = pointer("from")?;
                let (budget, at) = (self.budget, self.at);
                let value = budget.make(self.get(&from)?, at)?;
                self.add(&path, value)
            }
            "move" => {
                let value = self.remove(&pointer("from")?)?;
                self.add(&path, value)
            }
            "test" => {
                let expected = value.cloned();
                self.test(&path, expected.as_ref())
            }
            other => Err(refused(self.at, &format!("`{other}` is no operation"))),
        }
    }

    fn value_of(&self, value: Option<&Value>) -> Outcome<Value> {
        let value = value.ok_or_else(|| refused(self.at, "an operation has no `value`"))?;
        self.budget.make(value, self.at)
    }

    #[allow(clippy::unnecessary_box_returns)] // The error of every [`Outcome`].
    fn missing(&self, path: &[String]) -> Box<super::Unreadable> {
        refused(self.at, &format!("the JSON patch names `/{}`, which is not there", path.join("/")))
    }

    /// The value at a path.
    fn get(&mut self, path: &[String]) -> Outcome<&mut Value> {
        self.budget.spend(path.len(), self.at)?;
        let missing = self.missing(path);
        let mut value = &mut *self.value;
        for part in path {
            let next = match value {
                Value::Map(entries) => entries.get_mut(part),
                Value::List(items) => index(part, items.len()).and_then(|at| items.get_mut(at)),
                Value::Scalar(_) => None,
            };
            let Some(next) = next else { return Err(missing) };
            value = next;
        }
        Ok(value)
    }

    fn add(&mut self, path: &[String], value: Value) -> Outcome {
        let missing = self.missing(path);
        let Some((last, parents)) = path.split_last() else {
            return Err(undecided(self.at, "the JSON patch replaces a whole object"));
        };
        // What is put deep into what is deep grows with every operation.
        if parents.len() + value.depth() > MAX_DEPTH {
            return Err(undecided(self.at, "the JSON patch makes an object too deep"));
        }
        match self.get(parents)? {
            Value::Map(entries) => {
                if let Some(slot) = entries.get_mut(last) {
                    slot.replace(value);
                } else {
                    entries.insert(last.clone(), value);
                }
            }
            Value::List(items) if last == "-" => items.push(value),
            Value::List(items) => {
                let length = items.len();
                let at = index(last, length + 1).ok_or(missing)?;
                items.insert(at, value);
                self.budget.spend(length / 8, self.at)?;
            }
            Value::Scalar(_) => return Err(missing),
        }
        Ok(())
    }

    fn remove(&mut self, path: &[String]) -> Outcome<Value> {
        let missing = self.missing(path);
        let Some((last, parents)) = path.split_last() else {
            return Err(undecided(self.at, "the JSON patch removes a whole object"));
        };
        let (budget, at) = (self.budget, self.at);
        match self.get(parents)? {
            Value::Map(entries) => entries.remove(last).ok_or(missing),
            Value::List(items) => {
                budget.spend(items.len() / 8, at)?;
                let at = index(last, items.len()).ok_or(missing)?;
                Ok(items.remove(at))
            }
            Value::Scalar(_) => Err(missing),
        }
    }

    fn test(&mut self, path: &[String], expected: Option<&Value>) -> Outcome {
        let (budget, at) = (self.budget, self.at);
        let differs = || refused(at, &format!("the JSON patch tests `/{}`, which is something else", path.join("/")));
        let expected = expected.filter(|value| !value.is_null());
        let Ok(actual) = self.get(path) else {
            return if expected.is_none() { Ok(()) } else { Err(differs()) };
        };
        match (&*actual, expected) {
            (actual, None) if actual.is_null() => Ok(()),
            (Value::Scalar(actual), Some(Value::Scalar(expected))) if actual.text == expected.text => {
                let is_typed = |text: &str| matches!(text, "true" | "false") || text.parse::<f64>().is_ok();
                if is_typed(&actual.text) {
                    return Err(undecided(at, "the JSON patch tests a value that may be a number or a text"));
                }
                budget.spend(1, at)
            }
            (Value::Scalar(_), _) | (_, None | Some(Value::Scalar(_))) => Err(differs()),
            _ => Err(undecided(at, "the JSON patch tests a whole list or mapping")),
        }
    }
}

/// The parts of a JSON pointer.
fn parts(pointer: &str) -> Option<Vec<String>> {
    let rest = pointer.strip_prefix('/')?;
    Some(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
}

/// An index into a list of a length; negative ones count from its end.
fn index(text: &str, length: usize) -> Option<usize> {
    let index: i64 = text.parse().ok()?;
    let length = i64::try_from(length).ok()?;
    let index = if index < 0 { index + length } else { index };
    usize::try_from(index).ok().filter(|_| index < length)
}

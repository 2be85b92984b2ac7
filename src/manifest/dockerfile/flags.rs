//! The `--flags` of an instruction, and the `from` of a `--mount`.
//!
//! Source: <https://github.com/moby/buildkit> (`parser/split_command.go`, `instructions/commands_runmount.go`).

use std::iter::Peekable;

/// The `--flags` before the arguments of an instruction; `at` is left where the arguments begin.
pub(super) struct Flags<'t> {
    text: &'t str,
    pub(super) at: usize,
    escape: char,
}

/// One flag with its quotes and escapes.
pub(super) struct Flag<'t>(Decoded<'t>);

/// A value without its quotes and escapes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    /// Where its first byte stands in the instruction.
    pub(super) start: usize,
    /// Where its last byte ends.
    pub(super) end: usize,
}

impl<'t> Flags<'t> {
    /// The flags from an offset on.
    pub(super) fn new(text: &'t str, at: usize, escape: char) -> Self {
        Self { text, at, escape }
    }

    /// Where the arguments behind all flags begin.
    pub(super) fn end(mut self) -> usize {
        self.by_ref().for_each(drop);
        self.at
    }
}

impl<'t> Iterator for Flags<'t> {
    type Item = Flag<'t>;

    fn next(&mut self) -> Option<Flag<'t>> {
        let bytes = self.text.as_bytes();
        let rest = bytes.get(self.at..)?;
        self.at += rest.iter().take_while(|&&byte| is_space(byte)).count();
        if !bytes.get(self.at..)?.starts_with(b"--") {
            return None;
        }
        let flag = Decoded { bytes, at: self.at, escape: self.escape as u8, quote: None };
        let mut rest = flag.clone();
        let is_end = rest.by_ref().count() == 2;
        self.at = rest.at;
        (!is_end).then_some(Flag(flag))
    }
}

/// BuildKit looks at single bytes here, so that also 0x85 and 0xA0 are blanks, within a character too.
fn is_space(byte: u8) -> bool {
    matches!(byte, 9..=13 | b' ' | 0x85 | 0xa0)
}

/// The bytes of a flag up to the blank that ends it, with their offsets.
#[derive(Clone)]
struct Decoded<'t> {
    bytes: &'t [u8],
    at: usize,
    escape: u8,
    quote: Option<u8>,
}

impl Iterator for Decoded<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<(usize, u8)> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if self.quote.is_none() && is_space(byte) {
                return None;
            }
            self.at += 1;
            if self.quote == Some(byte) {
                self.quote = None;
            } else if self.quote.is_none() && matches!(byte, b'"' | b'\'') {
                self.quote = Some(byte);
            } else if byte == self.escape {
                let escaped = *self.bytes.get(self.at)?;
                self.at += 1;
                return Some((self.at - 1, escaped));
            } else {
                return Some((self.at - 1, byte));
            }
        }
    }
}

impl<'t> Flag<'t> {
    /// The value of `--name=value`.
    pub(super) fn value(self, name: &str) -> Option<Value> {
        let mut value = Growing::default();
        self.behind(name)?.for_each(|(at, byte)| value.push(at, byte));
        Some(value.into())
    }

    /// The value of `from` in `--mount=key=value,…`: the last counts. `None` where the fields are no CSV.
    pub(super) fn mounted_from(self) -> Option<Value> {
        let Some(bytes) = self.behind("mount") else { return Some(Value::default()) };
        let mut bytes = bytes.peekable();
        let mut from = Value::default();
        loop {
            let (field, has_more) = field(&mut bytes)?;
            if field.key.eq_ignore_ascii_case(b"from=") {
                from = field.value.into();
            }
            if !has_more {
                return Some(from);
            }
        }
    }

    fn behind(mut self, name: &str) -> Option<Decoded<'t>> {
        let prefix = b"--".iter().chain(name.as_bytes()).chain(b"=");
        for &expected in prefix {
            self.0.next().filter(|&(_, byte)| byte == expected)?;
        }
        Some(self.0)
    }
}

/// A value as it grows.
#[derive(Default)]
struct Growing {
    bytes: Vec<u8>,
    start: Option<usize>,
    end: usize,
}

impl Growing {
    fn push(&mut self, at: usize, byte: u8) {
        self.bytes.push(byte);
        self.start.get_or_insert(at);
        self.end = at + 1;
    }
}

impl From<Growing> for Value {
    fn from(value: Growing) -> Self {
        let text = String::from_utf8_lossy(&value.bytes).into_owned();
        Self { text, start: value.start.unwrap_or_default(), end: value.end }
    }
}

/// A field of a mount: as many bytes as `from=` has, and what follows them.
#[derive(Default)]
struct Field {
    key: Vec<u8>,
    value: Growing,
}

impl Field {
    fn push(&mut self, at: usize, byte: u8) {
        if self.key.len() < b"from=".len() { self.key.push(byte) } else { self.value.push(at, byte) }
    }
}

/// One field and whether another follows. Quotes stand around a whole field, and `""` in them is one.
fn field(bytes: &mut Peekable<Decoded<'_>>) -> Option<(Field, bool)> {
    let mut field = Field::default();
    let quoted = bytes.next_if(|&(_, byte)| byte == b'"').is_some();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' if !quoted => return None,
            b'"' if bytes.next_if(|&(_, next)| next == b'"').is_none() => {
                return match bytes.next() {
                    None => Some((field, false)),
                    Some((_, b',')) => Some((field, true)),
                    Some(_) => None,
                };
            }
            b',' if !quoted => return Some((field, true)),
            byte => field.push(at, byte),
        }
    }
    (!quoted).then_some((field, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Vec<String> {
        Flags::new(text, 0, '\\').filter_map(|flag| flag.value("from")).map(|value| value.text).collect()
    }

    #[test]
    fn flags_end_where_the_arguments_begin() {
        for (text, expected, rest) in [
            ("--from=a b c", &["a"][..], "b c"),
            ("  --link\t--from=\"a b\"'c' x", &["a bc"], "x"),
            ("--from=a\\ b\\\" x", &["a b\""], "x"),
            ("--from=a -- --from=b x", &["a"], " --from=b x"),
            ("--from= --from", &[""], ""),
            ("--x='--from=a' b", &[], "b"),
            ("--FROM=a --fromage=b -x", &[], "-x"),
            ("--chown=à--from=a x", &["a"], "x"),
            ("--from='a", &["a"], ""),
            ("--from=a\\", &["a"], ""),
        ] {
            assert_eq!(from(text), expected, "{text}");
            let end = Flags::new(text, 0, '\\').end();
            assert_eq!(&text[end..], rest, "{text}");
        }
    }

    #[test]
    fn a_mount_is_one_line_of_csv() {
        for (text, expected) in [
            ("--mount=type=bind,from=a,target=/x", Some("a")),
            ("--mount=FROM=a", Some("a")),
            ("--mount=from=a,from=b", Some("b")),
            ("--mount=source=from=a", Some("")),
            ("--mount='\"from=a,b\",x=\"'", None),
            ("--mount='\"from=a,\"\"b\",x'", Some("a,\"b")),
            ("--mount='\"from=a'", None),
            ("--mount=\"from=a\",x", Some("a")),
            ("--network=none", Some("")),
        ] {
            let value = Flags::new(text, 0, '\\').next().unwrap().mounted_from();
            assert_eq!(value.as_ref().map(|value| value.text.as_str()), expected, "{text}");
            if let Some(value) = value.filter(|value| value.text == "a") {
                assert_eq!(&text[value.start..value.end], "a");
            }
        }
    }

    #[test]
    fn a_long_flag_is_held_once() {
        let text = format!("--from={} x", "a".repeat(10 << 20));
        let value = Flags::new(&text, 0, '\\').next().unwrap().value("from").unwrap();
        assert_eq!((value.start, value.end - value.start, value.text.len()), (7, 10 << 20, 10 << 20));
    }
}

//! Go's templates as a tree: <https://pkg.go.dev/text/template>.

use std::rc::Rc;

/// How deep blocks and parentheses nest.
const MAX_DEPTH: usize = 60;

pub(super) type Block = Rc<Vec<Node>>;

/// A part of a template, with its bytes in the text.
#[derive(Debug)]
pub(super) enum Node {
    Text(std::ops::Range<usize>),
    /// `{{ pipe }}`: prints, or sets variables where it declares them.
    Action(Pipe, std::ops::Range<usize>),
    If(Pipe, Block, Block),
    With(Pipe, Block, Block),
    Range(Pipe, Block, Block),
    /// `{{ template "name" pipe }}`
    Template(String, Option<Pipe>),
}

/// Commands whose results are the last arguments of the next.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) names: Vec<String>,
    /// `:=`, not `=`.
    pub(super) declares: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

#[derive(Debug)]
pub(super) enum Operand {
    Text(String),
    Number(f64, bool),
    Bool(bool),
    Nil,
    Dot,
    Variable(String),
    Function(String),
    Group(Box<Pipe>),
    Fields(Box<Operand>, Vec<String>),
}

/// A parsed text: what it renders, and the templates it defines.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) body: Block,
    pub(super) defines: Vec<(String, Block)>,
}

/// Where and why a text is no template.
#[derive(Debug)]
pub(super) struct Error(pub(super) usize, pub(super) &'static str);

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    /// Whether it follows the token before it without space.
    Fields(Vec<String>, bool),
    Dot,
    Variable(String),
    Text(String),
    Number(f64, bool),
    Sign(char),
    Declare,
}

/// One `{{ … }}` or the text between two.
enum Part {
    Text(std::ops::Range<usize>),
    Action(Vec<Token>, std::ops::Range<usize>),
}

pub(super) fn parse(text: &str) -> Result<Parsed, Error> {
    let mut parser = Parser { parts: parts(text)?.into_iter(), defines: Vec::new(), depth: 0 };
    let (body, end) = parser.block()?;
    match end {
        None => Ok(Parsed { body, defines: parser.defines }),
        Some((_, at)) => Err(Error(at, "this `end` or `else` belongs to nothing")),
    }
}

/// Splits a text at its actions, trimmed as `{{-` and `-}}` say.
fn parts(text: &str) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(open) = memchr::memmem::find(text.as_bytes().get(at..).unwrap_or_default(), b"{{") {
        let start = at + open;
        let mut inside = start + 2;
        let rest = text.get(inside..).unwrap_or_default();
        let trims = rest.starts_with('-') && rest.get(1..).is_some_and(|rest| rest.starts_with(char::is_whitespace));
        let before = text.get(at..start).unwrap_or_default();
        let before = if trims { before.trim_end() } else { before };
        if !before.is_empty() {
            parts.push(Part::Text(at..at + before.len()));
        }
        inside += usize::from(trims);
        let (tokens, close) = action(text, inside, start)?;
        let mut end = close.0;
        if close.1 {
            let rest = text.get(end..).unwrap_or_default();
            end += rest.len() - rest.trim_start().len();
        }
        if !tokens.is_empty() {
            parts.push(Part::Action(tokens, start..close.0));
        }
        at = end;
    }
    if at < text.len() {
        parts.push(Part::Text(at..text.len()));
    }
    Ok(parts)
}

/// The tokens of an action; where it ends, and whether it trims what follows. A comment has no tokens.
fn action(text: &str, start: usize, open: usize) -> Result<(Vec<Token>, (usize, bool)), Error> {
    let rest = text.get(start..).unwrap_or_default();
    let blank = rest.len() - rest.trim_start().len();
    if let Some(comment) = rest.trim_start().strip_prefix("/*") {
        let length = comment.find("*/").ok_or(Error(open, "this comment has no end"))?;
        let after = start + blank + 2 + length + 2;
        let rest = text.get(after..).unwrap_or_default();
        let trimmed = rest.trim_start();
        let (trims, trimmed) = trimmed.strip_prefix('-').map_or((false, trimmed), |rest| (true, rest));
        if !trimmed.starts_with("}}") {
            return Err(Error(open, "this comment does not end with its action"));
        }
        return Ok((Vec::new(), (after + rest.len() - trimmed.len() + 2, trims)));
    }
    let mut lexer = Lexer { text, at: start, spaced: true, tokens: Vec::new() };
    let end = lexer.run().ok_or(Error(open, "this action cannot be read"))?;
    Ok((lexer.tokens, end))
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    spaced: bool,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn run(&mut self) -> Option<(usize, bool)> {
        loop {
            let rest = self.text.get(self.at..)?;
            if rest.starts_with("}}") {
                return Some((self.at + 2, false));
            }
            if self.spaced && rest.starts_with("-}}") {
                return Some((self.at + 3, true));
            }
            let c = rest.chars().next()?;
            if c.is_whitespace() {
                self.spaced = true;
                self.at += c.len_utf8();
                continue;
            }
            let length = self.token(c, rest)?;
            self.at += length;
            self.spaced = false;
        }
    }

    /// Takes one token and returns its length.
    fn token(&mut self, c: char, rest: &str) -> Option<usize> {
        let word = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let (token, length) = match c {
            '|' | '(' | ')' | ',' => (Token::Sign(c), 1),
            ':' if rest.starts_with(":=") => (Token::Declare, 2),
            '=' => (Token::Sign('='), 1),
            '"' => {
                let length = quoted_length(rest)?;
                (Token::Text(unescape(rest.get(1..length - 1)?)?), length)
            }
            '`' => {
                let length = rest.get(1..)?.find('`')?;
                (Token::Text(rest.get(1..=length)?.to_owned()), length + 2)
            }
            '\'' => {
                let mut chars = rest.chars().skip(1);
                let value = chars.next().filter(|&c| c != '\\')?;
                chars.next().filter(|&c| c == '\'')?;
                (Token::Number(f64::from(u32::from(value)), true), 2 + value.len_utf8())
            }
            '$' => {
                let length = 1 + word(rest.get(1..)?);
                (Token::Variable(rest.get(..length)?.to_owned()), length)
            }
            '.' if rest.get(1..)?.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                let mut names = Vec::new();
                let mut length = 0;
                while let Some(name) = rest.get(length..)?.strip_prefix('.') {
                    let end = word(name);
                    names.push(name.get(..end).filter(|name| !name.is_empty())?.to_owned());
                    length += 1 + end;
                }
                (Token::Fields(names, !self.spaced), length)
            }
            '.' => (Token::Dot, 1),
            c if c.is_ascii_digit() || c == '-' || c == '+' => number(rest)?,
            c if c.is_alphabetic() || c == '_' => {
                let length = word(rest);
                (Token::Word(rest.get(..length)?.to_owned()), length)
            }
            _ => return None,
        };
        self.tokens.push(token);
        Some(length)
    }
}

fn number(rest: &str) -> Option<(Token, usize)> {
    let sign = usize::from(rest.starts_with(['-', '+']));
    let is_part = |c: char| c.is_alphanumeric() || c == '.' || c == '_';
    let body = rest.get(sign..)?;
    let length = body.find(|c| !is_part(c)).unwrap_or(body.len());
    let digits = body.get(..length)?.replace('_', "");
    let value = match digits.get(..2) {
        #[expect(clippy::cast_precision_loss, reason = "numbers of templates are small")]
        Some("0x") => i64::from_str_radix(digits.get(2..)?, 16).ok()? as f64,
        #[expect(clippy::cast_precision_loss, reason = "numbers of templates are small")]
        Some("0o") => i64::from_str_radix(digits.get(2..)?, 8).ok()? as f64,
        _ => digits.parse::<f64>().ok().filter(|value| value.is_finite())?,
    };
    let value = if rest.starts_with('-') { -value } else { value };
    Some((Token::Number(value, !digits.contains(['.', 'e'])), sign + length))
}

/// The length of a quoted text with its quotes.
fn quoted_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Some(at + 1),
            '\n' => return None,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    None
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next()? {
            'n' => plain.push('\n'),
            't' => plain.push('\t'),
            'r' => plain.push('\r'),
            c @ ('"' | '\\' | '\'') => plain.push(c),
            c @ ('x' | 'u') => {
                let digits: String = chars.by_ref().take(if c == 'x' { 2 } else { 4 }).collect();
                plain.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
            }
            // The rare rest is not needed for an image.
            _ => plain.push(super::text::SOME_TEXT),
        }
    }
    Some(plain)
}

/// What an action is by its first word.
enum Keyword {
    Node(Node),
    /// It defines a template and renders nothing.
    Defined,
    /// The word is a function.
    None,
}

/// How a block ended: the tokens of `end` or `else …`, and where.
type End = Option<(Vec<Token>, usize)>;

struct Parser {
    parts: std::vec::IntoIter<Part>,
    defines: Vec<(String, Block)>,
    depth: usize,
}

impl Parser {
    fn block(&mut self) -> Result<(Block, End), Error> {
        let mut nodes = Vec::new();
        while let Some(part) = self.parts.next() {
            let (tokens, range) = match part {
                Part::Text(range) => {
                    nodes.push(Node::Text(range));
                    continue;
                }
                Part::Action(tokens, range) => (tokens, range),
            };
            if let Some(Token::Word(word)) = tokens.first() {
                let word = word.clone();
                if matches!(word.as_str(), "end" | "else") {
                    return Ok((Rc::new(nodes), Some((tokens, range.start))));
                }
                match self.keyword(&word, &tokens, &range)? {
                    Keyword::Node(node) => {
                        nodes.push(node);
                        continue;
                    }
                    Keyword::Defined => continue,
                    Keyword::None => {}
                }
            }
            nodes.push(Node::Action(pipe(&tokens, range.start)?, range));
        }
        Ok((Rc::new(nodes), None))
    }

    /// The node that begins with a keyword.
    fn keyword(&mut self, word: &str, tokens: &[Token], range: &std::ops::Range<usize>) -> Result<Keyword, Error> {
        let rest = tokens.get(1..).unwrap_or_default();
        let at = range.start;
        let node = match word {
            "if" | "with" | "range" => self.branch(word, rest, at)?,
            "define" | "block" => {
                let (name, rest) = name_of(rest, at)?;
                let body = self.body(at)?;
                self.defines.push((name.clone(), body));
                if word == "define" {
                    return Ok(Keyword::Defined);
                }
                Node::Template(name, Some(pipe(rest, at)?))
            }
            "template" => {
                let (name, rest) = name_of(rest, at)?;
                Node::Template(name, if rest.is_empty() { None } else { Some(pipe(rest, at)?) })
            }
            // What follows would be decided by something that is not rendered.
            "break" | "continue" if rest.is_empty() => {
                return Err(Error(at, "`break` and `continue` are not followed here"));
            }
            _ => return Ok(Keyword::None),
        };
        Ok(Keyword::Node(node))
    }

    fn deeper<T>(&mut self, at: usize, act: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error(at, "blocks nest too deep here"));
        }
        self.depth += 1;
        let result = act(self);
        self.depth -= 1;
        result
    }

    fn body(&mut self, at: usize) -> Result<Block, Error> {
        match self.deeper(at, Self::block)? {
            (body, Some((tokens, _))) if is_word(tokens.first(), "end") => Ok(body),
            _ => Err(Error(at, "this block has no `end`")),
        }
    }

    fn branch(&mut self, word: &str, tokens: &[Token], at: usize) -> Result<Node, Error> {
        let pipe = pipe(tokens, at)?;
        let (then, end) = self.deeper(at, Self::block)?;
        let Some((tokens, end)) = end else { return Err(Error(at, "this block has no `end`")) };
        let other = if is_word(tokens.first(), "end") {
            Block::default()
        } else {
            match tokens.get(1..).unwrap_or_default() {
                [] => self.body(at)?,
                [Token::Word(word), rest @ ..] if word == "if" || word == "with" => {
                    Rc::new(vec![self.deeper(end, |parser| parser.branch(word, rest, end))?])
                }
                _ => return Err(Error(end, "this `else` cannot be read")),
            }
        };
        Ok(match word {
            "if" => Node::If(pipe, then, other),
            "with" => Node::With(pipe, then, other),
            _ => Node::Range(pipe, then, other),
        })
    }
}

fn is_word(token: Option<&Token>, word: &str) -> bool {
    matches!(token, Some(Token::Word(it)) if it == word)
}

fn name_of(tokens: &[Token], at: usize) -> Result<(String, &[Token]), Error> {
    match tokens {
        [Token::Text(name), rest @ ..] => Ok((name.clone(), rest)),
        _ => Err(Error(at, "a template's name is missing here")),
    }
}

fn pipe(tokens: &[Token], at: usize) -> Result<Pipe, Error> {
    let mut reader = Tokens { all: tokens, next: 0, at };
    let pipe = reader.pipe(0)?;
    if reader.peek().is_some() { Err(Error(at, "this action cannot be read")) } else { Ok(pipe) }
}

struct Tokens<'t> {
    all: &'t [Token],
    next: usize,
    at: usize,
}

impl<'t> Tokens<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.all.get(self.next)
    }

    fn take(&mut self) -> Option<&'t Token> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn declared(&mut self) -> (Vec<String>, bool) {
        match self.all.get(self.next..).unwrap_or_default() {
            [Token::Variable(name), sign @ (Token::Declare | Token::Sign('=')), ..] => {
                self.next += 2;
                (vec![name.clone()], *sign == Token::Declare)
            }
            [Token::Variable(key), Token::Sign(','), Token::Variable(value), Token::Declare | Token::Sign('='), ..] => {
                self.next += 4;
                (vec![key.clone(), value.clone()], true)
            }
            _ => (Vec::new(), false),
        }
    }

    fn pipe(&mut self, depth: usize) -> Result<Pipe, Error> {
        if depth > MAX_DEPTH {
            return Err(Error(self.at, "parentheses nest too deep here"));
        }
        let (names, declares) = self.declared();
        let mut commands = vec![Vec::new()];
        while let Some(token) = self.peek() {
            match token {
                Token::Sign(')') => break,
                Token::Sign('|') => {
                    self.next += 1;
                    commands.push(Vec::new());
                }
                _ => {
                    let operand = self.operand(depth)?;
                    if let Some(command) = commands.last_mut() {
                        command.push(operand);
                    }
                }
            }
        }
        if commands.iter().any(Vec::is_empty) {
            return Err(Error(self.at, "a value is missing here"));
        }
        Ok(Pipe { names, declares, commands })
    }

    fn operand(&mut self, depth: usize) -> Result<Operand, Error> {
        let mut operand = match self.take() {
            Some(Token::Text(text)) => Operand::Text(text.clone()),
            Some(Token::Number(value, is_integer)) => Operand::Number(*value, *is_integer),
            Some(Token::Word(word)) => match word.as_str() {
                "true" => Operand::Bool(true),
                "false" => Operand::Bool(false),
                "nil" => Operand::Nil,
                _ => Operand::Function(word.clone()),
            },
            Some(Token::Dot) => Operand::Dot,
            Some(Token::Fields(names, _)) => Operand::Fields(Box::new(Operand::Dot), names.clone()),
            Some(Token::Variable(name)) => Operand::Variable(name.clone()),
            Some(Token::Sign('(')) => {
                let pipe = self.pipe(depth + 1)?;
                if self.take() != Some(&Token::Sign(')')) {
                    return Err(Error(self.at, "a `)` is missing here"));
                }
                Operand::Group(Box::new(pipe))
            }
            _ => return Err(Error(self.at, "this action cannot be read")),
        };
        while let Some(Token::Fields(names, true)) = self.peek() {
            self.next += 1;
            operand = Operand::Fields(Box::new(operand), names.clone());
        }
        Ok(operand)
    }
}

//! Reads Python literals as data: numbers, texts, bytes, tuples, lists, dicts, `True`, `False` and
//! `None`. Nothing is ever run; names, calls and operators are errors.
//!
//! What Python reads, this reads the same way, Python 2's `u''` included, but for what a message
//! cannot carry (sets, complex numbers, integers beyond 64 bits) and for `\N{…}`.

use std::fmt;

mod number;
#[cfg(test)]
mod tests;
mod text;

use crate::value::{MAX_DEPTH, Map, Value};

/// Where a text is no literal, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiteralError {
    /// The character where it was noticed, counted from 1.
    character: usize,
    reason: String,
}

impl fmt::Display for LiteralError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "character {}: {}", self.character, self.reason)
    }
}

impl std::error::Error for LiteralError {}

/// Reads a whole text as one literal. Tuples become lists.
pub(crate) fn parse(text: &str) -> Result<Value, LiteralError> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(MAX_DEPTH)?;
    match parser.next_token() {
        None => Ok(value),
        Some(c) => Err(parser.error(format!("expected the end, found {c:?}"))),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// How many bytes are read.
    at: usize,
}

type Outcome<T> = Result<T, LiteralError>;

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Takes `expected` if it comes next.
    fn eat(&mut self, expected: char) -> bool {
        let comes = self.peek() == Some(expected);
        if comes {
            self.at += expected.len_utf8();
        }
        comes
    }

    /// The next character that is no white space.
    fn next_token(&mut self) -> Option<char> {
        self.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
        self.peek()
    }

    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn error(&self, reason: impl Into<String>) -> LiteralError {
        LiteralError {
            character: self.text[..self.at].chars().count() + 1,
            reason: reason.into(),
        }
    }

    fn value(&mut self, depth: usize) -> Outcome<Value> {
        match self.next_token() {
            Some('(' | '[' | '{') if depth == 0 => {
                Err(self.error(format!("more than {MAX_DEPTH} lists within each other")))
            }
            Some('(') => self.tuple(depth - 1),
            Some('[') => {
                self.bump();
                Ok(Value::List(self.items(']', depth - 1)?.0))
            }
            Some('{') => self.dict(depth - 1),
            Some('\'' | '"') => self.texts(),
            Some(c) if c.is_ascii_digit() || matches!(c, '.' | '+' | '-') => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.word(),
            Some(c) => Err(self.error(format!("expected a value, found {c:?}"))),
            None => Err(self.error("expected a value, found the end")),
        }
    }

    /// As in Python, what makes a tuple is a comma.
    fn tuple(&mut self, depth: usize) -> Outcome<Value> {
        self.bump();
        let (mut items, comma) = self.items(')', depth)?;
        match items.pop() {
            Some(only) if items.is_empty() && !comma => Ok(only),
            last => {
                items.extend(last);
                Ok(Value::List(items))
            }
        }
    }

    /// The items up to `end`, and whether there is a comma behind the last one.
    fn items(&mut self, end: char, depth: usize) -> Outcome<(Vec<Value>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            if self.next_token() == Some(end) {
                self.bump();
                return Ok((items, comma));
            }
            if !items.is_empty() && !comma {
                return Err(self.expected(&format!("`,` or `{end}`")));
            }
            items.push(self.value(depth)?);
            self.next_token();
            comma = self.eat(',');
        }
    }

    fn dict(&mut self, depth: usize) -> Outcome<Value> {
        self.bump();
        let mut map = Map::default();
        let mut comma = true;
        loop {
            if self.next_token() == Some('}') {
                self.bump();
                return Ok(Value::Map(map));
            }
            if !comma {
                return Err(self.expected("`,` or `}`"));
            }
            let key = self.value(depth)?;
            if self.next_token() != Some(':') {
                return Err(self.expected("`:` (a set cannot be sent)"));
            }
            self.bump();
            let value = self.value(depth)?;
            map.insert(key, value)
                .map_err(|reason| self.error(reason))?;
            self.next_token();
            comma = self.eat(',');
        }
    }

    fn expected(&mut self, what: &str) -> LiteralError {
        match self.next_token() {
            Some(c) => self.error(format!("expected {what}, found {c:?}")),
            None => self.error(format!("expected {what}, found the end")),
        }
    }

    fn word(&mut self) -> Outcome<Value> {
        let start = self.at;
        let word = self.take_while(|c| c.is_alphanumeric() || c == '_');
        if matches!(self.peek(), Some('\'' | '"')) {
            self.at = start;
            return self.texts();
        }
        match word {
            "None" => Ok(Value::Null),
            "True" => Ok(Value::Boolean(true)),
            "False" => Ok(Value::Boolean(false)),
            name => {
                self.at = start;
                Err(self.error(format!("{name:?} is no value: a text needs quotes")))
            }
        }
    }

    fn number(&mut self) -> Outcome<Value> {
        let mut negative = false;
        // `- 5` and `--5` are numbers to Python, too.
        while let Some(sign @ ('+' | '-')) = self.next_token() {
            self.bump();
            negative ^= sign == '-';
        }
        let start = self.at;
        let mut before = '0';
        let token = self.take_while(|c| {
            // Behind the `e` of `1e-5` a sign is a part of it.
            let in_exponent = matches!(before, 'e' | 'E') && matches!(c, '+' | '-');
            before = c;
            c.is_alphanumeric() || matches!(c, '.' | '_') || in_exponent
        });
        number::parse(token, negative).map_err(|reason| {
            self.at = start;
            self.error(reason)
        })
    }
}

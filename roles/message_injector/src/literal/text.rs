//! Python's texts and bytes.

use super::{Outcome, Parser};
use crate::value::Value;

/// What stands before the quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Prefix {
    bytes: bool,
    raw: bool,
}

impl Parser<'_> {
    /// A text or bytes, perhaps in several pieces in a row.
    pub(super) fn texts(&mut self) -> Outcome<Value> {
        let mut content = Vec::new();
        let bytes = self.piece(&mut content)?;
        while self.piece_comes() {
            let start = self.at;
            if self.piece(&mut content)? != bytes {
                self.at = start;
                return Err(self.error("a text and bytes cannot be joined"));
            }
        }
        if bytes {
            return Ok(Value::Bytes(content));
        }
        String::from_utf8(content)
            .map(Value::Text)
            .map_err(|_| self.error("the text is not UTF-8"))
    }

    /// Whether another piece comes, after white space.
    fn piece_comes(&mut self) -> bool {
        self.next_token();
        let after_prefix = self.rest().trim_start_matches(char::is_alphanumeric);
        after_prefix.starts_with(['\'', '"'])
    }

    /// Appends one piece's content; whether it is of bytes.
    fn piece(&mut self, content: &mut Vec<u8>) -> Outcome<bool> {
        let prefix = self.prefix()?;
        let start = self.at;
        let Some(quote) = self.bump() else {
            return Err(self.error("expected a text"));
        };
        let triple: String = std::iter::repeat_n(quote, 3).collect();
        let end = if self.rest().starts_with(&triple[1..]) {
            self.at += 2;
            &triple[..]
        } else {
            &triple[..1]
        };
        loop {
            if self.rest().starts_with(end) {
                self.at += end.len();
                return Ok(prefix.bytes);
            }
            match self.peek() {
                Some('\\') => self.backslash(prefix, content)?,
                Some(c) if prefix.bytes && !c.is_ascii() => {
                    return Err(self.error("bytes are written in ASCII, others as `\\x…`"));
                }
                Some(c) => {
                    self.bump();
                    push(content, c);
                }
                None => {
                    self.at = start;
                    return Err(self.error("the text does not end"));
                }
            }
        }
    }

    fn prefix(&mut self) -> Outcome<Prefix> {
        let start = self.at;
        let letters = self.take_while(char::is_alphanumeric);
        let prefix = |bytes, raw| Ok(Prefix { bytes, raw });
        match letters.to_ascii_lowercase().as_str() {
            "" | "u" => prefix(false, false),
            "r" => prefix(false, true),
            "b" => prefix(true, false),
            "br" | "rb" => prefix(true, true),
            _ => {
                self.at = start;
                Err(self.error(format!("a text cannot begin with {letters:?}")))
            }
        }
    }

    /// What a backslash and the characters behind it stand for.
    fn backslash(&mut self, prefix: Prefix, content: &mut Vec<u8>) -> Outcome<()> {
        let start = self.at;
        self.bump();
        let Some(c) = self.bump() else {
            return Err(self.error("the text ends with a backslash"));
        };
        let simple = match c {
            _ if prefix.raw => None,
            '\\' | '\'' | '"' => Some(c),
            'a' => Some('\x07'),
            'b' => Some('\x08'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            _ => None,
        };
        if let Some(c) = simple {
            push(content, c);
            return Ok(());
        }
        let code = match c {
            _ if prefix.raw => None,
            'x' => Some(self.hexadecimal(2)?),
            'u' if !prefix.bytes => Some(self.hexadecimal(4)?),
            'U' if !prefix.bytes => Some(self.hexadecimal(8)?),
            '0'..='7' => {
                self.at -= 1;
                Some(self.octal())
            }
            'N' if !prefix.bytes => {
                self.at = start;
                return Err(self.error("`\\N{…}` is not known here: write `\\u…`"));
            }
            _ => None,
        };
        match code {
            // As in Python, a backslash that means nothing stands for itself.
            None => {
                self.at = start + 1;
                content.push(b'\\');
                // In a raw text it still keeps a quote from ending it.
                if prefix.raw && matches!(c, '\'' | '"' | '\\') {
                    self.bump();
                    push(content, c);
                }
                Ok(())
            }
            Some(code) if prefix.bytes => match u8::try_from(code) {
                Ok(byte) => {
                    content.push(byte);
                    Ok(())
                }
                Err(_) => Err(self.error("a byte is 255 at most")),
            },
            Some(code) => match char::from_u32(code) {
                Some(c) => {
                    push(content, c);
                    Ok(())
                }
                None => {
                    self.at = start;
                    Err(self.error(format!("U+{code:04X} is no character")))
                }
            },
        }
    }

    /// Exactly `count` digits.
    fn hexadecimal(&mut self, count: usize) -> Outcome<u32> {
        let digits = self.rest().get(..count).unwrap_or("");
        if digits.len() < count || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.error(format!("expected {count} hexadecimal digits")));
        }
        self.at += count;
        u32::from_str_radix(digits, 16).map_err(|error| self.error(error.to_string()))
    }

    /// Up to three digits.
    fn octal(&mut self) -> u32 {
        let mut code = 0;
        for _ in 0..3 {
            match self.peek().and_then(|c| c.to_digit(8)) {
                Some(digit) => code = code * 8 + digit,
                None => break,
            }
            self.bump();
        }
        code
    }
}

fn push(content: &mut Vec<u8>, c: char) {
    content.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

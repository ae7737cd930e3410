//! Reads documents: XML with nothing in it that XML-RPC has no use for, straight to values.
//!
//! A reader that is made of serde's derive costs three levels of recursion for one of values, and ends at forty of
//! them; what it says of a mistake has no place.

use base64ct::{Base64, Encoding};
use quick_xml::Reader as Events;
use quick_xml::events::{BytesRef, Event};

use super::{DocumentError, MethodCall};
use crate::fault::Fault;
use crate::value::{MAX_DEPTH, Struct, Value, is_legal};

type Read<T> = Result<T, DocumentError>;

/// Reads `<methodCall>`.
pub(super) fn call(text: &str) -> Read<MethodCall> {
    let mut reader = Reader::new(text);
    reader.expect("methodCall")?;
    reader.expect("methodName")?;
    let method = reader.text()?.trim().to_owned();
    let mut arguments = Vec::new();
    if reader.another("params")? {
        while reader.another("param")? {
            arguments.push(reader.whole_value()?);
            reader.expect_end()?;
        }
        reader.expect_end()?;
    }
    reader.expect_end_of_document()?;
    Ok(MethodCall { method, arguments })
}

/// Reads `<methodResponse>`.
pub(super) fn answer(text: &str) -> Read<Result<Value, Fault>> {
    let mut reader = Reader::new(text);
    reader.expect("methodResponse")?;
    let answer = match reader.start()?.as_deref() {
        Some("fault") => match reader.whole_value()? {
            Value::Struct(members) => Err(fault(&members)),
            _ => return reader.wrong("a fault has to be a struct"),
        },
        Some("params") => {
            reader.expect("param")?;
            let value = reader.whole_value()?;
            reader.expect_end()?;
            Ok(value)
        }
        _ => return reader.wrong("there is neither `params` nor `fault`"),
    };
    reader.expect_end()?;
    reader.expect_end()?;
    reader.expect_end_of_document()?;
    Ok(answer)
}

/// Reads `<params>` alone.
pub(super) fn values(text: &str) -> Read<Vec<Value>> {
    let mut reader = Reader::new(text);
    reader.expect("params")?;
    let mut values = Vec::new();
    while reader.another("param")? {
        values.push(reader.whole_value()?);
        reader.expect_end()?;
    }
    reader.expect_end_of_document()?;
    Ok(values)
}

fn fault(members: &Struct) -> Fault {
    let code = match members.get("faultCode") {
        Some(Value::Integer(code)) => *code,
        _ => 0,
    };
    let text = match members.get("faultString") {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    Fault { code, text }
}

struct Reader<'a> {
    text: &'a str,
    events: Events<&'a [u8]>,
    /// Where the event begins that was read last.
    place: usize,
    /// How many arrays and structs are open.
    depth: usize,
}

/// What is left of an event.
enum Piece {
    /// An element begins.
    Start(String),
    /// The last one that began ends.
    End,
    /// Characters, or white space.
    Text(String),
    /// The document ends.
    Eof,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let mut events = Events::from_str(text);
        events.config_mut().expand_empty_elements = true;
        Self {
            text,
            events,
            place: 0,
            depth: 0,
        }
    }

    /// `<value>`, from its beginning to its end.
    fn whole_value(&mut self) -> Read<Value> {
        self.expect("value")?;
        self.value()
    }

    /// What is in `<value>`, to its end.
    fn value(&mut self) -> Read<Value> {
        let mut untyped = String::new();
        let name = loop {
            match self.next()? {
                Piece::Text(text) => untyped.push_str(&text),
                Piece::End => return Ok(Value::String(untyped)),
                Piece::Start(name) => break name,
                Piece::Eof => return self.too_early(),
            }
        };
        if !is_blank(&untyped) {
            return self.wrong("there is text beside the type of a value");
        }
        let value = self.typed(&name)?;
        self.expect_end()?;
        Ok(value)
    }

    fn typed(&mut self, name: &str) -> Read<Value> {
        match name {
            "string" => Ok(Value::String(self.text()?)),
            "int" | "i4" => self.parsed("an integer of 32 bits", |text| {
                text.parse().ok().map(Value::Integer)
            }),
            "i8" => self.parsed("an integer of 64 bits", |text| {
                text.parse().ok().map(Value::Long)
            }),
            "boolean" => self.parsed("0 or 1", |text| match text {
                "0" => Some(Value::Boolean(false)),
                "1" => Some(Value::Boolean(true)),
                _ => None,
            }),
            "double" => self.parsed("a number", |text| text.parse().ok().map(Value::Double)),
            "dateTime.iso8601" => self.parsed("a time like 20031016T20:33:02", |text| {
                text.parse().ok().map(Value::DateTime)
            }),
            "base64" => self.parsed("base64", |text| {
                let text: String = text.split_ascii_whitespace().collect();
                Base64::decode_vec(&text).ok().map(Value::Base64)
            }),
            "nil" => self.parsed("nothing", |text| text.is_empty().then_some(Value::Nil)),
            "array" => self.nested(Self::array),
            "struct" => self.nested(Self::structure),
            other => {
                let shown = shown(other);
                self.wrong(&format!("there is no type `{shown}`"))
            }
        }
    }

    /// What `read` makes of the text of an element.
    fn parsed(&mut self, what: &str, read: impl FnOnce(&str) -> Option<Value>) -> Read<Value> {
        let text = self.text()?;
        match read(text.trim_ascii()) {
            Some(value) => Ok(value),
            None => {
                let shown = shown(&text);
                self.wrong(&format!("`{shown}` is not {what}"))
            }
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Read<Value>) -> Read<Value> {
        if self.depth >= MAX_DEPTH {
            return self.wrong(&format!(
                "there are more than {MAX_DEPTH} arrays and structs in each other"
            ));
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Read<Value> {
        let mut items = Vec::new();
        self.expect("data")?;
        while self.another("value")? {
            items.push(self.value()?);
        }
        self.expect_end()?;
        Ok(Value::Array(items))
    }

    fn structure(&mut self) -> Read<Value> {
        let mut members = Struct::new();
        while self.another("member")? {
            let (mut name, mut value) = (None, None);
            // Some write the value first.
            for _ in 0..2 {
                match self.start()?.as_deref() {
                    Some("name") if name.is_none() => name = Some(self.text()?),
                    Some("value") if value.is_none() => value = Some(self.value()?),
                    _ => return self.wrong("a member has to have one `name` and one `value`"),
                }
            }
            self.expect_end()?;
            if let (Some(name), Some(value)) = (name, value) {
                members.insert(name, value);
            }
        }
        Ok(Value::Struct(members))
    }

    /// The text of an element that holds nothing else, to its end.
    fn text(&mut self) -> Read<String> {
        let mut whole = String::new();
        loop {
            match self.next()? {
                Piece::Text(text) if whole.is_empty() => whole = text,
                Piece::Text(text) => whole.push_str(&text),
                Piece::End => return Ok(whole),
                Piece::Start(name) => {
                    let shown = shown(&name);
                    return self.wrong(&format!("there is `{shown}` where text has to be"));
                }
                Piece::Eof => return self.too_early(),
            }
        }
    }

    /// Goes to the next element, and gives its name; none when the present one, or the document, ends.
    fn start(&mut self) -> Read<Option<String>> {
        loop {
            match self.next()? {
                Piece::Text(text) if is_blank(&text) => {}
                Piece::Text(_) => return self.wrong("there is text where an element has to be"),
                Piece::Start(name) => return Ok(Some(name)),
                Piece::End => return Ok(None),
                Piece::Eof => return self.too_early(),
            }
        }
    }

    /// Whether an element of this name comes next, into which this goes; else the present one ends.
    fn another(&mut self, name: &str) -> Read<bool> {
        match self.start()? {
            Some(found) if found == name => Ok(true),
            Some(found) => self.misplaced(&found, name),
            None => Ok(false),
        }
    }

    fn expect(&mut self, name: &str) -> Read<()> {
        match self.start()? {
            Some(found) if found == name => Ok(()),
            Some(found) => self.misplaced(&found, name),
            None => self.wrong(&format!("`{name}` is missing")),
        }
    }

    fn misplaced<T>(&self, found: &str, expected: &str) -> Read<T> {
        let shown = shown(found);
        self.wrong(&format!("there is `{shown}` where `{expected}` has to be"))
    }

    fn expect_end(&mut self) -> Read<()> {
        match self.start()? {
            None => Ok(()),
            Some(found) => {
                let shown = shown(&found);
                self.wrong(&format!("there is `{shown}`, which has no place here"))
            }
        }
    }

    fn expect_end_of_document(&mut self) -> Read<()> {
        loop {
            match self.next()? {
                Piece::Text(text) if is_blank(&text) => {}
                Piece::Eof => return Ok(()),
                _ => return self.wrong("there is something behind the end of the document"),
            }
        }
    }

    fn next(&mut self) -> Read<Piece> {
        loop {
            self.place = index(self.events.buffer_position());
            let event = match self.events.read_event() {
                Ok(event) => event,
                Err(error) => {
                    self.place = index(self.events.error_position());
                    return self.wrong(&error.to_string());
                }
            };
            let piece = match event {
                Event::Start(tag) | Event::Empty(tag) => {
                    Piece::Start(tag.local_name().as_ref().to_owned())
                }
                Event::End(_) => Piece::End,
                Event::Text(text) => Piece::Text(with_line_feeds(&text)),
                Event::CData(text) => Piece::Text(with_line_feeds(&text)),
                Event::GeneralRef(reference) => match character(&reference) {
                    Some(character) => Piece::Text(character.to_string()),
                    None => return self.wrong("there is a reference that stands for nothing"),
                },
                Event::DocType(_) => {
                    return self.wrong("there is a DOCTYPE, which is not taken here");
                }
                Event::Eof => Piece::Eof,
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
            };
            if let Piece::Text(text) = &piece
                && let Some(character) = text.chars().find(|&character| !is_legal(character))
            {
                let code = u32::from(character);
                return self.wrong(&format!(
                    "there is the character U+{code:04X}, which XML cannot carry"
                ));
            }
            return Ok(piece);
        }
    }

    fn too_early<T>(&self) -> Read<T> {
        self.wrong("the document ends too early")
    }

    fn wrong<T>(&self, problem: &str) -> Read<T> {
        let place = self.text.floor_char_boundary(self.place);
        let before = self.text.get(..place).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |place| place + 1);
        let line = before.get(line_start..).unwrap_or_default();
        Err(DocumentError::Xml {
            problem: problem.to_owned(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        })
    }
}

/// What a reference stands for. There are no others without a DOCTYPE.
fn character(reference: &BytesRef<'_>) -> Option<char> {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => Some(character),
        Ok(None) => match reference.as_ref() {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "apos" => Some('\''),
            "quot" => Some('"'),
            _ => None,
        },
        Err(_) => None,
    }
}

/// XML has no other ends of lines.
fn with_line_feeds(text: &str) -> String {
    match text.contains('\r') {
        true => text.replace("\r\n", "\n").replace('\r', "\n"),
        false => text.to_owned(),
    }
}

fn is_blank(text: &str) -> bool {
    text.trim_ascii().is_empty()
}

/// What a document has, as a fault may show it.
fn shown(text: &str) -> String {
    /// How much of it, in characters.
    const MAX: usize = 60;
    let mut shown: String = text
        .chars()
        .take(MAX)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

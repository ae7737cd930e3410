//! One line: what it holds, and its forms.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use kozo_ground::text::{grouped, printable, printable_json};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::filter::OWN_CRATE;
use super::style::Style;

const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// A line of the log. As JSON, one object a line, it is what other programs read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// When it was written, as RFC 3339 writes it: UTC, with milliseconds.
    pub(crate) time: String,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub(crate) level: String,
    /// The part that wrote it.
    pub(crate) target: String,
    /// What happened.
    pub(crate) message: String,
    /// What it happened with: names and values, in the order in which they were given.
    #[serde(default)]
    pub(crate) fields: Fields,
    /// What it stands for beside itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) more: Option<More>,
}

/// Lines that were too many of one kind, and are told of in the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct More {
    /// How many there were.
    pub(crate) lines: u64,
    /// How many seconds they came in.
    pub(crate) seconds: u64,
}

/// Names and values, in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Fields(pub Vec<(String, Value)>);

impl Fields {
    /// The text of this name.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(field, _)| field == name)?;
        value.as_str()
    }

    /// The number of this name.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let (_, value) = self.0.iter().find(|(field, _)| field == name)?;
        value.as_u64()
    }

    /// Adds a value, in place of an earlier one of the same name.
    pub(super) fn set(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(field, _)| field == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

impl fmt::Display for Fields {
    /// `NAME=VALUE`, with spaces between them. A text that would be misread has quotation marks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            match value {
                Value::String(text) => write!(f, "{space}{name}={}", quoted_if_needed(text))?,
                other => write!(f, "{space}{name}={}", printable(&other.to_string()))?,
            }
        }
        Ok(())
    }
}

impl Line {
    /// The target as it is shown: `kozo::link::dialer` is `link`.
    pub(super) fn shown_target(target: &str) -> &str {
        let own = target
            .strip_prefix(OWN_CRATE)
            .and_then(|rest| rest.strip_prefix("::"));
        match own {
            Some(path) => path.split("::").next().unwrap_or(path),
            None => target,
        }
    }

    /// How many bytes its texts have, nearly.
    pub(super) fn size(&self) -> usize {
        let fields = self.fields.0.iter().map(|(name, value)| {
            // What is no text is a number or the like.
            name.len() + value.as_str().map_or(size_of::<u64>(), str::len)
        });
        self.time.len()
            + self.level.len()
            + self.target.len()
            + self.message.len()
            + fields.sum::<usize>()
    }

    /// Message and fields, and how many more there were.
    pub(crate) fn text(&self) -> String {
        let mut text = printable(&self.message).into_owned();
        if !self.fields.0.is_empty() {
            let space = if text.is_empty() { "" } else { " " };
            let _ = write!(text, "{space}{}", self.fields);
        }
        if let Some(More { lines, seconds }) = self.more {
            let _ = write!(text, " … and {} more in {seconds} s", grouped(lines));
        }
        text
    }

    /// All of it in this style, with the line break.
    pub(super) fn rendered(&self, style: Style) -> String {
        let (target, text) = (printable(&self.target), self.text());
        let (time, level) = (&self.time, &self.level);
        match style {
            Style::Text { colour: false } => format!("{time} {level} {target}: {text}\n"),
            Style::Text { colour: true } => {
                let colour = colour_of(level);
                format!("{DIM}{time}{RESET} {colour}{level}{RESET} {DIM}{target}:{RESET} {text}\n")
            }
            Style::Journal => format!("<{}>{target}: {text}\n", priority_of(level)),
            Style::Json => match serde_json::to_string(self) {
                Ok(json) => printable_json(&json).into_owned() + "\n",
                // Texts and values of JSON always have a form as JSON.
                Err(_) => String::new(),
            },
        }
    }
}

/// The escape sequence with which a terminal shows a level.
fn colour_of(level: &str) -> &'static str {
    match level {
        "ERROR" => "\x1b[1;31m",
        "WARN" => "\x1b[33m",
        "INFO" => "\x1b[32m",
        _ => DIM,
    }
}

/// The priority of syslog.
fn priority_of(level: &str) -> u8 {
    match level {
        "ERROR" => 3,
        "WARN" => 4,
        "INFO" => 6,
        _ => 7,
    }
}

fn quoted_if_needed(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_whitespace() && !matches!(c, '"' | '=' | '\\');
    if !text.is_empty() && text.chars().all(is_plain) {
        return printable(text);
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    Cow::Owned(format!("\"{}\"", printable(&escaped)))
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

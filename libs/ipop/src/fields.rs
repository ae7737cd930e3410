//! The keys of an object, read as tolerantly as the original reads them.

use serde_json::{Map, Value};

/// A text that should have been an object of JSON is none.
#[derive(Debug, thiserror::Error)]
#[error("this is no object of JSON{}", .0.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
pub struct NotAnObject(#[source] Option<serde_json::Error>);

/// An object.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn read(json: &[u8]) -> Result<Self, NotAnObject> {
        match serde_json::from_slice(json) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(NotAnObject(None)),
            Err(error) => Err(NotAnObject(Some(error))),
        }
    }

    pub(crate) fn of(value: &Value) -> Option<Self> {
        value.as_object().cloned().map(Self)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// A text; what is none is empty.
    pub(crate) fn text(&self, key: &str) -> String {
        self.optional_text(key).unwrap_or_default()
    }

    pub(crate) fn optional_text(&self, key: &str) -> Option<String> {
        self.0.get(key)?.as_str().map(str::to_owned)
    }

    /// A whole number. What is after the point is cut off, and a number may stand in a text.
    pub(crate) fn number(&self, key: &str) -> i64 {
        self.optional_number(key).unwrap_or_default()
    }

    pub(crate) fn optional_number(&self, key: &str) -> Option<i64> {
        match self.0.get(key)? {
            Value::Bool(flag) => Some(i64::from(*flag)),
            Value::String(text) => text.trim().parse().ok(),
            // The cast ends at the ends of the range, which is what is wanted of numbers beyond.
            Value::Number(number) => number
                .as_i64()
                .or_else(|| number.as_f64().map(|number| number as i64)),
            _ => None,
        }
    }

    /// A number that is never negative.
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.optional_count(key).unwrap_or_default()
    }

    pub(crate) fn optional_count(&self, key: &str) -> Option<u64> {
        match self.0.get(key) {
            Some(Value::Number(number)) if number.is_u64() => number.as_u64(),
            _ => self
                .optional_number(key)
                .map(|number| u64::try_from(number).unwrap_or_default()),
        }
    }

    /// A port, the length of a prefix and the like; zero where it is out of range.
    pub(crate) fn small<T: TryFrom<i64> + Default>(&self, key: &str) -> T {
        T::try_from(self.number(key)).unwrap_or_default()
    }

    /// Yes or no; a number other than zero is yes.
    pub(crate) fn flag(&self, key: &str) -> bool {
        match self.0.get(key) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => true,
            _ => self.number(key) != 0,
        }
    }

    pub(crate) fn list(&self, key: &str) -> Option<&[Value]> {
        self.0.get(key)?.as_array().map(Vec::as_slice)
    }

    /// The texts of a list; what else is in it is left out. None where there is no list.
    pub(crate) fn texts(&self, key: &str) -> Option<Vec<String>> {
        let texts = self.list(key)?.iter().filter_map(Value::as_str);
        Some(texts.map(str::to_owned).collect())
    }
}

/// An object as tincan writes one: over several lines, with a line's end behind it.
pub(crate) fn write_pretty(value: &Value) -> Vec<u8> {
    // With the alternate form, `Display` writes it over several lines.
    format!("{value:#}\n").into_bytes()
}

/// An object as controllers write one: on one line.
pub(crate) fn write_short(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

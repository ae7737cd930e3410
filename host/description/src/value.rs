//! Checked values, as options have them and as a module receives them.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// A value of an option.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An optional option that has no value.
    Null,
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Number(f64),
    /// A text; also what a path is.
    Text(String),
    /// A list. That of an option of kind `list` holds texts only.
    List(Vec<Value>),
    /// A mapping in the order of the file; only an option of kind `any` may hold one.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    /// The number, whole or not, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Integer(integer) => Some(*integer as f64),
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    /// The value as a part of a text: a text as it is, anything else as the file would have it.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The same value with every text in it, not counting keys, replaced.
    pub(crate) fn map_texts(&self, change: &impl Fn(&str) -> String) -> Self {
        match self {
            Self::Text(text) => Self::Text(change(text)),
            Self::List(items) => {
                Self::List(items.iter().map(|item| item.map_texts(change)).collect())
            }
            Self::Map(entries) => Self::Map(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.map_texts(change)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    /// Adds every text in it, not counting keys.
    pub(crate) fn collect_texts<'v>(&'v self, texts: &mut Vec<&'v str>) {
        match self {
            Self::Text(text) => texts.push(text),
            Self::List(items) => items.iter().for_each(|item| item.collect_texts(texts)),
            Self::Map(entries) => {
                for (_, value) in entries {
                    value.collect_texts(texts);
                }
            }
            _ => {}
        }
    }

    /// The texts of a list, or the one text; nothing otherwise.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let items = match self {
            Self::List(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        items.iter().filter_map(Self::as_text)
    }
}

/// As it would be written in the file, on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(boolean) => boolean.fmt(f),
            Self::Integer(integer) => integer.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) if text.is_empty() => f.write_str("\"\""),
            Self::Text(text) if text.trim() != text => write!(f, "\"{text}\""),
            Self::Text(text) => f.write_str(text),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{key}: {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Self::Integer(integer) => serializer.serialize_i64(*integer),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Map(entries) => serialize_map(entries, serializer),
        }
    }
}

/// The options of one role or transport: every option that its module declares, in the module's
/// order, with defaults filled in. An optional option without a value is there as [`Value::Null`].
///
/// Serialised, it is the one map that the module receives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModuleOptions(Vec<(String, Value)>);

impl ModuleOptions {
    /// The value of an option, `Null` included; `None` when the module has no such option.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.iter()
            .find_map(|(option, value)| (option == name).then_some(value))
    }

    /// All options in the module's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl FromIterator<(String, Value)> for ModuleOptions {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(options: I) -> Self {
        Self(options.into_iter().collect())
    }
}

impl Serialize for ModuleOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_map(&self.0, serializer)
    }
}

fn serialize_map<S: Serializer>(
    entries: &[(String, Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    for (key, value) in entries {
        map.serialize_entry(key, value)?;
    }
    map.end()
}

//! What a message carries, of whatever shape.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// What a message carries. Any format that serde knows has it, MessagePack and JSON among them.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Nothing.
    Nothing,
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Data>),
    /// A map in its own order. Keys are texts, or what is written for one.
    Map(Vec<(String, Data)>),
}

impl Data {
    /// What stands at this key of a map.
    pub fn entry(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => {
                let mut entries = entries.iter();
                entries.find_map(|(name, value)| (name == key).then_some(value))
            }
            _ => None,
        }
    }

    /// How many items a list or map has.
    pub fn count(&self) -> Option<usize> {
        match self {
            Self::List(items) => Some(items.len()),
            Self::Map(entries) => Some(entries.len()),
            _ => None,
        }
    }

    /// The number that it is, whole or not.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(integer) => Some(*integer as f64),
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text that it is.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is a single value: nothing with parts, and no bytes.
    pub fn is_single(&self) -> bool {
        !matches!(self, Self::Bytes(_) | Self::List(_) | Self::Map(_))
    }

    /// Whether both mean the same: 1 is 1.0.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self.number(), other.number()) {
            (Some(one), Some(other)) => one == other,
            _ => self == other,
        }
    }
}

/// As it would be written in metadata, on one line.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("null"),
            Self::Boolean(boolean) => boolean.fmt(f),
            Self::Integer(integer) => integer.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::List(items) => write!(f, "{} items", items.len()),
            Self::Map(entries) => write!(f, "{} entries", entries.len()),
        }
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_unit(),
            Self::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Self::Integer(integer) => serializer.serialize_i64(*integer),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::List(items) => items.serialize(serializer),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the data of a message")
    }

    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::Nothing)
    }

    fn visit_none<E>(self) -> Result<Data, E> {
        Ok(Data::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Data, D::Error> {
        Data::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Data, E> {
        Ok(Data::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Data, E> {
        Ok(Data::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Data, E> {
        Ok(i64::try_from(value).map_or(Data::Number(value as f64), Data::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Data, E> {
        Ok(Data::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Data, E> {
        Ok(Data::Text(value.to_owned()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Data, E> {
        Ok(Data::Bytes(value.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Data, A::Error> {
        // As it comes: what it says of its length proves nothing.
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Data::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Data, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Data, Data>()? {
            let key = match key {
                Data::Text(text) => text,
                key if key.is_single() => key.to_string(),
                _ => return Err(de::Error::custom("a key of a map is no single value")),
            };
            map.push((key, value));
        }
        Ok(Data::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_the_same_behind_messagepack_and_json() {
        let value = json!({"a": [1, -2, 2.5, "x", null, true], "b": {"c": {}}, "d": 18446744073709551615_u64});
        let data: Data = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(data.entry("a").and_then(Data::count), Some(6));
        let bytes = rmp_serde::to_vec_named(&data).unwrap();
        assert_eq!(rmp_serde::from_slice::<Data>(&bytes).unwrap(), data);
        let back = serde_json::to_value(&data).unwrap();
        assert_eq!((&back["a"], &back["b"]), (&value["a"], &value["b"]));
    }

    #[test]
    fn keys_that_are_no_texts_are_written_as_one() {
        let bytes = rmp_serde::to_vec(&std::collections::BTreeMap::from([(7, true)])).unwrap();
        let data: Data = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(data.entry("7"), Some(&Data::Boolean(true)));
    }

    #[test]
    fn a_whole_number_is_the_same_with_a_point() {
        assert!(Data::Integer(1).is_same(&Data::Number(1.0)));
        assert!(!Data::Integer(1).is_same(&Data::Boolean(true)));
        assert!(!Data::Integer(1).is_same(&Data::Text("1".to_owned())));
    }
}

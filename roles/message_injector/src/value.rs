//! The data of a message, from whatever notation it was written in.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// How deep lists and maps are nested at most.
pub(crate) const MAX_DEPTH: usize = 64;

/// How many values one line holds at most: as many as its greatest length has room for. What
/// YAML's aliases repeat counts again.
const MAX_VALUES: usize = 32 * 1024;

/// Any value that a message can carry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Above the greatest `i64`.
    Unsigned(u64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Map(Map),
}

/// Keys and values, in the order in which the keys first came.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Map(Vec<(Value, Value)>);

impl Map {
    /// Adds an entry, in place of one with the same key.
    ///
    /// # Errors
    /// The key is itself a list or a map.
    pub(crate) fn insert(&mut self, key: Value, value: Value) -> Result<(), &'static str> {
        if matches!(key, Value::List(_) | Value::Map(_)) {
            return Err("a key cannot be a list or a map");
        }
        match self.0.iter_mut().find(|(existing, _)| *existing == key) {
            Some(entry) => entry.1 = value,
            None => self.0.push((key, value)),
        }
        Ok(())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Bytes(value) => serializer.serialize_bytes(value),
            Self::List(items) => items.serialize(serializer),
            Self::Map(Map(entries)) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// Reads a [`Value`] from JSON or YAML, within the limits above.
pub(crate) struct ValueSeed<'a> {
    depth_left: usize,
    values_left: &'a Cell<usize>,
}

impl ValueSeed<'_> {
    /// Reads a whole value.
    pub(crate) fn read<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Value, D::Error> {
        let values_left = Cell::new(MAX_VALUES);
        let seed = ValueSeed {
            depth_left: MAX_DEPTH,
            values_left: &values_left,
        };
        seed.deserialize(source)
    }

    fn deeper<E: serde::de::Error>(&self) -> Result<ValueSeed<'_>, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| {
            E::custom(format_args!(
                "more than {MAX_DEPTH} lists within each other"
            ))
        })?;
        Ok(ValueSeed {
            depth_left,
            values_left: self.values_left,
        })
    }
}

impl<'de> DeserializeSeed<'de> for &ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        let left = self.values_left.get().checked_sub(1).ok_or_else(|| {
            D::Error::custom(format_args!("more than {MAX_VALUES} values in a line"))
        })?;
        self.values_left.set(left);
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a tag")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Unsigned(value), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = source.next_element_seed(&inner)? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::default();
        while let Some((key, value)) = source.next_entry_seed(&inner, &inner)? {
            map.insert(key, value).map_err(A::Error::custom)?;
        }
        Ok(Value::Map(map))
    }
}

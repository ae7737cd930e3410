//! MessagePack that any format writes: what is read is handed on, value by value.

use std::cell::Cell;
use std::fmt;

use base64ct::{Base64, Encoding};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{self, Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::MAX_DEPTH;

/// One MessagePack value in its bytes. Serialised, it is what the bytes say.
#[derive(Debug, Clone, Copy)]
pub struct Unpacked<'d>(pub &'d [u8]);

/// The one key of an object that stands for bytes.
pub(crate) const BYTES_KEY: &str = "base64";

impl Serialize for Unpacked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut source = rmp_serde::Deserializer::from_read_ref(self.0);
        source.set_max_depth(MAX_DEPTH);
        source
            .deserialize_any(Passing(serializer))
            .map_err(ser::Error::custom)
    }
}

/// A value that is still to be read, and is read when it is written: once.
struct Unread<D>(Cell<Option<D>>);

impl<D> Unread<D> {
    fn new(source: D) -> Self {
        Self(Cell::new(Some(source)))
    }
}

impl<'de, D: Deserializer<'de>> Serialize for Unread<D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(source) = self.0.take() else {
            return Err(ser::Error::custom("a value was to be written twice"));
        };
        source
            .deserialize_any(Passing(serializer))
            .map_err(ser::Error::custom)
    }
}

/// Writes what it is handed.
struct Passing<S>(S);

impl<'de, S: Serializer> Visitor<'de> for Passing<S> {
    type Value = S::Ok;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<S::Ok, E> {
        self.0.serialize_bool(value).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<S::Ok, E> {
        self.0.serialize_i64(value).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<S::Ok, E> {
        self.0.serialize_u64(value).map_err(E::custom)
    }

    /// JSON has no words for numbers without end and for what is none: they become texts.
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<S::Ok, E> {
        let written = match value.is_finite() {
            true => self.0.serialize_f64(value),
            false => self.0.collect_str(&value),
        };
        written.map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<S::Ok, E> {
        self.0.serialize_str(value).map_err(E::custom)
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<S::Ok, E> {
        let written = self.0.serialize_map(Some(1)).and_then(|mut object| {
            object.serialize_entry(BYTES_KEY, &Base64::encode_string(value))?;
            object.end()
        });
        written.map_err(E::custom)
    }

    fn visit_unit<E: de::Error>(self) -> Result<S::Ok, E> {
        self.0.serialize_unit().map_err(E::custom)
    }

    fn visit_none<E: de::Error>(self) -> Result<S::Ok, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, source: D) -> Result<S::Ok, D::Error> {
        source.deserialize_any(self)
    }

    /// What MessagePack calls an extension: its number and its bytes.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, source: D) -> Result<S::Ok, D::Error> {
        source.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<S::Ok, A::Error> {
        let list = self.0.serialize_seq(believable(values.size_hint()));
        let mut list = list.map_err(de::Error::custom)?;
        while values.next_element_seed(Element(&mut list))?.is_some() {}
        list.end().map_err(de::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<S::Ok, A::Error> {
        let map = self.0.serialize_map(believable(entries.size_hint()));
        let mut map = map.map_err(de::Error::custom)?;
        while entries.next_key_seed(Key(&mut map))?.is_some() {
            entries.next_value_seed(Entry(&mut map))?;
        }
        map.end().map_err(de::Error::custom)
    }
}

/// How many items a list or map may announce for room to be made for them at once: what the data says of
/// itself is somebody else's word.
const MAX_ANNOUNCED: usize = 1024;

fn believable(announced: Option<usize>) -> Option<usize> {
    announced.filter(|count| *count <= MAX_ANNOUNCED)
}

/// Writes a value of a list.
struct Element<'s, S>(&'s mut S);

impl<'de, S: SerializeSeq> DeserializeSeed<'de> for Element<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        let element = Unread::new(source);
        self.0
            .serialize_element(&element)
            .map_err(de::Error::custom)
    }
}

/// Writes a value of a map.
struct Entry<'s, S>(&'s mut S);

impl<'de, S: SerializeMap> DeserializeSeed<'de> for Entry<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        let value = Unread::new(source);
        self.0.serialize_value(&value).map_err(de::Error::custom)
    }
}

/// Writes a key of a map: a text as it is, anything else as JSON has it.
struct Key<'s, S>(&'s mut S);

impl<'de, S: SerializeMap> DeserializeSeed<'de> for Key<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl<S: SerializeMap> Key<'_, S> {
    fn write<E: de::Error>(self, key: &(impl Serialize + ?Sized)) -> Result<(), E> {
        self.0.serialize_key(key).map_err(E::custom)
    }

    /// A key that is no text.
    fn write_other<E: de::Error>(
        self,
        value: impl FnOnce(Passing<serde_json::value::Serializer>) -> Result<serde_json::Value, E>,
    ) -> Result<(), E> {
        let value = value(Passing(serde_json::value::Serializer))?;
        match value {
            serde_json::Value::String(text) => self.write(&text),
            other => self.write(&other.to_string()),
        }
    }
}

impl<'de, S: SerializeMap> Visitor<'de> for Key<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.write(value)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.write(if value { "true" } else { "false" })
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.write(&value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.write(&value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.write_other(|passing| passing.visit_f64(value))
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<(), E> {
        self.write_other(|passing| passing.visit_bytes(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.write("null")
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.write("null")
    }

    fn visit_some<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        self.write_other(|passing| passing.visit_newtype_struct(source))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<(), A::Error> {
        self.write_other(|passing| passing.visit_seq(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<(), A::Error> {
        self.write_other(|passing| passing.visit_map(entries))
    }
}

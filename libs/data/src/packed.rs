//! MessagePack that is made of what any format reads: each value is written as soon as it is read.

use std::fmt;

use base64ct::{Base64, Encoding};
use rmp::Marker;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::unpacked::BYTES_KEY;
use crate::{MAX_DEPTH, MAX_LEN};

/// One MessagePack value, of whatever it is deserialised from. Its default is nil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed(Vec<u8>);

impl Default for Packed {
    fn default() -> Self {
        Self(vec![Marker::Null.to_u8()])
    }
}

impl Packed {
    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Its bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let mut bytes = Vec::new();
        let value = Value {
            bytes: &mut bytes,
            depth: 0,
        };
        value.deserialize(source)?;
        Ok(Self(bytes))
    }
}

/// The longest head of a list or map, behind which its items are written before their number is known.
const SHORT_HEAD: usize = 1;

/// Writes the next value behind `bytes`.
struct Value<'b> {
    bytes: &'b mut Vec<u8>,
    /// In how many lists and maps it is.
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl Value<'_> {
    /// Makes sure of room for this much more. Heads of values count as nothing, since each has a text in
    /// JSON that is as long.
    fn room<E: Error>(&self, more: usize) -> Result<(), E> {
        match self.bytes.len().saturating_add(more) <= MAX_LEN {
            true => Ok(()),
            false => Err(E::custom(format_args!(
                "the data is longer than {MAX_LEN} bytes"
            ))),
        }
    }

    fn deeper<E: Error>(&self) -> Result<usize, E> {
        match self.depth < MAX_DEPTH {
            true => Ok(self.depth + 1),
            false => Err(E::custom(format_args!(
                "the data goes deeper than {MAX_DEPTH} lists and maps in each other"
            ))),
        }
    }
}

/// Writing into memory cannot fail; a length beyond what MessagePack knows is beyond [`MAX_LEN`] as well.
fn length<E: Error>(length: usize) -> Result<u32, E> {
    u32::try_from(length).map_err(E::custom)
}

/// Puts the right head in place of the short one at `start`, for so many items.
fn close<E: Error>(
    bytes: &mut Vec<u8>,
    start: usize,
    count: usize,
    head: impl Fn(&mut Vec<u8>, u32) -> Result<Marker, rmp::encode::ValueWriteError>,
) -> Result<(), E> {
    let mut right = Vec::with_capacity(5);
    head(&mut right, length(count)?).map_err(E::custom)?;
    bytes.splice(start..start + SHORT_HEAD, right);
    Ok(())
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.room(1)?;
        rmp::encode::write_bool(self.bytes, value).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.room(9)?;
        rmp::encode::write_sint(self.bytes, value)
            .map(drop)
            .map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.room(9)?;
        rmp::encode::write_uint(self.bytes, value)
            .map(drop)
            .map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.room(9)?;
        rmp::encode::write_f64(self.bytes, value).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.room(5 + value.len())?;
        rmp::encode::write_str(self.bytes, value).map_err(E::custom)
    }

    fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<(), E> {
        self.room(5 + value.len())?;
        rmp::encode::write_bin(self.bytes, value).map_err(E::custom)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.room(1)?;
        rmp::encode::write_nil(self.bytes).map_err(E::custom)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        self.room(5)?;
        let depth = self.deeper()?;
        let bytes = self.bytes;
        let start = bytes.len();
        bytes.push(0);
        let mut count = 0;
        while values.next_element_seed(Value { bytes, depth })?.is_some() {
            count += 1;
        }
        close(bytes, start, count, rmp::encode::write_array_len)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.room(5)?;
        let depth = self.deeper()?;
        let bytes = self.bytes;
        let start = bytes.len();
        bytes.push(0);
        let mut count = 0;
        // Where the value of a first key `base64` begins.
        let mut encoded = None;
        while entries.next_key_seed(Value { bytes, depth })?.is_some() {
            if count == 0 && is_text(&bytes[start + SHORT_HEAD..], BYTES_KEY) {
                encoded = Some(bytes.len());
            }
            entries.next_value_seed(Value { bytes, depth })?;
            count += 1;
        }
        // With a second key there is more than the one text.
        if let Some(text) = encoded.and_then(|at| text(&bytes[at..])) {
            let decoded = Base64::decode_vec(text).map_err(|_| {
                Error::custom(format_args!(
                    "what `{BYTES_KEY}` says is no Base64 with padding; it is the only key of its object, so it \
                     stands for bytes"
                ))
            })?;
            bytes.truncate(start);
            return rmp::encode::write_bin(bytes, &decoded).map_err(Error::custom);
        }
        close(bytes, start, count, rmp::encode::write_map_len)
    }
}

/// The text that `bytes` are as MessagePack, if they are one and nothing else.
fn text(bytes: &[u8]) -> Option<&str> {
    match rmp::decode::read_str_from_slice(bytes) {
        Ok((text, [])) => Some(text),
        _ => None,
    }
}

fn is_text(bytes: &[u8], expected: &str) -> bool {
    text(bytes) == Some(expected)
}

//! The data of messages as JSON, for people and for programs that know nothing of MessagePack.

use std::fmt;

use base64ct::{Base64, Encoding};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep values may be in each other: as deep as JSON is read, and no stack is too small for it.
const MAX_DEPTH: usize = 128;

/// One MessagePack value as JSON; none if it is none, or goes deeper than [`MAX_DEPTH`].
pub(super) fn to_json(data: &[u8]) -> Option<Value> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(data);
    deserializer.set_max_depth(MAX_DEPTH);
    let Json(value) = Json::deserialize(&mut deserializer).ok()?;
    Some(value)
}

/// A JSON value read from a format that has more than JSON.
struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor).map(Self)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    /// JSON has no words for numbers without end and for what is none: they become texts.
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        let text = Base64::encode_string(value);
        Ok(Value::Object(Map::from_iter([(
            "base64".to_owned(),
            text.into(),
        )])))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    /// What MessagePack calls an extension: its number and its bytes.
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Json(value)) = values.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((Json(key), Json(value))) = entries.next_entry()? {
            let key = match key {
                Value::String(text) => text,
                other => other.to_string(),
            };
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_of_messagepack_has_a_form_in_json() {
        let value = |bytes: &[u8]| to_json(bytes).unwrap();
        let plain = json!({"a": [1, -2, 2.5, true, null, "ö"]});
        assert_eq!(value(&rmp_serde::to_vec_named(&plain).unwrap()), plain);
        assert_eq!(value(&[0xc4, 2, 0xff, 0]), json!({"base64": "/wA="}));
        assert_eq!(value(&[0x82, 1, 2, 0xc2, 3]), json!({"1": 2, "false": 3}));
        assert_eq!(
            value(&rmp_serde::to_vec(&f64::INFINITY).unwrap()),
            json!("inf")
        );
        // An extension of number 5.
        assert_eq!(value(&[0xd4, 5, 7]), json!([5, {"base64": "Bw=="}]));
    }

    #[test]
    fn what_is_no_value_is_none() {
        assert_eq!(to_json(&[]), None);
        assert_eq!(to_json(&[0x92, 1]), None);
        let deep = [[0x91; 100_000].as_slice(), &[1]].concat();
        assert_eq!(to_json(&deep), None);
    }
}

//! Values of XML-RPC as the data of Kōzō's messages, and back.
//!
//! | XML-RPC | data |
//! |---|---|
//! | `int`, `i8` | integer |
//! | `boolean`, `double`, `string`, `nil` | the same |
//! | `base64` | bytes |
//! | `dateTime.iso8601` | a map with the one key `dateTime.iso8601`, whose value is the text |
//! | `array` | array; tuples of any language are arrays as well |
//! | `struct` | map with texts as keys |

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_bytes::Bytes;

use crate::value::{
    Allowed, Place, Struct, Value, ValueError, check_depth, check_nil, check_text, integer,
};

/// The key of a map that stands for a date and time.
pub const DATE_TIME: &str = "dateTime.iso8601";

/// The value as data of a message.
///
/// # Errors
/// None that is known of.
pub fn to_messagepack(value: &Value) -> Result<Vec<u8>, ValueError> {
    rmp_serde::to_vec_named(&Data(value))
        .map_err(|error| Place::new("data").error(error.to_string()))
}

/// The data of a message as a value that may be sent.
///
/// # Errors
/// What about it XML-RPC cannot carry, and where: keys that are no texts, control characters, integers that are
/// too large, and no value at all, as far as `allowed` does not say otherwise; data that is no MessagePack.
pub fn from_messagepack(data: &[u8], allowed: Allowed) -> Result<Value, ValueError> {
    let walk = RefCell::new(Walk {
        place: Place::new("data"),
        error: None,
    });
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(data);
    let seed = Seed {
        walk: &walk,
        allowed,
        depth: 0,
    };
    let value = seed.deserialize(&mut deserializer);
    let walk = walk.into_inner();
    value.map_err(|error| {
        let problem = || format!("this is no data of a message: {error}");
        walk.error.unwrap_or_else(|| walk.place.error(problem()))
    })
}

/// A value that is written.
struct Data<'a>(&'a Value);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Integer(number) => serializer.serialize_i32(*number),
            Value::Long(number) => serializer.serialize_i64(*number),
            Value::Boolean(value) => serializer.serialize_bool(*value),
            Value::String(text) => serializer.serialize_str(text),
            Value::Double(number) => serializer.serialize_f64(*number),
            Value::DateTime(time) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(DATE_TIME, &time.to_string())?;
                map.end()
            }
            Value::Base64(bytes) => Bytes::new(bytes).serialize(serializer),
            Value::Array(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    sequence.serialize_element(&Data(item))?;
                }
                sequence.end()
            }
            Value::Struct(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, member) in members {
                    map.serialize_entry(key, &Data(member))?;
                }
                map.end()
            }
            // `Nil`, and what a later dxr may add.
            _ => serializer.serialize_unit(),
        }
    }
}

/// Where the reader is, and what it stumbled over: errors of serde have no place for it.
struct Walk {
    place: Place,
    error: Option<ValueError>,
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    walk: &'a RefCell<Walk>,
    allowed: Allowed,
    depth: usize,
}

impl Seed<'_> {
    fn deeper(self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self
        }
    }

    /// Does something with the place, which nothing else holds meanwhile.
    fn at<T>(&self, with: impl FnOnce(&mut Place) -> T) -> T {
        with(&mut self.walk.borrow_mut().place)
    }

    /// Keeps the error, and fails with one of serde's.
    fn checked<T, E: serde::de::Error>(
        &self,
        check: impl FnOnce(&Place) -> Result<T, ValueError>,
    ) -> Result<T, E> {
        let mut walk = self.walk.borrow_mut();
        check(&walk.place).map_err(|error| {
            walk.error = Some(error);
            E::custom("a value that cannot be sent")
        })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that XML-RPC has a type for")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.checked(|place| integer(value, self.allowed.wide, place))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.checked(|place| match i64::try_from(value) {
            Ok(value) => integer(value, self.allowed.wide, place),
            #[allow(
                clippy::cast_precision_loss,
                reason = "this is what the option asks for"
            )]
            Err(_) if self.allowed.wide == crate::Wide::Double => Ok(Value::Double(value as f64)),
            Err(_) => Err(place.error(format!(
                "the integer {value} does not fit into 64 bits with a sign: send a text or a double"
            ))),
        })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Double(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.checked(|place| check_text(value, place))?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Base64(value.to_vec()))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.checked(|place| check_nil(self.allowed, place))?;
        Ok(Value::Nil)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        self.checked(|place| check_depth(self.depth, place))?;
        let mut items = Vec::new();
        loop {
            let mark = self.at(|place| place.index(items.len()));
            let item = sequence.next_element_seed(self.deeper())?;
            self.at(|place| place.back(mark));
            match item {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.checked(|place| check_depth(self.depth, place))?;
        let mut members = Struct::new();
        while let Some(key) = map.next_key_seed(Key(self))? {
            let mark = self.at(|place| place.key(&key));
            let member = map.next_value_seed(self.deeper())?;
            self.at(|place| place.back(mark));
            members.insert(key, member);
        }
        if members.len() == 1
            && let Some(Value::String(text)) = members.get(DATE_TIME)
        {
            return text.parse().map(Value::DateTime).map_err(|_| {
                A::Error::custom(format_args!("`{text}` is no time like 20031016T20:33:02"))
            });
        }
        Ok(Value::Struct(members))
    }
}

/// Reads the key of a map.
struct Key<'a>(Seed<'a>);

impl Key<'_> {
    fn refused<E: serde::de::Error>(&self, key: &dyn fmt::Display) -> E {
        let refused: Result<(), E> = self.0.checked(|place| {
            Err(place.error(format!(
                "the key {key} is no text, which keys have to be in XML-RPC"
            )))
        });
        refused
            .err()
            .unwrap_or_else(|| E::custom("a key that is no text"))
    }
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text as the key of a map")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<String, E> {
        self.0.checked(|place| check_text(key, place))?;
        Ok(key.to_owned())
    }

    fn visit_i64<E: serde::de::Error>(self, key: i64) -> Result<String, E> {
        Err(self.refused(&key))
    }

    fn visit_u64<E: serde::de::Error>(self, key: u64) -> Result<String, E> {
        Err(self.refused(&key))
    }

    fn visit_bool<E: serde::de::Error>(self, key: bool) -> Result<String, E> {
        Err(self.refused(&key))
    }

    fn visit_f64<E: serde::de::Error>(self, key: f64) -> Result<String, E> {
        Err(self.refused(&key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::value::{MAX_DEPTH, Wide};

    fn read(data: &impl Serialize, allowed: Allowed) -> Result<Value, String> {
        let data = rmp_serde::to_vec_named(data).unwrap();
        from_messagepack(&data, allowed).map_err(|error| error.to_string())
    }

    #[test]
    fn every_value_comes_back_as_it_was() {
        let members = Struct::from([
            ("int".to_owned(), Value::Integer(-7)),
            ("long".to_owned(), Value::Long(1 << 40)),
            ("yes".to_owned(), Value::Boolean(true)),
            ("text".to_owned(), Value::String("nih <&> ü\r\n".to_owned())),
            ("number".to_owned(), Value::Double(0.1)),
            (
                "time".to_owned(),
                Value::DateTime("20031016T20:33:02".parse().unwrap()),
            ),
            ("bytes".to_owned(), Value::Base64(vec![0, 255])),
            ("nothing".to_owned(), Value::Nil),
            ("list".to_owned(), Value::Array(vec![Value::Array(vec![])])),
            ("empty".to_owned(), Value::Struct(Struct::new())),
        ]);
        let value = Value::Struct(members);
        let data = to_messagepack(&value).unwrap();
        assert_eq!(from_messagepack(&data, Allowed::ALL), Ok(value));
    }

    #[test]
    fn what_xml_rpc_cannot_carry_is_named_with_its_place() {
        let refused = |data: &dyn Fn() -> Result<Value, String>| data().unwrap_err();
        let strict = Allowed::default();
        let text = refused(&|| read(&BTreeMap::from([("a", BTreeMap::from([(1, 2)]))]), strict));
        assert!(
            text.contains("the key 1 is no text") && text.starts_with("in `data.a`, "),
            "{text}"
        );
        let text = refused(&|| read(&vec!["x", "\u{7}"], strict));
        assert!(
            text.contains("U+0007") && text.starts_with("in `data[1]`, "),
            "{text}"
        );
        let text = refused(&|| read(&vec![None::<u8>], strict));
        assert!(
            text.contains("nil") && text.starts_with("in `data[0]`, "),
            "{text}"
        );
        let text = refused(&|| read(&(1_u64 << 32), strict));
        assert!(text.contains("4294967296"), "{text}");
        assert_eq!(
            read(
                &u64::MAX,
                Allowed {
                    wide: Wide::Double,
                    ..strict
                }
            ),
            Ok(Value::Double(18_446_744_073_709_551_615.0))
        );
    }

    #[test]
    fn data_that_is_cut_off_or_too_deep_is_an_error() {
        assert!(from_messagepack(&[0x92, 1], Allowed::ALL).is_err());
        assert!(from_messagepack(&[0xc1], Allowed::ALL).is_err());
        let mut deep = vec![0x91; MAX_DEPTH];
        deep.push(1);
        assert!(from_messagepack(&deep, Allowed::ALL).is_ok());
        deep.insert(0, 0x91);
        assert!(from_messagepack(&deep, Allowed::ALL).is_err());
        assert!(from_messagepack(&vec![0x91; 1 << 20], Allowed::ALL).is_err());
    }
}

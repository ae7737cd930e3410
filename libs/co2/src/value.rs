//! Values of XML-RPC, and what of them may be sent.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

pub use dxr::{DateTime, Value};

/// What a struct holds.
pub type Struct = BTreeMap<String, Value>;

/// How deep arrays and structs may be in each other.
pub const MAX_DEPTH: usize = 64;

/// What becomes of integers that do not fit into 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wide {
    /// They are an error: XML-RPC of 2003 has no words for them.
    #[default]
    Error,
    /// They are sent as `double`, which is exact up to 2⁵³.
    Double,
    /// They are sent as `i8`, which not every peer takes.
    I8,
}

/// What may be sent beyond the XML-RPC of 2003.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowed {
    /// Integers beyond 32 bits.
    pub wide: Wide,
    /// Nothing at all: `<nil/>`.
    pub nil: bool,
}

impl Allowed {
    /// All that can be read.
    pub const ALL: Self = Self {
        wide: Wide::I8,
        nil: true,
    };
}

/// What about a value cannot be sent, or was not to be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("in `{place}`, {problem}")]
pub struct ValueError {
    /// Where: the name that the whole has, with the way to the part, as in `data.list[3]`.
    pub place: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// Makes of a value one that may be sent. `name` is what errors call the whole.
///
/// # Errors
/// The first thing in it that may not be sent.
pub fn sendable(mut value: Value, allowed: Allowed, name: &str) -> Result<Value, ValueError> {
    let mut place = Place::new(name);
    walk(&mut value, allowed, &mut place, 0)?;
    Ok(value)
}

/// Whether XML 1.0 can carry the character.
pub fn is_legal(character: char) -> bool {
    !matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

fn walk(
    value: &mut Value,
    allowed: Allowed,
    place: &mut Place,
    depth: usize,
) -> Result<(), ValueError> {
    match value {
        Value::String(text) => check_text(text, place),
        Value::Long(number) => {
            let number = *number;
            *value = integer(number, allowed.wide, place)?;
            Ok(())
        }
        Value::Nil => check_nil(allowed, place),
        Value::Array(items) => {
            check_depth(depth, place)?;
            for (index, item) in items.iter_mut().enumerate() {
                let mark = place.index(index);
                walk(item, allowed, place, depth + 1)?;
                place.back(mark);
            }
            Ok(())
        }
        Value::Struct(members) => {
            check_depth(depth, place)?;
            for (key, member) in members.iter_mut() {
                let mark = place.key(key);
                check_text(key, place)?;
                walk(member, allowed, place, depth + 1)?;
                place.back(mark);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// An integer of any size as the value that it may be sent as.
pub(crate) fn integer(number: i64, wide: Wide, place: &Place) -> Result<Value, ValueError> {
    if let Ok(number) = i32::try_from(number) {
        return Ok(Value::Integer(number));
    }
    match wide {
        #[allow(
            clippy::cast_precision_loss,
            reason = "this is what the option asks for"
        )]
        Wide::Double => Ok(Value::Double(number as f64)),
        Wide::I8 => Ok(Value::Long(number)),
        Wide::Error => Err(place.error(format!(
            "the integer {number} does not fit into 32 bits, which is all that XML-RPC has: \
             send a text or a double, or set the option `wide`"
        ))),
    }
}

pub(crate) fn check_nil(allowed: Allowed, place: &Place) -> Result<(), ValueError> {
    match allowed.nil {
        true => Ok(()),
        false => Err(place.error(
            "there is no value (nil), which XML-RPC has no words for: send something, or set the option `nil`"
                .to_owned(),
        )),
    }
}

pub(crate) fn check_text(text: &str, place: &Place) -> Result<(), ValueError> {
    match text.chars().find(|&character| !is_legal(character)) {
        None => Ok(()),
        Some(character) => Err(place.error(format!(
            "there is the character U+{:04X}, which XML cannot carry: send base64 instead",
            u32::from(character)
        ))),
    }
}

pub(crate) fn check_depth(depth: usize, place: &Place) -> Result<(), ValueError> {
    match depth < MAX_DEPTH {
        true => Ok(()),
        false => Err(place.error(format!(
            "there are more than {MAX_DEPTH} arrays and structs in each other"
        ))),
    }
}

/// The way to a part of a value.
#[derive(Debug)]
pub(crate) struct Place(String);

/// The longest place that is shown, in bytes: keys are a peer's.
const MAX_PLACE: usize = 200;

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Goes into an array; what brings [`back`](Self::back).
    pub(crate) fn index(&mut self, index: usize) -> usize {
        let mark = self.0.len();
        let _ = write!(self.0, "[{index}]");
        mark
    }

    /// Goes into a struct; what brings [`back`](Self::back).
    pub(crate) fn key(&mut self, key: &str) -> usize {
        let mark = self.0.len();
        let _ = write!(self.0, ".{}", key.escape_debug());
        mark
    }

    pub(crate) fn back(&mut self, mark: usize) {
        self.0.truncate(mark);
    }

    pub(crate) fn error(&self, problem: String) -> ValueError {
        let mut place = self.0.clone();
        if place.len() > MAX_PLACE {
            let end = place.floor_char_boundary(MAX_PLACE);
            place.truncate(end);
            place.push('…');
        }
        ValueError { place, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(value: Value) -> String {
        sendable(value, Allowed::default(), "data")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_cannot_be_sent_is_named_with_its_place() {
        let inner = Struct::from([("x".to_owned(), Value::String("a\u{1}".to_owned()))]);
        let value = Value::Array(vec![Value::Integer(1), Value::Struct(inner)]);
        let text = refusal(value);
        assert!(
            text.contains("U+0001") && text.starts_with("in `data[1].x`, "),
            "{text}"
        );
        let key = Struct::from([("a\0".to_owned(), Value::Nil)]);
        assert!(refusal(Value::Struct(key)).contains("U+0000"));
        assert!(refusal(Value::Nil).contains("nil"));
        assert!(refusal(Value::Long(1 << 40)).contains("1099511627776"));
    }

    #[test]
    fn the_place_is_that_of_the_fault_and_not_of_what_came_before() {
        let members = Struct::from([
            ("a".to_owned(), Value::Array(vec![Value::Integer(1)])),
            ("b".to_owned(), Value::Nil),
        ]);
        assert!(refusal(Value::Struct(members)).starts_with("in `data.b`, "));
    }

    #[test]
    fn wide_integers_become_what_is_asked_for() {
        let sent = |wide| {
            sendable(
                Value::Long(1 << 40),
                Allowed {
                    wide,
                    ..Allowed::default()
                },
                "data",
            )
        };
        assert_eq!(sent(Wide::I8), Ok(Value::Long(1 << 40)));
        assert_eq!(sent(Wide::Double), Ok(Value::Double(1_099_511_627_776.0)));
        // One that fits is an ordinary one, whatever it came as.
        assert_eq!(
            sendable(Value::Long(7), Allowed::default(), "data"),
            Ok(Value::Integer(7))
        );
    }

    #[test]
    fn the_deepest_level_passes_and_one_more_does_not() {
        let nested = |levels| (0..levels).fold(Value::Integer(1), |v, _| Value::Array(vec![v]));
        assert!(sendable(nested(MAX_DEPTH), Allowed::default(), "data").is_ok());
        assert!(refusal(nested(MAX_DEPTH + 1)).contains(&MAX_DEPTH.to_string()));
    }
}

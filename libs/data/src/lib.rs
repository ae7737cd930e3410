//! The data of messages as JSON, for people and for programs that know nothing of MessagePack, and JSON
//! as the data of messages.
//!
//! | MessagePack | JSON |
//! |---|---|
//! | nil, booleans, whole numbers, texts, lists | the same |
//! | a number that is not whole | the same; a text where JSON has no word for it: `"inf"`, `"-inf"`, `"NaN"` |
//! | bytes, and texts that are no UTF-8 | `{"base64": "…"}` |
//! | a map | an object; a key that is no text is written as one: `{"1": 2}` |
//! | an extension | `[NUMBER, {"base64": "…"}]` |
//!
//! On the way back an object whose only key is `base64` is bytes. So everything that JSON can say, and
//! bytes, comes back as it was.
//!
//! Both ways read one form and write the other as they go, with no values in between: [`Unpacked`] is
//! MessagePack that any serde format writes, [`Packed`] is MessagePack that is made of whatever any serde
//! format reads. So data may stand in a larger object, `{"event": "tick", "data": …}`, which is read or
//! written in one go.

mod packed;
mod unpacked;

pub use packed::Packed;
pub use unpacked::Unpacked;

/// How deep values may be in each other: as deep as JSON is read, and no stack is too small for it.
pub const MAX_DEPTH: usize = 128;

/// The longest data that is made of JSON, in bytes of MessagePack: as long as that of a message may be.
pub const MAX_LEN: usize = 16 << 20;

/// Why there is no data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This is no JSON, or too much of it.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// This is no MessagePack, or it goes deeper than [`MAX_DEPTH`].
    #[error("the data is no MessagePack that can be shown: {0}")]
    MessagePack(serde_json::Error),
}

/// One MessagePack value as a value of JSON. What stands behind it is not looked at.
///
/// # Errors
/// It is none, or goes deeper than [`MAX_DEPTH`].
pub fn to_value(data: &[u8]) -> Result<serde_json::Value, Error> {
    serde_json::to_value(Unpacked(data)).map_err(Error::MessagePack)
}

/// Writes one MessagePack value as JSON, on one line, behind what is in `text`. What stands behind it is
/// not looked at.
///
/// # Errors
/// As [`to_value`]; `text` is as it was then.
pub fn write_json(data: &[u8], text: &mut Vec<u8>) -> Result<(), Error> {
    let before = text.len();
    serde_json::to_writer(&mut *text, &Unpacked(data)).map_err(|error| {
        text.truncate(before);
        Error::MessagePack(error)
    })
}

/// JSON as MessagePack.
///
/// # Errors
/// It is none, goes deeper than [`MAX_DEPTH`], is longer than [`MAX_LEN`] as MessagePack, or has an
/// object with the only key `base64` whose text is none.
pub fn from_json(text: &[u8]) -> Result<Packed, Error> {
    Ok(serde_json::from_slice(text)?)
}

/// A value of JSON as MessagePack.
///
/// # Errors
/// As [`from_json`].
pub fn from_value(value: &serde_json::Value) -> Result<Packed, Error> {
    Ok(serde::Deserialize::deserialize(value)?)
}

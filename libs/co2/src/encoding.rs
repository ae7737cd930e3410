//! The characters of a document: XML says by itself what they are encoded in.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How far into a document its declaration can reach, in bytes.
const MAX_DECLARATION: usize = 256;

/// Why a document has no characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// The name is not known.
    #[error("the document is in the encoding `{0}`, which is not known here: send UTF-8")]
    Unknown(String),
    /// Some bytes are no characters.
    #[error("the document has bytes that are no characters in its encoding, {0}")]
    Malformed(&'static str),
}

/// The document as text. Its encoding is that of its byte order mark, or of its declaration, or else `charset`, what
/// HTTP said, or UTF-8. `us-ascii` and `iso-8859-1` are read as windows-1252, which has all of their characters.
///
/// # Errors
/// The encoding is not known, or the bytes do not fit it.
pub fn decode<'a>(body: &'a [u8], charset: Option<&str>) -> Result<Cow<'a, str>, EncodingError> {
    let (encoding, mark) = match Encoding::for_bom(body) {
        Some(found) => found,
        None => (guess(body, charset)?, 0),
    };
    encoding
        .decode_without_bom_handling_and_without_replacement(body.get(mark..).unwrap_or_default())
        .ok_or(EncodingError::Malformed(encoding.name()))
}

fn guess(body: &[u8], charset: Option<&str>) -> Result<&'static Encoding, EncodingError> {
    match body {
        [b'<', 0, ..] => return Ok(UTF_16LE),
        [0, b'<', ..] => return Ok(UTF_16BE),
        _ => {}
    }
    let Some(name) = declared(body).or(charset) else {
        return Ok(UTF_8);
    };
    match Encoding::for_label_no_replacement(name.as_bytes()) {
        // Whoever declares it in characters of one byte has not used it.
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => Ok(UTF_8),
        Some(encoding) => Ok(encoding),
        None => Err(EncodingError::Unknown(name.escape_debug().to_string())),
    }
}

/// What the declaration says, where there is one that says it.
fn declared(body: &[u8]) -> Option<&str> {
    let start = body.get(..MAX_DECLARATION.min(body.len()))?;
    let start = start.trim_ascii_start();
    if !start.starts_with(b"<?xml") {
        return None;
    }
    let end = start.windows(2).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(start.get(..end)?).ok()?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|&c| c == '"' || c == '\'')?;
    rest.get(1..)?.split(quote).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_by_what_they_declare() {
        for (body, text) in [
            (
                &b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\xfc"[..],
                "ü",
            ),
            (b"<?xml version='1.0' encoding='us-ascii' ?>a", "a"),
            (b"<?xml version='1.0' encoding = \"UTF-8\"?>\xc3\xbc", "ü"),
            (b"<?xml version='1.0'?>\xc3\xbc", "ü"),
            (b"\xef\xbb\xbf<a>\xc3\xbc", "<a>ü"),
            (b"<\0?\0\xfc\0", "<?ü"),
            (b"\0<\0?\0\xfc", "<?ü"),
            (b"\xff\xfe<\0\xfc\0", "<ü"),
        ] {
            let decoded = decode(body, None).unwrap();
            assert!(decoded.ends_with(text), "{decoded}");
        }
        assert_eq!(decode(b"<a>\xfc", Some("latin1")).unwrap(), "<a>ü");
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let error = |body: &[u8]| decode(body, None).unwrap_err().to_string();
        assert!(error(b"<?xml version='1.0' encoding='klingon'?>").contains("`klingon`"));
        assert!(error(b"<a>\xfc</a>").contains("UTF-8"));
        // One that no browser reads either, for what can be hidden in it.
        assert!(error(b"<?xml version='1.0' encoding='iso-2022-kr'?>").contains("iso-2022-kr"));
    }
}

//! Finds the end of a MessagePack value without building it.

use rmp::Marker;

/// How deep arrays and maps of a message's data may nest. Deeper data could exhaust the stack of
/// whoever decodes it.
pub const MAX_DEPTH: usize = 64;

/// Why bytes are not one MessagePack value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The value is cut off.
    #[error("a MessagePack value is cut off")]
    Truncated,
    /// The value nests deeper than [`MAX_DEPTH`].
    #[error("a MessagePack value nests deeper than {MAX_DEPTH} levels")]
    Depth,
    /// A byte that MessagePack never uses.
    #[error("a MessagePack value holds the reserved byte 0xc1")]
    Reserved,
    /// A text is not UTF-8.
    #[error("a MessagePack text is not UTF-8")]
    Encoding,
}

/// The length in bytes of the MessagePack value that `bytes` starts with. Texts in it are checked
/// to be UTF-8.
///
/// # Errors
/// The value is cut off, nests too deep, or is not MessagePack.
pub fn value_len(bytes: &[u8]) -> Result<usize, ValueError> {
    match head(bytes, 0)? {
        (end, 0) => Ok(end),
        (end, children) => container_len(bytes, end, children),
    }
}

/// The length of the array or map that `bytes` starts with: `children` values from `at` on.
fn container_len(bytes: &[u8], mut at: usize, children: u64) -> Result<usize, ValueError> {
    // How many values are still to come on each level.
    let mut open: [u64; MAX_DEPTH] = [0; MAX_DEPTH];
    open[0] = children;
    let mut depth = 1;
    while depth > 0 {
        if open[depth - 1] == 0 {
            depth -= 1;
            continue;
        }
        open[depth - 1] -= 1;
        let (end, children) = head(bytes, at)?;
        at = end;
        if children > 0 {
            *open.get_mut(depth).ok_or(ValueError::Depth)? = children;
            depth += 1;
        }
    }
    Ok(at)
}

/// Where the value that starts at `at` ends, but for the values in it, and how many those are.
fn head(bytes: &[u8], mut at: usize) -> Result<(usize, u64), ValueError> {
    let marker = Marker::from_u8(*bytes.get(at).ok_or(ValueError::Truncated)?);
    at += 1;
    let (fixed, children, is_text) = match marker {
        Marker::FixPos(_) | Marker::FixNeg(_) => (0, 0, false),
        Marker::Null | Marker::True | Marker::False => (0, 0, false),
        Marker::U8 | Marker::I8 => (1, 0, false),
        Marker::U16 | Marker::I16 => (2, 0, false),
        Marker::U32 | Marker::I32 | Marker::F32 => (4, 0, false),
        Marker::U64 | Marker::I64 | Marker::F64 => (8, 0, false),
        Marker::FixStr(length) => (u64::from(length), 0, true),
        Marker::Str8 => (number(bytes, &mut at, 1)?, 0, true),
        Marker::Str16 => (number(bytes, &mut at, 2)?, 0, true),
        Marker::Str32 => (number(bytes, &mut at, 4)?, 0, true),
        Marker::Bin8 => (number(bytes, &mut at, 1)?, 0, false),
        Marker::Bin16 => (number(bytes, &mut at, 2)?, 0, false),
        Marker::Bin32 => (number(bytes, &mut at, 4)?, 0, false),
        // The type byte of an extension comes before its data.
        Marker::FixExt1 => (2, 0, false),
        Marker::FixExt2 => (3, 0, false),
        Marker::FixExt4 => (5, 0, false),
        Marker::FixExt8 => (9, 0, false),
        Marker::FixExt16 => (17, 0, false),
        Marker::Ext8 => (number(bytes, &mut at, 1)? + 1, 0, false),
        Marker::Ext16 => (number(bytes, &mut at, 2)? + 1, 0, false),
        Marker::Ext32 => (number(bytes, &mut at, 4)? + 1, 0, false),
        Marker::FixArray(length) => (0, u64::from(length), false),
        Marker::Array16 => (0, number(bytes, &mut at, 2)?, false),
        Marker::Array32 => (0, number(bytes, &mut at, 4)?, false),
        Marker::FixMap(length) => (0, 2 * u64::from(length), false),
        Marker::Map16 => (0, 2 * number(bytes, &mut at, 2)?, false),
        Marker::Map32 => (0, 2 * number(bytes, &mut at, 4)?, false),
        Marker::Reserved => return Err(ValueError::Reserved),
    };
    let fixed = usize::try_from(fixed).map_err(|_| ValueError::Truncated)?;
    let end = at.checked_add(fixed).ok_or(ValueError::Truncated)?;
    let content = bytes.get(at..end).ok_or(ValueError::Truncated)?;
    if is_text && std::str::from_utf8(content).is_err() {
        return Err(ValueError::Encoding);
    }
    Ok((end, children))
}

fn number(bytes: &[u8], at: &mut usize, width: usize) -> Result<u64, ValueError> {
    let digits = bytes.get(*at..*at + width).ok_or(ValueError::Truncated)?;
    *at += width;
    Ok(digits
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_each_kind_of_value_is_found() {
        for (bytes, length) in [
            (&b"\x00"[..], 1),
            (b"\xc0rest", 1),
            (b"\xcb\x00\x00\x00\x00\x00\x00\x00\x00", 9),
            (b"\xa3abc", 4),
            (b"\xd9\x02ab", 4),
            (b"\xc4\x01\xff", 3),
            (b"\xd4\x01\x02", 3),
            (b"\x93\x01\x92\x02\x03\x90", 6),
            (b"\x82\xa1a\x01\xa1b\x80", 7),
        ] {
            assert_eq!(value_len(bytes), Ok(length), "{bytes:x?}");
            if length > 1 {
                assert_eq!(value_len(&bytes[..length - 1]), Err(ValueError::Truncated));
            }
        }
        assert_eq!(value_len(b""), Err(ValueError::Truncated));
        assert_eq!(value_len(b"\xc1"), Err(ValueError::Reserved));
        assert_eq!(value_len(b"\xa1\xff"), Err(ValueError::Encoding));
    }

    #[test]
    fn nesting_has_a_limit_and_huge_counts_cost_nothing() {
        let nested = |depth| {
            let mut bytes = vec![0x91; depth];
            bytes.push(0);
            bytes
        };
        assert_eq!(value_len(&nested(MAX_DEPTH)), Ok(MAX_DEPTH + 1));
        assert_eq!(value_len(&nested(MAX_DEPTH + 1)), Err(ValueError::Depth));
        assert_eq!(
            value_len(b"\xdd\xff\xff\xff\xff\x00"),
            Err(ValueError::Truncated)
        );
        assert_eq!(
            value_len(b"\xdb\xff\xff\xff\xff\x00"),
            Err(ValueError::Truncated)
        );
    }
}

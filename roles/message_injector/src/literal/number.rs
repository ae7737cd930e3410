//! Python's numbers.

use crate::value::Value;

/// Reads a number without its sign.
pub(super) fn parse(token: &str, negative: bool) -> Result<Value, String> {
    if !token.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err("expected a number behind the sign".to_owned());
    }
    let digits = without_underscores(token)?;
    let lower = digits.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return integer(digits, radix, negative, token);
        }
    }
    if lower.bytes().all(|byte| byte.is_ascii_digit()) {
        if lower.len() > 1 && lower.starts_with('0') && lower.bytes().any(|byte| byte != b'0') {
            let reason = "begins with a zero; an octal number begins with `0o`";
            return Err(format!("`{token}` {reason}"));
        }
        return integer(&lower, 10, negative, token);
    }
    float(&lower, negative, token)
}

fn integer(digits: &str, radix: u32, negative: bool, token: &str) -> Result<Value, String> {
    // This would take a sign.
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return Err(no_number(token));
    }
    let magnitude = i128::from_str_radix(digits, radix).map_err(|error| match error.kind() {
        std::num::IntErrorKind::PosOverflow => too_large(token),
        _ => no_number(token),
    })?;
    let value = if negative { -magnitude } else { magnitude };
    i64::try_from(value)
        .map(Value::Integer)
        .or_else(|_| u64::try_from(value).map(Value::Unsigned))
        .map_err(|_| too_large(token))
}

fn float(digits: &str, negative: bool, token: &str) -> Result<Value, String> {
    let only_digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | '+' | '-');
    // Rust would read `infinity`, too.
    let value: f64 = match digits.parse() {
        Ok(value) if digits.chars().all(only_digits) => value,
        _ => return Err(no_number(token)),
    };
    if value.is_infinite() {
        return Err(too_large(token));
    }
    Ok(Value::Float(if negative { -value } else { value }))
}

/// Python lets one underscore stand between two digits, and behind `0x`.
fn without_underscores(token: &str) -> Result<String, String> {
    let bytes = token.as_bytes();
    let has_prefix = matches!(bytes, [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..]);
    for (at, _) in token.match_indices('_') {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let after = bytes.get(at + 1);
        let is_digit = |byte: Option<&u8>| {
            byte.is_some_and(|byte| match has_prefix {
                true => byte.is_ascii_alphanumeric(),
                false => byte.is_ascii_digit(),
            })
        };
        if !is_digit(before) || !is_digit(after) {
            return Err(no_number(token));
        }
    }
    Ok(token.replace('_', ""))
}

fn no_number(token: &str) -> String {
    format!("`{token}` is no number")
}

fn too_large(token: &str) -> String {
    format!("`{token}` does not fit into 64 bits")
}

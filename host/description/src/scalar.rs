//! What an unquoted scalar means: the core schema of YAML 1.2, and a clear word about what older
//! YAML read differently.

/// A number as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    Float(f64),
}

/// Why a text is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotANumber {
    #[error("it is not written as a number")]
    Text,
    #[error(
        "a number may not start with a zero, as it could be meant as decimal or as octal: \
         leave the zero out, or write `0o` for octal"
    )]
    LeadingZero,
    #[error("`:` is not read as base 60: write the number out")]
    Sexagesimal,
    #[error("`_` may not stand in a number: leave it out")]
    Underscore,
    #[error("binary numbers are not read: write it in decimal, or with `0x` in hexadecimal")]
    Binary,
    #[error("it is too large for a number")]
    TooLarge,
    #[error("it is not a finite number")]
    NotFinite,
}

/// Whether the text stands for no value at all.
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The boolean of YAML 1.2: `true` and `false`.
pub(crate) fn core_boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A boolean where one is expected, which may also be `yes`, `no`, `on` or `off`.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => core_boolean(text),
    }
}

/// A number: decimal, `0x`, `0o`, or with a fraction or an exponent.
pub(crate) fn number(text: &str) -> Result<Number, NotANumber> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let signed = digits.len() != text.len();
    if matches!(digits, ".inf" | ".Inf" | ".INF")
        || (!signed && matches!(digits, ".nan" | ".NaN" | ".NAN"))
    {
        return Err(NotANumber::NotFinite);
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(NotANumber::Text);
    }
    if let Some(hexadecimal) = digits.strip_prefix("0x").filter(|_| !signed) {
        return radix(hexadecimal, 16);
    }
    if let Some(octal) = digits.strip_prefix("0o").filter(|_| !signed) {
        return radix(octal, 8);
    }
    if let Some(binary) = digits.strip_prefix("0b") {
        return Err(if is_run_of(binary, |c| matches!(c, '0' | '1' | '_')) {
            NotANumber::Binary
        } else {
            NotANumber::Text
        });
    }
    let mut parts = digits.split(':');
    if digits.contains(':') && parts.all(|part| is_run_of(part, |c| c.is_ascii_digit())) {
        return Err(NotANumber::Sexagesimal);
    }
    if digits.contains('_') {
        let without = digits.replace('_', "");
        return Err(match decimal(&without, negative) {
            Err(NotANumber::Text) => NotANumber::Text,
            _ => NotANumber::Underscore,
        });
    }
    decimal(digits, negative)
}

fn decimal(digits: &str, negative: bool) -> Result<Number, NotANumber> {
    let sign = if negative { "-" } else { "" };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|exponent| {
        is_run_of(exponent.strip_prefix(['+', '-']).unwrap_or(exponent), |c| {
            c.is_ascii_digit()
        })
    });
    if !(has_digits && is_digits(whole) && fraction.is_none_or(is_digits) && exponent_fits) {
        return Err(NotANumber::Text);
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(NotANumber::LeadingZero);
    }
    let text = format!("{sign}{digits}");
    if fraction.is_none() && exponent.is_none() {
        return text
            .parse()
            .map(Number::Integer)
            .map_err(|_| NotANumber::TooLarge);
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Number::Float(value)),
        Ok(_) => Err(NotANumber::TooLarge),
        Err(_) => Err(NotANumber::Text),
    }
}

fn radix(digits: &str, radix: u32) -> Result<Number, NotANumber> {
    if !is_run_of(digits, |c| c.is_digit(radix)) {
        return Err(NotANumber::Text);
    }
    i64::from_str_radix(digits, radix)
        .map(Number::Integer)
        .map_err(|_| NotANumber::TooLarge)
}

fn is_run_of(text: &str, fits: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(fits)
}

/// A size in bytes with a unit: `64 KiB`, `4MiB`, `1G`. Units are powers of 1024. `None` when the
/// text is not written so, or stands for more than fits.
pub(crate) fn size(text: &str) -> Option<i64> {
    let unit_start = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(unit_start);
    let shift = match unit.trim_start_matches(' ') {
        "B" => 0,
        "KiB" | "K" | "k" => 10,
        "MiB" | "M" => 20,
        "GiB" | "G" => 30,
        _ => return None,
    };
    match decimal(digits, false) {
        Ok(Number::Integer(count)) => count.checked_mul(1 << shift),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_core_schema() {
        for (text, number) in [
            ("0", Number::Integer(0)),
            ("60", Number::Integer(60)),
            ("-5", Number::Integer(-5)),
            ("+5", Number::Integer(5)),
            ("0x1F", Number::Integer(31)),
            ("0o14", Number::Integer(12)),
            ("0.5", Number::Float(0.5)),
            (".5", Number::Float(0.5)),
            ("-1.", Number::Float(-1.0)),
            ("1e3", Number::Float(1000.0)),
            ("1.5E-1", Number::Float(0.15)),
            ("-9223372036854775808", Number::Integer(i64::MIN)),
        ] {
            assert_eq!(super::number(text), Ok(number), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_number_says_why() {
        for (text, error) in [
            ("", NotANumber::Text),
            ("-", NotANumber::Text),
            (".", NotANumber::Text),
            ("e5", NotANumber::Text),
            ("1e", NotANumber::Text),
            ("1 2", NotANumber::Text),
            ("1.2.3", NotANumber::Text),
            ("0x", NotANumber::Text),
            ("-0x1", NotANumber::Text),
            ("10.13.37.2", NotANumber::Text),
            ("inf", NotANumber::Text),
            ("٣", NotANumber::Text),
            ("012", NotANumber::LeadingZero),
            ("-012", NotANumber::LeadingZero),
            ("00", NotANumber::LeadingZero),
            ("01.5", NotANumber::LeadingZero),
            ("10:20", NotANumber::Sexagesimal),
            ("10:20:30", NotANumber::Sexagesimal),
            ("1_000", NotANumber::Underscore),
            ("0b101", NotANumber::Binary),
            ("9223372036854775808", NotANumber::TooLarge),
            ("0xFFFFFFFFFFFFFFFF", NotANumber::TooLarge),
            ("1e999", NotANumber::TooLarge),
            (".inf", NotANumber::NotFinite),
            ("-.inf", NotANumber::NotFinite),
            (".nan", NotANumber::NotFinite),
        ] {
            assert_eq!(number(text), Err(error), "{text}");
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(size("64 KiB"), Some(65536));
        assert_eq!(size("64k"), Some(65536));
        assert_eq!(size("4MiB"), Some(4 << 20));
        assert_eq!(size("1 G"), Some(1 << 30));
        assert_eq!(size("12 B"), Some(12));
        for text in [
            "64", "4 MB", "4 mib", "-4 MiB", "04 MiB", "KiB", "", "1.5 MiB",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
        assert_eq!(size("9999999999999 GiB"), None);
    }
}

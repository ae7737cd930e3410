//! Numbers as people write them, with a unit or a decimal comma: what they are in the unit of an
//! option, so that a message can say what to write instead.

use kozo_ground::text::quoted;

use super::schema::{BYTES, OptionSpec, ValueKind};

/// The unit of options that are times.
const SECONDS: &str = "seconds";

/// What to write in place of `text`, which is no number, if it is one with a unit.
pub(crate) fn advice(spec: &OptionSpec, text: &str) -> Option<String> {
    let text = text.trim();
    let amounts = amounts(text)?;
    let unit = spec.unit.as_deref();
    let in_unit = || match unit {
        Some(BYTES) => ", in units of 1024 bytes".to_owned(),
        Some(unit) => format!(", since it counts {unit}"),
        None => String::new(),
    };
    if let [
        (
            Figure::Ambiguous {
                thousands,
                fraction,
            },
            "",
        ),
    ] = amounts[..]
    {
        return Some(match spec.kind {
            ValueKind::Integer => format!("write {}{}", quoted(&shown(thousands)), in_unit()),
            _ => format!(
                "write {} or {}, whichever is meant",
                quoted(&shown(thousands)),
                quoted(&shown(fraction))
            ),
        });
    }
    let mut total = 0.0;
    for (figure, name) in amounts {
        let (Figure::Plain(number)
        | Figure::Ambiguous {
            fraction: number, ..
        }) = figure;
        total += number * factor(name, unit)?;
    }
    // What a product of decimal fractions has behind that is noise.
    let total = (total * 1e9).round() / 1e9;
    let is_whole = total.fract() == 0.0;
    let fits = (is_whole || spec.kind == ValueKind::Number)
        && spec.minimum.is_none_or(|minimum| total >= minimum)
        && spec.maximum.is_none_or(|maximum| total <= maximum);
    Some(if fits {
        let number = match spec.is_size() {
            true => shown_size(total),
            false => shown(total),
        };
        format!("write {}{}", quoted(&number), in_unit())
    } else {
        let unit = unit.map_or_else(String::new, |unit| format!(" {unit}"));
        format!("that is {}{unit}; {}", shown(total), spec.advice())
    })
}

/// A number as it stands there.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Figure {
    Plain(f64),
    /// `1,500`: in some countries one and a half, in others a thousand and a half of one.
    Ambiguous {
        thousands: f64,
        fraction: f64,
    },
}

/// The pairs of a number and a unit that make up the whole text: `1h 30min`. The unit may be missing
/// where there is one number alone: `1h30` may mean minutes, or seconds.
fn amounts(text: &str) -> Option<Vec<(Figure, &str)>> {
    let mut rest = text;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let is_of_number =
            |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '\'') || is_gap(c);
        let length = rest.find(|c| !is_of_number(c)).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(length);
        let length = behind
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(length);
        let unit = unit.trim_matches(|c: char| is_gap(c) || c == '.');
        found.push((figure(number.trim_matches(is_gap))?, unit));
        rest = behind;
    }
    let is_clear = found.len() == 1 || found.iter().all(|(_, unit)| !unit.is_empty());
    (!found.is_empty() && is_clear).then_some(found)
}

/// A space, also one at which no line may be broken.
fn is_gap(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}')
}

fn figure(text: &str) -> Option<Figure> {
    let plain = |text: &str| text.parse().ok().map(Figure::Plain);
    if !text.starts_with(|c: char| c.is_ascii_digit())
        || !text.ends_with(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let separators: Vec<char> = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    let groups: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).collect();
    let are_thousands = groups[0].len() <= 3
        && groups[0] != "0"
        && groups[1..].iter().all(|group| group.len() == 3)
        && separators
            .iter()
            .all(|separator| *separator == separators[0]);
    match separators[..] {
        [] | ['.'] => plain(text),
        [','] if are_thousands => Some(Figure::Ambiguous {
            thousands: text.replace(',', "").parse().ok()?,
            fraction: text.replace(',', ".").parse().ok()?,
        }),
        [','] => plain(&text.replace(',', ".")),
        _ if are_thousands => plain(&groups.concat()),
        _ => None,
    }
}

/// How much of the option's unit one of `name` is.
fn factor(name: &str, unit: Option<&str>) -> Option<f64> {
    let lower = name.to_lowercase();
    if name.is_empty() {
        return Some(1.0);
    }
    let unit = unit?;
    if lower == unit || Some(lower.as_str()) == unit.strip_suffix('s') {
        return Some(1.0);
    }
    match unit {
        SECONDS => time(&lower),
        BYTES => size(&lower),
        _ => None,
    }
}

/// Seconds.
fn time(name: &str) -> Option<f64> {
    Some(match name {
        "ns" | "nanosecond" | "nanoseconds" => 1e-9,
        "us" | "µs" | "μs" | "usec" | "microsecond" | "microseconds" => 1e-6,
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 1e-3,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    })
}

/// Bytes. Units without an `i` are those of 1024, too, as elsewhere in the file.
fn size(name: &str) -> Option<f64> {
    let power = match name
        .strip_suffix("ib")
        .or(name.strip_suffix('b'))
        .unwrap_or(name)
    {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        _ => return None,
    };
    Some(1024_f64.powi(power))
}

fn shown(number: f64) -> String {
    number.to_string()
}

/// With the largest unit of which it is a whole number.
fn shown_size(bytes: f64) -> String {
    let units = [(1024.0 * 1024.0, " MiB"), (1024.0, " KiB")];
    let unit = units
        .iter()
        .find(|(unit, _)| bytes >= *unit && bytes % unit == 0.0);
    unit.map_or_else(|| shown(bytes), |(unit, name)| shown(bytes / unit) + name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::DefaultValue;

    fn of(kind: ValueKind, unit: &str, least: f64, most: f64) -> OptionSpec {
        OptionSpec::new("x", kind, DefaultValue::None, "").measured(unit, least, most)
    }

    #[test]
    fn the_number_in_the_unit_of_the_option_is_offered() {
        let seconds = of(ValueKind::Number, SECONDS, 0.0, 1e6);
        for (text, number) in [
            ("5s", "5"),
            ("5 s", "5"),
            ("5 sec.", "5"),
            ("500ms", "0.5"),
            ("500 msec", "0.5"),
            ("0,5", "0.5"),
            ("0,5s", "0.5"),
            ("2m", "120"),
            ("1.5 h", "5400"),
            ("1h30m", "5400"),
            ("1 h 30 min", "5400"),
            ("1 day", "86400"),
            ("5 Seconds", "5"),
            ("250 µs", "0.00025"),
            ("1 000", "1000"),
            ("1\u{a0}000 s", "1000"),
            ("1'000", "1000"),
            ("1,000,000", "1000000"),
        ] {
            let expected = format!("write `{number}`, since it counts seconds");
            assert_eq!(advice(&seconds, text), Some(expected), "{text}");
        }
        for text in [
            "", "soon", "5x", "5 kB", "a5", "5s!", "1.2.3", "1,2,3", "5,", "-5s", "1,000.5", "5s5",
            "1h30",
        ] {
            assert_eq!(advice(&seconds, text), None, "{text}");
        }
        let expected = "write `1000` or `1`, whichever is meant";
        assert_eq!(advice(&seconds, "1,000").as_deref(), Some(expected));
        let bytes = of(ValueKind::Integer, BYTES, 0.0, 1e9);
        for (text, number) in [
            ("4 MB", "4 MiB"),
            ("1.5 MiB", "1536 KiB"),
            ("64kb", "64 KiB"),
            ("10 bytes", "10"),
        ] {
            let expected = format!("write `{number}`, in units of 1024 bytes");
            assert_eq!(advice(&bytes, text), Some(expected), "{text}");
        }
        let messages = of(ValueKind::Integer, "messages", 1.0, 1e6);
        let expected = "write `100`, since it counts messages";
        for text in ["100 messages", "100 message", "100messages"] {
            assert_eq!(advice(&messages, text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(advice(&messages, "5s"), None);
        let expected = "write `1500`, since it counts messages";
        assert_eq!(advice(&messages, "1,500").as_deref(), Some(expected));
    }

    #[test]
    fn a_number_that_the_option_cannot_have_is_not_offered() {
        let seconds = of(ValueKind::Integer, SECONDS, 1.0, 3600.0);
        for (text, number) in [("500ms", "0.5"), ("2h", "7200"), ("1500 ms", "1.5")] {
            let expected =
                format!("that is {number} seconds; write a whole number from 1 to 3600 seconds");
            assert_eq!(advice(&seconds, text), Some(expected), "{text}");
        }
    }
}

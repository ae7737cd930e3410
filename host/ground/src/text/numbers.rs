//! Numbers as people read them.

/// A span of time with two units at most: `120 µs`, `45 ms`, `3.2 s`, `4 min 10 s`, `2 d 3 h`.
pub fn span(seconds: f64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let whole = seconds.max(0.0) as u64;
    match whole {
        0 if seconds < 0.000_000_5 => "0 ms".to_owned(),
        0 if seconds < 0.000_999_5 => format!("{:.0} µs", seconds * 1_000_000.0),
        0 if seconds < 0.01 => format!("{:.1} ms", seconds * 1000.0),
        0 => format!("{:.0} ms", (seconds * 1000.0).min(999.0)),
        1..10 => format!("{seconds:.1} s"),
        10..MINUTE => format!("{whole} s"),
        MINUTE..HOUR => two(whole / MINUTE, "min", whole % MINUTE, "s"),
        HOUR..DAY => two(whole / HOUR, "h", whole % HOUR / MINUTE, "min"),
        _ => two(whole / DAY, "d", whole % DAY / HOUR, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// A number of bytes: `512 B`, `4.0 KiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next().unwrap_or(&"");
    while value >= 1023.95 {
        let Some(next) = units.next() else { break };
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// `1 message`, `2 messages`.
pub fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// A number with a comma before each three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in [
            (0.0, "0 ms"),
            (0.000_12, "120 µs"),
            (0.000_999_9, "1.0 ms"),
            (0.0012, "1.2 ms"),
            (0.0456, "46 ms"),
            (0.9999, "999 ms"),
            (3.21, "3.2 s"),
            (59.9, "59 s"),
            (60.0, "1 min"),
            (250.0, "4 min 10 s"),
            (7260.0, "2 h 1 min"),
            (183_600.0, "2 d 3 h"),
            (-1.0, "0 ms"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn bytes_have_units_of_1024() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (4 << 20, "4.0 MiB"),
            (u64::MAX, "16384.0 PiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}

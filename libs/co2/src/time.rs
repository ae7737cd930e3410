//! Times as CO2 shows them: local ones, without a zone.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::value::{DateTime, Value};

/// The present time, in seconds since 1970. It is for showing, and nothing is decided by it.
pub fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

/// A time in seconds since 1970 as a value, in this machine's zone.
pub fn date_time(seconds: f64) -> Value {
    let text = local(seconds).strftime("%Y%m%dT%H:%M:%S").to_string();
    let time: Result<DateTime, _> = text.parse();
    // Every time of which there is a local one has four digits of years.
    time.map_or_else(|_| Value::String(text), Value::DateTime)
}

/// A time as servers of the web wrote it into their logs.
pub(crate) fn log_time(seconds: f64) -> String {
    local(seconds).strftime("%d/%b/%Y %H:%M:%S").to_string()
}

/// A time for people.
pub(crate) fn readable(seconds: f64) -> String {
    local(seconds).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn local(seconds: f64) -> Zoned {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "bounded to what there are times for"
    )]
    let whole = seconds.clamp(0.0, 250_000_000_000.0) as i64;
    Timestamp::from_second(whole)
        .unwrap_or_default()
        .to_zoned(TimeZone::system())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_a_time() {
        for seconds in [0.0, 1_066_336_382.5, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                matches!(date_time(seconds), Value::DateTime(_)),
                "{seconds}"
            );
        }
    }
}

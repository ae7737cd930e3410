//! Points in time as RFC 3339 writes them.

use std::time::SystemTime;

use jiff::Timestamp;

/// `2026-11-20T12:00:00.123Z`. Times before 1970 (a board without a clock may think so) are shown
/// as its beginning.
pub(crate) fn utc(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{:.3}", time.max(Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn times_are_shown_in_utc_with_milliseconds() {
        let shown = |seconds, milliseconds| {
            utc(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(milliseconds))
        };
        assert_eq!(shown(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(951_782_399, 7), "2000-02-28T23:59:59.007Z");
        assert_eq!(shown(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(shown(1_709_251_199, 999), "2024-02-29T23:59:59.999Z");
        assert_eq!(shown(1_798_761_599, 123), "2026-12-31T23:59:59.123Z");
        assert_eq!(shown(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        for (before_or_within, shown) in [
            (
                UNIX_EPOCH - Duration::from_secs(1),
                "1970-01-01T00:00:00.000Z",
            ),
            (
                UNIX_EPOCH + Duration::from_nanos(1_999_999_999),
                "1970-01-01T00:00:01.999Z",
            ),
        ] {
            assert_eq!(utc(before_or_within), shown);
        }
    }
}

//! When the daemon started, by the wall clock.

/// How far the wall clock moves before what was told is told anew, in seconds. Less is what a clock is always
/// corrected by, and what two clocks that are read one after the other differ in.
const CLOCK_STEP: f64 = 1.0;

/// When the daemon started. On a machine without a clock that is only known later, when the clock was set; but
/// as long as the clock goes on as it did, it has to stay the same number, since a change of it means a restart
/// to whoever collects it.
#[derive(Debug, Default)]
pub(super) struct StartTime(Option<f64>);

impl StartTime {
    /// In seconds since 1970, at a time that the wall clock tells and after the daemon has run for so long,
    /// both in seconds as well.
    pub(super) fn at(&mut self, wall: f64, running: f64) -> f64 {
        let started = wall - running;
        match self.0 {
            Some(told) if (told - started).abs() < CLOCK_STEP => told,
            _ => *self.0.insert(started),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "it is to be the very same number")]
    fn the_start_stays_the_same_until_the_clock_is_set() {
        let mut start = StartTime::default();
        // There is no clock yet.
        assert_eq!(start.at(20.0, 10.0), 10.0);
        assert_eq!(start.at(35.000_4, 25.0), 10.0);
        assert_eq!(start.at(34.7, 25.0), 10.0);
        // Now it is set.
        assert_eq!(start.at(1_800_000_100.5, 100.0), 1_800_000_000.5);
        assert_eq!(start.at(1_800_000_200.4, 200.0), 1_800_000_000.5);
    }
}

//! How long to wait before the next try.

use std::time::Duration;

use kozo_ground::backoff;

/// The wait after the second failure in a row; the first is tried again at once.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// A jittered exponential back-off with a ceiling (`connectionRetry`).
///
/// The first wait is none: whatever ended a link may have been a single reset. From then on it
/// doubles.
#[derive(Debug)]
pub(super) struct Backoff {
    ceiling: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(ceiling: Duration) -> Self {
        Self {
            ceiling,
            failures: 0,
        }
    }

    /// The wait before the next try, after one more failure.
    pub(super) fn next(&mut self, random: &mut fastrand::Rng) -> Duration {
        let doublings = self.failures.checked_sub(1);
        self.failures = self.failures.saturating_add(1);
        let Some(doublings) = doublings else {
            return Duration::ZERO;
        };
        backoff::wait(FIRST_WAIT, doublings, self.ceiling, random)
    }

    /// A try succeeded for good, or there is a reason to believe that the next one will.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_start_at_none_double_and_stop_at_the_ceiling() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut backoff = Backoff::new(Duration::from_secs(3));
        assert_eq!(backoff.next(&mut random), Duration::ZERO);
        for full in [500, 1000, 2000, 3000, 3000] {
            let wait = backoff.next(&mut random).as_millis();
            assert!((full / 2..=full).contains(&wait), "{wait} of {full}");
        }
        for _ in 0..100 {
            assert!(backoff.next(&mut random) <= Duration::from_secs(3));
        }
        backoff.reset();
        assert_eq!(backoff.next(&mut random), Duration::ZERO);
    }
}

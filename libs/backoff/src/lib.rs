//! How long to wait between tries of whatever has failed: the one rule for links, transports, roles, and what
//! modules try again.

mod retry;

use std::time::Duration;

pub use retry::Retry;

/// A jittered exponential back-off: the waits double with each failure in a row, up to a ceiling.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    ceiling: Duration,
    /// How many waits were none before the first one.
    at_once: u32,
    failures: u32,
}

impl Backoff {
    /// Waits that begin with `first` and are never longer than `ceiling`.
    pub fn new(first: Duration, ceiling: Duration) -> Self {
        Self {
            first,
            ceiling,
            at_once: 0,
            failures: 0,
        }
    }

    /// The same, but after a first failure there is no wait: that may have been a single mishap.
    #[must_use]
    pub fn at_once_first(self) -> Self {
        Self { at_once: 1, ..self }
    }

    /// The wait before the next try, after one more failure.
    ///
    /// It is a random part between half of the wait and all of it, so that many who failed together
    /// do not try again together.
    pub fn next(&mut self, random: &mut fastrand::Rng) -> Duration {
        let doublings = self.failures.checked_sub(self.at_once);
        self.failures = self.failures.saturating_add(1);
        let Some(doublings) = doublings else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let wait = self.first.saturating_mul(factor).min(self.ceiling);
        wait.mul_f64(0.5 + random.f64() / 2.0)
    }

    /// A try succeeded for good, or there is a reason to believe that the next one will.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_start_at_none_double_and_stop_at_the_ceiling() {
        let mut random = fastrand::Rng::with_seed(1);
        let (first, ceiling) = (Duration::from_millis(500), Duration::from_secs(3));
        let mut backoff = Backoff::new(first, ceiling).at_once_first();
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

    #[test]
    fn the_first_wait_is_one_unless_it_is_left_out() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        for full in [1000, 2000, 4000] {
            let wait = backoff.next(&mut random).as_millis();
            assert!((full / 2..=full).contains(&wait), "{wait} of {full}");
        }
    }
}

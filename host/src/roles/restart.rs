//! When a role that failed is made anew.

use std::time::Duration;

use kozo_backoff::Backoff;

/// The waits between the failures of a role and its next lives: they double from `first` up to
/// `ceiling`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RestartPolicy {
    /// The wait after the first failure.
    pub(crate) first: Duration,
    /// The longest wait.
    pub(crate) ceiling: Duration,
    /// A life that lasted this long counts as a success: the next wait is the first again.
    pub(crate) steady: Duration,
}

impl Default for RestartPolicy {
    /// The waits go from a second to five minutes, and a life of a minute is a success.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            ceiling: Duration::from_secs(5 * 60),
            steady: Duration::from_secs(60),
        }
    }
}

/// The failures of a role in a row.
#[derive(Debug)]
pub(super) struct RestartBackoff {
    backoff: Backoff,
    steady: Duration,
}

impl RestartBackoff {
    pub(super) fn new(policy: RestartPolicy) -> Self {
        Self {
            backoff: Backoff::new(policy.first, policy.ceiling),
            steady: policy.steady,
        }
    }

    /// The wait after one more failure, that of a life that lasted `lifetime`.
    pub(super) fn next(&mut self, lifetime: Duration, random: &mut fastrand::Rng) -> Duration {
        if lifetime >= self.steady {
            self.backoff.reset();
        }
        self.backoff.next(random)
    }

    /// Somebody has asked for a restart, and probably mended something.
    pub(super) fn reset(&mut self) {
        self.backoff.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_ceiling_and_start_again_after_a_steady_life() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut backoff = RestartBackoff::new(RestartPolicy::default());
        let mut check = |backoff: &mut RestartBackoff, lifetime, full: u128| {
            let wait = backoff.next(Duration::from_secs(lifetime), &mut random);
            let wait = wait.as_millis();
            assert!((full / 2..=full).contains(&wait), "{wait} of {full}");
        };
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            check(&mut backoff, 59, seconds * 1000);
        }
        for _ in 0..100 {
            check(&mut backoff, 0, 300_000);
        }
        check(&mut backoff, 60, 1000);
        check(&mut backoff, 0, 2000);
        backoff.reset();
        check(&mut backoff, 0, 1000);
    }
}

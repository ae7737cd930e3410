//! How fast the program may write.

use std::time::{Duration, Instant};

/// Lets so many lines a second through; after a pause, as many as in a second at once.
#[derive(Debug)]
pub(crate) struct Rate {
    /// Zero: no limit.
    per_second: f64,
    /// How many may come at once; below zero when some have been let through ahead of their time.
    left: f64,
    /// When that was so.
    since: Instant,
}

impl Rate {
    pub(crate) fn new(per_second: f64, now: Instant) -> Self {
        Self {
            per_second,
            left: Self::most(per_second),
            since: now,
        }
    }

    /// One at once, however slow it is.
    fn most(per_second: f64) -> f64 {
        per_second.max(1.0)
    }

    /// One more line comes now: how long to wait until it is taken.
    pub(crate) fn wait(&mut self, now: Instant) -> Duration {
        if self.per_second <= 0.0 {
            return Duration::ZERO;
        }
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.since = now;
        let most = Self::most(self.per_second);
        self.left = (self.left + passed * self.per_second).min(most) - 1.0;
        // Slower than once in centuries is nothing that an option can say.
        Duration::try_from_secs_f64((-self.left).max(0.0) / self.per_second).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_come_at_once_and_the_others_one_after_the_other() {
        let start = Instant::now();
        let mut rate = Rate::new(10.0, start);
        for _ in 0..10 {
            assert_eq!(rate.wait(start), Duration::ZERO);
        }
        let mut now = start;
        for _ in 0..20 {
            let wait = rate.wait(now);
            assert!((wait.as_secs_f64() - 0.1).abs() < 1e-6, "{wait:?}");
            now += wait;
        }
        // After a long pause no more come at once than in a second.
        now += Duration::from_secs(1000);
        let at_once = (0..20).filter(|_| rate.wait(now).is_zero()).count();
        assert_eq!(at_once, 10);
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let start = Instant::now();
        let mut rate = Rate::new(0.0, start);
        assert!((0..10_000).all(|_| rate.wait(start).is_zero()));
    }

    #[test]
    fn a_slow_rate_lets_a_first_line_through() {
        let start = Instant::now();
        let mut rate = Rate::new(0.5, start);
        assert_eq!(rate.wait(start), Duration::ZERO);
        assert_eq!(rate.wait(start), Duration::from_secs(2));
    }
}

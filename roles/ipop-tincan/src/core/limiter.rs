//! So many in a second, and no more.

use std::time::{Duration, Instant};

/// Lets pass as many in a row as it has tokens, which come back at a steady rate.
#[derive(Debug)]
pub(super) struct Limiter {
    per_second: u32,
    tokens: f64,
    at: Option<Instant>,
}

impl Limiter {
    /// Lets pass `per_second`, and as many at once.
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            tokens: f64::from(per_second),
            at: None,
        }
    }

    /// Whether one more may pass now.
    pub(super) fn lets_pass(&mut self, now: Instant) -> bool {
        let since = self
            .at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        let rate = f64::from(self.per_second);
        self.tokens = (self.tokens + since.as_secs_f64() * rate).min(rate);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_pass_as_come_back() {
        let start = Instant::now();
        let mut limiter = Limiter::new(10);
        let passed = |limiter: &mut Limiter, at: u64| {
            let now = start + Duration::from_millis(at);
            (0..100).filter(|_| limiter.lets_pass(now)).count()
        };
        assert_eq!(passed(&mut limiter, 0), 10);
        assert_eq!(passed(&mut limiter, 350), 3);
        assert_eq!(passed(&mut limiter, 60_000), 10);
    }
}

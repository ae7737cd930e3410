//! How much may come in: a bucket that fills again with time.

use std::time::Duration;

/// How many may come at once.
const BURST: u32 = 100;

/// After how long one more may come.
const REFILL: Duration = Duration::from_millis(50);

/// What may come in now. Times are those since the bridge was made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rate {
    /// When the bucket will be full again.
    full: Duration,
}

impl Rate {
    /// Takes one; false: there is none left.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let missing = self.full.saturating_sub(now);
        if missing + REFILL > REFILL * BURST {
            return false;
        }
        self.full = now + missing + REFILL;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_may_come_and_then_twenty_a_second() {
        let mut rate = Rate::default();
        let now = Duration::from_secs(9);
        assert_eq!((0..1000).filter(|_| rate.take(now)).count(), 100);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..1000).filter(|_| rate.take(later)).count(), 20);
    }
}

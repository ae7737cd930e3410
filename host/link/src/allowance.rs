//! How often a peer may ask: a bucket of questions that fills again with time.

use std::time::Duration;

use kozo_ground::clock::Moment;

/// How many questions a peer may ask at once after it has asked none for a while.
pub const QUESTION_BURST: u32 = 40;

/// How many questions a second a peer may ask for as long as it likes.
pub const QUESTIONS_PER_SECOND: u32 = 20;

/// After how long there is one question more.
const REFILL: Duration = Duration::from_millis(1000 / QUESTIONS_PER_SECOND as u64);

/// The questions that a peer may ask now.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// When the bucket will be full again.
    full: Moment,
    refused: u64,
}

impl Allowance {
    /// Takes one question; false: there is none left, and that is counted.
    pub(crate) fn take(&mut self, now: Moment) -> bool {
        let missing = self.full.since(now);
        if missing + REFILL > REFILL * QUESTION_BURST {
            self.refused += 1;
            return false;
        }
        self.full = now + missing + REFILL;
        true
    }

    /// How many questions were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(allowance: &mut Allowance, tries: u32, now: Moment) -> u32 {
        (0..tries).filter(|_| allowance.take(now)).count() as u32
    }

    #[test]
    fn a_burst_is_allowed_and_then_so_many_a_second() {
        let mut allowance = Allowance::default();
        let mut now = Moment::ZERO + Duration::from_secs(100);
        assert_eq!(taken(&mut allowance, 1000, now), QUESTION_BURST);
        assert_eq!(allowance.refused(), 1000 - u64::from(QUESTION_BURST));
        for _ in 0..10 {
            now = now + Duration::from_secs(1);
            assert_eq!(taken(&mut allowance, 1000, now), QUESTIONS_PER_SECOND);
        }
        // No more is saved than fits.
        now = now + Duration::from_secs(86_400);
        assert_eq!(taken(&mut allowance, 1000, now), QUESTION_BURST);
    }

    #[test]
    fn whoever_asks_no_more_often_is_never_refused() {
        let mut allowance = Allowance::default();
        let mut now = Moment::ZERO;
        for _ in 0..1000 {
            assert!(allowance.take(now));
            now = now + REFILL;
        }
        assert_eq!(allowance.refused(), 0);
    }
}

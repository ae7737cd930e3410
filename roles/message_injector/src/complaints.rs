//! How many lines of the log clients can cause by what they do wrong: some, and then a number.

use std::time::{Duration, Instant};

/// How long complaints are counted together.
pub(crate) const COMPLAINTS_PERIOD: Duration = Duration::from_secs(10);

/// How many of them stand in the log in that time.
const MAX_COMPLAINTS: u32 = 10;

/// Counts complaints.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    /// When the present period began; None while there is none.
    since: Option<Instant>,
    said: u32,
    left_out: u64,
}

impl Complaints {
    /// Whether one more complaint may be said. What [`summary`](Self::summary) has to tell is to be
    /// asked for first.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        self.since.get_or_insert(now);
        if self.said < MAX_COMPLAINTS {
            self.said += 1;
            return true;
        }
        self.left_out += 1;
        false
    }

    /// When the present period is over.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + COMPLAINTS_PERIOD)
    }

    /// How many complaints the period that is over has left out, if it did.
    pub(crate) fn summary(&mut self, now: Instant) -> Option<u64> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        let over = std::mem::take(self);
        (over.left_out > 0).then_some(over.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ones_are_said_and_the_others_counted() {
        let start = Instant::now();
        let mut complaints = Complaints::default();
        assert_eq!(complaints.due(), None);
        let said = (0..25).filter(|_| complaints.admits(start)).count();
        assert_eq!(said, 10);
        assert_eq!(complaints.summary(start), None);
        let due = complaints.due().unwrap();
        assert_eq!(complaints.summary(due), Some(15));
        assert_eq!(complaints.due(), None);
        assert!(complaints.admits(due));
        assert_eq!(complaints.summary(due + COMPLAINTS_PERIOD), None);
        assert_eq!(complaints.due(), None);
    }
}

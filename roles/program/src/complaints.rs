//! How many lines of the log the program can cause by what it does wrong: some, and then a number.

use std::time::{Duration, Instant};

/// How long complaints are counted together.
const PERIOD: Duration = Duration::from_secs(10);

/// How many of them stand in the log in that time.
const MAX_SAID: u32 = 5;

/// Counts complaints.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    /// When the present period began.
    since: Option<Instant>,
    said: u32,
    left_out: u64,
}

impl Complaints {
    /// One more complaint: none when it is not to be said, else how many were left out before it.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= PERIOD {
            self.since = Some(now);
            self.said = 0;
        }
        if self.said < MAX_SAID {
            self.said += 1;
            return Some(self.rest());
        }
        self.left_out += 1;
        None
    }

    /// How many were left out and not told.
    pub(crate) fn rest(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ones_are_said_and_the_others_counted() {
        let start = Instant::now();
        let mut complaints = Complaints::default();
        let said = (0..25)
            .filter(|_| complaints.admit(start) == Some(0))
            .count();
        assert_eq!(said, 5);
        assert_eq!(complaints.admit(start + PERIOD), Some(20));
        assert_eq!(complaints.admit(start + PERIOD), Some(0));
        assert_eq!(complaints.rest(), 0);
    }
}

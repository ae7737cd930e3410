//! What became of numbered events.

use serde::{Deserialize, Serialize};

use crate::Stamp;

/// Of how many events the delay is kept, in a run of many the first ones.
const KEPT_DELAYS: usize = 200_000;

/// Counts events.
#[derive(Debug, Default)]
pub struct Tally {
    /// Each run and its highest number, the latest at the end. There are few, so that looking for one costs next
    /// to nothing of what is measured.
    runs: Vec<(u64, u64)>,
    received: u64,
    missing: u64,
    late: u64,
    first_sent: Option<u64>,
    last_received: u64,
    delays: Vec<u64>,
}

/// What a report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Events that came.
    pub received: u64,
    /// Numbers that were left out.
    pub missing: u64,
    /// Events whose number was not higher than all before: repeated, or out of order.
    pub late: u64,
    /// Nanoseconds from the first sending to the last arrival.
    pub duration: u64,
    /// The median of the delays that were kept, in nanoseconds.
    pub p50: u64,
    /// Their 99th percentile.
    pub p99: u64,
    /// The longest of them.
    pub max: u64,
}

impl Tally {
    /// How many events came.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// An event came.
    pub fn count(&mut self, stamp: Stamp, now: u64) {
        self.received += 1;
        let known = self.runs.iter().rposition(|(run, _)| *run == stamp.run);
        let place = known.unwrap_or_else(|| {
            self.runs.push((stamp.run, 0));
            self.runs.len() - 1
        });
        let (_, highest) = &mut self.runs[place];
        if stamp.sequence <= *highest {
            self.late += 1;
        } else {
            self.missing += stamp.sequence - *highest - 1;
            *highest = stamp.sequence;
        }
        self.first_sent.get_or_insert(stamp.sent);
        self.last_received = now;
        if self.delays.len() < KEPT_DELAYS {
            self.delays.push(now.saturating_sub(stamp.sent));
        }
    }

    /// What all that came makes together.
    pub fn figures(&self) -> Figures {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        let share = |percent: usize| {
            let place = (delays.len().saturating_sub(1)) * percent / 100;
            delays.get(place).copied().unwrap_or(0)
        };
        let first = self.first_sent.unwrap_or(self.last_received);
        Figures {
            received: self.received,
            missing: self.missing,
            late: self.late,
            duration: self.last_received.saturating_sub(first),
            p50: share(50),
            p99: share(99),
            max: share(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_repeats_are_counted_for_each_run() {
        let mut tally = Tally::default();
        for (run, sequence) in [(1, 1), (1, 2), (2, 1), (1, 5), (1, 4), (1, 5)] {
            let stamp = Stamp {
                run,
                sequence,
                sent: 100,
            };
            tally.count(stamp, 100 + sequence);
        }
        let figures = tally.figures();
        assert_eq!((figures.received, figures.missing, figures.late), (6, 2, 2));
        assert_eq!((figures.p50, figures.max, figures.duration), (2, 5, 5));
    }
}

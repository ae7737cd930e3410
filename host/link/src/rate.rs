//! How much may be under way at once.

use std::time::Duration;

use kozo_ground::clock::Moment;

/// The most that is in flight to one peer, in bytes as queues count them.
const IN_FLIGHT_BYTES: usize = 1024 * 1024;

/// What is in flight at least, however slow the path seems: what a link starts with.
pub(super) const SLOWEST_IN_FLIGHT_BYTES: usize = 32 * 1024;

/// How much of a path's measured rate may be in flight: as much as a heartbeat may wait behind.
const HORIZON: Duration = Duration::from_secs(1);

/// How long a measured rate counts.
const MEMORY: Duration = Duration::from_secs(5);

/// Measures how fast a peer acknowledges, and from that how much may be in flight.
///
/// A slow path (Bluetooth, Tor) has buffers that would hide a heartbeat behind minutes of data. So
/// no more is sent ahead of the acknowledgements than about a second's worth.
#[derive(Debug, Default)]
pub(super) struct DeliveryRate {
    /// Bytes acknowledged so far.
    delivered: u64,
    /// The best rate of the memory's current and last period, in bytes a second.
    best: [f64; 2],
    period_start: Moment,
}

/// What is noted with each message that is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct SendMark {
    sent: Moment,
    delivered: u64,
}

impl DeliveryRate {
    /// A message is sent now.
    pub(super) fn mark(&self, now: Moment) -> SendMark {
        SendMark {
            sent: now,
            delivered: self.delivered,
        }
    }

    /// `bytes` were acknowledged, the last of them marked with `mark` when they were sent.
    pub(super) fn acknowledged(&mut self, bytes: usize, mark: SendMark, now: Moment) {
        self.delivered += bytes as u64;
        if now.since(self.period_start) > MEMORY {
            self.best = [0.0, self.best[0]];
            self.period_start = now;
        }
        // An acknowledgement within the clock's resolution says only that the path is fast.
        let elapsed = now.since(mark.sent).max(Duration::from_micros(1));
        let rate = (self.delivered - mark.delivered) as f64 / elapsed.as_secs_f64();
        self.best[0] = self.best[0].max(rate);
    }

    /// How many bytes may be in flight.
    pub(super) fn allowance(&self) -> usize {
        let best = self.best[0].max(self.best[1]);
        let horizon = best * HORIZON.as_secs_f64();
        (horizon.min(IN_FLIGHT_BYTES as f64) as usize).max(SLOWEST_IN_FLIGHT_BYTES)
    }

    /// A new path: what was measured on the last one does not count.
    pub(super) fn reset(&mut self) {
        self.best = [0.0; 2];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps a path full that takes `rate` bytes a second in order.
    fn settled_allowance(rate: f64) -> usize {
        let mut measured = DeliveryRate::default();
        let mut now = Moment::ZERO;
        let mut free_at = Moment::ZERO;
        let mut flight = std::collections::VecDeque::new();
        let chunk = 4096;
        for _ in 0..2000 {
            while flight.len() * chunk < measured.allowance() {
                free_at = free_at.max(now) + Duration::from_secs_f64(chunk as f64 / rate);
                flight.push_back((free_at, measured.mark(now)));
            }
            let (arrival, mark) = flight.pop_front().unwrap();
            now = now.max(arrival);
            measured.acknowledged(chunk, mark, now);
        }
        measured.allowance()
    }

    #[test]
    fn about_a_second_of_a_paths_rate_may_be_in_flight() {
        let slow = settled_allowance(100_000.0);
        assert!((80_000..=120_000).contains(&slow), "{slow}");
        assert_eq!(settled_allowance(10_000.0), SLOWEST_IN_FLIGHT_BYTES);
        assert_eq!(settled_allowance(1e9), IN_FLIGHT_BYTES);
    }
}

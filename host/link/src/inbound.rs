//! What came from a peer: nothing twice, nothing out of order, and a count of what never came.

use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_status::InboundCounts;
use kozo_wire::SessionId;

/// How long an acknowledgement may wait for more to acknowledge.
const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(20);
/// An acknowledgement waits for no more than so many messages,
const ACKNOWLEDGE_MESSAGES: u64 = 128;
/// or so many bytes.
const ACKNOWLEDGE_BYTES: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Inbound {
    session: Option<SessionId>,
    seen: u64,
    unacknowledged: u64,
    unacknowledged_bytes: usize,
    acknowledge_by: Option<Moment>,
    counts: InboundCounts,
}

impl Inbound {
    /// The peer's hello: its session, and the lowest number that it may still send.
    pub(super) fn hello(&mut self, session: SessionId, base: u64) {
        if self.session != Some(session) {
            self.session = Some(session);
            self.seen = base.saturating_sub(1);
        }
    }

    /// What to tell the peer: its session, and the last number seen in it.
    pub(super) fn seen(&self) -> Option<(SessionId, u64)> {
        self.session.map(|session| (session, self.seen))
    }

    pub(super) fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// A message came. False when it came before.
    pub(super) fn message(&mut self, sequence: u64, bytes: usize, now: Moment) -> bool {
        self.unacknowledged += 1;
        self.unacknowledged_bytes += bytes;
        let due = if self.unacknowledged >= ACKNOWLEDGE_MESSAGES
            || self.unacknowledged_bytes >= ACKNOWLEDGE_BYTES
        {
            now
        } else {
            now + ACKNOWLEDGE_AFTER
        };
        self.acknowledge_by = Some(self.acknowledge_by.map_or(due, |earlier| earlier.min(due)));
        if sequence <= self.seen {
            self.counts.repeated += 1;
            return false;
        }
        let missed = sequence - self.seen - 1;
        self.counts.missed = self.counts.missed.saturating_add(missed);
        self.seen = sequence;
        self.counts.received += 1;
        true
    }

    /// Every message up to `floor` has come, or never will. Returns how many never will.
    pub(super) fn floor(&mut self, floor: u64) -> u64 {
        let missed = floor.saturating_sub(self.seen);
        self.counts.missed = self.counts.missed.saturating_add(missed);
        self.seen += missed;
        missed
    }

    /// When an acknowledgement is due.
    pub(super) fn acknowledge_by(&self) -> Option<Moment> {
        self.acknowledge_by
    }

    /// What was acknowledged last may have been lost with its link, and the peer may wait for it before it
    /// sends anything more: it is told once more.
    pub(super) fn acknowledge_again(&mut self, now: Moment) {
        if self.session.is_some() {
            self.acknowledge_by = Some(now);
        }
    }

    /// The number to acknowledge, if it is time to.
    pub(super) fn take_acknowledgement(&mut self, now: Moment) -> Option<u64> {
        if self.acknowledge_by.is_none_or(|due| due > now) {
            return None;
        }
        self.acknowledge_by = None;
        self.unacknowledged = 0;
        self.unacknowledged_bytes = 0;
        Some(self.seen)
    }

    pub(super) fn counts(&self) -> InboundCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::ZERO;

    fn inbound() -> Inbound {
        let mut inbound = Inbound::default();
        inbound.hello(SessionId(1), 5);
        inbound
    }

    #[test]
    fn a_message_that_came_before_is_ignored_and_a_gap_is_counted() {
        let mut inbound = inbound();
        assert!(inbound.message(5, 1, NOW));
        assert!(!inbound.message(5, 1, NOW));
        assert!(inbound.message(8, 1, NOW));
        assert_eq!(inbound.floor(10), 2);
        assert_eq!(inbound.floor(9), 0);
        let counts = InboundCounts {
            received: 2,
            repeated: 1,
            missed: 4,
        };
        assert_eq!(inbound.counts(), counts);
    }

    #[test]
    fn a_peer_that_was_restarted_starts_from_its_own_base() {
        let mut inbound = inbound();
        inbound.message(5, 1, NOW);
        inbound.hello(SessionId(1), 1);
        assert_eq!(inbound.seen(), Some((SessionId(1), 5)));
        inbound.hello(SessionId(2), 3);
        assert_eq!(inbound.seen(), Some((SessionId(2), 2)));
        assert!(inbound.message(3, 1, NOW));
        assert_eq!(inbound.counts().missed, 0);
    }

    #[test]
    fn what_was_acknowledged_is_acknowledged_again_over_another_link() {
        let mut inbound = Inbound::default();
        inbound.acknowledge_again(NOW);
        assert_eq!(inbound.acknowledge_by(), None);
        inbound.hello(SessionId(1), 5);
        inbound.message(5, ACKNOWLEDGE_BYTES, NOW);
        assert_eq!(inbound.take_acknowledgement(NOW), Some(5));
        inbound.acknowledge_again(NOW);
        assert_eq!(inbound.take_acknowledgement(NOW), Some(5));
    }

    #[test]
    fn acknowledgements_are_collected_but_not_for_long() {
        let mut inbound = inbound();
        inbound.message(5, 1, NOW);
        assert_eq!(inbound.take_acknowledgement(NOW), None);
        assert_eq!(
            inbound.take_acknowledgement(NOW + ACKNOWLEDGE_AFTER),
            Some(5)
        );
        assert_eq!(
            inbound.take_acknowledgement(NOW + ACKNOWLEDGE_AFTER * 9),
            None
        );
        for sequence in 6..6 + ACKNOWLEDGE_MESSAGES {
            assert_eq!(inbound.take_acknowledgement(NOW), None);
            inbound.message(sequence, 1, NOW);
        }
        assert!(inbound.take_acknowledgement(NOW).is_some());
        inbound.message(1000, ACKNOWLEDGE_BYTES, NOW);
        assert_eq!(inbound.take_acknowledgement(NOW), Some(1000));
    }
}

//! What the simulation asks of this floor, and what is easier to see without it.

use super::*;

impl Incoming {
    /// Whether all that is kept is counted, and within its limits.
    pub(crate) fn assert_bounded(&self) {
        let waiting = self.lanes.values().map(InLane::waiting);
        let counted = waiting.fold(Amount::default(), |sum, amount| Amount {
            messages: sum.messages + amount.messages,
            bytes: sum.bytes + amount.bytes,
        });
        assert_eq!(counted, self.waiting);
        assert!(counted.bytes <= MAX_WAITING_BYTES);
        assert!(self.parts.bytes() <= parts::MAX_PART_BYTES);
        let asked = |lane: &&InLane| lane.repair.as_ref().is_some_and(|one| one.asked.is_some());
        let repairing = self.lanes.values().filter(asked).count();
        assert_eq!(repairing, self.repairing);
        assert!(repairing <= MAX_REPAIRS);
    }
}

//! What becomes of single messages, for those who have sent them and want to know.

/// The most messages to one peer that are watched at once.
pub(super) const MAX_RECEIPTS: usize = 64;

/// A message that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt(pub(super) u64);

/// What has become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It waits, or is under way and not acknowledged yet.
    Waiting,
    /// The peer has it.
    Acknowledged,
    /// Limits or age pushed it out, as far as this node knows before the peer had it.
    Dropped,
}

/// The messages that are watched, and whether they are acknowledged.
#[derive(Debug, Default)]
pub(super) struct Receipts(Vec<(Receipt, bool)>);

impl Receipts {
    /// Watches the message with this number.
    pub(super) fn open(&mut self, sequence: u64) -> Option<Receipt> {
        if self.0.len() >= MAX_RECEIPTS {
            return None;
        }
        let receipt = Receipt(sequence);
        self.0.push((receipt, false));
        Some(receipt)
    }

    /// The peer has the message with this number.
    pub(super) fn acknowledge(&mut self, sequence: u64) {
        for (receipt, acknowledged) in &mut self.0 {
            *acknowledged |= receipt.0 == sequence;
        }
    }

    pub(super) fn is_acknowledged(&self, receipt: Receipt) -> bool {
        self.0.contains(&(receipt, true))
    }

    pub(super) fn close(&mut self, receipt: Receipt) {
        self.0.retain(|(other, _)| *other != receipt);
    }
}

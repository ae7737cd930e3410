//! How many messages have passed while anybody watched.

use std::sync::atomic::{AtomicU64, Ordering};

use kozo_ground::interest::Kind;

use super::wanted::{KINDS, Kinds};

/// How many messages have passed, by their kinds.
#[derive(Debug, Default)]
pub(super) struct Passed([AtomicU64; KINDS]);

impl Passed {
    /// So many more have, by their kinds.
    pub(super) fn add(&self, counts: [u64; KINDS]) {
        for (counter, count) in self.0.iter().zip(counts) {
            if count > 0 {
                counter.fetch_add(count, Ordering::Release);
            }
        }
    }

    /// How many of these kinds have passed.
    pub(super) fn of(&self, kinds: Kinds) -> u64 {
        [Kind::Event, Kind::Order, Kind::Log]
            .into_iter()
            .filter(|&kind| kinds.contain(kind))
            .map(|kind| self.0[kind as usize].load(Ordering::Acquire))
            .sum()
    }
}

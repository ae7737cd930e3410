//! Where paced senders wait for room in the receivers' queues.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use kozo_ground::lock::LockAnyway;

/// Tells those who wait that there may be more room.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Counts how often there may have been more room.
    generation: Mutex<u64>,
    changed: Condvar,
}

impl Room {
    /// To be read before room is looked for, so that none is missed that is made meanwhile.
    pub(super) fn generation(&self) -> u64 {
        *self.generation.lock_anyway()
    }

    /// Waits until there may be more room than at generation `seen`; false at the deadline.
    pub(super) fn wait(&self, seen: u64, deadline: Instant) -> bool {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let generation = self.generation.lock_anyway();
        let (_generation, waited) = self
            .changed
            .wait_timeout_while(generation, remaining, |generation| *generation == seen)
            .unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }

    /// There may be more room.
    pub(super) fn made(&self) {
        *self.generation.lock_anyway() += 1;
        // Without a waiter this is no system call.
        self.changed.notify_all();
    }
}

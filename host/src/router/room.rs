//! Where paced senders wait for room in the receivers' queues.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use kozo_ground::lock::LockAnyway;

/// Tells those who wait that there may be more room.
#[derive(Debug, Default)]
pub(super) struct Room {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Counts how often there may have been more room.
    generation: u64,
    /// How many wait for it.
    waiting: usize,
}

impl Room {
    /// To be read before room is looked for, so that none is missed that is made meanwhile.
    pub(super) fn generation(&self) -> u64 {
        self.state.lock_anyway().generation
    }

    /// Waits until there may be more room than at generation `seen`; false at the deadline.
    pub(super) fn wait(&self, seen: u64, deadline: Instant) -> bool {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let mut state = self.state.lock_anyway();
        state.waiting += 1;
        let (mut state, waited) = self
            .changed
            .wait_timeout_while(state, remaining, |state| state.generation == seen)
            .unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        !waited.timed_out()
    }

    /// There may be more room.
    pub(super) fn made(&self) {
        let mut state = self.state.lock_anyway();
        state.generation += 1;
        let is_awaited = state.waiting > 0;
        drop(state);
        // It is a call to the system, even where nobody waits.
        if is_awaited {
            self.changed.notify_all();
        }
    }
}

//! Where messages wait while a link's writer is at work.
//!
//! The writer keeps a peer to itself while it puts a write together, which takes as long as a role takes to send
//! dozens of messages. So that nobody waits for that, who sends puts messages here meanwhile. Whoever has the peer
//! next takes them into its queue first; so the order is kept, and nobody sees the queue without them.

use std::sync::{Mutex, MutexGuard};

use kozo_ground::clock::Moment;
use kozo_ground::lock::LockAnyway;
use kozo_ground::queue::QueueLimits;
use kozo_wire::Message;

/// How many messages it keeps memory for while it is closed.
const KEPT: usize = 512;

/// Messages, and when each was sent.
pub(super) type Taken = Vec<(Message, Moment)>;

/// Takes messages while the peer's queue is not at hand.
#[derive(Debug, Default)]
pub(super) struct Intake(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How much more it takes; none: it is closed.
    room: Option<QueueLimits>,
    messages: Taken,
}

impl Intake {
    /// Takes the messages, if it is open and has room for all of them.
    pub(super) fn take(&self, messages: &[Message], now: Moment) -> bool {
        let mut state = self.lock();
        let cost = messages.iter().map(Message::cost).sum();
        let room = state.room.as_ref();
        let Some(room) = room.and_then(|room| room.less(messages.len(), cost)) else {
            return false;
        };
        state.room = Some(room);
        let all = messages.iter().map(|message| (message.clone(), now));
        state.messages.extend(all);
        true
    }

    /// Takes messages from now on, as many as are free in the peer's queue.
    pub(super) fn open(&self, free: QueueLimits) {
        let mut state = self.lock();
        let cost = state.messages.iter().map(|(message, _)| message.cost());
        // Those that have come since the queue was looked at are to have room there.
        let room = free.less(state.messages.len(), cost.sum());
        state.room = Some(room.unwrap_or(QueueLimits { length: 0, size: 0 }));
    }

    /// Moves what it has to `taken`, which is empty.
    pub(super) fn empty(&self, taken: &mut Taken) {
        std::mem::swap(&mut self.lock().messages, taken);
    }

    /// The same, and takes nothing any more.
    pub(super) fn close(&self, taken: &mut Taken) {
        let mut state = self.lock();
        state.room = None;
        std::mem::swap(&mut state.messages, taken);
        state.messages.shrink_to(KEPT);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock_anyway()
    }
}

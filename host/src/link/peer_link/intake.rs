//! Where messages wait while a link's writer is at work.
//!
//! The writer keeps a peer to itself while it puts a write together, which takes as long as a role takes to send
//! dozens of messages. So that nobody waits for that, who sends puts messages here meanwhile, and as soon as the writer was
//! woken. Whoever has the peer next takes them into its queue first; so the order is kept, and nobody sees the queue
//! without them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use kozo_ground::clock::Moment;
use kozo_ground::lock::LockAnyway;
use kozo_ground::queue::QueueLimits;
use kozo_wire::{Bodies, Draft, Likeness, Message};

/// For how many messages memory is kept,
const KEPT: usize = 128;
/// and for how many bytes of what is to be messages.
const KEPT_BYTES: usize = 16 * 1024;

/// Takes messages while the peer's queue is not at hand.
#[derive(Debug, Default)]
pub(super) struct Intake {
    state: Mutex<State>,
    /// Whether it is open, for who would only look: it may be changing.
    is_open: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// How much more it takes; none: it is closed.
    room: Option<QueueLimits>,
    taken: Taken,
}

/// What an intake has taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// What each was, and when it was sent; none: the next of the bodies.
    each: Vec<(Option<Message>, Moment)>,
    bodies: Bodies,
    /// What the queue counts for all of them.
    cost: usize,
}

impl Taken {
    /// Takes all messages out, in order, each with when it was sent.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Message, Moment)> {
        self.cost = 0;
        let mut bodies = self.bodies.take();
        let each = self.each.drain(..);
        each.filter_map(move |(message, at)| {
            let message = message.or_else(|| bodies.next());
            debug_assert!(message.is_some(), "each without a message has a body");
            Some((message?, at))
        })
    }

    /// Gives back what a burst has taken of memory.
    pub(super) fn shrink(&mut self) {
        self.each.shrink_to(KEPT);
        self.bodies.shrink(KEPT, KEPT_BYTES);
    }
}

impl Intake {
    /// Whether it may be open.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Takes the messages, if it is open and has room for all of them.
    pub(super) fn take(&self, messages: &[Message], now: Moment) -> bool {
        if !self.is_open() {
            return false;
        }
        let cost = messages.iter().map(Message::cost).sum();
        let all = messages.iter().map(|message| (Some(message.clone()), now));
        self.take_with(messages.len(), cost, |taken| taken.each.extend(all))
    }

    /// Takes what is to be a message, is like these and fits into a row, likewise.
    pub(super) fn take_draft(&self, draft: &Draft<'_>, likeness: &Likeness, now: Moment) -> bool {
        self.take_with(1, draft.cost(likeness), |taken| {
            taken.bodies.add(draft, likeness);
            taken.each.push((None, now));
        })
    }

    fn take_with(&self, count: usize, cost: usize, take: impl FnOnce(&mut Taken)) -> bool {
        let mut state = self.lock();
        let room = state.room.as_ref();
        let Some(room) = room.and_then(|room| room.less(count, cost)) else {
            return false;
        };
        state.room = Some(room);
        state.taken.cost += cost;
        take(&mut state.taken);
        true
    }

    /// Takes messages from now on, as many as are free in the peer's queue.
    pub(super) fn open(&self, free: QueueLimits) {
        let mut state = self.lock();
        // Those that have come since the queue was looked at are to have room there.
        let room = free.less(state.taken.each.len(), state.taken.cost);
        state.room = Some(room.unwrap_or(QueueLimits { length: 0, size: 0 }));
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// Moves what it has taken to `taken`, which is empty.
    pub(super) fn move_to(&self, taken: &mut Taken) {
        std::mem::swap(&mut self.lock().taken, taken);
    }

    /// The same, and takes nothing any more.
    pub(super) fn close(&self, taken: &mut Taken) {
        let mut state = self.lock();
        state.room = None;
        self.is_open.store(false, Ordering::Relaxed);
        std::mem::swap(&mut state.taken, taken);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock_anyway()
    }
}

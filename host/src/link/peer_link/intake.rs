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
use kozo_ground::queue::{Bursts, QueueLimits};
use kozo_wire::{Bodies, Draft, Likeness, Message};

/// For how many messages memory is kept, at most,
const KEPT: usize = 4096;
/// and for how many bytes of what is to be messages.
const KEPT_BYTES: usize = 1024 * 1024;

/// Takes messages while the peer's queue is not at hand.
#[derive(Debug, Default)]
pub(super) struct Intake {
    state: Mutex<State>,
    /// Whether it is open, for who would only look: it may be changing, but while the peer is locked.
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
    /// Of messages, and of bytes of bodies.
    bursts: (Bursts, Bursts),
}

impl Taken {
    /// Whether it has nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// Takes all messages out, in order, each with when it was sent.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Message, Moment)> {
        self.cost = 0;
        self.bursts.0.grown(self.each.len());
        self.bursts.1.grown(self.bodies.len());
        let mut bodies = self.bodies.take();
        let each = self.each.drain(..);
        each.filter_map(move |(message, at)| {
            let message = message.or_else(|| bodies.next());
            debug_assert!(message.is_some(), "each without a message has a body");
            Some((message?, at))
        })
    }

    /// Gives back memory when bursts have been shorter for a while.
    pub(super) fn shrink(&mut self) {
        let messages = self.bursts.0.kept(KEPT);
        if self.each.capacity() > 2 * messages {
            self.each.shrink_to(messages);
        }
        self.bodies.shrink(messages, self.bursts.1.kept(KEPT_BYTES));
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

#[cfg(test)]
mod tests {
    use kozo_ground::interest::Kind;
    use kozo_ground::names::RoleName;

    use super::*;

    #[test]
    fn memory_for_bursts_is_kept_until_there_have_been_none_for_a_while() {
        let role = RoleName::new("timer1").unwrap();
        let draft = Draft {
            kind: Kind::Event,
            role: &role,
            type_name: "tick",
            channel: None,
            timestamp: 0.0,
            data: &[0xc0],
        };
        let likeness = Likeness::of(&draft.message().unwrap());
        let intake = Intake::default();
        let mut taken = Taken::default();
        let mut burst = |count: usize| {
            intake.open(QueueLimits {
                length: count,
                size: usize::MAX,
            });
            while intake.take_draft(&draft, &likeness, Moment::ZERO) {}
            intake.close(&mut taken);
            assert_eq!(taken.drain().count(), count);
            taken.shrink();
            taken.each.capacity()
        };
        // Two take turns.
        for _ in 0..2 {
            assert!((3000..=6000).contains(&burst(3000)));
        }
        for _ in 0..10 {
            assert!(burst(1) >= 3000 / 2);
        }
        for _ in 0..1000 {
            burst(1);
        }
        assert!(burst(1) <= 2 * 64);
        // However long one was, not all is kept.
        for _ in 0..2 {
            assert!(burst(100_000) <= 2 * KEPT);
        }
    }
}

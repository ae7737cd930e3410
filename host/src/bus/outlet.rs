//! Where the threads of roles leave messages for a bus.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use kozo_ground::age::MaxAges;
use kozo_ground::clock::Moment;
use kozo_ground::lock::LockAnyway;
use kozo_ground::queue::{QueueLimits, RollingQueue};
use kozo_status::Amount;
use kozo_wire::Message;

use super::attendant::Attended;
use super::bell::Bell;

/// The end of a bus that roles see: messages wait here until the bus's thread takes all of them at once, which is
/// what it does first whenever it has work; or, where one comes alone, the role's own thread does that thread's work.
/// Only while a module hangs do they wait for long; then the oldest roll out, as from the queue for a peer.
pub(crate) struct BusOutlet {
    name: Arc<str>,
    ages: MaxAges,
    outbox: Mutex<Outbox>,
    limits: QueueLimits,
    /// What waits behind: so many messages,
    messages_behind: AtomicUsize,
    /// and so many bytes.
    bytes_behind: AtomicUsize,
    settled: Settled,
    /// Whether what comes alone need not wake the bus's thread, as far as is known.
    is_at_rest: AtomicBool,
    pub(super) attended: Attended,
    bell: Arc<Bell>,
}

/// A message that a role has sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) message: Message,
    /// When it was sent,
    pub(super) sent: Moment,
    /// and how long from then on it has a meaning.
    pub(super) lifetime: Duration,
}

struct Outbox {
    waiting: RollingQueue<Outgoing>,
    /// How many came ever.
    came: u64,
    /// How many rolled out ever.
    dropped: u64,
}

/// How far the messages of an outlet have come, for those who watch one.
#[derive(Debug, Default)]
struct Settled {
    /// How many are watched: nobody counts while it is none.
    watched: AtomicU64,
    /// So many of those that came wait nowhere any more.
    messages: AtomicU64,
    /// So many were dropped behind the outlet.
    dropped: AtomicU64,
    /// So many the engine has refused.
    refused: AtomicU64,
}

/// What has become of a message for a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BusFate {
    /// It waits here, or the engine has not confirmed it.
    Waiting,
    /// The bus's engine has it.
    Confirmed,
    /// The bus's engine has refused something that was published meanwhile: it may be that.
    Refused,
    /// It has left here, and messages were dropped meanwhile: it may be one of them.
    Unknown,
}

impl BusOutlet {
    /// The end of the bus of this name, whose thread hears `bell`.
    pub(super) fn new(name: &str, limits: QueueLimits, ages: MaxAges, bell: Arc<Bell>) -> Self {
        Self {
            name: name.into(),
            ages,
            outbox: Mutex::new(Outbox {
                waiting: RollingQueue::new(limits),
                came: 0,
                dropped: 0,
            }),
            limits,
            messages_behind: AtomicUsize::new(0),
            bytes_behind: AtomicUsize::new(0),
            settled: Settled::default(),
            is_at_rest: AtomicBool::new(false),
            attended: Attended::default(),
            bell,
        }
    }

    /// The bus's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Keeps the queue from all others until messages are in it, or have no room.
    pub(crate) fn open(&self) -> SendingToBus<'_> {
        SendingToBus {
            outlet: self,
            outbox: self.outbox.lock_anyway(),
        }
    }

    /// Sees to it that what was queued leaves. `alone`: it is one message, and this thread may do the bus's work for it.
    pub(crate) fn rouse(&self, alone: bool) {
        let left = alone
            && self.is_at_rest.load(Ordering::Acquire)
            && self
                .attended
                .attendant()
                .is_some_and(|attendant| attendant.send_alone());
        if !left {
            self.bell.ring();
        }
    }

    /// Whether what comes alone from now on need not wake the bus's thread.
    pub(super) fn set_at_rest(&self, is_at_rest: bool) {
        self.is_at_rest.store(is_at_rest, Ordering::Release);
    }

    /// Queues a message of this node, and watches it.
    pub(crate) fn send_watched(self: &Arc<Self>, message: Message, now: Moment) -> WatchedOnBus {
        self.settled.watched.fetch_add(1, Ordering::AcqRel);
        let mut sending = self.open();
        sending.queue(message, now);
        let outbox = &sending.outbox;
        let watched = WatchedOnBus {
            outlet: Arc::clone(self),
            number: outbox.came,
            dropped: outbox.dropped + self.settled.dropped.load(Ordering::Acquire),
            refused: self.settled.refused.load(Ordering::Acquire),
        };
        drop(sending);
        self.rouse(false);
        watched
    }

    /// Takes all that wait, the oldest first, in exchange for a queue that is empty. The result is how many have
    /// come until now.
    pub(super) fn take(&self, empty: &mut RollingQueue<Outgoing>) -> u64 {
        let mut outbox = self.outbox.lock_anyway();
        std::mem::swap(&mut outbox.waiting, empty);
        self.messages_behind
            .fetch_add(empty.len(), Ordering::AcqRel);
        self.bytes_behind.fetch_add(empty.size(), Ordering::AcqRel);
        outbox.came
    }

    /// Takes the one message that waits, if it is the only one and counts no more than `most` bytes; with how many have
    /// come until now.
    pub(super) fn take_lone(&self, most: usize) -> Option<(Outgoing, u64)> {
        let mut outbox = self.outbox.lock_anyway();
        if outbox.waiting.len() != 1 || outbox.waiting.size() > most {
            return None;
        }
        let bytes = outbox.waiting.size();
        let outgoing = outbox.waiting.pop()?;
        self.messages_behind.fetch_add(1, Ordering::AcqRel);
        self.bytes_behind.fetch_add(bytes, Ordering::AcqRel);
        Some((outgoing, outbox.came))
    }

    /// How many wait, how many bytes they count, and how many rolled out ever.
    pub(crate) fn amount(&self) -> (usize, usize, u64) {
        let outbox = self.outbox.lock_anyway();
        (outbox.waiting.len(), outbox.waiting.size(), outbox.dropped)
    }

    /// Notes what waits behind. The result is whether it is less than before, so that there may be more room.
    pub(crate) fn note_behind(&self, waiting: Amount) -> bool {
        let messages = self
            .messages_behind
            .swap(waiting.messages, Ordering::AcqRel);
        let bytes = self.bytes_behind.swap(waiting.bytes, Ordering::AcqRel);
        waiting.messages < messages || waiting.bytes < bytes
    }

    /// Whether anybody watches a message.
    pub(crate) fn is_watched(&self) -> bool {
        self.settled.watched.load(Ordering::Acquire) > 0
    }

    /// Notes that of the messages that came so many wait nowhere any more, that so many were dropped
    /// behind the outlet, and that the engine has refused so many.
    pub(crate) fn note_settled(&self, messages: u64, dropped: u64, refused: u64) {
        self.settled.refused.store(refused, Ordering::Release);
        self.settled.dropped.store(dropped, Ordering::Release);
        self.settled.messages.store(messages, Ordering::Release);
    }
}

/// A bus whose queue nobody else changes meanwhile.
pub(crate) struct SendingToBus<'a> {
    outlet: &'a BusOutlet,
    outbox: MutexGuard<'a, Outbox>,
}

impl SendingToBus<'_> {
    /// Whether a message that counts so many bytes would push nothing out, here or behind.
    pub(crate) fn has_room(&self, cost: usize) -> bool {
        self.waiting().messages == 0 || self.has_room_for(1, cost)
    }

    /// Whether so many messages, which count `cost` bytes together, would push nothing out, themselves included.
    pub(crate) fn has_room_for(&self, count: usize, cost: usize) -> bool {
        let (waiting, limits) = (self.waiting(), &self.outlet.limits);
        waiting.messages.saturating_add(count) <= limits.length
            && waiting.bytes.saturating_add(cost) <= limits.size
    }

    /// What waits here and behind.
    fn waiting(&self) -> Amount {
        let (outlet, waiting) = (self.outlet, &self.outbox.waiting);
        Amount {
            messages: outlet.messages_behind.load(Ordering::Acquire) + waiting.len(),
            bytes: outlet.bytes_behind.load(Ordering::Acquire) + waiting.size(),
        }
    }

    /// Queues a message of this node's roles. It leaves when the outlet is [roused](BusOutlet::rouse), once this is dropped.
    pub(crate) fn queue(&mut self, message: Message, now: Moment) {
        let cost = message.cost();
        let lifetime = self.outlet.ages.of(message.kind());
        let outgoing = Outgoing {
            message,
            sent: now,
            lifetime,
        };
        let dropped = self.outbox.waiting.push(outgoing, cost);
        self.outbox.came += 1;
        self.outbox.dropped += dropped.len() as u64;
    }
}

/// A message that is watched until this is dropped.
pub(crate) struct WatchedOnBus {
    outlet: Arc<BusOutlet>,
    /// Which of all that came it is.
    number: u64,
    /// How many were dropped before.
    dropped: u64,
    /// How often the engine had refused something before.
    refused: u64,
}

impl WatchedOnBus {
    /// The bus.
    pub(crate) fn bus(&self) -> &str {
        &self.outlet.name
    }

    /// What has become of it.
    pub(crate) fn fate(&self) -> BusFate {
        let settled = &self.outlet.settled;
        if settled.messages.load(Ordering::Acquire) < self.number {
            return BusFate::Waiting;
        }
        let (.., here) = self.outlet.amount();
        if here + settled.dropped.load(Ordering::Acquire) != self.dropped {
            BusFate::Unknown
        } else if settled.refused.load(Ordering::Acquire) != self.refused {
            BusFate::Refused
        } else {
            BusFate::Confirmed
        }
    }
}

impl Drop for WatchedOnBus {
    fn drop(&mut self) {
        self.outlet.settled.watched.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The end of a bus behind which there is nobody.
#[cfg(test)]
pub(crate) fn outlet_of_nobody(name: &str, limits: QueueLimits) -> Arc<BusOutlet> {
    let ages = MaxAges {
        message: Duration::from_secs(600),
        order: Duration::from_secs(10),
    };
    Arc::new(BusOutlet::new(name, limits, ages, Arc::default()))
}

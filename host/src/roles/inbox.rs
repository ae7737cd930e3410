//! What waits for a role: pushed by links and by roles of this node, taken by the role.
//!
//! An [`Inbox`] lives as long as the role is hosted; an `InboxReader` only as long as one life of the
//! role, from its creation to the error that ends it. So messages wait through a restart, and a
//! thread that an earlier life has left behind takes none of them.

mod queue;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;
use kozo_ground::names::NodeName;
use kozo_ground::queue::QueueLimits;
use kozo_status::InboxStatus;
use kozo_wire::Message;

use crate::config::InboxLimits;
pub(crate) use queue::MAX_TOGETHER;
use queue::WaitingMessages;

/// The shortest wait that lets other threads of the machine work; a role that asks for less of
/// one does not wait at all, as far as pacing goes.
const SHORTEST_WAIT: Duration = Duration::from_micros(100);

/// A message that waits for a role.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IncomingMessage {
    /// The node at the other end of the link that it came over, or this one.
    pub(crate) sender: NodeName,
    /// The message.
    pub(crate) message: Message,
    /// When it arrived at this node.
    pub(crate) arrived: Moment,
    /// How long it had been under way then; once it is taken, how long in all.
    pub(crate) age: Duration,
    /// From when on it has no meaning any more.
    pub(crate) expires: Moment,
}

/// How many messages are taken at once, at most: those who push wait meanwhile.
const MAX_TAKEN: usize = 1024;
/// How many bytes they count at most, but for one that is larger: a frame for a role's process holds them.
const MAX_TAKEN_BYTES: usize = 1 << 20;

/// What was taken, or why nothing was.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ReceiveOutcome<T> {
    /// The oldest message that still has a meaning, with its age as it was taken; or several of them.
    Taken(T),
    /// No message came in time.
    Timeout,
    /// The role shall return from `run`.
    Interrupted,
}

/// The rolling, bounded queue of one role. Pushing never waits for the role.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// Something may be taken.
    arrived: Condvar,
    /// A wait may have to end for another reason.
    interrupted: Condvar,
    /// Goes up whenever the role takes a message or waits.
    activity: AtomicU64,
}

#[derive(Debug)]
struct State {
    queue: WaitingMessages,
    limits: InboxLimits,
    /// How many threads wait for a message. Waking is a call to the system, so it is only done
    /// for them.
    receivers: usize,
    request: Requests,
    /// The number of the reader that may take messages.
    life: u64,
    received: u64,
    taken: u64,
    dropped_by_limit: u64,
    dropped_by_age: u64,
    dropped_by_stop: u64,
}

/// What the role's thread is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Requests {
    pub(super) stop: bool,
    /// To stop, until this is taken back.
    pub(super) halt: bool,
    pub(super) restart: bool,
    pub(super) reopen: bool,
    /// The process that this life is in has ended.
    pub(super) lost: bool,
}

impl Requests {
    /// Whether the role shall stop, for good or until it is started again.
    pub(super) fn stops(self) -> bool {
        self.stop || self.halt
    }

    /// Whether anything is asked.
    pub(super) fn any(self) -> bool {
        self.stops() || self.restart || self.reopen || self.lost
    }
}

/// What ends a [`Inbox::pause`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PauseUntil {
    /// The time, a stop or a restart.
    Time,
    /// The time, a stop, a restart, or a request to reopen files.
    TimeOrReopen,
    /// All of these, or a message that waits.
    TimeOrReopenOrMessage,
}

impl Inbox {
    /// An empty inbox.
    pub(crate) fn new(limits: InboxLimits) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                queue: WaitingMessages::new(queue_limits(limits)),
                limits,
                receivers: 0,
                request: Requests::default(),
                life: 0,
                received: 0,
                taken: 0,
                dropped_by_limit: 0,
                dropped_by_age: 0,
                dropped_by_stop: 0,
            }),
            arrived: Condvar::new(),
            interrupted: Condvar::new(),
            activity: AtomicU64::new(0),
        })
    }

    /// Adds a message; what does not fit pushes out the oldest. Once the role was told to stop,
    /// nothing is added any more, unless it is started again.
    pub(crate) fn push(&self, incoming: IncomingMessage) {
        self.push_with(1, |queue| queue.push(incoming));
    }

    /// Adds messages in order, as [`push`](Self::push) does, but all at once: the role sees none
    /// of them or all.
    pub(crate) fn push_all(&self, incoming: impl IntoIterator<Item = IncomingMessage>) {
        // Made before, for the role waits while they are put into the queue.
        let mut incoming = incoming.into_iter();
        let mut pieces = Vec::new();
        loop {
            let piece: Vec<_> = incoming.by_ref().take(MAX_TOGETHER).collect();
            if piece.is_empty() {
                break;
            }
            pieces.push(piece);
        }
        let count = pieces.iter().map(Vec::len).sum();
        self.push_with(count, |queue| {
            let pieces = pieces.into_iter();
            pieces
                .flat_map(|piece| queue.push_together(piece))
                .collect()
        });
    }

    fn push_with(
        &self,
        count: usize,
        push: impl FnOnce(&mut WaitingMessages) -> Vec<IncomingMessage>,
    ) {
        let mut state = self.lock();
        state.received += count as u64;
        if state.request.stops() {
            state.dropped_by_stop += count as u64;
            return;
        }
        // Who is woken for the first of many wakes the next one: see `hand_on`.
        let wake = state.queue.is_empty() && state.receivers > 0;
        let dropped = push(&mut state.queue);
        state.dropped_by_limit += dropped.len() as u64;
        let wake = wake && !state.queue.is_empty();
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
    }

    /// Changes how much may wait; what does not fit any more is dropped, the oldest first.
    pub(crate) fn set_limits(&self, limits: InboxLimits) {
        let mut state = self.lock();
        state.limits = limits;
        let dropped = state.queue.set_limits(queue_limits(limits));
        state.dropped_by_limit += dropped.len() as u64;
        drop(state);
    }

    /// How it stands.
    pub(crate) fn status(&self) -> InboxStatus {
        let state = self.lock();
        InboxStatus {
            waiting: state.queue.len(),
            bytes: state.queue.size(),
            length_limit: state.limits.length,
            size_limit: state.limits.size,
            received: state.received,
            taken: state.taken,
            dropped_by_limit: state.dropped_by_limit,
            dropped_by_age: state.dropped_by_age,
            dropped_by_stop: state.dropped_by_stop,
        }
    }

    /// A reader for a new life of the role, owned by the calling thread. Earlier readers are
    /// retired, and what was asked of the life before, but for a stop, is done with.
    pub(super) fn reader(self: &Arc<Self>) -> InboxReader {
        let mut state = self.lock();
        state.life += 1;
        state.request.restart = false;
        state.request.reopen = false;
        state.request.lost = false;
        let life = state.life;
        drop(state);
        self.wake_all();
        InboxReader {
            inbox: Arc::clone(self),
            life,
            owner: std::thread::current().id(),
        }
    }

    /// Retires the reader of a life that is over: its waits end, and it takes nothing any more.
    pub(super) fn retire_readers(&self) {
        let mut state = self.lock();
        state.life += 1;
        state.request.lost = false;
        drop(state);
        self.wake_all();
    }

    /// Asks the role to return from `run`, and for what then.
    pub(super) fn request(&self, change: impl FnOnce(&mut Requests)) {
        change(&mut self.lock().request);
        self.wake_all();
    }

    /// What is asked of the role's thread now.
    pub(super) fn requests(&self) -> Requests {
        self.lock().request
    }

    /// Waits while the role is to stay stopped.
    pub(super) fn wait_while_halted(&self) {
        let state = self.lock();
        let is_halted = |state: &mut State| state.request.halt && !state.request.stop;
        drop(self.interrupted.wait_while(state, is_halted));
    }

    /// The role's files were opened again.
    pub(super) fn reopened(&self) {
        self.lock().request.reopen = false;
    }

    /// Drops what is left when the role has stopped.
    pub(super) fn clear(&self) {
        let mut state = self.lock();
        let left = state.queue.take_all();
        state.dropped_by_stop += left.len() as u64;
        drop(state);
    }

    /// Goes up whenever the role takes a message or really waits.
    pub(super) fn activity(&self) -> u64 {
        self.activity.load(Ordering::Relaxed)
    }

    /// Waits between two calls of the role.
    pub(super) fn pause(&self, deadline: Moment, until: PauseUntil) {
        let mut state = self.lock();
        loop {
            let request = state.request;
            let reopen = request.reopen && until != PauseUntil::Time;
            let message = until == PauseUntil::TimeOrReopenOrMessage && !state.queue.is_empty();
            let left = deadline.since(clock::now());
            let ends = request.stops() || request.restart || request.lost;
            if ends || reopen || message || left.is_zero() {
                break;
            }
            state = if until == PauseUntil::TimeOrReopenOrMessage {
                self.wait_for_message(state, left)
            } else {
                self.wait_for_interrupt(state, left)
            };
        }
        self.hand_on(state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What the lock protects is whole between any two lines that could panic.
        self.state.lock_anyway()
    }

    fn wake_all(&self) {
        self.arrived.notify_all();
        self.interrupted.notify_all();
    }

    fn wait_for_message<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        limit: Duration,
    ) -> MutexGuard<'s, State> {
        state.receivers += 1;
        let waited = self.arrived.wait_timeout(state, limit);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.receivers -= 1;
        state
    }

    fn wait_for_interrupt<'s>(
        &'s self,
        state: MutexGuard<'s, State>,
        limit: Duration,
    ) -> MutexGuard<'s, State> {
        let waited = self.interrupted.wait_timeout(state, limit);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Ends a look at the queue. `push` wakes one thread when the first message arrives, and this
    /// wakes the next one when there are more: a burst costs one wake-up instead of one a message.
    fn hand_on(&self, state: MutexGuard<'_, State>) {
        let wake = !state.queue.is_empty() && state.receivers > 0;
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
    }
}

#[cfg(test)]
impl Inbox {
    /// Takes all that waits, as a role would.
    pub(crate) fn take_all(&self, now: Moment) -> Vec<IncomingMessage> {
        let mut state = self.lock();
        std::iter::from_fn(|| state.take(now)).collect()
    }
}

impl State {
    /// The oldest message that has a meaning at `now`; older ones are dropped.
    fn take(&mut self, now: Moment) -> Option<IncomingMessage> {
        self.drop_expired(now);
        let mut incoming = self.queue.pop()?;
        self.taken += 1;
        let waited = now.since(incoming.arrived);
        incoming.age = incoming.age.saturating_add(waited);
        Some(incoming)
    }

    /// So many of them at most, and [`MAX_TAKEN_BYTES`]; none when there is none.
    fn take_many(&mut self, most: usize, now: Moment) -> Option<Vec<IncomingMessage>> {
        let first = self.take(now)?;
        let mut bytes = first.message.cost();
        let mut taken = Vec::with_capacity(most.min(self.queue.len() + 1));
        taken.push(first);
        while taken.len() < most {
            self.drop_expired(now);
            let next = self.queue.front().map(|next| next.message.cost());
            let Some(cost) = next.filter(|cost| bytes + cost <= MAX_TAKEN_BYTES) else {
                break;
            };
            bytes += cost;
            taken.extend(self.take(now));
        }
        Some(taken)
    }

    fn drop_expired(&mut self, now: Moment) {
        while self.queue.front().is_some_and(|next| next.expires <= now) {
            self.queue.pop();
            self.dropped_by_age += 1;
        }
    }
}

fn queue_limits(limits: InboxLimits) -> QueueLimits {
    let InboxLimits { length, size } = limits;
    QueueLimits { length, size }
}

/// One life's way to its inbox, for all threads of the role.
#[derive(Debug)]
pub(super) struct InboxReader {
    inbox: Arc<Inbox>,
    life: u64,
    /// The thread that calls `run`, which alone can do what it is interrupted for.
    owner: ThreadId,
}

impl InboxReader {
    /// Takes the oldest message that still has a meaning, and waits for one, `wait` at most.
    ///
    /// A role that is being stopped waits no more, but with no wait at all it still gets what is
    /// there: it may want to finish that in its `stop`.
    pub(super) fn receive(&self, wait: Duration) -> ReceiveOutcome<IncomingMessage> {
        self.receive_with(wait, State::take)
    }

    /// Waits as [`receive`](Self::receive) does, and takes the messages that are there then, the oldest first,
    /// so many at most.
    pub(super) fn receive_many(
        &self,
        wait: Duration,
        most: usize,
    ) -> ReceiveOutcome<Vec<IncomingMessage>> {
        let most = most.clamp(1, MAX_TAKEN);
        self.receive_with(wait, |state, now| state.take_many(most, now))
    }

    fn receive_with<T>(
        &self,
        wait: Duration,
        mut take: impl FnMut(&mut State, Moment) -> Option<T>,
    ) -> ReceiveOutcome<T> {
        let start = clock::now();
        let deadline = start + wait;
        let mut now = start;
        let mut state = self.inbox.lock();
        let received = loop {
            if self.is_interrupted(&state, wait) {
                break ReceiveOutcome::Interrupted;
            }
            if let Some(taken) = take(&mut state, now) {
                self.note_activity();
                break ReceiveOutcome::Taken(taken);
            }
            let left = deadline.since(now);
            if left.is_zero() {
                break ReceiveOutcome::Timeout;
            }
            if wait >= SHORTEST_WAIT {
                self.note_activity();
            }
            state = self.inbox.wait_for_message(state, left);
            now = clock::now();
        };
        self.inbox.hand_on(state);
        received
    }

    /// Sleeps; false when the role shall return from `run` before the time is over.
    pub(super) fn sleep(&self, time: Duration) -> bool {
        let deadline = clock::now() + time;
        let mut state = self.inbox.lock();
        loop {
            if self.is_interrupted(&state, Duration::MAX) {
                return false;
            }
            let left = deadline.since(clock::now());
            if left.is_zero() {
                return true;
            }
            if time >= SHORTEST_WAIT {
                self.note_activity();
            }
            state = self.inbox.wait_for_interrupt(state, left);
        }
    }

    /// Whether this life of the role is being ended, or has ended.
    pub(super) fn stopping(&self) -> bool {
        self.is_ending(&self.inbox.lock())
    }

    /// Waits until this life of the role is being ended, or has ended.
    pub(super) fn wait_until_stopping(&self) {
        let state = self.inbox.lock();
        let goes_on = |state: &mut State| !self.is_ending(state);
        drop(self.inbox.interrupted.wait_while(state, goes_on));
    }

    /// The process that this life of the role is in has ended: all of its waits do, too.
    pub(super) fn lose(&self) {
        let mut state = self.inbox.lock();
        // A later life is in a process of its own.
        state.request.lost |= state.life == self.life;
        drop(state);
        self.inbox.wake_all();
    }

    fn is_ending(&self, state: &State) -> bool {
        let request = state.request;
        state.life != self.life || request.stops() || request.restart || request.lost
    }

    fn is_interrupted(&self, state: &State, wait: Duration) -> bool {
        let request = state.request;
        if state.life != self.life || request.lost {
            return true;
        }
        if request.stops() {
            return !wait.is_zero();
        }
        // Other threads could do nothing about a reopen, and would ask again at once.
        request.restart || (request.reopen && std::thread::current().id() == self.owner)
    }

    fn note_activity(&self) {
        self.inbox.activity.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;

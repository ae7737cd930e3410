//! Messages that wait to be sent, of all roles and lanes.

use std::collections::VecDeque;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::queue::QueueLimits;
use kozo_status::Amount;
use kozo_wire::Message;

use super::lanes::{Lanes, Place};

/// How far behind the first message the outbox is searched for more of the same lane. Between them stand
/// messages of other roles, whose order among roles nobody promises.
const SEARCHED: usize = 1024;

/// How many bytes a message takes in a batch besides its body, at most: its sending time, lifetime and length.
pub(crate) const ENTRY_OVERHEAD: usize = 24;

/// How many places an empty outbox keeps.
const KEPT_PLACES: usize = 64;

/// A message that waits.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) lane: Place,
    pub(crate) number: u64,
    /// When it was sent, in milliseconds of the session.
    pub(crate) sent_ms: u64,
    /// How long it has a meaning from then on.
    pub(crate) lifetime: Duration,
    pub(crate) expires: Moment,
    pub(crate) message: Message,
}

impl Queued {
    /// What it takes in a batch, in bytes.
    pub(crate) fn packed(&self) -> usize {
        self.message.body().len() + ENTRY_OVERHEAD
    }
}

/// Messages that were never sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Drops {
    pub(crate) by_limit: u64,
    pub(crate) by_age: u64,
}

/// What leaves next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing waits.
    Nothing,
    /// What waits is held until then, so that more of the same lane leaves with it.
    HeldUntil(Moment),
    /// A batch that begins with the entry at this place, which takes so many bytes.
    At { at: usize, size: usize },
}

/// A rolling queue, from which runs of one lane are taken.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// In the order in which the roles sent them. What was taken from the middle leaves a hole; the first is none.
    entries: VecDeque<Option<Queued>>,
    amount: Amount,
    limits: QueueLimits,
    /// Nothing grows too old before.
    next_expiry: Option<Moment>,
    pub(crate) drops: Drops,
}

impl Outbox {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            entries: VecDeque::new(),
            amount: Amount::default(),
            limits,
            next_expiry: None,
            drops: Drops::default(),
        }
    }

    pub(crate) fn amount(&self) -> Amount {
        self.amount
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.amount.messages == 0
    }

    /// Whether a message that counts `cost` bytes would push nothing out.
    pub(crate) fn has_room(&self, cost: usize) -> bool {
        self.is_empty()
            || (self.amount.messages < self.limits.length
                && self.amount.bytes.saturating_add(cost) <= self.limits.size)
    }

    /// Adds a message. What is too old, and then what is oldest, makes room for it.
    pub(crate) fn push(&mut self, queued: Queued, lanes: &mut Lanes, now: Moment) {
        let cost = queued.message.cost();
        if !self.has_room(cost) {
            self.expire(lanes, now);
        }
        while !self.has_room(cost)
            && let Some(Some(oldest)) = self.entries.pop_front()
        {
            self.drops.by_limit += 1;
            self.gone(&oldest, true, lanes, now);
            self.trim();
        }
        self.amount.messages += 1;
        self.amount.bytes += cost;
        let expires = queued.expires;
        self.next_expiry = Some(self.next_expiry.map_or(expires, |next| next.min(expires)));
        self.entries.push_back(Some(queued));
    }

    /// Drops what has grown too old.
    pub(crate) fn expire(&mut self, lanes: &mut Lanes, now: Moment) {
        if self.next_expiry.is_none_or(|next| next > now) {
            return;
        }
        for at in 0..self.entries.len() {
            let old = self.entries[at].take_if(|queued| queued.expires <= now);
            if let Some(old) = old {
                self.drops.by_age += 1;
                self.gone(&old, true, lanes, now);
            }
        }
        self.entries.retain(Option::is_some);
        let waiting = self.entries.iter().flatten();
        self.next_expiry = waiting.map(|queued| queued.expires).min();
        self.trim();
    }

    /// The next batch, of `length` messages and `size` bytes at most: the one of the oldest message whose role has no
    /// batch that is held.
    pub(crate) fn next(
        &mut self,
        length: usize,
        size: usize,
        lanes: &mut Lanes,
        now: Moment,
    ) -> Next {
        self.expire(lanes, now);
        let mut held: Vec<u32> = Vec::new();
        let mut until: Option<Moment> = None;
        for (at, queued) in self.entries.iter().enumerate().take(SEARCHED) {
            let Some(queued) = queued else {
                continue;
            };
            let role = lanes.get(queued.lane).role;
            if held.contains(&role) {
                continue;
            }
            match lanes.held_until(queued.lane, length, size, now) {
                None => {
                    let size = queued.packed();
                    return Next::At { at, size };
                }
                Some(due) => {
                    held.push(role);
                    until = Some(until.map_or(due, |until| until.min(due)));
                }
            }
        }
        until.map_or(Next::Nothing, Next::HeldUntil)
    }

    /// Takes messages of one lane with consecutive numbers: the one at `start` and what follows, as long as it is all in
    /// all no more than `size` bytes and `length` messages. Messages of one role never pass each other.
    pub(crate) fn take_run(
        &mut self,
        start: usize,
        length: usize,
        size: usize,
        lanes: &mut Lanes,
        now: Moment,
    ) -> Vec<Queued> {
        let mut run: Vec<Queued> = Vec::new();
        let mut bytes = 0;
        for at in start..self.entries.len() {
            if !run.is_empty() && (at >= start + SEARCHED || run.len() >= length) {
                break;
            }
            let Some(queued) = &self.entries[at] else {
                continue;
            };
            if let Some(last) = run.last() {
                let (lane, role) = (last.lane, lanes.get(last.lane).role);
                if queued.lane != lane {
                    match lanes.get(queued.lane).role == role {
                        true => break,
                        false => continue,
                    }
                }
                if queued.number != last.number + 1 || bytes + queued.packed() > size {
                    break;
                }
            }
            bytes += queued.packed();
            if let Some(queued) = self.entries[at].take() {
                self.gone(&queued, false, lanes, now);
                run.push(queued);
            }
        }
        self.trim();
        run
    }

    fn gone(&mut self, queued: &Queued, was_dropped: bool, lanes: &mut Lanes, now: Moment) {
        self.amount.messages -= 1;
        self.amount.bytes -= queued.message.cost();
        lanes.left(queued.lane, queued.packed(), was_dropped, now);
    }

    /// Removes holes from the front.
    fn trim(&mut self) {
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
        }
        if self.entries.is_empty() {
            // A burst is over: give its memory back.
            self.entries.shrink_to(KEPT_PLACES);
            self.next_expiry = None;
        }
    }
}

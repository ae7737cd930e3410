//! What was sent, as it was sent: to be published again where the engine did not confirm it, and to be sent again to
//! who asks.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use kozo_ground::clock::Moment;
use kozo_ground::queue::QueueLimits;
use kozo_status::Amount;

use super::outbox::Drops;

/// What a batch takes besides its datagrams, in bytes.
pub(crate) const BATCH_OVERHEAD: usize = 176;

/// How many places an empty ring keeps.
const KEPT_PLACES: usize = 64;

/// Messages of one lane with consecutive numbers, sealed.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) subject: Arc<str>,
    /// The number of its first message.
    pub(crate) first: u64,
    /// How many messages it has.
    pub(crate) count: u64,
    /// One datagram, or the parts of what is larger than one may be.
    pub(crate) datagrams: Box<[Bytes]>,
    /// When its last message has no meaning any more.
    pub(crate) expires: Moment,
    /// How many of its datagrams are published.
    published: usize,
    /// The engine's number of the last of them.
    number: u64,
    is_confirmed: bool,
    /// Whether it was published whole before.
    was_sent: bool,
}

impl Batch {
    pub(crate) fn new(
        subject: Arc<str>,
        first: u64,
        count: u64,
        datagrams: Box<[Bytes]>,
        expires: Moment,
    ) -> Self {
        Self {
            subject,
            first,
            count,
            datagrams,
            expires,
            published: 0,
            number: 0,
            is_confirmed: false,
            was_sent: false,
        }
    }

    /// The number of its last message.
    pub(crate) fn last(&self) -> u64 {
        self.first + self.count - 1
    }

    /// What it takes, in bytes.
    pub(crate) fn cost(&self) -> usize {
        let bytes: usize = self.datagrams.iter().map(Bytes::len).sum();
        bytes + BATCH_OVERHEAD
    }
}

/// What publishing a datagram has completed: so many messages, for the first time or again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Completed {
    pub(crate) sent: u64,
    pub(crate) sent_again: u64,
}

/// Batches in the order in which they were made, bounded in messages and bytes.
#[derive(Debug)]
pub(crate) struct Ring {
    batches: VecDeque<Batch>,
    /// How many batches went before the first one.
    gone: u64,
    /// For each lane, which of all batches ever are its own, in order.
    lanes: HashMap<Arc<str>, VecDeque<u64>>,
    limits: QueueLimits,
    kept: Amount,
    unconfirmed: Amount,
    /// How many of the first batches are published.
    published: usize,
    /// How many of the first batches are confirmed.
    confirmed: usize,
    /// Messages that were never published and are not kept any more.
    pub(crate) drops: Drops,
}

impl Ring {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            batches: VecDeque::new(),
            gone: 0,
            lanes: HashMap::new(),
            limits,
            kept: Amount::default(),
            unconfirmed: Amount::default(),
            published: 0,
            confirmed: 0,
            drops: Drops::default(),
        }
    }

    /// All that is kept.
    pub(crate) fn kept(&self) -> Amount {
        self.kept
    }

    /// What the engine has not confirmed.
    pub(crate) fn unconfirmed(&self) -> Amount {
        self.unconfirmed
    }

    /// How many messages, and bytes, more may be unconfirmed: what is pushed out of the ring unconfirmed could not be
    /// published again. Where all is confirmed there is room for one batch at least.
    pub(crate) fn room(&self) -> (usize, usize) {
        if self.unconfirmed.messages == 0 {
            return (self.limits.length.max(1), self.limits.size.max(1));
        }
        (
            self.limits.length.saturating_sub(self.unconfirmed.messages),
            self.limits.size.saturating_sub(self.unconfirmed.bytes),
        )
    }

    /// Adds a batch, which is published next when all before it are. The oldest make room for it.
    pub(crate) fn push(&mut self, batch: Batch) {
        let (messages, bytes) = (batch.count as usize, batch.cost());
        while !self.batches.is_empty()
            && (self.kept.messages + messages > self.limits.length
                || self.kept.bytes + bytes > self.limits.size)
        {
            self.drops.by_limit += self.pop();
        }
        for amount in [&mut self.kept, &mut self.unconfirmed] {
            amount.messages += messages;
            amount.bytes += bytes;
        }
        let number = self.gone + self.batches.len() as u64;
        let lane = self.lanes.entry(batch.subject.clone()).or_default();
        lane.push_back(number);
        self.batches.push_back(batch);
    }

    /// Drops what has no meaning any more, from the oldest on.
    pub(crate) fn expire(&mut self, now: Moment) {
        let is_old = |batch: &Batch| batch.expires <= now;
        while self.batches.front().is_some_and(is_old) {
            self.drops.by_age += self.pop();
        }
        if self.batches.is_empty() {
            self.batches.shrink_to(KEPT_PLACES);
        }
    }

    /// The datagram that is to be published next.
    pub(crate) fn next(&self) -> Option<(&Arc<str>, &Bytes)> {
        let batch = self.batches.get(self.published)?;
        let datagram = batch.datagrams.get(batch.published)?;
        Some((&batch.subject, datagram))
    }

    /// It is published, under this number of the engine's.
    pub(crate) fn was_published(&mut self, number: u64) -> Completed {
        let mut completed = Completed::default();
        if let Some(batch) = self.batches.get_mut(self.published) {
            batch.published += 1;
            batch.number = number;
            if batch.published >= batch.datagrams.len() {
                self.published += 1;
                match batch.was_sent {
                    false => completed.sent = batch.count,
                    true => completed.sent_again = batch.count,
                }
                batch.was_sent = true;
            }
        }
        completed
    }

    /// The engine has taken all up to this number.
    pub(crate) fn confirm(&mut self, number: u64) {
        while self.confirmed < self.published
            && let Some(batch) = self.batches.get_mut(self.confirmed)
            && batch.number <= number
        {
            batch.is_confirmed = true;
            self.confirmed += 1;
            self.unconfirmed.messages -= batch.count as usize;
            self.unconfirmed.bytes -= batch.cost();
        }
    }

    /// The engine is lost: what it has not confirmed is published again.
    pub(crate) fn rewind(&mut self) {
        for batch in self.batches.iter_mut().skip(self.confirmed) {
            batch.published = 0;
        }
        self.published = self.confirmed;
    }

    /// The batches of a lane that have messages with these numbers, in order, as far as they are published.
    pub(crate) fn of(&self, subject: &str, from: u64, to: u64) -> impl Iterator<Item = &Batch> {
        let lane = self.lanes.get(subject);
        let before = |number: &u64| self.at(*number).is_some_and(|batch| batch.last() < from);
        let start = lane.map_or(0, |lane| lane.partition_point(before));
        let numbers = lane.into_iter().flat_map(move |lane| lane.range(start..));
        numbers
            .filter_map(|number| self.at(*number))
            .take_while(move |batch| batch.first <= to)
            .filter(|batch| batch.was_sent)
    }

    /// The number of the last message of a lane that is published.
    pub(crate) fn last_of(&self, subject: &str) -> Option<u64> {
        let numbers = self.lanes.get(subject)?.iter().rev();
        let mut batches = numbers.filter_map(|number| self.at(*number));
        let last = batches.find(|batch| batch.was_sent)?;
        Some(last.last())
    }

    /// The number of the first message of a lane that waits to be published for the first time.
    pub(crate) fn first_unsent(&self, subject: &str) -> Option<u64> {
        let lane = self.lanes.get(subject)?;
        // Batches are published in the order in which they were made.
        let was_sent = |number: &u64| self.at(*number).is_none_or(|batch| batch.was_sent);
        let number = lane.get(lane.partition_point(was_sent))?;
        self.at(*number).map(|batch| batch.first)
    }

    fn at(&self, number: u64) -> Option<&Batch> {
        let place = usize::try_from(number.checked_sub(self.gone)?).ok()?;
        self.batches.get(place)
    }

    /// Drops the oldest batch, and says how many messages were never published with it.
    fn pop(&mut self) -> u64 {
        let Some(batch) = self.batches.pop_front() else {
            return 0;
        };
        self.gone += 1;
        if let Some(lane) = self.lanes.get_mut(&batch.subject) {
            lane.pop_front();
            if lane.is_empty() {
                self.lanes.remove(&batch.subject);
            }
        }
        let (messages, bytes) = (batch.count as usize, batch.cost());
        self.kept.messages -= messages;
        self.kept.bytes -= bytes;
        if !batch.is_confirmed {
            self.unconfirmed.messages -= messages;
            self.unconfirmed.bytes -= bytes;
        }
        self.published = self.published.saturating_sub(1);
        self.confirmed = self.confirmed.saturating_sub(1);
        if batch.was_sent { 0 } else { batch.count }
    }
}

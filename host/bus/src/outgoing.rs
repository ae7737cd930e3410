//! What this node sends: it waits in the outbox, leaves in batches of one lane, and is kept in the ring.
//!
//! ```text
//!  role ─▶ outbox ─▶ batch: numbered, signed, sealed ─▶ ring ─▶ engine
//!          rolling                                       │ ▲        │
//!                                                        │ └────────┘ lost before it confirmed: again
//!                                                        └──▶ to who asks for it
//! ```

mod lanes;
mod outbox;
mod ring;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kozo_ground::clock::Moment;
use kozo_ground::queue::QueueLimits;
use kozo_status::{Amount, BusOutgoingCounts};
use kozo_wire::Message;

use crate::datagram::{
    self, Batch, Body, DATAGRAM_OVERHEAD, End, MAX_BATCH_MESSAGES, MAX_DATAGRAM_LEN, Part, Sent,
    Unsealed,
};
use crate::random::Random;
use crate::sender_key::SenderKeys;
use crate::session::{Session, SessionTime};
use crate::subject::Subjects;
use lanes::{LaneEnd, Lanes};
use outbox::{Next, Outbox, Queued};
use ring::Ring;

/// How many bytes of messages go into one batch, unless it is one message.
pub(crate) const MAX_BATCH_BYTES: usize = 64 * 1024;

/// What a batch has besides its messages, in bytes, at most.
const BATCH_OVERHEAD: usize = 64;

/// How many bytes of datagrams answer one repair, unless it is one batch. Who asked asks again for the rest.
pub(crate) const MAX_REPAIR_BYTES: usize = 256 * 1024;

/// How many messages, unless it is one batch.
pub(crate) const MAX_REPAIR_MESSAGES: u64 = 1024;

/// How many batches answer one repair.
const MAX_REPAIR_BATCHES: usize = 256;

/// How often lanes are looked at for being forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// What it takes to make a datagram.
pub(crate) struct Sealing<'a> {
    pub(crate) session: &'a Session,
    pub(crate) keys: &'a mut SenderKeys,
    pub(crate) subjects: &'a Subjects,
    pub(crate) random: &'a mut dyn Random,
}

impl Sealing<'_> {
    /// Makes a datagram; a sender key that has sealed all that it may is replaced.
    fn seal(&mut self, subject: &str, body: &[u8], now: Moment) -> Option<Bytes> {
        let mut sealed = datagram::seal(self.session, self.keys, self.subjects, subject, body);
        if sealed == Err(Unsealed::Exhausted) && self.keys.renew(self.random, now).is_ok() {
            sealed = datagram::seal(self.session, self.keys, self.subjects, subject, body);
        }
        sealed.ok().map(Bytes::from)
    }
}

/// What is sent again to somebody who asked for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Again {
    /// The datagrams, as they were.
    pub(crate) datagrams: Vec<Bytes>,
    /// How many messages they hold.
    pub(crate) messages: u64,
    /// What there is no more.
    pub(crate) lost: Vec<(u64, u64)>,
    /// The lane's last number, as far as it is published.
    pub(crate) last: u64,
    /// Up to which number this is all that there is.
    pub(crate) through: u64,
}

/// All that this node sends.
#[derive(Debug)]
pub(crate) struct Outgoing {
    lanes: Lanes,
    outbox: Outbox,
    ring: Ring,
    max_datagram: usize,
    /// When the next batch is made, where all that waits is held until then.
    batch_due: Option<Moment>,
    sweep: Moment,
    counts: BusOutgoingCounts,
}

impl Outgoing {
    pub(crate) fn new(limits: QueueLimits, now: Moment) -> Self {
        Self {
            lanes: Lanes::default(),
            outbox: Outbox::new(limits),
            ring: Ring::new(limits),
            max_datagram: MAX_DATAGRAM_LEN,
            batch_due: None,
            sweep: now + SWEEP_EVERY,
            counts: BusOutgoingCounts::default(),
        }
    }

    /// Queues a message; `subject_of` says the subject of a new lane.
    pub(crate) fn push(
        &mut self,
        message: Message,
        lifetime: Duration,
        sent: SessionTime,
        now: Moment,
        subject_of: impl FnOnce(&Message) -> String,
    ) {
        let Ok(lane) = self.lanes.of(&message, sent, now, subject_of) else {
            self.counts.dropped_by_limit += 1;
            return;
        };
        let queued = Queued {
            lane,
            number: 0,
            sent_ms: sent.0,
            lifetime,
            expires: now + lifetime,
            message,
        };
        let number = self.lanes.queued(lane, queued.packed(), now);
        let queued = Queued { number, ..queued };
        self.outbox.push(queued, &mut self.lanes, now);
    }

    /// Whether a message that counts `cost` bytes would push nothing out, and need not wait for the engine either.
    pub(crate) fn has_room(&self, cost: usize) -> bool {
        self.outbox.has_room(cost)
    }

    /// The engine is reached, and carries datagrams of so many bytes.
    pub(crate) fn up(&mut self, max_datagram: usize) {
        self.max_datagram = max_datagram.min(MAX_DATAGRAM_LEN);
    }

    /// The engine is lost.
    pub(crate) fn down(&mut self) {
        self.ring.rewind();
    }

    /// The engine has taken all up to this number.
    pub(crate) fn confirmed(&mut self, number: u64) {
        self.ring.confirm(number);
    }

    /// The next datagram with messages. It stays the next one until it [is published](Self::published).
    pub(crate) fn next(
        &mut self,
        sealing: &mut Sealing<'_>,
        now: Moment,
    ) -> Option<(Arc<str>, Bytes)> {
        self.ring.expire(now);
        self.batch_due = None;
        while self.ring.next().is_none() {
            self.make_batch(sealing, now)?;
        }
        let (subject, datagram) = self.ring.next()?;
        Some((subject.clone(), datagram.clone()))
    }

    /// The next datagram with messages is published, under this number of the engine's.
    pub(crate) fn published(&mut self, number: u64) {
        let completed = self.ring.was_published(number);
        self.counts.sent += completed.sent;
        self.counts.sent_again += completed.sent_again;
    }

    /// The next datagram that says the end of a lane again.
    pub(crate) fn next_end(
        &mut self,
        sealing: &mut Sealing<'_>,
        now: Moment,
    ) -> Option<(Arc<str>, Bytes)> {
        let LaneEnd {
            subject,
            begin,
            last,
        } = self
            .lanes
            .next_end(now, |subject| self.ring.first_unsent(subject).is_some())?;
        let body = Body::End(End { begin, last }).encode();
        let datagram = sealing.seal(&subject, &body, now)?;
        Some((subject, datagram))
    }

    /// What is kept of a lane, from one number to another, or all behind; not more than one answer has room for, and
    /// not more than so many ranges that are lost. Who asked asks again for the rest.
    pub(crate) fn again(
        &mut self,
        subject: &str,
        from: u64,
        to: Option<u64>,
        gaps: usize,
    ) -> Again {
        let kept = self.ring.last_of(subject);
        let last = match self.lanes.find(subject) {
            Some(lane) => lane.end().max(kept),
            // Of a lane that is forgotten, and all that was in it, nothing is known but what the asker says.
            None => kept.or(to),
        };
        // What is about to be published is not lost: the asker would count it as missed, and drop it when it comes.
        let unsent = self.ring.first_unsent(subject).map(|first| first - 1);
        let last = last.unwrap_or(0).min(unsent.unwrap_or(u64::MAX));
        let to = to.unwrap_or(u64::MAX).min(last);
        let mut again = Again {
            last,
            ..Again::default()
        };
        let (mut next, mut bytes, mut is_full) = (from, 0, false);
        for (count, batch) in self.ring.of(subject, from, u64::MAX).enumerate() {
            if next > to || again.lost.len() + 1 >= gaps {
                is_full = true;
                break;
            }
            if batch.first > next {
                // Though it may be more than was asked for: who has to hear of it need not ask for it by and by.
                again.lost.push((next, batch.first - 1));
                next = batch.first;
            }
            let length: usize = batch.datagrams.iter().map(Bytes::len).sum();
            let is_too_much = bytes + length > MAX_REPAIR_BYTES
                || again.messages + batch.count > MAX_REPAIR_MESSAGES
                || count >= MAX_REPAIR_BATCHES;
            if next > to || (again.messages > 0 && is_too_much) {
                is_full = true;
                break;
            }
            bytes += length;
            again.datagrams.extend(batch.datagrams.iter().cloned());
            again.messages += batch.count;
            next = batch.last() + 1;
        }
        if next <= to && !is_full {
            again.lost.push((next, last));
            next = last + 1;
        }
        again.through = next.saturating_sub(1);
        self.counts.repairs_sent += again.messages;
        again
    }

    /// Drops what has no meaning any more, and forgets lanes that have been idle for long.
    pub(crate) fn tick(&mut self, now: Moment) {
        self.outbox.expire(&mut self.lanes, now);
        self.ring.expire(now);
        if now >= self.sweep {
            self.sweep = now + SWEEP_EVERY;
            self.lanes.forget_idle(now);
        }
    }

    /// When a batch that is held is to leave, where the engine is reached.
    pub(crate) fn batch_due(&self) -> Option<Moment> {
        self.batch_due
    }

    /// When there is an end to say, where the engine is reached.
    pub(crate) fn end_due(&self) -> Option<Moment> {
        self.lanes.timeout()
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(crate) fn timeout(&self) -> Option<Moment> {
        (self.lanes.len() > 0).then_some(self.sweep)
    }

    pub(crate) fn lane_count(&self) -> usize {
        self.lanes.len()
    }

    /// What waits to be sent.
    pub(crate) fn queued(&self) -> Amount {
        self.outbox.amount()
    }

    /// What is kept, to be sent again.
    pub(crate) fn kept(&self) -> Amount {
        self.ring.kept()
    }

    /// What the engine has not confirmed.
    pub(crate) fn unconfirmed(&self) -> Amount {
        self.ring.unconfirmed()
    }

    pub(crate) fn counts(&self) -> BusOutgoingCounts {
        let mut counts = self.counts;
        for drops in [self.outbox.drops, self.ring.drops] {
            counts.dropped_by_limit += drops.by_limit;
            counts.dropped_by_age += drops.by_age;
        }
        counts
    }

    /// Makes a batch of what waits; none where nothing does, or the engine has to confirm something first.
    fn make_batch(&mut self, sealing: &mut Sealing<'_>, now: Moment) -> Option<()> {
        let (messages, bytes) = self.ring.room();
        let waits = self.ring.unconfirmed().messages > 0;
        if waits && messages == 0 {
            return None;
        }
        let room = self
            .max_datagram
            .saturating_sub(DATAGRAM_OVERHEAD + BATCH_OVERHEAD);
        let most = room.min(MAX_BATCH_BYTES).min(bytes);
        let count = messages.min(MAX_BATCH_MESSAGES);
        let (at, size) = match self.outbox.next(count, most, &mut self.lanes, now) {
            Next::Nothing => return None,
            Next::HeldUntil(until) => {
                self.batch_due = Some(until);
                return None;
            }
            Next::At { at, size } => (at, size),
        };
        let sealed_size = size + BATCH_OVERHEAD + DATAGRAM_OVERHEAD + ring::BATCH_OVERHEAD;
        if waits && bytes < sealed_size {
            return None;
        }
        let run = self.outbox.take_run(at, count, most, &mut self.lanes, now);
        let (Some(first), Some(expires)) = (run.first(), run.iter().map(|one| one.expires).max())
        else {
            return None;
        };
        self.lanes.batched(first.lane, now);
        let lane = self.lanes.get(first.lane);
        let (subject, begin, first) = (lane.subject.clone(), lane.begin, first.number);
        let count = run.len() as u64;
        let batch = Batch {
            begin,
            first,
            messages: run.into_iter().map(Queued::into_sent).collect(),
        };
        let Some(datagrams) = self.seal(&subject, &batch, sealing, now) else {
            // It cannot be sent at all: longer than any batch may be, or there is no randomness for a new key.
            self.counts.dropped_by_limit += count;
            return Some(());
        };
        self.ring
            .push(ring::Batch::new(subject, first, count, datagrams, expires));
        Some(())
    }

    fn seal(
        &self,
        subject: &str,
        batch: &Batch,
        sealing: &mut Sealing<'_>,
        now: Moment,
    ) -> Option<Box<[Bytes]>> {
        let encoded = batch.encode();
        if encoded.len() + DATAGRAM_OVERHEAD <= self.max_datagram {
            return Some(Box::new([sealing.seal(subject, &encoded, now)?]));
        }
        let parts = Part::cut(batch, &encoded, self.max_datagram).ok()?;
        let sealed = parts.into_iter().map(|part| {
            let body = Body::Part(part).encode();
            sealing.seal(subject, &body, now)
        });
        sealed.collect()
    }
}

impl Queued {
    fn into_sent(self) -> Sent {
        Sent {
            at: SessionTime(self.sent_ms),
            lifetime: self.lifetime,
            message: self.message,
        }
    }
}

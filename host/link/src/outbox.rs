//! What waits for a peer, and what is under way to it.
//!
//! Every message gets its sequence number when it is queued. So a number that never arrives is a
//! message that limits or age pushed out, and the receiver can count those.
//!
//! ```text
//!            push            next                acknowledged
//!   role ──────────▶ queued ──────▶ in flight ───────────────▶ gone
//!                      │               │   ▲
//!                      ▼               ▼   │ rewind: sent again over the next link
//!                dropped, counted   (expired while there was no link)
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::queue::{Bursts, QueueLimits, RollingQueue};
use kozo_status::{Amount, OutboxCounts};
use kozo_wire::Message;

use super::rate::{DeliveryRate, SendMark};
use super::receipts::{Fate, Receipt, Receipts};

/// The most messages in flight to one peer.
const IN_FLIGHT_MESSAGES: usize = 8192;

#[derive(Debug)]
struct Queued {
    sequence: u64,
    expires: Moment,
    message: Message,
}

#[derive(Debug)]
struct InFlight {
    queued: Queued,
    /// None when the message was, or has to be, sent again.
    mark: Option<SendMark>,
}

/// A message to put on a link now.
#[derive(Debug)]
pub(super) struct Due<'a> {
    pub(super) sequence: u64,
    pub(super) remaining: Duration,
    pub(super) message: &'a Message,
}

#[derive(Debug)]
pub(super) struct Outbox {
    next_sequence: u64,
    queued: RollingQueue<Queued>,
    in_flight: VecDeque<InFlight>,
    bursts: Bursts,
    in_flight_cost: usize,
    /// How many messages at the front of `in_flight` are on the present link; the rest is to be sent again.
    sent: usize,
    /// The bytes that those messages count.
    sent_cost: usize,
    rate: DeliveryRate,
    counts: OutboxCounts,
    receipts: Receipts,
}

impl Outbox {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self {
            next_sequence: 1,
            queued: RollingQueue::new(limits),
            in_flight: VecDeque::new(),
            bursts: Bursts::default(),
            in_flight_cost: 0,
            sent: 0,
            sent_cost: 0,
            rate: DeliveryRate::default(),
            counts: OutboxCounts::default(),
            receipts: Receipts::default(),
        }
    }

    /// Queues a message that has a meaning until `expires`.
    pub(super) fn push(&mut self, message: Message, expires: Moment, now: Moment) {
        let cost = message.cost();
        if !self.queued.has_room(cost) {
            // The limits push out live messages only when no dead ones are in their way.
            self.expire(now);
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let dropped = self.queued.push(
            Queued {
                sequence,
                expires,
                message,
            },
            cost,
        );
        self.counts.dropped_by_limit += dropped.len() as u64;
    }

    /// Remembers what becomes of the message that was queued last; none: as many as there may be are
    /// remembered already.
    pub(super) fn watch_last(&mut self) -> Option<Receipt> {
        self.receipts.open(self.next_sequence - 1)
    }

    /// What has become of a message that is watched.
    pub(super) fn fate(&self, receipt: Receipt) -> Fate {
        let Receipt(sequence) = receipt;
        let in_flight = self.in_flight.iter().map(|next| &next.queued);
        let mut waiting = in_flight.chain(self.queued.iter());
        if self.receipts.is_acknowledged(receipt) {
            Fate::Acknowledged
        } else if waiting.any(|queued| queued.sequence == sequence) {
            Fate::Waiting
        } else {
            Fate::Dropped
        }
    }

    /// The message is not watched any more.
    pub(super) fn unwatch(&mut self, receipt: Receipt) {
        self.receipts.close(receipt);
    }

    /// Whether a message that counts `cost` bytes would push nothing out.
    pub(super) fn has_room(&self, cost: usize) -> bool {
        self.queued.has_room(cost)
    }

    /// Whether so many, which count `cost` bytes together, would push nothing out, themselves included.
    pub(super) fn has_room_for(&self, count: usize, cost: usize) -> bool {
        self.queued.has_room_for(count, cost)
    }

    /// How much may be queued before anything is pushed out.
    pub(super) fn free(&self) -> QueueLimits {
        self.queued.free()
    }

    /// Whether it is worth while to wake who waits for room.
    pub(super) fn is_roomy(&self) -> bool {
        self.queued.is_roomy()
    }

    /// Whether any message waits or is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.in_flight.is_empty()
    }

    /// Whether there is a message for the link that the peer's acknowledgements allow.
    pub(super) fn can_send(&self) -> bool {
        let next = match self.in_flight.get(self.sent) {
            Some(next) => &next.queued.message,
            None if self.in_flight.len() >= IN_FLIGHT_MESSAGES => return false,
            None => match self.queued.front() {
                Some(next) => &next.message,
                None => return false,
            },
        };
        // A message larger than the allowance goes alone. What is sent again counts like what is
        // sent for the first time: the path may be a slower one.
        self.sent == 0 || self.sent_cost + next.cost() <= self.rate.allowance()
    }

    /// Takes the next message for the link, if the peer's acknowledgements allow one more.
    pub(super) fn next(&mut self, now: Moment) -> Option<Due<'_>> {
        self.drop_expired_front(now);
        if !self.can_send() {
            return None;
        }
        let mark = if self.sent == self.in_flight.len() {
            let queued = self.queued.pop()?;
            self.in_flight_cost += queued.message.cost();
            self.in_flight.push_back(InFlight { queued, mark: None });
            self.bursts.grown(self.in_flight.len());
            self.counts.sent += 1;
            Some(self.rate.mark(now))
        } else {
            self.counts.sent_again += 1;
            // It may have arrived over the last link: when it is acknowledged, that tells nothing of
            // this one.
            None
        };
        let next = self.in_flight.get_mut(self.sent)?;
        next.mark = mark;
        self.sent += 1;
        self.sent_cost += next.queued.message.cost();
        Some(Due {
            sequence: next.queued.sequence,
            remaining: next.queued.expires.since(now),
            message: &next.queued.message,
        })
    }

    /// Drops what is next in line as long as it is too old.
    fn drop_expired_front(&mut self, now: Moment) {
        while self
            .in_flight
            .get(self.sent)
            .is_some_and(|next| next.queued.expires <= now)
        {
            if let Some(expired) = self.in_flight.remove(self.sent) {
                self.in_flight_cost -= expired.queued.message.cost();
                self.counts.dropped_by_age += 1;
            }
        }
        if self.sent == self.in_flight.len() {
            while self.queued.front().is_some_and(|next| next.expires <= now) {
                self.queued.pop();
                self.counts.dropped_by_age += 1;
            }
        }
    }

    /// Whether there is a message that still has a meaning.
    pub(super) fn has_business(&self, now: Moment) -> bool {
        !self.queued.is_empty() || self.in_flight.iter().any(|next| next.queued.expires > now)
    }

    /// Drops what waits and is too old.
    ///
    /// What is in flight stays: only the peer's next hello tells what of it arrived, and nothing
    /// that arrived may be counted as dropped.
    pub(super) fn expire(&mut self, now: Moment) {
        self.counts.dropped_by_age += self.queued.retain(|next| next.expires > now) as u64;
    }

    /// The peer has seen everything up to `sequence`. True if that made room.
    pub(super) fn acknowledge(&mut self, sequence: u64, now: Moment) -> bool {
        let (mut bytes, mut measured) = (0, 0);
        let mut last_mark = None;
        while self
            .in_flight
            .front()
            .is_some_and(|first| first.queued.sequence <= sequence)
        {
            let Some(first) = self.in_flight.pop_front() else {
                break;
            };
            let cost = first.queued.message.cost();
            self.receipts.acknowledge(first.queued.sequence);
            self.in_flight_cost -= cost;
            bytes += cost;
            if first.mark.is_some() {
                measured += cost;
                last_mark = first.mark;
            }
            if self.sent > 0 {
                self.sent -= 1;
                self.sent_cost -= cost;
            }
            self.counts.acknowledged += 1;
        }
        if self.in_flight.is_empty() {
            self.bursts.over(&mut self.in_flight);
        }
        if let Some(mark) = last_mark {
            self.rate.acknowledged(measured, mark, now);
        }
        bytes > 0
    }

    /// There is another link: what is in flight has to be sent again over it.
    pub(super) fn rewind(&mut self) {
        (self.sent, self.sent_cost) = (0, 0);
        self.rate.reset();
        for next in &mut self.in_flight {
            next.mark = None;
        }
    }

    /// The lowest number that may still be sent.
    pub(super) fn base(&self) -> u64 {
        self.in_flight
            .front()
            .map(|first| first.queued.sequence)
            .or_else(|| self.queued.front().map(|first| first.sequence))
            .unwrap_or(self.next_sequence)
    }

    /// Every message up to this number is on the present link, or will never be.
    pub(super) fn floor(&self) -> u64 {
        self.in_flight
            .get(self.sent)
            .map(|next| next.queued.sequence)
            .or_else(|| self.queued.front().map(|first| first.sequence))
            .unwrap_or(self.next_sequence)
            - 1
    }

    pub(super) fn counts(&self) -> OutboxCounts {
        self.counts
    }

    /// The messages that wait.
    pub(super) fn queued(&self) -> Amount {
        Amount {
            messages: self.queued.len(),
            bytes: self.queued.size(),
        }
    }

    /// The messages that are in flight.
    pub(super) fn in_flight(&self) -> Amount {
        Amount {
            messages: self.in_flight.len(),
            bytes: self.in_flight_cost,
        }
    }
}

#[cfg(test)]
mod tests {
    use kozo_ground::interest::Kind;
    use kozo_ground::names::RoleName;

    use super::*;

    const AGE: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Moment {
        Moment::ZERO + Duration::from_secs(seconds)
    }

    fn message() -> Message {
        let role = RoleName::new("timer1").unwrap();
        Message::new(Kind::Event, &role, "tick", None, 0.0, b"\xc0").unwrap()
    }

    fn outbox(length: usize) -> Outbox {
        Outbox::new(QueueLimits {
            length,
            size: 1 << 20,
        })
    }

    fn push(outbox: &mut Outbox, count: usize, now: Moment) {
        for _ in 0..count {
            outbox.push(message(), now + AGE, now);
        }
    }

    fn send(outbox: &mut Outbox, now: Moment) -> Vec<u64> {
        std::iter::from_fn(|| outbox.next(now).map(|due| due.sequence)).collect()
    }

    #[test]
    fn what_is_in_flight_at_a_cut_is_sent_again_before_what_waits() {
        let mut outbox = outbox(10);
        push(&mut outbox, 3, at(0));
        assert_eq!(send(&mut outbox, at(0)), [1, 2, 3]);
        push(&mut outbox, 2, at(1));
        assert!(outbox.acknowledge(1, at(1)));
        outbox.rewind();
        assert_eq!((outbox.base(), outbox.floor()), (2, 1));
        assert_eq!(send(&mut outbox, at(2)), [2, 3, 4, 5]);
        assert_eq!((outbox.counts().sent, outbox.counts().sent_again), (5, 2));
        assert!(outbox.acknowledge(5, at(2)));
        assert!(outbox.is_empty());
        assert_eq!((outbox.base(), outbox.floor()), (6, 5));
    }

    #[test]
    fn messages_in_flight_do_not_take_the_place_of_queued_ones() {
        let mut outbox = outbox(2);
        push(&mut outbox, 2, at(0));
        send(&mut outbox, at(0));
        push(&mut outbox, 2, at(0));
        assert_eq!(outbox.counts().dropped_by_limit, 0);
        push(&mut outbox, 1, at(0));
        assert_eq!(outbox.counts().dropped_by_limit, 1);
        // 3 was pushed out: a gap that the receiver can count.
        assert_eq!(send(&mut outbox, at(0)), [4, 5]);
    }

    #[test]
    fn old_messages_are_dropped_before_the_limits_drop_young_ones() {
        let mut outbox = outbox(2);
        push(&mut outbox, 2, at(0));
        push(&mut outbox, 2, at(10));
        let counts = outbox.counts();
        assert_eq!((counts.dropped_by_age, counts.dropped_by_limit), (2, 0));
        assert_eq!(send(&mut outbox, at(11)), [3, 4]);
    }

    #[test]
    fn what_grew_too_old_in_flight_is_not_sent_again() {
        let mut outbox = outbox(9);
        push(&mut outbox, 2, at(0));
        send(&mut outbox, at(0));
        push(&mut outbox, 1, at(5));
        outbox.expire(at(12));
        // The first may have arrived: nobody knows before the peer's hello.
        assert_eq!(outbox.counts().dropped_by_age, 0);
        assert!(outbox.has_business(at(12)));
        outbox.acknowledge(1, at(12));
        outbox.rewind();
        assert_eq!(send(&mut outbox, at(12)), [3]);
        assert_eq!(outbox.counts().dropped_by_age, 1);
    }

    #[test]
    fn what_becomes_of_a_watched_message_is_known() {
        let mut outbox = outbox(2);
        let watched: Vec<_> = (0..4)
            .map(|_| {
                push(&mut outbox, 1, at(0));
                outbox.watch_last().unwrap()
            })
            .collect();
        let fates = |outbox: &Outbox| {
            watched
                .iter()
                .map(|&one| outbox.fate(one))
                .collect::<Vec<_>>()
        };
        let (dropped, waiting) = (Fate::Dropped, Fate::Waiting);
        assert_eq!(fates(&outbox), [dropped, dropped, waiting, waiting]);
        assert_eq!(send(&mut outbox, at(1)), [3, 4]);
        assert_eq!(fates(&outbox), [dropped, dropped, waiting, waiting]);
        outbox.acknowledge(3, at(1));
        assert_eq!(
            fates(&outbox),
            [dropped, dropped, Fate::Acknowledged, waiting]
        );
        outbox.rewind();
        assert!(outbox.next(at(20)).is_none());
        assert_eq!(outbox.fate(watched[3]), dropped);
        for receipt in watched {
            outbox.unwatch(receipt);
        }
        let opened = std::iter::from_fn(|| outbox.watch_last());
        assert_eq!(opened.count(), crate::receipts::MAX_RECEIPTS);
    }

    #[test]
    fn unacknowledged_bytes_are_bounded_however_much_waits() {
        let mut outbox = Outbox::new(QueueLimits {
            length: 100_000,
            size: 1 << 30,
        });
        push(&mut outbox, 10_000, at(0));
        let sent = send(&mut outbox, at(0)).len();
        let in_flight = outbox.in_flight();
        assert_eq!(in_flight.messages, sent);
        assert!(in_flight.bytes <= crate::rate::SLOWEST_IN_FLIGHT_BYTES);
        assert_eq!(outbox.queued().messages, 10_000 - sent);
    }
}

//! What waits to be sent to the relay.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use kozo_co2::Value;

/// How many messages wait, and how many bytes they have together. The oldest make room.
const MAX_MESSAGES: usize = 1000;
const MAX_BYTES: usize = 8 << 20;

/// A queue with limits, whose messages grow old.
#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Whether the first one is on its way: then it neither makes room nor grows old.
    is_first_away: bool,
    /// How long a message may wait.
    patience: Duration,
    /// How many were sent.
    pub(crate) sent: u64,
    /// How many were dropped, for whatever reason.
    pub(crate) dropped: u64,
}

#[derive(Debug)]
struct Waiting {
    data: Value,
    size: usize,
    since: Instant,
}

/// What became of a message that was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits.
    Queued,
    /// It waits, in the place of so many older ones.
    InPlaceOf(u64),
}

impl Outbox {
    /// An empty one.
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            is_first_away: false,
            patience,
            sent: 0,
            dropped: 0,
        }
    }

    /// Adds a message of about so many bytes.
    pub(crate) fn push(&mut self, data: Value, size: usize, now: Instant) -> Pushed {
        self.waiting.push_back(Waiting {
            data,
            size,
            since: now,
        });
        self.bytes += size;
        let oldest = usize::from(self.is_first_away);
        let mut dropped = 0;
        while self.waiting.len() > MAX_MESSAGES
            || (self.bytes > MAX_BYTES && self.waiting.len() > oldest + 1)
        {
            self.remove(oldest);
            dropped += 1;
        }
        self.dropped += dropped;
        match dropped {
            0 => Pushed::Queued,
            dropped => Pushed::InPlaceOf(dropped),
        }
    }

    /// The message that is sent next. It is on its way until it is [`done`](Self::done) or [`back`](Self::back). And how
    /// many before it had become too old.
    pub(crate) fn next(&mut self, now: Instant) -> (Option<&Value>, u64) {
        self.is_first_away = false;
        let mut old = 0;
        while self
            .waiting
            .front()
            .is_some_and(|first| now.saturating_duration_since(first.since) > self.patience)
        {
            self.remove(0);
            old += 1;
        }
        self.dropped += old;
        self.is_first_away = !self.waiting.is_empty();
        (self.waiting.front().map(|first| &first.data), old)
    }

    /// The message on its way was sent, or it never will be; false when there is none.
    pub(crate) fn done(&mut self, sent: bool) -> bool {
        let was_away = std::mem::take(&mut self.is_first_away);
        if was_away {
            self.remove(0);
            match sent {
                true => self.sent += 1,
                false => self.dropped += 1,
            }
        }
        was_away
    }

    /// The message on its way has not left: it waits again, before all others.
    pub(crate) fn back(&mut self) {
        self.is_first_away = false;
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn remove(&mut self, index: usize) {
        let removed = self.waiting.remove(index);
        self.bytes -= removed.map_or(0, |removed| removed.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(outbox: &mut Outbox, now: Instant) -> (Option<Value>, u64) {
        let (value, old) = outbox.next(now);
        (value.cloned(), old)
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let now = Instant::now();
        let mut outbox = Outbox::new(Duration::from_secs(60));
        for index in 0..1000 {
            assert_eq!(outbox.push(Value::Integer(index), 1, now), Pushed::Queued);
        }
        assert_eq!(
            outbox.push(Value::Integer(1000), 1, now),
            Pushed::InPlaceOf(1)
        );
        assert_eq!(number(&mut outbox, now), (Some(Value::Integer(1)), 0));
        outbox.back();
        let pushed = outbox.push(Value::Integer(1001), MAX_BYTES, now);
        assert_eq!(pushed, Pushed::InPlaceOf(1000));
        assert_eq!((outbox.len(), outbox.dropped), (1, 1001));
        // One that is larger than all that may wait is still sent.
        assert_eq!(
            outbox.push(Value::Nil, MAX_BYTES + 1, now),
            Pushed::InPlaceOf(1)
        );
        assert_eq!(outbox.len(), 1);
    }

    #[test]
    fn messages_grow_old_and_order_holds() {
        let start = Instant::now();
        let mut outbox = Outbox::new(Duration::from_secs(60));
        for index in 0..3 {
            let now = start + Duration::from_secs(40) * index;
            outbox.push(Value::Integer(i32::try_from(index).unwrap()), 1, now);
        }
        let now = start + Duration::from_secs(90);
        assert_eq!(number(&mut outbox, now), (Some(Value::Integer(1)), 1));
        assert_eq!(number(&mut outbox, now), (Some(Value::Integer(1)), 0));
        assert!(outbox.done(true));
        assert_eq!(number(&mut outbox, now), (Some(Value::Integer(2)), 0));
        assert!(outbox.done(false) && !outbox.done(true));
        assert_eq!((outbox.len(), outbox.sent, outbox.dropped), (0, 1, 2));
    }

    #[test]
    fn what_is_on_its_way_makes_no_room_so_that_its_end_takes_no_other_away() {
        let now = Instant::now();
        let mut outbox = Outbox::new(Duration::from_secs(60));
        for index in 0..1000 {
            outbox.push(Value::Integer(index), 1, now);
        }
        assert_eq!(number(&mut outbox, now).0, Some(Value::Integer(0)));
        // More come than fit, while the first is being sent.
        for index in 1000..1010 {
            assert_eq!(
                outbox.push(Value::Integer(index), 1, now),
                Pushed::InPlaceOf(1)
            );
        }
        outbox.done(true);
        assert_eq!((outbox.len(), outbox.sent, outbox.dropped), (999, 1, 10));
        assert_eq!(number(&mut outbox, now).0, Some(Value::Integer(11)));
        let pushed = outbox.push(Value::Nil, MAX_BYTES, now);
        assert_eq!((pushed, outbox.len()), (Pushed::InPlaceOf(998), 2));
        outbox.back();
        assert_eq!(number(&mut outbox, now).0, Some(Value::Integer(11)));
    }
}

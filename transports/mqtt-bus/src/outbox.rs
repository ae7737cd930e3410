//! What is to be sent, what is on its way, and what the broker has. Pure.
//!
//! A datagram waits, is handed over to the client, goes out under a number of the protocol's, and is taken. Brokers answer
//! in any order; the host hears how far everything is taken.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use kozo_abi::Publish;
use kozo_backoff::Retry;

use crate::topics;

/// How many filters are asked for at once.
const FILTERS: usize = 64;

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) datagrams: usize,
    pub(crate) bytes: usize,
}

/// What is to be done next on the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Subscribe(Vec<String>),
    Unsubscribe(String),
    Publish(Datagram),
}

/// What is to be published.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    number: u64,
    pub(crate) subject: String,
    pub(crate) reply: Option<String>,
    pub(crate) data: Vec<u8>,
}

/// What the broker has answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// It has all up to this number, which it had not before.
    pub(crate) confirmed: Option<u64>,
    pub(crate) round_trip: Duration,
    /// What it was about.
    pub(crate) subject: String,
}

/// What the broker has answered to a subscription.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Subscribed {
    /// It does not take these patterns.
    pub(crate) refused: Vec<String>,
    /// It takes these, which it had refused.
    pub(crate) granted: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    limits: Limits,
    up: bool,
    number: u64,
    patterns: BTreeSet<String>,
    /// Subscriptions go before datagrams.
    wishes: VecDeque<Deed>,
    /// Which patterns were asked for, request by request.
    asked: VecDeque<Vec<String>>,
    /// Those of the patterns that the broker has refused and was not asked for again yet, and when it is.
    refused: Retry,
    /// Those that it was asked for again and has not answered.
    again: BTreeSet<String>,
    waiting: VecDeque<Datagram>,
    bytes: usize,
    /// Handed over and not gone out yet: number and subject.
    handed: VecDeque<(u64, String)>,
    /// Gone out: by the protocol's number, which one it is and since when.
    flying: HashMap<u16, (u64, String, Instant)>,
    /// All that are handed over and not taken.
    open: BTreeSet<u64>,
    confirmed: u64,
    last_handed: u64,
}

impl Outbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            up: false,
            number: 0,
            patterns: BTreeSet::new(),
            wishes: VecDeque::new(),
            asked: VecDeque::new(),
            refused: Retry::default(),
            again: BTreeSet::new(),
            waiting: VecDeque::new(),
            bytes: 0,
            handed: VecDeque::new(),
            flying: HashMap::new(),
            open: BTreeSet::new(),
            confirmed: 0,
            last_handed: 0,
        }
    }

    pub(crate) fn publish(&mut self, subject: &str, reply: Option<&str>, data: &[u8]) -> Publish {
        if !self.up {
            return Publish::Down;
        }
        let too_much = !self.waiting.is_empty() && self.bytes + data.len() > self.limits.bytes;
        if self.waiting.len() >= self.limits.datagrams || too_much {
            return Publish::Full;
        }
        self.number += 1;
        self.bytes += data.len();
        self.waiting.push_back(Datagram {
            number: self.number,
            subject: subject.to_owned(),
            reply: reply.map(str::to_owned),
            data: data.to_owned(),
        });
        Publish::Accepted(self.number)
    }

    pub(crate) fn subscribe(&mut self, pattern: &str, on: bool, connected: bool) {
        let changed = match on {
            true => self.patterns.insert(pattern.to_owned()),
            false => {
                self.refused.forget(pattern);
                self.again.remove(pattern);
                self.patterns.remove(pattern)
            }
        };
        if changed && connected {
            let pattern = pattern.to_owned();
            self.wishes.push_back(match on {
                true => Deed::Subscribe(vec![pattern]),
                false => Deed::Unsubscribe(pattern),
            });
        }
    }

    pub(crate) fn is_wanted(&self, subject: &str) -> bool {
        topics::is_wanted(&self.patterns, subject)
    }

    /// There is a connection; datagrams are not taken before [`up`](Self::up).
    pub(crate) fn begin(&mut self) {
        self.end();
        self.wish_for(self.patterns.iter().cloned().collect());
        self.confirmed = self.number;
        self.last_handed = self.number;
    }

    fn wish_for(&mut self, patterns: Vec<String>) {
        let wishes = patterns.chunks(FILTERS);
        let wishes = wishes.map(|some| Deed::Subscribe(some.to_vec()));
        self.wishes.extend(wishes);
    }

    /// Asks for what was refused once more, if it is time to; when to look again, if anything is refused.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Instant> {
        let patterns = self.refused.take_due(now);
        self.again.extend(patterns.iter().cloned());
        self.wish_for(patterns.into_iter().collect());
        self.refused.timeout()
    }

    /// Everything that is wanted is subscribed to.
    pub(crate) fn is_subscribed(&self) -> bool {
        self.wishes.is_empty() && self.asked.is_empty()
    }

    pub(crate) fn up(&mut self) {
        self.up = true;
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    /// There is none any more: what was not confirmed belongs to the host again.
    pub(crate) fn end(&mut self) {
        self.up = false;
        self.wishes.clear();
        self.asked.clear();
        self.refused.reset();
        self.again.clear();
        self.waiting = VecDeque::new();
        self.bytes = 0;
        self.handed.clear();
        self.flying.clear();
        self.open.clear();
    }

    /// What is to be handed over next.
    pub(crate) fn next(&mut self) -> Option<Deed> {
        self.wishes.pop_front().or_else(|| {
            let datagram = self.waiting.pop_front()?;
            self.bytes -= datagram.data.len();
            Some(Deed::Publish(datagram))
        })
    }

    /// There was no room for it.
    pub(crate) fn back(&mut self, deed: Deed) {
        match deed {
            Deed::Publish(datagram) => {
                self.bytes += datagram.data.len();
                self.waiting.push_front(datagram);
            }
            wish => self.wishes.push_front(wish),
        }
    }

    /// It was handed over.
    pub(crate) fn handed(&mut self, deed: Deed) {
        match deed {
            Deed::Subscribe(patterns) => self.asked.push_back(patterns),
            Deed::Unsubscribe(_) => {}
            Deed::Publish(datagram) => {
                self.open.insert(datagram.number);
                self.last_handed = datagram.number;
                self.handed.push_back((datagram.number, datagram.subject));
            }
        }
    }

    /// The broker has answered a subscription. What it does not take is asked for again.
    pub(crate) fn subscribed(&mut self, taken: &[bool], now: Instant) -> Subscribed {
        let asked = self.asked.pop_front().unwrap_or_default();
        let mut subscribed = Subscribed::default();
        for (pattern, taken) in asked.into_iter().zip(taken) {
            let again = self.again.remove(&pattern);
            if !taken {
                if self.patterns.contains(&pattern) {
                    self.refused.add(&pattern, now);
                }
                subscribed.refused.push(pattern);
            } else if again {
                subscribed.granted.push(pattern);
            }
        }
        subscribed
    }

    /// The oldest one that was handed over has gone out. One without a number is not answered: what was written is all
    /// that is known then.
    pub(crate) fn sent(&mut self, number: u16, now: Instant) -> Option<Answer> {
        let (own, subject) = self.handed.pop_front()?;
        match number {
            0 => self.closed(own, subject, Duration::ZERO),
            number => {
                self.flying.insert(number, (own, subject, now));
                None
            }
        }
    }

    /// The broker has answered one.
    pub(crate) fn answered(&mut self, number: u16, now: Instant) -> Option<Answer> {
        let (own, subject, since) = self.flying.remove(&number)?;
        self.closed(own, subject, now.saturating_duration_since(since))
    }

    fn closed(&mut self, own: u64, subject: String, round_trip: Duration) -> Option<Answer> {
        self.open.remove(&own);
        let all = match self.open.first() {
            Some(first) => first - 1,
            None => self.last_handed,
        };
        let confirmed = (all > self.confirmed).then_some(all);
        self.confirmed = self.confirmed.max(all);
        Some(Answer {
            confirmed,
            round_trip,
            subject,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(datagrams: usize, bytes: usize) -> Outbox {
        let mut outbox = Outbox::new(Limits { datagrams, bytes });
        outbox.begin();
        outbox.up();
        outbox
    }

    fn hand_over(outbox: &mut Outbox) {
        while let Some(deed) = outbox.next() {
            outbox.handed(deed);
        }
    }

    #[test]
    fn it_is_bounded_and_what_is_handed_over_makes_room() {
        let mut outbox = outbox(2, 100);
        assert_eq!(outbox.publish("a", None, &[0; 60]), Publish::Accepted(1));
        assert_eq!(outbox.publish("a", None, &[0; 60]), Publish::Full);
        assert_eq!(outbox.publish("a", None, &[0; 40]), Publish::Accepted(2));
        assert_eq!(outbox.publish("a", None, &[]), Publish::Full);
        let deed = outbox.next().unwrap();
        outbox.back(deed);
        assert_eq!(outbox.publish("a", None, &[]), Publish::Full);
        hand_over(&mut outbox);
        assert_eq!(outbox.publish("a", None, &[0; 200]), Publish::Accepted(3));
        outbox.end();
        assert_eq!(outbox.publish("a", None, &[]), Publish::Down);
    }

    #[test]
    fn answers_in_any_order_confirm_as_far_as_all_is_taken() {
        let mut outbox = outbox(10, 100);
        for _ in 0..4 {
            outbox.publish("a", None, b"x");
        }
        hand_over(&mut outbox);
        let now = Instant::now();
        for number in [7, 8, 9] {
            assert_eq!(outbox.sent(number, now), None);
        }
        let confirmed = |answer: Option<Answer>| answer.unwrap().confirmed;
        assert_eq!(confirmed(outbox.answered(8, now)), None);
        assert_eq!(confirmed(outbox.answered(7, now)), Some(2));
        // Nobody has asked for this.
        assert_eq!(outbox.answered(7, now), None);
        assert_eq!(confirmed(outbox.answered(9, now)), Some(3));
        // One that is not answered at all.
        assert_eq!(confirmed(outbox.sent(0, now)), Some(4));
        // What was on its way on a connection before confirms nothing.
        outbox.publish("a", None, b"x");
        hand_over(&mut outbox);
        outbox.sent(1, now);
        outbox.begin();
        assert_eq!(outbox.answered(1, now), None);
        outbox.up();
        assert_eq!(outbox.publish("a", None, b"x"), Publish::Accepted(6));
    }

    #[test]
    fn what_is_wanted_is_asked_for_anew_and_before_anything_else() {
        let mut outbox = Outbox::new(Limits {
            datagrams: 10,
            bytes: 100,
        });
        for number in 0..=FILTERS {
            outbox.subscribe(&format!("a.{number:03}"), true, false);
        }
        outbox.begin();
        let (Some(Deed::Subscribe(first)), Some(Deed::Subscribe(second)), None) =
            (outbox.next(), outbox.next(), outbox.next())
        else {
            panic!("two requests");
        };
        assert_eq!((first.len(), second.len()), (FILTERS, 1));
        outbox.handed(Deed::Subscribe(first));
        outbox.handed(Deed::Subscribe(second));
        let mut taken = vec![true; FILTERS];
        taken[1] = false;
        let now = Instant::now();
        assert_eq!(outbox.subscribed(&taken, now).refused, ["a.001"]);
        assert!(!outbox.is_subscribed());
        assert_eq!(outbox.subscribed(&[true], now), Subscribed::default());
        assert!(outbox.is_subscribed());
        outbox.up();
        outbox.publish("b", None, b"x");
        outbox.subscribe("a.000", false, true);
        outbox.subscribe("a.000", false, true);
        assert_eq!(outbox.next(), Some(Deed::Unsubscribe("a.000".to_owned())));
        assert!(matches!(outbox.next(), Some(Deed::Publish(_))));
        assert_eq!(outbox.next(), None);
    }

    #[test]
    fn what_is_refused_is_asked_for_again_as_long_as_it_is_wanted() {
        let mut outbox = outbox(10, 100);
        for pattern in ["a", "b", "c"] {
            outbox.subscribe(pattern, true, true);
        }
        hand_over(&mut outbox);
        let start = Instant::now();
        assert_eq!(outbox.tick(start), None);
        for taken in [false, true, false] {
            outbox.subscribed(&[taken], start);
        }
        let next = outbox.tick(start).unwrap();
        assert!(next <= start + Retry::FIRST);
        assert_eq!(outbox.next(), None);
        outbox.subscribe("c", false, true);
        hand_over(&mut outbox);
        assert_eq!(outbox.tick(next), None);
        let again = outbox.next().unwrap();
        assert_eq!(again, Deed::Subscribe(vec!["a".to_owned()]));
        outbox.handed(again);
        assert_eq!(outbox.subscribed(&[true], next).granted, ["a"]);
        // What is wanted no longer when the answer comes is not asked for.
        outbox.subscribe("d", true, true);
        hand_over(&mut outbox);
        outbox.subscribe("d", false, true);
        hand_over(&mut outbox);
        assert_eq!(outbox.subscribed(&[false], next).refused, ["d"]);
        assert_eq!(outbox.tick(next), None);
    }
}

//! What is to be sent, and what is subscribed to: what the host hands over from its threads, and the connection takes.
//! Bytes are made where the host calls, so that a batch is one copy and one write. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use kozo_abi::Publish;
use kozo_backoff::Retry;

use crate::protocol;

/// How many requests are remembered that nobody may listen to.
const MAX_REQUESTS: usize = 1024;

/// How much memory for what is to be sent is kept while there is nothing, in bytes.
const KEPT: usize = 256 * 1024;

/// How much may wait for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    limits: Limits,
    /// Whether there is a connection.
    up: bool,
    /// What the connection has not taken yet.
    bytes: Vec<u8>,
    messages: usize,
    /// What it has taken and not written: bytes and messages.
    writing: (usize, usize),
    /// The number of the last one that was accepted.
    number: u64,
    /// What is wanted, and the number of each subscription.
    patterns: BTreeMap<String, u64>,
    last_subscription: u64,
    /// Those of the patterns that the server has refused and was not asked for again yet, and when it is.
    refused: Retry,
    /// Those that it was asked for again and has not refused once more, and since when.
    asked: Option<(Instant, BTreeSet<String>)>,
    requests: Requests,
}

impl Outbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            up: false,
            bytes: Vec::new(),
            messages: 0,
            writing: (0, 0),
            number: 0,
            patterns: BTreeMap::new(),
            last_subscription: 0,
            refused: Retry::default(),
            asked: None,
            requests: Requests::default(),
        }
    }

    pub(crate) fn publish(&mut self, subject: &str, reply: Option<&str>, data: &[u8]) -> Publish {
        if !self.up {
            return Publish::Down;
        }
        let waiting = self.bytes.len() + self.writing.0;
        let messages = self.messages + self.writing.1;
        // One that is larger than the limit goes when nothing else is waiting.
        let too_much = messages > 0 && waiting + data.len() > self.limits.bytes;
        if messages >= self.limits.messages || too_much {
            return Publish::Full;
        }
        protocol::publish(&mut self.bytes, subject, reply, data);
        if let Some(reply) = reply {
            self.requests.remember(reply, subject);
        }
        self.messages += 1;
        self.number += 1;
        Publish::Accepted(self.number)
    }

    /// Subscribes, or no longer. Whether there is something to be sent.
    pub(crate) fn subscribe(&mut self, pattern: &str, on: bool) -> bool {
        match on {
            true if !self.patterns.contains_key(pattern) => {
                self.last_subscription += 1;
                let number = self.last_subscription;
                self.patterns.insert(pattern.to_owned(), number);
                if self.up {
                    protocol::subscribe(&mut self.bytes, pattern, number);
                }
                self.up
            }
            false => {
                self.refused.forget(pattern);
                self.forget_asked(pattern);
                match self.patterns.remove(pattern) {
                    Some(number) if self.up => {
                        protocol::unsubscribe(&mut self.bytes, number);
                        true
                    }
                    _ => false,
                }
            }
            true => false,
        }
    }

    /// The server does not let this node subscribe to that, or no longer: it is asked for again.
    pub(crate) fn refused(&mut self, pattern: &str, now: Instant) {
        if self.up && self.patterns.contains_key(pattern) {
            self.refused.add(pattern, now);
            self.forget_asked(pattern);
        }
    }

    fn forget_asked(&mut self, pattern: &str) {
        if let Some((_, asked)) = &mut self.asked {
            asked.remove(pattern);
        }
    }

    /// The server has worked off all that it was sent until then: what it had refused and now lets this node subscribe
    /// to.
    pub(crate) fn granted(&mut self, until: Instant) -> BTreeSet<String> {
        let asked = self.asked.take_if(|(since, _)| *since <= until);
        asked.map(|(_, asked)| asked).unwrap_or_default()
    }

    /// Asks for what was refused once more, if it is time to; when to look again, if anything is refused.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Instant> {
        let refused = self.refused.take_due(now);
        if !refused.is_empty() {
            for pattern in &refused {
                // The server has nothing under that number, or takes it for what it has.
                if let Some(number) = self.patterns.get(pattern) {
                    protocol::subscribe(&mut self.bytes, pattern, *number);
                }
            }
            let (since, asked) = self.asked.get_or_insert((now, BTreeSet::new()));
            *since = now;
            asked.extend(refused);
        }
        self.refused.timeout()
    }

    /// There is a connection: all that is wanted is subscribed to, before anything else. The number of the last one
    /// that was accepted for another connection.
    pub(crate) fn begin(&mut self) -> u64 {
        self.end();
        self.up = true;
        for (pattern, number) in &self.patterns {
            protocol::subscribe(&mut self.bytes, pattern, *number);
        }
        self.number
    }

    /// There is no connection any more. What was not written belongs to the host again.
    pub(crate) fn end(&mut self) {
        self.up = false;
        self.bytes = Vec::new();
        self.messages = 0;
        self.writing = (0, 0);
        self.refused.reset();
        self.asked = None;
        self.requests = Requests::default();
    }

    /// What is to be written next, in place of what was; none when there is nothing. With the number of the last one
    /// in it.
    pub(crate) fn take(&mut self, written: &mut Vec<u8>) -> Option<u64> {
        self.writing = (0, 0);
        written.clear();
        if written.capacity() > KEPT {
            *written = Vec::new();
        }
        if self.bytes.is_empty() {
            return None;
        }
        std::mem::swap(&mut self.bytes, written);
        self.writing = (written.len(), std::mem::take(&mut self.messages));
        Some(self.number)
    }

    /// Whether there is nothing to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The request whose answers are for this subject, which it was asked for once.
    pub(crate) fn request(&mut self, reply: &str) -> Option<String> {
        self.requests.forget(reply)
    }
}

/// What was asked of which subject, by where the answers are for.
#[derive(Debug, Default)]
struct Requests {
    subjects: HashMap<String, String>,
    /// The oldest ones first; some may be answered.
    order: VecDeque<String>,
}

impl Requests {
    fn remember(&mut self, reply: &str, subject: &str) {
        if self.order.len() >= MAX_REQUESTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.subjects.remove(&oldest);
        }
        let known = self.subjects.insert(reply.to_owned(), subject.to_owned());
        if known.is_none() {
            self.order.push_back(reply.to_owned());
        }
    }

    fn forget(&mut self, reply: &str) -> Option<String> {
        self.subjects.remove(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(messages: usize, bytes: usize) -> Outbox {
        Outbox::new(Limits { messages, bytes })
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn it_is_bounded_by_messages_and_bytes_until_they_are_written() {
        let mut outbox = outbox(2, 1000);
        assert_eq!(outbox.publish("a", None, b"x"), Publish::Down);
        outbox.begin();
        assert_eq!(outbox.publish("a", None, b"x"), Publish::Accepted(1));
        assert_eq!(outbox.publish("a", None, b"x"), Publish::Accepted(2));
        assert_eq!(outbox.publish("a", None, b"x"), Publish::Full);
        let mut chunk = Vec::new();
        assert_eq!(outbox.take(&mut chunk), Some(2));
        // It is still on its way.
        assert_eq!(outbox.publish("a", None, b"x"), Publish::Full);
        assert_eq!(outbox.take(&mut chunk), None);
        assert_eq!(outbox.publish("a", None, &[0; 990]), Publish::Accepted(3));
        assert_eq!(outbox.publish("a", None, &[0; 990]), Publish::Full);
        // The next connection starts with nothing, and numbers go on.
        outbox.end();
        assert_eq!(outbox.publish("a", None, b"x"), Publish::Down);
        assert_eq!(outbox.begin(), 3);
        assert_eq!(outbox.take(&mut chunk), None);
        assert_eq!(outbox.publish("a", None, &[0; 5000]), Publish::Accepted(4));
        assert_eq!(outbox.publish("a", None, b"x"), Publish::Full);
    }

    #[test]
    fn what_is_wanted_is_subscribed_to_at_each_connection_first() {
        let mut outbox = outbox(10, 1000);
        assert!(!outbox.subscribe("b.>", true));
        assert!(!outbox.subscribe("gone", true));
        assert!(!outbox.subscribe("gone", false));
        outbox.begin();
        assert!(outbox.subscribe("c", true));
        assert!(!outbox.subscribe("c", true));
        assert!(!outbox.subscribe("never", false));
        assert_eq!(outbox.publish("a", None, b""), Publish::Accepted(1));
        assert!(outbox.subscribe("b.>", false));
        let mut chunk = Vec::new();
        outbox.take(&mut chunk);
        assert_eq!(
            text(&chunk),
            "SUB b.> 1\r\nSUB c 3\r\nPUB a 0\r\n\r\nUNSUB 1\r\n"
        );
        outbox.begin();
        outbox.take(&mut chunk);
        assert_eq!(text(&chunk), "SUB c 3\r\n");
    }

    #[test]
    fn what_is_refused_is_asked_for_again_as_long_as_it_is_wanted() {
        let mut outbox = outbox(10, 1000);
        for pattern in ["a", "b", "c"] {
            outbox.subscribe(pattern, true);
        }
        let start = Instant::now();
        outbox.begin();
        let mut chunk = Vec::new();
        outbox.take(&mut chunk);
        assert_eq!(outbox.tick(start), None);
        for pattern in ["c", "a", "never"] {
            outbox.refused(pattern, start);
        }
        let next = outbox.tick(start).unwrap();
        assert!(outbox.is_empty() && next <= start + Retry::FIRST);
        outbox.subscribe("c", false);
        assert_eq!(outbox.tick(next), None);
        outbox.take(&mut chunk);
        assert_eq!(text(&chunk), "UNSUB 3\r\nSUB a 1\r\n");
        // What it has worked off before is no answer to that.
        assert!(outbox.granted(start).is_empty());
        assert!(outbox.granted(next).into_iter().eq(["a".to_owned()]));
        assert!(outbox.granted(next).is_empty());
        // What the server has granted, it can take away.
        outbox.refused("b", next);
        let next = outbox.tick(next).unwrap();
        outbox.tick(next);
        outbox.take(&mut chunk);
        assert_eq!(text(&chunk), "SUB b 2\r\n");
        outbox.refused("b", next);
        assert!(outbox.granted(next).is_empty());
        // On another connection everything is asked for anyway.
        outbox.refused("b", next);
        outbox.begin();
        assert_eq!(outbox.tick(next + Retry::LONGEST), None);
    }

    #[test]
    fn requests_are_known_by_where_their_answers_go_and_not_for_ever() {
        let mut outbox = outbox(usize::MAX, usize::MAX);
        outbox.begin();
        for number in 0..=MAX_REQUESTS {
            let reply = format!("re.{number}");
            outbox.publish(&format!("ask.{number}"), Some(&reply), b"");
        }
        assert_eq!(outbox.request("re.0"), None);
        assert_eq!(outbox.request("re.1").as_deref(), Some("ask.1"));
        assert_eq!(outbox.request("re.1"), None);
        outbox.begin();
        assert_eq!(outbox.request("re.2"), None);
    }
}

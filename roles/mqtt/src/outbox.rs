//! What happens once: events, and messages for whoever reads MQTT without Home Assistant. It waits for a broker
//! only as long as it means something, and there is only so much of it.

use std::collections::VecDeque;
use std::time::Duration;

use kozo_mqtt::Publication;

/// How many wait at most.
pub(crate) const MAX_WAITING: usize = 64;

/// What waits to be sent once. Times are those since the bridge was made.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<(Duration, Publication)>,
    dropped: u64,
}

impl Outbox {
    /// Adds one that means nothing any more after `until`. The oldest makes room for it.
    pub(crate) fn push(&mut self, until: Duration, topic: String, payload: Vec<u8>) {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        let publication = Publication {
            topic,
            payload: payload.into(),
            acknowledged: false,
            retained: false,
        };
        self.waiting.push_back((until, publication));
    }

    /// Takes the next one that still means something.
    pub(crate) fn take(&mut self, now: Duration) -> Option<(Duration, Publication)> {
        while let Some((until, publication)) = self.waiting.pop_front() {
            if now <= until {
                return Some((until, publication));
            }
            self.dropped += 1;
        }
        None
    }

    /// Puts one back that was not sent.
    pub(crate) fn put_back(&mut self, until: Duration, publication: Publication) {
        self.waiting.push_front((until, publication));
    }

    /// Drops what means nothing any more.
    pub(crate) fn expire(&mut self, now: Duration) {
        let before = self.waiting.len();
        self.waiting.retain(|(until, _)| now <= *until);
        self.dropped += (before - self.waiting.len()) as u64;
    }

    /// How many were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room_and_what_is_too_old_is_dropped_and_both_are_counted() {
        let mut outbox = Outbox::default();
        for number in 0..100_u64 {
            outbox.push(Duration::from_secs(number), number.to_string(), Vec::new());
        }
        assert_eq!(outbox.dropped(), 36);
        let now = Duration::from_secs(50);
        let (until, first) = outbox.take(now).unwrap();
        assert_eq!((first.topic.as_str(), outbox.dropped()), ("50", 50));
        outbox.put_back(until, first);
        assert_eq!(outbox.take(now).unwrap().1.topic, "50");
        outbox.expire(Duration::from_secs(1000));
        assert!(outbox.take(now).is_none());
        assert_eq!(outbox.dropped(), 99);
    }
}

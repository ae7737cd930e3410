//! The retained messages of the bridge: what each topic is to have, and what has still to be sent of that. Of each
//! topic only the newest is kept, so this grows with topics, and never with time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use kozo_mqtt::Publication;

/// For how long the broker may be in getting an empty message before it counts as got.
const GONE_AFTER: Duration = Duration::from_secs(30);

/// In which order topics are sent that wait together: whoever hears of a device finds its state already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// How something is.
    State,
    /// The device that others stand behind.
    Bridge,
    /// What there is.
    Config,
    /// Whether the bridge is there.
    BridgeStatus,
    /// Whether a node is there.
    NodeStatus,
}

/// What a topic is to have.
#[derive(Debug, Clone)]
struct Wanted {
    payload: Bytes,
    class: Class,
    /// Its place among those that wait; none: it is sent.
    waits: Option<u64>,
    /// When its empty message went out.
    emptied: Option<Duration>,
}

/// All retained topics. Times are those since the bridge was made.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    topics: BTreeMap<String, Wanted>,
    waiting: BTreeSet<(Class, u64, String)>,
    next: u64,
    /// Topics that are to be empty, and from when on.
    later: BTreeMap<String, Duration>,
}

impl Retained {
    /// Gives a topic this payload; one that it has already is not sent again.
    pub(crate) fn set(&mut self, topic: &str, payload: impl Into<Bytes>, class: Class) {
        let payload = payload.into();
        if self
            .topics
            .get(topic)
            .is_none_or(|wanted| wanted.payload != payload)
        {
            self.put(topic, payload, class);
        }
    }

    /// Gives a topic this payload, and sends it even if it has that already.
    pub(crate) fn put(&mut self, topic: &str, payload: impl Into<Bytes>, class: Class) {
        self.forget(topic);
        let wanted = Wanted {
            payload: payload.into(),
            class,
            waits: None,
            emptied: None,
        };
        self.topics.insert(topic.to_owned(), wanted);
        self.wait(topic);
    }

    /// Takes away what a topic has.
    pub(crate) fn clear(&mut self, topic: &str) {
        if !self.is_cleared(topic) {
            self.put(topic, Bytes::new(), Class::Config);
        }
    }

    /// Takes away what a topic has, from `at` on: Home Assistant takes an empty state for a broken one as long as it
    /// listens to it.
    pub(crate) fn clear_later(&mut self, topic: &str, at: Duration) {
        if !self.is_cleared(topic) {
            self.forget(topic);
            self.later.insert(topic.to_owned(), at);
        }
    }

    /// What a topic is to have; none for one that is to be empty.
    pub(crate) fn payload(&self, topic: &str) -> Option<&Bytes> {
        let wanted = self.topics.get(topic)?;
        (!wanted.payload.is_empty()).then_some(&wanted.payload)
    }

    /// Whether a topic is known to be empty, or about to be.
    pub(crate) fn is_cleared(&self, topic: &str) -> bool {
        let wanted = self.topics.get(topic);
        wanted.is_some_and(|wanted| wanted.payload.is_empty()) || self.later.contains_key(topic)
    }

    /// The topics that are to be empty, until that is so.
    pub(crate) fn cleared(&self) -> impl Iterator<Item = &String> {
        let empty = self
            .topics
            .iter()
            .filter(|(_, wanted)| wanted.payload.is_empty());
        empty.map(|(topic, _)| topic).chain(self.later.keys())
    }

    /// Sends a topic again.
    pub(crate) fn repeat(&mut self, topic: &str) {
        if self.topics.contains_key(topic) {
            self.wait(topic);
        }
    }

    /// Leaves a topic as it is, whatever that is.
    pub(crate) fn forget(&mut self, topic: &str) {
        self.later.remove(topic);
        if let Some(Wanted {
            class,
            waits: Some(at),
            ..
        }) = self.topics.remove(topic)
        {
            self.waiting.remove(&(class, at, topic.to_owned()));
        }
    }

    /// Sends everything again: the broker may be another one, or have lost what it had.
    pub(crate) fn repeat_all(&mut self) {
        let all: Vec<String> = self.topics.keys().cloned().collect();
        for topic in all {
            self.wait(&topic);
        }
    }

    fn wait(&mut self, topic: &str) {
        let Some(wanted) = self.topics.get_mut(topic) else {
            return;
        };
        if wanted.waits.is_none() {
            wanted.waits = Some(self.next);
            self.waiting
                .insert((wanted.class, self.next, topic.to_owned()));
            self.next += 1;
        }
    }

    /// When there is a topic to be emptied.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.later.values().min().copied()
    }

    /// Takes the next one that has to be sent.
    pub(crate) fn take(&mut self, now: Duration) -> Option<Publication> {
        let (_, _, topic) = self.waiting.pop_first()?;
        let wanted = self.topics.get_mut(&topic)?;
        wanted.waits = None;
        if wanted.payload.is_empty() {
            wanted.emptied = Some(now);
        }
        Some(Publication {
            payload: wanted.payload.clone(),
            topic,
            acknowledged: true,
            retained: true,
        })
    }

    /// Empties topics whose time has come, and forgets those that were emptied long enough ago, on a connection that
    /// still stands. True: there were some of these.
    pub(crate) fn settle(&mut self, now: Duration) -> bool {
        let due = self.later.iter().filter(|(_, at)| **at <= now);
        let due: Vec<String> = due.map(|(topic, _)| topic.clone()).collect();
        for topic in due {
            self.put(&topic, Bytes::new(), Class::Config);
        }
        let before = self.topics.len();
        self.topics.retain(|_, wanted| {
            let emptied = wanted.emptied.filter(|_| wanted.waits.is_none());
            emptied.is_none_or(|emptied| now.saturating_sub(emptied) < GONE_AFTER)
        });
        before != self.topics.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emptied_later_is_so_when_its_time_has_come_unless_it_is_wanted_again() {
        let mut retained = Retained::default();
        for topic in ["state", "other"] {
            retained.set(topic, "ON", Class::State);
        }
        sent(&mut retained);
        retained.clear_later("state", Duration::from_secs(5));
        retained.clear_later("other", Duration::from_secs(5));
        retained.settle(Duration::from_secs(4));
        assert!(sent(&mut retained).is_empty());
        assert_eq!(retained.cleared().collect::<Vec<_>>(), ["other", "state"]);
        assert_eq!(retained.due(), Some(Duration::from_secs(5)));
        retained.set("other", "ON", Class::State);
        retained.settle(Duration::from_secs(5));
        assert_eq!(
            sent(&mut retained),
            pairs(&[("other", "ON"), ("state", "")])
        );
        assert_eq!(retained.due(), None);
    }

    fn sent(retained: &mut Retained) -> Vec<(String, String)> {
        let mut sent = Vec::new();
        while let Some(publication) = retained.take(Duration::ZERO) {
            let text = String::from_utf8(publication.payload.to_vec()).unwrap();
            sent.push((publication.topic, text));
        }
        sent
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(topic, payload): &(&str, &str)| ((*topic).to_owned(), (*payload).to_owned());
        expected.iter().map(owned).collect()
    }

    #[test]
    fn only_the_newest_of_a_topic_is_sent_and_states_come_first() {
        let mut retained = Retained::default();
        retained.set("node", "online", Class::NodeStatus);
        retained.set("config", "{}", Class::Config);
        retained.set("state", "OFF", Class::State);
        retained.set("state", "ON", Class::State);
        let expected = [("state", "ON"), ("config", "{}"), ("node", "online")];
        assert_eq!(sent(&mut retained), pairs(&expected));
        retained.set("state", "ON", Class::State);
        assert!(sent(&mut retained).is_empty());
        retained.put("state", "ON", Class::State);
        assert_eq!(sent(&mut retained), pairs(&[("state", "ON")]));
        retained.repeat_all();
        assert_eq!(sent(&mut retained), pairs(&expected));
    }

    #[test]
    fn an_empty_topic_is_forgotten_once_that_is_sure() {
        let mut retained = Retained::default();
        retained.clear("old");
        assert!(!retained.settle(GONE_AFTER * 9), "it was not sent");
        assert_eq!(sent(&mut retained), pairs(&[("old", "")]));
        assert!(!retained.settle(GONE_AFTER / 2));
        // The connection is lost, and there is another one.
        retained.repeat_all();
        assert!(!retained.settle(GONE_AFTER * 9));
        assert_eq!(sent(&mut retained), pairs(&[("old", "")]));
        assert!(retained.settle(GONE_AFTER) && retained.cleared().next().is_none());
    }
}

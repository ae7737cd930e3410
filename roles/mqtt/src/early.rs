//! Events of roles whose faces are not known yet: a role that starts says at once how it is, often before its node has
//! said what there is. What nobody knows what to do with is kept for a while, for when that is known.

use std::collections::VecDeque;
use std::time::Duration;

use crate::readings::Heard;

/// How many are kept at most.
const MAX_HELD: usize = 256;

/// The longest data that is kept, in bytes.
const MAX_DATA: usize = 16 * 1024;

/// For how long they are kept: a node that is there has said within that what it has.
const KEPT: Duration = Duration::from_secs(60);

/// An event that nobody has asked for so far. Times are those since the bridge was made.
#[derive(Debug, PartialEq)]
pub(crate) struct Held {
    node: String,
    role: String,
    type_name: String,
    channel: Option<String>,
    timestamp: f64,
    /// MessagePack.
    pub(crate) data: Vec<u8>,
    /// When it means nothing any more that it has happened.
    pub(crate) until: Duration,
    since: Duration,
}

impl Held {
    pub(crate) fn heard(&self) -> Heard<'_> {
        Heard {
            node: &self.node,
            role: &self.role,
            type_name: &self.type_name,
            channel: self.channel.as_deref(),
            timestamp: self.timestamp,
        }
    }
}

/// The last ones of each type and channel of each role, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Early {
    held: VecDeque<Held>,
}

impl Early {
    /// Keeps an event, in place of the one before it.
    pub(crate) fn hold(
        &mut self,
        heard: &Heard<'_>,
        data: &[u8],
        (until, now): (Duration, Duration),
    ) {
        self.held.retain(|held| {
            let it = held.heard();
            let is_same = (it.node, it.role) == (heard.node, heard.role)
                && (it.type_name, it.channel) == (heard.type_name, heard.channel);
            !is_same && now.saturating_sub(held.since) < KEPT
        });
        if data.len() > MAX_DATA {
            return;
        }
        if self.held.len() >= MAX_HELD {
            self.held.pop_front();
        }
        self.held.push_back(Held {
            node: heard.node.to_owned(),
            role: heard.role.to_owned(),
            type_name: heard.type_name.to_owned(),
            channel: heard.channel.map(str::to_owned),
            timestamp: heard.timestamp,
            data: data.to_vec(),
            until,
            since: now,
        });
    }

    /// Takes those of a node.
    pub(crate) fn take(&mut self, node: &str, now: Duration) -> Vec<Held> {
        let mut taken = Vec::new();
        for held in std::mem::take(&mut self.held) {
            if held.node != node {
                self.held.push_back(held);
            } else if now.saturating_sub(held.since) < KEPT {
                taken.push(held);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event<'h>(node: &'h str, type_name: &'h str) -> Heard<'h> {
        Heard {
            node,
            role: "things",
            type_name,
            channel: None,
            timestamp: 1.5,
        }
    }

    fn at(seconds: u64) -> (Duration, Duration) {
        (Duration::from_secs(1000), Duration::from_secs(seconds))
    }

    #[test]
    fn the_last_event_of_each_kind_waits_for_its_node_and_for_a_minute() {
        let mut early = Early::default();
        early.hold(&event("hall", "lamp"), b"old", at(0));
        early.hold(&event("hall", "door"), b"open", at(1));
        early.hold(&event("yard", "lamp"), b"yard", at(1));
        early.hold(&event("hall", "lamp"), b"new", at(2));
        let taken = early.take("hall", at(3).1);
        let taken: Vec<_> = taken
            .iter()
            .map(|held| (held.heard(), &*held.data))
            .collect();
        assert_eq!(
            taken,
            [
                (event("hall", "door"), &b"open"[..]),
                (event("hall", "lamp"), &b"new"[..])
            ]
        );
        assert!(early.take("hall", at(3).1).is_empty());
        assert!(early.take("yard", at(61).1).is_empty());
    }

    #[test]
    fn there_is_only_so_much_of_it() {
        let mut early = Early::default();
        for number in 0..1000 {
            early.hold(&event("hall", &number.to_string()), b"x", at(0));
        }
        early.hold(&event("hall", "large"), &[0; MAX_DATA + 1], at(0));
        let taken = early.take("hall", at(1).1);
        assert_eq!((taken.len(), taken[0].heard().type_name), (MAX_HELD, "744"));
    }
}

//! Who is told what links do: the log, and whoever waits for links to come and go.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use kozo_ground::lock::LockAnyway;
use kozo_ground::names::NodeName;
use kozo_link::{LinkPath, Notice, Occurrence, Twins};
use tokio::sync::Notify;

use crate::link::LinkObserver;

/// Writes what links do to the log, and wakes whoever shows how many there are.
pub(super) struct LinkWatch {
    log: LinkLog,
    changed: Arc<Notify>,
}

impl LinkWatch {
    /// `changed` is told of every link that comes or goes.
    pub(super) fn new(changed: Arc<Notify>) -> Self {
        Self {
            log: LinkLog::default(),
            changed,
        }
    }
}

impl LinkObserver for LinkWatch {
    fn notice(&self, peer: &NodeName, notice: &Notice) {
        self.log.write(peer, notice);
        if let Notice::Link(Occurrence::Up { .. } | Occurrence::Down { .. }) = notice {
            self.changed.notify_one();
        }
    }
}

/// How many failures to dial a peer are known again.
const MAX_FAILURES: usize = 16;

/// Writes what links do to the log. What repeats itself is said once: the rest is for whoever
/// looks for a fault.
#[derive(Debug, Default)]
struct LinkLog {
    failures: Mutex<HashMap<NodeName, Failures>>,
    /// Peers that were warned of.
    other_config: Mutex<HashSet<NodeName>>,
}

/// The failures to dial a peer since its last link, the newest last: the transport and the reason of
/// each. Of several ways to a peer, each has its own, and now and then another one.
#[derive(Debug, Default)]
struct Failures(VecDeque<(String, String)>);

impl Failures {
    /// Whether it is a new one.
    fn add(&mut self, transport: &str, reason: &str) -> bool {
        let known = self
            .0
            .iter()
            .any(|(over, why)| over == transport && why == reason);
        if !known {
            if self.0.len() == MAX_FAILURES {
                self.0.pop_front();
            }
            self.0.push_back((transport.to_owned(), reason.to_owned()));
        }
        !known
    }
}

impl LinkLog {
    fn write(&self, peer: &NodeName, notice: &Notice) {
        match notice {
            Notice::Link(Occurrence::Up { path, dialled }) => self.up(peer, path, *dialled),
            Notice::Link(Occurrence::Down {
                path,
                reason,
                orderly,
                replaced,
            }) => down(peer, path, reason, *orderly, *replaced),
            Notice::Link(Occurrence::Refused { path, reason }) => tracing::warn!(
                target: "link",
                %peer,
                transport = path.transport,
                address = path.address,
                "there is no link: {reason}",
            ),
            Notice::Link(Occurrence::DialFailed { transport, reason }) => {
                self.dial_failed(peer, transport, reason);
            }
            Notice::Missed(count) => tracing::warn!(
                target: "link",
                %peer,
                count,
                "missed messages that the peer had dropped: its queue was full or they were too old",
            ),
            Notice::OtherConfig => self.other_config(peer),
            Notice::BusRefused(bus) => tracing::warn!(
                target: "link",
                %peer,
                bus,
                "wants to reach the bus through this node, whose file does not say so: it is refused",
            ),
            Notice::Twins(twins) => warn_of_twins(peer, twins),
        }
    }

    fn up(&self, peer: &NodeName, path: &LinkPath, dialled: bool) {
        lock(&self.failures).remove(peer);
        tracing::info!(
            target: "link",
            %peer,
            transport = path.transport,
            address = path.address,
            dialled,
            "up",
        );
    }

    fn dial_failed(&self, peer: &NodeName, transport: &str, reason: &str) {
        let is_new = lock(&self.failures)
            .entry(peer.clone())
            .or_default()
            .add(transport, reason);
        if is_new {
            tracing::info!(
                target: "link",
                %peer,
                transport,
                reason,
                "cannot be reached, tried again",
            );
        } else {
            tracing::debug!(target: "link", %peer, transport, reason, "cannot be reached");
        }
    }

    fn other_config(&self, peer: &NodeName) {
        if lock(&self.other_config).insert(peer.clone()) {
            tracing::warn!(
                target: "link",
                %peer,
                "has another version of the configuration file: copy the same one to every node",
            );
        }
    }
}

fn warn_of_twins(peer: &NodeName, twins: &Twins) {
    let node = &twins.node;
    let which = match node == peer {
        true => "",
        false => ", this node",
    };
    let [one, other] = &twins.places;
    tracing::warn!(
        target: "link",
        %peer,
        "two daemons run as `{node}`{which}, at {one} and {other}: stop one of them, or give it a \
         name and a key of its own",
    );
}

fn down(peer: &NodeName, path: &LinkPath, reason: &str, orderly: bool, replaced: bool) {
    let LinkPath { transport, address } = path;
    if replaced {
        tracing::info!(target: "link", %peer, transport, address, "another link carries on: {reason}");
    } else if orderly {
        tracing::info!(target: "link", %peer, transport, address, reason, "down");
    } else {
        tracing::warn!(target: "link", %peer, transport, address, reason, "down");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock_anyway()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_known_again_and_bounded() {
        let mut failures = Failures::default();
        assert!(failures.add("tcp", "no route"));
        assert!(failures.add("onion", "no route"));
        for _ in 0..2 {
            assert!(!failures.add("tcp", "no route"));
            assert!(!failures.add("onion", "no route"));
        }
        for number in 0..MAX_FAILURES {
            assert!(failures.add("tcp", &number.to_string()));
        }
        assert_eq!(failures.0.len(), MAX_FAILURES);
        assert!(failures.add("tcp", "no route"));
    }
}

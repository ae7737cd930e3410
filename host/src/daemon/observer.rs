//! Who is told what links do: the log, and whoever waits for links to come and go.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::link::io::LinkObserver;
use crate::link::{Notice, Occurrence, Path};
use crate::names::NodeName;

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

/// Writes what links do to the log. What repeats itself is said once: the rest is for whoever
/// looks for a fault.
#[derive(Debug, Default)]
struct LinkLog {
    /// The last failure to dial each peer.
    failures: Mutex<HashMap<NodeName, String>>,
    /// Peers that were warned of.
    other_config: Mutex<HashSet<NodeName>>,
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
        }
    }

    fn up(&self, peer: &NodeName, path: &Path, dialled: bool) {
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
        let last = lock(&self.failures).insert(peer.clone(), reason.to_owned());
        if last.as_deref() == Some(reason) {
            tracing::debug!(target: "link", %peer, transport, reason, "cannot be reached");
        } else {
            tracing::info!(
                target: "link",
                %peer,
                transport,
                reason,
                "cannot be reached, tried again",
            );
        }
    }

    fn other_config(&self, peer: &NodeName) {
        if lock(&self.other_config).insert(peer.clone()) {
            tracing::warn!(
                target: "link",
                %peer,
                "has another configuration file: copy the same one to every node",
            );
        }
    }
}

fn down(peer: &NodeName, path: &Path, reason: &str, orderly: bool, replaced: bool) {
    let Path { transport, address } = path;
    if replaced {
        tracing::info!(target: "link", %peer, transport, address, "another link carries on: {reason}");
    } else if orderly {
        tracing::info!(target: "link", %peer, transport, address, reason, "down");
    } else {
        tracing::warn!(target: "link", %peer, transport, address, reason, "down");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

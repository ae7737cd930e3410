//! Who is told what links do: the log, and whoever waits for links to come and go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::link::Notice;
use crate::link::io::LinkObserver;
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
        self.log.notice(peer, notice);
        if matches!(notice, Notice::Up { .. } | Notice::Down { .. }) {
            self.changed.notify_one();
        }
    }

    fn dial_failed(&self, peer: &NodeName, transport: &str, reason: &str) {
        self.log.dial_failed(peer, transport, reason);
    }
}

/// Writes what links do to the log. What repeats itself is said once: the rest is for whoever
/// looks for a fault.
#[derive(Debug, Default)]
struct LinkLog {
    /// The last failure to dial each peer.
    failures: Mutex<HashMap<NodeName, String>>,
    /// Peers that were warned of.
    other_config: Mutex<Vec<NodeName>>,
}

impl LinkObserver for LinkLog {
    fn notice(&self, peer: &NodeName, notice: &Notice) {
        match notice {
            Notice::Up { path, dialled } => {
                self.failures
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(peer);
                tracing::info!(
                    target: "link",
                    %peer,
                    transport = path.transport,
                    address = path.address,
                    dialled,
                    "up",
                );
            }
            Notice::Down {
                path,
                reason,
                replaced: true,
                ..
            } => tracing::info!(
                target: "link",
                %peer,
                transport = path.transport,
                address = path.address,
                "another link carries on: {reason}",
            ),
            Notice::Down {
                path,
                reason,
                orderly: true,
                replaced: false,
            } => tracing::info!(
                target: "link",
                %peer,
                transport = path.transport,
                address = path.address,
                reason,
                "down",
            ),
            Notice::Down {
                path,
                reason,
                orderly: false,
                replaced: false,
            } => tracing::warn!(
                target: "link",
                %peer,
                transport = path.transport,
                address = path.address,
                reason,
                "down",
            ),
            Notice::Refused { path, reason } => tracing::warn!(
                target: "link",
                %peer,
                transport = path.transport,
                address = path.address,
                "there is no link: {reason}",
            ),
            Notice::Missed(count) => tracing::warn!(
                target: "link",
                %peer,
                count,
                "missed messages that the peer had dropped: its queue was full or they were too old",
            ),
            Notice::OtherConfig => {
                let mut warned = self
                    .other_config
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                if !warned.contains(peer) {
                    warned.push(peer.clone());
                    tracing::warn!(
                        target: "link",
                        %peer,
                        "has another configuration file: copy the same one to every node",
                    );
                }
            }
        }
    }

    fn dial_failed(&self, peer: &NodeName, transport: &str, reason: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let last = failures.insert(peer.clone(), reason.to_owned());
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
}

//! Messages of which somebody wants to know what becomes of them.

use std::sync::Arc;

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_link::{Fate, Receipt};
use kozo_wire::Message;

use super::PeerLink;

/// A message that was queued for a peer, and is watched until this is dropped.
pub(crate) struct WatchedMessage {
    link: Arc<PeerLink>,
    /// None: too many are watched already.
    receipt: Option<Receipt>,
}

impl PeerLink {
    /// Queues a message of this node as [`SendingToPeer::queue`](super::SendingToPeer::queue) does, and watches it.
    pub(crate) fn send_watched(self: &Arc<Self>, message: Message, now: Moment) -> WatchedMessage {
        let receipt = self.open().queue_watched(message, now);
        WatchedMessage {
            link: Arc::clone(self),
            receipt,
        }
    }
}

impl WatchedMessage {
    /// The node that it is for.
    pub(crate) fn node(&self) -> &NodeName {
        self.link.name()
    }

    /// What has become of it; none: nobody knows.
    pub(crate) fn fate(&self) -> Option<Fate> {
        let receipt = self.receipt?;
        Some(self.link.look(|peer| peer.fate(receipt)))
    }
}

impl Drop for WatchedMessage {
    fn drop(&mut self) {
        if let Some(receipt) = self.receipt {
            self.link.lock().peer.unwatch(receipt);
        }
    }
}

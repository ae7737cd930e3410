//! What arrives on a link goes straight into the core, and from there to the router.

use std::sync::{Arc, OnceLock};

use super::{Arrivals, PeerLink};
use crate::auth::secured::{Receiver, Refused};
use crate::clock;
use crate::link::LinkKey;
use crate::wire::{FrameDecoder, FrameError};

/// Takes the bytes of one link. It exists from the moment that the peer is authenticated.
pub(super) struct Feed {
    link: Arc<PeerLink>,
    arrivals: Arc<dyn Arrivals>,
    /// None when the core did not want the link.
    key: Option<LinkKey>,
    decoder: FrameDecoder,
}

impl Feed {
    pub(super) fn new(
        link: Arc<PeerLink>,
        arrivals: Arc<dyn Arrivals>,
        key: Option<LinkKey>,
    ) -> Self {
        Self { link, arrivals, key, decoder: FrameDecoder::default() }
    }
}

impl Receiver for Feed {
    fn data(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let Some(key) = self.key else {
            return Err(Refused::new("there are too many links, or the node stops"));
        };
        let now = clock::now();
        let mut deliveries = Vec::new();
        let decoder = &mut self.decoder;
        let (result, acknowledged) = self.link.change(now, |peer| {
            let before = peer.status_of_room();
            let result = decoder.decode(bytes, |frame| {
                let delivery = peer
                    .received(key, frame, now)
                    .map_err(|violation| Stop(violation.to_string()))?;
                deliveries.extend(delivery);
                Ok::<(), Stop>(())
            });
            let incomplete = decoder.pending().map(|(_, announced)| announced);
            peer.heard(key, incomplete, now);
            (result, before != peer.status_of_room())
        });
        if acknowledged {
            self.arrivals.room(self.link.name());
        }
        for delivery in deliveries {
            self.arrivals.deliver(self.link.name(), delivery, now);
        }
        result.map_err(|Stop(reason)| Refused::new(reason))
    }
}

/// Why the rest of the bytes is not looked at.
struct Stop(String);

impl From<FrameError> for Stop {
    fn from(error: FrameError) -> Self {
        Self(error.to_string())
    }
}

/// The key of a link that is being made: the feed learns it when the peer is authenticated, the
/// task that makes the link when that is complete.
#[derive(Debug, Clone, Default)]
pub(super) struct MadeKey(Arc<OnceLock<(Arc<PeerLinkRef>, LinkKey)>>);

/// Only there to name the link in the cell above.
#[derive(Debug)]
pub(super) struct PeerLinkRef;

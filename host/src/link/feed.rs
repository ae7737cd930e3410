//! What arrives on a link goes straight into the core, and from there to the router.

use std::sync::Arc;

use kozo_auth::secured::{Receiver, Refused};
use kozo_ground::clock;
use kozo_ground::text::error_text;
use kozo_link::{LinkKey, ProtocolViolation};
use kozo_wire::{FrameDecoder, FrameError};

use super::arrivals::Arrivals;
use super::peer_link::PeerLink;

/// A frame with a short message has about so many bytes: tells how many a packet may hold.
const SHORT_FRAME: usize = 128;

/// Takes the bytes of one link. It exists from the moment that the peer is authenticated.
pub(super) struct Feed {
    /// The link; none when the core did not want it.
    link: Option<(Arc<PeerLink>, LinkKey)>,
    arrivals: Arc<dyn Arrivals>,
    decoder: FrameDecoder,
}

impl Feed {
    pub(super) fn new(link: Option<(Arc<PeerLink>, LinkKey)>, arrivals: Arc<dyn Arrivals>) -> Self {
        Self {
            link,
            arrivals,
            decoder: FrameDecoder::default(),
        }
    }
}

impl Receiver for Feed {
    fn data(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let Some((link, key)) = &self.link else {
            return Err(Refused::new("this node does not want the link"));
        };
        let key = *key;
        let now = clock::now();
        let mut deliveries = Vec::with_capacity(bytes.len() / SHORT_FRAME);
        let decoder = &mut self.decoder;
        let result = link.change(now, |peer| {
            let result = decoder.decode(bytes, |frame| {
                deliveries.extend(peer.received(key, frame, now)?);
                Ok::<(), BrokenStream>(())
            });
            peer.heard(key, decoder.pending(), now);
            result
        });
        if !deliveries.is_empty() {
            self.arrivals.deliver(link.name(), deliveries, now);
        }
        result.map_err(|broken| Refused::new(error_text(&broken)))
    }
}

/// How the peer broke the protocol: the rest of its bytes is not looked at.
#[derive(Debug, thiserror::Error)]
enum BrokenStream {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Protocol(#[from] ProtocolViolation),
}

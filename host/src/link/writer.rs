//! The task of one link: writes what the core wants written, until the link ends.

use std::sync::Arc;

use kozo_auth::SecuredLink;
use kozo_auth::secured::Ended;
use kozo_ground::clock;
use kozo_link::{LinkEnding, LinkKey, LinkOutput, OUTPUT_CHUNK, Peer};
use kozo_wire::FrameWriter;

use super::arrivals::Arrivals;
use super::peer_link::PeerLink;

/// Serves a link until it ends. Dropping the future closes the link at once.
pub(super) async fn serve(
    link: Arc<PeerLink>,
    key: LinkKey,
    secured: SecuredLink,
    arrivals: Arc<dyn Arrivals>,
) {
    let registration = Registration::new(&link, key, &secured);
    let mut writer = FrameWriter::default();
    loop {
        let output = gather(&link, key, &mut writer);
        let idle = writer.is_empty();
        let is_long = writer.len() > WRITE_LEN;
        if !idle {
            // Who was woken for the room of one message would only send that one, and wait again.
            if link.look(Peer::is_roomy) {
                arrivals.room();
            }
            tokio::select! {
                sent = secured.sender.send(writer.take()) => {
                    if sent.is_err() {
                        break;
                    }
                }
                _ = secured.session.ended() => break,
            }
            if is_long {
                // What has come meanwhile, acknowledgements among it, is taken first: so long messages do not pile up.
                tokio::task::yield_now().await;
            }
        }
        if output == LinkOutput::Last {
            secured.sender.close().await;
            return;
        }
        if idle {
            tokio::select! {
                () = registration.wake.notified() => {}
                _ = secured.session.ended() => break,
            }
        }
    }
    let ended = secured.session.ended().await;
    let ending = match ended {
        Ended::ByUs | Ended::ByPeer => LinkEnding::Orderly,
        Ended::Refused(_) | Ended::Lost(_) => LinkEnding::Fault,
    };
    let (reason, now) = (ended.to_string(), clock::now());
    link.change(now, |peer| peer.closed(key, ending, &reason, now));
}

/// Puts what waits into `writer`, as much as makes one write.
fn gather(link: &PeerLink, key: LinkKey, writer: &mut FrameWriter) -> LinkOutput {
    loop {
        let before = writer.len();
        let output = link.output(key, writer);
        let is_all = writer.len() - before < OUTPUT_CHUNK;
        if is_all || output == LinkOutput::Last || writer.len() > WRITE_LEN - OUTPUT_CHUNK {
            return output;
        }
    }
}

/// The largest write, in bytes, but for a message that is larger. With its frame around it, it
/// still fits into one packet of SSH, of 64 KiB: what is more would be a packet of its own.
const WRITE_LEN: usize = 60 * 1024;

/// The link's place among those that the peer wakes.
struct Registration<'a> {
    link: &'a PeerLink,
    key: LinkKey,
    wake: Arc<tokio::sync::Notify>,
}

impl<'a> Registration<'a> {
    fn new(link: &'a PeerLink, key: LinkKey, secured: &SecuredLink) -> Self {
        let (traffic, negotiated) = (secured.traffic.clone(), secured.negotiated.clone());
        let direct = secured.direct.clone();
        Self {
            link,
            key,
            wake: link.add_writer(key, traffic, negotiated, direct),
        }
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.link.remove_writer(self.key);
    }
}

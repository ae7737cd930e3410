//! The task of one link: writes what the core wants written, until the link ends.

use std::sync::Arc;

use super::{Arrivals, PeerLink};
use crate::auth::secured::Secured;
use crate::clock;
use crate::link::{LinkKey, Output};
use crate::wire::FrameWriter;

/// Serves a link until it ends. Dropping the future closes the link at once.
pub(super) async fn serve(
    link: Arc<PeerLink>,
    key: LinkKey,
    secured: Secured,
    arrivals: Arc<dyn Arrivals>,
) {
    let registration = Registration::new(&link, key);
    let mut writer = FrameWriter::default();
    loop {
        let output = link.output(key, &mut writer);
        let idle = writer.is_empty();
        if !idle {
            arrivals.room(link.name());
            tokio::select! {
                sent = secured.sender.send(writer.take()) => {
                    if sent.is_err() {
                        break;
                    }
                }
                _ = secured.session.ended() => break,
            }
        }
        if output == Output::Last {
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
    let reason = secured.session.ended().await.to_string();
    let now = clock::now();
    link.change(now, |peer| peer.closed(key, &reason, now));
}

/// The link's place among those that the peer wakes.
struct Registration<'a> {
    link: &'a PeerLink,
    key: LinkKey,
    wake: Arc<tokio::sync::Notify>,
}

impl<'a> Registration<'a> {
    fn new(link: &'a PeerLink, key: LinkKey) -> Self {
        Self {
            link,
            key,
            wake: link.add_writer(key),
        }
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.link.remove_writer(self.key);
    }
}

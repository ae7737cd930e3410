//! A secured link as the rest of the host sees it: bytes to and from a peer whose name is proven.
//!
//! ```text
//!            Sender::send ─▶ bounded queue ─▶ ┌────────────────┐
//!   caller                                    │ session's task │ ◀─▶ encrypted stream
//!            Receiver::data ◀──────────────── └────────────────┘
//! ```
//!
//! Nothing here says SSH: a transport with security of its own can stand behind the same types.

mod ending;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use kozo_ground::names::NodeName;

use super::ssh::Outlet;

pub(super) use ending::{CLOSE_LIMIT, Ending};
pub use ending::{Ended, Session};

pub use super::stream::Traffic;

/// A link whose two ends have proven who they are.
#[derive(Debug)]
pub struct Secured {
    /// The node at the other end.
    pub peer: NodeName,
    /// The way out.
    pub sender: Sender,
    /// The link itself: it lives as long as this does.
    pub session: Session,
    /// What protects the link, where this end knows. The end that accepted an SSH connection does
    /// not; what it offers includes what the other end chose.
    pub negotiated: Option<Negotiated>,
    /// What has gone over the stream, encryption included.
    pub traffic: Traffic,
}

/// The algorithms that protect a link, by their SSH names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The cipher.
    pub cipher: String,
    /// The MAC; `None` when the cipher authenticates what it encrypts, and so uses none.
    pub mac: Option<String>,
}

/// Takes what arrives on a link.
///
/// One is made for each link, once the peer is authenticated and the channel open; it is dropped
/// when the link has ended.
pub trait Receiver: Send + 'static {
    /// Takes the next bytes, in whatever pieces they arrived.
    ///
    /// It is called where the bytes are decrypted, and nothing is read from this link meanwhile:
    /// it must not block. It may be called before [`Secured`] is in the caller's hands.
    ///
    /// # Errors
    /// [`Refused`] when the bytes break the protocol above; the link is cut then.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Refused>;
}

/// Why the bytes of a peer are not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(Cow<'static, str>);

impl Refused {
    /// `reason` completes the sentence "the peer broke the protocol: …".
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

/// Nothing more can be sent: the link is closing or has ended. [`Session::ended`] says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link is closed")]
pub struct Closed;

/// Sends on a link. Clones send on the same one.
#[derive(Debug, Clone)]
pub struct Sender {
    outlet: Outlet,
    ending: Arc<Ending>,
}

impl Sender {
    pub(super) fn new(outlet: Outlet, ending: Arc<Ending>) -> Self {
        Self { outlet, ending }
    }

    /// Queues bytes, waiting while the peer or the path cannot take more.
    ///
    /// What is queued beyond the peer's window is bounded by a count of calls, so the caller
    /// bounds it in bytes by the size of what it sends at a time. Dropping the future before it is
    /// ready queues nothing, never a part.
    ///
    /// # Errors
    /// [`Closed`] when the link is closing or has ended. What was queued before may not have
    /// arrived.
    pub async fn send(&self, bytes: Bytes) -> Result<(), Closed> {
        if self.ending.has_reason() {
            return Err(Closed);
        }
        self.outlet.send(bytes).await
    }

    /// Closes the link in order: what is queued goes out first, then the peer is told.
    ///
    /// Returns when the stream is closed, after two seconds at most: a peer that does not
    /// answer is cut off. Cancelling leaves the rest to the [`Session`] being dropped.
    pub async fn close(&self) {
        self.ending.note(Ended::ByUs);
        close(&self.outlet, &self.ending).await;
    }
}

/// Sends what is queued, says goodbye and cuts the stream when the session is over or the time is.
pub(super) async fn close(outlet: &Outlet, ending: &Ending) {
    let politely = async {
        outlet.close().await;
        ending.over().await;
    };
    // Timed out or not, the next step is the same.
    let _ = tokio::time::timeout(CLOSE_LIMIT, politely).await;
    ending.cut();
}

//! A secured link as the rest of the host sees it: bytes to and from a peer whose name is proven.
//!
//! ```text
//!            Sender::send ─▶ bounded queue ─▶ ┌────────────────┐
//!   caller                                    │ session's task │ ◀─▶ encrypted stream
//!            Receiver::data ◀──────────────── └────────────────┘
//! ```
//!
//! Nothing here says SSH, nor anything else that secures a stream: whatever does brings an [`Outlet`],
//! the way into its session's task, and the rest is the same for all.

mod termination;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kozo_ground::names::NodeName;

pub use crate::stream::{Stream, Traffic};
pub use termination::{Ended, Session};
pub(crate) use termination::{FinishOnDrop, Termination};

/// How long an orderly end may take before the stream is cut.
pub(crate) const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// A link whose two ends have proven who they are; `O` is what secures it.
pub struct Secured<O> {
    /// The node at the other end.
    pub peer: NodeName,
    /// The way out.
    pub sender: Sender<O>,
    /// The link itself: it lives as long as this does.
    pub session: Session,
    /// What protects the link, where this end knows. The end that accepted an SSH connection which stays one does
    /// not; what it offers includes what the other end chose.
    pub negotiated: Option<Negotiated>,
    /// What has gone over the stream, encryption included.
    pub traffic: Traffic,
    /// A second way out, for threads that must not wait, where what secures the link has one.
    pub direct: Option<Arc<dyn Direct>>,
}

/// The algorithms that protect a link, by their SSH names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// What SSH has handed the link over to, by the name that Noise has for it. None: it has not.
    pub noise: Option<&'static str>,
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

/// The way into a session's task: what secures a stream brings one.
///
/// Nothing is boxed on the way: the compiler knows for each link which outlet it has.
pub trait Outlet: Clone + Send + Sync + 'static {
    /// Queues bytes for the session's task, waiting for room. Dropping the future before it is ready
    /// queues nothing.
    ///
    /// # Errors
    /// [`Closed`] when the session is over.
    fn send(&self, bytes: Bytes) -> impl Future<Output = Result<(), Closed>> + Send;

    /// Queues the goodbye behind what is queued already. That the session is over is no error: it is
    /// what is wanted.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// Sends on a link. Clones send on the same one.
#[derive(Debug, Clone)]
pub struct Sender<O> {
    outlet: O,
    termination: Arc<Termination>,
}

impl<O: Outlet> Sender<O> {
    pub(crate) fn new(outlet: O, termination: Arc<Termination>) -> Self {
        Self {
            outlet,
            termination,
        }
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
        if self.termination.has_reason() {
            return Err(Closed);
        }
        self.outlet.send(bytes).await
    }

    /// Closes the link in order: what is queued goes out first, then the peer is told.
    ///
    /// Returns when the stream is closed, after two seconds at most: a peer that does not
    /// answer is cut off. Cancelling leaves the rest to the [`Session`] being dropped.
    pub async fn close(&self) {
        self.termination.note(Ended::ByUs);
        close(&self.outlet, &self.termination).await;
    }
}

/// Sends on a link from any thread, without waiting.
pub trait Direct: Send + Sync {
    /// Whether the path has taken all that was sent. If not, whoever can wait goes on: what is sent now would
    /// only wait in memory.
    fn has_room(&self) -> bool;

    /// Sends without waiting, in order with what goes through [`Sender`]. What the path does not take
    /// at once is kept, and goes by itself.
    ///
    /// # Errors
    /// [`Closed`], as [`Sender::send`].
    fn send(&self, bytes: &[u8]) -> Result<(), Closed>;
}

impl<O: fmt::Debug> fmt::Debug for Secured<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured")
            .field("peer", &self.peer)
            .field("sender", &self.sender)
            .field("session", &self.session)
            .field("negotiated", &self.negotiated)
            .finish_non_exhaustive()
    }
}

impl<O> Secured<O> {
    /// The same link with its outlet in another one.
    pub(crate) fn map_outlet<P>(self, map: impl FnOnce(O) -> P) -> Secured<P> {
        Secured {
            peer: self.peer,
            sender: Sender {
                outlet: map(self.sender.outlet),
                termination: self.sender.termination,
            },
            session: self.session,
            negotiated: self.negotiated,
            traffic: self.traffic,
            direct: self.direct,
        }
    }
}

/// Sends what is queued, says goodbye and cuts the stream when the session is over or the time is.
pub(crate) async fn close(outlet: &impl Outlet, termination: &Termination) {
    let politely = async {
        outlet.close().await;
        termination.over().await;
    };
    // Timed out or not, the next step is the same.
    let _ = tokio::time::timeout(CLOSE_LIMIT, politely).await;
    termination.cut();
}

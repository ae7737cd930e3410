//! How a link ends: the reason, said once, and the switch that closes its stream.

use std::fmt;
use std::sync::{Arc, Mutex};

use kozo_ground::lock::LockAnyway;
use tokio::sync::watch;

use crate::stream::Switch;

/// Why a link ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// This node closed it.
    ByUs,
    /// The peer closed it in order.
    ByPeer,
    /// The peer sent what the protocol does not allow, and was cut off.
    Refused(String),
    /// It broke: the path failed, the peer died, or the encryption did not fit.
    Lost(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByUs => f.write_str("closed by this node"),
            Self::ByPeer => f.write_str("closed by the peer"),
            Self::Refused(reason) => write!(f, "the peer broke the protocol: {reason}"),
            Self::Lost(reason) => write!(f, "the link was lost: {reason}"),
        }
    }
}

/// A link's life: dropping it closes the stream at once, without a goodbye (for one, see
/// [`Sender::close`](super::Sender::close)).
#[derive(Debug)]
pub struct Session {
    termination: Arc<Termination>,
    /// Another has the stream now.
    has_let_go: bool,
}

impl Session {
    pub(crate) fn new(termination: Arc<Termination>) -> Self {
        Self {
            termination,
            has_let_go: false,
        }
    }

    /// Ends this without closing the stream, which another has taken over.
    pub(crate) fn let_go(mut self) {
        self.has_let_go = true;
    }

    /// Waits until the link has ended and says why. May be cancelled and called again.
    pub async fn ended(&self) -> Ended {
        self.termination.over().await;
        self.termination.reason()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.has_let_go {
            self.termination.note(Ended::ByUs);
            self.termination.cut();
        }
    }
}

/// Says that the session's task has ended, however it has: also by a panic.
pub(crate) struct FinishOnDrop(pub(crate) Arc<Termination>);

impl Drop for FinishOnDrop {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// What a session's task, its senders and its owner share about its end.
pub(crate) struct Termination {
    reason: Mutex<Option<Ended>>,
    over: watch::Sender<bool>,
    switch: Switch,
}

impl Termination {
    pub(crate) fn new(switch: Switch) -> Arc<Self> {
        Arc::new(Self {
            reason: Mutex::new(None),
            over: watch::Sender::new(false),
            switch,
        })
    }

    /// Notes why the link ends. The first reason stays: what follows from it explains nothing.
    pub(crate) fn note(&self, reason: Ended) {
        self.lock().get_or_insert(reason);
    }

    /// Whether the link is ending.
    pub(crate) fn has_reason(&self) -> bool {
        self.lock().is_some()
    }

    pub(crate) fn reason(&self) -> Ended {
        let unknown = || Ended::Lost("its task stopped unexpectedly".to_owned());
        self.lock().clone().unwrap_or_else(unknown)
    }

    /// What has a say over the stream.
    pub(crate) fn switch(&self) -> &Switch {
        &self.switch
    }

    /// Closes the stream now, whatever the session's task is doing.
    pub(crate) fn cut(&self) {
        self.switch.cut();
    }

    /// Says that the session's task has ended.
    pub(crate) fn finish(&self) {
        self.over.send_replace(true);
    }

    /// Waits for [`Termination::finish`].
    pub(crate) async fn over(&self) {
        // An error would mean that the sender is gone, and it is a field of this.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Ended>> {
        self.reason.lock_anyway()
    }
}

impl fmt::Debug for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Termination")
            .field("reason", &self.lock())
            .field("over", &*self.over.borrow())
            .finish_non_exhaustive()
    }
}

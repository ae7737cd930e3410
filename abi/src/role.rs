//! The role contract.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::Error;
use crate::role_host::{Filter, RoleHost};

/// A role: a task that a node performs. It has a thread of its own, so it may block.
///
/// The host makes it, then calls [`run`](Self::run) again and again until the daemon stops, at
/// the pace that [`pace`](Self::pace) says. A role that returns an error or panics is dropped,
/// and made anew after a while; nothing else on the node notices.
pub trait Role: Send + Sized + 'static {
    /// The role's options, as `module.yaml` describes them. The host has checked them and filled
    /// in every default before it hands them over.
    type Options: DeserializeOwned;

    /// Makes the role.
    ///
    /// # Errors
    /// Whatever keeps it from working. The host tries again later.
    fn new(options: Self::Options, host: &RoleHost) -> Result<Self, Error>;

    /// Does the role's work once, waiting for a message perhaps, and returns soon after
    /// [`RoleHost::stopping`] turns true.
    ///
    /// # Errors
    /// Whatever the role cannot go on from: it is made anew after a while.
    fn run(&mut self, host: &RoleHost) -> Result<(), Error>;

    /// When `run` is called again. By default at once: it is expected to wait in
    /// [`RoleHost::receive`].
    fn pace(&self) -> Pace {
        Pace::AtOnce
    }

    /// The limits of the role's inbox, given those of the configuration.
    fn inbox(&self, configured: InboxLimits) -> InboxLimits {
        configured
    }

    /// Chooses among the messages that the interests in `module.yaml` let in, where patterns
    /// cannot say it. Asked once, after [`new`](Self::new).
    fn filter(&self) -> Option<Filter> {
        None
    }

    /// Opens files again that somebody may have moved: the daemon got a SIGHUP.
    ///
    /// # Errors
    /// As for `run`.
    fn reopen(&mut self, host: &RoleHost) -> Result<(), Error> {
        let _ = host;
        Ok(())
    }

    /// The last call, when the daemon stops or the role is restarted: writes out what is still in
    /// memory. A role that failed is dropped without it.
    ///
    /// # Errors
    /// They are logged.
    fn stop(&mut self, host: &RoleHost) -> Result<(), Error> {
        let _ = host;
        Ok(())
    }
}

/// When `run` is called again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    AtOnce,
    /// So long after the last start of `run` at the earliest; the very first call comes after a
    /// random part of that, so that many roles do not all start together.
    Every(Duration),
    /// As [`Every`](Self::Every), but also as soon as a message waits in the inbox.
    EveryOrMessage(Duration),
}

/// The limits of a role's inbox. A message that does not fit pushes out the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxLimits {
    /// How many messages it holds.
    pub length: u64,
    /// How many bytes they have together.
    pub size: u64,
}

//! Why a role is not there any more, or never was.

use std::io;

use kozo_child::StartError;

use crate::modules::{CallError, RegistryError};

/// Why a role could not be made, or has failed since.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RoleError {
    /// Its module cannot be had.
    #[error(transparent)]
    Module(#[from] RegistryError),
    /// One of its own functions failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Its process cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system refuses what its process needs.
    #[error("{what}: {reason}")]
    System {
        /// What it refuses.
        what: &'static str,
        /// What the system says.
        #[source]
        reason: io::Error,
    },
    /// Its process has ended, as this says.
    #[error("{0}")]
    Ended(String),
    /// The host's side of the interface to its module panicked.
    #[error("the host panicked: {0}")]
    HostPanic(String),
}

impl RoleError {
    /// The system refuses `what`.
    pub(super) fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System {
            what,
            reason: error.into(),
        }
    }
}

//! Why a role's process cannot work.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::modules::CallError;
use crate::roles::isolated::protocol::{COMMAND, IpcError};

/// Why a role's process cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ChildError {
    /// The system refuses something.
    #[error("{what}: {reason}")]
    System {
        /// What it refuses.
        what: &'static str,
        /// What the system says.
        #[source]
        reason: io::Error,
    },
    /// Nobody spoke to it as a host would.
    #[error(
        "`{COMMAND}` is what the host starts for an isolated role, and nothing for people: {0}"
    )]
    NoHost(#[from] IpcError),
    /// The role says so.
    #[error(transparent)]
    Role(#[from] CallError),
    /// The module cannot be loaded.
    #[error("the module `{}` cannot be loaded: {reason}", .path.display())]
    Module {
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: Box<dyn Error + Send + Sync>,
    },
}

impl ChildError {
    pub(super) fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System {
            what,
            reason: error.into(),
        }
    }
}

//! Why there is no process for a role.

use std::io;

use kozo_ground::text::error_text;

use super::protocol::{COMMAND, ProtocolError};

/// Why there is no process for a role, or why it cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The system refuses something.
    #[error("{what}: {error}")]
    System {
        /// What it refuses.
        what: &'static str,
        /// Its reason.
        error: io::Error,
    },
    /// Nobody spoke to it as a host would.
    #[error(
        "`{COMMAND}` is what the host starts for an isolated role, and nothing for people: {0}"
    )]
    NoHost(String),
}

impl ProcessError {
    pub(super) fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System {
            what,
            error: error.into(),
        }
    }
}

impl From<ProtocolError> for ProcessError {
    fn from(error: ProtocolError) -> Self {
        Self::NoHost(error_text(&error))
    }
}

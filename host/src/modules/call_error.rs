//! Why a call into a module failed.

use abi_stable::std_types::{RResult, RString};
use rustix::io::Errno;

/// Why a call into a module failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The module's own words, or those of its panic: nothing else of an error crosses the interface.
    #[error("{0}")]
    Said(String),
    /// A connection is none that the host could read and write.
    #[error(
        "the transport handed over a socket to `{address}` that is no stream socket, a fault of its module"
    )]
    NotAStream {
        /// The other end.
        address: String,
    },
    /// What was handed over as a connection is not even a socket.
    #[error(
        "the transport handed over a descriptor for `{address}` that is no socket, a fault of its module: {reason}"
    )]
    NotASocket {
        /// The other end.
        address: String,
        /// What the system says.
        reason: Errno,
    },
}

/// What a module's function has returned.
pub(super) fn called<T>(result: RResult<T, RString>) -> Result<T, CallError> {
    result
        .into_result()
        .map_err(|text| CallError::Said(text.into()))
}

//! Why calls between the host and a module fail.

use std::error::Error;

use abi_stable::std_types::{RResult, RString};
use kozo_ground::text::error_text;
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

/// Why the host does not do what a module asks for. The module gets the text, with its causes.
pub type ServiceError = Box<dyn Error + Send + Sync>;

/// What a module gets of such an error.
pub(super) fn told(error: ServiceError) -> RString {
    error_text(&*error).into()
}

/// What a module's function has returned.
pub(super) fn called<T>(result: RResult<T, RString>) -> Result<T, CallError> {
    result
        .into_result()
        .map_err(|text| CallError::Said(text.into()))
}

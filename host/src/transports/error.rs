//! Why a transport cannot be made, or asked.

use kozo_ground::names::{ModuleName, TransportName};
use rustix::io::Errno;

use crate::limited::NoResult;
use crate::modules::{CallError, RegistryError};

/// Why there is no transport.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TransportError {
    /// Its module cannot be had.
    #[error(transparent)]
    Module(#[from] RegistryError),
    /// The module refuses it.
    #[error(transparent)]
    Refused(#[from] CallError),
    /// The module does not come back.
    #[error(transparent)]
    Hangs(#[from] NoResult),
    /// The module is not asked, since it has not come back before.
    #[error("its module `{0}` did not come back from making another one")]
    Hung(ModuleName),
    /// The options cannot be encoded.
    #[error(transparent)]
    Options(#[from] rmp_serde::encode::Error),
    /// The system has no descriptor left.
    #[error("no descriptor is left for its stop signal: {0}")]
    StopSignal(#[source] Errno),
}

/// Why an address cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("transport `{transport}`: {reason}")]
pub(crate) struct AddressError {
    pub(super) transport: TransportName,
    #[source]
    pub(super) reason: TransportError,
}

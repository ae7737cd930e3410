//! Why a daemon does not start.

use kozo_auth::algorithms::AlgorithmError;
use kozo_auth::keys::KeyError;
use kozo_description::Problems;

use super::claim::ClaimError;
use crate::roles::RoleStartError;
use crate::storage::StorageError;

/// Why a daemon does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The file, or what modules make of it.
    #[error(transparent)]
    Config(#[from] Problems),
    /// The node runs on this machine already.
    #[error(transparent)]
    Twice(#[from] ClaimError),
    /// The node's private key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The options `cipher` and `hmac`.
    #[error(transparent)]
    Algorithms(#[from] AlgorithmError),
    /// The folder `roleStorage`.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A role.
    #[error(transparent)]
    Role(#[from] RoleStartError),
    /// The system refuses something that every daemon needs.
    #[error("{what}: {error}")]
    System {
        /// What it refuses.
        what: &'static str,
        /// Its reason.
        error: std::io::Error,
    },
}

impl StartError {
    pub(super) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}

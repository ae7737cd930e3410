//! Why a bus of this node cannot be.

use std::path::PathBuf;

use kozo_auth::secret_file::SecretFileError;
use kozo_bus::BusError as CoreError;
use kozo_bus::subject::SecretTooShort;
use rustix::io::Errno;

use super::counter::CounterError;
use crate::limited::NoResult;
use crate::modules::{CallError, RegistryError};
use crate::transports::StateError;

/// Why there is no bus.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BusError {
    /// The file tells too little: its module is not here, which was said when the file was read.
    #[error("its module is not known on this machine, or could do nothing with its options")]
    NoOptions,
    /// Its module cannot be had.
    #[error(transparent)]
    Module(#[from] RegistryError),
    /// The module refuses it.
    #[error(transparent)]
    Refused(#[from] CallError),
    /// The module does not come back.
    #[error(transparent)]
    Hangs(#[from] NoResult),
    /// The options cannot be encoded.
    #[error(transparent)]
    Options(#[from] rmp_serde::encode::Error),
    /// The system has no descriptor left.
    #[error("no descriptor is left for its stop signal: {0}")]
    StopSignal(#[source] Errno),
    /// There is no folder for its state.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no number for this run.
    #[error(transparent)]
    Counter(#[from] CounterError),
    /// The file with its secret cannot be read.
    #[error("`subjectSecretFile`: `{}` cannot be read: {reason}", .path.display())]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: SecretFileError,
    },
    /// Somebody else than the owner may read or write it.
    #[error(
        "`subjectSecretFile`: `{}` is open to others than its owner (mode {mode:04o}): run `chmod 600 {}`, and give \
         all nodes a new secret if somebody may have read it",
        .path.display(), .path.display()
    )]
    SecretExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others can read it, and it was handed to the daemon.
    #[error(
        "`subjectSecretFile`: `{}` can be read by others than root and this user (mode {mode:04o}, and no folder above \
         keeps them out): give it the mode 0400, or 0440 with a group of this user, where it comes from",
        .path.display()
    )]
    SecretShared {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is too long for one.
    #[error("`subjectSecretFile`: `{}` has more than {most} bytes, and so is none", .path.display())]
    SecretTooLong {
        /// The file.
        path: PathBuf,
        /// The most that are read.
        most: u64,
    },
    /// It is too short.
    #[error("`subjectSecretFile`: `{}`: {reason}", .path.display())]
    SecretTooShort {
        /// The file.
        path: PathBuf,
        /// How short.
        reason: SecretTooShort,
    },
    /// The core cannot begin.
    #[error(transparent)]
    Core(#[from] CoreError),
}

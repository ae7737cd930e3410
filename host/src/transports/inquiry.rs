//! The host of transports that are asked something and never run.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kozo_abi::{Level, Readiness};

use super::services::log;
use super::state_folders::StateFolders;
use crate::modules::{ServiceError, TransportIdentity, TransportServices};

/// What such a transport knows of its surroundings. It gets nothing from its host that a running
/// one would.
pub(super) struct Inquiry {
    identity: TransportIdentity,
    /// None when the transport may not have a folder either, since that would have to be made.
    state: Option<Arc<StateFolders>>,
    denied: AtomicBool,
}

impl Inquiry {
    /// The host of this transport, whose node may be the one that this machine is.
    pub(super) fn new(identity: TransportIdentity, state: Option<Arc<StateFolders>>) -> Self {
        Self {
            identity,
            state,
            denied: AtomicBool::new(false),
        }
    }

    /// Whether the transport wanted something that it would get from the host of one that runs: then
    /// it may have failed for that alone.
    pub(super) fn has_denied(&self) -> bool {
        self.denied.load(Ordering::SeqCst)
    }

    fn deny<T>(&self, what: &str) -> Result<T, ServiceError> {
        self.denied.store(true, Ordering::SeqCst);
        Err(format!("{what} while a transport is only asked").into())
    }
}

impl TransportServices for Inquiry {
    fn identity(&self) -> &TransportIdentity {
        &self.identity
    }

    fn stopping(&self) -> bool {
        false
    }

    fn wait_readable(
        &self,
        _: BorrowedFd<'_>,
        _: Option<Duration>,
    ) -> Result<Readiness, ServiceError> {
        self.deny("nothing is waited for")
    }

    fn sign(&self, _data: &[u8]) -> Result<Vec<u8>, ServiceError> {
        self.deny("nothing is signed")
    }

    fn verify(&self, _node: &str, _data: &[u8], _signature: &[u8]) -> Result<(), ServiceError> {
        self.deny("nothing is verified")
    }

    fn state_dir(&self) -> Result<PathBuf, ServiceError> {
        match &self.state {
            Some(state) => Ok(state.folder(&self.identity.node, self.identity.name.as_str())?),
            None => self.deny("no folder is made"),
        }
    }

    fn set_status(&self, _text: &str) {}

    fn log(&self, level: Level, text: &str) {
        log(level, &self.identity, text);
    }
}

//! What the host does for one transport.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kozo_abi::{Level, Readiness};
use kozo_auth::attest::Attestor;
use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;
use kozo_ground::text::status_line;
use kozo_status::TransportState;
use rustix::io::Errno;

use super::state_folders::StateFolders;
use crate::modules::{ServiceError, TransportIdentity, TransportServices};
use crate::stop_signal::StopSignal;

pub(super) struct Services {
    identity: TransportIdentity,
    attestor: Arc<Attestor>,
    state_folders: Arc<StateFolders>,
    stop: StopSignal,
    condition: Mutex<TransportCondition>,
    /// What the transport is about, as it has said last.
    status: Mutex<Option<String>>,
}

/// How a transport is.
#[derive(Debug, Clone)]
pub(super) struct TransportCondition {
    pub(super) state: TransportState,
    /// Why it is failing, where it is.
    pub(super) error: Option<String>,
    /// Since when it has been so.
    pub(super) since: Moment,
}

impl Services {
    pub(super) fn new(
        identity: TransportIdentity,
        attestor: Arc<Attestor>,
        state_folders: Arc<StateFolders>,
    ) -> Result<Arc<Self>, Errno> {
        Ok(Arc::new(Self {
            identity,
            attestor,
            state_folders,
            stop: StopSignal::new()?,
            condition: Mutex::new(TransportCondition {
                state: TransportState::Starting,
                error: None,
                since: clock::now(),
            }),
            status: Mutex::default(),
        }))
    }

    pub(super) fn stop(&self) {
        self.stop.give();
    }

    /// Sleeps; false when the transport is being stopped.
    pub(super) fn sleep(&self, time: Duration) -> bool {
        matches!(self.stop.wait(None, Some(time)), Ok(Readiness::TimedOut))
    }

    /// How the transport is.
    pub(super) fn condition(&self) -> TransportCondition {
        self.condition.lock_anyway().clone()
    }

    /// The transport works, in this way.
    pub(super) fn set_state(&self, state: TransportState) {
        self.set_condition(state, None);
    }

    /// The transport does not work, for this reason.
    pub(super) fn set_failing(&self, reason: String) {
        self.set_condition(TransportState::Failing, Some(reason));
    }

    fn set_condition(&self, state: TransportState, error: Option<String>) {
        let mut present = self.condition.lock_anyway();
        if (present.state, &present.error) != (state, &error) {
            *present = TransportCondition {
                state,
                error,
                since: clock::now(),
            };
        }
    }

    /// What the transport is about, as it has said last.
    pub(super) fn status(&self) -> Option<String> {
        self.status.lock_anyway().clone()
    }

    /// A fault of the transport, for the log.
    pub(super) fn report(&self, text: &str) {
        self.log(Level::Error, text);
    }
}

impl TransportServices for Services {
    fn identity(&self) -> &TransportIdentity {
        &self.identity
    }

    fn stopping(&self) -> bool {
        self.stop.is_given()
    }

    fn wait_readable(
        &self,
        fd: BorrowedFd<'_>,
        time: Option<Duration>,
    ) -> Result<Readiness, ServiceError> {
        self.stop
            .wait(Some(fd), time)
            .map_err(|error| format!("waiting for a connection: {error}").into())
    }

    fn sign(&self, data: &[u8]) -> Result<Vec<u8>, ServiceError> {
        if !self.identity.is_local {
            return Err("only a transport of the node that runs may sign".into());
        }
        Ok(self.attestor.sign(&self.identity.module, data)?)
    }

    fn verify(&self, node: &str, data: &[u8], signature: &[u8]) -> Result<(), ServiceError> {
        Ok(self
            .attestor
            .verify(&self.identity.module, node, data, signature)?)
    }

    fn state_dir(&self) -> Result<PathBuf, ServiceError> {
        if !self.identity.is_local {
            return Err("only a transport of the node that runs has a state folder".into());
        }
        Ok(self
            .state_folders
            .folder(&self.identity.node, self.identity.name.as_str())?)
    }

    fn set_status(&self, text: &str) {
        let mut status = self.status.lock_anyway();
        *status = status_line(text);
    }

    fn log(&self, level: Level, text: &str) {
        log(level, &self.identity, text);
    }
}

/// Writes a line of a transport into the log.
pub(super) fn log(level: Level, identity: &TransportIdentity, text: &str) {
    let (transport, node) = (&identity.name, &identity.node);
    match level {
        Level::Error => tracing::error!(target: "transport", %transport, %node, "{text}"),
        Level::Warn => tracing::warn!(target: "transport", %transport, %node, "{text}"),
        Level::Info => tracing::info!(target: "transport", %transport, %node, "{text}"),
        Level::Debug => tracing::debug!(target: "transport", %transport, %node, "{text}"),
    }
}

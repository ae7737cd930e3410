//! What the host does for a transport.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use kozo_abi::{Level, Readiness};
use kozo_ground::names::{ModuleName, NodeName, TransportName};

use super::call_error::ServiceError;

/// Which transport the host does things for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportIdentity {
    /// The node that the transport belongs to.
    pub node: NodeName,
    /// The transport's name.
    pub name: TransportName,
    /// Its module.
    pub module: ModuleName,
    /// Whether that node is the one that runs.
    pub is_local: bool,
}

/// What the host does for a transport. It is called from any thread of the transport's, several
/// at once. A panic in it is logged and the transport gets a failure.
pub trait TransportServices: Send + Sync + 'static {
    /// Which transport it is.
    fn identity(&self) -> &TransportIdentity;

    /// Whether the transport is being stopped.
    fn stopping(&self) -> bool;

    /// Waits until `fd` is readable or its other end is gone, at most so long (none: for ever),
    /// or until the transport is being stopped.
    ///
    /// # Errors
    /// The system's.
    fn wait_readable(
        &self,
        fd: BorrowedFd<'_>,
        timeout: Option<Duration>,
    ) -> Result<Readiness, ServiceError>;

    /// Signs `data` with the key of the node that runs, for the transport's module alone.
    ///
    /// # Errors
    /// Why it is not signed.
    fn sign(&self, data: &[u8]) -> Result<Vec<u8>, ServiceError>;

    /// Checks such a signature of another node.
    ///
    /// # Errors
    /// Why it proves nothing.
    fn verify(&self, node: &str, data: &[u8], signature: &[u8]) -> Result<(), ServiceError>;

    /// The folder that the transport keeps its own files in; it is there when this returns.
    ///
    /// # Errors
    /// Why there is none.
    fn state_dir(&self) -> Result<PathBuf, ServiceError>;

    /// What the transport is about at present, for people; any text of any length.
    fn set_status(&self, text: &str);

    /// A line of the transport's for the host's own log.
    fn log(&self, level: Level, text: &str);
}

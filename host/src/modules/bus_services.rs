//! What the host does for a bus.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use kozo_abi::{Delivered, Level, Limits, Readiness};
use kozo_ground::names::{BusName, ModuleName, NodeName};
use kozo_ground::queue::QueueLimits;

use super::call_error::ServiceError;

/// Which bus the host does things for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusIdentity {
    /// The node that the bus belongs to.
    pub node: NodeName,
    /// The bus's name.
    pub name: BusName,
    /// Its module.
    pub module: ModuleName,
}

/// What the host does for a bus. It is called from any thread of the bus's, several at once, and from
/// within `publish` and `subscribe` as well. A panic in it is logged and the bus gets a failure.
///
/// Texts have any length and content, subjects among them; nothing of a datagram is authenticated.
pub trait BusServices: Send + Sync + 'static {
    /// Which bus it is.
    fn identity(&self) -> &BusIdentity;

    /// Whether the bus is being stopped.
    fn stopping(&self) -> bool;

    /// Waits until `fd` is readable or its other end is gone, at most so long (none: for ever),
    /// or until the bus is being stopped.
    ///
    /// # Errors
    /// The system's.
    fn wait_readable(
        &self,
        fd: BorrowedFd<'_>,
        timeout: Option<Duration>,
    ) -> Result<Readiness, ServiceError>;

    /// The engine is connected, and all patterns are subscribed to.
    fn up(&self, limits: Limits);

    /// The connection is gone: what was not confirmed has to be published again.
    fn down(&self, reason: &str);

    /// A datagram has come in. It does not wait.
    fn deliver(&self, subject: &str, reply: Option<&str>, data: &[u8]) -> Delivered;

    /// Waits until [`deliver`](Self::deliver) has room, for so long at most; false when it has none,
    /// or the bus is being stopped.
    fn wait_for_room(&self, timeout: Duration) -> bool;

    /// So many datagrams for this node were thrown away on their way to the host.
    fn dropped(&self, count: u64);

    /// The engine has all that was published up to this number.
    fn confirmed(&self, number: u64);

    /// How much may be published and not confirmed until the host waits.
    fn window(&self) -> QueueLimits;

    /// Nobody was subscribed to this subject, to which a request was published.
    fn nobody(&self, subject: &str);

    /// The engine does not let this node publish to a subject or subscribe to a pattern.
    fn refused(&self, subject: &str, reason: &str);

    /// How long the engine took to answer last.
    fn round_trip(&self, time: Duration);

    /// The folder that the bus keeps its own files in; it is there when this returns.
    ///
    /// # Errors
    /// Why there is none.
    fn state_dir(&self) -> Result<PathBuf, ServiceError>;

    /// What the bus is about at present, for people; any text of any length.
    fn set_status(&self, text: &str);

    /// A line of the bus's for the host's own log.
    fn log(&self, level: Level, text: &str);
}

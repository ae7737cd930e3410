//! What a peer's state is made with, and what follows from that alone.

use std::time::Duration;

use kozo_ground::age::MaxAges;
use kozo_ground::names::NodeName;
use kozo_ground::queue::QueueLimits;
use kozo_wire::SessionId;

use kozo_ground::policy::ConnectPolicy;

/// What a peer's state is made with.
#[derive(Debug, Clone)]
pub struct PeerSettings {
    /// This node's name.
    pub own: NodeName,
    /// The other node's name.
    pub peer: NodeName,
    /// The number of this run of the daemon.
    pub session: SessionId,
    /// The policy for links from this node to the peer: the stricter of both nodes' wishes.
    pub outgoing: ConnectPolicy,
    /// The policy for links from the peer to this node.
    pub incoming: ConnectPolicy,
    /// How often this node sends heartbeats.
    pub heartbeat: Duration,
    /// How often the peer sends heartbeats, as far as the file says; its hello may say otherwise.
    pub peer_heartbeat: Duration,
    /// The ceiling of the back-off between tries.
    pub connection_retry: Duration,
    /// How long a link that is only wanted on demand may be idle.
    pub idle_timeout: Duration,
    /// The limits of what waits for the peer.
    pub queue: QueueLimits,
    /// How long messages have a meaning.
    pub max_ages: MaxAges,
    /// The largest read from a link: long frames get time in proportion to it.
    pub max_read: usize,
    /// SHA-256 of the configuration file.
    pub config_digest: Vec<u8>,
    /// The buses that one of the two reaches through the other.
    pub buses: Vec<String>,
    /// Where the jitter comes from.
    pub seed: u64,
}

impl PeerSettings {
    /// Whether this node closes superfluous links.
    pub(super) fn is_arbiter(&self) -> bool {
        self.own < self.peer
    }

    /// Whether this node leaves the first dial to the peer.
    pub(super) fn defers(&self) -> bool {
        !self.is_arbiter()
            && self.outgoing == ConnectPolicy::Constant
            && self.incoming == ConnectPolicy::Constant
    }
}

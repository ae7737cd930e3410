//! Why there is a link with a peer, or none.

use kozo_ground::names::NodeName;
use kozo_ground::policy::ConnectPolicy;
use serde::{Deserialize, Serialize};

use crate::{BusDetails, EventStatus, PeerStatus};

/// A peer with all that decides whether there is a link with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerDetails {
    /// The node that was asked.
    pub node: NodeName,
    /// The peer, as the status of the node has it.
    pub peer: PeerStatus,
    /// What allows links from the node to the peer.
    pub outgoing: PolicyStatus,
    /// What allows links from the peer to the node.
    pub incoming: PolicyStatus,
    /// The ways from the node to the peer, best first.
    pub ways: Vec<WayStatus>,
    /// What happened lately, oldest first.
    pub history: Vec<EventStatus>,
    /// `idleTimeout` of the node, in seconds.
    pub idle_timeout_seconds: f64,
    /// `connectionRetry` of the node, in seconds.
    pub connection_retry_seconds: f64,
    /// The bus that carries the messages of the two, where one does; there are no links then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<BusDetails>,
}

/// The same, and what it means in sentences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What the sentences rest on.
    pub details: PeerDetails,
    /// What `kozo why` prints, line by line. An empty line is between its parts.
    pub lines: Vec<String>,
}

/// When one node dials the other: the stricter of two options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// What holds.
    pub policy: ConnectPolicy,
    /// `selfToOthersConnectPolicy` of the node that dials.
    pub self_to_others: ConnectPolicy,
    /// `othersToSelfConnectPolicy` of the node that is dialled.
    pub others_to_self: ConnectPolicy,
}

/// A way to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayStatus {
    /// The node's transport.
    pub transport: String,
    /// The peer's transport.
    pub peer_transport: String,
    /// What the node's transport is about, as it has said last.
    #[serde(default)]
    pub status: Option<String>,
    /// Why the way is not tried at present.
    #[serde(default)]
    pub error: Option<String>,
}

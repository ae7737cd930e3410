//! A node as a whole.

use kozo_ground::names::NodeName;
use serde::{Deserialize, Serialize};

use crate::{BusStatus, PeerStatus, RoleStatus, TransportStatus};

/// All that a node knows of itself and of the others at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The node.
    pub node: NodeName,
    /// The daemon's version.
    pub version: String,
    /// The number of the daemon's process.
    pub pid: u32,
    /// For how long the daemon has run, in seconds.
    pub running_seconds: f64,
    /// The digest of the network's file that the node runs with: the start of its SHA-256, in hexadecimal
    /// digits. Nodes with the same digest have the same file.
    #[serde(default)]
    pub file_digest: String,
    /// The roles that the node hosts, in the order of the file.
    pub roles: Vec<RoleStatus>,
    /// The other nodes that it has links with, as far as there are any, by name.
    pub peers: Vec<PeerStatus>,
    /// The buses that it is on, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buses: Vec<BusStatus>,
    /// The node's transports, in the order of the file.
    pub transports: Vec<TransportStatus>,
    /// Orders that came from somebody whom `acceptOrdersFrom` does not name.
    pub orders_refused: u64,
    /// Connections that became no links.
    pub connections: ConnectionCounts,
    /// Lines that are not in the log as they were.
    #[serde(default)]
    pub log: LogLosses,
}

/// A node after it has changed, or when nobody waited any longer for that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangedStatus {
    /// A number for how it is, which is another one when it has changed. It means nothing else.
    pub version: u64,
    /// How it is.
    pub status: NodeStatus,
}

/// Connections that others made and that became no links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionCounts {
    /// Connections whose other end has not said who it is yet.
    pub unproven: usize,
    /// Connections that were closed early, since there were too many of those.
    pub turned_away: u64,
    /// Connections that were closed since the other end did not prove that it is a node of the
    /// network.
    pub refused: u64,
}

/// Lines that are not in the log as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogLosses {
    /// Lines that were dropped, since nobody read the log.
    pub dropped: u64,
    /// Lines that were too many of one kind, and are summed up in the last of them.
    pub summed_up: u64,
}

/// Which lines a daemon's log has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLevels {
    /// As `--log` writes it: the level, and those of single parts.
    pub levels: String,
    /// What the daemon was started with.
    pub at_start: String,
}

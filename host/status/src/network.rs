//! The nodes of the network, as one of them can tell of all.

use kozo_ground::names::NodeName;
use serde::{Deserialize, Serialize};

use crate::NodeStatus;

/// All nodes of the network's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkStatus {
    /// The node that was asked.
    pub asked: NodeName,
    /// What each node says of itself, in the order of their names.
    pub nodes: Vec<NodeReport>,
    /// How many nodes were not asked: they share buses with the one that was, and either nothing was heard of them,
    /// or there are too many, or others took all the time that there was.
    #[serde(default)]
    pub left_out: usize,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeReport {
    /// The node.
    pub node: NodeName,
    /// What it says.
    pub status: Option<NodeStatus>,
    /// Why it says nothing.
    pub error: Option<String>,
    /// For how long there has been no link with it, in seconds, where that is known.
    #[serde(default)]
    pub unreachable_seconds: Option<f64>,
    /// From the question to the end of the answer, in seconds; none for the node that was asked itself.
    #[serde(default)]
    pub took_seconds: Option<f64>,
    /// Whether it has another version of the network's file than the node that was asked.
    #[serde(default)]
    pub other_file: bool,
}

/// Round trips to a peer, summed up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PingSummary {
    /// The peer.
    pub node: NodeName,
    /// How many pings were sent.
    pub sent: u64,
    /// The answers.
    pub answers: Vec<PingAnswer>,
    /// The shortest round trip, in seconds; none without an answer.
    pub min_seconds: Option<f64>,
    /// The mean of all, in seconds.
    pub mean_seconds: Option<f64>,
    /// The longest, in seconds.
    pub max_seconds: Option<f64>,
    /// How much a round trip differs from the one before, in seconds, as the mean; none with fewer than two.
    pub jitter_seconds: Option<f64>,
    /// Why the last one that was not answered was not.
    pub error: Option<String>,
}

/// The answer of a peer to one ping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PingAnswer {
    /// The peer.
    pub node: NodeName,
    /// From the question to the answer, in seconds: over the present link, and through both daemons.
    pub round_trip_seconds: f64,
    /// How many bytes each way had besides.
    pub bytes: usize,
    /// This node's transport of the link, where there is one.
    pub transport: Option<String>,
    /// The address of the link's other end.
    pub address: Option<String>,
    /// The bus, where there is no link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
}

//! How a link does under load.

use kozo_ground::names::NodeName;
use serde::{Deserialize, Serialize};

/// What was measured of the link with a peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchResult {
    /// The peer.
    pub node: NodeName,
    /// This node's transport of the link.
    pub transport: Option<String>,
    /// The address of the link's other end.
    pub address: Option<String>,
    /// Questions without a load, one after another.
    pub round_trips: RoundTrips,
    /// Large questions, several at a time.
    pub throughput: Throughput,
}

/// Round trips, through both daemons; spans in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RoundTrips {
    /// How many there were.
    pub count: u64,
    /// The shortest.
    pub min_seconds: f64,
    /// Half took no longer.
    pub median_seconds: f64,
    /// Nine of ten took no longer.
    pub p90_seconds: f64,
    /// 99 of 100 took no longer.
    pub p99_seconds: f64,
    /// The longest.
    pub max_seconds: f64,
}

/// What went one way, from the node that was asked to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// How many questions were answered.
    pub questions: u64,
    /// How many bytes they carried.
    pub bytes: u64,
    /// How long it took, from the first question to the last answer.
    pub seconds: f64,
    /// Bytes carried in a second.
    pub bytes_per_second: f64,
    /// How many bytes the largest questions carried; slow links get smaller ones.
    pub largest_bytes: usize,
    /// How many were on their way at once, at most; slow links get fewer.
    pub parallel: usize,
    /// The longest that one took.
    pub max_seconds: f64,
}

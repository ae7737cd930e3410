//! Messages as they pass a node.

use kozo_ground::interest::Kind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A tap that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapNumber {
    /// Its number, among those of whoever opened it.
    pub tap: u64,
}

/// What a tap has taken up since it was asked last.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TappedMessages {
    /// The messages, the oldest first.
    pub messages: Vec<PassedMessage>,
    /// How many passed besides and are not among them: whoever watches was too slow, or they were too large.
    pub left_out: u64,
}

/// A message that passed a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PassedMessage {
    /// Event, order or log.
    pub kind: Kind,
    /// The node that sent it.
    pub node: String,
    /// The role on that node.
    pub role: String,
    /// Its type; empty for a log.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its channel.
    pub channel: Option<String>,
    /// When the sender's wall clock said it was sent: seconds since 1970.
    pub timestamp: f64,
    /// How old it was when it passed, in seconds, as far as the two nodes could measure it.
    pub age_seconds: f64,
    /// How many roles of this node got it.
    pub roles: usize,
    /// To how many other nodes it went from here over links with them.
    pub nodes: usize,
    /// The buses that it went over from here, or the one that it came over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buses: Vec<String>,
    /// Its data as JSON. What JSON has no words for: bytes are `{"base64": "…"}`, and keys that are no texts
    /// are written as one. `null` where the data is too long to be shown.
    pub data: Value,
    /// How many bytes of MessagePack the data has.
    pub data_bytes: usize,
    /// Whether the data is too long to be shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub data_left_out: bool,
}

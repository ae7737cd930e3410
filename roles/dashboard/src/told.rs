//! What the node answers: of each answer the parts that the page shows. What is of a later version is
//! left out, and what an older node does not tell has a default.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answer to `network`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Network {
    pub(crate) nodes: Vec<Report>,
}

/// What one node says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    pub(crate) node: String,
    pub(crate) status: Option<Status>,
    pub(crate) error: Option<String>,
    pub(crate) unreachable_seconds: Option<f64>,
    pub(crate) other_file: bool,
}

/// The answer to `changed`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Changed {
    pub(crate) version: u64,
    pub(crate) status: Status,
}

/// How a node is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) node: String,
    pub(crate) version: String,
    pub(crate) pid: u32,
    pub(crate) running_seconds: f64,
    pub(crate) file_digest: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) transports: Vec<Transport>,
    pub(crate) buses: Vec<Bus>,
    pub(crate) orders_refused: u64,
    pub(crate) connections: Connections,
    pub(crate) log: LogLosses,
}

/// A role of a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) module: String,
    pub(crate) state: String,
    pub(crate) restarts: u64,
    pub(crate) failures: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) lines_left_out: u64,
    pub(crate) inbox: Inbox,
    pub(crate) faces: Vec<Face>,
    /// What it has said of itself last.
    pub(crate) status: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Inbox {
    pub(crate) waiting: u64,
    pub(crate) bytes: u64,
    pub(crate) length_limit: u64,
    pub(crate) size_limit: u64,
    pub(crate) received: u64,
    pub(crate) taken: u64,
    pub(crate) dropped_by_limit: u64,
    pub(crate) dropped_by_age: u64,
    pub(crate) dropped_by_stop: u64,
}

impl Inbox {
    pub(crate) fn dropped(&self) -> u64 {
        let dropped = self.dropped_by_limit.saturating_add(self.dropped_by_age);
        dropped.saturating_add(self.dropped_by_stop)
    }
}

/// What a role is for people, as far as the page says it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Face {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) class: Option<String>,
}

/// A transport of a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Transport {
    pub(crate) name: String,
    pub(crate) module: String,
    pub(crate) state: String,
    pub(crate) error: Option<String>,
    pub(crate) status: Option<String>,
}

/// A bus that a node is on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Bus {
    pub(crate) name: String,
    pub(crate) module: String,
    pub(crate) state: String,
    pub(crate) error: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) server: Option<String>,
    pub(crate) round_trip_seconds: Option<f64>,
    pub(crate) nodes_heard: u64,
    pub(crate) queued: Amount,
    pub(crate) unconfirmed: Amount,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) repaired: u64,
    pub(crate) missed: u64,
    pub(crate) dropped_by_limit: u64,
    pub(crate) dropped_by_age: u64,
    pub(crate) refused: Vec<BusRefusals>,
    pub(crate) denied: Vec<BusDenial>,
}

/// What came over a bus and was not taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BusRefusals {
    pub(crate) text: String,
    pub(crate) count: u64,
}

/// What the engine of a bus does not let a node do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BusDenial {
    pub(crate) subject: String,
    pub(crate) reason: String,
}

/// A peer of a node.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Peer {
    pub(crate) peer: String,
    pub(crate) state: String,
    pub(crate) links: Vec<Link>,
    pub(crate) wanted: bool,
    pub(crate) links_made: u64,
    pub(crate) queued: Amount,
    pub(crate) in_flight: Amount,
    pub(crate) sent: u64,
    pub(crate) sent_again: u64,
    pub(crate) dropped_by_limit: u64,
    pub(crate) dropped_by_age: u64,
    pub(crate) received: u64,
    pub(crate) repeated: u64,
    pub(crate) missed: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) last_error_seconds: Option<f64>,
}

impl Peer {
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped_by_limit.saturating_add(self.dropped_by_age)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.state == "up"
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Link {
    pub(crate) transport: String,
    pub(crate) address: String,
    pub(crate) dialled: bool,
    pub(crate) up_seconds: f64,
    pub(crate) round_trip_seconds: Option<f64>,
    pub(crate) cipher: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Amount {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Connections {
    pub(crate) unproven: u64,
    pub(crate) turned_away: u64,
    pub(crate) refused: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LogLosses {
    pub(crate) dropped: u64,
    pub(crate) summed_up: u64,
}

/// The answer to `open-tap`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Opened {
    pub(crate) tap: u64,
}

/// The answer to `tapped`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tapped {
    pub(crate) messages: Vec<Passed>,
    pub(crate) left_out: u64,
}

/// A message that passed, as the page shows it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Passed {
    pub(crate) kind: String,
    pub(crate) node: String,
    pub(crate) role: String,
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    pub(crate) channel: Option<String>,
    pub(crate) timestamp: f64,
    pub(crate) age_seconds: f64,
    pub(crate) roles: u64,
    pub(crate) nodes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) buses: Vec<String>,
    pub(crate) data: Value,
    pub(crate) data_bytes: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) data_left_out: bool,
}

//! What happened with a peer's links.

use serde::{Deserialize, Serialize};

/// Something that happened with a peer's links, once or several times in the same way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventStatus {
    /// What happened.
    pub what: EventKind,
    /// The node's transport.
    pub transport: String,
    /// The address of the other end; of failed tries, `reason` names the addresses.
    pub address: Option<String>,
    /// Whether the node dialled, where a link came up.
    pub dialled: Option<bool>,
    /// Why it happened; none where a link came up.
    pub reason: Option<String>,
    /// How many seconds ago it happened for the first time.
    pub first_seconds: f64,
    /// How many seconds ago it happened for the last time.
    pub last_seconds: f64,
    /// How often it did.
    pub times: u64,
}

/// What may happen with a peer's links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A link came up.
    Up,
    /// A link ended in order, by a word of one side.
    Closed,
    /// A link ended by a fault.
    Lost,
    /// A link did not come about, although both ends had proven who they are.
    Refused,
    /// A try to dial failed.
    DialFailed,
}

impl EventKind {
    /// Whether something went wrong.
    pub fn is_fault(self) -> bool {
        matches!(self, Self::Lost | Self::Refused | Self::DialFailed)
    }
}

//! What a node knows of itself and of others: one family of types, which the parts of a node fill and
//! all readers take as they are. There is no other form of the same facts on the way.
//!
//! ```text
//!  link core, roles, transports, log ──▶ NodeStatus ──▶ --json, tables and sentences for people
//! ```
//!
//! As JSON these types are what `--json` prints, which is a contract: fields are added, and neither
//! renamed nor taken away. A reader of another version finds fields that it does not know, and does
//! not find some that it does, which have a default then.
//!
//! **Units.** Times are spans in seconds, up to the moment of the status or from it, never times of
//! day: a node may run where no clock is set. Bytes of messages count as queues count them; bytes of
//! links count as they are on the path, encryption included. Counts start with the daemon.

mod bench;
mod bus;
mod details;
mod history;
mod messages;
mod network;
mod node;
mod peer;
mod role;
mod sent;
mod transport;

pub use bench::{BenchResult, RoundTrips, Throughput};
pub use bus::{
    BusDenial, BusDetails, BusIncomingCounts, BusNodeState, BusNodeStatus, BusNodes,
    BusOutgoingCounts, BusRefusals, BusState, BusStatus, GatewayStatus,
};
pub use details::{Explanation, PeerDetails, PolicyStatus, WayStatus};
pub use history::{EventKind, EventStatus};
pub use messages::{PassedMessage, TapNumber, TappedMessages};
pub use network::{NetworkStatus, NodeReport, PingAnswer, PingSummary};
pub use node::{ChangedStatus, ConnectionCounts, LogLevels, LogLosses, NodeStatus};
pub use peer::{
    Amount, AttemptStatus, InboundCounts, LinkStatus, OutboxCounts, PeerState, PeerStatus,
    TwinsStatus, UnusableTransport,
};
pub use role::{InboxStatus, RoleDetails, RoleState, RoleStatus, SteeredRole};
pub use sent::{MessageFate, SentMessage, SentTo, SentToBus};
pub use transport::{TransportState, TransportStatus};

#[cfg(test)]
mod tests;

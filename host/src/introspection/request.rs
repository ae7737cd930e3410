//! What can be asked of a node, and what that takes.

use kozo_ground::grant::Grant;
use kozo_ground::interest::{Interest, Kind};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::Value;

use crate::config::Disclosure;

/// A question about the node, or something that it shall do.
///
/// The control socket, other nodes and roles ask the same; who may ask what is decided by
/// [`needs`](Self::needs).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// A [`NodeStatus`](kozo_status::NodeStatus).
    Status,
    /// Waits until the node has changed: a [`ChangedStatus`](kozo_status::ChangedStatus). What is merely
    /// counted is no change.
    Changed {
        /// The number of the last answer; without it the answer comes at once.
        #[serde(default)]
        since: Option<u64>,
        /// For how long to wait, in milliseconds.
        #[serde(default)]
        wait_ms: u64,
    },
    /// A [`PeerDetails`](kozo_status::PeerDetails) about a peer.
    Why {
        /// The peer's name.
        peer: String,
    },
    /// What another node says of itself: a [`NodeReport`](kozo_status::NodeReport).
    StatusOf {
        /// The node's name.
        node: String,
        /// How long it may take to answer, in milliseconds; without it 800, and four round
        /// trips of the link; over a bus 2000.
        #[serde(default)]
        wait_ms: Option<u64>,
    },
    /// What all nodes say of themselves: a [`NetworkStatus`](kozo_status::NetworkStatus). Of those on buses 256 are asked
    /// at most, and no members of groups that were not heard of.
    Network {
        /// How long each may take to answer, in milliseconds; without it 800, and four round
        /// trips of the link; over a bus 2000.
        #[serde(default)]
        wait_ms: Option<u64>,
    },
    /// What another node says about a peer of its own: [`PeerDetails`](kozo_status::PeerDetails).
    WhyOf {
        /// The node that is asked.
        node: String,
        /// The name of its peer.
        peer: String,
    },
    /// The same in sentences, of this node or of another one: an [`Explanation`](kozo_status::Explanation).
    Explain {
        /// The node that is asked; without it this one.
        #[serde(default)]
        node: Option<String>,
        /// The name of its peer.
        peer: String,
    },
    /// The modules that this node has found, as `kozo modules NAME --json` prints them: a list of
    /// [`Description`](crate::modules::description::Description).
    Modules,
    /// A round trip to a peer: a [`PingAnswer`](kozo_status::PingAnswer).
    Ping {
        /// The peer's name.
        peer: String,
        /// How many bytes to carry each way.
        #[serde(default)]
        bytes: usize,
    },
    /// How the link with a peer does under load: a [`BenchResult`](kozo_status::BenchResult).
    Bench {
        /// The peer's name.
        peer: String,
        /// For how long, in seconds; from 1 to [`MAX_BENCH_SECONDS`](super::MAX_BENCH_SECONDS).
        seconds: u64,
    },
    /// What is given, as it is: what a ping asks the other node.
    Echo {
        /// Any bytes.
        payload: ByteBuf,
    },
    /// Opens a tap for the messages that one of the interests fits, or for all: a
    /// [`TapNumber`](kozo_status::TapNumber). It ends with whoever asked.
    OpenTap {
        /// What to watch; nothing: everything.
        #[serde(default)]
        interests: Vec<Interest>,
    },
    /// Waits for what a tap takes up: [`TappedMessages`](kozo_status::TappedMessages).
    Tapped {
        /// The tap's number.
        tap: u64,
        /// For how long to wait for a first message, in milliseconds.
        #[serde(default)]
        wait_ms: u64,
    },
    /// Closes a tap: nothing.
    CloseTap {
        /// The tap's number.
        tap: u64,
    },
    /// What the file makes of a role, and what it remembers: [`RoleDetails`](kozo_status::RoleDetails).
    Role {
        /// The role's name.
        role: String,
    },
    /// Sends a message as the role `cli` of the node: a [`SentMessage`](kozo_status::SentMessage).
    Send {
        /// Event, order or log.
        kind: Kind,
        /// Its type.
        #[serde(rename = "type")]
        type_name: String,
        /// Its channel.
        #[serde(default)]
        channel: Option<String>,
        /// Its data.
        #[serde(default)]
        data: Value,
        /// For how long to wait until all nodes that it goes to have acknowledged it, in milliseconds.
        #[serde(default)]
        wait_ms: u64,
    },
    /// The nodes that the node has heard of over its buses: [`BusNodes`](kozo_status::BusNodes).
    BusNodes,
    /// Restarts a role: a [`SteeredRole`](kozo_status::SteeredRole).
    RestartRole {
        /// The role's name.
        role: String,
    },
    /// Stops a role until it is started again, or the node is: a [`SteeredRole`](kozo_status::SteeredRole).
    StopRole {
        /// The role's name.
        role: String,
    },
    /// Starts a role that was stopped: a [`SteeredRole`](kozo_status::SteeredRole).
    StartRole {
        /// The role's name.
        role: String,
    },
    /// Which lines the log has, changed before where that is asked for:
    /// [`LogLevels`](kozo_status::LogLevels).
    LogLevel {
        /// What to change, as `--log` writes it: a level for everything, `PART=LEVEL` for a part.
        #[serde(default)]
        set: Option<String>,
        /// First goes back to what the daemon was started with.
        #[serde(default)]
        reset: bool,
    },
}

impl Request {
    /// What has to be granted to whoever asks.
    pub fn needs(&self) -> Grant {
        match self {
            Self::Status
            | Self::BusNodes
            | Self::Changed { .. }
            | Self::Why { .. }
            | Self::StatusOf { .. }
            | Self::Network { .. }
            | Self::WhyOf { .. }
            | Self::Explain { .. }
            | Self::Modules
            | Self::Ping { .. }
            | Self::Echo { .. } => Grant::Status,
            Self::OpenTap { .. } | Self::Tapped { .. } | Self::CloseTap { .. } => Grant::Messages,
            // What a role has stored, and what it is told, may be nobody's business.
            Self::Role { .. }
            | Self::Send { .. }
            | Self::Bench { .. }
            | Self::RestartRole { .. }
            | Self::StopRole { .. }
            | Self::StartRole { .. }
            | Self::LogLevel { .. } => Grant::Control,
        }
    }

    /// What a node has to tell others for them to be answered this; none: it is not for other nodes, which
    /// are answered for this node alone and steer nothing here.
    pub(super) fn discloses(&self) -> Option<Disclosure> {
        match self {
            Self::Echo { .. } => Some(Disclosure::None),
            Self::Status => Some(Disclosure::Status),
            Self::Why { .. } => Some(Disclosure::Full),
            Self::Changed { .. }
            | Self::BusNodes
            | Self::StatusOf { .. }
            | Self::Network { .. }
            | Self::WhyOf { .. }
            | Self::Explain { .. }
            | Self::Modules
            | Self::Ping { .. }
            | Self::Bench { .. }
            | Self::OpenTap { .. }
            | Self::Tapped { .. }
            | Self::CloseTap { .. }
            | Self::Role { .. }
            | Self::Send { .. }
            | Self::RestartRole { .. }
            | Self::StopRole { .. }
            | Self::StartRole { .. }
            | Self::LogLevel { .. } => None,
        }
    }
}

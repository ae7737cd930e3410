//! What a daemon tells of itself. These types are the JSON of `--json` as well.
//!
//! Times are spans in seconds up to the moment of the report, or from it: a daemon may run where
//! no clock is set. Bytes of messages count as queues count them; bytes of links count as they
//! are on the path, encryption included.

use serde::{Deserialize, Serialize};

/// All of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The node.
    pub node: String,
    /// The daemon's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// How long it has run.
    pub running_seconds: f64,
    /// Its roles, in the order of the file.
    pub roles: Vec<RoleReport>,
    /// The other nodes, by name.
    pub peers: Vec<PeerReport>,
    /// Its transports, in the order of the file.
    pub transports: Vec<TransportReport>,
    /// Orders that came from somebody whom `acceptOrdersFrom` does not name.
    pub orders_refused: u64,
    /// Connections that became no links.
    pub connections: ConnectionsReport,
    /// Lines that are not in the log as they were.
    #[serde(default)]
    pub log: LogReport,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleReport {
    /// Its name.
    pub name: String,
    /// Its module.
    pub module: String,
    /// Where it is in its life.
    pub state: RoleStateReport,
    /// When it is made anew, if it waits for that.
    pub restart_in_seconds: Option<f64>,
    /// How often it was made anew, for whatever reason.
    pub restarts: u64,
    /// How often it failed.
    pub failures: u64,
    /// What it said the last time it did.
    pub last_error: Option<String>,
    /// Log lines that were left out, for there were too many.
    pub lines_left_out: u64,
    /// What waits for it.
    pub inbox: InboxReport,
}

/// Where a role is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleStateReport {
    /// It is being made.
    Starting,
    /// It is there.
    Running,
    /// It failed and will be made anew.
    Waiting,
    /// It was asked to stop and has not yet.
    Stopping,
    /// It has ended.
    Stopped,
}

/// A role's inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InboxReport {
    /// Messages that wait.
    pub waiting: usize,
    /// What they count together.
    pub bytes: usize,
    /// How many may wait.
    pub length_limit: usize,
    /// How many bytes may.
    pub size_limit: usize,
    /// Messages that came.
    pub received: u64,
    /// Messages that the role took.
    pub taken: u64,
    /// Messages that newer ones pushed out.
    pub dropped_by_limit: u64,
    /// Messages that were too old when the role came to them.
    pub dropped_by_age: u64,
    /// Messages that came when the role was stopping.
    pub dropped_by_stop: u64,
}

/// Another node, as this one sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerReport {
    /// The other node.
    pub peer: String,
    /// How it stands.
    pub state: PeerStateReport,
    /// When the next try to dial starts, where the state is `waiting`.
    pub next_dial_seconds: Option<f64>,
    /// The links; the first one carries the messages.
    pub links: Vec<LinkReport>,
    /// The tries to dial that are under way.
    pub dialling: Vec<AttemptReport>,
    /// Transports of the peer to which there is no way, as the file has them.
    #[serde(default)]
    pub unusable: Vec<UnusableReport>,
    /// What waits for the peer.
    pub queued: AmountReport,
    /// What is sent and not acknowledged yet.
    pub in_flight: AmountReport,
    /// Messages sent, each counted once.
    pub sent: u64,
    /// Messages sent once more after a link was cut.
    pub sent_again: u64,
    /// Messages that the peer has acknowledged.
    pub acknowledged: u64,
    /// Messages for the peer that newer ones pushed out.
    pub dropped_by_limit: u64,
    /// Messages for the peer that grew too old.
    pub dropped_by_age: u64,
    /// Messages received, each counted once.
    pub received: u64,
    /// Messages that came again after a link was cut, and were ignored.
    pub repeated: u64,
    /// Messages that the peer had for this node and dropped.
    pub missed: u64,
    /// Bytes sent over all links since the daemon started.
    pub bytes_sent: u64,
    /// Bytes received likewise.
    pub bytes_received: u64,
    /// Whether the peer had another version of the configuration file when it last greeted.
    #[serde(default)]
    pub other_file: bool,
    /// The last failure or fault, if any is remembered.
    pub last_error: Option<String>,
    /// How long ago it was.
    pub last_error_seconds: Option<f64>,
    /// Two daemons that run as the peer, or as this node, if there was a sign of them lately.
    #[serde(default)]
    pub twins: Option<TwinsReport>,
}

/// Two daemons that run as one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TwinsReport {
    /// The node.
    pub node: String,
    /// The address of the one that has the link, as a third node sees it that both reached.
    pub linked: String,
    /// The address of the other.
    pub other: String,
    /// How long ago there was the last sign of both.
    pub last_seconds: f64,
}

/// How it stands with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerStateReport {
    /// Messages flow.
    Up,
    /// A link is encrypted and authenticated, and the peer's hello has not come yet.
    Greeting,
    /// A try to dial is under way.
    Dialling,
    /// Tries failed, or a link was lost, and the next try waits for its time.
    Waiting,
    /// A link is made when there is a message; there is none.
    OnDemand,
    /// Only the peer dials.
    LeftToPeer,
    /// No transport of this node reaches one of the peer's.
    NoWay,
    /// The policies allow no link.
    Never,
    /// The daemon stops.
    Stopping,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkReport {
    /// This node's transport.
    pub transport: String,
    /// The address of the other end.
    pub address: String,
    /// Whether this node dialled.
    pub dialled: bool,
    /// For how long it has been up.
    pub up_seconds: f64,
    /// The smoothed round trip; none before the first heartbeat came back.
    pub round_trip_seconds: Option<f64>,
    /// Messages put on it.
    pub sent: u64,
    /// Messages that came over it.
    pub received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// The cipher. Only the end that dialled knows which one was agreed on.
    pub cipher: Option<String>,
    /// The MAC; none with a cipher that needs none.
    pub mac: Option<String>,
    /// What is noteworthy about the protection.
    pub note: Option<String>,
}

/// A try to dial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// This node's transport.
    pub transport: String,
    /// The peer's.
    pub peer_transport: String,
    /// For how long it has been tried.
    pub seconds: f64,
}

/// A transport of a peer to which there is no way, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableReport {
    /// Its name.
    pub transport: String,
    /// What its module says against its options, or why there is no module.
    pub reason: String,
}

/// A number of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmountReport {
    /// How many.
    pub messages: usize,
    /// What they count together.
    pub bytes: usize,
}

/// A transport of this node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransportReport {
    /// Its name.
    pub name: String,
    /// Its module.
    pub module: String,
    /// How it is.
    pub state: TransportStateReport,
    /// What is wrong with it.
    pub error: Option<String>,
    /// What it says it is about.
    #[serde(default)]
    pub status: Option<String>,
    /// For how long its state has been so.
    pub since_seconds: f64,
}

/// How a transport is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransportStateReport {
    /// It is being prepared.
    Starting,
    /// It takes connections, and can dial.
    Listening,
    /// It takes no connections; it can dial.
    DialsOnly,
    /// It cannot take connections, or does not come back from calls; that is tried again.
    Failing,
}

/// Connections that became no links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionsReport {
    /// Those whose other end has not said who it is yet.
    pub unproven: usize,
    /// Those that were closed at once, since there were too many such.
    pub turned_away: u64,
    /// Those whose other end did not prove that it is a node of the network.
    pub refused: u64,
}

/// Lines that are not in the log as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogReport {
    /// Those that were dropped, since nobody read the log.
    pub dropped: u64,
    /// Those that were too many of one kind, and are summed up in the last of them.
    pub summed_up: u64,
}

/// Why there is a link with a peer, or none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhyReport {
    /// The node that was asked.
    pub node: String,
    /// The peer as `status` has it.
    pub peer: PeerReport,
    /// What allows links from the node to the peer.
    pub outgoing: PolicyReport,
    /// What allows links from the peer to the node.
    pub incoming: PolicyReport,
    /// The ways from the node to the peer, best first.
    pub ways: Vec<WayReport>,
    /// What happened lately, oldest first.
    pub history: Vec<EventReport>,
    /// `idleTimeout` of the node.
    pub idle_timeout_seconds: f64,
    /// `connectionRetry` of the node.
    pub connection_retry_seconds: f64,
}

/// When one node dials the other: the stricter of two options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyReport {
    /// What holds: `constant`, `ondemand` or `never`.
    pub policy: String,
    /// `selfToOthersConnectPolicy` of the node that dials.
    pub self_to_others: String,
    /// `othersToSelfConnectPolicy` of the node that is dialled.
    pub others_to_self: String,
}

/// A way to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayReport {
    /// The node's transport.
    pub transport: String,
    /// The peer's.
    pub peer_transport: String,
    /// What the node's transport says it is about.
    #[serde(default)]
    pub status: Option<String>,
    /// Why it is not tried at present.
    #[serde(default)]
    pub error: Option<String>,
}

/// Something that happened with a peer's links.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventReport {
    /// What.
    pub what: EventKind,
    /// The node's transport.
    pub transport: String,
    /// The address of the other end; of failed tries, `reason` names the addresses.
    pub address: Option<String>,
    /// Whether the node dialled.
    pub dialled: Option<bool>,
    /// Why.
    pub reason: Option<String>,
    /// How long ago it happened for the first time.
    pub first_seconds: f64,
    /// How long ago it happened for the last time.
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
    /// It ended in order.
    Closed,
    /// It ended by a fault.
    Lost,
    /// Both ends had proven who they are, and there was no link all the same.
    Refused,
    /// A try to dial failed.
    DialFailed,
}

/// A role was restarted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestartReport {
    /// The role as it is now.
    pub role: RoleReport,
}

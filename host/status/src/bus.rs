//! A bus of the node: an engine that carries messages to whoever wants them, and the nodes that are on it.

use kozo_ground::names::{ModuleName, NodeName};
use serde::{Deserialize, Serialize};

use crate::Amount;

/// A bus of the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BusStatus {
    /// The bus's name, as the network's file has it.
    pub name: String,
    /// The module that speaks with the engine.
    pub module: ModuleName,
    /// How it stands with the engine.
    pub state: BusState,
    /// For how many seconds its state has been so.
    pub since_seconds: f64,
    /// Why it is down, or why it was the last time.
    pub error: Option<String>,
    /// What the module has said last of what it is about.
    pub status: Option<String>,
    /// The server that the module is connected to, in the module's words.
    pub server: Option<String>,
    /// The last round trip to the server, in seconds.
    pub round_trip_seconds: Option<f64>,
    /// How often the bus came up since the daemon started.
    pub times_up: u64,
    /// The longest datagram that the engine carries, in bytes.
    pub max_datagram_bytes: Option<usize>,
    /// Subscriptions at the engine.
    pub subscriptions: usize,
    /// Nodes that this one has heard of over the bus, and whose key it has.
    pub nodes_heard: usize,
    /// Nodes on the bus that have said that they have another version of the configuration file.
    #[serde(default)]
    pub nodes_with_other_file: usize,
    /// Lanes that the node sends in: as many as its roles have (kind, type, channel) of late.
    pub lanes_out: usize,
    /// Lanes of other nodes that this one hears.
    pub lanes_in: usize,
    /// Messages that wait to be sent.
    pub queued: Amount,
    /// Messages that were sent and are kept, to be sent again to who asks.
    pub kept: Amount,
    /// Messages that the engine has not confirmed yet.
    pub unconfirmed: Amount,
    /// Messages of others that wait for what comes before them, or for a key.
    pub waiting: Amount,
    /// What became of the node's own messages.
    #[serde(flatten)]
    pub outgoing: BusOutgoingCounts,
    /// What came of the messages of others.
    #[serde(flatten)]
    pub incoming: BusIncomingCounts,
    /// What was refused, by reason, and nothing where a reason never came up.
    pub refused: Vec<BusRefusals>,
    /// Another daemon runs with this node's key, and was heard of over the bus this many seconds ago.
    pub twin_seconds: Option<f64>,
    /// What the engine does not let this node do, as far as it has said so on this connection: the last ones.
    #[serde(default)]
    pub denied: Vec<BusDenial>,
    /// Datagrams that came and were thrown away before they were looked at: by the engine, as it has said, by the
    /// module, or since this node had no room.
    #[serde(default)]
    pub dropped_on_the_way: u64,
    /// What the node hands on for others, where it is their gateway to the bus.
    #[serde(default)]
    pub gateway: Option<GatewayStatus>,
}

/// What a gateway hands on for the nodes behind it, its neighbours. It can read nothing of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// Nodes that reach the bus through this one, as the file has it.
    pub neighbours: usize,
    /// Nodes among them that this one has a link with that carries for the bus.
    pub linked: usize,
    /// Datagrams of neighbours that the engine took.
    pub published: u64,
    /// Datagrams that were handed to neighbours, once for each of them.
    pub delivered: u64,
    /// What neighbours wanted and may not do.
    pub refused: u64,
    /// Datagrams of neighbours that are longer than the engine takes.
    pub dropped_by_length: u64,
    /// Datagrams of neighbours beyond those that may wait to be published.
    pub dropped_by_limit: u64,
    /// Datagrams of neighbours that waited when the engine was lost, or came before it was reached; messages among
    /// them are published again.
    pub dropped_by_engine: u64,
    /// Datagrams for neighbours that the links had no room for, and of neighbours that waited when their links were
    /// lost; what is missed of them is asked for or published again.
    pub dropped_by_link: u64,
}

impl GatewayStatus {
    /// What was dropped, with the reasons in a word each.
    pub fn dropped(&self) -> [(&'static str, u64); 4] {
        [
            ("length", self.dropped_by_length),
            ("limit", self.dropped_by_limit),
            ("engine", self.dropped_by_engine),
            ("link", self.dropped_by_link),
        ]
    }
}

/// A subject to which the engine does not let this node publish or subscribe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BusDenial {
    /// The subject or pattern.
    pub subject: String,
    /// What the engine said.
    pub reason: String,
    /// How many seconds ago it did so last.
    pub last_seconds: f64,
    /// How often it has.
    pub times: u64,
}

impl BusStatus {
    /// All that was refused, whatever the reason.
    pub fn refused_total(&self) -> u64 {
        // A node may tell anything of itself.
        self.refused
            .iter()
            .fold(0, |total, refusals| total.saturating_add(refusals.count))
    }
}

/// How it stands between a node and a bus's engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BusState {
    /// The module has not been connected yet since the daemon started.
    Connecting,
    /// Messages flow.
    Up,
    /// The connection was lost, or could not be made; it is tried again.
    Down,
}

/// What became of a node's messages for a bus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusOutgoingCounts {
    /// Messages handed to the engine for the first time.
    pub sent: u64,
    /// Messages handed to the engine once more, since it had not confirmed them before it was lost.
    pub sent_again: u64,
    /// Messages that the queue's limits pushed out.
    pub dropped_by_limit: u64,
    /// Messages that grew too old before they could be sent.
    pub dropped_by_age: u64,
    /// Datagrams handed to the engine, of all kinds.
    pub datagrams_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages that were sent again to nodes that asked for them.
    pub repairs_sent: u64,
    /// Requests of other nodes that were answered.
    pub asks_answered: u64,
    /// Requests that this node sent, those that were repeated included.
    pub asks_sent: u64,
}

impl BusOutgoingCounts {
    /// All messages that were dropped.
    pub fn dropped(&self) -> u64 {
        // A node may tell anything of itself.
        self.dropped_by_limit.saturating_add(self.dropped_by_age)
    }
}

/// What came of the messages of others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusIncomingCounts {
    /// Messages that came, each counted once.
    pub received: u64,
    /// Messages among them that came only when they were asked for.
    pub repaired: u64,
    /// Messages that came again, and were ignored; where that was seen from outside, datagrams.
    pub repeated: u64,
    /// Messages that were sent and did not come, nor when they were asked for.
    pub missed: u64,
    /// Messages that came too late: they were older than their sender said that they mean something.
    pub expired: u64,
    /// Datagrams with messages that no role here wants: the engine's patterns are coarser than those of roles.
    pub unwanted: u64,
    /// Datagrams that came while so much waited in their lane for what comes before it that they were put off: they
    /// are asked for when it is their turn.
    #[serde(default)]
    pub put_off: u64,
    /// Datagrams that came, of all kinds.
    pub datagrams_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
}

/// How often something was refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusRefusals {
    /// The reason, in a word.
    pub reason: String,
    /// The reason, in a sentence.
    pub text: String,
    /// How often.
    pub count: u64,
}

/// Another node, as this one sees it over a bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BusNodeStatus {
    /// The bus.
    pub bus: String,
    /// The other node.
    pub node: NodeName,
    /// How it stands with it.
    pub state: BusNodeState,
    /// For how many seconds this node has had a key of the other's present session.
    pub heard_of_seconds: Option<f64>,
    /// How many seconds ago anything of it was heard that was authentic.
    pub last_heard_seconds: Option<f64>,
    /// The start of its session's id, in hexadecimal digits.
    pub session: Option<String>,
    /// Which run of its daemon that is: a number that rises with each.
    pub counter: Option<u64>,
    /// Its program and version, as it says.
    pub agent: Option<String>,
    /// The digest of its file, as `NodeStatus` has it.
    pub file_digest: Option<String>,
    /// Whether that is another one than this node's.
    pub other_file: bool,
    /// The last round trip to it, in seconds.
    pub round_trip_seconds: Option<f64>,
    /// Lanes of it that this node hears.
    pub lanes_in: usize,
    /// What came of its messages.
    #[serde(flatten)]
    pub incoming: BusIncomingCounts,
    /// Whether it has asked for this node's key, and so reads it, and how many seconds ago.
    pub reads_seconds: Option<f64>,
    /// Why it is not heard or does not read, in a sentence, where something is known against it.
    pub why_not: Option<String>,
}

/// How it stands with another node on a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BusNodeState {
    /// Nothing of it has come.
    NotHeard,
    /// Something of it has come, and its key is being asked for.
    Asking,
    /// Its key is here: its messages are read.
    Heard,
    /// Something of it has come, and its key could not be had.
    NoKey,
    /// The engine says that it is not connected.
    Absent,
    /// The policies allow nothing between the two.
    Never,
}

/// The nodes that a node has heard of over its buses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BusNodes {
    /// Those nodes, by bus and name.
    pub nodes: Vec<BusNodeStatus>,
    /// How many more there are than one answer has room for.
    #[serde(default)]
    pub left_out: usize,
}

/// How two nodes reach each other over a bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BusDetails {
    /// The bus, as the node has it that was asked.
    pub bus: BusStatus,
    /// The other node on it.
    pub peer: BusNodeStatus,
    /// The nodes that stand between the one that was asked and the bus; with none, it speaks with the engine
    /// itself.
    #[serde(default)]
    pub through: Vec<NodeName>,
    /// Those that stand between the other node and the bus.
    #[serde(default)]
    pub peer_through: Vec<NodeName>,
}

//! Another node, and the links with it.

use kozo_ground::names::NodeName;
use serde::{Deserialize, Serialize};

/// Another node, as this one sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// The other node.
    pub peer: NodeName,
    /// How it stands with it.
    pub state: PeerState,
    /// In how many seconds the next try to dial starts, where the state is `waiting`.
    pub next_dial_seconds: Option<f64>,
    /// The links; the first one carries the messages.
    pub links: Vec<LinkStatus>,
    /// Whether one of the two nodes is to keep a link at all times, as their policies say.
    #[serde(default)]
    pub wanted: bool,
    /// How many links came up since the daemon started.
    #[serde(default)]
    pub links_made: u64,
    /// The tries to dial that are under way.
    pub dialling: Vec<AttemptStatus>,
    /// Transports of the peer to which there is no way, as the file has them.
    #[serde(default)]
    pub unusable: Vec<UnusableTransport>,
    /// What waits for the peer.
    pub queued: Amount,
    /// What is sent and not acknowledged yet.
    pub in_flight: Amount,
    /// What became of the messages for the peer.
    #[serde(flatten)]
    pub outbox: OutboxCounts,
    /// What came of the peer's messages.
    #[serde(flatten)]
    pub inbound: InboundCounts,
    /// Bytes sent over all links since the daemon started.
    pub bytes_sent: u64,
    /// Bytes received likewise.
    pub bytes_received: u64,
    /// Whether the peer had another version of the configuration file when it last said a hello.
    #[serde(default)]
    pub other_file: bool,
    /// How many questions of the peer were refused since the daemon started: it asks too often.
    #[serde(default)]
    pub questions_refused: u64,
    /// How much came of the peer for buses and was not taken: the file does not say that it reaches them through this
    /// node, or there was no room.
    #[serde(default)]
    pub bus_frames_refused: u64,
    /// The last failure or fault, if any is remembered.
    pub last_error: Option<String>,
    /// How many seconds ago it was.
    pub last_error_seconds: Option<f64>,
    /// Two daemons that run as the peer, or as this node, if there was a sign of them lately.
    #[serde(default)]
    pub twins: Option<TwinsStatus>,
}

impl PeerStatus {
    /// A node that this one has no links with, and never will have.
    pub fn without_links(peer: NodeName, state: PeerState) -> Self {
        Self {
            peer,
            state,
            next_dial_seconds: None,
            links: vec![],
            wanted: false,
            links_made: 0,
            dialling: vec![],
            unusable: vec![],
            queued: Amount::default(),
            in_flight: Amount::default(),
            outbox: OutboxCounts::default(),
            inbound: InboundCounts::default(),
            bytes_sent: 0,
            bytes_received: 0,
            other_file: false,
            questions_refused: 0,
            bus_frames_refused: 0,
            last_error: None,
            last_error_seconds: None,
            twins: None,
        }
    }
}

/// How it stands between the node and a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerState {
    /// Messages flow.
    Up,
    /// A link is encrypted and authenticated, and the peer's hello has not come yet.
    Greeting,
    /// A try to dial is under way.
    Dialling,
    /// Tries to dial failed, or a link was lost, and the next try waits for its time.
    Waiting,
    /// A link is made when there is a message for the peer; there is none.
    OnDemand,
    /// The node may not dial the peer, but the peer may dial it.
    LeftToPeer,
    /// The node may dial the peer, and none of its transports can reach any of the peer's.
    NoWay,
    /// The policies allow no link in either direction.
    Never,
    /// The daemon stops.
    Stopping,
    /// Messages go over a bus, and links are not made.
    OverBus,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The node's transport.
    pub transport: String,
    /// The address of the other end.
    pub address: String,
    /// Whether the node dialled.
    pub dialled: bool,
    /// For how many seconds it has been up.
    pub up_seconds: f64,
    /// The smoothed round trip of heartbeats, in seconds; none before the first one came back.
    pub round_trip_seconds: Option<f64>,
    /// Messages that were put on it, those that were sent again included.
    pub sent: u64,
    /// Messages that came over it, those that came again included.
    pub received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// What SSH has handed the link over to, by the name that Noise has for it; none where it has not.
    #[serde(default)]
    pub noise: Option<String>,
    /// The cipher. Of a link that stays with SSH, only the end that dialled knows which one was agreed on.
    pub cipher: Option<String>,
    /// The MAC; none with a cipher that needs none.
    pub mac: Option<String>,
    /// What is noteworthy about the protection.
    pub note: Option<String>,
}

/// A try to dial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptStatus {
    /// The node's transport.
    pub transport: String,
    /// The peer's transport.
    pub peer_transport: String,
    /// For how many seconds it has been tried.
    pub seconds: f64,
}

/// A transport of a peer to which there is no way, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableTransport {
    /// The transport's name.
    pub transport: String,
    /// What its module says against its options, or why there is no module.
    pub reason: String,
}

/// A number of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Amount {
    /// How many there are.
    pub messages: usize,
    /// How many bytes they count together.
    pub bytes: usize,
}

/// What became of the messages for a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxCounts {
    /// Messages handed to a link for the first time.
    pub sent: u64,
    /// Messages handed to a link once more, after a cut.
    pub sent_again: u64,
    /// Messages that the peer acknowledged.
    pub acknowledged: u64,
    /// Messages that the queue's limits pushed out.
    pub dropped_by_limit: u64,
    /// Messages that grew too old.
    pub dropped_by_age: u64,
}

impl OutboxCounts {
    /// All messages that were dropped.
    pub fn dropped(&self) -> u64 {
        // A node may tell anything of itself.
        self.dropped_by_limit.saturating_add(self.dropped_by_age)
    }
}

/// What came of the messages of a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundCounts {
    /// Messages that came, each counted once.
    pub received: u64,
    /// Messages that came again after a cut, and were ignored.
    pub repeated: u64,
    /// Messages that the peer had for this node and dropped.
    pub missed: u64,
}

/// Two daemons that run as one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TwinsStatus {
    /// The node.
    pub node: NodeName,
    /// The address of the one that has the link, as a third node sees it that both reached.
    pub linked: String,
    /// The address of the other.
    pub other: String,
    /// How many seconds ago there was the last sign of both.
    pub last_seconds: f64,
}

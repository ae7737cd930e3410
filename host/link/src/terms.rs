//! What a peer is told, and what it says: links, things to do, things that happened.

use std::time::Duration;

use bytes::Bytes;
use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_wire::{Message, RoleInterests};

/// One link, as this node's parts speak of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkKey(pub u64);

/// A way to a peer: one of this node's transports to one of the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The place of this node's transport in its own list.
    pub own: usize,
    /// The place of the peer's transport in the peer's list.
    pub peer: usize,
    /// How good the way is: the sum of both transports' priorities.
    pub rank: u8,
}

/// One try to dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptId(pub u64);

/// A question of one of the two nodes, and the link that it goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuestionId {
    /// The link.
    pub link: LinkKey,
    /// The number that the asker gave it.
    pub number: u64,
}

/// What a link goes over, for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPath {
    /// The name of this node's transport.
    pub transport: String,
    /// The address of the other end.
    pub address: String,
}

/// What a peer wants to have done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Dial the peer; report `linked` or `dial_failed`.
    Dial(AttemptId, Candidate),
    /// Give up an attempt; nothing more is said of it.
    CancelDial(AttemptId),
    /// Close the link at once; report nothing more of it.
    Close(LinkKey),
    /// The peer's hello said what its roles want to hear of.
    Learn(Vec<RoleInterests>),
    /// The peer asks something: answer it with [`Peer::answer`](crate::Peer::answer).
    Question(QuestionId, Bytes),
    /// The peer has answered a question of this node, after so long.
    Answered(QuestionId, Bytes, Duration),
    /// A question has no answer, since its link is gone.
    Unanswered(QuestionId),
    /// Something that the log or a user may want to know.
    Notice(Notice),
}

/// Something that the log or a user may want to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// Something happened with the peer's links.
    Link(Occurrence),
    /// The peer dropped messages that it had for this node.
    Missed(u64),
    /// The peer's configuration file is another one.
    OtherConfig,
    /// Two daemons run as one node.
    Twins(Twins),
    /// The peer wants to reach a bus through this node, and the file does not say so.
    BusRefused(String),
}

/// Two daemons that run as one node, with one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twins {
    /// The node: the peer, or this one.
    pub node: NodeName,
    /// Where they are, as the third node sees it that both have links with: the address of the one
    /// that has the link, and of the other.
    pub places: [String; 2],
    /// When there was the last sign of both.
    pub last: Moment,
}

/// What may happen with a peer's links.
#[derive(Debug, Clone, PartialEq)]
pub enum Occurrence {
    /// Messages flow over a new link.
    Up {
        /// What the link goes over.
        path: LinkPath,
        /// Whether this node dialled.
        dialled: bool,
    },
    /// A link is gone.
    Down {
        /// What the link went over.
        path: LinkPath,
        /// Why the link ended.
        reason: String,
        /// Whether the link ended in order, by a word of one side, and not by a fault.
        orderly: bool,
        /// Whether another link carries on.
        replaced: bool,
    },
    /// A link did not come about, although both ends had proven who they are.
    Refused {
        /// What the link would have gone over.
        path: LinkPath,
        /// Why the link is none.
        reason: String,
    },
    /// A try to dial failed.
    DialFailed {
        /// The name of this node's transport.
        transport: String,
        /// What each address answered.
        reason: String,
    },
}

/// A message for the roles of this node.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// How much longer the message has a meaning.
    pub remaining: Duration,
}

/// What the link's I/O writes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkOutput {
    /// What the writer holds now, if anything.
    Continue,
    /// What the writer holds now; then the link is to be closed.
    Last,
}

/// How a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEnding {
    /// One side said that it closes it.
    Orderly,
    /// The path failed, the other end died, or one side broke the protocol.
    Fault,
}

/// Why this node closes a link, as the peer's log will show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByeReason {
    /// The daemon stops.
    Stopping,
    /// Another link replaces this one.
    Superseded,
    /// The link was idle, and is wanted only on demand.
    Idle,
    /// The policies allow no link in this direction.
    Policy,
    /// Another daemon that runs as the same node has the link.
    Twin,
}

impl ByeReason {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Stopping => "the node stops",
            Self::Superseded => "another link replaces it",
            Self::Idle => "it was idle",
            Self::Policy => "the connect policies allow no link in this direction",
            Self::Twin => "another daemon that runs as this node has the link",
        }
    }
}

/// A peer broke the protocol; the link is to be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the peer broke the protocol: {0}")]
pub struct ProtocolViolation(pub(super) String);

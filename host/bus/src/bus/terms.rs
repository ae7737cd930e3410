//! What goes in and out of a bus.

use std::time::Duration;

use bytes::Bytes;
use kozo_ground::names::NodeName;

use crate::members::CannotSign;
use crate::random::NoRandom;
use crate::refusal::Refusal;

/// What the engine can do, as the module has found out on connecting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineLimits {
    /// The longest datagram that it carries, in bytes.
    pub max_datagram: usize,
    /// Whether it says when nobody listens for a request.
    pub no_responders: bool,
    /// The server, in the module's words.
    pub server: String,
}

/// Something for the module to do. The bus wants to hear what became of a datagram
/// ([`Bus::published`](super::Bus::published)) before it gives the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Publish a datagram.
    Publish {
        /// Where to.
        subject: String,
        /// Where answers are to go.
        reply: Option<String>,
        /// The datagram.
        data: Bytes,
    },
    /// Subscribe, or do so no more. The module remembers it over its own reconnects.
    Subscribe {
        /// The pattern: tokens, `*` for any one, `>` at the end for any rest.
        pattern: String,
        /// Whether it is wanted from now on.
        on: bool,
    },
}

/// What the module said to a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It is on its way, under this number of the module's, which rises with each.
    Accepted(u64),
    /// There is no room now.
    Full,
    /// There is no connection.
    Down,
}

/// A question to another node whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PingId(pub u64);

/// A question of this node to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuestionId(pub u64);

/// A question of another node to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyId(pub u64);

/// What came of a question of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replied {
    /// The question.
    pub question: QuestionId,
    /// The reply of the node that was asked, or why there is none, in words.
    pub reply: Result<Bytes, String>,
    /// From the question to the last part of the reply.
    pub took: Duration,
}

/// What another node asks of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questioned {
    /// What to answer it with.
    pub id: ReplyId,
    /// Who asks, which is proven.
    pub node: NodeName,
    /// What.
    pub question: Bytes,
}

/// Why a node is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unasked {
    /// The engine is not reached.
    #[error("the bus is down")]
    Down,
    /// It is not on this bus, or the policies allow nothing between the two.
    #[error("the node is not on the bus, or the policies are against it")]
    NotAMember,
    /// As many questions as may wait for an answer do.
    #[error("too many questions wait for an answer")]
    TooMany,
    /// It is longer than a question may be, or than what the engine carries.
    #[error("the question is too long")]
    TooLong,
}

/// Why a bus cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// There is nothing to make keys of.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// This node cannot say who it is.
    #[error(transparent)]
    CannotSign(#[from] CannotSign),
}

/// Something that happened, for the log and for `kozo why`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Happened {
    /// The engine is reached.
    Up {
        /// The server, in the module's words.
        server: String,
    },
    /// It is not reached any more.
    Down {
        /// Why.
        reason: String,
    },
    /// Another node is heard: its key is here.
    Heard {
        /// The node.
        node: NodeName,
        /// Whether it has begun a new session since it was heard last.
        again: bool,
    },
    /// Another node runs with another version of the network's file.
    OtherFile {
        /// The node.
        node: NodeName,
    },
    /// The key of another node could not be had.
    NoKey {
        /// The node.
        node: NodeName,
        /// Why.
        reason: String,
    },
    /// Messages of another node are missing for good.
    Missed {
        /// The node.
        node: NodeName,
        /// How many.
        messages: u64,
    },
    /// Something was refused. Not all that is refused is told: the status has the counts.
    Refused {
        /// The node that it claims to be of, where it names one.
        node: Option<NodeName>,
        /// Why.
        reason: Refusal,
    },
    /// Two daemons run with the key of a node, which may be this one.
    Twins {
        /// The node.
        node: NodeName,
    },
    /// This node's counter was lost, or is too low: others have seen a higher one. It is this one now, and has to be
    /// kept for the next run.
    Counter {
        /// The counter.
        counter: u64,
    },
    /// A node answered a ping.
    Pong {
        /// Which ping.
        ping: PingId,
        /// The node.
        node: NodeName,
        /// From the question to the answer.
        round_trip: Duration,
    },
    /// A ping was not answered.
    NoPong {
        /// Which ping.
        ping: PingId,
        /// The node.
        node: NodeName,
        /// Why.
        reason: String,
    },
}

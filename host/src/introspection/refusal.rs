//! Why there is no answer.

use kozo_ground::grant::Grant;
use kozo_ground::names::{BusName, NameError, NodeName};
use kozo_link::{MAX_QUESTIONS, QUESTIONS_PER_SECOND};
use kozo_wire::{MAX_QUESTION_LEN, MessageError};

use super::limits::{MAX_BENCH_SECONDS, MAX_PING, MAX_TAPS_EACH};
use crate::limited::NoResult;
use crate::link::NoAnswer;
use crate::log::LevelsError;
use crate::roles::RoleError;
use crate::storage::StorageError;

/// Why there is no answer; its text is for whoever asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Who asks may not.
    #[error(
        "{asker} is not granted `{}`: add it to `grant` in its block of the network's file",
        needed.name()
    )]
    NotGranted {
        /// What the asker is called.
        asker: String,
        /// What it needs.
        needed: Grant,
    },
    /// The answer of this node.
    #[error("the answer cannot be written")]
    Unwritable(#[source] serde_json::Error),

    /// The modules, by a thread of its own.
    #[error("the modules cannot be looked at")]
    NotLookedAt(#[source] NoResult),

    /// A node was named as its own peer.
    #[error("`{0}` is this node itself: name another one")]
    Itself(String),
    /// There is no such node.
    #[error("the network has no node `{name}`{}", meant(near))]
    NoNode {
        /// What was asked for.
        name: String,
        /// The node that is called much like it.
        near: Option<String>,
    },
    /// A group is no node.
    #[error("{message}: {help}")]
    Group {
        /// That it is one.
        message: String,
        /// Which nodes may be meant.
        help: String,
    },
    /// The other node's version may be newer.
    #[error("this node does not know the question: its version may be older")]
    UnknownToPeers,
    /// No other node is answered that.
    #[error("other nodes are not answered that")]
    NotForPeers,
    /// The file says so.
    #[error("it tells this node nothing of itself (`introspection`)")]
    TellsNothing,
    /// The file says so.
    #[error("it tells this node its status, and no more (`introspection`)")]
    TellsItsStatus,
    /// The peer asks too often.
    #[error("it answers no node more than {QUESTIONS_PER_SECOND} questions a second")]
    TooOften,

    /// The question to another node.
    #[error("the question cannot be encoded")]
    Unencodable(#[from] rmp_serde::encode::Error),
    /// Another node was not asked, or did not answer.
    #[error("`{node}` cannot be asked")]
    NotAsked {
        /// The node.
        node: NodeName,
        /// Why.
        #[source]
        reason: NoAnswer,
    },
    /// A link was to be measured, and messages go over a bus.
    #[error(
        "there is no link with `{node}` that could be measured: messages go to it over the bus `{bus}`"
    )]
    OverBus {
        /// The node.
        node: NodeName,
        /// The bus.
        bus: BusName,
    },
    /// Nothing at all goes to it.
    #[error(
        "nothing goes from here to `{0}`: one of the two is on buses only, and they have none in common"
    )]
    NoWay(NodeName),
    /// There was no answer over a bus.
    #[error("`{node}` does not answer over the bus `{bus}`: {reason}")]
    SilentOnBus {
        /// The node.
        node: NodeName,
        /// The bus.
        bus: BusName,
        /// Why.
        reason: String,
    },
    /// Another node answers with nothing.
    #[error(
        "`{0}` refuses to answer: it is asked {MAX_QUESTIONS} things already, or its answer is too long"
    )]
    Unanswered(NodeName),
    /// Another node has its reasons; nothing in them is for a terminal.
    #[error("`{node}` says: {reason}")]
    Told {
        /// The node.
        node: NodeName,
        /// What it says.
        reason: String,
    },
    /// Another node answers with something else.
    #[error("`{0}` answers something that is not understood")]
    Nonsense(NodeName),
    /// A ping is too large.
    #[error("a ping carries {MAX_PING} bytes at most")]
    LargePing,
    /// The time to measure.
    #[error("measure from 1 to {MAX_BENCH_SECONDS} seconds")]
    MeasuredTime,

    /// The asker has too many taps.
    #[error("there are {MAX_TAPS_EACH} taps open already, and more are not allowed: close one")]
    TapsOfAsker,
    /// The node has too many.
    #[error(transparent)]
    Taps(#[from] kozo_tap::TooManyTaps),
    /// There is no such tap.
    #[error("there is no open tap of number {0}")]
    NoTap(u64),

    /// There is no such role.
    #[error("`{node}` hosts no role `{name}`: its roles are {roles}")]
    NoRole {
        /// The node.
        node: NodeName,
        /// What was asked for.
        name: String,
        /// Those that there are.
        roles: String,
    },
    /// There is no role at all.
    #[error("`{0}` hosts no roles")]
    NoRoles(NodeName),
    /// A role that is stopped cannot be restarted.
    #[error("`{0}` is stopped: start it with `kozo roles start {0}`")]
    Stopped(String),
    /// A role that is not stopped cannot be started.
    #[error("`{0}` is not stopped: there is nothing to start")]
    NotStopped(String),
    /// A role does not stop.
    #[error(
        "`{name}` was asked to stop, and has not within {seconds} s: it may hang in its present \
         work, and stops after that"
    )]
    StillRuns {
        /// The role.
        name: String,
        /// How long it had.
        seconds: u64,
    },
    /// A role cannot be made anew.
    #[error("`{name}` is not {done} and goes on as it was")]
    NotRenewed {
        /// The role.
        name: String,
        /// What was wanted.
        done: &'static str,
        /// Why.
        #[source]
        reason: Box<RenewalError>,
    },
    /// A role was made anew and has failed.
    #[error("`{name}` failed when it was {done}, and is tried again: {reason}")]
    Failed {
        /// The role.
        name: String,
        /// What was wanted.
        done: &'static str,
        /// What it says.
        reason: String,
    },
    /// A role is not there.
    #[error(
        "`{name}` was asked to be {done}, and is not there within {seconds} s: it may hang in its \
         present work"
    )]
    NotThere {
        /// The role.
        name: String,
        /// What was wanted.
        done: &'static str,
        /// How long it had.
        seconds: u64,
    },
    /// The options of a role.
    #[error("the options cannot be written")]
    Options(#[source] serde_json::Error),
    /// What a role has stored.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What was done apart has not been done.
    #[error(transparent)]
    Apart(#[from] tokio::task::JoinError),

    /// A role has the name of who sends by hand.
    #[error(
        "`{node}` hosts a role `{name}` itself, for whose the message would be taken: give it \
         another name"
    )]
    NameTaken {
        /// The node.
        node: NodeName,
        /// The name.
        name: &'static str,
    },
    /// The name itself.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The data of a message.
    #[error("the data cannot be encoded")]
    Data(#[source] kozo_data::Error),
    /// What a message would be.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The levels of the log.
    #[error(transparent)]
    Levels(#[from] LevelsError),

    /// A role's question.
    #[error("the question has {0} bytes, and {MAX_QUESTION_LEN} are the limit")]
    LongQuestion(usize),
    /// A role's question.
    #[error(
        "this host can make nothing of the question: it is of a later version, or has a field of another shape"
    )]
    UnknownToHost(#[source] rmp_serde::decode::Error),
    /// The answer for a role.
    #[error("the answer cannot be encoded")]
    AnswerUnencodable(#[source] rmp_serde::encode::Error),
    /// A role asks while the node is put together.
    #[error("the node is not complete yet: ask again")]
    NotComplete,
    /// A role asks while the node stops.
    #[error("the node stops")]
    Stops,
}

/// Why a role cannot be made anew.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenewalError {
    /// The role's own reason.
    #[error(transparent)]
    Role(#[from] RoleError),
    /// What was done apart has not been done.
    #[error(transparent)]
    Apart(#[from] tokio::task::JoinError),
}

fn meant(near: &Option<String>) -> String {
    near.as_ref()
        .map_or_else(String::new, |near| format!(": did you mean `{near}`?"))
}

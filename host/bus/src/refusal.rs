//! Why something that came over the bus was refused.

/// Why something that came over the bus was refused. Each is counted by itself; none of them is an accident of the
/// network alone, which loses and repeats but does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A subject that is none of this bus's.
    #[error("its subject is none of this bus")]
    Subject,
    /// Shorter or longer than what it says it is can be.
    #[error("its length is wrong")]
    Length,
    /// A format that this version does not know.
    #[error("it has a format that this version does not know")]
    Format,
    /// A cipher that this version does not know, or another one than its key is for.
    #[error("it has another cipher than its key is for")]
    Suite,
    /// What veils announcements and asks is of another bus, or of nodes with another `subjectSecretFile`.
    #[error("it comes from another bus, or from a node whose `subjectSecretFile` is another one")]
    Veil,
    /// The seal is not of the sender key that the header names, or something was changed under way.
    #[error("it is not sealed with the key that it names, or was changed under way")]
    Seal,
    /// The signature is not of the session that the header names.
    #[error("its signature is not of the session that it names")]
    Signature,
    /// What was sealed and signed is not of the protocol: the sender is at fault.
    #[error("what it holds is not of the protocol")]
    Body,
    /// A message that does not belong into the lane that it came in.
    #[error("a message in it does not belong into its lane")]
    Lane,
    /// The network file has no such node.
    #[error("it is of a node that the network file does not have")]
    UnknownNode,
    /// The node is not on this bus, or the two do not talk to each other, by the network file.
    #[error("the network file does not let these two nodes talk over this bus")]
    NotAllowed,
    /// What claims to be this node itself.
    #[error("it claims to be of this node itself")]
    OwnNode,
    /// A session announced with a key that the network file does not have for that node.
    #[error("its session is announced with a key that the network file does not have for its node")]
    ForeignKey,
    /// An announcement for another bus.
    #[error("its announcement is for another bus")]
    OtherBus,
    /// An announcement of another node than the one it came from.
    #[error("its announcement is of another node")]
    OtherNode,
    /// An announcement of an earlier run of the node than one that is known.
    #[error("its session is an earlier run of its node than one that is known")]
    Older,
    /// Two sessions of a node with the same counter.
    #[error("two daemons run with its node's key")]
    Twin,
    /// A session that is not known.
    #[error("its session is not known")]
    UnknownSession,
    /// A sender key that is not there, or not any more.
    #[error("there is no key of that epoch")]
    UnknownEpoch,
    /// An ask that came before.
    #[error("it came before")]
    Repeated,
    /// An answer to nothing that was asked.
    #[error("it answers nothing that was asked")]
    Unasked,
    /// More than is looked at in a time.
    #[error("there are too many of its kind at present")]
    TooMany,
}

impl Refusal {
    /// What it is counted as: the one word for tables and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Length => "length",
            Self::Format => "format",
            Self::Suite => "cipher",
            Self::Veil => "veil",
            Self::Seal => "seal",
            Self::Signature => "signature",
            Self::Body => "body",
            Self::Lane => "lane",
            Self::UnknownNode => "unknown-node",
            Self::NotAllowed => "not-allowed",
            Self::OwnNode => "own-node",
            Self::ForeignKey => "foreign-key",
            Self::OtherBus => "other-bus",
            Self::OtherNode => "other-node",
            Self::Older => "older-session",
            Self::Twin => "twin",
            Self::UnknownSession => "unknown-session",
            Self::UnknownEpoch => "unknown-epoch",
            Self::Repeated => "repeated",
            Self::Unasked => "unasked",
            Self::TooMany => "too-many",
        }
    }
}

//! What was dropped, and why.

use std::collections::BTreeMap;

use crate::frames::Refusal;

/// Why something was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Drop {
    /// A datagram on the control port that is neither a message nor a packet.
    Datagram,
    /// JSON on the control port that is no object; some of those are answered.
    Json,
    /// A frame of a controller that is no frame.
    ControllerFrame,
    /// A frame for which nobody is known, and no controller either, or too many of them in a second.
    NobodyKnown,
    /// A frame for a peer whose link is not up yet.
    LinkNotUp,
    /// A frame that a link did not take.
    LinkFull,
    /// A frame that the kernel did not take.
    DeviceFull,
    /// A frame from a link that was refused.
    Refused(Refusal),
    /// A notification that would harm the controller: longer than it reads, or of a kind that only tincan sends.
    HarmfulMessage,
    /// A notification without a controller that could take it.
    NoController,
    /// A notification or an answer that the socket did not take.
    ControllerFull,
    /// A message of a peer whose uid is of no address of the group.
    NotOfTheGroup,
    /// A message for a peer that is not seen on XMPP.
    NotOnXmpp,
    /// A peer that is one too many.
    TooManyPeers,
    /// A candidate that cannot be read.
    Candidate,
}

impl Drop {
    /// What it is called for people and programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Datagram => "datagrams that are no requests",
            Self::Json => "requests that are no JSON",
            Self::ControllerFrame => "frames of the controller that are none",
            Self::NobodyKnown => "frames that nobody is known for",
            Self::LinkNotUp => "frames for links that are not up",
            Self::LinkFull => "frames that a link did not take",
            Self::DeviceFull => "frames that the device did not take",
            Self::Refused(Refusal::Malformed) => "frames of peers that are none",
            Self::Refused(Refusal::ForeignSource) => "frames with another's uid",
            Self::Refused(Refusal::NotForThisNode) => "frames for another's uid",
            Self::Refused(Refusal::ForeignAddress) => "frames from another's address",
            Self::Refused(Refusal::ForeignTarget) => "frames to another's address",
            Self::Refused(Refusal::Neighbours) => "frames about neighbours and routers",
            Self::Refused(Refusal::NoAddress) => "frames of peers without an address",
            Self::HarmfulMessage => "messages that would harm the controller",
            Self::NoController => "messages without a controller",
            Self::ControllerFull => "messages that the controller did not take",
            Self::NotOfTheGroup => "messages of peers that are not of the group",
            Self::NotOnXmpp => "messages for peers that are not on XMPP",
            Self::TooManyPeers => "peers that were too many",
            Self::Candidate => "candidates that cannot be read",
        }
    }
}

/// How much was dropped of each kind since the role's start.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<Drop, u64>);

impl Counts {
    pub(crate) fn add(&mut self, drop: Drop, count: u64) {
        if count > 0 {
            *self.0.entry(drop).or_default() += count;
        }
    }

    /// By name.
    pub(crate) fn named(&self) -> BTreeMap<&'static str, u64> {
        self.0
            .iter()
            .map(|(drop, count)| (drop.name(), *count))
            .collect()
    }
}

//! What happens to links.

use crate::reason::Reason;
use crate::status::Path;

/// Which peer of an [`crate::Endpoint`]; never given twice by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub(crate) u64);

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Our candidates for this peer are complete, as far as servers have answered in time: it is time to tell it. Comes
    /// once.
    Gathered {
        /// Whose.
        peer: PeerId,
    },
    /// After that: our candidates have changed (the network did, or a server has answered late). Whoever can, tells the
    /// peer again.
    CandidatesChanged {
        /// Whose.
        peer: PeerId,
    },
    /// Datagrams pass from now on.
    Online {
        /// With whom.
        peer: PeerId,
        /// How.
        path: Path,
    },
    /// They pass in another way from now on.
    PathChanged {
        /// With whom.
        peer: PeerId,
        /// How.
        path: Path,
    },
    /// They do not pass any more. It is tried again without help, unless the state is [`crate::State::Failed`].
    Offline {
        /// With whom.
        peer: PeerId,
        /// Why.
        reason: Reason,
    },
    /// The link, which was not online, has failed for a reason that time does not heal.
    Failed {
        /// With whom.
        peer: PeerId,
        /// Why.
        reason: Reason,
    },
    /// A datagram of the application, authentic if the link has DTLS.
    Datagram {
        /// From whom.
        peer: PeerId,
        /// What it sent.
        contents: Vec<u8>,
    },
}

impl Event {
    /// Whom it is about.
    pub fn peer(&self) -> PeerId {
        match self {
            Self::Gathered { peer }
            | Self::CandidatesChanged { peer }
            | Self::Online { peer, .. }
            | Self::PathChanged { peer, .. }
            | Self::Offline { peer, .. }
            | Self::Failed { peer, .. }
            | Self::Datagram { peer, .. } => *peer,
        }
    }
}

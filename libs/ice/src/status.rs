//! How a link is, for people and for statistics.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::candidate::CandidateKind;
use crate::reason::Reason;

/// How far the link with a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The peer's candidates are not known yet.
    Waiting,
    /// Pairs of addresses are tried.
    Checking,
    /// A way is found, and DTLS is under way on it.
    Securing,
    /// Datagrams pass.
    Online,
    /// There is no way at the moment, or there was one and it is lost. It is tried again, ever more seldom.
    Offline,
    /// It has failed for a reason that time does not heal: another certificate, say.
    Failed,
}

/// How datagrams reach a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// Our address as the peer sees it.
    pub local: SocketAddr,
    /// Where that is from.
    pub local_kind: CandidateKind,
    /// The peer's address.
    pub remote: SocketAddr,
    /// Where that is from.
    pub remote_kind: CandidateKind,
}

/// The three kinds of ways that people want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathKind {
    /// From machine to machine, with nothing in between that changes addresses.
    Direct,
    /// Through a hole in a NAT, or several.
    ThroughNat,
    /// Through a TURN server.
    Relayed,
}

impl Path {
    /// Which kind it is.
    pub fn kind(&self) -> PathKind {
        let kinds = [self.local_kind, self.remote_kind];
        if kinds.contains(&CandidateKind::Relayed) {
            PathKind::Relayed
        } else if kinds == [CandidateKind::Host; 2] {
            PathKind::Direct
        } else {
            PathKind::ThroughNat
        }
    }
}

impl PathKind {
    /// In words: `direct`, `through NAT`, `relayed`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::ThroughNat => "through NAT",
            Self::Relayed => "relayed",
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} ({} {} to {} {})",
            self.kind().name(),
            self.local_kind,
            self.local,
            self.remote_kind,
            self.remote
        )
    }
}

/// All that is known of the link with a peer.
#[derive(Debug, Clone)]
pub struct PeerStatus {
    /// How far it is.
    pub state: State,
    /// How datagrams go, once there is a way.
    pub path: Option<Path>,
    /// The last round trip on it.
    pub rtt: Option<Duration>,
    /// What keeps it from being online, or from a better way: servers that do not answer, say. It can be empty while
    /// nothing has failed yet.
    pub reasons: Vec<Reason>,
    /// Every pair of addresses that was tried, the selected one first, then by priority.
    pub pairs: Vec<PairStatus>,
    /// Since when the link has been in this state.
    pub for_how_long: Duration,
    /// What was dropped.
    pub drops: Drops,
}

/// A pair of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairStatus {
    /// The addresses and their kinds.
    pub path: Path,
    /// Whether this is the one that is used (`best_conn` of IPOP).
    pub selected: bool,
    /// Whether checks of ours were answered of late.
    pub writable: bool,
    /// Whether checks of the peer came of late.
    pub readable: bool,
    /// Whether checks of ours have long not been answered.
    pub timed_out: bool,
    /// Whether no check has been answered yet.
    pub new: bool,
    /// The last round trip.
    pub rtt: Option<Duration>,
    /// What went out.
    pub sent: Traffic,
    /// What came in.
    pub received: Traffic,
}

/// Bytes in one direction: contents of UDP datagrams of the application, with the overhead of DTLS, without checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// All of them.
    pub bytes: u64,
    /// How many in the last full second.
    pub bytes_per_second: u64,
}

/// Datagrams of one link that were dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drops {
    /// To be sent while the link was not online.
    pub not_online: u64,
    /// To be sent while the queue was full.
    pub queue_full: u64,
    /// Received, but forged, damaged or repeated: DTLS does not take them.
    pub not_authentic: u64,
    /// Received while so many were waiting to be fetched.
    pub not_fetched: u64,
    /// Candidates of the peer that cannot be used, or that were too many.
    pub candidates: u64,
}

/// What an [`crate::Endpoint`] has dropped that belongs to no peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndpointDrops {
    /// STUN messages whose sender does not know the password of any peer.
    pub foreign_stun: u64,
    /// STUN messages that were seen before, from elsewhere.
    pub replayed_stun: u64,
    /// Other datagrams from addresses of which no peer has proven that it is there.
    pub foreign_datagrams: u64,
    /// Datagrams that the system did not take, or that a relay may not pass on.
    pub unsendable: u64,
}

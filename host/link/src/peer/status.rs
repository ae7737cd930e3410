//! A peer's state, for people to read.

use std::time::Duration;

use kozo_ground::clock::Moment;

use super::Peer;
use crate::ConnectPolicy;
use crate::dialer::AttemptStatus;
use crate::history::Event;
use crate::inbound::InboundCounts;
use crate::live::{Link, Stage};
use crate::outbox::OutboxCounts;
use crate::terms::{LinkKey, Path};

/// How it stands between this node and a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Messages flow.
    Up,
    /// A link is encrypted and authenticated, and the peer's hello has not come yet.
    Greeting,
    /// A try to dial is under way.
    Dialling,
    /// Tries to dial failed, or a link was lost; the next one starts then.
    Waiting {
        /// When.
        next_dial: Moment,
    },
    /// A link is made when there is a message for the peer; there is none.
    OnDemand,
    /// This node may not dial the peer, but the peer may dial it.
    LeftToPeer,
    /// This node may dial the peer, and none of its transports can reach any of the peer's.
    NoWay,
    /// The policies allow no link in either direction.
    Never,
    /// The daemon stops.
    Stopping,
}

/// A link's state.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkStatus {
    /// The link, as this node's parts speak of it.
    pub key: LinkKey,
    /// What it goes over.
    pub path: Path,
    /// Whether this node dialled.
    pub dialled: bool,
    /// Since when.
    pub since: Moment,
    /// The smoothed round trip of heartbeats.
    pub round_trip: Option<Duration>,
    /// Messages that were put on it, those that were sent again included.
    pub sent: u64,
    /// Messages that came over it, those that came again included.
    pub received: u64,
}

/// A peer's state.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerStatus {
    /// The live links; the first one carries the messages.
    pub links: Vec<LinkStatus>,
    /// The tries to dial that are under way.
    pub attempts: Vec<AttemptStatus>,
    /// Messages and bytes that wait.
    pub queued: (usize, usize),
    /// Messages and bytes in flight.
    pub in_flight: (usize, usize),
    /// What became of the messages for the peer.
    pub outbox: OutboxCounts,
    /// What came of the peer's messages.
    pub inbound: InboundCounts,
    /// When the next try to dial may start.
    pub next_dial: Moment,
    /// Whether the peer had another configuration file when it last said a hello.
    pub other_config: bool,
    /// What happened lately, oldest first.
    pub history: Vec<Event>,
}

impl Peer {
    /// The peer's state.
    pub fn status(&self) -> PeerStatus {
        let mut live: Vec<_> = self.links.iter().filter(|link| link.is_live()).collect();
        live.sort_by_key(|link| std::cmp::Reverse(link.turn));
        PeerStatus {
            links: live.into_iter().map(link_status).collect(),
            attempts: self.dialer.attempts().collect(),
            queued: self.outbox.queued(),
            in_flight: self.outbox.in_flight(),
            outbox: self.outbox.counts(),
            inbound: self.inbound.counts(),
            next_dial: self.dialer.not_before(),
            other_config: self.other_config,
            history: self.history.events().cloned().collect(),
        }
    }

    /// How it stands with the peer at `now`.
    pub fn standing(&self, now: Moment) -> Standing {
        if self.is_linked() {
            return Standing::Up;
        }
        if self.stopping {
            return Standing::Stopping;
        }
        if self.links.iter().any(|link| link.stage == Stage::Greeting) {
            return Standing::Greeting;
        }
        if self.dialer.attempts().next().is_some() {
            return Standing::Dialling;
        }
        match (self.settings.outgoing, self.settings.incoming) {
            (ConnectPolicy::Never, ConnectPolicy::Never) => Standing::Never,
            (ConnectPolicy::Never, _) => Standing::LeftToPeer,
            _ if !self.dialer.has_candidates() => Standing::NoWay,
            (ConnectPolicy::OnDemand, _) if !self.outbox.has_business(now) => Standing::OnDemand,
            _ => Standing::Waiting {
                next_dial: self.dialer.not_before().max(now),
            },
        }
    }
}

fn link_status(link: &Link) -> LinkStatus {
    LinkStatus {
        key: link.key,
        path: link.path.clone(),
        dialled: link.dialled,
        since: link.since,
        round_trip: link.round_trip,
        sent: link.sent,
        received: link.received,
    }
}

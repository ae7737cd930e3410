//! A peer as people and other programs see it.

use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_status::{EventStatus, LinkStatus, PeerState, PeerStatus, TwinsStatus};

use super::Peer;
use crate::live::{Link, LinkStage};
use crate::{Candidate, LinkKey};
use kozo_ground::policy::ConnectPolicy;

impl Peer {
    /// The peer as it is at `now`. What only those know who perform is left empty: the bytes on the
    /// paths and what protects them, what [`attempts`](Self::attempts) are called, and which of the
    /// peer's transports cannot be used.
    pub fn status(&self, now: Moment) -> PeerStatus {
        let state = self.state(now);
        let mut events = self.history(now).into_iter().rev();
        let fault = events.find(|event| event.what.is_fault());
        PeerStatus {
            peer: self.settings.peer.clone(),
            state,
            next_dial_seconds: (state == PeerState::Waiting)
                .then(|| self.dialer.not_before().since(now).as_secs_f64()),
            links: self
                .live_links()
                .into_iter()
                .map(|link| link_status(link, now))
                .collect(),
            wanted: self.is_wanted_always(),
            // Each link that came up has had its turn.
            links_made: self.next_turn - 1,
            dialling: Vec::new(),
            unusable: Vec::new(),
            queued: self.outbox.queued(),
            in_flight: self.outbox.in_flight(),
            outbox: self.outbox.counts(),
            inbound: self.inbound.counts(),
            bytes_sent: 0,
            bytes_received: 0,
            other_file: self.other_config,
            questions_refused: self.allowance.refused(),
            bus_frames_refused: self.bus_frames_refused,
            last_error_seconds: fault.as_ref().map(|event| event.last_seconds),
            last_error: fault.and_then(|event| event.reason),
            twins: self.twins(now).map(|twins| {
                let [linked, other] = twins.places.clone();
                TwinsStatus {
                    node: twins.node.clone(),
                    linked,
                    other,
                    last_seconds: now.since(twins.last).as_secs_f64(),
                }
            }),
        }
    }

    /// How it stands with the peer at `now`.
    pub fn state(&self, now: Moment) -> PeerState {
        if self.is_linked() {
            return PeerState::Up;
        }
        if self.stopping {
            return PeerState::Stopping;
        }
        if self
            .links
            .iter()
            .any(|link| link.stage == LinkStage::Greeting)
        {
            return PeerState::Greeting;
        }
        if self.dialer.attempts().next().is_some() {
            return PeerState::Dialling;
        }
        match (self.settings.outgoing, self.settings.incoming) {
            (ConnectPolicy::Never, ConnectPolicy::Never) => PeerState::Never,
            (ConnectPolicy::Never, _) => PeerState::LeftToPeer,
            _ if !self.dialer.has_candidates() => PeerState::NoWay,
            (ConnectPolicy::OnDemand, _) if !self.outbox.has_business(now) => PeerState::OnDemand,
            _ => PeerState::Waiting,
        }
    }

    /// What happened lately, oldest first.
    pub fn history(&self, now: Moment) -> Vec<EventStatus> {
        let events = self.history.events();
        events.map(|event| event.status(now)).collect()
    }

    /// The links of [`status`](Self::status), in its order.
    pub fn link_keys(&self) -> impl Iterator<Item = LinkKey> {
        self.live_links().into_iter().map(|link| link.key)
    }

    /// The tries to dial that are under way, and since when.
    pub fn attempts(&self) -> impl Iterator<Item = (Candidate, Moment)> {
        self.dialer.attempts()
    }

    /// How many messages wait or are in flight.
    pub fn unacknowledged(&self) -> usize {
        self.outbox.queued().messages + self.outbox.in_flight().messages
    }

    /// The one that carries the messages first.
    fn live_links(&self) -> Vec<&Link> {
        let mut live: Vec<_> = self.links.iter().filter(|link| link.is_live()).collect();
        live.sort_by_key(|link| std::cmp::Reverse(link.turn));
        live
    }
}

fn link_status(link: &Link, now: Moment) -> LinkStatus {
    LinkStatus {
        transport: link.path.transport.clone(),
        address: link.path.address.clone(),
        dialled: link.dialled,
        up_seconds: now.since(link.since).as_secs_f64(),
        round_trip_seconds: link.round_trip.as_ref().map(Duration::as_secs_f64),
        sent: link.sent,
        received: link.received,
        bytes_sent: 0,
        bytes_received: 0,
        cipher: None,
        noise: None,
        mac: None,
        note: None,
    }
}

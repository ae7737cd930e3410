//! What is between two nodes, put together of what both tell.

use serde::Serialize;

use super::moment;
use crate::told::{Amount, Peer};

/// How it stands between two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LinkState {
    /// There is none, and there will be none.
    Never,
    /// There is none, and nobody needs one: it is made on demand.
    OnDemand,
    /// There shall be one, and there is none.
    Down,
    /// It is being made.
    Connecting,
    /// Messages flow.
    Up,
}

/// What is between two nodes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LinkView {
    /// The node whose name comes first.
    pub(crate) a: String,
    /// The other one.
    pub(crate) b: String,
    pub(crate) state: LinkState,
    /// Since when it is so, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<f64>,
    /// Whether there is to be a link at all times.
    pub(crate) wanted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transport: Option<String>,
    /// The address of the end that was dialled, or of the one that dialled, as the other end sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// Who dialled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dialled_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cipher: Option<String>,
    /// In milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) round_trip: Option<f64>,
    /// When messages for one of the two were dropped last, as far as it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost_at: Option<f64>,
    /// What the first one tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from_a: Option<Side>,
    /// What the other one tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from_b: Option<Side>,
}

/// What one node tells of the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Side {
    pub(crate) state: String,
    pub(crate) queued: Amount,
    pub(crate) in_flight: Amount,
    pub(crate) links_made: u64,
    pub(crate) sent: u64,
    pub(crate) sent_again: u64,
    pub(crate) received: u64,
    pub(crate) repeated: u64,
    pub(crate) missed: u64,
    pub(crate) dropped_by_limit: u64,
    pub(crate) dropped_by_age: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_at: Option<f64>,
}

impl Side {
    fn lost(&self) -> u64 {
        let dropped = self.dropped_by_limit.saturating_add(self.dropped_by_age);
        dropped.saturating_add(self.missed)
    }
}

impl LinkView {
    pub(super) fn new(a: &str, b: &str) -> Self {
        Self {
            a: a.to_owned(),
            b: b.to_owned(),
            state: LinkState::Never,
            since: None,
            wanted: false,
            transport: None,
            address: None,
            dialled_by: None,
            cipher: None,
            round_trip: None,
            lost_at: None,
            from_a: None,
            from_b: None,
        }
    }

    /// Adds what one of the two tells. Where they differ, one of them knows more: that there is a link, say. One that
    /// does not decide adds its counts alone: what it tells is older.
    pub(super) fn add(&mut self, peer: &Peer, is_first: bool, decides: bool, now: f64) {
        self.wanted |= peer.wanted;
        if decides {
            self.state = self.state.max(state(peer));
        }
        if let Some(link) = peer.links.first().filter(|_| decides && peer.is_up()) {
            // The end that dialled knows where it dialled to, and the cipher.
            if self.transport.is_none() || link.dialled {
                self.transport = Some(link.transport.clone());
                self.address = Some(link.address.clone());
            }
            let (own, other) = match is_first {
                true => (&self.a, &self.b),
                false => (&self.b, &self.a),
            };
            let dialler = if link.dialled { own } else { other };
            self.dialled_by = Some(dialler.clone());
            self.since = Some(moment(now, link.up_seconds, self.since));
            if let Some(seconds) = link.round_trip_seconds {
                // Tenths of a millisecond are what people read.
                let trip = (seconds * 10_000.0).round() / 10.0;
                self.round_trip = Some(self.round_trip.map_or(trip, |known| known.min(trip)));
            }
            if link.cipher.is_some() {
                self.cipher.clone_from(&link.cipher);
            }
        }
        let side = Side {
            state: peer.state.clone(),
            queued: peer.queued,
            in_flight: peer.in_flight,
            links_made: peer.links_made,
            sent: peer.sent,
            sent_again: peer.sent_again,
            received: peer.received,
            repeated: peer.repeated,
            missed: peer.missed,
            dropped_by_limit: peer.dropped_by_limit,
            dropped_by_age: peer.dropped_by_age,
            bytes_sent: peer.bytes_sent,
            bytes_received: peer.bytes_received,
            error: peer.last_error.clone(),
            error_at: peer.last_error_seconds.map(|span| moment(now, span, None)),
        };
        match is_first {
            true => self.from_a = Some(side),
            false => self.from_b = Some(side),
        }
    }

    /// Takes over from before what is remembered, so that nothing changes that is the same.
    pub(super) fn follow(&mut self, before: &Self, now: f64) {
        self.since = match (self.since, before.since) {
            // How long there has been no link is known since it was seen to end.
            (None, _) if self.state != before.state => Some(now.round()),
            (None, since) => since,
            (Some(since), Some(old)) => Some(moment(since, 0.0, Some(old))),
            (since, None) => since,
        };
        let mut lost_at = before.lost_at;
        for (new, old) in [
            (&mut self.from_a, &before.from_a),
            (&mut self.from_b, &before.from_b),
        ] {
            if let (Some(new), Some(old)) = (new, old) {
                if new.lost() > old.lost() {
                    lost_at = Some(now.round());
                }
                if let (Some(at), Some(old_at)) = (new.error_at, old.error_at) {
                    new.error_at = Some(moment(at, 0.0, Some(old_at)));
                }
            }
        }
        self.lost_at = lost_at;
    }
}

/// How it stands, as one of the two sees it.
fn state(peer: &Peer) -> LinkState {
    match peer.state.as_str() {
        "up" => LinkState::Up,
        "greeting" => LinkState::Connecting,
        "dialling" if peer.last_error.is_none() => LinkState::Connecting,
        "dialling" | "waiting" | "no-way" | "stopping" => LinkState::Down,
        "never" => LinkState::Never,
        // On demand, and what is left to the other one.
        _ if peer.wanted => LinkState::Down,
        _ => LinkState::OnDemand,
    }
}

//! How a link is, for people and for statistics.

use std::time::{Duration, Instant};

use super::Peer;
use super::pairs::{Addresses, OF_LATE, TIMED_OUT};
use crate::candidate::{Candidate, CandidateKind};
use crate::reason::Reason;
use crate::status::{PairStatus, Path, PeerStatus, State};

/// After so long without success, there is a reason to tell.
const PATIENCE: Duration = Duration::from_secs(10);

impl Peer {
    /// Everything but the problems of servers.
    pub(crate) fn status(&self, now: Instant) -> PeerStatus {
        let mut pairs: Vec<_> = self
            .pairs
            .iter()
            .map(|(addresses, pair)| {
                let of_late = |time: Option<Instant>, limit| {
                    time.is_some_and(|time| now.duration_since(time) <= limit)
                };
                PairStatus {
                    path: self.path_of(addresses),
                    selected: self.selected == Some(*addresses),
                    writable: of_late(pair.answered, OF_LATE),
                    readable: of_late(pair.asked, OF_LATE),
                    timed_out: !of_late(pair.answered.or(Some(pair.since)), TIMED_OUT),
                    new: pair.answered.is_none(),
                    rtt: pair.rtt,
                    sent: pair.sent.traffic(now),
                    received: pair.received.traffic(now),
                }
            })
            .collect();
        pairs.sort_by_key(|pair| (!pair.selected, !pair.writable, pair.path.kind() as u8));
        PeerStatus {
            state: self.state,
            path: self.selected.map(|selected| self.path_of(&selected)),
            rtt: self
                .selected
                .and_then(|selected| self.pairs.get(&selected)?.rtt),
            reasons: self.reasons(now),
            pairs,
            for_how_long: now.duration_since(self.since),
            drops: self.drops,
        }
    }

    fn reasons(&self, now: Instant) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if self.is_online() {
            return reasons;
        }
        let waited = now.duration_since(self.since) >= PATIENCE;
        if self.settings.relay_only && self.settings.turn.is_empty() {
            reasons.push(Reason::NoRelay);
        }
        match self.state {
            State::Waiting if self.named > 0 => {
                reasons.push(Reason::UnusableCandidates(self.named))
            }
            State::Waiting => reasons.push(Reason::NoCandidates),
            State::Offline | State::Checking if waited || self.failures > 0 => {
                reasons.push(Reason::ChecksFailed {
                    pairs: self.pairs.len(),
                });
            }
            State::Securing if waited && self.loss.is_none() => reasons.push(Reason::DtlsTimedOut),
            _ => {}
        }
        reasons.extend(self.loss.clone());
        reasons
    }

    pub(super) fn path_of(&self, addresses: &Addresses) -> Path {
        let (local, remote) = *addresses;
        let mapped = self
            .pairs
            .get(addresses)
            .and_then(|pair| pair.mapped)
            .unwrap_or(local);
        let is = |kind| {
            move |(candidate, _): &(Candidate, is::Candidate)| {
                candidate.address == local && candidate.kind == kind
            }
        };
        let local_kind = if self.locals.iter().any(is(CandidateKind::Relayed)) {
            CandidateKind::Relayed
        } else {
            self.candidates()
                .find(|candidate| candidate.address == mapped)
                .map_or(CandidateKind::PeerReflexive, |candidate| candidate.kind)
        };
        let remote_kind = self
            .remotes
            .iter()
            .filter(|candidate| candidate.address == remote)
            .map(|candidate| candidate.kind)
            .min()
            .unwrap_or(CandidateKind::PeerReflexive);
        Path {
            local: mapped,
            local_kind,
            remote,
            remote_kind,
        }
    }
}

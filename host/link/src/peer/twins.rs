//! Two daemons that run as one node: a cloned card, a machine that was to be replaced.
//!
//! Each run of a daemon has a session, a random number. A peer that was restarted has a new one, and
//! the old one never returns. So a session that was replaced and comes back proves that both daemons
//! live. The one that has the link keeps it, and the other one is sent away, for each time that it
//! took over would look like a restart to everybody. All three are told.

use std::collections::VecDeque;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_wire::{SessionId, TwinsFrame};

use super::Peer;
use crate::live::{Link, LinkStage};
use crate::terms::{Action, ByeReason, LinkKey, Notice, Twins};

/// How long after it was replaced a session may be heard of without being alive: what its daemon
/// sent before it died may be under way over a slow path.
const ECHO_OF_THE_DEAD: Duration = Duration::from_secs(5);

/// How long a daemon that was sent away waits before it tries again.
const SENT_AWAY: Duration = Duration::from_secs(60);

/// For how long after the last sign of them two daemons count as running.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// How many sessions are known again.
const MAX_SESSIONS: usize = 16;

/// What is known of two daemons that run as one node.
#[derive(Debug, Default)]
pub(super) struct TwinWatch {
    /// Sessions that were replaced by others, and when, oldest first.
    replaced: VecDeque<(SessionId, Moment)>,
    twins: Option<Twins>,
}

impl TwinWatch {
    /// A session takes the place of another one.
    pub(super) fn replace(&mut self, old: SessionId, new: SessionId, now: Moment) {
        self.replaced
            .retain(|(session, _)| *session != old && *session != new);
        if self.replaced.len() >= MAX_SESSIONS {
            self.replaced.pop_front();
        }
        self.replaced.push_back((old, now));
    }

    /// When a session was replaced by another one; none when it was not.
    fn replaced_at(&self, session: SessionId) -> Option<Moment> {
        let mut replaced = self.replaced.iter();
        replaced
            .find(|(other, _)| *other == session)
            .map(|(_, at)| *at)
    }

    /// Notes that two daemons run as `node`. Returns what is new about that.
    fn note(&mut self, node: &NodeName, places: [String; 2], now: Moment) -> Option<Twins> {
        let known = self.current(now).is_some();
        let twins = Twins {
            node: node.clone(),
            places,
            last: now,
        };
        self.twins = Some(twins.clone());
        (!known).then_some(twins)
    }

    /// The two daemons, if there was a sign of them lately.
    pub(super) fn current(&self, now: Moment) -> Option<&Twins> {
        let twins = self.twins.as_ref();
        twins.filter(|twins| now.since(twins.last) < REMEMBERED)
    }
}

impl Peer {
    /// Two daemons that run as the peer, or as this node, if there was a sign of them lately.
    pub fn twins(&self, now: Moment) -> Option<&Twins> {
        self.twins.current(now)
    }

    /// The peer's hello has come over a link: sends its daemon away when another one that runs as
    /// the peer has a link. False when it may stay.
    pub(super) fn sends_away(&mut self, key: LinkKey, session: SessionId, now: Moment) -> bool {
        let Some(replaced) = self.twins.replaced_at(session) else {
            return false;
        };
        let Some(carrier) = self.carrier() else {
            return false;
        };
        let address = |link: Option<&Link>| link.map(|link| link.path.address.clone());
        let Some(places) = address(self.link(carrier)).zip(address(self.link(key))) else {
            return false;
        };
        let alive = self
            .link(key)
            .is_some_and(|link| link.begun.since(replaced) >= ECHO_OF_THE_DEAD);
        if alive {
            let places: [String; 2] = places.into();
            let node = self.settings.peer.clone();
            let news = self.twins.note(&node, places.clone(), now);
            self.tell_of_twins(news);
            for (told, stays) in [(carrier, true), (key, false)] {
                if let Some(link) = self.link_mut(told) {
                    link.twins = Some(TwinsFrame {
                        stays,
                        places: places.clone(),
                    });
                }
            }
        }
        if let Some(link) = self.link_mut(key) {
            link.stage = LinkStage::Closing;
            link.bye = Some(ByeReason::Twin.text().to_owned());
        }
        true
    }

    /// The peer says that two daemons run as this node.
    pub(super) fn hear_of_twins(&mut self, frame: TwinsFrame, now: Moment) {
        let node = self.settings.own.clone();
        let news = self.twins.note(&node, frame.places, now);
        self.tell_of_twins(news);
        if !frame.stays {
            self.dialer.hold(now + SENT_AWAY);
        }
    }

    fn tell_of_twins(&mut self, news: Option<Twins>) {
        if let Some(twins) = news {
            self.actions.push_back(Action::Notice(Notice::Twins(twins)));
        }
    }
}

#[cfg(test)]
#[path = "twins_tests.rs"]
mod tests;

//! What is known of the sessions of other nodes: their announcements, and the sender keys that came of them.
//!
//! ```text
//!                    counter is higher, or the node is new
//!   (nothing) ─────────────────────────────────────────────▶ present ──┐
//!                                                             ▲        │ counter is higher: its keys go
//!                                                             └────────┘
//!   counter is lower ─▶ refused (`Older`)      counter is equal, another session ─▶ refused (`Twin`)
//! ```
//!
//! A node has one present session here: that of the announcement with the highest counter that was seen. An announcement
//! proves that the node key signed it at some time, and no more: that its session lives is proven by its answers,
//! which name a nonce of this node. So whoever repeats an announcement of yesterday gains nothing: nobody
//! answers for its session, and once the present one was heard, the old one is refused.

use std::collections::HashMap;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::names::{BusName, NodeName};

use crate::announcement::{Announcement, ClaimedAnnouncement, SignedAnnouncement};
use crate::members::NodeKeys;
use crate::refusal::Refusal;
use crate::sender_key::{Epoch, OpeningKey, SenderKey};
use crate::session::{SessionId, SessionKeys};
use crate::subject::Nonce;

/// How many nodes' sessions are known at most. Each is a node of the network file; when there are more, the one that
/// was announced longest ago is forgotten, with its counter.
pub const MAX_SESSIONS: usize = 65_536;
/// How many sender keys of one session are kept at most: those of the latest epochs.
pub const MAX_KEYS_OF_A_SESSION: usize = 4;
/// How many sessions before its present one are remembered of a node, so that what is still under way of them is known
/// to be old and nobody is asked about it.
pub const MAX_EARLIER_SESSIONS: usize = 4;

/// What an announcement means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing was known of its node.
    First,
    /// It is the present session; what else it says (epoch, digest) may be newer.
    Present,
    /// Its node has begun another session: the one before is over, and so are its lanes.
    Instead(SessionId),
}

/// The sessions of all other nodes of which anything was heard.
#[derive(Debug, Default)]
pub struct Sessions {
    nodes: HashMap<NodeName, Known>,
    /// Whether any key was superseded since old ones were forgotten.
    has_old_keys: bool,
}

#[derive(Debug)]
struct Known {
    signed: SignedAnnouncement,
    /// When it was announced last.
    announced: Moment,
    keys: Vec<Held>,
    asks: Window,
    earlier: Vec<SessionId>,
    twin: Option<Moment>,
}

/// A sender key of another node.
#[derive(Debug)]
struct Held {
    epoch: Epoch,
    key: OpeningKey,
    /// Since when a later epoch's key is here.
    superseded: Option<Moment>,
}

impl Sessions {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an announcement of another node, wherever it came. That the node may be on this bus is for the caller to
    /// have asked. One that is known already is not verified again.
    ///
    /// # Errors
    /// Those of [`ClaimedAnnouncement::verify`]; [`Refusal::Older`] or [`Refusal::Twin`], with which the node can be
    /// shown [`evidence`](Self::evidence).
    pub fn hear(
        &mut self,
        claimed: &ClaimedAnnouncement<'_>,
        bus: &BusName,
        keys: &dyn NodeKeys,
        now: Moment,
    ) -> Result<(NodeName, Heard), Refusal> {
        let node = claimed.node()?;
        if let Some(known) = self.nodes.get_mut(&node)
            && claimed.is(&known.signed)
        {
            known.announced = now;
            return Ok((node, Heard::Present));
        }
        let signed = claimed.verify(bus, keys)?;
        let Some(known) = self.nodes.get_mut(&node) else {
            self.make_room();
            self.nodes.insert(node.clone(), Known::new(signed, now));
            return Ok((node, Heard::First));
        };
        let before = known.signed.announcement();
        let (old, new) = (before.session, signed.announcement());
        if new.session == old {
            // Its engine may repeat what it said before.
            if (new.counter, new.epoch) >= (before.counter, before.epoch) {
                // A session has the same keys as long as it lasts, and its node key has signed for both.
                if new.keys != before.keys {
                    return Err(Refusal::Twin);
                }
                known.signed = signed;
            }
            known.announced = now;
            return Ok((node, Heard::Present));
        }
        // A session that was over stays over, whatever it counts: its lanes were forgotten, and what is under way of
        // them could be heard twice.
        if known.earlier.contains(&new.session) || new.counter < before.counter {
            return Err(Refusal::Older);
        }
        if new.counter == before.counter {
            known.twin = Some(now);
            return Err(Refusal::Twin);
        }
        let mut earlier = std::mem::take(&mut known.earlier);
        earlier.insert(0, old);
        earlier.truncate(MAX_EARLIER_SESSIONS);
        let twin = known.twin;
        *known = Known::new(signed, now);
        (known.earlier, known.twin) = (earlier, twin);
        Ok((node, Heard::Instead(old)))
    }

    /// The announcement of the node's present session.
    pub fn present(&self, node: &NodeName) -> Option<&Announcement> {
        self.nodes
            .get(node)
            .map(|known| known.signed.announcement())
    }

    /// The public keys of this session, if it is the present one of the node.
    pub fn signer(&self, node: &NodeName, session: SessionId) -> Option<&SessionKeys> {
        self.present(node)
            .filter(|present| present.session == session)
            .map(|present| &present.keys)
    }

    /// Whether the session is known to be over.
    pub fn is_over(&self, node: &NodeName, session: SessionId) -> bool {
        let known = self.nodes.get(node);
        known.is_some_and(|known| known.earlier.contains(&session))
    }

    /// What opens the datagrams of this epoch, and what verifies them, if it is of the node's present session.
    pub fn opening(
        &self,
        node: &NodeName,
        session: SessionId,
        epoch: Epoch,
    ) -> Option<(&OpeningKey, &SessionKeys)> {
        let known = self.nodes.get(node)?;
        let present = known.signed.announcement();
        let held = known.keys.iter().find(|held| held.epoch == epoch)?;
        (present.session == session).then_some((&held.key, &present.keys))
    }

    /// Keeps a sender key, which the session itself has given for this epoch.
    ///
    /// # Errors
    /// [`Refusal::UnknownSession`]: the session is not the node's present one, or not any more.
    pub fn install(
        &mut self,
        node: &NodeName,
        session: SessionId,
        epoch: Epoch,
        key: &SenderKey,
        now: Moment,
    ) -> Result<(), Refusal> {
        let known = self.nodes.get_mut(node);
        let known = known.filter(|known| known.signed.announcement().session == session);
        let known = known.ok_or(Refusal::UnknownSession)?;
        if known.keys.iter().any(|held| held.epoch == epoch) {
            return Ok(());
        }
        known.keys.push(Held {
            epoch,
            key: OpeningKey::new(key),
            superseded: None,
        });
        known.keys.sort_by_key(|held| std::cmp::Reverse(held.epoch));
        known.keys.truncate(MAX_KEYS_OF_A_SESSION);
        for held in known.keys.iter_mut().skip(1) {
            held.superseded.get_or_insert(now);
            self.has_old_keys = true;
        }
        Ok(())
    }

    /// Whether this ask of the session did not come before. To be asked only once its signature is verified: else
    /// anybody could use up the session's numbers.
    ///
    /// # Errors
    /// [`Refusal::UnknownSession`] or [`Refusal::Repeated`].
    pub fn first_time(
        &mut self,
        node: &NodeName,
        session: SessionId,
        nonce: Nonce,
    ) -> Result<(), Refusal> {
        let known = self.nodes.get_mut(node);
        let known = known.filter(|known| known.signed.announcement().session == session);
        let known = known.ok_or(Refusal::UnknownSession)?;
        match known.asks.take(nonce.number()) {
            true => Ok(()),
            false => Err(Refusal::Repeated),
        }
    }

    /// Whether there are keys that [`expire`](Self::expire) will forget.
    pub fn has_old_keys(&self) -> bool {
        self.has_old_keys
    }

    /// Forgets the keys of epochs that were over longer ago than a message means anything, `max_age`.
    pub fn expire(&mut self, max_age: Duration, now: Moment) {
        if !self.has_old_keys {
            return;
        }
        self.has_old_keys = false;
        for known in self.nodes.values_mut() {
            known.keys.retain(|held| {
                let superseded = held.superseded;
                superseded.is_none_or(|since| now.since(since) <= max_age)
            });
            self.has_old_keys |= known.keys.len() > 1;
        }
    }

    /// The announcement of the node's present session as it was signed: what shows it, when it announces itself with a
    /// counter that is not higher, that its own key has signed that before ([`Ask::Evidence`](crate::ask::Ask)).
    pub fn evidence(&self, node: &NodeName) -> Option<&[u8]> {
        self.nodes.get(node).map(|known| known.signed.bytes())
    }

    /// When two sessions of the node with one counter were heard last.
    pub fn twin(&self, node: &NodeName) -> Option<Moment> {
        self.nodes.get(node)?.twin
    }

    /// How many nodes are known.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn make_room(&mut self) {
        if self.nodes.len() < MAX_SESSIONS {
            return;
        }
        let oldest = self.nodes.iter().min_by_key(|(_, known)| known.announced);
        if let Some(node) = oldest.map(|(node, _)| node.clone()) {
            self.nodes.remove(&node);
        }
    }
}

impl Known {
    fn new(signed: SignedAnnouncement, now: Moment) -> Self {
        Self {
            signed,
            announced: now,
            keys: Vec::new(),
            asks: Window::default(),
            earlier: Vec::new(),
            twin: None,
        }
    }
}

/// Which of a session's asks came already: the one with the highest number, and the 63 numbers below it. An ask is
/// answered with much more than it has bytes, so whoever recorded one shall not have it answered again and again.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    highest: u64,
    /// A bit for each number, the lowest for the highest one.
    seen: u64,
}

impl Window {
    /// Whether this number did not come before. One that is too far below the highest counts as if it did.
    fn take(&mut self, number: u64) -> bool {
        if number > self.highest {
            let by = u32::try_from(number - self.highest).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(by).unwrap_or(0);
            self.highest = number;
        }
        let below = u32::try_from(self.highest - number).unwrap_or(u32::MAX);
        let bit = 1u64.checked_shl(below).unwrap_or(0);
        let is_new = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

/// What evidence of an earlier announcement says to the node that it was shown to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing that matters: this session itself, or a run before it.
    Nothing,
    /// This node's key has announced another session with this counter, which is not lower than its own: its counter was
    /// lost with its storage, or another daemon runs with its key. A session that announces itself with a higher one is
    /// taken for the present.
    Counter(u64),
}

/// Judges what another node shows this one ([`Ask::Evidence`](crate::ask::Ask)): an announcement that this node's own
/// key is to have signed. Nobody else can make one, so nobody can talk this node into a counter.
///
/// # Errors
/// [`Refusal::OtherNode`], or those of [`ClaimedAnnouncement::verify`].
pub fn judge_evidence(
    bytes: &[u8],
    own: &Announcement,
    keys: &dyn NodeKeys,
) -> Result<Evidence, Refusal> {
    let claimed = ClaimedAnnouncement::read(bytes)?;
    if claimed.node()? != own.node {
        return Err(Refusal::OtherNode);
    }
    let verified = claimed.verify(&own.bus, keys)?;
    let shown = verified.announcement();
    match shown.session != own.session && shown.counter >= own.counter {
        true => Ok(Evidence::Counter(shown.counter)),
        false => Ok(Evidence::Nothing),
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;

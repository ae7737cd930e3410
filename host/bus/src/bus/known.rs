//! The sessions of other nodes, and their sender keys.

use std::collections::VecDeque;

use kozo_ground::names::NodeName;

use super::Bus;
use super::terms::Happened;
use crate::announcement::{Announcement, ClaimedAnnouncement, SignedAnnouncement};
use crate::refusal::Refusal;
use crate::sender_key::{Epoch, OpeningKey, SenderKey};
use crate::session::{SessionId, SessionKeys};

/// How many epochs of a session can be opened: the latest ones.
const MAX_EPOCHS: usize = 4;

/// How many ended sessions of a node are remembered by their ids.
const MAX_OVER: usize = 4;

/// What is known of another node's sessions.
#[derive(Debug)]
pub(super) struct Known {
    present: SignedAnnouncement,
    keys: VecDeque<(Epoch, OpeningKey)>,
    over: VecDeque<SessionId>,
}

impl Bus {
    /// A node introduces a session with an announcement: true if that is a new one.
    pub(super) fn introduced(
        &mut self,
        node: &NodeName,
        claimed: &ClaimedAnnouncement<'_>,
    ) -> Result<bool, Refusal> {
        let members = &self.settings.members;
        if !members.may_be_heard(node) && !members.may_read(node) {
            return Err(Refusal::NotAllowed);
        }
        let known = self.known.get(node);
        if known.is_some_and(|known| claimed.is(&known.present)) {
            return Ok(false);
        }
        if claimed.node()? != *node {
            return Err(Refusal::OtherNode);
        }
        let verified = claimed.verify(&self.settings.name, &*self.keys)?;
        let new = verified.announcement();
        let (session, is_other) = (new.session, new.digest != self.settings.digest);
        let mut is_new = true;
        if let Some(known) = self.known.get_mut(node) {
            let old = known.present.announcement();
            if new.session == old.session {
                is_new = false;
                // The same session in a later epoch.
                if new.counter >= old.counter {
                    known.present = verified;
                }
            } else if new.counter == old.counter {
                let node = node.clone();
                self.tell(Happened::Twins { node });
                return Err(Refusal::Twin);
            } else if new.counter < old.counter {
                return Err(Refusal::Older);
            } else {
                known.over.push_front(old.session);
                known.over.truncate(MAX_OVER);
                known.keys.clear();
                known.present = verified;
            }
        } else {
            let known = Known {
                present: verified,
                keys: VecDeque::new(),
                over: VecDeque::new(),
            };
            self.known.insert(node.clone(), known);
        }
        if is_new {
            let entry = self.nodes.entry(node.clone()).or_default();
            entry.knows_us = false;
            if entry.session.is_some_and(|heard| heard != session) {
                // Its lanes go on until the key of the new session is here, but nothing more comes in them.
                entry.heard_since = None;
            }
            let was_other = std::mem::replace(&mut entry.other_file, is_other);
            if is_other && !was_other {
                let node = node.clone();
                self.tell(Happened::OtherFile { node });
            }
        }
        Ok(is_new)
    }

    /// The public keys of a session, if that is the node's present one.
    pub(super) fn signer(&self, node: &NodeName, session: SessionId) -> Option<SessionKeys> {
        let present = self.announcement_of(node)?;
        (present.session == session).then_some(present.keys)
    }

    pub(super) fn announcement_of(&self, node: &NodeName) -> Option<&Announcement> {
        Some(self.known.get(node)?.present.announcement())
    }

    /// A node's present session, and the epoch that it announced.
    pub(super) fn present(&self, node: &NodeName) -> Option<(SessionId, Epoch)> {
        let present = self.announcement_of(node)?;
        Some((present.session, present.epoch))
    }

    pub(super) fn is_present(&self, node: &NodeName, session: SessionId) -> bool {
        self.present(node)
            .is_some_and(|(present, _)| present == session)
    }

    /// Whether a session is known to have ended.
    pub(super) fn is_over(&self, node: &NodeName, session: SessionId) -> bool {
        let known = self.known.get(node);
        known.is_some_and(|known| known.over.contains(&session))
    }

    pub(super) fn has_key(&self, node: &NodeName, session: SessionId, epoch: Epoch) -> bool {
        self.opening(node, session, epoch).is_some()
    }

    /// What opens and verifies the datagrams of a node's present session.
    pub(super) fn opening(
        &self,
        node: &NodeName,
        session: SessionId,
        epoch: Epoch,
    ) -> Option<(&OpeningKey, &SessionKeys)> {
        let known = self.known.get(node)?;
        let present = known.present.announcement();
        if present.session != session {
            return None;
        }
        let (_, key) = known.keys.iter().find(|(of, _)| *of == epoch)?;
        Some((key, &present.keys))
    }

    pub(super) fn add_key(
        &mut self,
        node: &NodeName,
        session: SessionId,
        epoch: Epoch,
        key: &SenderKey,
    ) {
        let Some(known) = self.known.get_mut(node) else {
            return;
        };
        if known.present.announcement().session == session {
            known.keys.retain(|(of, _)| *of != epoch);
            known.keys.push_front((epoch, OpeningKey::new(key)));
            known.keys.truncate(MAX_EPOCHS);
        }
    }
}

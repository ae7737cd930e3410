//! What announcements of others mean here.

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;

use super::Bus;
use super::asks::Purpose;
use super::terms::Happened;
use crate::announcement::ClaimedAnnouncement;
use crate::refusal::Refusal;
use crate::sender_key::Epoch;
use crate::session::SessionId;
use crate::sessions::{Evidence, Heard, judge_evidence};

impl Bus {
    /// A node introduces a session of its own.
    pub(super) fn introduced(
        &mut self,
        node: &NodeName,
        claimed: &ClaimedAnnouncement<'_>,
        now: Moment,
    ) -> Result<(), Refusal> {
        let members = &self.settings.members;
        if !members.may_be_heard(node) && !members.may_read(node) {
            return Err(Refusal::NotAllowed);
        }
        if claimed.node()? != *node {
            return Err(Refusal::OtherNode);
        }
        let heard = self
            .sessions
            .hear(claimed, &self.settings.name, &*self.keys, now);
        let heard = match heard {
            Ok((_, heard)) => heard,
            Err(refusal @ (Refusal::Older | Refusal::Twin)) => {
                if refusal == Refusal::Twin {
                    let node = node.clone();
                    self.tell(Happened::Twins { node });
                }
                self.show_evidence(node, now);
                return Err(refusal);
            }
            Err(refusal) => return Err(refusal),
        };
        let digest = self.sessions.present(node).map(|present| present.digest);
        let is_other = digest.is_some_and(|digest| digest != self.settings.digest);
        let known = self.nodes.entry(node.clone()).or_default();
        if heard != Heard::Present {
            known.knows_us = false;
            // The lanes of the session before stay until the key of this one is here; nothing more comes in them.
            known.heard_since = None;
        }
        let was_other = std::mem::replace(&mut known.other_file, is_other);
        if is_other && !was_other {
            let node = node.clone();
            self.tell(Happened::OtherFile { node });
        }
        Ok(())
    }

    /// A node's present session, and the epoch that it announced.
    pub(super) fn present(&self, node: &NodeName) -> Option<(SessionId, Epoch)> {
        let present = self.sessions.present(node)?;
        Some((present.session, present.epoch))
    }

    pub(super) fn is_present(&self, node: &NodeName, session: SessionId) -> bool {
        self.present(node)
            .is_some_and(|(present, _)| present == session)
    }

    pub(super) fn has_key(&self, node: &NodeName, session: SessionId, epoch: Epoch) -> bool {
        self.sessions.opening(node, session, epoch).is_some()
    }

    /// Somebody shows what this node's key is said to have signed.
    pub(super) fn evidence(&mut self, shown: &[u8], now: Moment) -> Result<(), Refusal> {
        let own = self.announcement.announcement();
        let Evidence::Counter(counter) = judge_evidence(shown, own, &*self.keys)? else {
            return Ok(());
        };
        let counter = counter.saturating_add(1);
        self.settings.counter = counter;
        if self.announce_anew().is_ok() {
            self.announce = now;
            self.tell(Happened::Counter { counter });
        }
        Ok(())
    }

    /// Shows a node what its own key has signed before: it is not to be had with what it announces now.
    fn show_evidence(&mut self, node: &NodeName, now: Moment) {
        let Some(evidence) = self.sessions.evidence(node) else {
            return;
        };
        let purpose = Purpose::Evidence(evidence.to_vec());
        let known = self.nodes.entry(node.clone()).or_default();
        // As rarely as keys are asked for.
        if known.pulls.take(now) {
            self.ask(node, purpose, true, now);
        }
    }
}

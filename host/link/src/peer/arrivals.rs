//! What arrives over a peer's links, and what follows from it.

use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_wire::{BUS, Frame, Hello, LinkId, Message, PROTOCOL, PendingFrame, QUESTIONS};

use super::Peer;
use crate::live::LinkStage;
use crate::terms::{
    Action, ByeReason, Delivery, LinkEnding, LinkKey, Notice, Occurrence, ProtocolViolation,
};
use kozo_ground::policy::ConnectPolicy;

impl Peer {
    /// Bytes of the peer's came over a link, the frames in them included; `pending` is the one that
    /// is not complete.
    pub fn heard(&mut self, key: LinkKey, pending: Option<PendingFrame>, now: Moment) {
        let max_read = self.settings.max_read;
        if let Some(link) = self.link_mut(key) {
            link.heard(pending, max_read, now);
        }
    }

    /// Bytes came over a link's stream at the moment `at`, or went after they had to wait: the path
    /// is alive, although nothing that came makes up anything yet.
    pub fn moved(&mut self, key: LinkKey, at: Moment) {
        if let Some(link) = self.link_mut(key) {
            link.moved(at);
        }
    }

    /// This process ran `late`, so much after a moment that it had asked for: it was not scheduled,
    /// or the machine was suspended. What peers said meanwhile waits to be read, and they may have
    /// stood still as well, so the time does not count as silence.
    pub fn overslept(&mut self, late: Duration, now: Moment) {
        for link in &mut self.links {
            link.overslept(late, now);
        }
    }

    /// A frame came over a link. Returns the message in it if it is one for this node's roles.
    ///
    /// # Errors
    /// The peer broke the protocol: the link has to be closed, and `closed` called.
    pub fn received(
        &mut self,
        key: LinkKey,
        frame: Frame,
        now: Moment,
    ) -> Result<Option<Delivery>, ProtocolViolation> {
        let Some(stage) = self.link_mut(key).map(|link| link.stage) else {
            return Ok(None);
        };
        match (stage, frame) {
            (LinkStage::Closing, _) => {}
            (LinkStage::Greeting, Frame::Hello(hello)) => self.greeted(key, *hello, now)?,
            (LinkStage::Greeting, Frame::Bye { reason }) => {
                let reason = format!("the peer closed it: {reason}");
                self.closed(key, LinkEnding::Orderly, &reason, now);
                self.actions.push_back(Action::Close(key));
            }
            (LinkStage::Greeting, _) => {
                return Err(ProtocolViolation("a frame came before the hello".into()));
            }
            (LinkStage::Live, Frame::Hello(_)) => {
                return Err(ProtocolViolation("a second hello came".into()));
            }
            (LinkStage::Live, frame) => return self.live_frame(key, frame, now),
        }
        Ok(None)
    }

    fn live_frame(
        &mut self,
        key: LinkKey,
        frame: Frame,
        now: Moment,
    ) -> Result<Option<Delivery>, ProtocolViolation> {
        match frame {
            Frame::Message {
                sequence,
                remaining,
                message,
            } => {
                if let Some(link) = self.link_mut(key) {
                    link.received += 1;
                }
                return Ok(self.message(sequence, remaining, message, now));
            }
            Frame::UnknownMessage { sequence, length } => {
                if let Some(link) = self.link_mut(key) {
                    link.received += 1;
                }
                self.arrived(sequence, length, now);
            }
            Frame::Acknowledgement { sequence } => {
                self.outbox.acknowledge(sequence, now);
            }
            Frame::Heartbeat { clock, floor } => {
                let missed = self.inbound.floor(floor);
                self.notice_missed(missed);
                if let Some(link) = self.link_mut(key) {
                    link.echo = Some(clock);
                }
            }
            Frame::Echo { clock } => {
                let sent = Moment::ZERO + Duration::from_micros(clock);
                if let Some(link) = self.link_mut(key) {
                    link.measured(now.since(sent));
                }
            }
            Frame::Bye { reason } => {
                let reason = format!("the peer closed it: {reason}");
                self.closed(key, LinkEnding::Orderly, &reason, now);
                self.actions.push_back(Action::Close(key));
            }
            Frame::Twins(twins) => self.hear_of_twins(twins, now),
            Frame::Question(question) => self.asked(key, question),
            Frame::Answer(part) => self.answered(key, &part, now)?,
            Frame::Bus(frame) => self.bus_frame(key, frame, now)?,
            Frame::Hello(_) | Frame::Unknown { .. } => {}
        }
        Ok(None)
    }

    fn message(
        &mut self,
        sequence: u64,
        remaining: Duration,
        message: Message,
        now: Moment,
    ) -> Option<Delivery> {
        let new = self.arrived(sequence, message.body().len(), now);
        // A peer that may not send to this node has another file.
        if !new || self.settings.incoming == ConnectPolicy::Never {
            return None;
        }
        // A peer cannot give its messages a longer life than this node's file does.
        let remaining = remaining.min(self.settings.max_ages.of(message.kind()));
        Some(Delivery { message, remaining })
    }

    /// A message came, of so many bytes. False when it came before.
    fn arrived(&mut self, sequence: u64, bytes: usize, now: Moment) -> bool {
        self.used = now;
        let before = self.inbound.counts().missed;
        let new = self.inbound.message(sequence, bytes, now);
        self.notice_missed(self.inbound.counts().missed - before);
        new
    }

    fn notice_missed(&mut self, missed: u64) {
        if missed > 0 {
            self.actions
                .push_back(Action::Notice(Notice::Missed(missed)));
        }
    }

    fn greeted(
        &mut self,
        key: LinkKey,
        hello: Hello,
        now: Moment,
    ) -> Result<(), ProtocolViolation> {
        if hello.protocol != PROTOCOL {
            return Err(ProtocolViolation(format!(
                "it speaks version {} of the protocol, this node speaks version {PROTOCOL}",
                hello.protocol
            )));
        }
        if hello.node != self.settings.peer.as_str() {
            return Err(ProtocolViolation(format!(
                "it calls itself {:?} in its hello",
                hello.node
            )));
        }
        if self.sends_away(key, hello.session, now) {
            return Ok(());
        }
        let before = self.inbound.session();
        let replaced = before.filter(|session| *session != hello.session);
        if let Some(replaced) = replaced {
            self.twins.replace(replaced, hello.session, now);
        }
        let restarted = replaced.is_some();
        self.inbound.hello(hello.session, hello.base);
        let turn = self.next_turn;
        self.next_turn += 1;
        let Some(link) = self.link_mut(key) else {
            return Ok(());
        };
        match (link.dialled, hello.link) {
            (false, Some(id)) => {
                link.id = Some(id);
                link.rank = hello.rank;
            }
            (true, None) => {}
            (true, Some(_)) => {
                return Err(ProtocolViolation("only who dials names the link".into()));
            }
            (false, None) => {
                return Err(ProtocolViolation("who dials has to name the link".into()));
            }
        }
        link.stage = LinkStage::Live;
        link.answers_questions = hello.features.iter().any(|feature| feature == QUESTIONS);
        link.carries_buses = hello.features.iter().any(|feature| feature == BUS);
        link.turn = turn;
        link.since = now;
        link.set_peer_heartbeat(Duration::from_millis(hello.heartbeat));
        let rank = link.rank;
        let (path, dialled) = (link.path.clone(), link.dialled);
        self.used = now;
        self.settle(key, &hello.alive, restarted, now);
        if let Some((session, seen)) = hello.seen
            && session == self.settings.session
        {
            self.outbox.acknowledge(seen, now);
        }
        if self.carrier() == Some(key) {
            self.outbox.rewind();
        }
        for attempt in self.dialer.cancel(rank) {
            self.actions.push_back(Action::CancelDial(attempt));
        }
        self.bus_way_changed();
        self.happened(Occurrence::Up { path, dialled }, now);
        // A client that is no node of ours has no file.
        self.other_config =
            !hello.config.is_empty() && hello.config.as_slice() != self.settings.config_digest;
        if self.other_config {
            self.actions.push_back(Action::Notice(Notice::OtherConfig));
        }
        self.actions.push_back(Action::Learn(hello.interests));
        Ok(())
    }

    /// Closes what a link that became live makes superfluous.
    fn settle(&mut self, new: LinkKey, alive: &[LinkId], restarted: bool, now: Moment) {
        let Some(new_rank) = self.link(new).map(|link| link.rank) else {
            return;
        };
        let others: Vec<_> = self
            .links
            .iter()
            .filter(|link| link.key != new && link.is_live())
            .map(|link| (link.key, link.id, link.rank))
            .collect();
        for (key, id, rank) in others {
            if restarted {
                // The process at its other end is gone.
                self.close(key, "the peer was restarted", now);
            } else if self.settings.is_arbiter() {
                let half_open = id.is_none_or(|id| !alive.contains(&id));
                let loser = if half_open || rank <= new_rank {
                    key
                } else {
                    new
                };
                self.bid_farewell(loser, ByeReason::Superseded, now);
            }
        }
    }
}

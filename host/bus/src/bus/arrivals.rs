//! What came over the bus.

use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;

use super::asks::{Asked, Purpose};
use super::held::HeldDatagram;
use super::terms::Happened;
use super::{Bus, reading};
use crate::announcement::ClaimedAnnouncement;
use crate::ask::{ANSWER_TIMEOUT, Answer, AskRefusal, Repaired, SealedKey};
use crate::datagram::{self, Body, FORMAT, Header, Unproven};
use crate::incoming::SessionClock;
use crate::letter::{ReceivedAnswer, uncover_announcement};
use crate::refusal::Refusal;
use crate::sender_key::Epoch;
use crate::session::{SessionId, SessionKeys, Signed};
use crate::subject::{Address, Nonce, Token};

/// The signatures of so many datagrams are verified at once, at most: more of them save nothing.
const VERIFIED_AT_ONCE: usize = 16;

/// Fewer than these are verified one by one, which takes no longer.
const WORTH_IT: usize = 4;

/// A datagram of the present session of a node, that somebody has sealed who has its sender key.
struct Unsealed<'a> {
    node: NodeName,
    token: Token,
    subject: &'a str,
    header: Header,
    /// How long it was as it came.
    length: usize,
    was_asked: bool,
    signer: SessionKeys,
    unproven: Unproven,
}

impl Unsealed<'_> {
    fn signed(&self) -> Signed<'_> {
        Signed {
            by: &self.signer,
            text: self.unproven.text(),
            signature: self.unproven.signature(),
        }
    }
}

impl Bus {
    /// Something came with this subject. Whatever it is: what is not as it should be is refused and counted.
    pub fn received(&mut self, subject: &str, reply: Option<&str>, data: &[u8], now: Moment) {
        self.count(data);
        let (node, result) = match self.subjects.read(subject) {
            None => (None, Err(Refusal::Subject)),
            Some(Address::Lane(token)) => {
                let (node, unsealed) = self.of_lane(token, subject, data, now);
                let result = unsealed.and_then(|unsealed| match unsealed {
                    Some(unsealed) => self.prove(&unsealed, now),
                    None => Ok(()),
                });
                (node, result)
            }
            Some(Address::Here(token)) => {
                self.of_node(token, |bus, node| bus.announced(node, subject, data, now))
            }
            Some(Address::Ask(token)) if token == self.token => {
                (None, self.asked_by_other(subject, reply, data, now))
            }
            Some(Address::Answer(token, nonce)) if token == self.token => {
                let node = self.asked.get(&nonce).map(|asked| asked.node.clone());
                (node, self.answer(subject, nonce, data, now))
            }
            Some(Address::Ask(_) | Address::Answer(..)) => (None, Err(Refusal::Subject)),
        };
        if let Err(refusal) = result {
            self.refuse(node, refusal, now);
        }
        self.missed();
    }

    /// These came one after the other, each a subject and data: as if each was [received](Self::received) by itself, in
    /// less time, since the signatures of those that are of lanes are verified together.
    pub fn received_many<'a>(
        &mut self,
        datagrams: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        now: Moment,
    ) {
        let mut unsealed = Vec::with_capacity(VERIFIED_AT_ONCE);
        for (subject, data) in datagrams {
            let Some(Address::Lane(token)) = self.subjects.read(subject) else {
                self.prove_all(&mut unsealed, now);
                self.received(subject, None, data, now);
                continue;
            };
            self.count(data);
            match self.of_lane(token, subject, data, now) {
                (_, Ok(None)) => {}
                (_, Ok(Some(datagram))) => unsealed.push(datagram),
                (node, Err(refusal)) => self.refuse(node, refusal, now),
            }
            if unsealed.len() == VERIFIED_AT_ONCE {
                self.prove_all(&mut unsealed, now);
            }
        }
        self.prove_all(&mut unsealed, now);
        self.missed();
    }

    fn count(&mut self, data: &[u8]) {
        self.received.datagrams += 1;
        self.received.bytes += data.len() as u64;
    }

    /// Does something with what came of a node, if that is one whose messages are for this node.
    fn of_node<T>(
        &mut self,
        token: Token,
        with: impl FnOnce(&mut Self, &NodeName) -> Result<T, Refusal>,
    ) -> (Option<NodeName>, Result<T, Refusal>) {
        let Some(node) = self.settings.members.name_of(token) else {
            return (None, Err(Refusal::UnknownNode));
        };
        if node != self.settings.own && !self.settings.members.may_be_heard(&node) {
            return (Some(node), Err(Refusal::NotAllowed));
        }
        let result = with(self, &node);
        (Some(node), result)
    }

    /// Something came in a lane of this node. There is a datagram, if it is one that is to be taken now.
    fn of_lane<'a>(
        &mut self,
        token: Token,
        subject: &'a str,
        data: &[u8],
        now: Moment,
    ) -> (Option<NodeName>, Result<Option<Unsealed<'a>>, Refusal>) {
        self.of_node(token, |bus, node| {
            bus.lane_datagram(node, token, subject, data, now)
        })
    }

    /// A datagram of a lane.
    fn lane_datagram<'a>(
        &mut self,
        node: &NodeName,
        token: Token,
        subject: &'a str,
        data: &[u8],
        now: Moment,
    ) -> Result<Option<Unsealed<'a>>, Refusal> {
        let header = Header::read(data)?;
        if *node == self.settings.own {
            // Some engines give a node what it has published itself.
            return match header.session == self.session.id() {
                true => Ok(None),
                false => Err(Refusal::OwnNode),
            };
        }
        let known = self.nodes.get(node);
        let source = known.and_then(|known| known.source);
        let is_present = known.is_some_and(|known| known.session == Some(header.session));
        if let Some(source) = source.filter(|_| is_present) {
            if self.incoming.is_unwanted(source, subject) {
                return Ok(None);
            }
            if self.has_key(node, header.session, header.epoch) {
                let place = (header.epoch, header.counter);
                if self.incoming.is_in_vain(source, subject, place, false) {
                    return Ok(None);
                }
                return self.unseal(node, token, subject, data, false).map(Some);
            }
        }
        if self.sessions.is_over(node, header.session) {
            return Err(Refusal::Older);
        }
        let is_refused =
            |(session, until): (SessionId, Moment)| session == header.session && until > now;
        if known
            .and_then(|known| known.refuse_until)
            .is_some_and(is_refused)
        {
            return Err(Refusal::UnknownSession);
        }
        let datagram = HeldDatagram {
            epoch: header.epoch,
            subject: subject.to_owned(),
            data: data.to_vec(),
        };
        let held = self.held.add(node, header.session, datagram, now);
        self.pull(node, header.session, header.epoch, now);
        held.map(|()| None).map_err(|_| Refusal::TooMany)
    }

    /// Opens the seal of a datagram of the present session of a node, whose key is here.
    fn unseal<'a>(
        &self,
        node: &NodeName,
        token: Token,
        subject: &'a str,
        data: &[u8],
        was_asked: bool,
    ) -> Result<Unsealed<'a>, Refusal> {
        let header = Header::read(data)?;
        let (key, signer) = self
            .sessions
            .opening(node, header.session, header.epoch)
            .ok_or(Refusal::UnknownEpoch)?;
        Ok(Unsealed {
            node: node.clone(),
            token,
            subject,
            header,
            length: data.len(),
            was_asked,
            signer: *signer,
            unproven: datagram::unseal(data, key, &self.subjects, token, subject)?,
        })
    }

    /// Verifies the signatures of datagrams, and takes those that are right.
    fn prove_all(&mut self, all: &mut Vec<Unsealed<'_>>, now: Moment) {
        let verify_all = || {
            let signed: Vec<Signed<'_>> = all.iter().map(Unsealed::signed).collect();
            SessionKeys::verify_all(&signed).is_ok()
        };
        let are_right = all.len() >= WORTH_IT && verify_all();
        for unsealed in all.drain(..) {
            let result = match are_right {
                true => self.take(&unsealed, now),
                // Who is to blame is found out one by one.
                false => self.prove(&unsealed, now),
            };
            if let Err(refusal) = result {
                self.refuse(Some(unsealed.node), refusal, now);
            }
        }
    }

    /// Verifies the signature of a datagram, and takes it.
    fn prove(&mut self, unsealed: &Unsealed<'_>, now: Moment) -> Result<(), Refusal> {
        let Signed {
            by,
            text,
            signature,
        } = unsealed.signed();
        by.verify(text, signature)?;
        self.take(unsealed, now)
    }

    /// Takes a datagram whose signature is right.
    fn take(&mut self, unsealed: &Unsealed<'_>, now: Moment) -> Result<(), Refusal> {
        let Unsealed {
            node,
            token,
            subject,
            header,
            length,
            was_asked,
            unproven,
            ..
        } = unsealed;
        let body = unproven.read(&self.subjects, *token, subject)?;
        let known = self.nodes.get_mut(node);
        let known = known.filter(|known| known.session == Some(header.session));
        let Some(source) = known.and_then(|known| known.source) else {
            return Err(Refusal::UnknownSession);
        };
        self.incoming.datagram(source, *length);
        let last = match &body {
            Body::Messages(batch) => Some(batch.last()),
            Body::Part(_) | Body::End(_) => None,
        };
        let reading = reading!(self);
        self.incoming
            .received(source, subject, body, *was_asked, reading, now)?;
        if let Some(last) = last {
            let place = (header.epoch, header.counter);
            self.incoming.taken(source, subject, place, last);
        }
        if !was_asked {
            self.sync_if_due(node, now);
        }
        Ok(())
    }

    /// Opens a datagram of the present session of a node, whose key is here, and takes it.
    fn open(
        &mut self,
        node: &NodeName,
        token: Token,
        subject: &str,
        data: &[u8],
        was_asked: bool,
        now: Moment,
    ) -> Result<(), Refusal> {
        let unsealed = self.unseal(node, token, subject, data, was_asked)?;
        self.prove(&unsealed, now)
    }

    /// A datagram came that was asked for, perhaps a while ago.
    fn open_asked(
        &mut self,
        node: &NodeName,
        subject: &str,
        data: &[u8],
        now: Moment,
    ) -> Result<(), Refusal> {
        let header = Header::read(data)?;
        let known = self.nodes.get(node);
        let known = known.filter(|known| known.session == Some(header.session));
        let place = (header.epoch, header.counter);
        if let Some(source) = known.and_then(|known| known.source)
            && self.incoming.is_in_vain(source, subject, place, true)
        {
            return Ok(());
        }
        let token = self.subjects.node(node);
        self.open(node, token, subject, data, true, now)
    }

    /// An announcement came by itself.
    fn announced(
        &mut self,
        node: &NodeName,
        subject: &str,
        data: &[u8],
        now: Moment,
    ) -> Result<(), Refusal> {
        let bytes = uncover_announcement(&self.veil, subject, data)?;
        let claimed = ClaimedAnnouncement::read(&bytes)?;
        if claimed.is(&self.announcement) {
            return Ok(());
        }
        if claimed.node()? != *node {
            return Err(Refusal::OtherNode);
        }
        if !self.announcements.take(now) {
            return Err(Refusal::TooMany);
        }
        if *node != self.settings.own {
            self.introduced(node, &claimed, now)?;
            if self.settings.expected.contains(node) {
                self.pull_ahead(node, now);
            }
            return Ok(());
        }
        let verified = claimed.verify(&self.settings.name, &*self.keys)?;
        let other = verified.announcement();
        // This node's own earlier runs may still be under way.
        if other.session != self.session.id() && other.counter >= self.settings.counter {
            self.twin_seen(now);
            return Err(Refusal::Twin);
        }
        Ok(())
    }

    /// An answer came.
    fn answer(
        &mut self,
        subject: &str,
        nonce: Nonce,
        data: &[u8],
        now: Moment,
    ) -> Result<(), Refusal> {
        let asked = match self.asked.get(&nonce) {
            Some(asked) => asked.clone(),
            // What comes late is as good as what comes in time.
            None => self.late.get(nonce).ok_or(Refusal::Unasked)?.clone(),
        };
        if data.first() == Some(&FORMAT) {
            let Purpose::Repair { subject, .. } = &asked.purpose else {
                return Err(Refusal::Unasked);
            };
            return self.open_asked(&asked.node, subject, data, now);
        }
        if self.late.is_answered(nonce) {
            return Err(Refusal::Repeated);
        }
        let answer = ReceivedAnswer::uncover(&self.veil, subject, data)?;
        if answer.nonce != nonce {
            return Err(Refusal::Unasked);
        }
        if let Some(claimed) = answer.announcement()? {
            self.introduced(&asked.node, &claimed, now)?;
        }
        let signer = *self
            .sessions
            .signer(&asked.node, answer.session)
            .ok_or(Refusal::UnknownSession)?;
        let content = answer.verify(&signer, &self.subjects, self.session.id())?;
        // Everything is proven: it is from the node that was asked, and to this ask.
        if let Some(Answer::Reply(part)) = &content {
            if let Some(known) = self.nodes.get_mut(&asked.node) {
                known.absent = None;
                known.knows_us = true;
            }
            return self.part_came(&asked, answer.session, nonce, part, now);
        }
        self.asked.remove(&nonce);
        self.late.answered(nonce, &asked);
        let session = answer.session;
        // The lanes and the clock that are here may still be those of the session before.
        let known = self.nodes.get(&asked.node);
        let is_heard = known.is_some_and(|known| known.session == Some(session));
        if let Some(known) = self.nodes.get_mut(&asked.node) {
            known.absent = None;
            known.round_trip = Some(now.since(asked.at));
            known.knows_us |= !matches!(content, Some(Answer::Introduce));
            if let Some(source) = known.source.filter(|_| is_heard) {
                self.incoming.heard(source, now);
            }
        }
        match content {
            Some(Answer::Key(key)) => self.key_came(asked, session, &key, now),
            Some(Answer::Repaired(repaired)) if is_heard => {
                self.repaired(&asked, &repaired, now);
                Ok(())
            }
            Some(Answer::Pong { time }) => {
                let Asked {
                    node, at, purpose, ..
                } = asked;
                let source = self.nodes.get_mut(&node).and_then(|known| {
                    known.syncing = None;
                    known.source
                });
                // One that took long, since a question had the time, would say too little about the clock.
                let is_exact = now.since(at) <= ANSWER_TIMEOUT;
                if let Some(source) = source.filter(|_| is_heard && is_exact) {
                    self.incoming.synced(source, at, time.0, now);
                }
                match purpose {
                    Purpose::Ping(ping) => {
                        let round_trip = now.since(at);
                        self.tell(Happened::Pong {
                            ping,
                            node,
                            round_trip,
                        });
                    }
                    Purpose::Meeting(id) => self.put_question_again(id, now),
                    _ => {}
                }
                Ok(())
            }
            Some(Answer::Introduce) if !asked.introduced => {
                if let Some(known) = self.nodes.get_mut(&asked.node) {
                    known.knows_us = false;
                }
                match asked.purpose {
                    Purpose::Question(id) | Purpose::Meeting(id) => {
                        self.put_question_again(id, now);
                    }
                    purpose => drop(self.ask(&asked.node, purpose, true, now)),
                }
                Ok(())
            }
            Some(Answer::Refused(refusal)) => {
                self.asked_in_vain(asked, refusal, now);
                Ok(())
            }
            Some(Answer::Repaired(_)) => {
                self.answered_by_other(&asked.node, session, now);
                Ok(())
            }
            Some(Answer::Reply(_) | Answer::Introduce) | None => Err(Refusal::Unasked),
        }
    }

    /// The key of a session came.
    fn key_came(
        &mut self,
        asked: Asked,
        session: SessionId,
        sealed: &SealedKey,
        now: Moment,
    ) -> Result<(), Refusal> {
        let Purpose::Key { epoch, .. } = asked.purpose else {
            return Err(Refusal::Unasked);
        };
        if !self.is_present(&asked.node, session) {
            return Err(Refusal::Unasked);
        }
        // What counts as the way there and back is without the time that the ask has waited at the other node: else who
        // answers a crowd would have no exact clock.
        let waited = Duration::from_millis(sealed.waited_ms);
        let asked_at = asked.at + waited.min(now.since(asked.at));
        if now.since(asked_at) > ANSWER_TIMEOUT {
            // It would say too little about the clock. It is asked for again.
            return Err(Refusal::Unasked);
        }
        let key = sealed.open(&self.session, session, &self.subjects)?;
        self.sessions
            .install(&asked.node, session, sealed.epoch, &key, now)?;
        let token = self.subjects.node(&asked.node);
        let time = sealed.time.0;
        let known = self.nodes.entry(asked.node.clone()).or_default();
        known.pull = None;
        known.why_not = None;
        known.refused = None;
        known.refuse_until = None;
        let clock = SessionClock::new(asked_at, time, now);
        match known.source {
            Some(source) if known.session == Some(session) => {
                self.incoming.synced(source, asked_at, time, now);
            }
            Some(source) => self.incoming.new_session(source, clock, now),
            None => {
                let node = asked.node.clone();
                known.source = Some(self.incoming.add_source(node, token, clock, now));
            }
        }
        let again = known.session.is_some();
        if known.session.replace(session) != Some(session) {
            known.heard_since = Some(now);
            let node = asked.node.clone();
            self.tell(Happened::Heard { node, again });
        }
        let gone = Some(epoch).filter(|epoch| *epoch != sealed.epoch);
        self.open_held(&asked.node, session, gone, now);
        Ok(())
    }

    /// Opens what has waited for a key. The sender has none of the epoch `gone`: whoever wrote that into a header, it
    /// is not to be opened.
    fn open_held(&mut self, node: &NodeName, session: SessionId, gone: Option<Epoch>, now: Moment) {
        let token = self.subjects.node(node);
        for held in self.held.take(node, session) {
            if gone == Some(held.epoch) {
                self.refuse(Some(node.clone()), Refusal::UnknownEpoch, now);
                continue;
            }
            if !self.has_key(node, session, held.epoch) {
                // Of another epoch: its key comes next.
                self.pull(node, session, held.epoch, now);
                if self.held.add(node, session, held, now).is_err() {
                    self.refuse(Some(node.clone()), Refusal::TooMany, now);
                }
                continue;
            }
            let opened = self.open(node, token, &held.subject, &held.data, false, now);
            if let Err(refusal) = opened {
                self.refuse(Some(node.clone()), refusal, now);
            }
        }
    }

    /// A repair is complete, as far as the sender goes.
    fn repaired(&mut self, asked: &Asked, repaired: &Repaired, now: Moment) {
        let Purpose::Repair { lane, from, .. } = asked.purpose else {
            return;
        };
        for (from, to) in &repaired.lost {
            self.incoming.lost(lane, *from, *to, now);
        }
        let took = now.since(asked.at);
        let told = (repaired.through, repaired.last);
        self.incoming.answered(lane, from, told, took, now);
    }

    /// A session of a node has answered for a lane that is of another one. With the key of the present one, that is over.
    fn answered_by_other(&mut self, node: &NodeName, session: SessionId, now: Moment) {
        let Some((present, epoch)) = self.present(node) else {
            return;
        };
        let known = self.nodes.get(node);
        let refused = known.and_then(|known| known.refuse_until);
        let is_refused = refused.is_some_and(|(of, until)| of == session && until > now);
        if present == session && !is_refused && !self.has_key(node, session, epoch) {
            self.pull(node, session, epoch, now);
        }
    }

    /// A node says no.
    fn asked_in_vain(&mut self, asked: Asked, refusal: AskRefusal, now: Moment) {
        match &asked.purpose {
            Purpose::Key { session, .. } => {
                let node = asked.node.clone();
                match refusal {
                    // The announcement that came along says which one is its present session.
                    AskRefusal::OtherSession => self.ask_for_present(&node, *session, now),
                    AskRefusal::TooMany => self.unanswered(asked, "", now),
                    AskRefusal::NotAllowed
                    | AskRefusal::ForeignKey
                    | AskRefusal::Older
                    | AskRefusal::NotUnderstood => self.no_key(&node, refusal.to_string(), now),
                }
            }
            // The announcement that came along says which one is its present session.
            Purpose::Question(id) if refusal == AskRefusal::OtherSession => {
                self.put_question_again(*id, now);
            }
            _ => self.unanswered(asked, &refusal.to_string(), now),
        }
    }

    /// A node has another session than the one that was asked for: what waits for that one is void, and what waits
    /// for the present one needs its key.
    fn ask_for_present(&mut self, node: &NodeName, asked: SessionId, now: Moment) {
        self.held.take(node, asked);
        let present = self.present(node);
        if let Some(known) = self.nodes.get_mut(node) {
            // One that has begun for the present one goes on.
            known.pull.take_if(|pull| pull.session == asked);
        }
        let Some((session, epoch)) = present.filter(|(session, _)| *session != asked) else {
            return;
        };
        if self.held.has(node, session) && !self.has_key(node, session, epoch) {
            self.pull(node, session, epoch, now);
        }
    }

    /// Tells what is missing for good.
    pub(super) fn missed(&mut self) {
        for (node, messages) in self.incoming.missed() {
            self.tell(Happened::Missed { node, messages });
        }
    }
}

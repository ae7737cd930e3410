//! What others ask this node for.

use bytes::Bytes;
use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;

use super::engine::Letter;
use super::waiting::WaitingAsk;
use super::{Bus, pen};
use crate::ask::{Answer, Ask, AskRefusal, MAX_GAPS, Repaired, SealedKey};
use crate::letter::ReceivedAsk;
use crate::refusal::Refusal;
use crate::sender_key::Epoch;
use crate::session::{SessionId, SessionKeys};
use crate::subject::{Address, Nonce, Token};

/// How many asks are worked off before it is looked again what else there is to do: a few milliseconds' work.
const ASKS_IN_A_ROW: usize = 8;

/// Who has asked, and where the answer goes.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) token: Token,
    pub(super) session: SessionId,
    pub(super) nonce: Nonce,
    /// It has introduced itself, so most likely it does not know this session either.
    is_new: bool,
    /// When its ask came.
    came: Moment,
}

impl Bus {
    /// Another node asks. That waits until it is worked off.
    pub(super) fn asked_by_other(
        &mut self,
        subject: &str,
        reply: Option<&str>,
        data: &[u8],
        now: Moment,
    ) -> Result<(), Refusal> {
        let reply = reply.and_then(|reply| self.subjects.read(reply));
        let Some(Address::Answer(token, nonce)) = reply else {
            return Err(Refusal::Subject);
        };
        let Some(node) = self.settings.members.name_of(token) else {
            return Err(Refusal::UnknownNode);
        };
        if node == self.settings.own {
            return Err(Refusal::OwnNode);
        }
        // Only what is proven to be of a node counts there. One that asks too much takes nothing from the others.
        if self
            .nodes
            .get(&node)
            .is_some_and(|known| !known.asks.has(now))
        {
            return Err(Refusal::TooMany);
        }
        let ask = ReceivedAsk::uncover(&self.veil, subject, data)?;
        if ask.nonce != nonce {
            return Err(Refusal::Unasked);
        }
        let waiting = WaitingAsk {
            node,
            token,
            ask,
            came: now,
        };
        self.waiting.push(waiting).map_err(|_| Refusal::TooMany)
    }

    /// Works off some of what waits, as far as there is room for what answers it.
    pub(super) fn work_off_asks(&mut self, now: Moment) {
        for _ in 0..ASKS_IN_A_ROW {
            if self.waiting.is_empty() || self.letters.are_many() || !self.asks.take(now) {
                return;
            }
            if let Some(waiting) = self.waiting.pop()
                && let Err(refusal) = self.work_off(waiting, now)
            {
                self.refuse(None, refusal, now);
            }
        }
    }

    /// When more of it can be worked off.
    pub(super) fn asks_due(&self) -> Option<Moment> {
        let due = self.asks.due();
        (!self.waiting.is_empty()).then(|| match self.letters.are_many() {
            true => self.engine.held_until().map_or(due, |until| due.max(until)),
            false => due,
        })
    }

    fn work_off(&mut self, waiting: WaitingAsk, now: Moment) -> Result<(), Refusal> {
        let WaitingAsk {
            node,
            token,
            ask,
            came,
        } = waiting;
        let asker = Asker {
            token,
            session: ask.session,
            nonce: ask.nonce,
            is_new: ask.is_introduced(),
            came,
        };
        let content = self.proven(&node, &asker, &ask, now)?;
        let Some((signer, content)) = content else {
            return Ok(());
        };
        self.sent.asks_answered += 1;
        let answer = match content {
            Some(Ask::Ping) => Answer::Pong {
                time: self.session.time(now),
            },
            Some(Ask::Evidence(announcement)) => {
                self.evidence(&announcement, now)?;
                Answer::Pong {
                    time: self.session.time(now),
                }
            }
            // What a node tells of itself has nothing to do with who reads its messages.
            Some(Ask::Question(sealed)) => {
                match self.question_came(&node, &asker, &signer, &sealed, now) {
                    Some(refusal) => Answer::Refused(refusal),
                    None => return Ok(()),
                }
            }
            _ if !self.settings.members.may_read(&node) => Answer::Refused(AskRefusal::NotAllowed),
            Some(Ask::Key { session, .. })
                if session != self.session.id() && session != SessionId::PRESENT =>
            {
                Answer::Refused(AskRefusal::OtherSession)
            }
            Some(Ask::Key { epoch, .. }) => self.key_for(&node, &asker, &signer, epoch, now)?,
            Some(Ask::Repair { lane, from, to }) => {
                if self.is_answering(asker.token, &lane, from) {
                    return Err(Refusal::Repeated);
                }
                let answer = self.repair(&asker, &lane, from, to);
                let until = self.letters.taken_then() + 1;
                self.answering.push((until, asker.token, lane, from));
                answer
            }
            None => Answer::Refused(AskRefusal::NotUnderstood),
        };
        self.answer_with(&asker, answer);
        Ok(())
    }

    /// What a node asks, and the keys of its session, once it is proven that it asks so for the first time. Before
    /// that anybody may have written it: so what strangers cause is counted for itself, and uses up nothing of what the
    /// node may ask. None: it has to introduce itself first.
    fn proven(
        &mut self,
        node: &NodeName,
        asker: &Asker,
        ask: &ReceivedAsk,
        now: Moment,
    ) -> Result<Option<(SessionKeys, Option<Ask>)>, Refusal> {
        if self.sessions.signer(node, asker.session).is_none() {
            let known = self.nodes.entry(node.clone()).or_default();
            if !known.strangers.take(now) {
                return Err(Refusal::TooMany);
            }
            if let Some(claimed) = ask.announcement()?
                && let Err(refusal) = self.introduced(node, &claimed, now)
            {
                let said = match refusal {
                    Refusal::NotAllowed | Refusal::UnknownNode => AskRefusal::NotAllowed,
                    Refusal::ForeignKey => AskRefusal::ForeignKey,
                    Refusal::Older | Refusal::Twin => AskRefusal::Older,
                    _ => return Err(refusal),
                };
                self.answer_with(asker, Answer::Refused(said));
                self.note_refused(node, refusal, now);
                return Err(refusal);
            }
        }
        let Some(&signer) = self.sessions.signer(node, asker.session) else {
            self.answer_with(asker, Answer::Introduce);
            return Ok(None);
        };
        let content = ask.verify(&signer, &self.subjects, &self.settings.own)?;
        self.sessions.first_time(node, asker.session, asker.nonce)?;
        let known = self.nodes.entry(node.clone()).or_default();
        if !known.asks.take(now) {
            return Err(Refusal::TooMany);
        }
        if let Some(claimed) = ask.announcement()? {
            // Its session is known; the rest may be newer.
            self.introduced(node, &claimed, now)?;
        }
        Ok(Some((signer, content)))
    }

    fn key_for(
        &mut self,
        node: &NodeName,
        asker: &Asker,
        signer: &SessionKeys,
        epoch: Epoch,
        now: Moment,
    ) -> Result<Answer, Refusal> {
        // Where there is no such epoch, or none any more, the present key is all that helps.
        let present = self.sender_keys.epoch();
        let (epoch, key) = match (self.sender_keys.key(epoch), self.sender_keys.key(present)) {
            (Some(key), _) => (epoch, key),
            (None, Some(key)) => (present, key),
            (None, None) => return Ok(Answer::Refused(AskRefusal::TooMany)),
        };
        let given = (asker.session, epoch);
        let known = self.nodes.get(node);
        if known.is_some_and(|known| known.given == Some(given) && known.reads >= Some(asker.came))
        {
            // It asked again while it waited, and has got its answer since.
            return Err(Refusal::Repeated);
        }
        let own = (&self.session, self.session.time(now));
        let to = ((asker.session, signer), now.since(asker.came));
        Ok(
            match SealedKey::seal(key, epoch, own, to, &self.subjects, &mut *self.random) {
                Ok(sealed) => {
                    if let Some(known) = self.nodes.get_mut(node) {
                        known.reads = Some(now);
                        known.given = Some(given);
                        known.absent = None;
                    }
                    Answer::Key(sealed)
                }
                // Its agreement key is none, or there is no randomness: it may ask again.
                Err(_) => Answer::Refused(AskRefusal::TooMany),
            },
        )
    }

    /// Whether an answer to the same ask, made before, still waits to be published: who has not got it yet need not get
    /// it twice.
    fn is_answering(&mut self, token: Token, lane: &str, from: u64) -> bool {
        let taken = self.letters.taken();
        self.answering.retain(|(until, ..)| *until > taken);
        let mut answering = self.answering.iter();
        answering.any(|(_, to, of, first)| (*to, of.as_str(), *first) == (token, lane, from))
    }

    /// Sends again what is kept of a lane; the answer says what is not.
    fn repair(&mut self, asker: &Asker, lane: &str, from: u64, to: Option<u64>) -> Answer {
        let again = self.outgoing.again(lane, from, to, MAX_GAPS);
        let subject = self.subjects.answer(asker.token, asker.nonce);
        for data in again.datagrams {
            let letter = Letter {
                subject: subject.clone(),
                reply: None,
                data,
            };
            if self.letters.push(letter).is_err() {
                // It asks again for what does not come.
                return Answer::Refused(AskRefusal::TooMany);
            }
        }
        Answer::Repaired(Repaired {
            lost: again.lost,
            last: again.last,
            through: again.through,
        })
    }

    fn answer_with(&mut self, asker: &Asker, answer: Answer) {
        // Where the asker may not know this session, it has to learn whose answer that is.
        let is_known = matches!(answer, Answer::Repaired(_) | Answer::Pong { .. });
        let announcement = (asker.is_new || !is_known).then_some(&self.announcement);
        let data = pen!(self).answer(
            asker.token,
            asker.session,
            asker.nonce,
            announcement,
            &answer,
            &mut *self.random,
        );
        let Ok(data) = data else {
            return;
        };
        let letter = Letter {
            subject: self.subjects.answer(asker.token, asker.nonce),
            reply: None,
            data: Bytes::from(data),
        };
        if self.letters.push(letter).is_err() {
            // The asker asks again.
            self.refuse(None, Refusal::TooMany, asker.came);
        }
    }
}

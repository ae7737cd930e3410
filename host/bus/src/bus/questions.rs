//! Questions of nodes about each other, and the replies. Both are bytes here: what stands in them is between the hosts.
//!
//! ```text
//!   question ─▶ own ── ping, where its session is not known ─▶ ask ─▶ ◀─ parts ─▶ replied       the asker
//!   ask ─▶ questioned ─▶ host ─▶ reply ─▶ leaving ─▶ parts                                    who is asked
//! ```
//!
//! A question is sealed to the session that its receiver has at present, and so is each part of the reply. Nothing is
//! repeated: who gets no reply may ask again.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;

use super::answers::Asker;
use super::asks::{Asked, Purpose};
use super::engine::Letter;
use super::nodes::Allowance;
use super::terms::{QuestionId, Questioned, Replied, ReplyId, Unasked};
use super::{Bus, pen};
use crate::announcement::MAX_ANNOUNCEMENT_LEN;
use crate::ask::{
    Answer, Ask, AskRefusal, MAX_BUS_QUESTION_LEN, MAX_REPLY_LEN, MAX_REPLY_PART_LEN, ReplyPart,
};
use crate::letter::LETTER_OVERHEAD;
use crate::refusal::Refusal;
use crate::sealed::{open_question, seal_question};
use crate::session::{SEALED_OVERHEAD, SessionId, SessionKeys};
use crate::subject::{Nonce, Token};

/// How many questions of this node may wait for a reply at once.
pub const MAX_BUS_QUESTIONS: usize = 128;

/// How long a question may wait for its reply, at most.
pub const MAX_QUESTION_WAIT: Duration = Duration::from_secs(60);

/// How many bytes of replies wait at most until the rest of them is here.
pub(super) const MAX_UNFINISHED: usize = 16 * 1024 * 1024;

/// How many questions of others are answered at once, at most.
pub(super) const MAX_OTHERS: usize = 64;

/// How many of them may be of one node.
pub(super) const MAX_OF_ONE_NODE: usize = 16;

/// How many bytes of replies wait to leave, at most.
pub(super) const MAX_LEAVING: usize = 16 * 1024 * 1024;

/// How many questions of all nodes together are answered in a second.
const QUESTIONS_PER_SECOND: f64 = 100.0;

/// How many of them at once.
const QUESTIONS_AT_ONCE: f64 = 200.0;

/// How long the host may take to answer one.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How often a question is put, where the other node turns out not to know this session, or to have another one.
const MAX_TRIES: u32 = 3;

/// What is asked and answered.
#[derive(Debug)]
pub(super) struct Questions {
    next: u64,
    own: BTreeMap<QuestionId, Own>,
    /// How many bytes of replies are here that are not whole.
    unfinished: usize,
    /// What came of questions of this node.
    replied: VecDeque<Replied>,
    others: BTreeMap<ReplyId, Other>,
    /// What others ask and the host has not taken yet.
    questioned: VecDeque<Questioned>,
    leaving: VecDeque<Leaving>,
    allowance: Allowance,
}

/// A question of this node.
#[derive(Debug)]
struct Own {
    node: NodeName,
    question: Bytes,
    asked: Moment,
    until: Moment,
    tries: u32,
    /// The session that it is sealed to; none while it is not known.
    session: Option<SessionId>,
    /// What was asked last for it.
    nonce: Option<Nonce>,
    parts: BTreeMap<u32, Vec<u8>>,
    /// The last part's index.
    last: Option<u32>,
}

/// A question of another node.
#[derive(Debug)]
struct Other {
    node: NodeName,
    token: Token,
    session: SessionId,
    keys: SessionKeys,
    nonce: Nonce,
    /// Until when the host may answer it; none: it has.
    until: Option<Moment>,
}

/// What is left of a reply.
#[derive(Debug)]
struct Leaving {
    id: ReplyId,
    rest: Bytes,
    index: u32,
}

impl Default for Questions {
    fn default() -> Self {
        Self {
            next: 0,
            own: BTreeMap::new(),
            unfinished: 0,
            replied: VecDeque::new(),
            others: BTreeMap::new(),
            questioned: VecDeque::new(),
            leaving: VecDeque::new(),
            allowance: Allowance::new(QUESTIONS_AT_ONCE, QUESTIONS_PER_SECOND),
        }
    }
}

impl Questions {
    /// When the time of a question of this node is up.
    pub(super) fn timeout(&self) -> Option<Moment> {
        self.own.values().map(|own| own.until).min()
    }

    /// Whether others wait for replies.
    pub(super) fn are_waited_for(&self) -> bool {
        !self.others.is_empty()
    }

    /// Forgets what others asked, which they have to ask again: the engine is lost.
    pub(super) fn forget_others(&mut self) {
        self.others.clear();
        self.questioned.clear();
        self.leaving.clear();
    }

    /// Forgets what the host has not answered in time.
    pub(super) fn sweep(&mut self, now: Moment) {
        self.others
            .retain(|_, other| other.until.is_none_or(|until| until > now));
        let others = &self.others;
        self.questioned
            .retain(|question| others.contains_key(&question.id));
    }

    fn leaving_bytes(&self) -> usize {
        self.leaving.iter().map(|leaving| leaving.rest.len()).sum()
    }

    #[cfg(test)]
    pub(super) fn assert_bounded(&self) {
        assert!(self.own.len() + self.replied.len() <= MAX_BUS_QUESTIONS);
        let parts = self.own.values().flat_map(|own| own.parts.values());
        assert_eq!(parts.map(Vec::len).sum::<usize>(), self.unfinished);
        assert!(self.unfinished <= MAX_UNFINISHED);
        assert!(self.others.len() <= MAX_OTHERS && self.questioned.len() <= self.others.len());
        assert!(self.leaving.len() <= self.others.len() && self.leaving_bytes() <= MAX_LEAVING);
    }
}

impl Bus {
    /// Asks another node something about itself, and waits for `wait` at most. What comes of it comes as
    /// [`replied`](Self::replied).
    ///
    /// # Errors
    /// Why it is not asked.
    pub fn question(
        &mut self,
        node: &NodeName,
        question: Bytes,
        wait: Duration,
        now: Moment,
    ) -> Result<QuestionId, Unasked> {
        self.may_be_asked(node)?;
        let length = question.len();
        // The kind of an ask has a byte.
        let longest = length + 1 + SEALED_OVERHEAD + LETTER_OVERHEAD + MAX_ANNOUNCEMENT_LEN;
        let limits = self.engine.limits.as_ref();
        if length > MAX_BUS_QUESTION_LEN || limits.is_none_or(|most| longest > most.max_datagram) {
            return Err(Unasked::TooLong);
        }
        let questions = &mut self.questions;
        if questions.own.len() + questions.replied.len() >= MAX_BUS_QUESTIONS {
            return Err(Unasked::TooMany);
        }
        questions.next += 1;
        let id = QuestionId(questions.next);
        let own = Own {
            node: node.clone(),
            question,
            asked: now,
            until: now + wait.min(MAX_QUESTION_WAIT),
            tries: 0,
            session: None,
            nonce: None,
            parts: BTreeMap::new(),
            last: None,
        };
        questions.own.insert(id, own);
        if !self.put_question(id, false, now) {
            self.questions.own.remove(&id);
            return Err(Unasked::TooMany);
        }
        Ok(id)
    }

    /// Takes what came of a question of this node.
    pub fn replied(&mut self) -> Option<Replied> {
        self.questions.replied.pop_front()
    }

    /// Takes what another node asks of this one; [`reply`](Self::reply) answers it.
    pub fn questioned(&mut self) -> Option<Questioned> {
        self.questions.questioned.pop_front()
    }

    /// Answers what another node has asked. A reply that is longer than [`MAX_REPLY_LEN`], or for which there is no room,
    /// leaves as one without bytes; for a question that came too long ago there is none at all.
    pub fn reply(&mut self, id: ReplyId, reply: Bytes) {
        let room = MAX_LEAVING.saturating_sub(self.questions.leaving_bytes());
        let Some(other) = self.questions.others.get_mut(&id) else {
            return;
        };
        if other.until.take().is_none() {
            return;
        }
        let fits = reply.len() <= MAX_REPLY_LEN.min(room);
        self.questions.leaving.push_back(Leaving {
            id,
            rest: if fits { reply } else { Bytes::new() },
            index: 0,
        });
    }

    /// Asks for the session of a node, or what is asked of it, where that is known.
    fn put_question(&mut self, id: QuestionId, introduce: bool, now: Moment) -> bool {
        let Some(own) = self.questions.own.get_mut(&id) else {
            return false;
        };
        let node = own.node.clone();
        own.session = self.sessions.present(&node).map(|known| known.session);
        let purpose = match own.session {
            Some(_) => Purpose::Question(id),
            None => Purpose::Meeting(id),
        };
        let introduce = introduce || own.session.is_none();
        let nonce = self.ask(&node, purpose, introduce, now);
        if let Some(own) = self.questions.own.get_mut(&id) {
            own.nonce = nonce;
        }
        nonce.is_some()
    }

    /// Puts a question once more: more is known of the other node now.
    pub(super) fn put_question_again(&mut self, id: QuestionId, now: Moment) {
        let Some(own) = self.questions.own.get_mut(&id) else {
            return;
        };
        own.tries += 1;
        let is_enough = own.tries > MAX_TRIES;
        let parts = std::mem::take(&mut own.parts);
        own.last = None;
        self.questions.unfinished -= parts.values().map(Vec::len).sum::<usize>();
        if is_enough {
            let reason = "it has another session each time that it answers".to_owned();
            self.question_ends(id, Err(reason), now);
        } else if !self.put_question(id, true, now) {
            self.question_ends(id, Err(Unasked::TooMany.to_string()), now);
        }
    }

    /// The ask that carries a question.
    pub(super) fn sealed_question(&mut self, id: QuestionId, nonce: Nonce) -> Option<Ask> {
        let own = self.questions.own.get(&id)?;
        let session = own.session?;
        let keys = *self.sessions.signer(&own.node, session)?;
        let sealed = seal_question(
            &self.session,
            (session, &keys),
            nonce,
            &self.subjects,
            &own.question,
            &mut *self.random,
        );
        Some(Ask::Question(sealed.ok()?))
    }

    /// A part of a reply came.
    pub(super) fn part_came(
        &mut self,
        asked: &Asked,
        session: SessionId,
        nonce: Nonce,
        part: &ReplyPart,
        now: Moment,
    ) -> Result<(), Refusal> {
        let Purpose::Question(id) = asked.purpose else {
            return Err(Refusal::Unasked);
        };
        let own = self.questions.own.get_mut(&id).ok_or(Refusal::Unasked)?;
        // No other session can have opened it.
        if own.session != Some(session) || own.nonce != Some(nonce) {
            return Err(Refusal::Unasked);
        }
        if own.parts.contains_key(&part.index) {
            return Err(Refusal::Repeated);
        }
        let highest = own.parts.last_key_value().map(|(index, _)| *index);
        let contradicts = match own.last {
            Some(last) => part.is_last || part.index > last,
            None => part.is_last && highest.is_some_and(|highest| highest > part.index),
        };
        if contradicts {
            return Err(Refusal::Body);
        }
        let bytes = part.open(&self.session, session, nonce, &self.subjects)?;
        if self.questions.unfinished + bytes.len() > MAX_UNFINISHED {
            let reason = "there is no room for its reply at present".to_owned();
            self.question_ends(id, Err(reason), now);
            return Err(Refusal::TooMany);
        }
        self.questions.unfinished += bytes.len();
        own.parts.insert(part.index, bytes);
        if part.is_last {
            own.last = Some(part.index);
        }
        let is_whole = |last: u32| own.parts.len() == last as usize + 1;
        if own.last.is_some_and(is_whole) {
            let parts: Vec<&[u8]> = own.parts.values().map(Vec::as_slice).collect();
            let reply = parts.concat().into();
            self.question_ends(id, Ok(reply), now);
        }
        Ok(())
    }

    /// A question has a reply, or will have none.
    pub(super) fn question_ends(
        &mut self,
        id: QuestionId,
        reply: Result<Bytes, String>,
        now: Moment,
    ) {
        let Some(own) = self.questions.own.remove(&id) else {
            return;
        };
        if let Some(nonce) = own.nonce {
            self.asked.remove(&nonce);
        }
        self.questions.unfinished -= own.parts.values().map(Vec::len).sum::<usize>();
        self.questions.replied.push_back(Replied {
            question: id,
            reply,
            took: now.since(own.asked),
        });
    }

    /// Gives up questions of this node whose time is up.
    pub(super) fn give_up_questions(&mut self, now: Moment) {
        let own = self.questions.own.iter();
        let late = own.filter(|(_, own)| own.until <= now).map(|(id, _)| *id);
        for id in late.collect::<Vec<_>>() {
            self.question_ends(id, Err("it does not answer in time".to_owned()), now);
        }
    }

    /// Another node asks something about this one. None: it is for the host to answer.
    pub(super) fn question_came(
        &mut self,
        node: &NodeName,
        asker: &Asker,
        signer: &SessionKeys,
        sealed: &[u8],
        now: Moment,
    ) -> Option<AskRefusal> {
        let questions = &mut self.questions;
        let of_node = questions
            .others
            .values()
            .filter(|other| other.node == *node);
        let is_full = questions.others.len() >= MAX_OTHERS || of_node.count() >= MAX_OF_ONE_NODE;
        if is_full || !questions.allowance.take(now) {
            self.refuse(Some(node.clone()), Refusal::TooMany, now);
            return Some(AskRefusal::TooMany);
        }
        let opened = open_question(
            &self.session,
            asker.session,
            asker.nonce,
            &self.subjects,
            sealed,
        );
        // It is signed, so the asker has sealed it: to another session than this one.
        let Ok(question) = opened else {
            return Some(AskRefusal::OtherSession);
        };
        questions.next += 1;
        let id = ReplyId(questions.next);
        let other = Other {
            node: node.clone(),
            token: asker.token,
            session: asker.session,
            keys: *signer,
            nonce: asker.nonce,
            until: Some(now + ANSWER_WITHIN),
        };
        questions.others.insert(id, other);
        questions.questioned.push_back(Questioned {
            id,
            node: node.clone(),
            question: question.into(),
        });
        None
    }

    /// The next part of a reply.
    pub(super) fn next_part(&mut self) -> Option<Letter> {
        while let Some(mut leaving) = self.questions.leaving.pop_front() {
            let id = leaving.id;
            let Some(other) = self.questions.others.get(&id) else {
                continue;
            };
            let length = leaving.rest.len().min(MAX_REPLY_PART_LEN);
            let part = leaving.rest.split_to(length);
            let is_last = leaving.rest.is_empty();
            let sealed = ReplyPart::seal(
                &self.session,
                (other.session, &other.keys),
                other.nonce,
                &self.subjects,
                (leaving.index, is_last, &part),
                &mut *self.random,
            );
            let (token, session, nonce) = (other.token, other.session, other.nonce);
            let data = sealed.ok().and_then(|part| {
                let answer = Answer::Reply(part);
                let random = &mut *self.random;
                let pen = pen!(self);
                pen.answer(token, session, nonce, None, &answer, random)
                    .ok()
            });
            if is_last || data.is_none() {
                self.questions.others.remove(&id);
            } else {
                leaving.index += 1;
                // Behind the others, so that a short reply never waits for a long one.
                self.questions.leaving.push_back(leaving);
            }
            // Without randomness there is no reply; the asker may ask again.
            let Some(data) = data else {
                continue;
            };
            return Some(Letter {
                subject: self.subjects.answer(token, nonce),
                reply: None,
                data: data.into(),
            });
        }
        None
    }
}

//! What this node asks others for: keys, repairs, whether they are there.

use std::time::Duration;

use bytes::Bytes;
use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;

use super::engine::Letter;
use super::nodes::{AHEAD_AT_LEAST, AHEAD_PER_SECOND, AHEAD_TRIES, PULL_AGAIN, PULL_JITTER, Pull};
use super::terms::{Happened, PingId, QuestionId, Unasked};
use super::{Bus, pen};
use crate::ask::{ANSWER_TIMEOUT, Ask};
use crate::incoming::LaneKey;
use crate::random::draw;
use crate::sender_key::{Epoch, PRESENT_EPOCH};
use crate::session::SessionId;
use crate::subject::Nonce;

/// How many asks wait for an answer at once, at most.
pub(super) const MAX_ASKED: usize = 4096;

/// How many pings wait for an answer at once, at most.
const MAX_PINGS: usize = 64;

/// An ask that waits for an answer.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) node: NodeName,
    pub(super) at: Moment,
    pub(super) purpose: Purpose,
    /// Whether this node's announcement went along.
    pub(super) introduced: bool,
}

/// Why something is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To open what a session seals.
    Key { session: SessionId, epoch: Epoch },
    /// To have again what is missing in a lane.
    Repair {
        lane: LaneKey,
        subject: String,
        from: u64,
        to: Option<u64>,
    },
    /// Because somebody wants to know whether the node is there.
    Ping(PingId),
    /// To know the time of its session.
    Sync,
    /// To show it what its own key has signed before.
    Evidence(Vec<u8>),
    /// To know the session that this question is to be sealed to.
    Meeting(QuestionId),
    /// To have this question answered.
    Question(QuestionId),
}

impl Purpose {
    /// What to ask for it; none for a question, which is sealed for each ask.
    fn ask(&self) -> Option<Ask> {
        Some(match self {
            Self::Key { session, epoch } => Ask::Key {
                session: *session,
                epoch: *epoch,
            },
            Self::Repair {
                subject, from, to, ..
            } => Ask::Repair {
                lane: subject.clone(),
                from: *from,
                to: *to,
            },
            Self::Ping(_) | Self::Sync | Self::Meeting(_) => Ask::Ping,
            Self::Evidence(announcement) => Ask::Evidence(announcement.clone()),
            Self::Question(_) => return None,
        })
    }
}

/// Why an ask was in vain of which nothing is known but that.
pub(super) const NO_ANSWER: &str =
    "nothing came: it may not run, or its network file may not have this node";

impl Bus {
    /// Asks another node whether it is there. The answer, or that there is none, comes as
    /// [`Happened::Pong`] or [`Happened::NoPong`].
    ///
    /// # Errors
    /// Why it is not asked.
    pub fn ping(&mut self, node: &NodeName, now: Moment) -> Result<PingId, Unasked> {
        self.may_be_asked(node)?;
        let is_ping = |asked: &&Asked| matches!(asked.purpose, Purpose::Ping(_));
        if self.asked.values().filter(is_ping).count() >= MAX_PINGS {
            return Err(Unasked::TooMany);
        }
        self.next_ping += 1;
        let ping = PingId(self.next_ping);
        match self.ask(node, Purpose::Ping(ping), false, now) {
            Some(_) => Ok(ping),
            None => Err(Unasked::TooMany),
        }
    }

    /// Whether people may have a node asked something.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn may_be_asked(&self, node: &NodeName) -> Result<(), Unasked> {
        let members = &self.settings.members;
        if !members.may_be_heard(node) && !members.may_read(node) {
            return Err(Unasked::NotAMember);
        }
        match self.engine.is_up() {
            true => Ok(()),
            false => Err(Unasked::Down),
        }
    }

    /// Asks a node; none where too much is asked already.
    pub(super) fn ask(
        &mut self,
        node: &NodeName,
        purpose: Purpose,
        introduce: bool,
        now: Moment,
    ) -> Option<Nonce> {
        if self.asked.len() >= MAX_ASKED {
            return None;
        }
        // A node that was not heard yet most likely does not know this session.
        let introduced = introduce || !self.nodes.get(node).is_some_and(|known| known.knows_us);
        self.next_ask += 1;
        let nonce = Nonce::new(self.next_ask, draw(&mut *self.random).ok()?);
        let ask = match purpose {
            Purpose::Question(id) => self.sealed_question(id, nonce),
            _ => purpose.ask(),
        }?;
        let announcement = introduced.then_some(&self.announcement);
        let data = pen!(self).ask(node, nonce, announcement, &ask, &mut *self.random);
        let letter = Letter {
            subject: self.subjects.ask(self.subjects.node(node)),
            reply: Some(self.subjects.answer(self.token, nonce)),
            data: Bytes::from(data.ok()?),
        };
        self.letters.push(letter).ok()?;
        self.sent.asks_sent += 1;
        let is_question = matches!(purpose, Purpose::Question(_) | Purpose::Meeting(_));
        let asked = Asked {
            node: node.clone(),
            at: now,
            purpose,
            introduced,
        };
        self.asked.insert(nonce, asked);
        // A question has a time of its own, and what leads to it as well.
        if !is_question {
            self.asked_in_order.push_back((now + ANSWER_TIMEOUT, nonce));
        }
        if self.asked_in_order.len() > 4 * MAX_ASKED {
            // Most of them were answered.
            let asked = &self.asked;
            self.asked_in_order
                .retain(|(_, nonce)| asked.contains_key(nonce));
        }
        Some(nonce)
    }

    /// A key of a node is necessary.
    pub(super) fn pull(&mut self, node: &NodeName, session: SessionId, epoch: Epoch, now: Moment) {
        let jitter = PULL_JITTER.mul_f64(self.chance.f64());
        let known = self.nodes.entry(node.clone()).or_default();
        if let Some(pull) = &mut known.pull {
            let is_same = (pull.session, pull.epoch) == (session, epoch) && !pull.is_ahead;
            // One at a time: whatever session is asked about, the answer says which one is the present.
            if is_same || pull.nonce.is_some() || pull.due <= now + PULL_JITTER {
                if std::mem::take(&mut pull.is_ahead) {
                    // From now on it has the tries of one that is needed.
                    pull.begin_anew(now + PULL_AGAIN[0] + jitter);
                    self.pulls.push(std::cmp::Reverse((pull.due, node.clone())));
                }
                return;
            }
        }
        let due = now + jitter;
        let needed = known.pull.as_ref().filter(|pull| !pull.is_ahead);
        let tries = needed.map_or(0, |pull| pull.tries);
        known.pull = Some(Pull {
            session,
            epoch,
            due,
            tries,
            is_ahead: false,
            nonce: None,
        });
        self.pulls.push(std::cmp::Reverse((due, node.clone())));
    }

    /// The keys of those that are expected to send are asked for ahead of need, as far as they are not here.
    pub(super) fn pull_expected(&mut self, now: Moment) {
        for node in self.settings.expected.clone() {
            self.pull_ahead(&node, now);
        }
    }

    /// A node is there, or may be, that is expected to send: when it does, its key shall be here. Others expect it as
    /// well, as many as there are on the bus at most, and it has other things to do: so they take their time.
    pub(super) fn pull_ahead(&mut self, node: &NodeName, now: Moment) {
        if *node == self.settings.own || !self.settings.members.may_be_heard(node) {
            return;
        }
        let present = self.present(node);
        let has_key = present.is_some_and(|(session, epoch)| self.has_key(node, session, epoch));
        let known = self.nodes.entry(node.clone()).or_default();
        let is_needed = known.pull.as_ref().is_some_and(|pull| !pull.is_ahead);
        if has_key || is_needed {
            return;
        }
        let span = Duration::from_secs_f64(self.settings.size as f64 / AHEAD_PER_SECOND);
        let after = span.max(AHEAD_AT_LEAST).mul_f64(self.chance.f64());
        // Of a node that is not known yet, whatever it has at present.
        let (session, epoch) = present.unwrap_or((SessionId::PRESENT, PRESENT_EPOCH));
        if let Some(pull) = &mut known.pull {
            let asks_for_this = pull.session == SessionId::PRESENT
                || (pull.session, pull.epoch) == (session, epoch);
            if pull.tries == 0 {
                // It is about to be asked for: announcements neither hurry that nor put it off.
                if !asks_for_this {
                    (pull.session, pull.epoch) = (session, epoch);
                }
                return;
            }
            if asks_for_this && pull.nonce.is_some() {
                // It may not have been there yet when it was asked.
                pull.begin_anew(now + PULL_AGAIN[0] + after);
                self.pulls.push(std::cmp::Reverse((pull.due, node.clone())));
                return;
            }
        }
        let due = now + after;
        known.pull = Some(Pull {
            session,
            epoch,
            due,
            tries: 0,
            is_ahead: true,
            nonce: None,
        });
        self.pulls.push(std::cmp::Reverse((due, node.clone())));
    }

    /// Asks for the keys that are due.
    pub(super) fn pull_due(&mut self, now: Moment) {
        while let Some(std::cmp::Reverse((due, _))) = self.pulls.peek()
            && *due <= now
            && let Some(std::cmp::Reverse((_, node))) = self.pulls.pop()
        {
            let Some(known) = self.nodes.get_mut(&node) else {
                continue;
            };
            let Some(pull) = known.pull.as_mut().filter(|pull| pull.due <= now) else {
                continue;
            };
            if pull.is_ahead && pull.tries >= AHEAD_TRIES {
                known.pull = None;
                continue;
            }
            if pull.tries >= PULL_AGAIN.len() {
                let reason = match known.absent {
                    Some(_) => "the engine says that it is not connected",
                    None => NO_ANSWER,
                };
                self.no_key(&node, reason.to_owned(), now);
                continue;
            }
            if self.asked.len() >= MAX_ASKED || self.letters.are_many() {
                // That is no try, and concerns others: a node that begins to hear thousands asks them one after the other.
                let wait = PULL_JITTER.mul_f64(1.0 + self.chance.f64());
                pull.due = now + wait;
                self.pulls.push(std::cmp::Reverse((pull.due, node)));
                continue;
            }
            if !known.pulls.take(now) {
                pull.due = now + PULL_AGAIN[2];
                self.pulls.push(std::cmp::Reverse((pull.due, node)));
                continue;
            }
            let (session, epoch) = (pull.session, pull.epoch);
            let wait = PULL_AGAIN[pull.tries].mul_f64(1.0 + 0.3 * self.chance.f64());
            pull.tries += 1;
            pull.due = now + wait;
            self.pulls.push(std::cmp::Reverse((pull.due, node.clone())));
            let nonce = self.ask(&node, Purpose::Key { session, epoch }, true, now);
            if let Some(known) = self.nodes.get_mut(&node)
                && let Some(pull) = &mut known.pull
            {
                pull.nonce = nonce;
            }
        }
    }

    /// The key of a node cannot be had: what waits for it is dropped, until something of it comes again.
    pub(super) fn no_key(&mut self, node: &NodeName, reason: String, now: Moment) {
        let Some(known) = self.nodes.get_mut(node) else {
            return;
        };
        let Some(pull) = known.pull.take() else {
            return;
        };
        known.refuse_until = Some((pull.session, now + NO_KEY_FOR));
        let is_new = known.why_not.as_ref() != Some(&reason);
        known.why_not = Some(reason.clone());
        self.held.take(node, pull.session);
        if is_new {
            let node = node.clone();
            self.tell(Happened::NoKey { node, reason });
        }
    }

    /// Asks for what is missing in lanes, as far as it is due.
    pub(super) fn repair_due(&mut self, now: Moment) {
        for repair in self.incoming.due_repairs(now) {
            let purpose = Purpose::Repair {
                lane: repair.lane,
                subject: repair.subject,
                from: repair.from,
                to: repair.to,
            };
            // What cannot be asked now counts as a try, and is asked again.
            self.ask(&repair.node, purpose, false, now);
        }
    }

    /// Forgets asks that were not answered in time.
    pub(super) fn forget_asked(&mut self, now: Moment) {
        while let Some((until, nonce)) = self.asked_in_order.front()
            && *until <= now
        {
            let asked = self.asked.remove(nonce);
            if let Some(asked) = &asked {
                self.late.overdue(*nonce, asked);
            }
            self.asked_in_order.pop_front();
            if let Some(asked) = asked {
                self.unanswered(asked, NO_ANSWER, now);
            }
        }
    }

    /// An ask will not be answered.
    pub(super) fn unanswered(&mut self, asked: Asked, reason: &str, now: Moment) {
        let Asked { node, purpose, .. } = asked;
        match purpose {
            Purpose::Ping(ping) => self.tell(Happened::NoPong {
                ping,
                node,
                reason: reason.to_owned(),
            }),
            Purpose::Key { .. } => {
                if let Some(known) = self.nodes.get_mut(&node)
                    && let Some(pull) = &mut known.pull
                {
                    // It is asked again when it is due.
                    pull.nonce = None;
                }
            }
            Purpose::Sync => {
                if let Some(known) = self.nodes.get_mut(&node) {
                    known.syncing = Some(now);
                }
            }
            Purpose::Meeting(id) | Purpose::Question(id) => {
                self.question_ends(id, Err(reason.to_owned()), now);
            }
            // The lane sees to that.
            Purpose::Repair { .. } | Purpose::Evidence(_) => {}
        }
    }

    /// Asks a node for its time, if that is due: clocks drift.
    pub(super) fn sync_if_due(&mut self, node: &NodeName, now: Moment) {
        let Some(known) = self.nodes.get_mut(node) else {
            return;
        };
        let Some(source) = known.source else {
            return;
        };
        let waits = |since: Moment| now.since(since) < SYNC_AGAIN_AFTER;
        if !self.incoming.wants_sync(source, now) || known.syncing.is_some_and(waits) {
            return;
        }
        known.syncing = Some(now);
        self.ask(node, Purpose::Sync, false, now);
    }
}

/// For how long a session whose key could not be had is not asked for again.
const NO_KEY_FOR: Duration = Duration::from_secs(60);

/// How long after an ask for the time that was not answered another one is sent.
const SYNC_AGAIN_AFTER: Duration = Duration::from_secs(30);

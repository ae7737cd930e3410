//! One bus as one node sees it: all the parts together.
//!
//! A [`Bus`] performs nothing. Whoever drives it tells it what the module said and when, takes what it wants to be
//! published or subscribed to ([`output`](Bus::output)), what the roles of this node get
//! ([`deliveries`](Bus::deliveries)), and what happened ([`happened`](Bus::happened)), and calls it again when
//! [`timeout`](Bus::timeout) says so.
//!
//! ```text
//!             up, down, confirmed, nobody, received          send, ping, question, reply
//!   module ───────────────────────────────────────▶ Bus ◀───────────────── node
//!          ◀───────────────────────────────────────     ─────────────────▶
//!             output: publish, subscribe                     deliveries, happened, replied, questioned, status
//! ```

mod answers;
mod arrivals;
mod asks;
#[cfg(test)]
mod attacks;
mod engine;
mod held;
mod known;
mod late;
mod nodes;
mod output;
#[cfg(test)]
mod question_tests;
mod questions;
mod settings;
mod status;
mod terms;
#[cfg(test)]
mod tests;
mod waiting;

pub use questions::{MAX_BUS_QUESTIONS, MAX_QUESTION_WAIT};
pub use settings::{BusSettings, MAX_EXPECTED};
pub use terms::{
    BusError, EngineLimits, Happened, Output, PingId, Published, QuestionId, Questioned, Replied,
    ReplyId, Unasked,
};

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_status::Amount;
use kozo_wire::Message;

use crate::announcement::{Announcement, SignedAnnouncement};
use crate::datagram::MIN_DATAGRAM_LEN;
use crate::incoming::{Delivery, Incoming};
use crate::members::NodeKeys;
use crate::outgoing::Outgoing;
use crate::random::{Random, draw};
use crate::refusal::Refusal;
use crate::sender_key::{SenderKeys, Suite};
use crate::session::Session;
use crate::sessions::Sessions;
use crate::subject::{Address, Nonce, Subjects, Token};
use crate::veil::Veil;
use asks::Asked;
use engine::{Engine, Letter, Letters};
use held::Held;
use late::Late;
use nodes::{Allowance, Nodes};
use output::Offered;
use questions::Questions;
use waiting::WaitingAsks;

/// How many things that happened are kept until somebody asks for them; the oldest give way.
const MAX_HAPPENED: usize = 256;

/// How many asks of all nodes together are worked off in a second.
const ASKS_PER_SECOND: f64 = 4000.0;

/// How many of them at once.
const ASKS_AT_ONCE: f64 = 64.0;

/// How many announcements that came by themselves are looked at in a second.
const ANNOUNCEMENTS_PER_SECOND: f64 = 200.0;

/// How many of them at once.
const ANNOUNCEMENTS_AT_ONCE: f64 = 400.0;

/// How often this node announces itself, by chance a third more or less.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(300);

/// How often a sign of another daemon with this node's key is told.
const TWINS_TOLD_EVERY: Duration = Duration::from_secs(60);

/// How often what may be given up is looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// One bus of one node.
pub struct Bus {
    settings: BusSettings,
    subjects: Subjects,
    /// This node, in subjects.
    token: Token,
    veil: Veil,
    keys: Arc<dyn NodeKeys>,
    random: Box<dyn Random + Send>,
    /// For what need not be secret: jitter.
    chance: fastrand::Rng,
    session: Session,
    sender_keys: SenderKeys,
    announcement: SignedAnnouncement,
    engine: Engine,
    /// What this node subscribes to.
    patterns: Vec<String>,
    /// What of that the module was not told yet.
    subscriptions: VecDeque<(String, bool)>,
    letters: Letters,
    /// What was given to be published, with its length, until the module has said something to it.
    offered: Option<(Offered, usize)>,
    /// Whether messages have their turn, where letters wait as well.
    messages_first: bool,
    outgoing: Outgoing,
    incoming: Incoming,
    nodes: Nodes,
    sessions: Sessions,
    held: Held,
    /// When keys are asked for, or earlier.
    pulls: BinaryHeap<Reverse<(Moment, NodeName)>>,
    asked: HashMap<Nonce, Asked>,
    /// Until when each of them waits for an answer; those that were answered as well.
    asked_in_order: VecDeque<(Moment, Nonce)>,
    late: Late,
    questions: Questions,
    next_ping: u64,
    /// How many asks the session has sent: each has a number of its own.
    next_ask: u64,
    /// Answers to repairs that wait to be published: how many letters are taken when they are, who has asked, for which
    /// lane, from which number on. No more than letters wait.
    answering: Vec<(u64, Token, String, u64)>,
    /// What others ask, and is not worked off yet.
    waiting: WaitingAsks,
    /// How much of it may be worked off.
    asks: Allowance,
    /// How many announcements may be looked at.
    announcements: Allowance,
    /// When this node announces itself next.
    announce: Moment,
    sweep: Moment,
    /// When another daemon with this node's key was heard of last.
    twin: Option<Moment>,
    refused: BTreeMap<Refusal, u64>,
    happened: VecDeque<Happened>,
    sent: SentCounts,
    received: ReceivedCounts,
}

#[derive(Debug, Clone, Copy, Default)]
struct SentCounts {
    datagrams_sent: u64,
    bytes_sent: u64,
    asks_answered: u64,
    asks_sent: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct ReceivedCounts {
    datagrams: u64,
    bytes: u64,
}

/// What it takes to make datagrams of this node, without borrowing all of a bus.
macro_rules! sealing {
    ($bus:expr) => {
        crate::outgoing::Sealing {
            session: &$bus.session,
            keys: &mut $bus.sender_keys,
            subjects: &$bus.subjects,
            random: &mut *$bus.random,
        }
    };
}
use sealing;

/// What it takes to write asks and answers, likewise.
macro_rules! pen {
    ($bus:expr) => {
        crate::letter::Pen {
            session: &$bus.session,
            subjects: &$bus.subjects,
            veil: &$bus.veil,
        }
    };
}
use pen;

/// What it takes to read the messages of others, likewise.
macro_rules! reading {
    ($bus:expr) => {
        crate::incoming::Reading {
            subjects: &$bus.subjects,
            wanted: &$bus.settings.wanted,
        }
    };
}
use reading;

impl Bus {
    /// A bus that is not connected yet. It begins a session, which the node key signs.
    ///
    /// # Errors
    /// The node key cannot sign, or there is no randomness.
    pub fn new(
        mut settings: BusSettings,
        keys: Arc<dyn NodeKeys>,
        mut random: Box<dyn Random + Send>,
        now: Moment,
    ) -> Result<Self, BusError> {
        let subjects = Subjects::new(settings.name.clone(), &settings.subject_key);
        let token = subjects.node(&settings.own);
        let session = Session::new(&mut *random, now)?;
        let suite = Suite::of_this_processor();
        let sender_keys = SenderKeys::new(session.id(), suite, &mut *random, now)?;
        let announcement = announcement(&settings, &session, &sender_keys, &*keys)?;
        let mut chance = fastrand::Rng::with_seed(u64::from_le_bytes(draw(&mut *random)?));
        let mut patterns = vec![
            subjects.ask(token),
            subjects.answers(token),
            subjects.here(token),
        ];
        settings.expected.truncate(MAX_EXPECTED);
        let expected = settings.expected.iter();
        patterns.extend(expected.map(|node| subjects.here(subjects.node(node))));
        patterns.extend(subjects.patterns(&settings.wanted));
        let subscriptions = patterns.iter().map(|pattern| (pattern.clone(), true));
        Ok(Self {
            token,
            veil: Veil::new(&settings.subject_key),
            keys,
            session,
            sender_keys,
            announcement,
            engine: Engine::new(now),
            subscriptions: subscriptions.collect(),
            patterns,
            letters: Letters::default(),
            offered: None,
            messages_first: false,
            outgoing: Outgoing::new(settings.queue, now),
            incoming: Incoming::new(chance.u64(..), now),
            nodes: Nodes::new(),
            sessions: Sessions::new(),
            held: Held::default(),
            pulls: BinaryHeap::new(),
            asked: HashMap::new(),
            asked_in_order: VecDeque::new(),
            late: Late::default(),
            questions: Questions::default(),
            next_ping: 0,
            next_ask: 0,
            answering: Vec::new(),
            waiting: WaitingAsks::default(),
            asks: Allowance::new(ASKS_AT_ONCE, ASKS_PER_SECOND),
            announcements: Allowance::new(ANNOUNCEMENTS_AT_ONCE, ANNOUNCEMENTS_PER_SECOND),
            announce: now,
            sweep: now + SWEEP_EVERY,
            twin: None,
            refused: BTreeMap::new(),
            happened: VecDeque::new(),
            sent: SentCounts::default(),
            received: ReceivedCounts::default(),
            subjects,
            random,
            chance,
            settings,
        })
    }

    /// What it was made with.
    pub fn settings(&self) -> &BusSettings {
        &self.settings
    }

    /// The engine is reached. What it has not confirmed before it was lost is published again, and every lane that
    /// this node knew is asked for what came in the meantime.
    pub fn up(&mut self, limits: EngineLimits, now: Moment) {
        if limits.max_datagram < MIN_DATAGRAM_LEN {
            let most = limits.max_datagram;
            let reason = format!(
                "the engine carries datagrams of {most} bytes at most, and {MIN_DATAGRAM_LEN} are necessary: raise its limit"
            );
            return self.down(&reason, now);
        }
        self.forget_engine(now);
        self.outgoing.up(limits.max_datagram);
        let server = limits.server.clone();
        self.engine.up(limits, now);
        self.incoming.up(now);
        self.announce = now;
        for known in self.nodes.values_mut() {
            known.absent = None;
        }
        self.pull_expected(now);
        self.tell(Happened::Up { server });
    }

    /// The engine is not reached, or not any more.
    pub fn down(&mut self, reason: &str, now: Moment) {
        let was_up = self.engine.is_up();
        let is_new = self.engine.error.as_deref() != Some(reason);
        self.engine.down(reason, now);
        self.forget_engine(now);
        if was_up || is_new {
            let reason = reason.to_owned();
            self.tell(Happened::Down { reason });
        }
    }

    /// The engine has taken all that was published up to this number of the module's.
    pub fn confirmed(&mut self, number: u64) {
        self.outgoing.confirmed(number);
        self.engine.has_room();
    }

    /// The engine says that nobody listens where something was published: the node is not connected.
    pub fn nobody(&mut self, subject: &str, now: Moment) {
        let Some(Address::Ask(token)) = self.subjects.read(subject) else {
            return;
        };
        let Some(node) = self.settings.members.name_of(token) else {
            return;
        };
        let known = self.nodes.entry(node.clone()).or_default();
        known.absent = Some(now);
        // One that is expected says so when it is there.
        known.pull.take_if(|pull| pull.is_ahead);
        let asked = self.asked.iter().filter(|(_, asked)| asked.node == node);
        let nonces: Vec<Nonce> = asked.map(|(nonce, _)| *nonce).collect();
        for nonce in nonces {
            if let Some(asked) = self.asked.remove(&nonce) {
                let reason = "the engine says that it is not connected";
                self.unanswered(asked, reason, now);
            }
        }
    }

    /// The module has measured how long a round trip to the server takes.
    pub fn round_trip(&mut self, round_trip: Duration) {
        self.engine.round_trip = Some(round_trip);
    }

    /// The module has said what it is about.
    pub fn said(&mut self, text: Option<String>) {
        self.engine.text = text;
    }

    /// Queues a message of this node's roles, whoever may want it. `lifetime` says how long it has a meaning.
    pub fn send(&mut self, message: Message, lifetime: Duration, now: Moment) {
        let Self {
            outgoing,
            subjects,
            token,
            session,
            ..
        } = self;
        outgoing.push(message, lifetime, session.time(now), now, |message| {
            subjects.lane_of(message, *token)
        });
    }

    /// Whether a message that counts `cost` bytes would push nothing out.
    pub fn has_room(&self, cost: usize) -> bool {
        self.outgoing.has_room(cost)
    }

    /// What waits to be sent.
    pub fn queued(&self) -> Amount {
        self.outgoing.queued()
    }

    /// How many messages of this node were dropped.
    pub fn dropped(&self) -> u64 {
        self.outgoing.counts().dropped()
    }

    /// What was sent and not confirmed by the engine yet.
    pub fn unconfirmed(&self) -> Amount {
        self.outgoing.unconfirmed()
    }

    /// Whether something may leave once the engine has confirmed what was sent before.
    pub fn awaits_confirmation(&self) -> bool {
        self.outgoing.queued().messages > 0 || self.engine.held_until().is_some()
    }

    /// Whether nothing waits to be sent, and the engine has confirmed all that was.
    pub fn is_idle(&self) -> bool {
        self.outgoing.queued().messages == 0 && self.outgoing.unconfirmed().messages == 0
    }

    /// A new sender key.
    ///
    /// # Errors
    /// There is no randomness, or the node key cannot sign: the old one stays.
    fn rekey(&mut self, now: Moment) -> Result<(), BusError> {
        self.sender_keys.renew(&mut *self.random, now)?;
        self.announce_anew()?;
        self.announce = now;
        Ok(())
    }

    /// Does what the time demands.
    pub fn tick(&mut self, now: Moment) {
        self.forget_asked(now);
        self.give_up_questions(now);
        self.outgoing.tick(now);
        self.incoming.tick(now);
        if self.sender_keys.is_due(now) {
            // Where there is no randomness, the old one goes on, and it is tried again.
            let _ = self.rekey(now);
        }
        if now >= self.sweep {
            self.sweep = now + SWEEP_EVERY;
            for _ in 0..self.held.expire(now) {
                self.refuse(None, Refusal::UnknownSession, now);
            }
            self.questions.sweep(now);
            let ages = self.settings.max_ages;
            let max_age = ages.message.max(ages.order);
            self.sender_keys.forget(max_age, now);
            self.sessions.expire(max_age, now);
        }
        if self.engine.is_up() {
            if now >= self.announce {
                self.announce(now);
            }
            self.pull_due(now);
            self.repair_due(now);
            self.work_off_asks(now);
        }
        self.missed();
    }

    /// When [`tick`](Self::tick) or [`output`](Self::output) may have something to do that they have not now.
    pub fn timeout(&self) -> Option<Moment> {
        let asked = self.asked_in_order.front().map(|(until, _)| *until);
        let has_old_keys = self.sender_keys.has_earlier() || self.sessions.has_old_keys();
        let holds = !self.held.is_empty() || self.incoming.has_parts();
        let waits = holds || has_old_keys || self.questions.are_waited_for();
        let always = [
            asked,
            self.questions.timeout(),
            self.outgoing.timeout(),
            waits.then_some(self.sweep),
            Some(self.sender_keys.due()),
        ];
        let pulls = self.pulls.peek().map(|Reverse((due, _))| *due);
        let linked = [
            Some(self.announce),
            pulls,
            self.incoming.timeout(),
            self.outgoing.end_due(),
            self.engine.held_until(),
            self.batch_due(),
            self.asks_due(),
        ];
        let linked = linked.into_iter().filter(|_| self.engine.is_up());
        always.into_iter().chain(linked).flatten().min()
    }

    /// When a batch that is held is to leave, and the module may have room for it.
    fn batch_due(&self) -> Option<Moment> {
        let due = self.outgoing.batch_due()?;
        Some(self.engine.held_until().map_or(due, |until| due.max(until)))
    }

    /// Takes what the roles of this node get, in order.
    pub fn deliveries(&mut self) -> Vec<Delivery> {
        self.incoming.deliveries()
    }

    /// Whether something has happened, or is to be done at the module at once.
    pub fn has_news(&self) -> bool {
        let to_do = !self.subscriptions.is_empty() || self.letters.front().is_some();
        to_do || !self.happened.is_empty()
    }

    /// Takes the next thing that happened.
    pub fn happened(&mut self) -> Option<Happened> {
        self.happened.pop_front()
    }

    /// The engine is another one now, or none: what was under way there is lost.
    fn forget_engine(&mut self, now: Moment) {
        self.offered = None;
        self.outgoing.down();
        self.letters.clear();
        self.questions.forget_others();
        self.waiting.clear();
        let asked = std::mem::take(&mut self.asked);
        self.asked_in_order.clear();
        for (nonce, asked) in asked {
            // What is under way of the answer may come over the next connection.
            self.late.overdue(nonce, &asked);
            self.unanswered(asked, "the bus is down", now);
        }
    }

    fn announce(&mut self, now: Moment) {
        let third = ANNOUNCE_EVERY / 3;
        self.announce = now + ANNOUNCE_EVERY - third + (2 * third).mul_f64(self.chance.f64());
        let data = pen!(self).announcement(&self.announcement, &mut *self.random);
        if let Ok(data) = data {
            let letter = Letter {
                subject: self.subjects.here(self.token),
                reply: None,
                data: Bytes::from(data),
            };
            // The next one is as good.
            let _ = self.letters.push(letter);
        }
    }

    fn announce_anew(&mut self) -> Result<(), BusError> {
        let keys = &*self.keys;
        self.announcement = announcement(&self.settings, &self.session, &self.sender_keys, keys)?;
        Ok(())
    }

    /// Another daemon runs with this node's key.
    fn twin_seen(&mut self, now: Moment) {
        let is_old = |seen| now.since(seen) >= TWINS_TOLD_EVERY;
        if self.twin.is_none_or(is_old) {
            let node = self.settings.own.clone();
            self.tell(Happened::Twins { node });
            // So that the other one learns of it as well.
            self.announce = now;
        }
        self.twin = Some(now);
    }

    fn refuse(&mut self, node: Option<NodeName>, reason: Refusal, now: Moment) {
        *self.refused.entry(reason).or_default() += 1;
        match node {
            Some(node) => self.note_refused(&node, reason, now),
            None => self.tell(Happened::Refused { node, reason }),
        }
    }

    /// Something that claims to be of this node was refused.
    fn note_refused(&mut self, node: &NodeName, reason: Refusal, now: Moment) {
        if reason == Refusal::ForeignKey {
            // Nothing that is not refused may have come of it.
            self.nodes.entry(node.clone()).or_default().foreign_key = Some(now);
        }
        if let Some(known) = self.nodes.get_mut(node) {
            known.refused = Some(reason);
        }
        // Once for each node and reason in a row: the log limits what comes often.
        let node = Some(node.clone());
        self.tell(Happened::Refused { node, reason });
    }

    fn tell(&mut self, happened: Happened) {
        if self.happened.back() == Some(&happened) {
            return;
        }
        // Anybody can write what is refused, and it is counted: it must not take the place of anything else.
        let is_refusal = matches!(happened, Happened::Refused { .. });
        if is_refusal && self.happened.len() >= MAX_HAPPENED / 2 {
            return;
        }
        if self.happened.len() >= MAX_HAPPENED {
            self.happened.pop_front();
        }
        self.happened.push_back(happened);
    }

    fn nodes_heard(&self) -> usize {
        let heard = self
            .nodes
            .values()
            .filter(|known| known.heard_since.is_some());
        heard.count()
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus")
            .field("name", &self.settings.name)
            .field("own", &self.settings.own)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

fn announcement(
    settings: &BusSettings,
    session: &Session,
    sender_keys: &SenderKeys,
    keys: &dyn NodeKeys,
) -> Result<SignedAnnouncement, BusError> {
    let announcement = Announcement {
        bus: settings.name.clone(),
        node: settings.own.clone(),
        session: session.id(),
        counter: settings.counter,
        keys: *session.keys(),
        epoch: sender_keys.epoch(),
        digest: settings.digest,
        agent: settings.agent.clone(),
    };
    Ok(announcement.sign(keys)?)
}

/// How many bytes of a digest people see.
const SHOWN_DIGEST: usize = 8;

fn digest_text(digest: &[u8]) -> String {
    let shown = digest.iter().take(SHOWN_DIGEST);
    shown.map(|byte| format!("{byte:02x}")).collect()
}

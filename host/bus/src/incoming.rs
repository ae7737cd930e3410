//! What comes from other nodes: order, holes, ages, counts.
//!
//! It is told only what was opened and is proven to be of its sender. A sender may lie all the same, with its
//! numbers and times: it harms its own lanes alone, and what it makes this node keep has limits.

mod clock;
mod lane;
mod parts;
mod repair;
mod repairs;
#[cfg(test)]
mod tests;

pub(crate) use clock::SessionClock;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::interest::Interest;
use kozo_ground::names::NodeName;
use kozo_status::{Amount, BusIncomingCounts};
use kozo_wire::Message;

use crate::datagram::{Batch, Body, End, LaneBegin, Part, Sent};
use crate::refusal::Refusal;
use crate::sender_key::Epoch;
use crate::subject::{Subjects, Token};
use lane::{InLane, Tally};
use parts::Parts;
use repairs::{Repairs, SourceRepairs};

/// How many lanes of others are known at once, at most.
pub(crate) const MAX_LANES: usize = 131_072;

/// How many of them are of one node.
pub(crate) const MAX_LANES_OF_A_NODE: usize = 16_384;

/// How many bytes of all lanes together wait for what comes before them, at most.
pub(crate) const MAX_WAITING_BYTES: usize = 32 * 1024 * 1024;

/// How long a lane is remembered after it was heard last. Its sender forgets it earlier.
const FORGET_AFTER: Duration = Duration::from_secs(2 * 3600);

/// How often lanes are looked at for being forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// How many places for deliveries are kept when they have been taken.
const KEPT_DELIVERIES: usize = 1024;

/// Which node, by a number that is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SourceId(u32);

/// Which lane, by numbers that are short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LaneKey {
    pub(crate) source: SourceId,
    subject: u64,
}

/// A message of another node, for the roles of this one.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The node that sent it, which is proven.
    pub from: NodeName,
    /// The message.
    pub message: Message,
    /// How old it is, measured on the monotonic clocks of both nodes.
    pub age: Duration,
    /// How long it has a meaning from now on.
    pub remaining: Duration,
}

/// Another node that is heard, with its present session.
#[derive(Debug)]
struct Source {
    node: NodeName,
    token: Token,
    clock: SessionClock,
    counts: BusIncomingCounts,
    heard: Moment,
    /// Its lanes, by the hashes of their subjects.
    lanes: Vec<u64>,
    repairs: SourceRepairs,
    /// Something of it looked too old.
    looks_old: bool,
    /// When the latest message of its lanes that are forgotten was sent, in milliseconds of the session. What an engine
    /// brings of such a lane that is no later, it brings again.
    forgotten_ms: Option<u64>,
}

/// All lanes of all other nodes.
#[derive(Debug)]
pub(crate) struct Incoming {
    sources: Vec<Source>,
    lanes: HashMap<LaneKey, InLane>,
    hashes: RandomState,
    parts: Parts,
    waiting: Amount,
    repairs: Repairs,
    /// Since when this node hears what it has subscribed to.
    subscribed: Option<Moment>,
    sweep: Moment,
    deliveries: Vec<Delivery>,
    missed: Vec<(NodeName, u64)>,
    counts: BusIncomingCounts,
}

impl Incoming {
    pub(crate) fn new(seed: u64, now: Moment) -> Self {
        Self {
            sources: Vec::new(),
            lanes: HashMap::new(),
            hashes: RandomState::new(),
            parts: Parts::default(),
            waiting: Amount::default(),
            repairs: Repairs::new(seed),
            subscribed: None,
            sweep: now + SWEEP_EVERY,
            deliveries: Vec::new(),
            missed: Vec::new(),
            counts: BusIncomingCounts::default(),
        }
    }

    /// A node is heard for the first time.
    pub(crate) fn add_source(
        &mut self,
        node: NodeName,
        token: Token,
        clock: SessionClock,
        now: Moment,
    ) -> SourceId {
        self.sources.push(Source {
            node,
            token,
            clock,
            counts: BusIncomingCounts::default(),
            heard: now,
            lanes: Vec::new(),
            repairs: SourceRepairs::default(),
            looks_old: false,
            forgotten_ms: None,
        });
        SourceId(self.sources.len() as u32 - 1)
    }

    /// A node has begun a new session: nothing comes any more of the lanes of the one before.
    pub(crate) fn new_session(&mut self, id: SourceId, clock: SessionClock, now: Moment) {
        self.session_over(id, now);
        let source = self.source_mut(id);
        source.clock = clock;
        source.looks_old = false;
        source.forgotten_ms = None;
    }

    /// Nothing comes any more of a node's session.
    pub(crate) fn session_over(&mut self, id: SourceId, now: Moment) {
        for subject in std::mem::take(&mut self.source_mut(id).lanes) {
            self.close_lane(
                LaneKey {
                    source: id,
                    subject,
                },
                now,
            );
        }
    }

    /// An authenticated round trip to a node's present session.
    pub(crate) fn synced(&mut self, id: SourceId, asked: Moment, session_ms: u64, now: Moment) {
        let source = self.source_mut(id);
        source.clock.sync(asked, session_ms, now);
        source.looks_old = false;
        source.heard = now;
    }

    /// Whether the node is to be asked for its time.
    pub(crate) fn wants_sync(&self, id: SourceId, now: Moment) -> bool {
        let source = self.source(id);
        source.clock.wants_sync(source.looks_old, now)
    }

    /// The engine carries what this node wants, from now on or again.
    pub(crate) fn up(&mut self, now: Moment) {
        if self.subscribed.is_none() {
            self.subscribed = Some(now);
            return;
        }
        self.ask_for_all(now);
    }

    /// Whether a lane is known to be wanted by no role here: then it need not be opened.
    pub(crate) fn is_unwanted(&mut self, source: SourceId, subject: &str) -> bool {
        let key = self.key(source, subject);
        let is_unwanted = self.lanes.get(&key).is_some_and(|lane| !lane.is_wanted);
        if is_unwanted {
            self.counts.unwanted += 1;
            self.source_mut(source).counts.unwanted += 1;
        }
        is_unwanted
    }

    /// Whether a datagram of a lane need not be opened, as it looks from outside: all in it came before, or it was not
    /// asked for, and so much waits in the lane already that it is asked for later.
    pub(crate) fn is_in_vain(
        &mut self,
        source: SourceId,
        subject: &str,
        (epoch, counter): (Epoch, u64),
        was_asked: bool,
    ) -> bool {
        let key = self.key(source, subject);
        let room = MAX_WAITING_BYTES.saturating_sub(self.waiting.bytes);
        let Some(lane) = self.lanes.get_mut(&key) else {
            return false;
        };
        if lane.has_passed(epoch, counter) {
            self.counts.repeated += 1;
            self.source_mut(source).counts.repeated += 1;
            return true;
        }
        let is_full = !was_asked && lane.is_full(room);
        if is_full {
            lane.is_behind = true;
            self.counts.put_off += 1;
            self.source_mut(source).counts.put_off += 1;
        }
        is_full
    }

    /// A datagram of a lane was taken, which has messages up to this number.
    pub(crate) fn taken(
        &mut self,
        source: SourceId,
        subject: &str,
        (epoch, counter): (Epoch, u64),
        last: u64,
    ) {
        let key = self.key(source, subject);
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.pass(epoch, counter, last);
        }
    }

    /// Something of the node's present session came that was proven.
    pub(crate) fn heard(&mut self, source: SourceId, now: Moment) {
        self.source_mut(source).heard = now;
    }

    /// A datagram of this lane came and was opened; `was_asked`: as an answer.
    pub(crate) fn received(
        &mut self,
        source: SourceId,
        subject: &str,
        body: Body,
        was_asked: bool,
        reading: Reading<'_>,
        now: Moment,
    ) -> Result<(), Refusal> {
        self.source_mut(source).heard = now;
        let key = self.key(source, subject);
        if self
            .lanes
            .get(&key)
            .is_some_and(|lane| *lane.subject != *subject)
        {
            // Two lanes with one hash, which is as good as never.
            return Err(Refusal::TooMany);
        }
        match body {
            Body::Messages(batch) => self.batch(key, subject, batch, was_asked, reading, now),
            Body::Part(part) => self.part(key, subject, part, was_asked, reading, now),
            Body::End(end) => self.end(key, subject, end, now),
        }
    }

    fn batch(
        &mut self,
        key: LaneKey,
        subject: &str,
        batch: Batch,
        was_asked: bool,
        reading: Reading<'_>,
        now: Moment,
    ) -> Result<(), Refusal> {
        let Batch {
            begin,
            first,
            mut messages,
        } = batch;
        let Some(example) = messages.first() else {
            return Ok(());
        };
        let latest = messages.iter().map(|sent| sent.at.0).max();
        let latest = latest.unwrap_or_default();
        if !self.lanes.contains_key(&key) {
            if self.source(key.source).forgotten_ms >= Some(latest) {
                let count = messages.len() as u64;
                self.counts.repeated += count;
                self.source_mut(key.source).counts.repeated += count;
                return Ok(());
            }
            let wanted = reading.is_wanted(&example.message, self.source(key.source));
            let next = self.first_to_hear(key.source, begin, first);
            self.add_lane(key, subject, begin, next, now)?.is_wanted = wanted;
        }
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.latest_ms = lane.latest_ms.max(latest);
        }
        self.source_mut(key.source).clock.heard(latest, now);
        if self.is_unwanted(key.source, subject) {
            return Ok(());
        }
        self.change(key, now, |lane, room, sink| {
            lane.came(begin.number, first, &mut messages, was_asked, room, sink)
        });
        Ok(())
    }

    fn part(
        &mut self,
        key: LaneKey,
        subject: &str,
        part: Part,
        was_asked: bool,
        reading: Reading<'_>,
        now: Moment,
    ) -> Result<(), Refusal> {
        if let Some(lane) = self.lanes.get(&key)
            && part.first + part.messages <= lane.next()
        {
            self.counts.repeated += part.messages;
            self.source_mut(key.source).counts.repeated += part.messages;
            return Ok(());
        }
        let joined = self.parts.add(key, part, was_asked, now);
        let Some(joined) = joined.map_err(|_| Refusal::TooMany)? else {
            return Ok(());
        };
        let token = self.source(key.source).token;
        let (part, bytes) = (&joined.part, &joined.bytes);
        let batch = Batch::read_joined(part, bytes, reading.subjects, token, subject)?;
        self.batch(key, subject, batch, joined.was_asked, reading, now)
    }

    fn end(&mut self, key: LaneKey, subject: &str, end: End, now: Moment) -> Result<(), Refusal> {
        if !self.lanes.contains_key(&key) {
            let next = self.first_to_hear(key.source, end.begin, end.last + 1);
            if next > end.last {
                // Nothing of it was for this node, and nothing is missing.
                return Ok(());
            }
            self.add_lane(key, subject, end.begin, next, now)?;
        }
        // It may have come with what showed that no role here wants the lane.
        if self.is_unwanted(key.source, subject) {
            return Ok(());
        }
        self.change(key, now, |lane, _, sink| {
            lane.ends(end.begin.number, end.last, sink)
        });
        Ok(())
    }

    /// The sender has these messages of the lane no more.
    pub(crate) fn lost(&mut self, key: LaneKey, from: u64, to: u64, now: Moment) {
        self.change(key, now, |lane, room, sink| lane.lost(from, to, room, sink));
    }

    /// Gives up what does not become complete, and forgets lanes that have been silent for long.
    pub(crate) fn tick(&mut self, now: Moment) {
        self.parts.tick(now);
        if now < self.sweep {
            return;
        }
        self.sweep = now + SWEEP_EVERY;
        let silent = |lane: &InLane| now.since(lane.heard) >= FORGET_AFTER;
        let old = self.lanes.iter().filter(|(_, lane)| silent(lane));
        let old: Vec<LaneKey> = old.map(|(key, _)| *key).collect();
        for key in old {
            self.forget_lane(key, now);
        }
    }

    /// When [`due_repairs`](Self::due_repairs) or [`tick`](Self::tick) may have something to do.
    pub(crate) fn timeout(&self) -> Option<Moment> {
        let due = self.repairs.next_due();
        let sweep = (!self.lanes.is_empty()).then_some(self.sweep);
        due.into_iter().chain(sweep).min()
    }

    /// Takes what the roles of this node get.
    pub(crate) fn deliveries(&mut self) -> Vec<Delivery> {
        let room = self.deliveries.len().min(KEPT_DELIVERIES);
        std::mem::replace(&mut self.deliveries, Vec::with_capacity(room))
    }

    /// Takes who has sent messages that are missing for good, and how many.
    pub(crate) fn missed(&mut self) -> Vec<(NodeName, u64)> {
        std::mem::take(&mut self.missed)
    }

    pub(crate) fn lane_count(&self) -> usize {
        self.lanes.len()
    }

    /// What waits for what comes before it, the parts of batches included.
    pub(crate) fn waiting(&self) -> Amount {
        Amount {
            messages: self.waiting.messages,
            bytes: self.waiting.bytes + self.parts.bytes(),
        }
    }

    /// Whether batches are put together.
    pub(crate) fn has_parts(&self) -> bool {
        self.parts.bytes() > 0
    }

    pub(crate) fn counts(&self) -> BusIncomingCounts {
        self.counts
    }

    /// What came of a node's messages; when it was heard last; how many lanes it has.
    pub(crate) fn seen_of(&self, id: SourceId) -> (BusIncomingCounts, Moment, usize) {
        let source = self.source(id);
        (source.counts, source.heard, source.lanes.len())
    }

    /// A datagram of the node was opened.
    pub(crate) fn datagram(&mut self, id: SourceId, length: usize) {
        let counts = &mut self.source_mut(id).counts;
        counts.datagrams_received += 1;
        counts.bytes_received += length as u64;
    }

    /// Where to begin with a lane that is heard of for the first time, in the middle of it at `present`: if it was
    /// begun since this node hears it, everything in it was for this node.
    fn first_to_hear(&self, source: SourceId, begin: LaneBegin, present: u64) -> u64 {
        let source = self.source(source);
        // One that was begun before is known no more, and what this node has of it neither.
        let is_later = source.forgotten_ms < Some(begin.time.0);
        let is_ours = |subscribed| is_later && source.clock.is_after(begin.time.0, subscribed);
        match self.subscribed.is_some_and(is_ours) {
            true => begin.number,
            false => present,
        }
    }

    fn add_lane(
        &mut self,
        key: LaneKey,
        subject: &str,
        begin: LaneBegin,
        next: u64,
        now: Moment,
    ) -> Result<&mut InLane, Refusal> {
        if self.source(key.source).lanes.len() >= MAX_LANES_OF_A_NODE {
            self.make_room(key.source, now);
        }
        if self.lanes.len() >= MAX_LANES {
            return Err(Refusal::TooMany);
        }
        self.source_mut(key.source).lanes.push(key.subject);
        let lane = InLane::new(subject, begin.number, next, now);
        Ok(self.lanes.entry(key).or_insert(lane))
    }

    /// Forgets the eighth of a node's lanes that has been silent for the longest time.
    fn make_room(&mut self, id: SourceId, now: Moment) {
        let subjects = &self.source(id).lanes;
        let mut lanes: Vec<(Moment, LaneKey)> = subjects
            .iter()
            .map(|&subject| LaneKey {
                source: id,
                subject,
            })
            .filter_map(|key| Some((self.lanes.get(&key)?.heard, key)))
            .collect();
        let eighth = lanes.len() / 8;
        if eighth > 0 {
            lanes.select_nth_unstable(eighth);
        }
        for (_, key) in lanes.into_iter().take(eighth.max(1)) {
            self.forget_lane(key, now);
        }
    }

    fn forget_lane(&mut self, key: LaneKey, now: Moment) {
        let latest = self.lanes.get(&key).map(|lane| lane.latest_ms);
        self.close_lane(key, now);
        let source = self.source_mut(key.source);
        source.forgotten_ms = source.forgotten_ms.max(latest);
        let lanes = &mut source.lanes;
        if let Some(place) = lanes.iter().position(|subject| *subject == key.subject) {
            lanes.swap_remove(place);
        }
    }

    fn close_lane(&mut self, key: LaneKey, now: Moment) {
        self.parts.forget(key);
        self.change(key, now, |lane, _, sink| lane.close(sink));
        let repair = self.lanes.remove(&key).and_then(|lane| lane.repair);
        if repair.is_some_and(|repair| repair.asked.is_some()) {
            // The answer is waited for no more.
            let source = &mut self.sources[key.source.0 as usize];
            self.repairs.answer_not_waited_for(&mut source.repairs);
        }
    }

    /// Changes a lane; delivers, counts, and sees to what is missing afterwards.
    fn change(
        &mut self,
        key: LaneKey,
        now: Moment,
        change: impl FnOnce(&mut InLane, usize, &mut dyn FnMut(Sent, bool)) -> Tally,
    ) {
        let Some(lane) = self.lanes.get_mut(&key) else {
            return;
        };
        let source = &mut self.sources[key.source.0 as usize];
        let (before, next) = (lane.waiting(), lane.next());
        let room = MAX_WAITING_BYTES.saturating_sub(self.waiting.bytes);
        let Source {
            node,
            clock,
            counts,
            looks_old,
            ..
        } = source;
        let deliveries = &mut self.deliveries;
        let mut change_of = BusIncomingCounts::default();
        let mut sink = |sent: Sent, was_asked: bool| {
            let age = clock.age(sent.at.0, now);
            if age >= sent.lifetime {
                change_of.expired += 1;
                *looks_old = true;
                return;
            }
            change_of.received += 1;
            change_of.repaired += u64::from(was_asked);
            deliveries.push(Delivery {
                from: node.clone(),
                message: sent.message,
                age,
                remaining: sent.lifetime - age,
            });
        };
        let tally = change(lane, room, &mut sink);
        change_of.repeated = tally.repeated;
        change_of.missed = tally.missed;
        add(counts, &change_of);
        add(&mut self.counts, &change_of);
        if tally.missed > 0 {
            self.missed.push((node.clone(), tally.missed));
        }
        lane.heard = now;
        let after = lane.waiting();
        self.waiting.messages = self.waiting.messages + after.messages - before.messages;
        self.waiting.bytes = self.waiting.bytes + after.bytes - before.bytes;
        self.repairs
            .follow(key, lane, &mut source.repairs, next, now);
    }

    fn key(&self, source: SourceId, subject: &str) -> LaneKey {
        let subject = self.hashes.hash_one(subject);
        LaneKey { source, subject }
    }

    fn source(&self, id: SourceId) -> &Source {
        &self.sources[id.0 as usize]
    }

    fn source_mut(&mut self, id: SourceId) -> &mut Source {
        &mut self.sources[id.0 as usize]
    }
}

/// What it takes to read what others have sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) subjects: &'a Subjects,
    /// What the roles of this node want.
    pub(crate) wanted: &'a [Interest],
}

impl Reading<'_> {
    fn is_wanted(&self, message: &kozo_wire::Message, source: &Source) -> bool {
        let subject = message.subject(source.node.as_str());
        self.wanted
            .iter()
            .any(|interest| interest.matches(&subject))
    }
}

/// Adds what came of messages. A sender's numbers may be anything.
fn add(total: &mut BusIncomingCounts, more: &BusIncomingCounts) {
    total.received += more.received;
    total.repaired += more.repaired;
    total.repeated += more.repeated;
    total.expired += more.expired;
    total.missed = total.missed.saturating_add(more.missed);
}

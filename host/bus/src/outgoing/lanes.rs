//! The lanes that this node sends in, and when the end of each is said again.

use std::cmp::Reverse;
use std::collections::hash_map::RandomState;
use std::collections::{BinaryHeap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::interest::Kind;
use kozo_wire::Message;

use crate::datagram::LaneBegin;
use crate::session::SessionTime;

/// How many lanes this node sends in at once, at most. Those beyond take the place of what has been idle for the
/// longest time.
pub(crate) const MAX_LANES: usize = 16_384;

/// How long a lane is remembered after its last message.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// How long after a batch of a lane the next one is held, if it can still grow: a lane is published no more often than
/// 2,000 times a second, and what is idle waits for nothing.
pub(crate) const HELD_FOR: Duration = Duration::from_micros(500);

/// How long after the last message of a lane its end is said again, so that who lost that message finds it out.
const ENDS_AFTER: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(100),
];

/// Where a lane stands in [`Lanes`]. Another lane may stand there once it is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u32);

/// A lane: all messages of this node's session with the same kind, type, role and channel.
#[derive(Debug)]
pub(crate) struct OutLane {
    /// Kind, type, role and channel, as bytes that no other lane has.
    identity: Box<[u8]>,
    /// Where it is published.
    pub(crate) subject: Arc<str>,
    /// Which of this node's roles sends in it.
    pub(crate) role: u32,
    /// Where it was begun.
    pub(crate) begin: LaneBegin,
    /// The number of the next message.
    next: u64,
    /// Messages of it that wait in the outbox.
    queued: usize,
    /// How many bytes they take in batches.
    queued_bytes: usize,
    /// When a batch of it was made last.
    batched: Option<Moment>,
    /// When its last message was queued or dropped.
    last: Moment,
    /// How often its end was said since.
    ends_said: usize,
    /// Whether it has an entry in the heap of ends.
    is_timed: bool,
    /// Counts the lanes that stood in its place, so that an old entry of the heap is known.
    generation: u32,
}

impl OutLane {
    /// The last number behind which nothing of the lane waits in the outbox any more; none as long as something does, or
    /// when nothing was sent in it yet. Batches up to there may wait to be published.
    pub(crate) fn end(&self) -> Option<u64> {
        (self.queued == 0 && self.next > self.begin.number).then(|| self.next - 1)
    }

    fn end_due(&self) -> Option<Moment> {
        ENDS_AFTER.get(self.ends_said).map(|wait| self.last + *wait)
    }

    fn end_said(&self, last: u64) -> LaneEnd {
        LaneEnd {
            subject: self.subject.clone(),
            begin: self.begin,
            last,
        }
    }
}

/// The end of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaneEnd {
    pub(crate) subject: Arc<str>,
    pub(crate) begin: LaneBegin,
    pub(crate) last: u64,
}

/// There are too many lanes, and something of each waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyLanes;

/// All lanes that this node sends in.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: Vec<OutLane>,
    free: Vec<Place>,
    places: HashMap<u64, Place>,
    hashes: RandomState,
    /// This node's roles, in the order in which they first sent.
    roles: HashMap<Box<str>, u32>,
    /// For each of them, the lane in which it has sent last.
    role_lanes: Vec<Place>,
    /// The highest number that any lane of the session has had. A lane begins behind it: so one that was forgotten
    /// and is begun again repeats no number.
    highest: u64,
    /// When the lanes' ends are due, or earlier.
    ends: BinaryHeap<Reverse<(Moment, Place, u32)>>,
}

impl Lanes {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn get(&self, place: Place) -> &OutLane {
        &self.lanes[place.0 as usize]
    }

    fn get_mut(&mut self, place: Place) -> &mut OutLane {
        &mut self.lanes[place.0 as usize]
    }

    /// The lane of a message. A new one is begun at the subject that `subject_of` says.
    pub(crate) fn of(
        &mut self,
        message: &Message,
        time: SessionTime,
        now: Moment,
        subject_of: impl FnOnce(&Message) -> String,
    ) -> Result<Place, TooManyLanes> {
        let mut hash = self.hash_of(message);
        while let Some(&place) = self.places.get(&hash) {
            if is_identity(&self.get(place).identity, message) {
                return Ok(place);
            }
            // Two lanes with one hash: as good as never, and still two lanes.
            hash = hash.wrapping_add(1);
        }
        if self.places.len() >= MAX_LANES {
            self.make_room()?;
        }
        let role_count = self.roles.len() as u32;
        let role = match self.roles.get(message.role()) {
            Some(&role) => role,
            None => *self
                .roles
                .entry(message.role().into())
                .or_insert(role_count),
        };
        let lane = OutLane {
            identity: identity(message),
            subject: subject_of(message).into(),
            role,
            begin: LaneBegin {
                number: self.highest + 1,
                time,
            },
            next: self.highest + 1,
            queued: 0,
            queued_bytes: 0,
            batched: None,
            last: now,
            ends_said: 0,
            is_timed: false,
            generation: 0,
        };
        let place = match self.free.pop() {
            Some(place) => {
                let generation = self.get(place).generation.wrapping_add(1);
                *self.get_mut(place) = OutLane { generation, ..lane };
                place
            }
            None => {
                self.lanes.push(lane);
                Place(self.lanes.len() as u32 - 1)
            }
        };
        self.places.insert(hash, place);
        Ok(place)
    }

    /// A message is queued that takes so many bytes in a batch: its number.
    pub(crate) fn queued(&mut self, place: Place, bytes: usize, now: Moment) -> u64 {
        let lane = self.get_mut(place);
        let number = lane.next;
        lane.next += 1;
        lane.queued += 1;
        lane.queued_bytes += bytes;
        let role = lane.role as usize;
        match self.role_lanes.get_mut(role) {
            Some(last) => *last = place,
            // Roles count from 0, and each sends at once when it is counted.
            None => self.role_lanes.resize(role + 1, place),
        }
        self.highest = self.highest.max(number);
        self.touched(place, now);
        number
    }

    /// A message left the outbox: it was sent or dropped.
    pub(crate) fn left(&mut self, place: Place, bytes: usize, was_dropped: bool, now: Moment) {
        let lane = self.get_mut(place);
        lane.queued -= 1;
        lane.queued_bytes -= bytes;
        if was_dropped && lane.queued == 0 {
            // Nothing comes any more by which receivers would find out what they missed.
            self.touched(place, now);
        }
    }

    /// Until when a batch of a lane is held, so that more comes into it: for a moment after the one before. None: there
    /// is none in the way, or it cannot grow, since it is as large as one may be (`messages`, `bytes`), or its role has
    /// sent in another lane since.
    pub(crate) fn held_until(
        &self,
        place: Place,
        messages: usize,
        bytes: usize,
        now: Moment,
    ) -> Option<Moment> {
        let lane = self.get(place);
        let until = lane.batched? + HELD_FOR;
        let is_last = self.role_lanes.get(lane.role as usize) == Some(&place);
        let may_grow = is_last && lane.queued < messages && lane.queued_bytes < bytes;
        (may_grow && until > now).then_some(until)
    }

    /// A batch of it is made.
    pub(crate) fn batched(&mut self, place: Place, now: Moment) {
        self.get_mut(place).batched = Some(now);
    }

    fn touched(&mut self, place: Place, now: Moment) {
        let lane = self.get_mut(place);
        lane.last = now;
        // Once an end was said, the entry is that of the next one, later than the first of this message is due. It counts
        // no more.
        let is_late = std::mem::take(&mut lane.ends_said) > 0;
        if is_late {
            lane.generation = lane.generation.wrapping_add(1);
        }
        if is_late || !lane.is_timed {
            lane.is_timed = true;
            let entry = (now + ENDS_AFTER[0], place, lane.generation);
            self.ends.push(Reverse(entry));
        }
    }

    /// Takes the next end that is due. `is_unsent` says of the subject of a lane whether a batch of it waits to be published.
    pub(crate) fn next_end(
        &mut self,
        now: Moment,
        is_unsent: impl Fn(&str) -> bool,
    ) -> Option<LaneEnd> {
        while let Some(&Reverse((due, place, generation))) = self.ends.peek() {
            if due > now {
                return None;
            }
            self.ends.pop();
            let lane = self.get_mut(place);
            if lane.generation != generation || !lane.is_timed {
                continue;
            }
            let Some(really_due) = lane.end_due() else {
                lane.is_timed = false;
                continue;
            };
            if really_due > now {
                self.ends.push(Reverse((really_due, place, generation)));
                continue;
            }
            let Some(last) = lane.end().filter(|_| !is_unsent(&lane.subject)) else {
                // Something waits to be sent, which says the same. It is looked at again later.
                let later = now + ENDS_AFTER[0];
                self.ends.push(Reverse((later, place, generation)));
                continue;
            };
            // Those that were due while the engine was away are said once.
            let passed = |wait: &&Duration| lane.last + **wait <= now;
            lane.ends_said = ENDS_AFTER.iter().take_while(passed).count();
            match lane.end_due() {
                Some(next) => self.ends.push(Reverse((next, place, generation))),
                None => lane.is_timed = false,
            }
            return Some(self.get(place).end_said(last));
        }
        None
    }

    /// When the next end may be due.
    pub(crate) fn timeout(&self) -> Option<Moment> {
        self.ends.peek().map(|Reverse((due, _, _))| *due)
    }

    /// Forgets lanes that have been idle for long.
    pub(crate) fn forget_idle(&mut self, now: Moment) {
        self.forget(|lane| now.since(lane.last) >= FORGET_AFTER);
    }

    /// The lane with this subject.
    pub(crate) fn find(&self, subject: &str) -> Option<&OutLane> {
        // Only for repairs, which are limited in number.
        let mut lanes = self.places.values().map(|place| self.get(*place));
        lanes.find(|lane| *lane.subject == *subject)
    }

    fn make_room(&mut self) -> Result<(), TooManyLanes> {
        let lanes = self.places.values().map(|place| self.get(*place));
        let mut idle: Vec<Moment> = lanes
            .filter(|lane| lane.queued == 0)
            .map(|lane| lane.last)
            .collect();
        if idle.is_empty() {
            return Err(TooManyLanes);
        }
        // An eighth at a time, so that not each new lane has to look at all.
        let eighth = idle.len() / 8;
        let until = *idle.select_nth_unstable(eighth).1;
        self.forget(|lane| lane.last <= until);
        Ok(())
    }

    fn forget(&mut self, is_old: impl Fn(&OutLane) -> bool) {
        let (lanes, free) = (&mut self.lanes, &mut self.free);
        self.places.retain(|_, place| {
            let lane = &mut lanes[place.0 as usize];
            let goes = lane.queued == 0 && is_old(lane);
            if goes {
                lane.is_timed = false;
                free.push(*place);
            }
            !goes
        });
    }

    fn hash_of(&self, message: &Message) -> u64 {
        let (kind, channel) = (message.kind(), message.channel());
        self.hashes
            .hash_one((kind, message.type_name(), message.role(), channel))
    }
}

/// What tells lanes from each other. The parts have their lengths in front, since a type may hold any character.
fn identity(message: &Message) -> Box<[u8]> {
    let mut identity = vec![tag(message.kind(), message.channel())];
    for text in [message.type_name(), message.role()] {
        // Both have limits of 255 bytes.
        identity.push(text.len() as u8);
        identity.extend_from_slice(text.as_bytes());
    }
    identity.extend_from_slice(message.channel().unwrap_or_default().as_bytes());
    identity.into()
}

fn is_identity(identity: &[u8], message: &Message) -> bool {
    let (type_name, role) = (message.type_name(), message.role());
    let parts: [&[u8]; 5] = [
        &[tag(message.kind(), message.channel())],
        &[type_name.len() as u8],
        type_name.as_bytes(),
        &[role.len() as u8],
        role.as_bytes(),
    ];
    let rest = parts
        .iter()
        .try_fold(identity, |rest, part| rest.strip_prefix(*part));
    rest == Some(message.channel().unwrap_or_default().as_bytes())
}

/// The kind, and whether there is a channel: one that is empty is not none.
fn tag(kind: Kind, channel: Option<&str>) -> u8 {
    kind as u8 | if channel.is_some() { 4 } else { 0 }
}

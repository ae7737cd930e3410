//! Who may stay of those who have connected and not proven yet who they are.
//!
//! ```text
//!           says that it          begins the             gets its             proves
//!           speaks SSH            key exchange           turn                 its key
//!   silent ───────────▶ greeted ──────────────▶ waiting ─────────▶ exchanging ─────▶ a link
//!      └────────────────────┴──────────────────────┴───────────────────┴──────▶ gone
//! ```
//!
//! Anybody may connect, and the nodes of the network are not known by their addresses: behind a NAT,
//! or through Tor, many share one. So nobody is turned away at the door. Each step has a number of
//! places, and whoever comes when they are all taken gets the place of one who stands there: the one
//! whose time at this step, times the places that its machine has there, is the longest. A node
//! needs little time for a step, so those that say nothing, or say it slowly, make room for it. And
//! whoever comes from many connections makes room for whoever comes from few.
//!
//! A key exchange costs computing time. So there is a number of them a second, and machines take
//! turns. A machine from which a node linked lately has a few places and turns that no others take.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use kozo_ground::clock::Moment;

/// The leading bits of an IPv6 address that one network has: whoever has one address has them all.
const IPV6_NETWORK: u32 = 64;

/// How many places a machine from which a node linked lately has at each step for itself, and how
/// many turns in each [`TURN_MEMORY`] come before those of other machines.
const RESERVED: usize = 4;

/// For how long after its link a node's machine counts as one from which a node linked lately.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How many machines from which a node linked lately are remembered.
const MAX_KNOWN: usize = 256;

/// For how long the turns of a machine are counted.
const TURN_MEMORY: Duration = Duration::from_secs(1);

/// Of how many files that may be open one may be a caller's: the others are for links, for those that
/// are being made, and for roles.
const SHARE_OF_FILES: u64 = 2;

/// How many places a step has at least, however few files may be open: one transport gets most.
const FEWEST: usize = 4;

/// The limits of those who have not proven who they are.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionLimits {
    /// Places at the steps *silent*, *greeted*, *waiting* and *exchanging*. The first is the one
    /// that floods fill, and a place there costs little. Default: 256, 128, 64, 128.
    pub places: [usize; STEPS],
    /// How many of a step's places those who come over one transport may take, in quarters:
    /// callers through Tor are without number, and shall leave places to those who come by TCP.
    /// Default: 3.
    pub quarters_per_transport: usize,
    /// How many key exchanges may begin in a second, in the long run. Default: 50.
    pub exchanges_per_second: u32,
    /// How many key exchanges may begin at once. Default: 50.
    pub exchanges_at_once: u32,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            places: [256, 128, 64, 128],
            quarters_per_transport: 3,
            exchanges_per_second: 50,
            exchanges_at_once: 50,
        }
    }
}

impl AdmissionLimits {
    /// Places that fit where so many files may be open: with the default's proportions, those who have
    /// not proven who they are take no more than half of them.
    pub fn within(open_files: u64) -> Self {
        let mut limits = Self::default();
        let wanted = limits.places.iter().sum::<usize>();
        let most = usize::try_from(open_files / SHARE_OF_FILES).unwrap_or(usize::MAX);
        if wanted > most {
            for places in &mut limits.places {
                *places = (*places * most / wanted).max(FEWEST);
            }
        }
        limits
    }
}

/// How far a caller has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallerStep {
    /// The caller has not said that it speaks SSH.
    Silent,
    /// The caller has said so; the key exchange has not begun.
    Greeted,
    /// The caller has begun the key exchange, and waits for its turn.
    Waiting,
    /// The keys are being exchanged, and then it has to prove its own.
    Exchanging,
}

/// How many steps there are.
pub const STEPS: usize = 4;

/// Where a caller comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The name of this node's transport.
    pub transport: String,
    /// The machine, or the network that counts as one.
    pub machine: String,
}

impl Origin {
    /// Where a connection comes from that came over a transport of this node from this address.
    ///
    /// A machine is an address without the port, or an IPv6 network. Addresses that are neither, such
    /// as those of Bluetooth, stand for themselves.
    pub fn new(transport: &str, address: &str) -> Self {
        let ip = |address: SocketAddr| address.ip().to_canonical();
        let machine = match address.parse().map(ip) {
            Ok(IpAddr::V4(host)) => host.to_string(),
            Ok(IpAddr::V6(host)) => {
                let network =
                    host.to_bits() >> (u128::BITS - IPV6_NETWORK) << (u128::BITS - IPV6_NETWORK);
                format!("{}/{IPV6_NETWORK}", Ipv6Addr::from_bits(network))
            }
            Err(_) => address.to_owned(),
        };
        Self {
            transport: transport.to_owned(),
            machine,
        }
    }
}

/// A connection whose other end has not proven who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallerId(u64);

/// What is to be done with a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Its turn has come: the key exchange may go on.
    Exchange(CallerId),
    /// Its place is another's now: the connection is to be closed. It has left already.
    Leave(CallerId),
}

#[derive(Debug)]
struct Caller {
    origin: Origin,
    step: CallerStep,
    /// Since when the caller is at this step.
    since: Moment,
}

/// Decides who may stay, and who may exchange keys when. It performs nothing.
#[derive(Debug)]
pub struct Admission {
    limits: AdmissionLimits,
    callers: HashMap<CallerId, Caller>,
    next_id: u64,
    /// How many places each machine has at each step.
    taken: HashMap<Origin, [usize; STEPS]>,
    /// How many places those who come over each transport have at each step.
    taken_over: HashMap<String, [usize; STEPS]>,
    /// Machines from which a node linked, and when it last did.
    known: HashMap<Origin, Moment>,
    /// The last turns, oldest first: whose, and when.
    turns: VecDeque<(Origin, Moment)>,
    /// When the next turn would come if none could be saved up: the allowance is used up as far as
    /// this lies ahead.
    next_turn: Moment,
    decisions: VecDeque<Decision>,
}

impl Admission {
    /// An admission to which nobody has come yet.
    pub fn new(limits: AdmissionLimits) -> Self {
        Self {
            limits,
            callers: HashMap::new(),
            next_id: 1,
            taken: HashMap::new(),
            taken_over: HashMap::new(),
            known: HashMap::new(),
            turns: VecDeque::new(),
            next_turn: Moment::ZERO,
            decisions: VecDeque::new(),
        }
    }

    /// Somebody connected.
    pub fn enter(&mut self, origin: Origin, now: Moment) -> CallerId {
        let id = CallerId(self.next_id);
        self.next_id += 1;
        self.place(id, origin, CallerStep::Silent, now);
        id
    }

    /// A caller has come so far. Nothing happens when it has left, or had come further already.
    pub fn reach(&mut self, id: CallerId, step: CallerStep, now: Moment) {
        let behind = self.callers.get(&id).filter(|caller| caller.step < step);
        if behind.is_some()
            && let Some(caller) = self.remove(id)
        {
            self.place(id, caller.origin, step, now);
        }
    }

    /// A caller is gone, or is a link now.
    pub fn leave(&mut self, id: CallerId) {
        self.remove(id);
    }

    /// A caller has proven that it is a node.
    pub fn linked(&mut self, id: CallerId, now: Moment) {
        let Some(caller) = self.remove(id) else {
            return;
        };
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(&caller.origin) {
            let oldest = self.known.iter().min_by_key(|(_, linked)| **linked);
            if let Some(oldest) = oldest.map(|(origin, _)| origin.clone()) {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(caller.origin, now);
    }

    /// Lets those exchange keys whose turn has come.
    pub fn tick(&mut self, now: Moment) {
        while self
            .turns
            .front()
            .is_some_and(|(_, turn)| now.since(*turn) >= TURN_MEMORY)
        {
            self.turns.pop_front();
        }
        while self.turn_at() <= now {
            let Some(id) = self.first_in_turn(now) else {
                return;
            };
            let Some(caller) = self.callers.get(&id) else {
                return;
            };
            self.turns.push_back((caller.origin.clone(), now));
            self.next_turn = self.next_turn.max(now) + self.interval();
            self.decisions.push_back(Decision::Exchange(id));
            self.reach(id, CallerStep::Exchanging, now);
        }
    }

    /// When [`tick`](Self::tick) has something to do that it has not now.
    pub fn timeout(&self) -> Option<Moment> {
        let somebody_waits = self
            .callers
            .values()
            .any(|caller| caller.step == CallerStep::Waiting);
        somebody_waits.then(|| self.turn_at())
    }

    /// Takes the next thing to do.
    pub fn next_decision(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }

    /// How many callers have not proven who they are.
    pub fn unproven(&self) -> usize {
        self.callers.len()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.limits.exchanges_per_second.max(1)
    }

    /// When the next turn may be given.
    fn turn_at(&self) -> Moment {
        let saved = self.interval() * self.limits.exchanges_at_once.saturating_sub(1);
        Moment::ZERO + self.next_turn.since(Moment::ZERO).saturating_sub(saved)
    }

    /// Who waits and is the first to have a turn: machines from which a node linked lately, for a
    /// few turns; then those that had the fewest turns lately; then those who have waited longest.
    fn first_in_turn(&self, now: Moment) -> Option<CallerId> {
        let mut turns: HashMap<&Origin, usize> = HashMap::new();
        for (origin, _) in &self.turns {
            *turns.entry(origin).or_default() += 1;
        }
        let waiting = self
            .callers
            .iter()
            .filter(|(_, caller)| caller.step == CallerStep::Waiting);
        let first = waiting.min_by_key(|(id, caller)| {
            let had = turns.get(&caller.origin).copied().unwrap_or_default();
            let comes_first = self.is_known(&caller.origin, now) && had < RESERVED;
            (!comes_first, had, caller.since, **id)
        });
        first.map(|(id, _)| *id)
    }

    fn is_known(&self, origin: &Origin, now: Moment) -> bool {
        let linked = self.known.get(origin);
        linked.is_some_and(|linked| now.since(*linked) < KNOWN_FOR)
    }

    /// Gives a caller a place at a step, and whoever has to go for it no place at all.
    fn place(&mut self, id: CallerId, origin: Origin, step: CallerStep, now: Moment) {
        let transport = origin.transport.clone();
        self.taken.entry(origin.clone()).or_default()[step as usize] += 1;
        self.taken_over.entry(transport.clone()).or_default()[step as usize] += 1;
        self.callers.insert(
            id,
            Caller {
                origin,
                step,
                since: now,
            },
        );
        if let Some(leaver) = self.leaver(&transport, step, now) {
            self.remove(leaver);
            self.decisions.push_back(Decision::Leave(leaver));
        }
    }

    /// Who has to go, now that somebody came over this transport, if there are too many at a step.
    fn leaver(&self, transport: &str, step: CallerStep, now: Moment) -> Option<CallerId> {
        let places = self.limits.places[step as usize];
        let of_transport = places * self.limits.quarters_per_transport / 4;
        let taken = |counts: &[usize; STEPS]| counts[step as usize];
        let over = self.taken_over.get(transport).map_or(0, taken);
        let only = (over > of_transport).then_some(transport);
        if only.is_none() && self.taken_over.values().map(taken).sum::<usize>() <= places {
            return None;
        }
        let candidates = self.callers.iter().filter(|(_, caller)| {
            caller.step == step && only.is_none_or(|only| caller.origin.transport == only)
        });
        let leaver = candidates.max_by_key(|(id, caller)| {
            let time = now.since(caller.since);
            (self.weight(caller, now), time, Reverse(**id))
        });
        leaver.map(|(id, _)| *id)
    }

    /// How much a caller's place is worth to others.
    fn weight(&self, caller: &Caller, now: Moment) -> u128 {
        let taken = self.taken.get(&caller.origin);
        let mut taken = taken.map_or(0, |taken| taken[caller.step as usize]);
        if self.is_known(&caller.origin, now) {
            taken = taken.saturating_sub(RESERVED);
        }
        now.since(caller.since)
            .as_micros()
            .saturating_mul(taken as u128)
    }

    fn remove(&mut self, id: CallerId) -> Option<Caller> {
        let caller = self.callers.remove(&id)?;
        if let Some(taken) = self.taken_over.get_mut(&caller.origin.transport) {
            taken[caller.step as usize] -= 1;
        }
        if let Some(taken) = self.taken.get_mut(&caller.origin) {
            taken[caller.step as usize] -= 1;
            if taken.iter().all(|count| *count == 0) {
                self.taken.remove(&caller.origin);
            }
        }
        Some(caller)
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;

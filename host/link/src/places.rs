//! Which of the calls that dial gets one of a transport's threads, when, and for how long.
//!
//! A call blocks a thread until its transport returns, and nobody can end it before. So a machine
//! that is switched off, and neither answers nor refuses, costs a thread for as long as the try
//! may take. There are two kinds of places:
//!
//! ```text
//!                       ┌─ one of FULL_PLACES is free ──▶ a try of FULL_LIMIT ───┐
//!   asked, not known ───┤                                                        │ answered
//!   to be silent        └─ else, of QUICK_PLACES ───────▶ a try of QUICK_LIMIT ──┤
//!                                                                                │ silent
//!   asked, known to ────── one of FULL_PLACES is free ──▶ a try of FULL_LIMIT ◀──┘ the next time
//!   be silent
//! ```
//!
//! Silent addresses hold no quick place for longer than a moment, and only once. So whoever was
//! never tried, or answered the last time, gets a place soon, however many are silent; and those
//! take turns.
//!
//! A call that has not come back although its time is up *hangs*. The same is not asked again until
//! it has come back, and nothing is when too many hang.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::Duration;

use kozo_ground::clock::Moment;

/// How many tries of a transport may run for their full time at once. Each blocks a thread, which
/// costs some 50 KiB of memory.
const FULL_PLACES: usize = 128;

/// How many more tries there may be that are short.
const QUICK_PLACES: usize = 128;

/// How long a try may take. Tor may need most of it.
const FULL_LIMIT: Duration = Duration::from_secs(30);

/// How long a short try may take: enough for a machine that runs, unless the path is a slow one.
const QUICK_LIMIT: Duration = Duration::from_secs(1);

/// How long a transport may take to tell the addresses of a peer.
const ADDRESSES_LIMIT: Duration = Duration::from_secs(10);

/// How much later than it was told to a call may come back before it counts as one that hangs.
pub const GRACE: Duration = Duration::from_secs(5);

/// How many calls of a transport may hang before nothing is asked of it any more.
const MAX_HANGING: usize = 8;

/// How many silent addresses are remembered. Addresses are the transport's words: it may have new
/// ones each time.
const MAX_SILENT: usize = 4096;

/// What a transport is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallSubject {
    /// The transport's name on the peer.
    pub transport: String,
    /// The peer's name.
    pub node: String,
    /// What is connected to. Without one, the addresses are asked for.
    pub address: Option<String>,
}

/// One call into a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(u64);

impl fmt::Display for CallSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            transport, node, ..
        } = self;
        match &self.address {
            None => write!(f, "`addresses` for `{transport}` of {node}"),
            Some(address) => write!(f, "`connect` to {address} for `{transport}` of {node}"),
        }
    }
}

/// Why a transport is not asked. The text is the same as long as the reason is the same: the log tells of it
/// once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// This was asked before, and that call hangs.
    #[error("an earlier {0} has not come back: it is asked again when that has")]
    Same(CallSubject),
    /// This many calls hang.
    #[error("too many calls of the transport have not come back: it is asked again when they have")]
    Many(usize),
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// The transport did what it was asked to.
    Done,
    /// The transport did not, for a reason of its own or because the call's time was up.
    Failed,
}

#[derive(Debug)]
struct RunningCall {
    subject: CallSubject,
    since: Moment,
    limit: Duration,
    /// Whether the call has one of the full places.
    full: bool,
    hangs: bool,
}

/// The places of one transport.
#[derive(Debug, Default)]
pub struct Places {
    next: u64,
    /// Calls that have no place yet, by the order in which they asked.
    waiting: BTreeMap<CallId, CallSubject>,
    running: BTreeMap<CallId, RunningCall>,
    /// Addresses that let the time pass when they were tried last.
    silent: HashSet<CallSubject>,
}

impl Places {
    /// Asks for a place. [`start`](Self::start) says when there is one.
    pub fn ask(&mut self, subject: CallSubject) -> Result<CallId, Barred> {
        if let Some(barred) = self.barred(&subject) {
            return Err(barred);
        }
        let id = CallId(self.next);
        self.next += 1;
        self.waiting.insert(id, subject);
        Ok(id)
    }

    /// Why a transport would not be asked this now.
    fn barred(&self, subject: &CallSubject) -> Option<Barred> {
        let mut hanging = self.running.values().filter(|call| call.hangs);
        match hanging.find(|call| call.subject == *subject) {
            Some(call) => Some(Barred::Same(call.subject.clone())),
            None => self.too_many_hang(),
        }
    }

    /// Nobody waits for the call any more. One that runs keeps its place until it comes back.
    pub fn withdraw(&mut self, id: CallId) {
        self.waiting.remove(&id);
    }

    /// The next call that gets a place, and how long it may take.
    pub fn start(&mut self, now: Moment) -> Option<(CallId, Duration)> {
        let full = self.running.values().filter(|call| call.full).count();
        let full_free = full < FULL_PLACES;
        let quick_free = self.running.len() - full < QUICK_PLACES;
        let is_silent = |subject: &CallSubject| self.silent.contains(subject);
        let id = {
            let mut fresh = self.waiting.iter().filter(|(_, other)| !is_silent(other));
            let mut silent = self.waiting.iter().filter(|(_, other)| is_silent(other));
            let found = match (full_free, quick_free) {
                (true, _) => fresh.next().or_else(|| silent.next()),
                (false, true) => fresh.next(),
                (false, false) => None,
            };
            *found?.0
        };
        let subject = self.waiting.remove(&id)?;
        let limit = match subject.address {
            None => ADDRESSES_LIMIT,
            Some(_) if full_free => FULL_LIMIT,
            Some(_) => QUICK_LIMIT,
        };
        let running = RunningCall {
            subject,
            since: now,
            limit,
            full: full_free,
            hangs: false,
        };
        self.running.insert(id, running);
        Some((id, limit))
    }

    /// A call has come back. True when it was the last one of those that hung.
    pub fn ended(&mut self, id: CallId, outcome: CallOutcome, now: Moment) -> bool {
        let Some(call) = self.running.remove(&id) else {
            return false;
        };
        // A transport may take a part of its time for its last word.
        let silent = outcome == CallOutcome::Failed && now.since(call.since) >= call.limit / 2;
        if !silent {
            self.silent.remove(&call.subject);
        } else {
            if self.silent.len() >= MAX_SILENT {
                self.silent.clear();
            }
            self.silent.insert(call.subject);
        }
        call.hangs && self.hanging() == 0
    }

    /// Looks whether a call hangs.
    pub fn look(&mut self, id: CallId, now: Moment) -> Look {
        let none_hung = self.hanging() == 0;
        match self.running.get_mut(&id) {
            Some(call) if now.since(call.since) >= call.limit + GRACE => {
                call.hangs = true;
                if none_hung {
                    Look::HangsFirst
                } else {
                    Look::Hangs
                }
            }
            _ => Look::Well,
        }
    }

    /// The peer is there, as a link with it shows: it counts as silent no longer.
    pub fn heard_of(&mut self, node: &str) {
        self.silent.retain(|subject| subject.node != node);
    }

    /// Why a way to a peer would not be tried now: a call about it that hangs, or too many others.
    pub fn barred_way(&self, transport: &str, node: &str) -> Option<Barred> {
        let mut hanging = self.running.values().filter(|call| call.hangs);
        let about = |call: &&RunningCall| {
            let CallSubject {
                transport: its,
                node: of,
                ..
            } = &call.subject;
            its == transport && of == node
        };
        match hanging.find(about) {
            Some(call) => Some(Barred::Same(call.subject.clone())),
            None => self.too_many_hang(),
        }
    }

    fn too_many_hang(&self) -> Option<Barred> {
        let hanging = self.hanging();
        (hanging >= MAX_HANGING).then_some(Barred::Many(hanging))
    }

    /// How many calls hang.
    pub fn hanging(&self) -> usize {
        self.running.values().filter(|call| call.hangs).count()
    }

    /// The call that has hung for longest, and since when it runs.
    pub fn longest_hanging(&self) -> Option<(&CallSubject, Moment)> {
        let hanging = self.running.values().filter(|call| call.hangs);
        hanging
            .map(|call| (&call.subject, call.since))
            .min_by_key(|(_, since)| *since)
    }
}

/// What becomes of a call whose time should be up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The call has come back, or still has time.
    Well,
    /// The call hangs, as others do.
    Hangs,
    /// The call hangs, and is the only one.
    HangsFirst,
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::ZERO;

    fn connect(node: &str) -> CallSubject {
        CallSubject {
            transport: "tcp".into(),
            node: node.into(),
            address: Some(format!("{node}:1")),
        }
    }

    fn off(number: usize) -> CallSubject {
        connect(&format!("off{number}"))
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// A transport whose peers are silent, but for `alive`, on a simulated clock.
    struct SilentPeers {
        places: Places,
        now: Moment,
        running: Vec<(Moment, CallId, bool)>,
        subjects: std::collections::HashMap<CallId, CallSubject>,
        alive: HashSet<CallSubject>,
        /// When each call of a live one was answered, after the start.
        answered: Vec<(CallSubject, Duration)>,
        most: usize,
    }

    impl SilentPeers {
        fn new() -> Self {
            Self {
                places: Places::default(),
                now: START,
                running: Vec::new(),
                subjects: std::collections::HashMap::new(),
                alive: HashSet::new(),
                answered: Vec::new(),
                most: 0,
            }
        }

        fn ask(&mut self, subject: CallSubject) {
            let id = self.places.ask(subject.clone()).unwrap();
            self.subjects.insert(id, subject);
            self.start();
        }

        fn start(&mut self) {
            while let Some((id, limit)) = self.places.start(self.now) {
                let alive = self.alive.contains(&self.subjects[&id]);
                let takes = if alive { seconds(0.01) } else { limit };
                self.running.push((self.now + takes, id, alive));
                self.most = self.most.max(self.running.len());
            }
        }

        /// Lets `time` pass; silent ones ask again as soon as they have failed.
        fn pass(&mut self, time: Duration) {
            let end = self.now + time;
            while let Some(place) = (0..self.running.len()).min_by_key(|&at| self.running[at].0) {
                if self.running[place].0 > end {
                    break;
                }
                let (at, id, alive) = self.running.swap_remove(place);
                self.now = at;
                let outcome = if alive {
                    CallOutcome::Done
                } else {
                    CallOutcome::Failed
                };
                self.places.ended(id, outcome, at);
                let subject = self.subjects.remove(&id).unwrap();
                if alive {
                    self.answered.push((subject, at.since(START)));
                    self.start();
                } else {
                    self.ask(subject);
                }
            }
            self.now = end;
        }
    }

    #[test]
    fn one_that_runs_is_dialled_at_once_whoever_else_is_silent() {
        for (silent, within) in [(40, 0.1), (200, 0.1), (300, 1.1), (800, 6.1)] {
            let mut network = SilentPeers::new();
            (0..silent).for_each(|number| network.ask(off(number)));
            network.alive.insert(connect("zz"));
            network.ask(connect("zz"));
            network.pass(seconds(120.0));
            let (_, after) = network.answered[0];
            assert!(after <= seconds(within), "{silent} silent: {after:?}");
            assert!(network.most <= FULL_PLACES + QUICK_PLACES);
        }
    }

    #[test]
    fn one_that_is_new_or_answered_before_waits_for_no_silent_one() {
        let mut network = SilentPeers::new();
        (0..500).for_each(|number| network.ask(off(number)));
        network.pass(seconds(100.0));
        network.alive.insert(connect("zz"));
        network.ask(connect("zz"));
        network.pass(seconds(0.1));
        assert_eq!(network.answered.len(), 1, "all places were held");
        network.ask(connect("zz"));
        network.pass(seconds(0.1));
        assert_eq!(network.answered.len(), 2);
    }

    #[test]
    fn silent_ones_take_turns_and_each_gets_its_full_time() {
        let mut network = SilentPeers::new();
        (0..200).for_each(|number| network.ask(off(number)));
        network.pass(seconds(100.0));
        // Each of them is back now. The full places come round in less than two times their limit.
        network.alive = (0..200).map(off).collect();
        network.pass(FULL_LIMIT * 2);
        let answered: HashSet<_> = network.answered.iter().map(|(off, _)| off).collect();
        assert_eq!(answered.len(), 200);
    }

    #[test]
    fn a_peer_that_a_link_was_made_with_counts_as_silent_no_longer() {
        let mut places = Places::default();
        let id = places.ask(connect("b")).unwrap();
        places.start(START);
        places.ended(id, CallOutcome::Failed, START + FULL_LIMIT);
        let silent = places.ask(connect("b")).unwrap();
        let fresh = places.ask(connect("c")).unwrap();
        assert_eq!(places.start(START), Some((fresh, FULL_LIMIT)));
        places.heard_of("b");
        places.ask(connect("d")).unwrap();
        assert_eq!(places.start(START), Some((silent, FULL_LIMIT)));
    }

    #[test]
    fn one_that_refuses_is_not_silent() {
        let mut places = Places::default();
        let id = places.ask(connect("b")).unwrap();
        places.start(START);
        places.ended(id, CallOutcome::Failed, START + seconds(0.1));
        let first = places.ask(connect("b")).unwrap();
        places.ask(connect("c")).unwrap();
        assert_eq!(places.start(START), Some((first, FULL_LIMIT)));
    }

    #[test]
    fn what_hangs_is_not_asked_again_until_it_has_come_back() {
        let mut places = Places::default();
        let id = places.ask(connect("b")).unwrap();
        places.start(START);
        let up = START + FULL_LIMIT;
        assert_eq!(places.look(id, up), Look::Well);
        assert_eq!(places.look(id, up + GRACE), Look::HangsFirst);
        assert_eq!(places.ask(connect("b")), Err(Barred::Same(connect("b"))));
        assert_eq!(places.longest_hanging(), Some((&connect("b"), START)));
        let other = places.ask(connect("c")).unwrap();
        places.withdraw(other);
        assert!(places.ended(id, CallOutcome::Failed, up + GRACE * 9));
        places.ask(connect("b")).unwrap();
    }

    #[test]
    fn nothing_is_asked_of_a_transport_of_which_many_calls_hang() {
        let mut places = Places::default();
        let ids: Vec<_> = (0..MAX_HANGING)
            .map(|number| places.ask(off(number)).unwrap())
            .collect();
        while places.start(START).is_some() {}
        let late = START + FULL_LIMIT + GRACE;
        let looks: Vec<_> = ids.iter().map(|id| places.look(*id, late)).collect();
        assert_eq!(looks[..2], [Look::HangsFirst, Look::Hangs]);
        assert_eq!(places.ask(connect("zz")), Err(Barred::Many(MAX_HANGING)));
        assert!(!places.ended(ids[0], CallOutcome::Done, late));
        places.ask(connect("zz")).unwrap();
    }

    #[test]
    fn addresses_that_are_new_each_time_fill_no_memory() {
        let mut places = Places::default();
        for number in 0..3 * MAX_SILENT {
            let id = places.ask(off(number)).unwrap();
            places.start(START);
            places.ended(id, CallOutcome::Failed, START + FULL_LIMIT);
        }
        assert!(places.silent.len() <= MAX_SILENT);
    }
}

//! What this node knows of each of the others on the bus: only of those of which anything came.

use std::collections::HashMap;
use std::time::Duration;

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;

use crate::incoming::SourceId;
use crate::refusal::Refusal;
use crate::sender_key::Epoch;
use crate::session::SessionId;
use crate::subject::Nonce;

/// How many asks of one node are worked off in a second.
const ASKS_PER_SECOND: f64 = 20.0;

/// How many of one node are worked off at once.
const ASKS_AT_ONCE: f64 = 60.0;

/// How long after another try a key is asked for again, by how often that came to nothing. A node asks another one
/// for its key no more than twice a minute on the whole.
pub(super) const PULL_AGAIN: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// How long is waited by chance at most before a key is asked for, so that not all that hear a node for the
/// first time ask at once.
pub(super) const PULL_JITTER: Duration = Duration::from_millis(100);

/// How many keys of one node are asked for in a second, by all nodes together, before anything came of it: a quarter of what
/// it works off.
pub(super) const AHEAD_PER_SECOND: f64 = 1000.0;

/// How long that is spread over at least.
pub(super) const AHEAD_AT_LEAST: Duration = Duration::from_secs(1);

/// How often a key is asked for before anything came. Whoever begins to send says so.
pub(super) const AHEAD_TRIES: usize = 3;

/// Another node.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Where its lanes are, once its key was here.
    pub(super) source: Option<SourceId>,
    /// The session that `source` has heard last.
    pub(super) session: Option<SessionId>,
    /// Since when its present session is heard.
    pub(super) heard_since: Option<Moment>,
    /// A key that is asked for.
    pub(super) pull: Option<Pull>,
    /// The time of its session is asked for.
    pub(super) syncing: Option<Moment>,
    /// When it got this node's key last.
    pub(super) reads: Option<Moment>,
    /// Which session of it got the key of which epoch last.
    pub(super) given: Option<(SessionId, Epoch)>,
    pub(super) round_trip: Option<Duration>,
    /// Why it is not heard, or does not read.
    pub(super) why_not: Option<String>,
    /// Why something that claimed to be of it was refused last, since it was heard.
    pub(super) refused: Option<Refusal>,
    /// When somebody with a key that the file does not have for it said last to be it.
    pub(super) foreign_key: Option<Moment>,
    /// When the engine has said that it is not connected, if it has not answered since.
    pub(super) absent: Option<Moment>,
    /// Its file is another one, and that was told.
    pub(super) other_file: bool,
    /// It has answered this session, so it knows it.
    pub(super) knows_us: bool,
    /// A session whose key could not be had, and until when it is not asked for again.
    pub(super) refuse_until: Option<(SessionId, Moment)>,
    /// What it may ask, once it is proven that it does.
    pub(super) asks: Allowance,
    /// What is looked at that claims to be of a session of it that is not known.
    pub(super) strangers: Allowance,
    /// How often it may be asked for a key.
    pub(super) pulls: PullAllowance,
}

/// How often a node may be asked for a key: twice a minute on the whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct PullAllowance(Allowance);

impl Default for PullAllowance {
    fn default() -> Self {
        Self(Allowance::new(4.0, 2.0 / 60.0))
    }
}

impl PullAllowance {
    pub(super) fn take(&mut self, now: Moment) -> bool {
        self.0.take(now)
    }
}

/// A key that is being asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pull {
    pub(super) session: SessionId,
    pub(super) epoch: Epoch,
    /// When it is asked for, again or for the first time.
    pub(super) due: Moment,
    /// How often it was.
    pub(super) tries: usize,
    /// Nothing waits for it: it is asked for ahead of need.
    pub(super) is_ahead: bool,
    /// The ask that waits for an answer.
    pub(super) nonce: Option<Nonce>,
}

impl Pull {
    /// Its tries are counted anew: an ask that is under way is the first one, and the next one is made at `due`, or
    /// earlier where that was meant to be.
    pub(super) fn begin_anew(&mut self, due: Moment) {
        self.tries = usize::from(self.nonce.is_some());
        self.due = self.due.min(due);
    }
}

/// So many at once, and so many a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    left: f64,
    since: Moment,
    most: f64,
    per_second: f64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new(ASKS_AT_ONCE, ASKS_PER_SECOND)
    }
}

impl Allowance {
    pub(super) fn new(most: f64, per_second: f64) -> Self {
        Self {
            left: most,
            since: Moment::ZERO,
            most,
            per_second,
        }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Moment) -> bool {
        self.left = self.left_at(now);
        self.since = now;
        let has = self.left >= 1.0;
        if has {
            self.left -= 1.0;
        }
        has
    }

    /// Whether there is one.
    pub(super) fn has(&self, now: Moment) -> bool {
        self.left_at(now) >= 1.0
    }

    /// When there is one.
    pub(super) fn due(&self) -> Moment {
        let lacks = (1.0 - self.left).max(0.0);
        // Rounded up: what is due then has to be there.
        self.since + Duration::from_secs_f64(lacks / self.per_second) + Duration::from_micros(1)
    }

    fn left_at(&self, now: Moment) -> f64 {
        let grown = now.since(self.since).as_secs_f64() * self.per_second;
        (self.left + grown).min(self.most)
    }
}

/// All nodes of which anything came. Each is a node of the file, so they are bounded as that is.
pub(super) type Nodes = HashMap<NodeName, Node>;

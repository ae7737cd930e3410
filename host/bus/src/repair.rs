//! What is missing, and asking for it.
//!
//! ```text
//!            hole              wait, jittered                      nothing came, five times
//!   whole ─────────▶ waiting ──────────────────▶ asked ───────────────────────────────────────▶ missed
//!     ▲                 │                         │ ▲ │
//!     └─────────────────┴── what was missing came ┘ └─┘ not all of it: asked again
//! ```
//!
//! A lane has one repair at a time. An *open* one asks for everything behind a number: a node that was cut off does
//! so with each lane that it knew, and delivers on in the meantime.

use std::time::Duration;

use kozo_ground::clock::Moment;

/// How long what is missing may still come by itself, since the engine does not keep the order of all lanes.
pub(crate) const WAIT: Duration = Duration::from_millis(20);

/// By how much more the wait is drawn by chance: what many have lost is not asked for by all at once.
pub(crate) const JITTER: Duration = Duration::from_millis(250);

/// By how much the first ask is put off by chance after this node was cut off: then it asks for every lane.
pub(crate) const JITTER_AFTER_CUT: Duration = Duration::from_secs(2);

/// How long an answer may take, the first time that is asked and each further time: six seconds in all.
pub(crate) const TRY_FOR: [Duration; 5] = [
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1200),
    Duration::from_millis(1600),
    Duration::from_millis(2000),
];

/// How many repairs are under way at once, at most.
pub(crate) const MAX_REPAIRS: usize = 512;

/// How many of them with one node.
pub(crate) const MAX_REPAIRS_OF_A_NODE: u16 = 32;

/// A repair of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repair {
    /// When it is asked for, or given up.
    pub(crate) due: Moment,
    /// How often was asked without anything new.
    pub(crate) tries: u8,
    /// Whether everything behind a number is asked for, and not a hole.
    pub(crate) is_open: bool,
    /// From and up to which number was asked for, as long as an answer is waited for.
    pub(crate) asked: Option<(u64, u64)>,
}

impl Repair {
    /// One that is asked for at this moment, if it is still necessary.
    pub(crate) fn new(due: Moment, is_open: bool) -> Self {
        Self {
            due,
            tries: 0,
            is_open,
            asked: None,
        }
    }
}

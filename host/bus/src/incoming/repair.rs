//! What is missing, and asking for it.
//!
//! ```text
//!            hole              wait, jittered             the sender is silent, or nothing comes for long
//!   whole ─────────▶ waiting ──────────────────▶ asked ───────────────────────────────────────────────────▶ missed
//!     ▲                 │                         │ ▲ │
//!     └─────────────────┴── what was missing came ┘ └─┘ answered, and there is more: the next range
//! ```
//!
//! A lane has one repair at a time, and an answer has a limit: so who is behind asks for the next range when it has
//! worked off the last one, at its own pace, and no sender floods it. As long as the sender answers, nothing is given
//! up: being slow costs time alone.
//!
//! An *open* repair asks for everything behind a number: a node that was cut off does so with each lane that it knew,
//! and delivers on in the meantime; so does one that had to put off what came of a lane.

use std::time::Duration;

use kozo_ground::clock::Moment;

/// How long what is missing may still come by itself, since the engine does not keep the order of all lanes.
pub(super) const WAIT: Duration = Duration::from_millis(20);

/// By how much more the wait is drawn by chance: what many have lost is not asked for by all at once.
pub(super) const JITTER: Duration = Duration::from_millis(250);

/// By how much the first ask is put off by chance after this node was cut off: then it asks for every lane.
pub(super) const JITTER_AFTER_CUT: Duration = Duration::from_secs(2);

/// How long an answer may take, the first time that is asked and each further time: six seconds in all.
pub(super) const TRY_FOR: [Duration; 5] = [
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1200),
    Duration::from_millis(1600),
    Duration::from_millis(2000),
];

/// How many times as long as its answers have taken of late a node gets for the next one, if that is longer.
pub(super) const TIMES_AS_LONG: u32 = 3;

/// How long a node gets at most, however long its answers take.
pub(super) const MAX_TRY_FOR: Duration = Duration::from_secs(10);

/// For how long nothing at all may come of a node that does not answer, before what is missing is given up: as long as
/// all tries take.
pub(super) const SILENT_FOR: Duration = Duration::from_secs(6);

/// How long a lane may be asked for without any progress, whatever its sender answers: it cannot send what it says
/// to have, or this node cannot read it.
pub(super) const IN_VAIN_FOR: Duration = Duration::from_secs(60);

/// How often it was asked for by then at least: time alone may pass while this machine does nothing.
pub(super) const IN_VAIN_ASKS: u16 = 12;

/// How long is waited after an answer that brought nothing, as many times as often as that happened in a row.
pub(super) const WAIT_IN_VAIN: Duration = Duration::from_millis(100);

/// How many messages a node is asked for at once, at most and at least. It becomes fewer where not all comes that was
/// sent, since this node has no room for it, and more again where all does.
pub(super) const MAX_WINDOW: u64 = 1024;
pub(super) const MIN_WINDOW: u64 = 16;

/// How many repairs are under way at once, at most.
pub(super) const MAX_REPAIRS: usize = 512;

/// How many of them with one node.
pub(super) const MAX_REPAIRS_OF_A_NODE: u16 = 32;

/// A repair of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repair {
    /// When it is asked for, or looked at again.
    pub(crate) due: Moment,
    /// How often was asked without an answer.
    pub(crate) tries: u8,
    /// How often was asked without any progress, answered or not.
    pub(crate) in_vain: u16,
    /// Whether everything behind a number is asked for, and not a hole.
    pub(crate) is_open: bool,
    /// From and up to which number was asked for, as long as an answer is waited for.
    pub(crate) asked: Option<(u64, u64)>,
    /// How long that answer may take.
    pub(crate) try_for: Duration,
    /// When the lane was asked for first, or got on last.
    pub(crate) progress: Option<Moment>,
}

impl Repair {
    /// One that is asked for at this moment, if it is still necessary.
    pub(crate) fn new(due: Moment, is_open: bool) -> Self {
        Self {
            due,
            tries: 0,
            in_vain: 0,
            is_open,
            asked: None,
            try_for: TRY_FOR[0],
            progress: None,
        }
    }

    /// Until when an answer is waited for, since some of it may have come.
    pub(crate) fn waits_until(&self) -> Moment {
        match self.progress {
            Some(progress) if self.asked.is_some() => self.due.max(progress + self.try_for),
            _ => self.due,
        }
    }

    /// What was missing has come, in part at least.
    pub(crate) fn got_on(&mut self, now: Moment) {
        self.tries = 0;
        self.in_vain = 0;
        self.progress = Some(now);
    }

    /// Whether it is to be given up at this moment; `heard` is when anything of the sender came last.
    pub(crate) fn is_hopeless(&self, heard: Moment, now: Moment) -> bool {
        let is_silent = usize::from(self.tries) >= TRY_FOR.len() && now.since(heard) >= SILENT_FOR;
        let stands = |since| now.since(since) >= IN_VAIN_FOR;
        is_silent || (self.in_vain >= IN_VAIN_ASKS && self.progress.is_some_and(stands))
    }
}

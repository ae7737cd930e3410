//! One tap, as those see it who pass messages: what it keeps, and what it leaves out.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kozo_ground::interest::Interest;
use kozo_ground::lock::LockAnyway;
use kozo_wire::MESSAGE_OVERHEAD;

use super::passed::Passed;
use super::wanted::{Kinds, Wanted};
use super::{Batch, PassesBy, Passing, TAP_BYTES, TAP_MESSAGES};

/// A tap, shared between those who pass messages and the one who watches.
pub(super) struct Shared {
    wanted: Wanted,
    wake: Box<dyn Fn() + Send + Sync>,
    /// Nothing more is kept before something is taken. It changes together with what is kept.
    full: AtomicBool,
    /// How many passed that it is for, kept or not, where more than their kinds decides that: else the set
    /// of taps counts them.
    fitting: AtomicU64,
    kept: Mutex<Kept>,
}

struct Kept {
    messages: VecDeque<Passing>,
    bytes: usize,
    /// How many of those that passed are accounted for: before there was this tap, kept, or told as left out.
    accounted: u64,
}

impl Shared {
    pub(super) fn new(
        interests: Vec<Interest>,
        wake: impl Fn() + Send + Sync + 'static,
        passed: &Passed,
    ) -> Self {
        let wanted = Wanted::new(interests);
        let accounted = match wanted.is_by_kind_alone() {
            true => passed.of(wanted.kinds()),
            false => 0,
        };
        Self {
            wanted,
            wake: Box::new(wake),
            full: AtomicBool::new(false),
            fitting: AtomicU64::new(0),
            kept: Mutex::new(Kept {
                messages: VecDeque::new(),
                bytes: 0,
                accounted,
            }),
        }
    }

    /// The kinds of messages that have to be shown to it now.
    pub(super) fn looks_at(&self) -> Kinds {
        let only_counts = self.wanted.is_by_kind_alone() && self.full.load(Ordering::Relaxed);
        match only_counts {
            true => Kinds::default(),
            false => self.wanted.kinds(),
        }
    }

    /// Shows it a message. True: it has become full with it.
    pub(super) fn show(&self, message: &impl PassesBy) -> bool {
        if !self.wanted.matches(message.kind(), || message.subject()) {
            return false;
        }
        let is_full = self.full.load(Ordering::Relaxed);
        let has_filled = !is_full && self.keep(message.passing());
        if !self.wanted.is_by_kind_alone() {
            self.fitting.fetch_add(1, Ordering::Release);
        }
        has_filled
    }

    /// Keeps a message if there is room. True: there is no room any more.
    fn keep(&self, passing: Passing) -> bool {
        let cost = cost(&passing);
        if cost > TAP_BYTES {
            // It could never be kept, and fills nothing.
            return false;
        }
        let mut kept = self.kept.lock_anyway();
        if kept.messages.len() >= TAP_MESSAGES || kept.bytes + cost > TAP_BYTES {
            return !self.full.swap(true, Ordering::Relaxed);
        }
        kept.bytes += cost;
        kept.accounted += 1;
        kept.messages.push_back(passing);
        let is_first = kept.messages.len() == 1;
        let has_filled = kept.messages.len() == TAP_MESSAGES;
        if has_filled {
            self.full.store(true, Ordering::Relaxed);
        }
        drop(kept);
        if is_first {
            (self.wake)();
        }
        has_filled
    }

    /// Takes so many messages at most, and says whether there is room now where there was none.
    pub(super) fn take(&self, most: usize, passed: &Passed) -> (Batch, bool) {
        let mut kept = self.kept.lock_anyway();
        let count = kept.messages.len().min(most);
        let messages: Vec<Passing> = kept.messages.drain(..count).collect();
        kept.bytes -= messages.iter().map(cost).sum::<usize>();
        if kept.messages.is_empty() {
            kept.messages.shrink_to(0);
        }
        let passed = match self.wanted.is_by_kind_alone() {
            true => passed.of(self.wanted.kinds()),
            false => self.fitting.load(Ordering::Acquire),
        };
        // What was kept is counted a moment later.
        let left_out = passed.saturating_sub(kept.accounted);
        kept.accounted += left_out;
        let has_room = !messages.is_empty() && self.full.swap(false, Ordering::Relaxed);
        (Batch { messages, left_out }, has_room)
    }
}

/// How many bytes a message counts.
fn cost(passing: &Passing) -> usize {
    passing.message.body().len() + MESSAGE_OVERHEAD
}

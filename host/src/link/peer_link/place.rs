//! Who writes on a link: its writer, or a thread that has something to send.
//!
//! Waking the links' thread takes longer than all that it then does for one message, and costs the processor as
//! much as dozens of them. So it is done as seldom as can be:
//!
//! - What comes alone is written by the thread that sends it.
//! - Where messages come so fast that the writer is hardly asleep before it is woken again, it rests: it looks by
//!   itself what there is, each time a short while later, and nobody wakes it. Who fills a write, or the queue,
//!   meanwhile writes it.
//!
//! ```text
//!             nothing left to write          a message: the writer is woken,
//!   taken ────────────────────────▶ waiting ─or its sender takes the place──▶ taken
//!     │                                ▲
//!     │ the same, where messages come  │ nothing was written in a whole rest
//!     └────────────────────────────▶ resting ──the rest is over, or a write is full──▶ taken
//! ```

use std::time::Duration;

use kozo_ground::clock::Moment;

/// How long there must have been nothing to write on a link for a message to be alone: more than a write of one takes.
pub(super) const ALONE: Duration = Duration::from_micros(50);

/// How long a writer rests: what a message that comes fast is late at most.
pub(in crate::link) const REST: Duration = Duration::from_micros(100);

/// How often in a row a writer is woken within [`ALONE`] before it rests.
const QUICK_WAKES: u8 = 8;

/// The place of the one who writes on a link.
#[derive(Debug, Clone, Copy)]
pub(super) struct WritersPlace {
    holder: Holder,
    /// When something was written last.
    written: Moment,
    /// How often in a row the writer was woken soon after it had nothing to write.
    quick_wakes: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// Somebody writes, or the writer was woken for it.
    Taken,
    /// Nobody, since then: the writer has to be woken.
    Waiting(Moment),
    /// Nobody; the writer looks by itself before long.
    Resting,
}

impl WritersPlace {
    /// The place of a writer that begins to work.
    pub(super) fn new() -> Self {
        Self {
            holder: Holder::Taken,
            written: Moment::ZERO,
            quick_wakes: 0,
        }
    }

    /// Whether nobody has it.
    pub(super) fn is_free(&self) -> bool {
        self.holder != Holder::Taken
    }

    /// Whether the writer looks by itself before long.
    pub(super) fn is_resting(&self) -> bool {
        self.holder == Holder::Resting
    }

    /// Whether the writer does so as soon as nobody has it.
    pub(super) fn is_to_rest(&self) -> bool {
        self.quick_wakes >= QUICK_WAKES
    }

    /// Whether nobody has it, and what is sent now comes alone.
    pub(super) fn is_alone(&self, now: Moment) -> bool {
        match self.holder {
            Holder::Taken => false,
            Holder::Waiting(since) => now.since(since) >= ALONE,
            Holder::Resting => now.since(self.written) >= ALONE,
        }
    }

    /// Somebody takes it, to write.
    pub(super) fn take(&mut self) {
        self.holder = Holder::Taken;
    }

    /// The writer is woken for a message.
    pub(super) fn wake(&mut self, now: Moment) {
        if let Holder::Waiting(since) = self.holder {
            self.quick_wakes = match now.since(since) < ALONE {
                true => self.quick_wakes.saturating_add(1),
                false => 0,
            };
        }
        self.holder = Holder::Taken;
    }

    /// Something was written just now.
    pub(super) fn wrote(&mut self, now: Moment) {
        self.written = now;
    }

    /// Who has it has nothing more to write; `can_rest`: the writer is able to.
    pub(super) fn leave(&mut self, now: Moment) {
        let is_fast = self.is_to_rest() && now.since(self.written) < REST;
        self.holder = if is_fast {
            Holder::Resting
        } else {
            self.quick_wakes = 0;
            Holder::Waiting(now)
        };
    }
}

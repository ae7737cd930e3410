//! What all threads of a role have of its program.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kozo_abi::RoleHost;
use kozo_child::Interrupt;

use crate::complaints::Complaints;
use crate::outbox::{Flushed, MAX_PENDING, Outbox};
use crate::rate::Rate;
use crate::said::Id;
use crate::told::{Outcome, answer};

/// How long an answer waits at a time for a program that does not read.
const STEP: Duration = Duration::from_secs(1);

/// What all threads of a role have of its program.
pub(crate) struct Shared {
    pub(crate) host: RoleHost,
    pub(crate) outbox: Outbox,
    /// Raised when what the program writes comes to its end, and shall be read without pauses.
    pub(crate) hurry: Interrupt,
    /// Raised when the program is gone, and nobody is to wait for anything any more.
    pub(crate) over: Interrupt,
    pub(crate) max_line: usize,
    /// How many questions are under way.
    pub(crate) questions: AtomicUsize,
    pub(crate) rate: Mutex<Rate>,
    pub(crate) complaints: Mutex<Complaints>,
    /// How many messages were thrown away, since the program had closed its input, or ended.
    pub(crate) unheard: AtomicU64,
    /// The last line of its error output.
    pub(crate) last_words: Mutex<String>,
}

impl Shared {
    /// Waits until the next line of the program may be taken; false when the program is gone.
    pub(crate) fn pace(&self) -> bool {
        let wait = lock(&self.rate).wait(Instant::now());
        if !wait.is_zero() {
            self.hurry.sleep(wait);
        }
        !self.over.is_raised()
    }

    /// Tells what the program does wrong, unless it does so too often.
    pub(crate) fn complain(&self, text: &str) {
        let admitted = lock(&self.complaints).admit(Instant::now());
        match admitted {
            None => {}
            Some(0) => self.host.warn(text),
            Some(more) => self
                .host
                .warn(&format!("{text} ({more} more like this before)")),
        }
    }

    /// Tells how much was not told.
    pub(crate) fn settle(&self) {
        let rest = lock(&self.complaints).rest();
        if rest > 0 {
            let text = format!("the program has caused {rest} more warnings, which were left out");
            self.host.warn(&text);
        }
        let unheard = self.unheard.load(Ordering::Relaxed);
        if unheard > 0 {
            let text = format!(
                "{unheard} messages were for a program that had closed its standard input, or ended"
            );
            self.host.warn(&text);
        }
    }

    /// Answers a line of the program; without an id, only what went wrong is told, in the log.
    pub(crate) fn answer(&self, id: Option<&Id>, outcome: Result<Outcome, String>) {
        match (id, outcome) {
            (Some(id), outcome) => {
                self.outbox.push(&answer(id, &outcome));
                // A program that writes and does not read has to wait for itself.
                while self.outbox.pending() > MAX_PENDING
                    && self.outbox.flush(STEP) == Flushed::Some
                    && !self.over.is_raised()
                {}
            }
            (None, Err(reason)) => self.complain(&reason),
            (None, Ok(_)) => {}
        }
    }
}

/// What is behind a lock, also when somebody panicked who had it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What waits to be read by the program: lines of several threads, none of them torn.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use kozo_child::Writer;

use crate::shared::lock;

/// How much may wait before answers have to wait, in bytes.
pub(crate) const MAX_PENDING: usize = 256 * 1024;

/// How long somebody waits at a time: while he does, the pipe stays open.
const STEP: Duration = Duration::from_millis(100);

/// The program's standard input.
#[derive(Debug)]
pub(crate) struct Outbox(Mutex<Option<Writer>>);

/// What became of what waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// The program, or its pipe, has all of it.
    All,
    /// Some of it still waits: the program does not read.
    Some,
    /// Nobody reads any more, and nobody ever will.
    Closed,
}

impl Outbox {
    pub(crate) fn new(writer: Writer) -> Self {
        Self(Mutex::new(Some(writer)))
    }

    /// Adds whole lines.
    pub(crate) fn push(&self, lines: &[u8]) {
        if let Some(writer) = &mut *self.lock() {
            writer.buffer().extend_from_slice(lines);
        }
    }

    /// How many bytes wait.
    pub(crate) fn pending(&self) -> usize {
        self.lock().as_ref().map_or(0, Writer::pending)
    }

    /// Writes what waits; waits for the program to read, for `limit` at most.
    pub(crate) fn flush(&self, limit: Duration) -> Flushed {
        let mut until = None;
        loop {
            let room = {
                let mut writer = self.lock();
                let Some(open) = &mut *writer else {
                    return Flushed::Closed;
                };
                // In the past: nobody waits while he keeps others from this.
                match open.flush(Some(Instant::now())) {
                    Ok(true) => return Flushed::All,
                    Ok(false) => open.room(),
                    Err(_) => {
                        *writer = None;
                        return Flushed::Closed;
                    }
                }
            };
            let now = Instant::now();
            let until = *until.get_or_insert(now + limit);
            if now >= until {
                return Flushed::Some;
            }
            let waited = room.wait(Some(until.min(now + STEP)));
            if room.is_interrupted() || waited.is_err() {
                return Flushed::Some;
            }
        }
    }

    /// Closes it: the program sees the end of its input.
    pub(crate) fn close(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Writer>> {
        lock(&self.0)
    }
}

//! Lines on their way to the standard error output.
//!
//! ```text
//!  any thread ──line──▶ limiter ──▶ queue ──▶ the log's own thread ──▶ standard error output
//! ```
//!
//! The other end may stop reading: a terminal in which Ctrl-S was pressed, a collector that hangs.
//! Only the log's own thread waits for it then. What finds no room in the queue is dropped, and so
//! is all that follows until the queue is empty: so there is one gap, and it is said where it is.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use kozo_ground::clock;
use kozo_ground::lock::LockAnyway;
use kozo_ground::text::grouped;
use kozo_status::LogLosses;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tracing::Level;

use super::limit::{Cause, Limiter};
use super::line::{Fields, Line};
use super::style::Style;
use super::timestamp::utc;

/// How many lines may wait to be written.
const MAX_LINES: usize = 4096;

/// How many bytes they may have together.
const MAX_BYTES: usize = 1024 * 1024;

/// How many lines more there may be when these are errors: a flood of others must not hide what a
/// thread said when it panicked.
const MORE_ERRORS: usize = 64;

/// How many bytes those may have.
const MORE_ERROR_BYTES: usize = 64 * 1024;

/// What a line counts beside its texts, in bytes: for what holds it.
const LINE_OVERHEAD: usize = 128;

/// The part that lines about the log itself are of.
const TARGET: &str = "log";

/// The lines of a process.
#[derive(Debug)]
pub(super) struct Spool {
    style: Style,
    state: Mutex<State>,
    /// There is something to write, or a time at which there will be.
    wanted: Condvar,
    /// Something was written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    limiter: Limiter,
    queue: Queue,
    /// Whether somebody has waited in vain for the writer, which has not caught up since.
    stalled: bool,
}

impl Spool {
    pub(super) fn new(style: Style) -> Self {
        Self {
            style,
            state: Mutex::default(),
            wanted: Condvar::new(),
            written: Condvar::new(),
        }
    }

    /// Puts a line into the queue. Those with a cause are limited in their number.
    pub(super) fn line(&self, line: Line, cause: Option<Cause>) {
        let now = clock::now();
        let mut state = self.lock();
        let before = (state.queue.accepted, state.limiter.deadline());
        state.take_due(now);
        let admitted = match cause {
            Some(cause) => state.limiter.admit(cause, line, now),
            None => Some(line),
        };
        if let Some(line) = admitted {
            state.queue.push(SpoolEntry::Line(line));
        }
        if before != (state.queue.accepted, state.limiter.deadline()) {
            self.wanted.notify_one();
        }
    }

    /// Puts a text into the queue that is printed as it is.
    pub(super) fn text(&self, text: String) {
        self.lock().queue.push(SpoolEntry::Text(text));
        self.wanted.notify_one();
    }

    /// Waits until all is written that has come so far, so long at most.
    pub(super) fn settle(&self, limit: Duration) {
        let state = self.lock();
        self.wait(state, limit);
    }

    /// Waits as [`settle`](Self::settle) does, but not when the last one who did so waited in vain.
    pub(super) fn settle_unless_stalled(&self, limit: Duration) {
        let state = self.lock();
        if !state.stalled {
            self.wait(state, limit);
        }
    }

    /// Waits as [`settle`](Self::settle) does, and has what is held back written, too.
    pub(super) fn flush(&self, limit: Duration) {
        let mut state = self.lock();
        for line in state.limiter.release(clock::now()) {
            state.queue.push(SpoolEntry::Line(line));
        }
        self.wanted.notify_one();
        self.wait(state, limit);
    }

    pub(super) fn losses(&self) -> LogLosses {
        let state = self.lock();
        LogLosses {
            dropped: state.queue.dropped,
            summed_up: state.limiter.held_back(),
        }
    }

    /// Writes for ever: the work of the log's own thread.
    pub(super) fn write(&self) -> ! {
        loop {
            let entry = self.next();
            let result = write_all(entry.rendered(self.style).as_bytes());
            let mut state = self.lock();
            // There is nowhere to say it but in the number.
            state.queue.done(result.is_ok());
            state.stalled &= !state.queue.is_written();
            self.written.notify_all();
        }
    }

    /// Waits for the next thing to write.
    fn next(&self) -> SpoolEntry {
        let mut state = self.lock();
        loop {
            let now = clock::now();
            state.take_due(now);
            if let Some(entry) = state.queue.next() {
                return entry;
            }
            state = match state.limiter.deadline() {
                None => self
                    .wanted
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let wait = self.wanted.wait_timeout(state, deadline.since(now));
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn wait(&self, mut state: MutexGuard<'_, State>, limit: Duration) {
        let deadline = Instant::now() + limit;
        let wanted = state.queue.accepted;
        while state.queue.finished < wanted {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.stalled = true;
                return;
            }
            let wait = self.written.wait_timeout(state, left);
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock_anyway()
    }
}

impl State {
    fn take_due(&mut self, now: clock::Moment) {
        for line in self.limiter.due(now) {
            self.queue.push(SpoolEntry::Line(line));
        }
    }
}

/// Something to write.
#[derive(Debug, PartialEq)]
enum SpoolEntry {
    Line(Line),
    /// What is printed as it is.
    Text(String),
}

impl SpoolEntry {
    fn size(&self) -> usize {
        LINE_OVERHEAD
            + match self {
                Self::Line(line) => line.size(),
                Self::Text(text) => text.len(),
            }
    }

    fn is_urgent(&self) -> bool {
        match self {
            Self::Line(line) => line.level == Level::ERROR.as_str(),
            Self::Text(_) => true,
        }
    }

    fn rendered(self, style: Style) -> String {
        match self {
            Self::Line(line) => line.rendered(style),
            Self::Text(text) => text,
        }
    }
}

/// What waits to be written, within bounds.
#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<SpoolEntry>,
    size: usize,
    /// How many were dropped that no line tells of yet.
    gap: u64,
    /// How many were lost in all.
    dropped: u64,
    /// How many were taken in.
    accepted: u64,
    /// How many of these are written, or could not be.
    finished: u64,
}

impl Queue {
    fn push(&mut self, entry: SpoolEntry) {
        let size = entry.size();
        let (lines, bytes) = match entry.is_urgent() {
            true => (MAX_LINES + MORE_ERRORS, MAX_BYTES + MORE_ERROR_BYTES),
            false => (MAX_LINES, MAX_BYTES),
        };
        let fits = self.entries.len() < lines && self.size + size <= bytes;
        if !fits || (self.gap > 0 && !entry.is_urgent()) {
            self.gap += 1;
            self.dropped += 1;
            return;
        }
        self.put(entry, size);
    }

    fn put(&mut self, entry: SpoolEntry, size: usize) {
        self.entries.push_back(entry);
        self.size += size;
        self.accepted += 1;
    }

    /// The next one. Behind the last one before a gap comes a line that tells of it.
    fn next(&mut self) -> Option<SpoolEntry> {
        if self.entries.is_empty() && self.gap > 0 {
            let entry = SpoolEntry::Line(gap_line(std::mem::take(&mut self.gap)));
            let size = entry.size();
            self.put(entry, size);
        }
        let entry = self.entries.pop_front()?;
        self.size -= entry.size();
        Some(entry)
    }

    /// The one that was taken last is written, or could not be.
    fn done(&mut self, written: bool) {
        self.finished += 1;
        self.dropped += u64::from(!written);
    }

    fn is_written(&self) -> bool {
        self.finished == self.accepted
    }
}

fn gap_line(lines: u64) -> Line {
    let what = match lines {
        1 => "1 line was".to_owned(),
        lines => format!("{} lines were", grouped(lines)),
    };
    Line {
        time: utc(SystemTime::now()),
        level: Level::WARN.to_string(),
        target: TARGET.to_owned(),
        message: format!("{what} dropped, since nobody read the log"),
        fields: Fields::default(),
        more: None,
    }
}

/// Writes all of it, also where whoever shares the output has made it one that does not wait.
fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    let output = rustix::stdio::stderr();
    while !bytes.is_empty() {
        match rustix::io::write(output, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(&output, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> SpoolEntry {
        let mut line = gap_line(1);
        text.clone_into(&mut line.message);
        SpoolEntry::Line(line)
    }

    fn error(text: &str) -> SpoolEntry {
        let SpoolEntry::Line(mut line) = entry(text) else {
            unreachable!("it is a line");
        };
        line.level = Level::ERROR.to_string();
        SpoolEntry::Line(line)
    }

    /// The texts of all that is written until the queue is empty.
    fn drained(queue: &mut Queue) -> Vec<String> {
        let entries = std::iter::from_fn(|| {
            let entry = queue.next()?;
            queue.done(true);
            Some(entry)
        });
        let texts = entries.map(|entry| match entry {
            SpoolEntry::Line(line) => line.message,
            SpoolEntry::Text(text) => text,
        });
        texts.collect()
    }

    #[test]
    fn what_does_not_fit_is_dropped_counted_and_told_of_in_its_place() {
        let mut queue = Queue::default();
        for number in 0..MAX_LINES + 1234 {
            queue.push(entry(&number.to_string()));
        }
        // One that would fit again does not hide the gap.
        assert!(queue.next().is_some());
        queue.done(true);
        queue.push(entry("late"));
        let texts = drained(&mut queue);
        assert_eq!(texts.len(), MAX_LINES);
        assert_eq!(
            texts[MAX_LINES - 1],
            "1,235 lines were dropped, since nobody read the log"
        );
        assert_eq!(queue.dropped, 1235);
        queue.push(entry("on"));
        assert_eq!(drained(&mut queue), ["on"]);
        assert!(queue.is_written());
        assert_eq!(queue.size, 0);
    }

    #[test]
    fn long_lines_are_bounded_by_their_bytes() {
        let mut queue = Queue::default();
        let long = "x".repeat(MAX_BYTES / 4);
        for _ in 0..5 {
            queue.push(entry(&long));
        }
        assert_eq!(queue.entries.len(), 3);
        assert_eq!(queue.dropped, 2);
        // One that never fits is not waited for.
        let mut queue = Queue::default();
        queue.push(entry(&"x".repeat(2 * MAX_BYTES)));
        assert_eq!(
            drained(&mut queue),
            ["1 line was dropped, since nobody read the log"]
        );
    }

    #[test]
    fn errors_have_room_of_their_own() {
        let mut queue = Queue::default();
        for _ in 0..2 * MAX_LINES {
            queue.push(entry("flood"));
        }
        queue.push(error("panicked"));
        assert_eq!(drained(&mut queue)[MAX_LINES], "panicked");
        for _ in 0..2 * MAX_LINES {
            queue.push(error("flood"));
        }
        assert_eq!(queue.entries.len(), MAX_LINES + MORE_ERRORS);
    }

    #[test]
    fn lines_that_cannot_be_written_count_as_dropped_and_do_not_make_more_lines() {
        let mut queue = Queue::default();
        queue.push(entry("lost"));
        queue.next();
        queue.done(false);
        assert_eq!(queue.dropped, 1);
        assert_eq!(queue.next(), None);
    }
}

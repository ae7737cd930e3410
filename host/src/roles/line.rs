//! Lines that roles write to the host's log: made harmless, and not too many.

use std::borrow::Cow;
use std::sync::Mutex;

use kozo_abi::Level;
use kozo_ground::clock::Moment;
use kozo_ground::lock::LockAnyway;
use kozo_ground::names::{ModuleName, RoleName};
use kozo_ground::text::bounded;

use crate::log::{Allowance, BOUNDED, Budget, WINDOW, windows};

/// How many lines a role may write; more are left out and counted. Other roles, peers, and whoever
/// gives a role something to do decide how many there are.
pub(super) const LINES: Budget = Budget {
    at_once: 1000,
    in_window: 100,
};

/// How many bytes these lines may have.
const BYTES: Budget = Budget {
    at_once: 256 * 1024,
    in_window: 16 * 1024,
};

/// The longest text of a line, in bytes; what is over is cut off.
pub(super) const MAX_LINE_LEN: usize = 8 * 1024;

/// The target by which a filter of the log chooses the lines of roles.
const TARGET: &str = "role";

/// The lines of one role, through all its lives.
#[derive(Debug)]
pub(super) struct RoleLog {
    role: RoleName,
    module: ModuleName,
    limit: Mutex<LineLimit>,
}

impl RoleLog {
    pub(super) fn new(role: RoleName, module: ModuleName) -> Self {
        Self {
            role,
            module,
            limit: Mutex::new(LineLimit::default()),
        }
    }

    /// A line of the role's own, unless there were too many.
    pub(super) fn role_line(&self, level: Level, text: &str, now: Moment) {
        if !is_wanted(level) {
            return;
        }
        // The lock is not held while the line is written: that may take its time.
        let text = harmless(text);
        let (admitted, left_out) = self.lock().admit(text.len(), now);
        self.report_left_out(left_out);
        if admitted {
            self.write_of_role(level, &text);
        }
    }

    /// A line of the host's about the role.
    pub(super) fn host_line(&self, level: Level, text: &str) {
        self.write(level, &harmless(text));
    }

    /// Says how many lines were left out, if there were any and their time is over.
    pub(super) fn settle(&self, now: Moment) {
        let left_out = self.lock().settle(now);
        self.report_left_out(left_out);
    }

    /// How many lines were left out in all.
    pub(super) fn lines_left_out(&self) -> u64 {
        self.lock().left_out_in_all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LineLimit> {
        self.limit.lock_anyway()
    }

    fn report_left_out(&self, count: u64) {
        if count > 0 {
            let text = format!(
                "{count} lines of this role were left out: it may write {} of them, or {} KiB, at \
                 once, and {} or {} KiB in {} s from then on",
                LINES.at_once,
                BYTES.at_once / 1024,
                LINES.in_window,
                BYTES.in_window / 1024,
                WINDOW.as_secs(),
            );
            self.write(Level::Warn, &text);
        }
    }

    /// A line that is counted here.
    fn write_of_role(&self, level: Level, text: &str) {
        let (role, module) = (self.role.as_str(), self.module.as_str());
        match level {
            Level::Error => {
                tracing::error!(name: BOUNDED, target: TARGET, role, module, "{text}");
            }
            Level::Warn => tracing::warn!(name: BOUNDED, target: TARGET, role, module, "{text}"),
            Level::Info => tracing::info!(name: BOUNDED, target: TARGET, role, module, "{text}"),
            Level::Debug => tracing::debug!(name: BOUNDED, target: TARGET, role, module, "{text}"),
        }
    }

    fn write(&self, level: Level, text: &str) {
        let (role, module) = (self.role.as_str(), self.module.as_str());
        match level {
            Level::Error => tracing::error!(target: TARGET, role, module, "{text}"),
            Level::Warn => tracing::warn!(target: TARGET, role, module, "{text}"),
            Level::Info => tracing::info!(target: TARGET, role, module, "{text}"),
            Level::Debug => tracing::debug!(target: TARGET, role, module, "{text}"),
        }
    }
}

/// Whether the log shows lines of this level at all; others do not count.
fn is_wanted(level: Level) -> bool {
    match level {
        Level::Error => tracing::enabled!(target: TARGET, tracing::Level::ERROR),
        Level::Warn => tracing::enabled!(target: TARGET, tracing::Level::WARN),
        Level::Info => tracing::enabled!(target: TARGET, tracing::Level::INFO),
        Level::Debug => tracing::enabled!(target: TARGET, tracing::Level::DEBUG),
    }
}

/// A text as one line, of bounded length, that no terminal takes for a command.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    bounded(text, MAX_LINE_LEN)
}

/// Counts lines and their bytes.
#[derive(Debug, Default)]
struct LineLimit {
    window_start: Moment,
    lines: Allowance,
    bytes: Allowance,
    left_out: u64,
    left_out_in_all: u64,
}

impl LineLimit {
    /// Whether a line of so many bytes may be written now, and how many were left out in windows
    /// that are over.
    fn admit(&mut self, length: usize, now: Moment) -> (bool, u64) {
        let left_out = self.settle(now);
        let has_room = [
            self.lines.spend(LINES, 1),
            self.bytes.spend(BYTES, length as u64),
        ];
        let admitted = has_room == [true; 2];
        if !admitted {
            self.left_out += 1;
            self.left_out_in_all += 1;
        }
        (admitted, left_out)
    }

    /// Ends windows whose time is over, and returns how many lines were left out in them.
    fn settle(&mut self, now: Moment) -> u64 {
        let passed = windows(now.since(self.window_start));
        if passed == 0 {
            return 0;
        }
        self.window_start = now;
        self.lines.end_windows(LINES, passed);
        self.bytes.end_windows(BYTES, passed);
        std::mem::take(&mut self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_harmless_line() {
        assert!(matches!(
            harmless("plain, 構造"),
            Cow::Borrowed("plain, 構造")
        ));
        assert_eq!(
            harmless("a\nb\x1b[2J\u{202e}c\u{9b}"),
            "a\\nb\\u{1b}[2J\\u{202e}c\\u{9b}"
        );
        let long = "é".repeat(MAX_LINE_LEN);
        let line = harmless(&long);
        assert!(line.ends_with("é… (8192 bytes more)"), "{}", &line[8180..]);
        let odd = format!("x{long}");
        assert!(harmless(&odd).ends_with("é… (8194 bytes more)"));
    }

    #[test]
    fn lines_over_the_limit_are_left_out_counted_and_told_of() {
        let mut limit = LineLimit::default();
        let start = Moment::ZERO + WINDOW * 10;
        for _ in 0..LINES.at_once {
            assert_eq!(limit.admit(10, start), (true, 0));
        }
        assert_eq!(limit.admit(10, start), (false, 0));
        assert_eq!(limit.admit(10, start + WINDOW / 2), (false, 0));
        assert_eq!(limit.settle(start + WINDOW / 2), 0);
        // Too much went before, so the next window is to be calm.
        assert_eq!(limit.admit(10, start + WINDOW), (false, 2));
        assert_eq!(limit.settle(start + WINDOW * 2), 1);
        assert_eq!(limit.admit(10, start + WINDOW * 2), (true, 0));
        assert_eq!(limit.left_out_in_all, 3);
    }

    #[test]
    fn long_lines_are_fewer() {
        let mut limit = LineLimit::default();
        let start = Moment::ZERO + WINDOW * 10;
        let admitted = (0..100).filter(|_| limit.admit(MAX_LINE_LEN, start).0);
        assert_eq!(admitted.count(), 32);
    }
}

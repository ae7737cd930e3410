//! Lines that roles write to the host's log: made harmless, and not too many.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kozo_abi::Level;

use crate::clock::Moment;
use crate::names::{ModuleName, RoleName};

/// How many lines a role may write in [`LINE_WINDOW`]; more are left out and counted.
pub(super) const MAX_LINES: u32 = 1000;

/// The time in which [`MAX_LINES`] are counted.
pub(super) const LINE_WINDOW: Duration = Duration::from_secs(1);

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
        // Not held while the line is written: that may take its time.
        let admitted = self.lock().admit(now);
        if let Some(left_out) = admitted {
            self.report_left_out(left_out);
            self.write(level, &harmless(text));
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
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report_left_out(&self, count: u64) {
        if count > 0 {
            let text = format!(
                "{count} lines of this role were left out: it may write {MAX_LINES} a second"
            );
            self.write(Level::Warn, &text);
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

/// A text as one line, of bounded length, that no terminal takes for a command: control
/// characters, and those that turn the direction of text, are escaped.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let (kept, cut) = split_at_most(text, MAX_LINE_LEN);
    if cut.is_empty() && !kept.contains(is_harmful) {
        return Cow::Borrowed(kept);
    }
    let mut line = String::with_capacity(kept.len() + 32);
    for character in kept.chars() {
        if is_harmful(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    if !cut.is_empty() {
        line.push_str(&format!("… ({} bytes more)", cut.len()));
    }
    Cow::Owned(line)
}

/// Splits a text at a character that starts at `length` bytes or less.
fn split_at_most(text: &str, length: usize) -> (&str, &str) {
    let mut end = length.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.split_at(end)
}

fn is_harmful(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Counts lines.
#[derive(Debug, Default)]
struct LineLimit {
    window_start: Moment,
    lines: u32,
    left_out: u64,
    left_out_in_all: u64,
}

impl LineLimit {
    /// Whether a line may be written now; if so, how many were left out before it.
    fn admit(&mut self, now: Moment) -> Option<u64> {
        let left_out = self.settle(now);
        if self.lines == 0 {
            self.window_start = now;
        }
        if self.lines == MAX_LINES {
            self.left_out += 1;
            self.left_out_in_all += 1;
            return None;
        }
        self.lines += 1;
        Some(left_out)
    }

    /// Ends a window whose time is over, and returns how many lines were left out in it.
    fn settle(&mut self, now: Moment) -> u64 {
        if now.since(self.window_start) < LINE_WINDOW {
            return 0;
        }
        self.lines = 0;
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
        let start = Moment::ZERO + Duration::from_secs(100);
        for _ in 0..MAX_LINES {
            assert_eq!(limit.admit(start), Some(0));
        }
        assert_eq!(limit.admit(start), None);
        assert_eq!(limit.admit(start + LINE_WINDOW / 2), None);
        assert_eq!(limit.settle(start + LINE_WINDOW / 2), 0);
        assert_eq!(limit.admit(start + LINE_WINDOW), Some(2));
        assert_eq!(limit.settle(start + LINE_WINDOW * 3), 0);
        assert_eq!(limit.left_out_in_all, 2);
    }
}

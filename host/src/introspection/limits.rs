//! The limits that whoever asks is told of.

/// The longest that is measured, in seconds. With the last answer it is less than a client waits.
pub const MAX_BENCH_SECONDS: u64 = 10;

/// The most bytes that a ping may carry each way.
pub(super) const MAX_PING: usize = 60 * 1024;

/// How many taps one asker may have open at once.
pub(super) const MAX_TAPS_EACH: usize = 8;

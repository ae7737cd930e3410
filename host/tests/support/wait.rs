//! Waiting for what other processes do.
//!
//! A part of several test programs: each includes it with `#[path]`.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything that a test waits for may take. Generous: a busy machine is no failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// The time between two looks at a condition.
const PERIOD: Duration = Duration::from_millis(20);

/// Waits until `condition` gives something, and returns that.
///
/// # Panics
///
/// After [`DEADLINE`], with what was waited for.
#[track_caller]
pub(crate) fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: it did not happen");
        thread::sleep(PERIOD);
    }
}

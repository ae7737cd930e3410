//! Waiting for what happens in other processes.

use std::time::{Duration, Instant};

/// How long anything that is waited for may take. Generous: a busy machine is no failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Waits until `condition` gives something.
#[track_caller]
pub(crate) fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: it did not happen");
        std::thread::sleep(POLL);
    }
}

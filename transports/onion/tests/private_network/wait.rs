//! Waiting for what happens in other processes.

use std::time::{Duration, Instant};

/// How long anything that is waited for may take. Generous: a busy machine is no failure, and Tor by
/// itself takes 60 s to give up a relay, or 120 s a connection.
pub(crate) const DEADLINE: Duration = Duration::from_secs(180);

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Waits until `condition` gives something.
#[track_caller]
pub(crate) fn wait_until<T>(
    what: &str,
    limit: Duration,
    condition: impl FnMut() -> Option<T>,
) -> T {
    wait_or_explain(what, limit, condition, String::new)
}

/// The same, with something that says how things are when it did not happen.
#[track_caller]
pub(crate) fn wait_or_explain<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Option<T>,
    explain: impl Fn() -> String,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            Instant::now() < deadline,
            "{what}: it did not happen in {} s; {}",
            limit.as_secs(),
            explain()
        );
        std::thread::sleep(POLL);
    }
}

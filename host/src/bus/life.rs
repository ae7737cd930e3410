//! The life of a bus's module: it is run again and again, for as long as the daemon runs.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kozo_backoff::Backoff;
use kozo_ground::clock;
use kozo_ground::text::error_text;
use tokio::sync::oneshot;

use super::running::RunningBus;
use crate::modules::BusServices;

/// How long to wait after a first failure in a row has been tried again, and failed.
const FIRST_RETRY: Duration = Duration::from_millis(500);

/// A module that has run for so long has not merely failed: it is run again at once.
const STOOD: Duration = Duration::from_secs(10);

/// Runs the module in a thread of its own until the bus is stopped. The receiver hears when that has ended.
///
/// # Errors
/// The system has no thread left.
pub(super) fn start(
    bus: &Arc<RunningBus>,
    ceiling: Duration,
) -> std::io::Result<oneshot::Receiver<()>> {
    let (sender, ended) = oneshot::channel();
    let name = format!("run {}", bus.outlet.name());
    let bus = Arc::clone(bus);
    thread::Builder::new().name(name).spawn(move || {
        run(&bus, ceiling);
        // Nobody waits for it, but when the daemon stops.
        let _ = sender.send(());
    })?;
    Ok(ended)
}

fn run(bus: &RunningBus, ceiling: Duration) {
    let services = &bus.services;
    let mut backoff = Backoff::new(FIRST_RETRY, ceiling).at_once_first();
    let mut random = fastrand::Rng::new();
    while !services.stopping() {
        let begun = clock::now();
        let reason = match bus.engine.run() {
            Ok(()) => "the connection has ended".to_owned(),
            Err(error) => error_text(&error),
        };
        if services.stopping() {
            return;
        }
        services.lost(reason);
        if clock::now().since(begun) >= STOOD {
            backoff.reset();
        }
        if !services.sleep(backoff.next(&mut random)) {
            return;
        }
    }
}

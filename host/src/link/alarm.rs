//! Waiting for a moment of the link core.

use kozo_ground::clock::{self, Moment};

/// Waits until the moment; for ever where there is none.
pub(super) async fn sleep_until(moment: Option<Moment>) {
    match moment {
        Some(moment) => tokio::time::sleep(moment.since(clock::now())).await,
        None => std::future::pending().await,
    }
}

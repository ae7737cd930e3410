//! Whether others can reach this node, found out by trying.
//!
//! What arti says of a service is too gloomy: it counts every directory that did not take the
//! service's whereabouts, though one is enough. So the node knocks at its own door, once, at a
//! port where nobody answers: to be turned away there is to have arrived.

use std::sync::Arc;
use std::time::Duration;

use arti_client::{ErrorKind, HasKind, IsolationToken};
use tokio::time::{sleep, timeout};

use super::Client;
use super::dialer::attempt;
use super::report::{Reporter, Stage};
use crate::options::Target;

/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How long to wait before the next one: at first,
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// and at most.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Tries until the service at `own` is reached, and says so.
pub(super) async fn until_reachable(client: Arc<Client>, own: Target, reporter: Arc<Reporter>) {
    // Any other port is as good: the service answers at one only.
    let port = if own.port == 1 { 2 } else { 1 };
    let door = Target { port, ..own };
    let mut retry = FIRST_RETRY;
    loop {
        // Each in a group of its own, so that none waits for one that hangs.
        let knock = attempt(Arc::clone(&client), door, IsolationToken::new());
        match timeout(LIMIT, knock).await.map(|answer| answer.map(drop)) {
            Ok(Ok(())) => break,
            Ok(Err(error)) if is_turned_away(error.kind()) => break,
            Ok(Err(_)) | Err(_) => {}
        }
        sleep(retry).await;
        retry = (retry * 2).min(LONGEST_RETRY);
    }
    reporter.say(Stage::Reachable);
}

fn is_turned_away(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::RemoteStreamClosed
            | ErrorKind::RemoteStreamReset
            | ErrorKind::RemoteConnectionRefused
    )
}

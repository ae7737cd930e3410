//! Those who wait for a node on a bus to say that it is there.

use std::collections::HashMap;
use std::time::Duration;

use kozo_bus::PingId;
use tokio::sync::oneshot;

/// What comes of a ping: how long it took, or why there is no answer.
pub(super) type Pong = Result<Duration, String>;

/// Those who wait, by the bus's numbers, of which the bus limits how many there are.
#[derive(Debug, Default)]
pub(super) struct Pings(HashMap<PingId, oneshot::Sender<Pong>>);

impl Pings {
    /// Somebody waits for this one.
    pub(super) fn wait_for(&mut self, ping: PingId) -> oneshot::Receiver<Pong> {
        let (sender, receiver) = oneshot::channel();
        self.0.insert(ping, sender);
        receiver
    }

    /// It came, or will not come.
    pub(super) fn came(&mut self, ping: PingId, pong: Pong) {
        if let Some(sender) = self.0.remove(&ping) {
            // Nobody waits any longer.
            let _ = sender.send(pong);
        }
    }
}

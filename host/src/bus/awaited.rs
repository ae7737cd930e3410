//! Those who wait for what comes of a ping, or of a question, to a node on a bus.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::sync::oneshot;

/// What comes of a ping: how long it took, or why there is no answer.
pub(super) type Pong = Result<Duration, String>;

/// Those who wait, by the bus's numbers, of which the bus limits how many there are.
#[derive(Debug)]
pub(super) struct Awaited<Id, Answer>(HashMap<Id, oneshot::Sender<Answer>>);

impl<Id, Answer> Default for Awaited<Id, Answer> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<Id: Eq + Hash, Answer> Awaited<Id, Answer> {
    /// Somebody waits for what comes of this one.
    pub(super) fn wait_for(&mut self, id: Id) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.0.insert(id, sender);
        receiver
    }

    /// It came, or will not come.
    pub(super) fn came(&mut self, id: &Id, answer: Answer) {
        if let Some(sender) = self.0.remove(id) {
            // Nobody waits any longer.
            let _ = sender.send(answer);
        }
    }
}

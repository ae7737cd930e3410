//! Those who wait for what nodes on a bus say of themselves.

use std::collections::HashMap;

use kozo_bus::{QuestionId, Replied};
use tokio::sync::oneshot;

/// Those who wait, by the bus's numbers, of which the bus limits how many there are.
#[derive(Debug, Default)]
pub(super) struct Questions(HashMap<QuestionId, oneshot::Sender<Replied>>);

impl Questions {
    /// Somebody waits for what comes of this one.
    pub(super) fn wait_for(&mut self, question: QuestionId) -> oneshot::Receiver<Replied> {
        let (sender, receiver) = oneshot::channel();
        self.0.insert(question, sender);
        receiver
    }

    /// It came.
    pub(super) fn came(&mut self, replied: Replied) {
        if let Some(sender) = self.0.remove(&replied.question) {
            // Nobody waits any longer.
            let _ = sender.send(replied);
        }
    }
}

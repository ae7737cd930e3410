//! What this node asks a peer.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use kozo_ground::clock;
use kozo_ground::lock::LockAnyway;
use kozo_link::{QuestionId, Unasked};
use tokio::sync::oneshot;

use super::PeerLink;

/// Those who wait for answers of a peer.
pub(super) type Waiting = HashMap<QuestionId, oneshot::Sender<PeerAnswer>>;

/// What a peer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerAnswer {
    /// The answer; nothing when it was asked too much at once.
    pub(crate) answer: Bytes,
    /// From the question to the last part of the answer.
    pub(crate) took: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// It was not asked.
    #[error(transparent)]
    Unasked(#[from] Unasked),
    /// The link has gone.
    #[error("the link with it was lost before it answered")]
    Lost,
    /// The time is up.
    #[error("it did not answer in time")]
    Late,
}

impl PeerLink {
    /// Asks the peer, and waits for the answer, so long at most.
    ///
    /// # Errors
    /// [`NoAnswer`]
    pub(crate) async fn ask(
        &self,
        question: Bytes,
        wait: Duration,
    ) -> Result<PeerAnswer, NoAnswer> {
        let now = clock::now();
        let (sender, receiver) = oneshot::channel();
        let id = self.change(now, |peer| {
            let id = peer.ask(question, now)?;
            // Before anybody can hear the answer, which takes this lock.
            self.waiting.lock_anyway().insert(id, sender);
            Ok::<_, Unasked>(id)
        })?;
        let _forgotten = Forget { link: self, id };
        match tokio::time::timeout(wait, receiver).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(NoAnswer::Lost),
            Err(_) => Err(NoAnswer::Late),
        }
    }

    pub(in crate::link) fn answered(&self, id: QuestionId, answer: Bytes, took: Duration) {
        let waiting = self.waiting.lock_anyway().remove(&id);
        if let Some(waiting) = waiting {
            // Who waits no longer has no use for it.
            let _ = waiting.send(PeerAnswer { answer, took });
        }
    }

    pub(in crate::link) fn unanswered(&self, id: QuestionId) {
        self.waiting.lock_anyway().remove(&id);
    }
}

/// A question that nobody waits for is forgotten.
struct Forget<'l> {
    link: &'l PeerLink,
    id: QuestionId,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        let waits = self.link.waiting.lock_anyway().remove(&self.id).is_some();
        if waits {
            self.link.change(clock::now(), |peer| peer.forget(self.id));
        }
    }
}

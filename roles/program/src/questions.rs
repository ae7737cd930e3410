//! Questions of the program about the node: each waits for its answer beside the rest.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use kozo_data::{Packed, Unpacked};

use crate::said::Id;
use crate::shared::Shared;
use crate::told::Outcome;

/// How many may be under way at once.
const MAX_QUESTIONS: usize = 8;

/// Asks, and answers when the host does.
pub(crate) fn ask(shared: &Arc<Shared>, id: Option<Id>, question: Packed, wait: Duration) {
    if shared.questions.fetch_add(1, Ordering::Relaxed) >= MAX_QUESTIONS {
        shared.questions.fetch_sub(1, Ordering::Relaxed);
        let reason = format!(
            "it has asked {MAX_QUESTIONS} questions that are not answered yet, and that is the most"
        );
        shared.answer(id.as_ref(), Err(reason));
        shared.outbox.flush(Duration::ZERO);
        return;
    }
    let work = {
        let (shared, id) = (Arc::clone(shared), id.clone());
        move || {
            let answer = shared
                .host
                .ask::<Packed>(&Unpacked(question.as_slice()), wait);
            shared.questions.fetch_sub(1, Ordering::Relaxed);
            let answer = answer
                .map(Outcome::Value)
                .map_err(|error| error.to_string());
            shared.answer(id.as_ref(), answer);
            shared.outbox.flush(Duration::ZERO);
        }
    };
    if let Err(error) = thread::Builder::new()
        .name("question".to_owned())
        .spawn(work)
    {
        shared.questions.fetch_sub(1, Ordering::Relaxed);
        shared.answer(
            id.as_ref(),
            Err(format!("there is no thread for a question: {error}")),
        );
    }
}

//! Calls that may not come back: whatever a module does in one, who waits for it goes on.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoResult {
    /// It has not come back. Its thread is left behind.
    #[error("`{call}` has not come back within {} s, a fault of its module", .limit.as_secs_f32())]
    Hangs {
        /// What was called.
        call: &'static str,
        /// How long it might have taken.
        limit: Duration,
    },
    /// The system gave no thread for it.
    #[error("the system has no thread left for `{call}`: {reason}")]
    NoThread {
        /// What was to be called.
        call: &'static str,
        /// The system's reason.
        reason: String,
    },
    /// It ended without a result, by a panic.
    #[error("`{call}` panicked")]
    Panicked {
        /// What was called.
        call: &'static str,
    },
}

/// Makes a call on a thread of its own and waits for its result, for `limit` at most.
///
/// # Errors
/// Why there is no result.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    call: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoResult> {
    let (sender, receiver) = mpsc::sync_channel(1);
    spawn(call, move || {
        // Nobody waits for it any more when the time was up.
        let _ = sender.send(work());
    })?;
    receiver.recv_timeout(limit).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => NoResult::Hangs { call, limit },
        mpsc::RecvTimeoutError::Disconnected => NoResult::Panicked { call },
    })
}

/// The same for tasks, and without a limit: whoever waits may stop to.
///
/// # Errors
/// Why there is no result.
pub(crate) async fn apart<T: Send + 'static>(
    call: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoResult> {
    let (sender, receiver) = oneshot::channel();
    spawn(call, move || {
        let _ = sender.send(work());
    })?;
    receiver.await.map_err(|_| NoResult::Panicked { call })
}

fn spawn(call: &'static str, work: impl FnOnce() + Send + 'static) -> Result<(), NoResult> {
    let thread = thread::Builder::new().name(call.to_owned()).spawn(work);
    let no_thread = |error: std::io::Error| NoResult::NoThread {
        call,
        reason: error.to_string(),
    };
    thread.map(drop).map_err(no_thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough for anything that happens at all.
    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_result_is_handed_on_and_what_hangs_is_left_behind() {
        assert_eq!(within(LIMIT, "init", || 7), Ok(7));
        let (sender, receiver) = mpsc::channel::<()>();
        let limit = Duration::from_millis(1);
        let hangs = within(limit, "init", move || receiver.recv().is_ok());
        let error = hangs.unwrap_err();
        assert_eq!(
            error.to_string(),
            "`init` has not come back within 0.001 s, a fault of its module"
        );
        drop(sender);
    }

    #[tokio::test]
    async fn a_task_that_waits_keeps_no_other_from_running() {
        let (sender, receiver) = mpsc::channel();
        let (answer, ()) = tokio::join!(apart("join", move || receiver.recv()), async {
            sender.send(7).unwrap();
        });
        assert_eq!(answer, Ok(Ok(7)));
    }
}

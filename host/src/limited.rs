//! Calls that may not come back: whatever a module does in one, who waits for it goes on.

use std::ops::Deref;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// How long dropping something may take before it is left behind.
const DROP_LIMIT: Duration = Duration::from_secs(2);

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

/// A thread that makes one call after the other. When one hangs, the thread is left behind and the next
/// call has another.
#[derive(Default)]
pub(crate) struct Worker {
    jobs: Option<mpsc::Sender<Job>>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Worker {
    /// Makes a call and waits for its result, for `limit` at most.
    ///
    /// # Errors
    /// Why there is no result.
    pub(crate) fn within<T: Send + 'static>(
        &mut self,
        limit: Duration,
        call: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoResult> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let job = Box::new(move || {
            // Nobody waits for it any more when the time was up.
            let _ = sender.send(work());
        });
        let jobs = match self.jobs.take() {
            Some(jobs) => jobs,
            None => {
                let (jobs, queue) = mpsc::channel::<Job>();
                spawn(call, move || queue.into_iter().for_each(|job| job()))?;
                jobs
            }
        };
        // When the thread has ended, so has the job.
        let _ = jobs.send(job);
        let result = receiver.recv_timeout(limit).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => NoResult::Hangs { call, limit },
            mpsc::RecvTimeoutError::Disconnected => NoResult::Panicked { call },
        });
        self.jobs = result.is_ok().then_some(jobs);
        result
    }
}

/// A module's thing, which is dropped on a thread of its own: that may not come back either.
pub(crate) struct DroppedApart<T: Send + 'static> {
    /// None only while this is dropped.
    value: Option<T>,
    name: String,
}

impl<T: Send + 'static> DroppedApart<T> {
    /// `name` is for the log.
    pub(crate) fn new(value: T, name: &str) -> Self {
        Self {
            value: Some(value),
            name: name.to_owned(),
        }
    }
}

impl<T: Send + 'static> Deref for DroppedApart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.value {
            Some(value) => value,
            None => unreachable!("it is taken when nobody has it any more"),
        }
    }
}

impl<T: Send + 'static> Drop for DroppedApart<T> {
    fn drop(&mut self) {
        let value = self.value.take();
        let dropped = Worker::default().within(DROP_LIMIT, "drop", || drop(value));
        if let Err(error) = dropped {
            tracing::error!(target: "transport", transport = self.name, "{error}: it is left behind");
        }
    }
}

/// Makes a call on a thread of its own, for a task, which may stop to wait for it.
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
        let mut worker = Worker::default();
        let first = worker.within(LIMIT, "init", || thread::current().id());
        assert_eq!(
            worker.within(LIMIT, "init", || thread::current().id()),
            first
        );
        let (sender, receiver) = mpsc::channel::<()>();
        let limit = Duration::from_millis(1);
        let hangs = worker.within(limit, "init", move || receiver.recv().is_ok());
        let error = hangs.unwrap_err();
        assert_eq!(
            error.to_string(),
            "`init` has not come back within 0.001 s, a fault of its module"
        );
        // Nobody is kept by it, and the next call has another thread.
        assert_eq!(worker.within(LIMIT, "init", || 7), Ok(7));
        assert_ne!(
            worker.within(LIMIT, "init", || thread::current().id()),
            first
        );
        drop(sender);
    }

    #[test]
    fn a_call_that_panics_costs_no_other() {
        let mut worker = Worker::default();
        let panics = worker.within(LIMIT, "init", || panic!("no good"));
        assert_eq!(panics, Err::<(), _>(NoResult::Panicked { call: "init" }));
        assert_eq!(worker.within(LIMIT, "init", || 7), Ok(7));
    }

    #[test]
    fn what_is_dropped_apart_is_dropped_on_another_thread() {
        struct Tells(mpsc::Sender<thread::ThreadId>);
        impl Drop for Tells {
            fn drop(&mut self) {
                self.0.send(thread::current().id()).unwrap();
            }
        }
        let (sender, receiver) = mpsc::channel();
        drop(DroppedApart::new(Tells(sender), "tcp"));
        assert_ne!(receiver.try_recv().unwrap(), thread::current().id());
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

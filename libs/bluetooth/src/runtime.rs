//! A thread for all that is asynchronous.

use std::future::Future;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::{Error, Result};

/// How often a call that waits looks whether it shall go on waiting.
const LOOK: Duration = Duration::from_millis(100);

/// A current-thread runtime on a thread of its own. Dropping it ends all tasks.
#[derive(Debug)]
pub struct Runtime {
    handle: Handle,
    /// Its end ends the thread.
    _alive: oneshot::Sender<()>,
}

impl Runtime {
    /// Starts the thread, called `name`.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the system has no thread or descriptor left.
    pub fn start(name: &str) -> Result<Self> {
        let failed = |error: std::io::Error| Error::Runtime(error.to_string());
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let (alive, dropped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                // An error is what it waits for: the sender is gone.
                let _ = runtime.block_on(dropped);
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self {
            handle,
            _alive: alive,
        })
    }

    /// Starts a task.
    pub fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let task = self.handle.spawn(async move {
            // Nobody wants the result any more when this fails.
            let _ = sender.send(future.await);
        });
        Task {
            receiver,
            abort: task.abort_handle(),
        }
    }

    /// Runs a task to its end and waits for it, from a thread that may block. The task has to end
    /// by itself.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the task panicked.
    pub fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let task = self.spawn(future);
        task.receiver.recv().map_err(|_| no_result())
    }
}

/// A task that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Task<T> {
    receiver: mpsc::Receiver<T>,
    abort: AbortHandle,
}

impl<T> Task<T> {
    /// Waits for the end of the task for so long at most; then it is ended. None when it was.
    pub fn wait_for(self, limit: Duration) -> Option<T> {
        self.receiver.recv_timeout(limit).ok()
    }

    /// Waits for the end of the task, from a thread that may block; `given_up` is asked now and then
    /// whether it shall not. None when it was given up.
    pub fn wait_unless(self, given_up: impl Fn() -> bool) -> Option<Result<T>> {
        loop {
            match self.receiver.recv_timeout(LOOK) {
                Ok(result) => return Some(Ok(result)),
                Err(mpsc::RecvTimeoutError::Timeout) if given_up() => return None,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Some(Err(no_result())),
            }
        }
    }
}

/// A task that panicked, or whose thread is gone.
fn no_result() -> Error {
    Error::Runtime("the task ended without a result".to_owned())
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_run_on_the_thread_and_bring_their_results() {
        let runtime = Runtime::start("radio").unwrap();
        let name = runtime.run(async { thread::current().name().map(str::to_owned) });
        assert_eq!(name.unwrap().as_deref(), Some("radio"));
    }

    #[test]
    fn a_task_that_panics_is_an_error_and_the_next_one_runs() {
        let runtime = Runtime::start("radio").unwrap();
        let panicking = runtime.run(async { panic!("on purpose") });
        assert!(matches!(panicking, Err::<(), _>(Error::Runtime(_))));
        assert_eq!(runtime.run(async { 1 }), Ok(1));
    }

    #[test]
    fn a_task_that_is_given_up_is_dropped() {
        let runtime = Runtime::start("radio").unwrap();
        let (alive, dropped) = mpsc::channel::<()>();
        let task = runtime.spawn(async move {
            std::future::pending::<()>().await;
            drop(alive);
        });
        assert!(task.wait_unless(|| true).is_none());
        let ended = dropped.recv_timeout(Duration::from_secs(60));
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected));
    }
}

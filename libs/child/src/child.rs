//! A process, from its start to its end.

use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::describe::describe;
use crate::handle::Handle;
use crate::mark::Mark;

/// A process. When this is dropped it is killed, with everything that it has started.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    handle: Arc<Handle>,
    mark: Option<Mark>,
    was_asked: bool,
    ended: Option<Ended>,
}

/// How a process ended. As a text it belongs behind "it": `ended by itself, with exit code 3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// What the system says of it.
    pub status: ExitStatus,
    /// Whether it was asked to end (SIGTERM) before it did.
    pub was_asked: bool,
    /// Whether it was killed here, since it did not end in time.
    pub was_killed: bool,
}

impl Ended {
    /// Whether it ended by itself and says that all went well.
    pub fn is_success(&self) -> bool {
        self.status.success()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(self.status))
    }
}

impl Child {
    pub(crate) fn new(
        process: std::process::Child,
        handle: Arc<Handle>,
        mark: Option<Mark>,
    ) -> Self {
        Self {
            process,
            handle,
            mark,
            was_asked: false,
            ended: None,
        }
    }

    /// Its number, and that of its group.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What other threads may have of it.
    pub fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// Asks it and its group to end (SIGTERM).
    pub fn terminate(&mut self) {
        if self.ended.is_none() {
            self.was_asked = true;
            // An error is that there is nobody left.
            let _ = kill_process_group(Pid::from_child(&self.process), Signal::TERM);
        }
    }

    /// Ends it in order: waits `patience` for it to end by itself, whoever calls having closed its input or
    /// told it to; then asks its group to end (SIGTERM), and after `grace` kills it.
    ///
    /// # Errors
    /// Its end cannot be waited for.
    pub fn stop(&mut self, patience: Duration, grace: Duration) -> io::Result<Ended> {
        if self.ended.is_none() && !self.handle.wait(patience) {
            self.terminate();
            return self.end(grace);
        }
        self.end(Duration::ZERO)
    }

    /// Waits `limit` for its end, which is near, and kills it if that does not come. What it has started ends
    /// with it. Says how it ended, also when it is asked again.
    ///
    /// # Errors
    /// Its end cannot be waited for.
    pub fn end(&mut self, limit: Duration) -> io::Result<Ended> {
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        let was_killed = !self.handle.wait(limit);
        if was_killed {
            self.handle.kill();
            self.handle.wait(Duration::MAX);
        }
        // The number of its group stays its own until it is waited for. An error is that nothing is left.
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        if let Some(mark) = &self.mark {
            mark.end_all();
        }
        let status = self.process.wait()?;
        let ended = Ended {
            status,
            was_asked: self.was_asked,
            was_killed,
        };
        self.ended = Some(ended);
        Ok(ended)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.handle.kill();
        let _ = self.end(Duration::MAX);
    }
}

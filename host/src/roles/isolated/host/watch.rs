//! The thread that tells a role's process to stop, and loses patience in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kozo_child::Handle;
use kozo_ground::clock;

use super::writer::IpcWriter;
use crate::roles::isolated::protocol::ToRole;
use crate::roles::services::LifeServices;

/// How long a role may take from the moment it is asked to stop until its process has ended; then it
/// is killed. Less than what the daemon waits for such roles: a hanging one shall have ended by then.
pub(in crate::roles) const STOP_LIMIT: Duration = Duration::from_secs(4);

/// The time between two tries to write to a process that does not read.
const RETRY: Duration = Duration::from_millis(10);

/// The end of one life of a role.
pub(super) struct Watch {
    pub(super) services: Arc<LifeServices>,
    pub(super) writer: Arc<IpcWriter>,
    pub(super) process: Arc<Handle>,
    pub(super) was_killed: Arc<AtomicBool>,
}

impl Watch {
    /// The thread's whole work.
    pub(super) fn run(self) {
        self.services.reader.wait_until_stopping();
        let deadline = clock::now() + STOP_LIMIT;
        let left = || deadline.since(clock::now());
        // Whoever writes at this moment may have to wait for the process, but this may not.
        while let Ok(false) = self.writer.try_write(&ToRole::Stopping) {
            if left().is_zero() || self.process.wait(RETRY.min(left())) {
                break;
            }
        }
        if !self.process.wait(left()) {
            self.was_killed.store(true, Ordering::Relaxed);
            self.process.kill();
        }
    }
}

//! Ends the waits of others.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};

use crate::wait::{deadline, wait};

/// Ends the waits of all that hold a copy of it, for good: those of now and those to come.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Readable once it is raised, for those who wait.
    event: OwnedFd,
    /// The same, for those who do not.
    is_raised: AtomicBool,
}

impl Interrupt {
    /// One that has not been raised.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let is_raised = AtomicBool::new(false);
        Ok(Self(Arc::new(Shared { event, is_raised })))
    }

    /// From now on nobody waits.
    pub fn raise(&self) {
        if !self.0.is_raised.swap(true, Ordering::SeqCst) {
            // Written once, it always fits.
            let _ = rustix::io::write(&self.0.event, &1_u64.to_ne_bytes());
        }
    }

    /// Waits so long; false when it is raised before.
    pub fn sleep(&self, time: Duration) -> bool {
        let mut polled = [PollFd::new(&self.0.event, PollFlags::IN)];
        // Where there is no waiting there is no going on either.
        matches!(wait(&mut polled, deadline(time)), Ok(false))
    }

    /// Whether it has been raised.
    pub fn is_raised(&self) -> bool {
        self.0.is_raised.load(Ordering::SeqCst)
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

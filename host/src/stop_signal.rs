//! A signal to stop, for modules' threads that wait for a descriptor.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kozo_abi::Readiness;
use kozo_ground::clock;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

/// Given once, for good, and heard by all who wait with it.
#[derive(Debug)]
pub(crate) struct StopSignal {
    given: AtomicBool,
    /// Readable once it is given.
    signal: OwnedFd,
}

impl StopSignal {
    /// One that is not given yet.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self {
            given: AtomicBool::new(false),
            signal: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// Gives it.
    pub(crate) fn give(&self) {
        self.given.store(true, Ordering::SeqCst);
        // It can fail only when it is signalled already.
        let _ = rustix::io::write(&self.signal, &1_u64.to_ne_bytes());
    }

    /// Whether it is given.
    pub(crate) fn is_given(&self) -> bool {
        self.given.load(Ordering::SeqCst)
    }

    /// Waits until it is given, or `fd` is readable, for `time` at most (none: for ever).
    ///
    /// # Errors
    /// The system's, from `poll`.
    pub(crate) fn wait(
        &self,
        fd: Option<BorrowedFd<'_>>,
        time: Option<Duration>,
    ) -> Result<Readiness, Errno> {
        let deadline = time.map(|time| clock::now() + time);
        loop {
            let mut watched = vec![PollFd::from_borrowed_fd(self.signal.as_fd(), PollFlags::IN)];
            watched.extend(fd.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            let remaining = deadline.map(|deadline| {
                let remaining = deadline.since(clock::now());
                // Longer than the system can express is as good as for ever.
                Timespec::try_from(remaining).unwrap_or(Timespec {
                    tv_sec: i64::MAX,
                    tv_nsec: 0,
                })
            });
            match poll(&mut watched, remaining.as_ref()) {
                Ok(0) => return Ok(Readiness::TimedOut),
                Ok(_) if !watched[0].revents().is_empty() => return Ok(Readiness::Stopping),
                Ok(_) => return Ok(Readiness::Ready),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

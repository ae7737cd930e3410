//! That a module is being stopped, and waiting which ends with that.

#![allow(unsafe_code)] // A descriptor crosses as a number; the block has its reason.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use abi_stable::std_types::{ROption, RResult, RString};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use crate::ffi::readiness;

/// Whether a transport or bus is being stopped.
pub(super) struct Stopping {
    stopping: AtomicBool,
    /// Readable once it is.
    signal: OwnedFd,
}

impl Stopping {
    pub(super) fn new() -> Result<Self, Errno> {
        Ok(Self {
            stopping: AtomicBool::new(false),
            signal: eventfd(0, EventfdFlags::CLOEXEC)?,
        })
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        // A counter that one was added to a few times is never full.
        let _ = rustix::io::write(&self.signal, &1_u64.to_ne_bytes());
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Waits as a module asks for it; the result is one of [`readiness`].
    pub(super) fn wait_readable_for(&self, fd: i32, wait: ROption<u64>) -> RResult<u8, RString> {
        if fd < 0 {
            return RResult::RErr("there is no such descriptor".into());
        }
        // SAFETY: the module keeps its descriptor open until this returns; it is no -1.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let wait = wait.map(Duration::from_nanos).into();
        self.wait_readable(fd, wait)
            .map_err(|error| format!("cannot wait: {error}").into())
            .into()
    }

    /// One of [`readiness`].
    fn wait_readable(&self, fd: BorrowedFd<'_>, wait: Option<Duration>) -> Result<u8, Errno> {
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let mut fds = [
            PollFd::from_borrowed_fd(self.signal.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(fd, PollFlags::IN),
        ];
        loop {
            match poll(&mut fds, wait.as_ref()) {
                // Starting the wait anew is exact enough for a test.
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
                Ok(_) if !fds[0].revents().is_empty() => return Ok(readiness::STOPPING),
                Ok(0) => return Ok(readiness::TIMEOUT),
                Ok(_) => return Ok(readiness::READY),
            }
        }
    }
}

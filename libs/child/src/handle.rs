//! What several threads hold of a process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::wait::{deadline, wait};

/// Stands for one process, also when it has ended and its number is another one's. As a descriptor it
/// is readable when the process has ended.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Handle {
    pub(crate) fn open(process: Pid) -> io::Result<Self> {
        Ok(Self(pidfd_open(process, PidfdFlags::empty())?))
    }

    /// Waits until it has ended; false when it does not within `limit`.
    pub fn wait(&self, limit: Duration) -> bool {
        let mut polled = [PollFd::new(&self.0, PollFlags::IN)];
        // There are no errors for this kind of descriptor; whoever waits would kill it then.
        wait(&mut polled, deadline(limit)).unwrap_or(false)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Ends it, whatever it does.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Sends it a signal; false when it has ended, or is not this user's any more.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        pidfd_send_signal(&self.0, signal).is_ok()
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

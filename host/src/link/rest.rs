//! Waiting for less than a millisecond, which is as fine as the runtime's own timers are.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// A timer of the system's, from its first use on.
#[derive(Debug, Default)]
pub(super) struct Rest(Option<AsyncFd<OwnedFd>>);

impl Rest {
    /// Waits that long; a little longer where the system gives no timer.
    pub(super) async fn take(&mut self, time: Duration) {
        if self.wait(time).await.is_err() {
            tokio::time::sleep(time).await;
        }
    }

    async fn wait(&mut self, time: Duration) -> io::Result<()> {
        let timer = match self.0.take() {
            Some(timer) => timer,
            None => AsyncFd::new(timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
            )?)?,
        };
        let timer = self.0.insert(timer);
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: 0,
                tv_nsec: i64::from(time.subsec_nanos()),
            },
        };
        timerfd_settime(timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        timer.readable().await?.clear_ready();
        Ok(())
    }
}

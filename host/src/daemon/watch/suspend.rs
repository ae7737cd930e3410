//! Notices that the machine was suspended.
//!
//! While it sleeps, `CLOCK_BOOTTIME` goes on and `CLOCK_MONOTONIC`, by which the runtime's timers
//! go, does not. The distance between the two is all the time that it has slept.

use std::io;
use std::time::Duration;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::net::unix::pipe;

/// How often the clocks are compared. The timer goes by `CLOCK_BOOTTIME`: after a longer sleep it
/// is overdue, and fires at once.
const INTERVAL: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// What is taken for a sleep. Between two readings of two clocks a busy machine may do something
/// else for a while.
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);

pub(super) struct Resumes {
    /// The type for pipes serves whatever is only read.
    timer: pipe::Receiver,
    comparison: Comparison,
}

impl Resumes {
    pub(super) fn open() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
        let schedule = Itimerspec {
            it_interval: INTERVAL,
            it_value: INTERVAL,
        };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &schedule)?;
        Ok(Self {
            timer: pipe::Receiver::from_owned_fd_unchecked(timer)?,
            comparison: Comparison::new(distance()),
        })
    }

    /// Waits until the machine has been suspended, and returns for how long it was.
    pub(super) async fn next(&mut self) -> io::Result<Duration> {
        loop {
            self.timer.readable().await?;
            // How often it fired does not matter.
            match self.timer.try_read(&mut [0; 8]) {
                Ok(_) => {
                    if let Some(slept) = self.comparison.slept(distance()) {
                        return Ok(slept);
                    }
                }
                Err(error) if is_temporary(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// How much the clock that includes suspends is ahead of the one that does not.
fn distance() -> Duration {
    // The clocks are read in this order, so that what happens in between does not look like a sleep.
    let boot = since_boot(ClockId::Boottime);
    boot.saturating_sub(since_boot(ClockId::Monotonic))
}

fn since_boot(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[derive(Debug)]
struct Comparison {
    /// The largest distance so far: a smaller one is a reading that was held up.
    distance: Duration,
}

impl Comparison {
    fn new(distance: Duration) -> Self {
        Self { distance }
    }

    /// For how long the machine slept since the last comparison, if it did.
    fn slept(&mut self, distance: Duration) -> Option<Duration> {
        let slept = distance.saturating_sub(self.distance);
        self.distance = self.distance.max(distance);
        (slept >= SHORTEST_SLEEP).then_some(slept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_growing_distance_of_the_clocks_is_a_sleep() {
        let seconds = Duration::from_secs_f64;
        let mut comparison = Comparison::new(seconds(100.0));
        assert_eq!(comparison.slept(seconds(100.0)), None);
        // A reading that was held up, and the next one that was not.
        assert_eq!(comparison.slept(seconds(97.0)), None);
        assert_eq!(comparison.slept(seconds(100.0)), None);
        assert_eq!(comparison.slept(seconds(160.0)), Some(seconds(60.0)));
        assert_eq!(comparison.slept(seconds(160.0)), None);
    }
}

//! The one clock that decisions are made by.
//!
//! It counts from boot, includes the time that the machine was suspended (an order must age while
//! a laptop sleeps), and never jumps when somebody sets the wall clock. What decides takes a
//! [`Moment`] as an argument; only what does I/O calls [`now`].

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time on this machine's clock, comparable only with others of the same machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The clock's zero, as simulations use it.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// How long ago `earlier` was; zero when it is in the future.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(rhs))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(rhs))
    }
}

/// Reads the clock: `CLOCK_BOOTTIME`.
pub fn now() -> Moment {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Moment(Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    ))
}

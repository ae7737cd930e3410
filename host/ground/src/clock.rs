//! The one clock that decisions are made by.
//!
//! It counts from boot, includes the time that the machine was suspended (an order must age while
//! a laptop sleeps), and never jumps when somebody sets the wall clock. What decides takes a
//! [`Moment`] as an argument; only what does I/O calls [`now`].

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time on this machine's clock, comparable only with others of the same machine.
///
/// In nanoseconds: it ends after 584 years, and nothing is later than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// The clock's zero, as simulations use it.
    pub const ZERO: Self = Self(0);

    /// How long ago `earlier` was; zero when it is in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(nanos(rhs)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(rhs)))
    }
}

/// Reads the clock: `CLOCK_BOOTTIME`.
pub fn now() -> Moment {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Moment(
        seconds
            .saturating_mul(NANOS_PER_SECOND)
            .saturating_add(nanos),
    )
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_further_away_than_the_clock_reaches_is_at_its_end() {
        let last = Moment::ZERO + Duration::MAX;
        assert_eq!(last + Duration::from_secs(1), last);
        assert_eq!(Moment::ZERO - Duration::from_secs(1), Moment::ZERO);
        assert_eq!(Moment::ZERO.since(last), Duration::ZERO);
        let later = Moment::ZERO + Duration::new(3, 7);
        assert_eq!(
            later.since(Moment::ZERO + Duration::from_secs(1)),
            Duration::new(2, 7)
        );
    }

    #[test]
    fn the_clock_goes_on() {
        let first = now();
        assert!(first > Moment::ZERO && now() >= first);
    }
}

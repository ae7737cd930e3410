//! The one clock that decisions are made by.
//!
//! It counts from boot, includes the time that the machine was suspended (an order must age while
//! a laptop sleeps), and never jumps when somebody sets the wall clock. What decides takes a
//! [`Moment`] as an argument; only what does I/O calls [`now`].

use std::cell::Cell;
use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// How long a thread takes a reading of the wall clock for true, and only adds what has passed since: reading a clock
/// costs as much as a third of sending a message.
const WALL_READING: Duration = Duration::from_millis(1);

thread_local! {
    /// The wall clock, since 1970, and when this thread has read it.
    static WALL: Cell<Option<(Duration, Moment)>> = const { Cell::new(None) };
}

/// The wall clock at a moment that was read just now: how long it is since 1970, or nothing before that. It is told to
/// people and to other nodes, and no decision is made by it. When somebody sets the clock, it is late by a millisecond at
/// most.
pub fn wall(now: Moment) -> Duration {
    let known = WALL.get();
    let known = known.filter(|(_, at)| now >= *at && now.since(*at) < WALL_READING);
    let (wall, at) = known.unwrap_or_else(|| {
        // This thread may have stood still since `now` was read, and what follows must not be earlier.
        let begun = self::now();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let reading = (wall.unwrap_or_default(), self::now());
        // If it stood still between the two clocks, they do not belong together.
        let belong_together = reading.1.since(begun) < WALL_READING / 10;
        WALL.set(belong_together.then_some(reading));
        reading
    });
    wall + now.since(at)
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
    fn the_wall_clock_is_that_of_the_system_and_goes_on_between_two_readings() {
        let system = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        for _ in 0..10_000 {
            let before = system();
            let at = now();
            let told = wall(at);
            // A reading is less than a millisecond old, but this thread may have stood still behind it.
            let limit = WALL_READING + system().saturating_sub(before);
            assert!(
                told + limit >= before && told <= system() + limit,
                "{told:?}"
            );
        }
        let at = now();
        WALL.set(Some((Duration::from_secs(9), at)));
        let told = wall(at + Duration::from_micros(3));
        assert_eq!(told, Duration::from_secs(9) + Duration::from_micros(3));
        assert!(wall(at + WALL_READING) > told);
    }

    #[test]
    fn the_clock_goes_on() {
        let first = now();
        assert!(first > Moment::ZERO && now() >= first);
    }
}

//! When `run` is called again.

use std::time::Duration;

use kozo_abi::Pace;

use kozo_ground::clock::Moment;

/// So many calls of `run` in [`SPIN_WINDOW`] that neither waited nor took a message are too many.
pub(super) const SPIN_RUNS: u32 = 1000;

/// The time in which [`SPIN_RUNS`] are counted.
pub(super) const SPIN_WINDOW: Duration = Duration::from_secs(1);

/// A call of `run` that lasts this long does some work, also when it neither waits nor takes a
/// message.
const WORK: Duration = Duration::from_millis(1);

/// The pause between two calls of `run` of a role that spins.
pub(super) const SPIN_PAUSE: Duration = Duration::from_millis(10);

/// The starts of `run` in one life of a role.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    last_start: Option<Moment>,
    first_start: Option<Moment>,
}

impl Schedule {
    /// The earliest next start at this pace; none: at once.
    pub(super) fn next_start(
        &mut self,
        pace: Pace,
        now: Moment,
        random: &mut fastrand::Rng,
    ) -> Option<Moment> {
        let (Pace::Every(interval) | Pace::EveryOrMessage(interval)) = pace else {
            return None;
        };
        if let Some(last) = self.last_start {
            return Some(last + interval);
        }
        // Drawn once: whatever ends the wait early does not draw another one.
        let first = self
            .first_start
            .get_or_insert_with(|| now + interval.mul_f64(random.f64()));
        Some(*first)
    }

    /// `run` is called now.
    pub(super) fn started(&mut self, now: Moment) {
        self.last_start = Some(now);
    }
}

/// Finds a role that keeps a processor busy with nothing: its `run` returns at once, again and
/// again.
#[derive(Debug, Default)]
pub(super) struct SpinGuard {
    window_start: Moment,
    runs: u32,
    is_spinning: bool,
    has_warned: bool,
}

/// What to do after a call of `run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spin {
    /// Nothing is to be done.
    No,
    /// Pause for [`SPIN_PAUSE`].
    Pause,
    /// Pause, and tell the user, this once.
    PauseAndWarn,
}

impl SpinGuard {
    /// A call of `run` is over that began at `start`; `was_active` if it took a message or waited.
    pub(super) fn after_run(&mut self, was_active: bool, start: Moment, now: Moment) -> Spin {
        if was_active || now.since(start) >= WORK {
            self.runs = 0;
            self.is_spinning = false;
            return Spin::No;
        }
        if self.is_spinning {
            return Spin::Pause;
        }
        if self.runs == 0 || now.since(self.window_start) > SPIN_WINDOW {
            self.window_start = start;
            self.runs = 0;
        }
        self.runs += 1;
        if self.runs <= SPIN_RUNS {
            return Spin::No;
        }
        self.is_spinning = true;
        if std::mem::replace(&mut self.has_warned, true) {
            Spin::Pause
        } else {
            Spin::PauseAndWarn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_start_is_within_the_interval_and_the_others_an_interval_apart() {
        let mut random = fastrand::Rng::with_seed(1);
        let start = Moment::ZERO + SECOND;
        for pace in [Pace::Every(SECOND), Pace::EveryOrMessage(SECOND)] {
            let mut schedule = Schedule::default();
            let mut next =
                |schedule: &mut Schedule, now| schedule.next_start(pace, now, &mut random).unwrap();
            let first = next(&mut schedule, start);
            assert!((start..=start + SECOND).contains(&first));
            assert_eq!(next(&mut schedule, start + SECOND / 2), first);
            schedule.started(first);
            assert_eq!(next(&mut schedule, first), first + SECOND);
        }
        let at_once = Schedule::default().next_start(Pace::AtOnce, start, &mut random);
        assert_eq!(at_once, None);
    }

    #[test]
    fn the_longest_interval_harms_nothing() {
        let mut random = fastrand::Rng::with_seed(1);
        let longest = Pace::Every(Duration::from_nanos(u64::MAX));
        let mut schedule = Schedule::default();
        assert!(
            schedule
                .next_start(longest, Moment::ZERO, &mut random)
                .is_some()
        );
        schedule.started(Moment::ZERO + SECOND);
        assert!(
            schedule
                .next_start(longest, Moment::ZERO, &mut random)
                .is_some()
        );
    }

    /// What the guard says to so many runs that take `each` and begin `every` apart.
    fn spins(
        guard: &mut SpinGuard,
        runs: u32,
        active: bool,
        each: Duration,
        every: Duration,
    ) -> Vec<Spin> {
        let mut now = Moment::ZERO;
        let mut spins = Vec::new();
        for _ in 0..runs {
            spins.push(guard.after_run(active, now, now + each));
            now = now + every;
        }
        spins
    }

    #[test]
    fn a_role_that_spins_is_slowed_down_with_one_warning() {
        let tiny = Duration::from_micros(10);
        let mut guard = SpinGuard::default();
        let said = spins(&mut guard, SPIN_RUNS + 3, false, tiny, tiny);
        let (quiet, late) = said.split_at(SPIN_RUNS as usize);
        assert!(quiet.iter().all(|spin| *spin == Spin::No));
        assert_eq!(late, [Spin::PauseAndWarn, Spin::Pause, Spin::Pause]);
        assert_eq!(spins(&mut guard, 1, true, tiny, tiny), [Spin::No]);
        let again = spins(&mut guard, SPIN_RUNS + 1, false, tiny, tiny);
        assert_eq!(again.last(), Some(&Spin::Pause));
        assert!(!again.contains(&Spin::PauseAndWarn));
    }

    #[test]
    fn roles_that_wait_work_or_come_back_seldom_are_left_alone() {
        let tiny = Duration::from_micros(10);
        let many = SPIN_RUNS * 5;
        for (active, each, every) in [
            (true, tiny, tiny),
            (false, WORK, WORK),
            (false, tiny, Duration::from_millis(2)),
        ] {
            let said = spins(&mut SpinGuard::default(), many, active, each, every);
            assert!(said.iter().all(|spin| *spin == Spin::No));
        }
    }
}

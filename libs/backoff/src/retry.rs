//! Asking again, now and then, for what was refused.

use std::time::{Duration, Instant};

use crate::Backoff;

/// When what was refused is asked for again, by somebody who hears of refusals and never that something is granted:
/// what is not refused once more is. It knows nothing of what that is, and whatever is refused waits for the same
/// moment.
#[derive(Debug)]
pub struct Retry {
    backoff: Backoff,
    random: fastrand::Rng,
    ceiling: Duration,
    next: Option<Instant>,
    /// When it was asked last.
    asked: Option<Instant>,
}

impl Retry {
    /// Waits that begin with `first` and are never longer than `ceiling`, as those of a [`Backoff`] are.
    pub fn new(first: Duration, ceiling: Duration) -> Self {
        Self {
            backoff: Backoff::new(first, ceiling),
            random: fastrand::Rng::new(),
            ceiling,
            next: None,
            asked: None,
        }
    }

    /// Something was refused. One that comes later than the longest wait after the last time that it was asked is no
    /// answer to that, so the waits begin anew.
    pub fn refused(&mut self, now: Instant) {
        if self.next.is_some() {
            return;
        }
        let is_answer = |asked: Instant| now.saturating_duration_since(asked) <= self.ceiling;
        if !self.asked.is_some_and(is_answer) {
            self.backoff.reset();
        }
        self.next = Some(now + self.backoff.next(&mut self.random));
    }

    /// Whether it is to be asked again now; then that counts as done.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.next.is_some_and(|next| next <= now);
        if is_due {
            self.next = None;
            self.asked = Some(now);
        }
        is_due
    }

    /// When to look again; none while nothing is refused.
    pub fn timeout(&self) -> Option<Instant> {
        self.next
    }

    /// Nothing is refused any more, since nobody has been asked yet: on a new connection, say.
    pub fn reset(&mut self) {
        self.next = None;
        self.asked = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(2);
    const CEILING: Duration = Duration::from_secs(30);

    /// The wait after something is refused now, and the moment at which it has passed.
    fn wait(retry: &mut Retry, now: Instant) -> (u64, Instant) {
        retry.refused(now);
        let next = retry.timeout().unwrap();
        assert!(!retry.is_due(next - Duration::from_millis(1)));
        // What is refused meanwhile waits for the same moment.
        retry.refused(now + Duration::from_millis(1));
        assert_eq!(retry.timeout(), Some(next));
        assert!(retry.is_due(next));
        assert!(!retry.is_due(next));
        assert_eq!(retry.timeout(), None);
        ((next - now).as_secs(), next)
    }

    #[test]
    fn what_is_refused_again_and_again_is_asked_for_less_and_less_often() {
        let mut retry = Retry::new(FIRST, CEILING);
        let mut now = Instant::now();
        for full in [2, 4, 8, 16, 30, 30] {
            let (seconds, next) = wait(&mut retry, now);
            assert!((full / 2..=full).contains(&seconds), "{seconds} of {full}");
            now = next;
        }
    }

    #[test]
    fn waits_begin_anew_with_what_is_no_answer() {
        let mut retry = Retry::new(FIRST, CEILING);
        let mut now = Instant::now();
        for _ in 0..5 {
            (_, now) = wait(&mut retry, now);
        }
        let later = now + CEILING + Duration::from_secs(1);
        assert!(wait(&mut retry, later).0 <= 2);
        retry.refused(later);
        retry.reset();
        assert_eq!(retry.timeout(), None);
        assert!(wait(&mut retry, later).0 <= 2);
    }
}

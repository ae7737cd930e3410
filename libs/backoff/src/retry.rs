//! Asking again, now and then, for what was refused.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::Backoff;

/// What was refused and when it is asked for again, by somebody who hears of refusals and never that something is
/// granted: what is not refused once more is. All of it waits for the same moment.
#[derive(Debug)]
pub struct Retry {
    refused: BTreeSet<String>,
    backoff: Backoff,
    random: fastrand::Rng,
    next: Option<Instant>,
    /// When it was asked last.
    asked: Option<Instant>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            refused: BTreeSet::new(),
            backoff: Backoff::new(Self::FIRST, Self::LONGEST),
            random: fastrand::Rng::new(),
            next: None,
            asked: None,
        }
    }
}

impl Retry {
    /// How long it takes at first until what was refused is asked for again, at most: permissions can change while a
    /// connection stands, and nobody says so.
    pub const FIRST: Duration = Duration::from_secs(2);

    /// How long it takes later, at most.
    pub const LONGEST: Duration = Duration::from_secs(30);

    /// Something was refused. A refusal that comes later than the longest wait after the last time that it was asked is no
    /// answer to that, so the waits begin anew.
    pub fn add(&mut self, what: &str, now: Instant) {
        self.refused.insert(what.to_owned());
        if self.next.is_some() {
            return;
        }
        let is_answer = |asked: Instant| now.saturating_duration_since(asked) <= Self::LONGEST;
        if !self.asked.is_some_and(is_answer) {
            self.backoff.reset();
        }
        self.next = Some(now + self.backoff.next(&mut self.random));
    }

    /// It is wanted no longer.
    pub fn forget(&mut self, what: &str) {
        self.refused.remove(what);
    }

    /// Takes what is to be asked for again now; that counts as done then.
    pub fn take_due(&mut self, now: Instant) -> BTreeSet<String> {
        if self.next.is_none_or(|next| next > now) {
            return BTreeSet::new();
        }
        self.next = None;
        self.asked = Some(now);
        std::mem::take(&mut self.refused)
    }

    /// When to look again; none while nothing is refused.
    pub fn timeout(&self) -> Option<Instant> {
        self.next
    }

    /// Nothing is refused any more, since nobody has been asked yet: on a new connection, say.
    pub fn reset(&mut self) {
        self.refused.clear();
        self.next = None;
        self.asked = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wait after something is refused now, and the moment at which it has passed.
    fn wait(retry: &mut Retry, now: Instant) -> (u64, Instant) {
        retry.add("a", now);
        let next = retry.timeout().unwrap();
        assert!(retry.take_due(next - Duration::from_millis(1)).is_empty());
        // What is refused meanwhile waits for the same moment.
        retry.add("b", now + Duration::from_millis(1));
        retry.add("c", now + Duration::from_millis(1));
        retry.forget("c");
        assert_eq!(retry.timeout(), Some(next));
        assert!(retry.take_due(next).iter().eq(["a", "b"]));
        assert!(retry.take_due(next).is_empty());
        assert_eq!(retry.timeout(), None);
        ((next - now).as_secs(), next)
    }

    #[test]
    fn what_is_refused_again_and_again_is_asked_for_less_and_less_often() {
        let mut retry = Retry::default();
        let mut now = Instant::now();
        for full in [2, 4, 8, 16, 30, 30] {
            let (seconds, next) = wait(&mut retry, now);
            assert!((full / 2..=full).contains(&seconds), "{seconds} of {full}");
            now = next;
        }
    }

    #[test]
    fn waits_begin_anew_with_what_is_no_answer() {
        let mut retry = Retry::default();
        let mut now = Instant::now();
        for _ in 0..5 {
            (_, now) = wait(&mut retry, now);
        }
        let later = now + Retry::LONGEST + Duration::from_secs(1);
        assert!(wait(&mut retry, later).0 <= 2);
        retry.add("a", later);
        retry.reset();
        assert_eq!(retry.timeout(), None);
        assert!(wait(&mut retry, later).0 <= 2);
    }
}

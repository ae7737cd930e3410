//! One answer to many changes: an interface that comes up changes a dozen addresses and routes.

use std::time::Duration;

use kozo_ground::clock::Moment;

/// How long there has to be no further change.
const QUIET: Duration = Duration::from_millis(500);

/// How long changes that do not end may delay the answer.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// How long there is no second answer after one: a network that changes all the time (a router
/// that announces itself every few seconds) must not undo the back-off.
const REST: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
pub(super) struct Debounce {
    /// The first and the last change that was not answered.
    pending: Option<(Moment, Moment)>,
    answered: Option<Moment>,
}

impl Debounce {
    /// Something changed.
    pub(super) fn changed(&mut self, now: Moment) {
        let first = self.pending.map_or(now, |(first, _)| first);
        self.pending = Some((first, now));
    }

    /// When to answer.
    pub(super) fn due(&self) -> Option<Moment> {
        let (first, last) = self.pending?;
        let due = (last + QUIET).min(first + LONGEST_DELAY);
        Some(self.answered.map_or(due, |earlier| due.max(earlier + REST)))
    }

    /// Whether to answer now; if so all is answered.
    pub(super) fn take(&mut self, now: Moment) -> bool {
        let due = self.due().is_some_and(|due| due <= now);
        if due {
            self.pending = None;
            self.answered = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(milliseconds)
    }

    #[test]
    fn many_changes_have_one_answer_when_they_end() {
        let mut debounce = Debounce::default();
        assert_eq!(debounce.due(), None);
        for change in [0, 100, 400] {
            debounce.changed(at(change));
        }
        assert!(!debounce.take(at(899)));
        assert!(debounce.take(at(900)));
        assert!(!debounce.take(at(2000)));
    }

    #[test]
    fn changes_without_end_are_answered_but_seldom() {
        let mut debounce = Debounce::default();
        let mut answers = Vec::new();
        for now in (0..60_000).step_by(100) {
            debounce.changed(at(now));
            if debounce.take(at(now)) {
                answers.push(now);
            }
        }
        assert_eq!(answers, [2000, 17_000, 32_000, 47_000]);
    }
}

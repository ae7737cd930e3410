//! When to ask a server whether it is there, and what its answer says: it works off what it is sent in order, so it has
//! everything that was published before the question. Pure.
//!
//! There is never more than one question on its way; what was published meanwhile is asked for with the next. So
//! an idle connection confirms after one round trip, and a busy one spends nothing on it.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Pulse {
    interval: Duration,
    /// When anything came from the server last.
    heard: Instant,
    /// When it was asked last.
    asked: Instant,
    /// What is on its way: when it left, and up to which number everything was sent before it.
    question: Option<(Instant, u64)>,
    /// Up to which number everything was sent, and was confirmed.
    sent: u64,
    confirmed: u64,
}

/// What a server's answer says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// When the question left.
    pub(crate) asked: Instant,
    /// It has all up to this number.
    pub(crate) confirmed: Option<u64>,
    pub(crate) round_trip: Duration,
}

/// What is to be done at a time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Nothing,
    /// It is to be asked.
    Ask,
    /// It has not answered for too long.
    Silent,
}

impl Pulse {
    /// Of a connection that stands since now, and is asked for the first time right now. It is asked every `interval`
    /// at least, and counts as lost when nothing came for two of them in spite of a question.
    pub(crate) fn new(interval: Duration, sent: u64, now: Instant) -> Self {
        Self {
            interval,
            heard: now,
            asked: now,
            question: Some((now, sent)),
            sent,
            confirmed: sent,
        }
    }

    /// Something has come.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Everything up to this number is about to be written. Whether a question is to follow it.
    pub(crate) fn sending(&mut self, number: u64, now: Instant) -> bool {
        self.sent = number;
        self.question.is_none() && self.confirmed < number && self.ask(now)
    }

    /// The answer has come; none was asked for, then it says nothing. And whether there is to be another question.
    pub(crate) fn answered(&mut self, now: Instant) -> (Option<Answer>, bool) {
        let Some((left, number)) = self.question.take() else {
            return (None, false);
        };
        let answer = Answer {
            asked: left,
            confirmed: (number > self.confirmed).then_some(number),
            round_trip: now.saturating_duration_since(left),
        };
        self.confirmed = self.confirmed.max(number);
        let again = self.sent > self.confirmed && self.ask(now);
        (Some(answer), again)
    }

    fn ask(&mut self, now: Instant) -> bool {
        self.asked = now;
        self.question = Some((now, self.sent));
        true
    }

    /// What is to be done; after [`Beat::Ask`] it counts as done.
    pub(crate) fn tick(&mut self, now: Instant) -> Beat {
        match self.question {
            Some(_) if now >= self.silent_at() => Beat::Silent,
            None if now >= self.asked + self.interval => {
                self.ask(now);
                Beat::Ask
            }
            _ => Beat::Nothing,
        }
    }

    /// When to look again.
    pub(crate) fn timeout(&self) -> Instant {
        match self.question {
            Some(_) => self.silent_at(),
            None => self.asked + self.interval,
        }
    }

    /// What was heard before the question tells nothing about what becomes of it.
    fn silent_at(&self) -> Instant {
        self.heard.max(self.asked) + 2 * self.interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(3);

    #[test]
    fn an_answer_confirms_what_was_sent_before_the_question() {
        let start = Instant::now();
        let mut pulse = Pulse::new(INTERVAL, 7, start);
        let (answer, again) = pulse.answered(start + SHORT);
        assert_eq!((answer.unwrap().confirmed, again), (None, false));
        assert!(pulse.sending(9, start));
        // Meanwhile there is one question on its way.
        assert!(!pulse.sending(20, start));
        assert!(!pulse.sending(30, start));
        let (answer, again) = pulse.answered(start + SHORT);
        let answer = answer.unwrap();
        assert_eq!((answer.confirmed, answer.round_trip), (Some(9), SHORT));
        assert!(again);
        let (answer, again) = pulse.answered(start + 2 * SHORT);
        assert_eq!(answer.unwrap().confirmed, Some(30));
        assert!(!again);
        assert_eq!(pulse.answered(start), (None, false));
    }

    #[test]
    fn nothing_is_confirmed_that_was_sent_on_another_connection() {
        let start = Instant::now();
        let mut pulse = Pulse::new(INTERVAL, 100, start);
        pulse.answered(start);
        assert!(!pulse.sending(100, start));
        assert_eq!(pulse.tick(start + INTERVAL), Beat::Ask);
        let (answer, _) = pulse.answered(start + INTERVAL);
        assert_eq!(answer.unwrap().confirmed, None);
    }

    #[test]
    fn a_silent_server_is_gone_after_two_intervals() {
        let start = Instant::now();
        let mut pulse = Pulse::new(INTERVAL, 0, start);
        pulse.answered(start);
        assert_eq!(pulse.tick(start), Beat::Nothing);
        let at = pulse.timeout();
        assert_eq!(at, start + INTERVAL);
        assert_eq!(pulse.tick(at), Beat::Ask);
        assert_eq!(pulse.timeout(), at + 2 * INTERVAL);
        // Whatever it says is a sign of life.
        pulse.heard(at + INTERVAL);
        assert_eq!(pulse.tick(at + 2 * INTERVAL), Beat::Nothing);
        assert_eq!(pulse.tick(at + 3 * INTERVAL), Beat::Silent);
        // And one that answers is asked again.
        pulse.answered(at + 3 * INTERVAL);
        assert_eq!(pulse.tick(at + 3 * INTERVAL), Beat::Ask);
    }
}

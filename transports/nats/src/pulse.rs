//! When to ask a server whether it is there, and what its answer says: it works off what it is sent in order, so it has
//! everything that was published before the question. Pure.
//!
//! There is never more than one question on its way; what was published meanwhile is asked for with the next. So
//! an idle connection confirms after one round trip, and a busy one spends nothing on it. In between, where messages leave
//! one by one, a question with each would cost as much as the message, whose way it crosses: it waits for a few
//! of them, as long as that is little of what the host lets be unconfirmed.

use std::time::{Duration, Instant};

/// How long a question waits while messages leave one by one.
const HELD: Duration = Duration::from_millis(5);

/// How many messages it waits for at most.
const MOST_HELD: u64 = 8;

/// Which part of what may be unconfirmed it may wait for.
const PART: u64 = 16;

#[derive(Debug)]
pub(crate) struct Pulse {
    interval: Duration,
    patience: Patience,
    /// Until then the next question may wait.
    held: Option<Instant>,
    /// Something was sent that no question waits for.
    is_pressing: bool,
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

/// What a question may wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Patience {
    /// How many messages may be unconfirmed.
    messages: u64,
    /// How many bytes one of them may have.
    pub(crate) bytes: u64,
}

impl Patience {
    /// That of a host which lets so much be unconfirmed.
    pub(crate) fn new(messages: u64, bytes: u64) -> Self {
        Self {
            messages: (messages / PART).min(MOST_HELD),
            bytes: bytes / PART / MOST_HELD,
        }
    }
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
    pub(crate) fn new(interval: Duration, patience: Patience, sent: u64, now: Instant) -> Self {
        Self {
            interval,
            patience,
            held: None,
            is_pressing: false,
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

    /// Everything up to this number is about to be written; `may_wait`: it is one small message by itself. Whether a question
    /// is to follow it.
    pub(crate) fn sending(&mut self, number: u64, may_wait: bool, now: Instant) -> bool {
        self.sent = number;
        let unconfirmed = number.saturating_sub(self.confirmed);
        let may_wait = may_wait && unconfirmed < self.patience.messages;
        self.is_pressing |= !may_wait;
        let is_held = may_wait && self.held.is_some_and(|until| now < until);
        self.question.is_none() && unconfirmed > 0 && !is_held && self.ask(now)
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
        let is_held = !self.is_pressing && self.held.is_some_and(|until| now < until);
        let again = self.sent > self.confirmed && !is_held && self.ask(now);
        (Some(answer), again)
    }

    fn ask(&mut self, now: Instant) -> bool {
        // Of messages that come now and then each is asked for at once, and no time is to be kept.
        let is_soon = now.saturating_duration_since(self.asked) < 2 * HELD;
        self.held = (is_soon && self.patience.messages > 0).then(|| now + HELD);
        self.is_pressing = false;
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
            None if self.held.take_if(|until| *until <= now).is_some()
                && self.sent > self.confirmed =>
            {
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
            None => {
                let next = self.asked + self.interval;
                self.held.map_or(next, |until| until.min(next))
            }
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
        let mut pulse = Pulse::new(INTERVAL, Patience::default(), 7, start);
        let (answer, again) = pulse.answered(start + SHORT);
        assert_eq!((answer.unwrap().confirmed, again), (None, false));
        assert!(pulse.sending(9, false, start));
        // Meanwhile there is one question on its way.
        assert!(!pulse.sending(20, false, start));
        assert!(!pulse.sending(30, false, start));
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
        let mut pulse = Pulse::new(INTERVAL, Patience::default(), 100, start);
        pulse.answered(start);
        assert!(!pulse.sending(100, false, start));
        assert_eq!(pulse.tick(start + INTERVAL), Beat::Ask);
        let (answer, _) = pulse.answered(start + INTERVAL);
        assert_eq!(answer.unwrap().confirmed, None);
    }

    #[test]
    fn a_silent_server_is_gone_after_two_intervals() {
        let start = Instant::now();
        let mut pulse = Pulse::new(INTERVAL, Patience::default(), 0, start);
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

    #[test]
    fn what_leaves_one_by_one_is_asked_for_together_and_what_is_much_at_once() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pulse = Pulse::new(INTERVAL, Patience::new(128, 4 << 20), 0, start);
        pulse.answered(start);
        // The first ones may be all that come: only then it is known that they come in a row.
        assert!(pulse.sending(1, true, at(1000)));
        assert_eq!(pulse.answered(at(1000)).0.unwrap().confirmed, Some(1));
        assert_eq!(pulse.timeout(), at(1000) + INTERVAL);
        assert!(pulse.sending(2, true, at(1001)));
        assert_eq!(pulse.answered(at(1001)), (pulse_answer(at(1001), 2), false));
        assert_eq!(pulse.timeout(), at(1006));
        assert!(!pulse.sending(3, true, at(1002)));
        assert!(!pulse.sending(4, true, at(1003)));
        assert_eq!(pulse.tick(at(1005)), Beat::Nothing);
        assert_eq!(pulse.tick(at(1006)), Beat::Ask);
        // What left while it was on its way waits for the next.
        assert!(!pulse.sending(5, true, at(1006)));
        assert_eq!(pulse.answered(at(1006)), (pulse_answer(at(1006), 4), false));
        assert_eq!(pulse.tick(at(1011)), Beat::Ask);
        assert_eq!(pulse.answered(at(1011)).0.unwrap().confirmed, Some(5));
        // Nothing does any more.
        assert_eq!(pulse.tick(at(1016)), Beat::Nothing);
        assert_eq!(pulse.timeout(), at(1011) + INTERVAL);

        // Neither many nor much waits, and nothing where little may be unconfirmed.
        assert!(pulse.sending(6, true, at(1017)));
        pulse.answered(at(1017));
        assert!((7..14).all(|number| !pulse.sending(number, true, at(1018))));
        assert!(pulse.sending(14, true, at(1018)));
        pulse.answered(at(1018));
        assert!(!pulse.sending(15, true, at(1019)));
        assert!(pulse.sending(16, false, at(1019)));
        assert!(!pulse.sending(17, false, at(1019)));
        assert!(pulse.answered(at(1019)).1);
        assert_eq!(Patience::new(15, 1024).messages, 0);
    }

    /// The answer to a question that left just then.
    fn pulse_answer(asked: Instant, confirmed: u64) -> Option<Answer> {
        Some(Answer {
            asked,
            confirmed: Some(confirmed),
            round_trip: Duration::ZERO,
        })
    }
}

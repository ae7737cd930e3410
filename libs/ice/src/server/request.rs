//! A request that is sent again until it is answered.

use std::time::{Duration, Instant};

use crate::candidate::fill_with_random;
use crate::stun::Transaction;

/// How long the first answer is waited for; twice as long each time after that.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// How often a request is sent, within sixteen seconds; the last wait ends another sixteen later.
const TRIES: u32 = 7;

/// One that nobody can guess, since the answers of STUN servers prove themselves with nothing else.
pub(super) fn new_transaction() -> Transaction {
    let mut transaction = Transaction::default();
    fill_with_random(&mut transaction);
    transaction
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) transaction: Transaction,
    contents: Vec<u8>,
    tries: u32,
    due: Instant,
}

/// What is to be done about a request whose time has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Send(Vec<u8>),
    GiveUp,
}

impl Request {
    /// One that is due at once.
    pub(super) fn new(now: Instant, transaction: Transaction, contents: Vec<u8>) -> Self {
        Self {
            transaction,
            contents,
            tries: 0,
            due: now,
        }
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// What to do now; `None` while there is time.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Due> {
        if now < self.due {
            return None;
        }
        if self.tries == TRIES {
            return Some(Due::GiveUp);
        }
        self.due = now + FIRST_WAIT * (1 << self.tries);
        self.tries += 1;
        Some(Due::Send(self.contents.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_sent_ever_more_seldom_and_then_given_up() {
        let start = Instant::now();
        let mut request = Request::new(start, [0; 12], vec![1]);
        let mut sent = Vec::new();
        loop {
            let now = request.due();
            match request.poll(now) {
                Some(Due::Send(_)) => sent.push((now - start).as_millis()),
                Some(Due::GiveUp) => break,
                None => panic!("it was due"),
            }
            assert_eq!(request.poll(now), None);
        }
        assert_eq!(sent, [0, 250, 750, 1750, 3750, 7750, 15750]);
    }
}

//! The queue between `relay.relay` and the passing on, pure: the time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many bytes all messages together may have that wait.
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Messages that wait, oldest first.
#[derive(Debug)]
pub(crate) struct Limiter<T> {
    waiting: VecDeque<(T, usize)>,
    bytes: usize,
    length: usize,
    interval: Duration,
    last: Option<Instant>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    /// Pass this one on.
    Pass(T),
    /// Wait until then.
    Wait(Instant),
    /// Wait until there is one.
    Nothing,
}

/// There is no room for another message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<T> Limiter<T> {
    /// A queue of so many messages, with at least `interval` from one to the next.
    pub(crate) fn new(length: usize, interval: Duration) -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            length,
            interval,
            last: None,
        }
    }

    /// Adds a message of so many bytes.
    pub(crate) fn push(&mut self, message: T, size: usize) -> Result<(), Full> {
        if self.waiting.len() >= self.length || self.bytes + size > MAX_BYTES {
            return Err(Full);
        }
        self.bytes += size;
        self.waiting.push_back((message, size));
        Ok(())
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes the next one, if its time has come.
    pub(crate) fn next(&mut self, now: Instant) -> Next<T> {
        if self.waiting.is_empty() {
            return Next::Nothing;
        }
        if let Some(due) = self.last.map(|last| last + self.interval)
            && due > now
        {
            return Next::Wait(due);
        }
        let Some((message, size)) = self.waiting.pop_front() else {
            return Next::Nothing;
        };
        self.bytes -= size;
        self.last = Some(now);
        Next::Pass(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_pass_in_their_order_and_not_faster_than_they_may() {
        let start = Instant::now();
        let interval = Duration::from_secs(2);
        let mut limiter = Limiter::new(9, interval);
        assert_eq!(limiter.next(start), Next::Nothing);
        for message in 1..=3 {
            limiter.push(message, 1).unwrap();
        }
        assert_eq!(limiter.next(start), Next::Pass(1));
        assert_eq!(limiter.next(start), Next::Wait(start + interval));
        assert_eq!(limiter.next(start + interval), Next::Pass(2));
        let late = start + 10 * interval;
        assert_eq!(limiter.next(late), Next::Pass(3));
        assert_eq!(limiter.next(late), Next::Nothing);
        // The pause counts for one that comes later as well.
        limiter.push(4, 1).unwrap();
        assert_eq!(limiter.next(late), Next::Wait(late + interval));
    }

    #[test]
    fn without_an_interval_nothing_waits() {
        let start = Instant::now();
        let mut limiter = Limiter::new(9, Duration::ZERO);
        limiter.push(1, 1).unwrap();
        limiter.push(2, 1).unwrap();
        assert_eq!(limiter.next(start), Next::Pass(1));
        assert_eq!(limiter.next(start), Next::Pass(2));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let start = Instant::now();
        let mut limiter = Limiter::new(2, Duration::ZERO);
        assert_eq!(limiter.push(1, MAX_BYTES), Ok(()));
        assert_eq!(limiter.push(2, 1), Err(Full));
        assert_eq!(limiter.next(start), Next::Pass(1));
        assert_eq!(limiter.push(2, 1), Ok(()));
        assert_eq!(limiter.push(3, 1), Ok(()));
        assert_eq!(limiter.push(4, 1), Err(Full));
    }
}

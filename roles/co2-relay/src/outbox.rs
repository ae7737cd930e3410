//! What waits for one satellite, pure. A message that does not fit pushes out the oldest.

use std::collections::VecDeque;

use kozo_co2::document::Notify;

/// How many messages wait for a satellite: as many as wait to be passed on to all of them by default, so that a burst
/// that was taken gets through to whoever keeps up.
pub(crate) const MAX_MESSAGES: usize = 1000;

/// How many bytes they have together. Satellites share what is the same in all of them.
pub(crate) const MAX_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Notify>,
    bytes: usize,
    /// How many were pushed out that nobody has been told of.
    pushed_out: u64,
}

/// What a message has cost others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pushed {
    /// How many it has pushed out.
    pub(crate) out: u64,
    /// Whether they are the first since [`Outbox::take_pushed_out`].
    pub(crate) first: bool,
}

impl Outbox {
    /// Adds a message.
    pub(crate) fn push(&mut self, message: Notify) -> Pushed {
        let mut out = 0;
        while !self.waiting.is_empty()
            && (self.waiting.len() >= MAX_MESSAGES || self.bytes + message.len() > MAX_BYTES)
        {
            self.pop();
            out += 1;
        }
        let first = out > 0 && self.pushed_out == 0;
        self.pushed_out += out;
        self.bytes += message.len();
        self.waiting.push_back(message);
        Pushed { out, first }
    }

    /// How many were pushed out since this was asked last.
    pub(crate) fn take_pushed_out(&mut self) -> u64 {
        std::mem::take(&mut self.pushed_out)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn pop(&mut self) -> Option<Notify> {
        let message = self.waiting.pop_front()?;
        self.bytes -= message.len();
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use kozo_co2::Value;

    use super::*;

    #[test]
    fn the_oldest_make_room_for_the_newest() {
        let message = |text: String| Notify::new("1@a:1", Value::String(text)).unwrap();
        let mut outbox = Outbox::default();
        for number in 0..MAX_MESSAGES {
            assert_eq!(outbox.push(message(number.to_string())), Pushed::default());
        }
        let pushed = |out, first| Pushed { out, first };
        assert_eq!(outbox.push(message("new".to_owned())), pushed(1, true));
        // Two of these and one of those have no room beside each other.
        let large = message("x".repeat(MAX_BYTES / 2));
        let small = large.len();
        assert_eq!(outbox.push(large.clone()), pushed(1, false));
        assert_eq!(outbox.take_pushed_out(), 2);
        let all = u64::try_from(MAX_MESSAGES).unwrap();
        assert_eq!(outbox.push(large), pushed(all, true));
        assert!(outbox.pop().is_some_and(|message| message.len() == small));
        assert!(outbox.pop().is_none());
        assert_eq!(outbox.bytes, 0);
    }
}

//! What waits for one satellite, pure. A message that does not fit pushes out the oldest.

use std::collections::VecDeque;

use kozo_co2::document::Notify;

/// How many messages wait for a satellite.
pub(crate) const MAX_MESSAGES: usize = 64;

/// How many bytes they have together. Satellites share what is the same in all of them.
pub(crate) const MAX_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Notify>,
    bytes: usize,
}

impl Outbox {
    /// Adds a message; how many it has pushed out.
    pub(crate) fn push(&mut self, message: Notify) -> u64 {
        let mut pushed_out = 0;
        while !self.waiting.is_empty()
            && (self.waiting.len() >= MAX_MESSAGES || self.bytes + message.len() > MAX_BYTES)
        {
            self.pop();
            pushed_out += 1;
        }
        self.bytes += message.len();
        self.waiting.push_back(message);
        pushed_out
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
            assert_eq!(outbox.push(message(number.to_string())), 0);
        }
        assert_eq!(outbox.push(message("new".to_owned())), 1);
        // Two of these and one of those have no room beside each other.
        let large = message("x".repeat(MAX_BYTES / 2));
        let small = large.len();
        assert_eq!(outbox.push(large.clone()), 1);
        assert_eq!(outbox.push(large), u64::try_from(MAX_MESSAGES).unwrap());
        assert!(outbox.pop().is_some_and(|message| message.len() == small));
        assert!(outbox.pop().is_none());
        assert_eq!(outbox.bytes, 0);
    }
}

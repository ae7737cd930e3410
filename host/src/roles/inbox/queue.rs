//! What waits for a role, in the order in which it came.
//!
//! Messages that came together stay together until they are taken: they are put here as they are, not one by one.

use std::collections::VecDeque;
use std::vec::IntoIter;

use kozo_ground::queue::{Bursts, QueueLimits};

use super::IncomingMessage;

/// How many messages stay together at most: as long as the last of them waits, room for all of them is kept.
pub(crate) const MAX_TOGETHER: usize = 128;

/// Messages that wait, bounded in number and size; what does not fit pushes out the oldest. A message that is larger than
/// the limit of the size is held alone.
#[derive(Debug)]
pub(super) struct WaitingMessages {
    /// None of them is empty.
    together: VecDeque<Together>,
    bursts: Bursts,
    length: usize,
    size: usize,
    limits: QueueLimits,
}

#[derive(Debug)]
enum Together {
    One(IncomingMessage),
    Many(IntoIter<IncomingMessage>),
}

impl Together {
    fn first(&self) -> Option<&IncomingMessage> {
        match self {
            Self::One(message) => Some(message),
            Self::Many(messages) => messages.as_slice().first(),
        }
    }
}

impl WaitingMessages {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self {
            together: VecDeque::new(),
            bursts: Bursts::default(),
            length: 0,
            size: 0,
            limits,
        }
    }

    /// Adds a message. The result is what it has pushed out, the oldest first.
    pub(super) fn push(&mut self, message: IncomingMessage) -> Vec<IncomingMessage> {
        let cost = message.message.cost();
        let mut dropped = Vec::new();
        while self.length > 0 && !self.fits(1, cost) {
            dropped.extend(self.pop());
        }
        self.length += 1;
        self.size += cost;
        self.add(Together::One(message));
        dropped
    }

    /// Adds messages in order, which came together and are [`MAX_TOGETHER`] at most. The result is what they have
    /// pushed out, as if they had been added one by one.
    pub(super) fn push_together(&mut self, messages: Vec<IncomingMessage>) -> Vec<IncomingMessage> {
        let cost = messages.iter().map(|one| one.message.cost()).sum();
        let count = messages.len();
        if count == 1 || !self.fits(count, cost) {
            let each = messages.into_iter();
            return each.flat_map(|message| self.push(message)).collect();
        }
        if count > 0 {
            self.length += count;
            self.size += cost;
            self.add(Together::Many(messages.into_iter()));
        }
        Vec::new()
    }

    fn add(&mut self, together: Together) {
        self.together.push_back(together);
        self.bursts.grown(self.together.len());
    }

    fn fits(&self, count: usize, cost: usize) -> bool {
        self.limits.fit(self.length, self.size, count, cost)
    }

    /// Takes the oldest message.
    pub(super) fn pop(&mut self) -> Option<IncomingMessage> {
        let (message, is_last) = match self.together.front_mut()? {
            Together::Many(messages) => (messages.next(), messages.as_slice().is_empty()),
            Together::One(_) => match self.together.pop_front() {
                Some(Together::One(message)) => (Some(message), false),
                Some(Together::Many(_)) | None => return None,
            },
        };
        if is_last {
            self.together.pop_front();
        }
        if self.together.is_empty() {
            self.bursts.over(&mut self.together);
        }
        let message = message?;
        self.length -= 1;
        self.size -= message.message.cost();
        Some(message)
    }

    /// The oldest message.
    pub(super) fn front(&self) -> Option<&IncomingMessage> {
        self.together.front().and_then(Together::first)
    }

    /// Changes the limits; the result is what does not fit any more, the oldest first.
    pub(super) fn set_limits(&mut self, limits: QueueLimits) -> Vec<IncomingMessage> {
        self.limits = limits;
        let mut dropped = Vec::new();
        while self.length > limits.length || (self.length > 1 && self.size > limits.size) {
            dropped.extend(self.pop());
        }
        dropped
    }

    /// Takes all, the oldest first.
    pub(super) fn take_all(&mut self) -> Vec<IncomingMessage> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many bytes they count together.
    pub(super) fn size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kozo_ground::clock::Moment;
    use kozo_ground::interest::Kind;
    use kozo_ground::names::{NodeName, RoleName};
    use kozo_ground::queue::RollingQueue;
    use kozo_wire::Message;
    use proptest::prelude::*;

    use super::*;

    fn incoming(number: usize, length: usize) -> IncomingMessage {
        let role = RoleName::new("timer1").unwrap();
        let data = [&[0xc4, length as u8][..], &vec![0; length]].concat();
        let sent = number as f64;
        IncomingMessage {
            sender: NodeName::new("clock").unwrap(),
            message: Message::new(Kind::Event, &role, "tick", None, sent, &data).unwrap(),
            arrived: Moment::ZERO,
            age: Duration::ZERO,
            expires: Moment::ZERO,
        }
    }

    #[derive(Debug, Clone)]
    enum Deed {
        Push(u8),
        PushAll(Vec<u8>),
        Pop,
        Limit(usize, usize),
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let deed = prop_oneof![
            any::<u8>().prop_map(Deed::Push),
            prop::collection::vec(any::<u8>(), 0..MAX_TOGETHER).prop_map(Deed::PushAll),
            prop::collection::vec(any::<u8>(), 0..5).prop_map(Deed::PushAll),
            Just(Deed::Pop),
            Just(Deed::Pop),
            (0_usize..300, 0_usize..60_000).prop_map(|(length, size)| Deed::Limit(length, size)),
        ];
        prop::collection::vec(deed, 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_does_what_a_queue_does_that_takes_them_one_by_one(deeds in deeds()) {
            let limits = QueueLimits { length: 200, size: 40_000 };
            let mut waiting = WaitingMessages::new(limits);
            let mut plain = RollingQueue::new(limits);
            let mut number = 0;
            let mut next = |length: &u8| {
                number += 1;
                incoming(number, usize::from(*length))
            };
            for deed in deeds {
                match deed {
                    Deed::Push(length) => {
                        let message = next(&length);
                        let cost = message.message.cost();
                        prop_assert_eq!(waiting.push(message.clone()), plain.push(message, cost));
                    }
                    Deed::PushAll(lengths) => {
                        let all: Vec<_> = lengths.iter().map(&mut next).collect();
                        let mut dropped = Vec::new();
                        for message in &all {
                            let cost = message.message.cost();
                            dropped.extend(plain.push(message.clone(), cost));
                        }
                        prop_assert_eq!(waiting.push_together(all), dropped);
                    }
                    Deed::Pop => prop_assert_eq!(waiting.pop(), plain.pop()),
                    Deed::Limit(length, size) => {
                        let limits = QueueLimits { length, size };
                        prop_assert_eq!(waiting.set_limits(limits), plain.set_limits(limits));
                    }
                }
                prop_assert_eq!(waiting.front(), plain.front());
                prop_assert_eq!(waiting.len(), plain.len());
                prop_assert_eq!(waiting.size(), plain.size());
                prop_assert_eq!(waiting.is_empty(), plain.is_empty());
            }
            let rest: Vec<_> = std::iter::from_fn(|| plain.pop()).collect();
            prop_assert_eq!(waiting.take_all(), rest);
            prop_assert!(waiting.is_empty() && waiting.size() == 0);
        }
    }
}

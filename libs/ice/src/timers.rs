//! Which of many things is due first.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Timers<Key> {
    order: BTreeSet<(Instant, Key)>,
    times: HashMap<Key, Instant>,
}

impl<Key> Default for Timers<Key> {
    fn default() -> Self {
        Self {
            order: BTreeSet::new(),
            times: HashMap::new(),
        }
    }
}

impl<Key: Copy + Ord + Hash> Timers<Key> {
    /// When this one is due, from now on.
    pub(crate) fn set(&mut self, key: Key, time: Option<Instant>) {
        let before = match time {
            Some(time) => self.times.insert(key, time),
            None => self.times.remove(&key),
        };
        if before == time {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, key));
        }
        if let Some(time) = time {
            self.order.insert((time, key));
        }
    }

    /// When this one is due.
    pub(crate) fn time(&self, key: Key) -> Option<Instant> {
        self.times.get(&key).copied()
    }

    /// When the first one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        Some(self.order.first()?.0)
    }

    /// The next one that is due, which is not set any more then.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Key> {
        let (time, key) = *self.order.first()?;
        if time > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_due_comes_in_order_and_once() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        for (key, seconds) in [('a', 3), ('b', 1), ('c', 2), ('a', 1), ('b', 9)] {
            timers.set(key, Some(at(seconds)));
        }
        timers.set('c', None);
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.take_due(now), None);
        assert_eq!(timers.take_due(at(5)), Some('a'));
        assert_eq!(timers.take_due(at(5)), None);
        assert_eq!(timers.take_due(at(9)), Some('b'));
        assert_eq!(timers.next(), None);
    }
}

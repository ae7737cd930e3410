//! The rolling queue: bounded in number and size, and what does not fit pushes out the oldest.

use std::collections::VecDeque;

/// The limits of a rolling queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// How many items it holds.
    pub length: usize,
    /// How many bytes they count together.
    pub size: usize,
}

impl QueueLimits {
    /// Whether `count` items more, which count `cost` bytes together, fit to `length` that count `size`.
    pub fn fit(self, length: usize, size: usize, count: usize, cost: usize) -> bool {
        let (length, size) = (length.saturating_add(count), size.saturating_add(cost));
        self.less(length, size).is_some()
    }

    /// What is left when so many items are in the queue, which count `cost` bytes together; none: they do not fit.
    pub fn less(self, count: usize, cost: usize) -> Option<Self> {
        Some(Self {
            length: self.length.checked_sub(count)?,
            size: self.size.checked_sub(cost)?,
        })
    }
}

/// A first-in, first-out queue that never refuses an item and never exceeds its limits, but for
/// one item that is larger than the size limit: it is held alone.
#[derive(Debug)]
pub struct RollingQueue<T> {
    items: VecDeque<(T, usize)>,
    size: usize,
    limits: QueueLimits,
    bursts: Bursts,
}

impl<T> RollingQueue<T> {
    /// An empty queue.
    pub fn new(limits: QueueLimits) -> Self {
        Self {
            items: VecDeque::new(),
            size: 0,
            limits,
            bursts: Bursts::default(),
        }
    }

    /// Changes the limits and returns what does not fit any more, oldest first.
    pub fn set_limits(&mut self, limits: QueueLimits) -> Vec<T> {
        self.limits = limits;
        let mut dropped = Vec::new();
        while self.items.len() > limits.length || (self.items.len() > 1 && self.size > limits.size)
        {
            dropped.extend(self.pop());
        }
        dropped
    }

    /// Adds an item that counts `cost` bytes and returns what it pushed out, oldest first.
    pub fn push(&mut self, item: T, cost: usize) -> Vec<T> {
        let mut dropped = Vec::new();
        while !self.has_room(cost) {
            dropped.extend(self.pop());
        }
        self.items.push_back((item, cost));
        self.bursts.grown(self.items.len());
        self.size = self.size.saturating_add(cost);
        dropped
    }

    /// Whether an item that counts `cost` bytes would push nothing out.
    pub fn has_room(&self, cost: usize) -> bool {
        self.items.is_empty() || self.has_room_for(1, cost)
    }

    /// Whether so many items, which count `cost` bytes together, would push nothing out, themselves included.
    pub fn has_room_for(&self, count: usize, cost: usize) -> bool {
        self.limits.fit(self.len(), self.size, count, cost)
    }

    /// How much it takes before it pushes anything out.
    pub fn free(&self) -> QueueLimits {
        let full = QueueLimits { length: 0, size: 0 };
        self.limits.less(self.len(), self.size).unwrap_or(full)
    }

    /// Whether so much is free that it is worth while to wake who waits for room: a quarter.
    pub fn is_roomy(&self) -> bool {
        let free = self.free();
        free.length >= self.limits.length / 4 && free.size >= self.limits.size / 4
    }

    /// Takes the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        let (item, cost) = self.items.pop_front()?;
        self.size -= cost;
        if self.items.is_empty() {
            self.bursts.over(&mut self.items);
        }
        Some(item)
    }

    /// The oldest item.
    pub fn front(&self) -> Option<&T> {
        self.items.front().map(|(item, _)| item)
    }

    /// The items, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|(item, _)| item)
    }

    /// Removes the items that `keep` does not want and returns how many they were.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) -> usize {
        let before = self.items.len();
        let size = &mut self.size;
        self.items.retain(|(item, cost)| {
            let kept = keep(item);
            if !kept {
                *size -= cost;
            }
            kept
        });
        before - self.items.len()
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many bytes they count together.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// How many places a queue keeps in any case.
const KEPT_ITEMS: usize = 64;
/// How many bytes the places count at most that it keeps after longer bursts.
const KEPT_BYTES: usize = 1 << 20;

/// What a queue that has become empty keeps of its memory.
///
/// Bursts come in rows. A queue that gave all back would take it again for the next one, from the system,
/// which clears it first: under load that was an eighth of all work. So it keeps as many places as bursts
/// needed lately, and a sixteenth less each time that it was fewer.
#[derive(Debug, Default)]
pub struct Bursts {
    /// The length of the present one.
    length: usize,
    /// The length that is kept room for.
    lately: usize,
}

impl Bursts {
    /// There are so many items in the queue.
    pub fn grown(&mut self, length: usize) {
        self.length = self.length.max(length);
    }

    /// The present one is over. The result is for how many items room is kept, of `most` at most.
    pub fn kept(&mut self, most: usize) -> usize {
        let faded = self.lately - self.lately.div_ceil(16);
        self.lately = std::mem::take(&mut self.length).max(faded);
        self.lately.clamp(KEPT_ITEMS, most.max(KEPT_ITEMS))
    }

    /// The queue has become empty: gives back what is too much.
    pub fn over<T>(&mut self, queue: &mut VecDeque<T>) {
        let kept = self.kept(KEPT_BYTES / size_of::<T>().max(1));
        // It grows by doubling.
        if queue.capacity() > 2 * kept {
            queue.shrink_to(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(length: usize, size: usize) -> RollingQueue<u32> {
        RollingQueue::new(QueueLimits { length, size })
    }

    #[test]
    fn what_does_not_fit_pushes_out_the_oldest() {
        let mut by_length = queue(2, 100);
        assert!(by_length.push(1, 1).is_empty());
        assert!(by_length.push(2, 1).is_empty());
        assert_eq!(by_length.push(3, 1), [1]);
        let mut by_size = queue(10, 10);
        by_size.push(1, 5);
        by_size.push(2, 5);
        assert_eq!(by_size.push(3, 6), [1, 2]);
        assert_eq!((by_size.len(), by_size.size()), (1, 6));
    }

    #[test]
    fn there_is_room_for_many_when_all_of_them_fit() {
        let mut queue = queue(3, 10);
        assert!(queue.has_room_for(3, 10));
        assert!(!queue.has_room_for(4, 4) && !queue.has_room_for(1, 11));
        queue.push(1, 4);
        assert!(queue.has_room_for(2, 6));
        assert!(!queue.has_room_for(3, 3) && !queue.has_room_for(2, 7));
        assert!(!queue.has_room_for(usize::MAX, usize::MAX));
    }

    #[test]
    fn it_is_roomy_when_a_quarter_of_it_is_free() {
        let mut queue = queue(8, 80);
        for item in 0..8 {
            assert_eq!(queue.is_roomy(), item <= 6, "{item} items");
            queue.push(item, 1);
        }
        assert!(!queue.is_roomy());
        assert_eq!(
            queue.free(),
            QueueLimits {
                length: 0,
                size: 72
            }
        );
        queue.pop();
        assert!(!queue.is_roomy());
        queue.pop();
        assert!(queue.is_roomy());
        queue.push(8, 55);
        assert!(
            !queue.is_roomy(),
            "of its bytes, {} are left",
            queue.free().size
        );
        // One that is too large is alone.
        queue.push(9, 1000);
        assert!(!queue.is_roomy());
        queue.pop();
        assert!(queue.is_roomy());
        assert!(self::queue(1, 1).is_roomy());
    }

    #[test]
    fn an_item_over_the_size_limit_is_held_alone() {
        let mut queue = queue(10, 10);
        queue.push(1, 1);
        assert_eq!(queue.push(2, 50), [1]);
        assert_eq!(queue.push(3, 1), [2]);
        assert_eq!(queue.pop(), Some(3));
        assert_eq!((queue.len(), queue.size()), (0, 0));
    }

    #[test]
    fn room_for_a_burst_is_kept_until_bursts_are_shorter_for_a_while() {
        let mut queue = queue(100_000, 1 << 30);
        let burst = |queue: &mut RollingQueue<u32>, length: u32| {
            for item in 0..length {
                queue.push(item, 1);
            }
            while queue.pop().is_some() {}
            queue.items.capacity()
        };
        let for_long_ones = burst(&mut queue, 5000);
        assert!(for_long_ones >= 5000);
        for _ in 0..3 {
            assert_eq!(burst(&mut queue, 1), for_long_ones);
            assert_eq!(burst(&mut queue, 5000), for_long_ones);
        }
        for _ in 0..100 {
            burst(&mut queue, 1);
        }
        assert!(burst(&mut queue, 1) <= 2 * KEPT_ITEMS);
        // What would be too much is not kept at all.
        let most = 2 * KEPT_BYTES / size_of::<(u32, usize)>();
        assert!(burst(&mut queue, 100_000) <= most);
    }

    #[test]
    fn lower_limits_apply_at_once() {
        let mut queue = queue(10, 10);
        for item in 0..4 {
            queue.push(item, 2);
        }
        assert_eq!(queue.set_limits(QueueLimits { length: 3, size: 4 }), [0, 1]);
        assert_eq!(queue.retain(|&item| item != 2), 1);
        assert_eq!((queue.pop(), queue.size()), (Some(3), 0));
    }
}

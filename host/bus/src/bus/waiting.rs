//! Asks of others that are not worked off yet.
//!
//! Thousands of nodes ask at once when they hear a sender for the first time. All of them get their answer, one after
//! the other: what cannot be answered now waits, instead of being dropped and asked again. A node works off a
//! few between what it sends and receives, so that neither waits for all of the asks.

use std::collections::HashMap;

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_ground::queue::{QueueLimits, RollingQueue};

use crate::letter::ReceivedAsk;
use crate::subject::Token;

/// How many asks of nodes that introduce themselves wait at most, as many as there are in a large network, each of which
/// needs a key; and how many bytes these have together.
const INTRODUCED: QueueLimits = QueueLimits {
    length: 16_384,
    size: 16 << 20,
};

/// How many other asks wait at most.
const OTHERS: QueueLimits = QueueLimits {
    length: 4096,
    size: 4 << 20,
};

/// How many asks of one node wait at most.
const MAX_OF_A_NODE: usize = 64;

/// What one takes besides its bytes.
const OVERHEAD: usize = 256;

/// An ask that waits. Nothing of it is proven.
#[derive(Debug)]
pub(super) struct WaitingAsk {
    /// The node that claims to ask, and its token.
    pub(super) node: NodeName,
    pub(super) token: Token,
    pub(super) ask: ReceivedAsk,
    /// When it came.
    pub(super) came: Moment,
}

/// All that wait. Who introduces itself costs much more than others do, and comes in crowds; so there are two queues, which
/// have their turn in turn.
#[derive(Debug)]
pub(super) struct WaitingAsks {
    introduced: RollingQueue<WaitingAsk>,
    others: RollingQueue<WaitingAsk>,
    others_first: bool,
    of_node: HashMap<NodeName, usize>,
}

/// There is no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom;

impl Default for WaitingAsks {
    fn default() -> Self {
        Self {
            introduced: RollingQueue::new(INTRODUCED),
            others: RollingQueue::new(OTHERS),
            others_first: false,
            of_node: HashMap::new(),
        }
    }
}

impl WaitingAsks {
    /// Adds one.
    pub(super) fn push(&mut self, waiting: WaitingAsk) -> Result<(), NoRoom> {
        let queue = match waiting.ask.is_introduced() {
            true => &mut self.introduced,
            false => &mut self.others,
        };
        let cost = OVERHEAD + waiting.ask.len();
        if !queue.has_room(cost) {
            return Err(NoRoom);
        }
        let of_node = self.of_node.entry(waiting.node.clone()).or_default();
        if *of_node >= MAX_OF_A_NODE {
            return Err(NoRoom);
        }
        *of_node += 1;
        queue.push(waiting, cost);
        Ok(())
    }

    /// Takes the next one.
    pub(super) fn pop(&mut self) -> Option<WaitingAsk> {
        let (first, second) = match self.others_first {
            true => (&mut self.others, &mut self.introduced),
            false => (&mut self.introduced, &mut self.others),
        };
        let waiting = first.pop().or_else(|| second.pop())?;
        self.others_first = waiting.ask.is_introduced();
        if let Some(of_node) = self.of_node.get_mut(&waiting.node) {
            *of_node -= 1;
            if *of_node == 0 {
                self.of_node.remove(&waiting.node);
            }
        }
        Some(waiting)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.introduced.is_empty() && self.others.is_empty()
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.introduced.len() + self.others.len()
    }

    /// How many bytes of them wait.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.introduced.size() + self.others.size()
    }

    /// Forgets all: the engine is lost, and with it the way back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The most that may wait, for tests.
#[cfg(test)]
pub(super) const MAX_WAITING: (usize, usize) = (
    INTRODUCED.length + OTHERS.length,
    INTRODUCED.size + OTHERS.size,
);

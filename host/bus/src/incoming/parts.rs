//! Batches that come in parts, since they are larger than a datagram may be.

use std::collections::HashMap;
use std::time::Duration;

use kozo_ground::clock::Moment;

use super::LaneKey;
use crate::datagram::Part;

/// How many bytes of parts are kept, at most.
pub(crate) const MAX_PART_BYTES: usize = 64 * 1024 * 1024;

/// How many batches of one node are put together at once, at most.
const MAX_OF_A_NODE: usize = 4;

/// After how long a batch that is not complete may be given up for others.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// After how long it is given up anyway.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(60);

/// What a part takes besides its bytes.
const PART_OVERHEAD: usize = 48;

/// Batches that are not complete.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    batches: HashMap<(LaneKey, u64), Assembly>,
    bytes: usize,
}

#[derive(Debug)]
struct Assembly {
    /// Any of its parts.
    example: Part,
    parts: Vec<Option<Vec<u8>>>,
    missing: usize,
    bytes: usize,
    began: Moment,
    /// Whether one of them had to be asked for.
    was_asked: bool,
}

/// A batch of which all parts are here.
#[derive(Debug, PartialEq)]
pub(crate) struct Joined {
    /// Any of its parts.
    pub(crate) part: Part,
    pub(crate) bytes: Vec<u8>,
    pub(crate) was_asked: bool,
}

/// There is no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl Parts {
    /// How many bytes are kept.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A part came.
    pub(crate) fn add(
        &mut self,
        lane: LaneKey,
        part: Part,
        was_asked: bool,
        now: Moment,
    ) -> Result<Option<Joined>, NoRoom> {
        let key = (lane, part.first);
        if self
            .batches
            .get(&key)
            .is_some_and(|batch| !batch.example.belongs_with(&part))
        {
            // Its sender has cut it anew, for another engine.
            self.remove(key);
        }
        if !self.batches.contains_key(&key) {
            self.make_room(lane, part.first, part.bytes.len(), now)?;
            let count = part.count as usize;
            let assembly = Assembly {
                parts: vec![None; count],
                missing: count,
                bytes: count * PART_OVERHEAD,
                began: now,
                was_asked,
                example: Part {
                    bytes: Vec::new(),
                    ..part
                },
            };
            self.bytes += assembly.bytes;
            self.batches.insert(key, assembly);
        }
        if self.bytes + part.bytes.len() > MAX_PART_BYTES {
            self.drop_stale(now);
            if self.bytes + part.bytes.len() > MAX_PART_BYTES {
                return Err(NoRoom);
            }
        }
        let Some(assembly) = self.batches.get_mut(&key) else {
            return Err(NoRoom);
        };
        if let Some(place @ None) = assembly.parts.get_mut(part.index as usize) {
            self.bytes += part.bytes.len();
            assembly.bytes += part.bytes.len();
            assembly.missing -= 1;
            assembly.was_asked |= was_asked;
            *place = Some(part.bytes);
        }
        if assembly.missing > 0 {
            return Ok(None);
        }
        Ok(self.remove(key).map(|assembly| Joined {
            bytes: assembly
                .parts
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .concat(),
            part: assembly.example,
            was_asked: assembly.was_asked,
        }))
    }

    /// Gives up what does not become complete.
    pub(crate) fn tick(&mut self, now: Moment) {
        self.drop_older(GIVEN_UP_AFTER, now);
    }

    /// Forgets all of a lane.
    pub(crate) fn forget(&mut self, lane: LaneKey) {
        let bytes = &mut self.bytes;
        self.batches.retain(|(of, _), assembly| {
            if *of == lane {
                *bytes -= assembly.bytes;
            }
            *of != lane
        });
    }

    /// Makes room for one batch more. What comes earlier in its lane goes first: the rest waits for it.
    fn make_room(
        &mut self,
        lane: LaneKey,
        first: u64,
        bytes: usize,
        now: Moment,
    ) -> Result<(), NoRoom> {
        if self.bytes + bytes > MAX_PART_BYTES {
            self.drop_stale(now);
        }
        let of_node = |(of, _): &&(LaneKey, u64)| of.source == lane.source;
        if self.batches.keys().filter(of_node).count() < MAX_OF_A_NODE {
            return Ok(());
        }
        let later = self.batches.keys().filter(|(of, _)| *of == lane);
        match later.copied().max().filter(|(_, latest)| *latest > first) {
            Some(latest) => {
                self.remove(latest);
                Ok(())
            }
            None => {
                self.drop_stale(now);
                match self.batches.keys().filter(of_node).count() < MAX_OF_A_NODE {
                    true => Ok(()),
                    false => Err(NoRoom),
                }
            }
        }
    }

    fn drop_stale(&mut self, now: Moment) {
        self.drop_older(STALE_AFTER, now);
    }

    fn drop_older(&mut self, age: Duration, now: Moment) {
        let bytes = &mut self.bytes;
        self.batches.retain(|_, assembly| {
            let stays = now.since(assembly.began) < age;
            if !stays {
                *bytes -= assembly.bytes;
            }
            stays
        });
    }

    fn remove(&mut self, key: (LaneKey, u64)) -> Option<Assembly> {
        let assembly = self.batches.remove(&key)?;
        self.bytes -= assembly.bytes;
        Some(assembly)
    }
}

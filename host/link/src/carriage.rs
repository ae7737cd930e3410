//! What the two nodes of one link carry for each other's buses: a node that reaches a bus through the other, and the
//! gateway. They are no messages: nothing here repeats them, and what waits is lost with the link.
//!
//! ```text
//!   hand_over ──▶ waiting ──▶ in flight ──taken──▶ gone
//!                 (bounded)   (about a second of the path's rate)
//!
//!   the link ──▶ partial ──▶ arrived ──▶ take
//!                            (bounded, and acknowledged only while there is little of it)
//! ```
//!
//! All of it keeps its order. A datagram leaves in parts, one each time that the link has room, so that messages and
//! heartbeats never wait for more than a part; and no more is under way than about a second of what the path takes, as
//! with messages. Who does not take what arrives is sent no more.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use kozo_ground::clock::Moment;
use kozo_wire::{BUS_FRAME_COST, BusFrame, FrameWriter, MAX_BUS_DATAGRAM_LEN, MAX_BUS_PART_LEN};

use super::rate::{DeliveryRate, SendMark};

/// How many datagrams of buses wait for a link at most.
pub const MAX_WAITING_DATAGRAMS: usize = 4096;

/// How many bytes of them wait, at most.
pub const MAX_WAITING_DATAGRAM_BYTES: usize = 4 * 1024 * 1024;

/// How many other things for buses wait for a link at most: subscriptions to as many patterns as a node has on as
/// many buses as a file may have, and room for more.
pub const MAX_WAITING_OTHERS: usize = 65_536;

/// How much of what arrived may wait to be taken, in what frames count, before the peer is asked to send no more.
const ARRIVED_ENOUGH: usize = 1024 * 1024;

/// How much of it may wait in all; what is beyond that is dropped. Who keeps to the protocol never has that much
/// under way.
pub const MAX_ARRIVED: usize = ARRIVED_ENOUGH + 1024 * 1024 + 2 * MAX_BUS_DATAGRAM_LEN;

/// After how much that came the peer is told of it, in what frames count.
const ACKNOWLEDGE_EVERY: u64 = 16 * 1024;

/// How much is written at a time.
const CHUNK: usize = 16 * 1024;

/// Something that a node gives the other for a bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// What fits a pattern is wanted, or no longer.
    Subscription {
        /// The pattern.
        pattern: String,
        /// Whether it is wanted from now on.
        on: bool,
    },
    /// A datagram.
    Datagram(CarriedDatagram),
    /// How it stands with the bus at the gateway.
    State(CarriedState),
    /// The engine has all that was published up to this number.
    Confirmed(u64),
    /// Nobody is subscribed to this subject.
    Nobody(String),
}

/// A datagram of a bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedDatagram {
    /// The number that it is confirmed by, where it is to be published.
    pub number: u64,
    /// Where it is published.
    pub subject: String,
    /// Where answers go.
    pub reply: Option<String>,
    /// Its bytes.
    pub data: Bytes,
}

/// How it stands with a bus at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedState {
    /// What the engine can do; none: it is not reached.
    pub engine: Option<CarriedLimits>,
    /// The server, or why it is not reached, for people.
    pub text: String,
}

/// What an engine can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarriedLimits {
    /// The longest datagram that it carries, in bytes.
    pub max_datagram: usize,
    /// Whether it says when nobody listens.
    pub no_responders: bool,
}

/// Why something is not on its way to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCarried {
    /// The link is gone, or never could.
    #[error("the link is gone")]
    NoLink,
    /// As much waits as may.
    #[error("too much waits for the link")]
    Full,
}

/// How it is with the link that carries for buses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusWay {
    /// There is no link.
    None,
    /// The peer's version carries nothing for buses.
    Unable,
    /// This one.
    Over(super::terms::LinkKey),
}

/// What one link carries for buses.
#[derive(Debug, Default)]
pub(crate) struct Carriage {
    waiting: VecDeque<(String, Carried)>,
    waiting_datagrams: usize,
    waiting_bytes: usize,
    /// How much of the datagram at the front has left.
    left: usize,
    /// Something was refused since too much waited.
    was_full: bool,
    in_flight: VecDeque<(usize, SendMark)>,
    in_flight_cost: usize,
    /// What has been acknowledged of all that was sent.
    acknowledged: u64,
    rate: DeliveryRate,
    partial: Option<Partial>,
    arrived: BTreeMap<String, VecDeque<Carried>>,
    arrived_cost: usize,
    /// What came in all, and of how much the peer was told.
    came: u64,
    told: u64,
    /// The peer was told that what it wants carried is not.
    pub(crate) has_refused: bool,
}

/// A datagram of which only a part is here.
#[derive(Debug)]
struct Partial {
    /// None: it is not wanted.
    of: Option<(String, CarriedDatagram)>,
    data: BytesMut,
    /// How many bytes are still to come.
    missing: usize,
}

/// What a frame of the peer's came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// There is nothing to do.
    Nothing,
    /// There is something to take, or room.
    News,
    /// It was dropped, since too much waits.
    Dropped,
    /// It broke the protocol.
    Violation(&'static str),
}

impl Carriage {
    /// Gives the peer something for a bus.
    pub(crate) fn hand_over(&mut self, bus: &str, carried: Carried) -> Result<(), NotCarried> {
        match &carried {
            Carried::Datagram(datagram) => {
                let bytes = self.waiting_bytes + datagram.data.len();
                let is_full = self.waiting_datagrams >= MAX_WAITING_DATAGRAMS
                    || bytes > MAX_WAITING_DATAGRAM_BYTES;
                if is_full || datagram.data.len() > MAX_BUS_DATAGRAM_LEN {
                    self.was_full = true;
                    return Err(NotCarried::Full);
                }
                self.waiting_bytes = bytes;
                self.waiting_datagrams += 1;
            }
            Carried::Confirmed(number) => {
                // The later number says it for the earlier one.
                if let Some((of, Carried::Confirmed(last))) = self.waiting.back_mut()
                    && of == bus
                {
                    *last = *number;
                    return Ok(());
                }
                self.has_room_for_another()?;
            }
            _ => self.has_room_for_another()?,
        }
        self.waiting.push_back((bus.to_owned(), carried));
        Ok(())
    }

    fn has_room_for_another(&self) -> Result<(), NotCarried> {
        let others = self.waiting.len() - self.waiting_datagrams;
        match others < MAX_WAITING_OTHERS {
            true => Ok(()),
            false => Err(NotCarried::Full),
        }
    }

    /// Takes what came for a bus, so many at most.
    pub(crate) fn take(&mut self, bus: &str, most: usize) -> Vec<Carried> {
        let Some(arrived) = self.arrived.get_mut(bus) else {
            return Vec::new();
        };
        let count = arrived.len().min(most);
        let taken: Vec<_> = arrived.drain(..count).collect();
        if arrived.is_empty() {
            self.arrived.remove(bus);
        }
        self.arrived_cost -= taken.iter().map(cost).sum::<usize>();
        taken
    }

    /// A frame came. `is_wanted` says whether this node carries for that bus.
    pub(crate) fn frame(
        &mut self,
        frame: BusFrame,
        is_wanted: impl FnOnce(&str) -> bool,
        now: Moment,
    ) -> Came {
        self.came += frame.cost() as u64;
        let begins = !matches!(frame, BusFrame::Part { .. } | BusFrame::Taken { .. });
        if begins && self.partial.is_some() {
            return Came::Violation(
                "a datagram of a bus is not complete, and another frame of one came",
            );
        }
        let (bus, carried) = match frame {
            BusFrame::Taken { total } => return self.taken(total, now),
            BusFrame::Part { part } => return self.part(&part),
            BusFrame::Datagram {
                bus,
                number,
                subject,
                reply,
                length,
                part,
            } => {
                let missing = length.saturating_sub(part.len());
                let of = is_wanted(&bus).then(|| {
                    let datagram = CarriedDatagram {
                        number,
                        subject,
                        reply,
                        data: Bytes::new(),
                    };
                    (bus, datagram)
                });
                let is_refused = of.is_none();
                self.partial = Some(Partial {
                    of,
                    data: BytesMut::from(&part[..]),
                    missing,
                });
                return match self.complete() {
                    _ if is_refused => Came::Dropped,
                    came => came,
                };
            }
            BusFrame::Subscription { bus, pattern, on } => {
                (bus, Carried::Subscription { pattern, on })
            }
            BusFrame::State {
                bus,
                up,
                max_datagram,
                no_responders,
                text,
            } => {
                let limits = CarriedLimits {
                    max_datagram: usize::try_from(max_datagram)
                        .unwrap_or(usize::MAX)
                        .min(MAX_BUS_DATAGRAM_LEN),
                    no_responders,
                };
                let engine = up.then_some(limits);
                (bus, Carried::State(CarriedState { engine, text }))
            }
            BusFrame::Confirmed { bus, number } => (bus, Carried::Confirmed(number)),
            BusFrame::Nobody { bus, subject } => (bus, Carried::Nobody(subject)),
        };
        match is_wanted(&bus) {
            true => self.arrive(bus, carried),
            false => Came::Dropped,
        }
    }

    fn part(&mut self, part: &[u8]) -> Came {
        let Some(partial) = &mut self.partial else {
            return Came::Violation("a part came of no datagram");
        };
        if part.is_empty() || part.len() > partial.missing {
            return Came::Violation("a datagram of a bus has another length than it said");
        }
        partial.missing -= part.len();
        if partial.of.is_some() {
            partial.data.extend_from_slice(part);
        }
        self.complete()
    }

    fn complete(&mut self) -> Came {
        let Some(partial) = self.partial.take_if(|partial| partial.missing == 0) else {
            return Came::Nothing;
        };
        match partial.of {
            Some((bus, datagram)) => {
                let data = partial.data.freeze();
                self.arrive(bus, Carried::Datagram(CarriedDatagram { data, ..datagram }))
            }
            None => Came::Nothing,
        }
    }

    fn arrive(&mut self, bus: String, carried: Carried) -> Came {
        let cost = cost(&carried);
        if self.arrived_cost + cost > MAX_ARRIVED {
            return Came::Dropped;
        }
        self.arrived_cost += cost;
        self.arrived.entry(bus).or_default().push_back(carried);
        Came::News
    }

    fn taken(&mut self, total: u64, now: Moment) -> Came {
        let mut last = None;
        let mut bytes = 0;
        while let Some((cost, mark)) = self.in_flight.front()
            && self.acknowledged + *cost as u64 <= total
        {
            self.acknowledged += *cost as u64;
            self.in_flight_cost -= cost;
            bytes += cost;
            last = Some(*mark);
            self.in_flight.pop_front();
        }
        if let Some(mark) = last {
            self.rate.acknowledged(bytes, mark, now);
        }
        Came::Nothing
    }

    /// Whether something may leave now.
    pub(crate) fn has_output(&self) -> bool {
        self.can_send() || self.owes() >= ACKNOWLEDGE_EVERY && self.may_come()
    }

    fn can_send(&self) -> bool {
        !self.waiting.is_empty() && self.in_flight_cost < self.rate.allowance()
    }

    fn owes(&self) -> u64 {
        self.came - self.told
    }

    /// Whether the peer may send more.
    fn may_come(&self) -> bool {
        self.arrived_cost < ARRIVED_ENOUGH
    }

    /// Writes what may leave now, about 16 KiB at most. True: there is room again for what was refused.
    pub(crate) fn output(&mut self, writer: &mut FrameWriter, now: Moment) -> bool {
        if self.owes() > 0 && self.may_come() {
            self.told = self.came;
            writer.bus(&BusFrame::Taken { total: self.told });
        }
        let full = writer.len() + CHUNK;
        while self.can_send() && writer.len() < full {
            let Some(frame) = self.next_frame() else {
                break;
            };
            let cost = frame.cost();
            writer.bus(&frame);
            self.in_flight.push_back((cost, self.rate.mark(now)));
            self.in_flight_cost += cost;
        }
        let has_room = self.waiting_datagrams <= MAX_WAITING_DATAGRAMS / 2
            && self.waiting_bytes <= MAX_WAITING_DATAGRAM_BYTES / 2;
        has_room && std::mem::take(&mut self.was_full)
    }

    fn next_frame(&mut self) -> Option<BusFrame> {
        if let (_, Carried::Datagram(datagram)) = self.waiting.front()? {
            let length = datagram.data.len();
            let until = length.min(self.left + MAX_BUS_PART_LEN);
            let part = datagram.data.slice(self.left..until);
            let is_first = self.left == 0;
            let frame = match is_first {
                true => None,
                false => Some(BusFrame::Part { part: part.clone() }),
            };
            let frame = frame.or_else(|| {
                let (bus, _) = self.waiting.front()?;
                Some(BusFrame::Datagram {
                    bus: bus.clone(),
                    number: datagram.number,
                    subject: datagram.subject.clone(),
                    reply: datagram.reply.clone(),
                    length,
                    part,
                })
            });
            self.left = until;
            if until == length {
                self.left = 0;
                self.waiting_datagrams -= 1;
                self.waiting_bytes -= length;
                self.waiting.pop_front();
            }
            return frame;
        }
        let (bus, carried) = self.waiting.pop_front()?;
        Some(match carried {
            Carried::Subscription { pattern, on } => BusFrame::Subscription { bus, pattern, on },
            Carried::State(CarriedState { engine, text }) => BusFrame::State {
                bus,
                up: engine.is_some(),
                max_datagram: engine.map_or(0, |limits| limits.max_datagram as u64),
                no_responders: engine.is_some_and(|limits| limits.no_responders),
                text,
            },
            Carried::Confirmed(number) => BusFrame::Confirmed { bus, number },
            Carried::Nobody(subject) => BusFrame::Nobody { bus, subject },
            // Seen to above.
            Carried::Datagram(_) => return None,
        })
    }
}

/// What something counts while it waits to be taken.
fn cost(carried: &Carried) -> usize {
    match carried {
        Carried::Datagram(datagram) => BUS_FRAME_COST + datagram.data.len(),
        _ => BUS_FRAME_COST,
    }
}

#[cfg(test)]
#[path = "carriage_tests.rs"]
mod tests;

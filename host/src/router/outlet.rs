//! What takes messages away from this node.

use std::sync::Arc;

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_ground::policy::ConnectPolicy;
use kozo_router::{Crowd, NamedInterests, Receiver};
use kozo_wire::{Draft, Likeness, Message};
use smallvec::SmallVec;

use super::FEW;
use crate::bus::{BusOutlet, SendingToBus};
use crate::link::{DirectWrite, PeerLink, SendingToPeer};

/// What stands at a receiver's place.
#[derive(Clone)]
pub(crate) enum Outlet {
    /// One other node, and the links with it.
    Link(Arc<PeerLink>),
    /// A bus, and all nodes that it carries messages to.
    Bus(Arc<BusOutlet>),
}

/// An outlet, and what is wanted there as far as the file tells.
pub(crate) enum Destination {
    /// Another node, with the names and interests of its roles.
    Link(Arc<PeerLink>, Vec<NamedInterests>),
    /// A bus.
    Bus(Arc<BusOutlet>, Arc<Crowd>),
}

impl Destination {
    /// What stands at the receiver's place, and the receiver.
    pub(super) fn split(self) -> (Outlet, Receiver) {
        match self {
            Self::Link(link, wanted) => {
                let policy: ConnectPolicy = link.look(|peer| peer.settings().outgoing);
                (Outlet::Link(link), Receiver::Node { policy, wanted })
            }
            Self::Bus(bus, crowd) => (Outlet::Bus(bus), Receiver::Crowd(crowd)),
        }
    }
}

/// What one thread has to write: nearly always nothing, or one.
pub(super) type DirectWrites<'a> = SmallVec<[DirectWrite<'a>; 1]>;

impl Outlet {
    /// Queues messages of this node's roles, in order. Those for a bus leave when it is [roused](Self::rouse); the
    /// result is for this thread to write.
    #[must_use]
    pub(super) fn send(&self, messages: &[Message], now: Moment) -> Option<DirectWrite<'_>> {
        if self.take(messages, now) {
            return None;
        }
        let mut open = self.open();
        for message in messages {
            open.queue(message.clone(), now);
        }
        open.close()
    }

    /// Queues each of `messages` for all of `outlets`, as long as all of them have room for it. The result is
    /// how many those are, and what is for this thread to write. Where that is not all of them, the queues hold no
    /// more than these.
    #[must_use]
    pub(super) fn send_while_room<'a>(
        outlets: &[&'a Self],
        messages: &[Message],
        now: Moment,
    ) -> (usize, DirectWrites<'a>) {
        if let [outlet] = outlets
            && outlet.take(messages, now)
        {
            return (messages.len(), DirectWrites::new());
        }
        // Always locked in the order of the router's list, so that two senders never wait for
        // each other.
        let mut open = outlets.iter().map(|outlet| outlet.open()).collect();
        let count = Self::queue_while_room(&mut open, messages, now);
        (count, open.into_iter().filter_map(Sending::close).collect())
    }

    fn queue_while_room(
        open: &mut SmallVec<[Sending<'_>; FEW]>,
        messages: &[Message],
        now: Moment,
    ) -> usize {
        let whole = messages.iter().map(Message::cost).sum();
        let all_fit = open
            .iter()
            .all(|outlet| outlet.has_room_for(messages.len(), whole));
        for (place, message) in messages.iter().enumerate() {
            let cost = message.cost();
            if !all_fit && !open.iter().all(|outlet| outlet.has_room(cost)) {
                return place;
            }
            let message = message.to_keep(all_fit);
            for outlet in &mut *open {
                outlet.queue(message.clone(), now);
            }
        }
        messages.len()
    }

    /// Sees to it that what was queued for a bus leaves. `alone`: it is one message, and this thread may do the work.
    pub(super) fn rouse(&self, alone: bool) {
        match self {
            // What is queued for a link wakes its writer by itself.
            Self::Link(_) => {}
            Self::Bus(bus) => bus.rouse(alone),
        }
    }

    /// Queues the messages where that takes nobody's work and pushes nothing out; false: it has not.
    fn take(&self, messages: &[Message], now: Moment) -> bool {
        match self {
            Self::Link(link) => link.take(messages, now),
            Self::Bus(_) => false,
        }
    }

    /// The same for what is to be a message, and is like these.
    pub(super) fn take_draft(&self, draft: &Draft<'_>, likeness: &Likeness, now: Moment) -> bool {
        match self {
            Self::Link(link) => link.take_draft(draft, likeness, now),
            Self::Bus(_) => false,
        }
    }

    fn open(&self) -> Sending<'_> {
        match self {
            Self::Link(link) => Sending::ToPeer(link.open()),
            Self::Bus(bus) => Sending::ToBus(bus.open()),
        }
    }

    /// The name of the bus that it is, if it is one.
    pub(super) fn bus(&self) -> Option<&Arc<str>> {
        match self {
            Self::Link(_) => None,
            Self::Bus(bus) => Some(bus.name()),
        }
    }

    /// Whether it is the links with this node.
    pub(super) fn leads_to(&self, node: &NodeName) -> bool {
        match self {
            Self::Link(link) => link.name() == node,
            Self::Bus(_) => false,
        }
    }
}

/// An outlet that takes messages of nobody else meanwhile.
enum Sending<'a> {
    ToPeer(SendingToPeer<'a>),
    ToBus(SendingToBus<'a>),
}

impl<'a> Sending<'a> {
    /// Whether a message that counts so many bytes would push nothing out.
    fn has_room(&self, cost: usize) -> bool {
        match self {
            Self::ToPeer(peer) => peer.has_room(cost),
            Self::ToBus(bus) => bus.has_room(cost),
        }
    }

    /// Whether so many messages, which count `cost` bytes together, would push nothing out, themselves included.
    fn has_room_for(&self, count: usize, cost: usize) -> bool {
        match self {
            Self::ToPeer(peer) => peer.has_room_for(count, cost),
            Self::ToBus(bus) => bus.has_room_for(count, cost),
        }
    }

    fn queue(&mut self, message: Message, now: Moment) {
        match self {
            Self::ToPeer(peer) => peer.queue(message, now),
            Self::ToBus(bus) => bus.queue(message, now),
        }
    }

    /// Lets go of the outlet; the result is for this thread to write, as soon as it holds none.
    fn close(self) -> Option<DirectWrite<'a>> {
        match self {
            Self::ToPeer(peer) => peer.close(),
            Self::ToBus(_) => None,
        }
    }
}

//! What takes messages away from this node.

use std::sync::Arc;

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_ground::policy::ConnectPolicy;
use kozo_router::{Crowd, NamedInterests, Receiver};
use kozo_wire::Message;
use smallvec::SmallVec;

use super::FEW;
use crate::bus::{BusOutlet, SendingToBus};
use crate::link::{PeerLink, SendingToPeer};

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

impl Outlet {
    /// Queues a message of this node's roles.
    pub(super) fn send(&self, message: Message, now: Moment) {
        match self {
            Self::Link(link) => link.send(message, now),
            Self::Bus(bus) => bus.send(message, now),
        }
    }

    /// Queues a message for all of `outlets`, if all of them have room for it.
    pub(super) fn send_if_room(outlets: &[&Self], message: &Message, now: Moment) -> bool {
        let cost = message.cost();
        // Always locked in the order of the router's list, so that two senders never wait for
        // each other.
        let mut open: SmallVec<[_; FEW]> = outlets.iter().map(|outlet| outlet.open()).collect();
        let has_room = open.iter().all(|outlet| match outlet {
            Sending::ToPeer(peer) => peer.has_room(cost),
            Sending::ToBus(bus) => bus.has_room(cost),
        });
        if has_room {
            for outlet in &mut open {
                match outlet {
                    Sending::ToPeer(peer) => peer.queue(message.clone(), now),
                    Sending::ToBus(bus) => bus.queue(message.clone(), now),
                }
            }
        }
        has_room
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

//! Messages that somebody sends through the node by hand, and what becomes of them.

use kozo_ground::clock;
use kozo_ground::lock::ReadWriteAnyway;
use kozo_ground::names::RoleName;
use kozo_router::ReceiverId;
use kozo_wire::Message;

use super::{Outlet, Router};
use crate::bus::WatchedOnBus;
use crate::link::WatchedMessage;

/// Where a message went.
pub(crate) struct Sent {
    /// The roles of this node that got it.
    pub(crate) roles: Vec<RoleName>,
    /// The nodes that it went to, with the roles there that want it.
    pub(crate) nodes: Vec<(WatchedMessage, Vec<String>)>,
    /// The buses that it went to.
    pub(crate) buses: Vec<WatchedOnBus>,
}

impl Router {
    /// Whether the node has a role of this name.
    pub(crate) fn has_role(&self, name: &RoleName) -> bool {
        self.roles.iter().any(|(role, _)| role.name == *name)
    }

    /// Hands on a message as one of a role of this node, and watches what becomes of it.
    pub(crate) fn send_watched(&self, message: &Message) -> Sent {
        let now = clock::now();
        let messages = std::slice::from_ref(message);
        let (route, names) = {
            let receivers = self.receivers.read_anyway();
            let (route, _) = self.find_route(&receivers, message);
            let subject = message.subject(self.node.as_str());
            let names = |&place: &usize| receivers.roles_wanting(ReceiverId(place), &subject);
            let names: Vec<_> = route.outlets.iter().map(names).collect();
            (route, names)
        };
        let (mut nodes, mut buses) = (Vec::new(), Vec::new());
        for (&place, names) in route.outlets.iter().zip(names) {
            match &self.outlets[place] {
                Outlet::Link(link) => {
                    nodes.push((link.send_watched(message.clone(), now), names));
                }
                Outlet::Bus(bus) => buses.push(bus.send_watched(message.clone(), now)),
            }
        }
        self.give_here(messages, &route, now);
        let roles = route.roles.iter().map(|&place| &self.roles[place].0.name);
        let roles = roles.cloned().collect();
        Sent {
            roles,
            nodes,
            buses,
        }
    }
}

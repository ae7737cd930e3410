//! Messages that somebody sends through the node by hand, and what becomes of them.

use kozo_ground::clock;
use kozo_ground::lock::ReadWriteAnyway;
use kozo_ground::names::RoleName;
use kozo_router::ReceiverId;
use kozo_wire::Message;

use super::{Away, Outlet, Router};
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
        let subject = message.subject(self.node.as_str());
        let mut away = Away::default();
        let (mut nodes, mut buses) = (Vec::new(), Vec::new());
        let receivers = self.receivers.read_anyway();
        for id in receivers.wanting(&subject) {
            let ReceiverId(place) = id;
            let outlet = &self.outlets[place];
            away.add(place, outlet);
            match outlet {
                Outlet::Link(link) => {
                    let watched = link.send_watched(message.clone(), now);
                    nodes.push((watched, receivers.roles_wanting(id, &subject)));
                }
                Outlet::Bus(bus) => buses.push(bus.send_watched(message.clone(), now)),
            }
        }
        drop(receivers);
        let mut roles = Vec::new();
        let messages = std::slice::from_ref(message);
        self.give_here(messages, &subject, &away, now, |role| {
            roles.push(role.name.clone());
        });
        Sent {
            roles,
            nodes,
            buses,
        }
    }
}

//! Messages that somebody sends through the node by hand, and what becomes of them.

use kozo_ground::clock;
use kozo_ground::lock::ReadWriteAnyway;
use kozo_ground::names::RoleName;
use kozo_router::ReceiverId;
use kozo_wire::Message;

use super::Router;
use crate::link::WatchedMessage;

/// Where a message went.
pub(crate) struct Sent {
    /// The roles of this node that got it.
    pub(crate) roles: Vec<RoleName>,
    /// The nodes that it went to, with the roles there that want it.
    pub(crate) nodes: Vec<(WatchedMessage, Vec<String>)>,
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
        let receivers = self.receivers.read_anyway();
        let wanting = receivers.wanting(&subject).map(|id| {
            let ReceiverId(place) = id;
            let watched = self.links[place].send_watched(message.clone(), now);
            (watched, receivers.roles_wanting(id, &subject))
        });
        let nodes: Vec<_> = wanting.collect();
        drop(receivers);
        let mut roles = Vec::new();
        self.give_here(message, &subject, nodes.len(), now, |role| {
            roles.push(role.name.clone());
        });
        Sent { roles, nodes }
    }
}

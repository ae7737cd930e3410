//! Who else is on a bus, as the network's file has it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use kozo_bus::members::Members;
use kozo_bus::subject::{Subjects, Token};
use kozo_ground::names::{BusName, NodeName};

use crate::config::{Network, Reach};

/// The nodes of one bus, as the node `own` of it sees them.
pub(super) struct FileMembers {
    network: Arc<Network>,
    bus: BusName,
    own: NodeName,
    /// All nodes that are on the bus, by their tokens.
    tokens: HashMap<Token, NodeName>,
    /// What the file lets each of them do. It stays as it was read, and is asked for each datagram.
    allowed: HashMap<NodeName, Allowed>,
}

/// What a node may do, as far as that was asked.
#[derive(Default)]
struct Allowed {
    to_be_heard: OnceLock<bool>,
    to_read: OnceLock<bool>,
}

impl FileMembers {
    /// Those of the bus in this network, with the tokens that `subjects` makes of their names.
    pub(super) fn new(
        network: &Arc<Network>,
        bus: &BusName,
        own: &NodeName,
        subjects: &Subjects,
    ) -> Self {
        let on_it = network.names().filter(|name| {
            let block = network.block(name.as_str());
            block.is_some_and(|block| block.buses.iter().any(|on| on.bus == *bus))
        });
        let tokens = on_it.map(|name| (subjects.node(name), name.clone()));
        let tokens: HashMap<_, _> = tokens.collect();
        let names = tokens.values();
        Self {
            network: Arc::clone(network),
            bus: bus.clone(),
            own: own.clone(),
            allowed: names
                .map(|name| (name.clone(), Allowed::default()))
                .collect(),
            tokens,
        }
    }

    /// How many nodes are on the bus.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether the bus carries what this node and another one send each other.
    fn carries(&self, node: &NodeName) -> bool {
        self.network.reach(&self.own, node) == Reach::Bus(&self.bus)
    }
}

impl Members for FileMembers {
    fn name_of(&self, token: Token) -> Option<NodeName> {
        self.tokens.get(&token).cloned()
    }

    fn may_be_heard(&self, node: &NodeName) -> bool {
        let look_up = || self.carries(node) && self.network.may_send(node, &self.own);
        let allowed = self.allowed.get(node);
        allowed.is_some_and(|allowed| *allowed.to_be_heard.get_or_init(look_up))
    }

    fn may_read(&self, node: &NodeName) -> bool {
        let look_up = || self.carries(node) && self.network.may_send(&self.own, node);
        let allowed = self.allowed.get(node);
        allowed.is_some_and(|allowed| *allowed.to_read.get_or_init(look_up))
    }
}

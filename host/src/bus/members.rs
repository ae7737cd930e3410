//! Who else is on a bus, as the network's file has it.

use std::sync::Arc;

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
    tokens: Box<[(Token, NodeName)]>,
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
        let mut tokens: Box<[_]> = tokens.collect();
        tokens.sort();
        Self {
            network: Arc::clone(network),
            bus: bus.clone(),
            own: own.clone(),
            tokens,
        }
    }

    /// Whether the bus carries what this node and another one send each other.
    fn carries(&self, node: &NodeName) -> bool {
        self.network.reach(&self.own, node) == Reach::Bus(&self.bus)
    }
}

impl Members for FileMembers {
    fn name_of(&self, token: Token) -> Option<NodeName> {
        let place = self
            .tokens
            .binary_search_by_key(&token, |(token, _)| *token);
        place.ok().map(|place| self.tokens[place].1.clone())
    }

    fn may_be_heard(&self, node: &NodeName) -> bool {
        self.carries(node) && self.network.may_send(node, &self.own)
    }

    fn may_read(&self, node: &NodeName) -> bool {
        self.carries(node) && self.network.may_send(&self.own, node)
    }
}

//! What the file's blocks become, before all that holds between them is checked.

use std::collections::BTreeMap;

use kozo_auth::identity::TrustedKeys;
use kozo_ground::names::NodeName;

use super::bus::Bus;
use super::group::Group;
use super::node::Node;

/// What a network is made of.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) nodes: BTreeMap<NodeName, Node>,
    pub(super) groups: Vec<Group>,
    pub(super) buses: Vec<Bus>,
    pub(super) keys: TrustedKeys,
}

impl Parts {
    /// The blocks of nodes and groups.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &Node> {
        let groups = self.groups.iter().map(|group| &group.block);
        let own = self.nodes.values().filter(|node| node.group.is_none());
        own.chain(groups)
    }

    /// The block of this name, or that of the node that the network is built for.
    pub(super) fn block(&self, name: &NodeName) -> Option<&Node> {
        let group = || self.groups.iter().find(|group| group.name == *name);
        let node = self.nodes.get(name);
        node.or_else(|| group().map(|group| &group.block))
    }
}

//! The network as the file describes it: valid values only.

use std::collections::BTreeMap;
use std::sync::Arc;

use kozo_auth::identity::TrustedKeys;
use kozo_description::{Class, Problem, Problems};
use kozo_ground::interest::Interest;
use kozo_ground::names::{BusName, NodeName};
use kozo_ground::text::{enumerate, nearest, quoted};

use super::bus::Bus;
use super::group::Group;
use super::node::Node;
use super::reach::{Reach, Standing, reach};

/// The whole network.
#[derive(Debug, Clone)]
pub struct Network {
    /// The nodes with a block of their own, by their name; and the one that the network was built for, also
    /// when it is a member of a group.
    pub nodes: BTreeMap<NodeName, Node>,
    /// The groups, in the order of the file.
    pub groups: Vec<Group>,
    /// The buses, in the order of the file.
    pub buses: Vec<Bus>,
    /// The keys of all nodes, members among them.
    pub keys: Arc<TrustedKeys>,
    /// The SHA-256 of the file and of those that it names for members, by which two nodes see whether theirs
    /// are the same.
    pub digest: [u8; 32],
    /// The file, as it was named, for messages.
    pub file: String,
    /// All members.
    pub(super) members: Members,
}

/// Members of groups by their names, each with the place of its group.
pub(super) type Members = Arc<[(NodeName, u32)]>;

impl Network {
    /// The start of the digest of the file, in hexadecimal digits: enough for people to compare.
    pub(crate) fn shown_digest(&self) -> String {
        let shown = self.digest.iter().take(SHOWN_DIGEST);
        shown.map(|byte| format!("{byte:02x}")).collect()
    }

    /// A node with a block of its own, or the one that the network was built for. What there is of any node
    /// is [`block`](Self::block).
    ///
    /// # Errors
    /// A report of class [`Class::UnknownNode`] that offers the names there are.
    pub fn node(&self, name: &NodeName) -> Result<&Node, Problems> {
        self.nodes.get(name).ok_or_else(|| {
            let mut problems = Problems::of_class(&self.file, Class::UnknownNode);
            problems.push(unknown_node(name, self.names()));
            problems
        })
    }

    /// The block of a node: its own or that of its group, whose name and keys are not the node's.
    pub fn block(&self, name: &str) -> Option<&Node> {
        let of_group = || self.group_of(name).map(|group| &group.block);
        self.nodes.get(name).or_else(of_group)
    }

    /// The group that a node is a member of; none for one with a block of its own.
    pub fn group_of(&self, name: &str) -> Option<&Group> {
        if let Some(node) = self.nodes.get(name) {
            let group = node.group.as_ref()?;
            return self.groups.iter().find(|known| known.name == *group);
        }
        let (_, group) = self.member(name)?;
        self.groups.get(*group as usize)
    }

    /// The network's own copy of a node's name; none when there is no such node.
    pub fn name(&self, name: &str) -> Option<&NodeName> {
        let own = self.nodes.get_key_value(name).map(|(name, _)| name);
        own.or_else(|| self.member(name).map(|(name, _)| name))
    }

    /// All nodes: those with a block of their own, then the members of groups; each by their names.
    pub fn names(&self) -> impl Iterator<Item = &NodeName> {
        let members = self.members.iter().map(|(name, _)| name);
        self.own_blocks().map(|node| &node.name).chain(members)
    }

    fn own_blocks(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(|node| node.group.is_none())
    }

    /// How many nodes there are.
    pub fn size(&self) -> usize {
        self.own_blocks().count() + self.members.len()
    }

    /// That a name is the one of a group, and which nodes may be meant; none where it is not.
    pub fn told_of_group(&self, name: &str) -> Option<(String, String)> {
        let at = self
            .groups
            .iter()
            .position(|group| group.name.as_str() == name)?;
        let members = self.members.iter();
        let members = members.filter(|(_, group)| *group as usize == at);
        Some(is_a_group(name, members.map(|(name, _)| name)))
    }

    /// The blocks of all other nodes than this one, that of a group once, under the name of its first
    /// member.
    pub fn other_blocks(&self, own: &NodeName) -> Vec<(&NodeName, &Node)> {
        let nodes = self.own_blocks().map(|node| (&node.name, node));
        let mut blocks: Vec<_> = nodes.filter(|(name, _)| *name != own).collect();
        let mut is_seen = vec![false; self.groups.len()];
        for (name, at) in self.members.iter().filter(|(name, _)| name != own) {
            let at = *at as usize;
            if let Some((group, is_seen)) = self.groups.get(at).zip(is_seen.get_mut(at))
                && !std::mem::replace(is_seen, true)
            {
                blocks.push((name, &group.block));
            }
        }
        blocks
    }

    /// The bus of this name.
    pub fn bus(&self, name: &str) -> Option<&Bus> {
        self.buses.iter().find(|bus| bus.name.as_str() == name)
    }

    /// How two nodes reach each other, whichever is named first. A node that is not in the file reaches nobody.
    pub fn reach(&self, one: &NodeName, other: &NodeName) -> Reach<'_> {
        match (self.standing(one), self.standing(other)) {
            (Some(one), Some(other)) => reach(one, other),
            _ => Reach::Not,
        }
    }

    /// Whether the policies let messages of one node go to another, directly or over a bus.
    pub fn may_send(&self, from: &NodeName, to: &NodeName) -> bool {
        let blocks = self.block(from.as_str()).zip(self.block(to.as_str()));
        blocks.is_some_and(|(from, to)| from.may_dial(to))
    }

    /// The other nodes that a node has links with, as far as transports and policies make some: by their
    /// names, with their blocks.
    pub fn linked_with(&self, own: &NodeName) -> Vec<(&NodeName, &Node)> {
        let Some(standing) = self.standing(own) else {
            return Vec::new();
        };
        let nodes = self.own_blocks().map(|node| (&node.name, node));
        let members = self.members.iter().filter_map(|(name, group)| {
            let group = self.groups.get(*group as usize)?;
            Some((name, &group.block))
        });
        let mut linked: Vec<_> = nodes
            .chain(members)
            .filter(|(name, block)| {
                *name != own && reach(standing, Standing::new(name, block)) == Reach::Links
            })
            .collect();
        linked.sort_by_key(|(name, _)| *name);
        linked
    }

    /// The blocks of those nodes that a node reaches over a bus and may send to; that of a group once, if any
    /// member of it is such a node.
    pub fn receivers_on(&self, bus: &BusName, own: &NodeName) -> Vec<&Node> {
        let counts = |name: &NodeName| {
            name != own && self.reach(own, name) == Reach::Bus(bus) && self.may_send(own, name)
        };
        let mut found: Vec<_> = self.own_blocks().collect();
        found.retain(|node| counts(&node.name));
        let mut groups = vec![false; self.groups.len()];
        for (name, group) in self.members.iter() {
            if let Some(is_found) = groups.get_mut(*group as usize) {
                *is_found = *is_found || counts(name);
            }
        }
        let groups = self.groups.iter().zip(groups);
        found.extend(groups.filter_map(|(group, is_found)| is_found.then_some(&group.block)));
        found
    }

    /// The nodes that may send a node something over a bus that fits this interest: by their names, those of their roles,
    /// and the policies. What their roles send, and at which channels, the file does not tell.
    pub fn senders_on<'n>(
        &'n self,
        bus: &BusName,
        own: &NodeName,
        interest: &Interest,
    ) -> impl Iterator<Item = &'n NodeName> {
        let has_role = |block: &Node| {
            let mut roles = block.roles.iter();
            roles.any(|role| interest.may_be_of(None, Some(role.name.as_str())))
        };
        let groups: Vec<bool> = self
            .groups
            .iter()
            .map(|group| has_role(&group.block))
            .collect();
        let members = self.members.iter();
        let members = members.filter(move |(_, group)| groups.get(*group as usize) == Some(&true));
        let nodes = self.own_blocks().filter(move |node| has_role(node));
        let all = nodes
            .map(|node| &node.name)
            .chain(members.map(|(name, _)| name));
        all.filter(move |name| {
            *name != own
                && interest.may_be_of(Some(name.as_str()), None)
                && self.reach(own, name) == Reach::Bus(bus)
                && self.may_send(name, own)
        })
    }

    fn standing(&self, name: &NodeName) -> Option<Standing<'_>> {
        let name = self.name(name.as_str())?;
        Some(Standing::new(name, self.block(name.as_str())?))
    }

    fn member(&self, name: &str) -> Option<&(NodeName, u32)> {
        let by_name = |(member, _): &(NodeName, u32)| member.as_str().cmp(name);
        let at = self.members.binary_search_by(by_name).ok()?;
        self.members.get(at)
    }
}

/// How much of the digest of the file is shown, in bytes.
const SHOWN_DIGEST: usize = 8;

/// How many names of nodes a message lists.
const MAX_LISTED: usize = 20;

pub(super) fn unknown_node<'n>(
    name: &NodeName,
    nodes: impl Iterator<Item = &'n NodeName>,
) -> Problem {
    let nodes: Vec<&str> = nodes.map(NodeName::as_str).collect();
    let listed = enumerate(nodes.iter().copied().take(MAX_LISTED), "and");
    let mut help = match nodes.len().checked_sub(MAX_LISTED) {
        Some(more @ 1..) => format!("its nodes are {listed}, and {more} more"),
        _ => format!("its nodes are {listed}"),
    };
    if let Some(near) = nearest(name.as_str(), nodes) {
        help = format!("did you mean {}? {help}", quoted(near));
    }
    Problem::error(
        None,
        "system",
        format!("no node of this file is called {}", quoted(name.as_str())),
    )
    .with_help(help)
}

/// That a name is that of a group; and which nodes may be meant.
pub(super) fn is_a_group<'n>(
    name: &str,
    members: impl Iterator<Item = &'n NodeName>,
) -> (String, String) {
    let members: Vec<&str> = members.map(NodeName::as_str).collect();
    let listed = enumerate(members.iter().copied().take(MAX_LISTED), "and");
    let help = match members.len().checked_sub(MAX_LISTED) {
        Some(more @ 1..) => format!("name one of its members: {listed}, or one of {more} more"),
        _ if members.is_empty() => "add a line for this node to its file of members".to_owned(),
        _ => format!("name one of its members: {listed}"),
    };
    let message = format!("{} is a group of nodes, and not a node", quoted(name));
    (message, help)
}

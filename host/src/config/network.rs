//! The network as the file describes it: valid values only.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kozo_addresses::Endpoint;
use kozo_auth::identity::TrustedKeys;
use kozo_auth::keys::PublicKey;
use kozo_description::{Class, ModuleOptions, Place, Problem, Problems, Values};
use kozo_faces::Face;
use kozo_ground::age::MaxAges;
use kozo_ground::grant::Grants;
use kozo_ground::interest::{Interests, Pattern};
use kozo_ground::names::{BusName, ModuleName, NodeName, RoleName, TransportName};
use kozo_ground::policy::ConnectPolicy;
use kozo_ground::text::{enumerate, nearest, quoted};
use kozo_router::OrderSources;
use kozo_wire::{RoleInterests, ToldInterests};

use super::bus::{Bus, OnBus};
use super::disclosure::Disclosure;
use super::group::Group;
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

/// That a name is that of a group, and which ones may be meant.
pub(super) fn is_a_group<'n>(
    name: &NodeName,
    members: impl Iterator<Item = &'n NodeName>,
) -> Problem {
    let members: Vec<&str> = members.map(NodeName::as_str).collect();
    let name = quoted(name.as_str());
    let listed = enumerate(members.iter().copied().take(MAX_LISTED), "and");
    let help = match members.len().checked_sub(MAX_LISTED) {
        Some(more @ 1..) => format!("name one of its members: {listed}, or one of {more} more"),
        _ if members.is_empty() => "add a line for this node to its file of members".to_owned(),
        _ => format!("name one of its members: {listed}"),
    };
    Problem::error(
        None,
        "system",
        format!("{name} is a group of nodes, and not a node"),
    )
    .with_help(help)
}

/// One machine of the network, or the block of a group of them.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// The file with its private key, on that machine.
    pub private_key: PathBuf,
    /// Where the network file names that one.
    pub private_key_place: Place,
    /// Its public keys; at least one.
    pub public_keys: Vec<PublicKey>,
    /// The group that it is a member of; none: the block is its own.
    pub group: Option<NodeName>,
    /// The folder in which its roles store things; there if one of its roles needs it.
    pub role_storage: Option<PathBuf>,
    /// Where the network file names it; if it does not, where it names the node.
    pub role_storage_place: Place,
    /// The folder in which its transports keep their files; none: a usual place.
    pub transport_storage: Option<PathBuf>,
    /// When it connects to others.
    pub self_to_others: ConnectPolicy,
    /// When others connect to it.
    pub others_to_self: ConnectPolicy,
    /// What it tells other nodes of itself.
    pub introspection: Disclosure,
    /// Whom it tells that; nothing: everybody.
    pub introspection_for: Option<Vec<Pattern>>,
    /// Where it listens for those who collect metrics; none: nowhere.
    pub metrics: Option<Endpoint>,
    /// The root options as they hold for this node.
    pub settings: Settings,
    /// Its roles in the order of the file.
    pub roles: Vec<Role>,
    /// Its transports in the order of the file: those that make links.
    pub transports: Vec<Transport>,
    /// The buses that it is on, in the order in which the file has buses.
    pub buses: Vec<OnBus>,
    /// The nodes that it has links with in spite of a common bus.
    pub direct: Vec<Pattern>,
    /// Where the network file names them; if it does not, where it names the node.
    pub direct_place: Place,
}

impl Node {
    /// What its roles want to hear of, as it tells other nodes.
    pub fn told_interests(&self) -> ToldInterests {
        let known = self.roles.iter().filter_map(|role| match &role.interests {
            Interests::Known(interests) => Some(RoleInterests {
                role: role.name.as_str().to_owned(),
                interests: interests.clone(),
            }),
            Interests::Unknown => None,
        });
        ToldInterests::new(known.collect())
    }

    /// What its block is called in the file: as the node or, for a member, as the group.
    pub fn block_name(&self) -> &NodeName {
        self.group.as_ref().unwrap_or(&self.name)
    }

    /// Whether the policies let it connect to this one.
    pub(super) fn may_dial(&self, other: &Self) -> bool {
        self.self_to_others.min(other.others_to_self) != ConnectPolicy::Never
    }

    /// Whether there are others that dial it, as far as it says.
    pub(super) fn is_dialled(&self) -> bool {
        self.others_to_self != ConnectPolicy::Never
    }

    /// What it tells the node of this name.
    pub fn tells(&self, node: &NodeName) -> Disclosure {
        let patterns = self.introspection_for.as_deref();
        let fits = |pattern: &Pattern| pattern.matches(node.as_str());
        match patterns {
            Some(patterns) if !patterns.iter().any(fits) => Disclosure::None,
            _ => self.introspection,
        }
    }
}

/// The root options as they hold for one node: its `overrideMainConfiguration` first, then the
/// root of the file, then the defaults. `docs/options.md` has their units, defaults and ranges.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The time between two heartbeats that the node sends.
    pub heartbeat: Duration,
    /// The longest wait between two attempts to connect.
    pub connection_retry: Duration,
    /// How many messages wait for each other node.
    pub outgoing_queue_length: usize,
    /// How many bytes of messages wait for each other node.
    pub outgoing_queue_size: usize,
    /// How many bytes are read from a link at a time.
    pub max_buffer_read_size: usize,
    /// The ciphers to offer, by their SSH names, the best first; empty: choose by the processor.
    pub ciphers: Vec<String>,
    /// The MACs to offer, by their SSH names, the best first; empty: choose.
    pub macs: Vec<String>,
    /// Where to look for modules and what they need.
    pub search_paths: SearchPaths,
    /// How old messages may get before they are delivered.
    pub max_ages: MaxAges,
    /// How long a link made on demand may be idle.
    pub idle_timeout: Duration,
}

impl Settings {
    /// From values in which the defaults are filled in.
    pub(super) fn new(values: &Values) -> Self {
        Self {
            heartbeat: values.seconds("heartbeat"),
            connection_retry: values.seconds("connectionRetry"),
            outgoing_queue_length: values.count("outgoingQueueLength"),
            outgoing_queue_size: values.count("outgoingQueueSize"),
            max_buffer_read_size: values.count("maxBufferReadSize"),
            ciphers: values.texts("cipher"),
            macs: values.texts("hmac"),
            search_paths: SearchPaths {
                roles: values.paths("rolePath"),
                transports: values.paths("transportPath"),
                imports: values.paths("importPath"),
            },
            max_ages: MaxAges {
                message: values.seconds("messageMaxAge"),
                order: values.seconds("orderMaxAge"),
            },
            idle_timeout: values.seconds("idleTimeout"),
        }
    }
}

/// The folders that the file names for modules; absolute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchPaths {
    /// `rolePath`.
    pub roles: Vec<PathBuf>,
    /// `transportPath`.
    pub transports: Vec<PathBuf>,
    /// `importPath`.
    pub imports: Vec<PathBuf>,
}

/// A job of a node.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name, unique on its node.
    pub name: RoleName,
    /// The module that does the job.
    pub module: ModuleName,
    /// What it is there for, for people.
    pub description: Option<String>,
    /// How much may wait for it.
    pub inbox: InboxLimits,
    /// Who may give it orders.
    pub accept_orders_from: OrderSources,
    /// What it may see and do of its node.
    pub granted: Grants,
    /// How it is kept from the rest of the host; none: it runs in the host's own process.
    pub isolation: Option<Isolation>,
    /// The module's options; `None` when the module is not known on this machine.
    pub options: Option<ModuleOptions>,
    /// What it wants to hear of.
    pub interests: Interests,
    /// What it is for people and other systems; nothing when the module is not known on this machine.
    pub faces: Vec<Face>,
    /// Where the file names it.
    pub place: Place,
}

/// A process for a single role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Isolation {
    /// How much memory of its own it may have, in bytes; none: as much as the system gives.
    pub memory_limit: Option<u64>,
}

/// How much may wait for a role before the oldest messages are pushed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxLimits {
    /// In messages.
    pub length: usize,
    /// In bytes.
    pub size: usize,
}

/// A way to reach a node.
#[derive(Debug, Clone)]
pub struct Transport {
    /// Its name, unique on its node.
    pub name: TransportName,
    /// The module that carries the bytes.
    pub module: ModuleName,
    /// What it is there for, for people.
    pub description: Option<String>,
    /// The module's options; `None` when the module is not known on this machine, or could do nothing
    /// with them.
    pub options: Option<ModuleOptions>,
    /// What is wrong with the options then: only in the block of another node than the one that runs.
    pub fault: Option<String>,
    /// Where the file names it.
    pub place: Place,
}

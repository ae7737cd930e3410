//! The network as the file describes it: valid values only.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use kozo_addresses::Endpoint;
use kozo_auth::keys::PublicKey;
use kozo_description::{Class, ModuleOptions, Place, Problem, Problems, Values};
use kozo_faces::Face;
use kozo_ground::age::MaxAges;
use kozo_ground::grant::Grants;
use kozo_ground::interest::{Interests, Pattern};
use kozo_ground::names::{ModuleName, NodeName, RoleName, TransportName};
use kozo_ground::policy::ConnectPolicy;
use kozo_ground::text::{enumerate, nearest, quoted};
use kozo_router::OrderSources;
use kozo_wire::{RoleInterests, ToldInterests};

use super::disclosure::Disclosure;

/// The whole network.
#[derive(Debug, Clone)]
pub struct Network {
    /// Its nodes by their name.
    pub nodes: BTreeMap<NodeName, Node>,
    /// The SHA-256 of the file, by which two nodes see whether theirs are the same.
    pub digest: [u8; 32],
    /// The file, as it was named, for messages.
    pub file: String,
}

impl Network {
    /// The start of the digest of the file, in hexadecimal digits: enough for people to compare.
    pub(crate) fn shown_digest(&self) -> String {
        let shown = self.digest.iter().take(SHOWN_DIGEST);
        shown.map(|byte| format!("{byte:02x}")).collect()
    }

    /// A node of the network.
    ///
    /// # Errors
    /// A report of class [`Class::UnknownNode`] that offers the names there are.
    pub fn node(&self, name: &NodeName) -> Result<&Node, Problems> {
        self.nodes.get(name).ok_or_else(|| {
            let mut problems = Problems::of_class(&self.file, Class::UnknownNode);
            problems.push(unknown_node(name, self.nodes.keys()));
            problems
        })
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

/// One machine of the network.
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
    /// Its transports in the order of the file.
    pub transports: Vec<Transport>,
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

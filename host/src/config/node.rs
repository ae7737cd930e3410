//! A node as the file describes it: its options, its roles, and what it reaches others by.

use std::path::PathBuf;
use std::time::Duration;

use kozo_addresses::Endpoint;
use kozo_auth::keys::{self, KeyError, PrivateKey, PublicKey};
use kozo_description::{ModuleOptions, Place, Value, Values};
use kozo_faces::Face;
use kozo_ground::age::MaxAges;
use kozo_ground::grant::Grants;
use kozo_ground::interest::{Interests, Pattern};
use kozo_ground::names::{ModuleName, NodeName, RoleName, TransportName};
use kozo_ground::policy::ConnectPolicy;
use kozo_router::OrderSources;
use kozo_wire::{RoleInterests, ToldInterests};

use super::bus::OnBus;
use super::disclosure::Disclosure;

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
    /// Where these stand, in words: "`publicKey`", or "key on line 3 of" a file of members.
    pub public_keys_stand: String,
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

    /// Checks that a private key is the other half of one of its public ones.
    ///
    /// # Errors
    /// [`KeyError::Mismatch`].
    pub fn check_key(&self, private: &PrivateKey) -> Result<(), KeyError> {
        keys::matches(private, &self.public_keys, &self.public_keys_stand)
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
    /// Links do not go over from SSH to Noise.
    pub ssh_only: bool,
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
            ssh_only: values.value("sshOnly") == Some(&Value::Boolean(true)),
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

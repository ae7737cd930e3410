//! What the node tells of itself and of the others, as far as it matters here.

use std::collections::BTreeMap;

use kozo_faces::Face;
use serde::{Deserialize, Serialize};

/// How many nodes are bridged at most.
pub(crate) const MAX_NODES: usize = 1000;

/// How many roles of a node.
pub(crate) const MAX_ROLES: usize = 64;

/// How many faces of a role.
pub(crate) const MAX_FACES: usize = 32;

/// A question to the node.
#[derive(Debug, Serialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub(crate) enum Question<'q> {
    Changed { since: Option<u64>, wait_ms: u64 },
    Network { wait_ms: Option<u64> },
    Why { peer: &'q str },
}

/// The node as soon as it has changed.
#[derive(Debug, Deserialize)]
pub(crate) struct Changed {
    pub(crate) version: u64,
    pub(crate) status: Node,
}

/// What all nodes say of themselves.
#[derive(Debug, Deserialize)]
pub(crate) struct Network {
    pub(crate) nodes: Vec<Report>,
}

/// Why there is a link with a peer.
#[derive(Debug, Deserialize)]
pub(crate) struct Why {
    pub(crate) idle_timeout_seconds: f64,
}

/// What a node says of itself.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Report {
    pub(crate) node: String,
    pub(crate) status: Option<Node>,
    #[serde(default)]
    pub(crate) other_file: bool,
}

/// A node.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Node {
    pub(crate) node: String,
    pub(crate) version: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) peers: Vec<Peer>,
}

/// A role of a node.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) faces: Vec<Face>,
}

/// A node as another one sees it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Peer {
    pub(crate) peer: String,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) links: Vec<Link>,
    #[serde(default)]
    pub(crate) wanted: bool,
    #[serde(default)]
    pub(crate) other_file: bool,
    #[serde(default)]
    pub(crate) last_error_seconds: Option<f64>,
}

/// A link.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Link {
    pub(crate) transport: String,
    #[serde(default)]
    pub(crate) round_trip_seconds: Option<f64>,
}

impl Peer {
    pub(crate) fn is_up(&self) -> bool {
        self.state == "up"
    }
}

/// What is known of what a node has, also while it is away.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) version: String,
    /// The faces of its roles. A role without any is among them.
    pub(crate) roles: BTreeMap<String, Vec<Face>>,
    /// The nodes with which it is to be linked at all times, of those that come after it.
    #[serde(default)]
    pub(crate) wanted: Vec<String>,
}

impl Known {
    /// What a node says of itself, as far as there is room for it.
    pub(crate) fn of(node: &Node) -> Self {
        let is_name = |name: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            (1..=64).contains(&name.len()) && name.chars().all(fits)
        };
        let roles = node.roles.iter().filter(|role| is_name(&role.name));
        let roles = roles.take(MAX_ROLES).map(|role| {
            let faces = role.faces.iter().take(MAX_FACES);
            let faces = faces.filter_map(crate::entity::bounded).collect();
            (role.name.clone(), faces)
        });
        let wanted = node.peers.iter().filter(|peer| peer.wanted);
        let wanted = wanted.map(|peer| &peer.peer).take(MAX_NODES);
        let mut wanted: Vec<String> = wanted.filter(|peer| **peer > node.node).cloned().collect();
        wanted.sort_unstable();
        Self {
            version: shortened(&node.version, 64),
            roles: roles.collect(),
            wanted,
        }
    }
}

/// The first characters of a text, without those that nobody can see.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    let seen = text.chars().filter(|c| !c.is_control());
    seen.take(longest).collect()
}

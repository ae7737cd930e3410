//! What an engine has to allow the nodes on a bus.

use std::collections::BTreeMap;

use kozo_bus::subject::{Permissions, Subjects};
use kozo_ground::names::{BusName, NodeName};

use crate::config::{Network, OnBus};

/// The option by which nodes are known to an engine, in modules that have one.
const USER: &str = "user";

/// What stands where the name of a member belongs.
const ANY_NODE: &str = "*";

/// A user of an engine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct User {
    /// Its name there.
    pub(super) name: String,
    /// The nodes that log in with it.
    pub(super) nodes: Vec<NodeName>,
    /// What it may do.
    pub(super) permissions: Permissions,
}

/// The nodes that speak with an engine, by their names.
#[derive(Debug)]
pub(super) struct Rights<'n>(BTreeMap<&'n NodeName, OfNode>);

#[derive(Debug)]
struct OfNode {
    /// The user that the file has for it.
    user: Option<String>,
    permissions: Permissions,
}

impl<'n> Rights<'n> {
    /// Those of a network's nodes on this bus. A gateway may do what those behind it may.
    pub(super) fn of(network: &'n Network, bus: &BusName, subjects: &Subjects) -> Self {
        let on = |name: &NodeName| -> Option<&'n OnBus> {
            let block = network.block(name.as_str())?;
            block.buses.iter().find(|on| on.bus == *bus)
        };
        let permissions = |name: &NodeName| subjects.permissions(subjects.node(name));
        let mut nodes = BTreeMap::new();
        let mut behind = Vec::new();
        for name in network.names() {
            let Some(on) = on(name) else {
                continue;
            };
            if on.through.is_empty() {
                let of_node = OfNode {
                    user: user(on, name),
                    permissions: permissions(name),
                };
                nodes.insert(name, of_node);
            } else {
                behind.extend(on.through.iter().map(|gateway| (gateway, name)));
            }
        }
        for (gateway, name) in behind {
            if let Some(of_node) = nodes.get_mut(gateway) {
                join(&mut of_node.permissions, permissions(name));
            }
        }
        Self(nodes)
    }

    /// The users that these nodes log in as: what the file says, or their name behind this prefix.
    pub(super) fn users(self, prefix: &str) -> Vec<User> {
        let mut users = BTreeMap::<String, User>::new();
        for (node, of_node) in self.0 {
            let name = of_node.user.unwrap_or_else(|| format!("{prefix}{node}"));
            let user = users.entry(name.clone()).or_insert_with(|| User {
                name,
                nodes: Vec::new(),
                permissions: Permissions::default(),
            });
            user.nodes.push(node.clone());
            join(&mut user.permissions, of_node.permissions);
        }
        users.into_values().collect()
    }
}

/// The user in the options of a module, with the name of a member where it belongs.
fn user(on: &OnBus, node: &NodeName) -> Option<String> {
    let user = on.options.as_ref()?.value(USER)?.as_text()?;
    match user {
        "" => None,
        user => Some(user.replace(ANY_NODE, node.as_str())),
    }
}

/// Adds what is not there yet.
fn join(all: &mut Permissions, more: Permissions) {
    let add = |all: &mut Vec<String>, more: Vec<String>| {
        // Only what is said of any node is said twice, and that is at the beginning.
        let known = all.len().min(MOST_COMMON);
        let new: Vec<_> = more
            .into_iter()
            .filter(|pattern| !all[..known].contains(pattern))
            .collect();
        all.extend(new);
    };
    add(&mut all.publish, more.publish);
    add(&mut all.subscribe, more.subscribe);
}

/// How many patterns one node has at most.
const MOST_COMMON: usize = 8;

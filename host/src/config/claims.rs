//! What only one can have: pins, ports and addresses. Modules say in their metadata what their options
//! stand for; here it is compared, and whatever two have is told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use kozo_addresses::{Endpoint, Listening};
use kozo_description::{Claimed, Place, Problem, Problems};
use kozo_ground::interest::Pattern;
use kozo_ground::text::{plain, quoted};

/// A claim, and where it comes from.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) claimed: Claimed,
    /// The way to the block of the role or transport.
    pub(super) block: String,
    /// The way to what is told of it.
    pub(super) path: String,
    /// Where that stands.
    pub(super) place: Place,
}

/// Whose block it is, when it is that of many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared<'g> {
    /// The group.
    pub(super) group: &'g str,
    /// How many members it has.
    pub(super) members: usize,
}

/// Who has something.
#[derive(Debug, Clone)]
struct Holder {
    /// The way to the node's block.
    node: String,
    block: String,
    path: String,
    place: Place,
}

/// All claims of a network so far.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// By the way to the node, and by what it is.
    resources: HashMap<(String, String), Holder>,
    /// Things of the whole network, as patterns.
    network: Vec<(Pattern, Holder)>,
    /// By the way to the node, and by the port; with the address.
    listening: HashMap<(String, String), Vec<(Listening, Holder)>>,
    /// By the one form of the address.
    reach: HashMap<String, Holder>,
}

impl Claims {
    /// Adds those of a node's roles and transports, and says what somebody has claimed before. Where a
    /// node is reached that is never dialled plays no part.
    pub(super) fn add(
        &mut self,
        node: &str,
        is_dialled: bool,
        noted: Vec<Noted>,
        problems: &mut Problems,
    ) {
        for Noted {
            claimed,
            block,
            path,
            place,
        } in noted
        {
            if !is_dialled && matches!(claimed, Claimed::Reach { .. }) {
                continue;
            }
            let node = node.to_owned();
            let holder = Holder {
                node,
                block,
                path,
                place,
            };
            if let Some(problem) = self.claim(claimed, holder) {
                problems.push(problem);
            }
        }
    }

    /// Adds those of a block that many nodes have: what only one of all nodes can have is told at once.
    pub(super) fn add_shared(
        &mut self,
        node: &str,
        is_dialled: bool,
        noted: Vec<Noted>,
        shared: &Shared<'_>,
        problems: &mut Problems,
    ) {
        let (of_all, of_each): (Vec<_>, Vec<_>) = noted.into_iter().partition(|noted| {
            matches!(noted.claimed, Claimed::Network(_) | Claimed::Reach { .. })
        });
        self.add(node, is_dialled, of_each, problems);
        if shared.members <= 1 {
            return;
        }
        for noted in of_all {
            let what = match &noted.claimed {
                // The name of the node is in it, and differs.
                Claimed::Network(name) if name.contains('*') => continue,
                Claimed::Network(name) => plain(name),
                Claimed::Reach { address, .. } if is_dialled => quoted(address),
                _ => continue,
            };
            let (members, group) = (shared.members, quoted(shared.group));
            let message = format!("all {members} members of {group} have {what}");
            problems.push(
                Problem::warning(noted.place, &noted.path, message)
                    .with_help("only one node can have it: give that one a block of its own"),
            );
        }
    }

    fn claim(&mut self, claimed: Claimed, holder: Holder) -> Option<Problem> {
        match claimed {
            Claimed::Resource(name) => self.resource(name, &holder),
            Claimed::Network(name) => self.of_network(&name, holder),
            Claimed::Port { address, port } => self.listening(&address, port, holder),
            Claimed::Reach { address, port } => self.reach(&address, port.as_deref(), &holder),
        }
    }

    fn resource(&mut self, name: String, holder: &Holder) -> Option<Problem> {
        let what = plain(&name);
        let first = first(self.resources.entry((holder.node.clone(), name)), holder)?;
        (first.block != holder.block).then(|| {
            let message = format!("{what} is used twice on this node: by {first}, and here");
            holder.warning(message, "only one can have it: use another one here")
        })
    }

    fn of_network(&mut self, name: &str, holder: Holder) -> Option<Problem> {
        let here = Pattern::new(name);
        let mut others = self.network.iter();
        let first =
            others.find(|(there, first)| first.block != holder.block && here.overlaps(there));
        if let Some((_, first)) = first {
            let message = format!(
                "{} is used twice in this network: by {first}, and here",
                plain(name)
            );
            return Some(holder.warning(message, "only one can have it: use another one here"));
        }
        self.network.push((here, holder));
        None
    }

    fn listening(&mut self, address: &str, port: String, holder: Holder) -> Option<Problem> {
        let here = Listening::on(address);
        let what = format!("TCP port {}", plain(&port));
        let others = self.listening.entry((holder.node.clone(), port));
        let others = others.or_default();
        let first = others
            .iter()
            .find(|(there, first)| first.block != holder.block && here.overlaps(there));
        if let Some((_, first)) = first {
            let message = format!("{what} is listened on twice on this node: by {first}, and here");
            return Some(holder.warning(
                message,
                "only one can: choose another port, or addresses that leave room for each other",
            ));
        }
        others.push((here, holder));
        None
    }

    fn reach(&mut self, address: &str, port: Option<&str>, holder: &Holder) -> Option<Problem> {
        let port = port.and_then(|port| port.parse().ok());
        let address = match Endpoint::parse(address, port) {
            Ok(endpoint) => endpoint.canonical().to_string(),
            Err(_) => address.trim().to_lowercase(),
        };
        let what = quoted(&address);
        let first = first(self.reach.entry(address), holder)?;
        // A node may say twice how it is reached.
        (first.node != holder.node).then(|| {
            let message = format!("{what} is given for two nodes: by {first}, and here");
            holder.warning(
                message,
                "nobody could know which of the two answers: give each one of its own",
            )
        })
    }
}

/// Who was there first; if nobody was, this one is now.
fn first<K>(entry: Entry<'_, K, Holder>, holder: &Holder) -> Option<Holder> {
    match entry {
        Entry::Occupied(entry) => Some(entry.get().clone()),
        Entry::Vacant(entry) => {
            entry.insert(holder.clone());
            None
        }
    }
}

impl Holder {
    fn warning(&self, message: String, help: &str) -> Problem {
        Problem::warning(self.place, &self.path, message).with_help(help)
    }
}

/// As who else has it.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` on line {}", self.block, self.place.line)
    }
}

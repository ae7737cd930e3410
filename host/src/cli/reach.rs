//! From the words of the command line to the daemon that is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use kozo_ground::names::NodeName;
use kozo_ground::text::{enumerate, nearest};
use kozo_status::{NodeStatus, PeerDetails};

use super::arguments::DaemonArguments;
use super::failure::Failure;
use crate::control::{Client, ClientError, Surroundings};
use crate::introspection::Request;

/// How long each of several daemons may take to say which nodes it knows.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many nodes are named to somebody who has named another one, at most.
const MAX_NAMED: usize = 20;

/// The daemon at the place that was given, or the one of `node`, or the only one there is.
pub(super) fn reach(
    arguments: &DaemonArguments,
    node: Option<&NodeName>,
) -> Result<Client, Failure> {
    match &arguments.control {
        Some(path) => Ok(Client::at(path)),
        None => Client::find(&Surroundings::read(), node).map_err(Failure::other),
    }
}

/// The daemon to ask about `node`: its own where it runs here; otherwise as [`reach`] has it, with `by`
/// for the node that asks it through the network.
pub(super) fn reach_about(
    arguments: &DaemonArguments,
    by: Option<&NodeName>,
    node: &NodeName,
) -> Result<Client, Failure> {
    if arguments.control.is_some() || by.is_some() {
        return reach(arguments, by);
    }
    let surroundings = Surroundings::read();
    match Client::find(&surroundings, Some(node)) {
        Err(ClientError::NoDaemon { .. }) => match Client::find(&surroundings, None) {
            Err(ClientError::SeveralDaemons(_)) => who_knows(&surroundings, node),
            found => found.map_err(Failure::other),
        },
        found => found.map_err(Failure::other),
    }
}

/// One of several daemons here whose network has the node. That it has no links with it, as with a node that is only on a
/// bus, does not matter.
fn who_knows(surroundings: &Surroundings, node: &NodeName) -> Result<Client, Failure> {
    let mut known = BTreeSet::new();
    let daemons = Client::all(surroundings, PATIENCE);
    for daemon in &daemons {
        let Ok(status) = daemon.ask::<NodeStatus>(&Request::Status) else {
            continue;
        };
        known.extend(status.peers.into_iter().map(|peer| peer.peer));
        known.insert(status.node);
        if known.contains(node) {
            return Ok(daemon.patient());
        }
    }
    let why = Request::Why {
        peer: node.to_string(),
    };
    let mut knowing = daemons.iter();
    let found = knowing.find(|daemon| daemon.ask::<PeerDetails>(&why).is_ok());
    found
        .map(Client::patient)
        .ok_or_else(|| Failure::other(no_such_node(node, &known)))
}

/// What is said of a node that no network here has.
fn no_such_node(node: &NodeName, known: &BTreeSet<NodeName>) -> String {
    let names: Vec<_> = known.iter().map(NodeName::as_str).collect();
    let mut text = format!("no node of this machine knows a node `{node}`");
    if let Some(near) = nearest(node.as_str(), names.iter().copied()) {
        return format!("{text}: did you mean `{near}`?");
    }
    if !names.is_empty() {
        let named = names.iter().copied().take(MAX_NAMED);
        text += &match names.len().checked_sub(MAX_NAMED) {
            Some(more @ 1..) => {
                let named: Vec<_> = named.map(|name| format!("`{name}`")).collect();
                format!(": there are {} and {more} more", named.join(", "))
            }
            _ => format!(": there are {}", enumerate(named, "and")),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_that_there_are_are_named_to_whoever_names_another() {
        let name = |text: &str| NodeName::new(text).unwrap();
        let known = |names: &[&str]| names.iter().map(|text| name(text)).collect();
        let said = |node: &str, names: &[&str]| no_such_node(&name(node), &known(names));
        assert_eq!(
            said("nobody", &["scribe", "clock", "hall"]),
            "no node of this machine knows a node `nobody`: there are `clock`, `hall` and `scribe`"
        );
        assert_eq!(
            said("clokc", &["scribe", "clock"]),
            "no node of this machine knows a node `clokc`: did you mean `clock`?"
        );
        let many: BTreeSet<_> = (10..40).map(|number| name(&format!("n{number}"))).collect();
        let text = no_such_node(&name("nobody"), &many);
        assert!(text.ends_with("`n28`, `n29` and 10 more"), "{text}");
    }
}

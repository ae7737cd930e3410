//! `kozo complete`: names for the completions of shells.

use std::collections::BTreeSet;
use std::time::Duration;

use kozo_status::NodeStatus;

use super::arguments::CompletedNames;
use super::failure::Failure;
use super::output;
use crate::control::{Client, Surroundings};
use crate::introspection::Request;

/// How long a daemon may take to answer somebody who waits with a key pressed.
const PATIENCE: Duration = Duration::from_millis(300);

/// Prints the names that the daemons here know, one a line; none when there are no daemons.
pub(super) fn complete(wanted: CompletedNames) -> Result<(), Failure> {
    let daemons = Client::all(&Surroundings::read(), PATIENCE);
    let answers = daemons
        .iter()
        .filter_map(|daemon| daemon.ask(&Request::Status).ok());
    let names: BTreeSet<String> = answers
        .flat_map(|status: NodeStatus| match wanted {
            CompletedNames::Nodes => {
                let peers = status.peers.iter().map(|peer| peer.peer.to_string());
                peers.chain([status.node.to_string()]).collect::<Vec<_>>()
            }
            CompletedNames::Roles => {
                let roles = status.roles.iter();
                roles.map(|role| role.name.to_string()).collect()
            }
        })
        .collect();
    let lines: String = names.iter().flat_map(|name| [name, "\n"]).collect();
    output::print(&lines)
}

//! From the words of the command line to the daemon that is asked.

use kozo_ground::names::NodeName;

use super::arguments::DaemonArguments;
use super::failure::Failure;
use crate::control::{Client, ClientError, Surroundings};

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
        Err(ClientError::NoDaemon { .. }) => {
            Client::find(&surroundings, None).map_err(Failure::other)
        }
        found => found.map_err(Failure::other),
    }
}

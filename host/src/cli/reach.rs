//! From the words of the command line to the daemon that is asked.

use kozo_ground::names::NodeName;

use super::arguments::DaemonArguments;
use super::failure::Failure;
use crate::control::{Client, Surroundings};

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

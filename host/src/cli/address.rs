//! `kozo address`: the addresses that a node's transports make up by themselves.

use kozo_ground::names::NodeName;
use kozo_ground::text::printable;

use super::arguments::AddressArguments;
use super::failure::Failure;
use super::output;
use super::prepare::Prepared;
use crate::transports::{StateEnvironment, StateFolders, own_addresses};

/// Why there is nothing to print.
#[derive(Debug, thiserror::Error)]
#[error(
    "no transport of `{0}` makes its address up by itself: write the addresses at which the node is reached into the file"
)]
struct NoAddress(NodeName);

pub(super) fn address(arguments: &AddressArguments) -> Result<(), Failure> {
    let node = &arguments.node;
    let prepared = Prepared::read(&arguments.config, Some(node), &[]).map_err(Failure::Report)?;
    let (network, _) = prepared.network_to_run(node).map_err(Failure::Report)?;
    let own = network.node(node).map_err(Failure::Report)?;
    let state = StateFolders::new(own.transport_storage.as_deref(), &StateEnvironment::read());
    let addresses = own_addresses(own, &prepared.registry, state).map_err(Failure::other)?;
    if addresses.is_empty() {
        return Err(Failure::other(NoAddress(node.clone())));
    }
    let lines = addresses
        .iter()
        .map(|(transport, address)| format!("{transport}: {}\n", printable(address)));
    output::print(&lines.collect::<String>())
}

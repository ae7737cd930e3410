//! The ways over which a node dials others.

use kozo_description::{Claimed, ModuleKind};
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;

use crate::config::{Network, Transport};
use crate::modules::Registry;
use crate::transports::{AskedWay, ask_ways};

/// Those over which the node `own` dials others: as the modules of its transports say, of those that it has links with
/// and that the policies let it dial.
///
/// # Errors
/// Why they are not known.
pub(super) fn dialled(
    network: &Network,
    own: &NodeName,
    registry: &Registry,
) -> Result<Vec<AskedWay>, String> {
    let has_addresses = |transport: &Transport| is_dialled_by_port(registry, transport);
    let ways = ask_ways(network, own, registry, has_addresses);
    let mut ways = ways.map_err(|error| error_text(&error))?;
    ways.retain(|way| network.may_send(own, &way.node));
    Ok(ways)
}

/// Whether a transport is reached at a host and a port, as its module says of its options.
fn is_dialled_by_port(registry: &Registry, transport: &Transport) -> bool {
    let metadata = registry.metadata(ModuleKind::Transport, transport.module.as_str());
    metadata
        .zip(transport.options.as_ref())
        .is_some_and(|(metadata, options)| {
            let is_by_port =
                |claimed: &Claimed| matches!(claimed, Claimed::Reach { port: Some(_), .. });
            metadata.claimed(options).iter().any(is_by_port)
        })
}

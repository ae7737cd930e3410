//! The ways to other nodes as the modules of transports tell of them, without a node that runs.

use std::sync::Arc;

use kozo_description::ModuleOptions;
use kozo_ground::names::{NodeName, TransportName};
use kozo_ground::text::error_text;

use super::error::TransportError;
use super::inquiry::Inquiry;
use super::maker::{encode, identity};
use crate::config::{self, Network};
use crate::modules::{PeerDescription, Registry, TransportInstance};

/// A way from a transport of this node to one of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AskedWay {
    /// This node's transport.
    pub(crate) transport: TransportName,
    /// The other node.
    pub(crate) node: NodeName,
    /// Its transport.
    pub(crate) peer_transport: TransportName,
    /// Where it would be dialled, or why that cannot be told. Empty where `has_addresses` said that it is
    /// not to be asked for.
    pub(crate) addresses: Result<Vec<String>, String>,
}

/// Asks the transports of the node `own` which ones of the others they can connect to, and at which
/// addresses, those for which `has_addresses` holds. The modules are loaded; nothing is sent, and no
/// file is touched. A module that does not come back keeps the caller.
///
/// # Errors
/// What is wrong with a transport of this node.
pub(crate) fn ask_ways(
    network: &Network,
    own: &NodeName,
    registry: &Registry,
    has_addresses: impl Fn(&config::Transport) -> bool,
) -> Result<Vec<AskedWay>, TransportError> {
    let mut ways = Vec::new();
    for transport in network
        .nodes
        .get(own)
        .into_iter()
        .flat_map(|own| &own.transports)
    {
        let Some(options) = &transport.options else {
            continue;
        };
        let dialler = make(own, transport, options, true, registry)?;
        for (node, peer) in network.linked_with(own) {
            for other in &peer.transports {
                let Some(options) = &other.options else {
                    continue;
                };
                let accepts = make(node, other, options, false, registry)
                    .and_then(|made| Ok(made.can_accept()?));
                let peer = PeerDescription {
                    node: node.as_str().to_owned(),
                    name: other.name.as_str().to_owned(),
                    module: other.module.as_str().to_owned(),
                    options: encode(options)?,
                };
                // What is wrong with the other's options was said when the file was read.
                if !accepts.unwrap_or(false) || !dialler.can_connect(&peer)? {
                    continue;
                }
                let addresses = match has_addresses(other) {
                    true => dialler.addresses(&peer).map_err(|error| error_text(&error)),
                    false => Ok(Vec::new()),
                };
                ways.push(AskedWay {
                    transport: transport.name.clone(),
                    node: node.clone(),
                    peer_transport: other.name.clone(),
                    addresses,
                });
            }
        }
    }
    Ok(ways)
}

fn make(
    node: &NodeName,
    transport: &config::Transport,
    options: &ModuleOptions,
    is_local: bool,
    registry: &Registry,
) -> Result<TransportInstance, TransportError> {
    let module = registry.load_transport(&transport.module)?;
    let inquiry = Arc::new(Inquiry::new(identity(node, transport, is_local), None));
    Ok(module.create(inquiry, &encode(options)?)?)
}

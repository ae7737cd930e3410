//! The addresses that transports make up by themselves, for the file of a node that has not run
//! yet.

use std::sync::Arc;

use kozo_ground::names::TransportName;

use super::error::{AddressError, TransportError};
use super::inquiry::Inquiry;
use super::maker::{encode, identity};
use super::state_folders::StateFolders;
use crate::config;
use crate::modules::Registry;

/// The addresses of a node's transports, as far as they make them up by themselves, each with the
/// name of its transport. No transport is made and nothing is sent, and the node may run meanwhile.
///
/// # Errors
/// The module of a transport does not load, or has a reason not to tell.
pub(crate) fn own_addresses(
    node: &config::Node,
    registry: &Registry,
    state: StateFolders,
) -> Result<Vec<(TransportName, String)>, AddressError> {
    let state = Arc::new(state);
    let mut addresses = Vec::new();
    for transport in &node.transports {
        let failed = |reason| AddressError {
            transport: transport.name.clone(),
            reason,
        };
        let module = registry.load_transport(&transport.module);
        let module = module.map_err(|error| failed(error.into()))?;
        // The module is there, so its options were checked.
        let Some(options) = &transport.options else {
            continue;
        };
        let identity = identity(&node.name, transport, true);
        let inquiry = Arc::new(Inquiry::new(identity, Some(Arc::clone(&state))));
        let address = encode(options)
            .map_err(TransportError::from)
            .and_then(|options| Ok(module.own_address(inquiry, &options)?));
        if let Some(address) = address.map_err(failed)? {
            addresses.push((transport.name.clone(), address));
        }
    }
    Ok(addresses)
}

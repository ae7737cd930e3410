//! The addresses that transports make up by themselves, for the file of a node that has not run
//! yet.

use std::sync::Arc;

use kozo_ground::names::TransportName;
use kozo_ground::text::error_text;

use super::inquiry::Inquiry;
use super::{StateFolders, encode};
use crate::config;
use crate::modules::registry::Registry;

/// Why an address cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("transport `{transport}`: {reason}")]
pub struct AddressError {
    transport: TransportName,
    reason: String,
}

/// The addresses of a node's transports, as far as they make them up by themselves, each with the
/// name of its transport. No transport is made and nothing is sent, and the node may run meanwhile.
///
/// # Errors
/// The module of a transport does not load, or has a reason not to tell.
pub fn own_addresses(
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
        let module = registry
            .load_transport(&transport.module)
            .map_err(|error| failed(error_text(&error)))?;
        // The module is there, so its options were checked.
        let Some(options) = &transport.options else {
            continue;
        };
        let options = encode(options).map_err(failed)?;
        let inquiry = Inquiry::new(&node.name, transport, true, Some(Arc::clone(&state)));
        let inquiry = Arc::new(inquiry);
        if let Some(address) = module.own_address(inquiry, &options).map_err(failed)? {
            addresses.push((transport.name.clone(), address));
        }
    }
    Ok(addresses)
}

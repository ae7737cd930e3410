//! The addresses that transports make up by themselves, for the file of a node that has not run
//! yet.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kozo_abi::{Level, Readiness};

use super::{StateFolders, encode};
use crate::config;
use crate::log::error_text;
use crate::modules::registry::Registry;
use crate::modules::transport::TransportServices;
use crate::names::{ModuleName, NodeName, TransportName};

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
        let inquiry = Arc::new(Inquiry {
            node: node.name.clone(),
            name: transport.name.clone(),
            module: transport.module.clone(),
            state: Arc::clone(&state),
        });
        if let Some(address) = module.own_address(inquiry, &options).map_err(failed)? {
            addresses.push((transport.name.clone(), address));
        }
    }
    Ok(addresses)
}

/// The host of a transport that is asked for its address, and is never made.
struct Inquiry {
    node: NodeName,
    name: TransportName,
    module: ModuleName,
    state: Arc<StateFolders>,
}

impl TransportServices for Inquiry {
    fn node(&self) -> &str {
        self.node.as_str()
    }

    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn module(&self) -> &str {
        self.module.as_str()
    }

    fn is_local(&self) -> bool {
        true
    }

    fn stopping(&self) -> bool {
        false
    }

    fn wait_readable(&self, _: BorrowedFd<'_>, _: Option<Duration>) -> Result<Readiness, String> {
        Err("nothing is waited for while an address is asked for".to_owned())
    }

    fn sign(&self, _data: &[u8]) -> Result<Vec<u8>, String> {
        Err("nothing is signed while an address is asked for".to_owned())
    }

    fn verify(&self, _node: &str, _data: &[u8], _signature: &[u8]) -> Result<(), String> {
        Err("nothing is verified while an address is asked for".to_owned())
    }

    fn state_dir(&self) -> Result<PathBuf, String> {
        self.state
            .folder(&self.node, &self.name)
            .map_err(|error| error_text(&error))
    }

    fn set_status(&self, _text: &str) {}

    fn log(&self, level: Level, text: &str) {
        super::services::log(level, &self.name, &self.node, text);
    }
}

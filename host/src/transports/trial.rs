//! What modules say about the options of transports, without a node that runs.

use std::sync::Arc;

use kozo_description::{Problem, Problems};
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;

use super::error::TransportError;
use super::inquiry::Inquiry;
use super::maker::{encode, identity};
use crate::config::Network;
use crate::modules::Registry;

/// Makes the transports of every node, once those of a group, as a daemon of the node `own` does when it starts,
/// and adds what their modules refuse. The modules are loaded; nothing is sent, and no file is touched.
pub(crate) fn try_transports(
    network: &Network,
    own: &NodeName,
    registry: &Registry,
    problems: &mut Problems,
) {
    let own_block = network.nodes.get_key_value(own);
    for (node, configured) in network.other_blocks(own).into_iter().chain(own_block) {
        for transport in &configured.transports {
            // The module is not here: that was said.
            let Some(options) = &transport.options else {
                continue;
            };
            let block = match node == own {
                true => configured.block_name(),
                // That of a group has its name.
                false => &configured.name,
            };
            let path = format!("system.{block}.transports.{}", transport.name);
            let loaded = match registry.load_transport(&transport.module) {
                Ok(module) => module,
                Err(error) => {
                    let (place, reason) = (transport.place, error_text(&error));
                    problems.push(match node == own {
                        true => Problem::error(place, path, reason),
                        // Nothing can be said against the other node.
                        false => Problem::warning(place, path, reason),
                    });
                    continue;
                }
            };
            let inquiry = Arc::new(Inquiry::new(identity(node, transport, node == own), None));
            let made = encode(options)
                .map_err(TransportError::from)
                .and_then(|options| {
                    let made = loaded.create(Arc::clone(&inquiry) as _, &options)?;
                    made.priority()?;
                    Ok(made.can_accept()?)
                });
            if let Err(reason) = made
                && !inquiry.has_denied()
            {
                problems.push(Problem::error(transport.place, path, error_text(&reason)));
            }
        }
    }
}

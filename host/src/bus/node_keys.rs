//! The node key, as a bus uses it.

use kozo_auth::attest::BusAttestor;
use kozo_bus::members::{CannotSign, NodeKeys};
use kozo_ground::names::NodeName;

/// Signs and verifies for buses of one module.
pub(super) struct AttestedKeys(pub(super) BusAttestor);

impl NodeKeys for AttestedKeys {
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, CannotSign> {
        let signature = self.0.sign(text);
        signature.map_err(|error| CannotSign(Box::new(error)))
    }

    fn verify(&self, node: &NodeName, text: &[u8], signature: &[u8]) -> bool {
        self.0.verify(node, text, signature).is_ok()
    }
}

//! What a bus asks its node about others: who they are by the network file, and whose key signed something.

use kozo_ground::names::NodeName;

use crate::subject::Token;

/// The nodes that are on the bus, by the network file as it is now. All are lookups, so that a network of ten
/// thousand nodes costs no list here.
pub trait Members: Send + Sync {
    /// The node on this bus that has this token, this node itself included.
    fn name_of(&self, token: Token) -> Option<NodeName>;

    /// Whether this node may hear `node`: it is on the bus, has a key, and the policies of the two let them talk.
    fn may_be_heard(&self, node: &NodeName) -> bool;

    /// Whether `node` may have this node's sender keys: it is on the bus, has a key, and the policies of the two let
    /// them talk.
    fn may_read(&self, node: &NodeName) -> bool;
}

/// The node key of this node, and the public ones of the others, for this bus.
pub trait NodeKeys: Send + Sync {
    /// Signs `text` with this node's key, in such a way that the signature is of no use but as this node's on a bus
    /// of the same module.
    ///
    /// # Errors
    /// The key cannot sign.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, CannotSign>;

    /// Whether [`sign`](Self::sign) of `node`, this node itself included, made `signature` of `text`, with a key that
    /// the network file has for it now.
    fn verify(&self, node: &NodeName, text: &[u8], signature: &[u8]) -> bool;
}

/// The node key cannot sign.
#[derive(Debug, thiserror::Error)]
#[error("the node key cannot sign")]
pub struct CannotSign(#[source] pub Box<dyn std::error::Error + Send + Sync>);

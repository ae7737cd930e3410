//! The way from the links to those whom messages and questions are for.

use std::pin::Pin;

use bytes::Bytes;
use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_link::Delivery;
use kozo_wire::RoleInterests;

/// Where links hand over what came: the router.
pub(crate) trait Arrivals: Send + Sync + 'static {
    /// Messages of roles of `node`, in order, for the roles of this node. Must not block.
    fn deliver(&self, node: &NodeName, deliveries: Vec<Delivery>, now: Moment);

    /// What the roles of `node` want to hear of.
    fn learn(&self, node: &NodeName, interests: Vec<RoleInterests>);

    /// There may be room again in the queue of a peer.
    fn room(&self);
}

/// Hears that there is news of what is carried for buses.
pub(crate) trait BusEar: Send + Sync + 'static {
    /// There is. The peer is locked meanwhile, so this must not look at it, nor block.
    fn ring(&self);
}

/// Answers what other nodes ask.
pub(crate) trait PeerQuestions: Send + Sync + 'static {
    /// The answer to a question of `node`, whose link or bus has proven that name.
    fn answer(
        &self,
        node: &NodeName,
        question: Bytes,
    ) -> Pin<Box<dyn Future<Output = Bytes> + Send>>;
}

//! The way from the links to those whom messages are for.

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_link::Delivery;
use kozo_wire::RoleInterests;

/// Where links hand over what came: the router.
pub(crate) trait Arrivals: Send + Sync + 'static {
    /// Messages of roles of `node`, in order, for the roles of this node. Must not block.
    fn deliver(&self, node: &NodeName, deliveries: &[Delivery], now: Moment);

    /// What the roles of `node` want to hear of.
    fn learn(&self, node: &NodeName, interests: Vec<RoleInterests>);

    /// There may be room again in the queue of a peer.
    fn room(&self);
}

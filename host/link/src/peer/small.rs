//! A peer as tests of single steps need it.

use std::time::Duration;

use kozo_ground::age::MaxAges;
use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_ground::policy::ConnectPolicy;
use kozo_ground::queue::QueueLimits;
use kozo_wire::SessionId;

use super::{Peer, PeerSettings};

/// A peer with a small queue, which both nodes dial at all times.
pub(super) fn small_peer(
    own: &str,
    other: &str,
    session: u64,
    heartbeat: Duration,
    now: Moment,
) -> Peer {
    let settings = PeerSettings {
        own: NodeName::new(own).unwrap(),
        peer: NodeName::new(other).unwrap(),
        session: SessionId(session),
        outgoing: ConnectPolicy::Constant,
        incoming: ConnectPolicy::Constant,
        heartbeat,
        peer_heartbeat: heartbeat,
        connection_retry: Duration::from_secs(60),
        idle_timeout: Duration::from_secs(60),
        queue: QueueLimits {
            length: 100,
            size: 1 << 20,
        },
        max_ages: MaxAges {
            message: Duration::from_secs(60),
            order: Duration::from_secs(60),
        },
        max_read: 64 * 1024,
        buses: Vec::new(),
        config_digest: vec![],
        seed: session,
    };
    Peer::new(settings, vec![], now)
}

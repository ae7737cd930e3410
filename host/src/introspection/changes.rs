//! Waiting for a node to change: its roles, its links and its transports, and not what is merely counted.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use kozo_ground::clock;
use kozo_status::{ChangedStatus, NodeStatus, PeerState};

use super::Introspection;

/// How often the node is looked at for somebody who waits: so no more changes a second are told.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// How long an answer waits for a change at most.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Introspection {
    /// The node as soon as it is another one than `since` says, or when the time is up.
    pub(super) async fn changed(&self, since: Option<u64>, wait_ms: u64) -> ChangedStatus {
        let deadline = clock::now() + Duration::from_millis(wait_ms).min(LONGEST_WAIT);
        loop {
            let now = clock::now();
            let status = self.status(now);
            let version = version(&status);
            if since != Some(version) || now >= deadline {
                return ChangedStatus { version, status };
            }
            tokio::time::sleep(LOOK_PAUSE.min(deadline.since(now))).await;
        }
    }
}

/// A number for what a person would call a change.
fn version(status: &NodeStatus) -> u64 {
    let mut hasher = DefaultHasher::new();
    for role in &status.roles {
        let failed = (role.restarts, role.failures, &role.last_error);
        (role.name.as_str(), role.state as u8, failed).hash(&mut hasher);
    }
    for peer in &status.peers {
        let state = match peer.state {
            // One follows the other for as long as a peer is away.
            PeerState::Dialling => PeerState::Waiting,
            state => state,
        };
        let seen = (state as u8, peer.other_file, peer.twins.is_some());
        (peer.peer.as_str(), seen, &peer.last_error).hash(&mut hasher);
        for link in &peer.links {
            (&link.transport, &link.address, link.dialled).hash(&mut hasher);
        }
    }
    for transport in &status.transports {
        let says = (&transport.error, &transport.status);
        (&transport.name, transport.state as u8, says).hash(&mut hasher);
    }
    hasher.finish()
}

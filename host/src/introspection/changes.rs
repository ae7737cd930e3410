//! Waiting for a node to change: its roles, its links and its transports, and not what is merely counted.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::Duration;

use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;
use kozo_status::{ChangedStatus, NodeStatus, PeerState};

use super::Introspection;

/// How often the node is looked at for those who wait, for all of them at once: so no more changes a second
/// are told.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// How long an answer waits for a change at most.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The last look at the node, for all who wait for another one.
#[derive(Debug, Default)]
pub(crate) struct LastLook(Mutex<Option<(Moment, u64)>>);

impl LastLook {
    /// The number of the node as it was seen a moment ago, or as it is seen now.
    fn version(&self, now: Moment, look: impl FnOnce() -> u64) -> u64 {
        let mut last = self.0.lock_anyway();
        match *last {
            Some((when, version)) if now.since(when) < LOOK_PAUSE => version,
            _ => {
                let version = look();
                *last = Some((now, version));
                version
            }
        }
    }
}

impl Introspection {
    /// The node as soon as it is another one than `since` says, or when the time is up.
    pub(super) async fn changed(&self, since: Option<u64>, wait_ms: u64) -> ChangedStatus {
        let deadline = clock::now() + Duration::from_millis(wait_ms).min(LONGEST_WAIT);
        loop {
            let now = clock::now();
            let seen = || version(&self.status(now));
            if since != Some(self.last_look.version(now, seen)) || now >= deadline {
                let status = self.status(now);
                let version = version(&status);
                // It may be again what it was.
                if since != Some(version) || now >= deadline {
                    return ChangedStatus { version, status };
                }
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
    for bus in &status.buses {
        let stands = (bus.state as u8, bus.times_up, &bus.server, &bus.error);
        let says = (&bus.status, bus.denied.len(), bus.twin_seconds.is_some());
        (&bus.name, stands, says, bus.nodes_heard).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_looked_at_once_for_all_who_wait() {
        let last = LastLook::default();
        let start = Moment::ZERO + Duration::from_secs(7);
        let mut looks = 0;
        let mut version_at = |now| {
            last.version(now, || {
                looks += 1;
                looks
            })
        };
        for waiting in 0..20 {
            let now = start + LOOK_PAUSE * waiting / 20;
            assert_eq!(version_at(now), 1, "{waiting}");
        }
        assert_eq!(version_at(start + LOOK_PAUSE), 2);
        assert_eq!(version_at(start + LOOK_PAUSE), 2);
    }
}

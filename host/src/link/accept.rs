//! Connections that others make: they are secured, and handed to the driver of whichever peer is at
//! the other end.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kozo_auth::attest::AttestError;
use kozo_auth::ssh::{self, AuthError, Endpoint};
use kozo_auth::{SecuredLink, plain};
use kozo_ground::clock;
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;
use kozo_link::admission::{AdmissionLimits, CallerStep};
use kozo_link::{LinkEnding, LinkKey, LinkPath};
use kozo_status::ConnectionCounts;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::dial::{Dialling, HANDSHAKE_LIMIT};
use super::entrance::CallerPlace;
use super::feed::Feed;
use super::peer_link::PeerLink;
use super::stream::stream;
use super::threshold::Threshold;
use crate::modules::TransportConnection;

/// How many callers at most nobody has looked at yet. Whoever has to wait behind so many waits in the
/// system's own queue: else many would come faster than they are looked at, and a node lose its place
/// although it has said who it is.
const UNSEEN: usize = 64;

/// Which part of the places for those who are silent such callers may take at most.
const UNSEEN_SHARE: usize = 4;

/// The limits of connections that others make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AcceptLimits {
    /// How many callers there may be that have not proven who they are.
    pub(crate) admission: AdmissionLimits,
    /// How long each of them may take to do so. Default: 30 seconds.
    pub(crate) time: Duration,
}

impl Default for AcceptLimits {
    fn default() -> Self {
        Self {
            admission: AdmissionLimits::default(),
            time: HANDSHAKE_LIMIT,
        }
    }
}

/// The peers by name, each with the way to its driver.
pub(crate) type Peers = HashMap<NodeName, (Arc<PeerLink>, mpsc::Sender<(LinkKey, SecuredLink)>)>;

/// Secures the connections that transports accept.
#[derive(Clone)]
pub(crate) struct Listener {
    shared: Arc<ListenerState>,
}

struct ListenerState {
    peers: Peers,
    dialling: Dialling,
    time: Duration,
    /// Permits for callers that nobody has looked at yet.
    unseen: Arc<Semaphore>,
}

impl Listener {
    /// A listener for links with `peers`, whose entrance has these limits, too. Must be called on the
    /// runtime.
    pub(crate) fn new(peers: Peers, dialling: Dialling, limits: AcceptLimits) -> Self {
        let silent = limits.admission.places[CallerStep::Silent as usize];
        let unseen = UNSEEN.min(silent / UNSEEN_SHARE).max(1);
        let shared = Arc::new(ListenerState {
            peers,
            dialling,
            time: limits.time,
            unseen: Arc::new(Semaphore::new(unseen)),
        });
        Self { shared }
    }

    /// What became of connections that became no links.
    pub(crate) fn counts(&self) -> ConnectionCounts {
        self.shared.dialling.entrance.counts()
    }

    /// Takes a connection that came over the transport of this name, as soon as no more than a few
    /// wait to be looked at. Must be called on the runtime.
    pub(crate) async fn accept(&self, transport: &str, connection: TransportConnection) {
        let (shared, transport) = (Arc::clone(&self.shared), transport.to_owned());
        // It is never closed.
        let Ok(unseen) = Arc::clone(&shared.unseen).acquire_owned().await else {
            return;
        };
        let (place, stays) =
            CallerPlace::take(&shared.dialling.entrance, &transport, &connection.address);
        tokio::spawn(async move {
            let address = connection.address.clone();
            let result = tokio::select! {
                biased;
                result = secure(&shared, &transport, connection, &place, unseen) => result,
                // It was counted when that was decided.
                _ = stays => return,
            };
            let Err(unsecured) = result else {
                return;
            };
            let reason = error_text(&unsecured);
            if unsecured.is_abandoned() {
                // The other end may have reached this node another way meanwhile.
                tracing::debug!(
                    target: "link", transport, address, reason, "a connection came to nothing",
                );
            } else {
                shared.dialling.entrance.refuse();
                tracing::info!(
                    target: "link", transport, address, reason, "refused a connection",
                );
            }
        });
    }
}

/// Why an accepted connection is no link.
#[derive(Debug, thiserror::Error)]
enum Unsecured {
    /// The system cannot read and write it.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// A transport that secures connections by itself says that somebody is there who is no peer.
    #[error(transparent)]
    NoPeer(#[from] AttestError),
    /// The ends did not agree by SSH.
    #[error(transparent)]
    Ssh(#[from] AuthError),
    /// The other end took too long.
    #[error("it did not prove who it is within {} s", .0.as_secs_f32())]
    Late(Duration),
}

impl Unsecured {
    /// Whether the other end closed it, and this node did not refuse it.
    fn is_abandoned(&self) -> bool {
        matches!(self, Self::Ssh(AuthError::Closed { .. }))
    }
}

async fn secure(
    shared: &Arc<ListenerState>,
    transport: &str,
    connection: TransportConnection,
    place: &CallerPlace,
    unseen: OwnedSemaphorePermit,
) -> Result<(), Unsecured> {
    let path = LinkPath {
        transport: transport.to_owned(),
        address: connection.address,
    };
    let socket = stream(connection.stream)?;
    let slot: Arc<OnceLock<(Arc<PeerLink>, LinkKey)>> = Arc::default();
    let receiver = {
        let (slot, shared, place) = (Arc::clone(&slot), Arc::clone(shared), place.clone());
        move |peer: &NodeName| {
            let now = clock::now();
            place.linked();
            let link = shared.peers.get(peer).and_then(|(link, _)| {
                let key = link.change(now, |peer| peer.accepted(path, now))?;
                Some((Arc::clone(link), key))
            });
            if let Some(link) = &link {
                let _ = slot.set(link.clone());
            }
            Feed::new(link, Arc::clone(&shared.dialling.arrivals))
        }
    };
    let endpoint = &shared.dialling.endpoint;
    let secured = match connection.authenticated {
        // The transport secures the stream by itself: it has said who is there.
        Some(node) => match endpoint.attestor().peer(&node) {
            Ok(node) => Ok(plain::open(socket, endpoint.read_size(), node, receiver).into()),
            Err(error) => Err(error.into()),
        },
        None => {
            by_ssh(
                Threshold::new(socket, place.clone(), unseen),
                endpoint,
                shared.time,
                receiver,
            )
            .await
        }
    };
    let Some((link, key)) = slot.get() else {
        return secured.map(|_| ());
    };
    match secured {
        Ok(secured) => {
            if let Some((_, driver)) = shared.peers.get(&secured.peer) {
                // The driver is gone when the daemon stops: dropping the link closes it.
                let _ = driver.send((*key, secured)).await;
            }
            Ok(())
        }
        Err(unsecured) => {
            let now = clock::now();
            link.change(now, |peer| {
                let reason = error_text(&unsecured);
                peer.closed(*key, LinkEnding::Fault, &reason, now);
            });
            Err(unsecured)
        }
    }
}

async fn by_ssh(
    socket: Threshold<UnixStream, CallerPlace>,
    endpoint: &Endpoint,
    limit: Duration,
    receiver: impl FnOnce(&NodeName) -> Feed + Send + 'static,
) -> Result<SecuredLink, Unsecured> {
    let handshake = ssh::accept(socket, endpoint, receiver);
    match tokio::time::timeout(limit, handshake).await {
        Ok(Ok(secured)) => Ok(secured.into()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Unsecured::Late(limit)),
    }
}

#[cfg(test)]
#[path = "accept_tests.rs"]
mod tests;

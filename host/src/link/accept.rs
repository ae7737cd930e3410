//! Connections that others make: secured as [`Admission`] decides, then handed to the driver of
//! whichever peer is at the other end.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use kozo_auth::ssh::{self, AuthError, Endpoint};
use kozo_auth::{SecuredLink, plain};
use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;
use kozo_link::admission::{Admission, AdmissionLimits, CallerId, CallerStep, Decision, Origin};
use kozo_link::{LinkEnding, LinkKey, LinkPath};
use kozo_status::ConnectionCounts;
use tokio::net::UnixStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::PeerLink;
use super::dial::{Dialling, HANDSHAKE_LIMIT};
use super::feed::Feed;
use super::stream::stream;
use super::threshold::{CallerProgress, Threshold};
use crate::modules::transport::Connection;

/// The leading bits of an IPv6 address that one network has: whoever has one address has them all.
const IPV6_NETWORK: u32 = 64;

/// How often at most the log tells of connections that were turned away.
const TURNED_AWAY_LOG: Duration = Duration::from_secs(10);

/// How many callers at most nobody has looked at yet. Whoever has to wait behind so many waits in the
/// system's own queue: else many would come faster than they are looked at, and a node lose its place
/// although it has said who it is.
const UNSEEN: usize = 64;

/// Which part of the places for those who are silent such callers may take at most.
const UNSEEN_SHARE: usize = 4;

/// The limits of connections that others make.
#[derive(Debug, Clone, Copy)]
pub struct AcceptLimits {
    /// How many there may be that have not proven who they are.
    pub admission: AdmissionLimits,
    /// How long each may take to do so. Default: 30 seconds.
    pub time: Duration,
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
pub type Peers = HashMap<NodeName, (Arc<PeerLink>, mpsc::Sender<(LinkKey, SecuredLink)>)>;

/// Secures the connections that transports accept.
#[derive(Clone)]
pub struct Listener {
    shared: Arc<ListenerState>,
}

struct ListenerState {
    peers: Peers,
    dialling: Dialling,
    time: Duration,
    door: Mutex<Entrance>,
    /// Permits for callers that nobody has looked at yet.
    unseen: Arc<Semaphore>,
    /// Wakes the task that gives turns.
    waiting: Arc<Notify>,
}

/// Those who have not proven who they are.
struct Entrance {
    admission: Admission,
    callers: HashMap<CallerId, Reins>,
    turned_away: TurnedAway,
    refused: u64,
}

/// What holds a caller: dropping them ends its connection.
struct Reins {
    /// Told when the caller may exchange keys.
    turn: Option<oneshot::Sender<()>>,
    _stay: oneshot::Sender<()>,
}

/// Connections that were closed because too many others had not proven who they are.
#[derive(Debug, Default)]
struct TurnedAway {
    count: u64,
    said: Option<Moment>,
}

impl TurnedAway {
    /// Counts a connection. Whoever opens thousands does not fill the log.
    fn add(&mut self, now: Moment) {
        self.count += 1;
        if self
            .said
            .is_none_or(|said| now.since(said) >= TURNED_AWAY_LOG)
        {
            self.said = Some(now);
            tracing::warn!(
                target: "link",
                so_far = self.count,
                "refused a connection: too many have not said who they are",
            );
        }
    }
}

impl ListenerState {
    /// Changes who is there, and does what follows from it.
    fn change<T>(&self, change: impl FnOnce(&mut Entrance, Moment) -> T) -> T {
        let now = clock::now();
        let mut door = self.lock();
        let result = change(&mut door, now);
        let timeout = door.settle(now);
        drop(door);
        if timeout.is_some() {
            self.waiting.notify_one();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Entrance> {
        self.door.lock_anyway()
    }
}

impl Drop for ListenerState {
    fn drop(&mut self) {
        // The task that gives turns ends.
        self.waiting.notify_one();
    }
}

impl Entrance {
    /// Does what is decided, and returns when there may be more.
    fn settle(&mut self, now: Moment) -> Option<Moment> {
        self.admission.tick(now);
        while let Some(decision) = self.admission.next_decision() {
            match decision {
                Decision::Exchange(id) => {
                    let turn = self
                        .callers
                        .get_mut(&id)
                        .and_then(|reins| reins.turn.take());
                    // A caller that is gone leaves by itself.
                    let _ = turn.map(|turn| turn.send(()));
                }
                Decision::Leave(id) => {
                    self.callers.remove(&id);
                    self.turned_away.add(now);
                }
            }
        }
        self.admission.timeout()
    }
}

/// Gives turns for as long as there is a listener.
async fn give_turns(shared: Weak<ListenerState>, waiting: Arc<Notify>) {
    loop {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let now = clock::now();
        let timeout = shared.lock().settle(now);
        drop(shared);
        tokio::select! {
            () = waiting.notified() => {}
            () = super::driver::sleep_until(timeout) => {}
        }
    }
}

impl Listener {
    /// A listener for links with `peers`. Must be called on the runtime.
    pub fn new(peers: Peers, dialling: Dialling, limits: AcceptLimits) -> Self {
        let waiting = Arc::new(Notify::new());
        let silent = limits.admission.places[CallerStep::Silent as usize];
        let unseen = UNSEEN.min(silent / UNSEEN_SHARE).max(1);
        let shared = Arc::new(ListenerState {
            peers,
            dialling,
            time: limits.time,
            door: Mutex::new(Entrance {
                admission: Admission::new(limits.admission),
                callers: HashMap::new(),
                turned_away: TurnedAway::default(),
                refused: 0,
            }),
            unseen: Arc::new(Semaphore::new(unseen)),
            waiting: Arc::clone(&waiting),
        });
        tokio::spawn(give_turns(Arc::downgrade(&shared), waiting));
        Self { shared }
    }

    /// What became of connections that became no links.
    pub fn counts(&self) -> ConnectionCounts {
        let door = self.shared.lock();
        ConnectionCounts {
            unproven: door.admission.unproven(),
            turned_away: door.turned_away.count,
            refused: door.refused,
        }
    }

    /// Takes a connection that came over the transport of this name, as soon as no more than a few
    /// wait to be looked at. Must be called on the runtime.
    pub async fn accept(&self, transport: &str, connection: Connection) {
        let (shared, transport) = (Arc::clone(&self.shared), transport.to_owned());
        // It is never closed.
        let Ok(unseen) = Arc::clone(&shared.unseen).acquire_owned().await else {
            return;
        };
        let (place, stays) = CallerPlace::take(&shared, &transport, &connection.address);
        tokio::spawn(async move {
            let address = connection.address.clone();
            let result = tokio::select! {
                biased;
                result = secure(&shared, &transport, connection, &place, unseen) => result,
                // It was counted when that was decided.
                _ = stays => return,
            };
            match result {
                Ok(()) => {}
                // The other end may have reached this node another way meanwhile.
                Err(Unsecured::Abandoned(reason)) => tracing::debug!(
                    target: "link", transport, address, reason, "a connection came to nothing",
                ),
                Err(Unsecured::Refused(reason)) => {
                    shared.lock().refused += 1;
                    tracing::info!(
                        target: "link", transport, address, reason, "refused a connection",
                    );
                }
            }
        });
    }
}

/// Why an accepted connection is no link.
enum Unsecured {
    /// The other end closed it.
    Abandoned(String),
    /// This node does not take it.
    Refused(String),
}

impl Unsecured {
    fn reason(&self) -> &str {
        let (Self::Abandoned(reason) | Self::Refused(reason)) = self;
        reason
    }
}

async fn secure(
    shared: &Arc<ListenerState>,
    transport: &str,
    connection: Connection,
    place: &CallerPlace,
    unseen: OwnedSemaphorePermit,
) -> Result<(), Unsecured> {
    let path = LinkPath {
        transport: transport.to_owned(),
        address: connection.address,
    };
    let socket =
        stream(connection.stream).map_err(|error| Unsecured::Refused(error_text(&error)))?;
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
            Err(error) => Err(Unsecured::Refused(error_text(&error))),
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
                peer.closed(*key, LinkEnding::Fault, unsecured.reason(), now);
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
        Ok(Err(error @ AuthError::Closed { .. })) => Err(Unsecured::Abandoned(error_text(&error))),
        Ok(Err(error)) => Err(Unsecured::Refused(error_text(&error))),
        Err(_) => Err(Unsecured::Refused(format!(
            "it did not prove who it is within {} s",
            limit.as_secs_f32()
        ))),
    }
}

/// What a machine counts as: its address without the port, or its IPv6 network. Addresses that
/// are neither, such as those of Bluetooth, stand for themselves.
fn host_of(address: &str) -> String {
    match address
        .parse()
        .map(|address: SocketAddr| address.ip().to_canonical())
    {
        Ok(IpAddr::V4(host)) => host.to_string(),
        Ok(IpAddr::V6(host)) => {
            let network =
                host.to_bits() >> (u128::BITS - IPV6_NETWORK) << (u128::BITS - IPV6_NETWORK);
            format!("{}/{IPV6_NETWORK}", Ipv6Addr::from_bits(network))
        }
        Err(_) => address.to_owned(),
    }
}

/// A place among the connections that have not proven who they are. It is free when the last of
/// its clones is dropped.
#[derive(Clone)]
struct CallerPlace(Arc<Taken>);

struct Taken {
    shared: Arc<ListenerState>,
    id: CallerId,
}

impl CallerPlace {
    /// A place for a connection, and what is dropped when it has to leave.
    fn take(
        shared: &Arc<ListenerState>,
        transport: &str,
        address: &str,
    ) -> (Self, oneshot::Receiver<()>) {
        let origin = Origin {
            transport: transport.to_owned(),
            machine: host_of(address),
        };
        let (stay, stays) = oneshot::channel();
        let id = shared.change(|door, now| {
            let id = door.admission.enter(origin, now);
            let reins = Reins {
                turn: None,
                _stay: stay,
            };
            door.callers.insert(id, reins);
            id
        });
        let shared = Arc::clone(shared);
        (Self(Arc::new(Taken { shared, id })), stays)
    }

    /// A node was at the other end.
    fn linked(&self) {
        let Taken { shared, id } = &*self.0;
        shared.change(|door, now| door.admission.linked(*id, now));
    }
}

impl CallerProgress for CallerPlace {
    fn reach(&self, step: CallerStep) -> Option<oneshot::Receiver<()>> {
        let Taken { shared, id } = &*self.0;
        shared.change(|door, now| {
            let (turn, its_turn) = oneshot::channel();
            let reins = door.callers.get_mut(id)?;
            if step == CallerStep::Waiting {
                reins.turn = Some(turn);
            }
            door.admission.reach(*id, step, now);
            Some(its_turn)
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.shared.change(|door, _| {
            door.admission.leave(self.id);
            door.callers.remove(&self.id);
        });
    }
}

#[cfg(test)]
#[path = "accept_tests.rs"]
mod tests;

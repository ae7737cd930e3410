//! Connections that others make: secured within limits, then handed to the driver of whichever
//! peer is at the other end.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::PeerLink;
use super::dial::{Dialling, HANDSHAKE_LIMIT};
use super::feed::Feed;
use super::stream::stream;
use crate::auth::plain;
use crate::auth::secured::Secured;
use crate::auth::ssh::{self, AuthError, Endpoint};
use crate::clock::{self, Moment};
use crate::link::{Ending, LinkKey, Path};
use crate::log::error_text;
use crate::modules::transport::Connection;
use crate::names::NodeName;

/// The leading bits of an IPv6 address that one network has: whoever has one address has them all.
const IPV6_NETWORK: u32 = 64;

/// How often at most the log tells of connections that were turned away.
const TURNED_AWAY_LOG: Duration = Duration::from_secs(10);

/// How many connections that have not proven who they are there may be, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct AcceptLimits {
    /// In all. Default: 64.
    pub total: usize,
    /// Over one transport: those who come through Tor are without number, and shall not take all
    /// places from those who come by TCP. Default: 48.
    pub per_transport: usize,
    /// From one IPv4 address, or from one IPv6 network of 64 bits. Default: 8.
    pub per_address: usize,
    /// Until they have proven who they are. Default: 30 seconds.
    pub time: Duration,
}

impl Default for AcceptLimits {
    fn default() -> Self {
        Self {
            total: 64,
            per_transport: 48,
            per_address: 8,
            time: HANDSHAKE_LIMIT,
        }
    }
}

/// The peers by name, each with the way to its driver.
pub type Peers = HashMap<NodeName, (Arc<PeerLink>, mpsc::Sender<(LinkKey, Secured)>)>;

/// Secures the connections that transports accept.
#[derive(Clone)]
pub struct Listener {
    shared: Arc<Shared>,
}

struct Shared {
    peers: Peers,
    dialling: Dialling,
    limits: AcceptLimits,
    /// By the transport and the machine.
    unproven: Mutex<HashMap<(String, String), usize>>,
    turned_away: Mutex<TurnedAway>,
    refused: AtomicU64,
}

/// What became of the connections that others made and that became no links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptCounts {
    /// Connections whose other end has not said who it is yet.
    pub unproven: usize,
    /// Connections that were closed at once, since there were too many of those.
    pub turned_away: u64,
    /// Connections that were closed since the other end did not prove that it is a node of the
    /// network.
    pub refused: u64,
}

/// Connections that were closed at once because too many others had not proven who they are.
#[derive(Debug, Default)]
struct TurnedAway {
    count: u64,
    said: Option<Moment>,
}

impl Shared {
    /// Counts a connection that is turned away. Whoever opens thousands does not fill the log.
    fn turn_away(&self, transport: &str, address: &str) {
        let now = clock::now();
        let mut turned_away = self
            .turned_away
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        turned_away.count += 1;
        if turned_away
            .said
            .is_none_or(|said| now.since(said) >= TURNED_AWAY_LOG)
        {
            turned_away.said = Some(now);
            tracing::warn!(
                target: "link",
                transport,
                address,
                so_far = turned_away.count,
                "refused a connection: too many have not said who they are",
            );
        }
    }
}

impl Listener {
    /// A listener for links with `peers`.
    pub fn new(peers: Peers, dialling: Dialling, limits: AcceptLimits) -> Self {
        let (unproven, turned_away) = Default::default();
        Self {
            shared: Arc::new(Shared {
                peers,
                dialling,
                limits,
                unproven,
                turned_away,
                refused: AtomicU64::new(0),
            }),
        }
    }

    /// What became of connections that became no links.
    pub fn counts(&self) -> AcceptCounts {
        let unproven = self
            .shared
            .unproven
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        AcceptCounts {
            unproven: unproven.values().sum(),
            turned_away: self
                .shared
                .turned_away
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .count,
            refused: self.shared.refused.load(Ordering::Relaxed),
        }
    }

    /// Takes a connection that came over the transport of this name. Must be called on the
    /// runtime.
    pub fn accept(&self, transport: &str, connection: Connection) {
        let caller = (transport.to_owned(), host_of(&connection.address));
        let Some(place) = Place::take(&self.shared, caller) else {
            self.shared.turn_away(transport, &connection.address);
            return;
        };
        let (shared, transport) = (Arc::clone(&self.shared), transport.to_owned());
        tokio::spawn(async move {
            let address = connection.address.clone();
            match secure(&shared, &transport, connection).await {
                Ok(()) => {}
                // The other end may have reached this node another way meanwhile.
                Err(Unsecured::Abandoned(reason)) => tracing::debug!(
                    target: "link", transport, address, reason, "a connection came to nothing",
                ),
                Err(Unsecured::Refused(reason)) => {
                    shared.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::info!(
                        target: "link", transport, address, reason, "refused a connection",
                    );
                }
            }
            drop(place);
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
    shared: &Arc<Shared>,
    transport: &str,
    connection: Connection,
) -> Result<(), Unsecured> {
    let path = Path {
        transport: transport.to_owned(),
        address: connection.address,
    };
    let socket =
        stream(connection.stream).map_err(|error| Unsecured::Refused(error_text(&error)))?;
    let slot: Arc<OnceLock<(Arc<PeerLink>, LinkKey)>> = Arc::default();
    let receiver = {
        let (slot, shared) = (Arc::clone(&slot), Arc::clone(shared));
        move |peer: &NodeName| {
            let now = clock::now();
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
            Ok(node) => Ok(plain::open(socket, endpoint, node, receiver)),
            Err(error) => Err(Unsecured::Refused(error_text(&error))),
        },
        None => by_ssh(socket, endpoint, shared.limits.time, receiver).await,
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
                peer.closed(*key, Ending::Fault, unsecured.reason(), now);
            });
            Err(unsecured)
        }
    }
}

async fn by_ssh(
    socket: UnixStream,
    endpoint: &Endpoint,
    limit: Duration,
    receiver: impl FnOnce(&NodeName) -> Feed + Send + 'static,
) -> Result<Secured, Unsecured> {
    let handshake = ssh::accept(socket, endpoint, receiver);
    match tokio::time::timeout(limit, handshake).await {
        Ok(Ok(secured)) => Ok(secured),
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

/// A place among the connections that have not proven who they are.
struct Place {
    shared: Arc<Shared>,
    /// The transport and the machine.
    caller: (String, String),
}

impl Place {
    fn take(shared: &Arc<Shared>, caller: (String, String)) -> Option<Self> {
        let mut unproven = shared
            .unproven
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let limits = &shared.limits;
        let total: usize = unproven.values().sum();
        let same_transport = unproven
            .iter()
            .filter(|((transport, _), _)| *transport == caller.0)
            .map(|(_, count)| count)
            .sum::<usize>();
        let here = unproven.get(&caller).copied().unwrap_or(0);
        if total >= limits.total
            || same_transport >= limits.per_transport
            || here >= limits.per_address
        {
            return None;
        }
        unproven.insert(caller.clone(), here + 1);
        drop(unproven);
        Some(Self {
            shared: Arc::clone(shared),
            caller,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut unproven = self
            .shared
            .unproven
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = unproven.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                unproven.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
#[path = "accept_tests.rs"]
mod tests;

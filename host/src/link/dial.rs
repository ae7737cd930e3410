//! One try to reach a peer over one pair of transports: the addresses race, the first connection
//! is secured.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kozo_auth::ssh::{self, Endpoint};
use kozo_auth::{SecuredLink, plain};
use kozo_ground::clock;
use kozo_link::{AttemptId, LinkEnding, LinkKey, LinkPath};
use tokio::task::JoinSet;

use super::arrivals::Arrivals;
use super::calls::Calls;
use super::entrance::Entrance;
use super::error::{DialError, HandshakeError, UnreachedAddress};
use super::feed::Feed;
use super::peer_link::PeerLink;
use super::stream::stream;
use crate::modules::{PeerDescription, TransportConnection};

/// How long both ends may take to authenticate each other once they are connected.
pub(super) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);

/// How long one address is tried alone before the next one starts beside it.
const ADDRESS_STAGGER: Duration = Duration::from_millis(250);

/// How many addresses of one transport are tried.
const MAX_ADDRESSES: usize = 16;

/// One of this node's transports and one of a peer's that it can reach.
#[derive(Clone)]
pub(crate) struct Route {
    /// This node's transport.
    pub(crate) transport: Arc<Calls>,
    /// The peer's transport.
    pub(crate) peer: Arc<PeerDescription>,
}

/// What a dial needs beside the route.
#[derive(Clone)]
pub(crate) struct Dialling {
    /// Who we are, and whom we trust.
    pub(crate) endpoint: Endpoint,
    /// Where messages go.
    pub(crate) arrivals: Arc<dyn Arrivals>,
    /// Where those stand who dial this node.
    pub(crate) entrance: Arc<Entrance>,
}

/// Makes a link, or says why there is none.
pub(super) async fn dial(
    dialling: &Dialling,
    route: Route,
    link: &Arc<PeerLink>,
    attempt: AttemptId,
) -> Result<(LinkKey, SecuredLink), DialError> {
    let transport = route.transport.name().to_owned();
    let connection = connect(route).await?;
    let address = connection.address.clone();
    let path = LinkPath {
        transport,
        address: address.clone(),
    };
    let unsecured = |error| DialError::Unsecured(address, error);
    let socket = match stream(connection.stream) {
        Ok(socket) => socket,
        Err(error) => return Err(unsecured(error.into())),
    };
    let made = MadeLink::new(link);
    let receiver = {
        let (slot, link) = (Arc::clone(&made.key), Arc::clone(link));
        let arrivals = Arc::clone(&dialling.arrivals);
        move |_: &_| {
            let now = clock::now();
            let key = link.change(now, |peer| peer.linked(attempt, path, now));
            if let Some(key) = key {
                // It is set once: a receiver is made once.
                let _ = slot.set(key);
            }
            Feed::new(key.map(|key| (link, key)), arrivals)
        }
    };
    let endpoint = &dialling.endpoint;
    let secured = match connection.authenticated {
        // The transport secures the stream by itself: it has said who is there.
        Some(node) if node == link.name().as_str() => {
            let (chunk, peer) = (endpoint.read_size(), link.name().clone());
            plain::open(socket, chunk, peer, receiver).into()
        }
        Some(node) => return Err(unsecured(HandshakeError::OtherNode(node))),
        None => {
            let handshake = ssh::connect(socket, endpoint, link.name(), receiver);
            match tokio::time::timeout(HANDSHAKE_LIMIT, handshake).await {
                Ok(Ok(secured)) => secured.into(),
                Ok(Err(error)) => return Err(unsecured(error.into())),
                Err(_) => return Err(unsecured(HandshakeError::Late(HANDSHAKE_LIMIT))),
            }
        }
    };
    match made.keep() {
        Some(key) => Ok((key, secured)),
        None => Err(unsecured(HandshakeError::Unwanted)),
    }
}

/// A link that the core knows of since the peer was authenticated, but that is not served yet. If
/// it is dropped before, because the handshake failed or was given up, the core is told.
struct MadeLink<'a> {
    link: &'a PeerLink,
    key: Arc<OnceLock<LinkKey>>,
    kept: bool,
}

impl<'a> MadeLink<'a> {
    fn new(link: &'a PeerLink) -> Self {
        Self {
            link,
            key: Arc::default(),
            kept: false,
        }
    }

    fn keep(mut self) -> Option<LinkKey> {
        self.kept = true;
        self.key.get().copied()
    }
}

impl Drop for MadeLink<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.get().filter(|_| !self.kept) {
            let now = clock::now();
            self.link.change(now, |peer| {
                peer.closed(*key, LinkEnding::Fault, "it was given up", now);
            });
        }
    }
}

/// The first connection that any of the peer's addresses gives. Each try has a limit of its own, which
/// begins when it has a thread.
///
/// This race stands between two others, which know other things. The core's dialer weighs ways over
/// different transports, and gives a better one seconds before a worse one may overtake it. And a
/// transport may race again for one address, as `tcp` does for those that a host's name has: what a
/// module finds behind an address never comes to the host.
async fn connect(route: Route) -> Result<TransportConnection, DialError> {
    let addresses = route.transport.addresses(&route.peer).await?;
    if addresses.is_empty() {
        return Err(DialError::NoAddress);
    }
    let mut tries = JoinSet::new();
    let mut errors = Vec::new();
    let mut addresses = addresses.into_iter().take(MAX_ADDRESSES).peekable();
    loop {
        if let Some(address) = addresses.next() {
            let route = route.clone();
            tries.spawn(async move {
                let connection = route.transport.connect(&route.peer, &address).await;
                connection.map_err(|fault| UnreachedAddress::Fault(address, fault))
            });
        }
        let more = addresses.peek().is_some();
        tokio::select! {
            ended = tries.join_next() => match ended {
                Some(Ok(Ok(connection))) => return Ok(connection),
                // The next address need not wait for its turn.
                Some(Ok(Err(error))) => errors.push(error),
                Some(Err(error)) => errors.push(error.into()),
                None if more => {}
                None => return Err(DialError::NoConnection(errors)),
            },
            () = tokio::time::sleep(ADDRESS_STAGGER), if more => {}
        }
    }
}

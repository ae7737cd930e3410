//! The peers of a node and the tasks that serve them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kozo_auth::ssh::{Endpoint, read_size};
use kozo_ground::clock;
use kozo_ground::names::NodeName;
use kozo_ground::policy::ConnectPolicy;
use kozo_ground::queue::QueueLimits;
use kozo_link::admission::AdmissionLimits;
use kozo_link::{Candidate, Peer, PeerSettings};
use kozo_router::NamedInterests;
use kozo_wire::{RoleInterests, SessionId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::descriptors;
use super::observer::LinkWatch;
use crate::config::{Network, Node};
use crate::introspection::{Desk, PeerView};
use crate::link::{
    AcceptLimits, Dialling, Driver, Entrance, LinkObserver, Listener, NamedWay, PeerLink, Peers,
    Route,
};
use crate::router::{Destination, Router};
use crate::transports::Transports;

/// How many accepted links may wait for the task of their peer.
const ACCEPTED_SLOTS: usize = 4;

/// How often the queues are looked at while they are flushed.
const FLUSH_POLL: Duration = Duration::from_millis(5);

/// All other nodes of the file that this one has links with, with what is decided about them.
pub(super) fn peers(
    network: &Network,
    own: &Node,
    session: SessionId,
    interests: &[RoleInterests],
    seed: u64,
) -> Vec<Arc<PeerLink>> {
    let now = clock::now();
    let mut seeds = fastrand::Rng::with_seed(seed);
    let others = network.linked_with(&own.name).into_iter();
    let links = others.map(|(name, other)| {
        let settings = &own.settings;
        let buses = carried(own, name, other);
        // A bus is reached at all times.
        let policy = |policy: ConnectPolicy| match policy {
            ConnectPolicy::OnDemand if !buses.is_empty() => ConnectPolicy::Constant,
            policy => policy,
        };
        let settings = PeerSettings {
            own: own.name.clone(),
            peer: name.clone(),
            session,
            outgoing: policy(own.self_to_others.min(other.others_to_self)),
            incoming: policy(other.self_to_others.min(own.others_to_self)),
            heartbeat: settings.heartbeat,
            peer_heartbeat: other.settings.heartbeat,
            connection_retry: settings.connection_retry,
            idle_timeout: settings.idle_timeout,
            queue: QueueLimits {
                length: settings.outgoing_queue_length,
                size: settings.outgoing_queue_size,
            },
            max_ages: settings.max_ages,
            max_read: read_size(settings.max_buffer_read_size),
            config_digest: network.digest.to_vec(),
            buses,
            seed: seeds.u64(..),
        };
        PeerLink::new(Peer::new(settings, interests.to_vec(), now))
    });
    links.collect()
}

/// The buses that one of the two reaches through the other.
fn carried(own: &Node, name: &NodeName, other: &Node) -> Vec<String> {
    let through = |behind: &Node, gateway: &NodeName| -> Vec<String> {
        let buses = behind.buses.iter();
        let buses = buses.filter(|on| on.through.contains(gateway));
        buses.map(|on| on.bus.to_string()).collect()
    };
    [through(own, name), through(other, &own.name)].concat()
}

/// The links as the router knows them: with what the file tells of the interests of their roles.
pub(super) fn destinations(network: &Network, links: &[Arc<PeerLink>]) -> Vec<Destination> {
    let wanted = |link: &Arc<PeerLink>| -> Vec<NamedInterests> {
        let node = network.block(link.name().as_str());
        let roles = node.map_or(&[][..], |node| &node.roles);
        let interests = roles
            .iter()
            .map(|role| (role.name.to_string(), role.interests.clone()));
        interests.collect()
    };
    links
        .iter()
        .map(|link| Destination::Link(Arc::clone(link), wanted(link)))
        .collect()
}

/// The ways to a peer with the names that people know.
fn named(candidates: &[Candidate], routes: &HashMap<(usize, usize), Route>) -> Vec<NamedWay> {
    let ways = candidates.iter().filter_map(|candidate| {
        let route = routes.get(&(candidate.own, candidate.peer))?;
        Some(NamedWay {
            candidate: *candidate,
            transport: route.transport.name().to_owned(),
            peer_transport: route.peer.name.clone(),
        })
    });
    ways.collect()
}

/// The links of a node.
pub(super) struct Links {
    peers: Vec<Arc<PeerLink>>,
    ways: Vec<Vec<NamedWay>>,
    listener: Listener,
    drivers: JoinSet<()>,
}

impl Links {
    /// Starts a task for each peer. They end when `stop` turns true and their links are closed.
    pub(super) fn start(
        peers: Vec<Arc<PeerLink>>,
        transports: &Transports,
        endpoint: Endpoint,
        router: Arc<Router>,
        observer: LinkWatch,
        questions: &Arc<Desk>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let limits = AcceptLimits {
            admission: AdmissionLimits::within(descriptors::limit()),
            ..AcceptLimits::default()
        };
        let dialling = Dialling {
            endpoint,
            arrivals: router,
            entrance: Entrance::open(limits.admission),
        };
        let observer: Arc<dyn LinkObserver> = Arc::new(observer);
        let mut drivers = JoinSet::new();
        let mut ways = Vec::with_capacity(peers.len());
        let mut by_name: Peers = HashMap::new();
        for link in &peers {
            let (candidates, routes) = transports.ways_to(link.name());
            ways.push(named(&candidates, &routes));
            link.change(clock::now(), |peer| peer.set_candidates(candidates));
            let (sender, accepted) = mpsc::channel(ACCEPTED_SLOTS);
            by_name.insert(link.name().clone(), (Arc::clone(link), sender));
            let driver = Driver::new(
                Arc::clone(link),
                routes,
                dialling.clone(),
                Arc::clone(&observer),
                Arc::clone(questions) as _,
                accepted,
            );
            drivers.spawn(driver.run(stop.clone()));
        }
        let listener = Listener::new(by_name, dialling, limits);
        Self {
            peers,
            ways,
            listener,
            drivers,
        }
    }

    /// The peers, for people to see.
    pub(super) fn views(&self) -> Vec<PeerView> {
        let views = self
            .peers
            .iter()
            .zip(&self.ways)
            .map(|(link, ways)| PeerView {
                link: Arc::clone(link),
                ways: ways.clone(),
            });
        views.collect()
    }

    /// The peers, to be told of changes around this machine.
    pub(super) fn peers(&self) -> &[Arc<PeerLink>] {
        &self.peers
    }

    /// Takes the connections that transports accept.
    pub(super) fn listener(&self) -> Listener {
        self.listener.clone()
    }

    /// Waits until nothing waits for a peer that there is a link with, for `limit` at most.
    pub(super) async fn flush(&self, limit: Duration) {
        let deadline = clock::now() + limit;
        let waiting = |link: &Arc<PeerLink>| link.look(|peer| peer.is_linked() && !peer.is_idle());
        while self.peers.iter().any(waiting) && clock::now() < deadline {
            tokio::time::sleep(FLUSH_POLL).await;
        }
        let left: usize = self
            .peers
            .iter()
            .map(|link| link.look(Peer::unacknowledged))
            .sum();
        if left > 0 {
            tracing::info!(target: "link", messages = left, "stopped with messages that were not acknowledged");
        }
    }

    /// Waits until all links are closed, for `limit` at most.
    pub(super) async fn closed(&mut self, limit: Duration) {
        let all = async { while self.drivers.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!(target: "link", "not every link closed in time");
        }
    }
}

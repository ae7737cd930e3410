//! A node: its parts are started from below, and stopped in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kozo_ground::clock;
use kozo_ground::names::NodeName;
use kozo_tap::Taps;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::claim::NodeClaim;
use super::error::StartError;
use super::links::Links;
use super::observer::LinkWatch;
use super::service::{self, Service};
use super::{control, parts, watch};
use crate::bus::{BusLives, Buses};
use crate::config::Network;
use crate::introspection::{ASKED_AT_ONCE, Introspection, LastLook, Turns};
use crate::limited::apart;
use crate::metrics;
use crate::modules::Registry;
use crate::roles::{HostedRole, Inbox};
use crate::storage::Storage;
use crate::transports::Transports;

/// How long messages that wait may take to leave when the daemon stops.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// How long links may take to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// What a daemon is made of.
pub struct Setup {
    /// The network that the file describes.
    pub network: Network,
    /// Where that file is.
    pub file: PathBuf,
    /// The node that runs.
    pub node: NodeName,
    /// The modules of this machine.
    pub registry: Registry,
    /// Where the control socket is to be; without a place the usual one is taken.
    pub control: Option<PathBuf>,
}

/// A running node.
pub(super) struct Daemon {
    node: NodeName,
    roles: Arc<[HostedRole]>,
    transports: Arc<Transports>,
    links: Links,
    buses: Arc<Buses>,
    /// Taken when the daemon stops.
    bus_lives: Option<BusLives>,
    /// What people see of it, and what watches for changes around it; they end when it stops.
    _attendants: JoinSet<()>,
    stopping: tokio::sync::watch::Sender<bool>,
    service: Arc<Service>,
    /// Its folder is this daemon's for as long as it runs.
    _storage: Option<Storage>,
}

impl Daemon {
    /// Starts what the node is made of, from below: first what messages go through, then the roles,
    /// then what people see; `service` is told of it.
    pub(super) async fn start(setup: Setup, service: fn() -> Service) -> Result<Self, StartError> {
        let started = clock::now();
        let Setup {
            network,
            file,
            node,
            registry,
            control,
        } = setup;
        let claim = NodeClaim::take(network.node(&node)?, &file)?;
        let endpoint = parts::endpoint(&network, network.node(&node)?)?;
        let registry = Arc::new(registry);
        let (network, transports) =
            parts::transports(network, &node, &registry, endpoint.attestor()).await?;
        let network = Arc::new(network);
        let own = network.node(&node)?;
        let peers = parts::peers(&network, own)?;
        let buses = parts::buses(&network, own, &registry, endpoint.attestor(), &peers).await?;
        let storage = parts::storage(own, &registry)?;
        let inboxes: Vec<_> = own
            .roles
            .iter()
            .map(|role| Inbox::new(role.inbox))
            .collect();
        let taps = Arc::<Taps>::default();
        let router = parts::router(&network, own, &inboxes, &peers, &buses, &taps);
        let desk = parts::desk(own, &taps);
        let (stopping, stop) = tokio::sync::watch::channel(false);
        let changed = Arc::new(Notify::new());
        let observer = LinkWatch::new(Arc::clone(&changed));
        let links = Links::start(
            peers,
            &transports,
            endpoint,
            Arc::clone(&router),
            observer,
            &desk,
            stop,
        );
        parts::listen(&transports, &links)?;
        let (buses, bus_lives) = buses
            .start(&router, &desk, &changed)
            .map_err(StartError::system("cannot start a thread for a bus"))?;
        let roles = parts::roles(own, inboxes, &registry, storage.as_ref(), &router, &desk)?;
        tracing::info!(
            target: "kozo",
            %node,
            roles = roles.len(),
            transports = transports.own().len(),
            peers = links.peers().len(),
            buses = own.buses.len(),
            "started",
        );
        let mut attendants = JoinSet::new();
        attendants.spawn(claim.attend());
        attendants.spawn(watch::run(links.peers().to_vec()));
        attendants.spawn(Arc::clone(&buses).watch());
        let metrics_at = own.metrics.clone();
        let introspection = Arc::new(Introspection {
            node: node.clone(),
            started,
            registry,
            roles: Arc::clone(&roles),
            peers: links.views(),
            transports: Arc::clone(&transports),
            buses: Arc::clone(&buses),
            listener: links.listener(),
            router,
            network,
            taps,
            last_look: LastLook::default(),
            turns: Turns::new(ASKED_AT_ONCE),
        });
        desk.open_with(&introspection);
        // The socket is there before the node is said to be: who waits for that may ask at once.
        let socket = control::open(control.as_deref(), &node);
        if let Some(endpoint) = metrics_at {
            attendants.spawn(metrics::run(endpoint, Arc::clone(&introspection)));
        }
        attendants.spawn(control::serve(socket, introspection));
        let service = Arc::new(service());
        let (seen_roles, seen_peers) = (Arc::clone(&roles), links.peers().to_vec());
        let seen_buses = Arc::clone(&buses);
        let look = move || service::count(&seen_roles, &seen_peers, &seen_buses);
        attendants.spawn(Arc::clone(&service).attend(changed, look));
        Ok(Self {
            node,
            roles,
            transports,
            links,
            buses,
            bus_lives: Some(bus_lives),
            _attendants: attendants,
            stopping,
            service,
            _storage: storage,
        })
    }

    /// Makes the roles open their files again.
    pub(super) fn reopen(&self) {
        tracing::info!(target: "kozo", "roles open their files again");
        self.roles.iter().for_each(HostedRole::reopen);
    }

    /// Roles first, so that their last words are sent; then the queues; then the links and buses.
    pub(super) async fn stop(&mut self) {
        self.service.stopping();
        let asked = clock::now();
        self.roles.iter().for_each(HostedRole::stop);
        let roles = Arc::clone(&self.roles);
        let joined = apart("join", move || {
            for role in roles.iter() {
                role.join(asked);
            }
        });
        if let Err(error) = joined.await {
            // It makes no difference to the links.
            tracing::error!(target: "kozo", "roles were not waited for: {error}");
        }
        tokio::join!(self.links.flush(FLUSH_LIMIT), self.buses.flush(FLUSH_LIMIT));
        self.stopping.send_replace(true);
        let lives = self.bus_lives.take();
        tokio::join!(
            self.transports.stop(CLOSE_LIMIT),
            self.links.closed(CLOSE_LIMIT),
            self.buses.stop(lives, CLOSE_LIMIT),
        );
        tracing::info!(target: "kozo", node = %self.node, "stopped");
    }
}

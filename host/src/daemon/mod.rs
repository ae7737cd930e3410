//! Builds the parts of a node, runs them, and stops them in order.

mod claim;
mod control;
mod descriptors;
mod links;
mod observer;
mod service;
mod signals;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kozo_auth::algorithms::{AlgorithmError, Algorithms};
use kozo_auth::identity::{Identity, TrustedKeys};
use kozo_auth::keys::{self, KeyError};
use kozo_auth::ssh::Endpoint;
use kozo_description::Problems;
use kozo_ground::clock;
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;
use kozo_router::LocalRole;
use kozo_wire::SessionId;
use ring::rand::SecureRandom;
use rustix::process::{getpid, kill_process};

use crate::config::{self, Network};
use crate::control::Overview;
use crate::limited::apart;
use crate::modules::registry::Registry;
use crate::modules::{self, ExitWatch};
use crate::roles::{self, HostedRole, Inbox, RoleSetup, RoleSource};
use crate::router::Router;
use crate::storage::{Storage, StorageError};
use crate::transports::{self, Acceptor, StateFolders, Transports};

use tokio::sync::Notify;
use tokio::task::JoinSet;

pub use claim::ClaimError;
use claim::NodeClaim;
use links::Links;
use observer::LinkWatch;
use service::Service;
use signals::Signals;

/// How long messages that wait may take to leave when the daemon stops.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// How long links may take to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// How long all of it may take before the process ends by force: less than systemd waits.
const END_LIMIT: Duration = Duration::from_secs(18);

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

/// Why a daemon does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The file, or what modules make of it.
    #[error(transparent)]
    Config(#[from] Problems),
    /// The node runs on this machine already.
    #[error(transparent)]
    Twice(#[from] ClaimError),
    /// The node's private key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The options `cipher` and `hmac`.
    #[error(transparent)]
    Algorithms(#[from] AlgorithmError),
    /// The folder `roleStorage`.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A role.
    #[error(transparent)]
    Role(#[from] roles::RoleStartError),
    /// The system refuses something that every daemon needs.
    #[error("{what}: {error}")]
    System {
        /// What it refuses.
        what: &'static str,
        /// Its reason.
        error: std::io::Error,
    },
}

impl StartError {
    fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}

/// A process that can run a node. It heeds signals from the moment on that it is made.
pub struct Process {
    runtime: tokio::runtime::Runtime,
    signals: Signals,
}

impl Process {
    /// # Errors
    /// The system refuses what every daemon needs.
    pub fn new() -> Result<Self, StartError> {
        modules::return_large_pieces();
        // One thread for all links: handing messages between threads costs more than they do.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(StartError::system("cannot make the runtime"))?;
        let signals = runtime
            .block_on(async { Signals::new() })
            .map_err(StartError::system("cannot catch signals"))?;
        Ok(Self { runtime, signals })
    }

    /// Prepares a node, and runs it until SIGINT or SIGTERM; a second one ends the process at once.
    /// SIGHUP makes roles open their files again. What is read for a node may lie on a disk that
    /// does not answer, and its modules may not come back: a signal ends that, too.
    ///
    /// # Errors
    /// What `prepare` says, or why the node does not start.
    pub fn run<E>(
        self,
        prepare: impl FnOnce() -> Result<Setup, E> + Send + 'static,
    ) -> Result<(), E>
    where
        E: From<StartError> + Send + 'static,
    {
        let Self {
            runtime,
            mut signals,
        } = self;
        descriptors::raise();
        // Whatever modules do, it ends when it is asked to, and only then.
        signals::hold();
        let _watch = ExitWatch::start();
        let result = runtime.block_on(async {
            let start = async {
                let setup = on_a_thread(prepare).await?;
                Ok::<_, E>(Daemon::start(setup).await?)
            };
            let daemon = tokio::select! {
                daemon = start => daemon?,
                () = signals.stop() => {
                    tracing::info!(target: "kozo", "stopped before the node was there");
                    return Ok(());
                }
            };
            daemon.run(signals).await;
            Ok(())
        });
        // A transport that hangs in a thread keeps nobody from going.
        runtime.shutdown_background();
        result
    }
}

/// Does something that may block on a thread of its own, which keeps nobody from going.
async fn on_a_thread<T: Send + 'static, E: From<StartError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    apart("start", work).await.unwrap_or_else(|error| {
        let failed = StartError::system("cannot prepare the node");
        Err(failed(std::io::Error::other(error)).into())
    })
}

/// A running node.
struct Daemon {
    node: NodeName,
    roles: Arc<[HostedRole]>,
    transports: Arc<Transports>,
    links: Links,
    /// What people see of it, and what watches for changes around it; they end when it stops.
    _attendants: JoinSet<()>,
    stopping: tokio::sync::watch::Sender<bool>,
    service: Arc<Service>,
    /// Its folder is this daemon's for as long as it runs.
    _storage: Option<Storage>,
}

impl Daemon {
    async fn start(setup: Setup) -> Result<Self, StartError> {
        let started = clock::now();
        let Setup {
            network,
            file,
            node,
            registry,
            control,
        } = setup;
        let claim = NodeClaim::take(network.node(&node)?, &file)?;
        let endpoint = endpoint(&network, network.node(&node)?)?;
        let state = StateFolders::new(
            network.node(&node)?.transport_storage.as_deref(),
            &transports::StateEnvironment::read(),
        );
        let registry = Arc::new(registry);
        let (network, transports) = {
            let (node, registry) = (node.clone(), Arc::clone(&registry));
            let attestor = endpoint.attestor();
            let make = move || {
                let made = Transports::new(&network, &node, &registry, &attestor, state)?;
                Ok::<_, StartError>((network, made))
            };
            on_a_thread(make).await?
        };
        let transports = Arc::new(transports);
        let own = network.node(&node)?;
        let session = SessionId(random()?);
        let storage = open_storage(own, &registry)?;
        let inboxes: Vec<_> = own
            .roles
            .iter()
            .map(|role| Inbox::new(role.inbox))
            .collect();
        let peers = links::peers(
            &network,
            own,
            session,
            &own.told_interests().roles,
            random()?,
        );
        let local = own.roles.iter().zip(&inboxes).map(|(role, inbox)| {
            let known = LocalRole {
                name: role.name.clone(),
                interests: role.interests.clone(),
                accept_orders_from: role.accept_orders_from.clone(),
            };
            (known, Arc::clone(inbox))
        });
        let router = Router::new(
            node.clone(),
            local.collect(),
            links::remote(&network, &peers),
            own.settings.max_ages,
        );
        let router = Arc::new(router);
        let (stopping, stop) = tokio::sync::watch::channel(false);
        let changed = Arc::new(Notify::new());
        let observer = LinkWatch::new(Arc::clone(&changed));
        let router_of_links = Arc::clone(&router);
        let links = Links::start(
            peers,
            &transports,
            endpoint,
            router_of_links,
            observer,
            stop,
        );
        for transport in transports.own() {
            Acceptor::start(
                transport,
                links.listener(),
                tokio::runtime::Handle::current(),
            )
            .map_err(StartError::system("cannot start a thread for a transport"))?;
        }
        let mut roles = Vec::with_capacity(own.roles.len());
        for (role, inbox) in own.roles.iter().zip(inboxes) {
            let setup = RoleSetup::new(own, role, storage.as_ref())?;
            let (registry, module) = (Arc::clone(&registry), role.module.clone());
            let source = RoleSource::new(registry, module, role.isolation);
            roles.push(HostedRole::start(
                setup,
                inbox,
                Arc::clone(&router) as _,
                Arc::new(source),
            )?);
        }
        tracing::info!(
            target: "kozo",
            node = %node,
            roles = roles.len(),
            transports = transports.own().len(),
            peers = network.nodes.len() - 1,
            "started",
        );
        let roles: Arc<[HostedRole]> = roles.into();
        let mut attendants = JoinSet::new();
        attendants.spawn(claim.attend());
        attendants.spawn(watch::run(links.peers().to_vec()));
        attendants.spawn(signals::keep());
        let overview = Overview {
            node: node.clone(),
            started,
            roles: Arc::clone(&roles),
            peers: links.views(),
            transports: Arc::clone(&transports),
            listener: links.listener(),
            router,
            network,
        };
        // Before the node is said to be there: who waits for that may ask at once.
        let socket = control::open(control.as_deref(), &node);
        attendants.spawn(control::serve(socket, overview));
        let service = Service::of_this_process();
        let (seen_roles, seen_peers) = (Arc::clone(&roles), links.peers().to_vec());
        let look = move || service::count(&seen_roles, &seen_peers);
        attendants.spawn(Arc::clone(&service).attend(changed, look));
        modules::give_back();
        Ok(Self {
            node,
            roles,
            transports,
            links,
            _attendants: attendants,
            stopping,
            service,
            _storage: storage,
        })
    }

    async fn run(mut self, mut signals: Signals) {
        loop {
            match signals.next().await {
                signals::Signal::Reopen => {
                    tracing::info!(target: "kozo", "roles open their files again");
                    self.roles.iter().for_each(HostedRole::reopen);
                }
                signals::Signal::Stop(name) => {
                    tracing::info!(target: "kozo", signal = name, "stopping");
                    break;
                }
            }
        }
        end_in_time();
        tokio::select! {
            () = self.stop() => tracing::info!(target: "kozo", node = %self.node, "stopped"),
            () = signals.stop() => {
                tracing::warn!(target: "kozo", "a second signal: stopping at once");
            }
        }
    }

    /// Roles first, so that their last words are sent; then the queues; then the links.
    async fn stop(&mut self) {
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
        self.links.flush(FLUSH_LIMIT).await;
        self.stopping.send_replace(true);
        tokio::join!(
            self.transports.stop(CLOSE_LIMIT),
            self.links.closed(CLOSE_LIMIT),
        );
    }
}

/// Ends the process by force when it has not ended in [`END_LIMIT`], whatever keeps it.
fn end_in_time() {
    let end = || {
        std::thread::sleep(END_LIMIT);
        tracing::error!(target: "kozo", "something keeps it from ending: it is killed");
        crate::log::finish();
        // Nothing else ends a process of which some thread hangs while it ends.
        let _ = kill_process(getpid(), rustix::process::Signal::KILL);
    };
    // Without a thread it does without.
    let _ = std::thread::Builder::new()
        .name("end".to_owned())
        .spawn(end);
}

/// The node's folder for storage. One that cannot be used is a reason not to start only where a role
/// stores things.
fn open_storage(own: &config::Node, registry: &Registry) -> Result<Option<Storage>, StartError> {
    let Some(folder) = &own.role_storage else {
        return Ok(None);
    };
    match Storage::open(folder, &own.name) {
        Ok(storage) => Ok(Some(storage)),
        Err(error) if registry.has_storing_role(own) => Err(error.into()),
        Err(error) => {
            tracing::warn!(
                target: "storage",
                "{}; no role of this node stores things, so it runs without",
                error_text(&error),
            );
            Ok(None)
        }
    }
}

fn endpoint(network: &Network, own: &config::Node) -> Result<Endpoint, StartError> {
    let key = keys::load_private(&own.private_key)?;
    keys::matches(&key, &own.public_keys)?;
    let identity = Identity {
        node: own.name.clone(),
        key: Arc::new(key),
    };
    let trust: TrustedKeys = network
        .nodes
        .values()
        .map(|node| (node.name.clone(), node.public_keys.clone()))
        .collect();
    let algorithms = Algorithms::new(&own.settings.ciphers, &own.settings.macs)?;
    let max_packet = own.settings.max_buffer_read_size;
    Ok(Endpoint::new(
        identity,
        Arc::new(trust),
        &algorithms,
        max_packet,
    ))
}

fn random() -> Result<u64, StartError> {
    let mut bytes = [0; 8];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| std::io::Error::other("the system gives no random numbers"))
        .map_err(StartError::system("cannot start"))?;
    Ok(u64::from_ne_bytes(bytes))
}

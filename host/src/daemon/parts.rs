//! The parts of a node, each made of what the file says and of the parts below it.

use std::sync::Arc;

use kozo_auth::algorithms::Algorithms;
use kozo_auth::attest::Attestor;
use kozo_auth::identity::Identity;
use kozo_auth::keys;
use kozo_auth::ssh::Endpoint;
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;
use kozo_router::LocalRole;
use kozo_tap::Taps;
use kozo_wire::SessionId;
use ring::rand::SecureRandom;
use tokio::runtime::Handle;

use super::error::StartError;
use super::links::{self, Links};
use crate::bus::{BusParts, MadeBuses};
use crate::config::{Network, Node};
use crate::introspection::Desk;
use crate::limited::apart;
use crate::link::PeerLink;
use crate::modules::Registry;
use crate::roles::{HostedRole, Inbox, RoleSetup, RoleSource};
use crate::router::{Destination, Router};
use crate::storage::Storage;
use crate::transports::{Acceptor, StateEnvironment, StateFolders, Transports};

/// What proves this node to others, and others to this node.
pub(super) fn endpoint(network: &Network, own: &Node) -> Result<Endpoint, StartError> {
    let key = keys::load_private(&own.private_key)?;
    own.check_key(&key)?;
    let identity = Identity {
        node: own.name.clone(),
        key: Arc::new(key),
    };
    let algorithms = Algorithms::new(&own.settings.ciphers, &own.settings.macs)?;
    let max_packet = own.settings.max_buffer_read_size;
    let trust = Arc::clone(&network.keys);
    let endpoint = Endpoint::new(identity, trust, &algorithms, max_packet);
    Ok(endpoint.with_ssh_only(own.settings.ssh_only))
}

/// The transports of all nodes. Their modules may take their time, so the network is lent to a thread.
pub(super) async fn transports(
    network: Network,
    node: &NodeName,
    registry: &Arc<Registry>,
    attestor: Arc<Attestor>,
) -> Result<(Network, Arc<Transports>), StartError> {
    let state = state_folders(network.node(node)?);
    let (node, registry) = (node.clone(), Arc::clone(registry));
    on_a_thread(move || {
        let made = Transports::new(&network, &node, &registry, &attestor, state)?;
        Ok((network, Arc::new(made)))
    })
    .await
}

/// The buses of the node, which begin a session on each. Their modules may take their time.
pub(super) async fn buses(
    network: &Arc<Network>,
    own: &Node,
    registry: &Arc<Registry>,
    attestor: Arc<Attestor>,
    peers: &[Arc<PeerLink>],
) -> Result<MadeBuses, StartError> {
    if own.buses.is_empty() {
        return Ok(MadeBuses::default());
    }
    let state = Arc::new(state_folders(own));
    let (network, registry, node) = (Arc::clone(network), Arc::clone(registry), own.name.clone());
    let peers = peers.to_vec();
    on_a_thread(move || {
        Ok(MadeBuses::new(&BusParts {
            own: network.node(&node)?,
            network: &network,
            registry: &registry,
            attestor: &attestor,
            state: &state,
            peers: &peers,
        })?)
    })
    .await
}

/// Where transports and buses of the node keep their files.
fn state_folders(own: &Node) -> StateFolders {
    StateFolders::new(own.transport_storage.as_deref(), &StateEnvironment::read())
}

/// The node's folder for storage. One that cannot be used is a reason not to start only where a role
/// stores things.
pub(super) fn storage(own: &Node, registry: &Registry) -> Result<Option<Storage>, StartError> {
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

/// The other nodes, in a new session with each of them.
pub(super) fn peers(network: &Network, own: &Node) -> Result<Vec<Arc<PeerLink>>, StartError> {
    let interests = own.told_interests().roles;
    let session = SessionId(random()?);
    Ok(links::peers(network, own, session, &interests, random()?))
}

/// What knows which message goes where. `inboxes` are those of the node's roles, in their order.
pub(super) fn router(
    network: &Network,
    own: &Node,
    inboxes: &[Arc<Inbox>],
    peers: &[Arc<PeerLink>],
    buses: &MadeBuses,
    taps: &Arc<Taps>,
) -> Arc<Router> {
    let local = own.roles.iter().zip(inboxes).map(|(role, inbox)| {
        let known = LocalRole {
            name: role.name.clone(),
            interests: role.interests.clone(),
            accept_orders_from: role.accept_orders_from.clone(),
        };
        (known, Arc::clone(inbox))
    });
    let mut remote = links::destinations(network, peers);
    let outlets = buses.outlets();
    remote.extend(outlets.map(|(outlet, crowd)| Destination::Bus(outlet, crowd)));
    Arc::new(Router::new(
        own.name.clone(),
        local.collect(),
        remote,
        own.settings.max_ages,
        Arc::clone(taps),
    ))
}

/// Where the node's roles, and other nodes, ask about it. It answers on the runtime of the caller.
pub(super) fn desk(own: &Node, taps: &Arc<Taps>) -> Arc<Desk> {
    let granted = own
        .roles
        .iter()
        .map(|role| (role.name.clone(), role.granted));
    Arc::new(Desk::new(taps, granted.collect(), Handle::current()))
}

/// Lets the node's transports take connections.
pub(super) fn listen(transports: &Transports, links: &Links) -> Result<(), StartError> {
    for transport in transports.own() {
        Acceptor::start(transport, links.listener(), Handle::current())
            .map_err(StartError::system("cannot start a thread for a transport"))?;
    }
    Ok(())
}

/// Starts the node's roles.
pub(super) fn roles(
    own: &Node,
    inboxes: Vec<Arc<Inbox>>,
    registry: &Arc<Registry>,
    storage: Option<&Storage>,
    router: &Arc<Router>,
    desk: &Arc<Desk>,
) -> Result<Arc<[HostedRole]>, StartError> {
    let roles = own.roles.iter().zip(inboxes).map(|(role, inbox)| {
        let setup = RoleSetup::new(own, role, storage)?;
        let source = RoleSource::new(Arc::clone(registry), role.module.clone(), role.isolation);
        let (dispatcher, desk) = (Arc::clone(router) as _, Arc::clone(desk) as _);
        Ok(HostedRole::start(
            setup,
            inbox,
            dispatcher,
            desk,
            Arc::new(source),
        )?)
    });
    roles.collect()
}

fn random() -> Result<u64, StartError> {
    let mut bytes = [0; 8];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| std::io::Error::other("the system gives no random numbers"))
        .map_err(StartError::system("cannot start"))?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Does something that may block on a thread of its own, which keeps nobody from going.
pub(super) async fn on_a_thread<T: Send + 'static, E: From<StartError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    apart("start", work).await.unwrap_or_else(|error| {
        let failed = StartError::system("cannot prepare the node");
        Err(failed(std::io::Error::other(error)).into())
    })
}

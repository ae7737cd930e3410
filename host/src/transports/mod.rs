//! The transports of the network as this node runs them: those of all nodes are made, so that
//! their options are checked; its own listen and dial.

mod acceptor;
mod own_address;
mod services;
mod state_folders;

use std::collections::HashMap;
use std::sync::Arc;

pub use acceptor::Acceptor;
pub use own_address::{AddressError, own_addresses};
use services::Services;
pub use state_folders::{StateError, StateFolders, Surroundings};

use crate::auth::attest::Attestor;
use crate::clock::Moment;
use crate::config::{self, Network, Problem, Problems};
use crate::link::Candidate;
use crate::link::io::Route;
use crate::log::error_text;
use crate::modules::registry::Registry;
use crate::modules::transport::{PeerDescription, TransportInstance, TransportServices};
use crate::names::{ModuleName, NodeName};

/// One transport of this node.
pub struct OwnTransport {
    /// Its name.
    pub name: String,
    instance: Arc<TransportInstance>,
    services: Arc<Services>,
    priority: u8,
    /// Whether it takes connections.
    pub can_accept: bool,
}

/// How a transport of this node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportState {
    /// It is being prepared.
    Starting,
    /// It takes connections.
    Listening,
    /// It takes no connections, and can dial.
    DialsOnly,
    /// It cannot take connections, for this reason; that is tried again.
    Failing(String),
}

impl OwnTransport {
    /// How it is, and since when.
    pub fn state(&self) -> (TransportState, Moment) {
        self.services.state()
    }

    /// What it is about, as it has said last.
    pub fn status(&self) -> Option<String> {
        self.services.status()
    }

    /// The module that it is made by.
    pub fn module(&self) -> &ModuleName {
        self.services.module_name()
    }
}

struct PeerTransport {
    description: PeerDescription,
    priority: u8,
}

/// All transports of the network that this machine has the modules of.
pub struct Transports {
    own: Vec<OwnTransport>,
    peers: HashMap<NodeName, Vec<PeerTransport>>,
}

impl Transports {
    /// Makes the transports of every node. `attestor` signs and verifies for those that secure
    /// their streams by themselves; those of this node keep their files in `state`.
    ///
    /// # Errors
    /// What the transports say about their options, all of it; or a module that does not load.
    pub fn new(
        network: &Network,
        own: &NodeName,
        registry: &Registry,
        attestor: &Arc<Attestor>,
        state: StateFolders,
    ) -> Result<Self, Problems> {
        let state = Arc::new(state);
        let mut transports = Self {
            own: Vec::new(),
            peers: HashMap::new(),
        };
        let mut problems = Problems::new(network.file.clone());
        for (node, configured) in &network.nodes {
            for transport in &configured.transports {
                let local = node == own;
                // Without options the module is not here: `kozo check` has warned of it.
                let Some(options) = &transport.options else {
                    continue;
                };
                let services = Services::new(
                    node,
                    &transport.name,
                    &transport.module,
                    local,
                    Arc::clone(attestor),
                    Arc::clone(&state),
                );
                let made = services
                    .map_err(|error| format!("no descriptor is left for its stop signal: {error}"))
                    .and_then(|services| make(transport, options, services, registry));
                match made.and_then(|made| transports.add(node, transport, options, made)) {
                    Ok(()) => {}
                    Err(reason) => {
                        let path = format!("system.{node}.transports.{}", transport.name);
                        problems.push(Problem::error(transport.place, path, reason));
                    }
                }
            }
        }
        if problems.has_errors() {
            return Err(problems);
        }
        Ok(transports)
    }

    fn add(
        &mut self,
        node: &NodeName,
        transport: &config::Transport,
        options: &config::ModuleOptions,
        (instance, services): (TransportInstance, Arc<Services>),
    ) -> Result<(), String> {
        let priority = instance.priority()? as u8;
        let can_accept = instance.can_accept()?;
        if services.is_local() {
            let name = transport.name.as_str().to_owned();
            let instance = Arc::new(instance);
            self.own.push(OwnTransport {
                name,
                instance,
                services,
                priority,
                can_accept,
            });
        } else if can_accept {
            let description = PeerDescription {
                node: node.as_str().to_owned(),
                name: transport.name.as_str().to_owned(),
                module: transport.module.as_str().to_owned(),
                options: encode(options)?,
            };
            self.peers
                .entry(node.clone())
                .or_default()
                .push(PeerTransport {
                    description,
                    priority,
                });
        }
        Ok(())
    }

    /// The ways to a node, best first: by the own transport's priority, then by the peer's.
    pub fn ways_to(&self, node: &NodeName) -> (Vec<Candidate>, HashMap<(usize, usize), Route>) {
        let mut ways = Vec::new();
        let mut routes = HashMap::new();
        let peers = self.peers.get(node).map_or(&[][..], Vec::as_slice);
        for (own, transport) in self.own.iter().enumerate() {
            for (peer, other) in peers.iter().enumerate() {
                match transport.instance.can_connect(&other.description) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(error) => {
                        transport
                            .services
                            .report(&format!("`can_connect` failed: {error}"));
                        continue;
                    }
                }
                let rank = transport.priority + other.priority;
                ways.push((transport.priority, Candidate { own, peer, rank }));
                let route = Route {
                    transport: Arc::clone(&transport.instance),
                    name: transport.name.clone(),
                    peer: other.description.clone(),
                };
                routes.insert((own, peer), route);
            }
        }
        ways.sort_by_key(|(priority, way)| std::cmp::Reverse((*priority, way.rank)));
        (ways.into_iter().map(|(_, way)| way).collect(), routes)
    }

    /// The transports of this node.
    pub fn own(&self) -> &[OwnTransport] {
        &self.own
    }

    /// Ends every call that still waits in one of this node's transports.
    pub fn stop(&self) {
        for transport in &self.own {
            transport.services.stop();
            if let Err(error) = transport.instance.stop() {
                transport
                    .services
                    .report(&format!("`stop` failed: {error}"));
            }
        }
    }
}

fn make(
    transport: &config::Transport,
    options: &config::ModuleOptions,
    services: Arc<Services>,
    registry: &Registry,
) -> Result<(TransportInstance, Arc<Services>), String> {
    let module = registry
        .load_transport(&transport.module)
        .map_err(|error| error_text(&error))?;
    let instance = module.create(Arc::clone(&services) as _, &encode(options)?)?;
    Ok((instance, services))
}

fn encode(options: &config::ModuleOptions) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(options).map_err(|error| error_text(&error))
}

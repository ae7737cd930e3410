//! The transports of the network as this node runs them: those of all nodes are made, so that
//! their options are checked; its own listen and dial.

mod acceptor;
mod inquiry;
mod maker;
mod own_address;
mod services;
mod state_folders;
mod trial;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kozo_description::{Problem, Problems};
use tokio::task::JoinSet;

pub use acceptor::Acceptor;
use maker::Maker;
pub use own_address::{AddressError, own_addresses};
use services::Services;
pub use state_folders::{StateEnvironment, StateError, StateFolders};
pub use trial::try_transports;

use kozo_auth::attest::Attestor;
use kozo_ground::clock::Moment;
use kozo_ground::names::{ModuleName, NodeName};
use kozo_ground::text::error_text;
use kozo_link::Candidate;

use crate::config::{self, Network};
use crate::limited::{DroppedApart, Worker, apart};
use crate::link::{Calls, Route};
use crate::modules::registry::Registry;
use crate::modules::transport::{PeerDescription, TransportInstance};

/// How long a module may take for a call in which nothing is to happen that takes time.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// One transport of this node.
pub struct OwnTransport {
    /// Its name.
    pub name: String,
    services: Arc<Services>,
    /// None when its module did not come back from making it.
    made: Option<Made>,
    /// The transports of other nodes that it can connect to: the nodes, and their names there.
    reaches: HashSet<(NodeName, String)>,
}

/// What there is of a transport whose module has made it.
struct Made {
    instance: Arc<DroppedApart<TransportInstance>>,
    calls: Arc<Calls>,
    priority: u8,
    can_accept: bool,
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
    /// It cannot take connections, or does not come back from calls, for this reason; that is tried
    /// again.
    Failing(String),
}

impl OwnTransport {
    /// How it is, and since when.
    pub fn state(&self) -> (TransportState, Moment) {
        match self.made.as_ref().and_then(|made| made.calls.fault()) {
            Some((fault, since)) => (TransportState::Failing(fault), since),
            None => self.services.state(),
        }
    }

    /// Why the way to a transport of a node is not tried at present.
    pub fn barred(&self, transport: &str, node: &NodeName) -> Option<String> {
        let made = self.made.as_ref()?;
        made.calls.barred(transport, node.as_str())
    }

    /// What it is about, as it has said last.
    pub fn status(&self) -> Option<String> {
        self.services.status()
    }

    /// The module that it is made by.
    pub fn module(&self) -> &ModuleName {
        self.services.module_name()
    }

    /// Leaves it out, since its module does not come back from a call.
    fn fail(&mut self, reason: &str) {
        let reason = format!("{reason}: it is left out until the daemon is started again");
        self.services.report(&reason);
        self.services.set_state(TransportState::Failing(reason));
        self.made = None;
    }
}

struct PeerTransport {
    description: Arc<PeerDescription>,
    priority: u8,
}

/// A transport of a peer to which there is no way, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Its name.
    pub name: String,
    /// What its module says against its options, or why there is no module.
    pub reason: String,
}

/// All transports of the network that this machine has the modules of.
pub struct Transports {
    own: Vec<OwnTransport>,
    peers: HashMap<NodeName, Vec<PeerTransport>>,
    unusable: HashMap<NodeName, Vec<Unusable>>,
}

impl Transports {
    /// Makes the transports of every node. `attestor` signs and verifies for those that secure
    /// their streams by themselves; those of this node keep their files in `state`. A module that does
    /// not come back costs what is made by it, and not the start.
    ///
    /// # Errors
    /// What the transports of this node say about their options, all of it; or a module of theirs that
    /// does not load. With those of the others it costs the way to them: the log tells of it, and
    /// [`unusable`](Self::unusable).
    pub fn new(
        network: &Network,
        own: &NodeName,
        registry: &Arc<Registry>,
        attestor: &Arc<Attestor>,
        state: StateFolders,
    ) -> Result<Self, Problems> {
        let mut maker = Maker::new(registry, attestor, state);
        let mut transports = Self {
            own: Vec::new(),
            peers: HashMap::new(),
            unusable: HashMap::new(),
        };
        let mut problems = Problems::new(network.file.clone());
        for (node, configured) in &network.nodes {
            for transport in &configured.transports {
                // Without options the module is not here, or could do nothing with them: that was
                // said when the file was read.
                let Some(options) = &transport.options else {
                    if let Some(fault) = &transport.fault {
                        transports.note_unusable(node, transport, fault.clone());
                    }
                    continue;
                };
                if node == own {
                    match maker.own(node, transport, options) {
                        Ok(made) => transports.own.push(made),
                        Err(reason) => {
                            let path = format!("system.{node}.transports.{}", transport.name);
                            problems.push(Problem::error(transport.place, path, reason));
                        }
                    }
                } else {
                    match maker.peer(node, transport, options) {
                        Ok(Some(peer)) => {
                            transports.peers.entry(node.clone()).or_default().push(peer);
                        }
                        Ok(None) => {}
                        Err(reason) => transports.leave_out(node, transport, reason),
                    }
                }
            }
        }
        if problems.has_errors() {
            return Err(problems);
        }
        transports.look_for_ways();
        Ok(transports)
    }

    /// There is no way to a peer's transport.
    fn leave_out(&mut self, node: &NodeName, transport: &config::Transport, reason: String) {
        tracing::warn!(
            target: "transport",
            transport = %transport.name,
            %node,
            line = transport.place.line,
            "there is no way to it: {reason}",
        );
        self.note_unusable(node, transport, reason);
    }

    /// The same when the log has it already.
    fn note_unusable(&mut self, node: &NodeName, transport: &config::Transport, reason: String) {
        let name = transport.name.as_str().to_owned();
        let unusable = self.unusable.entry(node.clone()).or_default();
        unusable.push(Unusable { name, reason });
    }

    /// Asks each transport of this node which ones of the others it can reach.
    fn look_for_ways(&mut self) {
        let peers: Vec<_> = self
            .peers
            .iter()
            .flat_map(|(node, peers)| peers.iter().map(move |peer| (node.clone(), peer)))
            .map(|(node, peer)| (node, Arc::clone(&peer.description)))
            .collect();
        for transport in &mut self.own {
            let Some(made) = &transport.made else {
                continue;
            };
            let (instance, peers) = (Arc::clone(&made.instance), peers.clone());
            let asked = Worker::default().within(CALL_LIMIT, "can_connect", move || {
                let reached = peers.into_iter().filter_map(|(node, peer)| {
                    match instance.can_connect(&peer) {
                        Ok(true) => Some(Ok((node, peer.name.clone()))),
                        Ok(false) => None,
                        Err(error) => Some(Err(error)),
                    }
                });
                reached.collect::<Vec<_>>()
            });
            match asked {
                Ok(reached) => {
                    for reached in reached {
                        match reached {
                            Ok(reached) => transport.reaches.extend([reached]),
                            Err(error) => transport
                                .services
                                .report(&format!("`can_connect` failed: {error}")),
                        }
                    }
                }
                Err(error) => transport.fail(&error_text(&error)),
            }
        }
    }

    /// The ways to a node, best first: by the own transport's priority, then by the peer's.
    pub fn ways_to(&self, node: &NodeName) -> (Vec<Candidate>, HashMap<(usize, usize), Route>) {
        let mut ways = Vec::new();
        let mut routes = HashMap::new();
        let peers = self.peers.get(node).map_or(&[][..], Vec::as_slice);
        for (own, transport) in self.own.iter().enumerate() {
            let Some(made) = &transport.made else {
                continue;
            };
            for (peer, other) in peers.iter().enumerate() {
                let name = other.description.name.clone();
                if !transport.reaches.contains(&(node.clone(), name)) {
                    continue;
                }
                let rank = made.priority + other.priority;
                ways.push((made.priority, Candidate { own, peer, rank }));
                let route = Route {
                    transport: Arc::clone(&made.calls),
                    peer: Arc::clone(&other.description),
                };
                routes.insert((own, peer), route);
            }
        }
        ways.sort_by_key(|(priority, way)| std::cmp::Reverse((*priority, way.rank)));
        (ways.into_iter().map(|(_, way)| way).collect(), routes)
    }

    /// The transports of a node to which there is no way, as the file has them.
    pub fn unusable(&self, node: &NodeName) -> &[Unusable] {
        self.unusable.get(node).map_or(&[], Vec::as_slice)
    }

    /// The transports of this node.
    pub fn own(&self) -> &[OwnTransport] {
        &self.own
    }

    /// Ends every call that still waits in one of this node's transports, and waits until they were
    /// told so, for `limit` at most.
    pub async fn stop(&self, limit: Duration) {
        let mut told = JoinSet::new();
        for transport in &self.own {
            transport.services.stop();
            let Some(made) = &transport.made else {
                continue;
            };
            let (instance, services) = (Arc::clone(&made.instance), transport.services.clone());
            told.spawn(async move {
                let stopping = apart("stop", move || instance.stop());
                match tokio::time::timeout(limit, stopping).await {
                    Ok(Ok(Ok(()))) => {}
                    Ok(Ok(Err(error))) => services.report(&format!("`stop` failed: {error}")),
                    Ok(Err(error)) => services.report(&error_text(&error)),
                    Err(_) => services.report("`stop` has not come back: it is left behind"),
                }
            });
        }
        while told.join_next().await.is_some() {}
    }
}

fn encode(options: &kozo_description::ModuleOptions) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(options).map_err(|error| error_text(&error))
}

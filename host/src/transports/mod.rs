//! The transports of the network as this node runs them: those of all nodes that it has links with are made,
//! so that their options are checked; its own listen and dial.

mod acceptor;
mod asked_ways;
mod error;
mod inquiry;
mod maker;
mod own;
mod own_address;
mod services;
mod state_folders;
mod trial;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kozo_description::{Problem, Problems};
use tokio::task::JoinSet;

pub(crate) use acceptor::Acceptor;
pub(crate) use asked_ways::{AskedWay, ask_ways};
use maker::{CALL_LIMIT, Maker, PeerTransport};
pub(crate) use own::OwnTransport;
pub(crate) use own_address::own_addresses;
pub(crate) use state_folders::{StateEnvironment, StateError, StateFolders};
pub(crate) use trial::try_transports;

use kozo_auth::attest::Attestor;
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;
use kozo_link::Candidate;
use kozo_status::UnusableTransport;

use crate::config::{self, Network};
use crate::limited::{Worker, apart};
use crate::link::Route;
use crate::modules::Registry;

/// All transports of the network that this machine has the modules of.
pub(crate) struct Transports {
    own: Vec<OwnTransport>,
    peers: HashMap<NodeName, Vec<PeerTransport>>,
    unusable: HashMap<NodeName, Vec<UnusableTransport>>,
}

impl Transports {
    /// Makes the transports of the node, and of every one that it has links with. `attestor` signs and verifies for those that secure
    /// their streams by themselves; those of this node keep their files in `state`. A module that does
    /// not come back costs what is made by it, and not the start.
    ///
    /// # Errors
    /// What the transports of this node say about their options, all of it; or a module of theirs that
    /// does not load. With those of the others it costs the way to them: the log tells of it, and
    /// [`unusable`](Self::unusable).
    pub(crate) fn new(
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
        let mut nodes = network.linked_with(own);
        nodes.extend(network.nodes.get_key_value(own));
        for (node, configured) in nodes {
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
                            let block = configured.block_name();
                            let path = format!("system.{block}.transports.{}", transport.name);
                            let reason = error_text(&reason);
                            problems.push(Problem::error(transport.place, path, reason));
                        }
                    }
                } else {
                    match maker.peer(node, transport, options) {
                        Ok(Some(peer)) => {
                            transports.peers.entry(node.clone()).or_default().push(peer);
                        }
                        Ok(None) => {}
                        Err(reason) => transports.leave_out(node, transport, error_text(&reason)),
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

    /// Leaves a peer's transport out, to which there is no way.
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

    /// Notes that a transport is left out, which the log has already.
    fn note_unusable(&mut self, node: &NodeName, transport: &config::Transport, reason: String) {
        let transport = transport.name.to_string();
        let unusable = self.unusable.entry(node.clone()).or_default();
        unusable.push(UnusableTransport { transport, reason });
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
    pub(crate) fn ways_to(
        &self,
        node: &NodeName,
    ) -> (Vec<Candidate>, HashMap<(usize, usize), Route>) {
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
    pub(crate) fn unusable(&self, node: &NodeName) -> &[UnusableTransport] {
        self.unusable.get(node).map_or(&[], Vec::as_slice)
    }

    /// The transports of this node.
    pub(crate) fn own(&self) -> &[OwnTransport] {
        &self.own
    }

    /// Ends every call that still waits in one of this node's transports, and waits until they were
    /// told so, for `limit` at most.
    pub(crate) async fn stop(&self, limit: Duration) {
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

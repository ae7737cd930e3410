//! What a node knows of itself, and what can be asked of it: one way for all who ask.
//!
//! ```text
//!  kozo status ──▶ control ─┐
//!  a role ────────▶ Desk ───┼──Request──▶ Introspection ──▶ roles, links, transports, taps
//!  another node ──▶ link, bus ┘
//! ```
//!
//! Who asks is an [`Asker`] with grants, and gets what they allow: the answers are the same for all.

mod bench;
mod changes;
mod desk;
mod faces;
mod limits;
mod messages;
mod others;
mod outcome;
mod refusal;
mod request;
mod role_details;
mod roles;
mod send;
mod turns;

use std::sync::Arc;

use bytes::Bytes;
use kozo_auth::algorithms::needs_no_mac;
use kozo_ground::clock::{self, Moment};
use kozo_ground::grant::Grants;
use kozo_ground::names::NodeName;
use kozo_ground::text::nearest;
use kozo_status::{
    BusDetails, Explanation, NodeStatus, PeerDetails, PeerState, PeerStatus, PolicyStatus,
    WayStatus,
};
use kozo_tap::Taps;

use crate::bus::Buses;
use crate::config::{Disclosure, Network, Node, Reach};
use crate::explain::sentences;
use crate::limited::apart;
use crate::link::{Listener, NamedWay, PeerLink};
use crate::modules::Registry;
use crate::modules::description::Description;
use crate::roles::HostedRole;
use crate::router::Router;
use crate::transports::{OwnTransport, Transports};

pub(crate) use changes::LastLook;
pub use desk::Desk;
pub use limits::MAX_BENCH_SECONDS;
pub use messages::{AskersTaps, MAX_SHOWN_DATA};
pub(crate) use others::ASKED_AT_ONCE;
pub use outcome::{Answer, Outcome};
use refusal::Refusal;
pub use request::Request;
pub(crate) use turns::Turns;

/// A peer.
pub(crate) struct PeerView {
    /// What is known of it.
    pub(crate) link: Arc<PeerLink>,
    /// The ways to it, best first.
    pub(crate) ways: Vec<NamedWay>,
}

/// Whoever asks.
pub struct Asker {
    /// What it is called where it is told what it may not.
    pub name: String,
    /// What it may ask.
    pub grants: Grants,
    /// The taps that it has opened.
    pub taps: AskersTaps,
}

/// The daemon's parts, as they are asked.
pub struct Introspection {
    /// The node.
    pub(crate) node: NodeName,
    /// When the daemon started.
    pub(crate) started: Moment,
    /// The file.
    pub(crate) network: Arc<Network>,
    /// The modules that were found.
    pub(crate) registry: Arc<Registry>,
    /// The roles.
    pub(crate) roles: Arc<[HostedRole]>,
    /// The other nodes.
    pub(crate) peers: Vec<PeerView>,
    /// The transports.
    pub(crate) transports: Arc<Transports>,
    /// The buses.
    pub(crate) buses: Arc<Buses>,
    /// What secures the connections that others make.
    pub(crate) listener: Listener,
    /// What knows which message goes where.
    pub(crate) router: Arc<Router>,
    /// Those who watch what passes.
    pub(crate) taps: Arc<Taps>,
    /// When it was looked at for those who wait for a change.
    pub(crate) last_look: LastLook,
    /// The turns of those who ask all nodes, for questions over buses.
    pub(crate) turns: Turns,
}

impl Introspection {
    /// The answer to a request, or why there is none. It bounds its own time.
    pub(crate) async fn answer(&self, request: Request, asker: &Asker) -> Result<Answer, Refusal> {
        let needed = request.needs();
        if !asker.grants.contains(needed) {
            return Err(Refusal::NotGranted {
                asker: asker.name.clone(),
                needed,
            });
        }
        let value = match request {
            Request::Status => serde_json::to_value(self.status(clock::now())),
            Request::Why { peer } => serde_json::to_value(self.why(&peer, clock::now())?),
            Request::Changed { since, wait_ms } => {
                serde_json::to_value(self.changed(since, wait_ms).await)
            }
            Request::StatusOf { node, wait_ms } => {
                serde_json::to_value(self.status_of(&node, wait_ms).await?)
            }
            Request::Network { wait_ms } => serde_json::to_value(self.network(wait_ms).await),
            Request::WhyOf { node, peer } => {
                serde_json::to_value(self.why_of(Some(&node), peer).await?)
            }
            Request::Explain { node, peer } => {
                let details = self.why_of(node.as_deref(), peer).await?;
                let lines = sentences(&details);
                serde_json::to_value(Explanation { details, lines })
            }
            Request::Modules => serde_json::to_value(self.modules().await?),
            Request::BusNodes => serde_json::to_value(self.buses.nodes(clock::now())),
            Request::Ping { peer, bytes } => serde_json::to_value(self.ping(&peer, bytes).await?),
            Request::Bench { peer, seconds } => {
                serde_json::to_value(self.bench(&peer, seconds).await?)
            }
            Request::Echo { payload } => serde_json::to_value(payload),
            Request::OpenTap { interests } => serde_json::to_value(asker.taps.open(interests)?),
            Request::Tapped { tap, wait_ms } => {
                return Ok(Answer::Passed(asker.taps.take(tap, wait_ms).await?));
            }
            Request::CloseTap { tap } => serde_json::to_value(asker.taps.close(tap)?),
            Request::Role { role } => serde_json::to_value(self.role_details(&role).await?),
            Request::Send {
                kind,
                type_name,
                channel,
                data,
                wait_ms,
            } => {
                let dictation = send::Dictation {
                    kind,
                    type_name,
                    channel,
                    data,
                };
                serde_json::to_value(self.send(dictation, wait_ms).await?)
            }
            Request::StopRole { role } => serde_json::to_value(self.stop_role(&role).await?),
            Request::StartRole { role } => serde_json::to_value(self.start_role(&role).await?),
            Request::LogLevel { set, reset } => {
                serde_json::to_value(crate::log::change_levels(set.as_deref(), reset)?)
            }
            Request::RestartRole { role } => serde_json::to_value(self.restart_role(&role).await?),
        };
        value.map(Answer::from).map_err(Refusal::Unwritable)
    }

    /// The answer to a question of another node, as far as this one tells it.
    pub(crate) fn answer_peer(&self, asker: &NodeName, question: &[u8]) -> Bytes {
        let answer = || {
            let request: Request =
                rmp_serde::from_slice(question).map_err(|_| Refusal::UnknownToPeers)?;
            let told = self.own().map_or(Disclosure::None, |own| own.tells(asker));
            let needed = request.discloses().ok_or(Refusal::NotForPeers)?;
            if told < needed {
                return Err(match told {
                    Disclosure::None => Refusal::TellsNothing,
                    _ => Refusal::TellsItsStatus,
                });
            }
            // An echo is no more work than a message is, and measuring a link takes many.
            // A bus has counted already what comes over it.
            if !matches!(request, Request::Echo { .. })
                && let Ok(peer) = self.peer_of(asker.as_str())
            {
                let now = clock::now();
                if !peer.link.change(now, |peer| peer.may_ask(now)) {
                    return Err(Refusal::TooOften);
                }
            }
            let value = match request {
                Request::Status => serde_json::to_value(self.status(clock::now())),
                Request::Why { peer } => serde_json::to_value(self.why(&peer, clock::now())?),
                // What was asked comes back, and takes as long.
                Request::Echo { payload } => serde_json::to_value(payload.len()),
                _ => return Err(Refusal::NotForPeers),
            };
            value.map_err(Refusal::Unwritable)
        };
        Outcome::from(answer()).encode()
    }

    /// All of the node at `now`.
    pub(crate) fn status(&self, now: Moment) -> NodeStatus {
        let mut roles: Vec<_> = self.roles.iter().map(|role| role.status(now)).collect();
        faces::bound(&mut roles);
        NodeStatus {
            node: self.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            running_seconds: now.since(self.started).as_secs_f64(),
            file_digest: self.network.shown_digest(),
            roles,
            peers: self.peers.iter().map(|peer| self.peer(peer, now)).collect(),
            buses: self.buses.status(now),
            transports: self
                .transports
                .own()
                .iter()
                .map(|transport| transport.status(now))
                .collect(),
            orders_refused: self.router.orders_refused(),
            connections: self.listener.counts(),
            log: crate::log::losses(),
        }
    }

    /// Why there is a link with the peer of this name, or none; an error when there is no such
    /// peer.
    pub(crate) fn why(&self, name: &str, now: Moment) -> Result<PeerDetails, Refusal> {
        let node = self.other_node(name)?;
        let (Some(own), Some(other)) = (self.own(), self.network.block(node.as_str())) else {
            return Err(self.no_peer(name));
        };
        let details = |peer: PeerStatus| PeerDetails {
            node: self.node.clone(),
            peer,
            outgoing: policy(own, other),
            incoming: policy(other, own),
            ways: vec![],
            history: vec![],
            idle_timeout_seconds: own.settings.idle_timeout.as_secs_f64(),
            connection_retry_seconds: own.settings.connection_retry.as_secs_f64(),
            bus: None,
        };
        let Ok(peer) = self.peer_of(name) else {
            let bus = self.between(node, own, other, now);
            let state = match bus {
                Some(_) => PeerState::OverBus,
                None => PeerState::NoWay,
            };
            return Ok(PeerDetails {
                bus,
                ..details(PeerStatus::without_links(node.clone(), state))
            });
        };
        let ways = peer.ways.iter().map(|way| {
            let mut transports = self.transports.own().iter();
            let transport = transports.find(|own| own.name == way.transport);
            WayStatus {
                transport: way.transport.clone(),
                peer_transport: way.peer_transport.clone(),
                status: transport.and_then(OwnTransport::says),
                error: transport.and_then(|own| own.barred(&way.peer_transport, node)),
            }
        });
        Ok(PeerDetails {
            ways: ways.collect(),
            history: peer.link.look(|peer| peer.history(now)),
            ..details(self.peer(peer, now))
        })
    }

    /// How this node and another one reach each other over a bus, if they do.
    fn between(
        &self,
        node: &NodeName,
        own: &Node,
        other: &Node,
        now: Moment,
    ) -> Option<BusDetails> {
        let Reach::Bus(name) = self.network.reach(&self.node, node) else {
            return None;
        };
        let (bus, peer) = self.buses.between(name.as_str(), node, now)?;
        let through = |block: &Node| {
            let mut buses = block.buses.iter();
            let on = buses.find(|on| on.bus == *name);
            on.map(|on| on.through.clone()).unwrap_or_default()
        };
        Some(BusDetails {
            bus,
            peer,
            through: through(own),
            peer_through: through(other),
        })
    }

    fn own(&self) -> Option<&Node> {
        self.network.nodes.get(&self.node)
    }

    /// The same of another node, or of this one.
    async fn why_of(&self, node: Option<&str>, peer: String) -> Result<PeerDetails, Refusal> {
        match node {
            Some(node) if node != self.node.as_str() => {
                self.ask_node(node, &Request::Why { peer }).await
            }
            _ => self.why(&peer, clock::now()),
        }
    }

    /// What the modules say about themselves that the node has found. It may have to read that first, and disks may
    /// stop.
    async fn modules(&self) -> Result<Vec<Description>, Refusal> {
        let registry = Arc::clone(&self.registry);
        let described = apart("modules", move || {
            let entries = registry.entries().iter();
            entries.filter_map(Description::new).collect()
        });
        described.await.map_err(Refusal::NotLookedAt)
    }

    /// The other node of this name, however this one reaches it.
    fn other_node(&self, name: &str) -> Result<&NodeName, Refusal> {
        let node = self.network.name(name);
        let other = node.filter(|node| **node != self.node);
        other.ok_or_else(|| self.no_peer(name))
    }

    /// The peer of this name, with which this node has links.
    fn peer_of(&self, name: &str) -> Result<&PeerView, Refusal> {
        let mut peers = self.peers.iter();
        let peer = peers.find(|peer| peer.link.name().as_str() == name);
        peer.ok_or_else(|| self.no_peer(name))
    }

    fn peer(&self, peer: &PeerView, now: Moment) -> PeerStatus {
        let mut status = peer.link.status(&peer.ways, now);
        status.unusable = self.transports.unusable(peer.link.name()).to_vec();
        if self.own().is_some_and(|own| !own.settings.macs.is_empty()) {
            for link in &mut status.links {
                let cipher = link.cipher.as_deref().filter(|cipher| needs_no_mac(cipher));
                link.note = cipher.map(|cipher| {
                    format!("`hmac` is not used: `{cipher}` authenticates what it encrypts")
                });
            }
        }
        status
    }

    fn no_peer(&self, name: &str) -> Refusal {
        if name == self.node.as_str() {
            return Refusal::Itself(name.to_owned());
        }
        if let Some((message, help)) = self.network.told_of_group(name) {
            return Refusal::Group { message, help };
        }
        let others = self.network.names().filter(|node| **node != self.node);
        let names: Vec<_> = others.map(NodeName::as_str).collect();
        Refusal::NoNode {
            name: name.to_owned(),
            near: nearest(name, names).map(str::to_owned),
        }
    }
}

/// When `from` dials `to`.
fn policy(from: &Node, to: &Node) -> PolicyStatus {
    PolicyStatus {
        policy: from.self_to_others.min(to.others_to_self),
        self_to_others: from.self_to_others,
        others_to_self: to.others_to_self,
    }
}

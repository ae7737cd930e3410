//! What `kozo top` shows, made of what the network says at two moments. It does no I/O and has no clock:
//! rates are differences of counts over the time that the node which counts has measured itself.

use kozo_ground::clock::Moment;
use kozo_ground::names::{ModuleName, NodeName, RoleName};
use kozo_status::{
    BusState, BusStatus, NetworkStatus, NodeReport, NodeStatus, PeerState, PeerStatus, RoleState,
    RoleStatus,
};
use serde::Serialize;

/// The shortest time over which a rate is measured, in seconds: what came in less says nothing.
const MIN_SPAN: f64 = 0.05;

/// The network as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Overview {
    /// The node that was asked.
    pub(super) asked: NodeName,
    /// All nodes.
    pub(super) nodes: Vec<NodeLine>,
    /// All pairs of nodes that an answering node tells of, each once.
    pub(super) links: Vec<LinkLine>,
    /// The buses that an answering node tells of, one line for each node on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) buses: Vec<BusLine>,
    /// The roles of all nodes that tell of them.
    pub(super) roles: Vec<RoleLine>,
}

/// Messages and bytes in one second. None: there are no two counts of one daemon yet.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(super) struct Rates {
    pub(super) sent_per_second: Option<f64>,
    pub(super) received_per_second: Option<f64>,
    pub(super) bytes_sent_per_second: Option<f64>,
    pub(super) bytes_received_per_second: Option<f64>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct NodeLine {
    pub(super) node: NodeName,
    /// Whether it says something of itself.
    pub(super) answers: bool,
    /// Why it does not.
    pub(super) error: Option<String>,
    pub(super) unreachable_seconds: Option<f64>,
    pub(super) running_seconds: Option<f64>,
    pub(super) version: Option<String>,
    pub(super) other_file: bool,
    /// The smoothed round trip between it and the node that was asked.
    pub(super) round_trip_seconds: Option<f64>,
    pub(super) roles: usize,
    pub(super) roles_running: usize,
    /// With how many nodes messages flow.
    pub(super) linked: usize,
    #[serde(flatten)]
    pub(super) rates: Rates,
    pub(super) queued: usize,
    pub(super) dropped: u64,
}

/// Two nodes, and the link between them if there is one, as one of them sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LinkLine {
    /// The node that tells.
    pub(super) node: NodeName,
    /// The other one.
    pub(super) peer: NodeName,
    pub(super) state: PeerState,
    pub(super) next_dial_seconds: Option<f64>,
    pub(super) transport: Option<String>,
    pub(super) address: Option<String>,
    pub(super) dialled: Option<bool>,
    pub(super) up_seconds: Option<f64>,
    pub(super) round_trip_seconds: Option<f64>,
    /// How many links there are; only for a moment more than one.
    pub(super) links: usize,
    #[serde(flatten)]
    pub(super) rates: Rates,
    /// What waits on both sides, as far as both tell.
    pub(super) queued: usize,
    /// What was dropped on both sides, likewise.
    pub(super) dropped: u64,
    pub(super) error: Option<String>,
}

/// A bus, as one node on it sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct BusLine {
    pub(super) node: NodeName,
    pub(super) bus: String,
    pub(super) state: BusState,
    /// The server that the node is connected to.
    pub(super) server: Option<String>,
    /// For how long its state has been so.
    pub(super) since_seconds: f64,
    pub(super) round_trip_seconds: Option<f64>,
    /// How many other nodes the node hears.
    pub(super) nodes_heard: usize,
    #[serde(flatten)]
    pub(super) rates: Rates,
    pub(super) queued: usize,
    pub(super) dropped: u64,
    /// Why it is not connected, or what the engine refuses it.
    pub(super) error: Option<String>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RoleLine {
    pub(super) node: NodeName,
    pub(super) role: RoleName,
    pub(super) module: ModuleName,
    pub(super) state: RoleState,
    pub(super) restart_in_seconds: Option<f64>,
    pub(super) waiting: usize,
    pub(super) length_limit: usize,
    pub(super) received_per_second: Option<f64>,
    pub(super) taken_per_second: Option<f64>,
    pub(super) dropped: u64,
    pub(super) restarts: u64,
    pub(super) failures: u64,
    pub(super) error: Option<String>,
}

/// What is known of the network, and of the daemon that tells of it.
#[derive(Debug, Default)]
pub(super) struct Model {
    latest: Option<NetworkStatus>,
    overview: Option<Overview>,
    gone: Option<Gone>,
    restarted: bool,
}

/// The daemon does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) since: Moment,
    pub(super) reason: String,
}

impl Model {
    /// Takes in what the daemon says now.
    pub(super) fn see(&mut self, network: NetworkStatus) {
        let process =
            |network: &NetworkStatus| status_of(network, &network.asked).map(|status| status.pid);
        if let Some(before) = &self.latest {
            // It stays said until the next answer of the same daemon has rates.
            self.restarted = process(before) != process(&network);
        }
        self.overview = Some(Overview::new(&network, self.latest.as_ref()));
        self.latest = Some(network);
        self.gone = None;
    }

    /// The daemon answers, and what it says is not to be shown.
    pub(super) fn found(&mut self) {
        self.gone = None;
    }

    /// The daemon does not answer.
    pub(super) fn lost(&mut self, reason: String, now: Moment) {
        let since = self.gone.as_ref().map_or(now, |gone| gone.since);
        self.gone = Some(Gone { since, reason });
    }

    /// What is shown; none before the first answer.
    pub(super) fn overview(&self) -> Option<&Overview> {
        self.overview.as_ref()
    }

    /// Why the daemon does not answer, where it does not.
    pub(super) fn gone(&self) -> Option<&Gone> {
        self.gone.as_ref()
    }

    /// Whether another daemon answers than before.
    pub(super) fn was_restarted(&self) -> bool {
        self.restarted
    }

    /// All that a node said last.
    pub(super) fn report(&self, node: &NodeName) -> Option<&NodeReport> {
        let nodes = &self.latest.as_ref()?.nodes;
        nodes.iter().find(|report| report.node == *node)
    }
}

fn status_of<'n>(network: &'n NetworkStatus, node: &NodeName) -> Option<&'n NodeStatus> {
    let mut nodes = network.nodes.iter();
    nodes.find(|report| report.node == *node)?.status.as_ref()
}

fn peer_of<'s>(status: &'s NodeStatus, peer: &NodeName) -> Option<&'s PeerStatus> {
    status.peers.iter().find(|known| known.peer == *peer)
}

fn bus_of<'s>(status: &'s NodeStatus, bus: &str) -> Option<&'s BusStatus> {
    status.buses.iter().find(|known| known.name == bus)
}

impl Overview {
    /// What `now` shows, with rates since `before`.
    pub(super) fn new(now: &NetworkStatus, before: Option<&NetworkStatus>) -> Self {
        let asked = status_of(now, &now.asked);
        let before = |node: &NodeName| before.and_then(|before| status_of(before, node));
        let mut overview = Self {
            asked: now.asked.clone(),
            nodes: Vec::new(),
            links: Vec::new(),
            buses: Vec::new(),
            roles: Vec::new(),
        };
        for report in &now.nodes {
            let since = report
                .status
                .as_ref()
                .and_then(|status| Since::new(status, before(&report.node)));
            let mut line = node_line(report, since.as_ref());
            let seen = asked.and_then(|asked| peer_of(asked, &report.node));
            line.round_trip_seconds = seen
                .and_then(|peer| peer.links.first())
                .and_then(|link| link.round_trip_seconds);
            overview.nodes.push(line);
            let Some(status) = &report.status else {
                continue;
            };
            let roles = status.roles.iter();
            overview
                .roles
                .extend(roles.map(|role| role_line(&report.node, role, since.as_ref())));
            let buses = status.buses.iter();
            overview
                .buses
                .extend(buses.map(|bus| bus_line(&report.node, bus, since.as_ref())));
            for peer in &status.peers {
                let other = status_of(now, &peer.peer);
                // The first of two that both tell of each other tells of both.
                if other.is_some() && peer.peer < report.node {
                    continue;
                }
                let other = other.and_then(|other| peer_of(other, &report.node));
                let line = link_line(&report.node, peer, other, since.as_ref());
                overview.links.push(line);
            }
        }
        overview
    }
}

/// What a node's counts were before, and how long ago.
struct Since<'s> {
    seconds: f64,
    status: &'s NodeStatus,
}

impl<'s> Since<'s> {
    /// None where it was another daemon: its counts started anew.
    fn new(now: &NodeStatus, before: Option<&'s NodeStatus>) -> Option<Self> {
        let status = before.filter(|before| before.pid == now.pid)?;
        let seconds = now.running_seconds - status.running_seconds;
        (seconds >= MIN_SPAN).then_some(Self { seconds, status })
    }

    fn rate(&self, now: u64, before: u64) -> Option<f64> {
        Some(now.checked_sub(before)? as f64 / self.seconds)
    }

    fn peer(&self, now: &PeerStatus) -> Rates {
        let Some(before) = peer_of(self.status, &now.peer) else {
            return Rates::default();
        };
        Rates {
            sent_per_second: self.rate(now.outbox.sent, before.outbox.sent),
            received_per_second: self.rate(now.inbound.received, before.inbound.received),
            bytes_sent_per_second: self.rate(now.bytes_sent, before.bytes_sent),
            bytes_received_per_second: self.rate(now.bytes_received, before.bytes_received),
        }
    }
}

impl Since<'_> {
    fn bus(&self, now: &BusStatus) -> Rates {
        let Some(before) = bus_of(self.status, &now.name) else {
            return Rates::default();
        };
        let (out, out_before) = (&now.outgoing, &before.outgoing);
        let (inwards, in_before) = (&now.incoming, &before.incoming);
        Rates {
            sent_per_second: self.rate(out.sent, out_before.sent),
            received_per_second: self.rate(inwards.received, in_before.received),
            bytes_sent_per_second: self.rate(out.bytes_sent, out_before.bytes_sent),
            bytes_received_per_second: self.rate(inwards.bytes_received, in_before.bytes_received),
        }
    }
}

fn node_line(report: &NodeReport, since: Option<&Since>) -> NodeLine {
    let status = report.status.as_ref();
    let roles = status.map_or(&[][..], |status| &status.roles);
    let peers = status.map_or(&[][..], |status| &status.peers);
    let buses = status.map_or(&[][..], |status| &status.buses);
    let running = |role: &&RoleStatus| role.state == RoleState::Running;
    NodeLine {
        node: report.node.clone(),
        answers: status.is_some(),
        error: report.error.clone(),
        unreachable_seconds: report.unreachable_seconds,
        running_seconds: status.map(|status| status.running_seconds),
        version: status.map(|status| status.version.clone()),
        other_file: report.other_file,
        round_trip_seconds: None,
        roles: roles.len(),
        roles_running: roles.iter().filter(running).count(),
        linked: peers
            .iter()
            .filter(|peer| peer.state == PeerState::Up)
            .count(),
        rates: since.map_or_else(Rates::default, |since| {
            let over_buses = buses.iter().map(|bus| since.bus(bus));
            sum(peers.iter().map(|peer| since.peer(peer)).chain(over_buses))
        }),
        queued: total(
            peers
                .iter()
                .map(|peer| peer.queued.messages)
                .chain(buses.iter().map(waiting_for)),
        ),
        dropped: peers
            .iter()
            .map(|peer| peer.outbox.dropped())
            .chain(buses.iter().map(|bus| bus.outgoing.dropped()))
            .chain(roles.iter().map(dropped_by))
            .fold(0, u64::saturating_add),
    }
}

fn link_line(
    node: &NodeName,
    peer: &PeerStatus,
    other: Option<&PeerStatus>,
    since: Option<&Since>,
) -> LinkLine {
    let link = peer.links.first();
    let sides = || [Some(peer), other].into_iter().flatten();
    LinkLine {
        node: node.clone(),
        peer: peer.peer.clone(),
        state: peer.state,
        next_dial_seconds: peer.next_dial_seconds,
        transport: link.map(|link| link.transport.clone()),
        address: link.map(|link| link.address.clone()),
        dialled: link.map(|link| link.dialled),
        up_seconds: link.map(|link| link.up_seconds),
        round_trip_seconds: link.and_then(|link| link.round_trip_seconds),
        links: peer.links.len(),
        rates: since.map_or_else(Rates::default, |since| since.peer(peer)),
        queued: total(sides().map(|side| side.queued.messages)),
        dropped: sides()
            .map(|side| side.outbox.dropped())
            .fold(0, u64::saturating_add),
        error: peer.last_error.clone().filter(|_| link.is_none()),
    }
}

fn bus_line(node: &NodeName, bus: &BusStatus, since: Option<&Since>) -> BusLine {
    let is_up = bus.state == BusState::Up;
    let denied = bus.denied.last().map(|denial| {
        let (subject, reason) = (&denial.subject, &denial.reason);
        format!("its engine refuses `{subject}`: {reason}")
    });
    BusLine {
        node: node.clone(),
        bus: bus.name.clone(),
        state: bus.state,
        server: bus.server.clone().filter(|_| is_up),
        since_seconds: bus.since_seconds,
        round_trip_seconds: bus.round_trip_seconds,
        nodes_heard: bus.nodes_heard,
        rates: since.map_or_else(Rates::default, |since| since.bus(bus)),
        queued: waiting_for(bus),
        dropped: bus.outgoing.dropped(),
        error: bus.error.clone().filter(|_| !is_up).or(denied),
    }
}

/// How many messages wait for a bus's engine.
fn waiting_for(bus: &BusStatus) -> usize {
    bus.queued.messages.saturating_add(bus.unconfirmed.messages)
}

fn role_line(node: &NodeName, role: &RoleStatus, since: Option<&Since>) -> RoleLine {
    let rate = |count: fn(&RoleStatus) -> u64| {
        let since = since?;
        let mut roles = since.status.roles.iter();
        let before = roles.find(|before| before.name == role.name)?;
        since.rate(count(role), count(before))
    };
    RoleLine {
        node: node.clone(),
        role: role.name.clone(),
        module: role.module.clone(),
        state: role.state,
        restart_in_seconds: role.restart_in_seconds,
        waiting: role.inbox.waiting,
        length_limit: role.inbox.length_limit,
        received_per_second: rate(|role| role.inbox.received),
        taken_per_second: rate(|role| role.inbox.taken),
        dropped: dropped_by(role),
        restarts: role.restarts,
        failures: role.failures,
        error: role.last_error.clone(),
    }
}

/// The messages that a role did not get. The counts are those of a node that may tell anything.
fn dropped_by(role: &RoleStatus) -> u64 {
    let inbox = &role.inbox;
    inbox
        .dropped_by_limit
        .saturating_add(inbox.dropped_by_age)
        .saturating_add(inbox.dropped_by_stop)
}

fn total(counts: impl Iterator<Item = usize>) -> usize {
    counts.fold(0, usize::saturating_add)
}

/// The rates of several together, as far as they are known; none if none is.
pub(super) fn sum(rates: impl Iterator<Item = Rates>) -> Rates {
    let plus = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    };
    rates.fold(Rates::default(), |one, other| Rates {
        sent_per_second: plus(one.sent_per_second, other.sent_per_second),
        received_per_second: plus(one.received_per_second, other.received_per_second),
        bytes_sent_per_second: plus(one.bytes_sent_per_second, other.bytes_sent_per_second),
        bytes_received_per_second: plus(
            one.bytes_received_per_second,
            other.bytes_received_per_second,
        ),
    })
}

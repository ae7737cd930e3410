//! Endpoints on a network that is only imagined: with routers of all kinds, servers, loss, delay and another order. Times
//! and faults come from a seed: `KOZO_SEED=N cargo test -p kozo-ice simulation` makes the same again.

mod nat;
mod scenarios;
mod server;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::candidate::{Candidate, Credentials};
use crate::endpoint::{Endpoint, ServerAddress};
use crate::event::{Event, PeerId};
use crate::identity::{Digest, Identity};
use crate::settings::{PeerSettings, Security, Settings, TurnServer};
use crate::status::{PathKind, PeerStatus, State};
use nat::{Kind, Router};
use server::Server;

/// Where the server is that everybody can reach.
const SERVER: &str = "198.51.100.1:3478";
const SERVER_6: &str = "[2001:db8:f::1]:3478";

/// The peer of a node that has not begun.
const NOBODY: PeerId = PeerId(0);

/// A node: an endpoint with one peer, behind a router.
struct Node {
    endpoint: Endpoint,
    peer: PeerId,
    router: usize,
    credentials: Credentials,
    identity: Arc<Identity>,
    events: Vec<Event>,
    /// Nothing leaves it and nothing comes.
    cut: bool,
    port: u16,
}

/// What differs between networks.
#[derive(Clone)]
struct Plan {
    kinds: [Kind; 2],
    /// Whether both are behind the first router.
    together: bool,
    loss: f64,
    dtls: bool,
    turn: bool,
    ipv6: bool,
    relay_only: bool,
    /// How long after each other the two begin.
    apart: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            kinds: [Kind::None; 2],
            together: false,
            loss: 0.0,
            dtls: false,
            turn: true,
            ipv6: false,
            relay_only: false,
            apart: Duration::ZERO,
        }
    }
}

/// At which node, at which address, from where, and what.
type Arrival = (usize, SocketAddr, SocketAddr, Vec<u8>);

enum Parcel {
    Datagram(SocketAddr, SocketAddr, Vec<u8>),
    /// What a node is told of the other by signalling: which never loses anything.
    Introduction(usize, Credentials, Vec<Candidate>),
    Begin(usize),
}

struct World {
    now: Instant,
    start: Instant,
    random: Rng,
    plan: Plan,
    nodes: [Node; 2],
    routers: Vec<Router>,
    servers: Vec<Server>,
    names_are_known: bool,
    /// What is under way, by the time of its arrival.
    wire: BTreeMap<(Instant, u64), Parcel>,
    sequence: u64,
    /// Datagrams as they arrived at a node, for replays.
    record: Option<Vec<Arrival>>,
    /// How many datagrams have gone from machine to machine.
    sent: u64,
}

impl World {
    fn new(seed: u64, plan: Plan) -> Self {
        // What the crate for ICE throws dice with.
        fastrand::seed(seed);
        let now = Instant::now();
        let identities = identities();
        let nodes = std::array::from_fn(|number| {
            let credentials = Credentials::random();
            let peer = NOBODY;
            let router = if plan.together { 0 } else { number };
            let mut node = Node {
                peer,
                router,
                credentials,
                identity: identities[number].clone(),
                events: Vec::new(),
                cut: false,
                port: 4000,
                endpoint: Endpoint::new(Settings::default()),
            };
            node.add_addresses(now, number, &plan);
            node
        });
        let routers = (0..2)
            .map(|number| {
                let public = [203, 0, 113, 10 + u8::try_from(number).unwrap()];
                Router::new(plan.kinds[number], IpAddr::from(public))
            })
            .collect();
        let mut world = Self {
            now,
            start: now,
            random: Rng::with_seed(seed),
            nodes,
            routers,
            servers: [SERVER, SERVER_6]
                .map(|address| Server::new(now, address.parse().unwrap()))
                .into(),
            names_are_known: true,
            wire: BTreeMap::new(),
            sequence: 0,
            record: None,
            sent: 0,
            plan,
        };
        for number in 0..2 {
            let begin = now + world.plan.apart * u32::try_from(number).unwrap();
            world.put(begin, Parcel::Begin(number));
        }
        world
    }

    fn put(&mut self, at: Instant, parcel: Parcel) {
        self.sequence += 1;
        self.wire.insert((at, self.sequence), parcel);
    }

    /// A node begins its link with the other.
    fn begin(&mut self, number: usize) {
        let other = &self.nodes[1 - number];
        let security = if self.plan.dtls {
            Security::Dtls {
                identity: self.nodes[number].identity.clone(),
                fingerprint: other.identity.fingerprint(Digest::Sha1),
                client: number == 0,
            }
        } else {
            Security::None
        };
        let turn = TurnServer {
            server: "turn".to_owned(),
            user: "user".to_owned(),
            password: "password".to_owned(),
        };
        let node = &mut self.nodes[number];
        let settings = PeerSettings {
            credentials: node.credentials.clone(),
            controlling: number == 1,
            security,
            stun: vec!["stun".to_owned()],
            turn: self.plan.turn.then_some(turn).into_iter().collect(),
            relay_only: self.plan.relay_only,
        };
        node.peer = node.endpoint.add_peer(self.now, settings).unwrap();
        self.look(number);
    }

    /// Fetches all that a node wants.
    fn look(&mut self, number: usize) {
        let now = self.now;
        while let Some(name) = self.nodes[number].endpoint.poll_lookup() {
            let addresses = self
                .servers
                .iter()
                .map(|server| ServerAddress {
                    address: server.address,
                    via: None,
                })
                .filter(|server| server.address.is_ipv4() || self.plan.ipv6)
                .collect();
            let found = if self.names_are_known {
                Ok(addresses)
            } else {
                Err("nobody knows it".to_owned())
            };
            self.nodes[number].endpoint.looked_up(now, &name, found);
        }
        while let Some(transmit) = self.nodes[number].endpoint.poll_transmit() {
            self.leave(number, transmit.from, transmit.to, transmit.contents);
        }
        while let Some(event) = self.nodes[number].endpoint.poll_event() {
            if matches!(
                event,
                Event::Gathered { .. } | Event::CandidatesChanged { .. }
            ) {
                let delay = Duration::from_millis(self.random.u64(10..200));
                let node = &self.nodes[number];
                let parcel = Parcel::Introduction(
                    1 - number,
                    node.credentials.clone(),
                    node.endpoint.candidates(node.peer),
                );
                self.put(now + delay, parcel);
            }
            self.nodes[number].events.push(event);
        }
    }

    /// A datagram goes out of a machine.
    fn leave(&mut self, number: usize, from: SocketAddr, to: SocketAddr, contents: Vec<u8>) {
        if self.nodes[number].cut {
            return;
        }
        let other = &self.nodes[1 - number];
        // In one home, no router is asked.
        if self.plan.together && other.endpoint.has_address(to) {
            self.travel(from, to, contents);
            return;
        }
        let router = self.nodes[number].router;
        let from = if from.is_ipv4() {
            self.routers[router].outward(self.now, from, to)
        } else {
            from
        };
        self.travel(from, to, contents);
    }

    fn travel(&mut self, from: SocketAddr, to: SocketAddr, contents: Vec<u8>) {
        self.sent += 1;
        if self.random.f64() < self.plan.loss {
            return;
        }
        let copies = if self.random.f64() < self.plan.loss / 4.0 {
            2
        } else {
            1
        };
        for _ in 0..copies {
            // So different that datagrams overtake each other.
            let delay = Duration::from_micros(self.random.u64(5_000..40_000));
            let datagram = Parcel::Datagram(from, to, contents.clone());
            self.put(self.now + delay, datagram);
        }
    }

    fn arrive(&mut self, from: SocketAddr, to: SocketAddr, contents: Vec<u8>) {
        if let Some(server) = self
            .servers
            .iter_mut()
            .find(|server| server.address.ip() == to.ip())
        {
            for (from, to, contents) in server.handle(self.now, from, to, &contents) {
                self.travel(from, to, contents);
            }
            return;
        }
        let now = self.now;
        for number in 0..2 {
            let router = self.nodes[number].router;
            let inside = if to.is_ipv6()
                || self.nodes[1 - number].endpoint.has_address(from) && self.plan.together
            {
                Some(to)
            } else if self.routers[router].kind == Kind::None
                || self.routers[router].address == to.ip()
                || !is_private(to)
            {
                self.routers[router].inward(now, from, to)
            } else {
                None
            };
            if let Some(inside) = inside
                && self.nodes[number].endpoint.has_address(inside)
                && !self.nodes[number].cut
            {
                if let Some(record) = &mut self.record {
                    record.push((number, inside, from, contents.clone()));
                }
                self.nodes[number]
                    .endpoint
                    .handle(now, inside, from, &contents);
                self.look(number);
                return;
            }
        }
    }

    /// Lets time pass.
    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time pass until the condition holds, a limit at most; says whether it does.
    fn run_until(&mut self, limit: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !condition(self) {
            if !self.step(end) {
                self.now = end;
                return condition(self);
            }
        }
        true
    }

    /// The next thing that happens before the end; false if nothing does.
    fn step(&mut self, end: Instant) -> bool {
        let timer = (0..2)
            .filter_map(|number| Some((self.nodes[number].endpoint.poll_timeout()?, number)))
            .min();
        let parcel = self.wire.first_key_value().map(|(key, _)| key.0);
        match (timer, parcel) {
            (Some((time, number)), parcel)
                if time <= end && parcel.is_none_or(|parcel| time < parcel) =>
            {
                self.now = self.now.max(time);
                self.nodes[number].endpoint.handle_timeout(self.now);
                self.look(number);
                true
            }
            (_, Some(time)) if time <= end => {
                self.now = self.now.max(time);
                match self.wire.pop_first() {
                    Some((_, Parcel::Datagram(from, to, contents))) => {
                        self.arrive(from, to, contents)
                    }
                    // Who is not there yet is told later.
                    Some((_, parcel @ Parcel::Introduction(number, ..)))
                        if self.nodes[number].peer == NOBODY =>
                    {
                        self.put(self.now + Duration::from_millis(100), parcel);
                    }
                    Some((_, Parcel::Introduction(number, credentials, candidates))) => {
                        let node = &mut self.nodes[number];
                        node.endpoint
                            .add_remote(self.now, node.peer, &credentials, candidates);
                        self.look(number);
                    }
                    Some((_, Parcel::Begin(number))) => self.begin(number),
                    None => {}
                }
                true
            }
            _ => false,
        }
    }

    fn status(&self, number: usize) -> PeerStatus {
        let node = &self.nodes[number];
        node.endpoint.status(self.now, node.peer).unwrap()
    }

    fn are_online(&self) -> bool {
        (0..2).all(|number| {
            let node = &self.nodes[number];
            node.endpoint
                .status(self.now, node.peer)
                .is_some_and(|status| status.state == State::Online)
        })
    }

    fn path_kinds(&self) -> [Option<PathKind>; 2] {
        [0, 1].map(|number| self.status(number).path.map(|path| path.kind()))
    }

    /// Sends so many datagrams each way, and says how many have come.
    fn converse(&mut self, count: usize) -> [usize; 2] {
        for number in 0..2 {
            self.nodes[number].events.clear();
        }
        for round in 0..count {
            for number in 0..2 {
                let peer = self.nodes[number].peer;
                let contents = vec![100 + u8::try_from(round % 100).unwrap(); 100 + round];
                let _ = self.nodes[number].endpoint.send(self.now, peer, &contents);
                self.look(number);
            }
            self.run(Duration::from_millis(10));
        }
        self.run(Duration::from_millis(200));
        [0, 1].map(|number| {
            self.nodes[number]
                .events
                .iter()
                .filter(|event| matches!(event, Event::Datagram { .. }))
                .count()
        })
    }

    /// A node's process ends and begins anew: it knows nothing, and is reached elsewhere.
    fn restart(&mut self, number: usize) {
        let now = self.now;
        let node = &mut self.nodes[number];
        node.endpoint = Endpoint::new(Settings::default());
        node.credentials = Credentials::random();
        node.port += 1;
        let plan = self.plan.clone();
        node.add_addresses(now, number, &plan);
        self.begin(number);
    }

    /// The other hears of a node again, by signalling.
    fn introduce(&mut self, number: usize) {
        let delay = Duration::from_millis(self.random.u64(10..200));
        let other = &self.nodes[1 - number];
        let parcel = Parcel::Introduction(
            number,
            other.credentials.clone(),
            other.endpoint.candidates(other.peer),
        );
        self.put(self.now + delay, parcel);
    }

    /// A node's link is taken away and made anew.
    fn renew(&mut self, number: usize) {
        let now = self.now;
        let peer = self.nodes[number].peer;
        self.nodes[number].endpoint.remove_peer(now, peer);
        self.look(number);
        self.begin(number);
    }
}

impl Node {
    fn add_addresses(&mut self, now: Instant, number: usize, plan: &Plan) {
        let low = u8::try_from(number).unwrap() + 1;
        let home = if plan.together { 1 } else { low };
        let ip = match plan.kinds[self.router] {
            Kind::None | Kind::Firewall => IpAddr::from([192, 0, 2, low]),
            _ => IpAddr::from([10, 0, home, low]),
        };
        let ip6 = IpAddr::from([0x2001, 0xdb8, home.into(), 0, 0, 0, 0, low.into()]);
        let addresses = [Some(ip), plan.ipv6.then_some(ip6)];
        for ip in addresses.into_iter().flatten() {
            let address = SocketAddr::new(ip, self.port);
            assert!(self.endpoint.add_address(now, address, "eth0"));
        }
    }
}

fn is_private(address: SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V4(ip) if ip.is_private())
}

/// Made once: keys cost time.
fn identities() -> [Arc<Identity>; 2] {
    static IDENTITIES: std::sync::OnceLock<[Arc<Identity>; 2]> = std::sync::OnceLock::new();
    IDENTITIES
        .get_or_init(|| ["a", "b"].map(|name| Arc::new(Identity::generate(name).unwrap())))
        .clone()
}

/// The seeds to try: the one that is asked for, or some.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("KOZO_SEED") {
        Ok(seed) => vec![seed.parse().expect("KOZO_SEED is a number")],
        Err(_) => (1..=count).collect(),
    }
}

/// How often each thing happened, for messages of tests.
fn counts(events: &[Event]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for event in events {
        let name = format!("{event:?}");
        let name = name.split([' ', '{']).next().unwrap_or_default().to_owned();
        *counts.entry(name).or_default() += 1;
    }
    counts
}

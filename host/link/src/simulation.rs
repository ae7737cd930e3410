//! A simulated network around the pure core: many nodes, a clock of its own, and a seed for
//! everything that happens by chance. A failing seed fails again.
//!
//! The network carries real bytes, in order, with delays and at rates that may change under way. It
//! delivers them in pieces of any length, as a socket does, and what is encrypted is understood only
//! when a whole packet of it is there. It can cut a connection (each end learns of it, or not), crash
//! and restart a node, and keep one from running for a while.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use kozo_ground::age::MaxAges;
use kozo_ground::clock::Moment;
use kozo_ground::interest::Kind;
use kozo_ground::names::{NodeName, RoleName};
use kozo_ground::queue::QueueLimits;
use kozo_wire::{FrameDecoder, FrameWriter, Message, PendingFrame, SessionId};

use super::*;
use kozo_ground::policy::ConnectPolicy;

mod connections;
mod paths;
mod questions;
mod scenarios;
mod seen;

/// What a socket takes before the writer has to wait, in bytes.
const SOCKET_BUFFER: usize = 512 * 1024;

/// The longest piece that arrives at a time, in bytes: what one TCP segment carries.
const LONGEST_PIECE: usize = 1400;

/// How often a node may ask in a row for a moment that is past.
const MOST_HASTY: u32 = 20;

/// The longest packet of an encrypted connection, in bytes.
const LONGEST_PACKET: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct NodeIndex(usize);

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct ConnectionEnd {
    connection: usize,
    /// 0 who dialled, 1 who accepted.
    side: usize,
}

impl ConnectionEnd {
    fn other(self) -> Self {
        Self {
            side: 1 - self.side,
            ..self
        }
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A dial's answer.
    Dialled {
        from: NodeIndex,
        to: NodeIndex,
        life: u64,
        attempt: u64,
        rank: u8,
        own: usize,
    },
    /// The next piece has left an end's line.
    Leave(ConnectionEnd),
    /// Bytes reach an end; they may complete a packet.
    Arrive(ConnectionEnd, Vec<u8>, bool),
    /// An end learns that its connection is gone.
    Broken(ConnectionEnd),
    /// A node looks at its peers.
    Wake(NodeIndex),
    /// A node is up again.
    Restart(NodeIndex),
}

struct SimulatedConnection {
    nodes: [NodeIndex; 2],
    keys: [Option<LinkKey>; 2],
    decoders: [FrameDecoder; 2],
    /// What each side has put into its socket and is not under way yet.
    lines: [SendBuffer; 2],
    /// From when on each side writes: its link is known before it is in the hands of a writer.
    served: [Moment; 2],
    /// What came of a packet that is not complete.
    packets: [Vec<u8>; 2],
    /// When the last bytes from each side arrive: the order holds.
    last_arrival: [Moment; 2],
    /// Bytes vanish.
    cut: bool,
    own: usize,
}

/// A socket that sends.
#[derive(Default)]
struct SendBuffer {
    pieces: VecDeque<Piece>,
    /// Bytes in them. What is more than [`SOCKET_BUFFER`] waits with the writer.
    length: usize,
}

enum Piece {
    /// Bytes, and whether a packet ends with them.
    Bytes(Vec<u8>, bool),
    /// The socket is closed.
    End,
}

struct SimulatedNode {
    name: NodeName,
    up: bool,
    /// Counts restarts.
    life: u64,
    /// When it looks at its peers next.
    wake: Option<Moment>,
    /// Until when it does not run.
    frozen: Moment,
    /// How often in a row it asked for a moment that is past.
    hasty: u32,
    peers: BTreeMap<usize, Peer>,
    /// The numbers that came of each (sender, sender's life), within this node's present life.
    got: HashMap<(usize, u64), Vec<u64>>,
    next_number: u64,
    /// What arrived in earlier lives.
    got_before: HashMap<(usize, u64), Vec<Vec<u64>>>,
}

/// What the network does to connections.
#[derive(Debug, Clone, Copy)]
struct Weather {
    delay: Duration,
    jitter: Duration,
    /// Bytes a second.
    rate: f64,
}

const LAN: Weather = Weather {
    delay: Duration::from_micros(500),
    jitter: Duration::from_millis(1),
    rate: 1e8,
};

struct World {
    now: Moment,
    random: fastrand::Rng,
    events: BinaryHeap<Reverse<(Moment, u64, Happening)>>,
    event_count: u64,
    nodes: Vec<SimulatedNode>,
    connections: Vec<SimulatedConnection>,
    /// Which transport index works between two nodes: `blocked` holds those that do not.
    blocked: Vec<(usize, usize, usize)>,
    weather: Weather,
    /// Whether bytes are understood only when a whole packet is there, as with SSH.
    encrypted: bool,
    heartbeat: Duration,
    candidates: Vec<Candidate>,
    policies: Vec<(ConnectPolicy, ConnectPolicy)>,
    queue: QueueLimits,
    max_age: Duration,
    notices: Vec<(usize, usize, Notice)>,
    questions: questions::Questions,
}

impl World {
    fn new(seed: u64, count: usize) -> Self {
        let mut world = Self {
            now: Moment::ZERO + Duration::from_secs(1000),
            random: fastrand::Rng::with_seed(seed),
            events: BinaryHeap::new(),
            event_count: 0,
            nodes: Vec::new(),
            connections: Vec::new(),
            blocked: Vec::new(),
            weather: LAN,
            encrypted: true,
            heartbeat: Duration::from_secs(10),
            candidates: vec![Candidate {
                own: 0,
                peer: 0,
                rank: 8,
            }],
            policies: vec![(ConnectPolicy::Constant, ConnectPolicy::Constant); count],
            queue: QueueLimits {
                length: 100_000,
                size: 64 << 20,
            },
            max_age: Duration::from_secs(3600),
            notices: Vec::new(),
            questions: questions::Questions::default(),
        };
        for index in 0..count {
            world.nodes.push(SimulatedNode {
                name: NodeName::new(&format!("node{index:02}")).unwrap(),
                up: false,
                life: 0,
                wake: None,
                frozen: Moment::ZERO,
                hasty: 0,
                peers: BTreeMap::new(),
                got: HashMap::new(),
                next_number: 0,
                got_before: HashMap::new(),
            });
        }
        world
    }

    fn start_all(&mut self) {
        for index in 0..self.nodes.len() {
            self.start(index);
        }
    }

    fn start(&mut self, index: usize) {
        self.nodes[index].life += 1;
        let session = SessionId(self.random.u64(..));
        for other in (0..self.nodes.len()).filter(|&other| other != index) {
            let (own, peer) = (self.policies[index], self.policies[other]);
            let settings = PeerSettings {
                own: self.nodes[index].name.clone(),
                peer: self.nodes[other].name.clone(),
                session,
                outgoing: own.0.min(peer.1),
                incoming: peer.0.min(own.1),
                heartbeat: self.heartbeat,
                peer_heartbeat: self.heartbeat,
                connection_retry: Duration::from_secs(60),
                idle_timeout: Duration::from_secs(60),
                queue: self.queue,
                max_ages: MaxAges {
                    message: self.max_age,
                    order: Duration::from_secs(30),
                },
                max_read: 64 * 1024,
                buses: Vec::new(),
                config_digest: vec![],
                seed: self.random.u64(..),
            };
            let mut peer = Peer::new(settings, vec![], self.now);
            peer.set_candidates(self.candidates.clone());
            self.nodes[index].peers.insert(other, peer);
        }
        self.nodes[index].up = true;
        self.wake(index, Duration::ZERO);
    }

    /// The node looks at its peers after `delay`, if not before.
    fn wake(&mut self, node: usize, delay: Duration) {
        let moment = self.now + delay;
        if self.nodes[node].wake.is_none_or(|earlier| moment < earlier) {
            self.nodes[node].wake = Some(moment);
            self.at(delay, Happening::Wake(NodeIndex(node)));
        }
    }

    fn at(&mut self, delay: Duration, event: Happening) {
        self.event_count += 1;
        self.events
            .push(Reverse((self.now + delay, self.event_count, event)));
    }

    fn chance(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.f64())
    }

    /// A role of `from` sends a message to everybody.
    fn send(&mut self, from: usize) {
        self.send_with(from, &[]);
    }

    fn send_with(&mut self, from: usize, padding: &[u8]) {
        self.send_many(from, padding, 1);
    }

    fn send_many(&mut self, from: usize, padding: &[u8], count: usize) {
        let now = self.now;
        let node = &mut self.nodes[from];
        for _ in 0..count {
            node.next_number += 1;
            let data = rmp_serde::to_vec(&(node.life, node.next_number, padding)).unwrap();
            let role = RoleName::new("role").unwrap();
            let message = Message::new(Kind::Event, &role, "t", None, 0.0, &data).unwrap();
            for peer in node.peers.values_mut() {
                peer.send(message.clone(), now);
            }
        }
        self.drive(from);
    }

    /// Runs until `until`.
    fn run_until(&mut self, until: Moment) {
        while let Some(Reverse((moment, _, _))) = self.events.peek() {
            if *moment > until {
                break;
            }
            let Some(Reverse((moment, _, event))) = self.events.pop() else {
                break;
            };
            self.now = self.now.max(moment);
            self.handle(event);
        }
        self.now = self.now.max(until);
    }

    fn run(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    fn handle(&mut self, event: Happening) {
        if let Some(pause) = self.pause(&event) {
            // It happens all the same, and the node sees it later.
            self.at(pause, event);
            return;
        }
        match event {
            Happening::Wake(node) => {
                // Others that were set later fire for nothing.
                if let Some(due) = self.nodes[node.0].wake.filter(|due| *due <= self.now) {
                    self.nodes[node.0].wake = None;
                    let (late, now) = (self.now.since(due), self.now);
                    for peer in self.nodes[node.0].peers.values_mut() {
                        peer.overslept(late, now);
                    }
                    self.drive(node.0);
                }
            }
            Happening::Restart(node) => self.start(node.0),
            Happening::Dialled {
                from,
                to,
                life,
                attempt,
                rank: _,
                own,
            } => {
                self.dialled(from.0, to.0, life, AttemptId(attempt), own);
            }
            Happening::Leave(end) => self.leave(end),
            Happening::Arrive(end, bytes, is_end) => self.arrive(end, &bytes, is_end),
            Happening::Broken(end) => self.broken(end, "reset"),
        }
    }

    /// For how long the node that sees this event does not run.
    fn pause(&self, event: &Happening) -> Option<Duration> {
        let node = match event {
            Happening::Dialled { from, .. } => *from,
            Happening::Arrive(end, ..) | Happening::Broken(end) => {
                self.connections[end.connection].nodes[end.side]
            }
            Happening::Wake(node) => *node,
            Happening::Leave(_) | Happening::Restart(_) => return None,
        };
        let pause = self.nodes[node.0].frozen.since(self.now);
        (!pause.is_zero()).then_some(pause)
    }

    /// Keeps a node from running: its machine is busy, or was suspended.
    fn freeze(&mut self, node: usize, pause: Duration) {
        self.nodes[node].frozen = self.now + pause;
    }

    /// Kills a node; it starts again after `pause`.
    fn crash(&mut self, node: usize, pause: Duration) {
        self.forget_questions(node);
        self.nodes[node].up = false;
        self.nodes[node].wake = None;
        self.nodes[node].peers.clear();
        let got = std::mem::take(&mut self.nodes[node].got);
        for (sender, numbers) in got {
            self.nodes[node]
                .got_before
                .entry(sender)
                .or_default()
                .push(numbers);
        }
        for connection in 0..self.connections.len() {
            for side in 0..2 {
                if self.connections[connection].nodes[side] == NodeIndex(node) {
                    self.connections[connection].keys[side] = None;
                    // The system closes its sockets, unless the power went.
                    if self.random.bool() {
                        let end = ConnectionEnd {
                            connection,
                            side: 1 - side,
                        };
                        self.at(self.weather.delay, Happening::Broken(end));
                    } else {
                        self.connections[connection].cut = true;
                    }
                }
            }
        }
        self.at(pause, Happening::Restart(NodeIndex(node)));
    }

    /// Does what a node's peers want done.
    fn drive(&mut self, node: usize) {
        if !self.nodes[node].up {
            return;
        }
        let now = self.now;
        let others: Vec<usize> = self.nodes[node].peers.keys().copied().collect();
        for other in others {
            self.peer(node, other).tick(now);
            self.write(node, other);
            while let Some(action) = self.peer(node, other).next_action() {
                self.act(node, other, action);
            }
            if let Some(timeout) = self.peer(node, other).timeout(now) {
                // A round of tries may begin at once. But whoever goes on to ask for a moment in the
                // past is busy without doing anything.
                let hasty = if timeout > now {
                    0
                } else {
                    self.nodes[node].hasty + 1
                };
                self.nodes[node].hasty = hasty;
                assert!(hasty < MOST_HASTY, "node {node} waits for what is past");
                self.wake(node, timeout.since(now).max(Duration::from_micros(100)));
            }
        }
    }

    fn act(&mut self, node: usize, other: usize, action: Action) {
        match action {
            Action::Dial(attempt, candidate) => {
                let delay = self.weather.delay * 6 + self.chance(self.weather.jitter * 6);
                let event = Happening::Dialled {
                    from: NodeIndex(node),
                    to: NodeIndex(other),
                    life: self.nodes[node].life,
                    attempt: attempt.0,
                    rank: candidate.rank,
                    own: candidate.own,
                };
                self.at(delay, event);
            }
            Action::Close(key) => {
                if let Some(end) = self.end(node, key, other) {
                    self.close_end(end);
                }
            }
            Action::CancelDial(_) | Action::Learn(_) => {}
            Action::Question(..) | Action::Answered(..) | Action::Unanswered(_) => {
                self.question_action(node, other, action);
            }
            Action::Notice(notice) => self.notices.push((node, other, notice)),
        }
    }

    fn write(&mut self, node: usize, other: usize) {
        let keys: Vec<_> = self.peer(node, other).links().collect();
        for key in keys {
            while let Some(end) = self.end(node, key, other) {
                let now = self.now;
                let line = &self.connections[end.connection].lines[end.side];
                if line.length > SOCKET_BUFFER {
                    break;
                }
                let served = self.connections[end.connection].served[end.side];
                if served > now {
                    self.wake(node, served.since(now));
                    break;
                }
                let mut writer = FrameWriter::default();
                let output = loop {
                    let before = writer.len();
                    let output = self.peer(node, other).output(key, &mut writer, now);
                    let is_all = writer.len() - before < OUTPUT_CHUNK;
                    if is_all
                        || output == LinkOutput::Last
                        || writer.len() > LONGEST_PACKET - OUTPUT_CHUNK
                    {
                        break output;
                    }
                };
                let bytes = writer.take();
                let empty = bytes.is_empty();
                self.transmit(end, &bytes);
                if output == LinkOutput::Last {
                    self.close_end(end);
                    break;
                }
                if empty {
                    break;
                }
            }
        }
    }

    fn peer(&mut self, node: usize, other: usize) -> &mut Peer {
        self.nodes[node].peers.get_mut(&other).unwrap()
    }

    /// What `node` got of `from`'s present life, in its own present life.
    fn got(&self, node: usize, from: usize) -> &[u64] {
        self.nodes[node]
            .got
            .get(&(from, self.nodes[from].life))
            .map_or(&[], Vec::as_slice)
    }

    fn live_links(&self, node: usize, other: usize) -> usize {
        self.nodes[node].peers[&other].status(self.now).links.len()
    }

    /// Why links ended that no other one replaced.
    fn lost_links(&self) -> Vec<&str> {
        let lost = self
            .notices
            .iter()
            .filter_map(|(_, _, notice)| match notice {
                Notice::Link(Occurrence::Down {
                    replaced: false,
                    reason,
                    ..
                }) => Some(reason.as_str()),
                _ => None,
            });
        lost.collect()
    }

    /// No process got anything twice or out of order.
    fn check_order(&self) {
        for (index, node) in self.nodes.iter().enumerate() {
            let before = node
                .got_before
                .iter()
                .flat_map(|(from, lives)| lives.iter().map(move |numbers| (from, numbers)));
            for (from, numbers) in node.got.iter().chain(before) {
                let sorted = numbers.windows(2).all(|pair| pair[0] < pair[1]);
                assert!(sorted, "node {index} got of {from:?}: {numbers:?}");
            }
        }
    }
}

//! Many nodes on one engine, a clock for each, and a seed for everything that happens by chance. A failing seed
//! fails again: `KOZO_SEED=N cargo test -p kozo-bus simulation`.
//!
//! The engine carries real datagrams, with delays. It can lose, repeat and reorder them, cut nodes off, and be hostile:
//! then it keeps what it carried and gives it out again, later, changed, or with another subject. Nodes can
//! be killed and started again, their clocks are years apart and drift, and members can lie.
//!
//! At every moment: nothing reaches a role that its sender's role has not sent, each lane arrives in order and each
//! message once, and all buffers are within their limits. At the end every message that was sent has arrived, or is
//! counted, exactly, as missed or expired.

mod crowd;
mod engine;
mod hostile;
mod lying;
mod overload;
mod scenarios;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kozo_ground::age::MaxAges;
use kozo_ground::clock::Moment;
use kozo_ground::interest::{Interest, Kind};
use kozo_ground::names::{BusName, ModuleName, RoleName};
use kozo_ground::queue::QueueLimits;
use kozo_wire::Message;

use crate::random::SeededRandom;
use crate::subject::SubjectKey;
use crate::testing::{File, node};
use crate::{Bus, BusSettings, EngineLimits, Happened};
use engine::{Carried, Weather};
use overload::Inbox;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// What a member that lies says its messages are of: nobody has sent them.
const LIES: u8 = 255;

/// A lane of a run of a node, as its messages say: the node, its run, the lane.
type Line = (usize, u64, u8);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A datagram of a node reaches the engine.
    Reach {
        from: usize,
        connection: u64,
        number: u64,
        carried: Carried,
    },
    /// The engine's confirmation reaches a node.
    Confirm {
        to: usize,
        connection: u64,
        number: u64,
    },
    /// A datagram reaches a node.
    Arrive {
        to: usize,
        connection: u64,
        carried: Carried,
    },
    /// The engine says that nobody listens.
    Nobody {
        to: usize,
        connection: u64,
        subject: String,
    },
    /// A node looks at the next datagram of its inbox.
    Work(usize),
    /// A node looks at its clock.
    Wake(usize),
    /// A node is connected again.
    Connect(usize),
    /// A node runs again.
    Start(usize),
}

struct SimulatedNode {
    name: String,
    bus: Option<Bus>,
    /// Counts runs.
    life: u64,
    /// What its clock shows at the world's beginning, and how fast it goes.
    clock: (Duration, f64),
    is_connected: bool,
    /// Counts connections: what was under way in another one is lost.
    connection: u64,
    /// The module's numbers.
    number: u64,
    wake: Option<Duration>,
    /// The last message sent in each of its lanes in this life.
    sent: BTreeMap<u8, u64>,
    /// What came in this life, of each lane.
    got: HashMap<Line, Vec<u64>>,
    /// What each lane's last number was when this life began.
    began: HashMap<Line, u64>,
    happened: Vec<Happened>,
    /// What waits to be looked at, of a node that needs time for that.
    inbox: Option<Inbox>,
}

struct World {
    /// Since the beginning.
    now: Duration,
    random: fastrand::Rng,
    file: File,
    nodes: Vec<SimulatedNode>,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    event_count: u64,
    weather: Weather,
    queue: QueueLimits,
    max_datagram: usize,
    lifetime: Duration,
    /// All that was carried, for a hostile engine.
    carried: Vec<Carried>,
    keeps: bool,
    /// When the last datagram for a node arrives: the order holds, unless the weather is against it.
    last: HashMap<(usize, usize), Duration>,
    asks: u64,
}

impl World {
    fn new(seed: u64, count: usize) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            random: fastrand::Rng::with_seed(seed),
            file: File::default(),
            nodes: Vec::new(),
            events: BinaryHeap::new(),
            event_count: 0,
            weather: Weather::default(),
            queue: QueueLimits {
                length: 100_000,
                size: 64 << 20,
            },
            max_datagram: 64 * 1024,
            lifetime: SECOND * 3600,
            carried: Vec::new(),
            keeps: false,
            last: HashMap::new(),
            asks: 0,
        };
        for index in 0..count {
            // Clocks count from boot: some machines have run for years, some have just started.
            let boot = Duration::from_secs(world.random.u64(10..100_000_000));
            let drift = 1.0 + (world.random.f64() - 0.5) * 2e-4;
            world.nodes.push(SimulatedNode {
                name: format!("node{index}"),
                bus: None,
                life: 0,
                clock: (boot, drift),
                is_connected: false,
                connection: 0,
                number: 0,
                wake: None,
                sent: BTreeMap::new(),
                got: HashMap::new(),
                began: HashMap::new(),
                happened: Vec::new(),
                inbox: None,
            });
        }
        world
    }

    /// Starts all, one after the other, so that all hear all from the beginning.
    fn start_all(&mut self) {
        for index in 0..self.nodes.len() {
            self.start(index);
        }
        self.run(MILLI);
    }

    fn start(&mut self, index: usize) {
        let name = self.nodes[index].name.clone();
        // The same key for the same name.
        let seed = name.bytes().fold(1u8, u8::wrapping_add);
        let keys = Arc::new(self.file.add(&name, seed));
        let settings = self.settings(index);
        let random = Box::new(SeededRandom::new(self.random.u64(..)));
        let now = self.clock(index);
        let bus = Bus::new(settings, keys, random, now).unwrap();
        let mut began = HashMap::new();
        for (other, sender) in self.nodes.iter().enumerate() {
            for (lane, last) in &sender.sent {
                began.insert((other, sender.life, *lane), *last);
            }
        }
        let this = &mut self.nodes[index];
        this.bus = Some(bus);
        this.life += 1;
        this.began = began;
        this.sent.clear();
        this.got.clear();
        self.connect(index);
    }

    fn settings(&self, index: usize) -> BusSettings {
        BusSettings {
            counter: self.nodes[index].life + 1,
            ..self.settings_of(&self.nodes[index].name)
        }
    }

    fn settings_of(&self, name: &str) -> BusSettings {
        BusSettings {
            name: BusName::new("fleet").unwrap(),
            module: ModuleName::new("nats").unwrap(),
            own: node(name),
            members: Arc::new(self.file.members("fleet")),
            size: self.nodes.len(),
            expected: Vec::new(),
            wanted: vec![Interest {
                kind: Some(Kind::Event),
                ..Interest::default()
            }],
            queue: self.queue,
            max_ages: MaxAges {
                message: self.lifetime,
                order: SECOND * 30,
            },
            digest: [0; 32],
            agent: "kozo".to_owned(),
            subject_key: SubjectKey::public(),
            counter: 1,
        }
    }

    /// Kills a node; it runs again after `pause`.
    fn kill(&mut self, index: usize, pause: Duration) {
        self.disconnect(index);
        self.nodes[index].bus = None;
        self.at(pause, Event::Start(index));
    }

    fn clock(&self, index: usize) -> Moment {
        let (boot, drift) = self.nodes[index].clock;
        Moment::ZERO + boot + self.now.mul_f64(drift)
    }

    fn at(&mut self, delay: Duration, event: Event) {
        self.event_count += 1;
        self.events
            .push(Reverse((self.now + delay, self.event_count, event)));
    }

    /// A role of a node sends a message in one of its lanes.
    fn send(&mut self, from: usize, lane: u8, padding: usize) {
        let now = self.clock(from);
        let this = &mut self.nodes[from];
        let Some(bus) = &mut this.bus else {
            return;
        };
        let number = this.sent.entry(lane).or_default();
        *number += 1;
        let data = rmp_serde::to_vec(&(from, this.life, lane, *number, vec![7u8; padding]));
        let role = RoleName::new(if lane < 100 { "role" } else { "other" }).unwrap();
        let channel = format!("c{lane}");
        let message = Message::new(Kind::Event, &role, "t", Some(&channel), 0.0, &data.unwrap());
        bus.send(message.unwrap(), self.lifetime, now);
        self.drive(from);
    }

    fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(Reverse((moment, _, _))) = self.events.peek()
            && *moment <= until
            && let Some(Reverse((moment, _, event))) = self.events.pop()
        {
            self.now = self.now.max(moment);
            self.handle(event);
        }
        self.now = until;
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Reach {
                from,
                connection,
                number,
                carried,
            } => {
                if self.is_connection(from, connection) {
                    self.reached(from, number, carried);
                }
            }
            Event::Confirm {
                to,
                connection,
                number,
            } => {
                if self.is_connection(to, connection)
                    && let Some(bus) = &mut self.nodes[to].bus
                {
                    bus.confirmed(number);
                    self.drive(to);
                }
            }
            Event::Arrive {
                to,
                connection,
                carried,
            } => {
                if self.is_connection(to, connection) {
                    self.arrive(to, &carried);
                }
            }
            Event::Nobody {
                to,
                connection,
                subject,
            } => {
                let now = self.clock(to);
                if self.is_connection(to, connection)
                    && let Some(bus) = &mut self.nodes[to].bus
                {
                    bus.nobody(&subject, now);
                    self.drive(to);
                }
            }
            Event::Wake(index) => {
                if self.nodes[index].wake.is_some_and(|wake| wake <= self.now) {
                    self.nodes[index].wake = None;
                    self.drive(index);
                }
            }
            Event::Work(index) => self.work(index),
            Event::Connect(index) => self.connect(index),
            Event::Start(index) => self.start(index),
        }
    }

    fn is_connection(&self, index: usize, connection: u64) -> bool {
        let node = &self.nodes[index];
        node.is_connected && node.connection == connection
    }

    fn connect(&mut self, index: usize) {
        let now = self.clock(index);
        let limits = self.limits();
        let this = &mut self.nodes[index];
        if this.is_connected {
            return;
        }
        if let Some(bus) = &mut this.bus {
            this.is_connected = true;
            this.connection += 1;
            bus.up(limits, now);
            self.drive(index);
        }
    }

    fn limits(&self) -> EngineLimits {
        EngineLimits {
            max_datagram: self.max_datagram,
            no_responders: true,
            server: "engine".to_owned(),
        }
    }

    fn disconnect(&mut self, index: usize) {
        let now = self.clock(index);
        let this = &mut self.nodes[index];
        this.is_connected = false;
        if let Some(bus) = &mut this.bus {
            bus.down("cut", now);
        }
    }

    /// Cuts a node off for a while.
    fn cut(&mut self, index: usize, pause: Duration) {
        self.disconnect(index);
        self.drive(index);
        self.at(pause, Event::Connect(index));
    }

    /// Lets a node do what it has to, and looks at what it delivers.
    fn drive(&mut self, index: usize) {
        let now = self.clock(index);
        let Some(mut bus) = self.nodes[index].bus.take() else {
            return;
        };
        bus.tick(now);
        self.publish(index, &mut bus, now);
        bus.assert_bounded(now);
        for delivery in bus.deliveries() {
            let (from, life, lane, number, _): (usize, u64, u8, u64, Vec<u8>) =
                rmp_serde::from_slice(delivery.message.data()).expect("a message of the test");
            assert_eq!(
                delivery.from.as_str(),
                self.nodes[from].name,
                "it is of its sender"
            );
            if lane == LIES {
                continue;
            }
            let sender = &self.nodes[from];
            let last = sender.sent.get(&lane).copied().unwrap_or(0);
            assert!(life < sender.life || number <= last, "it was sent");
            let got = self.nodes[index].got.entry((from, life, lane)).or_default();
            let before = got.last().copied().unwrap_or(0);
            assert!(
                number > before,
                "{before} then {number} of {from} in lane {lane}"
            );
            got.push(number);
        }
        while let Some(happened) = bus.happened() {
            self.nodes[index].happened.push(happened);
        }
        let timeout = bus.timeout();
        self.nodes[index].bus = Some(bus);
        if let Some(timeout) = timeout {
            // On the world's clock, and not before a thousandth is over: what is due now was done.
            let (boot, drift) = self.nodes[index].clock;
            let own = timeout.since(Moment::ZERO + boot).div_f64(drift);
            let wake = own.max(self.now + MILLI);
            if self.nodes[index].wake.is_none_or(|earlier| wake < earlier) {
                self.nodes[index].wake = Some(wake);
                self.at(wake - self.now, Event::Wake(index));
            }
        }
    }

    fn got(&self, to: usize, from: usize, lane: u8) -> &[u64] {
        let line = (from, self.nodes[from].life, lane);
        self.nodes[to].got.get(&line).map_or(&[], Vec::as_slice)
    }

    /// All that was sent since a node runs, by others that run still, has arrived or is counted; and nothing twice.
    /// Returns how many are counted and have not arrived.
    fn assert_complete(&self) -> u64 {
        let mut not_come = 0;
        for (to, receiver) in self.nodes.iter().enumerate() {
            let Some(bus) = &receiver.bus else {
                continue;
            };
            for (from, sender) in self
                .nodes
                .iter()
                .enumerate()
                .filter(|(from, _)| *from != to)
            {
                if sender.bus.is_none() {
                    continue;
                }
                let mut absent = 0;
                for (lane, last) in &sender.sent {
                    let line = (from, sender.life, *lane);
                    let began = receiver.began.get(&line).copied().unwrap_or(0);
                    let got = receiver.got.get(&line).map_or(0, Vec::len) as u64;
                    absent += last - began - got;
                }
                let view = bus.view_of(&node(&sender.name), self.clock(to));
                let counted = view.incoming.missed + view.incoming.expired;
                let context = format!("{from} to {to}: {:?}", view.incoming);
                assert_eq!(absent, counted, "{context}");
                not_come += counted;
            }
        }
        not_come
    }
}

/// Runs something for each seed, or for that of the environment alone.
fn for_seeds(count: u64, mut with: impl FnMut(u64)) {
    match std::env::var("KOZO_SEED") {
        Ok(seed) => with(seed.parse().expect("a number")),
        Err(_) => (0..seeds(count)).for_each(|seed| {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| with(seed)));
            if let Err(panic) = result {
                eprintln!("again with KOZO_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }),
    }
}

/// How many seeds: more where somebody asks for them with `KOZO_SEEDS`.
fn seeds(count: u64) -> u64 {
    let asked = std::env::var("KOZO_SEEDS").ok();
    asked.and_then(|seeds| seeds.parse().ok()).unwrap_or(count)
}

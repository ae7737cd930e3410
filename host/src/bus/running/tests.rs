use std::pin::Pin;
use std::sync::{Condvar, PoisonError};
use std::thread::ThreadId;
use std::time::Instant;

use kozo_bus::BusSettings;
use kozo_bus::members::{CannotSign, Members, NodeKeys};
use kozo_bus::random::SystemRandom;
use kozo_bus::subject::{SubjectKey, Subjects, Token};
use kozo_ground::age::MaxAges;
use kozo_ground::interest::Kind;
use kozo_ground::names::{BusName, ModuleName, RoleName};
use kozo_status::BusState;
use kozo_wire::Message;
use tempfile::TempDir;

use super::super::mailbox::Mailbox;
use super::alone::SLOW;
use super::*;
use crate::modules::{BusIdentity, BusServices, CallError};
use crate::transports::{StateEnvironment, StateFolders};

/// Long enough for anything that happens at all.
const LIMIT: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(1);

/// Waits until something is so.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "{what}");
        thread::sleep(POLL);
    }
}

/// What an engine was told, and by which thread.
#[derive(Default)]
struct Told {
    lanes: Vec<(ThreadId, String)>,
    number: u64,
    /// Calls of this thread do not come back.
    held: Option<ThreadId>,
    /// How many of them do not.
    hanging: usize,
}

/// An engine that takes everything, and confirms it before it says that it has.
struct Taking {
    told: Mutex<Told>,
    changed: Condvar,
    services: Arc<Services>,
}

impl Taking {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock_anyway()
    }

    fn hold(&self, thread: Option<ThreadId>) {
        self.told().held = thread;
        self.changed.notify_all();
    }
}

impl Engine for Arc<Taking> {
    fn run(&self) -> Result<(), CallError> {
        Ok(())
    }

    fn publish(&self, subject: &str, _: Option<&str>, _: &[u8]) -> Result<Publish, CallError> {
        let own = thread::current().id();
        let mut told = self.told();
        told.number += 1;
        let number = told.number;
        if kozo_bus::is_of_lane(subject) {
            told.lanes.push((own, subject.to_owned()));
            told.hanging += usize::from(told.held == Some(own));
            let is_held = |told: &mut Told| told.held == Some(own);
            let waited = self.changed.wait_while(told, is_held);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        } else {
            drop(told);
        }
        self.services.confirmed(number);
        Ok(Publish::Accepted(number))
    }

    fn subscribe(&self, _: &str, _: bool) -> Result<(), CallError> {
        Ok(())
    }

    fn stop(&self) {}
}

/// Nobody else is on the bus, and nobody checks anything.
struct Nobody;

impl Members for Nobody {
    fn name_of(&self, _: Token) -> Option<NodeName> {
        None
    }

    fn may_be_heard(&self, _: &NodeName) -> bool {
        false
    }

    fn may_read(&self, _: &NodeName) -> bool {
        false
    }
}

impl NodeKeys for Nobody {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, CannotSign> {
        Ok(vec![0; 64])
    }

    fn verify(&self, _: &NodeName, _: &[u8], _: &[u8]) -> bool {
        false
    }
}

impl BusArrivals for Nobody {
    fn brought(&self, _: Vec<kozo_bus::Delivery>, _: &BusOutlet) {}

    fn room(&self) {}
}

impl PeerQuestions for Nobody {
    fn answer(&self, _: &NodeName, _: Bytes) -> Pin<Box<dyn Future<Output = Bytes> + Send>> {
        Box::pin(async { Bytes::new() })
    }
}

/// A bus that runs, with its engine.
struct Stage {
    bus: Arc<RunningBus>,
    engine: Arc<Taking>,
    subjects: Subjects,
    own: Token,
    /// How many messages were sent.
    sent: usize,
    _runtime: tokio::runtime::Runtime,
    _folder: TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.engine.hold(None);
        self.bus.end();
    }
}

impl Stage {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let name = BusName::new("fleet").unwrap();
        let node = NodeName::new("clock").unwrap();
        let module = ModuleName::new("taking").unwrap();
        let subjects = Subjects::new(name.clone(), &SubjectKey::public());
        let bell = Arc::<Bell>::default();
        let identity = BusIdentity {
            node: node.clone(),
            name: name.clone(),
            module: module.clone(),
        };
        let state = StateFolders::new(Some(folder.path()), &StateEnvironment::default());
        let mailbox = Mailbox::new(Arc::clone(&bell));
        let services = Services::new(identity, Arc::new(state), mailbox).unwrap();
        let engine = Arc::new(Taking {
            told: Mutex::default(),
            changed: Condvar::new(),
            services: Arc::clone(&services),
        });
        let queue = QueueLimits {
            length: 100_000,
            size: 64 << 20,
        };
        let max_ages = MaxAges {
            message: LIMIT,
            order: LIMIT,
        };
        let settings = BusSettings {
            name,
            module,
            own: node.clone(),
            members: Arc::new(Nobody),
            size: 1,
            wanted: Vec::new(),
            expected: Vec::new(),
            queue,
            max_ages,
            digest: [0; 32],
            agent: "test".to_owned(),
            subject_key: SubjectKey::public(),
            counter: 1,
        };
        let random = Box::new(SystemRandom::new());
        let bus = Bus::new(settings, Arc::new(Nobody), random, clock::now()).unwrap();
        let outlet = BusOutlet::new("fleet", queue, max_ages, Arc::clone(&bell));
        let parts = RunningParts {
            bus,
            queue,
            outlet: Arc::new(outlet),
            services: Arc::clone(&services),
            engine: Box::new(Arc::clone(&engine)),
            gateway: None,
            bell,
            folder: folder.path().to_owned(),
        };
        let asked = Answering {
            questions: Arc::new(Nobody),
            runtime: runtime.handle().clone(),
        };
        let bus = RunningBus::new(parts, Arc::new(Nobody), asked, Arc::default());
        bus.start().unwrap();
        services.up(Limits::new(100_000, "here").publish_from_roles(true));
        Self {
            bus,
            engine,
            own: subjects.node(&node),
            subjects,
            sent: 0,
            _runtime: runtime,
            _folder: folder,
        }
    }

    /// Sends a message in a lane of its own, as the thread of a role does it; returns that lane.
    fn send(&mut self) -> String {
        self.sent += 1;
        let channel = format!("channel{}", self.sent);
        let role = RoleName::new("ticker").unwrap();
        let message = Message::new(Kind::Event, &role, "tick", Some(&channel), 0.0, &[0xc0]);
        let message = message.unwrap();
        let lane = self.subjects.lane_of(&message, self.own);
        send(&self.bus, message);
        lane
    }

    fn lanes(&self) -> Vec<String> {
        let told = self.engine.told();
        told.lanes.iter().map(|(_, lane)| lane.clone()).collect()
    }

    fn is_published(&self, lane: &str) -> bool {
        self.lanes().iter().any(|published| published == lane)
    }

    /// Who has published it.
    fn publisher_of(&self, lane: &str) -> ThreadId {
        eventually("it is published", || self.is_published(lane));
        let told = self.engine.told();
        let mut lanes = told.lanes.iter();
        lanes.find(|(_, published)| published == lane).unwrap().0
    }

    /// Sends until this thread has published something by itself; returns the lanes.
    fn send_until_alone(&mut self) -> Vec<String> {
        let mut lanes = Vec::new();
        let start = Instant::now();
        loop {
            assert!(
                start.elapsed() < LIMIT,
                "nothing is ever published by this thread"
            );
            let lane = self.send();
            lanes.push(lane.clone());
            if self.publisher_of(&lane) == thread::current().id() {
                return lanes;
            }
            thread::sleep(POLL);
        }
    }

    /// From now on it is the bus's thread that publishes, whatever comes alone.
    fn never_publishes_alone(&mut self) {
        for _ in 0..20 {
            let lane = self.send();
            assert_ne!(self.publisher_of(&lane), thread::current().id());
            eventually("all is confirmed", || self.bus.is_flushed());
            thread::sleep(POLL);
        }
    }
}

/// Whatever comes of a test, nobody hangs for ever.
struct Release<'a>(&'a Taking);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.hold(None);
    }
}

fn send(bus: &RunningBus, message: Message) {
    bus.outlet.open().queue(message, clock::now());
    bus.outlet.rouse(true);
}

#[test]
fn what_comes_alone_is_published_by_its_own_thread_and_what_follows_behind_it_in_order() {
    let mut stage = Stage::start();
    let mut expected = Vec::new();
    for _ in 0..20 {
        expected.extend(stage.send_until_alone());
        // It is the only one until then, and confirmed.
        eventually("all is confirmed", || stage.bus.is_flushed());
        expected.extend((0..30).map(|_| stage.send()));
        let last = expected.last().unwrap().clone();
        eventually("all is published", || stage.is_published(&last));
    }
    assert_eq!(stage.lanes(), expected);
    let status = stage.bus.status(clock::now());
    assert_eq!(status.outgoing.sent, expected.len() as u64);
}

/// Sends as `role` until a call in this thread has been held.
fn send_until_held(bus: &RunningBus, engine: &Taking, role: &str) {
    engine.hold(Some(thread::current().id()));
    let start = Instant::now();
    for number in 0.. {
        // One of them comes alone.
        send(bus, message(role, &number.to_string()));
        if engine.told().hanging > 0 || start.elapsed() > LIMIT {
            return;
        }
        thread::sleep(POLL);
    }
}

fn message(role: &str, channel: &str) -> Message {
    let role = RoleName::new(role).unwrap();
    Message::new(Kind::Event, &role, "tick", Some(channel), 0.0, &[0xc0]).unwrap()
}

/// Sends as another role, while a call in the thread of the first one hangs.
fn send_meanwhile(bus: &RunningBus, engine: &Taking) {
    eventually("a call hangs", || engine.told().hanging > 0);
    send(bus, message("other", "meanwhile"));
    let is_awaited = |machine: &Machine| machine.lent.as_ref().is_some_and(|loan| loan.is_awaited);
    eventually("the bus's thread has looked", || is_awaited(&bus.machine()));
    let told = engine.told();
    assert_eq!(told.lanes.last().map(|(thread, _)| *thread), told.held);
}

#[test]
fn what_comes_while_a_roles_thread_publishes_leaves_behind_it() {
    let mut stage = Stage::start();
    stage.send_until_alone();
    let token = stage.own;
    let lane = stage
        .subjects
        .lane_of(&message("other", "meanwhile"), token);
    thread::scope(|scope| {
        let (bus, engine) = (&stage.bus, &stage.engine);
        let _release = Release(engine);
        let first = scope.spawn(|| send_until_held(bus, engine, "first"));
        send_meanwhile(bus, engine);
        engine.hold(None);
        first.join().unwrap();
    });
    assert_ne!(stage.publisher_of(&lane), thread::current().id());
}

#[test]
fn a_call_that_does_not_come_back_costs_the_role_in_whose_thread_it_is_and_no_other() {
    let mut stage = Stage::start();
    stage.send_until_alone();
    thread::scope(|scope| {
        let (bus, engine) = (&stage.bus, &stage.engine);
        let _release = Release(engine);
        let unlucky = scope.spawn(|| send_until_held(bus, engine, "unlucky"));
        send_meanwhile(bus, engine);
        assert_eq!(bus.status(clock::now()).state, BusState::Up);
        bus.give_up_on(bus.call_under_way().unwrap(), "it has not come back");
        let status = bus.status(clock::now());
        let error = status.error.unwrap();
        assert_eq!(status.state, BusState::Down);
        assert!(
            error.contains("has not come back; the role `unlucky`"),
            "{error}"
        );
        // Nothing is said to the module until it has.
        send(bus, message("other", "later"));
        engine.hold(None);
        unlucky.join().unwrap();
        eventually("it is up again", || {
            bus.status(clock::now()).state == BusState::Up && bus.is_flushed()
        });
    });
    let lane = stage
        .subjects
        .lane_of(&message("other", "later"), stage.own);
    assert_ne!(stage.publisher_of(&lane), thread::current().id());
    stage.never_publishes_alone();
}

#[test]
fn a_call_that_takes_too_long_is_the_last_one_in_a_roles_thread() {
    let mut stage = Stage::start();
    stage.send_until_alone();
    thread::scope(|scope| {
        let (bus, engine) = (&stage.bus, &stage.engine);
        let _release = Release(engine);
        let slow = scope.spawn(|| send_until_held(bus, engine, "slow"));
        eventually("a call hangs", || engine.told().hanging > 0);
        thread::sleep(SLOW);
        engine.hold(None);
        slow.join().unwrap();
    });
    stage.never_publishes_alone();
}

#[test]
fn a_module_that_does_not_say_so_is_called_by_the_buss_thread_alone() {
    let mut stage = Stage::start();
    stage.send_until_alone();
    stage.bus.services.lost("it is another one".to_owned());
    stage.bus.services.up(Limits::new(100_000, "here"));
    let is_other = |stage: &Stage| {
        let machine = stage.bus.machine();
        let engine = machine.engine.as_ref();
        engine.is_some_and(|engine| !engine.publish_from_roles)
    };
    eventually("the other one is there", || is_other(&stage));
    stage.never_publishes_alone();
}

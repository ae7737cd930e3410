//! All members of a fleet in this process: a thread for each processor, each with its share of them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kozo_auth::attest::{Attestor, BusAttestor};
use kozo_auth::identity::{Identity, TrustedKeys};
use kozo_bench_payload::{Payload, Stamp, clock as nanos, read};
use kozo_bus::members::{CannotSign, Members, NodeKeys};
use kozo_bus::random::SystemRandom;
use kozo_bus::subject::{SubjectKey, Subjects, Token};
use kozo_bus::{Bus, BusSettings};
use kozo_ground::age::MaxAges;
use kozo_ground::clock::{self, Moment};
use kozo_ground::interest::{Interest, Kind, Pattern};
use kozo_ground::names::{BusName, ModuleName, NodeName, RoleName};
use kozo_ground::queue::QueueLimits;
use rustix::event::{Timespec, epoll};

use super::BUS;
use super::file::Roll;
use super::member::{Member, News, numbered};
use crate::Failure;

/// How long a thread waits for its sockets before it looks whether there is something else to do.
const PATIENCE: Duration = Duration::from_millis(5);

/// How many members of a thread connect at once at first; after a loss each does as it likes.
const CONNECTING: usize = 128;

/// How many members send before what has come is looked at.
const SENDING: usize = 16;

/// How long a message has a meaning.
const LIFETIME: Duration = Duration::from_secs(600);

/// How often it is looked whether something has come about.
const POLL: Duration = Duration::from_millis(2);

/// How much is read of a socket at once.
const READ_SIZE: usize = 64 << 10;

/// What all members together have seen.
#[derive(Debug, Default)]
struct Seen {
    connected: AtomicUsize,
    keys: AtomicU64,
    refused_keys: AtomicU64,
    asks: AtomicU64,
    /// How many messages they have sent, and how many they may have sent by now.
    sent: AtomicU64,
    allowed: AtomicU64,
    /// Of each role's numbered messages, how many have come and when the last one did, by the machine's monotonic clock.
    arrived: Mutex<HashMap<(String, u64), Arrival>>,
}

/// A message that goes to all of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Arrival {
    /// How many have it.
    pub(crate) count: usize,
    /// When it was sent.
    pub(crate) sent: u64,
    /// When the last one of these got it.
    pub(crate) last: u64,
}

/// What the members have asked others for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// Asks of any kind.
    pub(crate) asks: u64,
    /// Keys that were asked for, whether they were got or not.
    pub(crate) keys: u64,
}

/// Messages that members send.
#[derive(Debug, Clone)]
pub(crate) struct Sending {
    /// As which role.
    pub(crate) role: RoleName,
    /// How many each sends at once, in one batch.
    pub(crate) batch: u64,
    /// How often, each in its turn.
    pub(crate) rounds: u64,
    /// How long the data is.
    pub(crate) size: usize,
    /// How many members do so.
    pub(crate) members: usize,
}

enum Order {
    Connect,
    Send(Sending),
}

/// All members.
pub(crate) struct Crowd {
    /// How many there are.
    pub(crate) count: usize,
    seen: Arc<Seen>,
    threads: Vec<(Sender<Order>, JoinHandle<()>)>,
}

impl Crowd {
    /// Members of this roll, which hear messages of these roles, expect some of these nodes, and are not connected yet.
    pub(crate) fn new(
        roll: &Roll,
        servers: &[SocketAddr],
        heard_roles: &[&str],
        expected: &[&str],
    ) -> Result<Self, Failure> {
        let count = roll.members.len();
        let seen: Arc<Seen> = Arc::default();
        let bus = BusName::new(BUS)?;
        let subjects = Subjects::new(bus, &SubjectKey::public());
        let everybody = Arc::new(Everybody::new(roll, &subjects));
        let interest = Interest {
            kind: Some(Kind::Event),
            type_name: Some(vec![Pattern::new("numbered")]),
            channel: None,
            role: Some(heard_roles.iter().copied().map(Pattern::new).collect()),
            node: None,
        };
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let mut shares: Vec<Vec<Member>> = (0..workers).map(|_| Vec::new()).collect();
        for (number, identity) in roll.members.iter().enumerate() {
            let mut settings = settings(roll, identity, &everybody, &interest)?;
            for node in expected {
                settings.expected.push(NodeName::new(node)?);
            }
            let keys = Keys::new(identity, &roll.trusted)?;
            let random = Box::new(SystemRandom::new());
            let bus = Bus::new(settings, Arc::new(keys), random, clock::now())?;
            let random = fastrand::Rng::with_seed(number as u64);
            shares[number % workers].push(Member::new(bus, servers.to_vec(), random));
        }
        let mut threads = Vec::new();
        for (number, members) in shares.into_iter().enumerate() {
            let (sender, orders) = channel();
            let mut worker = Worker::new(members, number, workers, orders, Arc::clone(&seen))?;
            let thread = std::thread::Builder::new().spawn(move || worker.run())?;
            threads.push((sender, thread));
        }
        Ok(Self {
            count,
            seen,
            threads,
        })
    }

    fn order(&self, order: impl Fn() -> Order) -> Result<(), Failure> {
        for (sender, _) in &self.threads {
            sender
                .send(order())
                .map_err(|_| "a thread of members has ended")?;
        }
        Ok(())
    }

    /// Lets them connect, and waits until all are; says how long that took.
    pub(crate) fn connect(&self, limit: Duration) -> Result<Duration, Failure> {
        let start = Instant::now();
        self.order(|| Order::Connect)?;
        self.wait_until_connected(limit)?;
        Ok(start.elapsed())
    }

    /// Waits until all are connected.
    pub(crate) fn wait_until_connected(&self, limit: Duration) -> Result<(), Failure> {
        let all = || self.connected() == self.count;
        if wait(limit, all) {
            return Ok(());
        }
        Err(format!("{} of {} are connected", self.connected(), self.count).into())
    }

    /// How many are connected.
    pub(crate) fn connected(&self) -> usize {
        self.seen.connected.load(Ordering::Relaxed)
    }

    /// What they have asked for so far.
    pub(crate) fn asked(&self) -> Asked {
        let seen = &self.seen;
        Asked {
            asks: seen.asks.load(Ordering::Relaxed),
            keys: seen.keys.load(Ordering::Relaxed) + seen.refused_keys.load(Ordering::Relaxed),
        }
    }

    /// How many messages they have sent so far, all of them together.
    pub(crate) fn sent(&self) -> u64 {
        self.seen.sent.load(Ordering::Relaxed)
    }

    /// Lets them wait whenever they have sent so many messages, all of them together.
    pub(crate) fn allow(&self, messages: u64) {
        self.seen.allowed.store(messages, Ordering::Relaxed);
    }

    /// Waits until they have so many keys of others, all of them together; says how long that took.
    pub(crate) fn wait_for_keys(&self, count: u64, limit: Duration) -> Result<Duration, Failure> {
        let start = Instant::now();
        let keys = || self.seen.keys.load(Ordering::Relaxed);
        match wait(limit, || keys() >= count) {
            true => Ok(start.elapsed()),
            false => Err(format!("{} of {count} keys are there", keys()).into()),
        }
    }

    /// Lets them send, as far as they are allowed to.
    pub(crate) fn send(&self, sending: &Sending) -> Result<(), Failure> {
        self.order(|| Order::Send(sending.clone()))
    }

    /// Waits until all have got this message.
    pub(crate) fn wait_for(
        &self,
        role: &str,
        sequence: u64,
        limit: Duration,
    ) -> Result<Arrival, Failure> {
        let key = (role.to_owned(), sequence);
        let arrival = || {
            let arrived = self.seen.arrived.lock();
            let arrived = arrived.unwrap_or_else(PoisonError::into_inner);
            arrived.get(&key).copied().unwrap_or_default()
        };
        if wait(limit, || arrival().count >= self.count) {
            return Ok(arrival());
        }
        let (count, all) = (arrival().count, self.count);
        Err(format!("message {sequence} of `{role}` is with {count} of {all}").into())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for (sender, thread) in self.threads.drain(..) {
            drop(sender);
            let _ = thread.join();
        }
    }
}

fn wait(limit: Duration, is_so: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !is_so() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(POLL);
    }
    true
}

fn settings(
    roll: &Roll,
    identity: &Identity,
    everybody: &Arc<Everybody>,
    interest: &Interest,
) -> Result<BusSettings, Failure> {
    Ok(BusSettings {
        name: BusName::new(BUS)?,
        module: ModuleName::new("nats")?,
        own: identity.node.clone(),
        members: Arc::clone(everybody) as Arc<dyn Members>,
        size: everybody.0.len(),
        expected: Vec::new(),
        wanted: vec![interest.clone()],
        queue: QueueLimits {
            length: 256,
            size: 1 << 20,
        },
        max_ages: MaxAges {
            message: LIFETIME,
            order: LIFETIME,
        },
        digest: roll.digest,
        agent: "kozo-bench".to_owned(),
        subject_key: SubjectKey::public(),
        counter: 1,
    })
}

/// All nodes of the file are on the bus, and may hear each other.
struct Everybody(HashMap<Token, NodeName>);

impl Everybody {
    fn new(roll: &Roll, subjects: &Subjects) -> Self {
        let members = roll.members.iter().map(|identity| &identity.node);
        let all = members.chain(&roll.daemons);
        Self(
            all.map(|node| (subjects.node(node), node.clone()))
                .collect(),
        )
    }
}

impl Members for Everybody {
    fn name_of(&self, token: Token) -> Option<NodeName> {
        self.0.get(&token).cloned()
    }

    fn may_be_heard(&self, _: &NodeName) -> bool {
        true
    }

    fn may_read(&self, _: &NodeName) -> bool {
        true
    }
}

/// A member's node key, and what it knows of the others'.
struct Keys(BusAttestor);

impl Keys {
    fn new(identity: &Identity, trusted: &Arc<TrustedKeys>) -> Result<Self, Failure> {
        let attestor = Attestor::new(identity.clone(), Arc::clone(trusted));
        Ok(Self(BusAttestor::new(attestor, &ModuleName::new("nats")?)))
    }
}

impl NodeKeys for Keys {
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, CannotSign> {
        let signature = self.0.sign(text);
        signature.map_err(|error| CannotSign(Box::new(error)))
    }

    fn verify(&self, node: &NodeName, text: &[u8], signature: &[u8]) -> bool {
        self.0.verify(node, text, signature).is_ok()
    }
}

/// One thread's share of the members.
struct Worker {
    epoll: OwnedFd,
    members: Vec<Member>,
    /// The first one's number among all, and how far apart the others' are.
    first: usize,
    step: usize,
    /// When each is due, or earlier.
    due: BinaryHeap<Reverse<(Moment, usize)>>,
    /// The earliest of that for each.
    due_of: Vec<Option<Moment>>,
    orders: Receiver<Order>,
    /// The next one that has not begun to connect; none: they have not been told to.
    to_connect: Option<usize>,
    connecting: usize,
    task: Option<Task>,
    seen: Arc<Seen>,
    scratch: Box<[u8]>,
}

/// What is being sent.
struct Task {
    sending: Sending,
    payload: Payload,
    round: u64,
    /// The next member.
    member: usize,
}

impl Worker {
    fn new(
        members: Vec<Member>,
        first: usize,
        step: usize,
        orders: Receiver<Order>,
        seen: Arc<Seen>,
    ) -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            due: BinaryHeap::new(),
            due_of: vec![None; members.len()],
            members,
            first,
            step,
            orders,
            to_connect: None,
            connecting: 0,
            task: None,
            seen,
            scratch: vec![0; READ_SIZE].into(),
        })
    }

    fn run(&mut self) {
        let mut events = Vec::with_capacity(1024);
        loop {
            match self.orders.try_recv() {
                Ok(Order::Connect) => self.to_connect = Some(0),
                Ok(Order::Send(sending)) => {
                    self.task = Some(Task {
                        payload: Payload::new(sending.size),
                        sending,
                        round: 0,
                        member: 0,
                    });
                }
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            self.begin_to_connect();
            self.send_some();
            let patience = match &self.task {
                Some(_) if self.may_send() => Duration::ZERO,
                _ => self.until_due().min(PATIENCE),
            };
            let patience = Timespec {
                tv_sec: 0,
                tv_nsec: patience.subsec_nanos().into(),
            };
            events.clear();
            let spare = rustix::buffer::spare_capacity(&mut events);
            // Interrupted: the next time.
            let _ = epoll::wait(&self.epoll, spare, Some(&patience));
            for event in &events {
                let event: &epoll::Event = event;
                let number = event.data.u64() as usize;
                self.with(number, |member, scratch, now, news| {
                    member.ready(scratch, now, news);
                });
            }
            self.tick_due();
        }
    }

    fn until_due(&self) -> Duration {
        let due = self.due.peek().map(|Reverse((due, _))| *due);
        due.map_or(PATIENCE, |due| due.since(clock::now()))
    }

    fn begin_to_connect(&mut self) {
        while let Some(next) = self.to_connect
            && next < self.members.len()
            && self.connecting < CONNECTING
        {
            self.to_connect = Some(next + 1);
            self.connecting += 1;
            self.connect(next);
        }
    }

    fn connect(&mut self, number: usize) {
        let Self { epoll, members, .. } = self;
        let now = clock::now();
        let watched = members[number].connect(now).and_then(|stream| {
            let data = epoll::EventData::new_u64(number as u64);
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            Ok(epoll::add(epoll, stream, data, flags)?)
        });
        self.with(number, |member, _, now, news| {
            if let Err(error) = watched {
                member.lost(&error.to_string(), now, news);
            }
        });
    }

    fn tick_due(&mut self) {
        let now = clock::now();
        while let Some(Reverse((due, number))) = self.due.peek().copied()
            && due <= now
        {
            self.due.pop();
            if self.due_of[number] != Some(due) {
                // It was told another time since then.
                continue;
            }
            self.due_of[number] = None;
            if self.members[number].is_to_connect(now) {
                self.connect(number);
            } else {
                self.with(number, |member, _, now, news| member.tick(now, news));
            }
        }
    }

    fn may_send(&self) -> bool {
        let Seen { sent, allowed, .. } = &*self.seen;
        sent.load(Ordering::Relaxed) < allowed.load(Ordering::Relaxed)
    }

    /// Lets some members send what they are to, each a batch.
    fn send_some(&mut self) {
        for _ in 0..SENDING {
            if !self.may_send() {
                return;
            }
            let Some(mut task) = self.task.take() else {
                return;
            };
            let number = task.member;
            let place = self.first + number * self.step;
            if number >= self.members.len() || place >= task.sending.members {
                task.member = 0;
                task.round += 1;
            } else {
                task.member += 1;
                let batch = task.sending.batch;
                self.seen.sent.fetch_add(batch, Ordering::Relaxed);
                self.with(number, |member, _, now, news| {
                    let first = task.round * task.sending.batch;
                    for sequence in first + 1..=first + task.sending.batch {
                        let stamp = Stamp {
                            run: place as u64 + 1,
                            sequence,
                            sent: nanos(),
                        };
                        let data = task.payload.stamped(stamp);
                        if let Some(message) = numbered(&task.sending.role, data) {
                            member.send(message, LIFETIME, now);
                        }
                    }
                    member.drive(now, news);
                });
            }
            if task.round < task.sending.rounds {
                self.task = Some(task);
            }
        }
    }

    /// Does something with a member, and takes note of what came of it.
    fn with(
        &mut self,
        number: usize,
        what: impl FnOnce(&mut Member, &mut [u8], Moment, &mut News),
    ) {
        let mut news = News::default();
        let member = &mut self.members[number];
        what(member, &mut self.scratch, clock::now(), &mut news);
        let due = member.timeout();
        if due.is_some() && due != self.due_of[number] {
            self.due_of[number] = due;
            self.due.extend(due.map(|due| Reverse((due, number))));
        }
        let seen = &self.seen;
        match news.connected {
            Some(true) => {
                self.connecting = self.connecting.saturating_sub(1);
                seen.connected.fetch_add(1, Ordering::Relaxed);
            }
            Some(false) => {
                seen.connected.fetch_sub(1, Ordering::Relaxed);
            }
            None => {}
        }
        seen.keys.fetch_add(news.keys, Ordering::Relaxed);
        seen.refused_keys
            .fetch_add(news.refused_keys, Ordering::Relaxed);
        seen.asks.fetch_add(news.asks, Ordering::Relaxed);
        for delivery in &news.deliveries {
            let message = &delivery.message;
            let Some(stamp) = read(message.data()) else {
                continue;
            };
            let arrived = seen.arrived.lock();
            let mut arrived = arrived.unwrap_or_else(PoisonError::into_inner);
            let key = (message.role().to_owned(), stamp.sequence);
            let arrival = arrived.entry(key).or_default();
            arrival.count += 1;
            arrival.sent = stamp.sent;
            arrival.last = arrival.last.max(nanos());
        }
    }
}

//! A bus that runs: its one thread does what [`kozo_bus::Bus`] decides, but for what comes [`alone`].

mod alone;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use kozo_abi::{Limits, Publish};
use kozo_bus::relay::RelayOutput;
use kozo_bus::{
    Bus, EngineLimits, Happened, Output, PingId, Published, QuestionId, Questioned, Replied,
    Unasked,
};
use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;
use kozo_ground::names::NodeName;
use kozo_ground::queue::{QueueLimits, RollingQueue};
use kozo_status::{BusNodeStatus, BusStatus};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use super::attendant::Attendant;
use super::awaited::{Awaited, Pong};
use super::bell::Bell;
use super::counter;
use super::engine::Engine;
use super::gateway::Gateway;
use super::log::BusLog;
use super::mailbox::{Brought, Datagram, News};
use super::outlet::{BusOutlet, Outgoing};
use super::services::Services;
use crate::link::PeerQuestions;
use alone::Loan;

/// How many datagrams are given to the module at most before it is looked at what came meanwhile.
const MAX_IN_A_ROW: usize = 64;

/// How many datagrams of lanes are looked at before something is published, where something waits to be.
const MAX_LOOKED_AT: usize = 128;

/// Whom a bus brings to what came, and tells that there is room.
pub(crate) trait BusArrivals: Send + Sync + 'static {
    /// Messages of roles of other nodes, in order, for the roles of this one. Must not block.
    fn brought(&self, deliveries: Vec<kozo_bus::Delivery>, over: &BusOutlet);

    /// There may be room again.
    fn room(&self);
}

/// A bus that runs.
pub(super) struct RunningBus {
    pub(super) outlet: Arc<BusOutlet>,
    pub(super) services: Arc<Services>,
    pub(super) engine: Box<dyn Engine>,
    arrivals: Arc<dyn BusArrivals>,
    asked: Answering,
    /// Rung when it comes up or goes down.
    changed: Arc<Notify>,
    bell: Arc<Bell>,
    folder: PathBuf,
    queue: QueueLimits,
    machine: Mutex<Machine>,
    /// How often a call into the module has begun or come back: odd while one is under way.
    calls: AtomicU64,
    /// A call took too long: the module is called in no role's thread any more.
    is_slow: AtomicBool,
    ended: AtomicBool,
}

/// What answers other nodes, and where.
#[derive(Clone)]
pub(super) struct Answering {
    pub(super) questions: Arc<dyn PeerQuestions>,
    pub(super) runtime: Handle,
}

/// What a bus that runs is made of.
pub(super) struct RunningParts {
    pub(super) bus: Bus,
    pub(super) queue: QueueLimits,
    pub(super) outlet: Arc<BusOutlet>,
    pub(super) services: Arc<Services>,
    pub(super) engine: Box<dyn Engine>,
    /// What the node hands on for others, where it is their gateway.
    pub(super) gateway: Option<Gateway>,
    pub(super) bell: Arc<Bell>,
    /// Where the number of the run is kept.
    pub(super) folder: PathBuf,
}

struct Machine {
    bus: Bus,
    /// The engine, as the module has said last; none: it is not connected.
    engine: Option<Limits>,
    /// A call has not come back: nothing is said to the module, whatever it says.
    hangs: bool,
    /// Which thread it is that may call the module.
    thread: u64,
    /// It has nothing to do until then (none: for ever), or until the bell rings.
    rests: Option<Option<Moment>>,
    /// A role's thread calls the module meanwhile, and the bus's thread leaves it alone.
    lent: Option<Loan>,
    /// How often that was so.
    loans: u64,
    /// When the bus's thread last came to rest, or a role's thread published something.
    rested: Option<Moment>,
    /// When a datagram was worked off by the thread that brought it, last.
    alone: Option<Moment>,
    gateway: Option<Gateway>,
    /// What was given to the module last was of the node itself, and not of one behind it.
    was_own: bool,
    /// How many messages have come from the outlet.
    came: u64,
    pings: Awaited<PingId, Pong>,
    questions: Awaited<QuestionId, Replied>,
    log: BusLog,
}

/// What the module is to do next.
enum Next {
    /// For the node itself.
    Own(Output),
    /// For a node behind it.
    Relayed(RelayOutput),
}

/// What was done in a turn.
enum Turn {
    /// All there was; there is more to do at that moment, if no bell rings before.
    Done(Option<Moment>),
    /// There is more to do at once.
    More,
    /// Another thread has taken over.
    Superseded,
}

impl RunningBus {
    /// What comes goes to `arrivals`, and what other nodes ask to `asked`; `changed` is told when the bus comes up
    /// or goes down.
    pub(super) fn new(
        parts: RunningParts,
        arrivals: Arc<dyn BusArrivals>,
        asked: Answering,
        changed: Arc<Notify>,
    ) -> Arc<Self> {
        let RunningParts {
            bus,
            queue,
            outlet,
            services,
            engine,
            gateway,
            bell,
            folder,
        } = parts;
        let log = BusLog::new(outlet.name());
        let bus = Arc::new(Self {
            outlet,
            services,
            engine,
            arrivals,
            asked,
            changed,
            bell,
            folder,
            queue,
            machine: Mutex::new(Machine {
                bus,
                engine: None,
                hangs: false,
                thread: 0,
                rests: None,
                lent: None,
                loans: 0,
                rested: None,
                alone: None,
                gateway,
                was_own: false,
                came: 0,
                pings: Awaited::default(),
                questions: Awaited::default(),
                log,
            }),
            calls: AtomicU64::new(0),
            is_slow: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let attendant: Weak<Self> = Arc::downgrade(&bus);
        bus.services
            .attended
            .by(Weak::clone(&attendant) as Weak<dyn Attendant>);
        bus.outlet.attended.by(attendant);
        bus
    }

    /// Starts the thread that does the work.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let thread = self.machine().thread;
        self.spawn(thread)
    }

    fn spawn(self: &Arc<Self>, number: u64) -> std::io::Result<()> {
        let bus = Arc::clone(self);
        let work = move || bus.work(number);
        let name = format!("bus {}", self.outlet.name());
        thread::Builder::new().name(name).spawn(work).map(drop)
    }

    fn work(self: &Arc<Self>, thread: u64) {
        let mut taken = RollingQueue::new(self.queue);
        while !self.ended.load(Ordering::Acquire) {
            match self.turn(thread, &mut taken) {
                Turn::Done(next) => {
                    let limit = next.map(|next| next.since(clock::now()));
                    self.bell.wait(limit);
                }
                Turn::More => {}
                Turn::Superseded => return,
            }
        }
    }

    fn turn(self: &Arc<Self>, thread: u64, taken: &mut RollingQueue<Outgoing>) -> Turn {
        let now = clock::now();
        let mut machine = self.machine();
        if machine.thread != thread {
            return Turn::Superseded;
        }
        if let Some(loan) = &mut machine.lent {
            // Who has it rings.
            loan.is_awaited = true;
            return Turn::Done(None);
        }
        machine.rests = None;
        self.outlet.set_at_rest(false);
        let brought = self.services.mailbox.take(MAX_LOOKED_AT);
        let is_more = brought.is_more;
        machine.hear(brought, &self.services, now);
        // With the lock held, so that whoever looks finds each message either there or here.
        machine.came = self.outlet.take(taken);
        while let Some(Outgoing {
            message,
            sent,
            lifetime,
        }) = taken.pop()
        {
            let left = lifetime.saturating_sub(now.since(sent));
            machine.bus.send(message, left, now);
        }
        machine.bus.tick(now);
        if let Some(gateway) = &mut machine.gateway {
            gateway.hear(now);
            gateway.tell(now);
        }
        self.hand_on(&mut machine);
        for _ in 0..MAX_IN_A_ROW {
            // While the module hangs, nothing can be said to it.
            let next = if machine.hangs {
                None
            } else {
                machine.next(now)
            };
            let Some(next) = next else {
                self.settle(&mut machine, now);
                return match is_more || self.is_confirmed(&machine) {
                    true => Turn::More,
                    false => self.rest(&mut machine),
                };
            };
            drop(machine);
            let published = self.call(&next);
            machine = self.machine();
            if machine.thread != thread {
                machine.comes_back(clock::now());
                self.bell.ring();
                return Turn::Superseded;
            }
            if let Some(published) = published {
                machine.published(&next, published, clock::now());
            }
        }
        self.settle(&mut machine, now);
        Turn::More
    }

    /// Whether the engine has just confirmed what is waited for; if it is, this will be told when it has.
    fn is_confirmed(&self, machine: &Machine) -> bool {
        let is_awaited = machine.gateway.is_some()
            || machine.bus.awaits_confirmation()
            || self.outlet.is_watched();
        self.services.mailbox.await_confirmation(is_awaited)
    }

    /// The bus's thread has nothing to do now.
    fn rest(&self, machine: &mut Machine) -> Turn {
        let turn = machine.done();
        machine.rested = Some(clock::now());
        self.outlet.set_at_rest(self.may_lend(machine));
        turn
    }

    /// Gives what came to those whom it is for, and says what happened.
    fn hand_on(self: &Arc<Self>, machine: &mut Machine) {
        self.hand_on_messages(machine);
        while let Some(replied) = machine.bus.replied() {
            let question = replied.question;
            machine.questions.came(&question, replied);
        }
        while let Some(questioned) = machine.bus.questioned() {
            self.answer(questioned);
        }
        while let Some(happened) = machine.bus.happened() {
            match &happened {
                Happened::Pong {
                    ping, round_trip, ..
                } => {
                    machine.pings.came(ping, Ok(*round_trip));
                }
                Happened::NoPong { ping, reason, .. } => {
                    machine.pings.came(ping, Err(reason.clone()));
                }
                Happened::Up { .. } | Happened::Down { .. } => self.changed.notify_one(),
                Happened::Counter { counter } => {
                    if let Err(error) = counter::raise(&self.folder, *counter) {
                        let bus = self.outlet.name();
                        tracing::error!(target: "bus", %bus, "{error}");
                    }
                }
                _ => {}
            }
            machine.log.write(&happened);
        }
    }

    /// Has a question of another node answered; the bus limits how many there are at once.
    fn answer(self: &Arc<Self>, questioned: Questioned) {
        let Questioned { id, node, question } = questioned;
        let answer = self.asked.questions.answer(&node, question);
        let bus = Arc::clone(self);
        self.asked.runtime.spawn(async move {
            let answer = answer.await;
            bus.machine().bus.reply(id, answer);
            bus.bell.ring();
        });
    }

    fn hand_on_messages(&self, machine: &mut Machine) {
        let deliveries = machine.bus.deliveries();
        if !deliveries.is_empty() {
            self.arrivals.brought(deliveries, &self.outlet);
        }
    }

    /// Tells those who wait for room, or for a message of theirs.
    fn settle(&self, machine: &mut Machine, now: Moment) {
        if let Some(gateway) = &mut machine.gateway {
            gateway.tell(now);
        }
        let queued = machine.bus.queued();
        if self.outlet.note_behind(queued) {
            self.arrivals.room();
        }
        if self.outlet.is_watched() {
            let waiting = (queued.messages + machine.bus.unconfirmed().messages) as u64;
            let settled = machine.came.saturating_sub(waiting);
            let dropped = machine.bus.dropped();
            self.outlet
                .note_settled(settled, dropped, self.services.refused_messages());
        }
    }

    /// Says something to the module. There is a result for what was published.
    fn call(&self, next: &Next) -> Option<Published> {
        self.calls.fetch_add(1, Ordering::AcqRel);
        let publish = |subject: &str, reply: Option<&str>, data: &[u8]| {
            let published = self.engine.publish(subject, reply, data);
            published.map(|published| Some(published_as(published)))
        };
        let result = match next {
            Next::Own(Output::Publish {
                subject,
                reply,
                data,
            }) => publish(subject, reply.as_deref(), data),
            Next::Relayed(RelayOutput::Publish(of)) => {
                publish(&of.subject, of.reply.as_deref(), &of.data)
            }
            Next::Own(Output::Subscribe { pattern, on })
            | Next::Relayed(RelayOutput::Subscribe { pattern, on }) => {
                self.engine.subscribe(pattern, *on).map(|()| None)
            }
        };
        self.calls.fetch_add(1, Ordering::AcqRel);
        result.unwrap_or_else(|error| {
            let bus = &self.outlet.name();
            tracing::error!(target: "bus", %bus, "its module failed: {error}");
            // Perhaps it takes it another time.
            next.is_datagram().then_some(Published::Full)
        })
    }

    /// The number of the call that is under way, if there is one.
    pub(super) fn call_under_way(&self) -> Option<u64> {
        let calls = self.calls.load(Ordering::Acquire);
        (calls % 2 == 1).then_some(calls)
    }

    /// Lets another thread go on, since this call does not come back. Until it does, nothing is said to the
    /// module, and for the bus it is down for this reason. It is not called in the threads of roles any more.
    pub(super) fn give_up_on(self: &Arc<Self>, call: u64, reason: &str) {
        let mut machine = self.machine();
        // It may have come back just now. Whoever comes back from now on waits for this lock.
        if self.call_under_way() != Some(call) || machine.hangs {
            return;
        }
        machine.hangs = true;
        self.is_slow.store(true, Ordering::Release);
        if let Some(loan) = machine.lent.take() {
            let (bus, role) = (self.outlet.name(), loan.role);
            machine.down(
                &format!(
                    "{reason}; the role `{role}`, in whose thread that is, stands still until it does"
                ),
                clock::now(),
            );
            drop(machine);
            tracing::error!(target: "bus", %bus, "{reason}");
            tracing::error!(target: "role", %role, %bus, "stands still in the module of the bus, which does not come back");
            self.bell.ring();
            return;
        }
        machine.thread += 1;
        machine.down(reason, clock::now());
        let number = machine.thread;
        drop(machine);
        tracing::error!(target: "bus", bus = %self.outlet.name(), "{reason}");
        if let Err(error) = self.spawn(number) {
            tracing::error!(target: "bus", bus = %self.outlet.name(), "no thread is left: {error}");
            // Then the old one goes on when it comes back.
            self.machine().thread -= 1;
        }
    }

    /// Asks a node whether it is there; what comes of it comes to the receiver.
    pub(super) fn ping(&self, node: &NodeName) -> Result<oneshot::Receiver<Pong>, Unasked> {
        let mut machine = self.machine();
        let ping = machine.bus.ping(node, clock::now())?;
        let receiver = machine.pings.wait_for(ping);
        drop(machine);
        self.bell.ring();
        Ok(receiver)
    }

    /// Asks a node something about itself, which may take so long; what comes of it comes to the receiver.
    pub(super) fn question(
        &self,
        node: &NodeName,
        question: Bytes,
        wait: Duration,
    ) -> Result<oneshot::Receiver<Replied>, Unasked> {
        let mut machine = self.machine();
        let question = machine.bus.question(node, question, wait, clock::now())?;
        let receiver = machine.questions.wait_for(question);
        drop(machine);
        self.bell.ring();
        Ok(receiver)
    }

    /// How the bus is.
    pub(super) fn status(&self, now: Moment) -> BusStatus {
        let mut machine = self.machine();
        self.note_confirmed(&mut machine);
        let mut status = machine.bus.status(now);
        // What waits in the outlet waits for the bus.
        let (messages, bytes, dropped) = self.outlet.amount();
        status.queued.messages += messages;
        status.queued.bytes += bytes;
        status.outgoing.dropped_by_limit += dropped;
        status.gateway = machine.gateway.as_ref().map(Gateway::status);
        drop(machine);
        self.services
            .condition
            .lock_anyway()
            .describe(&mut status, now);
        status
    }

    /// Another node on it.
    pub(super) fn view_of(&self, node: &NodeName, now: Moment) -> BusNodeStatus {
        self.machine().bus.view_of(node, now)
    }

    /// The nodes that were heard of, so many at most, and how many more there are.
    pub(super) fn nodes(&self, most: usize, now: Moment) -> (Vec<BusNodeStatus>, usize) {
        let machine = self.machine();
        let mut heard: Vec<_> = machine.bus.nodes().collect();
        heard.sort();
        let left_out = heard.len().saturating_sub(most);
        let nodes = heard.into_iter().take(most);
        let nodes = nodes.map(|node| machine.bus.view_of(node, now)).collect();
        (nodes, left_out)
    }

    /// The names of all of them.
    pub(super) fn heard_of(&self) -> Vec<NodeName> {
        self.machine().bus.nodes().cloned().collect()
    }

    /// Whether nothing waits any more that could leave now.
    pub(super) fn is_flushed(&self) -> bool {
        let mut machine = self.machine();
        self.note_confirmed(&mut machine);
        let (waiting, ..) = self.outlet.amount();
        let is_idle = waiting == 0 && machine.bus.is_idle();
        is_idle || machine.engine.is_none() || machine.hangs
    }

    /// Its thread ends as soon as it looks.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// Takes up what the engine has confirmed, since nobody was woken for that.
    fn note_confirmed(&self, machine: &mut Machine) {
        if let Some(number) = self.services.mailbox.take_confirmed() {
            machine.confirmed(number);
        }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        // The bus does not panic; if it did, its state would still be the best there is.
        self.machine.lock_anyway()
    }
}

impl Machine {
    /// Hears what the module has brought.
    fn hear(&mut self, brought: Brought, services: &Services, now: Moment) {
        if brought.dropped > 0 {
            services.condition.lock_anyway().dropped(brought.dropped);
        }
        if let Some(number) = brought.confirmed {
            self.confirmed(number);
        }
        for news in brought.news {
            match news {
                News::Up(limits) => {
                    if !self.hangs {
                        self.up(engine_limits(&limits), now);
                    }
                    self.engine = Some(limits);
                }
                News::Down(reason) => {
                    self.engine = None;
                    if !self.hangs {
                        self.down(&reason, now);
                    }
                }
                News::Datagram(datagram) => self.look_at(&datagram, now),
                News::Nobody(subject) => {
                    self.bus.nobody(&subject, now);
                    if let Some(gateway) = &mut self.gateway {
                        gateway.nobody(&subject);
                    }
                }
            }
        }
        let Self { bus, gateway, .. } = self;
        // What a gateway only hands on is nothing for the node itself.
        let own = brought.of_lanes.iter().filter(|datagram| match gateway {
            Some(gateway) => gateway.hand_on(datagram, now),
            None => true,
        });
        bus.received_many(own.map(|of| (&*of.subject, &*of.data)), now);
    }

    fn confirmed(&mut self, number: u64) {
        self.bus.confirmed(number);
        if let Some(gateway) = &mut self.gateway {
            gateway.confirmed(number);
        }
    }

    fn look_at(&mut self, datagram: &Datagram, now: Moment) {
        if let Some(gateway) = &mut self.gateway
            && !gateway.hand_on(datagram, now)
        {
            return;
        }
        let Datagram {
            subject,
            reply,
            data,
        } = datagram;
        self.bus.received(subject, reply.as_deref(), data, now);
    }

    /// The call that was given up on has come back.
    fn comes_back(&mut self, now: Moment) {
        self.hangs = false;
        if let Some(limits) = &self.engine {
            self.up(engine_limits(limits), now);
        }
    }

    /// The engine is reached.
    fn up(&mut self, limits: EngineLimits, now: Moment) {
        if let Some(gateway) = &mut self.gateway {
            gateway.up(limits.clone());
        }
        self.bus.up(limits, now);
    }

    /// It is not.
    fn down(&mut self, reason: &str, now: Moment) {
        if let Some(gateway) = &mut self.gateway {
            gateway.down(reason);
        }
        self.bus.down(reason, now);
    }

    /// What the module is to do next: for the node itself and for those behind it in turns.
    fn next(&mut self, now: Moment) -> Option<Next> {
        if self.gateway.is_none() {
            return self.bus.output(now).map(Next::Own);
        }
        let next = match self.was_own {
            true => self.relayed(now).or_else(|| self.own(now)),
            // What it subscribes to itself is told by the gateway.
            false => self.own(now).or_else(|| self.relayed(now)),
        };
        self.was_own = matches!(next, Some(Next::Own(_)));
        next
    }

    fn own(&mut self, now: Moment) -> Option<Next> {
        loop {
            match (self.bus.output(now)?, &mut self.gateway) {
                (Output::Subscribe { pattern, on }, Some(gateway)) => {
                    gateway.subscribe_own(&pattern, on);
                }
                (output, _) => return Some(Next::Own(output)),
            }
        }
    }

    fn relayed(&mut self, now: Moment) -> Option<Next> {
        let gateway = self.gateway.as_mut()?;
        gateway.output(now).map(Next::Relayed)
    }

    /// What the module said to a datagram.
    fn published(&mut self, next: &Next, published: Published, now: Moment) {
        match (next, &mut self.gateway) {
            (Next::Relayed(_), Some(gateway)) => gateway.published(published, now),
            _ => self.bus.published(published, now),
        }
    }

    /// There is nothing to do now.
    fn done(&mut self) -> Turn {
        let next = match &self.gateway {
            Some(gateway) if gateway.has_more() => return Turn::More,
            Some(gateway) => {
                let next = [self.bus.timeout(), gateway.timeout()];
                next.into_iter().flatten().min()
            }
            None => self.bus.timeout(),
        };
        self.rests = Some(next);
        Turn::Done(next)
    }
}

impl Next {
    fn is_datagram(&self) -> bool {
        matches!(
            self,
            Self::Own(Output::Publish { .. }) | Self::Relayed(RelayOutput::Publish(_))
        )
    }
}

fn engine_limits(limits: &Limits) -> EngineLimits {
    EngineLimits {
        max_datagram: limits.max_datagram,
        no_responders: limits.no_responders,
        server: limits.server.clone(),
    }
}

fn published_as(published: Publish) -> Published {
    match published {
        Publish::Accepted(number) => Published::Accepted(number),
        Publish::Full => Published::Full,
        Publish::Down => Published::Down,
    }
}

/// How long a call may take in which nothing is to be waited for.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(5);

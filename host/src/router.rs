//! The hands of the pure router: takes the locks, reads the clock, waits for room, and hands each
//! message to whom `kozo_router` says.

mod outlet;
mod room;
mod steering;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use kozo_ground::age::MaxAges;
use kozo_ground::clock::{self, Moment};
use kozo_ground::interest::{Kind, Subject};
use kozo_ground::lock::ReadWriteAnyway;
use kozo_ground::names::{NodeName, RoleName};
use kozo_link::Delivery;
use kozo_router::{Lifetime, LocalRole, ReceiverId, Receivers, Verdict};
use kozo_tap::{PassesBy, Passing, Taps};
use kozo_wire::{Message, RoleInterests};
pub(crate) use outlet::Destination;
use outlet::Outlet;
use room::Room;
use smallvec::SmallVec;
pub(crate) use steering::Sent;

use crate::bus::BusOutlet;
use crate::link::Arrivals;
use crate::roles::{Dispatcher, Inbox, IncomingMessage};

/// To how many receivers one message can go without an allocation for that alone.
const FEW: usize = 8;

/// Hands messages on between the roles of this node and other nodes.
pub(crate) struct Router {
    node: NodeName,
    roles: Vec<(LocalRole, Arc<Inbox>)>,
    /// What stands at the places of `receivers`.
    outlets: Vec<Outlet>,
    receivers: RwLock<Receivers>,
    ages: MaxAges,
    room: Room,
    taps: Arc<Taps>,
    orders_refused: AtomicU64,
}

impl Router {
    /// A router between the roles of `node`, each with where its messages go, and `destinations`, each with
    /// what is wanted there as far as the file tells. What passes is shown to `taps`.
    pub(crate) fn new(
        node: NodeName,
        roles: Vec<(LocalRole, Arc<Inbox>)>,
        destinations: Vec<Destination>,
        ages: MaxAges,
        taps: Arc<Taps>,
    ) -> Self {
        let (outlets, receivers): (Vec<_>, Vec<_>) =
            destinations.into_iter().map(Destination::split).unzip();
        Self {
            node,
            roles,
            outlets,
            receivers: RwLock::new(Receivers::new(receivers)),
            ages,
            room: Room::default(),
            taps,
            orders_refused: AtomicU64::new(0),
        }
    }

    /// How many orders came from nodes or roles that a role here does not accept orders from.
    pub(crate) fn orders_refused(&self) -> u64 {
        self.orders_refused.load(Ordering::Relaxed)
    }

    /// Whether the role gets a message with this subject. Counts and tells of an order that is
    /// refused.
    fn is_for(&self, role: &LocalRole, subject: &Subject<'_>) -> bool {
        let verdict = role.judge(subject);
        if verdict == Verdict::OrderRefused {
            self.orders_refused.fetch_add(1, Ordering::Relaxed);
            let Subject {
                type_name,
                role: sender,
                node,
                ..
            } = subject;
            tracing::warn!(
                target: "role",
                role = %role.name,
                node = %node,
                "refused the order `{type_name}` of {sender}@{node}: `acceptOrdersFrom` does not name it",
            );
        }
        verdict == Verdict::Deliver
    }

    /// Hands a message of this node to the receivers that want it. With `wait` above zero all of
    /// them get it or, if not all have room in time, none does, and there is no result.
    fn send_away(
        &self,
        message: &Message,
        subject: &Subject<'_>,
        wait: Duration,
        now: Moment,
    ) -> Option<Away> {
        let receivers = self.receivers.read_anyway();
        let wanting = receivers.wanting(subject);
        if wait.is_zero() {
            let mut away = Away::default();
            for ReceiverId(place) in wanting {
                let outlet = &self.outlets[place];
                outlet.send(message.clone(), now);
                away.add(place, outlet);
            }
            return Some(away);
        }
        let places: SmallVec<[_; FEW]> = wanting.map(|ReceiverId(place)| place).collect();
        // What is learnt must not wait for who waits.
        drop(receivers);
        let outlets = places.iter().map(|&place| &self.outlets[place]);
        let outlets: SmallVec<[_; FEW]> = outlets.collect();
        // Nearly always there is room at once.
        let is_sent = Outlet::send_if_room(&outlets, message, now)
            || self.send_paced(&outlets, message, wait);
        is_sent.then(|| {
            let mut away = Away::default();
            let went = places.iter().zip(outlets);
            went.for_each(|(&place, outlet)| away.add(place, outlet));
            away
        })
    }

    /// Gives a message of this node, which goes `away`, to the roles here that want it, and
    /// shows it to whoever watches. `got` hears of each role that gets it.
    fn give_here(
        &self,
        message: &Message,
        subject: &Subject<'_>,
        away: &Away,
        now: Moment,
        mut got: impl FnMut(&LocalRole),
    ) {
        let lifetime = Lifetime::of_own(message.kind(), &self.ages, now);
        let mut roles = 0;
        for (role, inbox) in &self.roles {
            if self.is_for(role, subject) {
                inbox.push(incoming(&self.node, message, lifetime));
                roles += 1;
                got(role);
            }
        }
        if self.taps.are_open() {
            self.taps.pass([OwnMessage {
                router: self,
                message,
                subject,
                lifetime,
                roles,
                away,
            }]);
        }
    }

    /// Messages of roles of `node`, in order, for the roles of this node, as a link or, where it is named, a bus
    /// has brought them. Never blocks.
    pub(crate) fn brought(
        &self,
        node: &NodeName,
        deliveries: &[Delivery],
        over: Option<&BusOutlet>,
        now: Moment,
    ) {
        for (role, inbox) in &self.roles {
            let mut wanted = deliveries
                .iter()
                .filter(|delivery| self.is_for(role, &delivery.message.subject(node.as_str())))
                .peekable();
            if wanted.peek().is_none() {
                continue;
            }
            let mut all = Vec::with_capacity(deliveries.len());
            all.extend(wanted.map(|Delivery { message, remaining }| {
                let kind = message.kind();
                let lifetime = Lifetime::of_received(kind, *remaining, &self.ages, now);
                incoming(node, message, lifetime)
            }));
            inbox.push_all(all);
        }
        if self.taps.are_open() {
            self.taps
                .pass(deliveries.iter().map(|delivery| ReceivedMessage {
                    router: self,
                    node,
                    delivery,
                    over,
                    now,
                }));
        }
    }

    /// Sends to all of `outlets` as soon as all of them have room.
    fn send_paced(&self, outlets: &[&Outlet], message: &Message, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        loop {
            let seen = self.room.generation();
            if Outlet::send_if_room(outlets, message, clock::now()) {
                return true;
            }
            if !self.room.wait(seen, deadline) {
                return false;
            }
        }
    }
}

impl Dispatcher for Router {
    fn send(&self, _from: &RoleName, message: &Message, wait: Duration) -> bool {
        let now = clock::now();
        let subject = message.subject(self.node.as_str());
        let Some(away) = self.send_away(message, &subject, wait, now) else {
            return false;
        };
        self.give_here(message, &subject, &away, now, |_| ());
        true
    }
}

impl Arrivals for Router {
    fn deliver(&self, node: &NodeName, deliveries: &[Delivery], now: Moment) {
        self.brought(node, deliveries, None, now);
    }

    fn learn(&self, node: &NodeName, interests: Vec<RoleInterests>) {
        if let Some(place) = self.outlets.iter().position(|outlet| outlet.leads_to(node)) {
            let mut receivers = self.receivers.write_anyway();
            receivers.learn(ReceiverId(place), interests);
        }
    }

    fn room(&self) {
        self.room.made();
    }
}

/// Where a message goes.
#[derive(Debug, Default)]
struct Away {
    /// To how many nodes by links.
    nodes: usize,
    /// The places of the buses that it goes over.
    buses: SmallVec<[usize; 2]>,
}

impl Away {
    /// It goes to `outlet` as well, which stands at `place`.
    fn add(&mut self, place: usize, outlet: &Outlet) {
        match outlet {
            Outlet::Link(_) => self.nodes += 1,
            Outlet::Bus(_) => self.buses.push(place),
        }
    }
}

/// A message of this node, as it is shown to whoever watches.
struct OwnMessage<'a> {
    router: &'a Router,
    message: &'a Message,
    subject: &'a Subject<'a>,
    lifetime: Lifetime,
    roles: usize,
    away: &'a Away,
}

impl PassesBy for OwnMessage<'_> {
    fn kind(&self) -> Kind {
        self.subject.kind
    }

    fn subject(&self) -> Subject<'_> {
        *self.subject
    }

    fn passing(&self) -> Passing {
        let outlets = self
            .away
            .buses
            .iter()
            .map(|&place| &self.router.outlets[place]);
        Passing {
            sender: self.router.node.clone(),
            message: self.message.clone(),
            age: self.lifetime.age,
            passed: self.lifetime.arrived,
            roles: self.roles,
            nodes: self.away.nodes,
            buses: outlets.filter_map(Outlet::bus).map(Arc::clone).collect(),
        }
    }
}

/// A message of another node, likewise.
struct ReceivedMessage<'a> {
    router: &'a Router,
    node: &'a NodeName,
    delivery: &'a Delivery,
    over: Option<&'a BusOutlet>,
    now: Moment,
}

impl PassesBy for ReceivedMessage<'_> {
    fn kind(&self) -> Kind {
        self.delivery.message.kind()
    }

    fn subject(&self) -> Subject<'_> {
        self.delivery.message.subject(self.node.as_str())
    }

    fn passing(&self) -> Passing {
        let Delivery { message, remaining } = self.delivery;
        let subject = self.subject();
        let gets = |role: &LocalRole| role.judge(&subject) == Verdict::Deliver;
        let roles = self.router.roles.iter();
        let lifetime =
            Lifetime::of_received(message.kind(), *remaining, &self.router.ages, self.now);
        Passing {
            sender: self.node.clone(),
            message: message.clone(),
            age: lifetime.age,
            passed: self.now,
            roles: roles.filter(|(role, _)| gets(role)).count(),
            nodes: 0,
            buses: self
                .over
                .map(BusOutlet::name)
                .map(Arc::clone)
                .into_iter()
                .collect(),
        }
    }
}

fn incoming(sender: &NodeName, message: &Message, lifetime: Lifetime) -> IncomingMessage {
    let Lifetime {
        arrived,
        age,
        expires,
    } = lifetime;
    IncomingMessage {
        sender: sender.clone(),
        message: message.clone(),
        arrived,
        age,
        expires,
    }
}

#[cfg(test)]
mod tests;

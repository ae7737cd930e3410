//! The hands of the pure router: takes the locks, reads the clock, waits for room, and hands each
//! message to whom `kozo_router` says.

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
use kozo_router::{Lifetime, LocalRole, NamedInterests, ReceiverId, Receivers, Verdict};
use kozo_tap::{PassesBy, Passing, Taps};
use kozo_wire::{Message, RoleInterests};
use room::Room;
use smallvec::SmallVec;
pub(crate) use steering::Sent;

use crate::link::{Arrivals, FEW_PEERS, PeerLink};
use crate::roles::{Dispatcher, Inbox, IncomingMessage};

/// Hands messages on between the roles of this node and its peers.
pub(crate) struct Router {
    node: NodeName,
    roles: Vec<(LocalRole, Arc<Inbox>)>,
    /// What stands at the places of `receivers`.
    links: Vec<Arc<PeerLink>>,
    receivers: RwLock<Receivers>,
    ages: MaxAges,
    room: Room,
    taps: Arc<Taps>,
    orders_refused: AtomicU64,
}

impl Router {
    /// A router between the roles of `node`, each with where its messages go, and `peers`, each with
    /// the names and interests of its roles as far as the file tells. What passes is shown to `taps`.
    pub(crate) fn new(
        node: NodeName,
        roles: Vec<(LocalRole, Arc<Inbox>)>,
        peers: Vec<(Arc<PeerLink>, Vec<NamedInterests>)>,
        ages: MaxAges,
        taps: Arc<Taps>,
    ) -> Self {
        let (links, wanted): (Vec<_>, Vec<_>) = peers.into_iter().unzip();
        let policy = |link: &Arc<PeerLink>| link.look(|peer| peer.settings().outgoing);
        let receivers = Receivers::new(links.iter().map(policy).zip(wanted));
        Self {
            node,
            roles,
            links,
            receivers: RwLock::new(receivers),
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
    /// them get it or, if not all have room in time, none does, and there is no result. The result is how
    /// many they are.
    fn send_away(
        &self,
        message: &Message,
        subject: &Subject<'_>,
        wait: Duration,
        now: Moment,
    ) -> Option<usize> {
        let receivers = self.receivers.read_anyway();
        let wanting = receivers
            .wanting(subject)
            .map(|ReceiverId(place)| &*self.links[place]);
        if wait.is_zero() {
            let mut nodes = 0;
            for link in wanting {
                link.send(message.clone(), now);
                nodes += 1;
            }
            return Some(nodes);
        }
        let wanting: SmallVec<[_; FEW_PEERS]> = wanting.collect();
        // What is learnt must not wait for who waits.
        drop(receivers);
        // Nearly always there is room at once.
        let is_sent = PeerLink::send_if_room(&wanting, message, now)
            || self.send_paced(&wanting, message, wait);
        is_sent.then_some(wanting.len())
    }

    /// Gives a message of this node, which goes to so many others, to the roles here that want it, and
    /// shows it to whoever watches. `got` hears of each role that gets it.
    fn give_here(
        &self,
        message: &Message,
        subject: &Subject<'_>,
        nodes: usize,
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
                node: &self.node,
                message,
                subject,
                lifetime,
                roles,
                nodes,
            }]);
        }
    }

    /// Shows what came to whoever watches.
    fn show(&self, node: &NodeName, deliveries: &[Delivery], now: Moment) {
        self.taps
            .pass(deliveries.iter().map(|delivery| ReceivedMessage {
                router: self,
                node,
                delivery,
                now,
            }));
    }

    /// Sends to all of `links` as soon as all of them have room.
    fn send_paced(&self, links: &[&PeerLink], message: &Message, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        loop {
            let seen = self.room.generation();
            if PeerLink::send_if_room(links, message, clock::now()) {
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
        let Some(nodes) = self.send_away(message, &subject, wait, now) else {
            return false;
        };
        self.give_here(message, &subject, nodes, now, |_| ());
        true
    }
}

impl Arrivals for Router {
    fn deliver(&self, node: &NodeName, deliveries: &[Delivery], now: Moment) {
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
            self.show(node, deliveries, now);
        }
    }

    fn learn(&self, node: &NodeName, interests: Vec<RoleInterests>) {
        if let Some(place) = self.links.iter().position(|link| link.name() == node) {
            let mut receivers = self.receivers.write_anyway();
            receivers.learn(ReceiverId(place), interests);
        }
    }

    fn room(&self) {
        self.room.made();
    }
}

/// A message of this node, as it is shown to whoever watches.
struct OwnMessage<'a> {
    node: &'a NodeName,
    message: &'a Message,
    subject: &'a Subject<'a>,
    lifetime: Lifetime,
    roles: usize,
    nodes: usize,
}

impl PassesBy for OwnMessage<'_> {
    fn kind(&self) -> Kind {
        self.subject.kind
    }

    fn subject(&self) -> Subject<'_> {
        *self.subject
    }

    fn passing(&self) -> Passing {
        Passing {
            sender: self.node.clone(),
            message: self.message.clone(),
            age: self.lifetime.age,
            passed: self.lifetime.arrived,
            roles: self.roles,
            nodes: self.nodes,
        }
    }
}

/// A message of another node, likewise.
struct ReceivedMessage<'a> {
    router: &'a Router,
    node: &'a NodeName,
    delivery: &'a Delivery,
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

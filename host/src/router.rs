//! Which message goes where: from a role of this node to the roles here and the peers that want
//! it, and from a peer to the roles here that want it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use kozo_ground::clock::{self, Moment};
use kozo_ground::interest::{Interests, Kind, Subject};
use kozo_ground::lock::{LockAnyway, ReadWriteAnyway};
use kozo_ground::names::{NodeName, RoleName};
use kozo_link::ConnectPolicy;
use kozo_link::Delivery;
use kozo_wire::{Message, RoleInterests};
use smallvec::SmallVec;

use crate::config::OrderSources;
use crate::link::{Arrivals, FEW_PEERS, PeerLink};
use crate::roles::{Inbox, Incoming, MessageSink};

/// How long messages have a meaning.
#[derive(Debug, Clone, Copy)]
pub struct MaxAges {
    /// Events and logs.
    pub message: Duration,
    /// Orders.
    pub order: Duration,
}

impl MaxAges {
    fn of(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Order => self.order,
            Kind::Event | Kind::Log => self.message,
        }
    }
}

/// A role of this node, as the router knows it.
pub struct LocalRole {
    /// Its name.
    pub name: RoleName,
    /// What it wants to hear of.
    pub interests: Interests,
    /// Whose orders it accepts.
    pub accept_orders_from: OrderSources,
    /// Where its messages go.
    pub inbox: Arc<Inbox>,
}

/// A peer, as the router knows it.
pub struct RemotePeer {
    link: Arc<PeerLink>,
    /// What its roles want to hear of: from the file, and once it has said so itself, from its
    /// hello.
    wanted: RwLock<Vec<Interests>>,
}

impl RemotePeer {
    /// A peer whose roles have these interests, as far as the file tells.
    pub fn new(link: Arc<PeerLink>, wanted: Vec<Interests>) -> Self {
        Self {
            link,
            wanted: RwLock::new(wanted),
        }
    }

    fn wants(&self, subject: &Subject<'_>) -> bool {
        let wanted = self.wanted.read_anyway();
        wanted.iter().any(|interests| interests.matches(subject))
    }
}

/// Knows who wants what, and hands it on.
pub struct Router {
    node: NodeName,
    roles: Vec<LocalRole>,
    /// Those that this node may send to, always in this order.
    peers: Vec<RemotePeer>,
    places: HashMap<NodeName, usize>,
    ages: MaxAges,
    room: Room,
    orders_refused: AtomicU64,
}

impl Router {
    /// A router between the roles of `node` and `peers`.
    pub fn new(
        node: NodeName,
        roles: Vec<LocalRole>,
        peers: Vec<RemotePeer>,
        ages: MaxAges,
    ) -> Self {
        let may_send = |peer: &RemotePeer| {
            peer.link
                .look(|peer| peer.settings().outgoing != ConnectPolicy::Never)
        };
        let peers: Vec<_> = peers.into_iter().filter(may_send).collect();
        let places = peers
            .iter()
            .enumerate()
            .map(|(place, peer)| (peer.link.name().clone(), place))
            .collect();
        Self {
            node,
            roles,
            peers,
            places,
            ages,
            room: Room::default(),
            orders_refused: AtomicU64::new(0),
        }
    }

    /// How many orders came from nodes or roles that a role here does not accept orders from.
    pub fn orders_refused(&self) -> u64 {
        self.orders_refused.load(Ordering::Relaxed)
    }

    /// Whether the role wants the message, and may get it.
    fn is_for(&self, role: &LocalRole, sender: &NodeName, message: &Message) -> bool {
        if !role.interests.matches(&message.subject(sender.as_str())) {
            return false;
        }
        let accepted = message.kind() != Kind::Order
            || role
                .accept_orders_from
                .accept(message.role(), sender.as_str());
        if !accepted {
            self.orders_refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                target: "role",
                role = %role.name,
                node = %sender,
                "refused the order `{}` of {}@{sender}: `acceptOrdersFrom` does not name it",
                message.type_name(),
                message.role(),
            );
        }
        accepted
    }

    /// Sends to all of `peers` as soon as all of them have room.
    fn send_paced(&self, peers: &[&PeerLink], message: &Message, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        loop {
            let seen = self.room.generation();
            if PeerLink::send_if_room(peers, message, clock::now()) {
                return true;
            }
            if !self.room.wait(seen, deadline) {
                return false;
            }
        }
    }
}

impl MessageSink for Router {
    fn send(&self, _from: &RoleName, message: &Message, wait: Duration) -> bool {
        let now = clock::now();
        let subject = message.subject(self.node.as_str());
        let wanting = self
            .peers
            .iter()
            .filter(|peer| peer.wants(&subject))
            .map(|peer| &*peer.link);
        if wait.is_zero() {
            for link in wanting {
                link.send(message.clone(), now);
            }
        } else {
            let wanting: SmallVec<[_; FEW_PEERS]> = wanting.collect();
            // Nearly always there is room at once.
            if !PeerLink::send_if_room(&wanting, message, now)
                && !self.send_paced(&wanting, message, wait)
            {
                return false;
            }
        }
        let expires = now + self.ages.of(message.kind());
        for role in &self.roles {
            if self.is_for(role, &self.node, message) {
                role.inbox.push(Incoming {
                    sender: self.node.clone(),
                    message: message.clone(),
                    arrived: now,
                    age: Duration::ZERO,
                    expires,
                });
            }
        }
        true
    }
}

impl Arrivals for Router {
    fn deliver(&self, node: &NodeName, deliveries: &[Delivery], now: Moment) {
        for role in &self.roles {
            let wanted = deliveries
                .iter()
                .filter(|delivery| self.is_for(role, node, &delivery.message));
            let mut incoming = Vec::with_capacity(deliveries.len());
            incoming.extend(wanted.map(|Delivery { message, remaining }| Incoming {
                sender: node.clone(),
                message: message.clone(),
                arrived: now,
                age: self.ages.of(message.kind()).saturating_sub(*remaining),
                expires: now + *remaining,
            }));
            if !incoming.is_empty() {
                role.inbox.push_all(incoming);
            }
        }
    }

    fn learn(&self, node: &NodeName, interests: Vec<RoleInterests>) {
        if let Some(&place) = self.places.get(node) {
            let learnt = interests
                .into_iter()
                .map(|role| Interests::Known(role.interests));
            *self.peers[place].wanted.write_anyway() = learnt.collect();
        }
    }

    fn room(&self) {
        self.room.made();
    }
}

/// Where paced senders wait for room in the peers' queues.
#[derive(Debug, Default)]
struct Room {
    /// Counts how often there may have been more room.
    generation: Mutex<u64>,
    changed: Condvar,
}

impl Room {
    fn generation(&self) -> u64 {
        *self.generation.lock_anyway()
    }

    /// Waits until there may be more room than at generation `seen`; false at the deadline.
    fn wait(&self, seen: u64, deadline: Instant) -> bool {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let generation = self.generation.lock_anyway();
        let (_generation, waited) = self
            .changed
            .wait_timeout_while(generation, remaining, |generation| *generation == seen)
            .unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }

    fn made(&self) {
        *self.generation.lock_anyway() += 1;
        // Without a waiter this is no system call.
        self.changed.notify_all();
    }
}

//! The hands of the pure router: takes the locks, reads the clock, waits for room, and hands each
//! message to whom `kozo_router` says.

mod outlet;
mod room;
mod route;
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
use kozo_wire::{Draft, Message, RoleInterests};
pub(crate) use outlet::Destination;
use outlet::{DirectWrites, Outlet};
use room::Room;
use route::{Route, RouteState};
use smallvec::SmallVec;
pub(crate) use steering::Sent;

use crate::bus::{BusArrivals, BusOutlet};
use crate::link::Arrivals;
use crate::roles::{Dispatcher, Inbox, IncomingMessage, MAX_TOGETHER};

/// To how many receivers one message can go without an allocation for that alone.
const FEW: usize = 8;

/// Hands messages on between the roles of this node and other nodes.
pub(crate) struct Router {
    node: NodeName,
    roles: Vec<(LocalRole, Arc<Inbox>)>,
    /// What stands at the places of `receivers`.
    outlets: Vec<Outlet>,
    receivers: RwLock<Receivers>,
    routes: RouteState,
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
            routes: RouteState::new(),
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
            self.refused(role, subject, 1);
        }
        verdict == Verdict::Deliver
    }

    /// Counts and tells of so many orders that a role refuses.
    fn refused(&self, role: &LocalRole, subject: &Subject<'_>, count: usize) {
        let count = count as u64;
        self.orders_refused.fetch_add(count, Ordering::Relaxed);
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

    /// Hands messages of this node, which are alike, to the outlets that want them. With `wait` above zero all of
    /// them get one or, if not all have room in time, none does, nor any behind it. The result is how many messages
    /// were sent.
    fn send_away(
        &self,
        messages: &[Message],
        route: &Route,
        wait: &mut Wait,
        now: Moment,
    ) -> usize {
        let outlets = route.outlets.iter().map(|&place| &self.outlets[place]);
        if wait.limit.is_zero() {
            let written = outlets.filter_map(|outlet| outlet.send(messages, now));
            self.write(written.collect());
            return messages.len();
        }
        let outlets: SmallVec<[_; FEW]> = outlets.collect();
        // Nearly always there is room at once.
        let (sent, written) = Outlet::send_while_room(&outlets, messages, now);
        self.write(written);
        match &messages[sent..] {
            [] => sent,
            rest => sent + self.send_paced(&outlets, rest, wait.deadline()),
        }
    }

    /// Gives messages of this node, which are alike, to the roles here that want them, and shows them to whoever
    /// watches. Orders that a role refuses are counted, and told.
    fn give_here(&self, messages: &[Message], route: &Route, now: Moment) {
        let [first, ..] = messages else {
            return;
        };
        let lifetime = Lifetime::of_own(first.kind(), &self.ages, now);
        if !route.roles.is_empty() {
            let share = Message::are_most_of_what_they_hold(messages);
            let incoming =
                |message: &Message| incoming(self.node.clone(), message.to_keep(share), lifetime);
            for &place in &route.roles {
                let (_, inbox) = &self.roles[place];
                if let [message] = messages {
                    inbox.push(incoming(message));
                } else {
                    inbox.push_all(messages.iter().map(incoming));
                }
            }
        }
        for &place in &route.refusing {
            let (role, _) = &self.roles[place];
            self.refused(role, &first.subject(self.node.as_str()), messages.len());
        }
        if self.taps.are_open() {
            let subject = &first.subject(self.node.as_str());
            self.taps.pass(messages.iter().map(|message| OwnMessage {
                router: self,
                message,
                subject,
                lifetime,
                route,
            }));
        }
    }

    /// Gives messages of roles of other nodes to the roles of this one, as the link with `peer` or, where it is named, a
    /// bus has brought them.
    fn give_on<D: Brought>(
        &self,
        deliveries: Vec<D>,
        peer: &NodeName,
        over: Option<&BusOutlet>,
        now: Moment,
    ) {
        if self.taps.are_open() {
            self.taps
                .pass(deliveries.iter().map(|delivery| ReceivedMessage {
                    router: self,
                    node: delivery.sender(peer),
                    message: delivery.message(),
                    lifetime: delivery.lifetime(&self.ages, now),
                    over,
                }));
        }
        let Some((last, others)) = self.roles.split_last() else {
            return;
        };
        for (role, inbox) in others {
            let wanted = self.wanted(role, &deliveries, peer);
            let each = deliveries.iter().zip(wanted);
            let of_role = each.filter(|(_, is_wanted)| *is_wanted);
            let of_role = of_role.map(|(delivery, _)| delivery.clone());
            self.hand_in(inbox, of_role.collect(), peer, now);
        }
        // Nobody needs them after that one.
        let (role, inbox) = last;
        let mut wanted = self.wanted(role, &deliveries, peer).into_iter();
        let mut of_role = deliveries;
        of_role.retain(|_| wanted.next().unwrap_or_default());
        self.hand_in(inbox, of_role, peer, now);
    }

    /// Whether the role wants each of these.
    fn wanted<D: Brought>(&self, role: &LocalRole, deliveries: &[D], peer: &NodeName) -> Vec<bool> {
        // Most are like the one before, and then they need no look of their own.
        let mut last: Option<&D> = None;
        let each = deliveries.iter().map(|delivery| {
            let (node, message) = (delivery.sender(peer), delivery.message());
            let is_alike = |last: &D| last.sender(peer) == node && last.message().is_like(message);
            let is_wanted =
                last.is_some_and(is_alike) || self.is_for(role, &message.subject(node.as_str()));
            if is_wanted {
                last = Some(delivery);
            }
            is_wanted
        });
        each.collect()
    }

    /// Puts messages of roles of other nodes into the inbox of a role.
    fn hand_in<D: Brought>(&self, inbox: &Inbox, deliveries: Vec<D>, peer: &NodeName, now: Moment) {
        let messages = deliveries.iter().map(|delivery| delivery.message());
        let share = Message::are_most_of_what_they_hold(messages);
        let each = deliveries.into_iter().map(|delivery| {
            let lifetime = delivery.lifetime(&self.ages, now);
            let sender = delivery.sender(peer).clone();
            incoming(sender, delivery.into_message().kept(share), lifetime)
        });
        inbox.push_all(each);
    }

    /// Writes what is for this thread to write.
    fn write(&self, written: DirectWrites<'_>) {
        for one in written {
            one.write();
            // What others have queued meanwhile may have gone with it.
            self.room.made();
        }
    }

    /// Sees to it that what was queued leaves, over the buses that it goes by; `is_alone`: it is one message.
    fn rouse(&self, route: &Route, is_alone: bool) {
        let Some((&last, others)) = route.buses.split_last() else {
            return;
        };
        // None of them is to wait for the module of another one.
        for &place in others {
            self.outlets[place].rouse(false);
        }
        self.outlets[last].rouse(is_alone);
    }

    /// Sends to all of `outlets` as soon as all of them have room; the result is how many messages.
    fn send_paced(&self, outlets: &[&Outlet], messages: &[Message], deadline: Instant) -> usize {
        let mut sent = 0;
        let mut is_in_time = true;
        loop {
            let seen = self.room.generation();
            let (count, written) =
                Outlet::send_while_room(outlets, &messages[sent..], clock::now());
            // Who has to wait sends more than the path takes: that is for the writers, which put much into one write.
            drop(written);
            sent += count;
            if sent == messages.len() || !is_in_time {
                return sent;
            }
            // What has room is to leave, so that there is more.
            outlets.iter().for_each(|outlet| outlet.rouse(false));
            // Who waits is woken when there is room for many; there may be some for a few before.
            is_in_time = self.room.wait(seen, deadline);
        }
    }
}

/// How long one call waits for room in all.
struct Wait {
    limit: Duration,
    /// Since it first had to: the clock is read only then.
    deadline: Option<Instant>,
}

impl Wait {
    fn deadline(&mut self) -> Instant {
        let limit = self.limit;
        *self.deadline.get_or_insert_with(|| Instant::now() + limit)
    }
}

/// How many messages are handed on at once, at most: their receivers begin meanwhile.
const HANDED_ON: usize = MAX_TOGETHER;

impl Dispatcher for Router {
    fn take(&self, draft: &Draft<'_>, now: Moment) -> bool {
        self.with_lone_outlet(draft, |outlet, likeness| {
            outlet.take_draft(draft, likeness, now)
        })
        .unwrap_or(false)
    }

    fn send(&self, _from: &RoleName, messages: &[Message], wait: Duration) -> usize {
        let mut wait = Wait {
            limit: wait,
            deadline: None,
        };
        let mut sent = 0;
        let is_alone = messages.len() == 1;
        let alike = messages.chunk_by(Message::is_like);
        for some in alike.flat_map(|alike| alike.chunks(HANDED_ON)) {
            let now = clock::now();
            let count = self.with_route(&some[0], |route| {
                let count = self.send_away(some, route, &mut wait, now);
                if count > 0 {
                    // This thread may have to do a bus's work: then nobody else is to wait for that.
                    if !is_alone {
                        self.rouse(route, false);
                    }
                    self.give_here(&some[..count], route, now);
                    if is_alone {
                        self.rouse(route, true);
                    }
                }
                count
            });
            sent += count;
            if count < some.len() {
                break;
            }
        }
        sent
    }
}

impl Arrivals for Router {
    fn deliver(&self, node: &NodeName, deliveries: Vec<Delivery>, now: Moment) {
        self.give_on(deliveries, node, None, now);
    }

    fn learn(&self, node: &NodeName, interests: Vec<RoleInterests>) {
        if let Some(place) = self.outlets.iter().position(|outlet| outlet.leads_to(node)) {
            let mut receivers = self.receivers.write_anyway();
            receivers.learn(ReceiverId(place), interests);
            self.routes.changed();
        }
    }

    fn room(&self) {
        self.room.made();
    }
}

impl BusArrivals for Router {
    fn brought(&self, deliveries: Vec<kozo_bus::Delivery>, over: &BusOutlet) {
        self.give_on(deliveries, &self.node, Some(over), clock::now());
    }

    fn room(&self) {
        self.room.made();
    }
}

/// A message of another node, however it came.
trait Brought: Clone {
    /// Whose it is: the peer's, if a link has brought it.
    fn sender<'s>(&'s self, peer: &'s NodeName) -> &'s NodeName;

    fn message(&self) -> &Message;

    fn into_message(self) -> Message;

    /// Its times, when it came at `now`.
    fn lifetime(&self, ages: &MaxAges, now: Moment) -> Lifetime;
}

impl Brought for Delivery {
    fn sender<'s>(&'s self, peer: &'s NodeName) -> &'s NodeName {
        peer
    }

    fn message(&self) -> &Message {
        &self.message
    }

    fn into_message(self) -> Message {
        self.message
    }

    fn lifetime(&self, ages: &MaxAges, now: Moment) -> Lifetime {
        Lifetime::of_received(self.message.kind(), self.remaining, ages, now)
    }
}

impl Brought for kozo_bus::Delivery {
    fn sender<'s>(&'s self, _peer: &'s NodeName) -> &'s NodeName {
        &self.from
    }

    fn message(&self) -> &Message {
        &self.message
    }

    fn into_message(self) -> Message {
        self.message
    }

    /// A bus has measured how old it is, and need not guess.
    fn lifetime(&self, _ages: &MaxAges, now: Moment) -> Lifetime {
        Lifetime {
            arrived: now,
            age: self.age,
            expires: now + self.remaining,
        }
    }
}

/// A message of this node, as it is shown to whoever watches.
struct OwnMessage<'a> {
    router: &'a Router,
    message: &'a Message,
    subject: &'a Subject<'a>,
    lifetime: Lifetime,
    route: &'a Route,
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
            .route
            .buses
            .iter()
            .map(|&place| &self.router.outlets[place]);
        Passing {
            sender: self.router.node.clone(),
            message: self.message.taken_out(),
            age: self.lifetime.age,
            passed: self.lifetime.arrived,
            roles: self.route.roles.len(),
            nodes: self.route.nodes,
            buses: outlets.filter_map(Outlet::bus).map(Arc::clone).collect(),
        }
    }
}

/// A message of another node, likewise.
struct ReceivedMessage<'a> {
    router: &'a Router,
    node: &'a NodeName,
    message: &'a Message,
    lifetime: Lifetime,
    over: Option<&'a BusOutlet>,
}

impl PassesBy for ReceivedMessage<'_> {
    fn kind(&self) -> Kind {
        self.message.kind()
    }

    fn subject(&self) -> Subject<'_> {
        self.message.subject(self.node.as_str())
    }

    fn passing(&self) -> Passing {
        let subject = self.subject();
        let gets = |role: &LocalRole| role.judge(&subject) == Verdict::Deliver;
        let roles = self.router.roles.iter();
        let over = self.over.map(BusOutlet::name);
        Passing {
            sender: self.node.clone(),
            message: self.message.taken_out(),
            age: self.lifetime.age,
            passed: self.lifetime.arrived,
            roles: roles.filter(|(role, _)| gets(role)).count(),
            nodes: 0,
            buses: over.map(Arc::clone).into_iter().collect(),
        }
    }
}

fn incoming(sender: NodeName, message: Message, lifetime: Lifetime) -> IncomingMessage {
    let Lifetime {
        arrived,
        age,
        expires,
    } = lifetime;
    IncomingMessage {
        sender,
        message,
        arrived,
        age,
        expires,
    }
}

#[cfg(test)]
mod tests;

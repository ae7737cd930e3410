//! All links of a process, without I/O: what came in, and when, goes in; what is to be sent, and what happened, comes
//! out.
//!
//! All peers share the sockets, and what servers have said about those. Whose a datagram is, is told:
//! by its sender, for what comes from servers; by the user name, for checks of peers; by the number that we have
//! given it, for answers; and for everything else by the addresses, once a peer has proven to be there.

mod servers;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use thiserror::Error;

use crate::candidate::{Candidate, Credentials, unusable};
use crate::event::{Event, PeerId};
use crate::limits;
use crate::peer::{Action, Addresses, Peer, Verdict};
use crate::reason::Reason;
use crate::server::{Allocation, Binding};
use crate::settings::{PeerSettings, Settings};
use crate::status::{EndpointDrops, PeerStatus};
use crate::stun::{Class, Message, Transaction, attribute, is_stun};
use crate::timers::Timers;
use servers::{Kept, Name, UNUSED};

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// From which socket: one of the addresses given to [`Endpoint::add_address`].
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub contents: Vec<u8>,
}

/// Where a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerAddress {
    /// Its address.
    pub address: SocketAddr,
    /// Which of our own addresses the system would use for it, if that is known.
    pub via: Option<IpAddr>,
}

/// Why a peer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PeerRefused {
    /// There are too many.
    #[error("there are {} peers already, which is the limit", limits::PEERS)]
    TooMany,
    /// Its credentials cannot be used.
    #[error(
        "the user name or the password for checks cannot be used: printable ASCII without a colon, 63 bytes at most in the \
         name, and 256 in the password"
    )]
    UnusableCredentials,
    /// Another peer has these credentials.
    #[error("another peer has the same user name for checks")]
    SameCredentials,
    /// It has too many servers.
    #[error(
        "a peer can have {} STUN and as many TURN servers at most",
        limits::SERVERS_PER_PEER
    )]
    TooManyServers,
    /// DTLS cannot be had: [`Settings::mtu`] is too small or too great for it.
    #[error("DTLS cannot be had with datagrams of this length")]
    NoDtls,
}

/// Why a datagram was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotSent {
    /// There is no such peer.
    #[error("there is no such peer")]
    UnknownPeer,
    /// It is not online.
    #[error("the link is not online")]
    NotOnline,
    /// It is too long.
    #[error("a datagram may have {} bytes at most", limits::DATAGRAM)]
    TooLong,
    /// Too much is waiting to be sent.
    #[error("more is waiting to be sent than the queue holds")]
    QueueFull,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    Peer(PeerId),
    Binding(Addresses),
    Allocation(Addresses),
    /// A name that was not known is looked up again.
    Names,
    Unused,
}

#[derive(Debug)]
struct Socket {
    address: SocketAddr,
    interface: String,
}

/// All links of a process.
pub struct Endpoint {
    settings: Settings,
    sockets: Vec<Socket>,
    peers: BTreeMap<PeerId, Peer>,
    last_peer: u64,
    /// Whose each user name of ours is.
    users: HashMap<String, PeerId>,
    /// Who has proven to be where.
    routes: HashMap<Addresses, PeerId>,
    /// Whose check each is.
    checks: HashMap<Transaction, PeerId>,
    names: HashMap<String, Name>,
    lookups: VecDeque<String>,
    bindings: HashMap<Addresses, Kept<Binding>>,
    allocations: HashMap<Addresses, Kept<Allocation>>,
    /// Whose each relayed address is.
    relays: HashMap<SocketAddr, Addresses>,
    timers: Timers<Timer>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    drops: EndpointDrops,
    /// Only kept so that it needs no memory each time.
    actions: Vec<Action>,
}

impl Endpoint {
    /// One without addresses and peers.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            sockets: Vec::new(),
            peers: BTreeMap::new(),
            last_peer: 0,
            users: HashMap::new(),
            routes: HashMap::new(),
            checks: HashMap::new(),
            names: HashMap::new(),
            lookups: VecDeque::new(),
            bindings: HashMap::new(),
            allocations: HashMap::new(),
            relays: HashMap::new(),
            timers: Timers::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            drops: EndpointDrops::default(),
            actions: Vec::new(),
        }
    }

    /// How it behaves.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// There is a socket with this address now, on an interface of that name. False if it cannot be used, or there are
    /// too many.
    pub fn add_address(&mut self, now: Instant, address: SocketAddr, interface: &str) -> bool {
        if self.has_address(address)
            || self.sockets.len() >= limits::ADDRESSES
            || unusable(address, self.settings.loopback).is_some()
        {
            return false;
        }
        self.sockets.push(Socket {
            address,
            interface: interface.to_owned(),
        });
        self.network_changed(now);
        true
    }

    /// The socket with this address is gone.
    pub fn remove_address(&mut self, now: Instant, address: SocketAddr) {
        self.sockets.retain(|socket| socket.address != address);
        self.bindings.retain(|(local, server), _| {
            let kept = *local != address;
            if !kept {
                self.timers.set(Timer::Binding((*local, *server)), None);
            }
            kept
        });
        self.allocations.retain(|(local, server), _| {
            let kept = *local != address;
            if !kept {
                self.timers.set(Timer::Allocation((*local, *server)), None);
            }
            kept
        });
        self.relays.retain(|_, (local, _)| *local != address);
        self.network_changed(now);
    }

    /// Whether there is a socket with this address.
    pub fn has_address(&self, address: SocketAddr) -> bool {
        self.sockets.iter().any(|socket| socket.address == address)
    }

    /// Begins a link: candidates of our own are gathered, and told of by [`Event::Gathered`].
    ///
    /// # Errors
    ///
    /// When there are too many peers or servers, or these credentials cannot be used.
    pub fn add_peer(
        &mut self,
        now: Instant,
        settings: PeerSettings,
    ) -> Result<PeerId, PeerRefused> {
        if !settings.credentials.are_usable() {
            return Err(PeerRefused::UnusableCredentials);
        }
        if self.users.contains_key(&settings.credentials.user) {
            return Err(PeerRefused::SameCredentials);
        }
        if self.peers.len() >= limits::PEERS {
            return Err(PeerRefused::TooMany);
        }
        if settings.stun.len().max(settings.turn.len()) > limits::SERVERS_PER_PEER {
            return Err(PeerRefused::TooManyServers);
        }
        let id = PeerId(self.last_peer + 1);
        let user = settings.credentials.user.clone();
        let peer = Peer::new(now, id, settings, &self.settings).ok_or(PeerRefused::NoDtls)?;
        self.last_peer = id.0;
        self.users.insert(user, id);
        self.peers.insert(id, peer);
        self.gather(now, id);
        self.timers.set(
            Timer::Unused,
            Some(self.timers.time(Timer::Unused).unwrap_or(now + UNUSED)),
        );
        Ok(id)
    }

    /// Ends a link. The peer is told, if it has DTLS. Sockets and what servers have said stay.
    pub fn remove_peer(&mut self, now: Instant, id: PeerId) {
        let Some(mut peer) = self.peers.remove(&id) else {
            return;
        };
        self.with_actions(now, id, |actions| peer.close(now, actions));
        self.users.remove(&peer.settings().credentials.user);
        self.routes.retain(|_, owner| *owner != id);
        self.timers.set(Timer::Peer(id), None);
        self.events.retain(|event| event.peer() != id);
    }

    /// What the peer said of itself: its credentials, and where it may be reached. May be called again with more;
    /// other credentials than before are those of a peer that has begun anew, and everything known of it is forgotten.
    /// Candidates that cannot be used, or are too many, are counted ([`crate::Drops::candidates`]).
    pub fn add_remote(
        &mut self,
        now: Instant,
        id: PeerId,
        credentials: &Credentials,
        candidates: impl IntoIterator<Item = Candidate>,
    ) {
        self.with_peer(now, id, |peer, actions| {
            peer.add_remote(now, credentials, candidates, actions);
        });
        self.permit(now, id);
    }

    /// Where we can be reached by this peer, as far as is known; complete after [`Event::Gathered`].
    pub fn candidates(&self, id: PeerId) -> Vec<Candidate> {
        let Some(peer) = self.peers.get(&id) else {
            return Vec::new();
        };
        let mut candidates: Vec<_> = peer.candidates().cloned().collect();
        if peer.settings().relay_only {
            for candidate in &mut candidates {
                candidate.base = None;
                candidate.interface.clear();
            }
        }
        candidates
    }

    /// Sends a datagram, as soon as [`Self::poll_transmit`] is asked.
    ///
    /// # Errors
    ///
    /// When it cannot be sent; it is then counted as dropped.
    pub fn send(&mut self, now: Instant, id: PeerId, contents: &[u8]) -> Result<(), NotSent> {
        let queue_full = self.transmits.len() >= limits::QUEUED_DATAGRAMS;
        self.with_peer(now, id, |peer, actions| {
            peer.send(now, contents, queue_full, actions)
        })
        .unwrap_or(Err(NotSent::UnknownPeer))
    }

    /// How the link with a peer is.
    pub fn status(&self, now: Instant, id: PeerId) -> Option<PeerStatus> {
        let peer = self.peers.get(&id)?;
        let mut status = peer.status(now);
        if self.sockets.is_empty() {
            status.reasons.insert(0, Reason::NoAddress);
        }
        status.reasons.extend(self.server_problems(peer));
        Some(status)
    }

    /// What was dropped that belongs to no peer.
    pub fn drops(&self) -> EndpointDrops {
        self.drops
    }

    /// So many datagrams were not taken by the system.
    pub fn not_sent(&mut self, datagrams: u64) {
        self.drops.unsendable += datagrams;
    }

    /// What is to be sent next.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether something has happened that was not fetched.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Takes a datagram that came to one of our sockets.
    pub fn handle(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr, datagram: &[u8]) {
        let addresses = (local, remote);
        // Numbers of channels begin so.
        if matches!(datagram.first(), Some(0x40..=0x4F))
            && self.allocations.contains_key(&addresses)
        {
            self.relayed(now, addresses, datagram);
        } else if is_stun(datagram) {
            self.handle_stun(now, addresses, datagram);
        } else {
            self.handle_data(now, addresses, datagram);
        }
    }

    /// Takes what a relay has passed on.
    fn relayed(&mut self, now: Instant, addresses: Addresses, datagram: &[u8]) {
        let Some(allocation) = self.allocations.get(&addresses) else {
            return;
        };
        let Some((sender, contents)) = allocation.what.receive(datagram) else {
            self.drops.foreign_datagrams += 1;
            return;
        };
        let Some(relayed) = allocation.what.relayed() else {
            return;
        };
        if is_stun(contents) {
            self.handle_stun(now, (relayed, sender), contents);
        } else {
            self.handle_data(now, (relayed, sender), contents);
        }
    }

    fn handle_stun(&mut self, now: Instant, addresses: Addresses, datagram: &[u8]) {
        let Some(message) = Message::read(datagram) else {
            self.drops.foreign_stun += 1;
            return;
        };
        if self.handle_server(now, addresses, &message, datagram) {
            return;
        }
        let owner = match message.class {
            Class::Request => message
                .text(attribute::USERNAME)
                .and_then(|users| self.users.get(users.split_once(':')?.0)),
            Class::Success | Class::Error => self.checks.get(&message.transaction),
            Class::Indication => None,
        };
        let Some(id) = owner.copied() else {
            // What keeps a NAT's mapping alive is no fault of anyone's.
            if message.class != Class::Indication {
                self.drops.foreign_stun += 1;
            }
            return;
        };
        let verdict = self.with_peer(now, id, |peer, actions| {
            peer.handle_stun(now, addresses, datagram, &message, actions)
        });
        match verdict {
            Some(Verdict::Taken) => {}
            Some(Verdict::Replayed) => self.drops.replayed_stun += 1,
            Some(Verdict::Foreign) | None => self.drops.foreign_stun += 1,
        }
    }

    fn handle_data(&mut self, now: Instant, addresses: Addresses, datagram: &[u8]) {
        let Some(id) = self.routes.get(&addresses).copied() else {
            self.drops.foreign_datagrams += 1;
            return;
        };
        self.with_peer(now, id, |peer, actions| {
            peer.handle_data(now, addresses, datagram, actions);
        });
    }

    /// When [`Self::handle_timeout`] is to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Peer(id) => {
                    let gathering_is_over = self
                        .peers
                        .get(&id)
                        .and_then(Peer::gathering)
                        .is_some_and(|until| until <= now);
                    if gathering_is_over {
                        self.tell_candidates(now, id);
                    }
                    self.with_peer(now, id, |peer, actions| peer.handle_timeout(now, actions));
                }
                Timer::Binding(addresses) => {
                    let wanted = self.bindings.get(&addresses).is_some_and(|kept| {
                        self.peers.values().any(|peer| {
                            !peer.is_online() && kept.is_one_of(peer.settings().stun.iter())
                        })
                    });
                    if let Some(kept) = self.bindings.get_mut(&addresses) {
                        kept.what.set_wanted(now, wanted);
                    }
                    if self.run_binding(now, addresses) {
                        self.server_answered(now, &addresses, true);
                    }
                }
                Timer::Allocation(addresses) => {
                    let changed = self
                        .allocations
                        .get_mut(&addresses)
                        .is_some_and(|kept| kept.what.handle_timeout(now));
                    self.allocation_changed(now, addresses, changed);
                }
                Timer::Names => self.gather_for_all(now),
                Timer::Unused => self.drop_unused(now),
            }
        }
    }

    /// Gives all relays back, before the end.
    pub fn close(&mut self, now: Instant) {
        let peers: Vec<_> = self.peers.keys().copied().collect();
        for id in peers {
            self.remove_peer(now, id);
        }
        let allocations: Vec<_> = self.allocations.keys().copied().collect();
        for addresses in allocations {
            if let Some(kept) = self.allocations.get_mut(&addresses) {
                kept.what.release(now);
            }
            self.flush_allocation(addresses);
        }
    }

    fn with_peer<T>(
        &mut self,
        now: Instant,
        id: PeerId,
        work: impl FnOnce(&mut Peer, &mut Vec<Action>) -> T,
    ) -> Option<T> {
        let peer = self.peers.get_mut(&id)?;
        let mut actions = std::mem::take(&mut self.actions);
        let result = work(peer, &mut actions);
        self.timers.set(Timer::Peer(id), peer.poll_timeout());
        self.apply(now, id, &mut actions);
        self.actions = actions;
        Some(result)
    }

    fn with_actions(&mut self, now: Instant, id: PeerId, work: impl FnOnce(&mut Vec<Action>)) {
        let mut actions = std::mem::take(&mut self.actions);
        work(&mut actions);
        self.apply(now, id, &mut actions);
        self.actions = actions;
    }

    fn apply(&mut self, now: Instant, id: PeerId, actions: &mut Vec<Action>) {
        for action in actions.drain(..) {
            match action {
                Action::Transmit {
                    addresses,
                    contents,
                } => self.transmit(now, addresses, contents),
                Action::Event(event) => self.event(now, event),
                Action::Route(addresses) => {
                    // A peer may pretend to send from where another one is: what that sends must still reach it.
                    let is_taken = self.routes.get(&addresses).is_some_and(|owner| {
                        let owner = self.peers.get(owner).filter(|_| *owner != id);
                        owner.is_some_and(|owner| owner.is_online_over(&addresses))
                    });
                    if !is_taken {
                        self.routes.insert(addresses, id);
                    }
                }
                Action::NoRoute(addresses) => {
                    if self.routes.get(&addresses) == Some(&id) {
                        self.routes.remove(&addresses);
                    }
                }
                Action::Check(transaction) => {
                    self.checks.insert(transaction, id);
                }
                Action::NoCheck(transaction) => {
                    self.checks.remove(&transaction);
                }
                Action::Selected((local, remote)) => {
                    if let Some(addresses) = self.relays.get(&local).copied() {
                        if let Some(kept) = self.allocations.get_mut(&addresses) {
                            kept.what.bind(now, remote);
                        }
                        self.flush_allocation(addresses);
                    }
                }
            }
        }
    }

    fn transmit(&mut self, now: Instant, addresses: Addresses, contents: Vec<u8>) {
        let (local, remote) = addresses;
        let Some(relay) = self.relays.get(&local).copied() else {
            self.transmits.push_back(transmit(addresses, contents));
            return;
        };
        if let Some(kept) = self.allocations.get_mut(&relay)
            && !kept.what.send(now, remote, &contents)
        {
            self.drops.unsendable += 1;
        }
        self.flush_allocation(relay);
    }

    fn event(&mut self, now: Instant, event: Event) {
        let id = event.peer();
        match event {
            Event::Datagram { .. } if self.events.len() >= limits::QUEUED_EVENTS => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.not_fetched();
                }
                return;
            }
            Event::Offline { .. } => self.check_servers(now, id),
            _ => {}
        }
        self.events.push_back(event);
    }
}

fn transmit((from, to): Addresses, contents: Vec<u8>) -> Transmit {
    Transmit { from, to, contents }
}

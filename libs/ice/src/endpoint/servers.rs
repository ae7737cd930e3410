//! What servers are asked, for all peers together, and the candidates that come of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Endpoint, ServerAddress, Socket, Timer, transmit};
use crate::candidate::{Candidate, CandidateKind, unusable};
use crate::event::PeerId;
use crate::peer::{Addresses, Peer};
use crate::reason::Reason;
use crate::server::{Allocation, Binding};
use crate::settings::TurnServer;
use crate::stun::{Class, Message, checksum};

/// How long what a server has said, and a relay, are kept without a peer that needs them: links are often made anew.
pub(super) const UNUSED: Duration = Duration::from_secs(60);
/// How long the addresses of a server's name are believed in, and how long a name that is not known is left alone.
const LOOKUP: Duration = Duration::from_secs(600);
const FAILED_LOOKUP: Duration = Duration::from_secs(30);
/// On how many sockets a relay is asked for if it is not known which of them leads to the server.
const RELAYS_PER_SERVER: usize = 2;

/// What is known of a server's name.
#[derive(Debug, Default)]
pub(super) struct Name {
    pub(super) addresses: Vec<ServerAddress>,
    pub(super) problem: Option<String>,
    /// Whether it is being looked up.
    pub(super) asked: bool,
    /// Until when that holds.
    pub(super) until: Option<Instant>,
}

/// What is kept for a pair of a socket of ours and a server.
#[derive(Debug)]
pub(super) struct Kept<What> {
    pub(super) what: What,
    /// The server, as it was given: several names may lead to it.
    pub(super) names: BTreeSet<String>,
    pub(super) last_used: Instant,
}

impl<What> Kept<What> {
    fn new(now: Instant, what: What) -> Self {
        Self {
            what,
            names: BTreeSet::new(),
            last_used: now,
        }
    }

    /// It is wanted under this name.
    fn is_wanted(&mut self, now: Instant, name: &str) {
        self.last_used = now;
        if !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
    }

    /// Whether one of these is a name of it.
    pub(super) fn is_one_of<'a>(&self, mut names: impl Iterator<Item = &'a String>) -> bool {
        names.any(|name| self.names.contains(name))
    }
}

/// The names of relays.
fn servers(turn: &[TurnServer]) -> impl Iterator<Item = &String> + Clone {
    turn.iter().map(|turn| &turn.server)
}

impl Endpoint {
    /// What was known of the way to servers may not hold any more.
    pub(super) fn network_changed(&mut self, now: Instant) {
        for name in self.names.values_mut() {
            name.until = None;
        }
        self.gather_for_all(now);
    }

    /// The name of a server (`host:port`) whose addresses are to be found; [`Self::looked_up`] takes the answer.
    pub fn poll_lookup(&mut self) -> Option<String> {
        self.lookups.pop_front()
    }

    /// The addresses of a server, or why they are not known.
    pub fn looked_up(
        &mut self,
        now: Instant,
        name: &str,
        found: Result<Vec<ServerAddress>, String>,
    ) {
        let Some(known) = self.names.get_mut(name) else {
            return;
        };
        known.asked = false;
        match found {
            Ok(addresses) => {
                known.problem = None;
                known.until = Some(now + LOOKUP);
                known.addresses.clear();
                // One of each kind is enough: the others lead to the same server.
                for is_ipv4 in [true, false] {
                    known.addresses.extend(
                        addresses
                            .iter()
                            .filter(|server| {
                                unusable(server.address, self.settings.loopback).is_none()
                            })
                            .find(|server| server.address.is_ipv4() == is_ipv4),
                    );
                }
                if known.addresses.is_empty() {
                    known.problem = Some("it has none that can be used".to_owned());
                }
            }
            Err(why) => {
                known.problem = Some(why);
                known.until = Some(now + FAILED_LOOKUP);
                self.timers.set(Timer::Names, Some(now + FAILED_LOOKUP));
            }
        }
        self.gather_for_all(now);
    }

    pub(super) fn gather_for_all(&mut self, now: Instant) {
        let peers: Vec<_> = self.peers.keys().copied().collect();
        for id in peers {
            self.gather(now, id);
        }
    }

    /// Asks servers what is not known yet, and tells the peer's agent what is.
    pub(super) fn gather(&mut self, now: Instant, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let settings = peer.settings().clone();
        let online = peer.is_online();
        if !settings.relay_only {
            for server in &settings.stun {
                for address in self.server_addresses(now, server) {
                    self.bind(now, server, address.address, online);
                }
            }
        }
        for turn in &settings.turn {
            for address in self.server_addresses(now, &turn.server) {
                self.allocate(now, turn, address);
            }
        }
        self.tell_candidates(now, id);
    }

    /// Where a server is, as far as is known; it is looked up otherwise.
    fn server_addresses(&mut self, now: Instant, server: &str) -> Vec<ServerAddress> {
        let name = self.names.entry(server.to_owned()).or_default();
        if !name.asked && name.until.is_none_or(|until| until <= now) {
            name.asked = true;
            self.lookups.push_back(server.to_owned());
        }
        name.addresses.clone()
    }

    /// Has a STUN server asked about each socket from which it could be reached.
    fn bind(&mut self, now: Instant, name: &str, server: SocketAddr, online: bool) {
        let locals: Vec<_> = self
            .sockets
            .iter()
            .map(|socket| socket.address)
            .filter(|local| local.is_ipv4() == server.is_ipv4())
            .collect();
        for local in locals {
            let addresses = (local, server);
            let kept = self
                .bindings
                .entry(addresses)
                .or_insert_with(|| Kept::new(now, Binding::new(now, name, server)));
            kept.is_wanted(now, name);
            if !online {
                kept.what.set_wanted(now, true);
            }
            self.run_binding(now, addresses);
        }
    }

    pub(super) fn run_binding(&mut self, now: Instant, addresses: Addresses) -> bool {
        let Some(kept) = self.bindings.get_mut(&addresses) else {
            return false;
        };
        let mut changed = false;
        if kept
            .what
            .poll_timeout()
            .is_some_and(|timeout| timeout <= now)
        {
            let contents;
            (contents, changed) = kept.what.handle_timeout(now);
            self.transmits
                .extend(contents.map(|contents| transmit(addresses, contents)));
        }
        self.timers
            .set(Timer::Binding(addresses), kept.what.poll_timeout());
        changed
    }

    /// Asks for a relay, from the socket that leads to the server.
    fn allocate(&mut self, now: Instant, turn: &TurnServer, server: ServerAddress) {
        let same_family = |socket: &&Socket| socket.address.is_ipv4() == server.address.is_ipv4();
        let via = self
            .sockets
            .iter()
            .filter(same_family)
            .find(|socket| Some(socket.address.ip()) == server.via);
        let locals: Vec<_> = match via {
            Some(socket) => vec![socket.address],
            None => self
                .sockets
                .iter()
                .filter(same_family)
                .map(|socket| socket.address)
                .take(RELAYS_PER_SERVER)
                .collect(),
        };
        for local in locals {
            let addresses = (local, server.address);
            let kept = self
                .allocations
                .entry(addresses)
                .or_insert_with(|| Kept::new(now, Allocation::new(now, turn, server.address)));
            kept.is_wanted(now, &turn.server);
            kept.what.use_account(now, turn);
            self.flush_allocation(addresses);
        }
    }

    pub(super) fn flush_allocation(&mut self, addresses: Addresses) {
        let Some(kept) = self.allocations.get_mut(&addresses) else {
            return;
        };
        while let Some(contents) = kept.what.poll_transmit() {
            self.transmits.push_back(transmit(addresses, contents));
        }
        self.timers
            .set(Timer::Allocation(addresses), kept.what.poll_timeout());
    }

    /// Tells a peer's agent which candidates there are, and the caller when they are complete.
    pub(super) fn tell_candidates(&mut self, now: Instant, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let candidates = self.candidates_for(peer);
        let complete = peer
            .gathering()
            .is_some_and(|until| until <= now || self.is_complete(peer));
        self.with_peer(now, id, |peer, actions| {
            peer.set_locals(now, candidates, actions);
            if complete {
                peer.gathered(actions);
            }
        });
        self.permit(now, id);
    }

    fn candidates_for(&self, peer: &Peer) -> Vec<Candidate> {
        let relay_only = peer.settings().relay_only;
        let mut candidates = Vec::new();
        let interface = |address: SocketAddr| {
            self.sockets
                .iter()
                .find(|socket| socket.address == address)
                .map(|socket| socket.interface.clone())
                .unwrap_or_default()
        };
        let candidate =
            |kind, address: SocketAddr, base: SocketAddr, server: Option<SocketAddr>| Candidate {
                kind,
                address,
                base: Some(base),
                priority: 0,
                foundation: foundation(kind, base, server),
                interface: interface(base),
            };
        if !relay_only {
            for socket in &self.sockets {
                candidates.push(candidate(
                    CandidateKind::Host,
                    socket.address,
                    socket.address,
                    None,
                ));
            }
        }
        // In the order of the file, so that the first server comes first.
        let seen = |local: SocketAddr, mapped: SocketAddr, server| {
            let usable = unusable(mapped, self.settings.loopback).is_none()
                && mapped.is_ipv4() == local.is_ipv4();
            (usable && !relay_only)
                .then(|| candidate(CandidateKind::ServerReflexive, mapped, local, Some(server)))
        };
        let add = |candidates: &mut Vec<Candidate>, found: Option<Candidate>| {
            if let Some(found) = found
                && !candidates
                    .iter()
                    .any(|known| (known.address, known.base) == (found.address, found.base))
            {
                candidates.push(found);
            }
        };
        for server in &peer.settings().stun {
            for (local, address) in sorted_for(&self.bindings, std::iter::once(server)) {
                let Some(binding) = self.bindings.get(&(local, address)).map(|kept| &kept.what)
                else {
                    continue;
                };
                add(
                    &mut candidates,
                    binding
                        .mapped()
                        .and_then(|mapped| seen(local, mapped, address)),
                );
            }
        }
        for turn in &peer.settings().turn {
            for (local, address) in sorted_for(&self.allocations, std::iter::once(&turn.server)) {
                let Some(allocation) = self
                    .allocations
                    .get(&(local, address))
                    .map(|kept| &kept.what)
                else {
                    continue;
                };
                add(
                    &mut candidates,
                    allocation
                        .mapped()
                        .and_then(|mapped| seen(local, mapped, address)),
                );
                add(
                    &mut candidates,
                    allocation
                        .relayed()
                        .filter(|relayed| unusable(*relayed, self.settings.loopback).is_none())
                        .map(|relayed| {
                            candidate(CandidateKind::Relayed, relayed, local, Some(address))
                        }),
                );
            }
        }
        candidates
    }

    /// Whether nothing more is to be expected of the peer's servers.
    fn is_complete(&self, peer: &Peer) -> bool {
        let names_known = peer
            .servers()
            .iter()
            .all(|server| self.names.get(*server).is_some_and(|name| !name.asked));
        let stun = &peer.settings().stun;
        let turn = &peer.settings().turn;
        !self.sockets.is_empty()
            && names_known
            && (peer.settings().relay_only
                || self
                    .bindings
                    .values()
                    .filter(|binding| binding.is_one_of(stun.iter()))
                    .all(|binding| binding.what.is_concluded()))
            && self
                .allocations
                .values()
                .filter(|allocation| allocation.is_one_of(servers(turn)))
                .all(|allocation| allocation.what.is_concluded())
    }

    /// Lets relays pass what comes from a peer.
    pub(super) fn permit(&mut self, now: Instant, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let relays = sorted_for(&self.allocations, servers(&peer.settings().turn));
        let remotes: Vec<_> = peer
            .remotes()
            .iter()
            .map(|remote| remote.address.ip())
            .collect();
        for addresses in relays {
            if let Some(allocation) = self.allocations.get_mut(&addresses) {
                for remote in &remotes {
                    allocation.what.permit(now, *remote);
                }
            }
            self.flush_allocation(addresses);
        }
    }

    /// Takes a message of a server. False when it is none.
    pub(super) fn handle_server(
        &mut self,
        now: Instant,
        addresses: Addresses,
        message: &Message<'_>,
        datagram: &[u8],
    ) -> bool {
        if let Some(kept) = self.bindings.get_mut(&addresses)
            && let Some(changed) = kept.what.handle(now, message)
        {
            self.timers
                .set(Timer::Binding(addresses), kept.what.poll_timeout());
            self.server_answered(now, &addresses, changed);
            return true;
        }
        let Some(kept) = self.allocations.get_mut(&addresses) else {
            return false;
        };
        if message.class == Class::Indication {
            self.relayed(now, addresses, datagram);
            return true;
        }
        let Some(changed) = kept.what.handle(now, message) else {
            return false;
        };
        self.allocation_changed(now, addresses, changed);
        true
    }

    pub(super) fn allocation_changed(&mut self, now: Instant, addresses: Addresses, changed: bool) {
        if changed {
            self.relays.retain(|_, owner| *owner != addresses);
            // What goes out of a socket of ours shall not go through a relay because that says that it has its address.
            if let Some(relayed) = self
                .allocations
                .get(&addresses)
                .and_then(|kept| kept.what.relayed())
                .filter(|relayed| !self.has_address(*relayed))
            {
                self.relays.insert(relayed, addresses);
            }
        }
        self.flush_allocation(addresses);
        self.server_answered(now, &addresses, changed);
    }

    /// Candidates have changed, or are complete now.
    pub(super) fn server_answered(&mut self, now: Instant, (_, server): &Addresses, changed: bool) {
        let concerned: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| changed || peer.gathering().is_some())
            .filter(|(_, peer)| {
                peer.servers().iter().any(|name| {
                    self.names.get(*name).is_some_and(|name| {
                        name.addresses.iter().any(|known| known.address == *server)
                    })
                })
            })
            .map(|(id, _)| *id)
            .collect();
        for id in concerned {
            self.tell_candidates(now, id);
        }
    }

    /// A link is lost. To be found again, it needs to know how the world sees it now, and whether its relays still are.
    pub(super) fn check_servers(&mut self, now: Instant, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let settings = peer.settings();
        let bindings = sorted_for(&self.bindings, settings.stun.iter());
        let relays = sorted_for(&self.allocations, servers(&settings.turn));
        for addresses in bindings {
            if let Some(kept) = self.bindings.get_mut(&addresses) {
                kept.what.set_wanted(now, true);
            }
            self.run_binding(now, addresses);
        }
        for addresses in relays {
            if let Some(kept) = self.allocations.get_mut(&addresses) {
                kept.what.verify(now);
            }
            self.flush_allocation(addresses);
        }
    }

    pub(super) fn server_problems(&self, peer: &Peer) -> Vec<Reason> {
        let mut problems = Vec::new();
        let complete = peer.gathering().is_none();
        for server in peer.servers() {
            if let Some(why) = self.names.get(server).and_then(|name| name.problem.clone()) {
                let server = server.to_owned();
                problems.push(Reason::UnknownServer { server, why });
            }
        }
        // One socket of several that works is enough: others may lead to networks without a way to the server.
        let stun = &peer.settings().stun;
        for server in stun.iter().filter(|_| !peer.settings().relay_only) {
            let found: Vec<_> = self
                .bindings
                .values()
                .filter(|binding| binding.names.contains(server))
                .map(|binding| &binding.what)
                .collect();
            if found.iter().all(|binding| binding.mapped().is_none()) {
                problems.extend(found.first().and_then(|binding| {
                    let overdue = complete.then(|| binding.overdue()).flatten();
                    binding.problem().cloned().or(overdue)
                }));
            }
        }
        for server in &peer.settings().turn {
            let found: Vec<_> = self
                .allocations
                .values()
                .filter(|allocation| allocation.names.contains(&server.server))
                .map(|allocation| &allocation.what)
                .collect();
            if found
                .iter()
                .all(|allocation| allocation.relayed().is_none())
            {
                problems.extend(found.first().and_then(|allocation| {
                    let overdue = complete.then(|| allocation.overdue()).flatten();
                    allocation.problem().cloned().or(overdue)
                }));
            }
        }
        problems
    }

    /// Gives up what no peer has needed for a while.
    pub(super) fn drop_unused(&mut self, now: Instant) {
        for peer in self.peers.values() {
            for kept in self.bindings.values_mut() {
                if kept.is_one_of(peer.settings().stun.iter()) {
                    kept.last_used = now;
                }
            }
            for kept in self.allocations.values_mut() {
                if kept.is_one_of(servers(&peer.settings().turn)) {
                    kept.last_used = now;
                }
            }
        }
        let unused = |last_used: Instant| now.duration_since(last_used) >= UNUSED;
        let allocations: Vec<_> = self
            .allocations
            .iter()
            .filter(|(_, kept)| unused(kept.last_used))
            .map(|(addresses, _)| *addresses)
            .collect();
        for addresses in allocations {
            if let Some(kept) = self.allocations.get_mut(&addresses) {
                kept.what.release(now);
            }
            self.flush_allocation(addresses);
            self.allocations.remove(&addresses);
            self.relays.retain(|_, owner| *owner != addresses);
            self.timers.set(Timer::Allocation(addresses), None);
        }
        self.bindings.retain(|addresses, kept| {
            let kept = !unused(kept.last_used);
            if !kept {
                self.timers.set(Timer::Binding(*addresses), None);
            }
            kept
        });
        let used: HashSet<_> = self
            .peers
            .values()
            .flat_map(|peer| peer.servers())
            .collect();
        self.names
            .retain(|name, known| known.asked || used.contains(name.as_str()));
        for kept in self.bindings.values_mut() {
            kept.names.retain(|name| used.contains(name.as_str()));
        }
        for kept in self.allocations.values_mut() {
            kept.names.retain(|name| used.contains(name.as_str()));
        }
        let rest =
            !self.peers.is_empty() || !self.allocations.is_empty() || !self.bindings.is_empty();
        self.timers.set(Timer::Unused, rest.then_some(now + UNUSED));
    }
}

/// The sockets and servers for which something is kept, in an order that does not change.
fn sorted_for<'a, What>(
    kept: &HashMap<Addresses, Kept<What>>,
    names: impl Iterator<Item = &'a String> + Clone,
) -> Vec<Addresses> {
    let mut found: Vec<_> = kept
        .iter()
        .filter(|(_, kept)| kept.is_one_of(names.clone()))
        .map(|(addresses, _)| *addresses)
        .collect();
    found.sort();
    found
}

/// The same for candidates of one kind, base and server (RFC 8445, section 5.1.1.3).
fn foundation(kind: CandidateKind, base: SocketAddr, server: Option<SocketAddr>) -> String {
    let server = server.map(|server| server.ip());
    checksum(format!("{kind} {} {server:?}", base.ip()).as_bytes()).to_string()
}

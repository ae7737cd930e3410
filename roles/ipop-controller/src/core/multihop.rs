//! Peers of peers, over IPv6: they are looked for through those with whom there are links, and frames for them go the
//! way that was found.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use kozo_ipop::address::PREFIX;
use kozo_ipop::icc::{Datagram, MAX_HOPS, Message, Routed};

use super::Controller;
use super::frame::{Frame, readdressed};

/// How many ways are known, and looked for, at most.
pub(super) const MAX_WAYS: usize = 1024;

/// What the options say.
#[derive(Debug, Clone)]
pub(crate) struct MultihopSettings {
    /// How many links there are at most.
    pub(crate) links: usize,
    /// Over how many links a peer is looked for at first.
    pub(crate) hops: i64,
    /// Over how many at most.
    pub(crate) max_hops: i64,
    /// How long an answer is waited for.
    pub(crate) wait: Duration,
}

/// The ways to peers of peers.
#[derive(Debug, Default)]
pub(super) struct Multihop {
    /// From here to one who has a link with the peer, both included.
    ways: BTreeMap<Ipv6Addr, Vec<Ipv6Addr>>,
    lookups: BTreeMap<Ipv6Addr, Lookup>,
}

#[derive(Debug)]
struct Lookup {
    hops: i64,
    until: Duration,
}

impl Multihop {
    /// When an answer is no longer waited for.
    pub(super) fn due(&self) -> Option<Duration> {
        self.lookups.values().map(|lookup| lookup.until).min()
    }
}

impl Controller {
    fn own6(&self) -> Ipv6Addr {
        self.uid().ip6()
    }

    fn is_linked(&self, node: Ipv6Addr) -> bool {
        self.links.online().any(|(uid, _)| uid.ip6() == node)
    }

    fn linked_nodes(&self) -> Vec<Ipv6Addr> {
        self.links.online().map(|(uid, _)| uid.ip6()).collect()
    }

    /// Sends to a node that somebody else has named, if there is a link with it: a way could have any address on it,
    /// also of machines outside of the overlay.
    fn tell_linked(&mut self, to: Ipv6Addr, datagram: Datagram) -> bool {
        let is_linked = self.is_linked(to);
        if is_linked {
            self.tell(to, datagram);
        }
        is_linked
    }

    /// Sends a frame to a peer's peer, or looks for it. Whether it can be one.
    pub(super) fn send_far(&mut self, to: Ipv6Addr, frame: &[u8], now: Duration) -> bool {
        let Some(settings) = self.settings.multihop.clone() else {
            return false;
        };
        if to.octets()[..8] != PREFIX || to == self.own6() {
            return false;
        }
        if let Some(way) = self.multihop.ways.get(&to) {
            let next = way.get(1).copied();
            let hops = [way, &[to][..]].concat();
            match next {
                Some(next) if self.is_linked(next) => {
                    let frame = frame.to_vec();
                    self.tell(
                        next,
                        Datagram::Routed(Routed {
                            index: 1,
                            hops,
                            frame,
                        }),
                    );
                    return true;
                }
                _ => self.multihop.ways.remove(&to),
            };
        }
        self.look_for_node(to, settings.hops, now + settings.wait);
        true
    }

    fn look_for_node(&mut self, target: Ipv6Addr, hops: i64, until: Duration) {
        let lookups = &mut self.multihop.lookups;
        if lookups.contains_key(&target) {
            return;
        }
        if lookups.len() >= MAX_WAYS {
            self.counts.packets += 1;
            return;
        }
        lookups.insert(target, Lookup { hops, until });
        self.flood(target, &[self.own6()], hops);
    }

    /// Asks all who are on no way yet.
    fn flood(&mut self, target: Ipv6Addr, via: &[Ipv6Addr], ttl: i64) {
        // One more is the peer itself, when a frame goes there.
        if via.len() + 2 > MAX_HOPS {
            return;
        }
        for node in self.linked_nodes() {
            if !via.contains(&node) {
                let via = [via, &[node]].concat();
                self.tell(
                    node,
                    Datagram::Message(Message::LookupRequest { target, via, ttl }),
                );
            }
        }
    }

    /// Looks farther for those who were not found in time.
    pub(super) fn look_again(&mut self, now: Duration) {
        let Some(settings) = self.settings.multihop.clone() else {
            return;
        };
        let lookups = std::mem::take(&mut self.multihop.lookups);
        for (target, lookup) in lookups {
            if now < lookup.until {
                self.multihop.lookups.insert(target, lookup);
            } else if lookup.hops < settings.max_hops {
                let hops = (lookup.hops * 2).min(settings.max_hops);
                self.look_for_node(target, hops, now + settings.wait);
            }
        }
    }

    /// A controller looks for a node: it is ours, or is looked for farther on.
    pub(super) fn lookup_asked(
        &mut self,
        from: Ipv6Addr,
        target: Ipv6Addr,
        via: Vec<Ipv6Addr>,
        ttl: i64,
    ) -> bool {
        let own = self.own6();
        let [before @ .., last] = &via[..] else {
            return false;
        };
        // It ends with us, and came from whom it says.
        if self.settings.multihop.is_none() || *last != own || before.last() != Some(&from) {
            return false;
        }
        if before.contains(&own) {
            // It went round in a circle.
            return true;
        }
        if self.is_linked(target) {
            let index = -2;
            self.tell(
                from,
                Datagram::Message(Message::LookupReply { target, via, index }),
            );
        } else if ttl > 1 {
            self.flood(target, &via, ttl - 1);
        }
        true
    }

    /// A node was found: by us, or by one before us on the way.
    pub(super) fn lookup_told(&mut self, target: Ipv6Addr, via: Vec<Ipv6Addr>, index: i64) -> bool {
        let Some(place) = i64::try_from(via.len())
            .ok()
            .and_then(|len| usize::try_from(len.checked_add(index)?).ok())
        else {
            return false;
        };
        if self.settings.multihop.is_none() || via.get(place) != Some(&self.own6()) {
            return false;
        }
        match place.checked_sub(1).map(|before| via[before]) {
            Some(before) => {
                let index = index - 1;
                let reply = Message::LookupReply { target, via, index };
                return self.tell_linked(before, Datagram::Message(reply));
            }
            None => {
                // Nobody asked, or a shorter way was found before.
                if self.multihop.lookups.remove(&target).is_none() {
                    return self.multihop.ways.contains_key(&target);
                }
                if self.multihop.ways.len() >= MAX_WAYS {
                    self.multihop.ways.pop_first();
                }
                self.multihop.ways.insert(target, via);
            }
        }
        true
    }

    /// A frame could not go on.
    pub(super) fn route_failed(&mut self, via: &[Ipv6Addr], index: i64) -> bool {
        let Some(place) = usize::try_from(index)
            .ok()
            .filter(|place| via.get(*place) == Some(&self.own6()))
        else {
            return false;
        };
        match (place.checked_sub(1), via.last()) {
            (Some(before), _) => {
                let message = Message::RouteError {
                    via: via.to_vec(),
                    index: index - 1,
                };
                return self.tell_linked(via[before], Datagram::Message(message));
            }
            (None, Some(target)) => {
                self.multihop.ways.remove(target);
            }
            (None, None) => return false,
        }
        true
    }

    /// A frame that goes a way.
    pub(super) fn routed(&mut self, routed: Routed) -> bool {
        let Routed { index, hops, frame } = routed;
        if self.settings.multihop.is_none() || hops.get(index) != Some(&self.own6()) {
            return false;
        }
        let Some(next) = hops.get(index + 1).copied() else {
            // Only what is for this node: the kernel might pass on the rest, into the networks around it.
            let is_ours = Frame::read(&frame) == Frame::Ipv6(self.own6());
            return is_ours && self.inject_own(&frame);
        };
        if self.is_linked(next) {
            let index = index + 1;
            self.tell(next, Datagram::Routed(Routed { index, hops, frame }));
            return true;
        }
        // The way ends here: those before are told so.
        if let Some(before) = index.checked_sub(1) {
            let to = hops[before];
            let index = i64::try_from(before).unwrap_or_default();
            let error = Message::RouteError { via: hops, index };
            return self.tell_linked(to, Datagram::Message(error));
        }
        true
    }

    /// A frame of one who names no way: for us, or for one with whom there is a link.
    pub(super) fn near_frame(&mut self, frame: &[u8]) -> bool {
        let Frame::Ipv6(to) = Frame::read(frame) else {
            return false;
        };
        if self.settings.multihop.is_none() {
            return false;
        }
        if to == self.own6() {
            return self.inject_own(frame);
        }
        let is_linked = self.is_linked(to);
        if is_linked {
            self.tell(to, Datagram::Frame(frame.to_vec()));
        }
        is_linked
    }

    fn inject_own(&mut self, frame: &[u8]) -> bool {
        let Some(mac) = self.own_mac() else {
            return false;
        };
        self.inject(readdressed(frame, mac, None));
        true
    }
}

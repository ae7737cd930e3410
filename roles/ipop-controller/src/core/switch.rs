//! Switch mode: hosts behind the nodes reach each other, since controllers tell each other who is behind whom.
//!
//! A host's question (ARP) goes to all controllers; the one behind which the answer comes from says so, and gets the
//! frames from then on.
//!
//! All hosts that are elsewhere have one MAC address here, which is not that of the network device: a bridge of which the
//! device is a port takes what is sent to that for itself, and sends on what is for others.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use kozo_ipop::icc::{Datagram, Message};

use super::Controller;
use super::frame::{Arp, BROADCAST, Frame, Mac, readdressed};

/// How many hosts are known at most, and asked for at a time.
pub(super) const MAX_HOSTS: usize = 4096;

/// How long it is known where a host is, if nothing says so again.
pub(super) const LIFETIME: Duration = Duration::from_secs(300);

/// How long an address is not asked for again.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Where hosts are.
#[derive(Debug, Default)]
pub(super) struct Switch {
    hosts: BTreeMap<Ipv4Addr, (Place, Duration)>,
    asked: BTreeMap<Ipv4Addr, Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind our own device.
    Here(Mac),
    /// Behind this node.
    There(Ipv6Addr),
}

impl Switch {
    fn place(&self, host: Ipv4Addr, now: Duration) -> Option<Place> {
        let (place, at) = self.hosts.get(&host)?;
        (now.saturating_sub(*at) < LIFETIME).then_some(*place)
    }

    /// Notes where a host is. False if there are too many.
    fn learn(&mut self, host: Ipv4Addr, place: Place, now: Duration) -> bool {
        if self.hosts.len() >= MAX_HOSTS {
            self.hosts
                .retain(|_, (_, at)| now.saturating_sub(*at) < LIFETIME);
        }
        if self.hosts.len() >= MAX_HOSTS && !self.hosts.contains_key(&host) {
            return false;
        }
        self.hosts.insert(host, (place, now));
        true
    }

    /// Whether a host may be asked for now.
    fn may_ask(&mut self, host: Ipv4Addr, now: Duration) -> bool {
        self.asked.retain(|_, at| now.saturating_sub(*at) < PAUSE);
        let may = self.asked.len() < MAX_HOSTS && !self.asked.contains_key(&host);
        if may {
            self.asked.insert(host, now);
        }
        may
    }
}

impl Controller {
    /// The MAC address of whoever is elsewhere.
    fn gate(&self) -> Option<Mac> {
        let mut mac = self.own_mac()?;
        // One that nobody was given, and that is of one host.
        mac[0] = (mac[0] | 0b10) & !0b1;
        mac[5] = !mac[5];
        Some(mac)
    }

    /// ARP of a host behind our device. Whether it was of use.
    pub(super) fn switch_arp(&mut self, arp: &Arp, now: Duration) -> bool {
        let Some(mac) = self.gate() else {
            return false;
        };
        if arp.is_reply {
            // It is there: all shall know.
            let host = arp.sender.1;
            if !self.switch.learn(host, Place::Here(arp.sender.0), now) {
                return false;
            }
            self.tell_all_linked(&self.is_here(host));
            return true;
        }
        let target = arp.target.1;
        let is_peer = self
            .links
            .online()
            .any(|(_, peer)| peer.state.ip4.as_deref() == Some(&target.to_string()));
        match self.switch.place(target, now) {
            // It answers for itself.
            Some(Place::Here(_)) => {}
            _ if is_peer => self.answer_arp(arp, mac),
            Some(Place::There(_)) => self.answer_arp(arp, mac),
            None => self.look_for(target, now),
        }
        true
    }

    fn answer_arp(&mut self, arp: &Arp, mac: Mac) {
        let answer = Arp {
            is_reply: true,
            sender: (mac, arp.target.1),
            target: arp.sender,
        };
        self.inject(answer.write(arp.sender.0));
    }

    fn look_for(&mut self, target: Ipv4Addr, now: Duration) {
        if self.switch.may_ask(target, now) {
            self.tell_all_linked(&Datagram::Message(Message::ArpRequest { target }));
        }
    }

    fn tell_all_linked(&mut self, datagram: &Datagram) {
        let linked: Vec<_> = self.links.online().map(|(uid, _)| uid.ip6()).collect();
        for to in linked {
            self.tell(to, datagram.clone());
        }
    }

    fn is_here(&self, target: Ipv4Addr) -> Datagram {
        let uid = self.uid();
        Datagram::Message(Message::ArpReply {
            target,
            uid: uid.to_string(),
            ip6: Some(uid.ip6()),
        })
    }

    /// A frame of a host behind our device that tincan does not know the way of.
    pub(super) fn switch_packet(&mut self, to: Ipv4Addr, frame: &[u8], now: Duration) -> bool {
        match self.switch.place(to, now) {
            Some(Place::There(node)) => self.tell(node, Datagram::Frame(frame.to_vec())),
            // It is not, or it would have the frame: that host has moved.
            Some(Place::Here(_)) => {
                self.switch.hosts.remove(&to);
                return false;
            }
            None => self.look_for(to, now),
        }
        true
    }

    /// Another controller looks for a host.
    pub(super) fn switch_asked(&mut self, from: Ipv6Addr, target: Ipv4Addr, now: Duration) -> bool {
        let Some(mac) = self.gate().filter(|_| self.settings.switch) else {
            return false;
        };
        if target == self.ip4() {
            self.tell(from, self.is_here(target));
        } else if self.switch.may_ask(target, now) {
            self.ask_hosts(target, mac);
        }
        true
    }

    fn ask_hosts(&mut self, target: Ipv4Addr, mac: Mac) {
        let question = Arp {
            is_reply: false,
            sender: (mac, self.ip4()),
            target: (Mac::default(), target),
        };
        self.inject(question.write(BROADCAST));
    }

    /// Another controller has found a host.
    pub(super) fn switch_told(&mut self, from: Ipv6Addr, target: Ipv4Addr, now: Duration) -> bool {
        let Some(mac) = self.gate().filter(|_| self.settings.switch) else {
            return false;
        };
        if target == self.ip4() || !self.switch.learn(target, Place::There(from), now) {
            return false;
        }
        // Whoever waits for the answer gets it: our device is the way there.
        let answer = Arp {
            is_reply: true,
            sender: (mac, target),
            target: (BROADCAST, target),
        };
        self.inject(answer.write(BROADCAST));
        true
    }

    /// A frame for a host behind our device.
    pub(super) fn switch_frame(&mut self, frame: &[u8], now: Duration) -> bool {
        let (Some(gate), Some(own), Frame::Ipv4(to)) =
            (self.gate(), self.own_mac(), Frame::read(frame))
        else {
            return false;
        };
        if !self.settings.switch {
            return false;
        }
        match self.switch.place(to, now) {
            Some(Place::Here(host)) => self.inject(readdressed(frame, host, Some(gate))),
            _ if to == self.ip4() => self.inject(readdressed(frame, own, Some(gate))),
            // The frame is lost; the next one finds its way.
            _ => {
                if self.switch.may_ask(to, now) {
                    self.ask_hosts(to, gate);
                }
                return false;
            }
        }
        true
    }
}

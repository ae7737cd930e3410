//! Frames between the network device and the links: whose one is, what is answered here, and what is changed on
//! arrival.
//!
//! ```text
//!  kernel ──▶ TAP ──▶ outgoing ──▶ answered here (ARP, neighbour discovery)
//!                        ├──▶ one peer, or a copy for each (multicast, broadcast)
//!                        └──▶ the controller (nobody known)
//!  link ──▶ header ──▶ incoming: whose? ──▶ translation ──▶ MAC ──▶ TAP ──▶ kernel
//! ```
//! All of it is pure. Nothing that a peer sent is believed: not the header, no length, no address.

mod checksum;
mod neighbours;
mod packet;
#[cfg(test)]
mod tests;
mod translation;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kozo_ipop::Uid;

pub(crate) use packet::ETHERNET_HEADER;
use packet::{Frame, Layer3};

/// What stands before each frame on a link: the uid of who sent it, and of whom it is for.
pub(crate) const HEADER: usize = 2 * Uid::LEN;

/// The longest frame that is taken from a link or a controller: an Ethernet header, a VLAN tag, and a packet of
/// the usual Ethernet. The device itself sends none that is longer than its MTU.
pub(crate) const MAX_FRAME: usize = ETHERNET_HEADER + 4 + 1500;

/// The MTU of the device: what fits through a link with all that is put around it.
pub(crate) const MTU: u16 = 1280;

/// The hardware address that stands for every address of the overlay, as the kernel is told: frames get the
/// receiver's own on arrival.
pub(crate) const OVERLAY_MAC: Mac = [0xfe, 0xfd, 0x00, 0x00, 0x00, 0x01];

/// A hardware address.
pub(crate) type Mac = [u8; 6];

/// What this node is in the overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) uid: Uid,
    pub(crate) ip4: Ipv4Addr,
    pub(crate) ip6: Ipv6Addr,
    /// How many leading bits of an IPv4 address tell whose it is: 32, but for nodes that are routers for others.
    pub(crate) subnet_bits: u8,
    /// The hardware address of the device.
    pub(crate) mac: Mac,
}

/// What is known of the overlay: this node, and who has which addresses.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    own: Option<Own>,
    by_ip4: HashMap<Ipv4Addr, Uid>,
    by_ip6: HashMap<Ipv6Addr, Uid>,
    /// Whether the device is part of a switch: frames of other machines come through it, too.
    pub(crate) switch: bool,
    /// Whether each node has addresses of its own for all others.
    pub(crate) translate: bool,
}

/// What becomes of a frame that the kernel has sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// This frame is the answer, for the kernel.
    Answer(Vec<u8>),
    /// It is for this peer.
    Peer(Uid),
    /// It is for all of them.
    All,
    /// Nobody is known for it: the controller may know.
    Nobody,
    /// It is nothing for the overlay.
    Ignore,
}

/// Why a frame from a link is not handed to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Refusal {
    /// It is no frame, or longer than one may be.
    Malformed,
    /// Its header names somebody else than whom the link leads to.
    ForeignSource,
    /// Its header names somebody else than this node.
    NotForThisNode,
    /// It comes from an address that another node has.
    ForeignAddress,
    /// It goes to an address that is not this node's: the kernel might pass it on, into the networks around it.
    ForeignTarget,
    /// It would change what the kernel knows of its neighbours and routers.
    Neighbours,
    /// The peer has no address yet that could stand in it.
    NoAddress,
}

/// Where a frame comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) uid: Uid,
    /// The address that this node has given it.
    pub(crate) ip4: Option<Ipv4Addr>,
}

/// The header of a frame from `source` to `target`; `None` is nobody.
pub(crate) fn header(source: Uid, target: Option<Uid>) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..Uid::LEN].copy_from_slice(source.bytes());
    if let Some(target) = target {
        header[Uid::LEN..].copy_from_slice(target.bytes());
    }
    header
}

impl Overlay {
    /// What this node is; none before it was told.
    pub(crate) fn own(&self) -> Option<&Own> {
        self.own.as_ref()
    }

    pub(crate) fn set_own(&mut self, own: Own) {
        self.own = Some(own);
    }

    /// Adds whose addresses these are. Addresses that another peer has stay with it.
    pub(crate) fn add(&mut self, uid: Uid, ip4: Ipv4Addr, ip6: Ipv6Addr) {
        let key = self.masked(ip4);
        self.by_ip4.entry(key).or_insert(uid);
        self.by_ip6.entry(ip6).or_insert(uid);
    }

    fn masked(&self, ip4: Ipv4Addr) -> Ipv4Addr {
        let bits = self.own.map_or(32, |own| own.subnet_bits);
        let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32)));
        Ipv4Addr::from_bits(ip4.to_bits() & mask.unwrap_or(0))
    }

    fn peer_at(&self, address: IpAddr) -> Option<Uid> {
        match address {
            IpAddr::V4(ip4) => self.by_ip4.get(&self.masked(ip4)).copied(),
            IpAddr::V6(ip6) => self.by_ip6.get(&ip6).copied(),
        }
    }

    /// Says what becomes of a frame that the kernel has sent.
    pub(crate) fn outgoing(&self, frame: &[u8]) -> Outgoing {
        let (Some(own), Some(frame)) = (&self.own, Frame::read(frame)) else {
            return Outgoing::Ignore;
        };
        match frame.layer3 {
            Layer3::Arp(arp) if self.switch => match arp.is_about_itself() {
                true => Outgoing::Ignore,
                false => Outgoing::Nobody,
            },
            Layer3::Arp(arp) => match neighbours::answer_arp(&frame, &arp, own) {
                Some(answer) => Outgoing::Answer(answer),
                None => Outgoing::Ignore,
            },
            Layer3::Ipv4(packet) => self.outgoing_to(IpAddr::V4(packet.target)),
            Layer3::Ipv6(packet) => match neighbours::answer_neighbour(&frame, &packet, own) {
                neighbours::Question::Answered(answer) => Outgoing::Answer(answer),
                neighbours::Question::Silent => Outgoing::Ignore,
                neighbours::Question::None => self.outgoing_to(IpAddr::V6(packet.target)),
            },
            Layer3::Other => Outgoing::Nobody,
        }
    }

    fn outgoing_to(&self, target: IpAddr) -> Outgoing {
        match self.peer_at(target) {
            Some(uid) => Outgoing::Peer(uid),
            None if is_for_all(target) => Outgoing::All,
            None => Outgoing::Nobody,
        }
    }

    /// Checks what came through the link of `sender`, and makes of it the frame that the kernel gets.
    pub(crate) fn incoming<'a>(
        &self,
        data: &'a mut [u8],
        sender: Sender,
    ) -> Result<&'a [u8], Refusal> {
        let own = self.own.ok_or(Refusal::NotForThisNode)?;
        let (header, frame) = data
            .split_at_mut_checked(HEADER)
            .ok_or(Refusal::Malformed)?;
        let (source, target) = header.split_at(Uid::LEN);
        if source != sender.uid.bytes() {
            return Err(Refusal::ForeignSource);
        }
        if target != own.uid.bytes() {
            return Err(Refusal::NotForThisNode);
        }
        if frame.len() > MAX_FRAME {
            return Err(Refusal::Malformed);
        }
        let read = Frame::read(frame).ok_or(Refusal::Malformed)?;
        match read.layer3 {
            // The kernel is told here who its neighbours are: whoever else told it could take an address over.
            Layer3::Arp(_) if !self.switch => return Err(Refusal::Neighbours),
            Layer3::Ipv6(packet) if packet.is_about_neighbours() && !self.switch => {
                return Err(Refusal::Neighbours);
            }
            // A node that advertised itself as a router, or redirected, would change routes, also on a switch.
            Layer3::Ipv6(packet) if packet.is_about_routes() => return Err(Refusal::Neighbours),
            Layer3::Ipv4(packet) if !self.translate => {
                self.check_source(IpAddr::V4(packet.source), &own, sender)?;
                self.check_target(IpAddr::V4(packet.target), &own)?;
            }
            Layer3::Ipv6(packet) => {
                self.check_source(IpAddr::V6(packet.source), &own, sender)?;
                self.check_target(IpAddr::V6(packet.target), &own)?;
            }
            _ => {}
        }
        let is_for_kernel = match read.layer3 {
            Layer3::Ipv4(packet) => packet.target == own.ip4 || self.translate,
            Layer3::Ipv6(packet) => packet.target == own.ip6,
            _ => false,
        };
        let is_ipv4 = matches!(read.layer3, Layer3::Ipv4(_));
        if self.translate && is_ipv4 {
            let source = sender.ip4.ok_or(Refusal::NoAddress)?;
            translation::translate(&mut frame[ETHERNET_HEADER..], source, own.ip4);
        }
        // What is for a machine behind a switch has its hardware address already.
        if !self.switch || is_for_kernel {
            frame[..6].copy_from_slice(&own.mac);
        }
        Ok(frame)
    }

    /// Only this node's own addresses, those of a network that it is the router for, and those of all are taken; on a
    /// switch, also those of the machines behind it.
    fn check_target(&self, target: IpAddr, own: &Own) -> Result<(), Refusal> {
        let is_taken = self.switch
            || target.is_multicast()
            || match target {
                IpAddr::V4(ip4) => is_for_all(target) || self.masked(ip4) == self.masked(own.ip4),
                IpAddr::V6(ip6) => ip6 == own.ip6,
            };
        is_taken.then_some(()).ok_or(Refusal::ForeignTarget)
    }

    /// An address that this node knows for another's cannot come from this one.
    fn check_source(&self, source: IpAddr, own: &Own, sender: Sender) -> Result<(), Refusal> {
        let is_own = match source {
            IpAddr::V4(source) => source == own.ip4,
            IpAddr::V6(source) => source == own.ip6,
        };
        match self.peer_at(source) {
            _ if is_own => Err(Refusal::ForeignAddress),
            Some(uid) if uid != sender.uid => Err(Refusal::ForeignAddress),
            _ => Ok(()),
        }
    }
}

/// Whether packets for this address go to all peers: multicast (of IPv6 in the scopes of sites, organisations and
/// the world), and broadcasts of networks.
fn is_for_all(target: IpAddr) -> bool {
    match target {
        IpAddr::V4(ip4) => ip4.is_multicast() || ip4.octets()[3] == 255,
        IpAddr::V6(ip6) => {
            let [first, second, ..] = ip6.octets();
            first == 0xff && matches!(second & 0x0f, 5 | 8 | 0xe)
        }
    }
}

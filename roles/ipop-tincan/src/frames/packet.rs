//! What a frame says of itself, read without believing a length in it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Mac;

/// How long the header of Ethernet is: two hardware addresses and the kind of what follows.
pub(crate) const ETHERNET_HEADER: usize = 14;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// ICMP for IPv6, as the number of a protocol.
pub(super) const ICMPV6: u8 = 58;
const HOP_BY_HOP: u8 = 0;
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
pub(super) const NEIGHBOUR_SOLICITATION: u8 = 135;
pub(super) const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;

/// An Ethernet frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) source: Mac,
    pub(super) layer3: Layer3<'a>,
}

/// What is in a frame.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layer3<'a> {
    Arp(Arp),
    Ipv4(Ipv4),
    Ipv6(Ipv6<'a>),
    Other,
}

/// A question or an answer of ARP for IPv4 over Ethernet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arp {
    pub(super) is_question: bool,
    pub(super) sender_mac: Mac,
    pub(super) sender: Ipv4Addr,
    pub(super) target: Ipv4Addr,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Ipv4 {
    pub(super) source: Ipv4Addr,
    pub(super) target: Ipv4Addr,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Ipv6<'a> {
    pub(super) source: Ipv6Addr,
    pub(super) target: Ipv6Addr,
    /// What follows the header, and where a hop-by-hop header is skipped, what follows that.
    protocol: u8,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a frame. None where it is shorter than what it has to have.
    pub(super) fn read(frame: &'a [u8]) -> Option<Self> {
        let (_, rest) = frame.split_first_chunk::<6>()?;
        let (source, rest) = rest.split_first_chunk::<6>()?;
        let (kind, payload) = rest.split_first_chunk::<2>()?;
        let layer3 = match u16::from_be_bytes(*kind) {
            ETHERTYPE_IPV4 => Layer3::Ipv4(Ipv4::read(payload)?),
            ETHERTYPE_IPV6 => Layer3::Ipv6(Ipv6::read(payload)?),
            ETHERTYPE_ARP => Layer3::Arp(Arp::read(payload)?),
            _ => Layer3::Other,
        };
        Some(Self {
            source: *source,
            layer3,
        })
    }
}

impl Arp {
    fn read(packet: &[u8]) -> Option<Self> {
        let (head, rest) = packet.split_first_chunk::<6>()?;
        // Ethernet, IPv4, and how long their addresses are.
        if head != &[0, 1, 8, 0, 6, 4] {
            return None;
        }
        let (operation, rest) = rest.split_first_chunk::<2>()?;
        let (sender_mac, rest) = rest.split_first_chunk::<6>()?;
        let (sender, rest) = rest.split_first_chunk::<4>()?;
        let (_, rest) = rest.split_first_chunk::<6>()?;
        let target = rest.first_chunk::<4>()?;
        Some(Self {
            is_question: *operation == [0, 1],
            sender_mac: *sender_mac,
            sender: Ipv4Addr::from(*sender),
            target: Ipv4Addr::from(*target),
        })
    }

    /// Whether somebody tells of its own address, or looks whether another has it.
    pub(super) fn is_about_itself(&self) -> bool {
        self.sender == self.target || self.sender.is_unspecified()
    }
}

impl Ipv4 {
    fn read(packet: &[u8]) -> Option<Self> {
        if packet.first()? >> 4 != 4 {
            return None;
        }
        Some(Self {
            source: Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?),
            target: Ipv4Addr::from(*packet.get(16..)?.first_chunk::<4>()?),
        })
    }
}

impl<'a> Ipv6<'a> {
    fn read(packet: &'a [u8]) -> Option<Self> {
        let (header, mut payload) = packet.split_first_chunk::<40>()?;
        if header[0] >> 4 != 6 {
            return None;
        }
        let mut protocol = header[6];
        // Reports of multicast groups have one.
        if protocol == HOP_BY_HOP {
            let [next, length] = *payload.first_chunk::<2>()?;
            protocol = next;
            payload = payload.get(8 * (1 + usize::from(length))..)?;
        }
        Some(Self {
            source: Ipv6Addr::from(*header[8..].first_chunk::<16>()?),
            target: Ipv6Addr::from(*header[24..].first_chunk::<16>()?),
            protocol,
            payload,
        })
    }

    /// The message of ICMP that it carries: its kind, and all of it.
    pub(super) fn icmp(&self) -> Option<(u8, &'a [u8])> {
        match (self.protocol, self.payload.first()) {
            (ICMPV6, Some(kind)) => Some((*kind, self.payload)),
            _ => None,
        }
    }

    /// Whether it says, or asks, who has which address.
    pub(super) fn is_about_neighbours(&self) -> bool {
        let kind = self.icmp().map(|(kind, _)| kind);
        matches!(kind, Some(NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT))
    }

    /// Whether it says, or asks, which way packets go.
    pub(super) fn is_about_routes(&self) -> bool {
        let kind = self.icmp().map(|(kind, _)| kind);
        matches!(
            kind,
            Some(ROUTER_SOLICITATION | ROUTER_ADVERTISEMENT | REDIRECT)
        )
    }
}

//! Addresses in the overlay, and who has which.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::Uid;

/// What all IPv6 addresses of the overlay begin with: `fd50:0dbc:41f2:4a3c`.
pub const PREFIX: [u8; 8] = [0xfd, 0x50, 0x0d, 0xbc, 0x41, 0xf2, 0x4a, 0x3c];

/// An IPv6 address with all groups and all digits. Controllers compare addresses as texts, in this form.
pub fn full_ip6(address: Ipv6Addr) -> String {
    let groups = address.segments().map(|group| format!("{group:04x}"));
    groups.join(":")
}

/// Who has which address in a GroupVPN: the /16 of one's own address, in which a uid is the SHA-1 of an address.
///
/// ```
/// # use kozo_ipop::{Uid, address::Group};
/// let group = Group::around([172, 31, 0, 100].into()).expect("it is one");
/// let uid = Uid::of_ip4([172, 31, 0, 103].into());
/// assert_eq!(group.ip4(&uid), Some([172, 31, 0, 103].into()));
/// ```
#[derive(Debug, Clone)]
pub struct Group {
    prefix: [u8; 2],
    // By the first four bytes of the uid, which is half a megabyte; whole uids would be two.
    hosts: Vec<(u32, [u8; 2])>,
}

impl Group {
    /// The last two parts of an address are below this.
    pub const MAX_PART: u8 = 255;

    /// The group of which this is an address. None for an address of which one of the last two parts is 255: no
    /// other member would know it.
    pub fn around(own: Ipv4Addr) -> Option<Self> {
        let [first, second, third, fourth] = own.octets();
        if third == Self::MAX_PART || fourth == Self::MAX_PART {
            return None;
        }
        let prefix = [first, second];
        let parts = (0..Self::MAX_PART)
            .flat_map(|third| (0..Self::MAX_PART).map(move |last| [third, last]));
        let mut hosts: Vec<_> = parts
            .map(|host| (start(&Uid::of_ip4(whole(prefix, host))), host))
            .collect();
        hosts.sort_unstable();
        Some(Self { prefix, hosts })
    }

    /// The address of which this uid is the SHA-1; none if it is of no address of the group.
    pub fn ip4(&self, uid: &Uid) -> Option<Ipv4Addr> {
        let start = start(uid);
        let first = self.hosts.partition_point(|(other, _)| *other < start);
        let same = self.hosts[first..]
            .iter()
            .take_while(|(other, _)| *other == start);
        same.map(|(_, host)| whole(self.prefix, *host))
            .find(|address| Uid::of_ip4(*address) == *uid)
    }

    /// Whether an address is in the group's /16.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        address.octets()[..2] == self.prefix
    }
}

fn whole(prefix: [u8; 2], host: [u8; 2]) -> Ipv4Addr {
    Ipv4Addr::new(prefix[0], prefix[1], host[0], host[1])
}

fn start(uid: &Uid) -> u32 {
    let [a, b, c, d, ..] = *uid.bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Who has which address in a SocialVPN, where each node numbers its peers by itself: in the /24 of its own address,
/// from 101 to 254; its own ends, by convention, in 100.
#[derive(Debug, Clone)]
pub struct Social {
    own: Ipv4Addr,
    peers: BTreeMap<Uid, Ipv4Addr>,
}

impl Social {
    /// The first and the last number that is given to a peer.
    pub const NUMBERS: (u8, u8) = (101, 254);

    /// The peers of the node with this address, of which some have one already.
    pub fn new(own: Ipv4Addr, peers: impl IntoIterator<Item = (Uid, Ipv4Addr)>) -> Self {
        let peers = peers.into_iter().collect();
        Self { own, peers }
    }

    /// The address of a peer: the one that it has, or the first that is free, which it keeps. None where none is
    /// free.
    pub fn ip4(&mut self, uid: Uid) -> Option<Ipv4Addr> {
        if let Some(address) = self.peers.get(&uid) {
            return Some(*address);
        }
        let [first, second, third, _] = self.own.octets();
        let (from, to) = Self::NUMBERS;
        let address = (from..=to)
            .map(|number| Ipv4Addr::new(first, second, third, number))
            .find(|address| {
                *address != self.own && !self.peers.values().any(|taken| taken == address)
            })?;
        self.peers.insert(uid, address);
        Some(address)
    }

    /// Who has which address.
    pub fn peers(&self) -> &BTreeMap<Uid, Ipv4Addr> {
        &self.peers
    }
}

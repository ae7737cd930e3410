//! The networks that this machine is in, and whether two of them have addresses in common.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// An address, and how many of its leading bits are those of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) address: IpAddr,
    pub(crate) bits: u8,
}

/// A network of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attached {
    pub(crate) interface: String,
    pub(crate) network: Network,
}

/// All networks of all interfaces of this machine.
pub(crate) fn of_this_machine() -> io::Result<Vec<Attached>> {
    let addresses = getifaddrs()?;
    let attached = addresses.filter_map(|one| {
        let address = ip(&one.address?)?;
        let bits = match one.netmask.as_ref().and_then(ip) {
            Some(IpAddr::V4(mask)) => mask.to_bits().count_ones(),
            Some(IpAddr::V6(mask)) => mask.to_bits().count_ones(),
            None if address.is_ipv4() => Ipv4Addr::BITS,
            None => Ipv6Addr::BITS,
        };
        Some(Attached {
            interface: one.interface_name,
            network: Network {
                address,
                bits: u8::try_from(bits).ok()?,
            },
        })
    });
    Ok(attached.collect())
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

impl Network {
    /// Whether there are addresses in both. Link-local ones do not count, since every interface has them.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let bits = self.bits.min(other.bits);
        match (self.address, other.address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                !other.is_link_local()
                    && same_start(own.to_bits().into(), other.to_bits().into(), 32, bits)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                !other.is_unicast_link_local()
                    && same_start(own.to_bits(), other.to_bits(), 128, bits)
            }
            _ => false,
        }
    }
}

/// Whether the first `bits` of two numbers of `width` bits are the same.
fn same_start(one: u128, other: u128, width: u32, bits: u8) -> bool {
    let rest = width.saturating_sub(bits.into());
    // All bits are the rest of a network that is everything.
    (one ^ other)
        .checked_shr(rest)
        .is_none_or(|start| start == 0)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_overlap_where_one_is_in_the_other() {
        let network = |text: &str| {
            let (address, bits) = text.split_once('/').unwrap();
            Network {
                address: address.parse().unwrap(),
                bits: bits.parse().unwrap(),
            }
        };
        for (one, other, overlap) in [
            ("172.31.0.100/24", "172.31.0.7/24", true),
            ("172.31.0.100/24", "172.16.0.1/12", true),
            ("172.16.0.1/12", "172.31.0.100/24", true),
            ("172.31.0.100/24", "172.31.1.7/24", false),
            ("172.31.0.100/24", "172.31.0.5/32", true),
            ("172.31.0.100/24", "0.0.0.0/0", true),
            ("172.31.0.100/24", "fd50:dbc:41f2:4a3c::1/64", false),
            (
                "fd50:dbc:41f2:4a3c::1/64",
                "fd50:dbc:41f2:4a3c:1::/64",
                true,
            ),
            (
                "fd50:dbc:41f2:4a3c::1/64",
                "fd50:dbc:41f2:4a3d::1/64",
                false,
            ),
            ("fe80::1/64", "fe80::2/64", false),
        ] {
            assert_eq!(
                network(one).overlaps(&network(other)),
                overlap,
                "{one} {other}"
            );
        }
    }

    #[test]
    fn this_machine_has_loopback() {
        let networks = of_this_machine().unwrap();
        let loopback = networks
            .iter()
            .find(|one| one.network.address == Ipv4Addr::LOCALHOST);
        assert_eq!(
            loopback.map(|one| one.network.bits),
            Some(8),
            "{networks:?}"
        );
    }
}

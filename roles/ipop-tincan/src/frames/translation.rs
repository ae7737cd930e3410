//! Translation of IPv4 addresses, for networks in which each node has addresses of its own for all others.
//!
//! Only on arrival: the source becomes what this node calls that peer, the target this node itself. What an error
//! of ICMP quotes is a packet that this node had sent, so it is changed the other way round.

use std::net::Ipv4Addr;

use super::checksum::changed;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Where the parts of IPv4's header are.
const CHECKSUM: usize = 10;
const SOURCE: usize = 12;
const TARGET: usize = 16;
const SHORTEST_HEADER: usize = 20;

/// Gives a packet of IPv4 these addresses, and the checksums that go with them. Multicasts and broadcasts keep
/// their target.
pub(super) fn translate(packet: &mut [u8], source: Ipv4Addr, target: Ipv4Addr) {
    let Some(header) = header_length(packet) else {
        return;
    };
    let before = addresses(packet);
    readdress(packet, SOURCE, source);
    let named = Ipv4Addr::from([packet[16], packet[17], packet[18], packet[19]]);
    if !named.is_multicast() && named.octets()[3] != 255 {
        readdress(packet, TARGET, target);
    }
    let after = addresses(packet);
    // Only the first part of a packet that was cut has the header of what is in it.
    let is_later_part = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff != 0;
    if is_later_part {
        return;
    }
    let payload = &mut packet[header..];
    match (packet_protocol(before.protocol), payload.len()) {
        (Inner::Tcp, 18..) => replace_checksum(payload, 16, &before, &after),
        // A sum of zero means that there is none.
        (Inner::Udp, 8..) if payload[6..8] != [0, 0] => {
            replace_checksum(payload, 6, &before, &after);
            if payload[6..8] == [0, 0] {
                payload[6..8].copy_from_slice(&[0xff, 0xff]);
            }
        }
        (Inner::Icmp, 8..) if is_error(payload[0]) => {
            // The sum of a header that is whole does not change with what is in it, nor does that of ICMP.
            let quoted = &mut payload[8..];
            if header_length(quoted).is_some() {
                readdress(quoted, SOURCE, target);
                readdress(quoted, TARGET, source);
            }
        }
        _ => {}
    }
}

enum Inner {
    Icmp,
    Tcp,
    Udp,
    Other,
}

fn packet_protocol(number: u8) -> Inner {
    match number {
        ICMP => Inner::Icmp,
        TCP => Inner::Tcp,
        UDP => Inner::Udp,
        _ => Inner::Other,
    }
}

/// Destination unreachable, time exceeded, parameter problem.
fn is_error(kind: u8) -> bool {
    matches!(kind, 3 | 11 | 12)
}

/// Both addresses of a packet, as they count in the checksums of TCP and UDP.
struct Addresses {
    both: [u8; 8],
    protocol: u8,
}

fn addresses(packet: &[u8]) -> Addresses {
    let mut both = [0; 8];
    both.copy_from_slice(&packet[SOURCE..SHORTEST_HEADER]);
    Addresses {
        both,
        protocol: packet[9],
    }
}

/// The length of the header, where the packet has all of it.
fn header_length(packet: &[u8]) -> Option<usize> {
    let first = packet.first()?;
    let length = usize::from(first & 0x0f) * 4;
    let whole = first >> 4 == 4 && length >= SHORTEST_HEADER && packet.len() >= length;
    whole.then_some(length)
}

fn readdress(packet: &mut [u8], place: usize, address: Ipv4Addr) {
    let old = u16::from_be_bytes([packet[CHECKSUM], packet[CHECKSUM + 1]]);
    let new = changed(old, &packet[place..place + 4], &address.octets());
    packet[place..place + 4].copy_from_slice(&address.octets());
    packet[CHECKSUM..CHECKSUM + 2].copy_from_slice(&new.to_be_bytes());
}

fn replace_checksum(payload: &mut [u8], place: usize, before: &Addresses, after: &Addresses) {
    let old = u16::from_be_bytes([payload[place], payload[place + 1]]);
    let new = changed(old, &before.both, &after.both);
    payload[place..place + 2].copy_from_slice(&new.to_be_bytes());
}

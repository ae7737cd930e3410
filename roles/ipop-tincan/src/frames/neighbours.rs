//! ARP and neighbour discovery: the kernel asks who has an address, and is answered here, for all of the overlay.
//!
//! The question need not reach anybody: links lead to uids, and whoever receives a frame puts its own hardware
//! address into it. That an address is answered for nobody has is meant: only so does a packet for it come out of
//! the kernel, which a controller may make a link for.

use std::net::Ipv6Addr;

use super::checksum::checksum;
use super::packet::{Arp, Frame, ICMPV6, Ipv6, NEIGHBOUR_ADVERTISEMENT, NEIGHBOUR_SOLICITATION};
use super::{OVERLAY_MAC, Own};

/// What a packet of IPv6 asks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Who has an address: this is the answer.
    Answered(Vec<u8>),
    /// Something that nobody answers.
    Silent,
    /// Nothing of that kind.
    None,
}

/// Answers a question of ARP; none where nobody would.
pub(super) fn answer_arp(frame: &Frame<'_>, arp: &Arp, own: &Own) -> Option<Vec<u8>> {
    if !arp.is_question || arp.is_about_itself() || arp.target == own.ip4 {
        return None;
    }
    let answer = [
        &frame.source[..],
        &OVERLAY_MAC,
        &[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2],
        &OVERLAY_MAC,
        &arp.target.octets(),
        &arp.sender_mac,
        &arp.sender.octets(),
    ];
    Some(answer.concat())
}

/// Answers a solicitation of a neighbour.
pub(super) fn answer_neighbour(frame: &Frame<'_>, packet: &Ipv6<'_>, own: &Own) -> Question {
    let Some((NEIGHBOUR_SOLICITATION, message)) = packet.icmp() else {
        // There are no routers, and what the kernel tells of itself is of no interest to links.
        return match packet.is_about_neighbours() || packet.is_about_routes() {
            true => Question::Silent,
            false => Question::None,
        };
    };
    let Some(target) = message.get(8..).and_then(|rest| rest.first_chunk::<16>()) else {
        return Question::Silent;
    };
    let target = Ipv6Addr::from(*target);
    // Whoever asks without an address only looks whether its own is taken.
    if packet.source.is_unspecified() || target == own.ip6 || target == packet.source {
        return Question::Silent;
    }
    let mut message = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0];
    // Solicited, and to be believed over what was known.
    message.extend([0x60, 0, 0, 0]);
    message.extend(target.octets());
    // The hardware address of the target.
    message.extend([2, 1]);
    message.extend(OVERLAY_MAC);
    let length = message.len() as u16;
    let (from, to) = (target.octets(), packet.source.octets());
    let pseudo = [0, 0, (length >> 8) as u8, length as u8, 0, 0, 0, ICMPV6];
    let sum = checksum(&[&from, &to, &pseudo, &message]);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let answer = [
        &frame.source[..],
        &OVERLAY_MAC,
        &[0x86, 0xdd, 0x60, 0, 0, 0],
        &length.to_be_bytes(),
        // Only with the highest hop limit does the kernel believe it: it came through no router.
        &[ICMPV6, 255],
        &from,
        &to,
        &message,
    ];
    Question::Answered(answer.concat())
}

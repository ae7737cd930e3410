//! Frames made by hand.

use proptest::prelude::*;

use super::checksum::checksum;
use super::*;

const OWN_MAC: Mac = [2, 0, 0, 0, 0, 1];
const PEER_MAC: Mac = [2, 0, 0, 0, 0, 2];
const OWN4: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 100);
const PEER4: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 103);

fn own() -> Own {
    let uid = Uid::of_ip4(OWN4);
    Own {
        uid,
        ip4: OWN4,
        ip6: uid.ip6(),
        subnet_bits: 32,
        mac: OWN_MAC,
    }
}

fn peer() -> Uid {
    Uid::of_ip4(PEER4)
}

fn sender() -> Sender {
    Sender {
        uid: peer(),
        ip4: Some(PEER4),
    }
}

/// An overlay with one peer.
fn overlay() -> Overlay {
    let mut overlay = Overlay::default();
    overlay.set_own(own());
    overlay.add(peer(), PEER4, peer().ip6());
    overlay
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[0xff; 6][..], &PEER_MAC, &kind.to_be_bytes(), payload].concat()
}

fn arp(operation: u8, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let parts: [&[u8]; 6] = [
        &[0, 1, 8, 0, 6, 4, 0, operation],
        &PEER_MAC,
        &sender.octets(),
        &[0; 6],
        &target.octets(),
        &[0; 18],
    ];
    ethernet(0x0806, &parts.concat())
}

/// A packet of IPv4 with this in it, whose checksums are right.
fn ipv4(protocol: u8, source: Ipv4Addr, target: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len()) as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    packet.extend(source.octets());
    packet.extend(target.octets());
    let sum = checksum(&[&packet]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(payload);
    packet
}

/// The checksum of TCP or UDP in a packet of IPv4, with that of the packet's own put to zero: nothing is left of a
/// right one.
fn layer4_sum(packet: &[u8]) -> u16 {
    let payload = &packet[20..];
    let length = (payload.len() as u16).to_be_bytes();
    checksum(&[&packet[12..20], &[0, packet[9]], &length, payload])
}

/// Gives a packet the checksum of TCP or UDP.
fn with_layer4_sum(mut packet: Vec<u8>, place: usize) -> Vec<u8> {
    packet[20 + place..22 + place].fill(0);
    let sum = layer4_sum(&packet);
    packet[20 + place..22 + place].copy_from_slice(&sum.to_be_bytes());
    packet
}

fn ipv6(source: Ipv6Addr, target: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 255]);
    packet.extend(source.octets());
    packet.extend(target.octets());
    packet.extend(payload);
    packet
}

fn solicitation(source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let message = [
        &[135, 0, 0, 0, 0, 0, 0, 0],
        &target.octets()[..],
        &[1, 1],
        &PEER_MAC,
    ]
    .concat();
    ethernet(
        0x86dd,
        &ipv6(source, "ff02::1:ff00:1".parse().unwrap(), 58, &message),
    )
}

/// A frame as it comes through a link.
fn from_peer(frame: &[u8]) -> Vec<u8> {
    [&header(peer(), Some(own().uid))[..], frame].concat()
}

#[test]
fn arp_is_answered_for_everybody_but_this_node() {
    let overlay = overlay();
    let nobody = Ipv4Addr::new(172, 31, 0, 7);
    for target in [PEER4, nobody] {
        let Outgoing::Answer(answer) = overlay.outgoing(&arp(1, OWN4, target)) else {
            panic!("{target} is not answered for");
        };
        assert_eq!(answer[..6], PEER_MAC);
        assert_eq!(answer[6..12], OVERLAY_MAC);
        assert_eq!(answer[12..22], [8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
        assert_eq!(answer[22..28], OVERLAY_MAC);
        assert_eq!(answer[28..32], target.octets());
        assert_eq!(answer[32..38], PEER_MAC);
        assert_eq!(answer[38..], OWN4.octets());
    }
    for silent in [
        arp(1, OWN4, OWN4),
        arp(1, Ipv4Addr::UNSPECIFIED, PEER4),
        arp(1, PEER4, OWN4),
        arp(2, OWN4, PEER4),
    ] {
        assert_eq!(overlay.outgoing(&silent), Outgoing::Ignore);
    }
}

#[test]
fn on_a_switch_arp_goes_to_the_controller() {
    let mut overlay = overlay();
    overlay.switch = true;
    assert_eq!(overlay.outgoing(&arp(1, OWN4, PEER4)), Outgoing::Nobody);
    assert_eq!(overlay.outgoing(&arp(2, OWN4, PEER4)), Outgoing::Nobody);
    assert_eq!(overlay.outgoing(&arp(1, OWN4, OWN4)), Outgoing::Ignore);
}

#[test]
fn neighbours_are_answered_for() {
    let overlay = overlay();
    let (asker, target) = (own().ip6, peer().ip6());
    let Outgoing::Answer(answer) = overlay.outgoing(&solicitation(asker, target)) else {
        panic!("there is no answer");
    };
    assert_eq!(answer[..6], PEER_MAC);
    let packet = &answer[14..];
    assert_eq!((packet[6], packet[7]), (58, 255));
    assert_eq!(packet[8..24], target.octets());
    assert_eq!(packet[24..40], asker.octets());
    let message = &packet[40..];
    assert_eq!(message.len(), 32);
    assert_eq!((message[0], message[4]), (136, 0x60));
    assert_eq!(message[8..24], target.octets());
    assert_eq!(message[24..], [&[2, 1], &OVERLAY_MAC[..]].concat());
    let pseudo = [0, 0, 0, 32, 0, 0, 0, 58];
    assert_eq!(checksum(&[&packet[8..40], &pseudo, message]), 0);
    // It only looks whether its own address is taken, or tells of itself.
    for silent in [
        solicitation(Ipv6Addr::UNSPECIFIED, own().ip6),
        solicitation(Ipv6Addr::UNSPECIFIED, target),
        solicitation(asker, own().ip6),
        ethernet(
            0x86dd,
            &ipv6(
                asker,
                "ff02::2".parse().unwrap(),
                58,
                &[133, 0, 0, 0, 0, 0, 0, 0],
            ),
        ),
    ] {
        assert_eq!(overlay.outgoing(&silent), Outgoing::Ignore);
    }
}

#[test]
fn packets_go_to_whoever_has_the_address() {
    let overlay = overlay();
    let to4 = |target: [u8; 4]| {
        overlay.outgoing(&ethernet(0x0800, &ipv4(17, OWN4, target.into(), &[0; 8])))
    };
    assert_eq!(to4([172, 31, 0, 103]), Outgoing::Peer(peer()));
    for all in [
        [224, 0, 0, 251],
        [239, 255, 255, 250],
        [172, 31, 0, 255],
        [255; 4],
    ] {
        assert_eq!(to4(all), Outgoing::All, "{all:?}");
    }
    assert_eq!(to4([172, 31, 0, 104]), Outgoing::Nobody);
    let to6 = |target: &str| {
        let packet = ipv6(own().ip6, target.parse().unwrap(), 17, &[0; 8]);
        overlay.outgoing(&ethernet(0x86dd, &packet))
    };
    assert_eq!(to6(&peer().ip6().to_string()), Outgoing::Peer(peer()));
    for all in ["ff05::1", "ff08::1", "ff0e::1", "ff15::1"] {
        assert_eq!(to6(all), Outgoing::All, "{all}");
    }
    for nobody in ["ff02::fb", "fd50:dbc:41f2:4a3c::1", "fe80::1"] {
        assert_eq!(to6(nobody), Outgoing::Nobody, "{nobody}");
    }
    assert_eq!(
        overlay.outgoing(&ethernet(0x88cc, &[0; 20])),
        Outgoing::Nobody
    );
}

#[test]
fn a_router_is_found_by_its_network() {
    let mut overlay = Overlay::default();
    overlay.set_own(Own {
        subnet_bits: 24,
        ..own()
    });
    overlay.add(peer(), [172, 31, 9, 1].into(), peer().ip6());
    let frame = |target: [u8; 4]| ethernet(0x0800, &ipv4(17, OWN4, target.into(), &[]));
    assert_eq!(
        overlay.outgoing(&frame([172, 31, 9, 77])),
        Outgoing::Peer(peer())
    );
    assert_eq!(overlay.outgoing(&frame([172, 31, 8, 77])), Outgoing::Nobody);
}

#[test]
fn nothing_goes_out_before_it_is_known_who_this_is() {
    let overlay = Overlay::default();
    assert_eq!(overlay.outgoing(&arp(1, OWN4, PEER4)), Outgoing::Ignore);
    let mut data = from_peer(&ethernet(0x0800, &ipv4(17, PEER4, OWN4, &[])));
    assert_eq!(
        overlay.incoming(&mut data, sender()),
        Err(Refusal::NotForThisNode)
    );
}

#[test]
fn what_arrives_gets_the_address_of_the_device() {
    let frame = ethernet(0x0800, &ipv4(17, PEER4, OWN4, &[0; 8]));
    let mut data = from_peer(&frame);
    let arrived = overlay().incoming(&mut data, sender()).unwrap();
    assert_eq!(arrived[..6], OWN_MAC);
    assert_eq!(arrived[6..], frame[6..]);
}

#[test]
fn on_a_switch_only_what_is_for_this_node_gets_its_address() {
    let mut overlay = overlay();
    overlay.switch = true;
    let behind = Ipv4Addr::new(172, 31, 0, 50);
    for (frame, is_rewritten) in [
        (ethernet(0x0800, &ipv4(17, PEER4, OWN4, &[])), true),
        (
            ethernet(0x86dd, &ipv6(peer().ip6(), own().ip6, 17, &[])),
            true,
        ),
        (ethernet(0x0800, &ipv4(17, PEER4, behind, &[])), false),
        (arp(2, PEER4, OWN4), false),
    ] {
        let mut data = from_peer(&frame);
        let arrived = overlay.incoming(&mut data, sender()).unwrap();
        assert_eq!(arrived[..6] == OWN_MAC, is_rewritten);
    }
}

#[test]
fn what_is_not_of_the_peer_is_refused() {
    let other = Uid::of_ip4([172, 31, 0, 104].into());
    let mut overlay = overlay();
    overlay.add(other, [172, 31, 0, 104].into(), other.ip6());
    let good = ethernet(0x0800, &ipv4(17, PEER4, OWN4, &[]));
    let from = |source: Ipv4Addr| ethernet(0x0800, &ipv4(17, source, OWN4, &[]));
    let from6 = |source: Ipv6Addr| ethernet(0x86dd, &ipv6(source, own().ip6, 17, &[]));
    let icmp6 = |kind: u8| {
        ethernet(
            0x86dd,
            &ipv6(peer().ip6(), own().ip6, 58, &[kind, 0, 0, 0, 0, 0, 0, 0]),
        )
    };
    // A router's advertisement behind a header that is usually skipped.
    let hidden = ipv6(
        peer().ip6(),
        own().ip6,
        0,
        &[58, 0, 0, 0, 0, 0, 0, 0, 134, 0, 0, 0],
    );
    for (mut data, refusal) in [
        (
            [&header(other, Some(own().uid))[..], &good].concat(),
            Refusal::ForeignSource,
        ),
        (
            [&header(peer(), Some(other))[..], &good].concat(),
            Refusal::NotForThisNode,
        ),
        (
            [&header(peer(), None)[..], &good].concat(),
            Refusal::NotForThisNode,
        ),
        (from_peer(&from(OWN4)), Refusal::ForeignAddress),
        (
            from_peer(&from([172, 31, 0, 104].into())),
            Refusal::ForeignAddress,
        ),
        (from_peer(&from6(own().ip6)), Refusal::ForeignAddress),
        (from_peer(&from6(other.ip6())), Refusal::ForeignAddress),
        (from_peer(&arp(2, PEER4, OWN4)), Refusal::Neighbours),
        (from_peer(&icmp6(134)), Refusal::Neighbours),
        (from_peer(&icmp6(136)), Refusal::Neighbours),
        (from_peer(&icmp6(137)), Refusal::Neighbours),
        (from_peer(&ethernet(0x86dd, &hidden)), Refusal::Neighbours),
        (from_peer(&good[..13]), Refusal::Malformed),
        (
            from_peer(&[good.clone(), vec![0; 1500]].concat()),
            Refusal::Malformed,
        ),
        (vec![0; 39], Refusal::Malformed),
    ] {
        assert_eq!(overlay.incoming(&mut data, sender()), Err(refusal));
    }
    // What the peer has behind it may come through it: it may be a router.
    for good in [
        from([10, 0, 0, 1].into()),
        from6("2001:db8::1".parse().unwrap()),
        icmp6(128),
    ] {
        assert!(overlay.incoming(&mut from_peer(&good), sender()).is_ok());
    }
}

#[test]
fn what_is_for_the_networks_around_this_node_is_refused() {
    let mut overlay = overlay();
    let to = |overlay: &Overlay, target: [u8; 4]| {
        let frame = ethernet(0x0800, &ipv4(17, PEER4, target.into(), &[]));
        let taken = overlay.incoming(&mut from_peer(&frame), sender()).map(drop);
        taken.err()
    };
    let to6 = |target: &str| {
        let packet = ipv6(peer().ip6(), target.parse().unwrap(), 17, &[]);
        let mut data = from_peer(&ethernet(0x86dd, &packet));
        overlay.incoming(&mut data, sender()).map(drop).err()
    };
    for all in ["ff02::fb", "ff0e::1"] {
        assert_eq!(to6(all), None, "{all}");
    }
    for foreign in ["2001:db8::1", "fd50:dbc:41f2:4a3c::1"] {
        assert_eq!(to6(foreign), Some(Refusal::ForeignTarget), "{foreign}");
    }
    for all in [[224, 0, 0, 251], [172, 31, 0, 255], [255; 4]] {
        assert_eq!(to(&overlay, all), None, "{all:?}");
    }
    let (elsewhere, behind) = ([192, 168, 1, 1], [172, 31, 0, 7]);
    for foreign in [elsewhere, behind] {
        assert_eq!(to(&overlay, foreign), Some(Refusal::ForeignTarget));
    }
    // A router takes what is for its network, and a switch what is for the machines behind it.
    overlay.set_own(Own {
        subnet_bits: 24,
        ..own()
    });
    assert_eq!(to(&overlay, behind), None);
    assert_eq!(to(&overlay, elsewhere), Some(Refusal::ForeignTarget));
    overlay.switch = true;
    assert_eq!(to(&overlay, elsewhere), None);
}

#[test]
fn the_beginning_of_a_uid_is_not_enough() {
    let mut header = header(peer(), Some(own().uid));
    header[19] ^= 1;
    let frame = ethernet(0x0800, &ipv4(17, PEER4, OWN4, &[]));
    let mut data = [&header[..], &frame].concat();
    assert_eq!(
        overlay().incoming(&mut data, sender()),
        Err(Refusal::ForeignSource)
    );
}

/// What arrives of a packet of the peer, which calls itself .100, too, and this node .101.
fn translated(packet: &[u8]) -> Vec<u8> {
    let mut overlay = overlay();
    overlay.translate = true;
    let mut data = from_peer(&ethernet(0x0800, packet));
    overlay.incoming(&mut data, sender()).unwrap()[ETHERNET_HEADER..].to_vec()
}

const AS_PEER_SAYS: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 101);

#[test]
fn addresses_are_translated_with_their_checksums() {
    let udp = [&[0x13, 0xc4, 0x13, 0xc4, 0, 13, 0, 0][..], b"hello"].concat();
    let tcp = [&[0; 12][..], &[0x50, 0x10, 1, 0, 0, 0, 0, 0], b"hello"].concat();
    for (protocol, payload, place) in [(17, &udp, 6), (6, &tcp, 16)] {
        let packet = with_layer4_sum(ipv4(protocol, OWN4, AS_PEER_SAYS, payload), place);
        let arrived = translated(&packet);
        assert_eq!(arrived[12..20], [PEER4.octets(), OWN4.octets()].concat());
        assert_eq!(checksum(&[&arrived[..20]]), 0);
        assert_eq!(layer4_sum(&arrived), 0);
        assert_ne!(
            arrived[20 + place..22 + place],
            packet[20 + place..22 + place]
        );
    }
    // UDP without a checksum stays without.
    let arrived = translated(&ipv4(17, OWN4, AS_PEER_SAYS, &udp));
    assert_eq!(arrived[26..28], [0, 0]);
    // A later part of a packet has no header of UDP.
    let mut later = ipv4(17, OWN4, AS_PEER_SAYS, &[0xff; 16]);
    later[7] = 9;
    assert_eq!(translated(&later)[20..], [0xff; 16]);
}

#[test]
fn multicasts_keep_their_target() {
    for target in [[224, 0, 0, 251], [172, 31, 0, 255]] {
        let udp = [0x13, 0xc4, 0x13, 0xc4, 0, 8, 0, 0];
        let arrived = translated(&with_layer4_sum(ipv4(17, OWN4, target.into(), &udp), 6));
        assert_eq!(arrived[12..20], [PEER4.octets(), target].concat());
        assert_eq!(checksum(&[&arrived[..20]]), 0);
        assert_eq!(layer4_sum(&arrived), 0);
    }
}

#[test]
fn what_an_error_quotes_is_translated_back() {
    // This node had sent to .103; the peer got it from .101 for itself.
    let quoted = ipv4(17, AS_PEER_SAYS, OWN4, &[0x13, 0xc4, 0, 9, 0, 8, 0, 0]);
    let mut error = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quoted].concat();
    let sum = checksum(&[&error]);
    error[2..4].copy_from_slice(&sum.to_be_bytes());
    let arrived = translated(&ipv4(1, OWN4, AS_PEER_SAYS, &error));
    assert_eq!(checksum(&[&arrived[20..]]), 0);
    let quoted = &arrived[28..];
    assert_eq!(quoted[12..20], [OWN4.octets(), PEER4.octets()].concat());
    assert_eq!(checksum(&[&quoted[..20]]), 0);
}

#[test]
fn a_peer_without_an_address_is_not_translated() {
    let mut overlay = overlay();
    overlay.translate = true;
    let nameless = Sender {
        ip4: None,
        ..sender()
    };
    let mut data = from_peer(&ethernet(0x0800, &ipv4(17, OWN4, AS_PEER_SAYS, &[])));
    assert_eq!(
        overlay.incoming(&mut data, nameless),
        Err(Refusal::NoAddress)
    );
    // IPv6 has the same addresses everywhere.
    let mut data = from_peer(&ethernet(0x86dd, &ipv6(peer().ip6(), own().ip6, 17, &[])));
    assert!(overlay.incoming(&mut data, nameless).is_ok());
}

/// A frame of any kind, of which most begin as a frame should.
fn some_frame() -> impl Strategy<Value = Vec<u8>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..120);
    let kinds = [0x0800u16, 0x0806, 0x86dd];
    let starts: [&[u8]; 4] = [
        &[],
        &[0x45],
        &[0x60, 0, 0, 0, 0, 0, 58],
        &[0, 1, 8, 0, 6, 4],
    ];
    let guided = (
        prop::sample::select(kinds.to_vec()),
        prop::sample::select(starts.to_vec()),
        bytes(),
    );
    prop_oneof![
        1 => bytes(),
        4 => guided.prop_map(|(kind, start, rest)| ethernet(kind, &[start, &rest].concat())),
    ]
}

proptest! {
    #[test]
    fn no_frame_does_harm(frame in some_frame(), switch: bool, translate: bool) {
        let mut overlay = overlay();
        (overlay.switch, overlay.translate) = (switch, translate);
        overlay.outgoing(&frame);
        let mut data = from_peer(&frame);
        if let Ok(arrived) = overlay.incoming(&mut data, sender()) {
            prop_assert_eq!(arrived.len(), frame.len());
        }
        let _ = overlay.incoming(&mut frame.clone(), sender());
    }

    #[test]
    fn translated_checksums_stay_right(
        source: [u8; 4], target: [u8; 4], mut payload in prop::collection::vec(any::<u8>(), 20..200), is_tcp: bool,
    ) {
        let (protocol, place) = if is_tcp { (6, 16) } else { (17, 6) };
        payload[12] = 0x50;
        let packet = with_layer4_sum(ipv4(protocol, source.into(), target.into(), &payload), place);
        // As UDP says that there is none.
        prop_assume!(is_tcp || packet[26..28] != [0, 0]);
        let arrived = translated(&packet);
        prop_assert_eq!(checksum(&[&arrived[..20]]), 0);
        prop_assert_eq!(layer4_sum(&arrived), 0);
        prop_assert_eq!(&arrived[12..16], PEER4.octets());
    }
}

//! Frames between IPOP's network device and its links.

use std::net::Ipv4Addr;

use kozo_ipop::Uid;

use crate::tincan_frames::{Outgoing, Overlay, Own, Sender, header};

/// A frame, from the kernel and from a link, behind a byte that says in which modes: what arrives is as long as what was
/// sent, is for this node's device, and comes from the peer's address where addresses are translated.
pub fn tincan_frame(bytes: &[u8]) {
    let Some((modes, frame)) = bytes.split_first() else {
        return;
    };
    let [own, peer] = [100, 103].map(|last| Ipv4Addr::new(172, 31, 0, last));
    let (uid, peer_uid) = (Uid::of_ip4(own), Uid::of_ip4(peer));
    let mac = [2, 0, 0, 0, 0, 1];
    let mut overlay = Overlay::default();
    overlay.set_own(Own {
        uid,
        ip4: own,
        ip6: uid.ip6(),
        subnet_bits: 32,
        mac,
    });
    overlay.add(peer_uid, peer, peer_uid.ip6());
    overlay.switch = modes & 1 != 0;
    overlay.translate = modes & 2 != 0;
    match overlay.outgoing(frame) {
        // It goes back to whoever asked.
        Outgoing::Answer(answer) => assert_eq!(answer[..6], frame[6..12]),
        Outgoing::Peer(uid) => assert_eq!(uid, peer_uid),
        Outgoing::All | Outgoing::Nobody | Outgoing::Ignore => {}
    }
    let sender = Sender {
        uid: peer_uid,
        ip4: Some(peer),
    };
    let mut data = [&header(peer_uid, Some(uid))[..], frame].concat();
    if let Ok(arrived) = overlay.incoming(&mut data, sender) {
        assert_eq!(arrived.len(), frame.len());
        assert_eq!(arrived[6..14], frame[6..14]);
        if !overlay.switch {
            assert_eq!(arrived[..6], mac);
        }
        if overlay.translate && arrived[12..14] == [8, 0] && arrived[14] & 0x0f >= 5 {
            // A header that is cut off is left alone; the kernel drops it.
            let is_whole = arrived.len() >= 14 + usize::from(arrived[14] & 0x0f) * 4;
            assert!(!is_whole || arrived[26..30] == peer.octets());
        }
    }
}

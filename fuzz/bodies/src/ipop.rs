//! IPOP: datagrams between tincan and controllers, and candidates of peers.

use crate::frame::{BROADCAST, Frame, read_mac, readdressed};
use kozo_ipop::{Api, Datagram, Fingerprint, Notification, Request, candidate, fingerprint, icc};

/// What means something in candidates.
pub(crate) const PIECES: [&str; 6] = [
    "udp",
    "local",
    "relay",
    "[2001:db8::1]",
    "192.0.2.1",
    "1:1:udp:",
];

/// A datagram: as a controller gets it from tincan, tincan from a controller, and a controller from another. What is
/// read is written as what is read as the same.
pub fn ipop_datagram(bytes: &[u8]) {
    let seen = Api::of_message(bytes);
    for api in [Api::V14_01, Api::V14_07] {
        match api.read(bytes) {
            Ok(Datagram::Control(json)) => {
                assert_eq!(seen, Some(api));
                assert_eq!(api.control(json), bytes);
                both_ways(json);
            }
            Ok(Datagram::Packet(packet)) => assert_eq!(api.packet(&packet), bytes),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    if let Ok(datagram) = icc::Datagram::read(bytes) {
        let again = icc::Datagram::read(&datagram.write()).unwrap();
        assert_eq!(again, datagram);
    }
}

fn both_ways(json: &[u8]) {
    if let Ok(request) = Request::read(json) {
        assert_eq!(Request::read(&request.write()).unwrap(), request);
    }
    if let Ok(notification) = Notification::read(json) {
        assert_eq!(
            Notification::read(&notification.write()).unwrap(),
            notification
        );
    }
}

/// What a peer sends to make a link: a fingerprint and candidates.
pub fn ipop_candidates(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let own = Fingerprint::null().to_string();
    let (fpr, cas) = fingerprint::split(&text, &own);
    assert!(text.starts_with(&fpr) && text.ends_with(&cas));
    if let Ok(fpr) = fpr.parse::<Fingerprint>() {
        assert_eq!(fpr.to_string().parse::<Fingerprint>().unwrap(), fpr);
    }
    for text in [&*text, &cas] {
        let found = candidate::read(text);
        assert!(found.list.len() <= candidate::MAX_CANDIDATES);
        let again = candidate::read(&candidate::write(&found.list));
        assert_eq!((again.list, again.skipped), (found.list, 0));
    }
}

/// A frame, of this machine or of another controller: a controller reads as much of it as it needs. What it writes of ARP is
/// read as the same; a frame that gets other addresses is as long as it was, and means the same.
pub fn ipop_frame(bytes: &[u8]) {
    let frame = Frame::read(bytes);
    if let Frame::Arp(arp) = frame {
        assert_eq!(Frame::read(&arp.write(BROADCAST)), frame);
    }
    let mac = read_mac(&String::from_utf8_lossy(bytes)).unwrap_or([2; 6]);
    let readdressed = readdressed(bytes, mac, Some(BROADCAST));
    assert_eq!(readdressed.len(), bytes.len());
    assert_eq!(Frame::read(&readdressed), frame);
}

//! Answers of Bluetooth devices that were asked for their services.

use kozo_bluetooth::sdp::Answers;

/// Packets, each behind its length in two bytes, the highest first.
pub fn service_list(mut bytes: &[u8]) {
    let mut answers = Answers::default();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (packet, rest) = rest.split_at(length.min(rest.len()));
        bytes = rest;
        match answers.add(packet) {
            Ok(true) => {}
            Ok(false) => break,
            Err(reason) => {
                assert!(!reason.is_empty());
                return;
            }
        }
    }
    if let Ok(channels) = answers.channels() {
        assert!(channels.iter().all(|channel| (1..=30).contains(channel)));
        assert!(channels.windows(2).all(|pair| pair[0] != pair[1]));
    }
}

//! STUN: what strangers send to the sockets of links through NAT.

use crate::stun::{Message, Writer, attribute, is_stun};

const KEY: &[u8] = b"password";

/// A datagram as anybody may send it: reading it harms nothing, and what is written of it is read as the same.
pub fn stun_message(bytes: &[u8]) {
    let Some(message) = Message::read(bytes) else {
        return;
    };
    assert!(is_stun(bytes));
    let _ = (message.error(), message.tie_breaker());
    for number in [attribute::USERNAME, attribute::REALM, attribute::NONCE] {
        let _ = message.text(number);
    }
    for number in [attribute::LIFETIME, attribute::CHANNEL_NUMBER] {
        let _ = message.number(number);
    }
    // Nobody can sign without the key.
    let signed = message.is_signed_with(KEY);
    assert!(!(signed && message.is_signed_with(b"another")));
    assert!(!(signed && message.attribute(attribute::MESSAGE_INTEGRITY).is_some()));

    let mut writer = Writer::new(message.class, message.method, &message.transaction);
    let addresses = [
        attribute::XOR_MAPPED_ADDRESS,
        attribute::XOR_PEER_ADDRESS,
        attribute::XOR_RELAYED_ADDRESS,
    ];
    for number in addresses {
        if let Some(address) = message.address(number) {
            writer = writer.address(number, address);
        }
    }
    let data = message.attribute(attribute::DATA);
    if let Some(data) = data {
        writer = writer.attribute(attribute::DATA, data);
    }
    let written = writer.sign(KEY).with_fingerprint().into_bytes();
    // What fills a datagram has no room for a signature.
    if written.len() > usize::from(u16::MAX) {
        return;
    }
    let again = Message::read(&written).unwrap();
    assert_eq!(
        (again.class, again.method, again.transaction),
        (message.class, message.method, message.transaction)
    );
    for number in addresses {
        assert_eq!(again.address(number), message.address(number));
    }
    assert_eq!(again.attribute(attribute::DATA), data);
    assert!(again.is_signed_with(KEY) && !again.is_signed_with(b"another"));
}

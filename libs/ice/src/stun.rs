//! Messages of STUN (RFC 8489), as far as they are exchanged with servers, and what tells whose a message is.
//!
//! Those between peers are read and written by the crate `is`, whose reader refuses what servers send: their answers
//! are not signed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ring::hmac;

const MAGIC: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
const HEADER: usize = 20;
const SIGNATURE: usize = 20;
/// What the checksum is combined with, so that it is none of another protocol's.
const FINGERPRINT_MASK: u32 = 0x5354_554E;

pub(crate) type Transaction = [u8; 12];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Request,
    Indication,
    Success,
    Error,
}

/// What a message is about. All that clients need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Binding = 1,
    Allocate = 3,
    Refresh = 4,
    Send = 6,
    Data = 7,
    CreatePermission = 8,
    ChannelBind = 9,
}

impl Method {
    fn of(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Binding,
            3 => Self::Allocate,
            4 => Self::Refresh,
            6 => Self::Send,
            7 => Self::Data,
            8 => Self::CreatePermission,
            9 => Self::ChannelBind,
            _ => return None,
        })
    }
}

/// Numbers of attributes.
pub(crate) mod attribute {
    pub(crate) const USERNAME: u16 = 0x0006;
    pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(crate) const ERROR_CODE: u16 = 0x0009;
    pub(crate) const CHANNEL_NUMBER: u16 = 0x000C;
    pub(crate) const LIFETIME: u16 = 0x000D;
    pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub(crate) const DATA: u16 = 0x0013;
    pub(crate) const REALM: u16 = 0x0014;
    pub(crate) const NONCE: u16 = 0x0015;
    pub(crate) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(crate) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub(crate) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(crate) const FINGERPRINT: u16 = 0x8028;
    pub(crate) const ICE_CONTROLLED: u16 = 0x8029;
    pub(crate) const ICE_CONTROLLING: u16 = 0x802A;
}

/// Whether a datagram is a message of STUN. Nothing else that comes to these sockets begins so (RFC 7983): DTLS and QUIC
/// have other first bytes, and data that nothing protects has this number at this place once in four thousand
/// millions.
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] < 4 && datagram[4..8] == MAGIC
}

/// A message that was received. Nothing in it is proven until [`Self::is_signed_with`] says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) class: Class,
    pub(crate) method: Method,
    pub(crate) transaction: Transaction,
    /// All of them, well formed, up to the signature.
    attributes: &'a [u8],
    /// What is signed, and the signature.
    signed: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> Message<'a> {
    /// Reads a datagram; `None` for what is no message of STUN, or one that is damaged or of no use here.
    pub(crate) fn read(datagram: &'a [u8]) -> Option<Self> {
        if !is_stun(datagram) {
            return None;
        }
        let kind = u16::from_be_bytes([datagram[0], datagram[1]]);
        let length = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
        let body = &datagram[HEADER..];
        if length != body.len() || !length.is_multiple_of(4) {
            return None;
        }
        let class = match kind & 0x0110 {
            0x0000 => Class::Request,
            0x0010 => Class::Indication,
            0x0100 => Class::Success,
            _ => Class::Error,
        };
        // The class's two bits stand between the method's.
        let method = (kind & 0x000F) | ((kind & 0x00E0) >> 1) | ((kind & 0x3E00) >> 2);
        let mut message = Self {
            class,
            method: Method::of(method)?,
            transaction: datagram[8..HEADER].try_into().ok()?,
            attributes: body,
            signed: None,
        };
        let mut attributes = Attributes(body);
        loop {
            let offset = body.len() - attributes.0.len();
            match attributes.next() {
                Some((attribute::MESSAGE_INTEGRITY, value)) if message.signed.is_none() => {
                    if value.len() != SIGNATURE {
                        return None;
                    }
                    message.attributes = &body[..offset];
                    message.signed = Some((&datagram[..HEADER + offset], value));
                }
                Some(_) => {}
                None if attributes.0.is_empty() => return Some(message),
                None => return None,
            }
        }
    }

    /// The value of an attribute, the first one if there are several. Those behind the signature do not count.
    pub(crate) fn attribute(&self, number: u16) -> Option<&'a [u8]> {
        Attributes(self.attributes)
            .find(|(found, _)| *found == number)
            .map(|(_, value)| value)
    }

    pub(crate) fn text(&self, number: u16) -> Option<&'a str> {
        std::str::from_utf8(self.attribute(number)?).ok()
    }

    pub(crate) fn number(&self, number: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.attribute(number)?.try_into().ok()?))
    }

    pub(crate) fn tie_breaker(&self) -> Option<u64> {
        let value = self
            .attribute(attribute::ICE_CONTROLLING)
            .or_else(|| self.attribute(attribute::ICE_CONTROLLED))?;
        Some(u64::from_be_bytes(value.try_into().ok()?))
    }

    /// An address that is combined with the magic number, so that no NAT on the way changes it.
    pub(crate) fn address(&self, number: u16) -> Option<SocketAddr> {
        let (family, rest) = self.attribute(number)?.split_at_checked(2)?;
        let (port, ip) = rest.split_at_checked(2)?;
        let port =
            u16::from_be_bytes(port.try_into().ok()?) ^ u16::from_be_bytes([MAGIC[0], MAGIC[1]]);
        let ip = match (family[1], ip.len()) {
            (1, 4) => {
                let mut octets: [u8; 4] = ip.try_into().ok()?;
                self.mask(&mut octets);
                IpAddr::V4(Ipv4Addr::from(octets))
            }
            (2, 16) => {
                let mut octets: [u8; 16] = ip.try_into().ok()?;
                self.mask(&mut octets);
                IpAddr::V6(Ipv6Addr::from(octets))
            }
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    fn mask(&self, octets: &mut [u8]) {
        mask(octets, &self.transaction);
    }

    /// The code of an error, and its words.
    pub(crate) fn error(&self) -> Option<(u16, &'a str)> {
        let (code, text) = self.attribute(attribute::ERROR_CODE)?.split_at_checked(4)?;
        let code = u16::from(code[2] & 7) * 100 + u16::from(code[3]);
        Some((code, std::str::from_utf8(text).unwrap_or_default()))
    }

    /// Whether its sender knows the key.
    pub(crate) fn is_signed_with(&self, key: &[u8]) -> bool {
        let Some((signed, signature)) = self.signed else {
            return false;
        };
        // The length that is signed reaches to the end of the signature, whatever comes after it.
        let length = signed.len() - HEADER + 4 + SIGNATURE;
        let mut signed = signed.to_vec();
        signed[2..4].copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        hmac::verify(&key, &signed, signature).is_ok()
    }
}

/// Number and value of each attribute. It ends early, with a rest, where they are not well formed.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (header, rest) = self.0.split_at_checked(4)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let (value, _) = rest.split_at_checked(length)?;
        let (_, rest) = rest.split_at_checked(length.next_multiple_of(4))?;
        self.0 = rest;
        Some((u16::from_be_bytes([header[0], header[1]]), value))
    }
}

fn mask(octets: &mut [u8], transaction: &Transaction) {
    for (octet, mask) in octets.iter_mut().zip(MAGIC.iter().chain(transaction)) {
        *octet ^= mask;
    }
}

/// A message that is being written.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new(class: Class, method: Method, transaction: &Transaction) -> Self {
        let class = match class {
            Class::Request => 0x0000,
            Class::Indication => 0x0010,
            Class::Success => 0x0100,
            Class::Error => 0x0110,
        };
        let method = method as u16;
        let kind = class | (method & 0x000F) | ((method & 0x0070) << 1) | ((method & 0x0F80) << 2);
        let mut bytes = Vec::with_capacity(128);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(MAGIC);
        bytes.extend(transaction);
        Self(bytes)
    }

    /// One more attribute. Values have some hundred bytes at most, but for [`attribute::DATA`], which has what a
    /// datagram holds.
    pub(crate) fn attribute(mut self, number: u16, value: &[u8]) -> Self {
        self.0.extend(number.to_be_bytes());
        self.0
            .extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self.set_length(0);
        self
    }

    pub(crate) fn address(self, number: u16, address: SocketAddr) -> Self {
        let transaction: Transaction = self.0[8..HEADER].try_into().unwrap_or_default();
        let port = address.port() ^ u16::from_be_bytes([MAGIC[0], MAGIC[1]]);
        let mut value = match address.ip() {
            IpAddr::V4(_) => vec![0, 1],
            IpAddr::V6(_) => vec![0, 2],
        };
        value.extend(port.to_be_bytes());
        match address.ip() {
            IpAddr::V4(ip) => value.extend(ip.octets()),
            IpAddr::V6(ip) => value.extend(ip.octets()),
        }
        mask(&mut value[4..], &transaction);
        self.attribute(number, &value)
    }

    /// Signs all that is there.
    pub(crate) fn sign(mut self, key: &[u8]) -> Self {
        self.set_length(4 + SIGNATURE);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let signature = hmac::sign(&key, &self.0);
        self.attribute(attribute::MESSAGE_INTEGRITY, signature.as_ref())
    }

    /// Ends it with the checksum that tells STUN from other protocols.
    pub(crate) fn with_fingerprint(mut self) -> Self {
        self.set_length(8);
        let checksum = checksum(&self.0) ^ FINGERPRINT_MASK;
        self.attribute(attribute::FINGERPRINT, &checksum.to_be_bytes())
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Says how long the message is, with so many bytes that are still to come.
    fn set_length(&mut self, more: usize) {
        let length = self.0.len() - HEADER + more;
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        self.0[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

/// The CRC-32 of Ethernet and ZIP.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    let mut checksum = u32::MAX;
    for byte in bytes {
        checksum ^= u32::from(*byte);
        for _ in 0..8 {
            checksum = (checksum >> 1) ^ (0xEDB8_8320 & (checksum & 1).wrapping_neg());
        }
    }
    !checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of RFC 5769, section 2.1.
    const REQUEST: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x10STUN test client\
        \x00\x24\x00\x04\x6e\x00\x01\xff\
        \x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
        \x00\x06\x00\x09evtj:h6vY\x20\x20\x20\
        \x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\
        \x80\x28\x00\x04\xe5\x7a\x3b\xcf";
    /// The answers of sections 2.2 and 2.3.
    const ANSWER_4: &[u8] = b"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x0btest vector\x20\
        \x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\
        \x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7\
        \x80\x28\x00\x04\xc0\x7d\x4c\x96";
    const ANSWER_6: &[u8] = b"\x01\x01\x00\x48\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x0btest vector\x20\
        \x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9\
        \x00\x08\x00\x14\xa3\x82\x95\x4e\x4b\xe6\x7b\xf1\x17\x84\xc9\x7c\x82\x92\xc2\x75\xbf\xe3\xed\x41\
        \x80\x28\x00\x04\xc8\xfb\x0b\x4c";
    const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";

    #[test]
    fn the_examples_of_the_standard_are_read() {
        let request = Message::read(REQUEST).unwrap();
        assert_eq!(
            (request.class, request.method),
            (Class::Request, Method::Binding)
        );
        assert_eq!(request.text(attribute::USERNAME), Some("evtj:h6vY"));
        assert_eq!(request.tie_breaker(), Some(0x932f_f9b1_5126_3b36));
        assert!(request.is_signed_with(PASSWORD));
        assert!(!request.is_signed_with(b"another"));
        // What stands behind the signature is not signed, and does not count.
        assert_eq!(request.attribute(attribute::FINGERPRINT), None);
        for (answer, address) in [
            (ANSWER_4, "192.0.2.1:32853"),
            (ANSWER_6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
        ] {
            let answer = Message::read(answer).unwrap();
            assert_eq!(
                answer.address(attribute::XOR_MAPPED_ADDRESS),
                address.parse().ok()
            );
            assert!(answer.is_signed_with(PASSWORD));
        }
    }

    #[test]
    fn what_is_written_is_what_the_standard_has() {
        let transaction = Message::read(ANSWER_4).unwrap().transaction;
        for (answer, address) in [
            (ANSWER_4, "192.0.2.1:32853"),
            (ANSWER_6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
        ] {
            let written = Writer::new(Class::Success, Method::Binding, &transaction)
                .attribute(0x8022, b"test vector")
                .address(attribute::XOR_MAPPED_ADDRESS, address.parse().unwrap())
                .sign(PASSWORD)
                .with_fingerprint()
                .into_bytes();
            // But for the padding, which may be anything, and with it the signature and the checksum.
            assert_eq!(written[..35], answer[..35]);
            assert_eq!(
                written[36..answer.len() - 32],
                answer[36..answer.len() - 32]
            );
            assert!(Message::read(&written).unwrap().is_signed_with(PASSWORD));
        }
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
        let length = REQUEST.len() - 8;
        assert_eq!(
            checksum(&REQUEST[..length]) ^ FINGERPRINT_MASK,
            u32::from_be_bytes(REQUEST[length + 4..].try_into().unwrap())
        );
    }

    #[test]
    fn damaged_messages_are_refused_and_harm_nothing() {
        for length in 0..REQUEST.len() {
            assert!(
                Message::read(&REQUEST[..length]).is_none(),
                "{length} bytes"
            );
        }
        for (position, value) in [(0, 0x40), (2, 1), (3, 0x57), (4, 0), (22, 0xff), (79, 0x10)] {
            let mut damaged = REQUEST.to_vec();
            damaged[position] = value;
            assert!(Message::read(&damaged).is_none(), "{position}");
        }
        // Whatever is changed, the signature does not fit any more, or it was behind it.
        for position in 0..REQUEST.len() - 8 {
            let mut damaged = REQUEST.to_vec();
            damaged[position] ^= 1;
            if let Some(message) = Message::read(&damaged) {
                let is_signed = message.is_signed_with(PASSWORD);
                // The length of the whole is not signed as such.
                assert!(!is_signed || position == 3, "{position}");
                let _ = (
                    message.error(),
                    message.address(attribute::XOR_MAPPED_ADDRESS),
                );
            }
        }
    }

    #[test]
    fn errors_have_their_code_and_words() {
        let bytes = Writer::new(Class::Error, Method::Allocate, &[1; 12])
            .attribute(attribute::ERROR_CODE, b"\0\0\x04\x26Stale Nonce")
            .into_bytes();
        let message = Message::read(&bytes).unwrap();
        assert_eq!(
            (message.class, message.method),
            (Class::Error, Method::Allocate)
        );
        assert_eq!(message.error(), Some((438, "Stale Nonce")));
        assert_eq!(message.transaction, [1; 12]);
    }
}
